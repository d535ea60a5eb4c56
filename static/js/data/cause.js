// Where the fault is: the current problems, one per cause, and the state of each step of the path to the hosts. No DOM.
import { joinNames, ms, plural } from './format.js';
import { seconds } from './time.js';

/** The path to the hosts, the nearest first. @type {[Cause, string][]} */
export const PATH_STEPS = [
  ['link', 'Link'],
  ['gateway', 'Gateway'],
  ['provider', 'Provider'],
  ['dns', 'DNS'],
  ['host', 'Hosts'],
];
/** @type {Record<Cause, string>} */
export const CAUSE_WORDS = {
  link: 'link',
  gateway: 'gateway',
  provider: 'provider',
  dns: 'DNS',
  host: 'host',
  unknown: 'unknown',
};
/** @type {Record<string, Cause>} */
export const CAUSE_LETTERS = { L: 'link', G: 'gateway', P: 'provider', D: 'dns' };
const CAUSES = /** @type {Cause[]} */ (Object.keys(CAUSE_WORDS));

/** @param {Outage} o @returns {Cause} */
export const causeOf = (o) => o.cause ?? 'unknown';
/** The host's present name, and the one of then. @param {Outage} o */
export const nameOf = (o) => o.host_name + (o.former_name ? ` (was ${o.former_name})` : '');
/** Whether a host did not answer: not a link that was down, nor a name that did not resolve. @param {Outage} o */
export const isHostOutage = (o) => o.event_type === 'outage' || o.event_type === 'intermittent';

/** The nearest cause first: one problem for all outages with the same cause, and last the hosts that lose most pings.
 * Planned outages are left out. @param {Outage[]} active @param {HostEntry[]} entries @returns {Problem[]} */
export function currentProblems(active, entries) {
  /** @type {Map<string, Problem>} */
  const found = new Map();
  const wrong = active.filter((o) => !o.planned).sort((a, b) => seconds(a.start_time) - seconds(b.start_time));
  for (const o of wrong) {
    const kind = isHostOutage(o) ? 'outage' : o.event_type;
    const key = `${kind} ${causeOf(o)}`;
    const known = found.get(key) ?? {
      cause: causeOf(o),
      kind,
      since: seconds(o.start_time),
      names: [],
      addresses: [],
      outages: [],
    };
    known.names.push(nameOf(o));
    known.addresses.push(o.host_address);
    known.outages.push(o);
    found.set(key, known);
  }
  const lossy = entries.filter(
    (e) => e.state === 'poor' && !active.some((o) => isHostOutage(o) && o.host_address === e.address),
  );
  for (const p of found.values()) p.names.sort((a, b) => a.localeCompare(b, undefined, { numeric: true }));
  const all = [...found.values()].sort((a, b) => CAUSES.indexOf(a.cause) - CAUSES.indexOf(b.cause));
  if (lossy.length) {
    all.push({
      cause: 'unknown',
      kind: 'loss',
      since: 0,
      names: lossy.map((e) => e.name),
      addresses: lossy.map((e) => e.address),
      outages: [],
    });
  }
  return all;
}

/** Why a link is down, without errno, which is for logs. @param {Problem} p */
const linkFault = (p) => p.outages[0].notes?.split('\n')[0].replace(/ \(os error \d+\)$/, '') ?? '';

/** A problem in words: title, affected hosts, and consequence. @param {Problem} p @param {HostEntry[]} entries
 * @returns {{state: State, title: string, which: string, rest: string}} */
export function problemText(p, entries) {
  const names = joinNames(p.names);
  const one = p.names.length === 1;
  if (p.kind === 'link_down') {
    const version = p.addresses.some((a) => a.includes(' and ')) || p.addresses.length > 1 ? '' : p.addresses[0];
    const why = linkFault(p);
    return {
      state: 'not_measured',
      title: `This machine’s link is down${version && ` for ${version}`}`,
      which: '',
      rest: `Nothing can be sent${version && ' over it'}, so nothing is measured${why && `: ${why}`}.`,
    };
  }
  if (p.kind === 'dns') {
    return {
      state: 'degraded',
      title: one ? `${names} does not resolve` : `${p.names.length} names do not resolve`,
      which: one ? '' : `: ${names},`,
      rest: 'Pings continue to the last good address.',
    };
  }
  if (p.kind === 'outage' && p.cause !== 'host' && p.cause !== 'unknown') {
    const isPlain = p.outages.every(({ facts: f }) => !f || (f.gateway === 'answers' && !f.on_path_answering));
    const rest = {
      gateway: 'Neither the gateway nor anything beyond it answers.',
      provider: isPlain
        ? 'The gateway answers, but nothing beyond it does.'
        : 'Packets get past this network and are lost beyond it.',
      link: '',
      dns: '',
    }[p.cause];
    return {
      state: 'down',
      title: `${CAUSE_WORDS[p.cause][0].toUpperCase()}${CAUSE_WORDS[p.cause].slice(1)} outage`,
      which: `, ${one ? names : plural(p.names.length, 'host')},`,
      rest,
    };
  }
  if (p.kind === 'loss') {
    return {
      state: 'poor',
      title: one ? `${names} loses most pings` : `${plural(p.names.length, 'host')} lose most pings`,
      which: one ? '' : `: ${names}`,
      rest: '',
    };
  }
  const others = entries.some((e) => e.configured && e.role !== 'gateway' && e.state === 'up');
  const rest =
    p.cause === 'unknown'
      ? 'The cause is not known.'
      : `Cause: host.${others ? ' Other hosts answer, so it is not your line.' : ''}`;
  return {
    state: 'down',
    title: one ? `${names} is down` : `${plural(p.names.length, 'host')} are down`,
    which: one ? '' : `: ${names}. The first`,
    rest,
  };
}

