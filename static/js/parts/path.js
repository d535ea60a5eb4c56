// Where it breaks: link, gateway, provider, DNS, hosts. The shape is now, the grey bar the down time in 90 days.
import { wayNow } from '../data/cause.js';
import { h, put } from '../dom.js';
import { plural } from '../data/format.js';
import { shape } from '../charts/shapes.js';
import { duration } from '../data/time.js';

/** @returns {{element: HTMLElement, update: (app: App) => void}} */
export function pathFigure() {
  const list = h('ol', { class: 'path' });
  const rest = h('p', { class: 'third small', hidden: true });
  const element = h('section', { class: 'card path-card', 'aria-label': 'Where it breaks', hidden: true },
    h('div', { class: 'head' }, h('h2', null, 'Where it breaks'), h('span', { class: 'third small wide-only' }, 'now, and down time by cause in 90 days')), list, rest);
  let drawn = '';

  /** @param {Share} share @param {number} most seconds */
  const past = (share, most) => {
    const fill = h('div', null);
    fill.style.width = `${most ? (100 * share.down_seconds) / most : 0}%`;
    const times = share.outages ? plural(share.outages, 'outage') : 'no outage';
    return [h('p', { class: 'small second wide-only' }, h('b', null, duration(share.down_seconds)), ` down, ${times}`), h('div', { class: 'share wide-only', 'aria-hidden': 'true' }, fill)];
  };

  return {
    element,
    update(app) {
      const line = app.overview?.line;
      const running = app.status?.monitor?.running ?? false;
      element.hidden = !line || !app.entries.length;
      if (!line) return;
      const steps = wayNow(running ? app.active : [], app.entries);
      const key = JSON.stringify([steps, line]);
      if (key === drawn) return;
      drawn = key;
      const most = Math.max(...steps.map((s) => line[s.cause].down_seconds));
      // What passes a place shows that the way to it is whole, though nobody watches it.
      const isWhole = steps.map((s, i) => steps.slice(i).some((later) => later.state === 'up' || later.state === 'degraded') || (s.state === 'down' && steps[i - 1]?.state !== 'not_measured'));
      put(list, ...steps.map((s, i) => h('li', { class: isWhole[i] ? 'step' : 'step unjudged' }, h('span', { class: 'node' }, shape(s.state, 18)),
        h('p', null, h('b', null, s.name), ' ', h('span', { class: `text-${s.state}` }, s.word)), h('p', { class: 'small third wide-only', title: s.detail }, s.detail || '–'), ...past(line[s.cause], most))));
      const { unknown } = line;
      rest.hidden = !unknown.outages;
      put(rest, `${duration(unknown.down_seconds)} down in ${plural(unknown.outages, 'outage')} without a known cause.`);
    },
  };
}
