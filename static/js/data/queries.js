// What the pages ask the server, where that is asked before the page itself is there. Pure.
import { zoneChange } from '../first.js';
import { DAY_SECONDS, offsetMinutes } from './time.js';

const DAYS = 90;
export const MOST_OUTAGES = 1000;
// A point a few pixels wide is as fine as the eye needs.
const PIXELS_A_POINT = 2.6;
const WIDEST = 1440;

/** @param {number} at Unix seconds, for the offset then in force @returns {Record<string, number>} */
export function overviewQuery(at) {
  /** @type {Record<string, number>} */
  const query = { offset_minutes: offsetMinutes(at), days: DAYS };
  const change = zoneChange(at, DAYS, offsetMinutes);
  return change ? { ...query, changed_at: change.at, earlier_offset_minutes: change.earlier } : query;
}

/** The printable report of a span, of one host or of all. @param {Extent} span @param {string} [host] its address */
export const reportUrl = (span, host) => `api/report?from=${Math.floor(span.from)}&to=${Math.ceil(span.to)}${host ? `&host_address=${encodeURIComponent(host)}` : ''}`;

/** @param {string} host its address @param {Extent} span @param {number} width pixels @returns {SeriesQuery} */
export const seriesQuery = (host, span, width) => ({ host_address: host, from: Math.floor(span.from), to: Math.ceil(span.to), points: Math.round(Math.max(240, Math.min(width, WIDEST) / PIXELS_A_POINT)) });

/** @param {Extent} span @returns {Record<string, number>} */
export const within = (span) => ({ from: Math.floor(span.from), to: Math.ceil(span.to) });

/** The outages of the range, and of the last 90 days in any case. @param {SeriesQuery} series @param {number} now Unix seconds */
export const outagesQuery = (series, now) => ({ host_address: series.host_address, from: Math.min(series.from, Math.floor(now - DAYS * DAY_SECONDS)), to: Math.ceil(Math.max(series.to, now)), limit: MOST_OUTAGES });
