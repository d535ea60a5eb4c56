// One outage in full: what its cause rests on, how far packets got, what was sent and lost, and when it began at the earliest.
import { causeOf } from '../data/cause.js';
import { h } from '../dom.js';
import { count, plural } from '../data/format.js';
import { clockSeconds, day, duration, seconds } from '../data/time.js';

/** @param {number} answering @param {number} silent @param {string} where */
function others(answering, silent, where) {
  if (!answering && !silent) return '';
  if (!silent) return `${plural(answering, 'other host')} ${where} answered.`;
  if (!answering) return `${plural(silent, 'other host')} ${where} did not answer either.`;
  return `Of ${answering + silent} other hosts ${where} ${answering} answered.`;
}

/** What a cause rests on, in sentences. @param {Outage} o @returns {string} */
export function factsInWords(o) {
  const f = o.facts ?? {};
  const parts = [];
  if (f.link_fault) parts.push(`Nothing could be sent: ${f.link_fault}.`);
  if (f.resolver) parts.push(`The name did not resolve while addresses answered: ${f.resolver}.`);
  const gateway = f.gateway_address ? `The gateway ${f.gateway_address}` : 'The gateway';
  if (f.gateway === 'answers') parts.push(`${gateway} answered.`);
  if (f.gateway === 'silent') parts.push(`${gateway} did not answer.`);
  if (f.gateway === 'unknown' && causeOf(o) !== 'host') parts.push(f.gateway_address ? `Nobody asked the gateway ${f.gateway_address}.` : 'No gateway is known.');
  parts.push(others(f.beyond_answering ?? 0, f.beyond_silent ?? 0, 'beyond it'), others(f.near_answering ?? 0, f.near_silent ?? 0, 'on this machine’s own networks'));
  if (f.path_reached) parts.push(`On the way ${f.path_reached} still answered.`);
  return parts.filter(Boolean).join(' ') || 'Nothing was noted of what else answered.';
}

/** How far packets got. @param {HopPath} p @returns {string} */
export function hopsInWords(p) {
  const hops = p.hops.map((hop) => hop ?? 'one that does not say');
  const end = p.reached ? 'the host itself' : 'then nothing';
  return [...hops, end].join(', ');
}

/** @param {number} t Unix seconds */
const exactly = (t) => `${day(t)}, ${clockSeconds(t)}`;

/** @param {Outage} o @param {number} now Unix seconds @returns {HTMLElement} */
export function details(o, now) {
  const start = seconds(o.start_time);
  const end = seconds(o.end_time);
  const length = Math.round(o.duration_seconds ?? (end || now) - start);
  const missing = length - o.down_seconds;
  /** @type {[string, (string | HTMLElement | false | null)][]} */
  const rows = [
    ['Why', factsInWords(o)],
    ['First lost ping', exactly(start)],
    ['Last reply before', o.earliest_start && exactly(seconds(o.earliest_start))],
    ['First reply after', end > 0 && exactly(end)],
    ['Spells', o.event_ids.length > 1 && `${o.event_ids.length}, together ${duration(o.down_seconds)}`],
    ['Not measured in it', o.event_ids.length < 2 && o.event_type === 'outage' && Boolean(end) && missing > 1 && duration(missing)],
    ['Pings', o.packets_sent !== null && `${count(o.packets_lost)} of ${count(o.packets_sent)} lost`],
    ['Checks', o.checks_during_outage !== null && `${count(o.checks_failed)} of ${count(o.checks_during_outage)} failed`],
    ['Path', o.path && o.path.length > 0 && h('ul', null, ...o.path.map((p) => h('li', null, h('span', { class: 'third' }, `${clockSeconds(seconds(p.at))} `), hopsInWords(p))))],
    ['Planned', o.planned && 'yes, so it counts in no figure'],
    ['Notes', o.notes],
  ];
  return h('dl', { class: 'facts' }, ...rows.flatMap(([name, value]) => (value ? [h('dt', null, name), h('dd', null, value)] : [])));
}
