// Draws the panes of one host: success rate in three lanes, state row, and latency with its spread, over bands for
// outages and gaps.
import { barHeight } from '../data/days.js';
import { ms } from '../data/format.js';
import { evenTicks, lane, latencyDomain, linear, logTicks, logarithmic, stateOf } from '../data/scale.js';
import { crowded, segments, stateSpans } from '../data/series.js';
import { colour, hatch } from './colours.js';

const PAD_TOP = 6;
const LANE_BOTTOM = 10;
const LABELS_HEIGHT = 22;
// Narrower bands get no hatch and no border, which would not be recognisable.
const MIN_HATCH_PIXELS = 5;
const MIN_NAMES_PIXELS = 60;

/** @type {[number, State][]} position of a lane's name, percent */
const LANE_NAMES = [[97.5, 'up'], [87.5, 'degraded'], [40, 'poor'], [0, 'down']];
/** @type {['min' | 'p5' | 'p25', 'max' | 'p95' | 'p75', number][]} lower edge, upper edge, opacity */
const SPREADS = [['min', 'max', 0.12], ['p5', 'p95', 0.24], ['p25', 'p75', 0.34]];

/** Draws inside the plot area only. @param {Frame} f @param {number} top pixels @param {() => void} draw */
export function clipped(f, top, draw) {
  const c = f.context;
  c.save();
  c.beginPath();
  c.rect(f.left, top, f.right - f.left, f.height - top);
  c.clip();
  draw();
  c.restore();
}

/** @param {Frame} f @param {number} y pixels */
function lineAcross(f, y) {
  const c = f.context;
  c.beginPath();
  c.moveTo(f.left, y);
  c.lineTo(f.right, y);
  c.stroke();
}

/** Thresholds and lane names. @param {Frame} f @returns {(rate: number) => number} percent to pixels */
export function drawLanes(f) {
  const { context: c, left, right } = f;
  const level = linear(0, 1, f.height - LANE_BOTTOM, PAD_TOP);
  /** @param {number} rate */
  const y = (rate) => level(lane(rate));
  c.textBaseline = 'middle';
  c.lineWidth = 1;
  c.textAlign = 'right';
  for (const rate of [0, 80, 95, 100]) {
    const at = Math.round(y(rate)) + 0.5;
    c.strokeStyle = rate === 95 ? colour('degraded') : rate === 80 ? colour('poor') : colour('grid');
    c.setLineDash(rate === 95 ? [5, 3] : rate === 80 ? [1.5, 2.5] : []);
    lineAcross(f, at);
    c.fillStyle = colour('third');
    c.fillText(String(rate), left - 8, at);
  }
  c.setLineDash([]);
  if (right < c.canvas.clientWidth - MIN_NAMES_PIXELS) {
    c.textAlign = 'left';
    for (const [rate, state] of LANE_NAMES) {
      c.fillStyle = colour(`${state}-text`);
      c.fillText(state, right + 10, y(rate));
    }
  }
  return y;
}

/** @param {Frame} f @param {Span[]} bands @param {number} top @param {number} bottom pixels */
function fillBands(f, bands, top, bottom) {
  const { context: c, x } = f;
  const pale = crowded(bands.map((s) => (s.state === 'not_measured' ? null : [x(s.from), x(s.to)])));
  const filled = new Set();
  for (const [i, s] of bands.entries()) {
    const left = Math.floor(x(s.from));
    if (!pale[i]) fillBand(f, s, top, bottom);
    else if (!filled.has(left)) {
      // Several pale bands in one column of pixels are drawn once.
      filled.add(left);
      c.globalAlpha = 0.13;
      c.fillStyle = colour(s.state);
      c.fillRect(left, top, 1, bottom - top);
      c.globalAlpha = 1;
    }
  }
}

/** @param {Frame} f @param {Span} s @param {number} top @param {number} bottom pixels */
function fillBand(f, s, top, bottom) {
  const { context: c, x } = f;
  const left = x(s.from);
  const width = Math.max(x(s.to) - left, s.state === 'down' ? 2 : 1);
  const isMeasured = s.state !== 'not_measured';
  c.globalAlpha = isMeasured ? 0.13 : 0.55;
  c.fillStyle = colour(isMeasured ? s.state : 'not_measured-ground');
  c.fillRect(left, top, width, bottom - top);
  c.globalAlpha = isMeasured ? 0.75 : 0.7;
  c.fillStyle = s.state === 'down' && width < MIN_HATCH_PIXELS ? colour('down') : hatch(c, s.state);
  c.fillRect(left, top, width, bottom - top);
  c.globalAlpha = 1;
  if (width < MIN_HATCH_PIXELS) return;
  c.strokeStyle = colour(s.state);
  c.lineWidth = 1;
  c.strokeRect(left + 0.5, top - 1, width - 1, bottom - top + 2);
}

