// What is wrong now, for the title and the icon of the tab. No DOM.
import { currentProblems, problemText } from './cause.js';

/** @type {Record<string, string>} */
const WORDS = {
  none: 'Nothing is measured',
  stopped: 'Nothing is measured',
  lost: 'Server not reached',
  login: 'Login needed',
  failed: 'Server error',
  paused: 'Paused',
};

/** The worst problem and how many more there are; without a server what is wrong with that.
 * @param {Pick<App, 'present' | 'active' | 'entries'>} app @returns {{kind: TroubleKind, text: string}} */
export function troubleOf({ present, active, entries }) {
  if (present !== 'now') return { kind: WORDS[present] ? 'unknown' : '', text: WORDS[present] ?? '' };
  const [worst, ...more] = currentProblems(active, entries);
  if (!worst) return { kind: '', text: '' };
  const isDown = worst.kind === 'outage' || worst.kind === 'link_down';
  const text = problemText(worst, entries).title;
  return { kind: isDown ? 'down' : 'minor', text: more.length ? `${text} and ${more.length} more` : text };
}

/** The shapes of the states: square with a cross, triangle, broken ring. @type {Record<string, string>} */
const SHAPES = {
  down: "fill='%23F4695A' d='M7 7h18v18H7z'/%3E%3Cpath d='M12 12l8 8M20 12l-8 8' stroke='%2312161D' stroke-width='3'",
  minor: "fill='%23E3A32E' d='M16 6l11 20H5z'",
  unknown: "d='M16 7a9 9 0 1 1-.1 0z' fill='none' stroke='%23B3BBC7' stroke-width='4' stroke-dasharray='5 4.4'",
};

/** The URL of the icon, which must be shown without a server too. @param {TroubleKind} kind */
export const iconOf = (kind) => (kind
  ? "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 32 32'%3E"
  + `%3Crect width='32' height='32' rx='7' fill='%2312161D'/%3E%3Cpath ${SHAPES[kind]}/%3E%3C/svg%3E` : 'icon.svg');
