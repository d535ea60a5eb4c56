//! Corrects the times of rows that were recorded while the wall clock was wrong, as
//! pure/run_clock/ decides: everything that this run recorded moves together, checks and events,
//! notices and gaps. What an earlier run recorded stays, unless that run had set its clock ahead.

use super::ledger;
use crate::clock::Clock;
use crate::pure::model::{HostId, Interruption, InterruptionKind};
use crate::pure::run_clock::{ClockStep, Correction, MAX_DRIFT_MS, MIN_STEP_MS, Why, max_drift_ms};
use crate::pure::time::{LATEST_MS, UtcMillis, parse_instant};
use crate::store::columns::{ReadRows, instant_of, length_ms, text, value};
use crate::store::rollup::due::mark_stale;
use crate::store::rows::{host_ids, next_millisecond};
use rusqlite::{Connection, params};
use serde_json::Value;
use std::ops::RangeInclusive;
use std::time::Duration;

/// Later times than 2100-01-01 were not measured: only a damaged or foreign row has them.
pub const NEVER_MEASURED: UtcMillis = UtcMillis(4_102_444_800_000);

/// The newest instant at which something was measured or a monitor ran, before `end`.
pub fn newest_on_record(
    connection: &Connection,
    end: Option<UtcMillis>,
) -> rusqlite::Result<Option<UtcMillis>> {
    const NEWEST: &str = "select max(at) from (
        select (select max(checked_at) from check_result where host_id = h.id and checked_at < ?1) as at from host h
        union all
        select (select max(checked_at) from not_measured_check where host_id = h.id and checked_at < ?1) from host h
        union all
        select max(max(alive_at, coalesce(stopped_at, 0))) from monitor_run where max(alive_at, coalesce(stopped_at, 0)) < ?1)";
    let end = end.unwrap_or(NEVER_MEASURED).min(NEVER_MEASURED);
    connection
        .prepare_cached(NEWEST)?
        .read_first([end.0], |row| Ok(value(row, 0)))
        .map(Option::flatten)
}

/// Corrects the record as a step requires, and notes the step; returns the number of moved checks.
/// Inside the caller's transaction.
pub fn apply(
    connection: &Connection,
    step: &ClockStep,
    corrections: &[Correction],
    run: Option<i64>,
) -> rusqlite::Result<usize> {
    let mut moved = 0;
    // A clock that was set back and is not believed yet is behind what is recorded.
    let mut why = Some(Why::Behind);
    for correction in corrections {
        match correction {
            Correction::Redate {
                times,
                by_ms,
                why: reason,
            } => {
                moved += redate(connection, times, *by_ms)?;
                why = Some(*reason);
            }
            Correction::TakeBack {
                from,
                skipped_ms,
                by_ms,
                until,
            } => {
                moved += take_back_skipped(connection, *from, *skipped_ms, *by_ms, *until)?;
                why = Some(Why::Undone);
            }
            Correction::Skip { from, by_ms } => {
                moved += skip_time(connection, *from, *by_ms, run)?;
                why = None;
            }
            Correction::Confirm => return confirm(connection, run).map(|()| 0),
        }
    }
    note(connection, step, run, moved, why)?;
    Ok(moved)
}

/// Notes that a time service has confirmed the clock after the steps of a run, so that
/// [`take_back_lead`] leaves them.
fn confirm(connection: &Connection, run: Option<i64>) -> rusqlite::Result<()> {
    const CONFIRM: &str = "update clock_step set why = ?2
                            where run_id = ?1 and (why is null or why = ?3)";
    let unsynchronised = Why::Unsynchronised.as_str();
    connection
        .execute(CONFIRM, params![run, CONFIRMED, unsynchronised])
        .map(|_| ())
}

/// In place of why, in the row of a step that a time service has confirmed.
const CONFIRMED: &str = "confirmed";

