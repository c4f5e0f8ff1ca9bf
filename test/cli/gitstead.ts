// Runs one command of Gitstead from its sources, as a user would, in a process of its own.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';

export type Finished = { code: number | null; stdout: string; stderr: string };

const MAIN = join(import.meta.dirname, '../../src/main.ts');

/** What this process has, without settings of its own: seeds and depths of tests are none that a server knows. */
export function environmentWithoutSettings(): Record<string, string | undefined> {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('GITSTEAD_')));
}

/** @param options `data`: becomes GITSTEAD_DATA */
export async function gitstead(
  words: readonly string[],
  options: { data?: string; input?: string; cwd?: string; env?: Record<string, string> } = {},
): Promise<Finished> {
  const env = { ...environmentWithoutSettings(), ...options.env };
  if (options.data !== undefined) env.GITSTEAD_DATA = options.data;
  const child = spawn(process.execPath, [MAIN, ...words], { env, cwd: options.cwd, stdio: 'pipe' });
  child.stdin.on('error', () => {}); // a command may end without reading
  child.stdin.end(options.input ?? '');
  const [stdout, stderr, [code]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, 'close') as Promise<[number | null]>,
  ]);
  return { code, stdout, stderr };
}
