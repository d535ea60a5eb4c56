//! The intervals between a host's checks over time: each check counts for one interval. A changed
//! interval does not change what was recorded before.

use std::ops::Range;
use std::time::Duration;

use super::reader::Reader;
use crate::pure::model::HostId;
use crate::pure::time::UtcMillis;
use crate::store::error::StoreError;
use crate::store::rows::typical_interval_ms;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckIntervals {
    /// Since when, and the interval, in milliseconds; the oldest first, never empty.
    intervals: Vec<(i64, i64)>,
}

impl Reader {
    /// As recorded with the checks, else as `configured`, else those of the newest checks, else
    /// `otherwise`.
    pub fn check_intervals(
        &self,
        hosts: &[HostId],
        configured: Option<Duration>,
        otherwise: Duration,
    ) -> Result<CheckIntervals, StoreError> {
        const INTERVALS: &str = "select since, interval_ms from host_interval where host_id = ?1 and interval_ms > 0 order by since";
        for host in hosts {
            let intervals = self.query(INTERVALS, [host], |row| Ok((row.get(0)?, row.get(1)?)))?;
            if !intervals.is_empty() {
                return Ok(CheckIntervals { intervals });
            }
        }
        let mut interval_ms =
            configured.map(|interval| i64::try_from(interval.as_millis()).unwrap_or(i64::MAX));
        for host in hosts {
            if interval_ms.is_none() {
                interval_ms =
                    self.with_connection(|connection| typical_interval_ms(connection, *host))?;
            }
        }
        let otherwise = i64::try_from(otherwise.as_millis()).unwrap_or(i64::MAX);
        Ok(CheckIntervals {
            intervals: vec![(0, interval_ms.unwrap_or(otherwise))],
        })
    }
}

impl CheckIntervals {
    /// The interval of a check at an instant, in milliseconds.
    pub fn at(&self, instant_ms: i64) -> i64 {
        let index = self
            .intervals
            .partition_point(|(since, _)| *since <= instant_ms);
        self.intervals[index.saturating_sub(1)].1
    }

    /// A span split where the interval changes, each part with its interval in milliseconds.
    pub fn parts(&self, span: &Range<UtcMillis>) -> Vec<(Range<UtcMillis>, i64)> {
        let mut parts = Vec::new();
        for (index, (since, interval)) in self.intervals.iter().enumerate() {
            let from = if index == 0 {
                span.start
            } else {
                UtcMillis(*since).max(span.start)
            };
            let to = self
                .intervals
                .get(index + 1)
                .map_or(span.end, |(next, _)| UtcMillis(*next).min(span.end));
            if from < to {
                parts.push((from..to, *interval));
            }
        }
        parts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_is_split_where_the_interval_changes() {
        let check_intervals = CheckIntervals {
            intervals: vec![(0, 60), (100, 20), (200, 30)],
        };
        let span = |from: i64, to: i64| UtcMillis(from)..UtcMillis(to);
        assert_eq!(
            check_intervals.parts(&span(50, 150)),
            [(span(50, 100), 60), (span(100, 150), 20)]
        );
        assert_eq!(check_intervals.parts(&span(-5, 10)), [(span(-5, 10), 60)]);
        assert_eq!(
            check_intervals.parts(&span(300, 400)),
            [(span(300, 400), 30)]
        );
        assert_eq!(
            [-1, 99, 100, 1000].map(|at| check_intervals.at(at)),
            [60, 60, 20, 30]
        );
    }
}
