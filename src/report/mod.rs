//! The report: what was down in a span of time, since when, whose fault it was, and how that is
//! known, so that somebody else can act on it. `gather` asks the store for a plain [`Report`],
//! `told` puts it into words once for every reader, and a file a format writes it down. Who asks,
//! and where it goes, is for [`crate::cli`] and [`crate::web`] to say.

mod csv;
mod gather;
mod hours;
mod html;
mod period;
mod picture;
mod raw;
mod seen;
#[cfg(test)]
mod tests;
mod text;
mod told;

use std::time::Duration;

use serde::{Serialize, Serializer};

use crate::config::{Config, HostConfig};
use crate::pure::cause::Cause;
use crate::pure::incident::GroupingRules;
use crate::pure::model::Host;
use crate::pure::outage::OutageRules;
use crate::pure::time::UtcMillis;
use crate::store::{Gap, GroupedOutage, Incident, RecordedHost, StoreError};

pub use gather::{ReportQuery, gather};
pub use html::STYLE_HASH;
pub use period::Period;
pub use raw::RawPings;

/// How a report is written down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// For a terminal and a mail: 80 columns.
    Text,
    /// One page that needs nothing else and prints on A4.
    Html,
    /// For a spreadsheet.
    Csv,
    /// For programs.
    Json,
}

impl Format {
    /// All of them.
    pub const ALL: [Format; 4] = [Format::Text, Format::Html, Format::Csv, Format::Json];

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        ["text", "html", "csv", "json"][self as usize]
    }

    /// The format of that word.
    pub fn from_word(word: &str) -> Result<Format, String> {
        let found = Format::ALL
            .into_iter()
            .find(|format| format.as_str() == word);
        found.ok_or_else(|| format!("{word:?} is none of text, html, csv, json"))
    }

    /// The word for it in HTTP.
    pub fn content_type(self) -> &'static str {
        match self {
            Format::Text => "text/plain; charset=utf-8",
            Format::Html => "text/html; charset=utf-8",
            Format::Csv => "text/csv; charset=utf-8",
            Format::Json => "application/json",
        }
    }
}

/// Why there is no report.
#[derive(Debug)]
pub enum ReportError {
    /// The database could not be read.
    Store(StoreError),
    /// A host of that name or address was never recorded and is not configured.
    UnknownHost {
        /// What was asked for.
        asked: String,
        /// The names of those that are known.
        known: Vec<String>,
    },
}

impl From<StoreError> for ReportError {
    fn from(error: StoreError) -> Self {
        ReportError::Store(error)
    }
}

/// What a report needs to know of the configuration.
#[derive(Clone, Debug)]
pub struct ReportSettings {
    /// The configured hosts.
    pub plans: Vec<HostConfig>,
    /// How a host that is not listed would be checked.
    pub unlisted: HostConfig,
    /// Which outages belong together.
    pub grouping: GroupingRules,
    /// What an outage is.
    pub rules: OutageRules,
    /// From one ping to the next while a host is silent.
    pub fast_interval: Option<Duration>,
}

impl ReportSettings {
    /// Those of a configuration.
    pub fn of(config: &Config) -> ReportSettings {
        let nobody = Host::unlisted("");
        ReportSettings {
            plans: config.hosts.clone(),
            unlisted: config.plan_for(nobody),
            grouping: config.grouping,
            rules: config.outages,
            fast_interval: config.fast_interval,
        }
    }
}

/// The zone that local times are told in.
#[derive(Clone, Debug, Serialize)]
pub struct Zone {
    /// Its name, where the machine says one.
    pub name: Option<String>,
    /// How far east of UTC it is at an instant, both in seconds.
    #[serde(skip)]
    pub offset_at: fn(i64) -> i64,
    /// Its offset when the span begins, `+01:00`.
    pub offset_from: String,
    /// Its offset when the span ends.
    pub offset_to: String,
}

/// What is known of a span of time. Serialised, it is the report in JSON.
#[derive(Debug, Serialize)]
#[expect(
    missing_docs,
    reason = "the fields are those of the JSON, which the contract names"
)]
pub struct Report {
    pub from: UtcMillis,
    pub to: UtcMillis,
    pub hosts: Vec<HostFigures>,
    /// Of hosts and of names, oldest first; planned ones are not among them.
    #[serde(serialize_with = "with_rfc3339_times")]
    pub outages: Vec<GroupedOutage>,
    pub gaps: Vec<Gap>,
    pub incidents: Vec<Incident>,
    #[serde(serialize_with = "with_rfc3339_times")]
    pub planned: Vec<GroupedOutage>,
    pub own_line: OwnLine,
    /// How long at least one host did not answer.
    pub any_down_seconds: i64,
    pub causes: Vec<CauseTime>,
    pub worst_hours: Vec<WorstHour>,
    pub method: Method,
    /// What the bars of a strip stand for.
    #[serde(skip)]
    pub cells: hours::Cells,
    /// Whether the raw pings follow.
    #[serde(skip)]
    pub appendix: Appendix,
}

