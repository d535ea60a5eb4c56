// Numbers and lists as text. No DOM.

export const NO_VALUE = '–';

/** @param {number | null | undefined} n @returns {n is null | undefined} */
const isMissing = (n) => n === null || n === undefined || Number.isNaN(n);

/** Two or three significant digits: 0.42, 9.6, 41.7, 208.
 * @param {number | null | undefined} ms milliseconds */
export function ms(ms) {
  if (isMissing(ms)) return NO_VALUE;
  return ms.toFixed(ms < 0.9995 ? 2 : ms < 99.95 ? 1 : 0);
}

/** @param {number | null | undefined} us microseconds @returns {string} milliseconds as text */
export const usAsMs = (us) => ms(isMissing(us) ? null : us / 1000);

/** Never rounded up to 100, so that even a lost second shows.
 * @param {number | null | undefined} n percent @param {number} [digits] */
export function percent(n, digits = 2) {
  if (isMissing(n)) return NO_VALUE;
  const unit = 10 ** digits;
  return (n < 100 ? Math.min(Math.round(n * unit), 100 * unit - 1) / unit : 100).toFixed(digits);
}

/** Without trailing zeros: 80, 86.67, 100. @param {number | null | undefined} n percent */
export const rate = (n) => percent(n).replace(/\.?0+$/, '');

/** 7,010 @param {number | null | undefined} n */
export const count = (n) => (isMissing(n) ? NO_VALUE : String(Math.round(n)).replace(/\B(?=(\d{3})+$)/g, ','));

/** "1 host", "3 hosts". @param {number} n @param {string} noun */
export const plural = (n, noun) => `${count(n)} ${noun}${n === 1 ? '' : 's'}`;

/** "A", "A and B", "A, B and C", "A, B, C and 4 more". @param {string[]} names */
export function joinNames(names) {
  if (names.length <= 1) return names.join('');
  if (names.length > 4) return `${names.slice(0, 3).join(', ')} and ${names.length - 3} more`;
  return `${names.slice(0, -1).join(', ')} and ${names[names.length - 1]}`;
}

/** @type {Record<State, string>} */
export const STATE_WORDS = {
  up: 'Up',
  degraded: 'Degraded',
  poor: 'Poor',
  down: 'Down',
  not_measured: 'Not measured',
};

/** A text as a file's name: letters and digits of every script stay. @param {string} text */
export const fileName = (text) => text.replace(/[^\p{L}\p{M}\p{N}_.-]+/gu, '-').replace(/^[-.]+/, '') || 'host';

/** As in RFC 4180, and with a byte order mark, since spreadsheets recognise UTF-8 only by it. A text that a spreadsheet
 * would run as a formula begins with an apostrophe.
 * @param {string[]} head @param {(string | number | null | undefined)[][]} rows */
export function csv(head, rows) {
  /** @param {string | number | null | undefined} value */
  const cell = (value) => {
    if (value === null || value === undefined) return '';
    const text = typeof value === 'string' && /^[=+\-@\t\r]/.test(value) ? `'${value}` : String(value);
    return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  return '\ufeff' + [head, ...rows].map((row) => row.map(cell).join(',')).join('\r\n') + '\r\n';
}
