//! Roll-ups: one row a host and hour, made from the hour's checks once the hour is over, kept for years. An hour that got
//! a check, or lost one, is marked stale in the same transaction; making its roll-up takes the mark away.

use std::ops::RangeInclusive;
use std::time::{Duration, Instant};

use rusqlite::{Connection, params};

use crate::model::State;
use crate::stats::{self, Histogram};

/// How long roll-ups may hold a transaction: the rest has time until the next.
const BUDGET: Duration = Duration::from_millis(200);

/// How many pings a check may have, those taken over and written with plain SQL included.
pub const PINGS: RangeInclusive<i64> = 0..=1_000_000;

/// Marks an hour: its roll-up is missing or no longer right.
pub fn mark_stale(connection: &Connection, host_id: i64, hour: i64) -> rusqlite::Result<()> {
    const MARK: &str = "insert into stale_rollup(host_id, hour) values(?1, ?2) on conflict do nothing";
    connection.prepare_cached(MARK)?.execute(params![host_id, hour]).map(|_| ())
}

/// Makes the roll-ups of marked hours before `hour`, oldest first, for a fraction of a second. Says whether there
/// are more.
pub fn make_due(connection: &Connection, hour: i64) -> rusqlite::Result<bool> {
    const DUE: &str = "select host_id, hour from stale_rollup where hour < ?1 order by hour, host_id limit 64";
    let began = Instant::now();
    loop {
        let mut statement = connection.prepare_cached(DUE)?;
        let due: Vec<(i64, i64)> =
            statement.query_map([hour], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<rusqlite::Result<_>>()?;
        if due.is_empty() {
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

/// Makes one hour's roll-up and takes its mark away. Where checks of the hour were deleted by the retention, a roll-up
/// that was made from all of them stays.
fn make(connection: &Connection, host_id: i64, hour: i64) -> rusqlite::Result<()> {
    const UNMARK: &str = "delete from stale_rollup where host_id = ?1 and hour = ?2";
    const IS_KEPT: &str = "select exists(select 1 from pruning where pruned_before > ?2 * 3600000)
                              and exists(select 1 from rollup where host_id = ?1 and hour = ?2)";
    const REMOVE: &str = "delete from rollup where host_id = ?1 and hour = ?2";
    connection.prepare_cached(UNMARK)?.execute(params![host_id, hour])?;
    if connection.prepare_cached(IS_KEPT)?.query_row(params![host_id, hour], |row| row.get(0))? {
        return Ok(());
    }
    let rollup = Rollup::of(connection, host_id, hour)?;
    if rollup == Rollup::default() {
        return connection.prepare_cached(REMOVE)?.execute(params![host_id, hour]).map(|_| ());
    }
    rollup.write(connection, host_id, hour)
}

/// The sums of one hour; the columns of `rollup`.
#[derive(Debug, Default, PartialEq)]
struct Rollup {
    up: i64,
    degraded: i64,
    down: i64,
    silent: i64,
    not_measured: i64,
    sent: i64,
    received: i64,
    rate_sum: i64,
    rate_min: Option<i64>,
    rate_max: Option<i64>,
    min_us: Option<u32>,
    max_us: Option<u32>,
    sum_us: i64,
    avg_sum_us: i64,
    latency_checks: i64,
    histogram: Histogram,
}

impl Rollup {
    fn of(connection: &Connection, host_id: i64, hour: i64) -> rusqlite::Result<Rollup> {
        const CHECKS: &str = "select sent, received, min_us, avg_us, max_us, rtts from check_result
                               where host_id = ?1 and checked_at >= ?2 * 3600000 and checked_at < (?2 + 1) * 3600000";
        const NOT_MEASURED: &str = "select count(*) from not_measured_check
                               where host_id = ?1 and checked_at >= ?2 * 3600000 and checked_at < (?2 + 1) * 3600000";
        let mut rollup = Rollup::default();
        let mut statement = connection.prepare_cached(CHECKS)?;
        let mut rows = statement.query(params![host_id, hour])?;
        while let Some(row) = rows.next()? {
            // Whoever writes with plain SQL may write nonsense. It counts as nothing: an error here would keep every later
            // result from being written.
            let count = |index| row.get_ref(index).map(|value| value.as_i64().ok().filter(|n| PINGS.contains(n)).unwrap_or(0));
            let latency = |index| row.get_ref(index).map(|value| value.as_i64().ok().and_then(|us| u32::try_from(us).ok()));
            let rtts = row.get_ref(5)?.as_blob_or_null().unwrap_or(None);
            rollup.add(count(0)?, count(1)?, [latency(2)?, latency(3)?, latency(4)?], rtts);
        }
        rollup.not_measured = connection.prepare_cached(NOT_MEASURED)?.query_row(params![host_id, hour], |row| row.get(0))?;
        Ok(rollup)
    }

    /// Adds one check; `latencies` are its least, mean and greatest.
    fn add(&mut self, sent: i64, received: i64, latencies: [Option<u32>; 3], rtts: Option<&[u8]>) {
        match State::of(sent.unsigned_abs(), received.unsigned_abs()) {
            State::Up => self.up += 1,
            State::Degraded => self.degraded += 1,
            // A row of the original's that says nothing was sent is one that failed.
            State::Down | State::NotMeasured => {
                self.down += 1;
                self.silent += i64::from(received == 0);
            }
        }
        let rate = if sent > 0 { received * 100_000 / sent } else { 0 };
        self.sent += sent;
        self.received += received;
        self.rate_sum += rate;
        self.rate_min = Some(self.rate_min.map_or(rate, |least| least.min(rate)));
        self.rate_max = Some(self.rate_max.map_or(rate, |greatest| greatest.max(rate)));
        let [Some(min_us), Some(avg_us), Some(max_us)] = latencies else { return };
        self.min_us = Some(self.min_us.map_or(min_us, |least| least.min(min_us)));
        self.max_us = Some(self.max_us.map_or(max_us, |greatest| greatest.max(max_us)));
        self.avg_sum_us += i64::from(avg_us);
        self.latency_checks += 1;
        match rtts.and_then(|bytes| stats::decode_rtts(bytes, min_us)) {
            Some(rtts) => rtts.into_iter().flatten().for_each(|rtt| {
                self.sum_us = self.sum_us.saturating_add(i64::from(rtt));
                self.histogram.add(rtt);
            }),
            // Where only three numbers are known, the replies between the least and the greatest stand at the mean.
            None => {
                self.sum_us = self.sum_us.saturating_add(i64::from(avg_us) * received);
                for index in 0..received.min(1000) {
                    self.histogram.add(match index {
                        _ if received == 1 => avg_us,
                        0 => min_us,
                        1 => max_us,
                        _ => avg_us,
                    });
                }
            }
        }
    }

    fn write(&self, connection: &Connection, host_id: i64, hour: i64) -> rusqlite::Result<()> {
        const WRITE: &str =
            "insert or replace into rollup(host_id, hour, up, degraded, down, silent, not_measured, sent, received,
            rate_sum, rate_min, rate_max, min_us, max_us, sum_us, avg_sum_us, latency_checks, histogram)
            values(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18)";
        let values = params![
            host_id,
            hour,
            self.up,
            self.degraded,
            self.down,
            self.silent,
            self.not_measured,
            self.sent,
            self.received,
            self.rate_sum,
            self.rate_min,
            self.rate_max,
            self.min_us,
            self.max_us,
            self.sum_us,
            self.avg_sum_us,
            self.latency_checks,
            self.histogram.encode(),
        ];
        connection.prepare_cached(WRITE)?.execute(values).map(|_| ())
    }
}
