// What events are called for people, and that nothing in them becomes markup.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AUDIT_KINDS } from '../db/audit.ts';
import { type ActivityEvent, activityPage } from './activity.ts';

const AT = { client: '192.0.2.1', browser: 'Firefox on Linux' };
const NOTES = 'https://notes.example';

/** The page of these events as text: a line for each event, its markup taken out. */
function linesOf(...events: readonly Partial<ActivityEvent>[]): string[] {
  const page = activityPage({
    events: events.map((event) => ({
      ...{ time: Date.UTC(2030, 0, 2, 13, 5), kind: 'signed-in', app: undefined, detail: '' },
      ...{ client: undefined, browser: undefined },
      ...event,
    })),
    ...{ filter: 'all', olderHref: undefined, newestHref: undefined, signOutToken: 'token' },
  });
  return [...page.toString().matchAll(/<li[^>]*>(.*?)<\/li>/g)].map((match) =>
    match[1]!
      .replaceAll('</time>', ' ')
      .replaceAll('<span', ' | <span')
      .replaceAll(/<[^>]*>/g, ''),
  );
}

test('events read as sentences', () => {
  const detail = 'notes:rw contacts:r';
  assert.deepEqual(
    linesOf(
      AT,
      { kind: 'sign-in-failed', detail: 'wrong password; 40 in this hour', ...AT },
      { kind: 'app-allowed', app: NOTES, detail, ...AT },
      { kind: 'app-allowed', app: 'http://localhost:3000', detail: '*:r, in the terminal', ...AT },
      { kind: 'app-denied', app: NOTES, ...AT },
      { kind: 'token-made', detail: 'notes:r' },
      { kind: 'app-revoked' },
      { kind: 'app-revoked', app: NOTES, detail: 'the app gave it back', ...AT },
      { kind: 'session-ended', detail: 'Safari on iOS', ...AT },
      { kind: 'password-changed' },
    ),
    [
      '13:05 Signed in with Firefox on Linux from 192.0.2.1',
      '13:05 A sign-in failed: wrong password; 40 in this hour | Firefox on Linux, 192.0.2.1',
      '13:05 You allowed notes.example to read and change your “notes” data, and to read your “contacts” data | Firefox on Linux, 192.0.2.1',
      '13:05 You allowed http://localhost:3000 to read everything you store here, in the terminal | Firefox on Linux, 192.0.2.1',
      '13:05 You did not allow notes.example to use your storage | Firefox on Linux, 192.0.2.1',
      '13:05 A token was made to read your “notes” data | On the server itself',
      '13:05 The access of a token from the terminal was ended | On the server itself',
      '13:05 The access of notes.example was ended: the app gave it back | Firefox on Linux, 192.0.2.1',
      '13:05 Safari on iOS was signed out | Firefox on Linux, 192.0.2.1',
      '13:05 The password was changed on the server itself',
    ],
  );
});

test('every kind of event has a sentence, and none is markup from outside', () => {
  for (const kind of AUDIT_KINDS) {
    const hostile = '<b>"x"</b>';
    const event = { kind, app: hostile, detail: hostile, client: hostile, browser: hostile };
    const page = activityPage({
      events: [{ time: 0, ...event }],
      ...{ filter: 'all', olderHref: undefined, newestHref: undefined, signOutToken: 'token' },
    }).toString();
    assert.match(page, /<time datetime="1970-01-01T00:00:00.000Z">00:00<\/time><div>.*\w/);
    assert.doesNotMatch(page, /<b>/, kind);
    assert.match(page, /&lt;b&gt;/, kind);
  }
});

test('events stand under the day on which they were, in UTC', () => {
  const page = activityPage({
    events: [Date.UTC(2030, 0, 2), Date.UTC(2030, 0, 1, 23, 59), Date.UTC(2030, 0, 1)].map((time) => ({
      ...({ time, kind: 'signed-in', app: undefined, detail: '', ...AT } as const),
    })),
    ...{ filter: 'all', olderHref: undefined, newestHref: undefined, signOutToken: 'token' },
  }).toString();
  const days = [...page.matchAll(/<h2 class="day">([^<]*)</g)].map((match) => match[1]);
  assert.deepEqual(days, ['2 January 2030', '1 January 2030']);
});
