// Several canvases over one time axis: drawing frame, crosshair, drag, keys, and the picture of it all.
// What a pane shows is its own affair: success.js, latency.js, several.js.
import { h } from '../dom.js';
import { FONT, colour } from './colours.js';
import { linear } from '../data/scale.js';
import { timeTicks } from '../data/time.js';

const AXIS_HEIGHT = 28;
// A shorter drag is a click with an unsteady hand.
const LEAST_DRAG = 6;

/** Says how the charts are used; they refer to it. */
export const keysHint = () => h('p', { class: 'third small foot keys', id: 'chart-keys' }, 'Drag to zoom, double-click to go back, arrow keys to move, + and - to zoom, Shift and arrow keys to read values.');

/** @param {HTMLCanvasElement} canvas @param {number} width @param {number} height @returns {CanvasRenderingContext2D} in CSS pixels */
function prepare(canvas, width, height) {
  const density = window.devicePixelRatio || 1;
  canvas.width = Math.round(width * density);
  canvas.height = Math.round(height * density);
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext('2d'));
  context.scale(density, density);
  context.font = FONT;
  return context;
}

/** @param {Frame} frame @param {boolean} labels */
function drawTime(frame, labels) {
  const { context: c, left, right, height, x } = frame;
  c.lineWidth = 1;
  c.textAlign = 'center';
  c.textBaseline = 'top';
  let free = -Infinity;
  for (const tick of timeTicks(frame.from, frame.to, (right - left) / (right - left < 560 ? 70 : 110))) {
    const place = Math.round(x(tick.t)) + 0.5;
    if (!labels) {
      c.strokeStyle = colour('grid');
      c.beginPath();
      c.moveTo(place, 0);
      c.lineTo(place, height);
      c.stroke();
      continue;
    }
    c.font = tick.strong ? FONT.replace('12px', '600 12px') : FONT;
    const half = c.measureText(tick.text).width / 2;
    const at = Math.min(Math.max(place, half), right + 40 - half);
    if (at - half < free) continue;
    free = at + half + 8;
    c.fillStyle = colour(tick.strong ? 'ink' : 'third');
    c.fillText(tick.text, at, 8);
  }
}

