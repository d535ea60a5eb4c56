//! The raw pings of a span: every check that was made, in the order of time. Read some at a time,
//! so that a year of them takes no more memory than a day.

use std::fmt::Write as _;
use std::ops::Range;

use super::told::{Row, local};
use super::{Format, Report, csv, html};
use crate::pure::phrase::{cut, pad, printable};
use crate::pure::time::{HOUR_MS, UtcMillis};
use crate::store::{CheckJson, Checks, JsonFields, Reader, RecordedCheck, StoreError};

/// The raw pings that are still to be told.
#[derive(Debug)]
pub struct RawPings {
    checks: Checks,
    /// From the last one that was told.
    rest: Range<UtcMillis>,
    hours: u64,
}

/// How many are told at once.
const AT_ONCE: usize = 1000;

impl RawPings {
    /// Those of a report's hosts and span.
    pub fn of(report: &Report) -> RawPings {
        let first = report
            .hosts
            .iter()
            .filter_map(|host| host.first_recorded)
            .min()
            .unwrap_or(report.to);
        let span = report.from.max(first).min(report.to)..report.to;
        let hosts = report
            .hosts
            .iter()
            .filter_map(|host| host.recorded.clone())
            .collect();
        RawPings {
            checks: Checks::oldest_first(hosts, &span),
            hours: hours_of(&span),
            rest: span,
        }
    }

    /// The next checks, oldest first; `None` behind the last.
    pub fn next(&mut self, reader: &Reader) -> Result<Option<Vec<RecordedCheck>>, StoreError> {
        let mut found = Vec::new();
        while found.len() < AT_ONCE
            && let Some(check) = self.checks.next(reader)?
        {
            found.push(check);
        }
        self.rest.start = found.last().map_or(self.rest.end, |check| check.checked_at);
        Ok((!found.is_empty()).then_some(found))
    }

    /// How many hours of how many are told.
    pub fn progress(&self) -> (u64, u64) {
        (self.hours - hours_of(&self.rest), self.hours)
    }
}

fn hours_of(span: &Range<UtcMillis>) -> u64 {
    (span.end.0 - span.start.0)
        .max(0)
        .unsigned_abs()
        .div_ceil(HOUR_MS.unsigned_abs())
}

/// What stands above them.
pub(super) const TITLE: &str = "Raw pings";
/// The names of the columns.
pub(super) const COLUMNS: [&str; 5] = [
    "Time",
    "Host",
    "Sent",
    "Lost",
    "Replies after, in ms (x: lost)",
];

impl Report {
    /// Raw pings as they stand in a format; `before` is how many were written before these.
    pub fn raw_rows(&self, format: Format, checks: &[RecordedCheck], before: u64) -> String {
        let mut out = String::new();
        for (index, check) in checks.iter().enumerate() {
            if format == Format::Json {
                let row = CheckJson {
                    check,
                    fields: JsonFields::Report,
                };
                out += if before == 0 && index == 0 {
                    "\n    "
                } else {
                    ",\n    "
                };
                out += &serde_json::to_string(&row).expect("plain structs always have a JSON form");
                continue;
            }
            let (at, lost) = (
                local(self, check.checked_at),
                check.sent.saturating_sub(check.received),
            );
            let cells = [
                at,
                check.name.clone(),
                check.sent.to_string(),
                lost.to_string(),
                replies(check),
            ];
            match format {
                Format::Text => {
                    let [at, name, _, _, replies] = &cells;
                    let _ = writeln!(
                        out,
                        "{at}  {}  {}",
                        pad(&cut(&printable(name), 18), 18),
                        cut(replies, 32)
                    );
                }
                Format::Html => html::row(
                    &mut out,
                    &Row {
                        cells: cells.to_vec(),
                        details: Vec::new(),
                    },
                ),
                Format::Csv | Format::Json => {
                    let ((clock, offset), utc) = (
                        csv::clock(self, check.checked_at),
                        check.checked_at.rfc3339(),
                    );
                    let [_, name, sent, lost, replies] = &cells;
                    let place = [
                        name.as_str(),
                        &check.address,
                        &clock,
                        &offset,
                        "",
                        "",
                        &utc,
                        "",
                        "",
                        "",
                        "",
                    ];
                    let cells: Vec<&str> = ["ping"]
                        .into_iter()
                        .chain(place)
                        .chain([sent.as_str(), lost, "", replies])
                        .collect();
                    csv::record(&mut out, &cells);
                }
            }
        }
        out
    }
}

/// Every ping of a check: how long its reply took, or that none came.
fn replies(check: &RecordedCheck) -> String {
    let ms = |us: u32| format!("{}.{:03}", us / 1000, us % 1000);
    match (&check.rtts_us, check.min_us, check.max_us) {
        (Some(rtts), ..) => rtts
            .iter()
            .map(|rtt| rtt.map_or("x".into(), ms))
            .collect::<Vec<_>>()
            .join(" "),
        // What was taken over from the original has only these.
        (None, Some(min), Some(max)) => {
            let short = |us| u32::try_from(us).map_or_else(|_| String::new(), ms);
            format!("{} to {}", short(min), short(max))
        }
        _ => "x".into(),
    }
}