pub fn note(
    connection: &Connection,
    step: &ClockStep,
    run: Option<i64>,
    moved: usize,
    why: Option<Why>,
) -> rusqlite::Result<()> {
    const NOTE: &str =
        "insert into clock_step(at, step_ms, moved, run_id, why) values(?1, ?2, ?3, ?4, ?5)";
    let moved = i64::try_from(moved).unwrap_or(i64::MAX);
    let why = why.map(Why::as_str);
    connection
        .execute(NOTE, params![step.now.0, step.step_ms, moved, run, why])
        .map(|_| ())
}

/// A step by which an earlier run's clock was set ahead, and which the record still has.
struct Step {
    /// The time after it.
    at: UtcMillis,
    step_ms: i64,
    is_of_whole_run: bool,
    /// When the run began.
    started: UtcMillis,
    /// Whether the machine has not booted since, and the present run's clock shows what it did when the
    /// run began.
    is_of_same_clock: bool,
}

/// An earlier run may have ended while its clock was set ahead, and left rows that are dated too late:
/// they move back if the clock, which shows `now`, was now set back by as much as the steps that set it
/// ahead, `back_ms`, within the same boot, or else if these explain how far the record is ahead of the
/// clock; and if no time service has confirmed them. `run` is the present run, whose rows stay. Returns
/// how many checks.
pub fn take_back_lead(
    connection: &Connection,
    clock: &dyn Clock,
    now: UtcMillis,
    back_ms: Option<i64>,
    run: Option<i64>,
) -> rusqlite::Result<usize> {
    const STARTED: &str = "select started_at from monitor_run where id = ?1";
    let own: Option<UtcMillis> = connection
        .prepare_cached(STARTED)?
        .read_first([run], |row| row.get(0))?;
    let newest = newest_on_record(connection, own)?.unwrap_or(now);
    let mut until = newest;
    let mut moved = 0;
    let steps = last_steps(connection, clock, run)?;
    let taken_back = back_ms.map_or(&[][..], |back_ms| steps_taken_back(&steps, now, back_ms));
    let ahead = if taken_back.is_empty() {
        steps_ahead(&steps, now, newest)
    } else {
        taken_back
    };
    for step in ahead {
        moved += if step.is_of_whole_run {
            redate(connection, &(step.started.0..=until.0), -step.step_ms)?
        } else {
            let from = step.at.plus(-step.step_ms);
            take_back_skipped(connection, from, step.step_ms, -step.step_ms, until)?
        };
        let back = ClockStep {
            now,
            step_ms: -step.step_ms,
        };
        note(connection, &back, None, moved, Some(Why::SetBack))?;
        until = until.plus(-step.step_ms);
    }
    Ok(moved)
}

/// The steps ahead of the last run that saw some, apart from the present one, that no time service has
/// confirmed, the last one first: the times that the record skips, and by how much the whole run was moved,
/// which is by how much its clock was set until then.
fn last_steps(
    connection: &Connection,
    clock: &dyn Clock,
    run: Option<i64>,
) -> rusqlite::Result<Vec<Step>> {
    const STEPS: &str = "with last as (
          select r.id, cast(r.started_at as integer) as started_at,
                 r.boot_id is ?7 and r.boot_id is not null
                 and (select total(step_ms) from clock_step where run_id = ?1) between 1 - ?6 and ?6 - 1 as is_of_same_clock
            from clock_step c join monitor_run r on r.id = c.run_id where c.run_id is not ?1 order by c.id desc limit 1)
        select cast(i.ended_at as integer), i.ended_at - i.started_at, 0, l.started_at, l.is_of_same_clock
          from last l join interruption i on i.kind = ?2 and i.ended_at > i.started_at and i.started_at >= l.started_at
                      and i.started_at >= (select coalesce(max(at), 0) from clock_step where run_id = l.id and why = ?3)
                      and i.started_at < (select coalesce(min(started_at), ?5) from monitor_run where id = ?1)
        union all
        select cast(c.at as integer), (select cast(total(step_ms) as integer) from clock_step where run_id = l.id and id <= c.id), 1, l.started_at, l.is_of_same_clock
          from last l join clock_step c on c.run_id = l.id and c.why = ?4 and c.step_ms > 0
        order by 3, 1 desc limit 16";
    let kind = InterruptionKind::ClockSet.as_str();
    let values = params![
        run,
        kind,
        CONFIRMED,
        Why::Unsynchronised.as_str(),
        LATEST_MS,
        MIN_STEP_MS,
        clock.boot_id()
    ];
    connection.prepare(STEPS)?.read_all(values, |row| {
        Ok(Step {
            at: row.get(0)?,
            step_ms: length_ms(row, 1).unwrap_or(0),
            is_of_whole_run: row.get(2)?,
            started: row.get(3)?,
            is_of_same_clock: row.get(4)?,
        })
    })
}

