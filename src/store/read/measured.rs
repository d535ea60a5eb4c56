//! How much of a span was measured for a host, and how much of that it was in an outage, or lost
//! pings.

use std::collections::BTreeSet;
use std::ops::Range;

use rusqlite::params;

use super::gaps::{Gap, missing_ms};
use super::grouped::{GroupedOutage, UNWRITTEN_MS};
use super::intervals::{CheckIntervals, Interval};
use super::reader::Reader;
use crate::pure::model::{EventKind, HostId};
use crate::pure::order::by_key;
use crate::pure::sums::{Counts, MAX_SUM, Sums};
use crate::pure::time::{LATEST_MS, UtcMillis, whole_seconds};
use crate::store::columns::{flag, value};
use crate::store::error::StoreError;
use crate::store::presence::is_held;

/// The time that checks stand for, in milliseconds: each stands for one interval.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CoveredTime {
    pub measured: i64,
    pub degraded: i64,
    pub poor: i64,
    /// By checks without any reply.
    pub silent: i64,
    /// By checks by hand, beside `measured`: a monitor may not have run.
    pub by_hand: i64,
    /// By those without any reply: an outage between two of them was not measured.
    pub down_by_hand: i64,
}

impl CoveredTime {
    pub fn all(&self) -> i64 {
        self.measured.saturating_add(self.by_hand)
    }

    pub fn add(&mut self, counts: &Counts, interval: Interval) {
        let add = |sum: &mut i64, checks: i64| {
            let more = sum.saturating_add(checks.saturating_mul(interval.ms));
            *sum = more.clamp(-MAX_SUM, MAX_SUM);
        };
        if interval.is_by_hand {
            add(&mut self.by_hand, counts.checks());
            add(&mut self.down_by_hand, counts.down());
        } else {
            add(&mut self.measured, counts.checks());
        }
        add(&mut self.degraded, counts.degraded);
        add(&mut self.poor, counts.poor);
        add(&mut self.silent, counts.down());
    }
}

/// What the time of a span was for a host, in milliseconds. `down`, `degraded` and `poor` are
/// separate parts of `measured`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MeasuredTime {
    /// Since the first record.
    pub whole: i64,
    pub measured: i64,
    /// In outages.
    pub down: i64,
    /// The same in whole seconds.
    pub down_seconds: i64,
    pub degraded: i64,
    pub poor: i64,
}

impl MeasuredTime {
    /// `down` is the time in outages that a monitor saw; `first` is when the host was first
    /// recorded.
    pub fn of(
        covered: CoveredTime,
        down: &[Range<UtcMillis>],
        span: &Range<UtcMillis>,
        (gaps, host_id): (&[Gap], Option<HostId>),
        first: Option<UtcMillis>,
    ) -> MeasuredTime {
        let since = first.unwrap_or(span.end).clamp(span.start, span.end);
        let whole = span.end.0 - since.0;
        // A check stands for its interval, but not for the time in which nothing was measured.
        let missing = missing_ms(gaps, &(since..span.end), host_id);
        let by_hand = covered.down_by_hand.max(0);
        let measured = covered.measured.min(whole - missing);
        // Another program may have changed checks whose sums are stored.
        let measured = measured.saturating_add(covered.by_hand).min(whole).max(0);
        let seconds = down.iter().map(whole_seconds).sum::<i64>() + by_hand / 1000;
        let down = length_ms(down).saturating_add(by_hand).min(measured);
        let poor = covered.poor.clamp(0, measured - down);
        MeasuredTime {
            whole,
            measured,
            down,
            down_seconds: seconds.min((measured + 500) / 1000),
            poor,
            degraded: covered.degraded.clamp(0, measured - down - poor),
        }
    }

    pub fn not_measured(&self) -> i64 {
        self.whole - self.measured
    }

    /// `1 - outages / measured time`, in percent.
    pub fn availability_percent(&self) -> Option<f64> {
        percent_of(self.measured - self.down, self.measured)
    }

    pub fn coverage_percent(&self) -> Option<f64> {
        percent_of(self.measured, self.whole)
    }
}

