// What the panes of one host draw: success rate in three lanes, the state row, latency as smoke, and the bands of trouble.
import { ms } from '../data/format.js';
import { colour, hatch } from './colours.js';
import { evenTicks, lane, latencyDomain, linear, logTicks, logarithmic, stateOf } from '../data/scale.js';
import { crowded, runs, spans } from '../data/series.js';
import { heightOf } from '../data/days.js';

const PAD_TOP = 6;
const LANE_BOTTOM = 10;
const LABELS_HEIGHT = 22;

/** @param {Frame} f @param {number} bottom pixels kept free below @returns {(rate: number) => number} percent to pixels */
function laneScale(f, bottom) {
  const y = linear(0, 1, f.height - bottom, PAD_TOP);
  return (rate) => y(lane(rate));
}

/** Thresholds and lane names. @param {Frame} f @returns {(rate: number) => number} percent to pixels */
export function drawLanes(f) {
  const { context: c, left, right } = f;
  const y = laneScale(f, LANE_BOTTOM);
  c.textBaseline = 'middle';
  c.lineWidth = 1;
  for (const rate of [0, 80, 95, 100]) {
    const place = Math.round(y(rate)) + 0.5;
    c.strokeStyle = rate === 95 ? colour('degraded') : rate === 80 ? colour('down') : colour('grid');
    c.setLineDash(rate === 95 ? [5, 3] : rate === 80 ? [1.5, 2.5] : []);
    c.beginPath();
    c.moveTo(left, place);
    c.lineTo(right, place);
    c.stroke();
    c.setLineDash([]);
    c.textAlign = 'right';
    c.fillStyle = colour('third');
    c.fillText(String(rate), left - 8, place);
  }
  if (right < c.canvas.clientWidth - 60) {
    c.textAlign = 'left';
    for (const [rate, state] of /** @type {[number, State][]} */ ([[97.5, 'up'], [87.5, 'degraded'], [40, 'down']])) {
      c.fillStyle = colour(`${state}-text`);
      c.fillText(state, right + 10, y(rate));
    }
  }
  return y;
}

/** @param {Frame} f @param {Span[]} all @param {number} top @param {number} bottom pixels */
function paintBands(f, all, top, bottom) {
  const { context: c, x } = f;
  const pale = crowded(all.map((s) => (s.state === 'not_measured' ? null : [x(s.from), x(s.to)])));
  const painted = new Set();
  for (const [i, s] of all.entries()) {
    const a = x(s.from);
    if (pale[i]) {
      // Several in one column are no more than one.
      if (painted.has(Math.floor(a))) continue;
      painted.add(Math.floor(a));
      c.globalAlpha = 0.13;
      c.fillStyle = colour(s.state);
      c.fillRect(Math.floor(a), top, 1, bottom - top);
      c.globalAlpha = 1;
      continue;
    }
    const width = Math.max(x(s.to) - a, s.state === 'down' ? 2 : 1);
    c.globalAlpha = s.state === 'not_measured' ? 0.55 : 0.13;
    c.fillStyle = colour(s.state === 'not_measured' ? 'not_measured-ground' : s.state);
    c.fillRect(a, top, width, bottom - top);
    c.globalAlpha = s.state === 'not_measured' ? 0.7 : 0.75;
    // Too narrow for a hatch to be seen as one.
    c.fillStyle = s.state === 'down' && width < 5 ? colour('down') : hatch(c, s.state);
    c.fillRect(a, top, width, bottom - top);
    c.globalAlpha = 1;
    if (width < 5) continue;
    c.strokeStyle = colour(s.state);
    c.lineWidth = 1;
    c.strokeRect(a + 0.5, top - 1, width - 1, bottom - top + 2);
  }
}

/** Bands over the height that a pane gives to its values. @param {Frame} f @param {Span[]} all @param {'lanes' | 'latency'} pane */
export function drawBands(f, all, pane) {
  const c = f.context;
  c.save();
  c.beginPath();
  c.rect(f.left, 0, f.right - f.left, f.height);
  c.clip();
  if (pane === 'lanes') paintBands(f, all, PAD_TOP, f.height - LANE_BOTTOM);
  else paintBands(f, all, LABELS_HEIGHT, f.height - 2);
  c.restore();
}

