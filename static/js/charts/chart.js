// Several canvases over one time axis: frame, crosshair, zoom by dragging, keys, and all of it as one picture.
// What a pane shows is drawn in panes.js and overlay.js.
import { linear } from '../data/scale.js';
import { DAY_SECONDS, clockChanges, offsetText, timeTicks } from '../data/time.js';
import { chips, h } from '../dom.js';
import { FONT, colour } from './colours.js';

const AXIS_HEIGHT = 28;
// A shorter drag counts as a click.
const MIN_DRAG_PIXELS = 6;
// A narrower chart has less room at its sides, and fewer ticks.
const NARROW_PIXELS = 560;

/** How to use the charts; each chart refers to this text. */
export const keysHint = () => h('p', { class: 'third small foot', id: 'chart-keys' },
  h('span', { class: 'touch' }, 'Touch a chart to read its values, drag sideways to zoom, tap twice to go back. '),
  h('span', { class: 'keys' }, 'Drag to zoom, double-click to go back, arrow keys to move, + and - to zoom, '
    + 'Shift and arrow keys to read values.'));

/** Buttons for the scale of the latency axis. @param {App} app */
export const scaleChips = (app) => chips('Scale of latency', [['log', 'Log'], ['linear', 'Linear']], app.view.scale,
  (scale) => app.go({ scale: scale === 'linear' ? 'linear' : 'log' }, true));

/** @param {HTMLCanvasElement} canvas @param {number} width @param {number} height in CSS pixels */
function prepareCanvas(canvas, width, height) {
  const density = window.devicePixelRatio || 1;
  canvas.width = Math.round(width * density);
  canvas.height = Math.round(height * density);
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext('2d'));
  context.scale(density, density);
  context.font = FONT;
  return context;
}

/** @param {Frame} frame */
function ticksOf({ left, right, from, to }) {
  return timeTicks(from, to, (right - left) / (right - left < NARROW_PIXELS ? 70 : 110));
}

/** Where daylight saving time begins or ends. @param {Frame} frame */
function changesOf(frame) {
  const what = frame.to - frame.from <= 7 * DAY_SECONDS ? 'clock change, ' : '';
  return clockChanges(frame).map((t) => ({ t, strong: true, text: what + offsetText(t) }));
}

/** Vertical lines at the ticks, dashed at a clock change. @param {Frame} frame */
function drawGrid(frame) {
  const { context: c, height, x } = frame;
  c.lineWidth = 1;
  /** @param {number} t */
  const line = (t) => {
    const at = Math.round(x(t)) + 0.5;
    c.beginPath();
    c.moveTo(at, 0);
    c.lineTo(at, height);
    c.stroke();
  };
  c.strokeStyle = colour('grid');
  for (const tick of ticksOf(frame)) line(tick.t);
  c.strokeStyle = colour('third');
  c.setLineDash([4, 4]);
  for (const change of changesOf(frame)) line(change.t);
  c.setLineDash([]);
}

/** The labels of clock changes and of ticks; one that would overlap an earlier one is left out.
 * @param {Frame} frame */
function drawTimeAxis(frame) {
  const { context: c, right, x } = frame;
  c.textAlign = 'center';
  c.textBaseline = 'top';
  /** @type {[number, number][]} */
  const taken = [];
  for (const tick of [...changesOf(frame), ...ticksOf(frame)]) {
    c.font = tick.strong ? FONT.replace('12px', '600 12px') : FONT;
    const half = c.measureText(tick.text).width / 2;
    const at = Math.min(Math.max(Math.round(x(tick.t)) + 0.5, half), right + 40 - half);
    if (taken.some(([from, to]) => at - half < to + 8 && at + half + 8 > from)) continue;
    taken.push([at - half, at + half]);
    c.fillStyle = colour(tick.strong ? 'ink' : 'third');
    c.fillText(tick.text, at, 8);
  }
}

/** @typedef {ReturnType<typeof createPlot>} Plot */

