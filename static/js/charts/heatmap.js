// The heat map: a week by the hour, from good to bad, with a sentence that sums it up.
import { percent, usAsMs } from '../data/format.js';
import { day as dayText, duration, year } from '../data/time.js';
import { COLOUR_STEPS, WEEK, binByWeekHour, colourStep, summary, usualLatency, valueOf } from '../data/week.js';
import { chips, explained, h, put, setPressed, svg } from '../dom.js';

const CELL = 17;
const GAP = 2;
const LEFT = 34;
const PITCH = CELL + GAP;

/** @param {number | null} value @param {Measure} measure @param {Bin} bin */
function valueText(value, measure, bin) {
  if (value === null) return bin.silent ? 'no reply' : 'not measured';
  if (measure !== 'lost') return `median ${usAsMs(value)} ms`;
  return `${percent(value)} % lost of ${bin.sent} pings${bin.silent ? `, and ${bin.silent} without any reply` : ''}`;
}

/** @param {Bin[][]} bins @param {Measure} measure @param {(text: string) => void} read shows the text of a cell */
function drawCells(bins, measure, read) {
  const usual = usualLatency(bins);
  /** @type {SVGElement[]} */
  const cells = [];
  bins.forEach((row, day) => {
    const y = day * PITCH;
    cells.push(svg('text', { x: 0, y: y + 13, class: 'axis-text' }, WEEK[day]));
    row.forEach((bin, hour) => {
      const x = LEFT + hour * PITCH;
      const value = valueOf([bin], measure);
      const step = value === null && bin.silent ? 0 : colourStep(value, measure, usual);
      const cell = svg('rect', {
        x, y, width: CELL, height: CELL, rx: 2,
        class: step < 0 ? 'heat-none' : `heat-${step}`, fill: step < 0 ? 'url(#rising)' : null,
      });
      const text = `${WEEK[day]} ${hour} to ${hour + 1}: ${valueText(value, measure, bin)}`;
      cell.addEventListener('pointerenter', () => read(text));
      cells.push(cell);
      if (bin.silent) {
        cells.push(svg('rect', { x: x + 2, y: y + 2, width: CELL - 4, height: CELL - 4, class: 'heat-outage' }));
      }
      // The two worst steps have dots too, for people who cannot distinguish the colours.
      if (step < 3) return;
      cells.push(svg('circle', { cx: x + CELL / 2, cy: y + CELL / 2, r: step === 4 ? 3 : 1.8, class: 'heat-dot' }));
    });
  });
  return cells;
}

const hourLabels = () => [0, 6, 12, 18, 23].map((hour) => svg('text', {
  x: LEFT + hour * PITCH + CELL / 2, y: 7 * PITCH + 13, 'text-anchor': 'middle', class: 'axis-text',
}, String(hour).padStart(2, '0')));

/** @param {Measure} measure */
function legendKeys(measure) {
  const names = measure === 'lost'
    ? ['under 0.1 %', ...COLOUR_STEPS.lost.map((s) => `≥ ${s}`)]
    : ['usual', ...COLOUR_STEPS.latency.map((s) => `≥ ${s}×`)];
  return [
    ...names.map((name, i) => h('span', { class: `heat-key heat-key-${i}` }, name)),
    h('span', { class: 'heat-key heat-key-outage' }, 'no reply'),
    h('span', { class: 'key key-not_measured' }, 'not measured'),
  ];
}

/** @param {App} app */
export function heatCard(app) {
  const measures = chips('Heat map of', [['lost', 'Lost pings'], ['latency', 'Latency']], app.view.heat,
    (heat) => app.go({ heat: heat === 'latency' ? 'latency' : 'lost' }, true));
  const map = h('div', null);
  const legend = h('div', { class: 'heat-legend third small', 'aria-hidden': 'true' });
  const words = h('p', { class: 'third small' });
  const reading = h('p', { class: 'third small reading' });
  /** @type {Bin[][] | null} */
  let bins = null;
  let span = '';
  let note = '';

  const draw = () => {
    if (!bins) return;
    const measure = app.view.heat;
    setPressed(measures, measure);
    const text = summary(bins, measure, span);
    const viewBox = `0 0 ${LEFT + 24 * PITCH} ${7 * PITCH + 16}`;
    put(map, svg('svg', { viewBox, class: 'heat', role: 'img', 'aria-label': text },
      ...drawCells(bins, measure, (cell) => put(reading, cell)), ...hourLabels()));
    put(legend, ...legendKeys(measure));
    put(words, `${text}${note}`);
    put(reading);
  };
  return {
    element: h('section', { class: 'card part' },
      h('div', { class: 'head' },
        h('h2', null, explained('week', 'By hour of the week')), measures),
      map, legend, words, reading),
    /** @param {Hours | null} hours @param {TimeRange} own what they cover @param {TimeRange} range that is chosen */
    show(hours, own, range) {
      if (!hours) return;
      const length = own.to - own.from;
      note = '';
      if (own.from > range.from) note = ' Earlier hours are left out here.';
      if (own.from < range.from) {
        note = ` Hours since ${dayText(own.from)} ${year(own.from)}, longer than the range, so that each occurs often.`;
      }
      bins = binByWeekHour(hours.columns);
      span = length > 5400 * 24 ? `${Math.round(length / 86400)} days` : duration(length);
      draw();
    },
    redraw: draw,
  };
}
