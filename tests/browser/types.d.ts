// The types that the page's JSDoc names. Not served.

// Answers of the API. Names with _us are microseconds, latencies without it milliseconds.

type State = 'up' | 'degraded' | 'poor' | 'down' | 'not_measured';
type Column = (number | null)[];

interface Host {
  name: string;
  address: string;
  interval_seconds: number;
  role?: string;
  is_name?: boolean;
}

interface Status {
  hosts: Host[];
  total_hosts: number;
  monitoring_interval: number;
  /** null for the built-in defaults */
  config_path: string | null;
  database_path: string;
  version: string;
  now: string;
  monitor: { running: boolean; started_at: string; alive_at: string; stopped_at: string | null } | null;
  /** why the monitor cannot write what it measures */
  unwritten: string | null;
  first_check: string | null;
  notices: NoticeQueue | null;
  push: PushStatus | null;
  /** A sentence each. */
  damage: string[];
}

interface NoticeQueue {
  waiting: number;
  since: string;
  reason: 'no_command' | 'no_monitor' | 'failed' | 'limit';
  failure: string | null;
  others_pass: boolean;
}

interface PushStatus {
  oldest: string | null;
  newest: string | null;
  events: number;
  reason: 'no_monitor' | 'failed' | 'sending' | 'refused';
  failure: string | null;
  failing_since: string | null;
  refused: number;
  refused_at: string | null;
  refusal: string | null;
}

interface CheckResult {
  host_name: string;
  host_address: string;
  resolved_address?: string | null;
  timestamp: string | null;
  success_count: number | null;
  failure_count: number | null;
  success_rate: number | null;
  min_latency: number | null;
  max_latency: number | null;
  avg_latency: number | null;
  state: State;
  sent: number | null;
  rtts_us: Column | null;
  error: string | null;
  configured?: boolean;
  stale?: boolean;
  /** Null where the address is no name, or where it is not known. */
  name_resolves?: boolean | null;
}

interface Columns {
  t: number[];
  state: (State | null)[];
  interval: Column;
  checks: Column;
  sent: Column;
  lost: Column;
  not_measured: Column;
  success_rate: Column;
  worst_rate: Column;
  min_us: Column;
  p5_us: Column;
  p25_us: Column;
  p50_us: Column;
  p75_us: Column;
  p95_us: Column;
  max_us: Column;
  avg_us: Column;
}

interface SeriesQuery extends Record<string, string | number> {
  host_address: string;
  from: number;
  to: number;
  points: number;
}
interface Series {
  from: number;
  to: number;
  bucket_seconds: number;
  columns: Columns;
}

/** One value per day. down: time in outages; poor and not up: share of the checks */
interface Days {
  state: (State | null)[];
  down_seconds: Column;
  poor_percent: Column;
  not_up_percent: Column;
  measured_seconds: Column;
}
interface LastDay {
  down_seconds: number;
  measured_seconds: number;
  p95_us: number | null;
}
interface Spark {
  t: number[];
  state: (State | null)[];
  p5_us: Column;
  p50_us: Column;
  p95_us: Column;
}

interface OverviewHost {
  host_name: string;
  host_address: string;
  configured: boolean;
  role?: string;
  state: State;
  timestamp: string | null;
  error: string | null;
  availability_percent: number | null;
  coverage_percent: number | null;
  first_recorded: string | null;
  avg_latency: number | null;
  days: Days;
  last_day: LastDay;
  spark: Spark;
}
/** down_seconds: time is counted once however many hosts were affected */
interface CauseShare {
  down_seconds: number;
  outages: number;
}
/** days: the letter of each day's longest cause; last: the outage that ended last */
interface LineShares extends Record<Cause, CauseShare> {
  days: (string | null)[];
  last: { host_name: string; hosts: number; end_time: string; cause: Cause } | null;
}
interface Overview {
  now: string;
  first_day: string;
  days: number;
  line: LineShares;
  hosts: OverviewHost[];
}

interface Statistics {
  avg_success_rate: number | null;
  total_checks: number;
  sent: number;
  lost: number;
  loss_percent: number | null;
  /** Absent from servers of before. */
  loss_interval_percent?: [number, number] | null;
  overall_min_latency: number | null;
  overall_max_latency: number | null;
  p50_us: number | null;
  p95_us: number | null;
  p99_us: number | null;
  availability_percent: number | null;
  coverage_percent: number | null;
  down_seconds: number | null;
  degraded_seconds: number | null;
  poor_seconds: number | null;
  not_measured_seconds: number | null;
}