fn percent_of(part: i64, whole: i64) -> Option<f64> {
    (whole > 0).then(|| 100.0 * part as f64 / whole as f64)
}

impl Reader {
    /// The sums and the times of a host within a span. `outages` are all of the host's own; planned
    /// ones are not down time.
    pub fn measured_time(
        &self,
        ids: &[HostId],
        span: &Range<UtcMillis>,
        intervals: &CheckIntervals,
        outages: &[&GroupedOutage],
        gaps: &[Gap],
    ) -> Result<(Sums, MeasuredTime), StoreError> {
        let (mut sums, mut covered) = (Sums::default(), CoveredTime::default());
        for (part, interval) in intervals.parts(span) {
            let of_part = self.sums(ids, &part)?;
            covered.add(&of_part.counts, interval);
            sums.merge(&of_part);
        }
        self.cut_ends(&mut covered, ids, span, intervals)?;
        self.subtract_edges(&mut covered, ids, span, intervals, outages)?;
        let counted = outages.iter().copied().filter(|o| !o.event.planned);
        let down = intervals.of_monitor(&down_spans(counted, span, gaps));
        let first = self.first_recorded(ids)?;
        let known = span.start..self.known_until(ids, span, intervals)?;
        Ok((
            sums,
            MeasuredTime::of(covered, &down, &known, (gaps, ids.first().copied()), first),
        ))
    }

    /// The end of a span, or until when the newest check of a host stands, if a running monitor may
    /// have newer ones that are not written yet: these are neither measured nor missing. What an
    /// ongoing outage adds is written at once.
    pub fn known_until(
        &self,
        ids: &[HostId],
        span: &Range<UtcMillis>,
        intervals: &CheckIntervals,
    ) -> Result<UtcMillis, StoreError> {
        const NEWEST: &str = "select (select max(checked_at) from check_result where host_id = ?1 and checked_at <= ?2),
                                     exists(select 1 from outage_events
                                where host_id = ?1 and end_time is null and event_type = 'outage')";
        let mut until = UtcMillis(i64::MIN);
        for id in ids {
            let found: Option<(Option<UtcMillis>, bool)> =
                self.query_first(NEWEST, params![id, LATEST_MS], |row| {
                    Ok((value(row, 0), flag(row, 1)))
                })?;
            let (newest, is_down) = found.unwrap_or_default();
            if is_down {
                return Ok(span.end);
            }
            let of_host = newest.map(|at| at.plus(intervals.at(at.0).ms));
            until = until.max(of_host.unwrap_or(until));
        }
        let is_unwritten = until > span.start
            && until < span.end
            && span.end.0 - until.0 <= UNWRITTEN_MS
            && is_held(self.path()) == Some(true);
        Ok(if is_unwritten { until } else { span.end })
    }

    /// Leaves out the time after a span, or after its interval changed, that checks stand for, and
    /// adds the time within the span that the checks before it stand for.
    pub fn cut_ends(
        &self,
        covered: &mut CoveredTime,
        ids: &[HostId],
        span: &Range<UtcMillis>,
        intervals: &CheckIntervals,
    ) -> Result<(), StoreError> {
        let parts = intervals.parts(span);
        // A check by hand does not end what the monitor's check before it stands for.
        let changes = parts.iter().skip(1).filter(|(_, next)| !next.is_by_hand);
        let ends = changes.map(|(part, _)| part.start).chain([span.end]);
        for (at, sign) in [(span.start, 1)].into_iter().chain(ends.map(|at| (at, -1))) {
            for id in ids {
                self.add_beyond(covered, *id, at, (intervals, sign))?;
            }
        }
        Ok(())
    }

