// What the page of outages says of a span and of an empty list. No DOM.
import { sinceText } from './days.js';
import { plural } from './format.js';
import { duration, moment } from './time.js';

/** "once", "3 times". @param {number} n */
const times = (n) => (n === 1 ? 'once' : `${n} times`);

/** Links that were down, and names that did not resolve: listed, but no outages of a host.
 * @param {IncidentList} sums @param {boolean} isNow only ongoing ones */
function besides({ links, names }, isNow) {
  const all = [];
  if (links.events) {
    all.push(isNow ? 'this machine’s link is down'
      : `this machine’s link was down for ${duration(links.seconds)} (${times(links.events)})`);
  }
  if (names.events) {
    all.push(isNow ? `${plural(names.events, 'name')} ${names.events === 1 ? 'does' : 'do'} not resolve`
      : `names did not resolve for ${duration(names.seconds)} (${times(names.events)})`);
  }
  return all.join(', and ');
}

/** @param {string} text */
const capitalized = (text) => text.replace(/^./, (letter) => letter.toUpperCase());

/** The outages that are listed: time in which several hosts were down counts once.
 * @param {IncidentList} sums @param {Pick<View, 'active' | 'cause' | 'host'>} view what is listed
 * @param {number} days @param {number} from the beginning of the span
 * @param {number} first when the record begins, NaN without one @param {number} now Unix seconds */
export function sumText(sums, view, days, from, first, now) {
  if (Number.isNaN(first)) return 'Nothing is recorded yet.';
  const { outages, outages_of_hosts: each, hosts, down_seconds: down } = sums;
  const others = besides(sums, view.active);
  const ofHosts = each === outages ? '' : ` (${each} counted for each host)`;
  const length = duration(down);
  if (view.active) {
    const are = outages === 1 ? 'is' : 'are';
    const ongoing = `${plural(outages, 'outage')} ${are} ongoing, of ${plural(hosts, 'host')}, for ${length}.`;
    const all = [outages && ongoing, others && `${capitalized(others)}.`].filter(Boolean);
    return all.join(' ') || 'No outage is ongoing.';
  }
  const what = view.cause || view.host ? 'such outage' : 'outage';
  const when = capitalized(sinceText(`in ${days} days`, from, first, now));
  const not = 'Time that was not measured never counts as an outage, and planned outages are not counted.';
  if (!outages) return `${when} ${others || `no ${what} was recorded`}. ${not}`;
  const who = hosts === 1 ? `the host was down for ${length}` : `at least one of ${hosts} hosts was down for ${length}`;
  const more = others && `Besides, ${others}. `;
  return `${when} ${plural(outages, what)}${ofHosts}; ${who}. ${more}${not}`;
}

/** @param {View} view @param {number} first when the record begins, NaN without one @param {number} now Unix seconds */
export function emptyText(view, first, now) {
  if (Number.isNaN(first)) return 'No outage can be listed before something was measured.';
  if (view.active) return 'No outage is ongoing.';
  const which = view.cause || view.host ? 'No such outage' : 'No outage';
  return `${which} is recorded since ${moment(first, now)}.`;
}
