// What the figures depend on and cannot be compared without: processor, disk, kernel, Node. Also the memory
// of a process, as Linux tells it.
import {
  closeSync,
  constants,
  existsSync,
  fdatasyncSync,
  fsyncSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { cpus, loadavg, release, totalmem } from 'node:os';
import { basename, join } from 'node:path';
import { run } from './processes.ts';
import { median } from './statistics.ts';

export type Machine = {
  processor: string;
  cores: number;
  memoryGiB: number;
  kernel: string;
  node: string;
  git: string;
  /** of the data folders, as `ext4` or `ext4, no journal`; absent in the runs that did not look */
  fileSystem?: string;
  /** median of 200 appends of 4 KiB to a file that was filled beforehand, each synced */
  fdatasyncMs: number;
  /** what else ran: the system's 1-minute load before the run */
  loadBefore: number;
};

/** Measures and asks; `folder` is where the data folders will stand. */
export async function describeMachine(folder: string): Promise<Machine> {
  const git = await run('git', ['--version'], { limitMs: 10_000 });
  return {
    processor: cpus()[0]?.model ?? 'unknown',
    cores: cpus().length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    kernel: `${process.platform} ${release()}`,
    node: process.version,
    git: git.code === 0 ? git.stdout.trim().replace('git version ', '') : 'absent',
    fileSystem: nameFileSystem(folder),
    fdatasyncMs: measureSync(join(folder, 'sync-probe')),
    loadBefore: Number((loadavg()[0] ?? 0).toFixed(2)),
  };
}

/** Making a file after many were removed, and a sync, cost another time where there is no journal. Linux only. */
function nameFileSystem(folder: string): string {
  try {
    const mounts = readFileSync('/proc/mounts', 'utf8')
      .split('\n')
      .map((line) => line.split(' ') as [device: string, point: string, kind: string])
      .filter(([, point]) => `${folder}/`.startsWith(point === '/' ? point : `${point}/`))
      .sort(([, a], [, b]) => a.length - b.length);
    const [device, , kind] = mounts.at(-1)!;
    if (kind !== 'ext4') return kind;
    const journals = existsSync('/proc/fs/jbd2') ? readdirSync('/proc/fs/jbd2') : [];
    const hasJournal = journals.some((name) => name.startsWith(`${basename(device)}-`));
    return hasJournal ? kind : `${kind}, no journal`;
  } catch {
    return 'unknown';
  }
}

function measureSync(file: string): number {
  const block = Buffer.alloc(4096, 7);
  const rounds = 200;
  writeFileSync(file, Buffer.alloc(block.length * rounds));
  const descriptor = openSync(file, constants.O_RDWR);
  fsyncSync(descriptor);
  const times: number[] = [];
  for (let i = 0; i < rounds; i += 1) {
    const start = performance.now();
    writeSync(descriptor, block, 0, block.length, i * block.length);
    fdatasyncSync(descriptor);
    times.push(performance.now() - start);
  }
  closeSync(descriptor);
  rmSync(file);
  return Number(median(times).toFixed(3));
}

export type Memory = { nowBytes: number; peakBytes: number };

/** Resident memory of a process and its peak since the last `resetPeak`; undefined where there is no /proc. */
export function readMemory(pid: number): Memory | undefined {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    const kib = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(status)?.[1]);
    const memory = { nowBytes: kib('VmRSS') * 1024, peakBytes: kib('VmHWM') * 1024 };
    return Number.isFinite(memory.nowBytes + memory.peakBytes) ? memory : undefined;
  } catch {
    return undefined;
  }
}

const CLOCK_TICKS_PER_SECOND = 100;

/** Processor time that a process has used, all threads, in ms; undefined where there is no /proc. */
export function readProcessorMs(pid: number): number | undefined {
  try {
    const status = readFileSync(`/proc/${pid}/stat`, 'latin1');
    const fields = status.slice(status.lastIndexOf(')') + 2).split(' ');
    return ((Number(fields[11]) + Number(fields[12])) * 1000) / CLOCK_TICKS_PER_SECOND;
  } catch {
    return undefined;
  }
}

/** Sets the kernel's record of a process's peak back to what it uses now. */
export function resetPeak(pid: number): void {
  writeFileSync(`/proc/${pid}/clear_refs`, '5');
}
