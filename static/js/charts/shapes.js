// The four shapes of a state, the day strip and the sparkline, as SVG coloured by classes.
import { svg } from '../dom.js';
import { WORDS } from '../data/format.js';
import { logarithmic } from '../data/scale.js';
import { barsOf, paths, words } from '../data/days.js';

/** @param {State} state @param {number} size pixels @returns {SVGSVGElement} the word stands beside it, so it is not read itself */
export function shape(state, size) {
  const parts = {
    up: () => [svg('circle', { cx: 8, cy: 8, r: 6.5, class: 'fill-up' })],
    degraded: () => [svg('path', { d: 'M8 1.5 15.2 14.5H.8z', class: 'fill-degraded' })],
    down: () => [svg('rect', { x: 1, y: 1, width: 14, height: 14, rx: 2, class: 'fill-down' }), svg('path', { d: 'M5 5l6 6M11 5l-6 6', class: 'cross' })],
    not_measured: () => [svg('circle', { cx: 8, cy: 8, r: 6, class: 'ring' })],
  };
  return svg('svg', { viewBox: '0 0 16 16', width: size, height: size, 'aria-hidden': 'true', class: 'shape' }, ...parts[state]());
}

/** Shape and word. @param {State} state @param {string} [text] instead of the state's word @returns {HTMLSpanElement} */
export function stateMark(state, text) {
  const span = document.createElement('span');
  span.className = `mark text-${state}`;
  span.append(shape(state, 12), text ?? WORDS[state]);
  return span;
}

/** A bar a day, today right. @param {Days | Bars} of @param {string} label what it is of @param {number} unit pixels a day @param {number} height pixels
 * @returns {SVGSVGElement} */
export function strip(of, label, unit, height) {
  const bars = 'kinds' in of ? of : barsOf(of);
  const width = bars.kinds.length * unit;
  const gap = unit > 6 ? 2 : 1;
  const drawn = [...paths(bars, unit, gap, height)].map(([kind, d]) => svg('path', { d, class: `fill-${kind}`, fill: kind === 'not_measured' ? 'url(#rising)' : null }));
  return svg('svg', { viewBox: `0 0 ${width} ${height}`, width, height, class: 'strip', role: 'img', 'aria-label': `${label}: ${words(bars)}`, preserveAspectRatio: 'none' }, ...drawn);
}

const SPARK_WIDTH = 144;
const SPARK_HEIGHT = 24;

/** Median over a light p5 to p95 band, on its own scale; red where down, hatched where not measured.
 * @param {Spark} spark @param {string} label @returns {SVGSVGElement} */
export function sparkline(spark, label) {
  const values = [...spark.p5_us, ...spark.p95_us, ...spark.p50_us].filter((v) => v !== null);
  const low = Math.min(...values);
  const high = Math.max(...values);
  // A steady host is a calm line: its scale spans a factor of two at least.
  const middle = Math.sqrt(low * high);
  const y = logarithmic(Math.max(1, Math.min(low, middle / 1.5)), Math.max(2, high, middle * 1.5), SPARK_HEIGHT - 3, 2);
  const step = SPARK_WIDTH / Math.max(1, spark.t.length);
  let line = '';
  let band = '';
  let down = '';
  let hatched = '';
  let open = false;
  let end = null;
  let begun = false;
  /** @type {string[]} */
  let back = [];
  const close = () => {
    if (back.length) band += back.reverse().join('') + 'z';
    back = [];
    open = false;
  };
  spark.t.forEach((_, i) => {
    const x = (i + 0.5) * step;
    const median = spark.p50_us[i];
    const state = spark.state[i];
    // Full height where no ping was answered at all.
    if (state === 'down') down += `M${x.toFixed(1)} ${median === null ? 1 : SPARK_HEIGHT - 6}V${SPARK_HEIGHT - 1}`;
    // Nothing recorded is a gap once there was something.
    begun ||= state !== null;
    if (state === 'not_measured' || (begun && state === null)) hatched += `M${(i * step).toFixed(1)} 2h${step.toFixed(1)}v${SPARK_HEIGHT - 4}h${-step.toFixed(1)}z`;
    if (median === null || median === undefined) return close();
    line += `${open ? 'L' : 'M'}${x.toFixed(1)} ${y(median).toFixed(1)}`;
    band += `${open ? 'L' : 'M'}${x.toFixed(1)} ${y(spark.p95_us[i] ?? median).toFixed(1)}`;
    back.push(`L${x.toFixed(1)} ${y(spark.p5_us[i] ?? median).toFixed(1)}`);
    open = true;
    end = i === spark.t.length - 1 ? { x, y: y(median) } : null;
  });
  close();
  return svg('svg', { viewBox: `0 0 ${SPARK_WIDTH} ${SPARK_HEIGHT}`, width: SPARK_WIDTH, height: SPARK_HEIGHT, class: 'spark', role: 'img', 'aria-label': label },
    svg('path', { d: hatched, fill: 'url(#rising)', class: 'hatched' }), svg('path', { d: band, class: 'spark-band' }), svg('path', { d: line, class: 'spark-line' }),
    svg('path', { d: down, class: 'spark-down' }), end && svg('circle', { cx: /** @type {{x: number}} */ (end).x, cy: /** @type {{y: number}} */ (end).y, r: 2, class: 'fill-latency' }));
}
