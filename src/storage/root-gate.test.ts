import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openRootGates } from './root-gate.ts';

const turn = () => new Promise((later) => setImmediate(later));

test('one at a time passes the gate of a user, in the order in which they came', async () => {
  const gates = openRootGates();
  const passed: number[] = [];
  const leave = await gates.enter('alice');
  const others = [1, 2, 3].map(async (number) => {
    const open = await gates.enter('alice');
    passed.push(number);
    await turn();
    assert.equal(passed.at(-1), number, 'another one came in');
    open();
  });
  await turn();
  assert.deepEqual(passed, []);
  leave();
  await Promise.all(others);
  assert.deepEqual(passed, [1, 2, 3]);
});

test('users do not wait for each other, and a gate that was left is open', async () => {
  const gates = openRootGates();
  await gates.enter('alice');
  const leave = await gates.enter('bob');
  leave();
  (await gates.enter('bob'))();
});
