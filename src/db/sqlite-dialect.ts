// Lets kysely speak to node:sqlite. kysely's own SQLite dialect expects an object shaped like better-sqlite3's
// Database; this file gives node:sqlite that shape, and nothing more. Queries stand beside their tables.
import type { DatabaseSync, SQLInputValue } from 'node:sqlite';
import { SqliteDialect } from 'kysely';

/** A kysely dialect over an open database. kysely's `destroy` closes the database. */
export function sqliteDialect(database: DatabaseSync): SqliteDialect {
  return new SqliteDialect({
    database: {
      close: () => database.close(),
      prepare(sql) {
        const statement = database.prepare(writeLockAtOnce(sql));
        return {
          reader: statement.columns().length > 0,
          all: (parameters) => statement.all(...inputs(parameters)),
          run: (parameters) => statement.run(...inputs(parameters)),
          iterate: (parameters) => statement.iterate(...inputs(parameters)) as IterableIterator<unknown>,
        };
      },
    },
  });
}

/** A transaction that reads and then writes would fail at once, whatever busy_timeout says, if another
    process wrote in between; taken at its beginning, the lock is waited for instead. */
function writeLockAtOnce(sql: string): string {
  return sql === 'begin' ? 'begin immediate' : sql;
}

function inputs(parameters: readonly unknown[]): SQLInputValue[] {
  return parameters.map((value) => (typeof value === 'boolean' ? Number(value) : (value as SQLInputValue)));
}
