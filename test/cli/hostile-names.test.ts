// Names that apps and pushes choose, as commands print them: they never speak to the operator's terminal.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openTestServer } from '../open-test-server.ts';
import { gitstead } from './gitstead.ts';

const NAME = 'a\u001b]0;owned\u0007\nPUT \u009b2J\u202eb.txt';
const PLAIN = 'a\\u{1b}]0;owned\\u{7}\\u{a}PUT \\u{9b}2J\\u{202e}b.txt';
/** Any but line ends. */
const UNSHOWABLE = /(?!\n)[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u;

test('log shows a name with controls and bidi marks in one line of plain text, and as JSON of the same value', async () => {
  await using server = await openTestServer();
  await server.createUser('ann');
  const token = await server.createToken('ann', '*:rw');
  for (const path of [`notes/${encodeURIComponent(NAME)}`, `${encodeURIComponent(NAME)}/b.txt`]) {
    const answer = await fetch(`${server.storageUrl('ann')}/${path}`, {
      method: 'PUT',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'text/plain' },
      body: 'hello',
    });
    assert.equal(answer.status, 201);
  }
  const run = (...words: string[]) => gitstead(words, { data: server.dataFolder });
  const shown = await run('log', 'ann', 'notes');
  assert.equal(shown.stderr, '');
  assert.doesNotMatch(shown.stdout, UNSHOWABLE);
  assert.equal(shown.stdout.split('\n').length, 2);
  assert.ok(shown.stdout.includes(`PUT     ${PLAIN}`), shown.stdout);

  const json = await run('log', 'ann', 'notes', '--json');
  assert.doesNotMatch(json.stdout, UNSHOWABLE);
  assert.equal(JSON.parse(json.stdout)[0].path, NAME);

  const refused = await run('log', 'ann', `${NAME.slice(1)}`);
  assert.equal(refused.code, 1);
  assert.match(refused.stderr, /^gitstead: ann has no module named \\u\{1b\}[^\n]+\n$/);
  assert.doesNotMatch(refused.stderr, UNSHOWABLE);
});
