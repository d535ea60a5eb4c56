//! Roll-ups: one row a host and hour, made from the hour's checks once the hour is over, kept for
//! years. An hour that got a check, or lost one, is marked stale in the same transaction; making
//! its roll-up takes the mark away.

use std::ops::{Range, RangeInclusive};
use std::time::{Duration, Instant};

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::rollup_day;
use crate::pure::model::Thresholds;
use crate::pure::stats::Histogram;
use crate::pure::sums::{CheckSums, Counts, Latencies, Sums};
use crate::pure::time::HOUR_MS;

/// How long roll-ups may hold a transaction: the rest has time until the next.
const BUDGET: Duration = Duration::from_millis(200);

/// How many pings a check may have, those taken over and written with plain SQL included.
pub const PINGS: RangeInclusive<i64> = 0..=1_000_000;

/// Marks an hour: its roll-up is missing or no longer right.
pub fn mark_stale(connection: &Connection, host_id: i64, hour: i64) -> rusqlite::Result<()> {
    const MARK: &str =
        "insert into stale_rollup(host_id, hour) values(?1, ?2) on conflict do nothing";
    connection
        .prepare_cached(MARK)?
        .execute(params![host_id, hour])
        .map(|_| ())
}

/// Makes the roll-ups of marked hours before `hour`, oldest first, then those of days, for a
/// fraction of a second. Says whether there are more hours.
pub fn make_due(connection: &Connection, hour: i64) -> rusqlite::Result<bool> {
    const DUE: &str =
        "select host_id, hour from stale_rollup where hour < ?1 order by hour, host_id limit 64";
    let began = Instant::now();
    loop {
        let mut statement = connection.prepare_cached(DUE)?;
        let due: Vec<(i64, i64)> = statement
            .query_map([hour], |row| Ok((row.get(0)?, row.get(1)?)))?
            .collect::<rusqlite::Result<_>>()?;
        if due.is_empty() {
            rollup_day::make_due(connection, hour, began + BUDGET)?;
            return Ok(false);
        }
        for (host_id, hour) in due {
            make(connection, host_id, hour)?;
        }
        if began.elapsed() > BUDGET {
            return Ok(true);
        }
    }
}

/// Makes one hour's roll-up and takes its mark away. Where checks of the hour were deleted by the
/// retention, a roll-up that was made from all of them stays.
fn make(connection: &Connection, host_id: i64, hour: i64) -> rusqlite::Result<()> {
    const UNMARK: &str = "delete from stale_rollup where host_id = ?1 and hour = ?2";
    const IS_KEPT: &str = "select exists(select 1 from pruning where pruned_before > ?2 * 3600000)
                              and exists(select 1 from rollup where host_id = ?1 and hour = ?2)";
    const REMOVE: &str = "delete from rollup where host_id = ?1 and hour = ?2";
    connection
        .prepare_cached(UNMARK)?
        .execute(params![host_id, hour])?;
    if connection
        .prepare_cached(IS_KEPT)?
        .query_row(params![host_id, hour], |row| row.get(0))?
    {
        return Ok(());
    }
    rollup_day::forget(connection, host_id, hour)?;
    let sums = sum_up_hour(connection, host_id, hour)?;
    if sums == Sums::default() {
        return connection
            .prepare_cached(REMOVE)?
            .execute(params![host_id, hour])
            .map(|_| ());
    }
    write(&sums, connection, host_id, hour)
}

/// The sums of an hour's checks.
fn sum_up_hour(connection: &Connection, host_id: i64, hour: i64) -> rusqlite::Result<Sums> {
    // A damaged database may name any hour.
    let span = hour.saturating_mul(HOUR_MS)..hour.saturating_add(1).saturating_mul(HOUR_MS);
    let thresholds = thresholds_of(connection, host_id)?;
    let mut sums = Sums::default();
    each_check(connection, host_id, span.clone(), |_, check| {
        sums.add(&check, &thresholds)
    })?;
    each_not_measured(connection, host_id, span, |_| sums.counts.not_measured += 1)?;
    Ok(sums)
}

