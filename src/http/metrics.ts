// The server's numbers as Prometheus reads them: what the rooms counted, asked for when somebody reads, and what
// prom-client measures of the process. Who may read is metrics-door.ts's. Labels have few values, all of them ours.
import { Counter, collectDefaultMetrics, Gauge, type Metric, Registry } from 'prom-client';
import type { CacheMeasures } from '../db/measures.ts';
import type { IndexMeasures } from '../db/open-index.ts';
import type { Buckets, StorageMeasures } from '../storage/measures.ts';
import type { RequestMeasures } from './request-measures.ts';

export type MeasureSources = {
  requests: RequestMeasures;
  /** of what is known of tokens */
  tokens: () => CacheMeasures;
  /** undefined: this process has no storage */
  store: (() => StoreMeasures) | undefined;
};

export type StoreMeasures = { storage: StorageMeasures; index: IndexMeasures };

/** Writes everything down as it is now. */
export type WriteMetrics = () => Promise<{ type: string; text: string }>;

type Caches = [name: string, CacheMeasures][];
type Labels = Record<string, string>;
type Value = { labels: Labels; value: number };
type Row = { labels: Labels; buckets: Buckets };

const LABELS = ['route', 'method', 'status', 'cache', 'part'];
const MILLISECOND = 1 / 1000;
/** How often the delay of the event loop is looked at; more often would wake an idle machine for nothing. */
const LOOK_AT_LOOP_MS = 50;

/** Makes the registry. Nothing is measured of the process before somebody reads. */
export function openMetrics(sources: MeasureSources): WriteMetrics {
  const registry = new Registry();
  const { requests, tokens, store } = sources;
  let measuresProcess = false;
  let stored = store?.();
  const readCaches = (): Caches => [
    ...Object.entries(stored?.storage.caches ?? {}),
    ...(stored ? [['rows', stored.index.rows] satisfies [string, CacheMeasures]] : []),
    ['tokens', tokens()],
  ];
  addRequests(registry, requests);
  if (stored) addStore(registry, () => stored!);
  addMemory(registry, readCaches, () => Object.entries(stored?.storage.memory ?? {}));
  return async () => {
    if (!measuresProcess) {
      measuresProcess = true;
      collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: LOOK_AT_LOOP_MS });
    }
    stored = store?.();
    return { type: registry.contentType, text: await registry.metrics() };
  };
}

function addRequests(registry: Registry, requests: RequestMeasures): void {
  addCounter(
    registry,
    'gitstead_http_requests_total',
    'Requests by route and status; 0: the connection ended first',
    () =>
      requests.answered().map(({ route, method, status, count }) => ({
        labels: { route, method, status: String(status) },
        value: count,
      })),
  );
  addHistogram(
    registry,
    'gitstead_http_request_duration_seconds',
    'From a request to the end of its answer',
    MILLISECOND,
    () =>
      requests.durations().map(({ route, method, took }) => ({ labels: { route, method }, buckets: took })),
  );
  addGauge(registry, 'gitstead_uploads', 'Uploads under way', () => [one(requests.uploads())]);
}

