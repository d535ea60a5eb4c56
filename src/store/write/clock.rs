//! Corrects the times of rows that were recorded while the wall clock was wrong. A clock that is
//! set back leaves rows in the future, and a computer without a battery-backed clock begins in
//! 1970: rows of this run are moved by the step. Rows that a wrong setting moved are moved back
//! when the clock is corrected.

use super::ledger;
use crate::pure::model::{HostId, Interruption, InterruptionKind};
use crate::pure::phrase;
use crate::pure::time::{DAY_MS, IMPLAUSIBLE_BEFORE, LATEST_MS, UtcMillis};
use crate::store::columns::instant_of;
use crate::store::rollup::due::mark_stale;
use crate::store::rows::next_millisecond;
use rusqlite::{Connection, OptionalExtension, params};
use std::ops::RangeInclusive;
use std::time::Duration;

/// If the last run ended this long ago, the clock may be wrong, and nothing is deleted for a day.
pub const SUSPICIOUS_STEP: Duration = Duration::from_secs(30 * 86_400);

const TRUST_AFTER: Duration = Duration::from_secs(86_400);

/// How long to wait before anything is deleted, if the clock seems to have jumped ahead since the
/// last run. `runs` are the start and last activity of each run; runs after a jump prove that the
/// clock is right once they have lasted for a day in total.
pub fn pruning_delay(runs: &[(UtcMillis, UtcMillis)], now: UtcMillis) -> Option<Duration> {
    let between = |from: UtcMillis, to: UtcMillis| {
        Duration::from_millis(u64::try_from(to.0.saturating_sub(from.0)).unwrap_or_default())
    };
    let mut runs = runs.iter();
    let (_, mut proven) = *runs.next()?;
    let mut lasted = Duration::ZERO;
    for &(started, alive) in runs {
        if between(proven, started) >= SUSPICIOUS_STEP {
            lasted = lasted.saturating_add(between(started, alive));
        }
        if between(proven, started) < SUSPICIOUS_STEP || lasted >= TRUST_AFTER {
            (proven, lasted) = (proven.max(alive), Duration::ZERO);
        }
    }
    let away = between(proven, now);
    if away < SUSPICIOUS_STEP {
        return None;
    }
    log::warn!(
        "the last run ended {} ago by this clock; in case it is wrong nothing is deleted for a day",
        phrase::duration(away)
    );
    Some(TRUST_AFTER.saturating_sub(lasted))
}

/// A step that undoes another may differ by the drift of the clock in between.
const SAME_STEP_MS: u64 = 60_000;

/// How long a step can be undone.
const UNDO_MS: i64 = 7 * DAY_MS;

/// A change of the wall clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClockStep {
    pub now: UtcMillis,
    /// Negative when it was set back.
    pub step_ms: i64,
}

impl ClockStep {
    /// The clock's time just before.
    pub fn before(&self) -> UtcMillis {
        UtcMillis(self.now.0.saturating_sub(self.step_ms))
    }

    /// The times of this run before the step that were wrong; `None` if none are known to be.
    pub fn wrong_times(&self, run_started: UtcMillis) -> Option<RangeInclusive<i64>> {
        if self.step_ms < 0 {
            // Times after the new one lie in the future.
            Some(self.now.0 + 1..=self.before().0)
        } else if run_started < IMPLAUSIBLE_BEFORE && self.now >= IMPLAUSIBLE_BEFORE {
            Some(run_started.0..=self.before().0)
        } else {
            None
        }
    }
}

