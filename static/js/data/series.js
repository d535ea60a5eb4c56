// The answer of api/series as the charts need it: points, gaps between them, and bands for outages and gaps. New checks
// are added without another request. Times are Unix seconds. No DOM.
import { CAUSE_WORDS, causeOf, isHostOutage } from './cause.js';
import { STATE_WORDS } from './format.js';
import { stateOf } from './scale.js';
import { day, duration, moment, seconds, year } from './time.js';

// A gap is longer than this many intervals, as in the daemon.
const GAP_FACTOR = 2.5;

/** @param {Series} series @param {number} interval seconds between the host's checks
 * @param {number} [newestAt] the newest check known before the request
 * @param {number} [first] when the record begins; before it nothing is missing
 * @param {number} [now] after it nothing is missing @returns {Timeline} */
export function timelineOf(series, interval, newestAt = 0, first = 0, now = Infinity) {
  const c = series.columns;
  const bucket = series.bucket_seconds;
  /** @type {Point[]} */
  const points = [];
  c.t.forEach((at, i) => {
    const state = c.state[i];
    if (!state) return;
    points.push({
      at,
      end: at,
      step: Math.max(bucket, c.interval[i] ?? interval),
      state,
      checks: c.checks[i] ?? 0,
      blocked: c.not_measured[i] ?? 0,
      sent: c.sent[i] ?? 0,
      lost: c.lost[i] ?? 0,
      rate: c.success_rate[i],
      worst: c.worst_rate[i] ?? c.success_rate[i],
      min: c.min_us[i],
      p5: c.p5_us[i],
      p25: c.p25_us[i],
      p50: c.p50_us[i],
      p75: c.p75_us[i],
      p95: c.p95_us[i],
      max: c.max_us[i],
    });
  });
  const result = {
    from: series.from,
    to: series.to,
    first: first || 0,
    until: Math.min(series.to, now),
    bucket,
    pointSeconds: points[points.length - 1]?.step ?? Math.max(bucket, interval),
    newestAt: Math.max(newestAt, points[points.length - 1]?.at ?? 0),
    points,
  };
  setEnds(result);
  return result;
}

/** Each point ends where the next one begins, unless there is a gap. @param {Timeline} t */
function setEnds(t) {
  t.points.forEach((p, i) => {
    const next = t.points[i + 1]?.at ?? Infinity;
    p.end = next - p.at <= GAP_FACTOR * p.step ? next : p.at + p.step;
  });
}

/** Adds a new check. In a bucket of several checks minimum, maximum and counts stay exact; percentiles become means
 * weighted by pings, until the next request.
 * @param {Timeline} t @param {CheckResult} row @param {number} at when it began
 * @returns {boolean} whether anything changed */
export function addCheck(t, row, at) {
  if (!(at > t.newestAt)) return false;
  t.newestAt = at;
  const rtts = (row.rtts_us ?? []).filter((us) => us !== null).sort((a, b) => a - b);
  /** @param {number} share */
  const quantile = (share) => (rtts.length ? rtts[Math.min(rtts.length - 1, Math.floor(share * rtts.length))] : null);
  /** @param {number | null} ms */
  const us = (ms) => (ms === null ? null : ms * 1000);
  const last = t.points[t.points.length - 1];
  const start = last ? last.at : t.from;
  /** @type {Point} */
  const point = {
    at: start + Math.floor((at - start) / t.bucket + 0.02) * t.bucket,
    end: at,
    step: t.pointSeconds,
    state: row.state,
    checks: 1,
    blocked: 0,
    sent: row.sent ?? (row.success_count ?? 0) + (row.failure_count ?? 0),
    lost: row.failure_count ?? 0,
    rate: row.success_rate,
    worst: row.success_rate,
    min: us(row.min_latency),
    p5: quantile(0.05),
    p25: quantile(0.25),
    p50: quantile(0.5) ?? us(row.avg_latency),
    p75: quantile(0.75),
    p95: quantile(0.95),
    max: us(row.max_latency),
  };
  if (last && point.at <= last.at) merge(last, point);
  else t.points.push(point);
  setEnds(t);
  return true;
}

