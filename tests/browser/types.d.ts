// The shapes the page's JSDoc names. Not served: browsers need none of it.

type State = 'up' | 'degraded' | 'down' | 'not_measured';
type Column = (number | null)[];

interface Host { name: string; address: string; interval_seconds: number; role?: string }

interface Status {
  hosts: Host[];
  total_hosts: number;
  monitoring_interval: number;
  database_path: string;
  version: string;
  now: string;
  monitor: { running: boolean; started_at: string; alive_at: string; stopped_at: string | null } | null;
  first_check: string | null;
}

interface Row {
  host_name: string;
  host_address: string;
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
}

interface Columns {
  t: number[];
  state: (State | null)[];
  checks: Column; sent: Column; lost: Column; not_measured: Column;
  success_rate: Column; worst_rate: Column;
  min_us: Column; p5_us: Column; p25_us: Column; p50_us: Column; p75_us: Column; p95_us: Column; max_us: Column; avg_us: Column;
}

interface Series { from: number; to: number; bucket_seconds: number; columns: Columns }

interface Days { state: (State | null)[]; down_seconds: Column; measured_seconds: Column }
interface Spark { t: number[]; state: (State | null)[]; p5_us: Column; p50_us: Column; p95_us: Column }

interface OverviewHost {
  host_name: string; host_address: string; configured: boolean; role?: string; state: State; timestamp: string | null; error: string | null;
  availability_percent: number | null; coverage_percent: number | null; avg_latency: number | null;
  days: Days; spark: Spark;
}
interface Overview { now: string; first_day: string; days: number; hosts: OverviewHost[] }

interface Statistics {
  avg_success_rate: number | null; total_checks: number; sent: number; lost: number;
  overall_min_latency: number | null; overall_max_latency: number | null;
  p50_us: number | null; p95_us: number | null; p99_us: number | null; mdev_us?: number | null;
  availability_percent: number | null; coverage_percent: number | null; down_seconds: number | null; not_measured_seconds: number | null;
}

interface Distribution {
  rates: { from: number; to: number; checks: number }[];
  latency: { from_us: number; to_us: number; count: number }[];
  p50_us: number | null; p95_us: number | null; p99_us: number | null;
}

interface Hours { from: number | string; columns: { t: number[]; checks: Column; sent: Column; lost: Column; not_measured: Column; down: Column; p50_us: Column } }

interface Outage {
  id: number; host_name: string; host_address: string; event_type: string; start_time: string; end_time: string | null;
  duration_seconds: number | null; checks_failed: number | null; checks_during_outage: number | null; recovery_success_rate: number | null; notes: string | null;
}
