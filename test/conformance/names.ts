// Item names (draft, section 4; interop; threats 6 to 9): everything but an empty name, `.`, `..`, a slash and a NUL.
import assert from 'node:assert/strict';
import { type Clause, encode, expectStatus } from './clause.ts';

const LEGAL: Record<string, string[]> = {
  'that objects have of their own': [
    '__proto__',
    'constructor',
    'toString',
    'hasOwnProperty',
    '__defineGetter__',
  ],
  'that mean something to git': [
    '.git',
    '.GIT',
    '.Git ',
    'git~1',
    'GIT~2',
    '.g\u200cit',
    '.gitmodules',
    '.gitattributes',
    '.gitignore',
    '.mailmap',
    'gi7eba~1',
    '.git.',
    'HEAD',
    '.keep',
  ],
  'that mean something to Windows': [
    'con',
    'CON',
    'aux.txt',
    'nul',
    'com1',
    'lpt\u00b9.x',
    'conin$',
    'a:b',
    'C:',
    'a\\b',
    'a*b',
    'a?b',
    '"q"',
    '<x>',
    'a|b',
  ],
  'with dots and spaces at their ends': ['.', '..']
    .flatMap((dots) => [`${dots}a`, `a${dots}`, ` ${dots}`, `${dots} `, `a ${dots}`])
    .concat(['...', ' ', '  ', 'a ', ' a']),
  'in Unicode, both normal forms side by side': [
    '\u00e9',
    'e\u0301',
    '\u212b',
    '\u00c5',
    'A\u030a',
    '\u{1f469}\u200d\u{1f4bb}',
    '日本語',
    'עברית',
    '\ufeff',
    '\ufffd',
    '\u{10ffff}',
    '\u202etxt.exe',
  ],
  'with percent signs': ['%', '%%', '%20', '%2F', '%2e', '100%', '%00', '%zz', '%25', 'a%2Fb', '%E9'],
  'with what encodeURIComponent leaves alone': ["'()!*~", "it's", '(a)', '!', '*', '~', '-', '_', '~a'],
  'with reserved characters': [
    'a?b=c',
    'a#b',
    'a&b',
    'a=b',
    'a+b',
    'a;b',
    'a,b',
    'a@b',
    '$',
    '[x]',
    '{x}',
    '^',
    '`',
  ],
  'with control characters': ['\x01', 'a\tb', 'a\nb', 'a\r\nb', '\x1b[31m', '\x7f', '\u0085'],
  'of 200 characters': ['a'.repeat(200), '.'.repeat(200), '\u00e9'.repeat(100)],
  'that differ in case only': ['Case', 'case', 'CASE', 'README', 'readme'],
};

/** Raw paths below the row's folder. */
const FORBIDDEN: Record<string, string[]> = {
  'an empty segment': ['a//b', '/', '//', 'a//', '/a'],
  'the segment .': ['.', './a', 'a/./b', 'a/.', './', '%2e', 'a/%2E/b', '%2e/'],
  'the segment ..': ['..', '../a', 'a/../b', 'a/..', '../', '%2e%2e', '.%2e', '%2E./a', 'a/%2E%2e/b'],
  'an encoded slash': ['a%2Fb', '%2f', 'a%2f', '..%2f..%2fetc%2fpasswd', '%2F..'],
  'an encoded NUL': ['a%00', '%00', 'a%00b', 'a.txt%00.png'],
  'bytes that are no UTF-8': [
    '%ff',
    '%C0%AE',
    '%C0%AF',
    '%E0%80%AF',
    '%ED%A0%80',
    '%F4%90%80%80',
    'a%E9',
    '%80',
    '%C3',
  ],
  'a percent sign that begins no escape': ['%', 'a%', '%2', '%zz', '%u0041', 'a%%41'],
  'a raw backslash': ['a\\b', '..\\..\\a', '\\'],
};

const legal: Clause[] = Object.entries(LEGAL).map(([kind, names]) => ({
  section: 'draft 4, threat 8',
  requirement: `names ${kind} are legal, for documents and folders, and come back as they went in`,
  async run({ delete: remove, get, list, store }) {
    const documents = new Map<string, string>();
    for (const name of names) {
      const path = encode(name);
      documents.set(name, (await store(`docs/${path}`, name)).replaceAll('"', ''));
      await store(`folders/${path}/inner`, `in ${name}`);
    }
    const listed = await list('docs/');
    assert.deepEqual(Object.keys(listed).sort(), [...names].sort());
    for (const name of names) {
      const path = encode(name);
      assert.equal(Object.getOwnPropertyDescriptor(listed, name)!.value.ETag, documents.get(name), name);
      assert.equal((await get(`docs/${path}`)).text, name);
      assert.equal((await get(`folders/${path}/inner`)).text, `in ${name}`);
      assert.deepEqual(Object.keys(await list(`folders/${path}/`)), ['inner']);
    }
    const folders = Object.keys(await list('folders/'));
    assert.deepEqual(folders.sort(), names.map((name) => `${name}/`).sort());
    for (const name of names) {
      expectStatus(await remove(`docs/${encode(name)}`), 200, 204);
      expectStatus(await remove(`folders/${encode(name)}/inner`), 200, 204);
    }
    assert.deepEqual(await list(''), {});
  },
}));

