// Draws several hosts in one chart: each with its own dash pattern and colour, and its name at the end of its line.
import { stateOf } from '../data/scale.js';
import { bandLabel, segments } from '../data/series.js';
import { colour } from './colours.js';
import { clipped, drawBandLabels, drawBands, drawLanes, drawLatencyAxis, drawMedianLines } from './panes.js';

/** Colour and dash pattern of each line, in order. @type {[string, number[]][]} */
export const LINE_STYLES = [
  ['latency', []],
  ['purple', [7, 3]],
  ['cyan', [2, 2.5]],
  ['ochre', [9, 3, 2, 3]],
  ['second', [4, 4]],
];

const NAME_HEIGHT = 14;

/** @param {Frame} f @param {ComparedHost[]} hosts @param {(host: ComparedHost) => number | null} levelOf pixels */
function nameEnds(f, hosts, levelOf) {
  const c = f.context;
  const space = c.canvas.clientWidth - f.right - 12;
  if (space < 50) return;
  c.textAlign = 'left';
  c.textBaseline = 'middle';
  const ends = hosts.map((host, i) => ({ name: host.name, i, y: levelOf(host) ?? NaN }));
  for (const { name, i, y } of spread(ends.filter((e) => !Number.isNaN(e.y)), f.height - 8)) {
    c.fillStyle = colour(LINE_STYLES[i][0]);
    let text = name;
    while (text.length > 2 && c.measureText(text).width > space) {
      text = `${text.slice(0, text.endsWith('…') ? -2 : -1)}…`;
    }
    c.fillText(text, f.right + 8, y);
  }
}

/** Keeps names apart: moves them down where they overlap, then up again from the lower edge.
 * @template {{y: number}} E @param {E[]} ends @param {number} bottom pixels @returns {E[]} */
function spread(ends, bottom) {
  ends.sort((a, b) => a.y - b.y);
  let free = 0;
  for (const end of ends) {
    end.y = Math.max(end.y, free);
    free = end.y + NAME_HEIGHT;
  }
  free = bottom;
  for (const end of [...ends].reverse()) {
    end.y = Math.min(end.y, free);
    free = end.y - NAME_HEIGHT;
  }
  return ends;
}

/** @param {Frame} f @param {ComparedHost[]} hosts @param {Span[]} bands */
export function drawRates(f, hosts, bands) {
  const c = f.context;
  drawBands(f, bands, 'lanes');
  const y = drawLanes(f);
  hosts.forEach(({ timeline }, i) => {
    // Equal lines are drawn next to each other, or one would hide the other.
    const shift = (i - (hosts.length - 1) / 2) * 1.5;
    c.strokeStyle = colour(LINE_STYLES[i][0]);
    c.setLineDash(LINE_STYLES[i][1]);
    c.lineWidth = 1.5;
    drawRate(f, timeline.points, y, shift);
    c.setLineDash([]);
    c.lineWidth = 1;
    c.globalAlpha = 0.55;
    drawDownStems(f, timeline.points, y, shift);
    c.globalAlpha = 1;
  });
}

/** @param {Frame} f @param {Point[]} points @param {Scale} y @param {number} shift pixels */
function drawRate(f, points, y, shift) {
  const { context: c, x } = f;
  c.beginPath();
  let last = -Infinity;
  for (const p of points) {
    if (p.rate !== null && p.end > f.from) {
      const level = y(p.rate) + shift;
      if (p.at === last) c.lineTo(x(p.at), level);
      else c.moveTo(Math.max(f.left, x(p.at)), level);
      c.lineTo(Math.min(f.right, x(p.end)), level);
    }
    last = p.rate === null ? -Infinity : p.end;
  }
  c.stroke();
}

/** A thin line down to each check that was down, so that an outage is visible at any zoom. Degraded checks get none:
 * for several hosts over months these lines would cover the chart.
 * @param {Frame} f @param {Point[]} points @param {Scale} y @param {number} shift pixels */
function drawDownStems(f, points, y, shift) {
  const { context: c, x } = f;
  c.beginPath();
  for (const p of points) {
    if (p.rate === null || p.worst === null || p.worst >= p.rate) continue;
    if (stateOf(p.worst) !== 'down' || p.end <= f.from) continue;
    const middle = Math.round(x((p.at + p.end) / 2)) + 0.5 + shift;
    c.moveTo(middle, y(p.rate) + shift);
    c.lineTo(middle, y(p.worst));
  }
  c.stroke();
}

/** @param {Frame} f @param {ComparedHost[]} hosts @param {Span[]} bands @param {boolean} isLog */
export function drawMedians(f, hosts, bands, isLog) {
  const c = f.context;
  drawBands(f, bands, 'latency');
  const medians = hosts.map(({ timeline }) => timeline.points.map((p) => p.p50));
  const y = drawLatencyAxis(f, medians, isLog);
  clipped(f, 0, () => {
    hosts.forEach(({ timeline }, i) => {
      c.strokeStyle = colour(LINE_STYLES[i][0]);
      c.setLineDash(LINE_STYLES[i][1]);
      c.lineWidth = 1.6;
      drawMedianLines(f, segments(timeline), y);
    });
  });
  drawBandLabels(f, bands, (s) => bandLabel(s, f.to - f.from));
  nameEnds(f, hosts, ({ timeline }) => {
    const last = timeline.points[timeline.points.length - 1];
    return last?.p50 ? y(last.p50) : null;
  });
}
