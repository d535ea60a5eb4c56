// What the reader does on a chart becomes another range in the URL; the way back is remembered.
import { moved, rangeOf, zoomed } from '../data/view.js';

/** @type {{range: string, from: number, to: number}[]} */
const past = [];

/** @param {App} app @param {() => Extent} shown @returns {Pick<Wishes, 'range' | 'back' | 'pan' | 'zoom'>} */
export function zoomWishes(app, shown) {
  const remember = () => {
    const { range, from, to } = app.view;
    past.push({ range, from, to });
    if (past.length > 50) past.shift();
  };
  return {
    range(from, to) {
      remember();
      const least = Math.max(to - from, 300);
      const middle = (from + to) / 2;
      app.go({ range: 'custom', from: middle - least / 2, to: middle + least / 2 });
    },
    back() {
      const last = past.pop();
      if (last) app.go(last);
      else if (app.view.range === 'custom') app.go({ range: '24h' });
    },
    pan(share) {
      app.go(rangeOf(moved(shown(), share, app.now()), app.now()), true);
    },
    zoom(factor) {
      remember();
      app.go(rangeOf(zoomed(shown(), factor, app.now()), app.now()), true);
    },
  };
}
