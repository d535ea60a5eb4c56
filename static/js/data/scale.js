// Functions from values to pixels, and axis ticks. No DOM.

/** @param {number} low @param {number} high @param {number} start pixel of low @param {number} end pixel of high
 * @returns {Scale} */
export function linear(low, high, start, end) {
  const slope = (end - start) / (high - low || 1);
  return (value) => start + (value - low) * slope;
}

/** Values below `low` map to the same pixel as `low`.
 * @param {number} low above 0 @param {number} high @param {number} start @param {number} end @returns {Scale} */
export function logarithmic(low, high, start, end) {
  const inner = linear(Math.log(low), Math.log(high), start, end);
  return (value) => inner(Math.log(Math.max(value, low)));
}

/** Three lanes of equal height: poor from 0 (down) to 80, degraded 80 to 95, up 95 to 100, so that both thresholds are
 * visible.
 * @param {number} rate percent @returns {number} 0 (bottom) to 1 (top) */
export function lane(rate) {
  if (rate < 80) return rate / 240;
  if (rate < 95) return (1 + (rate - 80) / 15) / 3;
  return (2 + (rate - 95) / 5) / 3;
}

/** @param {number} rate percent @returns {State} */
export const stateOf = (rate) => (rate >= 95 ? 'up' : rate >= 80 ? 'degraded' : rate > 0 ? 'poor' : 'down');

/** Ticks at multiples of 1, 2 or 5 times a power of ten.
 * @param {number} low @param {number} high @param {number} count about how many */
export function evenTicks(low, high, count) {
  const rough = (high - low) / Math.max(1, count);
  if (!(rough > 0)) return [low];
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((n) => n * power).find((s) => s >= rough * 0.999) ?? 10 * power;
  const ticks = [];
  for (let n = Math.ceil(low / step); n * step <= high * 1.0001; n += 1) ticks.push(n * step);
  return ticks;
}

/** Ticks at 1, 2 and 5 of each decade, or only at the powers of ten if those would be too many.
 * @param {number} low above 0 @param {number} high @param {number} count at most */
export function logTicks(low, high, count) {
  const ticks = [];
  for (let power = Math.floor(Math.log10(low)); 10 ** power <= high; power += 1) {
    for (const n of [1, 2, 5]) ticks.push(n * 10 ** power);
  }
  const inside = ticks.filter((v) => v >= low * 0.999 && v <= high * 1.001);
  if (inside.length <= count) return inside;
  const tens = inside.filter((v) => Math.abs(Math.log10(v) - Math.round(Math.log10(v))) < 1e-9);
  return tens.length > 1 ? tens : inside.filter((_, i) => i % Math.ceil(inside.length / count) === 0);
}

/** The ends of a latency axis: logarithmic from a little below the minimum to a little above the maximum, linear from
 * 0.
 * @param {(number | null)[][]} columns microseconds @param {boolean} log
 * @returns {[number, number]} milliseconds */
export function latencyDomain(columns, log) {
  let low = Infinity;
  let high = 0;
  for (const column of columns) {
    for (const us of column) {
      if (us === null || us <= 0) continue;
      if (us < low) low = us;
      if (us > high) high = us;
    }
  }
  if (!high) return log ? [1, 100] : [0, 100];
  if (!log) return [0, (high * 1.08) / 1000];
  // At least a factor of four, or noise would look like a mountain.
  const middle = Math.sqrt(low * high);
  return [Math.min(low * 0.85, middle / 2) / 1000, Math.max(high * 1.15, middle * 2) / 1000];
}
