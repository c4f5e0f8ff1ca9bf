// Ranges of documents (draft, section 4; RFC 9110, section 14).
import assert from 'node:assert/strict';
import { type Clause, expectStatus } from './clause.ts';

const TEXT = '0123456789';

export const RANGES: Clause[] = [
  {
    section: 'draft 4',
    requirement: 'Accept-Ranges says that ranges are served',
    async run({ get, head, store }) {
      await store('a', TEXT);
      assert.equal((await get('a')).headers['accept-ranges'], 'bytes');
      assert.equal((await head('a')).headers['accept-ranges'], 'bytes');
    },
  },
  {
    section: 'RFC 9110 14.2',
    requirement: 'one range is answered with 206 and just those bytes',
    async run({ get, store }) {
      const etag = await store('a', TEXT, 'text/x-a');
      const parts: [string, string, string][] = [
        ['bytes=0-3', '0123', '0-3'],
        ['bytes=4-', '456789', '4-9'],
        ['bytes=-3', '789', '7-9'],
        ['bytes=8-100', '89', '8-9'],
        ['bytes=-100', TEXT, '0-9'],
        ['bytes=9-9', '9', '9-9'],
      ];
      for (const [range, text, place] of parts) {
        const reply = await get('a', { Range: range });
        assert.equal(reply.status, 206, range);
        assert.equal(reply.text, text);
        assert.equal(reply.headers['content-range'], `bytes ${place}/10`);
        assert.equal(reply.headers['content-length'], String(text.length));
        assert.equal(reply.headers.etag, etag);
        assert.equal(reply.headers['content-type'], 'text/x-a');
        assert.equal(reply.headers['cache-control'], 'no-cache');
      }
    },
  },
  {
    section: 'draft 5',
    requirement: 'a range that cannot be satisfied is answered with 416 and the length',
    async run({ get, store }) {
      await store('a', TEXT);
      await store('empty', '');
      for (const range of ['bytes=10-', 'bytes=100-200', 'bytes=-0']) {
        const reply = await get('a', { Range: range });
        expectStatus(reply, 416);
        assert.equal(reply.headers['content-range'], 'bytes */10');
      }
      assert.equal((await get('empty', { Range: 'bytes=0-' })).headers['content-range'], 'bytes */0');
    },
  },
  {
    section: 'RFC 9110 14.2',
    requirement: 'several ranges, other units and malformed ones are answered with the whole',
    async run({ get, store }) {
      await store('a', TEXT);
      for (const range of ['bytes=0-1,3-4', 'lines=1-2', 'bytes=5-2', 'bytes=a-', 'nonsense']) {
        const reply = await get('a', { Range: range });
        assert.equal(reply.status, 200, range);
        assert.equal(reply.text, TEXT);
      }
    },
  },
  {
    section: 'RFC 9110 13.1.5',
    requirement: 'If-Range with the version that stands gives the part, with any other the whole',
    async run({ get, head, store }) {
      const etag = await store('a', TEXT);
      const date = (await head('a')).headers['last-modified']!;
      expectStatus(await get('a', { Range: 'bytes=0-3', 'If-Range': etag }), 206);
      for (const header of ['"other"', `W/${etag}`, etag.replace(/"$/, '-gzip"'), date, 'nonsense']) {
        const reply = await get('a', { Range: 'bytes=0-3', 'If-Range': header });
        assert.equal(reply.status, 200, header);
        assert.equal(reply.text, TEXT);
      }
      expectStatus(await get('a', { Range: 'bytes=100-', 'If-Range': '"other"' }), 200);
    },
  },
  {
    section: 'RFC 9110 13.2.2',
    requirement: 'preconditions come before ranges',
    async run({ get, store }) {
      const etag = await store('a', TEXT);
      expectStatus(await get('a', { Range: 'bytes=0-3', 'If-None-Match': etag }), 304);
      expectStatus(await get('a', { Range: 'bytes=100-', 'If-None-Match': etag }), 304);
      expectStatus(await get('a', { Range: 'bytes=0-3', 'If-Match': '"other"' }), 412);
    },
  },
  {
    section: 'RFC 9110 14.2',
    requirement: 'a range means nothing to HEAD and to folders',
    async run({ get, head, store }) {
      await store('a', TEXT);
      const reply = await head('a', { Range: 'bytes=0-3' });
      expectStatus(reply, 200);
      assert.equal(reply.headers['content-length'], '10');
      expectStatus(await get('', { Range: 'bytes=0-3' }), 200);
    },
  },
  {
    section: 'RFC 9110 14.2',
    requirement: 'a part of a document of some MiB is that part',
    async run({ get, store }) {
      const body = Buffer.alloc(3 << 20, 'abcdefghijklmnopqrstuvwxyz');
      await store('large', body);
      for (const [start, end] of [
        [0, 9],
        [1_000_000, 2_500_000],
        [body.length - 5, body.length - 1],
      ] as const) {
        const reply = await get('large', { Range: `bytes=${start}-${end}` });
        expectStatus(reply, 206);
        assert.ok(reply.body.equals(body.subarray(start, end + 1)));
      }
    },
  },
];
