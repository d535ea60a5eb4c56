//! All hosts: the current state of each, its days, and a small chart of its last 24 hours.

use std::io::Write;
use std::ops::Range;
use std::time::Duration;

use serde::Serialize;

use super::charts::quantile;
use super::line::{LineOutages, LineSummary, line_summary, within};
use super::outages::HostFilter;
use super::parameters::Parameters;
use super::zone::ViewerZone;
use super::{Api, ApiError, ApiResult, not_made, present, write_json, written};
use crate::pure::incident::GroupingRules;
use crate::pure::model::{HostId, State};
use crate::pure::sums::{Counts, Sums};
use crate::pure::time::{DAY_MS, HOUR_MS, Hour, UtcMillis};
use crate::status::{HostStatus, HostStatuses};
use crate::store::{
    CheckIntervals, CoveredTime, Gap, GroupedOutage, HostIndex, Interval, MeasuredTime, Reader,
    Source, UngroupedOutages, down_spans, joined,
};

#[derive(Serialize)]
struct OverviewRow<'a> {
    host_name: &'a str,
    host_address: &'a str,
    host_key: &'a str,
    configured: bool,
    role: Option<&'static str>,
    state: &'static str,
    stale: bool,
    timestamp: Option<String>,
    error: Option<&'a str>,
    avg_latency: Option<f64>,
    availability_percent: Option<f64>,
    coverage_percent: Option<f64>,
    /// The share that was measured is that of the time since then, if it is within the days.
    first_recorded: Option<UtcMillis>,
    days: Days,
    last_day: LastDay,
    spark: Sparkline,
}

/// One entry per day of the viewer, oldest first.
#[derive(Serialize, Default)]
struct Days {
    state: Vec<Option<&'static str>>,
    down_seconds: Vec<i64>,
    /// The time of checks with fewer replies than `degraded_percent`, of the time of all, rounded down.
    poor_percent: Vec<i64>,
    /// Of the time of all checks, rounded down.
    not_up_percent: Vec<i64>,
    measured_seconds: Vec<i64>,
}

/// The last 24 hours, and what has passed of the current one.
#[derive(Serialize)]
struct LastDay {
    down_seconds: i64,
    measured_seconds: i64,
    p95_us: Option<u32>,
}

/// The last 24 hours, one entry per roll-up of an hour. Latencies have three significant digits, as
/// many as a small chart can show.
#[derive(Serialize, Default)]
struct Sparkline {
    t: Vec<i64>,
    state: Vec<Option<&'static str>>,
    p5_us: Vec<Option<u32>>,
    p50_us: Vec<Option<u32>>,
    p95_us: Vec<Option<u32>>,
}

/// What comes before `hosts`.
#[derive(Serialize)]
struct Heading {
    now: String,
    first_day: String,
    days: i64,
    line: LineSummary,
}

pub(super) fn overview(api: &Api, parameters: &Parameters<'_>) -> ApiResult {
    let zone = ViewerZone::read(parameters)?;
    let days = parameters.whole("days", 1..401, 90)?;
    let reader = api.reader()?;
    let api = api.clone();
    Ok(written("application/json", move |out| {
        reader.in_one_state(|| write(&api, &reader, zone, days, out))
    }))
}

