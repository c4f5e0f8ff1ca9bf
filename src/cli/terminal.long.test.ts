// What reaches the operator's terminal: text of others as plain text, tables of any length, times that no date can hold.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { formatTime, isoTime, print, printError, printJson, printTable } from './terminal.ts';

const HOSTILE = 'a\u001b]0;owned\u0007\n\u009b2J\u202eb';
const PLAIN = 'a\\u{1b}]0;owned\\u{7}\\u{a}\\u{9b}2J\\u{202e}b';

function written(t: TestContext, stream: 'stdout' | 'stderr', show: () => void): string {
  let all = '';
  const { mock } = t.mock.method(process[stream], 'write', (text: string) => {
    all += text;
    return true;
  });
  try {
    show();
  } finally {
    mock.restore();
  }
  return all;
}

test('a line is one line, and nothing in it speaks to the terminal', (t) => {
  assert.equal(
    written(t, 'stdout', () => print(HOSTILE)),
    `${PLAIN}\n`,
  );
  assert.equal(
    written(t, 'stderr', () => printError(HOSTILE)),
    `gitstead: ${PLAIN}\n`,
  );
});

test('cells are plain text, and columns as wide as what is shown', (t) => {
  assert.equal(
    written(t, 'stdout', () => printTable(['A', 'B'], [[HOSTILE, 'x']])),
    `${'A'.padEnd(PLAIN.length)}  B\n${PLAIN}  x\n`,
  );
});

test('JSON keeps its value in characters that can be shown', (t) => {
  const text = written(t, 'stdout', () => printJson([{ path: HOSTILE }]));
  assert.deepEqual(JSON.parse(text), [{ path: HOSTILE }]);
  assert.doesNotMatch(text.replaceAll('\n', ''), /[\p{Cc}\p{Cf}]/u);
});

test('a table may have more rows than a function takes arguments', (t) => {
  const rows = Array.from({ length: 200_000 }, (_, i) => [`${i}`, 'x']);
  const lines = written(t, 'stdout', () => printTable(['ID', 'B'], rows)).split('\n');
  assert.deepEqual([lines.length, lines[0], lines[1]], [200_002, 'ID      B', '0       x']);
});

test('a time beyond what a date can be is the last one that there is', () => {
  assert.equal(isoTime(0), '1970-01-01T00:00:00.000Z');
  for (const time of [8.64e15 + 1, 1e18, Number.POSITIVE_INFINITY]) {
    assert.equal(isoTime(time), '+275760-09-13T00:00:00.000Z');
    assert.match(formatTime(time), /^275760-09-1\d \d\d:\d\d$/);
  }
  assert.equal(isoTime(-1e18), '-271821-04-20T00:00:00.000Z');
});
