// The thread that merges packs: it is told a repository and pack names, and answers when the merged pack stands and
// when the merge is over. Merging is all reading, comparing and copying; on the main thread it cost a third of the writes.
import { parentPort } from 'node:worker_threads';
import { asGitsteadError } from '../errors.ts';
import { mergePacks } from '../git/merge-packs.ts';

export type MergeOrder = { folder: string; names: string[] } | 'give-up';

export type MergeNews =
  | { kind: 'placed'; name: string; index: Uint8Array }
  | { kind: 'over' }
  | { kind: 'failed'; message: string };

const port = parentPort!;
let underWay: AbortController | undefined;

port.on('message', (order: MergeOrder) => {
  if (order === 'give-up') underWay?.abort();
  else void merge(order.folder, order.names);
});

async function merge(folder: string, names: string[]): Promise<void> {
  const say = (news: MergeNews) => port.postMessage(news);
  underWay = new AbortController();
  try {
    await mergePacks(folder, names, {
      placed: (name, index) => say({ kind: 'placed', name, index: new Uint8Array(index) }),
      signal: underWay.signal,
    });
    say({ kind: 'over' });
  } catch (error) {
    const { message, cause } = asGitsteadError(error);
    say({ kind: 'failed', message: cause instanceof Error ? `${message} (${cause.message})` : message });
  }
}
