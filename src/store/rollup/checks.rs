//! The checks that sums are made of.

use std::ops::Range;

use rusqlite::{Connection, params};

use crate::pure::model::HostId;
use crate::pure::sums::CheckSums;
use crate::pure::time::UtcMillis;
use crate::store::columns::{latencies, pings, value};

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
        let Some(at) = value(row, 0) else { continue };
        let (sent, received) = pings(row, 1);
        let rtts = row.get_ref(6)?.as_blob_or_null().unwrap_or(None);
        let check = CheckSums {
            sent,
            received,
            latencies: latencies(row, 3),
            rtts,
        };
        visit(at, check);
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
        value(row, 0).into_iter().for_each(&mut visit);
    }
    Ok(())
}
