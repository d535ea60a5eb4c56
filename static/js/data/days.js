// Days as bars, taller is worse: the state of each day, the bars' outlines, and a summary in words. No DOM.
import { plural } from './format.js';
import { moment, seconds } from './time.js';

// An outage of four hours fills the bar.
const FULL_MINUTES = 240;
// A line that sometimes loses a ping has a check below 95 % on most days; that does not make the day degraded.
const MIN_PERCENT = 1;
const HALF_DAY_SECONDS = 43200;

/** The state of each day: down with an outage; poor or degraded if at least 1 % of the time was so, or worse; not
 * measured if more than half of a whole day is missing.
 * @param {Days} days @returns {DayBars} */
export function dayBars(days) {
  const first = days.state.findIndex((s) => s !== null);
  const last = days.state.length - 1;
  const kinds = days.state.map((state, i) => {
    const measured = days.measured_seconds[i] ?? 0;
    /** @type {DayKind} */
    let kind = 'up';
    if (first < 0 || i < first || (state === null && i === last)) kind = 'none';
    else if (days.down_seconds[i]) kind = 'down';
    else if (state === null || state === 'not_measured' || (measured < HALF_DAY_SECONDS && i > first && i < last))
      kind = 'not_measured';
    else if ((days.poor_percent[i] ?? 0) >= MIN_PERCENT) kind = 'poor';
    else if ((days.not_up_percent[i] ?? 0) >= MIN_PERCENT) kind = 'degraded';
    return kind;
  });
  return { kinds, down: days.down_seconds.map((s) => s ?? 0) };
}

/** @param {DayKind} kind @param {number} downSeconds @returns {number} share of the full height */
export function barHeight(kind, downSeconds) {
  if (kind === 'up') return 0.3;
  if (kind === 'none') return 0.08;
  if (kind === 'poor') return 0.6;
  if (kind !== 'down') return 0.54;
  return Math.min(1, 0.66 + (0.34 * Math.log1p(downSeconds / 60)) / Math.log1p(FULL_MINUTES));
}

/** SVG path data for each kind.
 * @param {DayBars} bars @param {number} unit pixels per day, the gap included @param {number} gap pixels
 * @param {number} height pixels
 * @returns {Map<DayKind, string>} */
export function barPaths(bars, unit, gap, height) {
  /** @type {Map<DayKind, string>} */
  const result = new Map();
  bars.kinds.forEach((kind, i) => {
    const bar = Math.max(1, Math.round(barHeight(kind, bars.down[i]) * height));
    const width = kind === 'none' ? 1 : unit - gap;
    const top = kind === 'none' ? height - 1 : height - bar;
    const tall = kind === 'none' ? 1 : bar;
    result.set(kind, `${result.get(kind) ?? ''}M${i * unit} ${top}h${width}v${tall}h${-width}z`);
  });
  return result;
}

/** "87 days up, 2 degraded, 1 with an outage": for screen readers. @param {DayBars} bars */
export function daysText({ kinds }) {
  /** @param {DayKind} kind */
  const count = (kind) => kinds.filter((k) => k === kind).length;
  const parts = [`${plural(count('up'), 'day')} up`];
  if (count('degraded')) parts.push(`${count('degraded')} degraded`);
  if (count('poor')) parts.push(`${count('poor')} poor`);
  if (count('down')) parts.push(`${count('down')} with an outage`);
  if (count('not_measured')) parts.push(`${count('not_measured')} mostly not measured`);
  if (count('none')) parts.push(`${count('none')} not recorded`);
  return parts.join(', ');
}

/** @type {DayKind[]} */
const MEDIAN_ORDER = ['none', 'up', 'degraded', 'poor', 'down', 'not_measured'];

/** What most hosts saw each day: the median host, so that a fault of one host alone does not count for the line.
 * @param {DayBars[]} all @param {number} length days @returns {DayBars} */
export function mostHosts(all, length) {
  /** @type {DayBars} */
  const result = { kinds: [], down: [] };
  /** The lower median: of two hosts, both must have failed. @template T @param {T[]} sorted */
  const middle = (sorted) => sorted[Math.floor((sorted.length - 1) / 2)];
  for (let i = 0; i < length; i += 1) {
    const known = all.filter((b) => b.kinds[i] !== 'none');
    const measured = known.filter((b) => b.kinds[i] !== 'not_measured');
    const judged = measured.length * 2 >= known.length && measured.length ? measured : known;
    const kinds = judged.map((b) => b.kinds[i]).sort((a, b) => MEDIAN_ORDER.indexOf(a) - MEDIAN_ORDER.indexOf(b));
    const kind = middle(kinds) ?? 'none';
    const down = judged.filter((b) => b.kinds[i] === kind).map((b) => b.down[i]);
    result.kinds.push(kind);
    result.down.push(middle(down.sort((a, b) => a - b)) ?? 0);
  }
  return result;
}

/** @param {{down_seconds: number | null, measured_seconds: number | null}[]} spans
 * @returns {number | null} percent of the measured time */
export function availability(spans) {
  const down = spans.reduce((sum, s) => sum + (s.down_seconds ?? 0), 0);
  const measured = spans.reduce((sum, s) => sum + (s.measured_seconds ?? 0), 0);
  return measured ? 100 - (100 * Math.min(down, measured)) / measured : null;
}

/** The measured share of all hosts together: each counts as long as it has been recorded.
 * @param {{coverage_percent: number | null, first_recorded: string | null}[]} hosts @param {number} from
 * @param {number} to Unix seconds @returns {number | null} percent */
export function coverage(hosts, from, to) {
  let measured = 0;
  let whole = 0;
  for (const { coverage_percent: share, first_recorded: first } of hosts) {
    if (share === null || !first) continue;
    const length = to - Math.max(from, seconds(first));
    measured += share * length;
    whole += length;
  }
  return whole > 0 ? measured / whole : null;
}

/** What `availability` needs of the last days, today included. @param {Days} days @param {number} last how many */
export const lastDays = (days, last) =>
  days.down_seconds
    .map((down_seconds, i) => ({ down_seconds, measured_seconds: days.measured_seconds[i] }))
    .slice(-last);

/** Local midnight of each day. @param {string} firstDay YYYY-MM-DD @param {number} index
 * @returns {number} Unix seconds */
export function dayStart(firstDay, index) {
  const [y, m, d] = firstDay.split('-').map(Number);
  return new Date(y, m - 1, d + index).getTime() / 1000;
}

/** The name of a range, or since when if the record is shorter. @param {string} name @param {number} from its beginning
 * @param {number} first when the record begins, NaN without one @param {number} now Unix seconds */
export const sinceText = (name, from, first, now) => (first > from ? `since ${moment(first, now)}` : name);

/** The labels of figures over ranges, the shortest first. A range that reaches back before the record is named by when
 * that begins, and longer ones would only repeat its figure: null.
 * @param {[string, number][]} ranges names and beginnings @param {number} first when the record begins, NaN without one
 * @param {number} now Unix seconds @returns {(string | null)[]} */
export const rangeLabels = (ranges, first, now) => ranges.map(([name, from], i) =>
  (i && first > ranges[i - 1][1] ? null : sinceText(name, from, first, now)));
