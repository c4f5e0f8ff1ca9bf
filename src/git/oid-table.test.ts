import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import type { Oid } from './object-id.ts';
import { OidTable } from './oid-table.ts';
import { encodeIndex } from './pack-index.ts';

test('objects are found by their ids, and added once', () => {
  const oids = Array.from({ length: 1000 }, () => randomBytes(20).toString('hex') as Oid);
  const table = new OidTable(1000);
  const ids = Buffer.from(oids.join(''), 'hex');
  for (const i of oids.keys()) assert.equal(table.add(ids, i * 20, i), i);
  for (const i of oids.keys()) assert.equal(table.add(ids, i * 20, 7777), i);
  assert.equal(table.count, 1000);
  for (const [i, oid] of oids.entries()) {
    assert.equal(table.find(oid), i);
    assert.deepEqual([table.sources[i], table.offsets[i]], [i, -1]);
  }
  assert.equal(table.find('0'.repeat(40) as Oid), -1);
  assert.equal(new OidTable(0).find('0'.repeat(40) as Oid), -1);
});

test('the index is byte for byte that of the index encoder', () => {
  const checksum = '9'.repeat(40) as Oid;
  for (const count of [0, 1, 2, 511, 512, 513, 5000]) {
    const entries = Array.from({ length: count }, (_, i) => ({
      // ids with equal beginnings, and offsets around 2 and 4 GiB
      oid: Buffer.concat([Buffer.alloc(i % 3 === 0 ? 4 : 0, 5), randomBytes(20)]).toString(
        'hex',
        0,
        20,
      ) as Oid,
      crc: (i * 2654435761) >>> 0,
      offset: 12 + (i % 5 === 0 ? i * 2 ** 30 : i),
    }));
    const table = new OidTable(count);
    for (const [i, { oid, crc, offset }] of entries.entries()) {
      table.add(Buffer.from(oid, 'hex'), 0, 0);
      table.crcs[i] = crc;
      table.offsets[i] = offset;
    }
    const index = table.encodeIndex(checksum);
    assert.ok(index.equals(encodeIndex(entries, checksum)), `${count}`);
  }
});
