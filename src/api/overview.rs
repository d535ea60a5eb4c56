//! All hosts: the current state of each, its days, and a small chart of its last 24 hours.

use std::ops::Range;

use serde::Serialize;

use super::charts::{Availability, CoveredTime, quantile};
use super::line::{LineSummary, line_summary};
use super::parameters::Parameters;
use super::zone::ViewerZone;
use super::{Api, ApiError, ApiResult, check_intervals, json, now};
use crate::pure::model::{HostId, State};
use crate::pure::sums::{Counts, Sums};
use crate::pure::time::{DAY_MS, HOUR_MS, Hour, UtcMillis};
use crate::status::HostStatuses;
use crate::store::{CheckIntervals, Reader, Source};

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
    days: Days,
    last_day: LastDay,
    spark: Sparkline,
}

/// One entry per day of the viewer, oldest first.
#[derive(Serialize, Default)]
struct Days {
    state: Vec<Option<&'static str>>,
    down_seconds: Vec<i64>,
    silent_seconds: Vec<i64>,
    /// Of the checks, rounded down.
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

#[derive(Serialize)]
struct Overview<'a> {
    now: String,
    first_day: String,
    days: i64,
    line: LineSummary,
    hosts: Vec<OverviewRow<'a>>,
}

pub(super) fn overview(api: &Api, parameters: &Parameters<'_>) -> ApiResult {
    let zone = ViewerZone::read(parameters)?;
    let days = parameters.whole("days", 1..401, 90)?;
    let now = now();
    let config = api.config();
    let reader = api.reader()?;
    let known = HostStatuses::read(&reader, config.flush, now)?;
    let statuses = known.of_hosts(&config.hosts);
    let today = zone.day_of(now.0);
    let span = UtcMillis(zone.begin_of(today - days + 1))..UtcMillis(now.0 + 1);
    let mut rows = Vec::with_capacity(statuses.len());
    for status in &statuses {
        let ids = reader.host_ids(&status.key)?;
        let check_intervals = check_intervals(api, &reader, &status.key, &ids)?;
        let (by_day, all) = sum_up_days(&reader, &ids, &span, &zone, &check_intervals)?;
        let seconds = |ms: i64| (ms.min(DAY_MS) + 500) / 1000;
        let mut columns = Days::default();
        for (counts, covered) in &by_day {
            columns.state.push(counts.worst_state().map(State::as_str));
            columns.down_seconds.push(seconds(covered.down));
            columns.silent_seconds.push(seconds(covered.silent));
            columns
                .not_up_percent
                .push(100 * (counts.checks() - counts.up()) / counts.checks().max(1));
            columns.measured_seconds.push(seconds(covered.measured));
        }
        let (spark, last_day) = sparkline(&reader, &ids, now)?;
        let mut of_last_day = CoveredTime::default();
        of_last_day.add(&last_day.counts, check_intervals.at(now.0));
        let availability = Availability::of(&all, &span, reader.first_recorded(&ids)?);
        let measured = status.measured();
        rows.push(OverviewRow {
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
            availability_percent: availability.availability_percent,
            coverage_percent: availability.coverage_percent,
            days: columns,
            last_day: LastDay {
                down_seconds: seconds(of_last_day.down),
                measured_seconds: seconds(of_last_day.measured),
                p95_us: quantile(&last_day, 0.95),
            },
            spark,
        });
    }
    let first_day = UtcMillis((today - days + 1) * DAY_MS).sql_text()[..10].to_string();
    let line = line_summary(&reader, &config.report.grouping, &span, &zone)?;
    json(&Overview {
        now: now.rfc3339(),
        first_day,
        days,
        line,
        hosts: rows,
    })
}

/// The counts and the covered time of each day of the viewer, and the covered time of all days.
fn sum_up_days(
    reader: &Reader,
    ids: &[HostId],
    span: &Range<UtcMillis>,
    zone: &ViewerZone,
    check_intervals: &CheckIntervals,
) -> Result<(Vec<(Counts, CoveredTime)>, CoveredTime), ApiError> {
    let first = zone.day_of(span.start.0);
    let count = usize::try_from(zone.day_of(span.end.0 - 1) - first + 1).unwrap_or(0);
    let mut days = vec![(Counts::default(), CoveredTime::default()); count];
    let mut all = CoveredTime::default();
    for id in ids {
        reader.each_hour(
            *id,
            span.start.hour()..span.end.hour().next(),
            |hour, counts| {
                let begin = hour.start().0;
                let interval_ms = check_intervals.at(begin);
                all.add(counts, interval_ms);
                // With an offset of half an hour the first hour begins on the day before.
                let day = zone.day_of(begin).max(first) - first;
                if let Some((sum, covered)) =
                    usize::try_from(day).ok().and_then(|day| days.get_mut(day))
                {
                    sum.merge(counts);
                    covered.add(counts, interval_ms);
                }
            },
        )?;
    }
    Ok((days, all))
}

/// The small chart, and the sums of its hours.
fn sparkline(
    reader: &Reader,
    ids: &[HostId],
    now: UtcMillis,
) -> Result<(Sparkline, Sums), ApiError> {
    let last = now.hour().0;
    let span = Hour(last - 24).start()..UtcMillis(now.0 + 1);
    let hours = reader.buckets(ids, &span, HOUR_MS, Source::Rollup)?;
    let mut columns = Sparkline::default();
    let (none, mut all) = (Sums::default(), Sums::default());
    hours.values().for_each(|hour| all.merge(hour));
    for hour in last - 24..=last {
        let sums = hours.get(&hour).unwrap_or(&none);
        columns.t.push(hour * 3600);
        columns
            .state
            .push(sums.counts.worst_state().map(State::as_str));
        columns.p5_us.push(quantile(sums, 0.05).map(three_digits));
        columns.p50_us.push(quantile(sums, 0.5).map(three_digits));
        columns.p95_us.push(quantile(sums, 0.95).map(three_digits));
    }
    Ok((columns, all))
}

/// Rounds down to three significant digits.
fn three_digits(number: u32) -> u32 {
    let unit = 10u32.pow(number.max(1).ilog10().saturating_sub(2));
    number / unit * unit
}