/// The last steps that together explain why `newest` is later than `now`; none if they do not.
fn steps_ahead(steps: &[Step], now: UtcMillis, newest: UtcMillis) -> &[Step] {
    let mut left_ms = newest.0.saturating_sub(now.0);
    let possible = |step: &&Step| step.at > now;
    for (index, step) in steps.iter().take_while(possible).enumerate() {
        left_ms = left_ms.saturating_sub(step.step_ms);
        if left_ms <= MAX_DRIFT_MS {
            return steps.get(..=index).unwrap_or_default();
        }
    }
    &[]
}

/// The last steps that the clock, which shows `now`, is set back by together: those that fit best;
/// none if none do.
fn steps_taken_back(steps: &[Step], now: UtcMillis, back_ms: i64) -> &[Step] {
    let mut left_ms = back_ms;
    let (mut best, mut count) = (i64::MAX, 0);
    let possible = |step: &&Step| step.is_of_same_clock;
    for (index, step) in steps.iter().take_while(possible).enumerate() {
        left_ms = left_ms.saturating_sub(step.step_ms);
        let rest_ms = left_ms.saturating_abs();
        let wrong_for_ms = now.plus(back_ms).0.saturating_sub(step.at.0);
        let wrong_for = Duration::from_millis(u64::try_from(wrong_for_ms).unwrap_or(0));
        if rest_ms <= max_drift_ms(wrong_for) && rest_ms < best {
            (best, count) = (rest_ms, index + 1);
        }
    }
    steps.get(..count).unwrap_or_default()
}

/// The clock had skipped `skipped_ms` at `from`, and `by_ms` of that, which is negative, is taken
/// back: the gap ends that much earlier, or does not exist, and what was recorded after it moves.
fn take_back_skipped(
    connection: &Connection,
    from: UtcMillis,
    skipped_ms: i64,
    by_ms: i64,
    until: UtcMillis,
) -> rusqlite::Result<usize> {
    // Where an outage was ongoing, it begins before `from`.
    const GAP: &str = "select id, started_at from interruption
                        where kind = ?1 and started_at <= ?2 and ended_at - started_at = ?3 order by started_at desc limit 1";
    const REMOVE: &str = "delete from interruption where id = ?1";
    const SHORTEN: &str = "update interruption set started_at = ?2, ended_at = ?3 where id = ?1";
    let clock = InterruptionKind::ClockSet.as_str();
    let gap: Option<(i64, i64)> = connection
        .prepare(GAP)?
        .read_first(params![clock, from.0, skipped_ms], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })?;
    // What was recorded within the gap moves too: by the new clock, a check that began before it was
    // noticed that the clock was set.
    let began = gap.map_or(from.0, |(_, started)| started);
    let moved = redate(connection, &(began.saturating_add(1)..=until.0), by_ms)?;
    if let Some((id, _)) = gap {
        let left_ms = skipped_ms.saturating_add(by_ms);
        if left_ms <= 0 {
            connection.execute(REMOVE, [id])?;
        } else {
            // It has moved whole, since its end did.
            connection.execute(SHORTEN, params![id, began, began.saturating_add(left_ms)])?;
        }
    }
    Ok(moved)
}