/** @param {Pane} pane */
function createPlot(pane) {
  const canvas = h('canvas', { 'aria-hidden': 'true' });
  const cursor = h('div', { class: 'cursor', hidden: true });
  const selection = h('div', { class: 'selection', hidden: true });
  const box = h('div', { class: 'plot' }, canvas, cursor, selection);
  canvas.style.height = `${pane.height}px`;
  return { pane, canvas, cursor, selection, box };
}

/**
 * @param {string} label what the charts show, for a screen reader
 * @param {Pane[]} panes
 * @param {ChartActions} actions
 * @param {number} [margin] pixels at the right, for names
 */
export function createChart(label, panes, actions, margin = 76) {
  let span = { from: 0, to: 1 };
  const plots = [...panes, { head: null, height: AXIS_HEIGHT, label: '', draw: drawTimeAxis }].map(createPlot);
  const element = h('div', {
    class: 'chart', tabindex: 0, role: 'application', 'aria-roledescription': 'chart', 'aria-label': label,
    'aria-describedby': 'chart-keys',
  }, ...plots.flatMap((p) => [p.pane.head, p.box]));
  const first = plots[0].box;

  const edges = () => {
    const width = first.clientWidth || 600;
    const isNarrow = width < NARROW_PIXELS;
    return { left: isNarrow ? 42 : 48, right: width - (isNarrow ? 10 : margin), width };
  };
  const scale = () => {
    const { left, right } = edges();
    return linear(span.from, span.to, left, right);
  };
  /** @param {number} x pixels @returns {number} Unix seconds */
  const timeAt = (x) => {
    const { left, right } = edges();
    return Math.min(span.to, Math.max(span.from, linear(left, right, span.from, span.to)(x)));
  };
  const cursor = createCursor(plots, actions, () => span, scale);
  const draw = () => {
    const { left, right, width } = edges();
    for (const { pane, canvas } of plots) {
      const context = prepareCanvas(canvas, width, pane.height);
      const frame = { context, left, right, height: pane.height, x: scale(), from: span.from, to: span.to };
      if (pane.label) drawGrid(frame);
      pane.draw(frame);
    }
    cursor.place();
  };
  listenToPointer({ plots, edges, timeAt, cursor, actions });
  element.addEventListener('pointerleave', (e) => {
    // A finger leaves whenever it is lifted; the values that it pointed at stay readable.
    if (e.pointerType === 'mouse') cursor.point(null, false);
  });
  listenToKeys(element, cursor, actions);
  const observer = new ResizeObserver(draw);
  observer.observe(first);

  return {
    element,
    /** @param {number} from @param {number} to Unix seconds */
    show(from, to) {
      span = { from, to };
      draw();
    },
    draw,
    close: () => observer.disconnect(),
    /** @param {string} title */
    picture: (title) => picture(title, plots, edges().width),
  };
}

/** The crosshair: one vertical line through all plots. @param {Plot[]} plots @param {ChartActions} actions
 * @param {() => TimeRange} span @param {() => Scale} scale */
function createCursor(plots, actions, span, scale) {
  /** @type {number | null} Unix seconds */
  let pointed = null;
  const place = () => {
    const { from, to } = span();
    for (const { cursor } of plots) {
      cursor.hidden = pointed === null || pointed < from || pointed > to;
      if (pointed !== null) cursor.style.transform = `translateX(${scale()(pointed)}px)`;
    }
  };
  return {
    place,
    isShown: () => pointed !== null,
    /** @param {number | null} t @param {boolean} isSpoken */
    point(t, isSpoken) {
      pointed = t;
      place();
      actions.point(t, isSpoken);
    },
    /** To the next or previous point. @param {number} by */
    step(by) {
      this.point(actions.step(pointed ?? span().to, by), true);
    },
  };
}

/** @typedef {ReturnType<typeof createCursor>} Cursor */

