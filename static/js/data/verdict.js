// How the line is now: the sentences at the top of the overview. No DOM.
import { CAUSE_WORDS, TROUBLE_WORDS, answers, blamesLine, causeOf, isBeyondGateway, isHostOutage } from './cause.js';
import { joinNames, plural } from './format.js';
import { countStates, isReached } from './hosts.js';
import { moment, seconds } from './time.js';

const NOT_BEYOND = 'Nothing beyond the gateway is measured, so nothing is known about the line.';

/** The state of most hosts: the lower median, so that of two hosts both must have failed.
 * @param {State[]} states measured ones @returns {State} */
function stateOfMost(states) {
  /** @type {State[]} */
  const order = ['up', 'degraded', 'poor', 'down'];
  const sorted = states.map((s) => order.indexOf(s)).sort();
  return order[sorted[Math.floor((sorted.length - 1) / 2)]] ?? 'not_measured';
}

/** What the results say about the line. It is down only if nothing beyond the gateway answers and the cause of that is
 * on the way there: the fault of a host is not the line's. `more` says what is not known.
 * @param {HostEntry[]} list configured hosts @param {Outage[]} active
 * @param {boolean} isPast whether the newest results say nothing about the present
 * @returns {{state: State, title: string, more: string}} */
export function lineOf(list, active, isPast) {
  /** @param {HostEntry} e */
  const stateOf = (e) => (isPast ? (e.was ?? e.state) : e.state);
  /** @param {HostEntry[]} some */
  const measured = (some) => some.filter((e) => stateOf(e) !== 'not_measured');
  const [is, are, does] = isPast ? ['was', 'were', 'did'] : ['is', 'are', 'does'];
  const notKnown = `It is not known whether the line ${isPast ? 'was' : 'is'} at fault.`;
  /** @param {State} state */
  const line = (state) => ({ state, title: `The line ${is} ${STATE_TEXT[state]}`, more: '' });
  const beyond = measured(list.filter(isBeyondGateway));
  if (!beyond.length) {
    const near = measured(list);
    if (!near.length) return line('not_measured');
    const state = stateOfMost(near.map(stateOf));
    const what = near.every((e) => e.role === 'gateway') ? `The gateway ${is}` : `The hosts ${are}`;
    return { state, title: `${what} ${STATE_TEXT[state]}`, more: NOT_BEYOND };
  }
  const silent = beyond.filter((e) => stateOf(e) === 'down');
  const rest = beyond.filter((e) => stateOf(e) !== 'down');
  const outages = active.filter((o) => isHostOutage(o) && silent.some((e) => e.address === o.host_address));
  const isBlamed = outages.some(blamesLine);
  const isHosts = silent.every((e) => outages.some((o) => o.host_address === e.address && causeOf(o) === 'host'));
  if (silent.length && !rest.length) {
    if (isBlamed) return line('down');
    const count = silent.length;
    const [{ name }] = silent;
    const where = measured(list).some((e) => stateOf(e) !== 'down') ? ' beyond the gateway' : '';
    if (isHosts) {
      const all = `${allHosts(count)}${where}`;
      return { state: 'down', title: count === 1 ? `${name} ${is} down` : `${all} ${are} down`, more: '' };
    }
    const none = `No host${where} ${isPast ? 'answered' : 'answers'}`;
    return { state: 'down', title: count === 1 ? `${name} ${does} not answer` : none, more: notKnown };
  }
  if (isBlamed) return { state: 'degraded', title: `The line ${is} partly down`, more: '' };
  const most = stateOfMost(beyond.map(stateOf));
  if (most !== 'down') return line(most);
  if (isHosts) return line(stateOfMost(rest.map(stateOf)));
  return {
    state: 'down', title: `Most hosts beyond the gateway ${isPast ? 'did' : 'do'} not answer`, more: notKnown,
  };
}

/** @type {Record<State, string>} */
const STATE_TEXT = { up: 'up', degraded: 'degraded', poor: 'poor', down: 'down', not_measured: 'not measured' };

/** @param {{status: Status, entries: HostEntry[], active: Outage[], present: Present}} known
 * @param {LineShares['last']} last the outage that ended last @param {number} now Unix seconds @returns {Verdict} */
export function verdict({ status, entries: all, active, present }, last, now) {
  const list = all.filter((e) => e.configured);
  const newest = Math.max(...all.map((e) => e.at).filter((t) => !Number.isNaN(t)), -Infinity);
  const hasResult = Number.isFinite(newest);
  const unknown = !isReached(present) && (TROUBLE_WORDS[present] ?? 'Loading');
  if (!list.length && !hasResult && !unknown) {
    return {
      state: 'not_measured',
      title: 'No host is configured',
      text: 'Add one under hosts: in the configuration and reload the service.',
    };
  }
  if (!hasResult && present !== 'now') {
    const never = status.monitor
      ? 'The monitor stopped before anything was measured.' : 'No monitor has run on this database.';
    if (unknown) return { state: 'not_measured', title: 'Nothing known yet', text: `${unknown}.` };
    return { state: 'not_measured', title: 'Nothing measured yet', text: never };
  }
  if (!hasResult && !status.first_check) {
    const longest = plural(Math.max(...list.map((e) => e.interval)), 'second');
    return {
      state: 'not_measured',
      title: 'Waiting for the first results',
      text: `The first check of every host is done within ${longest}.`,
    };
  }
  const line = lineOf(list, active, present !== 'now');
  if (unknown) {
    const text = `That was at ${moment(newest, now)}. ${unknown}: nothing has been known since then.`;
    return { state: 'not_measured', title: line.title, text };
  }
  if (present !== 'now') {
    const text = `${line.title} at ${moment(newest, now)}. The time since then counts as not measured.`;
    return { state: 'not_measured', title: 'The line is not measured', text };
  }
  const end = seconds(last?.end_time);
  const parts = [line.title === 'No host answers' ? '' : answersText(list), line.more];
  const isQuiet = !list.some((e) => e.state === 'down') && !active.some((o) => !o.planned);
  if (last && isQuiet && now - end < 86400 * 90) {
    const cause = last.cause === 'unknown' || last.cause === 'host' ? '' : `, cause ${CAUSE_WORDS[last.cause]}`;
    const who = last.hosts > 1 ? plural(last.hosts, 'host') : last.host_name;
    parts.push(`The last outage ended ${moment(end, now)} (${who}${cause}).`);
  }
  return { state: line.state, title: line.title, text: parts.filter(Boolean).join(' ') };
}

/** @param {number} count more than one */
const allHosts = (count) => (count === 2 ? 'Both hosts' : `All ${count} hosts`);

/** Which hosts answer, lose pings, or are not measured. @param {HostEntry[]} list */
function answersText(list) {
  const count = countStates(list);
  const lossy = count.degraded + count.poor;
  const answering = list.filter(answers).length;
  /** @param {State[]} s */
  const names = (...s) => joinNames(list.filter((e) => s.includes(e.state)).map((e) => e.name));
  const parts = [];
  if (count.up === list.length) {
    parts.push(list.length === 1 ? `${list[0].name} answers.` : `${allHosts(list.length)} answer.`);
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
