// nginx as a side: the floor of what sends files. Debian's /usr/sbin/nginx with a configuration, a folder, a port and
// a pid of its own: one process, sendfile, no log of requests. Documents are plain files, a folder's listing is a file too.
// PUT is its WebDAV module's: no tag, no history, no sync.
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { documentName, makeDocument } from '../documents.ts';
import { startCommand, stop, temporaryFolder } from '../processes.ts';
import { makeListing } from '../recorded-answers.ts';
import { folderPath, freePort, type Side, untilReady } from './side.ts';

const NGINX = '/usr/sbin/nginx';
const LISTING_NAME = 'listing.json';

/** @throws Error `nginx is not installed` */
export async function startNginx(): Promise<Side> {
  if (!existsSync(NGINX)) throw new Error('nginx is not installed');
  const folder = temporaryFolder('nginx');
  const files = join(folder, 'files');
  mkdirSync(files);
  const port = await freePort();
  const configuration = join(folder, 'nginx.conf');
  writeFileSync(configuration, configure(folder, files, port));
  const start = async () => {
    const args = ['-p', folder, '-e', 'stderr', '-c', configuration];
    const started = startCommand(NGINX, args, { cwd: folder, logFile: join(folder, 'output.log') });
    await untilReady(started, port, '/');
    return started;
  };
  const side: Side = {
    name: 'nginx',
    port,
    process: await start(),
    target: (user, module) => ({ folder: folderPath(user, module), authorization: 'Bearer none' }),
    fill: async (users, module, count) => {
      for (const user of users) layDown(join(files, folderPath(user, module)), count);
    },
    restart: async () => {
      await stop(side.process);
      side.process = await start();
    },
  };
  return side;
}

/** One process (no master, so that its pid is the one that works), and connections that are kept for the whole run. */
function configure(folder: string, files: string, port: number): string {
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];
  return `daemon off;
master_process off;
worker_processes 1;
pid ${folder}/nginx.pid;
error_log stderr warn;
events { worker_connections 512; }
http {
  access_log off;
  sendfile on;
  tcp_nopush on;
  keepalive_requests 1000000000;
  keepalive_timeout 60s;
  client_max_body_size 0;
  default_type application/json;
  ${temporary.map((name) => `${name}_temp_path ${folder}/${name};`).join('\n  ')}
  server {
    listen 127.0.0.1:${port};
    root ${files};
    index ${LISTING_NAME};
    dav_methods PUT;
    create_full_put_path on;
    location = / { return 200; }
  }
}
`;
}

function layDown(folder: string, count: number): void {
  mkdirSync(folder, { recursive: true });
  for (let index = 0; index < count; index += 1)
    writeFileSync(join(folder, documentName(index)), makeDocument());
  writeFileSync(join(folder, LISTING_NAME), makeListing(count));
}
