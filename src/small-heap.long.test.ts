import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';

const file = new URL('./small-heap.ts', import.meta.url).href;

/** What a program prints, which is a number, when V8 is left alone, and when the heap is kept small. */
function usualAndSmall(program: string): { usual: number; small: number } {
  const run = (text: string) =>
    Number(execFileSync(process.execPath, ['--input-type=module', '--eval', text], { encoding: 'utf8' }));
  return {
    usual: run(program),
    small: run(`import { keepHeapSmall } from '${file}'; keepHeapSmall(); ${program}`),
  };
}

test('the space for new objects stays at 32 MiB or less, though many of them live on', () => {
  const { usual, small } = usualAndSmall(`
    import { setImmediate as turn } from 'node:timers/promises';
    import { getHeapSpaceStatistics } from 'node:v8';
    const kept = new Array(200_000);
    let most = 0;
    for (let i = 0; i < 2_000_000; i++) {
      kept[i % kept.length] = { number: i, list: [i] };
      if (i % 2000 !== 0) continue;
      await turn();
      const young = getHeapSpaceStatistics().find(({ space_name: name }) => name === 'new_space');
      most = Math.max(most, young.space_size / 2 ** 20);
    }
    console.log(most);`);
  assert.ok(small <= 32 && small < usual, `${small} of ${usual} MiB`);
});

test('garbage is looked for before there is as much of it as of what is in use', () => {
  const { usual, small } = usualAndSmall(`
    import { setImmediate as turn } from 'node:timers/promises';
    import { getHeapStatistics } from 'node:v8';
    const kept = [];
    let most = 0;
    for (let i = 0; i < 1500; i++) {
      kept[i % 100] = new Array(50_000).fill(i + 0.5);
      if (i % 20 === 0) await turn();
      most = Math.max(most, getHeapStatistics().used_heap_size / 2 ** 20);
    }
    console.log(most);`);
  assert.ok(small < usual, `${small} of ${usual} MiB`);
});
