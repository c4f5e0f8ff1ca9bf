// What must stand after a crash: of every document the last acknowledged version, or one that was sent later and never
// answered for. Folds what the writers told into that, and compares it with what the store serves.
import assert from 'node:assert/strict';
import { hashObject } from '../../src/git/object-id.ts';
import type { Storage } from '../../src/storage/types.ts';
import { COUNTER, readState, type State, stateAt } from './workload.ts';

export interface Expectations {
  /** adds a run's lines */
  add(lines: readonly string[]): void;
  /** Compares every document, and takes over what stands: from now on it must stay. */
  check(storage: Storage): Promise<void>;
  /** a number above every version so far */
  nextBase(): number;
  acknowledged(): number;
}

export function openExpectations(): Expectations {
  const sure = new Map<string, number>();
  const possible = new Map<string, number[]>();
  let counted = 0;
  let attempted = 0;
  let highest = 0;
  let acknowledged = 0;

  function add(lines: readonly string[]): void {
    for (const line of lines) {
      const [, event, number, key] = /^(send|ack) (\d+) (.+)$/.exec(line) ?? [];
      if (!event || !key) continue;
      const version = Number(number);
      if (event === 'ack') acknowledged++;
      if (key === COUNTER) {
        if (event === 'ack') counted = addCount(counted, version);
        else attempted = Math.max(attempted, version);
      } else {
        note(event, key, version);
      }
    }
  }

  function addCount(before: number, version: number): number {
    const already = version <= before;
    // acknowledgements of neighbours may be told in another order, but no number twice
    assert.ok(!already || !numbers.has(version), `the number ${version} was acknowledged twice`);
    numbers.add(version);
    return Math.max(before, version);
  }
  const numbers = new Set<number>();

  function note(event: string, key: string, version: number): void {
    highest = Math.max(highest, version);
    if (event === 'send') {
      possible.set(key, [...(possible.get(key) ?? []), version]);
      return;
    }
    sure.set(key, version);
    possible.set(
      key,
      (possible.get(key) ?? []).filter((sent) => sent > version),
    );
  }

  async function check(storage: Storage): Promise<void> {
    for (const key of new Set([...sure.keys(), ...possible.keys()])) {
      const versions = [sure.get(key) ?? 0, ...(possible.get(key) ?? [])];
      const found = await readState(storage, key);
      const standing = versions.findLast((version) => isState(found, stateAt(key, version)));
      assert.ok(
        standing !== undefined,
        `${key} should be at version ${versions.join(' or ')}, and is ${describe(found)}`,
      );
      sure.set(key, standing);
      possible.set(key, []);
    }
    const count = Number((await readState(storage, COUNTER))?.bytes.toString() ?? 0);
    assert.ok(
      count >= counted && count <= attempted,
      `the counter is ${count}; ${counted} were acknowledged, ${attempted} tried`,
    );
    counted = count;
    attempted = count;
    for (const number of numbers) if (number > count) numbers.delete(number);
  }

  return { add, check, nextBase: () => highest, acknowledged: () => acknowledged };
}

type Found = Awaited<ReturnType<typeof readState>>;

function isState(found: Found, state: State): boolean {
  if (!found || !state) return !found && !state;
  return (
    found.type === state.type &&
    found.bytes.equals(state.bytes) &&
    found.size === state.bytes.length &&
    found.etag.startsWith(`${hashObject('blob', state.bytes)}-`)
  );
}

function describe(found: Found): string {
  if (!found) return 'missing';
  return `${found.bytes.length} bytes of ${found.type}: ${JSON.stringify(found.bytes.toString('latin1', 0, 60))}`;
}
