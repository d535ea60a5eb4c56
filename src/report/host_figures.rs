//! The figures of one host.

use std::ops::Range;

use super::downtime::down_ms;
use super::figures::{CheckMethod, HostFigures};
use super::hosts::ReportedHost;
use super::hours::{HostHours, HourlyLosses};
use super::method::check_method;
use super::timeline::BarSpans;
use crate::pure::model::{HostId, State};
use crate::pure::sums::Sums;
use crate::pure::time::UtcMillis;
use crate::store::{Checks, Gap, GroupedOutage, Reader, RecordedHost, StoreError};

/// What the figures of every host are made from.
pub(super) struct Source<'a> {
    pub reader: &'a Reader,
    pub span: &'a Range<UtcMillis>,
    pub gaps: &'a [Gap],
    pub bars: &'a BarSpans,
}

impl Source<'_> {
    /// `outages` are the host's own. Its lost pings are added to the `losses` of all hosts.
    pub fn figures(
        &self,
        host: &ReportedHost<'_>,
        outages: &[&GroupedOutage],
        losses: &mut HourlyLosses,
    ) -> Result<(HostFigures, CheckMethod), StoreError> {
        let Source { reader, span, .. } = *self;
        let ids: Vec<HostId> = host.recorded.iter().map(|host| host.id).collect();
        let is_configured = !host.config.host.address.as_str().is_empty();
        let configured = Some(host.config.interval).filter(|_| is_configured);
        let check_intervals = reader.check_intervals(&ids, configured, host.config.interval)?;
        // Every check counts for the interval that the host had at that time.
        let (mut sums, mut covered_ms) = (Sums::default(), 0_i64);
        for (part, interval_ms) in check_intervals.parts(span) {
            let of_part = reader.sums(&ids, &part)?;
            let of_part_ms = of_part.counts.checks().saturating_mul(interval_ms);
            covered_ms = covered_ms.saturating_add(of_part_ms);
            sums.merge(&of_part);
        }
        let first_recorded = reader.first_recorded(&ids)?;
        let interval_ms = check_intervals.at(span.end.0 - 1);
        let since = first_recorded
            .unwrap_or(span.end)
            .clamp(span.start, span.end);
        let whole_ms = span.end.0 - since.0;
        let measured_ms = covered_ms.min(whole_ms);
        let unplanned = || {
            let outages = outages.iter().copied();
            outages.filter(|outage| !outage.event.planned)
        };
        let outages_ms: i64 = unplanned()
            .map(|outage| down_ms(outage, span, self.gaps))
            .sum();
        let inside = self.down_checks_inside(&ids, outages, interval_ms)?;
        let outside = (sums.counts.down() - inside).max(0);
        let down_ms = (outages_ms + outside.saturating_mul(interval_ms)).min(measured_ms);
        let hours = HostHours {
            reader,
            span,
            gaps: self.gaps,
            ids: &ids,
            outages,
            check_intervals: &check_intervals,
            first_recorded,
        };
        let counts = &sums.counts;
        let quantile = |share| sums.latencies.quantile_us(share);
        let figures = HostFigures {
            host_name: host.name.clone(),
            host_address: host.address.clone(),
            availability_percent: percent_of(measured_ms - down_ms, measured_ms),
            coverage_percent: percent_of(measured_ms, whole_ms),
            outages: unplanned().count(),
            down_seconds: rounded_seconds(down_ms),
            not_measured_seconds: rounded_seconds(whole_ms - measured_ms),
            p50_us: quantile(0.5),
            p95_us: quantile(0.95),
            p99_us: quantile(0.99),
            measured_seconds: rounded_seconds(measured_ms),
            longest_outage_seconds: unplanned()
                .map(|outage| outage.down_seconds)
                .max()
                .unwrap_or(0),
            checks: counts.checks(),
            not_measured_checks: counts.not_measured,
            sent: counts.sent,
            lost: counts.lost(),
            first_recorded,
            lossy_seconds: rounded_seconds((down_ms - outages_ms).max(0)),
            recorded: host.recorded.clone(),
            bars: hours.bars(self.bars, losses)?,
            points: hours.points()?,
        };
        Ok((figures, check_method(host.config, interval_ms)))
    }

    /// How many checks that found the host down belong to an outage: those without any reply, and
    /// the checks in which an outage began or ended, of which a part was answered.
    fn down_checks_inside(
        &self,
        ids: &[HostId],
        outages: &[&GroupedOutage],
        interval_ms: i64,
    ) -> Result<i64, StoreError> {
        let mut inside = 0;
        // Two outages may share a check, whose time is then found twice in a row.
        let mut edges: Vec<UtcMillis> = Vec::new();
        for outage in outages {
            inside += self.failed_checks(outage);
            let times = outage.spans.iter().flat_map(|down| [down.start, down.end]);
            for at in times.filter(|at| self.span.contains(at)) {
                edges.extend(self.partly_answered_check(ids, at, interval_ms)?);
            }
        }
        edges.dedup();
        Ok(inside + i64::try_from(edges.len()).unwrap_or(0))
    }

    /// The failed checks of an outage; a part in proportion where it extends beyond the span.
    fn failed_checks(&self, outage: &GroupedOutage) -> i64 {
        let failed = outage.event.checks_failed.unwrap_or(0).max(0);
        let whole_ms = |down: &Range<UtcMillis>| down.end.0 - down.start.0;
        let within_ms = |down: &Range<UtcMillis>| {
            (down.end.min(self.span.end).0 - down.start.max(self.span.start).0).max(0)
        };
        let all: i64 = outage.spans.iter().map(whole_ms).sum();
        let within: i64 = outage.spans.iter().map(within_ms).sum();
        if within >= all {
            return failed;
        }
        let share = i128::from(failed) * i128::from(within) / i128::from(all);
        i64::try_from(share).unwrap_or(failed)
    }

    /// The time of the check that ran at an edge of an outage, if it was down with some replies.
    fn partly_answered_check(
        &self,
        ids: &[HostId],
        edge: UtcMillis,
        interval_ms: i64,
    ) -> Result<Option<UtcMillis>, StoreError> {
        let before = UtcMillis(edge.0 - interval_ms).max(self.span.start)..UtcMillis(edge.0 + 1);
        let hosts = ids.iter().map(|id| RecordedHost {
            id: *id,
            name: String::new(),
            address: String::new(),
            family: None,
            source: None,
        });
        let check = Checks::new(hosts.collect(), &before, 1).next(self.reader)?;
        Ok(check
            .filter(|check| check.state == State::Down && check.received > 0)
            .map(|check| check.checked_at))
    }
}

fn percent_of(part: i64, whole: i64) -> Option<f64> {
    (whole > 0).then(|| 100.0 * part as f64 / whole as f64)
}

fn rounded_seconds(ms: i64) -> i64 {
    (ms + 500) / 1000
}
