// An account is removed while a document of it is on its way: nothing of it is there for the next account of that name.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NO_PRECONDITION } from '../../src/protocol/conditions.ts';
import { documentPath } from '../../src/protocol/paths.ts';
import { openTestStore, user } from '../open-test-store.ts';

for (const [what, bytes, announced] of [
  ['small', 100, true],
  ['large', 3 << 20, true],
  ['large, of a length that is not known,', 3 << 20, false],
] as const) {
  test(`a ${what} body that comes to its end after the removal is refused, and leaves no repository`, async () => {
    await using store = await openTestStore();
    const eve = user('eve');
    const half = Promise.withResolvers<void>();
    const rest = Promise.withResolvers<void>();
    async function* body(): AsyncGenerator<Buffer> {
      yield Buffer.alloc(bytes / 2, 'a');
      half.resolve();
      await rest.promise;
      yield Buffer.alloc(bytes / 2, 'b');
    }
    const writing = store.storage.put(documentPath(eve, ['notes', 'ghost']), {
      ...{ type: 'text/plain', body: body(), length: announced ? bytes : undefined },
      ...{ precondition: NO_PRECONDITION, quotaBytes: undefined },
      author: { user: eve, app: undefined, grant: undefined },
    });
    await half.promise;
    await store.storage.removeUser(eve);
    rest.resolve();
    await assert.rejects(writing, { code: 'token-needed' });
    assert.deepEqual(store.storage.repositories(eve), []);
    assert.equal(store.storage.usage(eve).documents, 0);
  });
}
