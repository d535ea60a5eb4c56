// Loss and latency by hour of the week in the browser's time zone, and a sentence that sums them up. No DOM.
import { percent, usAsMs } from './format.js';

export const WEEK = ['Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun'];
const WEEKDAYS_PLURAL = ['Mondays', 'Tuesdays', 'Wednesdays', 'Thursdays', 'Fridays', 'Saturdays', 'Sundays'];

/** Between which shares a loss lies, where fewer than 10,000 pings were sent: ", 0.00–16.11 %".
 * @param {Pick<Statistics, 'sent' | 'loss_interval_percent'>} s */
export const lossInterval = ({ sent, loss_interval_percent: ends }) => (
  ends && sent < 1e4 ? `, ${percent(ends[0])}–${percent(ends[1])} %` : '');

/** @param {Hours['columns']} columns @returns {Bin[][]} 7 days from Monday, 24 hours each */
export function binByWeekHour(columns) {
  const empty = () => ({ sent: 0, lost: 0, silent: 0, latency: 0, weight: 0 });
  /** @type {Bin[][]} */
  const bins = WEEK.map(() => Array.from({ length: 24 }, empty));
  columns.t.forEach((t, i) => {
    const at = new Date(t * 1000);
    const bin = bins[(at.getDay() + 6) % 7][at.getHours()];
    // Loss beside silence: checks without any reply are outages, which are marked by themselves.
    const silent = columns.lost_while_down[i] ?? 0;
    const sent = (columns.sent[i] ?? 0) - silent;
    const lost = (columns.lost[i] ?? 0) - silent;
    bin.sent += sent;
    bin.lost += lost;
    bin.silent += silent;
    const median = columns.p50_us[i];
    if (median === null || median === undefined) return;
    bin.latency += median * (sent - lost);
    bin.weight += sent - lost;
  });
  return bins;
}

/** @param {Bin[]} bins @param {Measure} measure @returns {number | null} percent lost, or microseconds */
export function valueOf(bins, measure) {
  let top = 0;
  let bottom = 0;
  for (const b of bins) {
    top += measure === 'lost' ? b.lost * 100 : b.latency;
    bottom += measure === 'lost' ? b.sent : b.weight;
  }
  return bottom ? top / bottom : null;
}

/** Where colour steps 1 to 4 begin: percent lost, or multiples of the usual latency. */
export const COLOUR_STEPS = { lost: [0.1, 0.5, 1, 2], latency: [1.1, 1.25, 1.5, 2] };

/** @param {number | null} value @param {Measure} measure @param {number | null} usual of all hours, microseconds
 * @returns {number} 0 good to 4 bad, -1 not measured */
export function colourStep(value, measure, usual) {
  if (value === null) return -1;
  const shown = measure === 'lost' ? value : value / (usual || value || 1);
  return COLOUR_STEPS[measure].filter((start) => shown >= start).length;
}

/** The median over the bins. @param {Bin[][]} bins @returns {number | null} microseconds */
export function usualLatency(bins) {
  const values = bins.flat().map((b) => valueOf([b], 'latency'));
  const all = values.filter((v) => v !== null).sort((a, b) => a - b);
  return all.length ? all[Math.floor(all.length / 2)] : null;
}

/** One sentence about the hours that stand out, otherwise about the weekday that does.
 * @param {Bin[][]} bins @param {Measure} measure @param {string} span as "90 days" @returns {string} */
export function summary(bins, measure, span) {
  const all = valueOf(bins.flat(), measure);
  if (all === null) return `Nothing measured in these ${span}.`;
  if (measure === 'lost' && all === 0) {
    return `No ping was lost${bins.flat().some((b) => b.silent) ? ' outside silence' : ''} in these ${span}.`;
  }
  /** @param {number} v */
  const text = (v) => (measure === 'lost' ? `${percent(v)} % lost` : `${usAsMs(v)} ms`);
  const [factor, min] = measure === 'lost' ? [2, 0.1] : [1.2, 0];
  /** Whether the worst is clearly worse than the usual. @param {number} worst @param {number} usual */
  const standsOut = (worst, usual) => worst > usual * factor && worst >= min;

  const hours = bins[0].map((_, h) => valueOf(bins.map((row) => row[h]), measure) ?? 0);
  const usualHour = [...hours].sort((a, b) => a - b)[11];
  if (standsOut(Math.max(...hours), usualHour)) {
    const [from, to] = worstHours(hours, usualHour);
    const inside = valueOf(bins.flatMap((row) => row.slice(from, to)), measure);
    const outside = valueOf(bins.flatMap((row) => [...row.slice(0, from), ...row.slice(to)]), measure);
    if (inside !== null && outside !== null && to - from < 16) {
      return `${span}: worst from ${from} to ${to} o'clock, ${text(inside)}, otherwise ${text(outside)}.`;
    }
  }
  const days = bins.map((row) => valueOf(row, measure) ?? 0);
  const usualDay = [...days].sort((a, b) => a - b)[3];
  const worst = Math.max(...days);
  if (standsOut(worst, usualDay)) return `${span}: ${WEEKDAYS_PLURAL[days.indexOf(worst)]} are worst, ${text(worst)}.`;
  const silence = measure === 'lost' && bins.flat().some((b) => b.silent) ? ' outside silence' : '';
  return `${span}: no hour or weekday stands out, ${text(all)}${silence}.`;
}

/** The worst hour and those next to it that are bad too. @param {number[]} hours @param {number} usual
 * @returns {[number, number]} first hour, and the hour after the last */
function worstHours(hours, usual) {
  const peak = hours.indexOf(Math.max(...hours));
  const limit = usual + (hours[peak] - usual) * 0.4;
  let from = peak;
  let to = peak + 1;
  while (from > 0 && hours[from - 1] >= limit) from -= 1;
  while (to < 24 && hours[to] >= limit) to += 1;
  return [from, to];
}
