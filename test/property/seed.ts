// The seed of a property test: new each time and printed, or the one in GITSTEAD_SEED to see a failure again.
import type { TestContext } from 'node:test';

export function seed(t: TestContext): number {
  const given = Number.parseInt(process.env.GITSTEAD_SEED ?? '', 10);
  const chosen = Number.isNaN(given) ? Date.now() & 0x7fffffff : given;
  t.diagnostic(`GITSTEAD_SEED=${chosen}`);
  return chosen;
}
