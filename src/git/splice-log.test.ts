import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { SpliceLog } from './splice-log.ts';

/** A body under edit, with its log. */
function bodyOf(text: string) {
  let body = Buffer.from(text);
  const log = new SpliceLog(body.length, 64);
  return {
    edit(at: number, removed: number, inserted: string) {
      body = Buffer.concat([body.subarray(0, at), Buffer.from(inserted), body.subarray(at + removed)]);
      log.record(at, removed, inserted.length);
    },
    /** the splices as texts: `at-removed+inserted` */
    take() {
      return log
        .take(body.length, body, 0)
        ?.splices.map(({ at, removed, inserted }) => `${at}-${removed}+${inserted}`);
    },
    get text() {
      return body.toString();
    },
    get length() {
      return body.length;
    },
  };
}

test('edits in different places are told in places of the base, in order', () => {
  const body = bodyOf('0123456789');
  body.edit(8, 1, 'X');
  body.edit(2, 0, 'abc');
  body.edit(6, 1, '');
  assert.equal(body.text, '01abc24567X9');
  assert.deepEqual(body.take(), ['2-0+abc', '3-1+', '8-1+X']);
});

test('edits that touch or overlap become one', () => {
  const body = bodyOf('0123456789');
  body.edit(2, 2, 'ab');
  body.edit(4, 1, 'c');
  body.edit(1, 2, 'z');
  assert.equal(body.text, '0zbc56789');
  assert.deepEqual(body.take(), ['1-4+zbc']);
  body.edit(3, 0, 'one');
  body.edit(8, 1, 'two');
  body.edit(2, 9, '!');
  assert.deepEqual(body.take(), ['2-4+!']);
});

test('an edit within what was inserted stays one', () => {
  const body = bodyOf('0123456789');
  body.edit(5, 0, 'inserted');
  body.edit(7, 3, '-');
  assert.deepEqual(body.take(), ['5-0+in-ted']);
});

test('each version is the base of the next', () => {
  const body = bodyOf('0123456789');
  body.edit(0, 1, 'abc');
  assert.deepEqual(body.take(), ['0-1+abc']);
  assert.deepEqual(body.take(), []);
  body.edit(3, 1, '');
  assert.deepEqual(body.take(), ['3-1+']);
});

test('an empty base, and edits in more than 64 places, are not told', () => {
  const empty = bodyOf('');
  empty.edit(0, 0, 'x');
  assert.equal(empty.take(), undefined);
  const long = bodyOf('.'.repeat(1000));
  for (let each = 0; each < 65; each++) long.edit(each * 10, 1, 'x');
  assert.equal(long.take(), undefined);
  long.edit(5, 1, 'x');
  assert.deepEqual(long.take(), ['5-1+x']);
});

test('whatever is edited, the splices make the new text of the old', () => {
  const edit = fc.tuple(fc.nat(), fc.nat(6), fc.string({ unit: fc.constantFrom('a', 'b'), maxLength: 5 }));
  const step = fc.oneof(
    { weight: 5, arbitrary: edit },
    { weight: 1, arbitrary: fc.constant('take' as const) },
  );
  fc.assert(
    fc.property(
      fc.string({ unit: fc.constantFrom('.', ':'), minLength: 1 }),
      fc.array(step),
      (text, steps) => {
        const body = bodyOf(text);
        let base = text;
        for (const each of [...steps, 'take' as const]) {
          if (each !== 'take') {
            const at = each[0] % (body.length + 1);
            body.edit(at, Math.min(each[1], body.length - at), each[2]);
            continue;
          }
          const splices = body.take();
          assert.equal(splices === undefined, base === '');
          let made = '';
          let copied = 0;
          for (const splice of splices ?? [`0-0+${body.text}`]) {
            const [, at, removed, inserted] = /^(\d+)-(\d+)\+(.*)$/.exec(splice)!;
            assert.ok(Number(at) >= copied);
            made += base.slice(copied, Number(at)) + inserted;
            copied = Number(at) + Number(removed);
          }
          assert.equal(made + base.slice(copied), body.text);
          base = body.text;
        }
      },
    ),
    { numRuns: 1000 },
  );
});
