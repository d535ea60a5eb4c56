//! Answers made of sums: the series of a chart, statistics, distributions, days and hours. Columns, one array each.

use std::collections::BTreeMap;
use std::ops::Range;

use serde::Serialize;
use serde_json::json;

use super::parameters::Parameters;
use super::{Answered, Api, Problem, host_ids, interval_seconds, json, now};
use crate::status::Known;
use crate::store::{Reader, Source};
use crate::sums::Sums;
use crate::time::{HOUR_MS, UtcMillis};

const DAY_MS: i64 = 86_400_000;

/// Widths of buckets, in seconds, that people can read an axis by.
const WIDTHS: &[i64] = &[
    1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 14_400, 21_600, 43_200, 86_400, 172_800, 604_800,
    1_209_600, 2_419_200, 4_838_400, 9_676_800, 31_536_000,
];

/// The narrowest width by which a span has at most `points` buckets.
fn width_ms(span: &Range<UtcMillis>, points: u64, least_ms: i64) -> i64 {
    let points = i64::try_from(points).unwrap_or(i64::MAX);
    let fits = |width: &i64| span.end.0.div_euclid(*width) - span.start.0.div_euclid(*width) < points;
    let widths = WIDTHS.iter().map(|seconds| seconds * 1000).filter(|width| *width >= least_ms);
    widths.clone().find(fits).unwrap_or_else(|| (span.end.0 - span.start.0) / points.max(1) + 31_536_000_000)
}

/// The columns of a chart.
#[derive(Serialize, Default)]
struct Columns {
    t: Vec<f64>,
    state: Vec<Option<&'static str>>,
    checks: Vec<i64>,
    sent: Vec<Option<i64>>,
    lost: Vec<Option<i64>>,
    not_measured: Vec<i64>,
    success_rate: Vec<Option<f64>>,
    worst_rate: Vec<Option<f64>>,
    min_us: Vec<Option<u32>>,
    p5_us: Vec<Option<u32>>,
    p25_us: Vec<Option<u32>>,
    p50_us: Vec<Option<u32>>,
    p75_us: Vec<Option<u32>>,
    p95_us: Vec<Option<u32>>,
    max_us: Vec<Option<u32>>,
    avg_us: Vec<Option<u32>>,
}

/// A quantile as whole microseconds, within the least and the greatest that were measured.
fn quantile(sums: &Sums, share: f64) -> Option<u32> {
    let us = sums.histogram.quantile_us(share)?;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "quantiles lie between two u32")]
    let us = us.round() as u32;
    Some(us.clamp(sums.min_us.unwrap_or(us), sums.max_us.unwrap_or(us)))
}

fn mean_us(sums: &Sums) -> Option<u32> {
    (sums.received > 0 && sums.min_us.is_some()).then(|| u32::try_from(sums.sum_us / sums.received).unwrap_or(u32::MAX))
}

fn percent(thousandths: i64) -> f64 {
    thousandths as f64 / 1000.0
}

impl Columns {
    fn push(&mut self, at_ms: i64, sums: &Sums) {
        let is_measured = sums.checks() > 0;
        let if_measured = |number: i64| is_measured.then_some(number);
        self.t.push(at_ms as f64 / 1000.0);
        self.state.push(sums.worst_state().map(crate::model::State::word));
        self.checks.push(sums.checks());
        self.sent.push(if_measured(sums.sent));
        self.lost.push(if_measured(sums.sent - sums.received));
        self.not_measured.push(sums.not_measured);
        self.success_rate.push(if_measured(sums.rate_sum).map(|sum| percent(sum) / sums.checks() as f64));
        self.worst_rate.push(sums.rate_min.map(percent));
        self.min_us.push(sums.min_us);
        self.p5_us.push(quantile(sums, 0.05));
        self.p25_us.push(quantile(sums, 0.25));
        self.p50_us.push(quantile(sums, 0.5));
        self.p75_us.push(quantile(sums, 0.75));
        self.p95_us.push(quantile(sums, 0.95));
        self.max_us.push(sums.max_us);
        self.avg_us.push(mean_us(sums));
    }
}

