//! All hosts at a glance: what each is doing now, its days, and its last 24 hours in small.

use std::ops::Range;

use serde::Serialize;

use super::charts::{CoveredTime, DAY_MS, Measure, quantile};
use super::line::{Line, line};
use super::parameters::Parameters;
use super::zone::Zone;
use super::{Api, ApiError, ApiResult, check_intervals, json, now};
use crate::pure::model::{HostId, State};
use crate::pure::sums::{Counts, Sums};
use crate::pure::time::{HOUR_MS, Hour, UtcMillis};
use crate::status::HostStatuses;
use crate::store::{CheckIntervals, Reader, Source};

/// A host's line of the overview.
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
    spark: Spark,
}

/// One entry a day of the reader's, oldest first.
#[derive(Serialize, Default)]
struct Days {
    state: Vec<Option<&'static str>>,
    down_seconds: Vec<i64>,
    silent_seconds: Vec<i64>,
    /// The share of the checks that were not up, rounded down: most days 0.
    not_up_percent: Vec<i64>,
    measured_seconds: Vec<i64>,
}

/// The last 24 hours, from the full hour on.
#[derive(Serialize)]
struct LastDay {
    down_seconds: i64,
    measured_seconds: i64,
    p95_us: Option<u32>,
}

/// The last 24 hours, one entry an hour: they are there as roll-ups. Times with three figures, as
/// many as a small picture shows.
#[derive(Serialize, Default)]
struct Spark {
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
    line: Line,
    hosts: Vec<OverviewRow<'a>>,
}

pub(super) fn overview(api: &Api, parameters: &Parameters<'_>) -> ApiResult {
    let zone = Zone::read(parameters)?;
    let days = parameters.whole("days", 1..401, 90)?;
    let now = now();
    let config = api.config();
    let reader = api.reader()?;
    let known = HostStatuses::read(&reader, config.flush, now)?;
    let lines = known.of_hosts(&config.hosts);
    let today = zone.day_of(now.0);
    let span = UtcMillis(zone.begin_of(today - days + 1))..UtcMillis(now.0 + 1);
    let mut rows = Vec::with_capacity(lines.len());
    for line in &lines {
        let ids = reader.host_ids(&line.key)?;
        let check_intervals = check_intervals(api, &reader, &line.key, &ids)?;
        let (by_day, all) = sum_up_days(&reader, &ids, &span, &zone, &check_intervals)?;
        let seconds = |ms: i64| (ms.min(DAY_MS) + 500) / 1000;
        let mut columns = Days::default();
        for (counts, stood) in &by_day {
            columns.state.push(counts.worst_state().map(State::as_str));
            columns.down_seconds.push(seconds(stood.down));
            columns.silent_seconds.push(seconds(stood.silent));
            columns
                .not_up_percent
                .push(100 * (counts.down + counts.degraded) / counts.checks().max(1));
            columns.measured_seconds.push(seconds(stood.measured));
        }
        let (spark, last_day) = spark(&reader, &ids, now)?;
        let mut of_last_day = CoveredTime::default();
        of_last_day.add(&last_day.counts, check_intervals.at(now.0));
        let measure = Measure::of(&all, &span, reader.first_recorded(&ids)?);
        let measured = line.measured();
        rows.push(OverviewRow {
            host_name: line.name,
            host_address: line.address,
            host_key: &line.key,
            configured: line.config.is_some(),
            role: line.config.map(|config| config.role.as_str()),
            state: line.state().as_str(),
            stale: line.is_stale(),
            timestamp: line.latest.map(|check| check.checked_at.rfc3339()),
            error: line.latest.and_then(|check| check.reason.as_deref()),
            avg_latency: measured.and_then(|check| check.latencies_ms()[1]),
            availability_percent: measure.availability_percent,
            coverage_percent: measure.coverage_percent,
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
    let line = line(&reader, &config.report.grouping, &span, &zone)?;
    json(&Overview {
        now: now.rfc3339(),
        first_day,
        days,
        line,
        hosts: rows,
    })
}

/// The counts of each day of the reader's with the time they stand for, and the time of all of
/// them.
fn sum_up_days(
    reader: &Reader,
    ids: &[HostId],
    span: &Range<UtcMillis>,
    zone: &Zone,
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
                // Where a zone is off by half an hour, the first hour begins the day before.
                let day = zone.day_of(begin).max(first) - first;
                if let Some((sum, stood)) =
                    usize::try_from(day).ok().and_then(|day| days.get_mut(day))
                {
                    sum.merge(counts);
                    stood.add(counts, interval_ms);
                }
            },
        )?;
    }
    Ok((days, all))
}

/// The last 24 hours as a small picture, and summed up.
fn spark(reader: &Reader, ids: &[HostId], now: UtcMillis) -> Result<(Spark, Sums), ApiError> {
    let last = now.hour().0;
    let span = Hour(last - 24).start()..UtcMillis(now.0 + 1);
    let hours = reader.buckets(ids, &span, HOUR_MS, Source::Rollup)?;
    let mut columns = Spark::default();
    let (none, mut all) = (Sums::default(), Sums::default());
    hours.values().for_each(|hour| all.merge(hour));
    for hour in last - 24..=last {
        let sums = hours.get(&hour).unwrap_or(&none);
        columns.t.push(hour * 3600);
        columns
            .state
            .push(sums.counts.worst_state().map(State::as_str));
        columns.p5_us.push(quantile(sums, 0.05).map(three_figures));
        columns.p50_us.push(quantile(sums, 0.5).map(three_figures));
        columns.p95_us.push(quantile(sums, 0.95).map(three_figures));
    }
    Ok((columns, all))
}

/// The first three figures of a number, and zeros behind them.
fn three_figures(number: u32) -> u32 {
    let unit = 10u32.pow(number.max(1).ilog10().saturating_sub(2));
    number / unit * unit
}
