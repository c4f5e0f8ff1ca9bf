// Random requests for the property tests: names that hurt somewhere (git, Windows, SQLite, JSON, JavaScript), few enough
// that paths meet and clash, and preconditions told by where their tags come from, since tags are known only when a
// request is made.
import fc from 'fast-check';
import { isItemName } from '../../src/protocol/paths.ts';

const NAMES = [
  'a',
  'b',
  'A',
  'a.json',
  'b.json',
  'c.txt',
  'notes',
  'public',
  '.git',
  '.GIT',
  '.git ',
  'git~1',
  '.gitmodules',
  '.gitattributes',
  '.content-types',
  '.Content-Types',
  '\u200c.git',
  'con',
  'CON.txt',
  'nul ',
  'a:b',
  'a*b',
  '*',
  '*.json',
  '"quoted"',
  'back\\slash',
  '50%25',
  '%2F',
  '%',
  '%zz',
  'ends.',
  'ends ',
  ' begins',
  '...',
  'line\nend',
  'tab\tstop',
  '\u0001',
  '\u007f',
  '\u2028',
  '\u202eturned',
  '\ufeff',
  '\ufffd',
  '\u00e9',
  'e\u0301',
  '\u{1f600}',
  '\\u0041',
  '__proto__',
  'constructor',
  '0',
  '10',
  '-',
  '--help',
  '@root',
  '@',
  'HEAD',
  'main.lock',
  'a.git',
  "it's",
  'PUT a',
  'n'.repeat(251),
  'n'.repeat(255),
  '\u00e9'.repeat(127),
];

const longSegment = fc.constantFrom(
  'n'.repeat(256),
  ':'.repeat(86),
  '\u00e9'.repeat(128),
  `.git${'.'.repeat(251)}`,
);

const anyName = fc
  .array(fc.oneof(fc.integer({ min: 1, max: 0x2ff }), fc.integer({ min: 1, max: 0x10ffff })), {
    minLength: 1,
    maxLength: 8,
  })
  .map((points) => String.fromCodePoint(...points))
  .filter(isItemName);

const name = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom('a', 'b', 'a.json', 'c.txt') },
  { weight: 6, arbitrary: fc.constantFrom(...NAMES) },
  { weight: 1, arbitrary: anyName },
);

const module = fc.oneof(
  { weight: 20, arbitrary: fc.constantFrom('a', 'a', 'a', 'notes') },
  // making a repository is what costs time here
  { weight: 1, arbitrary: name },
);

const nameInPath = fc.oneof({ weight: 60, arbitrary: name }, { weight: 1, arbitrary: longSegment });

/** Segments of a document's path: in the root, in one of a few modules, now and then deep. */
export const anyPath = fc.oneof(
  { weight: 2, arbitrary: fc.tuple(nameInPath) },
  { weight: 6, arbitrary: fc.tuple(module, nameInPath) },
  { weight: 6, arbitrary: fc.tuple(module, name, nameInPath) },
  { weight: 2, arbitrary: fc.tuple(module, name, name, nameInPath) },
  {
    weight: 1,
    arbitrary: fc.tuple(module, fc.array(name, { minLength: 5, maxLength: 12 })).map((p) => p.flat()),
  },
);

const TYPES = [
  'text/plain',
  'application/json',
  'application/json; charset=UTF-8',
  'application/octet-stream',
  'image/png',
  'text/x-any;q="\\""',
  'x/y;z="\u00e9\u00ff"',
  'APPLICATION/JSON',
  `x/${'y'.repeat(1022)}`,
];

const anyType = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom('text/plain', 'application/json') },
  { weight: 1, arbitrary: fc.constantFrom(...TYPES) },
);

/** A body told in few words: `size` bytes that depend on `content`. */
export type BodySpec = { content: number; size: number };

const anySize = fc.oneof(
  { weight: 30, arbitrary: fc.integer({ min: 0, max: 40 }) },
  { weight: 10, arbitrary: fc.integer({ min: 500, max: 3000 }) },
  { weight: 2, arbitrary: fc.integer({ min: 60_000, max: 70_000 }) },
  { weight: 1, arbitrary: fc.constantFrom(262_144, 262_145, 300_000, 1_048_576, 1_048_577) },
);

export function bodyOf({ content, size }: BodySpec): Buffer {
  return Buffer.alloc(size, `${content} is the body's number; `);
}

/** Where a tag of a precondition comes from. */
export type TagSource = 'current' | 'earlier' | 'another' | 'nonsense';
export type ConditionSpec = '*' | TagSource[];
export type PreconditionSpec = {
  ifMatch?: ConditionSpec | undefined;
  ifNoneMatch?: ConditionSpec | undefined;
};

const condition: fc.Arbitrary<ConditionSpec> = fc.oneof(
  fc.constant('*' as const),
  fc.array(fc.constantFrom<TagSource>('current', 'earlier', 'another', 'nonsense'), {
    minLength: 1,
    maxLength: 3,
  }),
);

const precondition = fc.oneof<fc.MaybeWeightedArbitrary<PreconditionSpec>[]>(
  { weight: 8, arbitrary: fc.constant({}) },
  { weight: 2, arbitrary: fc.constant({ ifNoneMatch: '*' as const }) },
  { weight: 2, arbitrary: fc.constant({ ifMatch: ['current' as const] }) },
  { weight: 1, arbitrary: fc.record({ ifMatch: condition }) },
  { weight: 1, arbitrary: fc.record({ ifNoneMatch: condition }) },
  { weight: 1, arbitrary: fc.record({ ifMatch: condition, ifNoneMatch: condition }) },
);

/** `pick`: instead of the path, one of the documents that stand now (by number, modulo), so that requests meet them. */
export type WriteSpec = {
  path: string[];
  pick: number | undefined;
  precondition: PreconditionSpec;
  put: { body: BodySpec; type: string } | undefined;
  /** the length is not told beforehand */
  chunked: boolean;
};

const pick = fc.option(fc.nat(50), { nil: undefined, freq: 2 });
const body = fc.record({ content: fc.nat(3), size: anySize });

export const anyWrite: fc.Arbitrary<WriteSpec> = fc.record({
  path: anyPath as fc.Arbitrary<string[]>,
  pick,
  precondition,
  put: fc.option(fc.record({ body, type: anyType }), { nil: undefined, freq: 3 }),
  chunked: fc.boolean(),
});

export type Request =
  | { kind: 'write'; write: WriteSpec }
  /** all at once, on different documents */
  | { kind: 'batch'; writes: WriteSpec[] }
  /** a document put anew and put back again, or one `beside` it made and deleted: A, B, A */
  | { kind: 'undo'; beside: string | undefined; pick: number; put: { body: BodySpec; type: string } }
  /** every document at once, or half of them: folders and repositories come to be empty */
  | { kind: 'clear'; half: boolean }
  | { kind: 'read'; path: string[]; pick: number | undefined; from: number; to: number };

export const anyRequest: fc.Arbitrary<Request> = fc.oneof(
  { weight: 12, arbitrary: fc.record({ kind: fc.constant('write' as const), write: anyWrite }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('batch' as const),
      writes: fc.array(anyWrite, { minLength: 2, maxLength: 8 }),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('undo' as const),
      beside: fc.option(name, { nil: undefined, freq: 2 }),
      pick: fc.nat(50),
      put: fc.record({ body, type: anyType }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('clear' as const), half: fc.boolean() }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('read' as const),
      path: anyPath as fc.Arbitrary<string[]>,
      pick,
      from: fc.nat(300_000),
      to: fc.nat(300_000),
    }),
  },
);