/** Whether checks between the newest known one and this one are missing: the page was paused, hidden or offline.
 * @param {Timeline} t @param {number} at @param {number} interval seconds */
export const missedChecks = (t, at, interval) => t.newestAt > 0 && at - t.newestAt > 1.9 * interval;

/** @type {State[]} */
const WORST_LAST = ['up', 'not_measured', 'degraded', 'poor', 'down'];
/** The worse of two states. @param {State} a @param {State} b */
export const worse = (a, b) => (WORST_LAST.indexOf(a) >= WORST_LAST.indexOf(b) ? a : b);

/** @param {Point} into @param {Point} more */
function merge(into, more) {
  const had = into.sent - into.lost;
  const got = more.sent - more.lost;
  for (const key of /** @type {const} */ (['p5', 'p25', 'p50', 'p75', 'p95'])) {
    const a = into[key];
    const b = more[key];
    into[key] = a === null ? b : b === null ? a : (a * had + b * got) / (had + got || 1);
  }
  /** @param {(...n: number[]) => number} pick @param {number | null} a @param {number | null} b */
  const of = (pick, a, b) => (a === null ? b : b === null ? a : pick(a, b));
  into.min = of(Math.min, into.min, more.min);
  into.max = of(Math.max, into.max, more.max);
  into.worst = of(Math.min, into.worst, more.worst);
  into.rate =
    into.rate === null || more.rate === null
      ? (into.rate ?? more.rate)
      : (into.rate * into.checks + more.rate) / (into.checks + 1);
  into.state = worse(into.state, more.state);
  into.sent += more.sent;
  into.lost += more.lost;
  into.checks += 1;
}

/** Moves the window and drops the points that have left it. @param {Timeline} t @param {number} from
 * @param {number} to */
export function moveWindow(t, from, to) {
  t.from = from;
  t.to = to;
  t.until = to;
  const first = t.points.findIndex((p) => p.end > from);
  if (first > 0) t.points.splice(0, first);
}

/** Spans of one state each; gaps are not measured, also at the ends of the window.
 * @param {Timeline} t @param {(p: Point) => State} [stateOf] @returns {Span[]} in order, without overlap */
export function stateSpans(t, stateOf = (p) => p.state) {
  /** @type {Span[]} */
  const all = [];
  /** @param {number} from @param {number} to @param {State} state */
  const add = (from, to, state) => {
    const a = Math.max(from, t.from, state === 'not_measured' ? t.first : 0);
    const b = Math.min(to, t.until);
    if (!(b > a)) return;
    const last = all[all.length - 1];
    if (last && last.state === state && a - last.to < 0.5) last.to = b;
    else all.push({ from: a, to: b, state });
  };
  let reached = t.from;
  for (const p of t.points) {
    if (p.at - reached > (reached === t.from ? GAP_FACTOR * p.step : 0.5)) add(reached, p.at, 'not_measured');
    add(p.at, p.end, stateOf(p));
    reached = p.end;
  }
  // The newest check may still be running: its time is not a gap yet.
  if (t.until - reached > (t.points.length ? (GAP_FACTOR - 1) * t.pointSeconds : 0)) {
    add(reached, t.until, 'not_measured');
  }
  return all;
}

/** Why a chart is empty. @param {Timeline} t @param {number} now Unix seconds */
export function noDataText({ first, from, to }, now) {
  if (from >= now) return 'This time is in the future';
  if (first < to) return 'Not measured in this range';
  const when = year(first) === year(to) ? moment(first, now) : `${day(first, first)} ${year(first)}`;
  return `The record begins later: ${when}`;
}

/** @param {Timeline} window @param {{start_time: string, end_time: string | null, duration_seconds?: number | null}} o
 * @param {string} what its label @returns {Span} */
function downSpan(window, o, what) {
  const from = seconds(o.start_time);
  const end = seconds(o.end_time) || window.until;
  return {
    from: Math.max(from, window.from),
    to: Math.min(end, window.to),
    state: 'down',
    length: o.duration_seconds ?? end - from,
    what,
  };
}

