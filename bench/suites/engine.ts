// The engine without HTTP as a suite; what it measures and how stands in ../engine.ts and ../engine-workloads.ts.
import { measureEngine } from '../engine.ts';
import { STREAM, WORKLOADS } from '../engine-workloads.ts';
import { atLeast, type Goal } from '../goals.ts';
import { type Suite, wants } from '../suite.ts';

export const engineSuite: Suite = {
  id: 'engine',
  title: 'the engine without HTTP, fsync on',
  seconds: 90,
  rows: WORKLOADS.map(({ id }) => `engine-${id}`),
  run: (plan) => {
    const workloads = WORKLOADS.filter(({ id }) => wants(plan, `engine-${id}`));
    return measureEngine({ workloads, rounds: plan.rounds, seconds: plan.seconds, beside: plan.beside });
  },
};

const STREAM_GOALS = { W1: 1.2, W2: 1.2, W3: 12, W4: 1.2 };

export const goals: Goal[] = [
  ...Object.entries(STREAM_GOALS).map(([id, factor]) =>
    atLeast(`engine ${id}`, factor, `engine-${id}`, STREAM),
  ),
  ...WORKLOADS.map(({ id }) => atLeast(`engine ${id}`, 1, `engine-${id}`, 'beside')),
];
