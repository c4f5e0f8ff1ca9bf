// How a property test runs: its seed, new each time and printed (GITSTEAD_SEED repeats a failure), and how many times
// as many runs as usual (GITSTEAD_DEPTH, for a night).
import type { TestContext } from 'node:test';

export function seed(t: TestContext): number {
  const given = Number.parseInt(process.env.GITSTEAD_SEED ?? '', 10);
  const chosen = Number.isNaN(given) ? Date.now() & 0x7fffffff : given;
  t.diagnostic(`GITSTEAD_SEED=${chosen}`);
  return chosen;
}

export function runs(usual: number): number {
  return usual * depth();
}

export function depth(): number {
  const given = Number.parseInt(process.env.GITSTEAD_DEPTH ?? '', 10);
  return Number.isNaN(given) ? 1 : Math.max(1, given);
}
