// What the pages ask the server, where that is asked before the page itself is there. Pure.
import { DAY_SECONDS, offsetMinutes } from './time.js';

const DAYS = 90;
const MOST_OUTAGES = 200;
// A point a few pixels wide is as fine as the eye needs.
const PIXELS_A_POINT = 2.6;
const WIDEST = 1440;

/** @param {number} at Unix seconds, for the offset then in force @returns {Record<string, number>} */
export const overviewQuery = (at) => ({ offset_minutes: offsetMinutes(at), days: DAYS });

/** The printable report of a span, of one host or of all. @param {Extent} span @param {string} [host] its address */
export const reportUrl = (span, host) => `api/report?from=${Math.floor(span.from)}&to=${Math.ceil(span.to)}${host ? `&host_address=${encodeURIComponent(host)}` : ''}`;

/** @param {string} host its address @param {Extent} span @param {number} width pixels @returns {SeriesQuery} */
export const seriesQuery = (host, span, width) => ({ host_address: host, from: Math.floor(span.from), to: Math.ceil(span.to), points: Math.round(Math.max(240, Math.min(width, WIDEST) / PIXELS_A_POINT)) });

/** @param {Extent} span @returns {Record<string, number>} */
export const within = (span) => ({ from: Math.floor(span.from), to: Math.ceil(span.to) });

/** The outages of the range, and of the last 90 days in any case. @param {SeriesQuery} series @param {number} now Unix seconds */
export const outagesQuery = (series, now) => ({ host_address: series.host_address, days: Math.max(DAYS, Math.ceil((now - series.from) / DAY_SECONDS)), limit: MOST_OUTAGES });