/// Moves the rows whose times a step shows to be wrong, and records the step; returns the number of
/// moved checks. Inside the caller's transaction.
pub fn record(
    connection: &Connection,
    step: &ClockStep,
    run: Option<i64>,
) -> rusqlite::Result<usize> {
    const RUN: &str = "select started_at from monitor_run where id = ?1";
    const NOTE: &str = "insert into clock_step(at, step_ms, moved) values(?1, ?2, ?3)";
    let started: Option<i64> = match run {
        Some(run) => connection
            .query_row(RUN, [run], |row| row.get(0))
            .optional()?,
        None => None,
    };
    let moved = match step.wrong_times(UtcMillis(started.unwrap_or(step.now.0))) {
        Some(times) => redate(connection, &times, step.step_ms)?,
        None => {
            let undone = undo(connection, step)?;
            if undone == 0 && step.step_ms > 0 {
                skip_time(connection, step, started.unwrap_or(step.before().0))?;
            }
            undone
        }
    };
    if let (Some(run), Some(started)) = (run, started) {
        // The start of the run was taken from the wrong clock too.
        const MOVE_RUN: &str = "update monitor_run set started_at = max(started_at + ?2, 0), alive_at = max(alive_at + ?2, 0) where id = ?1";
        let is_wrong = step
            .wrong_times(UtcMillis(started))
            .is_some_and(|times| times.contains(&started));
        if is_wrong {
            connection.execute(MOVE_RUN, params![run, step.step_ms])?;
        } else if step.step_ms < 0 {
            connection.execute(
                "update monitor_run set alive_at = min(alive_at, ?2) where id = ?1",
                params![run, step.now.0],
            )?;
        }
    }
    connection.execute(
        NOTE,
        params![
            step.now.0,
            step.step_ms,
            i64::try_from(moved).unwrap_or(i64::MAX)
        ],
    )?;
    Ok(moved)
}

/// A clock that was set forward: the time between did not exist, and ongoing outages of this run
/// began that much later.
fn skip_time(connection: &Connection, step: &ClockStep, run_started: i64) -> rusqlite::Result<()> {
    const OLDEST: &str = "select min(start_time) from outage_events where end_time is null and start_time between ?1 and ?2";
    const MOVE: &str =
        "update outage_events set start_time = strftime('%Y-%m-%d %H:%M:%f', start_time, ?3),
            earliest_start = strftime('%Y-%m-%d %H:%M:%f', earliest_start, ?3),
            answered_since = strftime('%Y-%m-%d %H:%M:%f', answered_since, ?3)
          where end_time is null and start_time between ?1 and ?2";
    let (from, to) = (
        UtcMillis(run_started.clamp(0, LATEST_MS)).sql_text(),
        step.before().sql_text(),
    );
    let oldest: Option<String> =
        connection.query_row(OLDEST, params![from, to], |row| row.get(0))?;
    let oldest = oldest
        .as_deref()
        .and_then(instant_of)
        .unwrap_or(step.before());
    connection.execute(MOVE, params![from, to, seconds(step.step_ms)])?;
    // The missing time lies before a moved outage.
    let to = UtcMillis(oldest.0.saturating_add(step.step_ms));
    ledger::record(
        connection,
        &Interruption {
            kind: InterruptionKind::ClockSet,
            from: oldest,
            to,
        },
    )
}

/// A modifier of SQLite's date functions.
fn seconds(by_ms: i64) -> String {
    format!("{:+}.{:03} seconds", by_ms / 1000, (by_ms % 1000).abs())
}

/// Marks the reason of a moved check; the step follows.
const MARK: &str = "dated anew: the clock was set by ";

