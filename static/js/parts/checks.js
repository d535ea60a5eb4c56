// The newest checks of a range, each with its pings as small bars.
import { button, h, put, svg, table } from '../dom.js';
import { NOTHING, ms, rate } from '../data/format.js';
import { stateMark } from '../charts/shapes.js';
import { clockSeconds, day, seconds, startOfDay } from '../data/time.js';

const FIRST_SHOWN = 10;
const MORE = 40;
const BAR = 7;
const HIGH = 14;

/** @param {Row} row @param {number} most highest RTT shown, microseconds */
function pings(row, most) {
  const rtts = row.rtts_us;
  if (!rtts || !rtts.length) return NOTHING;
  const marks = rtts.map((us, i) => {
    const x = i * (BAR + 2);
    if (us === null) return svg('path', { d: `M${x + 1} ${HIGH - 6}l5 5m0-5l-5 5`, class: 'lost' });
    const tall = Math.max(2, Math.round((us / most) * HIGH));
    return svg('rect', { x, y: HIGH - tall, width: BAR, height: tall, class: 'fill-latency' });
  });
  const text = rtts.map((us) => (us === null ? 'lost' : `${ms(us / 1000)} ms`)).join(', ');
  return svg('svg', { width: rtts.length * (BAR + 2), height: HIGH, role: 'img', 'aria-label': text }, svg('title', {}, text), ...marks);
}

/** Mean difference of consecutive answered pings. @param {Column | null} rtts microseconds @returns {number | null} milliseconds */
function jitter(rtts) {
  const got = (rtts ?? []).filter((us) => us !== null);
  if (got.length < 2) return null;
  return got.slice(1).reduce((sum, us, i) => sum + Math.abs(us - got[i]), 0) / (got.length - 1) / 1000;
}

/** @returns {{element: HTMLElement, show: (rows: Row[], now: number) => void, add: (row: Row, now: number) => void}} rows newest first */
export function checksCard() {
  /** @type {Row[]} */
  let rows = [];
  let limit = FIRST_SHOWN;
  let time = 0;
  const body = h('div', null);
  const more = button('Show more', () => { limit += MORE; draw(); });

  const draw = () => {
    const shown = rows.slice(0, limit);
    // One far outlier must not flatten all other bars.
    const all = shown.flatMap((r) => r.rtts_us ?? []).filter((us) => us !== null).sort((a, b) => a - b);
    const most = all[Math.floor(all.length * 0.95)] ?? 1;
    const lines = shown.map((r) => {
      const t = seconds(r.timestamp);
      const sent = r.sent ?? (r.success_count ?? 0) + (r.failure_count ?? 0);
      return h('tr', null, h('td', null, h('time', { datetime: r.timestamp }, t >= startOfDay(time) ? clockSeconds(t) : `${day(t)}, ${clockSeconds(t)}`)), h('td', null, stateMark(r.state)),
        h('td', { class: 'pings' }, r.state === 'not_measured' ? r.error ?? NOTHING : pings({ ...r, rtts_us: r.rtts_us && r.rtts_us.map((us) => (us === null ? null : Math.min(us, most))) }, most)),
        ...[r.success_count === null ? NOTHING : `${r.success_count} of ${sent}`, rate(r.success_rate), ms(r.min_latency), ms(r.avg_latency), ms(r.max_latency), ms(jitter(r.rtts_us))].map((text) => h('td', { class: 'number' }, text)));
    });
    put(body, rows.length ? table('Recent checks', [['Time'], ['State'], ['Pings'], ['Received', 'number'], ['Success, %', 'number'], ['Min, ms', 'number'], ['Avg, ms', 'number'], ['Max, ms', 'number'], ['Jitter, ms', 'number']], lines)
      : h('p', { class: 'third' }, 'No check in this range.'));
    more.hidden = rows.length <= limit;
  };
  return {
    element: h('section', { class: 'card part full checks' }, h('div', { class: 'head' }, h('h2', null, 'Recent checks'), h('span', { class: 'third small' }, 'newest first')), body, more),
    show(next, now) {
      rows = next;
      time = now;
      limit = FIRST_SHOWN;
      draw();
    },
    add(row, now) {
      if (rows[0]?.timestamp === row.timestamp) return;
      rows = [row, ...rows].slice(0, 200);
      time = now;
      draw();
    },
  };
}
