// Where the fault is: the current problems, one per cause, the worst of them, and the state of each step of the path to
// the hosts. No DOM.
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

/** Whether the fault was on the way to the host, not at the host. @param {Outage} o */
export const blamesLine = (o) => ['link', 'gateway', 'provider'].includes(causeOf(o));
/** @param {HostEntry} e */
export const answers = (e) => e.state === 'up' || e.state === 'degraded' || e.state === 'poor';
/** @param {HostEntry} e */
export const isBeyondGateway = (e) => e.role === 'internet' || e.role === 'dns';

/** Since when it lasts; an intermittent outage began earlier. @param {Outage} o */
const sinceOf = (o) => seconds(o.ongoing_since ?? o.start_time);

/** The nearest cause first: one problem for all outages with the same cause, and last the hosts that lose most pings.
 * Planned outages are left out. @param {Outage[]} active @param {HostEntry[]} entries @returns {Problem[]} */
export function currentProblems(active, entries) {
  /** @type {Map<string, Problem>} */
  const found = new Map();
  const wrong = active.filter((o) => !o.planned).sort((a, b) => sinceOf(a) - sinceOf(b));
  for (const o of wrong) {
    const kind = isHostOutage(o) ? 'outage' : o.event_type;
    const key = `${kind} ${causeOf(o)}`;
    const known = found.get(key) ?? {
      cause: causeOf(o),
      kind,
      since: sinceOf(o),
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

/** What answers during an outage of the line: first what answers now, then what answered at its start.
 * @param {Problem} p @param {HostEntry[]} list configured hosts */
function lineText(p, list) {
  if (list.some((e) => isBeyondGateway(e) && answers(e))) return 'Other hosts beyond the gateway answer.';
  const isGatewayUp = list.some((e) => e.role === 'gateway' && answers(e));
  if (p.cause === 'gateway') {
    return isGatewayUp
      ? 'The gateway answers again, but nothing beyond it does.'
      : 'Neither the gateway nor anything beyond it answers.';
  }
  const facts = p.outages.map((o) => o.facts);
  if (facts.some((f) => f?.on_path_answering || f?.gateway === 'silent')) {
    return 'Packets get past this network and are lost beyond it.';
  }
  return isGatewayUp || facts.some((f) => f?.gateway === 'answers')
    ? 'The gateway answers, but nothing beyond it does.'
    : 'Nothing beyond the gateway answers.';
}

/** A problem in words: title, affected hosts, and consequence. @param {Problem} p @param {HostEntry[]} entries
 * @returns {{state: State, title: string, which: string, rest: string}} */
export function problemText(p, entries) {
  const names = joinNames(p.names);
  const one = p.names.length === 1;
  const list = entries.filter((e) => e.configured);
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
      rest: list.some((e) => p.addresses.includes(e.address) && e.state !== 'not_measured')
        ? 'Pings continue to the last good address.'
        : 'Without an address nothing can be sent.',
    };
  }
  if (p.kind === 'outage' && p.cause !== 'host' && p.cause !== 'unknown') {
    const rest = p.cause === 'gateway' || p.cause === 'provider' ? lineText(p, list) : '';
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
      title: one ? `${names} loses many pings` : `${plural(p.names.length, 'host')} lose many pings`,
      which: one ? '' : `: ${names}`,
      rest: '',
    };
  }
  const others = list.some((e) => isBeyondGateway(e) && answers(e));
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
  const answering = gateways.find(answers);
  if (answering) gateway = step('up', 'Up', `${answering.resolved ?? answering.address}, ${ms(answering.latency)} ms`);
  else if (beyond.some(answers)) gateway = step('up', 'Up', 'forwards packets');
  return {
    link: list.some((e) => e.state !== 'not_measured') ? step('up', 'Up', 'packets can be sent') : unknown,
    gateway,
    provider: Number.isFinite(nearest) ? step('up', 'Up', `nearest host ${ms(nearest)} ms`) : unknown,
    dns: dnsNow(list, problems),
    host: hostsNow(list),
  };
}

/** Whether names resolve is known only where a host has one: the server says it of each.
 * @param {HostEntry[]} list @param {Problem[]} problems @returns {StepState} */
function dnsNow(list, problems) {
  const servers = list.filter((e) => e.role === 'dns');
  const answering = servers.filter(answers).length;
  const failing = [
    ...problems.filter((p) => p.kind === 'dns').flatMap((p) => p.names),
    ...list.filter((e) => e.resolves === false).map((e) => e.name),
  ];
  if (failing.length) return step('down', 'Down', `${joinNames([...new Set(failing)])} not resolved`);
  if (list.some((e) => e.resolves)) return step('up', 'Up', 'names resolve');
  if (answering) {
    const verb = answering === 1 ? 'answers' : 'answer';
    return step('up', 'Up', `${answering} of ${plural(servers.length, 'server')} ${verb} pings`);
  }
  if (servers.some((e) => e.state === 'down')) {
    return step('down', 'Down', `${joinNames(servers.map((e) => e.name))} down`);
  }
  return servers.length || list.some((e) => e.isName)
    ? step('not_measured', 'Not known', '')
    : step('not_measured', 'Not monitored', 'no host has a name');
}

/** @param {HostEntry[]} list @returns {StepState} */
function hostsNow(list) {
  if (list.length && list.every((e) => e.isOld)) return step('not_measured', 'Not known', '');
  /** @param {State} state */
  const count = (state) => list.filter((e) => e.state === state).length;
  const state = /** @type {const} */ (['down', 'poor', 'degraded', 'up']).find((s) => count(s)) ?? 'not_measured';
  const word = state === 'up' ? 'Up' : state === 'not_measured' ? 'Not measured' : `${count(state)} ${state}`;
  const answering = list.filter(answers).length;
  return { state, word, detail: `${answering} of ${list.length} ${answering === 1 ? 'answers' : 'answer'}` };
}

/** @type {Record<string, string>} */
export const TROUBLE_WORDS = {
  none: 'Nothing is measured',
  stopped: 'Nothing is measured',
  lost: 'Server not reached',
  login: 'Login needed',
  failed: 'Server error',
  unwritten: 'Results are not written',
  paused: 'Paused',
};

/** The worst problem and how many more there are; without a server what is wrong with that.
 * @param {Pick<App, 'present' | 'active' | 'entries'>} app @returns {{kind: TroubleKind, text: string}} */
export function troubleOf({ present, active, entries }) {
  if (present !== 'now') return { kind: TROUBLE_WORDS[present] ? 'unknown' : '', text: TROUBLE_WORDS[present] ?? '' };
  const [worst, ...more] = currentProblems(active, entries);
  if (!worst) return { kind: '', text: '' };
  const isDown = worst.kind === 'outage' || worst.kind === 'link_down';
  const text = problemText(worst, entries).title;
  return { kind: isDown ? 'down' : 'minor', text: more.length ? `${text} and ${more.length} more` : text };
}
