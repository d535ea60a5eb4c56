//! Writes the result of a check.

use rusqlite::{Transaction, params};

use crate::pure::model::{CheckResult, HostId, State};
use crate::pure::stats;
use crate::pure::time::{LATEST_MS, UtcMillis};
use crate::store::rows::{CheckRow, insert_row, next_millisecond};

/// Returns the time it is recorded at: a later millisecond if another check has its own.
pub fn insert(
    transaction: &Transaction<'_>,
    host_id: HostId,
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
