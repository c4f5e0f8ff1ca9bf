// A repository's queue: one turn at a time, checkpoints between turns, catch-up before a turn where somebody else
// wrote. The order of a write's steps reads top to bottom in `runTurn`.
import type { Index } from '../db/open-index.ts';
import { asGitsteadError, GitsteadError } from '../errors.ts';
import type { Oid } from '../git/object-id.ts';
import { MAIN, readRef } from '../git/refs.ts';
import type { Log } from '../log.ts';
import { ROOT_MODULE } from '../protocol/paths.ts';
import { catchUp } from './catch-up.ts';
import { checkpoint, noteStamp, placeSpooled, releaseLock, takeLock } from './checkpoint.ts';
import type { CheckpointPace, Waiting } from './checkpoint-pace.ts';
import { loadRoot } from './folder-trees.ts';
import type { GroupCommit } from './group-commit.ts';
import type { Counters } from './measures.ts';
import { mergeForeignHead } from './merge-heads.ts';
import { hasPending, type Job, type OpenRepository, openPack, readObject } from './open-repository.ts';
import type { Pending } from './pending.ts';
import type { RootGates } from './root-gate.ts';
import type { Passing } from './stop-points.ts';
import type { TreeBudget } from './tree-budget.ts';
import { type Turn, takeTurn } from './turn.ts';
import { type OutsideRules, outsideRules } from './turn-rules.ts';

const MAX_TURN_WRITES = 512;
const CHECKPOINT_AGAIN_MS = 250;
/** The quiet-time rule: no write was answered for so long, and none is under way. */
const QUIET_AFTER_MS = 5;
/** An answer waits no longer than this for its checkpoint. */
const QUIET_WAIT_MS = 50;

export type Engine = {
  index: Index;
  commits: GroupCommit;
  gates: RootGates;
  log: Log;
  passing: Passing;
  now: () => number;
  host: string;
  /** packs in memory, of all repositories */
  pending: Pending;
  /** repositories whose queue has something to do */
  awake: number;
  /** turns under way in all repositories */
  turns: number;
  /** monotonic milliseconds of the last answer to a write */
  answeredAt: number;
  pace: CheckpointPace;
  counters: Counters;
  trees: TreeBudget;
  /** waits until the index has what another repository has */
  whenReady: (user: string, module: string) => Promise<void>;
  /** called after each checkpoint: packs may want merging */
  checkpointed: (repository: OpenRepository) => void;
};

type WriteJob = Extract<Job, { kind: 'write' }>;

export function enqueue(engine: Engine, repository: OpenRepository, job: Job): void {
  if (repository.isClosed) {
    job.reject(new GitsteadError('not-ready', 'the repository was closed meanwhile; try again'));
    return;
  }
  repository.jobs.push(job);
  wake(engine, repository);
}

function wake(engine: Engine, repository: OpenRepository): void {
  if (repository.running) return;
  repository.running = true;
  engine.awake++;
  // what arrives in the same round of the event loop shares the turn
  setImmediate(() => void run(engine, repository));
}

async function run(engine: Engine, repository: OpenRepository): Promise<void> {
  let hasFailed = false;
  try {
    while (await step(engine, repository));
  } catch (error) {
    engine.log.error(
      { err: error, user: repository.user, module: repository.module },
      'a repository cannot be written now',
    );
    refuseAll(repository, error);
    hasFailed = true;
  }
  repository.running = false;
  engine.awake--;
  if (repository.jobs.length > 0) {
    if (engine.commits.isFull()) engine.commits.onRoom(() => wake(engine, repository));
    else wake(engine, repository);
  }
  planCheckpoint(engine, repository, hasFailed);
}

/**
 * Sees to it that the repository wakes for its checkpoint. A timer that runs already may be a little early, and is set anew
 * then: to do that with every write takes some percent of a small turn.
 */
function planCheckpoint(engine: Engine, repository: OpenRepository, hasFailed: boolean): void {
  const since = repository.pack?.since;
  if (since === undefined || hasFailed) {
    clearTimeout(repository.timer);
    repository.timer = undefined;
  }
  if (since === undefined || repository.timer) return;
  const due = since + engine.pace.interval(waitingIn(repository)) - performance.now();
  repository.timer = setTimeout(
    () => {
      repository.timer = undefined;
      wake(engine, repository);
    },
    hasFailed ? CHECKPOINT_AGAIN_MS : Math.max(0, due),
  );
}

/**
 * Does one thing. While the journal is full no turn begins, and pending commits go to their pack at once: settling waits for
 * that, and room in the journal for settling.
 * @returns false when there is nothing to do now
 */