/// By what a host's checks are judged.
pub(super) fn thresholds_of(connection: &Connection, host_id: i64) -> rusqlite::Result<Thresholds> {
    const THRESHOLDS: &str =
        "select up_rate, degraded_rate, latency_limit_us from host where id = ?1";
    let found = connection
        .prepare_cached(THRESHOLDS)?
        .query_row([host_id], |row| Ok(read_thresholds(row, 0)))
        .optional()?;
    Ok(found.unwrap_or_default())
}

/// Three columns from `first` on: the two rates and the limit. What is nonsense is the default.
pub(super) fn read_thresholds(row: &Row<'_>, first: usize) -> Thresholds {
    let default = Thresholds::default();
    let number = |index| row.get::<_, Option<u32>>(first + index).unwrap_or(None);
    Thresholds {
        up_rate: number(0).unwrap_or(default.up_rate),
        degraded_rate: number(1).unwrap_or(default.degraded_rate),
        latency_limit_us: number(2),
    }
}

/// Hands over a host's checks between two instants in milliseconds, ascending.
pub(super) fn each_check(
    connection: &Connection,
    host_id: i64,
    span: Range<i64>,
    mut take: impl FnMut(i64, CheckSums<'_>),
) -> rusqlite::Result<()> {
    const CHECKS: &str = "select checked_at, sent, received, min_us, avg_us, max_us, rtts from check_result
                           where host_id = ?1 and checked_at >= ?2 and checked_at < ?3 order by checked_at";
    let mut statement = connection.prepare_cached(CHECKS)?;
    let mut rows = statement.query(params![host_id, span.start, span.end])?;
    while let Some(row) = rows.next()? {
        // Whoever writes with plain SQL may write nonsense. It counts as nothing: an error here
        // would keep every later result from being written.
        let count = |index| {
            row.get_ref(index).map(|value| {
                value
                    .as_i64()
                    .ok()
                    .filter(|n| PINGS.contains(n))
                    .unwrap_or(0)
            })
        };
        let latency = |index| {
            row.get_ref(index)
                .map(|value| value.as_i64().ok().and_then(|us| u32::try_from(us).ok()))
        };
        let rtts = row.get_ref(6)?.as_blob_or_null().unwrap_or(None);
        let latencies = [latency(3)?, latency(4)?, latency(5)?];
        let sent = count(1)?;
        take(
            row.get(0)?,
            CheckSums {
                sent,
                received: count(2)?.min(sent),
                latencies,
                rtts,
            },
        );
    }
    Ok(())
}

/// Hands over when a host could not be measured, between two instants in milliseconds.
pub(super) fn each_not_measured(
    connection: &Connection,
    host_id: i64,
    span: Range<i64>,
    mut take: impl FnMut(i64),
) -> rusqlite::Result<()> {
    const CHECKS: &str = "select checked_at from not_measured_check where host_id = ?1 and checked_at >= ?2 and checked_at < ?3";
    let mut statement = connection.prepare_cached(CHECKS)?;
    let mut rows = statement.query(params![host_id, span.start, span.end])?;
    while let Some(row) = rows.next()? {
        take(row.get(0)?);
    }
    Ok(())
}

/// How much of the sums is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Detail {
    /// Everything.
    Whole,
    /// All but the latencies.
    Counts,
}

/// The sums of an hour as far as they were asked for, the histogram as it is stored.
#[derive(Debug)]
pub struct Hour<'a> {
    /// How many checks there were, and how well they were answered.
    pub counts: Counts,
    latencies: Latencies,
    histogram: &'a [u8],
}

