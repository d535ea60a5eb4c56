//! Deletes what is older than the retention, in transactions so short that neither readers nor
//! another writer wait. The age of a row counts to the newest time that is proven: a clock that has
//! just leapt forward deletes nothing.

use std::time::Duration;

use rusqlite::types::Value;
use rusqlite::{Connection, TransactionBehavior, params};

use super::database::Database;
use crate::pure::model::{HostId, InterruptionKind};
use crate::pure::time::{UtcMillis, nanoseconds};
use crate::store::columns::{ReadRows, flag};
use crate::store::error::StoreError;
use crate::store::rollup::due;
use crate::store::rows::host_ids;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pruned {
    /// Those that could not be made included.
    pub checks: u64,
    /// Hourly roll-ups.
    pub rollups: u64,
    /// Whether there is more to delete.
    pub is_more: bool,
}

/// Pages returned to the file system in a step.
const VACUUM_PAGES: u32 = 256;

/// Over a longer time without a running monitor the clock may have leapt.
const MAX_TRUSTED_GAP: Duration = Duration::from_secs(3600);

/// How long monitors must have run after such a time to prove that it passed.
const PROVEN_AFTER: Duration = Duration::from_secs(86_400);

/// The newest time that is proven, where the clock shows `now`. `runs` are the spans in which a
/// monitor ran and its clock was not set, in order.
fn proven_time(runs: &[(UtcMillis, UtcMillis)], now: UtcMillis) -> UtcMillis {
    let between = |from: UtcMillis, to: UtcMillis| {
        Duration::from_millis(u64::try_from(to.0.saturating_sub(from.0)).unwrap_or_default())
    };
    let mut runs = runs.iter();
    let Some(&(_, mut proven)) = runs.next() else {
        return now;
    };
    let mut lasted = Duration::ZERO;
    for &(started, alive) in runs {
        let has_gap = between(proven, started) >= MAX_TRUSTED_GAP;
        if has_gap {
            lasted = lasted.saturating_add(between(started, alive));
        }
        if !has_gap || lasted >= PROVEN_AFTER {
            (proven, lasted) = (proven.max(alive), Duration::ZERO);
        }
    }
    if between(proven, now) < MAX_TRUSTED_GAP {
        now
    } else {
        proven
    }
}

/// The runs of the monitor, each divided where its clock was set forward.
fn spans_of_runs(connection: &Connection) -> rusqlite::Result<Vec<(UtcMillis, UtcMillis)>> {
    const RUNS: &str =
        "select started_at, max(alive_at, coalesce(stopped_at, 0)) from monitor_run order by id";
    const LEAPS: &str =
        "select started_at, ended_at from interruption where kind = ?1 order by started_at";
    let read = |sql: &str, values: &[&str]| -> rusqlite::Result<Vec<(UtcMillis, UtcMillis)>> {
        connection
            .prepare_cached(sql)?
            .read_all(rusqlite::params_from_iter(values), |row| {
                Ok((row.get(0)?, row.get(1)?))
            })
    };
    let leaps = read(LEAPS, &[InterruptionKind::ClockSet.as_str()])?;
    let mut spans = Vec::new();
    for (mut started, alive) in read(RUNS, &[])? {
        for &(from, to) in &leaps {
            if started <= from && to <= alive {
                spans.push((started, from));
                started = to;
            }
        }
        spans.push((started, alive));
    }
    Ok(spans)
}

impl Database {
    /// The time to which the age of a row counts, where the clock shows `now`: earlier if the clock
    /// may have leapt.
    pub fn proven_time(&mut self, now: UtcMillis) -> Result<UtcMillis, StoreError> {
        spans_of_runs(self.connection())
            .map(|runs| proven_time(&runs, now))
            .map_err(|cause| self.failed("reading", cause))
    }

    /// Deletes up to about `limit` rows that are older than the retention at `now`, after making
    /// their roll-ups.
    pub fn prune(
        &mut self,
        now: UtcMillis,
        keep: Duration,
        keep_rollups: Duration,
        limit: u32,
    ) -> Result<Pruned, StoreError> {
        let cut = |keep| UtcMillis(now.0.saturating_sub(nanoseconds(keep) / 1_000_000));
        let result = self.prune_step(cut(keep), cut(keep_rollups), limit);
        result.map_err(|cause| self.failed("deleting old checks from", cause))
    }

