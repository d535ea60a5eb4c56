// The queries of requests that are sent before the module of the page is loaded. No DOM.
import { offsetChanges } from '../first.js';
import { DAY_SECONDS, offsetMinutes } from './time.js';

const DAYS = 90;
export const MAX_OUTAGES = 1000;
// Finer points could not be distinguished.
const PIXELS_PER_POINT = 2.6;
const MAX_WIDTH_PIXELS = 1440;

/** @param {number} at Unix seconds; decides the UTC offset @returns {Record<string, string | number>} */
export function overviewQuery(at) {
  const query = { offset_minutes: offsetMinutes(at), days: DAYS };
  const changes = offsetChanges(at, DAYS, offsetMinutes);
  if (!changes.length) return query;
  const list = (/** @type {'at' | 'earlier'} */ key) => changes.map((change) => change[key]).join(',');
  return { ...query, changed_at: list('at'), earlier_offset_minutes: list('earlier') };
}

/** The URL of the printable report. @param {TimeRange} span @param {string} [host] an address; all hosts without */
export const reportUrl = (span, host) =>
  `api/report?from=${Math.floor(span.from)}&to=${Math.ceil(span.to)}` +
  (host ? `&host_address=${encodeURIComponent(host)}` : '');

/** @param {string} host its address @param {TimeRange} span @param {number} width pixels @returns {SeriesQuery} */
export const seriesQuery = (host, span, width) => ({
  host_address: host,
  from: Math.floor(span.from),
  to: Math.ceil(span.to),
  points: Math.round(Math.max(240, Math.min(width, MAX_WIDTH_PIXELS) / PIXELS_PER_POINT)),
});

/** @param {TimeRange} span @returns {Record<string, number>} */
export const wholeSeconds = (span) => ({ from: Math.floor(span.from), to: Math.ceil(span.to) });

/** The outages of the range and of the last 90 days. @param {SeriesQuery} series @param {number} now Unix seconds */
export const outagesQuery = (series, now) => ({
  host_address: series.host_address,
  from: Math.min(series.from, Math.floor(now - DAYS * DAY_SECONDS)),
  to: Math.ceil(Math.max(series.to, now)),
  limit: MAX_OUTAGES,
});
