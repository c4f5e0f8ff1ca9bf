// Makes the turns of all ready repositories durable together: one append and one fdatasync for the group, then
// one index transaction. A group is what one round of the event loop brought, or what came while the last was on its way.
import type { Index, IndexChange } from '../db/open-index.ts';
import type { Log } from '../log.ts';
import type { Journal } from './journal.ts';
import type { TurnRecord } from './journal-format.ts';
import { durations } from './measures.ts';
import type { Passing } from './stop-points.ts';

export type ReadyTurn = {
  record: TurnRecord;
  change: IndexChange;
  /** nothing is to be written in other repositories: nobody would share its sync */
  isAlone: boolean;
};

export interface GroupCommit {
  /**
   * Resolves when the turn is on disk: `indexed`, or `behind` when the index could not be written (the
   * write stands; the repository must catch up before it answers again). Rejects when the journal failed:
   * then nothing of the turn stands.
   */
  commit(turn: ReadyTurn): Promise<'indexed' | 'behind'>;
  /** true while turns are on their way */
  busy(): boolean;
  /** true when no turn should begin, see `Journal` */
  isFull(): boolean;
  /** calls back once, when there may be room again */
  onRoom(then: () => void): void;
}

type Waiting = ReadyTurn & {
  resolve: (outcome: 'indexed' | 'behind') => void;
  reject: (error: unknown) => void;
};

/** @param took is told how many milliseconds each append took, with its sync */
export function openGroupCommit(
  journal: Journal,
  index: Index,
  log: Log,
  passing: Passing,
  took = durations(),
): GroupCommit {
  let waiting: Waiting[] = [];
  let running = false;

  async function run(): Promise<void> {
    while (waiting.length > 0) {
      const group = waiting;
      waiting = [];
      const start = performance.now();
      try {
        await journal.append(group.map(({ record }) => record));
      } catch (error) {
        for (const turn of group) turn.reject(error);
        continue;
      }
      took.add(performance.now() - start);
      const outcome = writeIndex(group);
      for (const turn of group) turn.resolve(outcome);
    }
    running = false;
  }

  function writeIndex(group: readonly Waiting[]): 'indexed' | 'behind' {
    try {
      index.apply(group.map(({ change }) => change));
      passing('index.applied');
      return 'indexed';
    } catch (error) {
      log.error({ err: error }, 'the index could not be written; the repositories concerned catch up');
      return 'behind';
    }
  }

  return {
    commit(turn) {
      return new Promise((resolve, reject) => {
        waiting.push({ ...turn, resolve, reject });
        if (running) return;
        running = true;
        // other turns of this round of the event loop share the sync (32 repositories: 1.1 times the commits)
        if (turn.isAlone) void run();
        else setImmediate(() => void run());
      });
    },
    busy: () => running,
    isFull: journal.isFull,
    onRoom: journal.onRoom,
  };
}
