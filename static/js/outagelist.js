// Outages as a table, each leading to the charts of its time.
import { h, table } from './dom.js';
import { NOTHING, count } from './format.js';
import { duration, moment, seconds } from './time.js';
import { writeView } from './view.js';

/** @param {Outage} o @param {number} now Unix seconds @returns {number} seconds */
export const lengthOf = (o, now) => o.duration_seconds ?? (seconds(o.end_time) || now) - seconds(o.start_time);

/** The host's page with an hour, or the outage's own length, on both sides. @param {Outage} o @param {number} now Unix seconds */
function linkTo(o, now) {
  const from = seconds(o.start_time);
  const to = seconds(o.end_time) || now;
  const room = Math.max(3600, to - from);
  return writeView({ page: 'host', host: o.host_address, range: 'custom', from: from - room, to: Math.min(now, to + room) });
}

/** @param {Outage[]} outages newest first @param {number} now Unix seconds @param {boolean} hosts whether the host is a column */
export function outageTable(outages, now, hosts) {
  /** @type {[string, string?][]} */
  const heads = [['Began'], ...(hosts ? [/** @type {[string]} */ (['Host'])] : []), ['Lasted'], ...(hosts ? [/** @type {[string, string]} */ (['Ended', 'wide-only'])] : []), ['Checks failed', 'number wide-only'], ...(hosts ? [/** @type {[string, string]} */ (['Kind', 'wide-only'])] : [])];
  const rows = outages.map((o) => h('tr', null,
    h('td', null, h('a', { href: linkTo(o, now) }, moment(seconds(o.start_time), now))), hosts && h('td', null, o.host_name, ' ', h('span', { class: 'third' }, o.host_address)),
    h('td', null, duration(lengthOf(o, now)), !o.end_time && h('span', { class: hosts ? 'phone-only' : null }, ' so far')), hosts && h('td', { class: 'wide-only' }, o.end_time ? moment(seconds(o.end_time), now) : h('span', { class: 'text-down' }, 'still down')),
    h('td', { class: 'number wide-only' }, o.checks_failed === null ? NOTHING : count(o.checks_failed)), hosts && h('td', { class: 'wide-only' }, o.event_type.replaceAll('_', ' '), o.notes && h('span', { class: 'third' }, ` ${o.notes}`))));
  return table('Outages', heads, rows);
}

/** "90 days: 4, 2 h 16 min". @param {Outage[]} outages @param {number} now Unix seconds @param {number} days */
export function outageSum(outages, now, days) {
  if (!outages.length) return `none in ${days} days`;
  return `${days} days: ${outages.length}, ${duration(outages.reduce((sum, o) => sum + lengthOf(o, now), 0))}`;
}
