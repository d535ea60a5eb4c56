// Times and durations as text in the browser's time zone, and the ticks of a time axis. Times are Unix seconds. No DOM.
import { offsetChanges } from '../first.js';

export const DAY_SECONDS = 86400;

/** The ranges to choose from: key in the URL, label, length in seconds (0: since the first record).
 * @type {[string, string, number][]} */
export const RANGES = [
  ['1h', '1 h', 3600],
  ['6h', '6 h', 21600],
  ['24h', '24 h', DAY_SECONDS],
  ['7d', '7 d', 7 * DAY_SECONDS],
  ['30d', '30 d', 30 * DAY_SECONDS],
  ['90d', '90 d', 90 * DAY_SECONDS],
  ['1y', '1 y', 365 * DAY_SECONDS],
  ['all', 'All', 0],
];

const WEEKDAYS = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'];
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

/** @param {number} n */
const twoDigits = (n) => String(n).padStart(2, '0');
/** @param {number} t Unix seconds */
const local = (t) => new Date(t * 1000);

/** Unix seconds of a time as in RFC 3339, NaN without one.
 * @param {string | null | undefined} text */
export const seconds = (text) => (text ? Date.parse(text) / 1000 : NaN);

/** @param {number} t Unix seconds */
export const clock = (t) => `${twoDigits(local(t).getHours())}:${twoDigits(local(t).getMinutes())}`;
/** @param {number} t Unix seconds */
export const clockSeconds = (t) => `${clock(t)}:${twoDigits(local(t).getSeconds())}`;
/** @param {number} t Unix seconds */
export const month = (t) => MONTHS[local(t).getMonth()];
/** @param {number} t Unix seconds */
export const year = (t) => String(local(t).getFullYear());
/** " 2025", of a time that is not of this year. @param {number} t Unix seconds @param {number} [now] Unix seconds */
const otherYear = (t, now = Date.now() / 1000) => (year(t) === year(now) ? '' : ` ${year(t)}`);
/** "Sun 22 Nov", with the year if it is not this one. @param {number} t Unix seconds @param {number} [now] */
export const day = (t, now) => `${WEEKDAYS[local(t).getDay()]} ${local(t).getDate()} ${month(t)}${otherYear(t, now)}`;

/** The start of the local day `days` after the one of t.
 * @param {number} t Unix seconds @param {number} [days] */
export function startOfDay(t, days = 0) {
  const d = local(t);
  return new Date(d.getFullYear(), d.getMonth(), d.getDate() + days).getTime() / 1000;
}

/** "14:21", "yesterday 23:24", "Sun 22 Nov, 23:12", with the year if it is not this one.
 * @param {number} t Unix seconds @param {number} now Unix seconds */
export function moment(t, now) {
  if (t >= startOfDay(now)) return clock(t);
  if (t >= startOfDay(now, -1)) return `yesterday ${clock(t)}`;
  return `${day(t, now)}, ${clock(t)}`;
}

/** "Sun 22 Nov 2026 23:12 to Mon 23 Nov 2026 01:00": for paper and pictures, which are read later.
 * @param {TimeRange} range */
export const rangeText = ({ from, to }) => [from, to].map((t) => `${day(t, t)} ${year(t)} ${clock(t)}`).join(' to ');

/** "45 s", "14 min 12 s", "2 h 14 min", "3 d 4 h": two units at most.
 * @param {number} length seconds */
export function duration(length) {
  const s = Math.max(0, Math.round(length));
  /** @param {number} a @param {string} unitA @param {number} b @param {string} unitB */
  const pair = (a, unitA, b, unitB) => (b ? `${a} ${unitA} ${b} ${unitB}` : `${a} ${unitA}`);
  if (s < 60) return `${s} s`;
  if (s < 3600) return pair(Math.floor(s / 60), 'min', s % 60, 's');
  if (s < DAY_SECONDS) return pair(Math.floor(s / 3600), 'h', Math.floor(s / 60) % 60, 'min');
  return pair(Math.floor(s / DAY_SECONDS), 'd', Math.floor(s / 3600) % 24, 'h');
}

/** "UTC+1", "UTC−3:30". @param {number} t Unix seconds */
export function offsetText(t) {
  const minutes = offsetMinutes(t);
  const whole = Math.floor(Math.abs(minutes) / 60);
  const rest = Math.abs(minutes) % 60;
  return `UTC${minutes < 0 ? '−' : '+'}${whole}${rest ? `:${twoDigits(rest)}` : ''}`;
}

/** "Times in Europe/Berlin (UTC+1)".
 * @param {number} t Unix seconds; decides the offset */
export const zoneText = (t) =>
  `Times in ${Intl.DateTimeFormat().resolvedOptions().timeZone || 'local time'} (${offsetText(t)})`;