async function step(engine: Engine, repository: OpenRepository): Promise<boolean> {
  if (isDue(engine, repository)) await seal(engine, repository);
  const position = engine.commits.isFull() ? repository.jobs.findIndex(({ kind }) => kind !== 'write') : 0;
  const job = repository.jobs[position];
  if (!job) return false;
  if (job.kind === 'write') {
    await runTurn(engine, repository);
    return true;
  }
  repository.jobs.splice(position, 1);
  try {
    if (job.kind === 'drain') await seal(engine, repository);
    else await lookAtRef(engine, repository);
    job.resolve();
    return true;
  } catch (error) {
    job.reject(error);
    throw error;
  }
}

function isDue(engine: Engine, repository: OpenRepository): boolean {
  const pack = repository.pack;
  if (pack?.since === undefined) return false;
  return (
    performance.now() - pack.since >= engine.pace.interval(waitingIn(repository)) ||
    engine.pending.isDue(pack) ||
    engine.commits.isFull()
  );
}

function waitingIn({ pack, store }: OpenRepository): Waiting {
  return { packs: store.packCount, wholeTreeBytes: pack?.builder.wholeTreeBytes ?? 0 };
}

/** Pending commits to a pack and the ref; where main was moved by a program that ignores locks, merged with what it moved to. */
async function seal(engine: Engine, repository: OpenRepository): Promise<void> {
  const { pack } = repository;
  const wasPending = hasPending(repository);
  const start = performance.now();
  try {
    if (!(await checkpoint(repository, engine.passing))) await mergeForeignHead(engine, repository);
  } finally {
    if (pack && repository.pack !== pack) engine.pending.remove(repository, pack);
  }
  if (wasPending) {
    const tookMs = performance.now() - start;
    engine.pace.sealed(tookMs);
    engine.counters.checkpoints.add(tookMs);
  }
  engine.trees.keep(repository);
  engine.checkpointed(repository);
}

async function runTurn(engine: Engine, repository: OpenRepository): Promise<void> {
  const wasQuiet = noWriteUnderWay(engine);
  engine.turns++;
  try {
    await beginTurn(engine, repository);
    const jobs = takeJobs(repository, engine.pending.maxTurnBytes);
    const rules = outsideRules(
      engine.index,
      repository,
      jobs.map(({ write }) => write),
    );
    let leaveGate = () => {};
    let results: Turn['results'];
    try {
      for (const module of rules.neighbours) await engine.whenReady(repository.user, module);
      if (rules.needsGate) leaveGate = await engine.gates.enter(repository.user);
      results = await judgeAndCommit(engine, repository, jobs, rules);
    } catch (error) {
      for (const job of jobs) job.reject(refusal(error));
      throw error;
    } finally {
      leaveGate();
    }
    const isAlone = wasQuiet && repository.jobs.length === 0 && engine.turns === 1;
    const sinceLastMs = performance.now() - repository.freeUntil;
    const isQuiet = isAlone && engine.pace.mayHurry(waitingIn(repository), sinceLastMs);
    const sealed = isQuiet ? sealQuietly(engine, repository) : undefined;
    if (sealed) await Promise.race([sealed, pause(QUIET_WAIT_MS)]);
    answer(engine, jobs, results);
    await sealed;
  } finally {
    engine.turns--;
    if (!hasPending(repository)) releaseLock(repository);
  }
}

/** Git's lock, then the ref, then catch-up: nobody else can move main until the checkpoint. */
async function beginTurn(engine: Engine, repository: OpenRepository): Promise<void> {
  if (repository.locked) {
    // an index that is behind must not be written over
    if (repository.indexed !== repository.head) await lookAtRef(engine, repository);
    return;
  }
  await takeLock(repository);
  engine.passing('lock.taken');
  try {
    await lookAtRef(engine, repository);
  } catch (error) {
    releaseLock(repository);
    throw error;
  }
}

/** Reads main and catches the index up when it is elsewhere than the index. Nothing is pending here, or nobody else can have moved it. */
async function lookAtRef(engine: Engine, repository: OpenRepository): Promise<void> {
  if (hasPending(repository)) {
    // our lock is on main: only the index can be behind
    if (repository.indexed !== repository.head) await catchUp(engine, repository);
    return;
  }
  noteStamp(repository);
  const head = readRef(repository.folder, MAIN) ?? null;
  if (head === null && repository.head !== null) {
    throw new GitsteadError('not-ready', 'the branch main is gone from this repository');
  }
  if (head !== repository.head) repository.root = undefined;
  repository.head = head;
  repository.refHead = head;
  if (repository.indexed !== head) {
    repository.store.rescan();
    await catchUp(engine, repository);
  }
  repository.fault = undefined;
}

