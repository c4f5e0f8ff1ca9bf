// What a killed process left in the repositories, of which there may be tens of thousands: few are cleared at the start, of
// many the rest is cleared in the background, and each at the latest before it is opened.
import { setImmediate } from 'node:timers/promises';
import type { Log } from '../log.ts';

/** So many are cleared before anything is served: some 0.1 s. */
const AT_START = 256;
/** The event loop is given up to others after so much work at a stretch. */
const SLICE_MS = 5;

export type MayHoldLeftovers = { user: string; module: string; folder: string };

export interface Leftovers {
  /** Clears the repository, if that was not done yet: to be called before anything of ours works in it. */
  clear(user: string, module: string): void;
  /** Goes through what is left, while requests are served, until `isOver`. */
  clearAll(isOver: () => boolean): Promise<void>;
  /** of how many it is not known yet that they hold none */
  left(): number;
}

/** @param remove takes the leftovers out of one repository, synchronously */
export function openLeftovers(
  repositories: Iterable<MayHoldLeftovers>,
  remove: (folder: string) => void,
  log: Log,
  atStart = AT_START,
): Leftovers {
  /** by 'user/module' */
  const folders = new Map<string, string>();
  for (const { user, module, folder } of repositories) folders.set(`${user}/${module}`, folder);
  for (const key of [...folders.keys()].slice(0, atStart)) clear(key);

  function clear(key: string): void {
    const folder = folders.get(key);
    if (folder === undefined) return;
    remove(folder);
    folders.delete(key);
  }

  return {
    clear: (user, module) => clear(`${user}/${module}`),
    async clearAll(isOver) {
      let since = performance.now();
      for (const key of folders.keys()) {
        if (isOver()) return;
        try {
          clear(key);
        } catch (error) {
          log.error(
            { err: error, repository: key },
            'what a crash left in this repository cannot be removed yet',
          );
        }
        if (performance.now() - since < SLICE_MS) continue;
        await setImmediate();
        since = performance.now();
      }
    },
    left: () => folders.size,
  };
}
