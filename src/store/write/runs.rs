//! The rows of the monitor's runs. Runs since the machine was booted have one clock: a step is also
//! noticed if it was between two of them, and corrects each that was dated by the clock of before.

use rusqlite::{Connection, params};

use super::clock::{note, redate};
use crate::clock::Clock;
use crate::pure::run_clock::{ClockBefore, ClockStep, MIN_STEP_MS, RunClock, Why};
use crate::pure::time::UtcMillis;
use crate::store::columns::{ReadRows, length_ms, text};

/// Wall clock minus the time since boot, in milliseconds: only a step changes it, while time services
/// adjust the clock by less.
fn clock_offset(clock: &dyn Clock, wall: UtcMillis) -> i64 {
    wall.0
        .saturating_sub(clock.clocks().boottime_ns / 1_000_000)
}

/// Returns the id of the new run, which began when the wall clock showed `started`; it shows `now`.
pub fn insert(
    connection: &Connection,
    clock: &dyn Clock,
    run_clock: &RunClock,
    started: UtcMillis,
    now: UtcMillis,
) -> rusqlite::Result<i64> {
    const BEGIN: &str =
        "insert into monitor_run(started_at, alive_at, version, boot_id) values(?1, ?1, ?2, ?3)";
    let (started, dated) = (run_clock.dated(started), run_clock.dated(now));
    connection.execute(
        BEGIN,
        params![started.0, env!("CARGO_PKG_VERSION"), clock.boot_id()],
    )?;
    let id = connection.last_insert_rowid();
    note_alive(connection, clock, id, run_clock, dated, false)?;
    Ok(id)
}

/// `now` is the present as it is recorded.
pub fn note_alive(
    connection: &Connection,
    clock: &dyn Clock,
    id: i64,
    run_clock: &RunClock,
    now: UtcMillis,
    is_stopped: bool,
) -> rusqlite::Result<()> {
    // A clock that was set back does not shorten the run.
    const ALIVE: &str =
        "update monitor_run set alive_at = max(cast(alive_at as integer), ?1), stopped_at = ?2, behind_ms = ?4,
                                doubt = ?5, clock_offset_ms = ?6 where id = ?3";
    let behind_ms = run_clock.behind_ms();
    let values = params![
        now.0,
        is_stopped.then_some(now.0),
        id,
        behind_ms,
        run_clock.doubt().map(Why::as_str),
        clock_offset(clock, now.plus(-behind_ms))
    ];
    connection
        .prepare_cached(ALIVE)?
        .execute(values)
        .map(|_| ())
}

/// Before a run begins: notices a step forward since the last run.
pub fn correct_before(
    connection: &Connection,
    clock: &dyn Clock,
    now: UtcMillis,
) -> rusqlite::Result<()> {
    const LAST: &str =
        "select id, clock_offset_ms from monitor_run where id = (select max(id) from monitor_run)
                           and boot_id = ?1 and clock_offset_ms is not null";
    let last: Option<(i64, Option<i64>)> = connection
        .prepare_cached(LAST)?
        .read_first([clock.boot_id()], |row| {
            Ok((row.get(0)?, length_ms(row, 1)))
        })?;
    let Some((id, Some(offset_ms))) = last else {
        return Ok(());
    };
    let step = ClockStep {
        now,
        step_ms: clock_offset(clock, now).saturating_sub(offset_ms),
    };
    if step.step_ms >= MIN_STEP_MS && !correct_earlier(connection, clock, &step, offset_ms, None)? {
        note(connection, &step, Some(id), 0, None)?;
    }
    Ok(())
}

/// What the last run made of the clock, if the machine has not booted since.
pub fn clock_before(
    connection: &Connection,
    clock: &dyn Clock,
    now: UtcMillis,
) -> rusqlite::Result<Option<ClockBefore>> {
    const LAST: &str = "select clock_offset_ms, behind_ms, doubt from monitor_run
                         where id = (select max(id) from monitor_run) and boot_id = ?1";
    type Last = (Option<i64>, i64, Option<String>);
    let last: Option<Last> =
        connection
            .prepare_cached(LAST)?
            .read_first([clock.boot_id()], |row| {
                let behind_ms = length_ms(row, 1).unwrap_or(0);
                Ok((length_ms(row, 0), behind_ms, text(row, 2)?))
            })?;
    let Some((Some(offset_ms), behind_ms, doubt)) = last else {
        return Ok(None);
    };
    let step_ms = clock_offset(clock, now).saturating_sub(offset_ms);
    let is_step = step_ms.saturating_abs() >= MIN_STEP_MS;
    Ok(Some(ClockBefore {
        behind_ms,
        doubt: doubt.as_deref().and_then(Why::of),
        step_ms: if is_step { step_ms } else { 0 },
    }))
}

/// After a step forward has corrected a run: corrects the runs before it that its clock dated too.
pub fn correct_others(
    connection: &Connection,
    clock: &dyn Clock,
    step: &ClockStep,
    run: i64,
) -> rusqlite::Result<()> {
    const OFFSET: &str = "select clock_offset_ms from monitor_run where id = ?1";
    let offset = connection
        .prepare_cached(OFFSET)?
        .read_first([run], |row| Ok(length_ms(row, 0)))?;
    match offset.flatten() {
        Some(offset_ms) => {
            correct_earlier(connection, clock, step, offset_ms, Some(run)).map(|_| ())
        }
        None => Ok(()),
    }
}

/// Moves the doubted runs since boot that had this clock; returns whether there are any.
fn correct_earlier(
    connection: &Connection,
    clock: &dyn Clock,
    step: &ClockStep,
    offset_ms: i64,
    present: Option<i64>,
) -> rusqlite::Result<bool> {
    const DOUBTED: &str = "select id, started_at, max(alive_at, coalesce(stopped_at, 0)), behind_ms, doubt from monitor_run
        where boot_id = ?1 and doubt is not null and clock_offset_ms > ?2 - ?3 and clock_offset_ms < ?2 + ?3 and id is not ?4
        order by id desc";
    const SETTLE: &str =
        "update monitor_run set behind_ms = ?2, doubt = case when ?2 > 0 then doubt end,
                                 clock_offset_ms = clock_offset_ms + ?3 where id = ?1";
    type Doubted = (i64, UtcMillis, UtcMillis, i64, Option<String>);
    let runs: Vec<Doubted> = connection.prepare(DOUBTED)?.read_all(
        params![clock.boot_id(), offset_ms, MIN_STEP_MS, present],
        |row| {
            let behind_ms = length_ms(row, 3).unwrap_or(0);
            Ok((
                row.get(0)?,
                row.get(1)?,
                row.get(2)?,
                behind_ms,
                text(row, 4)?,
            ))
        },
    )?;
    for (id, started, until, behind_ms, doubt) in &runs {
        let still_behind = behind_ms.saturating_sub(step.step_ms).max(0);
        let why = doubt
            .as_deref()
            .and_then(Why::of)
            .unwrap_or(Why::Unsynchronised);
        if still_behind == 0 {
            let by_ms = step.step_ms.saturating_sub(*behind_ms);
            let moved = redate(connection, &(started.0..=until.0), by_ms)?;
            note(connection, step, Some(*id), moved, Some(why))?;
        }
        connection.execute(SETTLE, params![id, still_behind, step.step_ms])?;
    }
    Ok(!runs.is_empty())
}
