// Waiting for a server that a suite started: until it answers, and until it has nothing left to do.
import { readProcessorMs } from '../machine.ts';
import type { Started } from '../processes.ts';

const START_LIMIT_MS = 60_000;
const ASK_AGAIN_MS = 4;
/** A server that used at most this of a core since the last look does nothing in the background. */
const IDLE_SHARE = 0.2;
const IDLE_LOOK_MS = 100;
const IDLE_LIMIT_MS = 15_000;

/** Asks every few ms until the path is answered with 200 and a body that `isRight`. */
export async function untilAnswers(
  server: { process: Started; port: number },
  path: string,
  isRight: (body: string) => boolean = () => true,
  authorization = '',
): Promise<void> {
  let hasEnded = false;
  server.process.ended.then(() => {
    hasEnded = true;
  });
  const headers = authorization ? { authorization } : {};
  const limit = performance.now() + START_LIMIT_MS;
  while (performance.now() < limit && !hasEnded) {
    const answer = await fetch(`http://127.0.0.1:${server.port}${path}`, { headers }).catch(() => undefined);
    const body = await answer?.text().catch(() => undefined);
    if (answer?.status === 200 && body !== undefined && isRight(body)) return;
    await pauseFor(ASK_AGAIN_MS);
  }
  throw new Error(`${path} was not answered: ${server.process.lastWords()}`);
}

/** Waits until what a load left to be done in the background is done: the next one is not to pay for it. */
export async function untilIdle(server: { process: Started }, limitMs = IDLE_LIMIT_MS): Promise<void> {
  const used = () => readProcessorMs(server.process.pid) ?? 0;
  const limit = performance.now() + limitMs;
  for (let before = used(); performance.now() < limit; before = used()) {
    await pauseFor(IDLE_LOOK_MS);
    if (used() - before <= IDLE_SHARE * IDLE_LOOK_MS) return;
  }
}

export function pauseFor(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
