//! Checks that the sums of their hours have and that are not there: damage that SQLite does not
//! notice.

use std::ops::Range;

use rusqlite::{Connection, params};

use crate::pure::model::HostId;
use crate::pure::time::{HOUR_MS, Hour, UtcMillis};
use crate::store::columns::ReadRows;

/// How many checks of a host are missing, and in which hours. An hour whose sums are to be made, or
/// whose checks may have been deleted, is not looked at.
pub fn missing_checks(
    connection: &Connection,
    host_id: HostId,
    hours: &Range<Hour>,
) -> rusqlite::Result<(u64, Vec<Range<UtcMillis>>)> {
    const MISSING: &str =
        "select hour, none + to_20 + to_40 + to_60 + to_80 + to_95 + to_100 + full
                    - (select count(*) from check_result c where c.host_id = r.host_id
                          and c.checked_at between r.hour * 3600000 and r.hour * 3600000 + 3599999)
           from rollup r
          where host_id = ?1 and hour >= ?2 and hour < ?3
            and hour * 3600000 >= (select max(pruned_before) from pruning)
            and not exists (select 1 from stale_rollup s where s.host_id = r.host_id and s.hour = r.hour)
          order by hour";
    let rows: Vec<(Hour, i64)> = connection
        .prepare_cached(MISSING)?
        .read_all(params![host_id, hours.start, hours.end], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })?;
    let (mut all, mut spans) = (0, Vec::<Range<UtcMillis>>::new());
    for (hour, missing) in rows {
        // No hour has more checks than milliseconds: a larger sum is none.
        if !(1..=HOUR_MS).contains(&missing) {
            continue;
        }
        let missing = missing.unsigned_abs();
        all += missing;
        match spans.last_mut() {
            Some(last) if last.end == hour.start() => last.end = hour.next().start(),
            _ => spans.push(hour.start()..hour.next().start()),
        }
    }
    Ok((all, spans))
}
