//! The rows of hosts and checks, as they are written.

use crate::pure::address::{HostAddress, IpVersion};
use std::collections::HashMap;

use rusqlite::{Connection, OptionalExtension, Transaction, params};

use crate::pure::model::{CheckResult, Host, State, Thresholds};
use crate::pure::stats;
use crate::pure::time::{LATEST_MS, UtcMillis};

/// A host as far as it must be known to see that nothing about it has changed.
#[derive(Clone, Debug)]
pub(super) struct CachedHost {
    id: i64,
    name: String,
    manner: HostSettings,
}

/// How a host is checked, as far as the record needs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct HostSettings {
    pub thresholds: Thresholds,
    pub spacing_ms: u32,
    pub interval_ms: u32,
}

/// The id of a host, entered when it is new; what is known of it becomes the newest.
pub(super) fn host_id(
    transaction: &Transaction<'_>,
    known: &mut HashMap<(HostAddress, Option<IpVersion>), CachedHost>,
    host: &Host,
    at: UtcMillis,
    manner: Option<HostSettings>,
) -> rusqlite::Result<i64> {
    const DESCRIBE: &str =
        "update host set up_rate = ?2, degraded_rate = ?3, latency_limit_us = ?4,
            ping_spacing_ms = coalesce(?5, ping_spacing_ms) where id = ?1";
    let key = (host.address.clone(), host.family);
    if let Some(entry) = known.get(&key)
        && entry.name == host.name
        && manner.is_none_or(|manner| entry.manner == manner)
    {
        return Ok(entry.id);
    }
    let id = enter_host(transaction, host.address.as_str(), host.family, &host.name)?;
    if let Some(manner) = manner {
        let HostSettings {
            thresholds,
            spacing_ms,
            interval_ms,
        } = manner;
        let spacing_ms = (spacing_ms > 0).then_some(spacing_ms);
        let values = params![
            id,
            thresholds.up_rate,
            thresholds.degraded_rate,
            thresholds.latency_limit_us,
            spacing_ms
        ];
        transaction.prepare_cached(DESCRIBE)?.execute(values)?;
        if interval_ms > 0 {
            note_interval(transaction, id, at, i64::from(interval_ms))?;
        }
        known.insert(
            key,
            CachedHost {
                id,
                name: host.name.clone(),
                manner,
            },
        );
    }
    Ok(id)
}

/// Notes that a host's checks are so far apart from an instant on. What was recorded before anybody
/// noted that is as far apart as its newest checks are.
fn note_interval(
    connection: &Connection,
    host_id: i64,
    at: UtcMillis,
    interval_ms: i64,
) -> rusqlite::Result<()> {
    const NEWEST: &str =
        "select interval_ms from host_interval where host_id = ?1 order by since desc limit 1";
    const NOTE: &str =
        "insert or replace into host_interval(host_id, since, interval_ms) values(?1, ?2, ?3)";
    let known: Option<i64> = connection
        .prepare_cached(NEWEST)?
        .query_row([host_id], |row| row.get(0))
        .optional()?;
    if known == Some(interval_ms) {
        return Ok(());
    }
    let before = typical_interval_ms(connection, host_id)?;
    match (known, before) {
        (None, Some(before)) if before.abs_diff(interval_ms) * 10 > interval_ms.unsigned_abs() => {
            connection
                .prepare_cached(NOTE)?
                .execute(params![host_id, 0, before])?;
            connection
                .prepare_cached(NOTE)?
                .execute(params![host_id, at.0, interval_ms])?;
        }
        (None, _) => {
            connection
                .prepare_cached(NOTE)?
                .execute(params![host_id, 0, interval_ms])?;
        }
        (Some(_), _) => {
            connection
                .prepare_cached(NOTE)?
                .execute(params![host_id, at.0, interval_ms])?;
        }
    }
    Ok(())
}

/// How far apart a host's newest checks lie, in the middle.
pub(super) fn typical_interval_ms(
    connection: &Connection,
    host_id: i64,
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

/// The id of a host, entered when it is new; its name becomes the newest.
pub(super) fn enter_host(
    connection: &Connection,
    address: &str,
    family: Option<IpVersion>,
    name: &str,
) -> rusqlite::Result<i64> {
    const FIND: &str = "select id, name from host where address = ?1 and family = ?2";
    const ENTER: &str = "insert into host(address, family, name) values(?1, ?2, ?3)";
    const RENAME: &str = "update host set name = ?2 where id = ?1";
    let mut find = connection.prepare_cached(FIND)?;
    let found: Option<(i64, String)> = find
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
            Ok(connection.last_insert_rowid())
        }
    }
}

/// Writes one check; says when it is recorded as made: where another row has that millisecond
/// already, a later one.
pub(super) fn insert(
    transaction: &Transaction<'_>,
    host_id: i64,
    result: &CheckResult,
) -> rusqlite::Result<UtcMillis> {
    const NOT_MEASURED: &str = "insert into not_measured_check(host_id, checked_at, reason) values(?1, ?2, ?3) on conflict do nothing";
    const NOTE: &str =
        "insert into check_note(host_id, checked_at, late, duplicates, foreigners, reason)
                        values(?1, ?2, ?3, ?4, ?5, ?6) on conflict do nothing";
    let mut at = result.checked_at.0.clamp(0, LATEST_MS);
    if result.state() == State::NotMeasured {
        let reason = result.reason.as_deref().unwrap_or("unknown");
        let first = at;
        while transaction
            .prepare_cached(NOT_MEASURED)?
            .execute(params![host_id, at, reason])?
            == 0
        {
            at = next_millisecond(first, at)?;
        }
        return Ok(UtcMillis(at));
    }
    let summary = stats::summarize(result.rtts_us().flatten());
    let row = CheckRow {
        sent: i64::from(result.sent()),
        received: i64::from(result.received()),
        min_us: summary.map(|s| s.min_us),
        avg_us: summary.map(|s| s.avg_us),
        max_us: summary.map(|s| s.max_us),
        rtts: Some(stats::encode_rtts(
            result.rtts_us(),
            summary.map_or(0, |s| s.min_us),
        )),
    };
    let first = at;
    while !insert_row(transaction, host_id, at, &row)? {
        at = next_millisecond(first, at)?;
    }
    if result.late > 0 || result.duplicates > 0 || result.foreign > 0 || result.reason.is_some() {
        let note = params![
            host_id,
            at,
            result.late,
            result.duplicates,
            result.foreign,
            result.reason
        ];
        transaction.prepare_cached(NOTE)?.execute(note)?;
    }
    Ok(UtcMillis(at))
}

/// The millisecond after one that is taken. That many cannot be, unless the file does not take rows
/// at all.
pub(super) fn next_millisecond(first: i64, taken: i64) -> rusqlite::Result<i64> {
    const MOST: i64 = 10_000;
    if taken - first < MOST {
        Ok(taken + 1)
    } else {
        Err(rusqlite::Error::StatementChangedRows(0))
    }
}

/// What `check_result` holds of a check besides whose and when.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct CheckRow {
    pub sent: i64,
    pub received: i64,
    pub min_us: Option<u32>,
    pub avg_us: Option<u32>,
    pub max_us: Option<u32>,
    pub rtts: Option<Vec<u8>>,
}

/// Writes a row; `false` when the host has one at that millisecond.
pub(super) fn insert_row(
    connection: &Connection,
    host_id: i64,
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
