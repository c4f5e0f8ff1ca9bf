// The storage against a Map: a thousand random sequences of requests, ten to a user (what one leaves behind is where the
// next begins; making repositories costs the most here), all in one data folder, several users at a time, so that turns
// of different repositories share the journal. After each sequence: every folder, document and body; index against
// tree, and every commit read (index-faults.ts); and one `git fsck --strict` over the objects of all of the user's
// repositories together, which judges every object and pack (that each repository has all of its own was seen by the
// walk). At the end of each user one of each repository. A second test deletes the index, opens the store again and asks
// again.
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { MAIN, readRef } from '../../src/git/refs.ts';
import { createRepository } from '../../src/git/repository.ts';
import { ROOT_MODULE, type UserName } from '../../src/protocol/paths.ts';
import { contentOf, fsckFaults, storeFaults } from '../index-faults.ts';
import { openTestStore, type TestStore, user } from '../open-test-store.ts';
import { anyRequest, type Request } from './requests.ts';
import { checkEverything, newPlayer, type Player, playSequence } from './run-sequence.ts';
import { depth, runs, seed } from './seed.ts';

const LANES = 4;
const SEQUENCES = runs(1000);
const SEQUENCES_OF_A_USER = 10;
const REQUESTS = 12;

const anySequence = fc.array(anyRequest, { maxLength: REQUESTS, size: 'max' });
const sequencesOfAUser = fc.array(anySequence, {
  minLength: SEQUENCES_OF_A_USER,
  maxLength: SEQUENCES_OF_A_USER,
  size: 'max',
});

/** So little memory that bodies come from packs, and journal segments so small that they are settled all the time. */
const SMALL = { memoryBytes: 60_000, segmentBytes: 128 << 10 };

/** A clock that ticks when it is looked at, so that hardly two dates are the same. */
function tickingClock(): () => number {
  let now = Date.UTC(2024, 0, 1);
  return () => {
    now += 700;
    return now;
  };
}

/** Acknowledged writes and commits are the same in number, repository by repository. */
function checkCommits(store: TestStore, { user: owner, model }: Player): void {
  for (const { module, folder } of store.storage.repositories(owner)) {
    const writes = model.writes.get(module === ROOT_MODULE ? '' : module) ?? 0;
    assert.equal(contentOf(folder).commits, writes, `commits of ${JSON.stringify(module)}`);
  }
}

/** One fsck over the objects of all of a user's repositories: they are lent to a repository that has all branches. */
async function fsckTogether({ storage, folder }: TestStore, owner: UserName): Promise<string[]> {
  const all = join(folder, `all-of-${owner}.git`);
  if (!existsSync(all)) {
    createRepository(all);
    mkdirSync(join(all, 'objects/info'));
  }
  const repositories = storage.repositories(owner);
  const refs = repositories.flatMap((repository, number) => {
    const head = readRef(repository.folder, MAIN);
    return head === undefined ? [] : [`${head} refs/heads/b${String(number).padStart(6, '0')}\n`];
  });
  if (refs.length === 0) return [];
  writeFileSync(
    join(all, 'objects/info/alternates'),
    repositories.map((repository) => `${repository.folder}/objects\n`).join(''),
  );
  writeFileSync(join(all, 'packed-refs'), `# pack-refs with: sorted \n${refs.join('')}`);
  return fsckFaults(all);
}

test(`${SEQUENCES} random sequences are answered as a Map would answer them`, {
  timeout: 300_000 * depth(),
}, async (t) => {
  await using store = await openTestStore({ ...SMALL, now: tickingClock() });
  let users = 0;
  let played = 0;
  let fscks = 0;

  /** once a lane has failed, the others end: it needs the machine to find its shortest failure */
  let failed: number | undefined;

  async function play(lane: number, sequences: readonly Request[][]): Promise<void> {
    if (failed !== undefined && failed !== lane) return;
    try {
      await playUser(sequences);
    } catch (error) {
      failed ??= lane;
      throw error;
    }
  }

  async function playUser(sequences: readonly Request[][]): Promise<void> {
    const player = newPlayer(store.storage, user(`u${users++}`));
    for (const [position, sequence] of sequences.entries()) {
      await playSequence(player, sequence);
      played++;
      const fsck = position === SEQUENCES_OF_A_USER - 1;
      assert.deepEqual(await storeFaults(store, { fsck, user: player.user }), []);
      if (!fsck) {
        assert.deepEqual(await fsckTogether(store, player.user), []);
        fscks++;
      }
      checkCommits(store, player);
    }
    assert.deepEqual(store.complaints(), []);
  }

  const first = seed(t);
  const perLane = SEQUENCES / SEQUENCES_OF_A_USER / LANES;
  const lanes = Array.from({ length: LANES }, (_, lane) =>
    fc.assert(
      fc.asyncProperty(sequencesOfAUser, (sequences) => play(lane, sequences)),
      { numRuns: perLane, seed: first + lane, interruptAfterTimeLimit: 240_000 * depth() },
    ),
  );
  for (const outcome of await Promise.allSettled(lanes)) {
    if (outcome.status === 'rejected') throw outcome.reason;
  }
  assert.ok(played >= SEQUENCES);
  assert.equal(
    fscks,
    played - users,
    'each repository of a user alone after the last sequence, all together before',
  );
});

test('without its index, a store is opened as it was: tags, types, sizes and dates', {
  timeout: 120_000 * depth(),
}, async (t) => {
  await using store = await openTestStore({ ...SMALL, now: tickingClock() });
  let played = 0;
  const sequences = fc.array(anySequence, { minLength: 1, maxLength: 3 });
  await fc.assert(
    fc.asyncProperty(sequences, fc.boolean(), async (requests, withoutIndex) => {
      const player = newPlayer(store.storage, user(`u${played++}`));
      for (const sequence of requests) {
        await playSequence(player, sequence);
        await store.reopen({ withoutIndex });
        player.storage = store.storage;
        await checkEverything(player);
        assert.deepEqual(await storeFaults(store, { user: player.user, fsck: false }), []);
      }
      assert.deepEqual(store.complaints(), []);
    }),
    { numRuns: runs(25), seed: seed(t) },
  );
});
