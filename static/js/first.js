// Runs before all other modules and imports none of them: sends the requests that every page needs, while the rest of
// the page is loading. data/api.js passes the responses on.

const TIMEOUT_MS = 15000;

/** Responses to requests sent in advance, by URL. @type {Map<string, Promise<Response>>} */
export const prefetched = new Map();

/** @param {string} url relative to the page @param {RequestInit} [init] @returns {Promise<Response>} */
export async function send(url, init = {}) {
  const controller = new AbortController();
  const timer = setTimeout(() => controller.abort(), TIMEOUT_MS);
  try {
    return await fetch(url, { ...init, cache: 'no-store', credentials: 'same-origin', signal: controller.signal });
  } finally {
    clearTimeout(timer);
  }
}

/** Sends a request whose response is needed soon. @param {string} url */
export function prefetch(url) {
  const response = send(url);
  // An error reaches the caller that takes the response.
  response.catch(() => {});
  prefetched.set(url, response);
}

/** When the UTC offset last changed within some days, to the minute, and what it was before. It is here because the
 * module that sends the first requests must not import others.
 * @param {number} now Unix seconds @param {number} days @param {(t: number) => number} offsetAt minutes east of UTC
 * @returns {{at: number, earlier: number} | null} at: Unix seconds */
export function offsetChange(now, days, offsetAt) {
  const latest = offsetAt(now);
  // Day by day from now, so that the latest of two changes counts.
  let before = 0;
  for (let i = 1; i <= days && !before; i += 1) if (offsetAt(now - i * 86400) !== latest) before = now - i * 86400;
  if (!before) return null;
  const earlier = offsetAt(before);
  let from = Math.floor(before / 60);
  let to = from + 1441;
  while (to - from > 1) {
    const middle = Math.floor((from + to) / 2);
    if (offsetAt(middle * 60) === earlier) from = middle;
    else to = middle;
  }
  return { at: to * 60, earlier };
}

/** @param {number} t Unix seconds */
const offset = (t) => -new Date(t * 1000).getTimezoneOffset() || 0;
const change = offsetChange(Date.now() / 1000, 90, offset);

// Size: the query is written again as data/queries.js does, without that module. A test sees if the two differ.
prefetch(
  `api/overview?offset_minutes=${offset(Date.now() / 1000)}&days=90` +
    (change ? `&changed_at=${change.at}&earlier_offset_minutes=${change.earlier}` : ''),
);
prefetch('api/status');
prefetch('api/ping-results/latest');
prefetch('api/outages/active');
