//! A host hour by hour: the bars of its strip, the points of its chart, and the pings it lost.

use std::collections::BTreeMap;
use std::ops::Range;

use super::downtime::is_planned_hour;
use super::figures::WorstHour;
use super::period::local_hour;
use super::timeline::{Bar, BarSpans, ChartPoint};
use crate::pure::model::HostId;
use crate::pure::order::by_key;
use crate::pure::sums::{Counts, Sums};
use crate::pure::time::{DAY_MS, HOUR_MS, Hour, UtcMillis};
use crate::store::{
    CheckIntervals, CoveredTime, Gap, GroupedOutage, Interval, Reader, Source, StoreError,
    down_spans,
};

const MINUTE_MS: i64 = 60_000;
const MAX_POINTS: i64 = 800;

/// Lost pings of all hosts by the hour of the machine's time zone, by when it begins.
#[derive(Debug, Default)]
pub(super) struct HourlyLosses(BTreeMap<i64, WorstHour>);

const WORST_HOURS: usize = 5;

impl HourlyLosses {
    fn add(&mut self, hour: UtcMillis, from: UtcMillis, counts: &Counts) {
        let sum = self.0.entry(hour.0).or_insert(WorstHour {
            from,
            sent: 0,
            lost: 0,
            lost_while_down: 0,
        });
        sum.from = sum.from.min(from);
        sum.sent = sum.sent.saturating_add(counts.sent);
        sum.lost = sum.lost.saturating_add(counts.lost());
        sum.lost_while_down = sum.lost_while_down.saturating_add(counts.lost_while_down());
    }

    /// The hours with the most lost pings, the worst first: those that lost most beside silence
    /// come before those whose pings were lost in outages, which are listed by themselves.
    pub fn worst(self) -> Vec<WorstHour> {
        let mut hours: Vec<WorstHour> = self.0.into_values().collect();
        hours.retain(|hour| hour.lost > 0);
        by_key(&mut hours, |hour| {
            [hour.lost_while_down - hour.lost, -hour.lost]
        });
        hours.truncate(WORST_HOURS);
        hours
    }
}

pub(super) struct HostHours<'a> {
    pub reader: &'a Reader,
    pub span: &'a Range<UtcMillis>,
    pub gaps: &'a [Gap],
    pub ids: &'a [HostId],
    /// The host's own.
    pub outages: &'a [&'a GroupedOutage],
    pub check_intervals: &'a CheckIntervals,
    pub first_recorded: Option<UtcMillis>,
    pub offset_at: fn(i64) -> i64,
}

