// A consistent copy of an SQLite database that other processes may be writing to meanwhile.
// Where the copy goes and what becomes of it is left to the callers.
import { closeSync, openSync, rmSync } from 'node:fs';
import { backup, DatabaseSync } from 'node:sqlite';

/** More than such a file has: a copy in one step is never begun anew because somebody writes. */
const PAGES_PER_STEP = 2 ** 30;

/** Copies the database at `from` to the new file `to` (mode 0600): one moment's state, whole or not at all. */
export async function copyDatabase(from: string, to: string): Promise<void> {
  closeSync(openSync(to, 'wx', 0o600));
  const database = new DatabaseSync(from);
  try {
    database.exec('PRAGMA busy_timeout = 5000');
    await backup(database, to, { rate: PAGES_PER_STEP });
  } catch (error) {
    rmSync(to, { force: true });
    throw error;
  } finally {
    database.close();
  }
}
