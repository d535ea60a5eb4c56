// How the latencies and the success rates of a range are distributed.
import { count, plural, usAsMs } from '../data/format.js';
import { logTicks, logarithmic, stateOf } from '../data/scale.js';
import { explained, h, put, svg } from '../dom.js';

const WIDTH = 340;
const HEIGHT = 118;
const TOP = 20;
const BASE = 96;

/** @param {{from: number, to: number}} r percent @returns {string} */
function rateLabel(r) {
  if (r.from === r.to) return `${r.from} %`;
  const to = Number.isInteger(r.to) ? r.to : `below ${Math.ceil(r.to)}`;
  return Number.isInteger(r.from) && r.from >= 80 ? `${r.from} to ${to} %` : `over ${Math.floor(r.from)} to ${to} %`;
}

/** @param {Distribution} d */
function histogram(d) {
  const bins = d.latency.filter((b) => b.count > 0);
  if (!bins.length) return h('p', { class: 'third small' }, 'No ping was answered.');
  const low = Math.max(1, bins[0].from_us);
  const high = Math.max(bins[bins.length - 1].to_us, low * 2);
  const x = logarithmic(low, high, 4, WIDTH - 4);
  const [p50, p95, p99] = [d.p50_us, d.p95_us, d.p99_us].map(usAsMs);
  const label = `Latency of pings: median ${p50} ms, p95 ${p95} ms, p99 ${p99} ms`;
  return svg('svg', { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, class: 'histogram', role: 'img', 'aria-label': label },
    ...latencyBars(d, bins, low, x), ...quantileMarks(d, x),
    svg('path', { d: `M0 ${BASE + 0.5}H${WIDTH}`, class: 'axis' }), ...latencyTicks(low, high, x));
}

/** @param {Distribution} d @param {Distribution['latency']} bins not empty @param {number} low @param {Scale} x */
function latencyBars(d, bins, low, x) {
  const max = Math.max(...bins.map((b) => b.count));
  /** @param {number} us */
  const classOf = (us) => {
    if (d.p99_us !== null && us >= d.p99_us) return 'bar-p99';
    return d.p95_us !== null && us >= d.p95_us ? 'bar-p95' : 'bar-most';
  };
  return bins.map((b) => {
    const left = x(Math.max(b.from_us, low));
    const height = Math.max(1, (b.count / max) * (BASE - TOP - 6));
    return svg('rect', {
      x: left.toFixed(1), y: (BASE - height).toFixed(1), width: Math.max(1, x(b.to_us) - left - 0.8).toFixed(1),
      height: height.toFixed(1), class: classOf(b.from_us),
    });
  });
}

/** A line with its name at each quantile; names move aside where they would overlap or end outside.
 * @param {Distribution} d @param {Scale} x */
function quantileMarks(d, x) {
  /** @type {[string, number | null][]} */
  const quantiles = [['median', d.p50_us], ['p95', d.p95_us], ['p99', d.p99_us]];
  const marks = quantiles.flatMap(([name, us]) => us === null
    ? [] : [{ name, at: x(us), half: name.length * 3.6, middle: 0 }]);
  let free = 0;
  for (const mark of marks) {
    mark.middle = Math.max(mark.at, free + mark.half);
    free = mark.middle + mark.half + 5;
  }
  free = WIDTH;
  for (const mark of [...marks].reverse()) {
    mark.middle = Math.min(mark.middle, free - mark.half);
    free = mark.middle - mark.half - 5;
  }
  return marks.flatMap(({ name, at, middle }) => [
    svg('path', { d: `M${at.toFixed(1)} ${TOP - 2}V${BASE}`, class: 'quantile' }),
    svg('text', { x: middle.toFixed(1), y: 12, 'text-anchor': 'middle', class: 'axis-text' }, name),
  ]);
}

/** @param {number} low @param {number} high microseconds @param {Scale} x */
function latencyTicks(low, high, x) {
  return logTicks(low / 1000, high / 1000, 7)
    .map((ms) => ({ ms, at: x(ms * 1000) }))
    .filter(({ at }) => at > 10 && at < WIDTH - 14)
    .map(({ ms, at }) => svg('text', { x: at.toFixed(1), y: HEIGHT - 6, 'text-anchor': 'middle', class: 'axis-text' },
      String(Number(ms.toPrecision(2)))));
}

/** @param {Distribution} d */
function rateBars(d) {
  const max = Math.max(1, ...d.rates.map((r) => r.checks));
  const shown = d.rates.filter((r) => r.checks > 0 || r.from === 100 || r.to === 0).reverse();
  return h('dl', { class: 'rates' }, ...shown.flatMap((r) => {
    const bar = svg('rect', { width: `${(100 * r.checks) / max}%`, height: 10, class: `fill-${stateOf(r.to)}` });
    return [
      h('dt', null, rateLabel(r)),
      h('dd', null,
        svg('svg', { width: '100%', height: 10, 'aria-hidden': 'true', class: 'rate-bar' }, bar),
        h('span', null, count(r.checks))),
    ];
  }));
}

/** @returns {{element: HTMLElement, show: (d: Distribution | null) => void}} */
export function distributionCard() {
  const body = h('div', null);
  const totals = h('span', { class: 'third small' });
  return {
    element: h('section', { class: 'card part' },
      h('div', { class: 'head' },
        h('h2', null, explained('distribution', 'Distribution')), totals), body),
    show(d) {
      if (!d) return;
      const answered = d.latency.reduce((sum, b) => sum + b.count, 0);
      const checks = d.rates.reduce((sum, r) => sum + r.checks, 0);
      put(totals, `in this range: ${count(answered)} answered, ${plural(checks, 'check')}`);
      put(body,
        h('p', { class: 'second small' }, 'Latency of pings, ms'), histogram(d),
        h('p', { class: 'second small' }, 'Success rate of checks'), rateBars(d));
    },
  };
}
