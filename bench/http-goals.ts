// What the HTTP rows are asked to reach, as ratios to what was measured beside them in the same run.
import { atLeast, type Goal, ratio } from './goals.ts';

const MAX_TAIL = 10;
const MAX_APART = 2;

function tail(what: string, rowId: string): Goal {
  return {
    what: `${what}: p99 / p50`,
    goal: `≤ ${MAX_TAIL}`,
    measured: (rows) => ratio(rows.p99(rowId, 'gitstead'), rows.p50(rowId, 'gitstead')),
    holds: (measured) => measured <= MAX_TAIL,
  };
}

const usersApart: Goal = {
  what: 'PUT, 32 writers in one folder and of 32 users: faster / slower',
  goal: `≤ ${MAX_APART}`,
  measured: (rows) => {
    const times = rows.ratioOfRows('http-put-32', 'http-put-32-users', 'gitstead');
    return times === undefined ? undefined : Math.max(times, 1 / times);
  },
  holds: (measured) => measured <= MAX_APART,
};

export const goals: Goal[] = [
  atLeast('PUT, 1 writer', 0.3, 'http-put-1', 'append'),
  atLeast('PUT, 1 writer', 10, 'http-put-1', 'armadietto'),
  atLeast('PUT, 32 writers', 40, 'http-put-32', 'armadietto'),
  tail('PUT, 32 writers', 'http-put-32'),
  atLeast('PUT, 32 users', 40, 'http-put-32-users', 'armadietto'),
  tail('PUT, 32 users', 'http-put-32-users'),
  usersApart,
  atLeast('GET', 0.7, 'http-get', 'bare'),
  atLeast('304 on a document', 0.7, 'http-get-304', 'bare'),
  atLeast('304 on a listing', 0.7, 'http-list-304', 'bare'),
  atLeast('listing of 100', 0.5, 'http-list-100', 'bare'),
  atLeast('listing of 10,000', 0.5, 'http-list-10000', 'bare'),
];