    fn prune_step(
        &mut self,
        before: UtcMillis,
        rollups_before: UtcMillis,
        limit: u32,
    ) -> rusqlite::Result<Pruned> {
        const NOTE_CUT: &str =
            "update pruning set pruned_before = max(cast(pruned_before as integer), ?1)";
        const ROLLUPS: &str = "delete from rollup where hour < ?1";
        const DAYS: &str = "delete from rollup_day where day < ?1";
        const LEVELS: &str = "delete from level_changes where at < ?1";
        // For each host its oldest alone: a join would read every roll-up, each hour.
        const OLD_ROLLUP: &str = "select exists(select 1 from host h
                                   where (select min(hour) from rollup where host_id = h.id) < ?1)";
        let mut pruned = Pruned::default();
        let (connection, totals) = self.connection_and_totals();
        let hosts = host_ids(connection)?;
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        // Where no monitor runs in this process.
        if !totals.is_read() {
            totals.read(&transaction);
        }
        // Including the hour of the cut: its roll-up could not be made afterwards.
        if due::make_due(&transaction, before.hour().next())? {
            transaction.commit()?;
            return Ok(Pruned {
                is_more: true,
                ..Pruned::default()
            });
        }
        let mut left = u64::from(limit);
        for host_id in hosts {
            if left == 0 {
                break;
            }
            for table in ["check_result", "not_measured_check"] {
                let deleted = delete_oldest(&transaction, table, host_id, before, left)?;
                pruned.checks += deleted;
                left = left.saturating_sub(deleted);
            }
            delete_oldest(
                &transaction,
                "check_note",
                host_id,
                before,
                u64::from(limit),
            )?;
        }
        pruned.is_more = left == 0;
        if pruned.checks > 0 {
            transaction.prepare_cached(NOTE_CUT)?.execute([before.0])?;
        }
        // Whole days, so that a day is always the sum of its hours.
        let first_day = rollups_before.hour().day();
        let first_hour = first_day.first_hour();
        transaction
            .prepare_cached(LEVELS)?
            .execute([first_hour.start()])?;
        let is_old = transaction
            .prepare_cached(OLD_ROLLUP)?
            .read_first([first_hour], |row| Ok(flag(row, 0)))?;
        if is_old == Some(true) {
            pruned.rollups = transaction.execute(ROLLUPS, [first_hour])? as u64;
            transaction.execute(DAYS, [first_day])?;
        }
        if pruned.checks > 0 || pruned.rollups > 0 {
            totals.store_unstored(&transaction)?;
        }
        transaction.commit()?;
        if pruned.checks > 0 || pruned.rollups > 0 {
            totals.note_stored();
        }
        if pruned.checks > 0 {
            // Each step of the statement returns a page.
            let vacuum = format!("pragma incremental_vacuum({VACUUM_PAGES})");
            self.connection()
                .prepare_cached(&vacuum)?
                .query_map([], |_| Ok(()))?
                .for_each(drop);
        }
        Ok(pruned)
    }
}

/// Deletes a host's oldest rows, at most `limit`, from one of the tables that are clustered on host
/// and time.
fn delete_oldest(
    transaction: &rusqlite::Transaction<'_>,
    table: &'static str,
    host_id: HostId,
    before: UtcMillis,
    limit: u64,
) -> rusqlite::Result<u64> {
    let find = format!(
        "select max(checked_at) from (select checked_at from {table} where host_id = ?1 and checked_at < ?2 order by checked_at limit ?3)"
    );
    let delete = format!("delete from {table} where host_id = ?1 and checked_at <= ?2");
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let last = transaction
        .prepare_cached(&find)?
        .read_first(params![host_id, before.0, limit], |row| row.get(0))?;
    // As it is stored, whatever its type: what is deleted must become less.
    let last: Option<Value> = last.filter(|last| *last != Value::Null);
    match last {
        Some(last) => transaction
            .prepare_cached(&delete)?
            .execute(params![host_id, last])
            .map(|count| count as u64),
        None => Ok(0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_leaps_forward_is_trusted_after_a_day_despite_restarts() {
        const HOUR: i64 = 3_600_000;
        const DAY: i64 = 24;
        let proven = |runs: &[(i64, i64)], now: i64| {
            let runs: Vec<_> = runs
                .iter()
                .map(|(start, alive)| (UtcMillis(start * HOUR), UtcMillis(alive * HOUR)))
                .collect();
            proven_time(&runs, UtcMillis(now * HOUR)).0 / HOUR
        };
        for (runs, now, expected, what) in [
            (&[][..], 500, 500, "no monitor ever ran"),
            (&[(0, 100)], 100, 100, "it runs"),
            (
                &[(0, 100), (112, 112)],
                112,
                100,
                "half a day without it, or the clock leapt",
            ),
            (
                &[(0, 100), (112, 135)],
                135,
                100,
                "a leap that lasts for less than a day",
            ),
            (&[(0, 100), (112, 136)], 136, 136, "a day proves it"),
            (
                &[(0, 100), (9000, 9000), (9000, 9001)],
                9001,
                100,
                "a restart proves nothing",
            ),
            (
                &[(0, 100), (9000, 9010), (9050, 9064)],
                9064,
                9064,
                "runs of a day in total prove it",
            ),
            (
                &[(0, 100), (9000, 9001), (100, 102)],
                102,
                102,
                "the clock is right again",
            ),
            // A machine without a battery-backed clock: every start is in 1970, until the time
            // service has answered.
            (&[(0, 0)], 20 * DAY, 0, "a first run that began in 1970"),
            (&[(0, 0), (5000, 5030), (0, 0)], 5030, 5030, "a later one"),
        ] {
            assert_eq!(proven(runs, now), expected, "{what}");
        }
    }
}
