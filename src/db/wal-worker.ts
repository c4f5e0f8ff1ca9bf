// The thread that copies the index's write-ahead log into its file: two syncs and many page writes, which on the main
// thread would hold up every request. A message asks for one PASSIVE checkpoint, which waits for nobody.
import { DatabaseSync } from 'node:sqlite';
import { parentPort, workerData } from 'node:worker_threads';

const database = new DatabaseSync(workerData as string);
database.exec('PRAGMA synchronous = NORMAL');
const checkpoint = database.prepare('PRAGMA wal_checkpoint(PASSIVE)');

parentPort!.on('message', () => {
  checkpoint.get();
  parentPort!.postMessage('done');
});
