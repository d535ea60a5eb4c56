//! Corrects the times of rows that were recorded while the wall clock was wrong, as
//! pure/run_clock.rs decides: everything that this run recorded moves together, checks and events,
//! notices and gaps. What an earlier run recorded stays, unless that run had set its clock ahead.

use super::ledger;
use crate::pure::model::{HostId, Interruption, InterruptionKind};
use crate::pure::phrase;
use crate::pure::run_clock::{ClockStep, Correction, SAME_STEP_MS, Why};
use crate::pure::time::{LATEST_MS, UtcMillis, parse_instant};
use crate::store::columns::instant_of;
use crate::store::rollup::due::mark_stale;
use crate::store::rows::next_millisecond;
use rusqlite::{Connection, OptionalExtension, Row, params};
use serde_json::Value;
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

/// Later times than 2100-01-01 were not measured: only a damaged or foreign row has them.
const NEVER_MEASURED: UtcMillis = UtcMillis(4_102_444_800_000);

/// The newest instant at which something was measured or a monitor ran.
pub fn newest_on_record(connection: &Connection) -> rusqlite::Result<Option<UtcMillis>> {
    const NEWEST: &str = "select max(at) from (
        select (select max(checked_at) from check_result where host_id = h.id and checked_at < ?1) as at from host h
        union all
        select (select max(checked_at) from not_measured_check where host_id = h.id and checked_at < ?1) from host h
        union all
        select max(max(alive_at, coalesce(stopped_at, 0))) from monitor_run where max(alive_at, coalesce(stopped_at, 0)) < ?1)";
    connection
        .query_row(NEWEST, [NEVER_MEASURED.0], |row| row.get(0))
        .map(|newest: Option<i64>| newest.map(UtcMillis))
}

/// Corrects the record as a step requires, and notes the step; returns the number of moved checks.
/// Inside the caller's transaction.
pub fn apply(
    connection: &Connection,
    step: &ClockStep,
    correction: &Correction,
    run: Option<i64>,
) -> rusqlite::Result<usize> {
    if step.step_ms < 0 {
        take_back_lead(connection, step.now, run)?;
    }
    let (moved, why) = match correction {
        Correction::Nothing => (0, Some(Why::Behind)),
        Correction::Redate { times, by_ms, why } => {
            let moved = redate(connection, times, *by_ms, *why)?;
            (moved, Some(*why))
        }
        Correction::Skip { from } => (skip_time(connection, step, *from, run)?, None),
        Correction::Restore { since, step_ms } => {
            let rest = since.0 + 1..=step.before().0;
            let moved = restore(connection, *since, *step_ms)?
                + redate(connection, &rest, step.step_ms, Why::Undone(*step_ms))?;
            (moved, Some(Why::Undone(*step_ms)))
        }
    };
    note(connection, step, run, moved, why)?;
    Ok(moved)
}

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

/// An earlier run may have ended while its clock was set ahead, and left rows in the future: they
/// move back if the step that set it ahead explains how far the record is ahead of the clock, which
/// shows `now`. `run` is the present run, whose rows stay. Returns how many checks.
pub fn take_back_lead(
    connection: &Connection,
    now: UtcMillis,
    run: Option<i64>,
) -> rusqlite::Result<usize> {
    const LAST_STEP: &str = "select c.at, c.step_ms, c.why, r.started_at from clock_step c left join monitor_run r on r.id = c.run_id
                              where c.run_id is not ?1 order by c.id desc limit 1";
    const STARTED: &str = "select started_at from monitor_run where id = ?1";
    let read = |row: &Row<'_>| {
        let (at, step_ms): (i64, i64) = (row.get(0)?, row.get(1)?);
        let (why, started): (Option<String>, Option<i64>) = (row.get(2)?, row.get(3)?);
        Ok((at, step_ms, why, started))
    };
    let last = connection.query_row(LAST_STEP, [run], read).optional()?;
    let newest = newest_on_record(connection)?.unwrap_or(now);
    let own: Option<i64> = connection
        .query_row(STARTED, [run], |row| row.get(0))
        .optional()?;
    let Some((at, step_ms, why, started)) = last else {
        return Ok(0);
    };
    let is_whole = why.as_deref() == Some(Why::Unsynchronised.as_str());
    let explains =
        newest.0.saturating_sub(now.0) <= step_ms.saturating_add(SAME_STEP_MS.cast_signed());
    if step_ms <= 0 || at <= now.0 || !explains || !(is_whole || why.is_none()) {
        return Ok(0);
    }
    let from = started.filter(|_| is_whole).unwrap_or(now.0 + 1);
    let until = own.map_or(newest.0, |started| started - 1);
    let back = ClockStep {
        now,
        step_ms: -step_ms,
    };
    let moved = redate(connection, &(from..=until), -step_ms, Why::SetBack)?;
    note(connection, &back, None, moved, Some(Why::SetBack))?;
    Ok(moved)
}

