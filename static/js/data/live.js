// Polls the server, once a second while the page is visible, and reports whether it can be reached.
import { forgetETag, get, judgeFailure, latestResults } from './api.js';
import { clock, duration, seconds } from './time.js';

const TICK_MS = 1000;
const STATUS_EVERY_MS = 5000;
// Title and icon of the tab show trouble also while another tab is in front.
const HIDDEN_EVERY_MS = 15000;
const MAX_WAIT_SECONDS = 10;
// What was loaded longer ago is not the present.
const OLD_MS = 10000;

/** Milliseconds from this computer's clock to the server's, so that ages are right even if one of them is wrong. */
let skew = 0;
/** @returns {number} Unix seconds by the server's clock */
export const now = () => (Date.now() + skew) / 1000;

/** @param {ServerConnection} connection @param {Status | null} status @returns {Present} */
export function presentOf(connection, status) {
  if (connection.kind !== 'live') return connection.kind;
  if (!status) return 'loading';
  if (!status.monitor) return 'none';
  return status.monitor.running ? 'now' : 'stopped';
}

/** The words beside the mark of the connection.
 * @param {Pick<App, 'present' | 'connection' | 'newest' | 'entries'>} app @param {number} now Unix seconds
 * @returns {[State, string]} */
export function connectionText({ present, connection, newest, entries }, now) {
  const again = `trying again in ${Math.max(1, connection.wait)} s`;
  const age = duration(now - newest);
  const hasResult = Number.isFinite(newest);
  const configured = entries.filter((e) => e.configured);
  switch (present) {
    case 'lost': return ['not_measured', `Server not reached, ${again}`];
    case 'login': return ['not_measured', 'Login needed'];
    case 'failed': return ['not_measured', `The server answers with an error, ${again}`];
    case 'unwritten': return ['not_measured', 'Results are not written'];
    case 'paused': return ['not_measured', `Paused at ${clock(connection.at)}`];
    case 'loading': return ['not_measured', 'Loading'];
    case 'none': return ['down', 'No monitor is running'];
    case 'stopped': return ['down', hasResult ? `Stopped, last check ${age} ago` : 'No monitor is running'];
    default:
  }
  if (!hasResult) return ['not_measured', 'Measuring for the first time'];
  if (configured.length && configured.every((e) => e.isOld)) return ['not_measured', `No new check for ${age}`];
  return ['up', `Live, last check ${age} ago`];
}

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
  let unwritten = '';
  let answeredAt = performance.now();
  let askedAt = -Infinity;
  /** @type {ServerConnection} */
  let connection = { kind: 'live', wait: 0, at: now(), reason: '' };
  /** @param {ServerConnection['kind']} kind @param {string} [reason] @param {number} [since] */
  const set = (kind, reason = '', since = now()) => {
    connection = { kind, wait, at: connection.kind === kind ? connection.at : since, reason };
    handlers.connection(connection);
  };

  const poll = async () => {
    if (paused) return;
    if (document.hidden) {
      if (performance.now() - askedAt < HIDDEN_EVERY_MS) return;
      wait = 0;
    }
    if (wait > 0) {
      wait -= 1;
      set(connection.kind, connection.reason);
      if (wait > 0) return;
    }
    askedAt = performance.now();
    try {
      const before = Date.now();
      const due = performance.now() - statusAt >= STATUS_EVERY_MS;
      /** @type {unknown} */
      let failure = null;
      const [status, rows] = await Promise.all([
        due ? get('api/status') : null,
        latestResults(!document.hidden).catch((error) => {
          failure = error;
          return null;
        }),
      ]);
      if (status) {
        const answered = seconds(status.now) * 1000;
        if (Number.isFinite(answered)) skew = answered - (before + Date.now()) / 2;
        statusAt = performance.now();
        unwritten = status.unwritten ?? '';
      }
      // A monitor that could not write since it began may have no database to read.
      if (failure && !unwritten) throw failure;
      failures = 0;
      answeredAt = performance.now();
      if (rows) handlers.results(rows);
      if (status) handlers.status(status);
      if (paused) return;
      // What is written is shown. The monitor was last known to write when it noted that it runs.
      const writtenAt = seconds(status?.monitor?.alive_at);
      if (unwritten) set('unwritten', unwritten, Number.isFinite(writtenAt) ? writtenAt : now());
      else set('live');
    } catch (error) {
      // A bug of this page belongs in the console, and is not a lost server.
      if (error instanceof ReferenceError || error instanceof RangeError) throw error;
      // The results may have arrived but were not passed on, if only the status failed.
      forgetETag();
      failures += 1;
      wait = Math.min(2 ** failures, MAX_WAIT_SECONDS);
      statusAt = -Infinity;
      const { kind, reason } = judgeFailure(error);
      if (!paused) set(kind, reason);
    }
  };
  const loop = () => poll().finally(() => setTimeout(loop, TICK_MS));
  loop();
  document.addEventListener('visibilitychange', () => {
    wait = Math.min(wait, 1);
    if (!document.hidden && connection.kind === 'live' && performance.now() - answeredAt > OLD_MS) set('loading');
  });
  return {
    pause(value) {
      paused = value;
      wait = 0;
      statusAt = -Infinity;
      set(paused ? 'paused' : 'loading');
    },
  };
}