    /// Adds, `sign` times, the time after an instant that the checks before it stand for.
    fn add_beyond(
        &self,
        covered: &mut CoveredTime,
        id: HostId,
        at: UtcMillis,
        (intervals, sign): (&CheckIntervals, i64),
    ) -> Result<(), StoreError> {
        let mut interval = intervals.at(at.0 - 1);
        let each_ms = interval.ms;
        let mut add = |counts: &Counts, ms: i64| {
            interval.ms = sign * ms;
            covered.add(counts, interval);
        };
        let hour = at.hour().start()..at.hour().next().start();
        if hour.start < self.pruned_before()? {
            // The share of the hour's checks is that of its time. What was measured of it, and whole
            // checks, differ from that.
            let share = self.sums(&[id], &(hour.start..at))?.counts;
            let whole = self.sums(&[id], &hour)?.counts;
            let since = self
                .first_recorded(&[id])?
                .unwrap_or(hour.start)
                .max(hour.start);
            let gaps = self.gaps_of(&hour, Some(&[id]))?;
            let measured = |span: Range<UtcMillis>| {
                (span.end.0 - span.start.0 - missing_ms(&gaps, &span, Some(id))).max(0)
            };
            let within = measured(since.min(at)..at);
            let of_hour = measured(since.min(hour.end)..hour.end).max(1);
            add(&share, each_ms);
            add(&whole, -(each_ms.saturating_mul(within) / of_hour));
        } else if let Some((checked_at, check)) = self.last_before(id, at, each_ms)? {
            add(&check, checked_at.0 + each_ms - at.0);
        }
        Ok(())
    }

    /// The last check within an interval before an instant.
    fn last_before(
        &self,
        id: HostId,
        at: UtcMillis,
        interval_ms: i64,
    ) -> Result<Option<(UtcMillis, Counts)>, StoreError> {
        const LAST: &str = "select max(checked_at) from check_result
            where host_id = ?1 and checked_at > ?2 and checked_at < ?3";
        let of_host = (id, at.0.saturating_sub(interval_ms), at.0);
        let last = self.query_first(LAST, of_host, |row| Ok(value(row, 0)))?;
        let last: Option<UtcMillis> = last.flatten();
        last.map(|last| {
            let sums = self.sums(&[id], &(last..last.plus(1)))?;
            Ok((last, sums.counts))
        })
        .transpose()
    }

    /// The checks in which an outage began or ended are answered in part. Their lost pings are the
    /// outage's, so their time is not lossy besides.
    fn subtract_edges(
        &self,
        covered: &mut CoveredTime,
        ids: &[HostId],
        span: &Range<UtcMillis>,
        intervals: &CheckIntervals,
        outages: &[&GroupedOutage],
    ) -> Result<(), StoreError> {
        let spans = outages.iter().flat_map(|outage| &outage.spans);
        let mut edges: BTreeSet<UtcMillis> =
            spans.flat_map(|down| [down.start, down.end]).collect();
        // A lossy check that reaches over an end of the span may be that of an outage beside it.
        for at in [span.start, span.end] {
            let interval_ms = intervals.at(at.0).ms;
            for id in ids {
                let check = self.last_before(*id, at, interval_ms)?;
                if check.is_none_or(|(_, counts)| counts.poor + counts.degraded == 0) {
                    continue;
                }
                let beside = UtcMillis(at.0 - interval_ms)..UtcMillis(at.0 + interval_ms);
                let mut rows =
                    self.events_within(&beside, Some(EventKind::Outage), Some(&[*id]))?;
                rows.retain(|row| row.host_id == Some(*id));
                edges.extend(
                    rows.iter()
                        .flat_map(|row| [row.start_time, row.end_time])
                        .flatten(),
                );
            }
        }
        for id in ids {
            let mut checks = BTreeSet::new();
            for edge in &edges {
                let interval_ms = intervals.at(edge.0).ms;
                let found = self.last_before(*id, UtcMillis(edge.0 + 1), interval_ms)?;
                // Two outages may share a check.
                let Some((checked_at, counts)) = found.filter(|(at, _)| checks.insert(*at)) else {
                    continue;
                };
                let end = span.end.0.min(checked_at.0 + interval_ms);
                let within = (end - span.start.max(checked_at).0).max(0);
                covered.poor = covered.poor.saturating_sub(counts.poor * within);
                if counts.lost() > 0 {
                    let degraded = counts.degraded * within;
                    covered.degraded = covered.degraded.saturating_sub(degraded);
                }
            }
        }
        Ok(())
    }
}