/// Moves all rows with times in a range, and marks moved checks.
fn redate(
    connection: &Connection,
    times: &RangeInclusive<i64>,
    by_ms: i64,
) -> rusqlite::Result<usize> {
    let mark = format!("{MARK}{} s", by_ms / 1000);
    let rows = each_moved(connection, "check_result", times)?;
    for (host_id, at) in &rows {
        let to = move_check(connection, *host_id, *at, at.saturating_add(by_ms))?;
        const REMARK: &str =
            "insert into check_note(host_id, checked_at, late, duplicates, foreigners, reason) values(?1, ?2, 0, 0, 0, ?3)
                              on conflict do update set reason = coalesce(reason || '; ', '') || ?3";
        connection
            .prepare_cached(REMARK)?
            .execute(params![host_id, to, mark])?;
    }
    for (host_id, at) in each_moved(connection, "not_measured_check", times)? {
        const MOVE: &str = "update or replace not_measured_check set checked_at = ?3 where host_id = ?1 and checked_at = ?2";
        let to = at.saturating_add(by_ms).clamp(0, LATEST_MS);
        connection
            .prepare_cached(MOVE)?
            .execute(params![host_id, at, to])?;
        mark_both(connection, host_id, at, to)?;
    }
    move_events(connection, times, by_ms)?;
    // The clock was set back over the skipped time, which therefore was not skipped.
    const SKIPPED: &str = "delete from interruption where kind = ?3 and ended_at between ?1 and ?2";
    connection.execute(
        SKIPPED,
        params![
            times.start(),
            times.end(),
            InterruptionKind::ClockSet.as_str()
        ],
    )?;
    const INTERRUPTIONS: &str =
        "update interruption set started_at = started_at + ?3, ended_at = ended_at + ?3
                                  where started_at between ?1 and ?2 or ended_at between ?1 and ?2";
    connection.execute(INTERRUPTIONS, params![times.start(), times.end(), by_ms])?;
    const UNSENT: &str = "update unsent set started_at = started_at + ?3, ended_at = ended_at + ?3
                           where started_at between ?1 and ?2 or ended_at between ?1 and ?2";
    connection.execute(UNSENT, params![times.start(), times.end(), by_ms])?;
    const NOTICES: &str = "update notice set made_at = made_at + ?3 where told_at is null and made_at between ?1 and ?2";
    connection.execute(NOTICES, params![times.start(), times.end(), by_ms])?;
    Ok(rows.len())
}

/// Moves back what an earlier step had moved, if this step undoes it.
fn undo(connection: &Connection, step: &ClockStep) -> rusqlite::Result<usize> {
    const EARLIER: &str =
        "select step_ms from clock_step where moved > 0 and at > ?1 order by id desc limit 1";
    const MARKED: &str = "select host_id, checked_at from check_note where checked_at between ?1 and ?2 and reason like '%' || ?3 || '%'";
    const UNMARK: &str = "update check_note set reason = nullif(replace(replace(reason, '; ' || ?3, ''), ?3, ''), '')
                           where host_id = ?1 and checked_at = ?2";
    const TIDY: &str = "delete from check_note where host_id = ?1 and checked_at = ?2 and reason is null and late = 0
                           and duplicates = 0 and foreigners = 0";
    let since = step
        .now
        .0
        .saturating_sub(UNDO_MS)
        .saturating_sub(step.step_ms);
    let earlier: Option<i64> = connection
        .query_row(EARLIER, [since], |row| row.get(0))
        .optional()?;
    let Some(earlier) = earlier
        .filter(|earlier| *earlier < 0 && (earlier + step.step_ms).unsigned_abs() <= SAME_STEP_MS)
    else {
        return Ok(0);
    };
    let mark = format!("{MARK}{} s", earlier / 1000);
    let rows: Vec<(HostId, i64)> = connection
        .prepare(MARKED)?
        .query_map(params![since, step.now.0, mark], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })?
        .collect::<rusqlite::Result<_>>()?;
    for (host_id, at) in &rows {
        connection
            .prepare_cached(UNMARK)?
            .execute(params![host_id, at, mark])?;
        let to = move_check(connection, *host_id, *at, at - earlier)?;
        connection
            .prepare_cached(TIDY)?
            .execute(params![host_id, to])?;
    }
    Ok(rows.len())
}

fn each_moved(
    connection: &Connection,
    table: &str,
    times: &RangeInclusive<i64>,
) -> rusqlite::Result<Vec<(HostId, i64)>> {
    let rows =
        format!("select host_id, checked_at from {table} where checked_at between ?1 and ?2");
    connection
        .prepare(&rows)?
        .query_map([times.start(), times.end()], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })?
        .collect()
}

/// Returns the new time: a later millisecond if another check has it.
fn move_check(
    connection: &Connection,
    host_id: HostId,
    from: i64,
    to: i64,
) -> rusqlite::Result<i64> {
    const MOVE: &str =
        "update or ignore check_result set checked_at = ?3 where host_id = ?1 and checked_at = ?2";
    const MOVE_NOTE: &str =
        "update or replace check_note set checked_at = ?3 where host_id = ?1 and checked_at = ?2";
    let first = to.clamp(0, LATEST_MS);
    let mut to = first;
    while connection
        .prepare_cached(MOVE)?
        .execute(params![host_id, from, to])?
        == 0
    {
        to = next_millisecond(first, to)?;
    }
    connection
        .prepare_cached(MOVE_NOTE)?
        .execute(params![host_id, from, to])?;
    mark_both(connection, host_id, from, to)?;
    Ok(to)
}