pub(super) fn series(api: &Api, parameters: &Parameters<'_>) -> Answered {
    let address = parameters.address()?;
    let span = parameters.between(now())?;
    let points = parameters.whole("points", 1..5001, 500)?;
    let reader = api.reader()?;
    let ids = host_ids(api, &reader, address)?;
    let raw_width = width_ms(&span, points, 0);
    let is_raw = raw_width < HOUR_MS && span.start >= reader.pruned_before()?;
    let (source, width) = if is_raw { (Source::Raw, raw_width) } else { (Source::Rollup, width_ms(&span, points, HOUR_MS)) };
    let buckets = reader.buckets(&ids, &span, width, source)?;
    let mut columns = Columns::default();
    let none = Sums::default();
    for index in span.start.0.div_euclid(width)..=(span.end.0 - 1).div_euclid(width) {
        columns.push(index * width, buckets.get(&index).unwrap_or(&none));
    }
    json(&json!({
        "from": span.start.rfc3339(),
        "to": span.end.rfc3339(),
        "bucket_seconds": width / 1000,
        "source": if source == Source::Raw { "raw" } else { "rollup" },
        "columns": columns,
    }))
}

/// How much of a span was measured, and how much of that the host was down.
struct Measure {
    down_seconds: f64,
    not_measured_seconds: f64,
    availability_percent: Option<f64>,
    coverage_percent: Option<f64>,
}

impl Measure {
    /// A check stands for the time to the next.
    fn of(sums: &Sums, span: &Range<UtcMillis>, first: Option<UtcMillis>, interval: f64) -> Measure {
        let from = span.start.max(first.unwrap_or(span.end)).min(span.end);
        let seconds = (span.end.0 - from.0) as f64 / 1000.0;
        let measured = (sums.checks() as f64 * interval).min(seconds);
        let share = |part: i64, of: i64| if of > 0 { part as f64 / of as f64 } else { 0.0 };
        let is_measured = sums.checks() > 0;
        Measure {
            down_seconds: share(sums.down, sums.checks()) * measured,
            not_measured_seconds: (seconds - measured).max(0.0),
            availability_percent: is_measured.then(|| 100.0 * (1.0 - share(sums.down, sums.checks()))),
            coverage_percent: (seconds > 0.0).then(|| 100.0 * measured / seconds),
        }
    }
}

pub(super) fn statistics(api: &Api, address: &str, parameters: &Parameters<'_>) -> Answered {
    let span = parameters.span(now(), 24.0)?;
    let reader = api.reader()?;
    // The original answers for an unknown host too, with zeros.
    let ids = reader.host_ids(address)?;
    let sums = reader.sums(&ids, &span)?;
    let notes = reader.note_sums(&ids, &span)?;
    let interval = interval_seconds(api, &reader, address, &ids)?;
    let measure = Measure::of(&sums, &span, reader.first_recorded(&ids)?, interval);
    let ms = |us: Option<u32>| us.map_or(0.0, |us| f64::from(us) / 1000.0);
    let mean_of_means = if sums.latency_checks > 0 { sums.avg_sum_us as f64 / sums.latency_checks as f64 / 1000.0 } else { 0.0 };
    json(&json!({
        "avg_success_rate": if sums.checks() > 0 { percent(sums.rate_sum) / sums.checks() as f64 } else { 0.0 },
        "min_success_rate": percent(sums.rate_min.unwrap_or(0)),
        "max_success_rate": percent(sums.rate_max.unwrap_or(0)),
        "overall_avg_latency": mean_of_means,
        "overall_min_latency": ms(sums.min_us),
        "overall_max_latency": ms(sums.max_us),
        "total_checks": sums.checks(),
        "sent": sums.sent,
        "lost": sums.sent - sums.received,
        "late": notes.late,
        "duplicates": notes.duplicates,
        "foreign": notes.foreign,
        "not_measured_checks": sums.not_measured,
        "p50_us": quantile(&sums, 0.5),
        "p95_us": quantile(&sums, 0.95),
        "p99_us": quantile(&sums, 0.99),
        "availability_percent": measure.availability_percent,
        "coverage_percent": measure.coverage_percent,
        "down_seconds": measure.down_seconds,
        "not_measured_seconds": measure.not_measured_seconds,
    }))
}

/// The classes of success rates: up to and including, in thousandths of a percent.
const RATE_CLASSES: &[(i64, i64)] = &[
    (0, 0),
    (0, 20_000),
    (20_000, 40_000),
    (40_000, 60_000),
    (60_000, 79_999),
    (80_000, 94_999),
    (95_000, 99_999),
    (100_000, 100_000),
];