impl<'a> Hour<'a> {
    pub(super) fn packed(counts: Counts, latencies: Option<(Latencies, &'a [u8])>) -> Hour<'a> {
        let (latencies, histogram) = latencies.unwrap_or_default();
        Hour {
            counts,
            latencies,
            histogram,
        }
    }

    /// Adds it to other sums.
    pub(super) fn add_to(&self, sums: &mut Sums) {
        sums.counts.merge(&self.counts);
        sums.latencies.merge(&self.latencies);
        // What is damaged counts as far as it can be read.
        let _ = sums.latencies.histogram.merge_stored(self.histogram);
    }
}

/// Hands over the sums of a host's hours: roll-ups where they are right, then the stale ones from
/// their checks.
pub(super) fn each_hour(
    connection: &Connection,
    host_id: i64,
    hours: Range<i64>,
    detail: Detail,
    take: &mut dyn FnMut(i64, &Hour<'_>),
) -> rusqlite::Result<()> {
    const ROLLUPS: &str = "select hour, none, to_20, to_40, to_60, to_80, to_95, to_100, full, not_measured, sent, received,
                rate_sum, rate_min, rate_max, min_us, max_us, sum_us, avg_sum_us, latency_checks, histogram, down, degraded
           from rollup r
          where host_id = ?1 and hour >= ?2 and hour < ?3
            and not exists (select 1 from stale_rollup s where s.host_id = r.host_id and s.hour = r.hour) order by hour";
    const STALE: &str = "select hour from stale_rollup where host_id = ?1 and hour >= ?2 and hour < ?3 order by hour";
    if hours.is_empty() {
        return Ok(());
    }
    let mut statement = connection.prepare_cached(ROLLUPS)?;
    let mut rows = statement.query(params![host_id, hours.start, hours.end])?;
    while let Some(row) = rows.next()? {
        take(row.get(0)?, &read(row, detail)?);
    }
    let mut statement = connection.prepare_cached(STALE)?;
    let stale: Vec<i64> = statement
        .query_map(params![host_id, hours.start, hours.end], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    for hour in stale {
        let Sums { counts, latencies } = sum_up_hour(connection, host_id, hour)?;
        take(
            hour,
            &Hour {
                counts,
                latencies,
                histogram: &[],
            },
        );
    }
    Ok(())
}

fn read<'a>(row: &'a Row<'_>, detail: Detail) -> rusqlite::Result<Hour<'a>> {
    let mut counts = Counts {
        not_measured: row.get(9)?,
        sent: row.get(10)?,
        received: row.get(11)?,
        rate_sum: row.get(12)?,
        rate_min: row.get(13)?,
        rate_max: row.get(14)?,
        ..Counts::default()
    };
    for (column, checks) in (1..).zip(&mut counts.by_rate) {
        *checks = row.get(column)?;
    }
    match (row.get(21)?, row.get(22)?) {
        (Some(down), Some(degraded)) => (counts.down, counts.degraded) = (down, degraded),
        _ => counts.judge_by_rate(),
    }
    if detail == Detail::Counts {
        return Ok(Hour::packed(counts, None));
    }
    let latencies = Latencies {
        min_us: row.get(15)?,
        max_us: row.get(16)?,
        sum_us: row.get(17)?,
        avg_sum_us: row.get(18)?,
        checks: row.get(19)?,
        histogram: Histogram::default(),
    };
    Ok(Hour {
        counts,
        latencies,
        histogram: row.get_ref(20)?.as_blob().unwrap_or_default(),
    })
}

fn write(sums: &Sums, connection: &Connection, host_id: i64, hour: i64) -> rusqlite::Result<()> {
    const WRITE: &str = "insert or replace into rollup(host_id, hour, none, to_20, to_40, to_60, to_80, to_95, to_100, full,
        not_measured, sent, received, rate_sum, rate_min, rate_max, min_us, max_us, sum_us, avg_sum_us, latency_checks, histogram,
        down, degraded)
        values(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23, ?24)";
    let Sums { counts, latencies } = sums;
    let [none, to_20, to_40, to_60, to_80, to_95, to_100, full] = counts.by_rate;
    let values = params![
        host_id,
        hour,
        none,
        to_20,
        to_40,
        to_60,
        to_80,
        to_95,
        to_100,
        full,
        counts.not_measured,
        counts.sent,
        counts.received,
        counts.rate_sum,
        counts.rate_min,
        counts.rate_max,
        latencies.min_us,
        latencies.max_us,
        latencies.sum_us,
        latencies.avg_sum_us,
        latencies.checks,
        latencies.histogram.encode(),
        counts.down,
        counts.degraded,
    ];
    connection
        .prepare_cached(WRITE)?
        .execute(values)
        .map(|_| ())
}
