//! The times in which a running monitor could not measure.

use rusqlite::{Connection, params};

use crate::pure::model::{HostId, Interruption, InterruptionKind, Unsent};

/// Records a time in which nothing was measured. Every host reports it, and overlapping reports are
/// one. A sleep is the intersection of the reports, since the monotonic clock stands still; a
/// suspended process is their union.
pub fn record(connection: &Connection, interruption: &Interruption) -> rusqlite::Result<()> {
    const NARROW: &str =
        "update interruption set started_at = max(started_at, ?1), ended_at = min(ended_at, ?2)
                           where kind = ?3 and started_at < ?2 and ended_at > ?1";
    const WIDEN: &str =
        "update interruption set started_at = min(started_at, ?1), ended_at = max(ended_at, ?2)
                          where kind = ?3 and started_at <= ?2 and ended_at >= ?1";
    const ENTER: &str = "insert into interruption(started_at, ended_at, kind) values(?1, ?2, ?3)";
    let values = params![
        interruption.from.0,
        interruption.to.0,
        interruption.kind.as_str()
    ];
    let merged = match interruption.kind {
        InterruptionKind::Asleep => connection.prepare_cached(NARROW)?.execute(values)?,
        InterruptionKind::HeldUp => connection.prepare_cached(WIDEN)?.execute(values)?,
        // Only the store reports it, once.
        InterruptionKind::ClockSet => 0,
    };
    if merged == 0 {
        connection.prepare_cached(ENTER)?.execute(values)?;
    }
    Ok(())
}

/// Records a time in which nothing could be sent to a host. A longer report of the same time
/// replaces the shorter.
pub fn record_unsent(
    connection: &Connection,
    host_id: HostId,
    unsent: &Unsent,
) -> rusqlite::Result<()> {
    const WIDEN: &str = "update unsent set ended_at = max(ended_at, ?3)
                          where host_id = ?1 and reason = ?4 and started_at <= ?3 and ended_at >= ?2";
    const ENTER: &str =
        "insert into unsent(host_id, started_at, ended_at, reason) values(?1, ?2, ?3, ?4)";
    let values = params![host_id, unsent.from, unsent.to, unsent.reason];
    if connection.prepare_cached(WIDEN)?.execute(values)? == 0 {
        connection.prepare_cached(ENTER)?.execute(values)?;
    }
    Ok(())
}
