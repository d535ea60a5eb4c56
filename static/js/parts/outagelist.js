// Outages as a table: each with its cause, its details on click, and a link to the charts of its time.
import { CAUSE_WORDS, PATH_STEPS, causeOf, isHostOutage, nameOf } from '../data/cause.js';
import { duration, moment, seconds } from '../data/time.js';
import { writeView } from '../data/view.js';
import { h, runningDuration, svg, table } from '../dom.js';
import { details } from './outagedetails.js';

/** @type {Record<string, string>} */
const EVENT_WORDS = { dns: 'name not resolved', intermittent: 'intermittent' };

/** @param {Outage} o @param {number} now Unix seconds @returns {number} seconds */
export const outageSeconds = (o, now) => o.duration_seconds ?? (seconds(o.end_time) || now) - seconds(o.start_time);

/** Links to the host's charts, with at least an hour before and after. @param {Outage} o
 * @param {number} now Unix seconds */
function linkTo(o, now) {
  const from = seconds(o.start_time);
  const to = seconds(o.end_time) || now;
  const margin = Math.max(3600, to - from);
  const range = { from: from - margin, to: Math.min(now, to + margin) };
  return writeView({ page: 'host', host: o.host_address, range: 'custom', ...range });
}

const NODES = [5, 22, 39, 56, 73];

/** The path to the hosts in small: the square is where it broke, beyond it nothing could be judged.
 * @param {Cause} cause @returns {SVGSVGElement} */
export function pathGlyph(cause) {
  const at = PATH_STEPS.findIndex(([step]) => step === cause);
  const broken = NODES[at] ?? 0;
  return svg('svg', { viewBox: '0 0 78 12', width: 78, height: 12, 'aria-hidden': 'true', class: 'glyph' },
    svg('path', { d: `M5 6H${broken}`, class: 'path-line' }),
    svg('path', { d: `M${broken || 5} 6H73`, class: 'path-line unjudged' }),
    ...NODES.map((x, i) => (i === at
      ? svg('rect', { x: x - 5, y: 1, width: 10, height: 10, rx: 1.5, class: 'fill-down' })
      : svg('circle', { cx: x, cy: 6, r: 3, class: i < at ? 'fill-up' : 'hollow' }))),
    at >= 0 && svg('path', { d: `M${broken - 2} 4l4 4M${broken + 2} 4l-4 4`, class: 'cross' }));
}

/** The outages whose details are open, by id; kept here so that a new list leaves them open. @type {Set<number>} */
const open = new Set();

/** @param {Outage} o @param {number} now Unix seconds @param {string} began @param {number} columns
 * @param {() => HTMLTableRowElement} row */
function detailsToggle(o, now, began, columns, row) {
  const more = () => h('tr', { class: 'detail', id: `outage-${o.id}` }, h('td', { colspan: columns }, details(o, now)));
  const button = h('button', {
    type: 'button', class: 'button more', 'aria-expanded': String(open.has(o.id)), 'aria-controls': `outage-${o.id}`,
    'aria-label': `Details: ${nameOf(o)}, ${began}`,
    onclick: () => {
      if (open.delete(o.id)) row().nextElementSibling?.remove();
      else {
        open.add(o.id);
        row().after(more());
      }
      button.setAttribute('aria-expanded', String(open.has(o.id)));
    },
  });
  return { button, more };
}

/** @param {Outage} o @param {number} now Unix seconds @param {boolean} withHost whether the host is a column
 * @param {string} [more] what else to say of it
 * @returns {HTMLTableRowElement[]} the row, and its details if they are open */
export function rowsOf(o, now, withHost, more) {
  const began = moment(seconds(o.start_time), now);
  const cause = causeOf(o);
  const note = [more, o.planned && 'planned', EVENT_WORDS[o.event_type]].filter(Boolean).join(', ');
  const hasCharts = isHostOutage(o) || o.event_type === 'dns';
  const toggle = detailsToggle(o, now, began, withHost ? 6 : 4, () => row);
  const row = h('tr', { class: o.end_time ? null : 'running' },
    h('td', { class: withHost ? 'when' : null }, hasCharts ? h('a', { href: linkTo(o, now) }, began) : began,
      !withHost && note && h('span', { class: 'third' }, ` ${note}`)),
    withHost && h('td', null, o.event_type === 'link_down' ? 'This machine’s link' : nameOf(o), ' ',
      h('span', { class: 'third' }, note ? `${o.host_address}, ${note}` : o.host_address)),
    h('td', { class: 'when' },
      o.end_time ? duration(outageSeconds(o, now)) : runningDuration(seconds(o.start_time), now),
      !o.end_time && h('span', { class: withHost ? 'phone-only' : null }, ' so far')),
    withHost && h('td', { class: 'wide-only when' },
      o.end_time ? moment(seconds(o.end_time), now) : h('span', { class: 'text-down' }, 'still down')),
    h('td', { class: 'cause' }, pathGlyph(cause), ' ', CAUSE_WORDS[cause]),
    h('td', { class: 'number' }, toggle.button));
  return open.has(o.id) ? [row, toggle.more()] : [row];
}

/** Of one host, ongoing outages first. @param {Outage[]} outages newest first @param {number} now Unix seconds */
export function outageTable(outages, now) {
  const ordered = [...outages.filter((o) => !o.end_time), ...outages.filter((o) => o.end_time)];
  return table('Outages', [['Began'], ['Lasted'], ['Cause'], [h('span', { class: 'unseen' }, 'Details')]],
    ordered.flatMap((o) => rowsOf(o, now, false)));
}
