// The bare node:http server as a side: nothing is stored, so there is nothing to fill.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { startServer, stop, temporaryFolder } from '../processes.ts';
import type { RecordedAnswers } from '../recorded-answers.ts';
import { folderPath, freePort, type Side, untilReady } from './side.ts';

export async function startBare(answers: RecordedAnswers): Promise<Side> {
  const folder = temporaryFolder('bare');
  const answersFile = join(folder, 'answers.json');
  writeFileSync(answersFile, JSON.stringify(answers));
  const port = await freePort();
  const program = join(import.meta.dirname, '../bare-server.ts');
  const start = async () => {
    const started = startServer([program, String(port), answersFile], {
      cwd: folder,
      logFile: join(folder, 'output.log'),
    });
    await untilReady(started, port, '/');
    return started;
  };
  const side: Side = {
    name: 'bare',
    port,
    process: await start(),
    target: (user, module) => ({ folder: folderPath(user, module), authorization: 'Bearer none' }),
    fill: async () => {},
    restart: async () => {
      await stop(side.process);
      side.process = await start();
    },
  };
  return side;
}
