// Where a thread's time went, from V8's sampling profile (`--cpu-prof`): its samples, counted by what they did. A native call
// that works for JavaScript is told by the module that made it.
import { readFileSync } from 'node:fs';

export const GROUPS = [
  'nothing to do',
  'system calls: answers',
  'system calls: files',
  'system calls: sync',
  'SHA-1, SHA-256, CRC, Adler, deflate',
  'node: HTTP, sockets, streams, timers',
  'index and accounts, SQLite with them',
  'git objects, packs, refs',
  'storage: turns, journal, caches',
  'protocol and HTTP handler',
  'libraries',
  'garbage collector',
  'other',
] as const;
export type Group = (typeof GROUPS)[number];

type Frame = { functionName: string; url: string };
type Node = { id: number; callFrame: Frame; children?: number[] };

/** A file of `--cpu-prof`; times in microseconds, on the clock of `process.hrtime`. */
export type CpuProfile = { nodes: Node[]; startTime: number; samples: number[]; timeDeltas: number[] };

const ROOMS: readonly (readonly [RegExp, Group])[] = [
  [/\/node_modules\//, 'libraries'],
  [/\/(?:src|dist)\/db\//, 'index and accounts, SQLite with them'],
  [/\/(?:src|dist)\/git\//, 'git objects, packs, refs'],
  [/\/(?:src|dist)\/storage\//, 'storage: turns, journal, caches'],
  [/\/(?:src|dist)\/(?:http|protocol)\//, 'protocol and HTTP handler'],
  [/^node:internal\/crypto|^node:crypto|^node:zlib/, 'SHA-1, SHA-256, CRC, Adler, deflate'],
  [/^node:(?:internal\/)?fs/, 'system calls: files'],
  [/^node:/, 'node: HTTP, sockets, streams, timers'],
];
/** Native functions that do the same whoever calls them. */
const NATIVE: Readonly<Record<string, Group>> = {
  '(idle)': 'nothing to do',
  '(garbage collector)': 'garbage collector',
  fdatasync: 'system calls: sync',
  fsync: 'system calls: sync',
  hash: 'SHA-1, SHA-256, CRC, Adler, deflate',
  crc32: 'SHA-1, SHA-256, CRC, Adler, deflate',
};
const SENDS = /^write(?:v|Buffer|Latin1String|Utf8String|AsciiString)$/;

export function readProfile(file: string): CpuProfile {
  return JSON.parse(readFileSync(file, 'utf8')) as CpuProfile;
}

/**
 * The time that each group took between two moments.
 * @param from microseconds of `process.hrtime`
 * @returns microseconds; groups that took none are missing
 */
export function timesByGroup(profile: CpuProfile, from: number, until: number): Map<Group, number> {
  const groups = groupsOf(profile);
  const times = new Map<Group, number>();
  let at = profile.startTime;
  for (const [place, id] of profile.samples.entries()) {
    const took = profile.timeDeltas[place]!;
    at += took;
    if (at < from || at > until) continue;
    const group = groups.get(id) ?? 'other';
    times.set(group, (times.get(group) ?? 0) + took);
  }
  return times;
}

function groupsOf({ nodes }: CpuProfile): Map<number, Group> {
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const callers = new Map(nodes.flatMap(({ id, children = [] }) => children.map((child) => [child, id])));
  return new Map(nodes.map(({ id }) => [id, groupOf(id, byId, callers)]));
}

function groupOf(id: number, byId: ReadonlyMap<number, Node>, callers: ReadonlyMap<number, number>): Group {
  const { functionName, url } = byId.get(id)!.callFrame;
  if (url === '' && NATIVE[functionName]) return NATIVE[functionName];
  for (let at: number | undefined = id; at !== undefined; at = callers.get(at)) {
    const { url: caller } = byId.get(at)!.callFrame;
    if (caller === '') continue;
    if (url === '' && SENDS.test(functionName) && !/^node:(?:internal\/)?fs/.test(caller)) {
      return 'system calls: answers';
    }
    return ROOMS.find(([pattern]) => pattern.test(caller))?.[1] ?? 'other';
  }
  return 'other';
}
