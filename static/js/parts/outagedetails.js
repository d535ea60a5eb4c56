// One outage in full: the evidence for its cause, how far packets got, what was sent and lost, and its earliest start.
import { causeOf } from '../data/cause.js';
import { count, plural } from '../data/format.js';
import { clockSeconds, day, duration, seconds } from '../data/time.js';
import { h } from '../dom.js';

/** @param {number} answering @param {number} silent @param {string} where */
function othersText(answering, silent, where) {
  if (!answering && !silent) return '';
  if (!silent) return `${plural(answering, 'other host')} ${where} answered.`;
  if (!answering) return `${plural(silent, 'other host')} ${where} did not answer either.`;
  return `Of ${answering + silent} other hosts ${where}, ${answering} answered.`;
}

/** @param {Facts} f @param {Cause} cause */
function gatewayText(f, cause) {
  const by = f.interface ? ` by ${f.interface}` : '';
  const gateway = f.gateway_address ? `The gateway ${f.gateway_address}${by}` : 'The gateway';
  if (f.gateway === 'answers') return `${gateway} answered.`;
  if (f.gateway === 'silent') {
    return `${gateway} did not answer pings${f.gateway_answered_before === false ? ', nor did it before' : ''}.`;
  }
  if (f.gateway !== 'unknown' || cause === 'host') return '';
  if (f.gateway_address) return `${gateway} was not pinged.`;
  return by ? `The route${by} has no gateway address.` : 'No gateway address is known.';
}

/** @param {Facts} f */
function pathText(f) {
  if (!f.path_reached) return '';
  const as = f.path_is_whole ? ', as before the outage' : '';
  if (f.path_reached === f.gateway_address) return `Packets got no further than the gateway${as}.`;
  return `On the path, ${f.path_reached} still answered${as}.`;
}

/** The evidence for a cause, in sentences. @param {Outage} o @returns {string} */
export function factsText(o) {
  const f = o.facts ?? {};
  const parts = [
    f.link_fault && `Nothing could be sent: ${f.link_fault}.`,
    f.resolver && `The name did not resolve while addresses answered: ${f.resolver}.`,
    gatewayText(f, causeOf(o)),
    othersText(f.beyond_answering ?? 0, f.beyond_silent ?? 0,
      f.gateway_address ? 'beyond it' : 'beyond this machine’s networks'),
    othersText(f.on_path_answering ?? 0, 0, 'on the path to the host'),
    othersText(f.near_answering ?? 0, f.near_silent ?? 0, 'on this machine’s own networks'),
    pathText(f),
    f.link_reached && `Packets to another host got as far as ${f.link_reached}.`,
  ];
  return parts.filter(Boolean).join(' ') || 'It was not recorded what else answered.';
}

/** How far packets got. @param {HopPath} p @returns {string} */
export function hopsText(p) {
  const hops = p.hops.map((hop) => hop ?? 'a silent hop');
  return [...hops, p.reached ? 'the host itself' : 'then nothing'].join(', ');
}

/** @param {number} t Unix seconds */
const exactTime = (t) => `${day(t)}, ${clockSeconds(t)}`;

/** @param {HopPath[]} path */
const pathList = (path) => h('ul', null, ...path.map((p) =>
  h('li', null, h('span', { class: 'third' }, `${clockSeconds(seconds(p.at))} `), hopsText(p))));

/** @param {Outage} o @param {number} now Unix seconds @returns {HTMLElement} */
export function details(o, now) {
  const start = seconds(o.start_time);
  const end = seconds(o.end_time);
  const length = Math.round(o.duration_seconds ?? (end || now) - start);
  const notMeasured = length - o.down_seconds;
  const isGroup = o.event_ids.length > 1;
  const single = (o.outage_count ?? 1) > 1 ? o.outage_count : o.event_ids.length;
  const isInterrupted = !isGroup && o.event_type === 'outage' && end > 0 && notMeasured > 1;
  const { checks_during_outage: checks, packets_sent: sent } = o;
  /** @type {[string, string | HTMLElement | false | null][]} */
  const rows = [
    ['Why', factsText(o)],
    ['First lost ping', exactTime(start)],
    ['Last reply before', o.earliest_start && exactTime(seconds(o.earliest_start))],
    ['First reply after', end > 0 && exactTime(end)],
    ['Single outages', isGroup && `${single}, together ${duration(o.down_seconds)}`],
    ['Not measured meanwhile', isInterrupted && duration(notMeasured)],
    ['Pings', sent !== null && `${count(o.packets_lost)} of ${count(sent)} lost`],
    ['Checks', checks !== null && `${count(o.checks_failed)} of ${count(checks)} failed`],
    ['Path', o.path && o.path.length > 0 && pathList(o.path)],
    ['Planned', o.planned && 'yes, so it is not counted in any figure'],
    ['Notes', o.notes],
    ['To write a note', h('code', null, `ace-connection-logger outages --note ${o.id} "TEXT"`)],
  ];
  return h('dl', { class: 'facts' },
    ...rows.flatMap(([name, value]) => (value ? [h('dt', null, name), h('dd', null, value)] : [])));
}
