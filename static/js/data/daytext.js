// A day of a strip in words, and as a range of time. No DOM.
import { CAUSE_LETTERS, CAUSE_WORDS } from './cause.js';
import { dayStart } from './days.js';
import { percent } from './format.js';
import { day, duration } from './time.js';

/** A day as a range, to now at the latest. @param {string} firstDay @param {number} i
 * @param {number} now Unix seconds @returns {TimeRange} */
export const dayRange = (firstDay, i, now) =>
  ({ from: dayStart(firstDay, i), to: Math.min(now, dayStart(firstDay, i + 1)) });

/** @type {Record<DayKind, string>} */
const KIND_WORDS = {
  up: 'up', degraded: 'degraded', poor: 'poor', down: 'down', not_measured: 'mostly not measured', none: '',
};

/** "Sun 22 Nov: down for 12 min 3 s, cause provider, 98.20 % measured". Of today and of the first day only a part can
 * be measured, so their share is not told.
 * @param {string} firstDay YYYY-MM-DD @param {DayBars} bars @param {number} i
 * @param {{measured?: Column, letter?: string | null}} more seconds of each day; the cause of this one */
export function dayText(firstDay, bars, i, { measured, letter }) {
  const { kinds, down } = bars;
  const kind = kinds[i];
  const begin = dayStart(firstDay, i);
  const first = kinds.findIndex((k) => k !== 'none');
  const isToday = i === kinds.length - 1;
  const length = dayStart(firstDay, i + 1) - begin;
  const share = Math.min(100, (100 * (measured?.[i] ?? length)) / length);
  const cause = letter && CAUSE_WORDS[CAUSE_LETTERS[letter]];
  const before = first < 0 || i < first ? 'before the first record' : 'nothing recorded yet';
  const parts = kind === 'none' ? [before] : [
    kind === 'down' ? `down for ${duration(down[i])}` : KIND_WORDS[kind],
    cause && (kind === 'down' ? `cause ${cause}` : `some hosts down, cause ${cause}`),
    !isToday && i > first && share < 100 && `${percent(share)} % measured`,
  ];
  return `${isToday ? 'Today' : day(begin)}: ${parts.filter(Boolean).join(', ')}`;
}
