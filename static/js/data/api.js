// Requests to the server. Every URL is relative to the page, so no setting is needed behind a proxy's sub-path.
import { prefetched, send } from '../first.js';

/** The server answered with an error, or something else answered in its place. */
export class ApiError extends Error {
  /** @param {string} message @param {number} status HTTP status, 0 of a redirect
   * @param {boolean} [isOurs] whether this program wrote the answer */
  constructor(message, status, isOurs = true) {
    super(message);
    this.status = status;
    this.isOurs = isOurs;
  }
}

/** What a failed request says about the connection, and why. This program never redirects, and its answers are JSON: a
 * redirect, a page or a refusal is the login of a proxy.
 * @param {unknown} error @returns {{kind: 'lost' | 'login' | 'failed', reason: string}} */
export function judgeFailure(error) {
  if (!(error instanceof ApiError)) return { kind: 'lost', reason: '' };
  const { status, isOurs, message } = error;
  if (isOurs) return { kind: 'failed', reason: message };
  if (status < 400 || status === 401 || status === 403) return { kind: 'login', reason: '' };
  return { kind: 'failed', reason: `a proxy answers in its place, with status ${status}` };
}

/** Whether the server does not know the requested host.
 * @param {unknown} error @returns {boolean} */
export const isNotFound = (error) => error instanceof ApiError && error.status === 404;

/** @param {string} path @param {Record<string, string | number>} query */
export function urlOf(path, query) {
  const text = new URLSearchParams(Object.entries(query).map(([k, v]) => [k, String(v)])).toString();
  return text ? `${path}?${text}` : path;
}

/** A server that is busy says when to come again: the request is sent once more then.
 * @param {string} path @param {Record<string, string | number>} query @param {RequestInit} [init] */
async function request(path, query, init) {
  const url = urlOf(path, query);
  const sent = prefetched.get(url) ?? send(url, init);
  prefetched.delete(url);
  const response = await sent;
  const wait = response.status === 503 && Number(response.headers.get('Retry-After'));
  // A proxy may ask for minutes.
  if (!wait || wait > 9) return response;
  await new Promise((r) => setTimeout(r, wait * 1e3));
  return send(url, init);
}

/** Two hosts can share an address, one per IP version: the page uses the key as the address, which is unique.
 * @template T @param {T} body a JSON answer, changed in place @returns {T} */
export function useHostKeys(body) {
  const answer = /** @type {any} */ (body);
  const rows = answer?.incidents?.flatMap((/** @type {IncidentRow} */ i) => i.outages) ?? answer?.hosts ?? [];
  for (const row of Array.isArray(answer) ? answer : rows) {
    if (!row?.host_key) continue;
    if ('host_address' in row) row.host_address = row.host_key;
    else row.address = row.host_key;
  }
  return body;
}

/** @param {string} path @param {Response} response @returns {Promise<any>} @throws {ApiError} */
async function read(path, response) {
  const body = await response.json().catch(() => null);
  if (response.ok && body !== null) return useHostKeys(body);
  const detail = body?.detail;
  throw new ApiError(detail ?? `${path}: status ${response.status}`, response.status, detail !== undefined);
}

/** @param {string} path relative @param {Record<string, string | number>} [query]
 * @returns {Promise<any>} see types.d.ts
 * @throws {ApiError} and TypeError where no server answers */
export const get = async (path, query = {}) => read(path, await request(path, query));

let etag = '';

/** The next request for the latest results is answered in full. */
export function forgetETag() {
  etag = '';
}

/** The latest result of every host, null if unchanged since the last request.
 * @param {boolean} isViewed whether someone sees the page, so that the monitor shall write results soon
 * @returns {Promise<CheckResult[] | null>} */
export async function latestResults(isViewed) {
  const path = 'api/ping-results/latest';
  /** @type {Record<string, string>} */
  const query = isViewed ? {} : { background: 'true' };
  const response = await request(path, query, etag ? { headers: { 'If-None-Match': etag } } : {});
  if (response.status === 304) return null;
  const rows = await read(path, response);
  etag = response.headers.get('ETag') ?? '';
  return rows;
}
