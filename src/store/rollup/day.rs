//! The roll-up of a day (UTC): the roll-ups of its hours packed into one row, since reading a row
//! costs more than its content. Ninety days of a host are 90 rows instead of 2160. A day is always
//! the sum of its hours: when an hour is made again the day is deleted, and while an hour is stale
//! the day is not read.

use std::ops::Range;
use std::time::Instant;

use rusqlite::{Connection, Row, params};

use super::hour::{self, Detail, HourSums};
use crate::pure::model::HostId;
use crate::pure::sums::{Counts, Latencies, Sums};
use crate::pure::time::{Day, Hour};
use crate::pure::varint;
use crate::store::columns::{ReadRows, value};

/// Deletes the day of a changed hour, and marks it to be made again.
pub fn forget(connection: &Connection, host_id: HostId, hour: Hour) -> rusqlite::Result<()> {
    const FORGET: &str = "delete from rollup_day where host_id = ?1 and day = ?2";
    const MARK: &str =
        "insert into stale_rollup_day(host_id, day) values(?1, ?2) on conflict do nothing";
    let day = hour.day();
    connection
        .prepare_cached(FORGET)?
        .execute(params![host_id, day])?;
    connection
        .prepare_cached(MARK)?
        .execute(params![host_id, day])
        .map(|_| ())
}

/// Makes the marked days before that of `hour`, oldest first, until `until`.
pub fn make_due(connection: &Connection, hour: Hour, until: Instant) -> rusqlite::Result<()> {
    const DUE: &str = "select host_id, day from stale_rollup_day
        where day >= 0 and day < ?1 and typeof(host_id) = 'integer' and typeof(day) = 'integer'
        order by day, host_id limit 64";
    const UNMARK: &str = "delete from stale_rollup_day where host_id = ?1 and day = ?2";
    while Instant::now() < until {
        let due: Vec<(HostId, Day)> = connection
            .prepare_cached(DUE)?
            .read_all([hour.day()], |row| Ok((row.get(0)?, row.get(1)?)))?;
        if due.is_empty() {
            break;
        }
        for (host_id, day) in due {
            connection
                .prepare_cached(UNMARK)?
                .execute(params![host_id, day])?;
            make(connection, host_id, day)?;
        }
    }
    Ok(())
}

fn make(connection: &Connection, host_id: HostId, day: Day) -> rusqlite::Result<()> {
    const WRITE: &str = "insert or replace into rollup_day(host_id, day, counts, total, latencies) values(?1, ?2, ?3, ?4, ?5)";
    let span = day.hours();
    let mut sum = Sums::default();
    let (mut counts, mut latencies, mut total) = (Vec::new(), Vec::new(), Vec::new());
    hour::each_hour(
        connection,
        host_id,
        span.clone(),
        Detail::Whole,
        &mut |number, hour| {
            let mut one = Sums::default();
            hour.add_to(&mut one);
            varint::write(&mut counts, number.0.abs_diff(span.start.0));
            one.counts.encode(&mut counts);
            one.latencies.encode(&mut latencies);
            sum.merge(&one);
        },
    )?;
    if counts.is_empty() {
        return Ok(());
    }
    sum.counts.encode(&mut total);
    sum.latencies.encode(&mut total);
    connection
        .prepare_cached(WRITE)?
        .execute(params![host_id, day, counts, total, latencies])
        .map(|_| ())
}

/// Selects a host's days without a stale hour.
fn select(columns: &str) -> String {
    format!(
        "select day, {columns} from rollup_day d where host_id = ?1 and day between ?2 and ?3
            and not exists (select 1 from stale_rollup s where s.host_id = d.host_id and s.hour between d.day * 24 and d.day * 24 + 23)
          order by day"
    )
}

/// Calls `visit` with the sums of a host's hours, in no particular order.
pub fn each_hour(
    connection: &Connection,
    host_id: HostId,
    hours: Range<Hour>,
    detail: Detail,
    visit: &mut dyn FnMut(Hour, &HourSums<'_>),
) -> rusqlite::Result<()> {
    if hours.is_empty() {
        return Ok(());
    }
    let mut statement = connection.prepare_cached(&select(if detail == Detail::Whole {
        "counts, latencies"
    } else {
        "counts, null"
    }))?;
    let mut rows = statement.query(params![
        host_id,
        hours.start.day(),
        Hour(hours.end.0 - 1).day()
    ])?;
    let mut next = hours.start;
    while let Some(row) = rows.next()? {
        let Some(day) = value::<Day>(row, 0).map(Day::hours) else {
            continue;
        };
        hour::each_hour(connection, host_id, next..day.start, detail, visit)?;
        // If a row is damaged, the rest of its day is read from its hours.
        next = unpack(row, &day, &hours, visit)?.max(next);
    }
    hour::each_hour(connection, host_id, next..hours.end, detail, visit)
}

/// Calls `visit` with the hours of a packed row that are in `wanted`; returns the first hour after
/// those.
fn unpack(
    row: &Row<'_>,
    day: &Range<Hour>,
    wanted: &Range<Hour>,
    visit: &mut dyn FnMut(Hour, &HourSums<'_>),
) -> rusqlite::Result<Hour> {
    let mut counts = row.get_ref(1)?.as_blob().unwrap_or_default();
    let mut latencies = row.get_ref(2)?.as_blob_or_null().unwrap_or_default();
    let mut next = day.start;
    let mut read = |next: Hour| {
        let offset = i64::try_from(varint::read(&mut counts)?).ok()?;
        let hour = Hour(day.start.0.checked_add(offset)?);
        let sums = Counts::decode(&mut counts)?;
        let latencies = match &mut latencies {
            Some(bytes) => Some(Latencies::decode(bytes)?),
            None => None,
        };
        let hour = Some(hour).filter(|hour| (next..day.end).contains(hour))?;
        Some((hour, HourSums::packed(sums, latencies), counts.is_empty()))
    };
    loop {
        let Some((number, hour, is_last)) = read(next) else {
            return Ok(next);
        };
        if wanted.contains(&number) {
            visit(number, &hour);
        }
        next = number.next();
        if is_last {
            return Ok(day.end);
        }
    }
}

/// Adds up a host's hours, from whole days where possible.
pub fn sum_up(
    connection: &Connection,
    host_id: HostId,
    hours: Range<Hour>,
    sums: &mut Sums,
) -> rusqlite::Result<()> {
    let mut statement = connection.prepare_cached(&select("total"))?;
    let first_day = Day(-(-hours.start.0).div_euclid(24));
    let mut rows = statement.query(params![host_id, first_day, Day(hours.end.day().0 - 1)])?;
    let mut next = hours.start;
    while let Some(row) = rows.next()? {
        let mut total = row.get_ref(1)?.as_blob().unwrap_or_default();
        // A damaged day is added up from its hours.
        let Some(counts) = Counts::decode(&mut total) else {
            continue;
        };
        let Some(latencies) = Latencies::decode(&mut total) else {
            continue;
        };
        let Some(day) = value::<Day>(row, 0).map(Day::hours) else {
            continue;
        };
        each_hour(
            connection,
            host_id,
            next..day.start,
            Detail::Whole,
            &mut |_, hour| hour.add_to(sums),
        )?;
        HourSums::packed(counts, Some(latencies)).add_to(sums);
        next = day.end;
    }
    each_hour(
        connection,
        host_id,
        next..hours.end,
        Detail::Whole,
        &mut |_, hour| hour.add_to(sums),
    )
}
