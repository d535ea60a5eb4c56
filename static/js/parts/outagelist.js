// Outages as a table, each with its cause, its details at a click, and the way to the charts of its time.
import { CAUSE_WORDS, STEPS, causeOf, isOfHost } from '../data/cause.js';
import { age, h, svg, table } from '../dom.js';
import { details } from './outagedetails.js';
import { duration, moment, seconds } from '../data/time.js';
import { writeView } from '../data/view.js';

const KINDS = /** @type {Record<string, string>} */ ({ dns: 'name not resolved', intermittent: 'intermittent' });

/** @param {Outage} o @param {number} now Unix seconds @returns {number} seconds */
export const lengthOf = (o, now) => o.duration_seconds ?? (seconds(o.end_time) || now) - seconds(o.start_time);

/** The host's page with an hour, or the outage's own length, on both sides. @param {Outage} o @param {number} now Unix seconds */
function linkTo(o, now) {
  const from = seconds(o.start_time);
  const to = seconds(o.end_time) || now;
  const room = Math.max(3600, to - from);
  return writeView({ page: 'host', host: o.host_address, range: 'custom', from: from - room, to: Math.min(now, to + room) });
}

const NODES = [5, 22, 39, 56, 73];

/** The way to the hosts in small: the square is where it broke, what lies beyond could not be judged. The word stands beside it.
 * @param {Cause} cause @returns {SVGSVGElement} */
export function glyph(cause) {
  const at = STEPS.findIndex(([step]) => step === cause);
  const broken = NODES[at] ?? 0;
  return svg('svg', { viewBox: '0 0 78 12', width: 78, height: 12, 'aria-hidden': 'true', class: 'glyph' },
    svg('path', { d: `M5 6H${broken}`, class: 'way' }), svg('path', { d: `M${broken || 5} 6H73`, class: 'way unjudged' }),
    ...NODES.map((x, i) => (i === at ? svg('rect', { x: x - 5, y: 1, width: 10, height: 10, rx: 1.5, class: 'fill-down' }) : svg('circle', { cx: x, cy: 6, r: 3, class: i < at ? 'fill-up' : 'hollow' }))),
    at >= 0 && svg('path', { d: `M${broken - 2} 4l4 4M${broken + 2} 4l-4 4`, class: 'cross' }));
}

/** Which outages are spread out; kept while the page is open, so that a new list leaves them as they are. @type {Set<number>} */
const open = new Set();

/** @param {Outage} o @param {number} now Unix seconds @param {boolean} hosts whether the host is a column @returns {HTMLTableRowElement[]} */
function rowsOf(o, now, hosts) {
  const began = moment(seconds(o.start_time), now);
  const cause = causeOf(o);
  const note = [o.planned && 'planned', KINDS[o.event_type]].filter(Boolean).join(', ');
  const more = () => h('tr', { class: 'detail', id: `outage-${o.id}` }, h('td', { colspan: hosts ? 6 : 4 }, details(o, now)));
  const toggle = h('button', { type: 'button', class: 'button more', 'aria-expanded': String(open.has(o.id)), 'aria-controls': `outage-${o.id}`, 'aria-label': `Details: ${o.host_name}, ${began}`,
    onclick: () => {
      if (open.delete(o.id)) row.nextElementSibling?.remove();
      else {
        open.add(o.id);
        row.after(more());
      }
      toggle.setAttribute('aria-expanded', String(open.has(o.id)));
    } });
  const row = h('tr', { class: o.end_time ? null : 'running' },
    h('td', null, isOfHost(o) || o.event_type === 'dns' ? h('a', { href: linkTo(o, now) }, began) : began, !hosts && note && h('span', { class: 'third' }, ` ${note}`)),
    hosts && h('td', null, o.event_type === 'link_down' ? 'This machine’s link' : o.host_name, ' ', h('span', { class: 'third' }, note ? `${o.host_address}, ${note}` : o.host_address)),
    h('td', null, o.end_time ? duration(lengthOf(o, now)) : age(seconds(o.start_time), now), !o.end_time && h('span', { class: hosts ? 'phone-only' : null }, ' so far')),
    hosts && h('td', { class: 'wide-only' }, o.end_time ? moment(seconds(o.end_time), now) : h('span', { class: 'text-down' }, 'still down')),
    h('td', { class: 'cause' }, glyph(cause), ' ', CAUSE_WORDS[cause]), h('td', { class: 'number' }, toggle));
  return open.has(o.id) ? [row, more()] : [row];
}

/** @param {Outage[]} outages newest first; what goes on comes before @param {number} now Unix seconds @param {boolean} hosts whether the host is a column */
export function outageTable(outages, now, hosts) {
  const more = h('span', { class: 'unseen' }, 'Details');
  /** @type {[string | HTMLElement, string?][]} */
  const heads = hosts ? [['Began'], ['Host'], ['Lasted'], ['Ended', 'wide-only'], ['Cause'], [more]] : [['Began'], ['Lasted'], ['Cause'], [more]];
  const order = [...outages.filter((o) => !o.end_time), ...outages.filter((o) => o.end_time)];
  return table('Outages', heads, order.flatMap((o) => rowsOf(o, now, hosts)));
}

/** "90 days: 4, 2 h 16 min"; planned ones and names that did not resolve do not count. @param {Outage[]} outages @param {number} now Unix seconds @param {number} days */
export function outageSum(outages, now, days) {
  const counted = outages.filter((o) => isOfHost(o) && !o.planned);
  if (!counted.length) return `none in ${days} days`;
  return `${days} days: ${counted.length}, ${duration(counted.reduce((sum, o) => sum + lengthOf(o, now), 0))}`;
}
