// The engine without HTTP as a suite; what it measures and how stands in ../engine.ts and ../engine-workloads.ts.
import { BESIDE, measureEngine, OURS } from '../engine.ts';
import { STREAM, WORKLOADS } from '../engine-workloads.ts';
import { atLeast, type Goal } from '../goals.ts';
import { type Suite, wants } from '../suite.ts';

/** Of the plan's: longer slices, as each of fast-import's ends with a pack, its index and a sync. */
const SECONDS_SHARE = 1.6;

export const engineSuite: Suite = {
  id: 'engine',
  title: 'the engine without HTTP, fsync on',
  seconds: 65,
  rows: WORKLOADS.map(({ id }) => `engine-${id}`),
  run: (plan) => {
    const workloads = WORKLOADS.filter(({ id }) => wants(plan, `engine-${id}`));
    return measureEngine(workloads, { ...plan, seconds: plan.seconds * SECONDS_SHARE });
  },
};

const STREAM_GOALS = { W1: 1.2, W2: 1.2, W3: 12, W4: 1.2 };

/** The row that does worst beside the other engine, when one was measured. */
const beside: Goal = {
  what: 'engine, each row',
  goal: '≥ 1 × beside',
  measured: (rows) => {
    const ratios = WORKLOADS.flatMap(({ id }) => rows.ratio(`engine-${id}`, OURS, BESIDE) ?? []);
    return ratios.length > 0 ? Math.min(...ratios) : undefined;
  },
  holds: (measured) => measured >= 1,
};

export const goals: Goal[] = [
  ...Object.entries(STREAM_GOALS).map(([id, factor]) =>
    atLeast(`engine ${id}`, factor, `engine-${id}`, STREAM),
  ),
  beside,
];
