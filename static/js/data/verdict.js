// Is it well now? The sentence at the top of the page. Pure.
import { CAUSE_WORDS } from './cause.js';
import { listed, plural } from './format.js';
import { tally } from './hosts.js';
import { moment, seconds } from './time.js';

/** @type {Record<State, string>} */
const TITLES = { up: 'The line is well', degraded: 'The line is degraded', down: 'The line is down', not_measured: 'The line is not measured' };
/** @type {Record<State, string>} */
const WAS = { up: 'well', degraded: 'degraded', down: 'down', not_measured: 'not measured' };

/** The state that most of the hosts show; what is not measured is not judged. Hosts beyond the gateway speak for the line, if there are any.
 * @param {Entry[]} list @param {(e: Entry) => State | null} stateOf @returns {State} */
function most(list, stateOf) {
  const beyond = list.filter((e) => e.role !== 'gateway');
  for (const group of [beyond, list]) {
    /** @type {State[]} */
    const order = ['up', 'degraded', 'down'];
    const states = group.map(stateOf).filter((s) => s !== null && s !== 'not_measured');
    const sorted = states.map((s) => order.indexOf(/** @type {State} */ (s))).sort();
    // Lower middle: of two hosts, both must have failed before the line is blamed.
    if (sorted.length) return order[sorted[Math.floor((sorted.length - 1) / 2)]];
  }
  return 'not_measured';
}

/** @param {Status} status @param {Entry[]} all @param {LineShares['last']} last the outage that ended last @param {number} now Unix seconds
 * @returns {Verdict} */
export function verdict(status, all, last, now) {
  const list = all.filter((e) => e.configured);
  const newest = Math.max(...all.map((e) => e.at).filter((t) => !Number.isNaN(t)), -Infinity);
  if (!list.length && !Number.isFinite(newest)) {
    return { state: 'not_measured', title: 'No host is configured', text: 'Name one under hosts: in the configuration and reload the service.' };
  }
  if (!status.monitor?.running) {
    if (!Number.isFinite(newest)) return { state: 'not_measured', title: 'Nothing is measured yet', text: 'No monitor has run on this database.' };
    const was = most(list, (e) => e.was ?? e.state);
    return { state: 'not_measured', title: TITLES.not_measured, text: `It was ${WAS[was]} at ${moment(newest, now)}. The time since then counts as not measured.` };
  }
  if (!Number.isFinite(newest) && !status.first_check) {
    return { state: 'not_measured', title: 'Waiting for the first results', text: `The first check of every host is done within ${plural(Math.max(...list.map((e) => e.interval)), 'second')}; this page fills by itself.` };
  }
  const state = most(list, (e) => e.state);
  const count = tally(list);
  /** @param {State} s */
  const names = (s) => listed(list.filter((e) => e.state === s).map((e) => e.name));
  const parts = [];
  if (count.up === list.length) parts.push(list.length === 1 ? `${list[0].name} answers.` : `All ${list.length} hosts answer.`);
  else if (!count.up && !count.degraded) parts.push(count.down ? 'No host answers.' : '');
  else parts.push(`${count.up + count.degraded} of ${plural(list.length, 'host')} ${count.up + count.degraded === 1 ? 'answers' : 'answer'}.`);
  if (count.degraded && count.degraded < list.length) parts.push(`${names('degraded')} ${count.degraded === 1 ? 'loses' : 'lose'} pings.`);
  if (count.not_measured) parts.push(`${names('not_measured')} ${count.not_measured === 1 ? 'is' : 'are'} not measured.`);
  const end = seconds(last?.end_time);
  if (last && !count.down && now - end < 86400 * 90) parts.push(`The last outage ended ${moment(end, now)} (${last.host_name}${last.cause === 'unknown' || last.cause === 'host' ? '' : `, cause ${CAUSE_WORDS[last.cause]}`}).`);
  return { state, title: TITLES[state], text: parts.filter(Boolean).join(' ') };
}
