// Whose fault it is: what is wrong now, one a cause, and where on the way to the hosts it broke. Pure.
import { listed, ms, plural } from './format.js';
import { seconds } from './time.js';

/** The way to the hosts, the nearest first. @type {[Cause, string][]} */
export const STEPS = [['link', 'Link'], ['gateway', 'Gateway'], ['provider', 'Provider'], ['dns', 'DNS'], ['host', 'Hosts']];
/** @type {Record<Cause, string>} */
export const CAUSE_WORDS = { link: 'link', gateway: 'gateway', provider: 'provider', dns: 'DNS', host: 'host', unknown: 'unknown' };
/** @type {Record<string, Cause>} */
export const LETTERS = { L: 'link', G: 'gateway', P: 'provider', D: 'dns' };
const CAUSES = /** @type {Cause[]} */ (Object.keys(CAUSE_WORDS));

/** @param {Outage} o @returns {Cause} */
export const causeOf = (o) => o.cause ?? 'unknown';
/** Whether a host did not answer, and not this machine's link or a name. @param {Outage} o */
export const isOfHost = (o) => o.event_type === 'outage' || o.event_type === 'intermittent';

/** What is wrong now, the nearest cause first: outages with the same cause are one, hosts that only lose pings the last.
 * What was planned is no trouble. @param {Outage[]} active @param {Entry[]} entries @returns {Trouble[]} */
export function troubles(active, entries) {
  /** @type {Map<string, Trouble>} */
  const found = new Map();
  const wrong = active.filter((o) => !o.planned).sort((a, b) => seconds(a.start_time) - seconds(b.start_time));
  for (const o of wrong) {
    const kind = isOfHost(o) ? 'outage' : o.event_type;
    const key = `${kind} ${causeOf(o)}`;
    const known = found.get(key) ?? { cause: causeOf(o), kind, since: seconds(o.start_time), names: [], addresses: [], outages: [] };
    known.names.push(o.host_name);
    known.addresses.push(o.host_address);
    known.outages.push(o);
    found.set(key, known);
  }
  // A silent check without an outage: it is over, or none yet.
  const lossy = entries.filter((e) => e.state === 'down' && e.received > 0 && !active.some((o) => isOfHost(o) && o.host_address === e.address));
  for (const t of found.values()) t.names.sort((a, b) => a.localeCompare(b, undefined, { numeric: true }));
  const all = [...found.values()].sort((a, b) => CAUSES.indexOf(a.cause) - CAUSES.indexOf(b.cause));
  if (lossy.length) all.push({ cause: 'unknown', kind: 'loss', since: 0, names: lossy.map((e) => e.name), addresses: lossy.map((e) => e.address), outages: [] });
  return all;
}

/** Why a link is down, without the system's number of an error, which is for logs. @param {Trouble} t */
const linkFault = (t) => t.outages[0].notes?.split('\n')[0].replace(/ \(os error \d+\)$/, '') ?? '';

/** A trouble in words: what it is, whom it strikes, and what follows from it. @param {Trouble} t @param {Entry[]} entries
 * @returns {{state: State, title: string, which: string, rest: string}} */
export function inWords(t, entries) {
  const names = listed(t.names);
  const one = t.names.length === 1;
  if (t.kind === 'link_down') {
    const version = t.addresses.some((a) => a.includes(' and ')) || t.addresses.length > 1 ? '' : t.addresses[0];
    const why = linkFault(t);
    return { state: 'not_measured', title: `This machine’s link is down${version && ` for ${version}`}`, which: '', rest: `Nothing can be sent${version && ' over it'}, so nothing is measured${why && `: ${why}`}.` };
  }
  if (t.kind === 'dns') return { state: 'degraded', title: one ? `${names} does not resolve` : `${t.names.length} names do not resolve`, which: one ? '' : `: ${names},`, rest: 'The pings go on to the last good address.' };
  if (t.kind === 'outage' && t.cause !== 'host' && t.cause !== 'unknown') {
    const rest = { gateway: 'The gateway does not answer, and nothing beyond it.', provider: 'The gateway answers, and nothing beyond it.', link: '', dns: '' }[t.cause];
    return { state: 'down', title: `${CAUSE_WORDS[t.cause][0].toUpperCase()}${CAUSE_WORDS[t.cause].slice(1)} outage`, which: `, ${one ? names : plural(t.names.length, 'host')},`, rest };
  }
  if (t.kind === 'loss') return { state: 'down', title: one ? `${names} loses most pings` : `${plural(t.names.length, 'host')} lose most pings`, which: one ? '' : `: ${names}`, rest: '' };
  const others = entries.some((e) => e.configured && e.role !== 'gateway' && e.state === 'up');
  const rest = t.cause === 'unknown' ? 'The cause is not known.' : `Cause: host.${others ? ' Others answer, so it is not your line.' : ''}`;
  return { state: 'down', title: one ? `${names} is down` : `${plural(t.names.length, 'host')} are down`, which: one ? '' : `: ${names}. The first`, rest };
}

