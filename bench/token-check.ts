// What the check of a known token costs: GETs of small documents through the same handler with and without it, in turn, in one
// process. `node bench/token-check.ts [rounds]`

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { runLoad } from './load-job.ts';
import { readProcessorMs } from './machine.ts';
import { removeFolder, startServer, stop, temporaryFolder } from './processes.ts';
import { folderPath, MODULES } from './sides/side.ts';
import { median } from './statistics.ts';

const DOCUMENTS = 100;
const CONNECTIONS = 8;
const rounds = Number(process.argv[2] ?? 7);

const folder = temporaryFolder('token-check');
const logFile = join(folder, 'output.log');
const program = join(import.meta.dirname, 'token-check-server.ts');
const server = startServer([program, join(folder, 'data')], { cwd: folder, logFile });
const { checked, unchecked, token } = await told();

async function told(): Promise<{ checked: number; unchecked: number; token: string }> {
  for (let waits = 0; waits < 600; waits++) {
    const line = readFileSync(logFile, 'utf8').split('\n', 1)[0]!;
    if (line.startsWith('{"checked"')) return JSON.parse(line);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`did not start: ${server.lastWords()}`);
}

const target = { folder: folderPath(0, MODULES.small), authorization: `Bearer ${token}` };
await runLoad({ kind: 'fill', port: checked, targets: [target], documents: DOCUMENTS, connections: 32 });
const rates: Record<'checked' | 'unchecked', number[]> = { checked: [], unchecked: [] };
const processor: typeof rates = { checked: [], unchecked: [] };
for (let round = 0; round < rounds; round++) {
  const sides = [
    ['checked', checked],
    ['unchecked', unchecked],
  ] as const;
  for (const [side, port] of round % 2 === 0 ? sides : sides.toReversed()) {
    const targets = Array.from({ length: CONNECTIONS }, () => target);
    const job = { kind: 'loop', port, method: 'GET', targets, documents: DOCUMENTS, expect: [200] } as const;
    const before = readProcessorMs(server.pid) ?? Number.NaN;
    const { rate, errors, sent } = await runLoad({ ...job, expect: [200], warmupSeconds: 0.3, seconds: 1.5 });
    processor[side].push(((readProcessorMs(server.pid) ?? Number.NaN) - before) / sent);
    if (errors > 0) throw new Error(`${errors} requests failed`);
    rates[side].push(rate);
  }
}
await stop(server);
removeFolder(folder);
const ratios = rates.checked.map((rate, round) => rate / rates.unchecked[round]!);
console.log(`GET 200 B a second, ${CONNECTIONS} connections, median of ${rounds} rounds in turn`);
console.log(`  with the token checked  ${Math.round(median(rates.checked))}`);
console.log(`  without                 ${Math.round(median(rates.unchecked))}`);
const costs = [processor.checked, processor.unchecked].map((each) => (median(each) * 1000).toFixed(1));
console.log(`  processor, µs for each  ${costs[0]} and ${costs[1]}`);
console.log(
  `  ratio                   ${median(ratios).toFixed(3)} (rounds: ${ratios.map((ratio) => ratio.toFixed(2)).join(' ')})`,
);
