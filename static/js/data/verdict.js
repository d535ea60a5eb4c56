// How the line is now: the sentences at the top of the overview. No DOM.
import { CAUSE_WORDS } from './cause.js';
import { joinNames, plural } from './format.js';
import { countStates } from './hosts.js';
import { moment, seconds } from './time.js';

/** @type {Record<State, string>} */
const TITLES = {
  up: 'The line is up',
  degraded: 'The line is degraded',
  poor: 'The line is poor',
  down: 'The line is down',
  not_measured: 'The line is not measured',
};
/** @type {Record<State, string>} */
const WAS = { up: 'up', degraded: 'degraded', poor: 'poor', down: 'down', not_measured: 'not measured' };

/** The state of most hosts beyond the gateway, or of most gateways without such hosts. Hosts that are not measured do
 * not count. @param {HostEntry[]} list @param {(e: HostEntry) => State | null} stateOf @returns {State} */
function stateOfMost(list, stateOf) {
  const beyond = list.filter((e) => e.role !== 'gateway');
  for (const group of [beyond, list]) {
    /** @type {State[]} */
    const order = ['up', 'degraded', 'poor', 'down'];
    const states = group.map(stateOf).filter((s) => s !== null && s !== 'not_measured');
    const sorted = states.map((s) => order.indexOf(/** @type {State} */ (s))).sort();
    // The lower median: of two hosts, both must have failed.
    if (sorted.length) return order[sorted[Math.floor((sorted.length - 1) / 2)]];
  }
  return 'not_measured';
}

/** @param {Status} status @param {HostEntry[]} all @param {LineShares['last']} last the outage that ended last
 * @param {number} now Unix seconds @returns {Verdict} */
export function verdict(status, all, last, now) {
  const list = all.filter((e) => e.configured);
  const newest = Math.max(...all.map((e) => e.at).filter((t) => !Number.isNaN(t)), -Infinity);
  if (!list.length && !Number.isFinite(newest)) {
    return {
      state: 'not_measured',
      title: 'No host is configured',
      text: 'Add one under hosts: in the configuration and reload the service.',
    };
  }
  if (!status.monitor?.running) {
    if (!Number.isFinite(newest)) {
      return { state: 'not_measured', title: 'Nothing measured yet', text: 'No monitor has run on this database.' };
    }
    const was = stateOfMost(list, (e) => e.was ?? e.state);
    return {
      state: 'not_measured',
      title: TITLES.not_measured,
      text: `It was ${WAS[was]} at ${moment(newest, now)}. The time since then counts as not measured.`,
    };
  }
  if (!Number.isFinite(newest) && !status.first_check) {
    const longest = plural(Math.max(...list.map((e) => e.interval)), 'second');
    return {
      state: 'not_measured',
      title: 'Waiting for the first results',
      text: `The first check of every host is done within ${longest}; this page updates by itself.`,
    };
  }
  const state = stateOfMost(list, (e) => e.state);
  const end = seconds(last?.end_time);
  const parts = [answersText(list)];
  if (last && !list.some((e) => e.state === 'down') && now - end < 86400 * 90) {
    const cause = last.cause === 'unknown' || last.cause === 'host' ? '' : `, cause ${CAUSE_WORDS[last.cause]}`;
    parts.push(`The last outage ended ${moment(end, now)} (${last.host_name}${cause}).`);
  }
  return { state, title: TITLES[state], text: parts.filter(Boolean).join(' ') };
}

/** Which hosts answer, lose pings, or are not measured. @param {HostEntry[]} list */
function answersText(list) {
  const count = countStates(list);
  const lossy = count.degraded + count.poor;
  const answering = count.up + lossy;
  /** @param {State[]} s */
  const names = (...s) => joinNames(list.filter((e) => s.includes(e.state)).map((e) => e.name));
  const parts = [];
  if (count.up === list.length) {
    parts.push(list.length === 1 ? `${list[0].name} answers.` : `All ${list.length} hosts answer.`);
  } else if (answering) {
    parts.push(`${answering} of ${plural(list.length, 'host')} ${answering === 1 ? 'answers' : 'answer'}.`);
  } else if (count.down) parts.push('No host answers.');
  if (lossy && lossy < list.length) {
    parts.push(`${names('degraded', 'poor')} ${lossy === 1 ? 'loses' : 'lose'} pings.`);
  }
  if (count.not_measured) {
    parts.push(`${names('not_measured')} ${count.not_measured === 1 ? 'is' : 'are'} not measured.`);
  }
  return parts.join(' ');
}
