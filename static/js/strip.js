// Days as bars: the taller, the worse. Pure: what is drawn where, and what the whole strip says in words.
import { plural } from './format.js';

// An outage of four hours fills the bar.
const FULL_MINUTES = 240;

/** @param {State | null | undefined} state @returns {Kind} */
export const kindOf = (state) => state ?? 'none';

/** @param {Kind} kind @param {number | null | undefined} downSeconds @returns {number} share of the full height */
export function heightOf(kind, downSeconds) {
  if (kind === 'up') return 0.3;
  if (kind === 'none') return 0.08;
  if (kind !== 'down') return 0.54;
  const minutes = (downSeconds ?? 0) / 60;
  return Math.min(1, 0.66 + (0.34 * Math.log1p(minutes)) / Math.log1p(FULL_MINUTES));
}

/** SVG path data a kind, for bars of `unit` with a gap after each.
 * @param {Days} days @param {number} unit pixels a day @param {number} gap pixels @param {number} height pixels
 * @returns {Map<Kind, string>} */
export function paths(days, unit, gap, height) {
  /** @type {Map<Kind, string>} */
  const result = new Map();
  days.state.forEach((state, i) => {
    const kind = kindOf(state);
    const bar = Math.max(1, Math.round(heightOf(kind, days.down_seconds[i]) * height));
    const width = kind === 'none' ? 1 : unit - gap;
    const top = kind === 'none' ? height - 1 : height - bar;
    const tall = kind === 'none' ? 1 : bar;
    result.set(kind, `${result.get(kind) ?? ''}M${i * unit} ${top}h${width}v${tall}h${-width}z`);
  });
  return result;
}

/** "87 days up, 2 degraded, 1 with an outage": read where the bars cannot be seen. @param {Days} days */
export function words(days) {
  /** @param {Kind} kind */
  const number = (kind) => days.state.filter((s) => kindOf(s) === kind).length;
  const parts = [`${plural(number('up'), 'day')} up`];
  if (number('degraded')) parts.push(`${number('degraded')} degraded`);
  if (number('down')) parts.push(`${number('down')} with down time`);
  if (number('not_measured')) parts.push(`${number('not_measured')} mostly not measured`);
  if (number('none')) parts.push(`${number('none')} not recorded`);
  return parts.join(', ');
}

/** What most hosts saw each day: the state and down time of the host in the middle, so that a fault of one host alone is not the line's.
 * @param {Days[]} all @param {number} length days @returns {Days} */
export function mostHosts(all, length) {
  /** @type {Days} */
  const result = { state: [], down_seconds: [], measured_seconds: [] };
  /** @type {(State | null)[]} */
  const order = [null, 'up', 'degraded', 'down', 'not_measured'];
  for (let i = 0; i < length; i += 1) {
    const known = all.filter((d) => d.state[i]);
    const measured = known.filter((d) => d.state[i] !== 'not_measured');
    const judged = measured.length * 2 >= known.length && measured.length ? measured : known;
    const states = judged.map((d) => d.state[i]).sort((a, b) => order.indexOf(a) - order.indexOf(b));
    // Lower middle: of two hosts, both must have failed.
    const state = states.length ? states[Math.floor((states.length - 1) / 2)] : null;
    const down = judged.filter((d) => d.state[i] === state).map((d) => d.down_seconds[i] ?? 0).sort((a, b) => a - b);
    result.state.push(state);
    result.down_seconds.push(down.length ? down[Math.floor((down.length - 1) / 2)] : null);
    result.measured_seconds.push(judged.reduce((sum, d) => sum + (d.measured_seconds[i] ?? 0), 0));
  }
  return result;
}

/** @param {Days[]} all @param {number} last how many days, today included @returns {number | null} percent of the measured time not down */
export function availability(all, last) {
  let down = 0;
  let measured = 0;
  for (const days of all) {
    const start = Math.max(0, days.state.length - last);
    for (let i = start; i < days.state.length; i += 1) {
      down += days.down_seconds[i] ?? 0;
      measured += days.measured_seconds[i] ?? 0;
    }
  }
  return measured ? 100 - (100 * Math.min(down, measured)) / measured : null;
}

/** Local midnight of each day. @param {string} firstDay YYYY-MM-DD @param {number} index @returns {number} Unix seconds */
export function dayStart(firstDay, index) {
  const [y, m, d] = firstDay.split('-').map(Number);
  return new Date(y, m - 1, d + index).getTime() / 1000;
}
