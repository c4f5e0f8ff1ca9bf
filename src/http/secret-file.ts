// A secret that stands in a file: the one by which a storage process may ask the accounts process about tokens, and the one
// by which metrics are read. Read again when the file changes, so that it can be changed on both sides without a restart.
// It is never logged.
import { createHash, timingSafeEqual } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { GitsteadError } from '../errors.ts';
import type { Log } from '../log.ts';

/** Below this a secret could be guessed; it is taken, and the log says so. */
const FEW_CHARACTERS = 20;
/** What may stand in an Authorization header. */
const SECRET = /^[!-~]{1,4096}$/;
const READABLE_BY_OTHERS = 0o004;

const BEARER = /^bearer +([!-~]+) *$/i;

/** The secret as it stands now. */
export type ReadSecret = () => string;

/**
 * Whether a request's Authorization header holds the secret. Hashes are compared: they have one length, and tell nothing by
 * the time that it takes.
 */
export function knowsSecret(authorization: string | undefined, readSecret: ReadSecret): boolean {
  const given = BEARER.exec(authorization ?? '')?.[1];
  return given !== undefined && timingSafeEqual(sha256(given), sha256(readSecret()));
}

function sha256(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

/**
 * Opens the file at `path`, which holds the secret in one line. If it cannot be read later, the last good secret
 * counts on, with a warning: editors save by rename.
 * @param setting that names the file, for messages
 * @throws bad-request, in one line: missing, empty, readable by others
 */
export function openSecretFile(path: string, log: Log, setting = 'introspectSecretFile'): ReadSecret {
  const place = `${setting}: ${path}`;
  let version = versionOf(path, place);
  let secret = readSecretFile(path, place);
  let fault: string | undefined;
  if (secret.length < FEW_CHARACTERS) {
    log.warn(`the secret in ${path} is short; openssl rand -hex 32 makes a better one`);
  }
  return () => {
    try {
      const newest = versionOf(path, place);
      if (newest !== version) {
        secret = readSecretFile(path, place);
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
function versionOf(path: string, place: string): string {
  try {
    const { ino, size, mtimeMs, ctimeMs } = statSync(path);
    return [ino, size, mtimeMs, ctimeMs].join(' ');
  } catch (cause) {
    throw refusal(place, 'cannot be read', cause);
  }
}

function readSecretFile(path: string, place: string): string {
  let text: string;
  let mode: number;
  try {
    mode = statSync(path).mode;
    text = readFileSync(path, 'utf8').trim();
  } catch (cause) {
    throw refusal(place, 'cannot be read', cause);
  }
  if ((mode & READABLE_BY_OTHERS) !== 0) throw refusal(place, 'may be read by others: chmod 600 it');
  if (!SECRET.test(text)) throw refusal(place, 'should hold one line of letters, digits and signs');
  return text;
}

function refusal(place: string, what: string, cause?: unknown): GitsteadError {
  return new GitsteadError('bad-request', `${place} ${what}`, { cause });
}