/** @param {Frame} f @param {Track} track @param {Span[]} bands */
export function drawSuccess(f, track, bands) {
  const { context: c, x } = f;
  drawBands(f, bands, 'lanes');
  const y = drawLanes(f);
  c.save();
  c.beginPath();
  c.rect(f.left, 0, f.right - f.left, f.height);
  c.clip();
  c.lineWidth = 1;
  c.strokeStyle = colour('third');
  c.globalAlpha = 0.6;
  c.beginPath();
  for (const p of track.points) {
    if (p.rate === null || p.worst === null || p.worst >= p.rate) continue;
    const middle = (x(p.at) + x(p.end)) / 2;
    c.moveTo(middle, y(p.rate));
    c.lineTo(middle, y(p.worst));
  }
  c.stroke();
  c.globalAlpha = 1;
  c.lineWidth = 1.75;
  c.lineCap = 'square';
  for (const state of /** @type {State[]} */ (['up', 'degraded', 'down'])) {
    c.strokeStyle = colour(state);
    c.beginPath();
    track.points.forEach((p, i) => {
      if (p.rate === null || stateOf(p.rate) !== state) return;
      const level = y(p.rate);
      const before = track.points[i - 1];
      // The step down belongs to the worse of both, so that it is seen in that colour.
      if (before && before.end === p.at && before.rate !== null) {
        c.moveTo(x(p.at), y(before.rate));
        c.lineTo(x(p.at), level);
      } else c.moveTo(x(p.at), level);
      c.lineTo(Math.max(x(p.end), x(p.at) + 1.5), level);
    });
    c.stroke();
  }
  c.restore();
}

/** The worse, the taller. @param {Frame} f @param {Track} track */
export function drawStates(f, track) {
  const { context: c, x } = f;
  const full = f.height - 4;
  for (const s of spans(track)) {
    const bar = (s.state === 'down' ? 1 : heightOf(s.state, 0)) * full;
    const a = x(s.from);
    const width = Math.max(x(s.to) - a, s.state === 'down' ? 2 : 1);
    c.fillStyle = s.state === 'not_measured' ? hatch(c, s.state) : colour(s.state);
    c.fillRect(a, f.height - bar, Math.min(width, f.right - a), bar);
  }
  c.fillStyle = colour('third');
  c.textAlign = 'right';
  c.textBaseline = 'bottom';
  c.fillText('state', f.left - 8, f.height + 2);
}

/** @param {Frame} f @param {(Column)[]} columns microseconds that must fit @param {boolean} log @returns {Scale} microseconds to pixels */
export function drawLatencyAxis(f, columns, log) {
  const { context: c, left, right } = f;
  const [low, high] = latencyDomain(columns, log);
  const bottom = f.height - 2;
  const y = log ? logarithmic(low, high, bottom, LABELS_HEIGHT) : linear(low, high, bottom, LABELS_HEIGHT);
  c.textAlign = 'right';
  c.textBaseline = 'middle';
  c.lineWidth = 1;
  for (const v of log ? logTicks(low, high, 8) : evenTicks(low, high, 5)) {
    const place = Math.round(y(v)) + 0.5;
    c.strokeStyle = colour('grid');
    c.beginPath();
    c.moveTo(left, place);
    c.lineTo(right, place);
    c.stroke();
    c.fillStyle = colour('third');
    c.fillText(v === 0 ? '0' : ms(v).replace(/\.0+$/, '').replace(/(\.\d)0$/, '$1'), left - 8, Math.min(place, f.height - 8));
  }
  c.strokeStyle = colour('control');
  c.beginPath();
  c.moveTo(left, bottom + 0.5);
  c.lineTo(right, bottom + 0.5);
  c.stroke();
  return (us) => y(us / 1000);
}

