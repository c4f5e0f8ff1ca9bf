#!/usr/bin/env node
// Starts the built program on a Node that can run it: the one that started this file when it is new
// enough, else the one that the checkout brings along (devDependency `node`).
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const wanted = [24, 15];
const [major, minor] = process.versions.node.split('.').map(Number);

if (process.env.npm_command === 'exec') stopWithNpx();

if (major > wanted[0] || (major === wanted[0] && minor >= wanted[1])) {
  const entry = join(root, 'dist', 'main.js');
  if (existsSync(entry)) {
    await import(entry);
  } else {
    console.error('gitstead: not built yet; run: npm ci');
    process.exitCode = 1;
  }
} else {
  runOnBundledNode();
}

function runOnBundledNode() {
  let bundled;
  try {
    const require = createRequire(import.meta.url);
    bundled = join(dirname(require.resolve('node/package.json')), 'bin', 'node');
  } catch {
    bundled = '';
  }
  if (!existsSync(bundled)) {
    console.error(
      `gitstead: needs Node ${wanted.join('.')} or newer, and this is ${process.versions.node}; install a newer Node, or run npm ci in the checkout`,
    );
    process.exitCode = 1;
    return;
  }
  const child = spawn(bundled, [fileURLToPath(import.meta.url), ...process.argv.slice(2)], {
    stdio: 'inherit',
  });
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  child.on('exit', (code, signal) => {
    process.exitCode = signal ? 1 : (code ?? 1);
  });
}

/** npx runs this under a shell, which a signal ends without reaching us: when our parent goes, we stop as by that signal. */
function stopWithNpx() {
  const parent = process.ppid;
  const watch = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(watch);
    process.kill(process.pid, 'SIGTERM');
  }, 250);
  watch.unref();
}
