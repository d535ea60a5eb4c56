// The first of the page to run, and in need of nothing else of it: asks what every page shows while the rest is on its way.
// api.js hands the answers to whoever needs them.

const PATIENCE_MS = 15000;

/** What was asked before anybody needed it, by URL. @type {Map<string, Promise<Response>>} */
export const begun = new Map();

/** @param {string} url relative to the page @param {RequestInit} [init] @returns {Promise<Response>} */
export async function send(url, init = {}) {
  const giveUp = new AbortController();
  const timer = setTimeout(() => giveUp.abort(), PATIENCE_MS);
  try {
    return await fetch(url, { ...init, cache: 'no-store', credentials: 'same-origin', signal: giveUp.signal });
  } finally {
    clearTimeout(timer);
  }
}

/** Asks now what will be needed soon. @param {string} url */
export function begin(url) {
  const answer = send(url);
  // Whoever takes the answer is told of its failure.
  answer.catch(() => {});
  begun.set(url, answer);
}

/** When the reader's clocks last changed within some days, to the minute, and what they showed before. The page that asks first
 * has no other module yet. @param {number} now Unix seconds @param {number} days @param {(t: number) => number} offsetAt minutes
 * east of UTC at Unix seconds @returns {{at: number, earlier: number} | null} */
export function zoneChange(now, days, offsetAt) {
  const latest = offsetAt(now);
  // A day at a time: where they changed twice, the newer one counts.
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
const change = zoneChange(Date.now() / 1000, 90, offset);

// As questions.js words them: otherwise they would be asked twice, which a test sees.
begin(`api/overview?offset_minutes=${offset(Date.now() / 1000)}&days=90${change ? `&changed_at=${change.at}&earlier_offset_minutes=${change.earlier}` : ''}`);
begin('api/status');
begin('api/ping-results/latest');
begin('api/outages/active');
