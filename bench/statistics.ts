// Medians, spreads and ratios of a few rounds. Pure.

/** The middle value; of an even number of values the mean of the two in the middle. NaN of none. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  if (sorted.length === 0) return Number.NaN;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** From so many values on, single ones that lie far off are not what the spread tells of. */
const MANY = 6;

/**
 * How far apart values lie, as a part of their median: 0.3 is a spread of 30 %. Of few values all, of six and more the half in
 * the middle.
 */
export function spread(values: readonly number[]): number {
  const [low, high] = rangeOf(values);
  return (high - low) / median(values);
}

/** What `spread` looks at: the smallest and the largest of few values, the quarters of many. */
export function rangeOf(values: readonly number[]): [low: number, high: number] {
  const sorted = [...values].sort((a, b) => a - b);
  const share = sorted.length < MANY ? 0 : 0.25;
  return [between(sorted, share), between(sorted, 1 - share)];
}

/** The value at a share of the way from the first to the last, between two where it falls between. */
function between(sorted: readonly number[], share: number): number {
  const place = share * (sorted.length - 1);
  const [below, above] = [sorted[Math.floor(place)], sorted[Math.ceil(place)]];
  if (below === undefined || above === undefined) return Number.NaN;
  return below + (above - below) * (place - Math.floor(place));
}

/** The value that `share` of the sorted values do not exceed. */
export function quantile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

/** Beyond this spread the rounds differ so much that the median says little. */
export const WIDE_SPREAD = 0.3;
