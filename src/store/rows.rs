//! Rows of hosts and checks, for the code that records and the code that imports.

use rusqlite::{Connection, params};

use super::columns::{ReadRows, flag, read_thresholds, text};
use crate::pure::address::{IpVersion, Source};
use crate::pure::model::{Host, HostId, Thresholds};
use crate::pure::time::UtcMillis;

/// The column `host.source`.
pub fn source_column(source: Option<&Source>) -> String {
    source.map(Source::to_string).unwrap_or_default()
}

/// The hosts of a file, those that are no longer checked included.
pub fn host_ids(connection: &Connection) -> rusqlite::Result<Vec<HostId>> {
    connection
        .prepare_cached("select id from host")?
        .read_all([], |row| row.get(0))
}

/// Inserts a new host, and updates the name of a known one. A host of an older database, whose
/// source is unknown, is the first that is recorded with its address and family.
pub fn enter_host(connection: &Connection, host: &Host) -> rusqlite::Result<HostId> {
    const FIND: &str = "select id, name, source is null from host
         where address = ?1 and family = ?2 and coalesce(source, ?3) = ?3 order by source is null";
    const ENTER: &str = "insert into host(address, family, source, name) values(?1, ?2, ?3, ?4)";
    const UPDATE: &str = "update host set name = ?2, source = ?3 where id = ?1";
    let (address, name) = (host.address.as_str(), &host.name);
    let family = IpVersion::family_column(host.family);
    let source = source_column(host.source.as_ref());
    let found: Option<(HostId, Option<String>, bool)> = connection
        .prepare_cached(FIND)?
        .read_first(params![address, family, source], |row| {
            Ok((row.get(0)?, text(row, 1)?, flag(row, 2)))
        })?;
    match found {
        Some((id, Some(known), false)) if known == *name => Ok(id),
        Some((id, ..)) => connection
            .execute(UPDATE, params![id, name, source])
            .map(|_| id),
        None => {
            connection.execute(ENTER, params![address, family, source, name])?;
            Ok(HostId(connection.last_insert_rowid()))
        }
    }
}

pub fn thresholds_of(connection: &Connection, host_id: HostId) -> rusqlite::Result<Thresholds> {
    const THRESHOLDS: &str =
        "select up_rate, degraded_rate, latency_limit_us from host where id = ?1";
    let found = connection
        .prepare_cached(THRESHOLDS)?
        .read_first([host_id], |row| Ok(read_thresholds(row, 0)))?;
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
    let times: Vec<UtcMillis> = statement.read_all([host_id], |row| row.get(0))?;
    let mut gaps: Vec<i64> = times.windows(2).map(|pair| pair[0].0 - pair[1].0).collect();
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
