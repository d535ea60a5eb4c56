//! The ids of hosts, and how they are checked.

use std::collections::HashMap;

use rusqlite::{Connection, Transaction, params};

use crate::pure::host_key::OwnedIdentity;
use crate::pure::model::{Host, HostId, Thresholds};
use crate::pure::time::UtcMillis;
use crate::store::columns::{ReadRows, flag};
use crate::store::rows::{enter_host, typical_interval_ms};

/// Cached hosts by address, family and source.
pub type KnownHosts = HashMap<OwnedIdentity, CachedHost>;

/// What is cached of a host to notice changes.
#[derive(Clone, Debug)]
pub struct CachedHost {
    id: HostId,
    name: String,
    settings: HostSettings,
}

/// The recorded settings of a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostSettings {
    pub thresholds: Thresholds,
    pub spacing_ms: u32,
    pub interval_ms: u32,
    /// The address that was pinged; `None` also where the host's address is literal.
    pub resolved: Option<String>,
    pub is_by_hand: bool,
    pub is_beside_monitor: bool,
}

/// Inserts a new host, and updates a known one.
pub fn host_id(
    transaction: &Transaction<'_>,
    known: &mut KnownHosts,
    host: &Host,
    at: UtcMillis,
    settings: Option<HostSettings>,
) -> rusqlite::Result<HostId> {
    const DESCRIBE: &str =
        "update host set up_rate = ?2, degraded_rate = ?3, latency_limit_us = ?4,
            ping_spacing_ms = coalesce(?5, ping_spacing_ms), resolved_address = coalesce(?6, resolved_address) where id = ?1";
    let key = host.owned_identity();
    if let Some(entry) = known.get(&key)
        && entry.name == host.name
        && settings
            .as_ref()
            .is_none_or(|settings| entry.settings == *settings && !settings.is_beside_monitor)
    {
        return Ok(entry.id);
    }
    let id = enter_host(transaction, host)?;
    if let Some(settings) = settings {
        let HostSettings {
            thresholds,
            spacing_ms,
            interval_ms,
            ref resolved,
            is_by_hand,
            is_beside_monitor,
        } = settings;
        let spacing_ms = (spacing_ms > 0).then_some(spacing_ms);
        let values = params![
            id,
            thresholds.up_rate,
            thresholds.degraded_rate,
            thresholds.latency_limit_us,
            spacing_ms,
            resolved
        ];
        transaction.prepare_cached(DESCRIBE)?.execute(values)?;
        if interval_ms > 0 {
            let interval = (i64::from(interval_ms), is_by_hand);
            note_interval(transaction, id, at, interval, is_beside_monitor)?;
        }
        known.insert(
            key,
            CachedHost {
                id,
                name: host.name.clone(),
                settings,
            },
        );
    }
    Ok(id)
}

/// Records a host's interval from an instant on. Checks before the first recorded interval have
/// that of the newest checks. The interval of a check beside a monitor is its alone.
fn note_interval(
    connection: &Connection,
    host_id: HostId,
    at: UtcMillis,
    interval: (i64, bool),
    is_beside_monitor: bool,
) -> rusqlite::Result<()> {
    const NEWEST: &str = "select interval_ms, by_hand from host_interval where host_id = ?1 order by since desc limit 1";
    const NOTE: &str = "insert or replace into host_interval(host_id, since, interval_ms, by_hand) values(?1, ?2, ?3, ?4)";
    let known: Option<(i64, bool)> = connection
        .prepare_cached(NEWEST)?
        .read_first([host_id], |row| Ok((row.get(0)?, flag(row, 1))))?;
    if known == Some(interval) {
        return Ok(());
    }
    let note = |since: i64, (interval_ms, is_by_hand): (i64, bool)| {
        connection
            .prepare_cached(NOTE)?
            .execute(params![host_id, since, interval_ms, is_by_hand])
    };
    if is_beside_monitor {
        if let Some(of_monitor) = known.filter(|(_, is_by_hand)| !is_by_hand) {
            note(at.0, interval)?;
            note(at.0 + 1, of_monitor)?;
        }
        return Ok(());
    }
    let before = typical_interval_ms(connection, host_id)?;
    let is_other =
        |before: &i64| before.abs_diff(interval.0).saturating_mul(10) > interval.0.unsigned_abs();
    match (known, before.filter(is_other)) {
        (None, Some(before)) => {
            note(0, (before, false))?;
            note(at.0, interval)?;
        }
        (None, None) => {
            note(0, interval)?;
        }
        (Some(_), _) => {
            note(at.0, interval)?;
        }
    }
    Ok(())
}
