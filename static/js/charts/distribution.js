// How the latencies and the success rates of a range are spread.
import { h, put, svg } from '../dom.js';
import { count, plural, usAsMs } from '../data/format.js';
import { logTicks, logarithmic, stateOf } from '../data/scale.js';

const WIDTH = 340;
const HEIGHT = 118;
const TOP = 20;
const BASE = 96;

/** @param {{from: number, to: number}} c percent @returns {string} */
function className(c) {
  if (c.from === c.to) return `${c.from} %`;
  const to = Number.isInteger(c.to) ? c.to : `below ${Math.ceil(c.to)}`;
  return Number.isInteger(c.from) && c.from >= 80 ? `${c.from} to ${to} %` : `over ${Math.floor(c.from)} to ${to} %`;
}

/** @param {Distribution} d */
function histogram(d) {
  const bins = d.latency.filter((b) => b.count > 0);
  if (!bins.length) return h('p', { class: 'third small' }, 'No ping was answered.');
  const low = Math.max(1, bins[0].from_us);
  const high = Math.max(bins[bins.length - 1].to_us, low * 2);
  const x = logarithmic(low, high, 4, WIDTH - 4);
  const most = Math.max(...bins.map((b) => b.count));
  /** @param {number} us */
  const pale = (us) => (d.p99_us !== null && us >= d.p99_us ? 'bar-p99' : d.p95_us !== null && us >= d.p95_us ? 'bar-p95' : 'bar-most');
  const bars = bins.map((b) => {
    const a = x(Math.max(b.from_us, low));
    const tall = Math.max(1, (b.count / most) * (BASE - TOP - 6));
    return svg('rect', { x: a.toFixed(1), y: (BASE - tall).toFixed(1), width: Math.max(1, x(b.to_us) - a - 0.8).toFixed(1), height: tall.toFixed(1), class: pale(b.from_us) });
  });
  let free = -Infinity;
  const marks = /** @type {[string, number | null][]} */ ([['median', d.p50_us], ['p95', d.p95_us], ['p99', d.p99_us]]).flatMap(([name, us]) => {
    if (us === null) return [];
    const at = x(us);
    const half = name.length * 3.6;
    const place = Math.max(at, free + half + 5, half);
    free = place + half;
    return [svg('path', { d: `M${at.toFixed(1)} ${TOP - 2}V${BASE}`, class: 'quantile' }), svg('text', { x: place.toFixed(1), y: 12, 'text-anchor': 'middle', class: 'axis-text' }, name)];
  });
  const ticks = logTicks(low / 1000, high / 1000, 7).filter((v) => x(v * 1000) > 10 && x(v * 1000) < WIDTH - 14).map((v) => svg('text', { x: x(v * 1000).toFixed(1), y: HEIGHT - 6, 'text-anchor': 'middle', class: 'axis-text' }, String(Number(v.toPrecision(2)))));
  const label = `Latency of pings: median ${usAsMs(d.p50_us)} ms, p95 ${usAsMs(d.p95_us)} ms, p99 ${usAsMs(d.p99_us)} ms`;
  return svg('svg', { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, class: 'histogram', role: 'img', 'aria-label': label }, ...bars, ...marks, svg('path', { d: `M0 ${BASE + 0.5}H${WIDTH}`, class: 'axis' }), ...ticks);
}

/** @param {Distribution} d */
function rateBars(d) {
  const most = Math.max(1, ...d.rates.map((r) => r.checks));
  return h('dl', { class: 'rates' }, ...[...d.rates].reverse().filter((r) => r.checks > 0 || r.from === 100 || r.to === 0).flatMap((r) => [h('dt', null, className(r)), h('dd', null,
    svg('svg', { width: '100%', height: 10, 'aria-hidden': 'true', class: 'rate-bar' }, svg('rect', { width: `${(100 * r.checks) / most}%`, 'min-width': 2, height: 10, class: `fill-${stateOf(r.from)}` })), h('span', null, count(r.checks)))]));
}

/** @returns {{element: HTMLElement, show: (d: Distribution | null) => void}} */
export function distributionCard() {
  const body = h('div', null);
  const sum = h('span', { class: 'third small' });
  return {
    element: h('section', { class: 'card part' }, h('div', { class: 'head' }, h('h2', null, 'Distribution'), sum), body),
    show(d) {
      if (!d) return;
      put(sum, `${count(d.latency.reduce((n, b) => n + b.count, 0))} answered, ${plural(d.rates.reduce((n, r) => n + r.checks, 0), 'check')}`);
      put(body, h('p', { class: 'second small' }, 'Latency of pings, ms'), histogram(d), h('p', { class: 'second small' }, 'Success rate of checks'), rateBars(d));
    },
  };
}
