// Turns zooming and panning into another range in the URL, and remembers the earlier ranges.
import { panned, rangeOf, zoomed } from '../data/view.js';

/** @type {{range: string, from: number, to: number}[]} */
const past = [];
const MAX_PAST = 50;

/** @param {App} app @param {() => TimeRange} shown @returns {Pick<ChartActions, 'range' | 'back' | 'pan' | 'zoom'>} */
export function zoomActions(app, shown) {
  const remember = () => {
    const { range, from, to } = app.view;
    past.push({ range, from, to });
    if (past.length > MAX_PAST) past.shift();
  };
  return {
    range(from, to) {
      remember();
      const length = Math.max(to - from, 300);
      const middle = (from + to) / 2;
      app.go({ range: 'custom', from: middle - length / 2, to: middle + length / 2 });
    },
    back() {
      const last = past.pop();
      if (last) app.go(last);
      else if (app.view.range === 'custom') app.go({ range: '24h' });
    },
    pan(share) {
      app.go(rangeOf(panned(shown(), share, app.now()), app.now()), true);
    },
    zoom(factor) {
      remember();
      app.go(rangeOf(zoomed(shown(), factor, app.now()), app.now()), true);
    },
  };
}
