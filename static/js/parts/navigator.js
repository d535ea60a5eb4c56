// The strip of 90 days above the charts of a host: a frame marks the range that is shown, a click opens a day.
import { strip } from '../charts/shapes.js';
import { dayStart } from '../data/days.js';
import { startOfDay } from '../data/time.js';
import { h, put } from '../dom.js';

/** @param {App} app */
export function navigator(app) {
  const frame = h('div', { class: 'frame' });
  const bars = h('div', { class: 'bars' });
  const element = h('div', { class: 'navigator' },
    h('div', { class: 'line-head third small', 'aria-hidden': 'true' },
      h('span', null, '90 days'), h('span', null, 'today')),
    h('div', { class: 'track' }, bars, frame));
  /** @type {Days | null} */
  let drawn = null;
  bars.addEventListener('click', (e) => {
    const box = bars.getBoundingClientRect();
    if (!app.overview || !box.width) return;
    const index = Math.floor(((e.clientX - box.left) / box.width) * app.overview.days);
    const from = dayStart(app.overview.first_day, index);
    app.go({ range: 'custom', from, to: Math.min(app.now(), startOfDay(from, 1)) });
  });
  return {
    element,
    /** @param {string} address @param {number} from @param {number} to Unix seconds */
    update(address, from, to) {
      const days = app.overview?.hosts.find((o) => o.host_address === address)?.days ?? null;
      element.hidden = !days;
      if (!days || !app.overview) return;
      if (days !== drawn) put(bars, strip(days, 'Last 90 days', 6, 24));
      drawn = days;
      const start = dayStart(app.overview.first_day, 0);
      const end = dayStart(app.overview.first_day, app.overview.days);
      const left = Math.max(0, (from - start) / (end - start));
      const right = Math.min(1, (to - start) / (end - start));
      frame.hidden = right <= 0;
      frame.style.left = `${Math.min(left * 100, 99)}%`;
      frame.style.width = `${Math.max(1, (right - left) * 100)}%`;
    },
  };
}