/// What follows the report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Appendix {
    /// Nothing.
    Nothing,
    /// Every ping of the span.
    RawPings,
}

fn with_rfc3339_times<S: Serializer>(
    episodes: &[GroupedOutage],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(episodes.iter().map(GroupedOutage::with_rfc3339_times))
}

/// What is known of a host. Seconds are within the span.
#[derive(Debug, Default, Serialize)]
#[expect(
    missing_docs,
    reason = "the fields are those of the JSON, which the contract names"
)]
pub struct HostFigures {
    pub host_name: String,
    pub host_address: String,
    pub availability_percent: Option<f64>,
    pub coverage_percent: Option<f64>,
    pub outages: usize,
    pub down_seconds: i64,
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
    pub first_recorded: Option<UtcMillis>,
    pub lossy_seconds: i64,
    #[serde(skip)]
    pub recorded: Option<RecordedHost>,
    #[serde(skip)]
    pub bars: Vec<hours::Bar>,
    #[serde(skip)]
    pub points: Vec<hours::Point>,
}

/// How hosts are checked, as the configuration says now.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[expect(
    missing_docs,
    reason = "the fields are those of the JSON, which the contract names"
)]
pub struct CheckMethod {
    pub hosts: Vec<String>,
    pub interval_seconds: f64,
    pub ping_count: u16,
    pub timeout_seconds: f64,
    pub payload_bytes: u16,
    pub up_percent: f64,
    pub degraded_percent: f64,
    pub latency_limit_ms: Option<f64>,
}

/// When this machine itself could send nothing.
#[derive(Debug, Serialize)]
#[expect(
    missing_docs,
    reason = "the fields are those of the JSON, which the contract names"
)]
pub struct OwnLine {
    pub down_seconds: i64,
    #[serde(serialize_with = "with_rfc3339_times")]
    pub events: Vec<GroupedOutage>,
}

/// How long a cause kept at least one host from answering; what overlaps counts once.
#[derive(Debug, Serialize)]
#[expect(
    missing_docs,
    reason = "the fields are those of the JSON, which the contract names"
)]
pub struct CauseTime {
    pub cause: Cause,
    pub seconds: i64,
    pub events: usize,
}

/// An hour, and the pings that were lost in it.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[expect(
    missing_docs,
    reason = "the fields are those of the JSON, which the contract names"
)]
pub struct WorstHour {
    pub from: UtcMillis,
    pub sent: i64,
    pub lost: i64,
}

/// How all of this was found.
#[derive(Debug, Serialize)]
#[expect(
    missing_docs,
    reason = "the fields are those of the JSON, which the contract names"
)]
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
    pub not_measured: &'static str,
    pub received: &'static str,
}

/// A report in two halves: what stands before the raw pings, and what behind them.
pub struct Written {
    /// Up to where the raw pings stand.
    pub head: String,
    /// The rest.
    pub tail: &'static str,
}

impl Report {
    /// The report in a format. Between its halves stand the raw pings, where they are wanted: see
    /// [`Report::raw_rows`].
    pub fn write(&self, format: Format) -> Written {
        let has_raw = self.appendix == Appendix::RawPings;
        match format {
            Format::Text => Written {
                head: text::write(self),
                tail: "",
            },
            Format::Html if has_raw => Written {
                head: html::write(self),
                tail: "</table></section></body></html>\n",
            },
            Format::Html => Written {
                head: html::write(self),
                tail: "</body></html>\n",
            },
            Format::Csv => Written {
                head: csv::write(self),
                tail: "",
            },
            Format::Json => {
                let mut head = serde_json::to_string_pretty(self)
                    .expect("plain structs always have a JSON form");
                if !has_raw {
                    return Written {
                        head: head + "\n",
                        tail: "",
                    };
                }
                // The list of checks is the last field of the object.
                head.truncate(head.len() - "\n}".len());
                Written {
                    head: head + ",\n  \"checks\": [",
                    tail: "\n  ]\n}\n",
                }
            }
        }
    }
}
