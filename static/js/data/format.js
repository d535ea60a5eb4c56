// Numbers as people read them. Latencies come in microseconds or milliseconds as each name says.

export const NOTHING = '–';

/** @param {number | null | undefined} n @returns {n is null | undefined} */
const absent = (n) => n === null || n === undefined || Number.isNaN(n);

/** Three figures are enough to compare latencies: 0.42, 9.61, 41.7, 208.
 * @param {number | null | undefined} ms milliseconds */
export function ms(ms) {
  if (absent(ms)) return NOTHING;
  return ms.toFixed(ms < 0.9995 ? 2 : ms < 99.95 ? 1 : 0);
}

/** @param {number | null | undefined} us microseconds @returns {string} milliseconds as text */
export const usAsMs = (us) => ms(absent(us) ? null : us / 1000);

/** Never rounded up to 100: a lost second must not vanish.
 * @param {number | null | undefined} n percent @param {number} [digits] */
export function percent(n, digits = 2) {
  if (absent(n)) return NOTHING;
  const unit = 10 ** digits;
  return (n < 100 ? Math.min(Math.round(n * unit), 100 * unit - 1) / unit : 100).toFixed(digits);
}

/** A whole rate without needless zeros: 80, 86.67, 100. @param {number | null | undefined} n percent */
export const rate = (n) => percent(n).replace(/\.?0+$/, '');

/** 7,010 @param {number | null | undefined} n */
export const count = (n) => (absent(n) ? NOTHING : String(Math.round(n)).replace(/\B(?=(\d{3})+$)/g, ','));

/** "1 host", "3 hosts". @param {number} n @param {string} noun */
export const plural = (n, noun) => `${count(n)} ${noun}${n === 1 ? '' : 's'}`;

/** "A", "A and B", "A, B and C", "A, B, C and 4 more". @param {string[]} names */
export function listed(names) {
  if (names.length <= 1) return names.join('');
  if (names.length > 4) return `${names.slice(0, 3).join(', ')} and ${names.length - 3} more`;
  return `${names.slice(0, -1).join(', ')} and ${names[names.length - 1]}`;
}

/** @type {Record<State, string>} */
export const WORDS = { up: 'Up', degraded: 'Degraded', down: 'Down', not_measured: 'Not measured' };

/** RFC 4180, with a text that a spreadsheet would take for a formula disarmed.
 * @param {string[]} head @param {(string | number | null | undefined)[][]} rows */
export function csv(head, rows) {
  /** @param {string | number | null | undefined} value */
  const cell = (value) => {
    if (value === null || value === undefined) return '';
    const text = typeof value === 'string' && /^[=+\-@\t\r]/.test(value) ? `'${value}` : String(value);
    return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  return [head, ...rows].map((row) => row.map(cell).join(',')).join('\r\n') + '\r\n';
}