/** Minutes east of UTC. @param {number} t Unix seconds */
export const offsetMinutes = (t) => -local(t).getTimezoneOffset() || 0;

/** When daylight saving time began or ended within a range. @param {{from: number, to: number}} range
 * @returns {number[]} Unix seconds */
export const clockChanges = ({ from, to }) =>
  offsetChanges(to, Math.ceil((to - from) / DAY_SECONDS), offsetMinutes)
    .map((change) => change.at)
    .filter((at) => at > from && at <= to);

/** The time that a point covers: "20:24:05", "Sun 20:24 to 20:27", or with the date. Where the clock changes within
 * the chart, an hour may occur twice: then with the offset.
 * @param {number} from Unix seconds @param {number} length seconds
 * @param {{from: number, to: number}} range of the whole chart */
export function spanText(from, length, range) {
  if (length >= DAY_SECONDS) return `${day(from)} to ${day(from + length)}`;
  const head = range.to - range.from > 2 * DAY_SECONDS ? day(from) : WEEKDAYS[local(from).getDay()];
  const isShort = length < 60;
  const end = isShort ? from : from + length;
  const [first, last] = clockChanges(range).length ? [offsetText(from), offsetText(end)] : ['', ''];
  const start = `${head} ${isShort ? clockSeconds(from) : clock(from)}`;
  const until = isShort ? '' : ` to ${clock(end)}`;
  return `${start}${first === last ? '' : ` ${first}`}${until}${last && ` ${last}`}`;
}

/** The value of an input of type datetime-local. @param {number} t Unix seconds */
export function fieldText(t) {
  const d = local(t);
  return `${d.getFullYear()}-${twoDigits(d.getMonth() + 1)}-${twoDigits(d.getDate())}T${clock(t)}`;
}

/** Part of a file name: "2026-11-22_2312". @param {number} t Unix seconds */
export const fileText = (t) => fieldText(t).replace('T', '_').replace(':', '');

const STEPS_SECONDS = [1, 5, 15, 30, 60, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200];

/** @typedef {{t: number, text: string, strong: boolean}} Tick strong: where a day (or a year) begins */

/** Ticks at round local times. @param {number} from @param {number} to @param {number} count about how many
 * @returns {Tick[]} */
export function timeTicks(from, to, count) {
  const wanted = (to - from) / Math.max(1, count);
  const step = STEPS_SECONDS.find((s) => s >= wanted);
  if (step) return clockTicks(from, to, step);
  const days = [1, 2, 7, 14].find((n) => n * DAY_SECONDS >= wanted);
  if (days) return dayTicks(from, to, days);
  return monthTicks(from, to, [1, 3, 6, 12].find((n) => n * 30 * DAY_SECONDS >= wanted) ?? 12);
}

/** @param {number} from @param {number} to @param {number} step seconds @returns {Tick[]} */
function clockTicks(from, to, step) {
  const ticks = [];
  // Counted from each local midnight, so that ticks stay round after a clock change.
  for (let midnight = startOfDay(from), next = 0; midnight < to; midnight = next) {
    next = startOfDay(midnight, 1);
    for (let t = midnight; t < Math.min(next - step / 2, to + 1); t += step) {
      if (t < from || t > to) continue;
      const strong = t === midnight;
      ticks.push({ t, strong, text: strong ? day(t) : step < 60 ? clockSeconds(t) : clock(t) });
    }
  }
  return ticks;
}

/** @param {number} from @param {number} to @param {number} days @returns {Tick[]} */
function dayTicks(from, to, days) {
  const ticks = [];
  const first = local(from);
  // Counted from the first of each month, so that the same days are marked while the range moves.
  let month1 = new Date(first.getFullYear(), first.getMonth(), 1);
  while (month1.getTime() / 1000 < to) {
    for (let n = 1; n <= 31 - days / 2; n += days) {
      const d = new Date(month1.getFullYear(), month1.getMonth(), n);
      const t = d.getTime() / 1000;
      if (d.getMonth() !== month1.getMonth() || t < from || t > to) continue;
      ticks.push({ t, strong: n === 1, text: `${n} ${month(t)}${n === 1 ? otherYear(t) : ''}` });
    }
    month1 = new Date(month1.getFullYear(), month1.getMonth() + 1, 1);
  }
  return ticks;
}

/** @param {number} from @param {number} to @param {number} months @returns {Tick[]} */
function monthTicks(from, to, months) {
  const ticks = [];
  let d = new Date(local(from).getFullYear(), 0, 1);
  for (; d.getTime() / 1000 <= to; d = new Date(d.getFullYear(), d.getMonth() + months, 1)) {
    const t = d.getTime() / 1000;
    if (t < from) continue;
    ticks.push({ t, strong: d.getMonth() === 0, text: d.getMonth() ? month(t) : year(t) });
  }
  return ticks;
}
