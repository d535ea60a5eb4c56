// The newest checks of a range, each with its pings as small bars.
import { stateMark } from '../charts/shapes.js';
import { NO_VALUE, ms, rate } from '../data/format.js';
import { clockSeconds, day, seconds, startOfDay } from '../data/time.js';
import { button, h, put, svg, table } from '../dom.js';

const FIRST_SHOWN = 10;
const MORE = 40;
const MAX_ROWS = 200;
const BAR_WIDTH = 7;
const BAR_HEIGHT = 14;

/** @type {[string, string?][]} text and class */
const HEADS = [
  ['Time'], ['State'], ['Pings'], ['Received', 'number'], ['Success, %', 'number'], ['Min, ms', 'number'],
  ['Avg, ms', 'number'], ['Max, ms', 'number'], ['Jitter, ms', 'number'],
];

/** @param {Column | null} rtts microseconds @param {number} max that of a full bar, microseconds */
function pingBars(rtts, max) {
  if (!rtts || !rtts.length) return NO_VALUE;
  const marks = rtts.map((us, i) => {
    const x = i * (BAR_WIDTH + 2);
    if (us === null) return svg('path', { d: `M${x + 1} ${BAR_HEIGHT - 6}l5 5m0-5l-5 5`, class: 'lost' });
    const height = Math.max(2, Math.round((us / max) * BAR_HEIGHT));
    return svg('rect', { x, y: BAR_HEIGHT - height, width: BAR_WIDTH, height, class: 'fill-latency' });
  });
  const text = rtts.map((us) => (us === null ? 'lost' : `${ms(us / 1000)} ms`)).join(', ');
  const width = rtts.length * (BAR_WIDTH + 2);
  return svg('svg', { width, height: BAR_HEIGHT, role: 'img', 'aria-label': text }, svg('title', {}, text), ...marks);
}

/** Mean difference of consecutive answered pings. @param {Column | null} rtts microseconds
 * @returns {number | null} milliseconds */
function jitter(rtts) {
  const answered = (rtts ?? []).filter((us) => us !== null);
  if (answered.length < 2) return null;
  const differences = answered.slice(1).map((us, i) => Math.abs(us - answered[i]));
  return differences.reduce((sum, us) => sum + us, 0) / differences.length / 1000;
}

/** @param {CheckResult} r @param {number} now Unix seconds @param {number} max microseconds */
function rowOf(r, now, max) {
  const t = seconds(r.timestamp);
  const time = t >= startOfDay(now) ? clockSeconds(t) : `${day(t)}, ${clockSeconds(t)}`;
  const sent = r.sent ?? (r.success_count ?? 0) + (r.failure_count ?? 0);
  const rtts = r.rtts_us && r.rtts_us.map((us) => (us === null ? null : Math.min(us, max)));
  const numbers = [
    r.success_count === null ? NO_VALUE : `${r.success_count} of ${sent}`, rate(r.success_rate), ms(r.min_latency),
    ms(r.avg_latency), ms(r.max_latency), ms(jitter(r.rtts_us)),
  ];
  return h('tr', null,
    h('td', null, h('time', { datetime: r.timestamp }, time)),
    h('td', null, stateMark(r.state)),
    h('td', { class: 'pings' }, r.state === 'not_measured' ? (r.error ?? NO_VALUE) : pingBars(rtts, max)),
    ...numbers.map((text) => h('td', { class: 'number' }, text)));
}

/** Rows are newest first. */
export function checksCard() {
  /** @type {CheckResult[]} */
  let rows = [];
  let limit = FIRST_SHOWN;
  const body = h('div', null);
  let drawnAt = 0;
  const more = button('Show more', () => {
    limit += MORE;
    draw(drawnAt);
  });

  /** @param {number} now Unix seconds */
  const draw = (now) => {
    drawnAt = now;
    const shown = rows.slice(0, limit);
    // The full bar is p95, so that one outlier does not flatten all other bars.
    const rtts = shown.flatMap((r) => r.rtts_us ?? []).filter((us) => us !== null).sort((a, b) => a - b);
    const max = rtts[Math.floor(rtts.length * 0.95)] ?? 1;
    put(body, rows.length
      ? table('Recent checks', HEADS, shown.map((r) => rowOf(r, now, max)))
      : h('p', { class: 'third' }, 'No check in this range.'));
    more.hidden = rows.length <= limit;
  };
  return {
    element: h('section', { class: 'card part full checks' },
      h('div', { class: 'head' }, h('h2', null, 'Recent checks'),
        h('span', { class: 'third small' }, 'of this range, newest first')),
      body, more),
    /** @param {CheckResult[]} next @param {number} now Unix seconds */
    show(next, now) {
      rows = next;
      limit = FIRST_SHOWN;
      draw(now);
    },
    /** @param {CheckResult} row @param {number} now Unix seconds */
    add(row, now) {
      if (rows[0]?.timestamp === row.timestamp) return;
      rows = [row, ...rows].slice(0, MAX_ROWS);
      draw(now);
    },
  };
}
