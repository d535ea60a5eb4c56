// What the page of outages says of a span and of an empty list. No DOM.
import { sinceText } from './days.js';
import { plural } from './format.js';
import { duration, moment } from './time.js';

/** The outages of all hosts: time in which several were down counts once.
 * @param {IncidentList} sums @param {number} days @param {number} from the beginning of the span
 * @param {number} first when the record begins, NaN without one @param {number} now Unix seconds */
export function sumText(sums, days, from, first, now) {
  if (Number.isNaN(first)) return 'Nothing is recorded yet.';
  const { outages, outages_of_hosts: single, hosts, down_seconds: down } = sums;
  const when = sinceText(`in ${days} days`, from, first, now).replace(/^./, (letter) => letter.toUpperCase());
  const not = 'Time that was not measured never counts as an outage, and planned outages are not counted.';
  if (!outages) return `${when} no outage was recorded. ${not}`;
  const ofHosts = single === outages ? '' : ` (${single} of single hosts)`;
  const length = duration(down);
  const who = hosts === 1 ? `the host was down for ${length}` : `at least one of ${hosts} hosts was down for ${length}`;
  return `${when} ${plural(outages, 'outage')}${ofHosts}; ${who}. ${not}`;
}

/** @param {View} view @param {number} first when the record begins, NaN without one @param {number} now Unix seconds */
export function emptyText(view, first, now) {
  if (Number.isNaN(first)) return 'No outage can be listed before something was measured.';
  if (view.active) return 'No outage is ongoing.';
  const which = view.cause || view.host ? 'No such outage' : 'No outage';
  return `${which} is recorded since ${moment(first, now)}.`;
}
