//! Rows of hosts and checks, for the code that records and the code that imports.

use std::ops::RangeInclusive;

use rusqlite::{Connection, OptionalExtension, params};

use super::columns::read_thresholds;
use crate::pure::address::IpVersion;
use crate::pure::model::{HostId, Thresholds};

/// Valid numbers of pings in a check that was imported or written by another program.
pub const PING_COUNTS: RangeInclusive<i64> = 0..=1_000_000;

/// Inserts a new host, and updates the name of a known one.
pub fn enter_host(
    connection: &Connection,
    address: &str,
    family: Option<IpVersion>,
    name: &str,
) -> rusqlite::Result<HostId> {
    const FIND: &str = "select id, name from host where address = ?1 and family = ?2";
    const ENTER: &str = "insert into host(address, family, name) values(?1, ?2, ?3)";
    const RENAME: &str = "update host set name = ?2 where id = ?1";
    let mut find = connection.prepare_cached(FIND)?;
    let found: Option<(HostId, String)> = find
        .query_row(params![address, IpVersion::family_column(family)], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .optional()?;
    match found {
        Some((id, known)) if known == name => Ok(id),
        Some((id, _)) => connection.execute(RENAME, params![id, name]).map(|_| id),
        None => {
            connection.execute(
                ENTER,
                params![address, IpVersion::family_column(family), name],
            )?;
            Ok(HostId(connection.last_insert_rowid()))
        }
    }
}

pub fn thresholds_of(connection: &Connection, host_id: HostId) -> rusqlite::Result<Thresholds> {
    const THRESHOLDS: &str =
        "select up_rate, degraded_rate, latency_limit_us from host where id = ?1";
    let found = connection
        .prepare_cached(THRESHOLDS)?
        .query_row([host_id], |row| Ok(read_thresholds(row, 0)))
        .optional()?;
    Ok(found.unwrap_or_default())
}

/// Median interval of a host's newest checks.
pub fn typical_interval_ms(
    connection: &Connection,
    host_id: HostId,
) -> rusqlite::Result<Option<i64>> {
    const NEWEST: &str =
        "select checked_at from check_result where host_id = ?1 order by checked_at desc limit 50";
    let mut statement = connection.prepare_cached(NEWEST)?;
    let times: Vec<i64> = statement
        .query_map([host_id], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    let mut gaps: Vec<i64> = times.windows(2).map(|pair| pair[0] - pair[1]).collect();
    gaps.sort_unstable();
    Ok(gaps.get(gaps.len() / 2).copied())
}

/// The columns of `check_result` besides host and time.
#[derive(Debug, PartialEq, Eq)]
pub struct CheckRow {
    pub sent: i64,
    pub received: i64,
    pub min_us: Option<u32>,
    pub avg_us: Option<u32>,
    pub max_us: Option<u32>,
    pub rtts: Option<Vec<u8>>,
}

/// `false` if the host has a check at that millisecond.
pub fn insert_row(
    connection: &Connection,
    host_id: HostId,
    at: i64,
    row: &CheckRow,
) -> rusqlite::Result<bool> {
    const INSERT: &str = "insert into check_result(host_id, checked_at, sent, received, min_us, avg_us, max_us, rtts)
                          values(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) on conflict do nothing";
    let values = params![
        host_id,
        at,
        row.sent,
        row.received,
        row.min_us,
        row.avg_us,
        row.max_us,
        row.rtts
    ];
    connection
        .prepare_cached(INSERT)?
        .execute(values)
        .map(|written| written == 1)
}

/// The millisecond after `taken`, which another check has. An error if all since `first` are taken:
/// then the file accepts no rows at all.
pub fn next_millisecond(first: i64, taken: i64) -> rusqlite::Result<i64> {
    const MAX_TAKEN: i64 = 10_000;
    if taken - first < MAX_TAKEN {
        Ok(taken + 1)
    } else {
        Err(rusqlite::Error::StatementChangedRows(0))
    }
}