/// The parts of a span in which at least one of several outages lasted, as far as this machine
/// measured: gaps are left out for a host, but not for a link, which is known to be down without
/// measurements. In order, without overlaps.
pub fn down_spans<'o>(
    outages: impl Iterator<Item = &'o GroupedOutage>,
    span: &Range<UtcMillis>,
    gaps: &[Gap],
) -> Vec<Range<UtcMillis>> {
    let mut parts = Vec::new();
    for outage in outages {
        for down in &outage.spans {
            let mut start = down.start.max(span.start);
            let end = down.end.min(span.end);
            if outage.is_of_host() {
                let of_host = gaps.iter().filter(|gap| gap.concerns(outage.event.host_id));
                for gap in of_host.take_while(|gap| gap.from < end) {
                    parts.push(start..gap.from);
                    start = gap.to.max(start);
                }
            }
            parts.push(start..end);
        }
    }
    parts.retain(|part| part.start < part.end);
    joined(parts)
}

/// Seconds of a span in which at least one of several outages lasted: time in which several hosts
/// were down counts once.
pub fn any_down_seconds<'o>(
    outages: impl Iterator<Item = &'o GroupedOutage>,
    span: &Range<UtcMillis>,
    gaps: &[Gap],
) -> i64 {
    down_spans(outages, span, gaps)
        .iter()
        .map(whole_seconds)
        .sum()
}

/// In order, with overlapping and adjacent spans as one.
pub fn joined(mut spans: Vec<Range<UtcMillis>>) -> Vec<Range<UtcMillis>> {
    by_key(&mut spans, |span| [span.start.0, 0]);
    let mut joined: Vec<Range<UtcMillis>> = Vec::new();
    for span in spans {
        match joined.last_mut().filter(|last| span.start <= last.end) {
            Some(last) => last.end = last.end.max(span.end),
            None => joined.push(span),
        }
    }
    joined
}

pub fn length_ms(spans: &[Range<UtcMillis>]) -> i64 {
    spans.iter().map(|span| span.end.0 - span.start.0).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spans(all: &[(i64, i64)]) -> Vec<Range<UtcMillis>> {
        all.iter()
            .map(|(from, to)| UtcMillis(*from)..UtcMillis(*to))
            .collect()
    }

    #[test]
    fn a_check_stands_for_no_time_in_which_the_monitor_stood() {
        // Checks every 10 s, of a monitor that runs for 4 s and stands for 6.
        let covered = CoveredTime {
            measured: 60_000,
            ..CoveredTime::default()
        };
        let gaps: Vec<Gap> = (0..6)
            .map(|round| Gap {
                from: UtcMillis(round * 10_000 + 4_000),
                to: UtcMillis(round * 10_000 + 10_000),
                reason: "held up".into(),
                host_id: None,
                host: None,
            })
            .collect();
        let span = UtcMillis(0)..UtcMillis(60_000);
        let time = MeasuredTime::of(covered, &[], &span, (&gaps, None), Some(UtcMillis(0)));
        assert_eq!(time.coverage_percent(), Some(40.0));
        assert_eq!(time.not_measured(), missing_ms(&gaps, &span, None));
    }

    #[test]
    fn no_time_is_below_zero_where_the_stored_sums_do_not_fit_the_checks() {
        let covered = CoveredTime {
            measured: -3_600_000,
            by_hand: -5_000,
            down_by_hand: -5_000,
            ..CoveredTime::default()
        };
        let span = UtcMillis(0)..UtcMillis(60_000);
        let down = spans(&[(10_000, 20_000)]);
        let time = MeasuredTime::of(covered, &down, &span, (&[], None), Some(UtcMillis(0)));
        assert_eq!((time.measured, time.down, time.down_seconds), (0, 0, 0));
        assert_eq!(time.coverage_percent(), Some(0.0));
    }

    #[test]
    fn time_when_several_hosts_were_down_counts_once() {
        assert_eq!(
            joined(spans(&[(50, 60), (10, 20), (15, 40), (40, 45)])),
            spans(&[(10, 45), (50, 60)])
        );
    }
}
