// The named points at which a crash test stops the process: between any two steps whose order matters.
// In production `passing` does nothing.

export const STOP_POINTS = [
  'lock.taken',
  'turn.judged',
  'journal.appended',
  'journal.synced',
  'journal.rotated',
  'index.applied',
  'checkpoint.spool-waiting',
  'checkpoint.spool-placed',
  'checkpoint.kept',
  'checkpoint.pack-written',
  'checkpoint.index-written',
  'checkpoint.ref-moved',
  'checkpoint.done',
  'settle.synced',
  'settle.segment-gone',
  'recovery.spool-placed',
  'recovery.packs-written',
  'recovery.refs-moved',
  'recovery.synced',
  'recovery.segment-gone',
] as const;

export type StopPoint = (typeof STOP_POINTS)[number];

export type Passing = (point: StopPoint) => void;

export const passOn: Passing = () => {};