/** @param {HostEntry} e */
const answers = (e) => e.state === 'up' || e.state === 'degraded' || e.state === 'poor';
/** @param {string} address */
const isName = (address) => !/^[\d.]+$|:/.test(address);

/** @typedef {{state: State, word: string, detail: string}} StepState */

/** @param {State} state @param {string} word @param {string} detail @returns {StepState} */
const step = (state, word, detail) => ({ state, word, detail });

/** The state of each step of the path now. Beyond the step that is down nothing is judged.
 * @param {Outage[]} active @param {HostEntry[]} entries @returns {PathStep[]} */
export function pathNow(active, entries) {
  const list = entries.filter((e) => e.configured);
  const problems = currentProblems(active, list);
  const steps = stepsFromResults(list, problems);
  const broken = problems.find(
    (p) => p.kind === 'link_down' || (p.kind === 'outage' && ['link', 'gateway', 'provider'].includes(p.cause)),
  );
  const at = broken ? PATH_STEPS.findIndex(([cause]) => cause === broken.cause) : Infinity;
  // IPv4 and IPv6 fail separately: as long as a host beyond the gateway answers, the path is only partly down.
  const partly = list.some((e) => isBeyondGateway(e) && answers(e));
  return PATH_STEPS.map(([cause, name], i) => {
    if (broken && i === at) {
      const detail = broken.kind === 'link_down' ? linkFault(broken) : `${plural(broken.names.length, 'host')} cut off`;
      return { cause, name, ...step(partly ? 'degraded' : 'down', partly ? 'Partly down' : 'Down', detail) };
    }
    return { cause, name, ...(i > at && !partly ? step('not_measured', 'Not judged', '') : steps[cause]) };
  });
}

/** The state of each step according to the newest results. @param {HostEntry[]} list @param {Problem[]} problems
 * @returns {Record<string, StepState>} */
function stepsFromResults(list, problems) {
  const beyond = list.filter(isBeyondGateway);
  const gateways = list.filter((e) => e.role === 'gateway');
  const nearest = Math.min(...beyond.filter(answers).map((e) => e.latency ?? Infinity));
  const unknown = step('not_measured', 'Not known', '');
  let gateway = unknown;
  if (gateways.some(answers)) gateway = step('up', 'Up', `${gateways[0].address}, ${ms(gateways[0].latency)} ms`);
  else if (beyond.some(answers)) gateway = step('up', 'Up', 'forwards packets');
  return {
    link: list.some((e) => e.state !== 'not_measured') ? step('up', 'Up', 'packets can be sent') : unknown,
    gateway,
    provider: Number.isFinite(nearest) ? step('up', 'Up', `nearest host ${ms(nearest)} ms`) : unknown,
    dns: dnsNow(list, problems),
    host: hostsNow(list),
  };
}

/** @param {HostEntry} e */
const isBeyondGateway = (e) => e.role === 'internet' || e.role === 'dns';

/** @param {HostEntry[]} list @param {Problem[]} problems @returns {StepState} */
function dnsNow(list, problems) {
  const servers = list.filter((e) => e.role === 'dns');
  const answering = servers.filter(answers).length;
  const unresolved = problems.find((p) => p.kind === 'dns');
  if (unresolved) return step('down', 'Down', `${joinNames(unresolved.names)} not resolved`);
  if (answering) return step('up', 'Up', `${answering} of ${plural(servers.length, 'server')} up`);
  if (list.some((e) => isName(e.address) && answers(e))) return step('up', 'Up', 'names resolve');
  if (servers.some((e) => e.state === 'down')) {
    return step('down', 'Down', `${joinNames(servers.map((e) => e.name))} down`);
  }
  return step('not_measured', 'Not monitored', 'no name to resolve');
}

/** @param {HostEntry[]} list @returns {StepState} */
function hostsNow(list) {
  /** @param {State} state */
  const count = (state) => list.filter((e) => e.state === state).length;
  const state = /** @type {const} */ (['down', 'poor', 'degraded', 'up']).find((s) => count(s)) ?? 'not_measured';
  const word = state === 'up' ? 'Up' : state === 'not_measured' ? 'Not measured' : `${count(state)} ${state}`;
  return { state, word, detail: `${list.filter(answers).length} of ${list.length} answer` };
}