/// A clock that was set forward: the time between did not exist. Ongoing outages of this run began
/// that much later, and what was measured since then moves with them, so that the gap holds nothing
/// that was measured.
fn skip_time(
    connection: &Connection,
    step: &ClockStep,
    before: UtcMillis,
    run: Option<i64>,
) -> rusqlite::Result<usize> {
    const OLDEST: &str = "select min(start_time) from outage_events where end_time is null and start_time between ?1 and ?2";
    const STARTED: &str = "select max(started_at) from monitor_run where id = ?1";
    let started: Option<i64> = connection.query_row(STARTED, [run], |row| row.get(0))?;
    let started = UtcMillis(started.unwrap_or(before.0).clamp(0, LATEST_MS));
    let oldest: Option<String> = connection.query_row(
        OLDEST,
        params![started.sql_text(), before.sql_text()],
        |row| row.get(0),
    )?;
    let oldest = oldest.as_deref().and_then(instant_of);
    let moved = match oldest {
        Some(oldest) => redate(
            connection,
            &(oldest.0..=before.0),
            step.step_ms,
            Why::Behind,
        )?,
        None => 0,
    };
    let from = oldest.unwrap_or(before);
    let interruption = Interruption {
        kind: InterruptionKind::ClockSet,
        from,
        to: from.plus(step.step_ms),
    };
    ledger::record(connection, &interruption)?;
    Ok(moved)
}

/// A modifier of SQLite's date functions.
fn seconds(by_ms: i64) -> String {
    format!("{:+}.{:03} seconds", by_ms / 1000, (by_ms % 1000).abs())
}

/// Marks the reason of a moved check; the step follows.
const MARK: &str = "dated anew: the clock was set by ";

/// Moves all rows with times in a range. Checks that move because the clock was set back are marked,
/// so that a step that takes it back finds them.
pub fn redate(
    connection: &Connection,
    times: &RangeInclusive<i64>,
    by_ms: i64,
    why: Why,
) -> rusqlite::Result<usize> {
    if by_ms == 0 {
        return Ok(0);
    }
    let mark = format!("{MARK}{} s", by_ms / 1000);
    let rows = each_moved(connection, "check_result", times, by_ms)?;
    for (host_id, at) in &rows {
        let to = move_check(connection, *host_id, *at, at.saturating_add(by_ms))?;
        const REMARK: &str =
            "insert into check_note(host_id, checked_at, late, duplicates, foreigners, reason) values(?1, ?2, 0, 0, 0, ?3)
                              on conflict do update set reason = coalesce(reason || '; ', '') || ?3";
        match why {
            Why::SetBack => {
                connection
                    .prepare_cached(REMARK)?
                    .execute(params![host_id, to, mark])?;
            }
            Why::Undone(earlier_ms) => unmark(connection, *host_id, to, earlier_ms)?,
            Why::Behind | Why::Unsynchronised => {}
        }
    }
    for (host_id, at) in each_moved(connection, "not_measured_check", times, by_ms)? {
        const MOVE: &str = "update or replace not_measured_check set checked_at = ?3 where host_id = ?1 and checked_at = ?2";
        let to = at.saturating_add(by_ms).clamp(0, LATEST_MS);
        connection
            .prepare_cached(MOVE)?
            .execute(params![host_id, at, to])?;
        mark_both(connection, host_id, at, to)?;
    }
    move_events(connection, times, by_ms)?;
    if by_ms < 0 {
        // The clock was set back over the skipped time, which therefore was not skipped.
        const SKIPPED: &str =
            "delete from interruption where kind = ?3 and ended_at between ?1 and ?2";
        let clock = InterruptionKind::ClockSet.as_str();
        connection.execute(SKIPPED, params![times.start(), times.end(), clock])?;
    }
    const OTHERS: [&str; 9] = [
        "update interruption set started_at = started_at + ?3, ended_at = ended_at + ?3
          where started_at between ?1 and ?2 or ended_at between ?1 and ?2",
        "update unsent set started_at = started_at + ?3, ended_at = ended_at + ?3
          where started_at between ?1 and ?2 or ended_at between ?1 and ?2",
        "update notice set made_at = made_at + ?3 where told_at is null and made_at between ?1 and ?2",
        "update doubt set noted_at = noted_at + ?3, replied_at = replied_at + case when replied_at >= ?1 then ?3 else 0 end
          where noted_at between ?1 and ?2",
        "update doubt set silent_since = silent_since + ?3 where silent_since between ?1 and ?2",
        "update or replace host_interval set since = since + ?3 where since between ?1 and ?2",
        "update monitor_run set started_at = max(started_at + ?3, 0) where started_at between ?1 and ?2",
        "update monitor_run set alive_at = max(alive_at + ?3, 0) where alive_at between ?1 and ?2",
        "update monitor_run set stopped_at = max(stopped_at + ?3, 0) where stopped_at between ?1 and ?2",
    ];
    for sql in OTHERS {
        connection.execute(sql, params![times.start(), times.end(), by_ms])?;
    }
    Ok(rows.len())
}

