//! The original's times are local times without a zone: an import reads them in the zone of this
//! machine. Read in the wrong one, the newest rows may lie in the future, or a file that was
//! imported before would be imported again, hours away.

use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};

use rusqlite::{Connection, params};

use super::rows::read_check;
use super::tables::CHECK_COLUMNS;
use super::text::Writer;
use crate::pure::phrase;
use crate::pure::time::{HOUR_MS, UtcMillis};
use crate::store::columns::{ReadRows, value};
use crate::store::rows::CheckRow;
use crate::sys;

/// How many rows of a file are compared with the record.
const SAMPLES: i64 = 50;

/// Zones differ by at most 26 hours, and by multiples of a quarter of an hour.
const MAX_OFFSET_MS: i64 = 26 * HOUR_MS;
const OFFSET_STEP_MS: i64 = HOUR_MS / 4;

/// So many rows that differ from each other are not found again by chance.
const PROVED_BY: usize = 5;

/// A clock that is a minute behind is no other zone.
const MAX_AHEAD_MS: i64 = 60_000;

/// The local time and the name of the zone that it is read in.
pub fn local_time(at: UtcMillis) -> String {
    at.local_text(sys::utc_offset_at(at.0.div_euclid(1000)))
}

pub fn zone() -> String {
    sys::zone_name().unwrap_or_else(|| "UTC".into())
}

/// Why a file whose newest row is from `last` is refused.
pub fn in_the_future(last: UtcMillis) -> Option<String> {
    let now = sys::clocks().utc();
    (last.0.saturating_sub(now.0) > MAX_AHEAD_MS).then(|| {
        let ahead = phrase::duration_of((last.0 - now.0) / 1000);
        format!(
            "its newest row, {}, would lie {ahead} in the future with its times read in the zone {}",
            local_time(last),
            zone()
        )
    })
}

/// Why a file is refused whose rows are recorded already, with their times read in another zone.
pub fn known_in_another_zone(
    connection: &Connection,
    table: &str,
    writer: Writer,
) -> rusqlite::Result<Option<String>> {
    let sampled = samples(connection, table, writer)?;
    let (mut same, mut found) = (0, HashMap::<i64, usize>::new());
    let mut distinct = HashSet::new();
    for (at, address, check) in &sampled {
        let offsets = offsets_of(connection, *at, address, check)?;
        if offsets.contains(&0) {
            same += 1;
            continue;
        }
        if !offsets.is_empty() {
            distinct.insert((at.0 % 60_000, check.min_us, check.avg_us, check.max_us));
        }
        for offset in offsets {
            *found.entry(offset).or_default() += 1;
        }
    }
    let Some((offset, count)) = found
        .into_iter()
        .max_by_key(|(offset, count)| (*count, Reverse(offset.unsigned_abs())))
    else {
        return Ok(None);
    };
    let is_known = same == 0 && (count == sampled.len() || distinct.len() >= PROVED_BY);
    Ok(is_known.then(|| {
        let apart = phrase::duration_of(offset.abs() / 1000);
        let word = if offset < 0 { "earlier" } else { "later" };
        format!(
            "its rows are recorded already, {apart} {word}: it was imported before with its times read in another zone than {}",
            zone()
        )
    }))
}

type Sample = (UtcMillis, String, CheckRow);

/// Rows spread over the file.
fn samples(connection: &Connection, table: &str, writer: Writer) -> rusqlite::Result<Vec<Sample>> {
    let (first, last): (Option<i64>, Option<i64>) = connection.query_row(
        &format!("select min(id), max(id) from {table}"),
        [],
        |row| Ok((value(row, 0), value(row, 1))),
    )?;
    let (Some(first), Some(last)) = (first, last) else {
        return Ok(Vec::new());
    };
    let mut row_at = connection.prepare(&format!(
        "select {CHECK_COLUMNS}, julianday(timestamp) from {table} where id >= ?1 order by id limit 1"
    ))?;
    let step = (last.saturating_sub(first) / SAMPLES).max(1);
    let mut samples = Vec::new();
    for index in 0..=SAMPLES {
        let id = first.saturating_add(step.saturating_mul(index));
        if id > last {
            break;
        }
        let mut rows = row_at.query([id])?;
        if let Some(row) = rows.next()?
            && let Ok((at, address, _, check)) = read_check(row, writer, None)
        {
            samples.push((at, address, check));
        }
    }
    Ok(samples)
}

/// How much later or earlier the same check is recorded, in milliseconds.
fn offsets_of(
    connection: &Connection,
    at: UtcMillis,
    address: &str,
    check: &CheckRow,
) -> rusqlite::Result<Vec<i64>> {
    const SAME: &str = "select checked_at - ?2 from check_result c
          where host_id in (select id from host where address = ?1) and checked_at between ?2 - ?3 and ?2 + ?3
            and (checked_at - ?2) % ?4 = 0 and sent = ?5 and received = ?6 and min_us is ?7 and avg_us is ?8 and max_us is ?9";
    connection.prepare_cached(SAME)?.read_all(
        params![
            address,
            at.0,
            MAX_OFFSET_MS,
            OFFSET_STEP_MS,
            check.sent,
            check.received,
            check.min_us,
            check.avg_us,
            check.max_us
        ],
        |row| row.get(0),
    )
}
