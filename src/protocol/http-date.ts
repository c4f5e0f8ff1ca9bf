// HTTP-dates (RFC 9110, section 5.6.7): written in the one preferred form, read in all three.

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

/** `Sun, 06 Nov 1994 08:49:37 GMT` */
const PREFERRED =
  /^[A-Z][a-z]{2}, (?<day>\d\d) (?<month>[A-Z][a-z]{2}) (?<year>\d{4}) (?<time>[\d:]{8}) GMT$/;
/** `Sunday, 06-Nov-94 08:49:37 GMT` */
const RFC_850 = /^[A-Z][a-z]{5,8}, (?<day>\d\d)-(?<month>[A-Z][a-z]{2})-(?<year>\d\d) (?<time>[\d:]{8}) GMT$/;
/** `Sun Nov  6 08:49:37 1994` */
const ASCTIME = /^[A-Z][a-z]{2} (?<month>[A-Z][a-z]{2}) (?<day>[ \d]\d) (?<time>[\d:]{8}) (?<year>\d{4})$/;

let lastSecond = Number.NaN;
let lastText = '';

/** @param time Unix milliseconds, of a year of four digits */
export function formatHttpDate(time: number): string {
  const second = Math.floor(time / 1000);
  if (second !== lastSecond) {
    lastText = new Date(second * 1000).toUTCString();
    lastSecond = second;
  }
  return lastText;
}

/**
 * @param now Unix milliseconds: a year of two digits is at most 50 years ahead of it
 * @returns Unix milliseconds, or undefined when it is no HTTP-date
 */
export function parseHttpDate(text: string, now: number): number | undefined {
  const fields = (PREFERRED.exec(text) ?? RFC_850.exec(text) ?? ASCTIME.exec(text))?.groups;
  if (!fields) return undefined;
  const [hour, minute, second] = fields.time!.split(':').map(Number);
  const month = MONTHS.indexOf(fields.month!);
  const day = Number(fields.day);
  const year = fields.year!.length === 2 ? fullYear(Number(fields.year), now) : Number(fields.year);
  if (month < 0 || hour === undefined || minute === undefined || second === undefined) return undefined;
  const date = new Date(0);
  date.setUTCFullYear(year, month, day);
  if (date.getUTCDate() !== day || hour > 23 || minute > 59 || second > 60) return undefined;
  return date.getTime() + ((hour * 60 + minute) * 60 + second) * 1000;
}

function fullYear(twoDigits: number, now: number): number {
  const thisYear = new Date(now).getUTCFullYear();
  const year = thisYear - (thisYear % 100) + twoDigits;
  return year > thisYear + 50 ? year - 100 : year;
}
