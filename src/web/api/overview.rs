//! All hosts at a glance: what each is doing now, its days, and its last 24 hours in small.

use std::ops::Range;

use serde::Serialize;

use super::charts::{DAY_MS, Measure, quantile};
use super::parameters::Parameters;
use super::{Answered, Api, Problem, interval_seconds, json, now};
use crate::model::State;
use crate::status::Known;
use crate::store::{KnownHost, Reader, Source};
use crate::sums::{Counts, Sums};
use crate::time::{HOUR_MS, UtcMillis};

/// A host's line of the overview.
#[derive(Serialize)]
struct OverviewRow<'a> {
    host_name: &'a str,
    host_address: &'a str,
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

/// The last 24 hours, one entry an hour: they are there as roll-ups. Times with three figures, as many as a small picture
/// shows.
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
    hosts: Vec<OverviewRow<'a>>,
}

pub(super) fn overview(api: &Api, parameters: &Parameters<'_>) -> Answered {
    let offset_ms = parameters.signed("offset_minutes", -900..901, 0)? * 60_000;
    let days = parameters.signed("days", 1..401, 90)?;
    let now = now();
    let facts = api.facts();
    let reader = api.reader()?;
    let known = Known::read(&reader, facts.flush, now)?;
    let lines = known.lines(&facts.hosts);
    let today = (now.0 + offset_ms).div_euclid(DAY_MS);
    let span = UtcMillis((today - days + 1) * DAY_MS - offset_ms)..UtcMillis(now.0 + 1);
    let recorded = reader.hosts()?;
    let mut rows = Vec::with_capacity(lines.len());
    for line in &lines {
        let is_own = |host: &&KnownHost| host.address.eq_ignore_ascii_case(line.address);
        let ids: Vec<i64> = recorded.iter().filter(is_own).map(|host| host.id).collect();
        let interval = interval_seconds(api, &reader, line.address, &ids)?;
        let (by_day, all) = sum_up_days(&reader, &ids, &span, offset_ms)?;
        #[expect(clippy::cast_possible_truncation, reason = "a day at most")]
        let seconds = |checks: i64| (checks as f64 * interval).min(86_400.0).round() as i64;
        let mut columns = Days::default();
        for counts in &by_day {
            columns.state.push(counts.worst_state().map(State::word));
            columns.down_seconds.push(seconds(counts.down));
            columns.silent_seconds.push(seconds(counts.silent()));
            columns.not_up_percent.push(100 * (counts.down + counts.degraded) / counts.checks().max(1));
            columns.measured_seconds.push(seconds(counts.checks()));
        }
        let (spark, last_day) = spark(&reader, &ids, now)?;
        let measure = Measure::of(&all, &span, reader.first_recorded(&ids)?, interval);
        let measured = line.measured();
        rows.push(OverviewRow {
            host_name: line.name,
            host_address: line.address,
            configured: line.plan.is_some(),
            role: line.plan.map(|plan| plan.role.word()),
            state: line.state().word(),
            stale: line.is_stale(),
            timestamp: line.latest.map(|check| check.checked_at.rfc3339()),
            error: line.latest.and_then(|check| check.reason.as_deref()),
            avg_latency: measured.and_then(|check| check.latencies_ms()[1]),
            availability_percent: measure.availability_percent,
            coverage_percent: measure.coverage_percent,
            days: columns,
            last_day: LastDay {
                down_seconds: seconds(last_day.counts.down),
                measured_seconds: seconds(last_day.counts.checks()),
                p95_us: quantile(&last_day, 0.95),
            },
            spark,
        });
    }
    let first_day = UtcMillis((today - days + 1) * DAY_MS).sql_text()[..10].to_string();
    json(&Overview { now: now.rfc3339(), first_day, days, hosts: rows })
}

/// The counts of each day of the reader's, and of all of them.
fn sum_up_days(reader: &Reader, ids: &[i64], span: &Range<UtcMillis>, offset_ms: i64) -> Result<(Vec<Counts>, Counts), Problem> {
    let day_of = |instant: i64| instant.saturating_add(offset_ms).div_euclid(DAY_MS);
    let first = day_of(span.start.0);
    let mut days = vec![Counts::default(); usize::try_from(day_of(span.end.0 - 1) - first + 1).unwrap_or(0)];
    for id in ids {
        reader.each_hour(*id, span.start.hour()..span.end.hour() + 1, |hour, counts| {
            // Where a zone is off by half an hour, the first hour begins the day before.
            let day = day_of(hour.saturating_mul(HOUR_MS)).max(first) - first;
            if let Some(sum) = usize::try_from(day).ok().and_then(|day| days.get_mut(day)) {
                sum.merge(counts);
            }
        })?;
    }
    let mut all = Counts::default();
    days.iter().for_each(|day| all.merge(day));
    Ok((days, all))
}

/// The last 24 hours as a small picture, and summed up.
fn spark(reader: &Reader, ids: &[i64], now: UtcMillis) -> Result<(Spark, Sums), Problem> {
    let last = now.hour();
    let span = UtcMillis((last - 24) * HOUR_MS)..UtcMillis(now.0 + 1);
    let hours = reader.buckets(ids, &span, HOUR_MS, Source::Rollup)?;
    let mut columns = Spark::default();
    let (none, mut all) = (Sums::default(), Sums::default());
    hours.values().for_each(|hour| all.merge(hour));
    for hour in last - 24..=last {
        let sums = hours.get(&hour).unwrap_or(&none);
        columns.t.push(hour * 3600);
        columns.state.push(sums.counts.worst_state().map(State::word));
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
