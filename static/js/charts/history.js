// The charts of one host: success rate, state row and latency over one time axis, with the values in their heads.
import { createChart, keysHint } from './chart.js';
import { announce, chips, h, press, put } from '../dom.js';
import { rate, usAsMs, WORDS } from '../data/format.js';
import { drawLatency, drawStates, drawSuccess } from './panes.js';
import { bandWords, bands, nearest, stepped } from '../data/series.js';
import { shape } from './shapes.js';
import { duration, spanText } from '../data/time.js';
import { zoomWishes } from './zoom.js';

const SPREADS = /** @type {const} */ ([['p25 to p75', 'p25', 'p75', 'swatch-inner'], ['p5 to p95', 'p5', 'p95', 'swatch-outer'], ['min to max', 'min', 'max', 'swatch-range']]);

/** @param {App} app */
export function historyCharts(app) {
  /** @type {Track} */
  let track = { from: 0, to: 1, bucket: 60, reach: 60, taken: 0, points: [] };
  /** @type {Span[]} */
  let behind = [];

  const rates = h('div', { class: 'readout' });
  const latencies = h('div', { class: 'readout' });
  const scales = chips('Scale of latency', [['log', 'Log'], ['linear', 'Linear']], app.view.scale, (scale) => app.go({ scale: scale === 'linear' ? 'linear' : 'log' }, true));
  const foot = h('p', { class: 'third small foot' });
  const empty = h('p', { class: 'no-data', hidden: true }, 'Not measured in this range');

  /** @param {string} name @param {string} value @param {string} [swatch] */
  const item = (name, value, swatch) => h('span', { class: swatch ? `item ${swatch}` : 'item' }, `${name} `, h('b', null, value));

  /** @param {Point | undefined} p @param {boolean} pointed */
  const read = (p, pointed) => {
    if (!p) {
      put(rates);
      put(latencies);
      return;
    }
    const when = spanText(p.at, Math.min(p.end, track.to) - p.at, track.to - track.from);
    put(rates, h('span', { class: pointed ? 'chip' : 'chip pale' }, when), h('span', { class: `mark text-${p.state}` }, shape(p.state, 11), WORDS[p.state]),
      item('received', `${p.sent - p.lost} of ${p.sent}`), item('success', `${rate(p.rate)} %`), item('worst check', `${rate(p.worst)} %`));
    put(latencies, item('median', usAsMs(p.p50), 'swatch-median'), ...SPREADS.map(([name, low, high, swatch]) => item(name, p[low] === null ? '–' : `${usAsMs(p[low])} to ${usAsMs(p[high])}`, swatch)));
  };

  /** @type {Wishes} */
  const wishes = {
    ...zoomWishes(app, () => track),
    point(t, spoken) {
      const points = track.points;
      read(points[t === null ? points.length - 1 : nearest(points, t)], t !== null);
      if (spoken) announce(`${rates.textContent}, ${latencies.textContent} milliseconds`);
    },
    step: (t, by) => stepped(track.points, t, by),
  };
  const chart = createChart('Success rate, state and latency', [
    { label: 'Success rate, %', height: 128, head: h('div', { class: 'head' }, h('h2', null, 'Success rate, %'), rates), draw: (f) => drawSuccess(f, track, behind) },
    { label: '', height: 18, head: null, draw: (f) => drawStates(f, track) },
    { label: 'Latency, ms: median, p25 to p75, p5 to p95, min to max', height: 264, head: h('div', { class: 'head' }, h('h2', null, 'Latency, ms'), latencies, scales), draw: (f) => drawLatency(f, track, behind, app.view.scale === 'log', (s) => bandWords(s, track.to - track.from)) },
  ], wishes);
  const element = h('section', { class: 'card history', 'aria-label': 'History' }, chart.element, empty, foot,
    keysHint());

  return {
    element, chart,
    /** @param {Track} next @param {Outage[]} events of this host @param {Gap[]} gaps */
    show(next, events, gaps) {
      track = next;
      behind = bands(track, events, gaps);
      press(scales, app.view.scale);
      empty.hidden = track.points.length > 0;
      const point = track.bucket >= 2 ? `A point is ${duration(Math.max(track.bucket, track.reach))}. ` : '';
      put(foot, track.points.length ? `${point}Thin stems reach down to the worst check, so nothing is averaged away. The scale is stretched above 80 %.` : '');
      read(track.points[track.points.length - 1], false);
      chart.show(track.from, track.to);
    },
    /** @returns {[string[], (string | number | null)[][]]} what is seen, as a table */
    rows: () => [
      ['time', 'until', 'state', 'checks', 'sent', 'lost', 'success_rate', 'worst_rate', 'min_us', 'p5_us', 'p25_us', 'p50_us', 'p75_us', 'p95_us', 'max_us'],
      track.points.map((p) => [new Date(p.at * 1000).toISOString(), new Date(p.end * 1000).toISOString(), p.state, p.checks, p.sent, p.lost, p.rate, p.worst, p.min, p.p5, p.p25, p.p50, p.p75, p.p95, p.max]),
    ],
  };
}