fn write(
    api: &Api,
    reader: &Reader,
    zone: ViewerZone,
    days: i64,
    out: &mut dyn Write,
) -> Result<(), ApiError> {
    let config = api.config();
    let now = present(reader)?;
    let known = HostStatuses::read(reader, config.flush, now)?;
    let today = zone.day_of(now.0);
    let span = UtcMillis(zone.begin_of(today - days + 1))..UtcMillis(now.0 + 1);
    let gaps = reader.gaps(&(UtcMillis(0)..span.end))?;
    let grouping = &config.report.grouping;
    let (line, down_parts) = outages_of_days(reader, &zone, &span, grouping, &gaps)?;
    let last_day = Hour(now.hour().0 - 24).start()..span.end;
    let recent = reader.ungrouped_outages(&last_day, None)?;
    let recent = without_grouping(&recent.without_evidence(), grouping, &gaps);
    let overview = Overview {
        reader,
        hosts: reader.host_index()?,
        now,
        recent: DownParts::of(&recent, &last_day, &gaps),
        last_day,
        zone,
        span,
        gaps,
        down_parts,
        interval: config.interval,
    };
    let heading = Heading {
        now: now.rfc3339(),
        first_day: UtcMillis((today - days + 1) * DAY_MS).sql_text()[..10].to_string(),
        days,
        line,
    };
    // Size: every row becomes JSON at once, since the rows of hundreds of hosts take megabytes.
    let mut begin = Vec::new();
    write_json(&heading, &mut begin)?;
    // Its last brace.
    begin.pop();
    out.write_all(&begin).map_err(not_made)?;
    out.write_all(b",\"hosts\":[").map_err(not_made)?;
    for (index, status) in known.of_hosts(&config.hosts).iter().enumerate() {
        if index > 0 {
            out.write_all(b",").map_err(not_made)?;
        }
        write_json(&overview.row(status)?, out)?;
    }
    out.write_all(b"]}").map_err(not_made)
}

/// What the rows of all hosts are made from.
struct Overview<'a> {
    reader: &'a Reader,
    /// Looked up by a query each, 500 hosts would read 500 rows each.
    hosts: HostIndex,
    now: UtcMillis,
    zone: ViewerZone,
    /// All days.
    span: Range<UtcMillis>,
    gaps: Vec<Gap>,
    down_parts: DownParts,
    /// The last 24 hours, and what has passed of the current one.
    last_day: Range<UtcMillis>,
    /// Of those.
    recent: DownParts,
    /// Of hosts for which none is configured.
    interval: Duration,
}

