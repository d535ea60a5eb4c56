//! Endpoints that return sums: series for charts, statistics, distributions and hours. A series has
//! one array per column.

use std::collections::BTreeMap;
use std::ops::Range;

use serde::Serialize;
use serde_json::json;

use super::outages::HostFilter;
use super::parameters::Parameters;
use super::{Api, ApiError, ApiResult, check_intervals, host_ids, json, now};
use crate::pure::model::{HostId, State};
use crate::pure::stats::loss_interval_percent;
use crate::pure::sums::{RATE_CLASSES, Sums};
use crate::pure::time::{DAY_MS, HOUR_MS, UtcMillis};
use crate::store::{GroupedOutage, Reader, Source};

/// Bucket widths in seconds that give a readable time axis.
const WIDTHS: &[i64] = &[
    1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 14_400, 21_600, 43_200,
    86_400, 172_800, 604_800, 1_209_600, 2_419_200, 4_838_400, 9_676_800, 31_536_000,
];

/// The smallest width with which a span has at most `points` buckets.
fn width_ms(span: &Range<UtcMillis>, points: i64, min_ms: i64) -> i64 {
    let fits =
        |width: &i64| span.end.0.div_euclid(*width) - span.start.0.div_euclid(*width) < points;
    let widths = WIDTHS
        .iter()
        .map(|seconds| seconds * 1000)
        .filter(|width| *width >= min_ms);
    widths
        .clone()
        .find(fits)
        .unwrap_or_else(|| (span.end.0 - span.start.0) / points.max(1) + 31_536_000_000)
}