fn mark_both(connection: &Connection, host_id: HostId, from: i64, to: i64) -> rusqlite::Result<()> {
    mark_stale(connection, host_id, UtcMillis(from).hour())?;
    mark_stale(connection, host_id, UtcMillis(to).hour())
}

/// Moves the times of events that lie in the range; durations follow.
fn move_events(
    connection: &Connection,
    times: &RangeInclusive<i64>,
    by_ms: i64,
) -> rusqlite::Result<()> {
    let (from, to) = (
        UtcMillis(*times.start()).sql_text(),
        UtcMillis(*times.end()).sql_text(),
    );
    for column in ["start_time", "end_time", "earliest_start", "answered_since"] {
        let sql = format!(
            "update outage_events set {column} = strftime('%Y-%m-%d %H:%M:%f', {column}, ?3) where {column} between ?1 and ?2"
        );
        connection.execute(&sql, params![from, to, seconds(by_ms)])?;
    }
    const SETTLE: &str = "update outage_events set end_time = max(end_time, start_time),
            duration_seconds = cast((julianday(max(end_time, start_time)) - julianday(start_time)) * 86400 + 0.001 as integer)
          where end_time is not null and (end_time < start_time or end_time >= ?1)";
    let first = UtcMillis((*times.start()).min(*times.start() + by_ms).max(0)).sql_text();
    connection.execute(SETTLE, [first])?;
    connection
        .execute(
            "update outage_events set earliest_start = null where earliest_start > start_time",
            [],
        )
        .map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_a_step_back_future_times_are_wrong_and_so_is_a_run_that_began_in_1970() {
        let at = |seconds: i64| UtcMillis(1_700_000_000_000 + seconds * 1000);
        let back = ClockStep {
            now: at(0),
            step_ms: -3_600_000,
        };
        assert_eq!(back.wrong_times(at(-9)), Some(at(0).0 + 1..=at(3600).0));
        let forward = ClockStep {
            now: at(3600),
            step_ms: 3_600_000,
        };
        assert_eq!(
            forward.wrong_times(at(-9)),
            None,
            "nothing was measured in the skipped hour"
        );
        let corrected = ClockStep {
            now: at(0),
            step_ms: at(0).0 - 90_000,
        };
        assert_eq!(corrected.wrong_times(UtcMillis(7)), Some(7..=90_000));
    }

    #[test]
    fn a_clock_that_jumps_ahead_is_trusted_after_a_day_despite_restarts() {
        let day = 86_400_000;
        let delay = |runs: &[(i64, i64)], now| {
            let runs: Vec<_> = runs
                .iter()
                .map(|(start, alive)| (UtcMillis(start * day), UtcMillis(alive * day)))
                .collect();
            pruning_delay(&runs, UtcMillis(now * day))
        };
        assert_eq!(delay(&[], 20_000), None);
        assert_eq!(delay(&[(20_000, 20_001)], 20_030), None);
        assert_eq!(delay(&[(20_000, 20_001)], 47_000), Some(TRUST_AFTER));
        assert_eq!(
            delay(&[(20_000, 20_001), (47_000, 47_000)], 47_000),
            Some(TRUST_AFTER),
            "a restart proves nothing"
        );
        assert_eq!(
            delay(&[(20_000, 20_001), (47_000, 47_001)], 47_001),
            None,
            "a day does"
        );
        assert_eq!(
            delay(&[(20_000, 20_001), (47_000, 47_000)], 20_002),
            None,
            "the clock is right again"
        );
        // A machine without a battery-backed clock: every start is in 1970, until the time service
        // has answered.
        assert_eq!(delay(&[(0, 0)], 20_000), Some(TRUST_AFTER));
        assert_eq!(delay(&[(0, 0), (20_000, 20_001), (0, 0)], 20_001), None);
    }
}
