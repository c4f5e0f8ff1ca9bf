// The named points at which a crash test stops the process: between any two steps whose order matters.
// In production `passing` does nothing.

export type StopPoint =
  | 'turn.judged'
  | 'journal.appended'
  | 'journal.synced'
  | 'journal.rotated'
  | 'index.applied'
  | 'checkpoint.spool-placed'
  | 'checkpoint.pack-written'
  | 'checkpoint.index-written'
  | 'checkpoint.ref-moved'
  | 'settle.synced'
  | 'recovery.packs-written'
  | 'recovery.refs-moved';

export type Passing = (point: StopPoint) => void;

export const passOn: Passing = () => {};
