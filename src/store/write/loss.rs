//! Which hosts are losing pings, for the notices of the kind `loss`. The state is in the table
//! `loss`, written in the transaction of the check.

use rusqlite::{Connection, params};
use serde_json::json;

use crate::pure::loss::{self, AnsweredCheck, LossChange};
use crate::pure::model::{CheckResult, HostId};
use crate::pure::stats;
use crate::pure::time::UtcMillis;
use crate::store::columns::{PING_COUNTS, ReadRows, value};

/// Older checks than this many intervals say nothing about now.
const MAX_AGE_INTERVALS: i64 = 20;

/// Records whether a host began or ceased to lose pings with a check recorded at `at`. Returns the
/// facts of the notice about it.
pub fn record_check(
    connection: &Connection,
    host_id: HostId,
    result: &CheckResult,
    at: UtcMillis,
) -> rusqlite::Result<Option<String>> {
    const LOSING_SINCE: &str = "select since from loss where host_id = ?1";
    const BEGIN: &str = "insert or replace into loss(host_id, since) values(?1, ?2)";
    const END: &str = "delete from loss where host_id = ?1";
    let check = AnsweredCheck {
        sent: result.sent(),
        received: result.received(),
    };
    if check.received == 0 {
        return Ok(None);
    }
    let since: Option<UtcMillis> = connection
        .prepare_cached(LOSING_SINCE)?
        .read_first([host_id], |row| row.get(0))?;
    if since.is_none() && !loss::is_lossy(check, &result.thresholds) {
        return Ok(None);
    }
    let oldest = match result.interval_ms {
        0 => 0,
        interval_ms => at.0 - MAX_AGE_INTERVALS * i64::from(interval_ms),
    };
    let newest = newest_answered(connection, host_id, oldest..=at.0)?;
    let checks: Vec<AnsweredCheck> = newest.iter().map(|(_, check)| *check).collect();
    let change = loss::change(since.is_some(), &checks, &result.thresholds);
    let (from, to) = match change {
        None => return Ok(None),
        Some(LossChange::Began) => {
            let lossy = newest
                .iter()
                .filter(|(_, check)| loss::is_lossy(*check, &result.thresholds));
            let first = lossy.map(|(at, _)| *at).min().unwrap_or(at);
            connection
                .prepare_cached(BEGIN)?
                .execute(params![host_id, first])?;
            (first, None)
        }
        Some(LossChange::Ended) => {
            connection.prepare_cached(END)?.execute([host_id])?;
            let first_good = newest.iter().map(|(at, _)| *at).min().unwrap_or(at);
            (since.unwrap_or(at), Some(first_good))
        }
    };
    let until = to.unwrap_or(UtcMillis(at.0 + 1));
    let (sent, lost) = answered_pings(connection, host_id, from..until)?;
    let facts = json!({
        "host_name": result.host.name,
        "host_address": result.host.address.as_str(),
        "loss": {
            "start_time": from.rfc3339(),
            "end_time": to.map(UtcMillis::rfc3339),
            "sent": sent,
            "lost": lost,
            "loss_percent": stats::success_rate(sent, lost),
        },
    });
    Ok(Some(facts.to_string()))
}

/// The newest checks with a reply, newest first.
fn newest_answered(
    connection: &Connection,
    host_id: HostId,
    times: std::ops::RangeInclusive<i64>,
) -> rusqlite::Result<Vec<(UtcMillis, AnsweredCheck)>> {
    const NEWEST: &str =
        "select checked_at, sent, received from check_result where host_id = ?1 and checked_at between ?2 and ?3
            and received > 0 and sent between received and ?4 order by checked_at desc limit ?5";
    let read = |row: &rusqlite::Row<'_>| {
        let check = AnsweredCheck {
            sent: row.get(1)?,
            received: row.get(2)?,
        };
        Ok((row.get(0)?, check))
    };
    let window = i64::try_from(loss::WINDOW).expect("it is small");
    let most = *PING_COUNTS.end();
    connection.prepare_cached(NEWEST)?.read_all(
        params![host_id, times.start(), times.end(), most, window],
        read,
    )
}

/// The sent and lost pings of the checks with a reply.
fn answered_pings(
    connection: &Connection,
    host_id: HostId,
    times: std::ops::Range<UtcMillis>,
) -> rusqlite::Result<(i64, i64)> {
    const SUM: &str =
        "select cast(sum(sent) as integer), cast(sum(sent - received) as integer) from check_result
          where host_id = ?1 and checked_at >= ?2 and checked_at < ?3 and received > 0 and sent between received and ?4";
    let found = connection.prepare_cached(SUM)?.read_first(
        params![host_id, times.start, times.end, PING_COUNTS.end()],
        |row| Ok((value(row, 0).unwrap_or(0), value(row, 1).unwrap_or(0))),
    );
    found.map(Option::unwrap_or_default)
}
