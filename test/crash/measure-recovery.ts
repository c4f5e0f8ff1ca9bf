// How long a start takes after a crash that left 64 MiB of journal: a script, not a test, as it asserts no time.
//
//   node test/crash/measure-recovery.ts
//
// For each kind of load a process writes until its journal is full, and is killed; then the start of another one is timed,
// once with what a kill leaves (packs and refs are there) and once after the worst power cut (only the journal is there).
import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { cpSync, globSync, readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { openIndex } from '../../src/db/open-index.ts';
import { openLog } from '../../src/log.ts';
import { openStorage } from '../../src/storage/storage.ts';
import { removeFolder, temporaryDataFolder } from './reopened.ts';
import { storageTarget } from './workload.ts';

const JOURNAL_BYTES = 64 << 20;
const WRITERS = 64;

type Load = { repositories: number; bytes: number };
const LOADS: readonly Load[] = [
  { repositories: 1, bytes: 300 },
  { repositories: 32, bytes: 300 },
  { repositories: 1, bytes: 50_000 },
  { repositories: 32, bytes: 50_000 },
];

/** Writes until the journal's first segment is full, and kills itself there. */
async function fill(dataFolder: string, { repositories, bytes }: Load): Promise<void> {
  let rotations = 0;
  const storage = await openStorage({
    dataFolder,
    index: openIndex(join(dataFolder, 'index.db')),
    log: openLog('error'),
    host: 'crash.example',
    segmentBytes: JOURNAL_BYTES,
    passing: (point) => {
      if (point === 'journal.rotated' && ++rotations === 2) process.kill(process.pid, 'SIGKILL');
    },
  });
  const target = storageTarget(storage);
  let next = 0;
  const write = async () => {
    for (;;) {
      const number = next++;
      const key = `alice/module-${number % repositories}/${number % 7}/${number % 1000}.txt`;
      const state = {
        type: 'text/plain',
        bytes: Buffer.from(randomBytes(bytes * 0.75).toString('base64')),
      };
      await target.write(key, state);
    }
  };
  await Promise.all(Array.from({ length: WRITERS }, write));
}

async function open(dataFolder: string): Promise<void> {
  const start = performance.now();
  const index = openIndex(join(dataFolder, 'index.db'));
  const indexAt = performance.now();
  const storage = await openStorage({ dataFolder, index, log: openLog('error'), host: 'crash.example' });
  const end = performance.now();
  console.log(`${Math.round(end - start)} ms, of which the index ${Math.round(indexAt - start)} ms`);
  await storage[Symbol.asyncDispose]();
  index.close();
}

function run(...args: string[]): string {
  const { stdout } = spawnSync(process.execPath, [import.meta.filename, ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
    encoding: 'utf8',
  });
  return stdout.trim();
}

function measure(load: Load): void {
  const dataFolder = temporaryDataFolder();
  run('fill', dataFolder, JSON.stringify(load));
  const journal = join(dataFolder, 'journal');
  // the one that was just begun is empty
  const empty = readdirSync(journal)
    .sort()
    .findLast((name) => name.endsWith('.segment'))!;
  rmSync(join(journal, empty));
  const packs = globSync('repos/*/*/objects/pack/*.pack', { cwd: dataFolder });
  const { size } = statSync(join(journal, readdirSync(journal).find((name) => name.endsWith('.segment'))!));
  console.log(
    `${load.repositories} repositories, ${load.bytes} bytes a document: ${size >> 20} MiB of journal, ${packs.length} packs`,
  );
  const cut = temporaryDataFolder();
  cpSync(dataFolder, cut, { recursive: true });
  for (const path of globSync('repos/*/*/{objects/pack/*,refs/heads/main}', { cwd: cut }))
    rmSync(join(cut, path));
  console.log(`  after a kill:      ${run('open', dataFolder)}`);
  console.log(`  after a power cut: ${run('open', cut)}`);
  removeFolder(dataFolder);
  removeFolder(cut);
}

const [command, dataFolder, load] = process.argv.slice(2);
if (command === 'fill') await fill(dataFolder!, JSON.parse(load!) as Load);
else if (command === 'open') await open(dataFolder!);
else for (const each of LOADS) measure(each);
