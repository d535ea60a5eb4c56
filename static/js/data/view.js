// The view (page, host, range and so on) as the fragment of the URL, so that it can be linked. Times are Unix seconds.
import { DAY_SECONDS, RANGES } from './time.js';

/** @type {View} */
const DEFAULTS = {
  page: 'overview',
  host: '',
  hosts: [],
  range: '24h',
  from: 0,
  to: 0,
  scale: 'log',
  heat: 'lost',
  state: '',
  query: '',
  sort: 'trouble',
  active: false,
  cause: '',
  wall: false,
};
export const MAX_COMPARED = 5;
// A shorter range would show less than one check.
const MIN_RANGE_SECONDS = 60;

/** @param {string} hash as in location.hash @returns {View} with defaults for what cannot be read */
export function readView(hash) {
  const p = new URLSearchParams(hash.replace(/^#/, ''));
  /** @type {View} */
  const view = {
    ...DEFAULTS,
    host: p.get('host') ?? '',
    hosts: (p.get('hosts') ?? '').split(',').filter(Boolean).slice(0, MAX_COMPARED),
  };
  const page = p.get('page');
  if (page === 'outages' || page === 'compare') view.page = page;
  else if (view.host) view.page = 'host';
  const from = Number(p.get('from'));
  const to = Number(p.get('to'));
  const range = p.get('range') ?? '';
  if (from > 0 && to - from >= MIN_RANGE_SECONDS && to < 1e11) Object.assign(view, { range: 'custom', from, to });
  else if (RANGES.some(([key]) => key === range)) view.range = range;
  if (p.get('scale') === 'linear') view.scale = 'linear';
  if (p.get('heat') === 'latency') view.heat = 'latency';
  view.state = p.get('state') ?? '';
  view.query = p.get('query') ?? '';
  view.sort = p.get('sort') ?? DEFAULTS.sort;
  view.active = p.has('active');
  view.cause = p.get('cause') ?? '';
  view.wall = p.has('wall');
  return view;
}

/** The inverse of readView; defaults are left out. @param {Partial<View>} change @returns {string} starts with # */
export function writeView(change) {
  const view = { ...DEFAULTS, ...change };
  const p = new URLSearchParams();
  if (view.page === 'outages' || view.page === 'compare') p.set('page', view.page);
  if (view.page === 'host' || view.page === 'outages') if (view.host) p.set('host', view.host);
  if (view.page === 'compare' && view.hosts.length) p.set('hosts', view.hosts.join(','));
  if (view.page === 'host' || view.page === 'compare') {
    if (view.range === 'custom') {
      p.set('from', String(Math.floor(view.from)));
      p.set('to', String(Math.ceil(view.to)));
    } else if (view.range !== DEFAULTS.range) p.set('range', view.range);
    if (view.scale !== DEFAULTS.scale) p.set('scale', view.scale);
    if (view.heat !== DEFAULTS.heat) p.set('heat', view.heat);
  }
  if (view.page === 'overview') {
    for (const key of /** @type {const} */ (['state', 'query', 'sort'])) {
      if (view[key] !== DEFAULTS[key]) p.set(key, view[key]);
    }
  }
  if (view.page === 'outages' && view.active) p.set('active', '1');
  if (view.page === 'outages' && view.cause) p.set('cause', view.cause);
  if (view.wall) p.set('wall', '1');
  return `#${p}`;
}

/** The time range of a view. A named one begins with the record at the earliest.
 * @param {View} view @param {number} now @param {number} first time of the first record
 * @returns {{from: number, to: number, follows: boolean}} follows: it ends now, and moves with the clock */
export function spanOf(view, now, first) {
  if (view.range === 'custom') return { from: view.from, to: view.to, follows: false };
  const recorded = first > 0 ? now - first : Infinity;
  const wanted = RANGES.find(([key]) => key === view.range)?.[2] || (first > 0 ? recorded : DAY_SECONDS);
  return { from: now - Math.max(Math.min(wanted, recorded), MIN_RANGE_SECONDS), to: now, follows: true };
}

/** A range moved by a share of its length, to now at the latest.
 * @param {{from: number, to: number}} span @param {number} share @param {number} now */
export function panned(span, share, now) {
  const length = span.to - span.from;
  const to = Math.min(span.to + length * share, now);
  return { from: to - length, to };
}

/** A range made longer (factor above 1) or shorter around its middle; an end that is now stays now.
 * @param {{from: number, to: number}} span @param {number} factor @param {number} now */
export function zoomed(span, factor, now) {
  const length = Math.max((span.to - span.from) * factor, MIN_RANGE_SECONDS * 5);
  const middle = (span.from + span.to) / 2;
  const to = span.to >= now - 90 ? now : Math.min(middle + length / 2, now);
  return { from: Math.max(1, to - length), to };
}

/** The named range of that length if it ends now, otherwise a custom one. @param {{from: number, to: number}} span
 * @param {number} now
 * @returns {{range: string, from: number, to: number}} */
export function rangeOf(span, now) {
  const length = span.to - span.from;
  const known = span.to >= now - 90 && RANGES.find(([, , s]) => Math.abs(s - length) < 60);
  return known
    ? { range: known[0], from: 0, to: 0 }
    : { range: 'custom', from: Math.floor(span.from), to: Math.ceil(span.to) };
}
