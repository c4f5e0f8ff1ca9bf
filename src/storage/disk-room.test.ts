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
