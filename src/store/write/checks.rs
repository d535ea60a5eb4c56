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
        "insert into check_note(host_id, checked_at, late, duplicates, foreigners, reason, sent_after_ms)
                        values(?1, ?2, ?3, ?4, ?5, ?6, ?7) on conflict do nothing";
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
    let sent_after_ms = irregular_times(result);
    if result.late > 0
        || result.duplicates > 0
        || result.foreign > 0
        || result.reason.is_some()
        || sent_after_ms.is_some()
    {
        let note = params![
            host_id,
            at,
            result.late,
            result.duplicates,
            result.foreign,
            result.reason,
            sent_after_ms
        ];
        transaction.prepare_cached(NOTE)?.execute(note)?;
    }
    Ok(UtcMillis(at))
}

/// When the pings in `rtts` were sent, if not a spacing apart: milliseconds after the check began,
/// separated by commas.
fn irregular_times(result: &CheckResult) -> Option<String> {
    let after = || {
        result
            .timed_rtts()
            .map(|(sent, _)| sent.0 - result.checked_at.0)
    };
    let spacing = i64::from(result.spacing_ms);
    let is_regular = (0..).zip(after()).all(|(index, ms)| ms == spacing * index);
    let texts = || after().map(|ms| ms.to_string()).collect::<Vec<_>>();
    (!is_regular).then(|| texts().join(","))
}