/** @param {Frame} f @param {Span[]} bands @param {'lanes' | 'latency'} pane */
export function drawBands(f, bands, pane) {
  clipped(f, 0, () => {
    if (pane === 'lanes') fillBands(f, bands, PAD_TOP, f.height - LANE_BOTTOM);
    else fillBands(f, bands, LABELS_HEIGHT, f.height - 2);
  });
}

/** @param {Frame} f @param {Timeline} timeline @param {Span[]} bands */
export function drawSuccess(f, timeline, bands) {
  drawBands(f, bands, 'lanes');
  const y = drawLanes(f);
  clipped(f, 0, () => {
    drawStems(f, timeline.points, y);
    f.context.lineWidth = 1.75;
    f.context.lineCap = 'square';
    for (const state of /** @type {State[]} */ (['up', 'degraded', 'poor', 'down'])) {
      drawRate(f, timeline.points, y, state);
    }
  });
}

/** A thin line from each point down to its worst check. @param {Frame} f @param {Point[]} points @param {Scale} y */
function drawStems(f, points, y) {
  const { context: c, x } = f;
  c.lineWidth = 1;
  c.strokeStyle = colour('third');
  c.globalAlpha = 0.6;
  c.beginPath();
  for (const p of points) {
    if (p.rate === null || p.worst === null || p.worst >= p.rate) continue;
    const middle = (x(p.at) + x(p.end)) / 2;
    c.moveTo(middle, y(p.rate));
    c.lineTo(middle, y(p.worst));
  }
  c.stroke();
  c.globalAlpha = 1;
}

/** The points of one state, in its colour. @param {Frame} f @param {Point[]} points @param {Scale} y
 * @param {State} state */
function drawRate(f, points, y, state) {
  const { context: c, x } = f;
  c.strokeStyle = colour(state);
  c.beginPath();
  points.forEach((p, i) => {
    if (p.rate === null || stateOf(p.rate) !== state) return;
    const level = y(p.rate);
    const before = points[i - 1];
    // The vertical step has the colour of the point that it leads to.
    if (before && before.end === p.at && before.rate !== null) {
      c.moveTo(x(p.at), y(before.rate));
      c.lineTo(x(p.at), level);
    } else c.moveTo(x(p.at), level);
    c.lineTo(Math.max(x(p.end), x(p.at) + 1.5), level);
  });
  c.stroke();
}

/** Bars, taller is worse. @param {Frame} f @param {Timeline} timeline */
export function drawStates(f, timeline) {
  const { context: c, x } = f;
  const full = f.height - 4;
  for (const s of stateSpans(timeline)) {
    const bar = (s.state === 'down' ? 1 : barHeight(s.state, 0)) * full;
    const left = x(s.from);
    const width = Math.max(x(s.to) - left, s.state === 'down' ? 2 : 1);
    c.fillStyle = s.state === 'not_measured' ? hatch(c, s.state) : colour(s.state);
    c.fillRect(left, f.height - bar, Math.min(width, f.right - left), bar);
  }
  c.fillStyle = colour('third');
  c.textAlign = 'right';
  c.textBaseline = 'bottom';
  c.fillText('state', f.left - 8, f.height + 2);
}

/** @param {number} value milliseconds */
function tickText(value) {
  return value === 0 ? '0' : ms(value).replace(/\.0+$/, '').replace(/(\.\d)0$/, '$1');
}

/** @param {Frame} f @param {Column[]} columns microseconds that must fit @param {boolean} isLog
 * @returns {Scale} microseconds to pixels */
export function drawLatencyAxis(f, columns, isLog) {
  const c = f.context;
  const [low, high] = latencyDomain(columns, isLog);
  const bottom = f.height - 2;
  const y = (isLog ? logarithmic : linear)(low, high, bottom, LABELS_HEIGHT);
  c.textAlign = 'right';
  c.textBaseline = 'middle';
  c.lineWidth = 1;
  for (const value of isLog ? logTicks(low, high, 8) : evenTicks(low, high, 5)) {
    const at = Math.round(y(value)) + 0.5;
    c.strokeStyle = colour('grid');
    lineAcross(f, at);
    c.fillStyle = colour('third');
    c.fillText(tickText(value), f.left - 8, Math.min(at, f.height - 8));
  }
  c.strokeStyle = colour('control');
  lineAcross(f, bottom + 0.5);
  return (us) => y(us / 1000);
}

/** @param {Frame} f @param {Timeline} timeline @param {Span[]} bands @param {boolean} isLog
 * @param {(s: Span) => string} labelOf a band's label, empty for none */
