// The charts of one host: success rate, state row and latency over one time axis, with the values above them.
import { STATE_WORDS, rate, usAsMs } from '../data/format.js';
import { bandLabel, bands, nearestPoint, noDataText, stepTime } from '../data/series.js';
import { duration, moment, seconds, spanText } from '../data/time.js';
import { announce, explained, h, put, setPressed, setText, spokenText } from '../dom.js';
import { createChart, keysHint, scaleChips } from './chart.js';
import { drawLatency, drawStates, drawSuccess } from './panes.js';
import { shape } from './shapes.js';
import { zoomActions } from './zoom.js';

const SPREADS = /** @type {const} */ ([
  ['p25 to p75', 'p25', 'p75', 'swatch-inner'],
  ['p5 to p95', 'p5', 'p95', 'swatch-outer'],
  ['min to max', 'min', 'max', 'swatch-range'],
]);
const CSV_HEAD = [
  'host_name', 'host_address', 'time', 'until', 'state', 'checks', 'sent', 'lost', 'success_rate', 'worst_rate',
  'min_us', 'p5_us', 'p25_us', 'p50_us', 'p75_us', 'p95_us', 'max_us',
];

/** @param {number} t Unix seconds */
const iso = (t) => new Date(t * 1000).toISOString();

/** @param {Point} p */
const csvRow = (p) => [
  iso(p.at), iso(p.end), p.state, p.checks, p.sent, p.lost, p.rate, p.worst,
  p.min, p.p5, p.p25, p.p50, p.p75, p.p95, p.max,
];

/** @param {string} name @param {string} value @param {string} [swatch] class of the colour sample */
const item = (name, value, swatch) =>
  h('span', { class: swatch ? `item ${swatch}` : 'item' }, `${name} `, h('b', null, value));

/** The values of one point, above the success rate and above the latency.
 * @param {Point} p @param {Timeline} timeline @param {boolean} isPointed at it, otherwise it is the newest */
function readouts(p, timeline, isPointed) {
  const when = spanText(p.at, Math.min(p.end, timeline.to) - p.at, timeline);
  return {
    rates: [
      h('span', { class: isPointed ? 'chip' : 'chip pale' }, when),
      h('span', { class: `mark text-${p.state}` }, shape(p.state, 11), STATE_WORDS[p.state]),
      item('received', `${p.sent - p.lost} of ${p.sent}`),
      item('success', `${rate(p.rate)} %`),
      item('worst check', `${rate(p.worst)} %`),
    ],
    latencies: [
      item('median', usAsMs(p.p50), 'swatch-median'),
      ...SPREADS.map(([name, low, high, swatch]) =>
        item(name, p[low] === null ? '–' : `${usAsMs(p[low])} to ${usAsMs(p[high])}`, swatch)),
    ],
  };
}

/** @param {App} app @param {{timeline: Timeline, bands: Span[]}} data
 * @param {{rates: HTMLElement, latencies: HTMLElement, scales: HTMLElement}} heads @returns {Pane[]} */
const createPanes = (app, data, { rates, latencies, scales }) => [
  {
    label: 'Success rate, %',
    height: 128,
    head: h('div', { class: 'head' }, h('h2', null, explained('rate', 'Success rate, %')), rates),
    draw: (f) => drawSuccess(f, data.timeline, data.bands),
  },
  { label: '', height: 18, head: null, draw: (f) => drawStates(f, data.timeline) },
  {
    label: 'Latency, ms: median, p25 to p75, p5 to p95, min to max',
    height: 264,
    head: h('div', { class: 'head' }, h('h2', null, explained('spread', 'Latency, ms')), latencies, scales),
    draw: (f) => drawLatency(f, data.timeline, data.bands, app.view.scale === 'log',
      (s) => bandLabel(s, data.timeline.to - data.timeline.from)),
  },
];

/** @type {Timeline} */
const NO_DATA = { from: 0, to: 1, first: 0, until: 1, bucket: 60, pointSeconds: 60, newestAt: 0, points: [] };

/** @param {App} app */
export function historyCharts(app) {
  /** @type {{timeline: Timeline, bands: Span[]}} */
  const data = { timeline: NO_DATA, bands: [] };
  const rates = h('div', { class: 'readout' });
  const latencies = h('div', { class: 'readout' });
  const scales = scaleChips(app);
  const foot = h('p', { class: 'third small foot' });
  const empty = h('p', { class: 'no-data', hidden: true });

  /** @param {Point | undefined} p @param {boolean} isPointed */
  const read = (p, isPointed) => {
    const values = p ? readouts(p, data.timeline, isPointed) : { rates: [], latencies: [] };
    put(rates, ...values.rates);
    put(latencies, ...values.latencies);
  };
  /** @type {ChartActions} */
  const actions = {
    ...zoomActions(app, () => data.timeline),
    point(t, isSpoken) {
      const { points } = data.timeline;
      read(points[t === null ? points.length - 1 : nearestPoint(points, t)], t !== null);
      if (isSpoken) announce(`${spokenText(rates)}, ${spokenText(latencies)} milliseconds`);
    },
    step: (t, by) => stepTime(data.timeline.points, t, by),
  };
  const panes = createPanes(app, data, { rates, latencies, scales });
  const chart = createChart('Success rate, state and latency', panes, actions);

  return {
    element: h('section', { class: 'card history', 'aria-label': 'History' }, chart.element, empty, foot, keysHint()),
    chart,
    /** @param {Timeline} timeline @param {Outage[]} outages of this host @param {Gap[]} gaps
     * @param {boolean} isCut whether the range has more outages */
    show(timeline, outages, gaps, isCut) {
      data.timeline = timeline;
      const { points, bucket, pointSeconds } = timeline;
      data.bands = bands(timeline, outages, gaps);
      setPressed(scales, app.view.scale);
      empty.hidden = points.length > 0;
      setText(empty, noDataText(timeline, app.now()));
      const point = bucket >= 2 ? `A point is ${duration(Math.max(bucket, pointSeconds))}. ` : '';
      const oldest = Math.min(...outages.map((o) => seconds(o.start_time)));
      const cut = isCut ? `Outages before ${moment(oldest, app.now())} are not drawn. ` : '';
      put(foot, points.length > 0
        && `${cut}${point}Thin lines reach down to the worst check, so that averages hide nothing. `
        + 'The scale is stretched above 80 %.');
      read(points[points.length - 1], false);
      chart.show(timeline.from, timeline.to);
    },
    /** What is shown, as a table: head and rows. @param {string} name @param {string} address of the host
     * @returns {[string[], (string | number | null)[][]]} */
    rows: (name, address) => [CSV_HEAD, data.timeline.points.map((p) => [name, address, ...csvRow(p)])],
  };
}