/** @param {Frame} f @param {Track} track @param {Span[]} bands @param {boolean} log @param {(s: Span) => string} labelOf a band's words, empty for none */
export function drawLatency(f, track, bands, log, labelOf) {
  const { context: c, x } = f;
  const points = track.points;
  drawBands(f, bands, 'latency');
  const y = drawLatencyAxis(f, [points.map((p) => p.min ?? p.p50), points.map((p) => p.max ?? p.p50)], log);
  c.save();
  c.beginPath();
  c.rect(f.left, LABELS_HEIGHT, f.right - f.left, f.height - LABELS_HEIGHT);
  c.clip();
  /** @param {Point} p */
  const middle = (p) => (x(p.at) + x(p.end)) / 2;
  const pieces = runs(track);
  c.fillStyle = c.strokeStyle = colour('latency');
  for (const [low, high, alpha] of /** @type {['min' | 'p5' | 'p25', 'max' | 'p95' | 'p75', number][]} */ ([['min', 'max', 0.12], ['p5', 'p95', 0.24], ['p25', 'p75', 0.34]])) {
    c.globalAlpha = alpha;
    c.beginPath();
    for (const run of pieces) {
      // A point alone would have no area.
      const wide = run.length === 1 ? [run[0], run[0]] : run;
      /** @param {Point} p @param {number} i */
      const at = (p, i) => (run.length === 1 ? x(i ? p.end : p.at) : middle(p));
      wide.forEach((p, i) => (i ? c.lineTo(at(p, i), y(p[high] ?? p.p50 ?? 0)) : c.moveTo(at(p, i), y(p[high] ?? p.p50 ?? 0))));
      for (let i = wide.length - 1; i >= 0; i -= 1) c.lineTo(at(wide[i], i), y(wide[i][low] ?? wide[i].p50 ?? 0));
      c.closePath();
    }
    c.fill();
  }
  c.globalAlpha = 1;
  c.lineWidth = 1.5;
  c.strokeStyle = colour('median');
  drawRuns(f, pieces, y);
  c.restore();
  if (f.right < c.canvas.clientWidth - 60) nameEnds(f, points[points.length - 1], y);
  drawBandLabels(f, bands, labelOf);
}

/** @param {Frame} f @param {Point[][]} pieces @param {Scale} y microseconds to pixels */
export function drawRuns(f, pieces, y) {
  const { context: c, x } = f;
  c.lineJoin = 'round';
  c.beginPath();
  for (const run of pieces) {
    run.forEach((p, i) => {
      const at = (x(p.at) + x(p.end)) / 2;
      if (run.length === 1) c.moveTo(x(p.at), y(p.p50 ?? 0));
      if (i || run.length === 1) c.lineTo(run.length === 1 ? Math.max(x(p.end), x(p.at) + 2) : at, y(p.p50 ?? 0));
      else c.moveTo(at, y(p.p50 ?? 0));
    });
  }
  c.stroke();
}

/** @param {Frame} f @param {Point | undefined} last @param {Scale} y */
function nameEnds(f, last, y) {
  if (!last || last.p50 === null) return;
  const { context: c } = f;
  c.textAlign = 'left';
  c.textBaseline = 'middle';
  const median = y(last.p50);
  c.fillStyle = colour('ink');
  c.fillText('median', f.right + 10, median);
  if (last.p95 === null) return;
  c.fillStyle = colour('third');
  c.fillText('p95', f.right + 10, Math.min(y(last.p95), median - 15));
}

/** The worst are named first where there is no room for all. @param {Frame} f @param {Span[]} all @param {(s: Span) => string} labelOf */
export function drawBandLabels(f, all, labelOf) {
  const { context: c, x } = f;
  const order = ['down', 'not_measured', 'degraded', 'up'];
  /** @type {[number, number][]} */
  const taken = [];
  c.textAlign = 'left';
  c.textBaseline = 'middle';
  for (const s of [...all].sort((a, b) => order.indexOf(a.state) - order.indexOf(b.state) || b.to - b.from - (a.to - a.from))) {
    const whole = labelOf(s);
    // What explains it is left out where there is no room.
    for (const text of whole ? new Set([whole, whole.split(':')[0]]) : []) {
      const width = c.measureText(text).width;
      const a = Math.min(Math.max(x(s.from), f.left), c.canvas.clientWidth - width - 4);
      if (a < 0 || taken.some(([from, to]) => a < to + 12 && a + width + 12 > from)) continue;
      taken.push([a, a + width]);
      c.fillStyle = colour(`${s.state}-text`);
      c.fillText(text, a, LABELS_HEIGHT / 2 - 2);
      break;
    }
  }
}