interface Distribution {
  rates: { from: number; to: number; checks: number }[];
  latency: { from_us: number; to_us: number; count: number }[];
  p50_us: number | null;
  p95_us: number | null;
  p99_us: number | null;
}

interface Hours {
  from: number | string;
  columns: {
    t: number[];
    checks: Column;
    sent: Column;
    lost: Column;
    lost_while_down: Column;
    not_measured: Column;
    poor: Column;
    down: Column;
    p50_us: Column;
  };
}

type Cause = 'link' | 'gateway' | 'provider' | 'dns' | 'host' | 'unknown';
type Reachability = 'answers' | 'silent' | 'unknown';
interface Facts {
  link_fault?: string;
  resolver?: string;
  gateway_address?: string | null;
  interface?: string;
  gateway?: Reachability;
  gateway_answered_before?: boolean;
  beyond_answering?: number;
  on_path_answering?: number;
  beyond_silent?: number;
  near_answering?: number;
  near_silent?: number;
  path_reached?: string;
  link_reached?: string;
  path_is_whole?: boolean;
}
/** hops: null for one without an answer */
interface HopPath {
  at: string;
  reached: boolean;
  hops: (string | null)[];
}
interface Outage {
  id: number;
  host_name: string;
  /** The name when the outage was recorded, where the host was renamed since. */
  former_name?: string;
  ongoing_since?: string;
  host_address: string;
  event_type: string;
  start_time: string;
  end_time: string | null;
  duration_seconds: number | null;
  checks_failed: number | null;
  checks_during_outage: number | null;
  recovery_success_rate: number | null;
  notes: string | null;
  earliest_start: string | null;
  packets_sent: number | null;
  packets_lost: number | null;
  cause: Cause | null;
  facts: Facts | null;
  path: HopPath[] | null;
  planned: boolean;
  down_seconds: number;
  event_ids: number[];
  outage_count?: number;
}
interface Incident {
  start_time: string;
  end_time: string | null;
  cause: Cause;
  hosts: number;
  host_names: string[];
  event_ids: number[];
}
/** hosts: of all that began together, also if the answer has only some of them */
interface IncidentRow {
  start_time: string;
  end_time: string | null;
  cause: Cause;
  planned: boolean;
  hosts: number;
  down_seconds: number;
  outages: Outage[];
}
/** outages: those that began together are one; older: what `before` has to be for the next entries */
interface IncidentList {
  from: string;
  to: string;
  outages: number;
  outages_of_hosts: number;
  hosts: number;
  down_seconds: number;
  links: { events: number; seconds: number };
  names: { events: number; seconds: number };
  incidents: IncidentRow[];
  older: string | null;
}
interface Gap {
  from: string;
  to: string;
  reason: string;
  /** Of the only host that was not measured. */
  host_name?: string;
  host_address?: string;
}

// What the page computes from the answers. Times are Unix seconds.

type Scale = (value: number) => number;
/** none: not yet recorded */
type DayKind = State | 'none';
/** kinds: the state of each day; down: seconds in outages */
interface DayBars {
  kinds: DayKind[];
  down: number[];
}

/** Rates in percent, min to max in microseconds; blocked: checks that could not be made */
interface Point {
  at: number;
  end: number;
  /** The time that a check of this point stands for, at least a bucket. */
  step: number;
  state: State;
  checks: number;
  blocked: number;
  sent: number;
  lost: number;
  rate: number | null;
  worst: number | null;
  min: number | null;
  p5: number | null;
  p25: number | null;
  p50: number | null;
  p75: number | null;
  p95: number | null;
  max: number | null;
}
/** length: seconds, also of the part outside the window; what: the label of a recorded outage or gap; note: the one
 * that the command outages has given it */
