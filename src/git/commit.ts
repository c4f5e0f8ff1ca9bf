// Commit objects as git writes them: encode for ours, parse for anybody's.
// The wording of our messages is not decided here.
//
//   tree <oid>\n
//   parent <oid>\n …
//   author <name> <<email>> <Unix seconds> <zone>\n
//   committer …\n
//   [encoding <name>\n] [gpgsig …\n <continued>\n] …
//   \n
//   <message>
import { GitsteadError } from '../errors.ts';
import { type Oid, parseOid } from './object-id.ts';

/** `time` in Unix seconds, `zone` as `+hhmm` or `-hhmm`. */
export type Person = { name: string; email: string; time: number; zone: string };

/** `message` as it stands in the object, its final line end included. */
export type Commit = {
  tree: Oid;
  parents: readonly Oid[];
  author: Person;
  committer: Person;
  message: string;
};

const NOT_IN_A_NAME = /[<>\n\0]/;
const NOT_IN_A_NAME_GLOBAL = /[<>\n\0]/g;

/** The characters that would end the field go, as git drops them. */
function field(text: string): string {
  return NOT_IN_A_NAME.test(text) ? text.replace(NOT_IN_A_NAME_GLOBAL, '').trim() : text;
}

function formatPerson(person: Person): string {
  return `${field(person.name)} <${field(person.email)}> ${person.time} ${person.zone}`;
}

/** The body of a commit object. NUL characters, which git refuses, leave the message. */
export function encodeCommit(commit: Commit): Buffer {
  let text = `tree ${commit.tree}\n`;
  for (const parent of commit.parents) text += `parent ${parent}\n`;
  const message = commit.message.includes('\0') ? commit.message.replaceAll('\0', '') : commit.message;
  text += `author ${formatPerson(commit.author)}\ncommitter ${formatPerson(commit.committer)}\n\n${message}`;
  return Buffer.from(text, 'utf8');
}

const NOBODY: Person = { name: '', email: '', time: 0, zone: '+0000' };
const LF = 0x0a;

/**
 * Anybody's commit. Signatures and other headers are passed over; a person without a date or zone gets 0 and +0000;
 * text in another encoding than UTF-8 is read as its `encoding` header tells, or as Latin-1.
 * @throws GitsteadError `corrupt` when the body does not begin with a tree and whole parents
 */
export function parseCommit(body: Buffer): Commit {
  const blank = body.indexOf('\n\n');
  const headerEnd = blank < 0 ? body.length : blank;
  const lines = splitLines(body.subarray(0, headerEnd));
  const tree = oidLine(lines[0], 'tree ');
  if (!tree) throw new GitsteadError('corrupt', 'a commit does not begin with its tree');
  const parents: Oid[] = [];
  let at = 1;
  for (; startsWith(lines[at], 'parent '); at++) {
    const parent = oidLine(lines[at], 'parent ');
    if (!parent) throw new GitsteadError('corrupt', 'a commit names a parent that is no object id');
    parents.push(parent);
  }
  const rest = lines.slice(at);
  const encoding = rest.find((line) => startsWith(line, 'encoding '));
  const decode = decoderOf(encoding?.subarray('encoding '.length).toString('latin1'));
  const author = rest.find((line) => startsWith(line, 'author '));
  const committer = rest.find((line) => startsWith(line, 'committer '));
  return {
    tree,
    parents,
    author: author ? parsePerson(decode(author.subarray('author '.length))) : NOBODY,
    committer: committer ? parsePerson(decode(committer.subarray('committer '.length))) : NOBODY,
    message: blank < 0 ? '' : decode(body.subarray(blank + 2)),
  };
}

function splitLines(header: Buffer): Buffer[] {
  const lines: Buffer[] = [];
  for (let start = 0; start < header.length; ) {
    const found = header.indexOf(LF, start);
    const end = found < 0 ? header.length : found;
    lines.push(header.subarray(start, end));
    start = end + 1;
  }
  return lines;
}

function startsWith(line: Buffer | undefined, key: string): line is Buffer {
  return line !== undefined && line.length >= key.length && line.toString('latin1', 0, key.length) === key;
}

function oidLine(line: Buffer | undefined, key: string): Oid | undefined {
  return startsWith(line, key) ? parseOid(line.toString('latin1', key.length)) : undefined;
}

/** How text of a commit with this `encoding` header is read. */
function decoderOf(encoding: string | undefined): (bytes: Buffer) => string {
  const labels = encoding === undefined ? ['utf-8'] : [encoding, 'utf-8'];
  return (bytes) => {
    for (const label of labels) {
      try {
        return new TextDecoder(label, { fatal: true, ignoreBOM: true }).decode(bytes);
      } catch {
        // an unknown label, or bytes that are not what the header says
      }
    }
    return bytes.toString('latin1');
  };
}

const PERSON_FORM = /^(.*?) ?<([^>]*)>?(?:.*?> *)?(?: *(-?\d+))?(?: +([+-]\d{4}))?/s;

function parsePerson(text: string): Person {
  const parts = PERSON_FORM.exec(text);
  if (!parts) return { ...NOBODY, name: text.trim() };
  const time = Number(parts[3] ?? 0);
  return {
    name: parts[1]!.trim(),
    email: parts[2]!.trim(),
    time: Number.isSafeInteger(time) ? time : 0,
    zone: parts[4] ?? '+0000',
  };
}
