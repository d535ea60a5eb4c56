// Polls the server once a second while the page is visible, and reports whether it can be reached.
import { forgetETag, get, latestResults } from './api.js';
import { seconds } from './time.js';

const TICK_MS = 1000;
const STATUS_EVERY_MS = 5000;
const MAX_WAIT_SECONDS = 10;

/** Milliseconds from this computer's clock to the server's, so that ages are right even if one of them is wrong. */
let skew = 0;
/** @returns {number} Unix seconds by the server's clock */
export const now = () => (Date.now() + skew) / 1000;

/**
 * @param {{
 *   results: (rows: CheckResult[]) => void,
 *   status: (status: Status) => void,
 *   connection: (connection: ServerConnection) => void,
 * }} handlers
 * @returns {{pause: (paused: boolean) => void}} */
export function live(handlers) {
  let paused = false;
  let failures = 0;
  let wait = 0;
  let statusAt = -Infinity;
  /** @type {ServerConnection} */
  let connection = { kind: 'live', wait: 0, at: now() };
  /** @param {ServerConnection['kind']} kind */
  const set = (kind) => {
    connection = { kind, wait, at: connection.kind === kind ? connection.at : now() };
    handlers.connection(connection);
  };

  const poll = async () => {
    if (paused || document.hidden) return;
    if (wait > 0) {
      wait -= 1;
      set('lost');
      if (wait > 0) return;
    }
    try {
      const before = Date.now();
      const due = performance.now() - statusAt >= STATUS_EVERY_MS;
      const [status, rows] = await Promise.all([due ? get('api/status') : null, latestResults()]);
      if (status) {
        const answered = seconds(status.now) * 1000;
        if (Number.isFinite(answered)) skew = answered - (before + Date.now()) / 2;
        statusAt = performance.now();
      }
      failures = 0;
      if (rows) handlers.results(rows);
      if (status) handlers.status(status);
      if (!paused) set('live');
    } catch (error) {
      // A bug of this page belongs in the console, and is not a lost server.
      if (error instanceof ReferenceError || error instanceof RangeError) throw error;
      // The results may have arrived but were not passed on, if only the status failed.
      forgetETag();
      failures += 1;
      wait = Math.min(2 ** failures, MAX_WAIT_SECONDS);
      statusAt = -Infinity;
      if (!paused) set('lost');
    }
  };
  const loop = () => poll().finally(() => setTimeout(loop, TICK_MS));
  loop();
  document.addEventListener('visibilitychange', () => {
    wait = Math.min(wait, 1);
  });
  return {
    pause(value) {
      paused = value;
      wait = 0;
      statusAt = -Infinity;
      set(paused ? 'paused' : 'live');
    },
  };
}