/** @param {Timeline} t @param {Gap[]} gaps of all hosts @returns {Span[]} those of this host */
function gapSpans(t, gaps) {
  return gaps
    .map((g) => ({
      from: Math.max(seconds(g.from), t.from, t.first),
      to: Math.min(seconds(g.to), t.until),
      state: /** @type {State} */ ('not_measured'),
      length: seconds(g.to) - seconds(g.from),
      what: g.reason,
    }))
    .filter((s) => {
      if (!(s.to > s.from)) return false;
      // A link may be down for one IP version only: then hosts of the other version were measured meanwhile.
      const near = t.points.filter((p) => p.at < s.to && p.end > s.from);
      return !s.what.startsWith('nothing could be sent') || !near.length || near.some((p) => p.blocked > 0);
    });
}

/** What other spans leave of a span. @param {Span} span @param {Span[]} over in order
 * @param {number} min shorter rests are dropped, seconds @returns {Span[]} */
function subtract(span, over, min) {
  /** @type {Span[]} */
  const left = [];
  let from = span.from;
  for (const o of over) {
    if (o.to <= from || o.from >= span.to) continue;
    if (o.from - from > min) left.push({ ...span, from, to: o.from });
    from = Math.max(from, o.to);
  }
  if (span.to - from > (from === span.from ? 0 : min)) left.push({ ...span, from });
  return left;
}

/** @param {Outage} o */
function outageLabel(o) {
  const kind = o.planned ? 'Planned' : o.event_type === 'intermittent' ? 'Intermittent' : 'Outage';
  const cause = causeOf(o);
  return cause === 'unknown' ? kind : `${kind}, ${CAUSE_WORDS[cause]}`;
}

const MAX_NOTE = 60;

/** The first line of a note from the command line, for a chart. @param {Outage} o */
function noteOf(o) {
  const [line] = (o.notes ?? '').split('\n');
  return line.length > MAX_NOTE ? `${line.slice(0, MAX_NOTE - 1)}…` : line;
}

/** What is drawn behind the lines: recorded outages and gaps from their own start to their own end, however long a
 * bucket is; elsewhere the state of whole points. One bad check in a bucket of hours gets no band, only a stem.
 * @param {Timeline} t @param {Outage[]} outages @param {Gap[]} [gaps] @returns {Span[]} none of them up */
export function bands(t, outages, gaps = []) {
  const down = outages
    .filter(isHostOutage)
    .map((o) => ({ ...downSpan(t, o, outageLabel(o)), note: noteOf(o) }))
    .filter((s) => s.to > s.from);
  const missing = gapSpans(t, gaps);
  down.sort((a, b) => a.from - b.from);
  /** @param {{from: number, to: number}} s */
  const isOut = (s) => down.some((o) => o.from < s.to && o.to > s.from);
  // Where a bucket has silent checks of an outage, its rate says nothing about loss beside it.
  /** @param {Point} p @returns {State} */
  const stateWithout = (p) => {
    if (p.checks <= 1 || p.rate === null) return p.state;
    return p.state === 'down' && isOut({ from: p.at, to: p.end }) ? 'up' : stateOf(p.rate);
  };
  const rest = stateSpans(t, stateWithout)
    .filter((s) => s.state !== 'up' && !(s.state === 'down' && isOut(s)))
    .flatMap((s) =>
      s.state === 'not_measured' ? subtract(s, missing, GAP_FACTOR * t.pointSeconds) : subtract(s, down, 0),
    )
    .map((s) => ({ ...s, isMean: t.points.some((p) => p.checks > 1 && p.at < s.to && p.end > s.from) }));
  return [...rest, ...missing, ...down];
}

/** @param {Incident} i */
function incidentLabel(i) {
  const text = `outage, ${i.hosts} hosts`;
  const label = i.cause === 'unknown' || i.cause === 'host' ? text : `${CAUSE_WORDS[i.cause]} ${text}`;
  return label[0].toUpperCase() + label.slice(1);
}

/** The gaps of all hosts and of this one. @param {Gap[]} gaps @param {string} key of the host */
export function gapsOf(gaps, key) {
  return gaps.filter((g) => !g.host_address || key === g.host_address || key.startsWith(`${g.host_address} `));
}