impl Overview<'_> {
    fn row<'s>(&self, status: &'s HostStatus<'_>) -> Result<OverviewRow<'s>, ApiError> {
        let host = HostFilter::of_hosts(&status.key, self.hosts.with_key(&status.key));
        let ids = host.ids();
        let configured = status.config.map(|config| config.interval);
        let check_intervals = self
            .reader
            .check_intervals(&ids, configured, self.interval)?;
        let down = check_intervals.of_monitor(&self.down_parts.of_host(&host));
        let (by_day, all) = self.sum_up_days(&ids, &check_intervals)?;
        let (spark, of_last_hours, mut last_hours) =
            sparkline(self.reader, &ids, self.now, &check_intervals)?;
        self.reader
            .cut_ends(&mut last_hours, &ids, &self.last_day, &check_intervals)?;
        let down_last = check_intervals.of_monitor(&self.recent.of_host(&host));
        let first = self.reader.first_recorded(&ids)?;
        let of_host = (&self.gaps[..], ids.first().copied());
        let end = self
            .reader
            .known_until(&ids, &self.span, &check_intervals)?;
        let time = MeasuredTime::of(all, &down, &(self.span.start..end), of_host, first);
        let last_day = self.last_day.start..end;
        let last_day = MeasuredTime::of(last_hours, &down_last, &last_day, of_host, first);
        let measured = status.measured();
        Ok(OverviewRow {
            host_name: status.name,
            host_address: status.address,
            host_key: &status.key,
            configured: status.config.is_some(),
            role: status.config.map(|config| config.role.as_str()),
            state: status.state().as_str(),
            stale: status.is_stale(),
            timestamp: status
                .latest
                .map(|latest| latest.check.checked_at.rfc3339()),
            error: status
                .latest
                .and_then(|latest| latest.check.reason.as_deref()),
            avg_latency: measured.and_then(|check| check.latencies_ms()[1]),
            availability_percent: time.availability_percent(),
            coverage_percent: time.coverage_percent(),
            first_recorded: first,
            days: self.days(&by_day, &down),
            last_day: LastDay {
                down_seconds: last_day.down_seconds,
                measured_seconds: (last_day.measured + 500) / 1000,
                p95_us: quantile(&of_last_hours, 0.95),
            },
            spark,
        })
    }

    fn days(&self, by_day: &[(Counts, CoveredTime)], down: &[Range<UtcMillis>]) -> Days {
        let mut columns = Days {
            down_seconds: down_by_day(down, &self.zone, by_day.len(), &self.span),
            ..Days::default()
        };
        for (down, (_, covered)) in columns.down_seconds.iter_mut().zip(by_day) {
            *down += (covered.down_by_hand.max(0) + 500) / 1000;
        }
        for (counts, covered) in by_day {
            let percent = |ms: i64| ms.saturating_mul(100) / covered.all().max(1);
            let poor = covered.poor.saturating_add(covered.silent);
            columns.state.push(counts.worst_state().map(State::as_str));
            columns.poor_percent.push(percent(poor));
            columns
                .not_up_percent
                .push(percent(poor.saturating_add(covered.degraded)));
            columns.measured_seconds.push(seconds_of_day(covered.all()));
        }
        columns
    }

    /// The counts and the covered time of each day of the viewer, and the covered time of all days.
    fn sum_up_days(
        &self,
        ids: &[HostId],
        check_intervals: &CheckIntervals,
    ) -> Result<(Vec<(Counts, CoveredTime)>, CoveredTime), ApiError> {
        let Overview {
            reader, span, zone, ..
        } = self;
        let first = zone.day_of(span.start.0);
        let count = usize::try_from(zone.day_of(span.end.0 - 1) - first + 1).unwrap_or(0);
        let mut days = vec![(Counts::default(), CoveredTime::default()); count];
        let mut all = CoveredTime::default();
        let finder = zone.day_finder();
        // Hours that follow one another on one day are added up before they are counted as time.
        let mut add = |day: i64, counts: &Counts, interval: Interval| {
            // The first hour may have begun on the day before.
            let index = usize::try_from(day - first);
            if let Some((sum, covered)) = index.ok().and_then(|index| days.get_mut(index)) {
                all.add(counts, interval);
                sum.merge(counts);
                covered.add(counts, interval);
            }
        };
        for id in ids {
            let hours = span.start.hour()..span.end.hour().next();
            let cut_at = |hour: Hour| finder.day_beginning_in(hour);
            let mut newest: Option<(i64, Interval, Counts)> = None;
            reader.each_cut_hour(
                *id,
                hours,
                check_intervals,
                cut_at,
                |begin, counts, interval| {
                    let day = finder.day_of(begin.0);
                    match &mut newest {
                        Some((known, same, sum)) if (*known, *same) == (day, interval) => {
                            sum.merge(counts);
                        }
                        other => {
                            if let Some((day, interval, sum)) =
                                other.replace((day, interval, *counts))
                            {
                                add(day, &sum, interval);
                            }
                        }
                    }
                },
            )?;
            if let Some((day, interval, sum)) = newest {
                add(day, &sum, interval);
            }
        }
        reader.cut_ends(&mut all, ids, span, check_intervals)?;
        Ok((days, all))
    }
}

fn seconds_of_day(ms: i64) -> i64 {
    (ms.min(DAY_MS) + 500) / 1000
}

/// The line's summary, and when each host was in an outage. Of all that is known of the outages no
/// more is kept, since hundreds of hosts have thousands.
fn outages_of_days(
    reader: &Reader,
    zone: &ViewerZone,
    span: &Range<UtcMillis>,
    grouping: &GroupingRules,
    gaps: &[Gap],
) -> Result<(LineSummary, DownParts), ApiError> {
    let fragments = reader.ungrouped_outages(span, None)?.without_evidence();
    let line = LineOutages::of(&fragments, grouping, gaps, span);
    let outages = without_grouping(&fragments, grouping, gaps);
    drop(fragments);
    let rows: Vec<_> = outages.iter().map(|outage| within(outage, span)).collect();
    let line = line_summary(line, &rows, gaps, span, zone);
    Ok((line, DownParts::of(&outages, span, gaps)))
}

