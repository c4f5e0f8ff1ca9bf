import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type CpuProfile, timesByGroup } from '../bench/cpu-profile.ts';

/** A profile of one stack for each line: frames from the root on, `function@url`, and the microseconds that it was seen for. */
function profileOf(startTime: number, stacks: [frames: string[], took: number][]): CpuProfile {
  const profile: CpuProfile = { startTime, nodes: [], samples: [], timeDeltas: [] };
  for (const [frames, took] of stacks) {
    for (const [depth, frame] of frames.entries()) {
      const [functionName = '', url = ''] = frame.split('@');
      const id = profile.nodes.length + 1;
      if (depth > 0) profile.nodes.at(-1)!.children = [id];
      profile.nodes.push({ id, callFrame: { functionName, url } });
    }
    profile.samples.push(profile.nodes.length);
    profile.timeDeltas.push(took);
  }
  return profile;
}

const handler = ['(root)', 'parserOnIncoming@node:_http_server', 'handle@file:///app/dist/http/storage.js'];

test('time is told by what was done: native calls by the module that made them', () => {
  const profile = profileOf(1_000, [
    [['(root)', '(idle)'], 10],
    [
      [
        ...handler,
        'end@node:_http_outgoing',
        'doWrite@node:internal/stream_base_commons',
        'writeLatin1String',
      ],
      20,
    ],
    [[...handler, 'writeSync@node:fs', 'writeBuffer'], 30],
    [[...handler, 'fdatasyncSync@node:fs', 'fdatasync'], 40],
    [[...handler, 'find@file:///app/dist/db/documents.js'], 50],
    [[...handler, 'find@file:///app/dist/db/documents.js', 'get'], 60],
    [[...handler, 'judge@file:///app/node_modules/lib/index.js'], 70],
    [handler, 80],
    [['(root)', '(garbage collector)'], 90],
    [['(root)', 'strange'], 100],
  ]);
  assert.deepEqual(Object.fromEntries(timesByGroup(profile, 0, 1e9)), {
    'nothing to do': 10,
    'system calls: answers': 20,
    'system calls: files': 30,
    'system calls: sync': 40,
    'index and accounts, SQLite with them': 110,
    libraries: 70,
    'protocol and HTTP handler': 80,
    'garbage collector': 90,
    other: 100,
  });
});

test('only what happened between the two moments counts', () => {
  const seen = profileOf(1_000, [
    [handler, 100],
    [handler, 10],
    [handler, 1],
    [handler, 1_000],
  ]);
  assert.deepEqual([...timesByGroup(seen, 1_105, 1_200)], [['protocol and HTTP handler', 11]]);
  assert.equal(timesByGroup(seen, 5_000, 6_000).size, 0);
});
