// Instants and spans as text in the reader's own time zone, and where a time axis is marked. Times are Unix seconds.

export const DAY_SECONDS = 86400;

/** The ranges on offer: key in the URL, label, length in seconds (0 = since the first record).
 * @type {[string, string, number][]} */
export const RANGES = [
  ['1h', '1 h', 3600], ['6h', '6 h', 21600], ['24h', '24 h', DAY_SECONDS], ['7d', '7 d', 7 * DAY_SECONDS],
  ['30d', '30 d', 30 * DAY_SECONDS], ['90d', '90 d', 90 * DAY_SECONDS], ['1y', '1 y', 365 * DAY_SECONDS], ['all', 'All', 0],
];

const WEEKDAYS = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'];
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

/** @param {number} n */
const two = (n) => String(n).padStart(2, '0');
/** @param {number} t Unix seconds */
const local = (t) => new Date(t * 1000);

/** Unix seconds of an RFC 3339 text, NaN where there is none.
 * @param {string | null | undefined} text */
export const seconds = (text) => (text ? Date.parse(text) / 1000 : NaN);

/** @param {number} t Unix seconds */
export const clock = (t) => `${two(local(t).getHours())}:${two(local(t).getMinutes())}`;
/** @param {number} t Unix seconds */
export const clockSeconds = (t) => `${clock(t)}:${two(local(t).getSeconds())}`;
/** @param {number} t Unix seconds */
export const month = (t) => MONTHS[local(t).getMonth()];
/** @param {number} t Unix seconds */
export const day = (t) => `${WEEKDAYS[local(t).getDay()]} ${local(t).getDate()} ${month(t)}`;
/** @param {number} t Unix seconds */
export const year = (t) => String(local(t).getFullYear());

/** The start of the local day `days` after the one of t.
 * @param {number} t Unix seconds @param {number} [days] */
export function startOfDay(t, days = 0) {
  const d = local(t);
  return new Date(d.getFullYear(), d.getMonth(), d.getDate() + days).getTime() / 1000;
}

/** "14:21", "yesterday 23:24", "Sun 22 Nov, 23:12", with the year where it is another one.
 * @param {number} t Unix seconds @param {number} now Unix seconds */
export function moment(t, now) {
  if (t >= startOfDay(now)) return clock(t);
  if (t >= startOfDay(now, -1)) return `yesterday ${clock(t)}`;
  return year(t) === year(now) ? `${day(t)}, ${clock(t)}` : `${day(t)} ${year(t)}, ${clock(t)}`;
}

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

/** "Times in Europe/Berlin (UTC+1)".
 * @param {number} t Unix seconds, for the offset then in force */
export function zoneText(t) {
  const minutes = offsetMinutes(t);
  const whole = Math.floor(Math.abs(minutes) / 60);
  const rest = Math.abs(minutes) % 60;
  const offset = `UTC${minutes < 0 ? '−' : '+'}${whole}${rest ? `:${two(rest)}` : ''}`;
  return `Times in ${Intl.DateTimeFormat().resolvedOptions().timeZone || 'local time'} (${offset})`;
}

/** Minutes east of UTC. @param {number} t Unix seconds */
export const offsetMinutes = (t) => -local(t).getTimezoneOffset() || 0;

/** The span a point stands for: "20:24", "20:24 to 20:27" or with the day.
 * @param {number} from Unix seconds @param {number} length seconds @param {number} range seconds shown in all */
export function spanText(from, length, range) {
  const head = range > 2 * DAY_SECONDS ? `${day(from)} ` : `${WEEKDAYS[local(from).getDay()]} `;
  if (length < 60) return head + clockSeconds(from);
  if (length >= DAY_SECONDS) return `${day(from)} to ${day(from + length)}`;
  return `${head}${clock(from)} to ${clock(from + length)}`;
}

/** What a field of type datetime-local shows. @param {number} t Unix seconds */
export const fieldText = (t) => `${year(t)}-${two(local(t).getMonth() + 1)}-${two(local(t).getDate())}T${clock(t)}`;

/** A file name's part: "2026-11-22_2312". @param {number} t Unix seconds */
export const fileText = (t) => fieldText(t).replace('T', '_').replace(':', '');

const STEPS_SECONDS = [1, 5, 15, 30, 60, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200];

/** Marks of a time axis, on round local times; `strong` where a day (or year) begins.
 * @param {number} from Unix seconds @param {number} to Unix seconds @param {number} count about how many
 * @returns {{t: number, text: string, strong: boolean}[]} */
export function timeTicks(from, to, count) {
  const wanted = (to - from) / Math.max(1, count);
  const step = STEPS_SECONDS.find((s) => s >= wanted);
  const ticks = [];
  if (step) {
    // From each local midnight anew, so that marks stay round when the clocks change.
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
  const days = [1, 2, 7, 14].find((n) => n * DAY_SECONDS >= wanted);
  const first = local(from);
  if (days) {
    // Counted from the first of the month: the same days are marked however the range moves.
    for (let m = new Date(first.getFullYear(), first.getMonth(), 1); m.getTime() / 1000 < to; m = new Date(m.getFullYear(), m.getMonth() + 1, 1)) {
      for (let n = 1; n <= 31 - days / 2; n += days) {
        const d = new Date(m.getFullYear(), m.getMonth(), n);
        const t = d.getTime() / 1000;
        if (d.getMonth() !== m.getMonth() || t < from || t > to) continue;
        ticks.push({ t, strong: n === 1, text: `${n} ${month(t)}` });
      }
    }
    return ticks;
  }
  const months = [1, 3, 6, 12].find((n) => n * 30 * DAY_SECONDS >= wanted) ?? 12;
  for (let d = new Date(first.getFullYear(), 0, 1); d.getTime() / 1000 <= to; d = new Date(d.getFullYear(), d.getMonth() + months, 1)) {
    const t = d.getTime() / 1000;
    if (t < from) continue;
    ticks.push({ t, strong: d.getMonth() === 0, text: d.getMonth() ? month(t) : year(t) });
  }
  return ticks;
}