/** @param {Entry} e */
const answers = (e) => e.state === 'up' || e.state === 'degraded';
/** @param {string} address */
const isName = (address) => !/^[\d.]+$|:/.test(address);

/** The way to the hosts as it is now. What lies beyond the place where it broke is not judged.
 * @param {Outage[]} active @param {Entry[]} entries @returns {Step[]} */
export function wayNow(active, entries) {
  const list = entries.filter((e) => e.configured);
  const now = troubles(active, list);
  const beyond = list.filter((e) => e.role === 'internet' || e.role === 'dns');
  const gateways = list.filter((e) => e.role === 'gateway');
  const servers = list.filter((e) => e.role === 'dns');
  const nearest = Math.min(...beyond.filter(answers).map((e) => e.latency ?? Infinity));
  const unresolved = now.find((t) => t.kind === 'dns');
  /** @param {State} state @param {string} word @param {string} detail */
  const step = (state, word, detail) => ({ state, word, detail });
  const unknown = step('not_measured', 'Not known', '');
  /** @type {Record<string, {state: State, word: string, detail: string}>} */
  const steps = {
    link: list.some((e) => e.state !== 'not_measured') ? step('up', 'Up', 'packets can be sent') : unknown,
    gateway: gateways.some(answers) ? step('up', 'Up', `${gateways[0].address}, ${ms(gateways[0].latency)} ms`) : beyond.some(answers) ? step('up', 'Up', 'lets packets pass') : unknown,
    provider: Number.isFinite(nearest) ? step('up', 'Up', `nearest host ${ms(nearest)} ms`) : unknown,
    dns: unresolved ? step('down', 'Down', `${listed(unresolved.names)} not resolved`)
      : servers.some(answers) ? step('up', 'Up', `${servers.filter(answers).length} of ${plural(servers.length, 'server')} up`)
      : list.some((e) => isName(e.address) && answers(e)) ? step('up', 'Up', 'names resolve') : servers.some((e) => e.state === 'down') ? step('down', 'Down', `${listed(servers.map((e) => e.name))} down`) : step('not_measured', 'Not watched', 'no name to resolve'),
    host: hostsNow(list),
  };
  const broken = now.find((t) => t.kind === 'link_down' || (t.kind === 'outage' && ['link', 'gateway', 'provider'].includes(t.cause)));
  // IPv4 and IPv6 break apart: while somebody beyond answers, the way is not cut.
  const partly = beyond.some(answers);
  const at = broken ? STEPS.findIndex(([cause]) => cause === broken.cause) : Infinity;
  return STEPS.map(([cause, name], i) => {
    if (broken && i === at) return { cause, name, ...step(partly ? 'degraded' : 'down', partly ? 'Partly down' : 'Down', broken.kind === 'link_down' ? linkFault(broken) : `${plural(broken.names.length, 'host')} cut off`) };
    return { cause, name, ...(i > at && !partly ? step('not_measured', 'Not judged', '') : steps[cause]) };
  });
}

/** @param {Entry[]} list @returns {{state: State, word: string, detail: string}} */
function hostsNow(list) {
  /** @param {State} state */
  const count = (state) => list.filter((e) => e.state === state).length;
  const state = /** @type {const} */ (['down', 'degraded', 'up']).find((s) => count(s)) ?? 'not_measured';
  const word = state === 'up' ? 'Up' : state === 'not_measured' ? 'Not measured' : `${count(state)} ${state}`;
  return { state, word, detail: `${count('up') + count('degraded')} of ${list.length} answer` };
}
