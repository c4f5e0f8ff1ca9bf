// A disk of a few MiB that a test can fill: a tmpfs of its own. Needs root on Linux; without it the test is skipped,
// except where CI is set.
import { execFileSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';

export interface SmallDisk {
  readonly folder: string;
  /** Takes all the room that is left, but for so many bytes. */
  fill(leave?: number): void;
  /** Gives it back. */
  free(): void;
  remount(how: 'ro' | 'rw'): void;
  remove(): void;
}

/** undefined: it cannot be had here, and the test is marked as skipped */
export function openSmallDisk(t: TestContext, megabytes: number): SmallDisk | undefined {
  const place = mkdtempSync(join(tmpdir(), 'gitstead-disk-'));
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m`, 'tmpfs', place], { stdio: 'pipe' });
  } catch (error) {
    rmSync(place, { recursive: true });
    if (process.env.CI) throw error;
    t.skip('needs root, to mount a small disk');
    return undefined;
  }
  const filler = join(place, 'filler');
  return {
    folder: join(place, 'data'),
    fill(leave = 0) {
      const file = openSync(filler, 'a');
      const block = Buffer.alloc(64 << 10, 1);
      try {
        for (;;) writeSync(file, block);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
      } finally {
        closeSync(file);
      }
      if (leave > 0) execFileSync('truncate', ['--size', `-${leave}`, filler]);
    },
    free: () => rmSync(filler, { force: true }),
    remount: (how) => void execFileSync('mount', ['-o', `remount,${how}`, place], { stdio: 'pipe' }),
    remove() {
      execFileSync('umount', [place], { stdio: 'pipe' });
      rmSync(place, { recursive: true });
    },
  };
}
