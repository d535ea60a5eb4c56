// Keeps the page up to date: asks for new results each second while somebody looks, and says how it goes.
import { forget, get, newest } from './api.js';
import { seconds } from './time.js';

const TICK_MS = 1000;
const STATUS_EVERY_MS = 5000;
const WORST_WAIT_SECONDS = 10;

/** Server time minus the reader's, milliseconds: ages are right even where one of the clocks is wrong. */
let skew = 0;
/** @returns {number} Unix seconds by the server's clock */
export const now = () => (Date.now() + skew) / 1000;

/** @param {{results: (rows: Row[]) => void, status: (status: Status) => void, link: (link: Link) => void}} tell
 * @returns {{pause: (paused: boolean) => void}} */
export function live(tell) {
  let paused = false;
  let failures = 0;
  let wait = 0;
  let askedStatus = -Infinity;
  /** @type {Link} */
  let link = { kind: 'live', wait: 0, at: now() };
  /** @param {Link['kind']} kind */
  const set = (kind) => {
    link = { kind, wait, at: link.kind === kind ? link.at : now() };
    tell.link(link);
  };

  const turn = async () => {
    if (paused || document.hidden) return;
    if (wait > 0) {
      wait -= 1;
      set('lost');
      if (wait > 0) return;
    }
    try {
      const before = Date.now();
      const due = performance.now() - askedStatus >= STATUS_EVERY_MS;
      const [status, rows] = await Promise.all([due ? get('api/status') : null, newest()]);
      if (status) {
        const answered = seconds(status.now) * 1000;
        if (Number.isFinite(answered)) skew = answered - (before + Date.now()) / 2;
        askedStatus = performance.now();
      }
      failures = 0;
      if (rows) tell.results(rows);
      if (status) tell.status(status);
      if (!paused) set('live');
    } catch (error) {
      // A fault of our own must be seen in the console, not be told as a lost server.
      if (error instanceof ReferenceError || error instanceof RangeError) throw error;
      // What one of the two questions brought was not told.
      forget();
      failures += 1;
      wait = Math.min(2 ** failures, WORST_WAIT_SECONDS);
      askedStatus = -Infinity;
      if (!paused) set('lost');
    }
  };
  const loop = () => turn().finally(() => setTimeout(loop, TICK_MS));
  loop();
  document.addEventListener('visibilitychange', () => {
    wait = Math.min(wait, 1);
  });
  return {
    pause(value) {
      paused = value;
      wait = 0;
      askedStatus = -Infinity;
      set(paused ? 'paused' : 'live');
    },
  };
}