function takeJobs(repository: OpenRepository, maxBytes: number): WriteJob[] {
  const jobs: WriteJob[] = [];
  let bytes = 0;
  for (const job of repository.jobs) {
    if (job.kind !== 'write' || jobs.length >= MAX_TURN_WRITES || bytes > maxBytes) break;
    jobs.push(job);
    const body = job.write.document?.body;
    if (body?.kind === 'inline') bytes += body.stream?.length ?? body.size;
  }
  repository.jobs.splice(0, jobs.length);
  return jobs;
}

/** Judged and made into commits, then journaled and indexed; adopted only once it is durable. */
async function judgeAndCommit(
  engine: Engine,
  repository: OpenRepository,
  jobs: readonly WriteJob[],
  rules: OutsideRules,
): Promise<Turn['results']> {
  repository.pack ??= openPack();
  const { pack } = repository;
  const mark = pack.builder.mark();
  const packOffset = pack.builder.length;
  const now = engine.now();
  try {
    if (repository.root) engine.counters.treeHits++;
    else engine.counters.treeMisses++;
    const read = (oid: Oid) => readObject(repository, oid);
    repository.root ??= loadRoot(read, repository.head);
    const turn = takeTurn(
      {
        root: repository.root,
        head: repository.head,
        pack: pack.builder,
        read,
        host: engine.host,
        now,
        prefix: repository.module === ROOT_MODULE ? '' : `${repository.module}/`,
        clashesOutside: rules.clashesOutside,
        checkQuota: rules.checkQuota,
      },
      jobs.map(({ write }) => write),
    );
    if (turn.head === repository.head || turn.head === null) return turn.results;
    engine.passing('turn.judged');
    const spooled = acceptedSpools(jobs, turn);
    const outcome = await engine.commits.commit({
      isAlone: engine.awake === 1,
      record: {
        user: repository.user,
        module: repository.module,
        oldHead: repository.head,
        newHead: turn.head,
        packName: pack.name,
        packOffset,
        spooled: spooled.map(({ name }) => name),
        time: now,
        entries: pack.builder.bytesSince(mark),
      },
      change: {
        repository: repository.row,
        head: turn.head,
        folders: turn.folders,
        documents: turn.documents,
      },
    });
    repository.head = turn.head;
    if (pack.since === undefined) engine.pace.opened();
    pack.since ??= performance.now();
    pack.spooled.push(...spooled);
    engine.pending.add(repository, turn.commits);
    for (const holder of engine.pending.tooMany()) wake(engine, holder);
    engine.counters.turnWrites.add(turn.commits);
    if (outcome === 'indexed') repository.indexed = turn.head;
    else repository.fault = { reason: 'its index is behind', at: performance.now() };
    placeQuietly(engine, repository);
    return turn.results;
  } catch (error) {
    pack.builder.rewind(mark);
    repository.root = undefined;
    throw error;
  } finally {
    if (pack.since === undefined) repository.pack = undefined; // nothing came of it
  }
}

function acceptedSpools(jobs: readonly WriteJob[], turn: Turn) {
  return jobs.flatMap(({ write }, position) => {
    const result = turn.results[position]!;
    const accepted = !(result instanceof Error) && (result.kind === 'created' || result.kind === 'updated');
    return accepted && write.document?.body.kind === 'spooled' ? [write.document.body.spool] : [];
  });
}

/** The write stands whatever happens here: the checkpoint tries again. */
function placeQuietly(engine: Engine, repository: OpenRepository): void {
  try {
    if (repository.pack) placeSpooled(repository, repository.pack, engine.passing);
  } catch (error) {
    engine.log.warn(
      { err: error, user: repository.user, module: repository.module },
      'a large document waits to be put into place',
    );
  }
}

async function sealQuietly(engine: Engine, repository: OpenRepository): Promise<void> {
  try {
    await seal(engine, repository);
  } catch (error) {
    engine.log.warn(
      { err: error, user: repository.user, module: repository.module },
      'a checkpoint failed; it is tried again',
    );
  }
}

function noWriteUnderWay(engine: Engine): boolean {
  return (
    engine.turns === 0 && !engine.commits.busy() && performance.now() - engine.answeredAt > QUIET_AFTER_MS
  );
}

function answer(engine: Engine, jobs: readonly WriteJob[], results: Turn['results']): void {
  engine.answeredAt = performance.now();
  for (const [position, job] of jobs.entries()) {
    const result = results[position]!;
    if (result instanceof Error) job.reject(result);
    else job.resolve(result);
  }
}

function refuseAll(repository: OpenRepository, error: unknown): void {
  for (const job of repository.jobs.splice(0)) job.reject(refusal(error));
}

/** A repository that does not verify is not ready, rather than the request's fault. */
function refusal(error: unknown): GitsteadError {
  const known = asGitsteadError(error);
  return known.code === 'corrupt'
    ? new GitsteadError('not-ready', 'this repository cannot be read', { cause: error })
    : known;
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