/** @param {string} label what the charts show, for a screen reader @param {Pane[]} panes @param {Wishes} wishes @param {number} [margin] pixels at the right, for names */
export function createChart(label, panes, wishes, margin = 76) {
  let span = { from: 0, to: 1 };
  /** @type {number | null} */
  let pointed = null;
  /** @type {{id: number, start: number, x: number} | null} */
  let drag = null;

  const plots = [...panes, { head: null, height: AXIS_HEIGHT, label: '', draw: (/** @type {Frame} */ f) => drawTime(f, true) }].map((pane) => {
    const canvas = h('canvas', { 'aria-hidden': 'true' });
    const cursor = h('div', { class: 'cursor', hidden: true });
    const selection = h('div', { class: 'selection', hidden: true });
    const box = h('div', { class: 'plot' }, canvas, cursor, selection);
    canvas.style.height = `${pane.height}px`;
    return { pane, canvas, cursor, selection, box };
  });
  const element = h('div', { class: 'chart', tabindex: 0, role: 'application', 'aria-roledescription': 'chart', 'aria-label': label, 'aria-describedby': 'chart-keys' },
    ...plots.flatMap((p) => [p.pane.head, p.box]));
  const first = plots[0].box;

  const edges = () => {
    const width = first.clientWidth || 600;
    return width < 560 ? { left: 42, right: width - 10, width } : { left: 48, right: width - margin, width };
  };
  const scale = () => {
    const { left, right } = edges();
    return linear(span.from, span.to, left, right);
  };
  /** @param {number} px @returns {number} Unix seconds */
  const timeAt = (px) => {
    const { left, right } = edges();
    return Math.min(span.to, Math.max(span.from, linear(left, right, span.from, span.to)(px)));
  };

  const draw = () => {
    const { left, right, width } = edges();
    for (const { pane, canvas } of plots) {
      const context = prepare(canvas, width, pane.height);
      const frame = { context, left, right, height: pane.height, x: scale(), from: span.from, to: span.to };
      if (pane.label) drawTime(frame, false);
      pane.draw(frame);
    }
    place();
  };
  const place = () => {
    for (const { cursor } of plots) {
      cursor.hidden = pointed === null || pointed < span.from || pointed > span.to;
      if (pointed !== null) cursor.style.transform = `translateX(${scale()(pointed)}px)`;
    }
  };
  /** @param {number | null} t @param {boolean} spoken */
  const point = (t, spoken) => {
    pointed = t;
    place();
    wishes.point(t, spoken);
  };

  /** @param {PointerEvent} e */
  const at = (e) => e.clientX - first.getBoundingClientRect().left;
  for (const { box } of plots) {
    box.addEventListener('pointerdown', (e) => {
      if (e.button !== 0) return;
      drag = { id: e.pointerId, start: at(e), x: at(e) };
      box.setPointerCapture(e.pointerId);
    });
    box.addEventListener('pointermove', (e) => {
      const x = at(e);
      if (drag) {
        drag.x = x;
        const { left, right } = edges();
        const [a, b] = [Math.max(left, Math.min(drag.start, x)), Math.min(right, Math.max(drag.start, x))];
        for (const { selection } of plots) {
          selection.hidden = b - a < LEAST_DRAG;
          selection.style.left = `${a}px`;
          selection.style.width = `${Math.max(0, b - a)}px`;
        }
      }
      point(timeAt(x), false);
    });
    box.addEventListener('pointerup', () => {
      const done = drag;
      stopDrag();
      if (done && Math.abs(done.x - done.start) >= LEAST_DRAG) wishes.range(timeAt(Math.min(done.start, done.x)), timeAt(Math.max(done.start, done.x)));
    });
    box.addEventListener('pointercancel', () => stopDrag());
    box.addEventListener('dblclick', () => wishes.back());
  }
  const stopDrag = () => {
    drag = null;
    for (const { selection } of plots) selection.hidden = true;
  };
  element.addEventListener('pointerleave', (e) => {
    // A finger leaves whenever it is lifted; what it pointed at stays readable.
    if (e.pointerType === 'mouse') point(null, false);
  });
  element.addEventListener('keydown', (e) => {
    if (e.target !== element || e.ctrlKey || e.altKey || e.metaKey) return;
    const sign = e.key === 'ArrowLeft' ? -1 : 1;
    if (e.key === 'ArrowLeft' || e.key === 'ArrowRight') {
      if (e.shiftKey) point(wishes.step(pointed ?? span.to, sign), true);
      else wishes.pan(sign / 4);
    } else if (e.key === '+' || e.key === '=') wishes.zoom(0.5);
    else if (e.key === '-') wishes.zoom(2);
    else if (e.key === 'Escape') {
      if (pointed === null) wishes.back();
      else point(null, false);
    } else return;
    e.preventDefault();
  });
  const watch = new ResizeObserver(() => draw());
  watch.observe(first);

  return {
    element,
    /** @param {number} from @param {number} to Unix seconds */
    show(from, to) {
      span = { from, to };
      draw();
    },
    draw,
    close: () => watch.disconnect(),
    /** @param {string} title @returns {Promise<Blob>} PNG of the charts with their heads as text */
    picture(title) {
      const { width } = edges();
      const headHeight = 26;
      const total = plots.reduce((sum, p) => sum + p.pane.height + (p.pane.label ? headHeight : 0), 56);
      const canvas = h('canvas', null);
      const c = prepare(canvas, width + 32, total);
      c.fillStyle = colour('surface');
      c.fillRect(0, 0, width + 32, total);
      c.textBaseline = 'middle';
      c.fillStyle = colour('ink');
      c.font = FONT.replace('12px', '600 15px');
      c.fillText(title, 16, 24);
      c.font = FONT;
      let y = 44;
      for (const p of plots) {
        if (p.pane.label) {
          c.fillText(p.pane.label, 16, y + headHeight / 2);
          y += headHeight;
        }
        c.drawImage(p.canvas, 16, y, width, p.pane.height);
        y += p.pane.height;
      }
      return new Promise((done, fail) => canvas.toBlob((blob) => (blob ? done(blob) : fail(new Error('no picture'))), 'image/png'));
    },
  };
}
