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
import { isAscii } from 'node:buffer';
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
type Decoder = InstanceType<typeof TextDecoder>;
/** Made once: making one takes longer than reading a commit. */
const STRICT_UTF8 = decoderFor('utf-8');
const TREE_KEY = 'tree ';
const TREE_LINE_BYTES = TREE_KEY.length + 40;

/**
 * The tree of anybody's commit, without reading more of it.
 * @throws GitsteadError `corrupt` when the body does not begin with a tree
 */
export function treeOfCommit(body: Buffer): Oid {
  const tree = valueIn(body.toString('latin1', 0, TREE_LINE_BYTES), TREE_KEY);
  const oid = tree === undefined ? undefined : parseOid(tree);
  if (!oid) throw new GitsteadError('corrupt', 'a commit does not begin with its tree');
  return oid;
}

/**
 * Anybody's commit. Signatures and other headers are passed over; a person without a date or zone gets 0 and +0000;
 * text in another encoding than UTF-8 is read as its `encoding` header tells, or as Latin-1.
 * @throws GitsteadError `corrupt` when the body does not begin with a tree and whole parents
 */
export function parseCommit(body: Buffer): Commit {
  const blank = body.indexOf('\n\n');
  const headerEnd = blank < 0 ? body.length : blank;
  // Latin-1 keeps each byte as it is: what is text is decoded below
  const [first = '', ...lines] = body.toString('latin1', 0, headerEnd).split('\n');
  const tree = parseOid(valueIn(first, TREE_KEY) ?? '');
  if (!tree) throw new GitsteadError('corrupt', 'a commit does not begin with its tree');
  const parents: Oid[] = [];
  for (const line of lines) {
    const value = valueIn(line, 'parent ');
    if (value === undefined) break;
    const parent = parseOid(value);
    if (!parent) throw new GitsteadError('corrupt', 'a commit names a parent that is no object id');
    parents.push(parent);
  }
  const find = (key: string) => {
    const line = lines.find((each) => each.startsWith(key));
    return line === undefined ? undefined : valueIn(line, key);
  };
  const decode = decoderOf(find('encoding '));
  const personOf = (text: string | undefined) =>
    text === undefined ? NOBODY : parsePerson(decode(Buffer.from(text, 'latin1')));
  return {
    tree,
    parents,
    author: personOf(find('author ')),
    committer: personOf(find('committer ')),
    message: blank < 0 ? '' : decode(body.subarray(blank + 2)),
  };
}

function valueIn(line: string, key: string): string | undefined {
  return line.startsWith(key) ? line.slice(key.length) : undefined;
}

/** How text of a commit with this `encoding` header is read. */
function decoderOf(encoding: string | undefined): (bytes: Buffer) => string {
  if (encoding === undefined) return decodeUtf8;
  const decoder = decoderFor(encoding);
  return (bytes) => (decoder && decodeStrictly(bytes, decoder)) ?? decodeUtf8(bytes);
}

/** UTF-8, or Latin-1 when it is not. */
function decodeUtf8(bytes: Buffer): string {
  // what a decoder needs is twice what all the rest of a commit takes
  if (isAscii(bytes)) return bytes.toString('latin1');
  return decodeStrictly(bytes, STRICT_UTF8!) ?? bytes.toString('latin1');
}

function decodeStrictly(bytes: Buffer, decoder: Decoder): string | undefined {
  try {
    return decoder.decode(bytes);
  } catch {
    return undefined; // it is not what its header says
  }
}

/** undefined: nobody knows such an encoding */
function decoderFor(label: string): Decoder | undefined {
  try {
    return new TextDecoder(label, { fatal: true, ignoreBOM: true });
  } catch {
    return undefined;
  }
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
