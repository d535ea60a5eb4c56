// Requests to the server. Every URL is relative to the page, so no setting is needed behind a proxy's sub-path.
import { prefetched, send } from '../first.js';

/** The server answered with an error, or without JSON. */
export class ApiError extends Error {
  /** @param {string} message @param {number} status HTTP status */
  constructor(message, status) {
    super(message);
    this.status = status;
  }
}

/** Whether the server does not know the requested host.
 * @param {unknown} error @returns {boolean} */
export const isNotFound = (error) => error instanceof ApiError && error.status === 404;

/** @param {string} path @param {Record<string, string | number>} query */
export function urlOf(path, query) {
  const text = new URLSearchParams(Object.entries(query).map(([k, v]) => [k, String(v)])).toString();
  return text ? `${path}?${text}` : path;
}

/** @param {string} path @param {Record<string, string | number>} query @param {RequestInit} [init] */
function request(path, query, init) {
  const url = urlOf(path, query);
  const response = prefetched.get(url);
  prefetched.delete(url);
  return response ?? send(url, init);
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

/** @param {string} path relative @param {Record<string, string | number>} [query]
 * @returns {Promise<any>} see types.d.ts
 * @throws {ApiError} and TypeError where no server answers */
export async function get(path, query = {}) {
  const response = await request(path, query);
  const body = await response.json().catch(() => null);
  if (!response.ok || body === null) {
    throw new ApiError(body?.detail ?? `${path}: status ${response.status}`, response.status);
  }
  return useHostKeys(body);
}

let etag = '';

/** The next request for the latest results is answered in full. */
export function forgetETag() {
  etag = '';
}

/** The latest result of every host, null if unchanged since the last request.
 * @returns {Promise<CheckResult[] | null>} */
export async function latestResults() {
  const response = await request('api/ping-results/latest', {}, etag ? { headers: { 'If-None-Match': etag } } : {});
  if (response.status === 304) return null;
  if (!response.ok) throw new ApiError(`api/ping-results/latest: status ${response.status}`, response.status);
  const rows = useHostKeys(await response.json());
  etag = response.headers.get('ETag') ?? '';
  return rows;
}
