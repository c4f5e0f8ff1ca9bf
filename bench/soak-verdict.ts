// When a soak is flat: what a straight line through the second half's samples says that each figure rose by within it. Pure.
import type { Judgement } from './goals.ts';
import type { RowResult } from './results.ts';

/** What is looked at every ten seconds. */
export type Sample = {
  /** requests per second */
  rate: number;
  /** ms */
  p99: number;
  errors: number;
  /** resident, MiB */
  memory: number;
  /** MiB */
  heap: number;
  /** of the memory budget, MiB */
  kept: number;
  /** open descriptors of the server */
  files: number;
  /** of the repository that has the most */
  packs: number;
};

export const SOAK_ROWS: readonly (Pick<RowResult, 'id' | 'title' | 'unit' | 'better'> & {
  name: keyof Sample;
})[] = [
  { name: 'rate', id: 'soak-rate', title: 'requests', unit: '/s', better: 'more' },
  { name: 'p99', id: 'soak-p99', title: 'p99', unit: 'ms', better: 'less' },
  { name: 'errors', id: 'soak-errors', title: 'unexpected answers', unit: 'requests', better: 'less' },
  { name: 'memory', id: 'soak-memory', title: 'resident memory', unit: 'MiB', better: 'less' },
  { name: 'heap', id: 'soak-heap', title: 'heap', unit: 'MiB', better: 'less' },
  { name: 'kept', id: 'soak-kept', title: 'kept within the memory budget', unit: 'MiB', better: 'less' },
  { name: 'files', id: 'soak-files', title: 'open files', unit: 'files', better: 'less' },
  {
    name: 'packs',
    id: 'soak-packs',
    title: 'packs of a repository, the most',
    unit: 'packs',
    better: 'less',
  },
];

/** What a figure may rise by in the second half and still be called flat. */
const MOST_RISE = { memory: 24, files: 16, packs: 4 } as const;
const MOST_PACKS = 30;
/** What the process may take beside what it keeps of its memory budget; docs/install.md tells what it took. */
const MOST_BESIDE_MIB = 270;

export function verdictsOf(samples: readonly Sample[]): Judgement[] {
  const half = samples.slice(Math.floor(samples.length / 2));
  const errors = samples.reduce((sum, sample) => sum + sample.errors, 0);
  const packs = Math.max(...samples.map((sample) => sample.packs));
  const beside = Math.max(...samples.map(({ memory, kept }) => memory - kept));
  return [
    ...Object.entries(MOST_RISE).map(([name, most]): Judgement => {
      const rise = riseOf(half.map((sample) => sample[name as keyof typeof MOST_RISE]));
      const goal = `rises by at most ${most} in the second half`;
      return { what: `soak: ${name}`, goal, measured: rise, met: rise <= most };
    }),
    {
      what: 'soak: memory beside what is kept, MiB',
      goal: `≤ ${MOST_BESIDE_MIB}`,
      ...{ measured: beside, met: beside <= MOST_BESIDE_MIB },
    },
    { what: 'soak: unexpected answers', goal: 'none', measured: errors, met: errors === 0 },
    { what: 'soak: packs', goal: `≤ ${MOST_PACKS}`, measured: packs, met: packs <= MOST_PACKS },
  ];
}

/** What the line of least squares through equally spaced values rises by from the first to the last. */
export function riseOf(values: readonly number[]): number {
  const middle = (values.length - 1) / 2;
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  let shared = 0;
  let spread = 0;
  for (const [index, value] of values.entries()) {
    shared += (index - middle) * (value - mean);
    spread += (index - middle) ** 2;
  }
  return spread === 0 ? 0 : (shared / spread) * (values.length - 1);
}
