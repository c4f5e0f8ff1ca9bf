// The template escapes, and pages say what they should.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Scope } from '../protocol/scopes.ts';
import { consentPage } from './consent.ts';
import { html } from './html.ts';
import { describeScope, formatDay, formatSize } from './words.ts';

test('threat 20: text never becomes markup, in text or in attributes', () => {
  const evil = `"><script>alert('x')</script>&`;
  assert.equal(
    html`<p title="${evil}">${evil}</p>`.toString(),
    '<p title="&quot;&gt;&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;&amp;">&quot;&gt;&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;&amp;</p>',
  );
});

test('markup stays markup, lists are joined, nothing is nothing', () => {
  const items = ['a', 'b'].map((item) => html`<li>${item}</li>`);
  assert.equal(html`<ul>${items}${undefined}${false}${0}</ul>`.toString(), '<ul><li>a</li><li>b</li>0</ul>');
});

test('an object that only looks like markup is escaped', () => {
  const pretender = { toString: () => '<b>' } as unknown as string;
  assert.equal(html`${[pretender].map(String)}`.toString(), '&lt;b&gt;');
});

test('sizes are said with two digits or so', () => {
  const sizes = [0, 1, 1023, 1024, 1536, 10_240, 1_047_552, 1_048_576, 5 * 2 ** 30, 3 * 2 ** 50];
  assert.deepEqual(sizes.map(formatSize), [
    '0 bytes',
    '1 byte',
    '1,023 bytes',
    '1 KiB',
    '1.5 KiB',
    '10 KiB',
    '1,023 KiB',
    '1 MiB',
    '5 GiB',
    '3,072 TiB',
  ]);
});

test('days are said in words', () => {
  assert.equal(formatDay(Date.UTC(2030, 4, 3, 23)), '3 May 2030');
});

test('scopes are said in plain words', () => {
  const said = (module: string, level: Scope['level']) => describeScope({ module, level });
  assert.equal(said('notes', 'rw'), 'Read and change your “notes” data');
  assert.equal(said('notes', 'r'), 'Read your “notes” data');
  assert.equal(said('*', 'rw'), 'Read and change everything you store here');
  assert.equal(said('*', 'r'), 'Read everything you store here');
});

const CONSENT = {
  formToken: 'token',
  redirect: { origin: 'https://xn--80ak6aa92e.com:8443', path: '/app/' },
  scopes: [
    { module: '*', level: 'rw' },
    { module: '<b>', level: 'r' },
  ],
  address: 'alice@example.com',
  switchHref: '/oauth/authorize?a=1&b=2',
  againHref: '/oauth/alice/authorize?a=1&b=2',
  decidedBy: { kind: 'user', code: 'K7QM-3XRN', isFirstTime: true },
} as const;

test('threat 2: the consent page shows scheme, host in punycode, port and path, and warns of look-alikes', () => {
  const page = consentPage(CONSENT).toString();
  assert.ok(page.includes('xn--80ak6aa92e.com:8443'));
  assert.ok(page.includes('https://xn--80ak6aa92e.com:8443/app/'));
  assert.match(page, /can look like another/);
});

test('the consent page names account and permissions, and has the buttons Allow and Deny and no other', () => {
  const page = consentPage(CONSENT).toString();
  assert.ok(page.includes('alice@example.com'));
  assert.ok(page.includes('<li class="everything">Read and change everything you store here</li>'));
  assert.ok(page.includes('Read your “&lt;b&gt;” data'));
  assert.deepEqual(
    [...page.matchAll(/<button[^>]*>([^<]*)<\/button>/g)].map((match) => match[1]),
    ['Allow', 'Deny'],
  );
});

test('where lines are missing in the file of grants, the consent page shows them and has no Allow', () => {
  const decidedBy = { kind: 'file', lines: ['3f9c notes rw', '3f9c <b> r'], wasRefused: false } as const;
  const page = consentPage({ ...CONSENT, decidedBy }).toString();
  assert.ok(page.includes('<code>3f9c notes rw</code>\n<code>3f9c &lt;b&gt; r</code>\n</pre>'));
  assert.deepEqual(
    [...page.matchAll(/<button[^>]*>([^<]*)<\/button>/g)].map((match) => match[1]),
    ['Deny'],
  );
  assert.doesNotMatch(page, /grant approve/);
});

test('the consent page says what was allowed before, and warns when it differs', () => {
  const before = { since: Date.UTC(2030, 4, 3), path: '/app/', scopes: CONSENT.scopes };
  assert.match(
    consentPage({ ...CONSENT, before }).toString(),
    /had this before: you allowed the same on 3 May 2030/,
  );
  const other = { ...before, scopes: [{ module: 'notes', level: 'r' }] as const };
  assert.match(consentPage({ ...CONSENT, before: other }).toString(), /not the same as before/);
  const elsewhere = { ...before, path: '/other' };
  assert.match(consentPage({ ...CONSENT, before: elsewhere }).toString(), /came from the page \/other/);
});