impl HostHours<'_> {
    /// Adds the host's lost pings to the losses of all hosts.
    pub fn bars(&self, bars: &BarSpans, losses: &mut HourlyLosses) -> Result<Vec<Bar>, StoreError> {
        let mut of_bars = vec![CoveredTime::default(); bars.spans.len()];
        self.each_part(|at, counts, interval| {
            let hour = local_hour(at, self.offset_at);
            let is_recorded = counts.checks() + counts.not_measured > 0;
            if is_recorded && !is_planned_hour(self.outages, hour) {
                losses.add(hour, hour.max(self.span.start), counts);
            }
            let after = bars.spans.partition_point(|span| span.start <= at);
            if let Some(covered) = of_bars.get_mut(after.saturating_sub(1)) {
                covered.add(counts, interval);
            }
        })?;
        let down_of = |is_planned: bool| {
            let outages = self.outages.iter().copied();
            let outages = outages.filter(|outage| outage.event.planned == is_planned);
            down_spans(outages, self.span, self.gaps)
        };
        let down = [down_of(false), down_of(true)];
        let both = bars.spans.iter().zip(&of_bars);
        Ok(both
            .map(|(span, covered)| {
                let [down, planned] = down.each_ref().map(|down| ms_within(down, span));
                self.bar(span, covered, bars.degraded_percent, down, planned)
            })
            .collect())
    }

    /// Calls `visit` with the beginning and the counts of every whole hour within the span, then of
    /// the parts of hours at its ends. Hours and days of some time zones begin within an hour.
    fn each_part(
        &self,
        mut visit: impl FnMut(UtcMillis, &Counts, Interval),
    ) -> Result<(), StoreError> {
        let HostHours { reader, span, .. } = *self;
        let intervals = self.check_intervals;
        let first = span.start.first_full_hour();
        let last = span.end.hour();
        let cut_in = |part: &Range<UtcMillis>| {
            let begin = local_hour(UtcMillis(part.end.0 - 1), self.offset_at);
            Some(begin).filter(|begin| *begin > part.start)
        };
        let cut_at = |hour: Hour| cut_in(&(hour.start()..hour.next().start()));
        for id in self.ids {
            reader.each_cut_hour(*id, first..last, intervals, cut_at, &mut visit)?;
        }
        let first = first.start().min(span.end);
        let last = last.start().max(span.start);
        for end in [span.start..first, last.max(first)..span.end] {
            let cut = cut_in(&end).unwrap_or(end.end);
            for part in [end.start..cut, cut..end.end] {
                for (part, interval) in intervals.parts(&part) {
                    let counts = reader.sums(self.ids, &part)?.counts;
                    visit(part.start, &counts, interval);
                }
            }
        }
        Ok(())
    }

    fn bar(
        &self,
        span: &Range<UtcMillis>,
        covered: &CoveredTime,
        degraded_percent: i64,
        down_ms: i64,
        planned_ms: i64,
    ) -> Bar {
        let since = span.start.0.max(self.first_recorded.map_or(0, |at| at.0));
        let is_part = |ms: i64| {
            planned_ms == 0
                && ms.saturating_mul(100) >= degraded_percent.saturating_mul(covered.all())
        };
        let poor_ms = covered.poor.saturating_add(covered.silent);
        if self.first_recorded.is_none_or(|first| first >= span.end) {
            Bar::NotRecordedYet
        } else if down_ms > 0 {
            Bar::Down((down_ms / 1000).max(1))
        } else if covered.all().saturating_mul(2) < span.end.0 - since {
            Bar::NotMeasured
        } else if is_part(poor_ms) {
            Bar::Poor
        } else if is_part(poor_ms.saturating_add(covered.degraded)) {
            Bar::Degraded
        } else {
            Bar::Up
        }
    }
}

/// The points of the chart of a host with these ids.
pub(super) fn points(
    reader: &Reader,
    ids: &[HostId],
    span: &Range<UtcMillis>,
) -> Result<Vec<ChartPoint>, StoreError> {
    let (width, source) = point_width(reader, span)?;
    let buckets = reader.buckets(ids, span, width, source)?;
    let point = |(index, sums): (i64, Sums)| {
        let quantile = |share| sums.latencies.quantile_us(share);
        let quantiles = quantile(0.05).zip(quantile(0.5)).zip(quantile(0.95));
        let counts = &sums.counts;
        ChartPoint {
            at: index * width,
            width,
            quantiles_us: quantiles.map(|((low, middle), high)| [low, middle, high]),
            loss: (counts.sent > 0).then(|| counts.lost() as f64 / counts.sent as f64),
        }
    };
    Ok(buckets.into_iter().map(point).collect())
}

/// Milliseconds from point to point: minutes where the checks of a short span are still kept, else
/// hours or days.
fn point_width(reader: &Reader, span: &Range<UtcMillis>) -> Result<(i64, Source), StoreError> {
    let span_ms = span.end.0 - span.start.0;
    if span_ms <= 2 * DAY_MS && span.start >= reader.pruned_before()? {
        let width = [1, 5, 15]
            .into_iter()
            .map(|minutes| minutes * MINUTE_MS)
            .find(|width| span_ms / width <= 200);
        return Ok((width.unwrap_or(15 * MINUTE_MS), Source::Raw));
    }
    let width = [1, 3, 6, 12, 24]
        .into_iter()
        .map(|hours| hours * HOUR_MS)
        .find(|width| span_ms / width <= MAX_POINTS);
    Ok((width.unwrap_or(7 * DAY_MS), Source::Rollup))
}

/// How much of `span` is in `down`.
fn ms_within(down: &[Range<UtcMillis>], span: &Range<UtcMillis>) -> i64 {
    let within = |down: &Range<UtcMillis>| down.end.min(span.end).0 - down.start.max(span.start).0;
    down.iter().map(|down| within(down).max(0)).sum()
}
