//! A host hour by hour: the bars of its strip, the points of its chart, and the hours that lost the
//! most pings.

use std::ops::Range;

use super::WorstHour;
use super::gather::{down_ms, is_excused, is_told};
use super::period::local_days;
use crate::pure::order::by_key;
use crate::pure::sums::Counts;
use crate::pure::time::{HOUR_MS, UtcMillis};
use crate::store::{CheckIntervals, Gap, GroupedOutage, Reader, Source, StoreError};

const DAY_MS: i64 = 24 * HOUR_MS;
/// Up to so long a span has a bar an hour.
const MAX_BY_HOUR_MS: i64 = 3 * DAY_MS;
/// More bars than that are no longer told apart on paper: then a bar stands for a week.
const MAX_BARS: usize = 370;

/// What the bars of a strip stand for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cells {
    /// From when until when each.
    pub spans: Vec<Range<UtcMillis>>,
    /// `hour`, `day` or `week`.
    pub unit: &'static str,
    /// From this share of checks that were not up on it is degraded: of few checks a single one is
    /// more.
    pub degraded_percent: i64,
}

impl Cells {
    /// Those of a span.
    pub fn of(span: &Range<UtcMillis>, offset_at: fn(i64) -> i64) -> Cells {
        if span.end.0 - span.start.0 <= MAX_BY_HOUR_MS {
            let hours = span.start.hour()..=UtcMillis(span.end.0 - 1).hour();
            let cut = |hour: i64| UtcMillis(hour * HOUR_MS).clamp(span.start, span.end);
            return Cells {
                spans: hours.map(|hour| cut(hour)..cut(hour + 1)).collect(),
                unit: "hour",
                degraded_percent: 5,
            };
        }
        let days = local_days(span, offset_at);
        if days.len() <= MAX_BARS {
            return Cells {
                spans: days,
                unit: "day",
                degraded_percent: 1,
            };
        }
        let weeks = days
            .chunks(7)
            .map(|week| week[0].start..week[week.len() - 1].end);
        Cells {
            spans: weeks.collect(),
            unit: "week",
            degraded_percent: 1,
        }
    }
}

/// What a bar says: the taller, the worse.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Bar {
    /// Nothing was recorded yet.
    #[default]
    Nothing,
    /// More than half of it was not measured.
    NotMeasured,
    /// Hardly any check was not up.
    Up,
    /// Some checks were not up.
    Degraded,
    /// Checks without any reply, for so many seconds.
    Down(i64),
}

/// A point of a chart.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Point {
    /// When it begins.
    pub at: i64,
    /// How long it lasts.
    pub width: i64,
    /// The 5 %, 50 % and 95 % quantile of the replies.
    pub quantiles_us: Option<[u32; 3]>,
    /// The share of pings that were lost; `None` where none was sent.
    pub loss: Option<f64>,
}

/// Pings that were lost, by the hour, over all hosts.
#[derive(Debug)]
pub(super) struct Losses {
    from: UtcMillis,
    /// An entry an hour that the span touches.
    hours: Vec<WorstHour>,
}

/// How many of the worst hours are told.
const WORST_HOURS: usize = 5;

impl Losses {
    /// None yet.
    pub fn of(span: &Range<UtcMillis>) -> Losses {
        let hours = span.start.hour()..=UtcMillis(span.end.0 - 1).hour();
        let hour = |hour: i64| WorstHour {
            from: UtcMillis(hour * HOUR_MS).max(span.start),
            sent: 0,
            lost: 0,
        };
        Losses {
            from: span.start,
            hours: hours.map(hour).collect(),
        }
    }

    fn add(&mut self, at_ms: i64, counts: &Counts) {
        let index = usize::try_from(at_ms.div_euclid(HOUR_MS) - self.from.hour());
        if let Some(hour) = index.ok().and_then(|index| self.hours.get_mut(index)) {
            hour.sent = hour.sent.saturating_add(counts.sent);
            hour.lost = hour.lost.saturating_add(counts.lost());
        }
    }

    /// The hours that lost the most, the worst first.
    pub fn worst(self) -> Vec<WorstHour> {
        let mut hours = self.hours;
        hours.retain(|hour| hour.lost > 0);
        by_key(&mut hours, |hour| [-hour.lost, 0]);
        hours.truncate(WORST_HOURS);
        hours
    }
}

/// The store, and what must be known to ask it for a host's hours.
pub(super) struct Hours<'a> {
    pub reader: &'a Reader,
    pub span: &'a Range<UtcMillis>,
    pub check_intervals: &'a CheckIntervals,
    pub first: Option<UtcMillis>,
}

