//! The raw pings of a span: every check with all its pings, oldest first. They are read in
//! portions, so that a year takes no more memory than a day.

use std::ops::Range;

use super::figures::Report;
use super::wording::local;
use crate::pure::time::{HOUR_MS, UtcMillis};
use crate::store::{Checks, Reader, RecordedCheck, StoreError};

#[derive(Debug)]
pub struct RawPings {
    checks: Checks,
    /// Begins at the newest check that was read.
    unread: Range<UtcMillis>,
    /// Length of the whole span.
    hours: u64,
}

/// How many checks are read at once.
const PORTION: usize = 1000;

impl RawPings {
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
            unread: span,
        }
    }

    /// The next portion of checks; `None` after the last.
    pub fn next(&mut self, reader: &Reader) -> Result<Option<Vec<RecordedCheck>>, StoreError> {
        let mut found = Vec::new();
        while found.len() < PORTION
            && let Some(check) = self.checks.next(reader)?
        {
            found.push(check);
        }
        self.unread.start = found
            .last()
            .map_or(self.unread.end, |check| check.checked_at);
        Ok((!found.is_empty()).then_some(found))
    }

    /// How many hours were read, and how many the whole span has.
    pub fn progress(&self) -> (u64, u64) {
        (self.hours - hours_of(&self.unread), self.hours)
    }
}

fn hours_of(span: &Range<UtcMillis>) -> u64 {
    (span.end.0 - span.start.0)
        .max(0)
        .unsigned_abs()
        .div_ceil(HOUR_MS.unsigned_abs())
}

pub(super) const COLUMNS: [&str; 5] = [
    "Time",
    "Host",
    "Sent",
    "Lost",
    "Round-trip times in ms (x: lost)",
];

pub(super) fn cells(report: &Report, check: &RecordedCheck) -> [String; COLUMNS.len()] {
    [
        local(report, check.checked_at),
        check.name.clone(),
        check.sent.to_string(),
        check.failure_count().to_string(),
        replies(check),
    ]
}

/// The round-trip time of each ping in milliseconds, `x` for a lost one.
pub(super) fn replies(check: &RecordedCheck) -> String {
    let ms = |us: u32| format!("{}.{:03}", us / 1000, us % 1000);
    match (&check.rtts_us, check.min_us, check.max_us) {
        (Some(rtts), ..) => rtts
            .iter()
            .map(|rtt| rtt.map_or("x".into(), ms))
            .collect::<Vec<_>>()
            .join(" "),
        // The original recorded only these.
        (None, Some(min), Some(max)) => format!("{} to {}", ms(min), ms(max)),
        _ => "x".into(),
    }
}
