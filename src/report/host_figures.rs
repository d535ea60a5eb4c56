//! The figures of one host.

use std::ops::Range;

use super::figures::{CheckMethod, HostFigures};
use super::hosts::ReportedHost;
use super::hours::{HostHours, HourlyLosses};
use super::method::check_method;
use super::timeline::BarSpans;
use crate::pure::model::HostId;
use crate::pure::stats::loss_interval_percent;
use crate::pure::time::UtcMillis;
use crate::store::{Gap, GroupedOutage, Reader, StoreError};

/// What the figures of every host are made from.
pub(super) struct Source<'a> {
    pub reader: &'a Reader,
    pub span: &'a Range<UtcMillis>,
    pub gaps: &'a [Gap],
    pub bars: &'a BarSpans,
    pub offset_at: fn(i64) -> i64,
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
        let (sums, time) =
            reader.measured_time(&ids, span, &check_intervals, outages, self.gaps)?;
        let first_recorded = reader.first_recorded(&ids)?;
        let mut level_changes = Vec::new();
        for id in &ids {
            level_changes.extend(reader.level_changes(*id, span)?);
        }
        level_changes.sort_by_key(|change| change.at);
        let interval = check_intervals.at(span.end.0 - 1);
        let unplanned = || {
            let outages = outages.iter().copied();
            outages.filter(|outage| !outage.event.planned)
        };
        let hours = HostHours {
            reader,
            span,
            gaps: self.gaps,
            ids: &ids,
            outages,
            check_intervals: &check_intervals,
            first_recorded,
            offset_at: self.offset_at,
        };
        let counts = &sums.counts;
        let quantile = |share| sums.latencies.quantile_us(share);
        let figures = HostFigures {
            host_name: host.name.clone(),
            host_address: host.address.clone(),
            availability_percent: time.availability_percent(),
            coverage_percent: time.coverage_percent(),
            outages: unplanned().count(),
            down_seconds: time.down_seconds,
            degraded_seconds: rounded_seconds(time.degraded),
            poor_seconds: rounded_seconds(time.poor),
            not_measured_seconds: rounded_seconds(time.not_measured()),
            p50_us: quantile(0.5),
            p95_us: quantile(0.95),
            p99_us: quantile(0.99),
            measured_seconds: rounded_seconds(time.measured),
            longest_outage_seconds: unplanned()
                .map(|outage| outage.down_seconds)
                .max()
                .unwrap_or(0),
            checks: counts.checks(),
            not_measured_checks: counts.not_measured,
            sent: counts.sent,
            lost: counts.lost(),
            loss_percent: (counts.sent > 0)
                .then(|| 100.0 * counts.lost() as f64 / counts.sent as f64),
            loss_interval_percent: loss_interval_percent(counts.sent, counts.lost()),
            first_recorded,
            level_changes,
            recorded: host.recorded.clone(),
            bars: hours.bars(self.bars, losses)?,
            points: Vec::new(),
        };
        Ok((figures, check_method(host.config, interval)))
    }
}

fn rounded_seconds(ms: i64) -> i64 {
    (ms + 500) / 1000
}
