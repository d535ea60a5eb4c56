// Hours of a history put into a week of the reader's time zone, and the sentence that says what it shows.
import { percent, usAsMs } from './format.js';

export const WEEK = ['Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun'];
const LONG = ['Mondays', 'Tuesdays', 'Wednesdays', 'Thursdays', 'Fridays', 'Saturdays', 'Sundays'];

/** @param {Hours['columns']} columns @returns {Bin[][]} 7 days from Monday by 24 hours, local time */
export function week(columns) {
  /** @type {Bin[][]} */
  const bins = WEEK.map(() => Array.from({ length: 24 }, () => ({ sent: 0, lost: 0, latency: 0, weight: 0 })));
  columns.t.forEach((t, i) => {
    const at = new Date(t * 1000);
    const bin = bins[(at.getDay() + 6) % 7][at.getHours()];
    const sent = columns.sent[i] ?? 0;
    const lost = columns.lost[i] ?? 0;
    bin.sent += sent;
    bin.lost += lost;
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

/** Where the second to fifth step begin: percent lost, or times the usual latency. */
export const STEPS = { lost: [0.1, 0.5, 1, 2], latency: [1.1, 1.25, 1.5, 2] };

/** @param {number | null} value @param {Measure} measure @param {number | null} usual of all hours, microseconds
 * @returns {number} 0 calm to 4 bad, -1 not measured */
export function stepOf(value, measure, usual) {
  if (value === null) return -1;
  const shown = measure === 'lost' ? value : value / (usual || value || 1);
  return STEPS[measure].filter((start) => shown >= start).length;
}

/** Half of all hours lie below. @param {Bin[][]} bins @returns {number | null} microseconds */
export function usualLatency(bins) {
  const all = bins.flat().map((b) => valueOf([b], 'latency')).filter((v) => v !== null).sort((a, b) => a - b);
  return all.length ? all[Math.floor(all.length / 2)] : null;
}

/** One sentence on the hours, else the weekday, that stand out.
 * @param {Bin[][]} bins @param {Measure} measure @param {string} span as "90 days" @returns {string} */
export function sentence(bins, measure, span) {
  const all = valueOf(bins.flat(), measure);
  if (all === null) return `Nothing measured in these ${span}.`;
  if (measure === 'lost' && all === 0) return `No ping was lost in these ${span}.`;
  /** @param {number} v */
  const text = (v) => (measure === 'lost' ? `${percent(v)} % lost` : `${usAsMs(v)} ms`);
  const [factor, least] = measure === 'lost' ? [2, 0.1] : [1.2, 0];
  const hours = Array.from({ length: 24 }, (_, h) => valueOf(bins.map((row) => row[h]), measure) ?? 0);
  const peak = hours.indexOf(Math.max(...hours));
  const calm = [...hours].sort((a, b) => a - b)[11];
  if (hours[peak] > calm * factor && hours[peak] >= least) {
    const bar = calm + (hours[peak] - calm) * 0.4;
    let from = peak;
    let to = peak + 1;
    while (from > 0 && hours[from - 1] >= bar) from -= 1;
    while (to < 24 && hours[to] >= bar) to += 1;
    const inside = valueOf(bins.flatMap((row) => row.slice(from, to)), measure);
    const outside = valueOf(bins.flatMap((row) => [...row.slice(0, from), ...row.slice(to)]), measure);
    if (inside !== null && outside !== null && to - from < 16) return `${span}: worst from ${from} to ${to} o'clock, ${text(inside)}, otherwise ${text(outside)}.`;
  }
  const days = bins.map((row) => valueOf(row, measure) ?? 0);
  const worst = days.indexOf(Math.max(...days));
  const usual = [...days].sort((a, b) => a - b)[3];
  if (days[worst] > usual * factor && days[worst] >= least) return `${span}: ${LONG[worst]} are worst, ${text(days[worst])}.`;
  return `${span}: no hour or weekday stands out, ${text(all)} in all.`;
}
