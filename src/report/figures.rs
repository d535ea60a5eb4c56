//! The figures of a report. [`Report`] serialised is the report in JSON: the names and the order of
//! its fields are documented and must not change.

use serde::Serialize;

use super::timeline::{Bar, BarSpans, ChartPoint};
use crate::pure::cause::Cause;
use crate::pure::change::LevelChange;
use crate::pure::time::UtcMillis;
use crate::store::{Gap, GroupedOutage, Incident, RecordedHost};

#[derive(Debug, Serialize)]
pub struct Report {
    /// As asked for.
    #[serde(rename = "from")]
    pub asked_from: UtcMillis,
    /// The first record of the hosts where that is later: the figures are those from then on.
    #[serde(skip)]
    pub from: UtcMillis,
    pub to: UtcMillis,
    pub hosts: Vec<HostFigures>,
    /// Of hosts and of name lookups, oldest first, without planned ones.
    pub outages: Vec<GroupedOutage>,
    pub gaps: Vec<Gap>,
    pub incidents: Vec<Incident>,
    pub planned: Vec<GroupedOutage>,
    pub own_line: LinkDowntime,
    /// How long at least one host did not answer.
    pub any_down_seconds: i64,
    pub causes: Vec<CauseTime>,
    pub worst_hours: Vec<WorstHour>,
    pub method: Method,
    /// Of all hosts of the report, before its period too.
    pub first_recorded: Option<UtcMillis>,
    /// When the first run of the monitor began.
    #[serde(skip)]
    pub run_since: Option<UtcMillis>,
    /// The spans of the bars in every host's strip.
    #[serde(skip)]
    pub bars: BarSpans,
    #[serde(skip)]
    pub appendix: Appendix,
}

/// What follows the report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Appendix {
    Nothing,
    /// Every check of the span with all its pings.
    RawPings,
}

/// Seconds are counted within the report's span.
#[derive(Debug, Default, Serialize)]
pub struct HostFigures {
    pub host_name: String,
    pub host_address: String,
    pub availability_percent: Option<f64>,
    pub coverage_percent: Option<f64>,
    pub outages: usize,
    /// In outages.
    pub down_seconds: i64,
    pub degraded_seconds: i64,
    pub poor_seconds: i64,
    pub not_measured_seconds: i64,
    pub p50_us: Option<u32>,
    pub p95_us: Option<u32>,
    pub p99_us: Option<u32>,
    pub measured_seconds: i64,
    pub longest_outage_seconds: i64,
    pub checks: i64,
    pub not_measured_checks: i64,
    pub sent: i64,
    pub lost: i64,
    pub loss_percent: Option<f64>,
    /// See [`loss_interval_percent`](crate::pure::stats::loss_interval_percent).
    pub loss_interval_percent: Option<[f64; 2]>,
    pub first_recorded: Option<UtcMillis>,
    /// Oldest first.
    pub level_changes: Vec<LevelChange>,
    #[serde(skip)]
    pub recorded: Option<RecordedHost>,
    #[serde(skip)]
    pub bars: Vec<Bar>,
    /// Empty for hosts without a chart.
    #[serde(skip)]
    pub points: Vec<ChartPoint>,
}

/// How hosts are checked with the current configuration.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct CheckMethod {
    pub hosts: Vec<String>,
    /// `None` where the newest checks were made by hand.
    pub interval_seconds: Option<f64>,
    pub ping_count: u16,
    pub timeout_seconds: f64,
    pub payload_bytes: u16,
    pub up_percent: f64,
    pub degraded_percent: f64,
    pub latency_limit_ms: Option<f64>,
}

/// How long this machine itself could not send.
#[derive(Debug, Serialize)]
pub struct LinkDowntime {
    pub down_seconds: i64,
    pub events: Vec<GroupedOutage>,
}

/// How long at least one host was down for a cause; overlapping outages count once.
#[derive(Debug, Serialize)]
pub struct CauseTime {
    pub cause: Cause,
    pub seconds: i64,
    pub events: usize,
}

/// The pings of all hosts in one hour.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct WorstHour {
    pub from: UtcMillis,
    pub sent: i64,
    pub lost: i64,
    /// The part of `lost` in checks without any reply.
    pub lost_while_down: i64,
}

/// How the figures were determined.
#[derive(Debug, Serialize)]
pub struct Method {
    pub program: &'static str,
    pub version: &'static str,
    pub made_at: UtcMillis,
    pub zone: Zone,
    pub checks: Vec<CheckMethod>,
    pub fast_interval_seconds: Option<f64>,
    pub down_after_checks: u16,
    pub up_after_checks: u16,
    pub merge_seconds: f64,
    pub intermittent_count: usize,
    pub intermittent_seconds: f64,
    pub availability: &'static str,
    pub coverage: &'static str,
    /// Checks before this are deleted: of these hours only the sums are kept.
    pub checks_since: Option<UtcMillis>,
    pub not_measured: &'static str,
    pub received: &'static str,
}

/// The time zone of local times.
#[derive(Clone, Debug, Serialize)]
pub struct Zone {
    /// `None` where the machine does not name one.
    pub name: Option<String>,
    /// Seconds east of UTC at a time in Unix seconds.
    #[serde(skip)]
    pub offset_at: fn(i64) -> i64,
    /// At the beginning of the span: `+01:00`.
    pub offset_from: String,
    /// At its end.
    pub offset_to: String,
}