/// Removes the mark of a check that an earlier step had moved.
fn unmark(
    connection: &Connection,
    host_id: HostId,
    at: i64,
    earlier_ms: i64,
) -> rusqlite::Result<()> {
    const UNMARK: &str = "update check_note set reason = nullif(replace(replace(reason, '; ' || ?3, ''), ?3, ''), '')
                           where host_id = ?1 and checked_at = ?2";
    const TIDY: &str = "delete from check_note where host_id = ?1 and checked_at = ?2 and reason is null and late = 0
                           and duplicates = 0 and foreigners = 0";
    let mark = format!("{MARK}{} s", earlier_ms / 1000);
    connection
        .prepare_cached(UNMARK)?
        .execute(params![host_id, at, mark])?;
    connection
        .prepare_cached(TIDY)?
        .execute(params![host_id, at])
        .map(|_| ())
}

/// Moves back what an earlier step of this run, which set the clock back to `since`, had moved.
fn restore(connection: &Connection, since: UtcMillis, earlier_ms: i64) -> rusqlite::Result<usize> {
    const MARKED: &str = "select host_id, checked_at from check_note where checked_at between ?1 and ?2 and reason like '%' || ?3 || '%'
                           order by checked_at desc";
    let mark = format!("{MARK}{} s", earlier_ms / 1000);
    let first = since.0.saturating_add(earlier_ms);
    let rows: Vec<(HostId, i64)> = connection
        .prepare(MARKED)?
        .query_map(params![first, since.0, mark], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })?
        .collect::<rusqlite::Result<_>>()?;
    for (host_id, at) in &rows {
        let to = move_check(connection, *host_id, *at, at.saturating_sub(earlier_ms))?;
        unmark(connection, *host_id, to, earlier_ms)?;
    }
    Ok(rows.len())
}

fn each_moved(
    connection: &Connection,
    table: &str,
    times: &RangeInclusive<i64>,
    by_ms: i64,
) -> rusqlite::Result<Vec<(HostId, i64)>> {
    // The ones in front first, so that none moves to the time of another that has yet to move.
    let order = if by_ms > 0 { "desc" } else { "asc" };
    let rows = format!(
        "select host_id, checked_at from {table} where host_id in (select id from host)
            and checked_at between ?1 and ?2 order by host_id, checked_at {order}"
    );
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
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<rusqlite::Result<_>>()?;
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
            "update outage_events set {column} = strftime('%Y-%m-%d %H:%M:%f', {column}, ?3) where {column} between ?1 and ?2"
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
