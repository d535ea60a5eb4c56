//! The recorded runs of the monitor.

use super::reader::Reader;
use crate::pure::time::UtcMillis;
use crate::store::columns::{length_ms, value};
use crate::store::error::StoreError;
use crate::store::presence::is_held;

/// A run of the monitor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MonitorRun {
    pub started_at: UtcMillis,
    /// Its last activity.
    pub alive_at: UtcMillis,
    /// `None` also after a crash.
    pub stopped_at: Option<UtcMillis>,
    /// Whether it is known that no monitor holds the lock, although it did not record that it
    /// stopped: its process was killed.
    pub was_killed: bool,
    /// How much later than the wall clock it dates what it records, because that clock is behind.
    pub behind_ms: i64,
}

impl Reader {
    pub fn newest_run(&self) -> Result<Option<MonitorRun>, StoreError> {
        const NEWEST: &str = "select started_at, alive_at, stopped_at, behind_ms from monitor_run
                               order by stopped_at is null and alive_at = (select max(alive_at) from monitor_run) desc,
                                        alive_at desc";
        self.query_first(NEWEST, [], |row| {
            let stopped_at = row.get(2)?;
            Ok(MonitorRun {
                started_at: row.get(0)?,
                alive_at: row.get(1)?,
                stopped_at,
                was_killed: stopped_at.is_none() && is_held(self.path()) == Some(false),
                // It is never less, but in a damaged file.
                behind_ms: length_ms(row, 3).unwrap_or(0).max(0),
            })
        })
    }

    /// The present time as the running monitor dates it, where the clock shows `wall`.
    pub fn present(&self, wall: UtcMillis) -> Result<UtcMillis, StoreError> {
        let run = self.newest_run()?;
        let running = run.filter(|run| run.stopped_at.is_none() && !run.was_killed);
        Ok(wall.plus(running.map_or(0, |run| run.behind_ms)))
    }

    /// When the first recorded run began.
    pub fn first_run(&self) -> Result<Option<UtcMillis>, StoreError> {
        const FIRST: &str = "select min(started_at) from monitor_run";
        self.query_first(FIRST, [], |row| Ok(value(row, 0)))
            .map(Option::flatten)
    }
}
