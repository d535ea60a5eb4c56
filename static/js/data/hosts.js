// The list of hosts: what is known about each, its order, and the filter. No DOM.
import { dayStart, sinceText } from './days.js';
import { STATE_WORDS } from './format.js';
import { seconds } from './time.js';

/** Whether the server can be asked, so that it is known if anything is measured. @param {Present} present */
export const isReached = (present) => present === 'now' || present === 'stopped' || present === 'none';

/** The name of a state in the filter. Without a server nobody knows what is measured. @param {State} state
 * @param {Present} present */
export const stateLabel = (state, present) =>
  state === 'not_measured' && !isReached(present) ? 'Not known now' : STATE_WORDS[state];

/** "Up", or "was up" of a host whose newest result says nothing about the present. @param {HostEntry} e */
export const stateText = (e) => (e.was ? `was ${STATE_WORDS[e.was].toLowerCase()}` : STATE_WORDS[e.state]);

/** "Provider is up". @param {string} name @param {HostEntry | undefined} e */
export function stateSentence(name, e) {
  if (!e) return name;
  return e.was ? `${name} ${stateText(e)}` : `${name} is ${STATE_WORDS[e.state].toLowerCase()}`;
}

/** errno is for logs. @param {string | null} error */
const withoutErrno = (error) => error && error.replace(/ \(os error \d+\)$/, '');

/** @param {Status} status @param {CheckResult[]} rows @param {Overview | null} overview
 * @param {boolean} isPresent whether the results say anything about the present: the server is reached, and the
 * monitor is running
 * @returns {HostEntry[]} configured hosts in their order, then those recorded earlier */
export function entries(status, rows, overview, isPresent) {
  const configured = new Map(status.hosts.map((h, i) => [h.address, { ...h, order: i }]));
  const newest = new Map(rows.map((r) => [r.host_address, r]));
  const known = new Map((overview?.hosts ?? []).map((h) => [h.host_address, h]));
  const addresses = new Set([...configured.keys(), ...known.keys(), ...newest.keys()]);
  return [...addresses].map((address, i) => {
    const host = configured.get(address);
    const row = newest.get(address);
    const past = known.get(address);
    const state = row?.state ?? past?.state ?? 'not_measured';
    const old = !host || !isPresent || Boolean(row?.stale) || !row;
    return {
      name: host?.name ?? row?.host_name ?? past?.host_name ?? address,
      address,
      resolved: row?.resolved_address ?? null,
      isName: host?.is_name ?? false,
      resolves: old ? null : (row?.name_resolves ?? null),
      role: host?.role ?? past?.role ?? 'other',
      configured: Boolean(host),
      interval: host?.interval_seconds ?? status.monitoring_interval,
      order: host?.order ?? 1000 + i,
      state: old ? 'not_measured' : state,
      isOld: old,
      was: old && state !== 'not_measured' ? state : null,
      at: row?.timestamp ? Date.parse(row.timestamp) / 1000 : NaN,
      latency: row?.avg_latency ?? null,
      error: withoutErrno(row?.error ?? past?.error ?? null),
      sent: row?.sent ?? 0,
      received: row?.success_count ?? 0,
      availability: past?.availability_percent ?? null,
      coverage: past?.coverage_percent ?? null,
      first: seconds(past?.first_recorded),
      since: past && overview
        ? sinceText('', dayStart(overview.first_day, 0), seconds(past.first_recorded), seconds(overview.now)) : '',
      days: past?.days ?? null,
      spark: past?.spark ?? null,
      lastDay: past?.last_day ?? null,
    };
  });
}

/** With the address that a name or the gateway is pinged at. @param {HostEntry} e */
export const addressText = (e) => (e.resolved ? `${e.address} (${e.resolved})` : e.address);

/** @type {State[]} */
export const WORST_FIRST = ['down', 'poor', 'degraded', 'not_measured', 'up'];

/** @type {Record<string, (a: HostEntry, b: HostEntry) => number>} */
const ORDERS = {
  trouble: (a, b) => WORST_FIRST.indexOf(a.was ?? a.state) - WORST_FIRST.indexOf(b.was ?? b.state),
  name: (a, b) => a.name.localeCompare(b.name, undefined, { numeric: true }),
  latency: (a, b) => (b.latency ?? -1) - (a.latency ?? -1),
  availability: (a, b) => (a.availability ?? 101) - (b.availability ?? 101),
  coverage: (a, b) => (a.coverage ?? 101) - (b.coverage ?? 101),
};

/** Whether every word is in the name or the address. @param {string} query
 * @returns {(e: HostEntry) => boolean} */
export function matching(query) {
  const words = query.toLowerCase().split(/\s+/).filter(Boolean);
  return (e) => words.every((w) => `${e.name} ${e.address}`.toLowerCase().includes(w));
}

/** The first hosts that match, in the order of the list, and those that are chosen however far back they are.
 * @param {HostEntry[]} list @param {string} query @param {string[]} chosen addresses @param {number} max
 * @returns {{shown: HostEntry[], left: number}} left: how many more match */
export function choicesOf(list, query, chosen, max) {
  const matches = matching(query);
  let left = 0;
  let room = max - list.filter((e) => chosen.includes(e.address)).length;
  const shown = list.filter((e) => {
    if (chosen.includes(e.address)) return true;
    if (!matches(e)) return false;
    room -= 1;
    if (room < 0) left += 1;
    return room >= 0;
  });
  return { shown, left };
}

/** A sort key that begins with - sorts backwards.
 * @param {HostEntry[]} list @param {{state: string, query: string, sort: string}} wanted @returns {HostEntry[]} */
export function filterAndSort(list, wanted) {
  const matches = matching(wanted.query);
  const back = wanted.sort.startsWith('-') ? -1 : 1;
  const key = wanted.sort.replace('-', '');
  const order = Object.hasOwn(ORDERS, key) ? ORDERS[key] : ORDERS.trouble;
  return list
    .filter((e) => (!wanted.state || e.state === wanted.state) && matches(e))
    .sort((a, b) => back * order(a, b) || a.order - b.order);
}

/** @param {HostEntry[]} list @returns {Record<State, number>} */
export function countStates(list) {
  const result = { up: 0, degraded: 0, poor: 0, down: 0, not_measured: 0 };
  for (const e of list) result[e.state] += 1;
  return result;
}