interface Span {
  from: number;
  to: number;
  state: State;
  length?: number;
  what?: string;
  note?: string;
  /** Whether its points are means of several checks. */
  isMean?: boolean;
}
/** One per cause. since: 0 if it is not known */
interface Problem {
  cause: Cause;
  kind: string;
  since: number;
  names: string[];
  outages: Outage[];
  addresses: string[];
}
interface PathStep {
  cause: Cause;
  name: string;
  state: State;
  word: string;
  detail: string;
}
interface TimeRange {
  from: number;
  to: number;
}
/** bucket and pointSeconds in seconds; pointSeconds: the maximum time that a point covers */
interface Timeline {
  from: number;
  to: number;
  /** When the record begins, 0 if that is not known. */
  first: number;
  /** The range's end, or now where it reaches into the future. */
  until: number;
  bucket: number;
  pointSeconds: number;
  newestAt: number;
  points: Point[];
}

/**
 * interval in seconds, latency in milliseconds, availability and coverage in percent; at: NaN without a result;
 * was: the last state of a host that is no longer measured
 */
interface HostEntry {
  name: string;
  address: string;
  resolved: string | null;
  isName: boolean;
  /** Whether the name resolves now; null also where that is not known. */
  resolves: boolean | null;
  role: string;
  configured: boolean;
  interval: number;
  order: number;
  state: State;
  /** Whether its newest result says nothing about the present. */
  isOld: boolean;
  was: State | null;
  at: number;
  latency: number | null;
  error: string | null;
  sent: number;
  received: number;
  availability: number | null;
  coverage: number | null;
  /** When its record begins, NaN without one. */
  first: number;
  /** "since 14:12" if that is within the days of the overview. */
  since: string;
  days: Days | null;
  spark: Spark | null;
  lastDay: LastDay | null;
}
interface Verdict {
  state: State;
  title: string;
  text: string;
}

interface View {
  page: 'overview' | 'host' | 'outages' | 'compare';
  host: string;
  hosts: string[];
  range: string;
  from: number;
  to: number;
  scale: 'log' | 'linear';
  heat: Measure;
  state: string;
  query: string;
  sort: string;
  active: boolean;
  cause: string;
  wall: boolean;
}

/** latency: sum of medians in microseconds times weight */
interface Bin {
  sent: number;
  lost: number;
  silent: number;
  latency: number;
  weight: number;
}
type Measure = 'lost' | 'latency';

/** Pixels; x: Unix seconds to pixels */
interface Frame {
  context: CanvasRenderingContext2D;
  left: number;
  right: number;
  height: number;
  x: Scale;
  from: number;
  to: number;
}
interface Pane {
  head: HTMLElement | null;
  height: number;
  label: string;
  draw: (frame: Frame) => void;
}
/** What a chart calls. point: the pointer is at t; step: the time of another point */
interface ChartActions {
  range: (from: number, to: number) => void;
  back: () => void;
  pan: (share: number) => void;
  zoom: (factor: number) => void;
  point: (t: number | null, isSpoken: boolean) => void;
  step: (t: number, by: number) => number;
}
interface ComparedHost {
  name: string;
  address: string;
  timeline: Timeline;
  statistics: Statistics | null;
}

/** loading: the first answer after a pause; lost: no answer; login: something before the server wants a login; failed: an error;
 * unwritten: the monitor cannot write, so that only what it wrote before is shown; wait: seconds until the next
 * try; at: when this kind began; reason: of a failure */
interface ServerConnection {
  kind: 'live' | 'loading' | 'paused' | 'lost' | 'login' | 'failed' | 'unwritten';
  wait: number;
  at: number;
  reason: string;
}
/** What the newest results say about the present. now: all; none: no monitor has run; the others: nothing */
type Present = 'now' | 'none' | 'stopped' | Exclude<ServerConnection['kind'], 'live'>;
/** Empty without any trouble. */
type TroubleKind = '' | 'down' | 'minor' | 'unknown';
/** newest: time of the newest result, -Infinity without */
interface App {
  present: Present;
  connection: ServerConnection;
  view: View;
  status: Status | null;
  overview: Overview | null;
  entries: HostEntry[];
  active: Outage[];
  newest: number;
  now: () => number;
  go: (change: Partial<View>, replace?: boolean) => void;
}
interface Page {
  element: HTMLElement;
  heading: HTMLElement;
  title: () => string;
  show: () => void;
  results: (results: CheckResult[]) => void;
  tick: () => void;
  redraw: () => void;
  close: () => void;
  search: () => void;
  /** What is shown, where only a control that is not printed says so. */
  printed?: () => string;
}