#[derive(Serialize, Default)]
struct Columns {
    t: Vec<i64>,
    state: Vec<Option<&'static str>>,
    /// How much time a check stood for, in seconds.
    interval: Vec<f64>,
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

#[derive(Serialize)]
struct Series {
    from: String,
    to: String,
    bucket_seconds: i64,
    source: &'static str,
    columns: Columns,
}

/// Between the smallest and the largest measured latency.
pub(super) fn quantile(sums: &Sums, share: f64) -> Option<u32> {
    sums.latencies.quantile_us(share)
}

fn mean_us(sums: &Sums) -> Option<u32> {
    (sums.counts.received > 0 && sums.latencies.min_us.is_some())
        .then(|| u32::try_from(sums.latencies.sum_us / sums.counts.received).unwrap_or(u32::MAX))
}

fn percent(thousandths: i64) -> f64 {
    thousandths as f64 / 1000.0
}

impl Columns {
    fn push(&mut self, at_ms: i64, interval_ms: i64, sums: &Sums) {
        let is_measured = sums.counts.checks() > 0;
        let if_measured = |number: i64| is_measured.then_some(number);
        self.t.push(at_ms / 1000);
        self.state
            .push(sums.counts.worst_state().map(State::as_str));
        self.interval.push(interval_ms as f64 / 1000.0);
        self.checks.push(sums.counts.checks());
        self.sent.push(if_measured(sums.counts.sent));
        self.lost.push(if_measured(sums.counts.lost()));
        self.not_measured.push(sums.counts.not_measured);
        self.success_rate
            .push(is_measured.then(|| percent(sums.counts.rate_sum / sums.counts.checks())));
        self.worst_rate.push(sums.counts.rate_min.map(percent));
        self.min_us.push(sums.latencies.min_us);
        self.p5_us.push(quantile(sums, 0.05));
        self.p25_us.push(quantile(sums, 0.25));
        self.p50_us.push(quantile(sums, 0.5));
        self.p75_us.push(quantile(sums, 0.75));
        self.p95_us.push(quantile(sums, 0.95));
        self.max_us.push(sums.latencies.max_us);
        self.avg_us.push(mean_us(sums));
    }
}

pub(super) fn series(api: &Api, parameters: &Parameters<'_>) -> ApiResult {
    let address = parameters.address()?;
    let span = parameters.between(now(api))?;
    let points = parameters.whole("points", 1..5001, 500)?;
    let reader = api.reader()?;
    let ids = host_ids(api, &reader, address)?;
    let raw_width = width_ms(&span, points, 0);
    let is_raw = raw_width < HOUR_MS && span.start >= reader.pruned_before()?;
    let (source, width) = if is_raw {
        (Source::Raw, raw_width)
    } else {
        (Source::Rollup, width_ms(&span, points, HOUR_MS))
    };
    let buckets = reader.buckets(&ids, &span, width, source)?;
    let intervals = check_intervals(api, &reader, address, &ids)?;
    let mut columns = Columns::default();
    let none = Sums::default();
    for index in span.start.0.div_euclid(width)..=(span.end.0 - 1).div_euclid(width) {
        let at = index * width;
        let interval_ms = intervals.at((at + width - 1).min(span.end.0 - 1)).ms;
        columns.push(at, interval_ms, buckets.get(&index).unwrap_or(&none));
    }
    json(&Series {
        from: span.start.rfc3339(),
        to: span.end.rfc3339(),
        bucket_seconds: width / 1000,
        source: if source == Source::Raw {
            "raw"
        } else {
            "rollup"
        },
        columns,
    })
}

pub(super) fn statistics(api: &Api, parameters: &Parameters<'_>) -> ApiResult {
    let address = parameters.path_address;
    let now = now(api);
    let span = parameters.span(now, 24.0)?;
    // What has not been yet is not measured, and not missing either.
    let end = span.end.min(UtcMillis(now.0 + 1));
    let span = span.start.min(end)..end;
    let reader = api.reader()?;
    reader.in_one_state(|| statistics_of(api, &reader, address, &span))
}

fn statistics_of(api: &Api, reader: &Reader, address: &str, span: &Range<UtcMillis>) -> ApiResult {
    // Zeros for an unknown host, as in the original.
    let filter = HostFilter::of(reader, address)?;
    let ids = filter.ids();
    let gaps = reader.gaps_of(&(UtcMillis(0)..span.end), Some(&ids))?;
    let mut outages = reader.ungrouped_outages(span, Some(&ids))?;
    outages.retain(|event| filter.matches(event));
    let outages = outages.grouped(&api.config().report.grouping, &gaps);
    let own: Vec<&GroupedOutage> = outages.iter().filter(|o| o.is_of_host()).collect();
    let intervals = check_intervals(api, reader, address, &ids)?;
    let (sums, time) = reader.measured_time(&ids, span, &intervals, &own, &gaps)?;
    let notes = reader.note_sums(&ids, span)?;
    let seconds = |ms: i64| ms as f64 / 1000.0;
    let lost = sums.counts.lost();
    let ms = |us: Option<u32>| us.map_or(0.0, |us| f64::from(us) / 1000.0);
    let mean_of_means = if sums.latencies.checks > 0 {
        sums.latencies.avg_sum_us as f64 / sums.latencies.checks as f64 / 1000.0
    } else {
        0.0
    };
    json(&json!({
        "avg_success_rate": if sums.counts.checks() > 0 { percent(sums.counts.rate_sum) / sums.counts.checks() as f64 } else { 0.0 },
        "min_success_rate": percent(sums.counts.rate_min.unwrap_or(0)),
        "max_success_rate": percent(sums.counts.rate_max.unwrap_or(0)),
        "overall_avg_latency": mean_of_means,
        "overall_min_latency": ms(sums.latencies.min_us),
        "overall_max_latency": ms(sums.latencies.max_us),
        "total_checks": sums.counts.checks(),
        "sent": sums.counts.sent,
        "lost": lost,
        "loss_percent": (sums.counts.sent > 0).then(|| 100.0 * lost as f64 / sums.counts.sent as f64),
        "loss_interval_percent": loss_interval_percent(sums.counts.sent, lost),
        "late": notes.late,
        "duplicates": notes.duplicates,
        "foreign": notes.foreign,
        "not_measured_checks": sums.counts.not_measured,
        "p50_us": quantile(&sums, 0.5),
        "p95_us": quantile(&sums, 0.95),
        "p99_us": quantile(&sums, 0.99),
        "availability_percent": time.availability_percent(),
        "coverage_percent": time.coverage_percent(),
        "down_seconds": seconds(time.down),
        "degraded_seconds": seconds(time.degraded),
        "poor_seconds": seconds(time.poor),
        "not_measured_seconds": seconds(time.not_measured()),
    }))
}

pub(super) fn distribution(api: &Api, parameters: &Parameters<'_>) -> ApiResult {
    let address = parameters.address()?;
    let span = parameters.between(now(api))?;
    let reader = api.reader()?;
    let ids = host_ids(api, &reader, address)?;
    let sums = reader.sums(&ids, &span)?;
    let classes: Vec<_> = RATE_CLASSES
        .iter()
        .zip(sums.counts.by_rate)
        // A class that begins just above a whole number is labelled with that number.
        .map(|((from, to), checks)| json!({ "from": from / 1000, "to": percent(*to), "checks": checks.max(0) }))
        .collect();
    let latency: Vec<_> = sums
        .latencies
        .histogram
        .buckets()
        .map(|(from, to, count)| json!({ "from_us": from, "to_us": to, "count": count }))
        .collect();
    json(&json!({
        "rates": classes,
        "latency": latency,
        "p50_us": quantile(&sums, 0.5),
        "p95_us": quantile(&sums, 0.95),
        "p99_us": quantile(&sums, 0.99),
    }))
}

pub(super) fn hours(api: &Api, parameters: &Parameters<'_>) -> ApiResult {
    let address = parameters.address()?;
    let span = parameters.between(now(api))?;
    if span.end.0 - span.start.0 > 400 * DAY_MS {
        return Err(ApiError::BadParameter(
            "from: at most 400 days can be listed by hour".into(),
        ));
    }
    let reader = api.reader()?;
    let ids = host_ids(api, &reader, address)?;
    let offset = parameters.whole("offset_minutes", -900..901, 0)?;
    let buckets = local_hours(&reader, &ids, &span, (-offset * 60_000).rem_euclid(HOUR_MS))?;
    let column = |value: fn(&Sums) -> i64| buckets.values().map(value).collect::<Vec<_>>();
    json(&json!({
        "from": span.start.rfc3339(),
        "to": span.end.rfc3339(),
        "columns": {
            "t": buckets.keys().map(|at| at / 1000).collect::<Vec<_>>(),
            "checks": column(|sums| sums.counts.checks()),
            "sent": column(|sums| sums.counts.sent),
            "lost": column(|sums| sums.counts.lost()),
            "not_measured": column(|sums| sums.counts.not_measured),
            "lost_while_down": column(|sums| sums.counts.lost_while_down()),
            "poor": column(|sums| sums.counts.poor),
            "down": column(|sums| sums.counts.down()),
            "p50_us": buckets.values().map(|sums| quantile(sums, 0.5)).collect::<Vec<_>>(),
        },
    }))
}

/// The sums of hours, by when they begin: `shift_ms` after an hour of UTC, since some time zones are
/// not a whole number of hours away.
fn local_hours(
    reader: &Reader,
    ids: &[HostId],
    span: &Range<UtcMillis>,
    shift_ms: i64,
) -> Result<BTreeMap<i64, Sums>, ApiError> {
    let mut local: BTreeMap<i64, Sums> = BTreeMap::new();
    let hours = reader.buckets(ids, span, HOUR_MS, Source::Rollup)?;
    for (hour, sums) in hours {
        let start = hour * HOUR_MS;
        let cut = start + shift_ms;
        if shift_ms == 0 {
            local.insert(start, sums);
            continue;
        }
        for part in [start..cut, cut..start + HOUR_MS] {
            let of_part = if sums.counts.is_even() {
                sums.share(&(part.start - start..part.end - start), HOUR_MS)
            } else {
                reader.sums(ids, &(UtcMillis(part.start)..UtcMillis(part.end)))?
            };
            let begin = if part.start < cut { cut - HOUR_MS } else { cut };
            local.entry(begin).or_default().merge(&of_part);
        }
    }
    Ok(local)
}