/// A clock that was set forward: the time between did not exist. Ongoing outages of this run began
/// that much later, and what was measured since then moves with them, so that the gap holds nothing
/// that was measured.
fn skip_time(
    connection: &Connection,
    before: UtcMillis,
    by_ms: i64,
    run: Option<i64>,
) -> rusqlite::Result<usize> {
    const OLDEST: &str = "select min(start_time) from outage_events where end_time is null and start_time between ?1 and ?2";
    const STARTED: &str = "select max(started_at) from monitor_run where id = ?1";
    let started: Option<UtcMillis> = connection
        .prepare_cached(STARTED)?
        .read_first([run], |row| Ok(value(row, 0)))?
        .flatten();
    let started = UtcMillis(started.unwrap_or(before).0.clamp(0, LATEST_MS));
    let oldest = connection
        .prepare_cached(OLDEST)?
        .read_first(params![started.sql_text(), before.sql_text()], |row| {
            text(row, 0)
        })?
        .flatten();
    let oldest = oldest.as_deref().and_then(instant_of);
    let moved = match oldest {
        Some(oldest) => redate(connection, &(oldest.0..=before.0), by_ms)?,
        None => 0,
    };
    let from = oldest.unwrap_or(before);
    let interruption = Interruption {
        kind: InterruptionKind::ClockSet,
        from,
        to: from.plus(by_ms),
    };
    ledger::record(connection, &interruption)?;
    Ok(moved)
}

/// A modifier of SQLite's date functions.
fn seconds(by_ms: i64) -> String {
    format!("{:+}.{:03} seconds", by_ms / 1000, (by_ms % 1000).abs())
}

/// Moves all rows with times in a range; returns the number of checks.
pub fn redate(
    connection: &Connection,
    times: &RangeInclusive<i64>,
    by_ms: i64,
) -> rusqlite::Result<usize> {
    if by_ms == 0 {
        return Ok(0);
    }
    let mut moved = 0;
    for host_id in host_ids(connection)? {
        let checks = each_moved(connection, "check_result", host_id, times, by_ms)?;
        for at in &checks {
            move_check(connection, host_id, *at, at.saturating_add(by_ms))?;
        }
        moved += checks.len();
        for at in each_moved(connection, "not_measured_check", host_id, times, by_ms)? {
            const MOVE: &str = "update or replace not_measured_check set checked_at = ?3 where host_id = ?1 and checked_at = ?2";
            let to = at.saturating_add(by_ms).clamp(0, LATEST_MS);
            connection
                .prepare_cached(MOVE)?
                .execute(params![host_id, at, to])?;
            mark_both(connection, host_id, at, to)?;
        }
    }
    move_events(connection, times, by_ms)?;
    const OTHERS: [&str; 10] = [
        "update interruption set started_at = started_at + ?3, ended_at = ended_at + ?3
          where started_at between ?1 and ?2 or ended_at between ?1 and ?2",
        "update unsent set started_at = started_at + ?3, ended_at = ended_at + ?3
          where started_at between ?1 and ?2 or ended_at between ?1 and ?2",
        "update notice set made_at = made_at + ?3 where told_at is null and made_at between ?1 and ?2",
        "update doubt set noted_at = noted_at + ?3, replied_at = replied_at + case when replied_at >= ?1 then ?3 else 0 end
          where noted_at between ?1 and ?2",
        "update doubt set silent_since = silent_since + ?3 where silent_since between ?1 and ?2",
        "update or replace level_changes set at = max(at + ?3, 0) where at between ?1 and ?2",
        "update or replace host_interval set since = since + ?3 where since between ?1 and ?2",
        "update monitor_run set started_at = max(started_at + ?3, 0) where started_at between ?1 and ?2",
        "update monitor_run set alive_at = max(alive_at + ?3, 0) where alive_at between ?1 and ?2",
        "update monitor_run set stopped_at = max(stopped_at + ?3, 0) where stopped_at between ?1 and ?2",
    ];
    for sql in OTHERS {
        connection.execute(sql, params![times.start(), times.end(), by_ms])?;
    }
    Ok(moved)
}

