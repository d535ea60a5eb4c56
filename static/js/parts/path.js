// The path to the hosts: link, gateway, provider, DNS, hosts. The shape is the state now, the grey bar the down time in
// 90 days.
import { shape } from '../charts/shapes.js';
import { pathNow } from '../data/cause.js';
import { plural } from '../data/format.js';
import { duration } from '../data/time.js';
import { writeView } from '../data/view.js';
import { h, put } from '../dom.js';

/** @param {CauseShare} share @param {number} max seconds */
function downTime(share, max) {
  const bar = h('div', null);
  bar.style.width = `${max ? (100 * share.down_seconds) / max : 0}%`;
  const outages = share.outages ? plural(share.outages, 'outage') : 'no outage';
  return [
    h('p', { class: 'small second wide-only' }, h('b', null, duration(share.down_seconds)), ` down, ${outages}`),
    h('div', { class: 'share wide-only', 'aria-hidden': 'true' }, bar),
  ];
}

/** Leads to the outages of a cause. @param {Cause} cause @param {string} text */
const outagesLink = (cause, text) => h('a', {
  href: writeView({ page: 'outages', cause }), 'aria-label': `${text}, its outages in 90 days`,
}, text);

/** Whether the path up to each step is known to work: a later step answers, or this step is known to be down.
 * @param {PathStep[]} steps */
function worksUpTo(steps) {
  return steps.map((s, i) => steps.slice(i).some((later) => ['up', 'degraded', 'poor'].includes(later.state))
    || (s.state === 'down' && steps[i - 1]?.state !== 'not_measured'));
}

/** @returns {{element: HTMLElement, update: (app: App) => void}} */
export function pathFigure() {
  const list = h('ol', { class: 'path' });
  const rest = h('p', { class: 'third small', hidden: true });
  const element = h('section', { class: 'card path-card', 'aria-label': 'Where it breaks', hidden: true },
    h('div', { class: 'head' }, h('h2', null, 'Where it breaks'),
      h('span', { class: 'third small wide-only' }, 'now, and down time by cause in 90 days')),
    list, rest);
  let drawn = '';
  return {
    element,
    update(app) {
      const line = app.overview?.line;
      element.hidden = !line || !app.entries.length;
      if (!line) return;
      const steps = pathNow(app.present === 'now' ? app.active : [], app.entries);
      const key = JSON.stringify([steps, line]);
      if (key === drawn) return;
      drawn = key;
      const max = Math.max(...steps.map((s) => line[s.cause].down_seconds));
      const works = worksUpTo(steps);
      put(list, ...steps.map((s, i) => h('li', { class: works[i] ? 'step' : 'step unjudged' },
        h('span', { class: 'node' }, shape(s.state, 18)),
        h('p', null, h('b', null, outagesLink(s.cause, s.name)), ' ', h('span', { class: `text-${s.state}` }, s.word)),
        h('p', { class: 'small third wide-only', title: s.detail }, s.detail || '–'),
        ...downTime(line[s.cause], max))));
      const { unknown } = line;
      rest.hidden = !unknown.outages;
      const outages = plural(unknown.outages, 'outage');
      const down = duration(unknown.down_seconds);
      put(rest, `${down} down in `, outagesLink('unknown', outages), ' without a known cause.');
    },
  };
}
