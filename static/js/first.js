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
    // A redirect leads to the login of a proxy, perhaps at another host, which the page could not read.
    const redirect = 'manual';
    const { signal } = controller;
    return await fetch(url, { ...init, cache: 'no-store', credentials: 'same-origin', redirect, signal });
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

/** When the UTC offset changed within some days, to the minute, and what it was before; the latest change first. It is
 * here because the module that sends the first requests must not import others.
 * @param {number} now Unix seconds @param {number} days @param {(t: number) => number} offsetAt minutes east of UTC
 * @returns {{at: number, earlier: number}[]} at: Unix seconds */
export function offsetChanges(now, days, offsetAt) {
  const changes = [];
  for (let later = now; later > now - days * 86400; later -= 86400) {
    const earlier = offsetAt(later - 86400);
    if (earlier === offsetAt(later)) continue;
    let from = Math.floor(later / 60) - 1440;
    let to = Math.floor(later / 60) + 1;
    while (to - from > 1) {
      const middle = Math.floor((from + to) / 2);
      if (offsetAt(middle * 60) === earlier) from = middle;
      else to = middle;
    }
    changes.push({ at: to * 60, earlier });
  }
  return changes;
}

/** @param {number} t Unix seconds */
const offset = (t) => -new Date(t * 1000).getTimezoneOffset() || 0;
const changes = offsetChanges(Date.now() / 1000, 90, offset);

// Size: the query is written again as data/queries.js does, without that module. A test sees if the two differ.
prefetch(
  `api/overview?offset_minutes=${offset(Date.now() / 1000)}&days=90` +
    (changes.length
      ? `&changed_at=${changes.map((c) => c.at).join('%2C')}` +
        `&earlier_offset_minutes=${changes.map((c) => c.earlier).join('%2C')}`
      : ''),
);
prefetch('api/status');
prefetch('api/ping-results/latest');
prefetch('api/outages/active');