pub(super) fn distribution(api: &Api, parameters: &Parameters<'_>) -> Answered {
    let address = parameters.address()?;
    let span = parameters.between(now())?;
    let reader = api.reader()?;
    let ids = host_ids(api, &reader, address)?;
    let sums = reader.sums(&ids, &span)?;
    let rates = reader.rate_counts(&ids, &span)?;
    let classes: Vec<_> = RATE_CLASSES
        .iter()
        .enumerate()
        .map(|(index, (from, to))| {
            // The first class is 0 alone, so that the next begins above it.
            let above = if index == 1 { 1 } else { *from };
            let checks: i64 = rates.range(above..=*to).map(|(_, count)| count).sum();
            json!({ "from": percent(*from), "to": percent(*to), "checks": checks })
        })
        .collect();
    let latency: Vec<_> =
        sums.histogram.buckets().map(|(from, to, count)| json!({ "from_us": from, "to_us": to, "count": count })).collect();
    json(&json!({
        "rates": classes,
        "latency": latency,
        "p50_us": quantile(&sums, 0.5),
        "p95_us": quantile(&sums, 0.95),
        "p99_us": quantile(&sums, 0.99),
    }))
}

pub(super) fn hours(api: &Api, parameters: &Parameters<'_>) -> Answered {
    let address = parameters.address()?;
    let span = parameters.between(now())?;
    if span.end.0 - span.start.0 > 400 * DAY_MS {
        return Err(Problem::Parameter("from: at most 400 days are told hour by hour".into()));
    }
    let reader = api.reader()?;
    let ids = host_ids(api, &reader, address)?;
    let buckets = reader.buckets(&ids, &span, HOUR_MS, Source::Rollup)?;
    let column = |value: fn(&Sums) -> i64| buckets.values().map(value).collect::<Vec<_>>();
    json(&json!({
        "from": span.start.rfc3339(),
        "to": span.end.rfc3339(),
        "columns": {
            "t": buckets.keys().map(|hour| hour * 3600).collect::<Vec<_>>(),
            "checks": column(Sums::checks),
            "sent": column(|sums| sums.sent),
            "lost": column(|sums| sums.sent - sums.received),
            "not_measured": column(|sums| sums.not_measured),
            "down": column(|sums| sums.down),
            "p50_us": buckets.values().map(|sums| quantile(sums, 0.5)).collect::<Vec<_>>(),
        },
    }))
}

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
    spark: serde_json::Value,
}

/// One entry a day, oldest first.
#[derive(Serialize, Default)]
struct Days {
    state: Vec<Option<&'static str>>,
    down_seconds: Vec<f64>,
    measured_seconds: Vec<f64>,
}

const SPARK_BUCKET_MS: i64 = 1_800_000;

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
    let mut rows = Vec::with_capacity(lines.len());
    for line in &lines {
        let ids = reader.host_ids(line.address)?;
        let interval = interval_seconds(api, &reader, line.address, &ids)?;
        let mut by_day: BTreeMap<i64, Sums> = BTreeMap::new();
        let mut all = Sums::default();
        for id in &ids {
            for (hour, sums) in reader.hour_counts(*id, span.start.hour()..span.end.hour() + 1)? {
                by_day.entry((hour * HOUR_MS + offset_ms).div_euclid(DAY_MS)).or_default().merge(&sums);
                all.merge(&sums);
            }
        }
        let mut columns = Days::default();
        for day in today - days + 1..=today {
            let sums = by_day.remove(&day).unwrap_or_default();
            columns.state.push(sums.worst_state().map(crate::model::State::word));
            columns.down_seconds.push((sums.down as f64 * interval).min(86_400.0));
            columns.measured_seconds.push((sums.checks() as f64 * interval).min(86_400.0));
        }
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
            spark: spark(&reader, &ids, now)?,
        });
    }
    json(&json!({
        "now": now.rfc3339(),
        "first_day": UtcMillis((today - days + 1) * DAY_MS).sql_text()[..10].to_string(),
        "days": days,
        "hosts": rows,
    }))
}

/// The last 24 hours in half hours.
fn spark(reader: &Reader, ids: &[i64], now: UtcMillis) -> Result<serde_json::Value, Problem> {
    let last = now.0.div_euclid(SPARK_BUCKET_MS);
    let span = UtcMillis((last - 47) * SPARK_BUCKET_MS)..UtcMillis(now.0 + 1);
    let buckets = reader.buckets(ids, &span, SPARK_BUCKET_MS, Source::Raw)?;
    let mut columns = Columns::default();
    let none = Sums::default();
    for index in last - 47..=last {
        columns.push(index * SPARK_BUCKET_MS, buckets.get(&index).unwrap_or(&none));
    }
    Ok(json!({
        "t": columns.t, "state": columns.state, "p5_us": columns.p5_us, "p50_us": columns.p50_us, "p95_us": columns.p95_us,
    }))
}
