// Days as bars: the taller, the worse. Pure: what each day was, what is drawn where, and what the whole strip says in words.
import { plural } from './format.js';

// An outage of four hours fills the bar.
const FULL_MINUTES = 240;
// A line that loses a ping now and then has a check below 95 % on most days; that is no degraded day.
const DEGRADED_PERCENT = 1;
const HALF_DAY_SECONDS = 43200;

/** What each day was: an outage is a check without any reply; degraded where a hundredth of the checks or more were not up;
 * not measured where more than half of a whole day is missing.
 * @param {Days} days @returns {Bars} */
export function barsOf(days) {
  const first = days.state.findIndex((s) => s !== null);
  const last = days.state.length - 1;
  const kinds = days.state.map((state, i) => {
    const measured = days.measured_seconds[i] ?? 0;
    /** @type {Kind} */
    let kind = 'up';
    if (first < 0 || i < first || (state === null && i === last)) kind = 'none';
    else if (days.silent_seconds[i]) kind = 'down';
    else if (state === null || state === 'not_measured' || (measured < HALF_DAY_SECONDS && i > first && i < last)) kind = 'not_measured';
    else if ((days.not_up_percent[i] ?? 0) >= DEGRADED_PERCENT) kind = 'degraded';
    return kind;
  });
  return { kinds, silent: days.silent_seconds.map((s) => s ?? 0) };
}

/** @param {Kind} kind @param {number} silentSeconds @returns {number} share of the full height */
export function heightOf(kind, silentSeconds) {
  if (kind === 'up') return 0.3;
  if (kind === 'none') return 0.08;
  if (kind !== 'down') return 0.54;
  return Math.min(1, 0.66 + (0.34 * Math.log1p(silentSeconds / 60)) / Math.log1p(FULL_MINUTES));
}

/** SVG path data a kind, for bars of `unit` with a gap after each.
 * @param {Bars} bars @param {number} unit pixels a day @param {number} gap pixels @param {number} height pixels
 * @returns {Map<Kind, string>} */
export function paths(bars, unit, gap, height) {
  /** @type {Map<Kind, string>} */
  const result = new Map();
  bars.kinds.forEach((kind, i) => {
    const bar = Math.max(1, Math.round(heightOf(kind, bars.silent[i]) * height));
    const width = kind === 'none' ? 1 : unit - gap;
    const top = kind === 'none' ? height - 1 : height - bar;
    const tall = kind === 'none' ? 1 : bar;
    result.set(kind, `${result.get(kind) ?? ''}M${i * unit} ${top}h${width}v${tall}h${-width}z`);
  });
  return result;
}

/** "87 days up, 2 degraded, 1 with an outage": read where the bars cannot be seen. @param {Bars} bars */
export function words({ kinds }) {
  /** @param {Kind} kind */
  const number = (kind) => kinds.filter((k) => k === kind).length;
  const parts = [`${plural(number('up'), 'day')} up`];
  if (number('degraded')) parts.push(`${number('degraded')} degraded`);
  if (number('down')) parts.push(`${number('down')} with an outage`);
  if (number('not_measured')) parts.push(`${number('not_measured')} mostly not measured`);
  if (number('none')) parts.push(`${number('none')} not recorded`);
  return parts.join(', ');
}

/** @type {Kind[]} */
const CALM_FIRST = ['none', 'up', 'degraded', 'down', 'not_measured'];

/** What most hosts saw each day: the host in the middle, so that a fault of one host alone is not the line's.
 * @param {Bars[]} all @param {number} length days @returns {Bars} */
export function mostHosts(all, length) {
  /** @type {Bars} */
  const result = { kinds: [], silent: [] };
  /** Lower middle: of two hosts, both must have failed. @template T @param {T[]} sorted */
  const middle = (sorted) => sorted[Math.floor((sorted.length - 1) / 2)];
  for (let i = 0; i < length; i += 1) {
    const known = all.filter((b) => b.kinds[i] !== 'none');
    const measured = known.filter((b) => b.kinds[i] !== 'not_measured');
    const judged = measured.length * 2 >= known.length && measured.length ? measured : known;
    const kind = middle(judged.map((b) => b.kinds[i]).sort((a, b) => CALM_FIRST.indexOf(a) - CALM_FIRST.indexOf(b))) ?? 'none';
    result.kinds.push(kind);
    result.silent.push(middle(judged.filter((b) => b.kinds[i] === kind).map((b) => b.silent[i]).sort((a, b) => a - b)) ?? 0);
  }
  return result;
}

/** @param {{down_seconds: number | null, measured_seconds: number | null}[]} spans @returns {number | null} percent of the measured time not down */
export function available(spans) {
  const down = spans.reduce((sum, s) => sum + (s.down_seconds ?? 0), 0);
  const measured = spans.reduce((sum, s) => sum + (s.measured_seconds ?? 0), 0);
  return measured ? 100 - (100 * Math.min(down, measured)) / measured : null;
}

/** The last days one by one, as `available` takes them. @param {Days} days @param {number} last how many, today included */
export const lastDays = (days, last) => days.down_seconds.map((down_seconds, i) => ({ down_seconds, measured_seconds: days.measured_seconds[i] })).slice(-last);

/** Local midnight of each day. @param {string} firstDay YYYY-MM-DD @param {number} index @returns {number} Unix seconds */
export function dayStart(firstDay, index) {
  const [y, m, d] = firstDay.split('-').map(Number);
  return new Date(y, m - 1, d + index).getTime() / 1000;
}
