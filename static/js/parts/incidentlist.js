// Outages as people count them: one row for those of several hosts that began together, which unfolds to its hosts.
import { CAUSE_WORDS, nameOf } from '../data/cause.js';
import { joinNames, plural } from '../data/format.js';
import { duration, moment, seconds } from '../data/time.js';
import { h, runningDuration, table } from '../dom.js';
import { pathGlyph, rowsOf } from './outagelist.js';

/** The incidents that are unfolded, by the id of their first outage. @type {Set<number>} */
const open = new Set();

/** @param {IncidentRow} i @param {number} now Unix seconds @param {() => void} redraw
 * @returns {HTMLTableRowElement[]} the row, and those of its hosts if it is open */
function rowsOfIncident(i, now, redraw) {
  const { outages, hosts } = i;
  const others = hosts - outages.length;
  if (outages.length < 2) return rowsOf(outages[0], now, true, others ? `with ${plural(others, 'other host')}` : '');
  const id = outages[0].id;
  const began = moment(seconds(i.start_time), now);
  const toggle = h('button', {
    type: 'button', class: 'button more', 'aria-expanded': String(open.has(id)), 'aria-controls': `incident-${id}`,
    'aria-label': `Hosts: ${plural(outages.length, 'host')}, ${began}`,
    onclick: () => {
      if (!open.delete(id)) open.add(id);
      redraw();
    },
  });
  const row = h('tr', { class: i.end_time ? null : 'running' },
    h('td', { class: 'when' }, began),
    h('td', null, plural(outages.length, 'host'), ' ',
      h('span', { class: 'third' }, joinNames(outages.map(nameOf)), i.planned && ', planned')),
    h('td', { class: 'when' }, i.end_time ? duration(seconds(i.end_time) - seconds(i.start_time))
      : runningDuration(seconds(i.start_time), now),
    !i.end_time && h('span', { class: 'phone-only' }, ' so far')),
    h('td', { class: 'wide-only when' },
      i.end_time ? moment(seconds(i.end_time), now) : h('span', { class: 'text-down' }, 'still down')),
    h('td', { class: 'cause' }, pathGlyph(i.cause), ' ', CAUSE_WORDS[i.cause]),
    h('td', { class: 'number' }, toggle));
  if (!open.has(id)) return [row];
  const members = outages.flatMap((o) => rowsOf(o, now, true));
  for (const member of members) member.classList.add('member');
  members[0].id = `incident-${id}`;
  return [row, ...members];
}

/** Ongoing ones first. @param {IncidentRow[]} incidents newest first @param {number} now Unix seconds
 * @param {() => void} redraw */
export function incidentTable(incidents, now, redraw) {
  const ordered = [...incidents.filter((i) => !i.end_time), ...incidents.filter((i) => i.end_time)];
  return table('Outages',
    [['Began'], ['Host'], ['Lasted'], ['Ended', 'wide-only'], ['Cause'], [h('span', { class: 'unseen' }, 'Details')]],
    ordered.flatMap((i) => rowsOfIncident(i, now, redraw)));
}
