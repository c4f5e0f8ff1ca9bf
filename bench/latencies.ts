// Times of answers as counts, so that those of many slices and processes can be pooled: each counter spans 2 %. Written as text,
// `310*4 311*9`: which counter, and how many. Pure.

/** The first counter begins here. */
const LEAST_MS = 0.001;
const STEP = Math.log(1.02);
const FORM = /^(\d+)\*(\d+)$/;

/** @param times in ms */
export function countTimes(times: readonly number[]): string {
  const counts = new Map<number, number>();
  for (const ms of times) {
    const counter = Math.max(0, Math.floor(Math.log(ms / LEAST_MS) / STEP));
    counts.set(counter, (counts.get(counter) ?? 0) + 1);
  }
  return format(counts);
}

/** The times of both. */
export function pool(some: string, others: string): string {
  const counts = new Map(parse(some));
  for (const [counter, count] of parse(others)) counts.set(counter, (counts.get(counter) ?? 0) + count);
  return format(counts);
}

/** The ms that `share` of the times do not exceed, within 1 %; NaN of none. */
export function quantileOf(text: string, share: number): number {
  const counts = parse(text);
  const total = counts.reduce((sum, [, count]) => sum + count, 0);
  let left = Math.min(total - 1, Math.floor(total * share));
  for (const [counter, count] of counts) {
    left -= count;
    if (left < 0) return LEAST_MS * Math.exp((counter + 0.5) * STEP);
  }
  return Number.NaN;
}

function format(counts: ReadonlyMap<number, number>): string {
  const sorted = [...counts].sort(([a], [b]) => a - b);
  return sorted.map(([counter, count]) => `${counter}*${count}`).join(' ');
}

/** In rising order, as they were written. */
function parse(text: string): [counter: number, count: number][] {
  if (text === '') return [];
  return text.split(' ').map((part) => {
    const [, counter, count] = FORM.exec(part) ?? [];
    if (counter === undefined || count === undefined) throw new Error(`${part} is no count of times`);
    return [Number(counter), Number(count)];
  });
}
