// Questions to the server. Every URL is relative to the page, so a proxy's sub-path needs no setting here.
import { begun, send } from '../first.js';

/** The server answered, but not with what was asked for. */
export class Refused extends Error {
  /** @param {string} message @param {number} status of the answer */
  constructor(message, status) {
    super(message);
    this.status = status;
  }
}

/** Whether nobody has heard of the host that was asked for; any other refusal is another one's fault.
 * @param {unknown} error @returns {boolean} */
export const isUnknown = (error) => error instanceof Refused && error.status === 404;

/** @param {string} path @param {Record<string, string | number>} query */
export function urlOf(path, query) {
  const text = new URLSearchParams(Object.entries(query).map(([k, v]) => [k, String(v)])).toString();
  return text ? `${path}?${text}` : path;
}

/** @param {string} path @param {Record<string, string | number>} query @param {RequestInit} [init] @returns {Promise<Response>} */
function ask(path, query, init) {
  const url = urlOf(path, query);
  const early = begun.get(url);
  begun.delete(url);
  return early ?? send(url, init);
}

/** Where one address stands for several hosts, one an IP version, the page knows each by its key.
 * @template T @param {T} body what the server answered @returns {T} */
export function keyed(body) {
  const answer = /** @type {any} */ (body);
  for (const row of Array.isArray(answer) ? answer : answer?.hosts ?? []) {
    if (!row?.host_key) continue;
    if ('host_address' in row) row.host_address = row.host_key;
    else row.address = row.host_key;
  }
  return body;
}

/** @param {string} path relative @param {Record<string, string | number>} [query] @returns {Promise<any>} as types.d.ts names it
 * @throws {Refused} on an error answer, and a TypeError where no server answers */
export async function get(path, query = {}) {
  const response = await ask(path, query);
  const body = await response.json().catch(() => null);
  if (!response.ok || body === null) throw new Refused(body?.detail ?? `${path}: status ${response.status}`, response.status);
  return keyed(body);
}

let tag = '';

/** The next question is answered in full. */
export function forget() {
  tag = '';
}

/** The newest result of every host, or null when there is nothing new since the last question. @returns {Promise<Row[] | null>} */
export async function newest() {
  const response = await ask('api/ping-results/latest', {}, tag ? { headers: { 'If-None-Match': tag } } : {});
  if (response.status === 304) return null;
  if (!response.ok) throw new Refused(`api/ping-results/latest: status ${response.status}`, response.status);
  const rows = keyed(await response.json());
  tag = response.headers.get('ETag') ?? '';
  return rows;
}