impl Hours<'_> {
    /// The bars and the points of a host; what it lost is added to the losses of all. `own` are its
    /// outages.
    pub fn tell(
        &self,
        ids: &[i64],
        own: &[&GroupedOutage],
        cells: &Cells,
        gaps: &[Gap],
        losses: &mut Losses,
    ) -> Result<(Vec<Bar>, Vec<Point>), StoreError> {
        let Hours { reader, span, .. } = *self;
        let mut by_cell = vec![Counts::default(); cells.spans.len()];
        let mut take = |at_ms: i64, counts: &Counts| {
            if is_told(counts) && !is_excused(own, at_ms.div_euclid(HOUR_MS)) {
                losses.add(at_ms, counts);
            }
            // Where a zone is off by half an hour, an hour counts for the day that it begins in.
            let after = cells.spans.partition_point(|cell| cell.start.0 <= at_ms);
            if let Some(sum) = by_cell.get_mut(after.saturating_sub(1)) {
                sum.merge(counts);
            }
        };
        let (first, last) = (
            -(-span.start.0).div_euclid(HOUR_MS),
            span.end.0.div_euclid(HOUR_MS),
        );
        for id in ids {
            reader.each_hour(*id, first..last, |hour, counts| {
                take(hour.saturating_mul(HOUR_MS), counts)
            })?;
        }
        // The hours that the span cuts, as far as they lie in it.
        let (first, last) = (
            UtcMillis(first * HOUR_MS).min(span.end),
            UtcMillis(last * HOUR_MS).max(span.start),
        );
        for edge in [span.start..first, last.max(first)..span.end]
            .into_iter()
            .filter(|edge| edge.start < edge.end)
        {
            take(edge.start.0, &reader.sums(ids, &edge)?.counts);
        }
        let bars = cells
            .spans
            .iter()
            .zip(&by_cell)
            .map(|(cell, counts)| self.bar(cell, counts, own, gaps, cells.degraded_percent))
            .collect();
        Ok((bars, self.points(ids)?))
    }

    fn bar(
        &self,
        cell: &Range<UtcMillis>,
        counts: &Counts,
        own: &[&GroupedOutage],
        gaps: &[Gap],
        degraded_percent: i64,
    ) -> Bar {
        let told_ms = |is_planned: bool| {
            let chosen = own
                .iter()
                .filter(|episode| episode.event.planned == is_planned);
            chosen
                .map(|episode| down_ms(episode, cell, gaps))
                .sum::<i64>()
        };
        // Checks without a reply, of which there is no event: taken over, or fewer than make an
        // outage.
        let interval_ms = self.check_intervals.at(cell.start.0);
        let silent_ms = counts.silent().saturating_mul(interval_ms) - told_ms(true);
        let down_ms = told_ms(false).max(if told_ms(true) > 0 { 0 } else { silent_ms });
        let measured_ms = counts.checks().saturating_mul(interval_ms);
        if self.first.is_none_or(|first| first >= cell.end) {
            Bar::Nothing
        } else if down_ms > 0 {
            Bar::Down((down_ms / 1000).max(1))
        } else if measured_ms * 2
            < cell.end.0 - cell.start.0.max(self.first.map_or(0, |first| first.0))
        {
            Bar::NotMeasured
        } else if told_ms(true) == 0
            && 100 * (counts.down + counts.degraded) >= degraded_percent * counts.checks()
        {
            Bar::Degraded
        } else {
            Bar::Up
        }
    }

    fn points(&self, ids: &[i64]) -> Result<Vec<Point>, StoreError> {
        let span = self.span;
        let (width, source) = self.width()?;
        let buckets = self.reader.buckets(ids, span, width, source)?;
        let point = |(index, sums): (i64, crate::pure::sums::Sums)| {
            let quantile = |share| sums.latencies.quantile_us(share);
            let quantiles = quantile(0.05).zip(quantile(0.5)).zip(quantile(0.95));
            Point {
                at: index * width,
                width,
                quantiles_us: quantiles.map(|((low, middle), high)| [low, middle, high]),
                loss: (sums.counts.sent > 0)
                    .then(|| sums.counts.lost() as f64 / sums.counts.sent as f64),
            }
        };
        Ok(buckets.into_iter().map(point).collect())
    }

    /// How far apart the points are: by the hour, unless that were too few or too many.
    fn width(&self) -> Result<(i64, Source), StoreError> {
        const MINUTE_MS: i64 = 60_000;
        const MAX_POINTS: i64 = 800;
        let span_ms = self.span.end.0 - self.span.start.0;
        if span_ms <= 2 * DAY_MS && self.span.start >= self.reader.pruned_before()? {
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
}
