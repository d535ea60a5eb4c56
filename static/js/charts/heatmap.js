// The week by the hour, calm to bad, with a sentence that says what it shows.
import { chips, h, press, put, svg } from '../dom.js';
import { percent, usAsMs } from '../data/format.js';
import { STEPS, WEEK, sentence, stepOf, usualLatency, valueOf, week } from '../data/week.js';
import { duration } from '../data/time.js';

const CELL = 17;
const GAP = 2;
const LEFT = 34;

/** @param {App} app @returns {{element: HTMLElement, show: (hours: Hours | null, length: number, isShortened: boolean) => void, redraw: () => void}} length in seconds; shortened: the range began earlier */
export function heatCard(app) {
  const measures = chips('Heat map of', [['lost', 'Lost pings'], ['latency', 'Latency']], app.view.heat, (heat) => app.go({ heat: heat === 'latency' ? 'latency' : 'lost' }, true));
  const map = h('div', null);
  const legend = h('div', { class: 'heat-legend third small', 'aria-hidden': 'true' });
  const words = h('p', { class: 'third small' });
  const reading = h('p', { class: 'third small reading' });
  /** @type {Bin[][] | null} */
  let bins = null;
  let span = '';
  let rest = '';

  const draw = () => {
    if (!bins) return;
    const measure = app.view.heat;
    press(measures, measure);
    const usual = usualLatency(bins);
    /** @type {SVGElement[]} */
    const cells = [];
    bins.forEach((row, d) => {
      cells.push(svg('text', { x: 0, y: d * (CELL + GAP) + 13, class: 'axis-text' }, WEEK[d]));
      row.forEach((bin, hour) => {
        const value = valueOf([bin], measure);
        const step = stepOf(value, measure, usual);
        const [x, y] = [LEFT + hour * (CELL + GAP), d * (CELL + GAP)];
        const said = value === null ? 'not measured' : measure === 'lost' ? `${percent(value)} % lost of ${bin.sent} pings` : `median ${usAsMs(value)} ms`;
        const cell = svg('rect', { x, y, width: CELL, height: CELL, rx: 2, class: step < 0 ? 'heat-none' : `heat-${step}`, fill: step < 0 ? 'url(#rising)' : null });
        cell.addEventListener('pointerenter', () => put(reading, `${WEEK[d]} ${hour} to ${hour + 1}: ${said}`));
        cells.push(cell);
        if (step >= 3) cells.push(svg('circle', { cx: x + CELL / 2, cy: y + CELL / 2, r: step === 4 ? 3 : 1.8, class: 'heat-dot' }));
      });
    });
    for (const hour of [0, 6, 12, 18, 23]) cells.push(svg('text', { x: LEFT + hour * (CELL + GAP) + CELL / 2, y: 7 * (CELL + GAP) + 13, 'text-anchor': 'middle', class: 'axis-text' }, String(hour).padStart(2, '0')));
    const text = sentence(bins, measure, span);
    put(map, svg('svg', { viewBox: `0 0 ${LEFT + 24 * (CELL + GAP)} ${7 * (CELL + GAP) + 16}`, class: 'heat', role: 'img', 'aria-label': text }, ...cells));
    const names = measure === 'lost' ? ['under 0.1 %', ...STEPS.lost.map((s) => `≥ ${s}`)] : ['usual', ...STEPS.latency.map((s) => `≥ ${s}×`)];
    put(legend, ...names.map((name, i) => h('span', { class: `heat-key heat-key-${i}` }, name)), h('span', { class: 'key key-not_measured' }, 'not measured'));
    put(words, `${text}${rest}`);
    put(reading);
  };
  return {
    element: h('section', { class: 'card part' }, h('div', { class: 'head' }, h('h2', null, 'When it is bad'), measures), map, legend, words, reading),
    show(hours, length, isShortened) {
      if (!hours) return;
      rest = isShortened ? ' What lies before is left out here.' : '';
      bins = week(hours.columns);
      span = length > 5400 * 24 ? `${Math.round(length / 86400)} days` : duration(length);
      draw();
    },
    redraw: draw,
  };
}