export function drawLatency(f, timeline, bands, isLog, labelOf) {
  const c = f.context;
  const points = timeline.points;
  drawBands(f, bands, 'latency');
  const y = drawLatencyAxis(f, [points.map((p) => p.min ?? p.p50), points.map((p) => p.max ?? p.p50)], isLog);
  clipped(f, LABELS_HEIGHT, () => {
    const lines = segments(timeline);
    drawSpreads(f, lines, y);
    c.lineWidth = 1.5;
    c.strokeStyle = colour('median');
    drawMedianLines(f, lines, y);
  });
  if (f.right < c.canvas.clientWidth - MIN_NAMES_PIXELS) nameEnds(f, points[points.length - 1], y);
  drawBandLabels(f, bands, labelOf);
}

/** Three areas around the median, the narrower the darker. @param {Frame} f @param {Point[][]} lines
 * @param {Scale} y */
function drawSpreads(f, lines, y) {
  const { context: c, x } = f;
  c.fillStyle = c.strokeStyle = colour('latency');
  for (const [low, high, opacity] of SPREADS) {
    c.globalAlpha = opacity;
    c.beginPath();
    for (const line of lines) {
      // A single point is drawn from its start to its end, or it would have no area.
      const isSingle = line.length === 1;
      const points = isSingle ? [line[0], line[0]] : line;
      /** @param {Point} p @param {number} i */
      const at = (p, i) => (isSingle ? x(i ? p.end : p.at) : (x(p.at) + x(p.end)) / 2);
      c.moveTo(at(points[0], 0), y(points[0][high] ?? points[0].p50 ?? 0));
      points.forEach((p, i) => c.lineTo(at(p, i), y(p[high] ?? p.p50 ?? 0)));
      for (let i = points.length - 1; i >= 0; i -= 1) {
        c.lineTo(at(points[i], i), y(points[i][low] ?? points[i].p50 ?? 0));
      }
      c.closePath();
    }
    c.fill();
  }
  c.globalAlpha = 1;
}

/** @param {Frame} f @param {Point[][]} lines @param {Scale} y microseconds to pixels */
export function drawMedianLines(f, lines, y) {
  const { context: c, x } = f;
  c.lineJoin = 'round';
  c.beginPath();
  for (const points of lines) {
    if (points.length === 1) {
      const [p] = points;
      c.moveTo(x(p.at), y(p.p50 ?? 0));
      c.lineTo(Math.max(x(p.end), x(p.at) + 2), y(p.p50 ?? 0));
      continue;
    }
    points.forEach((p, i) => {
      const middle = (x(p.at) + x(p.end)) / 2;
      if (i) c.lineTo(middle, y(p.p50 ?? 0));
      else c.moveTo(middle, y(p.p50 ?? 0));
    });
  }
  c.stroke();
}

/** @param {Frame} f @param {Point | undefined} last @param {Scale} y */
function nameEnds(f, last, y) {
  if (!last || last.p50 === null) return;
  const c = f.context;
  c.textAlign = 'left';
  c.textBaseline = 'middle';
  const median = y(last.p50);
  c.fillStyle = colour('ink');
  c.fillText('median', f.right + 10, median);
  if (last.p95 === null) return;
  c.fillStyle = colour('third');
  c.fillText('p95', f.right + 10, Math.min(y(last.p95), median - 15));
}

const LABEL_ORDER = ['down', 'not_measured', 'poor', 'degraded', 'up'];

/** Where there is no room for all labels, the worst and longest bands get theirs.
 * @param {Frame} f @param {Span[]} bands @param {(s: Span) => string} labelOf */
export function drawBandLabels(f, bands, labelOf) {
  const { context: c, x } = f;
  /** @type {[number, number][]} */
  const taken = [];
  c.textAlign = 'left';
  c.textBaseline = 'middle';
  /** @param {Span} s */
  const rank = (s) => LABEL_ORDER.indexOf(s.state);
  for (const s of [...bands].sort((a, b) => rank(a) - rank(b) || b.to - b.from - (a.to - a.from))) {
    const label = labelOf(s);
    // Where there is no room for the explanation after the colon, it is left out.
    for (const text of label ? new Set([label, label.split(':')[0]]) : []) {
      const width = c.measureText(text).width;
      const left = Math.min(Math.max(x(s.from), f.left), c.canvas.clientWidth - width - 4);
      if (left < 0 || taken.some(([from, to]) => left < to + 12 && left + width + 12 > from)) continue;
      taken.push([left, left + width]);
      c.fillStyle = colour(`${s.state}-text`);
      c.fillText(text, left, LABELS_HEIGHT / 2 - 2);
      break;
    }
  }
}