function addStore(registry: Registry, read: () => StoreMeasures): void {
  const gauges: [name: string, help: string, value: (measures: StoreMeasures) => number][] = [
    ['gitstead_pending_bytes', 'Bytes of packs in memory', ({ storage }) => storage.pendingBytes],
    [
      'gitstead_pending_commits',
      'Acknowledged commits not in a pack yet',
      ({ storage }) => storage.pendingCommits,
    ],
    ['gitstead_waiting_writes', 'Writes that wait for memory', ({ storage }) => storage.waitingWrites],
    ['gitstead_open_repositories', 'Repositories that are open', ({ storage }) => storage.openRepositories],
    ['gitstead_open_pack_files', 'Pack files that are open', ({ storage }) => storage.openFiles],
    ['gitstead_index_rows_waiting', 'Rows to be written to the index', ({ index }) => index.waiting],
  ];
  for (const [name, help, value] of gauges) addGauge(registry, name, help, () => [one(value(read()))]);
  const counters: typeof gauges = [
    ['gitstead_index_rows_written_total', 'Rows written behind the answers', ({ index }) => index.written],
    [
      'gitstead_pack_merges_failed_total',
      'Merges of packs that failed',
      ({ storage }) => storage.mergesFailed,
    ],
    [
      'gitstead_reading_aids_failed_total',
      'Times that git failed to write its index and graph for readers',
      ({ storage }) => storage.readingAidsFailed,
    ],
  ];
  for (const [name, help, value] of counters) addCounter(registry, name, help, () => [one(value(read()))]);
  const histograms: [string, string, unit: number, (storage: StorageMeasures) => Buckets][] = [
    ['gitstead_turn_writes', 'Commits of a turn', 1, (storage) => storage.turnWrites],
    ['gitstead_packs', 'Packs of each open repository, as it is now', 1, (storage) => storage.packs],
    ['gitstead_journal_duration_seconds', 'Append and sync', MILLISECOND, (storage) => storage.journal],
    ['gitstead_checkpoint_duration_seconds', 'Checkpoints', MILLISECOND, (storage) => storage.checkpoints],
    ['gitstead_pack_merge_duration_seconds', 'Merges of packs', MILLISECOND, (storage) => storage.merges],
    [
      'gitstead_reading_aids_duration_seconds',
      'Git writing its index and graph for readers',
      MILLISECOND,
      (storage) => storage.readingAids,
    ],
  ];
  for (const [name, help, unit, buckets] of histograms) {
    addHistogram(registry, name, help, unit, () => [{ labels: {}, buckets: buckets(read().storage) }]);
  }
}

function addMemory(
  registry: Registry,
  readCaches: () => Caches,
  readOthers: () => [name: string, { held: number; limit: number }][],
): void {
  const ofCaches = (value: (cache: CacheMeasures) => number) => () =>
    readCaches().map(([cache, measures]) => ({ labels: { cache }, value: value(measures) }));
  const ofParts = (value: (part: { held: number; limit: number }) => number) => () =>
    [...readCaches(), ...readOthers()].map(([part, memory]) => ({ labels: { part }, value: value(memory) }));
  addCounter(
    registry,
    'gitstead_cache_hits_total',
    'What a cache could answer',
    ofCaches(({ hits }) => hits),
  );
  addCounter(
    registry,
    'gitstead_cache_misses_total',
    'What it could not',
    ofCaches(({ misses }) => misses),
  );
  addGauge(
    registry,
    'gitstead_memory_bytes',
    'Memory that is held',
    ofParts(({ held }) => held),
  );
  addGauge(
    registry,
    'gitstead_memory_limit_bytes',
    'The most that may be',
    ofParts(({ limit }) => limit),
  );
}

function one(value: number): Value {
  return { labels: {}, value };
}

function addGauge(registry: Registry, name: string, help: string, read: () => Value[]): void {
  new Gauge({
    ...{ name, help, labelNames: LABELS, registers: [registry] },
    collect() {
      this.reset();
      for (const { labels, value } of read()) this.set(labels, value);
    },
  });
}

function addCounter(registry: Registry, name: string, help: string, read: () => Value[]): void {
  new Counter({
    ...{ name, help, labelNames: LABELS, registers: [registry] },
    collect() {
      this.reset();
      for (const { labels, value } of read()) this.inc(labels, value);
    },
  });
}

/**
 * prom-client's own histogram must be told of everything when it happens; this one is asked when somebody reads.
 * @param unit what 1 in the buckets is in the metric's unit
 */
function addHistogram(registry: Registry, name: string, help: string, unit: number, read: () => Row[]): void {
  const metric = {
    name,
    help,
    get: async () => ({
      ...{ name, help, type: 'histogram', aggregator: 'sum' },
      values: read().flatMap((row) => linesOf(name, row, unit)),
    }),
  };
  registry.registerMetric(metric as unknown as Metric);
}

function linesOf(name: string, { labels, buckets: { bounds, counts, sum } }: Row, unit: number) {
  let total = 0;
  const lines = counts.map((count, at) => {
    total += count;
    const le = at < bounds.length ? String(Number((bounds[at]! * unit).toPrecision(6))) : '+Inf';
    return { metricName: `${name}_bucket`, labels: { ...labels, le }, value: total };
  });
  return [
    ...lines,
    { metricName: `${name}_sum`, labels, value: sum * unit },
    { metricName: `${name}_count`, labels, value: total },
  ];
}