/// Each outage that counts on its own.
fn without_grouping(
    fragments: &UngroupedOutages,
    grouping: &GroupingRules,
    gaps: &[Gap],
) -> Vec<GroupedOutage> {
    let apart = GroupingRules {
        merge: Duration::ZERO,
        intermittent_count: 0,
        ..*grouping
    };
    let mut outages = fragments.grouped(&apart, gaps);
    outages.retain(|outage| !outage.event.planned);
    outages
}

/// The parts of a span in which hosts were in outages, with the id of the host, or the address
/// where an event has no id.
struct DownParts(Vec<(Option<HostId>, String, Range<UtcMillis>)>);

impl DownParts {
    fn of(outages: &[GroupedOutage], span: &Range<UtcMillis>, gaps: &[Gap]) -> DownParts {
        let mut parts = Vec::new();
        for outage in outages.iter().filter(|outage| outage.is_of_host()) {
            let id = outage.event.host_id;
            for part in down_spans(std::iter::once(outage), span, gaps) {
                let address = match id {
                    Some(_) => String::new(),
                    None => outage.event.host_address.clone(),
                };
                parts.push((id, address, part));
            }
        }
        DownParts(parts)
    }

    /// In order, without overlaps.
    fn of_host(&self, host: &HostFilter<'_>) -> Vec<Range<UtcMillis>> {
        let own = self
            .0
            .iter()
            .filter(|(id, address, _)| host.is_of(*id, address));
        joined(own.map(|(_, _, part)| part.clone()).collect())
    }
}

/// Seconds in outages on each day of the viewer.
fn down_by_day(
    down: &[Range<UtcMillis>],
    zone: &ViewerZone,
    days: usize,
    span: &Range<UtcMillis>,
) -> Vec<i64> {
    let first = zone.day_of(span.start.0);
    let mut ms = vec![0; days];
    for part in down {
        for day in zone.day_of(part.start.0)..=zone.day_of(part.end.0 - 1) {
            let within =
                part.start.0.max(zone.begin_of(day))..part.end.0.min(zone.begin_of(day + 1));
            let index = usize::try_from(day - first).ok();
            if let Some(sum) = index.and_then(|index| ms.get_mut(index)) {
                *sum += within.end - within.start;
            }
        }
    }
    // A second at least, so that no outage is missing.
    ms.iter()
        .map(|ms| (ms + 500) / 1000 + i64::from((1..500).contains(ms)))
        .collect()
}

/// The small chart, the sums of its hours, and the time that their checks stand for.
fn sparkline(
    reader: &Reader,
    ids: &[HostId],
    now: UtcMillis,
    intervals: &CheckIntervals,
) -> Result<(Sparkline, Sums, CoveredTime), ApiError> {
    let last = now.hour().0;
    let span = Hour(last - 24).start()..UtcMillis(now.0 + 1);
    let hours = reader.buckets(ids, &span, HOUR_MS, Source::Rollup)?;
    let mut columns = Sparkline::default();
    let (none, mut all) = (Sums::default(), Sums::default());
    let mut covered = CoveredTime::default();
    for (hour, sums) in &hours {
        all.merge(sums);
        covered.add(&sums.counts, intervals.at(hour * HOUR_MS));
    }
    for hour in last - 24..=last {
        let sums = hours.get(&hour).unwrap_or(&none);
        // The check of the hour before may still stand for the beginning of this one.
        let begun_ms = now.0 - Hour(hour).start().0;
        if sums.counts.worst_state().is_none() && begun_ms < intervals.at(now.0).ms {
            break;
        }
        columns.t.push(hour * 3600);
        columns
            .state
            .push(sums.counts.worst_state().map(State::as_str));
        columns.p5_us.push(quantile(sums, 0.05).map(three_digits));
        columns.p50_us.push(quantile(sums, 0.5).map(three_digits));
        columns.p95_us.push(quantile(sums, 0.95).map(three_digits));
    }
    Ok((columns, all, covered))
}

/// Rounds down to three significant digits.
fn three_digits(number: u32) -> u32 {
    let unit = 10u32.pow(number.max(1).ilog10().saturating_sub(2));
    number / unit * unit
}
