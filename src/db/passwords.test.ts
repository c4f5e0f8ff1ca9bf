// Passwords: what is accepted, what is stored, what is answered, and how many run at once.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { openPasswords, passwordFault } from './passwords.ts';

test('a password has 8 characters or more, 1,024 bytes or less, and needs nothing else', () => {
  for (const good of ['aaaaaaaa', 'pässwört', '😀😀😀😀😀😀😀😀', ' '.repeat(8), 'x'.repeat(1024)]) {
    assert.equal(passwordFault(good), undefined, good);
  }
  for (const bad of ['', 'aaaaaaa', '😀😀😀😀', 'x'.repeat(1025), '€'.repeat(342)]) {
    assert.match(passwordFault(bad)!, /password/, bad);
  }
});

test('what is stored is argon2id with its parameters and a salt of its own', async () => {
  const passwords = openPasswords(randomBytes);
  const [first, second] = await Promise.all([passwords.hash('same words'), passwords.hash('same words')]);
  assert.match(first, /^\$argon2id\$v=19\$m=19456,t=2,p=1\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$/);
  assert.notEqual(first, second);
  assert.equal(await passwords.verify('same words', first), true);
  assert.equal(await passwords.verify('same word', first), false);
});

test('passwords that were stored with other parameters are verified with those', async () => {
  // made by the reference implementation: echo -n password | argon2 somesalt -id -t 2 -m 8 -p 1 (256 KiB)
  const stored = '$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4';
  const passwords = openPasswords(randomBytes);
  assert.equal(await passwords.verify('password', stored), true);
  assert.equal(await passwords.verify('Password', stored), false);
});

test('the same letters are the same password, composed or not', async () => {
  const passwords = openPasswords(randomBytes);
  const stored = await passwords.hash('pässwörter'.normalize('NFC'));
  assert.equal(await passwords.verify('pässwörter'.normalize('NFD'), stored), true);
});

test('an unknown user is a wrong password, even with the password that nobody has', async () => {
  const passwords = openPasswords(randomBytes);
  assert.equal(await passwords.verify('', undefined), false);
  assert.equal(await passwords.verify('some password', undefined), false);
});

test('a stored password that cannot be read is an error, not a refusal', async () => {
  await assert.rejects(openPasswords(randomBytes).verify('some password', 'plain'), { code: 'corrupt' });
});

test('threat 24: few passwords are worked on at once, few wait, and the rest are told to come again', async () => {
  const passwords = openPasswords(randomBytes);
  const stored = '$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4';
  const results = await Promise.allSettled(
    Array.from({ length: 60 }, () => passwords.verify('password', stored)),
  );
  const refused = results.filter((result) => result.status === 'rejected');
  assert.equal(refused.length, 60 - 52);
  for (const result of refused) assert.equal(result.reason.code, 'too-many');
  assert.equal(await passwords.verify('password', stored), true, 'and afterwards there is room again');
});
