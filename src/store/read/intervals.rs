//! The intervals between a host's checks over time: each check counts for one interval. A changed
//! interval does not change what was recorded before.

use std::ops::Range;
use std::time::Duration;

use super::reader::Reader;
use crate::pure::model::HostId;
use crate::pure::time::UtcMillis;
use crate::store::columns::flag;
use crate::store::error::StoreError;
use crate::store::rows::typical_interval_ms;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckIntervals {
    /// The oldest first, never empty.
    intervals: Vec<Interval>,
}

/// How the checks of a host were made from an instant on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interval {
    since: UtcMillis,
    /// The time that each check stands for.
    pub ms: i64,
    /// Made by the command `check`: nothing is known of the time between two checks.
    pub is_by_hand: bool,
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
        const INTERVALS: &str = "select since, interval_ms, by_hand from host_interval
            where host_id = ?1 and interval_ms > 0 order by since";
        for host in hosts {
            let intervals = self.query(INTERVALS, [host], |row| {
                Ok(Interval {
                    since: row.get(0)?,
                    ms: i64::from(row.get::<_, u32>(1)?),
                    is_by_hand: flag(row, 2),
                })
            })?;
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
            intervals: vec![Interval {
                since: UtcMillis(0),
                ms: interval_ms.unwrap_or(otherwise),
                is_by_hand: false,
            }],
        })
    }
}

impl CheckIntervals {
    /// The interval of a check at an instant.
    pub fn at(&self, instant_ms: i64) -> Interval {
        let index = self
            .intervals
            .partition_point(|interval| interval.since.0 <= instant_ms);
        self.intervals[index.saturating_sub(1)]
    }

    /// Whether [`CheckIntervals::parts`] would split a span.
    pub fn change_within(&self, span: &Range<UtcMillis>) -> bool {
        let is_within =
            |interval: &Interval| span.start < interval.since && interval.since < span.end;
        self.intervals.iter().skip(1).any(is_within)
    }

    /// A span split where the interval changes.
    pub fn parts(&self, span: &Range<UtcMillis>) -> Vec<(Range<UtcMillis>, Interval)> {
        let mut parts = Vec::new();
        for (index, interval) in self.intervals.iter().enumerate() {
            let from = if index == 0 {
                span.start
            } else {
                interval.since.max(span.start)
            };
            let to = self
                .intervals
                .get(index + 1)
                .map_or(span.end, |next| next.since.min(span.end));
            if from < to {
                parts.push((from..to, *interval));
            }
        }
        parts
    }

    /// The parts of spans in which a monitor made the checks.
    pub fn of_monitor(&self, spans: &[Range<UtcMillis>]) -> Vec<Range<UtcMillis>> {
        let parts = spans.iter().flat_map(|span| self.parts(span));
        parts
            .filter(|(_, interval)| !interval.is_by_hand)
            .map(|(part, _)| part)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_is_split_where_the_interval_changes() {
        let check_intervals = CheckIntervals {
            intervals: [(0, 60, false), (100, 20, true), (200, 30, false)]
                .map(|(since, ms, is_by_hand)| Interval {
                    since: UtcMillis(since),
                    ms,
                    is_by_hand,
                })
                .into(),
        };
        let parts = |span| {
            let parts = check_intervals.parts(&span).into_iter();
            parts
                .map(|(part, interval)| (part, interval.ms))
                .collect::<Vec<_>>()
        };
        let span = |from: i64, to: i64| UtcMillis(from)..UtcMillis(to);
        assert_eq!(
            parts(span(50, 150)),
            [(span(50, 100), 60), (span(100, 150), 20)]
        );
        assert_eq!(parts(span(-5, 10)), [(span(-5, 10), 60)]);
        for (from, to) in [
            (50, 150),
            (-5, 10),
            (0, 100),
            (100, 200),
            (150, 201),
            (99, 101),
        ] {
            let span = span(from, to);
            let is_split = parts(span.clone()).len() > 1;
            assert_eq!(
                check_intervals.change_within(&span),
                is_split,
                "{from} to {to}"
            );
        }
        assert_eq!(parts(span(300, 400)), [(span(300, 400), 30)]);
        assert_eq!(
            [-1, 99, 100, 1000].map(|at| check_intervals.at(at).ms),
            [60, 60, 20, 30]
        );
        assert_eq!(
            check_intervals.of_monitor(&[span(50, 250), span(120, 130)]),
            [span(50, 100), span(200, 250)]
        );
    }
}
