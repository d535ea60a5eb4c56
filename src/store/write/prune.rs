//! Deletes what is older than the retention, in transactions so short that neither readers nor
//! another writer wait.

use std::time::Duration;

use rusqlite::{TransactionBehavior, params};

use super::database::Database;
use crate::pure::model::HostId;
use crate::pure::time::{UtcMillis, nanoseconds};
use crate::store::error::StoreError;
use crate::store::rollup::due;

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

impl Database {
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
        const HOSTS: &str = "select id from host";
        const NOTE_CUT: &str = "update pruning set pruned_before = max(pruned_before, ?1)";
        const ROLLUPS: &str = "delete from rollup where hour < ?1";
        const DAYS: &str = "delete from rollup_day where day < ?1";
        const OLD_ROLLUP: &str = "select exists(select 1 from host h join rollup r on r.host_id = h.id
                                   where r.hour = (select min(hour) from rollup where host_id = h.id) and r.hour < ?1)";
        let mut pruned = Pruned::default();
        let connection = self.connection();
        let hosts: Vec<HostId> = connection
            .prepare_cached(HOSTS)?
            .query_map([], |row| row.get(0))?
            .collect::<rusqlite::Result<_>>()?;
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
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
        if transaction
            .prepare_cached(OLD_ROLLUP)?
            .query_row([first_hour], |row| row.get(0))?
        {
            pruned.rollups = transaction.execute(ROLLUPS, [first_hour])? as u64;
            transaction.execute(DAYS, [first_day])?;
        }
        transaction.commit()?;
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
    let last: Option<i64> = transaction
        .prepare_cached(&find)?
        .query_row(params![host_id, before.0, limit], |row| row.get(0))?;
    match last {
        Some(last) => transaction
            .prepare_cached(&delete)?
            .execute(params![host_id, last])
            .map(|count| count as u64),
        None => Ok(0),
    }
}
