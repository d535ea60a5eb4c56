//! The recorded runs of the monitor.

use rusqlite::OptionalExtension;

use super::reader::Reader;
use crate::pure::time::UtcMillis;
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
                                        alive_at desc limit 1";
        self.with_connection(|c| {
            c.prepare_cached(NEWEST)?
                .query_row([], |row| {
                    let stopped_at: Option<i64> = row.get(2)?;
                    Ok(MonitorRun {
                        started_at: UtcMillis(row.get(0)?),
                        alive_at: UtcMillis(row.get(1)?),
                        stopped_at: stopped_at.map(UtcMillis),
                        was_killed: stopped_at.is_none() && is_held(self.path()) == Some(false),
                        behind_ms: row.get(3)?,
                    })
                })
                .optional()
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
        let found = self.query(FIRST, [], |row| row.get::<_, Option<i64>>(0))?;
        Ok(found.into_iter().flatten().next().map(UtcMillis))
    }
}
