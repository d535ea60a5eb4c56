//! Which roll-ups are due. An hour that got a check, or lost one, is marked stale in the same
//! transaction; making its roll-up removes the mark.

use std::time::{Duration, Instant};

use rusqlite::{Connection, params};

use super::{day, hour};
use crate::pure::model::HostId;
use crate::pure::sums::Sums;
use crate::pure::time::Hour;
use crate::store::columns::{ReadRows, flag};

/// The longest time that roll-ups extend a transaction: the rest is made in the next.
const BUDGET: Duration = Duration::from_millis(200);

/// Marks an hour whose roll-up is missing or outdated.
pub fn mark_stale(connection: &Connection, host_id: HostId, hour: Hour) -> rusqlite::Result<()> {
    const MARK: &str =
        "insert into stale_rollup(host_id, hour) values(?1, ?2) on conflict do nothing";
    connection
        .prepare_cached(MARK)?
        .execute(params![host_id, hour])
        .map(|_| ())
}

/// Makes the roll-ups of marked hours before `hour`, oldest first, then those of days, within
/// `BUDGET`. Returns whether hours are left.
pub fn make_due(connection: &Connection, hour: Hour) -> rusqlite::Result<bool> {
    // Nothing can be made for a mark without a host or a time, as damage may leave it.
    const DUE: &str = "select host_id, hour from stale_rollup
        where hour >= 0 and hour < ?1 and typeof(host_id) = 'integer' and typeof(hour) = 'integer'
        order by hour, host_id limit 64";
    let began = Instant::now();
    loop {
        let due: Vec<(HostId, Hour)> = connection
            .prepare_cached(DUE)?
            .read_all([hour], |row| Ok((row.get(0)?, row.get(1)?)))?;
        if due.is_empty() {
            day::make_due(connection, hour, began + BUDGET)?;
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

/// Makes one hour's roll-up and removes its mark. A roll-up that was made before the retention
/// deleted checks of the hour stays.
fn make(connection: &Connection, host_id: HostId, hour: Hour) -> rusqlite::Result<()> {
    const UNMARK: &str = "delete from stale_rollup where host_id = ?1 and hour = ?2";
    const IS_KEPT: &str = "select exists(select 1 from pruning where pruned_before > ?2 * 3600000)
                              and exists(select 1 from rollup where host_id = ?1 and hour = ?2)";
    const REMOVE: &str = "delete from rollup where host_id = ?1 and hour = ?2";
    connection
        .prepare_cached(UNMARK)?
        .execute(params![host_id, hour])?;
    let is_kept = connection
        .prepare_cached(IS_KEPT)?
        .read_first(params![host_id, hour], |row| Ok(flag(row, 0)))?;
    if is_kept == Some(true) {
        return Ok(());
    }
    day::forget(connection, host_id, hour)?;
    let sums = hour::sum_up_hour(connection, host_id, hour)?;
    if sums == Sums::default() {
        return connection
            .prepare_cached(REMOVE)?
            .execute(params![host_id, hour])
            .map(|_| ());
    }
    hour::write(&sums, connection, host_id, hour)
}
