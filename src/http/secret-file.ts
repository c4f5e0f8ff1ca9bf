// A secret that stands in a file: the one by which a storage process may ask the accounts process about tokens. Read
// again when the file changes, so that it can be changed on both sides without a restart. It is never logged.
import { readFileSync, statSync } from 'node:fs';
import { GitsteadError } from '../errors.ts';
import type { Log } from '../log.ts';

/** Below this a secret could be guessed; it is taken, and the log says so. */
const FEW_CHARACTERS = 20;
/** What may stand in an Authorization header. */
const SECRET = /^[!-~]{1,4096}$/;
const READABLE_BY_OTHERS = 0o004;

/** The secret as it stands now. */
export type ReadSecret = () => string;

/**
 * Opens the file at `path`, which holds the secret in one line. If it cannot be read later, the last good secret
 * counts on, with a warning: editors save by rename.
 * @throws bad-request, in one line: missing, empty, readable by others
 */
export function openSecretFile(path: string, log: Log): ReadSecret {
  let version = versionOf(path);
  let secret = readSecretFile(path);
  let fault: string | undefined;
  if (secret.length < FEW_CHARACTERS) {
    log.warn(`the secret in ${path} is short; openssl rand -hex 32 makes a better one`);
  }
  return () => {
    try {
      const newest = versionOf(path);
      if (newest !== version) {
        secret = readSecretFile(path);
        version = newest;
        fault = undefined;
      }
    } catch (error) {
      const { message } = error as Error;
      if (message !== fault) log.warn(`${message}; the secret that stood there before still counts`);
      fault = message;
    }
    return secret;
  };
}

/** Changes whenever the file does, also by a rename or a chmod. */
function versionOf(path: string): string {
  try {
    const { ino, size, mtimeMs, ctimeMs } = statSync(path);
    return [ino, size, mtimeMs, ctimeMs].join(' ');
  } catch (cause) {
    throw refusal(path, 'cannot be read', cause);
  }
}

function readSecretFile(path: string): string {
  let text: string;
  let mode: number;
  try {
    mode = statSync(path).mode;
    text = readFileSync(path, 'utf8').trim();
  } catch (cause) {
    throw refusal(path, 'cannot be read', cause);
  }
  if ((mode & READABLE_BY_OTHERS) !== 0) throw refusal(path, 'may be read by others: chmod 600 it');
  if (!SECRET.test(text)) throw refusal(path, 'should hold one line of letters, digits and signs');
  return text;
}

function refusal(path: string, what: string, cause?: unknown): GitsteadError {
  return new GitsteadError('bad-request', `introspectSecretFile: ${path} ${what}`, { cause });
}