fn each_moved(
    connection: &Connection,
    table: &str,
    host_id: HostId,
    times: &RangeInclusive<i64>,
    by_ms: i64,
) -> rusqlite::Result<Vec<i64>> {
    // The ones in front first, so that none moves to the time of another that has yet to move.
    let order = if by_ms > 0 { "desc" } else { "asc" };
    let rows = format!(
        "select checked_at from {table} where host_id = ?1 and checked_at between ?2 and ?3
          order by checked_at {order}"
    );
    connection
        .prepare(&rows)?
        .read_all(params![host_id, times.start(), times.end()], |row| {
            row.get(0)
        })
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

/// Columns of JSON that has times in it.
const JSON_TIMES: [(&str, &str); 3] = [
    ("outage_events", "path"),
    ("outage_events", "facts"),
    ("notice", "facts"),
];

/// Moves the times in the JSON of a column that lie in the range.
fn move_json_times(
    connection: &Connection,
    table: &str,
    column: &str,
    times: &RangeInclusive<i64>,
    by_ms: i64,
) -> rusqlite::Result<()> {
    fn correct(value: &mut Value, times: &RangeInclusive<i64>, by_ms: i64) {
        match value {
            Value::String(text) => {
                let at =
                    parse_instant(text).filter(|at| text.ends_with('Z') && times.contains(&at.0));
                if let Some(at) = at {
                    *text = at.plus(by_ms).rfc3339();
                }
            }
            Value::Array(items) => items
                .iter_mut()
                .for_each(|item| correct(item, times, by_ms)),
            Value::Object(fields) => fields
                .values_mut()
                .for_each(|field| correct(field, times, by_ms)),
            _ => {}
        }
    }
    let found: Vec<(i64, String)> = connection
        .prepare(&format!(
            "select id, {column} from {table} where typeof({column}) = 'text'"
        ))?
        .read_all([], |row| {
            Ok((row.get(0)?, text(row, 1)?.unwrap_or_default()))
        })?;
    for (id, text) in found {
        let Ok(before) = serde_json::from_str::<Value>(&text) else {
            continue;
        };
        let mut after = before.clone();
        correct(&mut after, times, by_ms);
        if after != before {
            let sql = format!("update {table} set {column} = ?2 where id = ?1");
            connection.execute(&sql, params![id, after.to_string()])?;
        }
    }
    Ok(())
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
            "update outage_events set {column} = coalesce(strftime('%Y-%m-%d %H:%M:%f', {column}, ?3), {column})
              where {column} between ?1 and ?2"
        );
        connection.execute(&sql, params![from, to, seconds(by_ms)])?;
    }
    for (table, column) in JSON_TIMES {
        move_json_times(connection, table, column, times, by_ms)?;
    }
    // Rounded as by whole_seconds in pure/time.rs.
    const SETTLE: &str = "update outage_events set end_time = max(end_time, start_time),
            duration_seconds = (cast(round((julianday(max(end_time, start_time)) - 2440587.5) * 86400000) as integer) + 500) / 1000
                - (cast(round((julianday(start_time) - 2440587.5) * 86400000) as integer) + 500) / 1000
          where end_time is not null and (end_time < start_time or end_time >= ?1)";
    let first = UtcMillis(
        (*times.start())
            .min(times.start().saturating_add(by_ms))
            .max(0),
    )
    .sql_text();
    connection.execute(SETTLE, [first])?;
    connection
        .execute(
            "update outage_events set earliest_start = null where earliest_start > start_time",
            [],
        )
        .map(|_| ())
}
