// The thread that merges packs: it is told a repository and pack names, and answers when the merged pack stands and
// when the merge is over. Merging is all reading, comparing and copying; on the main thread it cost a third of the writes.
import { parentPort, workerData } from 'node:worker_threads';
import { asGitsteadError } from '../errors.ts';
import { freeMemory, inOwnMemory } from '../git/free-memory.ts';
import { mergePacks } from '../git/merge-packs.ts';

/** What the thread is started with: a number that becomes 1 when the merge under way is to be given up. */
export type MergeThreadData = { givenUp: Int32Array };

export type MergeOrder = { folder: string; names: string[] };

export type MergeNews =
  | { kind: 'placed'; name: string; index: Uint8Array<ArrayBuffer> }
  | { kind: 'over' }
  | { kind: 'failed'; message: string };

const port = parentPort!;
const { givenUp } = workerData as MergeThreadData;

port.on('message', ({ folder, names }: MergeOrder) => {
  const say = (news: MergeNews) => port.postMessage(news);
  try {
    mergePacks(folder, names, {
      placed: (name, index) => {
        const own = inOwnMemory(index);
        // copied, not handed over: what the main thread keeps must not lie between what merges use for a moment
        say({ kind: 'placed', name, index: own });
        freeMemory(own);
      },
      isGivenUp: () => Atomics.load(givenUp, 0) !== 0,
    });
    say({ kind: 'over' });
  } catch (error) {
    const { message, cause } = asGitsteadError(error);
    say({ kind: 'failed', message: cause instanceof Error ? `${message} (${cause.message})` : message });
  }
});
