// Colours and hatch patterns for the canvas. The colours, light and dark, are those of style.css.

/** @type {Map<string, string>} */
const colours = new Map();
/** @type {Map<string, CanvasPattern>} */
const patterns = new Map();

/** @param {string} name as in style.css, without the two dashes @returns {string} */
export function colour(name) {
  const known = colours.get(name);
  if (known) return known;
  const value = getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
  colours.set(name, value);
  return value;
}

/** Lines that fall for down and rise for not measured, dots for degraded, dashes for poor.
 * @param {CanvasRenderingContext2D} context @param {State} state */
export function hatch(context, state) {
  const known = patterns.get(state);
  if (known) return known;
  const size = state === 'degraded' || state === 'poor' ? 4 : 6;
  const tile = document.createElement('canvas');
  tile.width = size;
  tile.height = size;
  const c = /** @type {CanvasRenderingContext2D} */ (tile.getContext('2d'));
  c.strokeStyle = c.fillStyle = colour(state);
  if (state === 'degraded') c.fillRect(1, 1, 1, 1);
  else if (state === 'poor') c.fillRect(0, 1, 3, 1);
  else {
    const [start, end, outside] = state === 'down' ? [0, size, 1] : [size, 0, -1];
    c.lineWidth = state === 'down' ? 1.8 : 1;
    c.beginPath();
    // Lines of the neighbouring tiles reach into this one.
    for (const shift of [-size, 0, size]) {
      c.moveTo(shift - 1, start - outside);
      c.lineTo(shift + size + 1, end + outside);
    }
    c.stroke();
  }
  const pattern = /** @type {CanvasPattern} */ (context.createPattern(tile, 'repeat'));
  patterns.set(state, pattern);
  return pattern;
}

/** Also when the page is printed: paper gets the light colours. @param {() => void} redraw */
export function onSchemeChange(redraw) {
  const change = () => {
    colours.clear();
    patterns.clear();
    redraw();
  };
  for (const query of ['(prefers-color-scheme: dark)', '(forced-colors: active)', 'print']) {
    matchMedia(query).addEventListener('change', change);
  }
  addEventListener('theme', change);
  document.getElementById('dark')?.addEventListener('load', change);
}

export const FONT = '12px system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif';
