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

// As questions.js words them: otherwise they would be asked twice, which a test sees.
begin(`api/overview?offset_minutes=${-new Date().getTimezoneOffset() || 0}&days=90`);
begin('api/status');
begin('api/ping-results/latest');
begin('api/outages/active');