/** The same for several hosts: incidents, and gaps that all hosts have.
 * @param {Timeline[]} timelines @param {Incident[]} incidents @param {Gap[]} gaps @returns {Span[]} */
export function commonBands(timelines, incidents, gaps) {
  if (!timelines.length) return [];
  const down = incidents.map((i) => downSpan(timelines[0], i, incidentLabel(i))).filter((s) => s.to > s.from);
  const missing = timelines.map((t) => gapSpans(t, gaps));
  return [...missing[0].filter((s) => missing.every((list) => list.some((o) => o.from === s.from))), ...down];
}

/** A band's label, empty if it is too short for one. @param {Span} s @param {number} range seconds shown */
export function bandLabel(s, range) {
  const length = s.to - s.from;
  const note = s.note ? `: ${s.note}` : '';
  if (s.state === 'down' && s.what) return `${s.what}, ${duration(s.length ?? length)}${note}`;
  if (s.state === 'not_measured') {
    return length < range / 200 ? '' : `Not measured, ${duration(s.length ?? length)}${s.what ? `: ${s.what}` : ''}`;
  }
  if (s.state === 'degraded' || s.state === 'poor') {
    return length < range / 60 ? '' : `${STATE_WORDS[s.state]}${s.isMean ? ' on average' : ''}, ${duration(length)}`;
  }
  return length < range / 30 ? '' : `Down, ${duration(length)}`;
}

/** Series of points that a line may join: each with a latency, and no gap between them.
 * @param {Timeline} t @returns {Point[][]} */
export function segments(t) {
  /** @type {Point[][]} */
  const all = [];
  let last = -Infinity;
  for (const p of t.points) {
    if (p.p50 === null) continue;
    if (p.at === last) all[all.length - 1].push(p);
    else all.push([p]);
    last = p.end;
  }
  return all;
}

/** The point that covers a time, or the nearest one.
 * @param {Point[]} points in order @param {number} t @returns {number} index, -1 without points */
export function nearestPoint(points, t) {
  let low = 0;
  let high = points.length - 1;
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (points[middle].at <= t) low = middle;
    else high = middle - 1;
  }
  const next = points[low + 1];
  if (next && t > points[low].end && next.at - t < t - points[low].end) return low + 1;
  return points.length ? low : -1;
}

/** The middle of the point that is `by` after the one that covers t.
 * @param {Point[]} points @param {number} t @param {number} by @returns {number} */
export function stepTime(points, t, by) {
  const p = points[Math.min(points.length - 1, Math.max(0, nearestPoint(points, t) + by))];
  return p ? (p.at + p.end) / 2 : t;
}

/** Number and total length of the outages in a range, without planned ones.
 * @param {Outage[]} outages @param {number} from @param {number} to @returns {{count: number, seconds: number}} */
export function outagesWithin(outages, from, to) {
  const result = { count: 0, seconds: 0 };
  for (const o of outages) {
    if (o.planned || !isHostOutage(o)) continue;
    const start = seconds(o.start_time);
    const end = seconds(o.end_time) || to;
    if (start >= to || end <= from) continue;
    result.count += 1;
    result.seconds += Math.min(end, to) - Math.max(start, from);
  }
  return result;
}

// More narrow bands than MAX_IN_CROWD within CROWD_PIXELS would hide the data.
const CROWD_PIXELS = 24;
const MAX_IN_CROWD = 3;
const NARROW_PIXELS = 2;

/** Which bands are drawn pale: narrow ones so close together that they would hide the data.
 * @param {([number, number] | null)[]} bands pixels from and to; null is never pale @returns {boolean[]} */
export function crowded(bands) {
  const narrow = bands
    .flatMap((b, i) => (b && b[1] - b[0] < NARROW_PIXELS ? [{ i, at: b[0] }] : []))
    .sort((a, b) => a.at - b.at);
  const result = bands.map(() => false);
  narrow.forEach((first, n) => {
    const crowd = narrow.slice(n, n + MAX_IN_CROWD + 1);
    if (crowd.length > MAX_IN_CROWD && crowd[MAX_IN_CROWD].at - first.at < CROWD_PIXELS) {
      for (const { i } of crowd) result[i] = true;
    }
  });
  return result;
}
