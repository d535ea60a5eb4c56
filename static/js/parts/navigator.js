// The strip of 90 days above the charts of a host: a frame marks the range that is shown, a click opens a day.
import { strip } from '../charts/shapes.js';
import { dayStart } from '../data/days.js';
import { h, put, whenReached } from '../dom.js';

/** @param {App} app */
export function navigator(app) {
  const frame = h('div', { class: 'frame' });
  const bars = h('div', {
    class: 'bars pickable', tabindex: 0, role: 'slider', 'aria-valuenow': 0,
    'aria-label': 'Days of 90, Enter shows the charts',
  });
  const element = h('div', { class: 'navigator' },
    h('div', { class: 'line-head third small', 'aria-hidden': 'true' },
      h('span', null, '90 days'), h('span', null, 'today')),
    h('div', { class: 'track' }, bars, frame));
  let host = '';
  /** @type {Days | null} */
  let drawn = null;
  whenReached(bars, () => import('./daypicker.js').then((m) =>
    m.pickHostDay(bars, app, () => host, (i) => m.openDay(app, {}, i), true)));
  return {
    element,
    /** @param {string} address @param {number} from @param {number} to Unix seconds */
    update(address, from, to) {
      host = address;
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
