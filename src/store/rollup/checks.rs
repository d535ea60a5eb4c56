//! The checks that sums are made of.

use std::ops::Range;

use rusqlite::{Connection, params};

use crate::pure::model::HostId;
use crate::pure::sums::CheckSums;
use crate::pure::time::UtcMillis;
use crate::store::rows::PING_COUNTS;

/// Calls `visit` with a host's checks in a span, ascending.
pub fn each_check(
    connection: &Connection,
    host_id: HostId,
    span: Range<UtcMillis>,
    mut visit: impl FnMut(UtcMillis, CheckSums<'_>),
) -> rusqlite::Result<()> {
    const CHECKS: &str = "select checked_at, sent, received, min_us, avg_us, max_us, rtts from check_result
                           where host_id = ?1 and checked_at >= ?2 and checked_at < ?3 order by checked_at";
    let mut statement = connection.prepare_cached(CHECKS)?;
    let mut rows = statement.query(params![host_id, span.start, span.end])?;
    while let Some(row) = rows.next()? {
        // Other programs may have written anything. Unreadable values count as 0: an error here
        // would prevent all later writes.
        let count = |index| {
            row.get_ref(index).map(|value| {
                value
                    .as_i64()
                    .ok()
                    .filter(|n| PING_COUNTS.contains(n))
                    .unwrap_or(0)
            })
        };
        let latency = |index| {
            row.get_ref(index)
                .map(|value| value.as_i64().ok().and_then(|us| u32::try_from(us).ok()))
        };
        let rtts = row.get_ref(6)?.as_blob_or_null().unwrap_or(None);
        let latencies = [latency(3)?, latency(4)?, latency(5)?];
        let sent = count(1)?;
        visit(
            row.get(0)?,
            CheckSums {
                sent,
                received: count(2)?.min(sent),
                latencies,
                rtts,
            },
        );
    }
    Ok(())
}

/// Calls `visit` with the times in a span at which a host could not be measured.
pub fn each_not_measured(
    connection: &Connection,
    host_id: HostId,
    span: Range<UtcMillis>,
    mut visit: impl FnMut(UtcMillis),
) -> rusqlite::Result<()> {
    const CHECKS: &str = "select checked_at from not_measured_check where host_id = ?1 and checked_at >= ?2 and checked_at < ?3";
    let mut statement = connection.prepare_cached(CHECKS)?;
    let mut rows = statement.query(params![host_id, span.start, span.end])?;
    while let Some(row) = rows.next()? {
        visit(row.get(0)?);
    }
    Ok(())
}
