// Small pictures as SVG, coloured by classes: the shape of a state, the day strip, the sparkline.
import { barPaths, dayBars, daysText } from '../data/days.js';
import { STATE_WORDS } from '../data/format.js';
import { logarithmic } from '../data/scale.js';
import { svg } from '../dom.js';

/** @type {Record<State, () => SVGElement[]>} */
const SHAPES = {
  up: () => [svg('circle', { cx: 8, cy: 8, r: 6.5, class: 'fill-up' })],
  degraded: () => [svg('path', { d: 'M8 1.5 15.2 14.5H.8z', class: 'fill-degraded' })],
  poor: () => [svg('path', { d: 'M8 .6 15.4 8 8 15.4.6 8z', class: 'fill-poor' })],
  down: () => [
    svg('rect', { x: 1, y: 1, width: 14, height: 14, rx: 2, class: 'fill-down' }),
    svg('path', { d: 'M5 5l6 6M11 5l-6 6', class: 'cross' }),
  ],
  not_measured: () => [svg('circle', { cx: 8, cy: 8, r: 6, class: 'ring' })],
};

/** Hidden from screen readers, since the state's word is next to it.
 * @param {State} state @param {number} size pixels @returns {SVGSVGElement} */
export function shape(state, size) {
  return svg('svg', { viewBox: '0 0 16 16', width: size, height: size, 'aria-hidden': 'true', class: 'shape' },
    ...SHAPES[state]());
}

/** Shape and word. @param {State} state @param {string} [text] instead of the state's word
 * @returns {HTMLSpanElement} */
export function stateMark(state, text) {
  const span = document.createElement('span');
  span.className = `mark text-${state}`;
  span.append(shape(state, 12), text ?? STATE_WORDS[state]);
  return span;
}

/** One bar per day, today at the right. @param {Days | DayBars} days @param {string} label what it shows
 * @param {number} unit pixels per day @param {number} height pixels @returns {SVGSVGElement} */
export function strip(days, label, unit, height) {
  const bars = 'kinds' in days ? days : dayBars(days);
  const width = bars.kinds.length * unit;
  const gap = unit > 6 ? 2 : 1;
  const drawn = [...barPaths(bars, unit, gap, height)].map(([kind, d]) =>
    svg('path', { d, class: `fill-${kind}`, fill: kind === 'not_measured' ? 'url(#rising)' : null }));
  return svg('svg', {
    viewBox: `0 0 ${width} ${height}`, width, height, class: 'strip', role: 'img',
    'aria-label': `${label}: ${daysText(bars)}`, preserveAspectRatio: 'none',
  }, ...drawn);
}

const SPARK_WIDTH = 144;
const SPARK_HEIGHT = 24;

/** The median on a light p5 to p95 band, with its own scale; marks where down or poor, hatched where not measured.
 * @param {Spark} spark @param {string} label @returns {SVGSVGElement} */
export function sparkline(spark, label) {
  const step = SPARK_WIDTH / Math.max(1, spark.t.length);
  const { line, band, end } = latencyPaths(spark, step);
  const { down, poor, hatched } = statePaths(spark, step);
  return svg('svg', {
    viewBox: `0 0 ${SPARK_WIDTH} ${SPARK_HEIGHT}`, width: SPARK_WIDTH, height: SPARK_HEIGHT, class: 'spark',
    role: 'img', 'aria-label': label,
  },
  svg('path', { d: hatched, fill: 'url(#rising)', class: 'hatched' }), svg('path', { d: band, class: 'spark-band' }),
  svg('path', { d: line, class: 'spark-line' }), svg('path', { d: poor, class: 'spark-poor' }),
  svg('path', { d: down, class: 'spark-down' }),
  end && svg('circle', { cx: end[0], cy: end[1], r: 2, class: 'fill-latency' }));
}

/** The median's line, the area around it, and the place of the newest median. @param {Spark} spark
 * @param {number} step pixels per point @returns {{line: string, band: string, end: [number, number] | null}} */
function latencyPaths(spark, step) {
  const y = sparkScale(spark);
  let line = '';
  let band = '';
  /** @type {[number, number] | null} */
  let end = null;
  // The lower edge of the area, drawn backwards when the area ends.
  /** @type {string[]} */
  let lowerEdge = [];
  const closeBand = () => {
    if (lowerEdge.length) band += `${lowerEdge.reverse().join('')}z`;
    lowerEdge = [];
  };
  spark.p50_us.forEach((median, i) => {
    if (median === null || median === undefined) {
      closeBand();
      return;
    }
    const x = (i + 0.5) * step;
    const command = lowerEdge.length ? 'L' : 'M';
    line += `${command}${x.toFixed(1)} ${y(median).toFixed(1)}`;
    band += `${command}${x.toFixed(1)} ${y(spark.p95_us[i] ?? median).toFixed(1)}`;
    lowerEdge.push(`L${x.toFixed(1)} ${y(spark.p5_us[i] ?? median).toFixed(1)}`);
    if (i === spark.t.length - 1) end = [x, y(median)];
  });
  closeBand();
  return { line, band, end };
}

/** At least a factor of two, so that a host with a steady latency has a nearly flat line. @param {Spark} spark */
function sparkScale(spark) {
  const values = [...spark.p5_us, ...spark.p95_us, ...spark.p50_us].filter((v) => v !== null);
  const low = Math.min(...values);
  const high = Math.max(...values);
  const middle = Math.sqrt(low * high);
  return logarithmic(Math.max(1, Math.min(low, middle / 1.5)), Math.max(2, high, middle * 1.5), SPARK_HEIGHT - 3, 2);
}

/** Marks where down or poor, areas where not measured. @param {Spark} spark @param {number} step pixels per point */
function statePaths(spark, step) {
  const marks = { down: '', poor: '' };
  let hatched = '';
  let isRecorded = false;
  spark.state.forEach((state, i) => {
    // Full height where no ping was answered at all.
    const top = (spark.p50_us[i] ?? null) === null ? 1 : SPARK_HEIGHT - 6;
    if (state === 'down' || state === 'poor') {
      marks[state] += `M${((i + 0.5) * step).toFixed(1)} ${top}V${SPARK_HEIGHT - 1}`;
    }
    // Before the first record nothing is missing.
    isRecorded ||= state !== null;
    if (state !== 'not_measured' && !(isRecorded && state === null)) return;
    hatched += `M${(i * step).toFixed(1)} 2h${step.toFixed(1)}v${SPARK_HEIGHT - 4}h${-step.toFixed(1)}z`;
  });
  return { ...marks, hatched };
}

/** Of the icon of the tab: square with a cross, triangle, broken ring. @type {Record<string, string>} */
const ICONS = {
  down: "fill='%23F4695A' d='M7 7h18v18H7z'/%3E%3Cpath d='M12 12l8 8M20 12l-8 8' stroke='%2312161D' stroke-width='3'",
  minor: "fill='%23E3A32E' d='M16 6l11 20H5z'",
  unknown: "d='M16 7a9 9 0 1 1-.1 0z' fill='none' stroke='%23B3BBC7' stroke-width='4' stroke-dasharray='5 4.4'",
};

/** The URL of the icon, which must be shown without a server too. @param {TroubleKind} kind */
export const iconOf = (kind) => (kind
  ? "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 32 32'%3E"
  + `%3Crect width='32' height='32' rx='7' fill='%2312161D'/%3E%3Cpath ${ICONS[kind]}/%3E%3C/svg%3E` : 'icon.svg');
