// Several hosts over each other: each with its own dash pattern and colour, and its name at the line's end.
import { colour } from './colours.js';
import { drawBandLabels, drawBands, drawLanes, drawLatencyAxis, drawRuns } from './panes.js';
import { stateOf } from '../data/scale.js';
import { bandWords, runs } from '../data/series.js';

/** Colour and dash of each line, in order. @type {[string, number[]][]} */
export const STYLES = [['latency', []], ['purple', [7, 3]], ['cyan', [2, 2.5]], ['ochre', [9, 3, 2, 3]], ['second', [4, 4]]];

const NAME_HEIGHT = 14;

/** @param {Frame} f @param {Line[]} lines @param {(line: Line) => number | null} placeOf pixels */
function nameEnds(f, lines, placeOf) {
  const { context: c } = f;
  const room = c.canvas.clientWidth - f.right - 12;
  if (room < 50) return;
  c.textAlign = 'left';
  c.textBaseline = 'middle';
  const ends = lines.map((line, i) => ({ line, i, y: placeOf(line) ?? NaN })).filter((e) => !Number.isNaN(e.y)).sort((a, b) => a.y - b.y);
  // Names keep their distance, downwards first, and then upwards from the lower edge.
  let free = 0;
  for (const end of ends) {
    end.y = Math.max(end.y, free);
    free = end.y + NAME_HEIGHT;
  }
  free = f.height - 8;
  for (const end of [...ends].reverse()) {
    end.y = Math.min(end.y, free);
    free = end.y - NAME_HEIGHT;
  }
  ends.forEach(({ line, i, y }) => {
    c.fillStyle = colour(STYLES[i][0]);
    let text = line.name;
    while (text.length > 2 && c.measureText(text).width > room) text = `${text.slice(0, text.endsWith('…') ? -2 : -1)}…`;
    c.fillText(text, f.right + 8, y);
  });
}

/** @param {Frame} f @param {Line[]} lines @param {Span[]} bands */
export function drawRates(f, lines, bands) {
  const { context: c, x } = f;
  drawBands(f, bands, 'lanes');
  // The lane names give way to the hosts' names.
  const y = drawLanes({ ...f, right: f.right });
  lines.forEach(({ track }, i) => {
    c.strokeStyle = colour(STYLES[i][0]);
    c.setLineDash(STYLES[i][1]);
    c.lineWidth = 1.5;
    c.beginPath();
    // A pixel apart, or equal lines would hide each other.
    const shift = (i - (lines.length - 1) / 2) * 1.5;
    let last = -Infinity;
    for (const p of track.points) {
      if (p.rate !== null && p.end > f.from) {
        const level = y(p.rate) + shift;
        if (p.at === last) c.lineTo(x(p.at), level);
        else c.moveTo(Math.max(f.left, x(p.at)), level);
        c.lineTo(Math.min(f.right, x(p.end)), level);
      }
      last = p.rate === null ? -Infinity : p.end;
    }
    c.stroke();
    // A thin stem reaches down to a check that was down, so that no zoom hides an outage. One lost ping has none: of several hosts
    // over months they would be a fence.
    c.setLineDash([]);
    c.lineWidth = 1;
    c.globalAlpha = 0.55;
    c.beginPath();
    for (const p of track.points) {
      if (p.rate === null || p.worst === null || p.worst >= p.rate || stateOf(p.worst) !== 'down' || p.end <= f.from) continue;
      const middle = Math.round(x((p.at + p.end) / 2)) + 0.5 + shift;
      c.moveTo(middle, y(p.rate) + shift);
      c.lineTo(middle, y(p.worst));
    }
    c.stroke();
    c.globalAlpha = 1;
  });
}

/** @param {Frame} f @param {Line[]} lines @param {Span[]} bands @param {boolean} log */
export function drawMedians(f, lines, bands, log) {
  const { context: c } = f;
  drawBands(f, bands, 'latency');
  const y = drawLatencyAxis(f, lines.map((l) => l.track.points.map((p) => p.p50)), log);
  c.save();
  c.beginPath();
  c.rect(f.left, 0, f.right - f.left, f.height);
  c.clip();
  lines.forEach(({ track }, i) => {
    c.strokeStyle = colour(STYLES[i][0]);
    c.setLineDash(STYLES[i][1]);
    c.lineWidth = 1.6;
    drawRuns(f, runs(track), y);
  });
  c.restore();
  drawBandLabels(f, bands, (s) => bandWords(s, f.to - f.from));
  nameEnds(f, lines, ({ track }) => {
    const last = track.points[track.points.length - 1];
    return last?.p50 ? y(last.p50) : null;
  });
}
