// The thread that copies the index's write-ahead log into its file: two syncs and many page writes, which on the main
// thread would hold up every request. A message asks for one PASSIVE checkpoint, which waits for nobody. The file is open
// only meanwhile, and `state` (1: at work, 0: idle) tells when it is not: whoever closes the index waits for that.
import { DatabaseSync } from 'node:sqlite';
import { parentPort, workerData } from 'node:worker_threads';

const { file, state } = workerData as { file: string; state: Int32Array };

parentPort!.on('message', () => {
  try {
    copyLog();
  } finally {
    Atomics.store(state, 0, 0);
    Atomics.notify(state, 0);
  }
});

function copyLog(): void {
  const database = new DatabaseSync(file);
  try {
    database.exec('PRAGMA busy_timeout = 5000; PRAGMA synchronous = NORMAL');
    database.prepare('PRAGMA wal_checkpoint(PASSIVE)').get();
  } finally {
    database.close();
  }
}
