// The file of grants (`auth.grantsFile`) as it is now: looked at before each decision, and once a second, so that what gone
// lines gave ends. What its lines mean stands in protocol/grants-file.ts, what they gave is ended in db/listed-grants.ts.
import { readFile, stat } from 'node:fs/promises';
import type { Audit } from '../db/audit.ts';
import type { ListedGrantsTable } from '../db/listed-grants.ts';
import type { Log } from '../log.ts';
import {
  type Asker,
  formatGrantLine,
  grantHash,
  type ListedGrants,
  missingScopes,
  parseGrantsFile,
} from '../protocol/grants-file.ts';
import type { Scope } from '../protocol/scopes.ts';

export const LOOK_EVERY_MS = 1000;
/** A file is written in steps, and may be empty between two. Lines that are new count at once, but only after this time
    without a change is believed what is gone. */
export const SETTLE_MS = 1000;
const MISSING = 'it is missing';
const MAX_BYTES = 1_048_576;
const MAX_FAULTS_TOLD = 20;

export interface GrantsFile {
  /** The lines that would have to be added, one for each scope that no line covers; none: all may be given. */
  missingLines(asker: Asker, scopes: readonly Scope[]): Promise<readonly string[]>;
  /** Reads the file if it changed, and ends what its gone lines gave. */
  look(): Promise<void>;
  close(): Promise<void>;
}

export type GrantsFileOptions = {
  /** absolute */
  path: string;
  table: ListedGrantsTable;
  audit: Audit;
  log: Log;
  /** milliseconds of a clock that is never set: one that jumps would believe a half-written file */
  elapsed?: () => number;
};

/**
 * Opens it with what it said last, also before a restart; that stays while the file is missing or cannot be read. What was
 * gone before a restart and had not settled ends a settle time after the start.
 */
export async function openGrantsFile(options: GrantsFileOptions): Promise<GrantsFile> {
  const { path, table, log, elapsed = () => performance.now() } = options;
  let listed: ListedGrants = await table.list();
  let text: string | undefined;
  let trouble: string | undefined;
  let changedAt = elapsed();
  let isSettled = false;

  async function read(): Promise<void> {
    const found = await readText(path);
    if ('trouble' in found) {
      if (found.trouble === trouble) return;
      tellTrouble(log, path, found.trouble);
      [trouble, changedAt] = [found.trouble, elapsed()];
      return;
    }
    if (trouble !== undefined) {
      log.info({ file: path }, 'the file of grants can be read again');
      [trouble, changedAt] = [undefined, elapsed()];
    }
    if (found.text === text) return;
    const parsed = parseGrantsFile(found.text);
    // what may give something from now on has to be known later, when it is gone
    await table.record(parsed.listed);
    tellChange(log, path, parsed);
    [listed, text, changedAt, isSettled] = [parsed.listed, found.text, elapsed(), false];
  }

  async function lookOnce(): Promise<void> {
    await read();
    // a file that is there but cannot be read may still be one that is written; one that was taken away is not
    if (trouble !== undefined && trouble !== MISSING) return;
    if (isSettled || elapsed() - changedAt < SETTLE_MS) return;
    await endWhatIsGone(options);
    isSettled = true;
  }

  let last: Promise<void> = Promise.resolve();
  let waiting = 0;
  function look(): Promise<void> {
    waiting++;
    const mine = last.then(lookOnce).finally(() => waiting--);
    last = mine.catch(() => {});
    return mine;
  }

  let failed = false;
  const timer = setInterval(() => {
    if (waiting > 0) return;
    look().then(
      () => {
        failed = false;
      },
      (error: unknown) => {
        if (!failed) log.error({ err: error, file: path }, 'what the file of grants says could not be kept');
        failed = true;
      },
    );
  }, LOOK_EVERY_MS).unref();

  await look();
  return {
    look,
    async missingLines(asker, scopes) {
      await look();
      const hash = grantHash(asker);
      return missingScopes(listed, hash, scopes).map((scope) => formatGrantLine(hash, scope));
    },
    async close() {
      clearInterval(timer);
      await last;
    },
  };
}

async function readText(path: string): Promise<{ text: string } | { trouble: string }> {
  try {
    const found = await stat(path);
    if (!found.isFile()) return { trouble: 'it is no file' };
    if (found.size > MAX_BYTES) return { trouble: 'it is longer than 1 MiB' };
    const text = textOf(await readFile(path));
    return text === undefined ? { trouble: 'it is no text in UTF-8' } : { text };
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    return { trouble: code === 'ENOENT' ? MISSING : (code ?? message) };
  }
}

/** Undefined where it is none: taken as faulty lines, a file saved as UTF-16 would revoke all that it means to keep. */
function textOf(bytes: Uint8Array): string | undefined {
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    return text.includes('\0') ? undefined : text;
  } catch {
    return undefined;
  }
}

function tellTrouble(log: Log, path: string, trouble: string): void {
  log.error(
    { file: path },
    `the file of grants (auth.grantsFile) cannot be read: ${trouble}; what it said last stands, and nothing is revoked for that`,
  );
}

function tellChange(
  log: Log,
  path: string,
  { listed, faults }: { listed: ListedGrants; faults: readonly { line: number; message: string }[] },
): void {
  log.info({ file: path, hashes: listed.size, faulty: faults.length }, 'the file of grants was read');
  for (const { line, message } of faults.slice(0, MAX_FAULTS_TOLD)) {
    log.warn({ file: path, line }, `the file of grants: line ${line} ${message}; it grants nothing`);
  }
  const more = faults.length - MAX_FAULTS_TOLD;
  if (more > 0) log.warn({ file: path }, `the file of grants: ${more} more lines grant nothing`);
}

async function endWhatIsGone({ table, audit, log }: GrantsFileOptions): Promise<void> {
  for (const { id, user, app } of await table.settle()) {
    log.info({ user, app, grant: id }, 'access ended: its line in the file of grants is gone');
    await audit.record({ kind: 'app-revoked', user, app, detail: 'its line in the file of grants is gone' });
  }
}