/**
 * Pointing moves the cursor, dragging zooms in, a double click goes back.
 * @param {{
 *   plots: Plot[], edges: () => {left: number, right: number}, timeAt: (x: number) => number,
 *   cursor: Cursor, actions: ChartActions,
 * }} chart
 */
function listenToPointer({ plots, edges, timeAt, cursor, actions }) {
  /** @type {{start: number, x: number} | null} pixels */
  let drag = null;
  /** @param {PointerEvent} e */
  const xOf = (e) => e.clientX - plots[0].box.getBoundingClientRect().left;
  /** @param {number} from @param {number} to pixels */
  const select = (from, to) => {
    const { left, right } = edges();
    const start = Math.max(left, Math.min(from, to));
    const end = Math.min(right, Math.max(from, to));
    for (const { selection } of plots) {
      selection.hidden = end - start < MIN_DRAG_PIXELS;
      selection.style.left = `${start}px`;
      selection.style.width = `${Math.max(0, end - start)}px`;
    }
  };
  const stopDrag = () => {
    drag = null;
    for (const { selection } of plots) selection.hidden = true;
  };
  for (const { box } of plots) {
    box.addEventListener('pointerdown', (e) => {
      if (e.button !== 0) return;
      drag = { start: xOf(e), x: xOf(e) };
      box.setPointerCapture(e.pointerId);
    });
    box.addEventListener('pointermove', (e) => {
      const x = xOf(e);
      if (drag) {
        drag.x = x;
        select(drag.start, x);
      }
      cursor.point(timeAt(x), false);
    });
    box.addEventListener('pointerup', () => {
      const done = drag;
      stopDrag();
      if (!done || Math.abs(done.x - done.start) < MIN_DRAG_PIXELS) return;
      actions.range(timeAt(Math.min(done.start, done.x)), timeAt(Math.max(done.start, done.x)));
    });
    box.addEventListener('pointercancel', stopDrag);
    box.addEventListener('dblclick', () => actions.back());
  }
}

/** @param {HTMLElement} element @param {Cursor} cursor @param {ChartActions} actions */
function listenToKeys(element, cursor, actions) {
  element.addEventListener('keydown', (e) => {
    if (e.target !== element || e.ctrlKey || e.altKey || e.metaKey) return;
    const sign = e.key === 'ArrowLeft' ? -1 : 1;
    if (e.key === 'ArrowLeft' || e.key === 'ArrowRight') {
      if (e.shiftKey) cursor.step(sign);
      else actions.pan(sign / 4);
    } else if (e.key === '+' || e.key === '=') actions.zoom(0.5);
    else if (e.key === '-') actions.zoom(2);
    else if (e.key === 'Escape') {
      if (cursor.isShown()) cursor.point(null, false);
      else actions.back();
    } else return;
    e.preventDefault();
  });
}

/** The plots with their labels as one picture. @param {string} title @param {Plot[]} plots
 * @param {number} width pixels @returns {Promise<Blob>} PNG */
function picture(title, plots, width) {
  const margin = 16;
  const headHeight = 26;
  const height = plots.reduce((sum, p) => sum + p.pane.height + (p.pane.label ? headHeight : 0), 56);
  const canvas = h('canvas', null);
  const c = prepareCanvas(canvas, width + 2 * margin, height);
  c.fillStyle = colour('surface');
  c.fillRect(0, 0, width + 2 * margin, height);
  c.textBaseline = 'middle';
  c.fillStyle = colour('ink');
  c.font = FONT.replace('12px', '600 15px');
  c.fillText(title, margin, 24);
  c.font = FONT;
  let y = 44;
  for (const { pane, canvas: plot } of plots) {
    if (pane.label) {
      c.fillText(pane.label, margin, y + headHeight / 2);
      y += headHeight;
    }
    c.drawImage(plot, margin, y, width, pane.height);
    y += pane.height;
  }
  return new Promise((done, fail) => {
    canvas.toBlob((blob) => (blob ? done(blob) : fail(new Error('no picture'))), 'image/png');
  });
}
