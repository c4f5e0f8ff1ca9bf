import assert from 'node:assert/strict';
import { statfsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { test } from 'node:test';
import { openDiskRoom } from './disk-room.ts';

test('what fits is let through; what would take the room that is kept is refused', () => {
  const room = openDiskRoom(tmpdir());
  const { bavail, bsize } = statfsSync(tmpdir());
  assert.doesNotThrow(() => room.check(0));
  assert.throws(() => room.check(bavail * bsize), { code: 'disk-full' });
});

const MIB = 1 << 20;

test('a disk with ample room is asked now and then, one that fills up each time', () => {
  let time = 0;
  let looks = 0;
  const disk = { bavail: 2000, blocks: 10_000, bsize: MIB };
  const room = openDiskRoom(
    '/',
    () => time,
    () => {
      looks++;
      return disk;
    },
  );
  for (let i = 0; i < 100; i++) room.check(MIB);
  assert.equal(looks, 1);
  time += 101;
  room.check(MIB);
  assert.equal(looks, 2);
  for (let i = 0; i < 2000; i++) room.check(MIB);
  assert.ok(looks > 2, 'what was let through counts until the disk is asked again');
  disk.bavail = 18;
  time += 101;
  room.check(MIB);
  disk.bavail = 17;
  room.check(MIB);
  disk.bavail = 16;
  assert.throws(() => room.check(MIB), { code: 'disk-full' });
  disk.bavail = 17;
  room.check(MIB);
});