const forbidden: Clause[] = Object.entries(FORBIDDEN).map(([kind, paths]) => ({
  section: 'draft 4, threat 7',
  requirement: `${kind} in a path is refused with 400, for every method`,
  async run({ send, list, tokens }) {
    for (const path of paths) {
      // a path of its own begins with a slash: appended to the folder it makes an empty segment
      const raw = `x/${path}`;
      for (const method of ['GET', 'HEAD', 'PUT', 'DELETE']) {
        const body = method === 'PUT' ? 'x' : undefined;
        const reply = await send(method, raw, {
          body,
          token: tokens.rw,
          headers: { 'Content-Type': 'text/plain' },
        });
        assert.equal(reply.status, 400, `${method} ${raw} → ${reply.status}`);
      }
    }
    assert.deepEqual(await list(''), {});
  },
}));

export const NAMES: Clause[] = [
  ...legal,
  ...forbidden,
  {
    section: 'interop',
    requirement: 'a name is decoded once, and is the same name however it was escaped',
    async run({ get, store }) {
      const etag = await store('a%20b%27%28', 'x');
      for (const path of ['%61%20%62%27(', "a%20b'(", 'a%20b%27%28'])
        assert.equal((await get(path)).headers.etag, etag, path);
      await store('%2541', 'percent');
      assert.equal((await get('%2541')).text, 'percent');
      expectStatus(await get('A'), 404);
      expectStatus(await get('%41'), 404);
    },
  },
  {
    section: 'threat 7',
    requirement: 'no path leads out of the root of its user',
    async run({ client, host, root, tokens }) {
      for (const path of ['/../other/x', '/%2e%2e/other/x', '/..%2fother%2fx', '//other/x', '/./x', '/..']) {
        const reply = await client.send('GET', root + path, { token: tokens.rw });
        assert.equal(reply.status, 400, path);
      }
      const answer = await client.exchange(
        `GET ${root}/../../etc/passwd HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`,
      );
      assert.match(answer, /^HTTP\/1\.1 400 /);
    },
  },
  {
    section: 'draft 5',
    requirement: 'a path of more than 4,096 bytes is too long: 414; one of nearly as many is not',
    isChoice: true,
    async run({ get, store }) {
      const segment = `${'s'.repeat(100)}/`;
      expectStatus(await get(`${segment.repeat(41)}a`), 414);
      expectStatus(await get(`${encode('\u20ac'.repeat(40))}/`.repeat(35)), 414);
      await store(`${segment.repeat(38)}a`);
      assert.equal((await get(`${segment.repeat(38)}a`)).text, 'x');
    },
  },
  {
    section: 'draft 5',
    requirement: 'a name of more than 255 bytes, with its escapes in git, is refused with 400',
    isChoice: true,
    async run({ list, put, store }) {
      for (const name of ['a'.repeat(256), '\u{1f600}'.repeat(64), ':'.repeat(86)]) {
        expectStatus(await put(encode(name), 'x'), 400);
        expectStatus(await put(`${encode(name)}/a`, 'x'), 400);
      }
      for (const name of ['a'.repeat(255), '\u{1f600}'.repeat(63), ':'.repeat(85)])
        await store(`long/${encode(name)}`);
      assert.equal(Object.keys(await list('long/')).length, 3);
    },
  },
  {
    section: 'draft 4',
    requirement: 'modules and documents of the root have names of every kind, too',
    needs: ['rootRw'],
    async run({ delete: remove, get, list, store, tokens }) {
      const { rootRw } = tokens;
      const unique = `-${process.pid}`;
      const names = ['.git', '__proto__', 'Caf\u00e9', 'a%2Fb', '@root', 'x.git', 'UPPER', 'con.', '..a'].map(
        (name) => name + unique,
      );
      for (const name of names) {
        await store(`/${encode(name)}/a`, `module ${name}`, 'text/plain', rootRw);
        await store(`/doc-${encode(name)}`, `document ${name}`, 'text/plain', rootRw);
      }
      const listed = Object.keys(await list('/', rootRw));
      for (const name of names) {
        assert.ok(listed.includes(`${name}/`), name);
        assert.ok(listed.includes(`doc-${name}`), name);
        assert.equal((await get(`/${encode(name)}/a`, {}, rootRw)).text, `module ${name}`);
        assert.equal((await get(`/doc-${encode(name)}`, {}, rootRw)).text, `document ${name}`);
        await remove(`/${encode(name)}/a`, {}, rootRw);
        await remove(`/doc-${encode(name)}`, {}, rootRw);
      }
      const left = Object.keys(await list('/', rootRw));
      assert.deepEqual(
        left.filter((name) => name.includes(unique)),
        [],
      );
    },
  },
];
