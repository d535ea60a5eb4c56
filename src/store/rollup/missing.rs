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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::schema;

    const HOST: HostId = HostId(1);

    /// A file with hours 100 to 107 of a host, and hour 100 of another: each has the number of
    /// checks in `checks`, and sums that count those in `counted`.
    fn file(checks: [i64; 8], counted: [i64; 8]) -> Connection {
        let connection = Connection::open_in_memory().expect("a database");
        schema::migrate(&connection, 0).expect("its tables");
        let run = |sql: &str| connection.execute_batch(sql).expect(sql);
        for (hour, count) in (100..).zip(checks) {
            for index in 0..count {
                // The first and the last millisecond of the hour among them.
                let at = hour * HOUR_MS + if index == 0 { 0 } else { HOUR_MS - index };
                run(&format!(
                    "insert into check_result(host_id, checked_at, sent, received) values(1, {at}, 1, 1)"
                ));
            }
        }
        run("delete from stale_rollup");
        for (hour, count) in (100..).zip(counted) {
            run(&sums(1, hour, count));
        }
        run(&sums(2, 100, 9));
        connection
    }

    /// Sums of an hour that count so many checks, one in each column as far as they go.
    fn sums(host: i64, hour: i64, count: i64) -> String {
        let one_each: Vec<String> = (0..7)
            .map(|column| i64::from(column < count).to_string())
            .collect();
        let (one_each, full) = (one_each.join(", "), count - count.clamp(0, 7));
        format!(
            "insert into rollup(host_id, hour, none, to_20, to_40, to_60, to_80, to_95, to_100, full,
                                not_measured, sent, received, rate_sum, sum_us, avg_sum_us, latency_checks, histogram)
             values({host}, {hour}, {one_each}, {full}, 5, 0, 0, 0, 0, 0, 0, x'')"
        )
    }

    /// How many are missing, and in which hours: from, and up to but not with.
    fn missing(connection: &Connection, hours: Range<i64>) -> (u64, Vec<(i64, i64)>) {
        let hours = Hour(hours.start)..Hour(hours.end);
        let (all, spans) = missing_checks(connection, HOST, &hours).expect("an answer");
        let in_hours = |at: UtcMillis| {
            assert_eq!(at.0 % HOUR_MS, 0);
            at.0 / HOUR_MS
        };
        let spans = spans.into_iter();
        (
            all,
            spans
                .map(|span| (in_hours(span.start), in_hours(span.end)))
                .collect(),
        )
    }

    #[test]
    fn checks_that_the_sums_count_and_that_are_not_there_are_missing() {
        const WHOLE: [i64; 8] = [3, 3, 3, 3, 3, 3, 3, 3];
        const EVERY: Range<i64> = 0..i64::MAX;
        for (what, checks, counted, hours, expected) in [
            ("nothing", WHOLE, WHOLE, EVERY, (0, vec![])),
            (
                "of each column",
                [0, 3, 3, 3, 3, 3, 3, 3],
                [12, 3, 3, 3, 3, 3, 3, 3],
                EVERY,
                (12, vec![(100, 101)]),
            ),
            (
                "in hours that follow each other, and in one apart",
                [3, 2, 1, 3, 3, 0, 3, 3],
                WHOLE,
                EVERY,
                (6, vec![(101, 103), (105, 106)]),
            ),
            (
                "in the hours that are asked for",
                [2, 2, 2, 2, 2, 2, 2, 2],
                WHOLE,
                102..104,
                (2, vec![(102, 104)]),
            ),
            (
                "one, of as many as an hour has milliseconds",
                WHOLE,
                [3, 3, 3 + HOUR_MS, 3, 4, 3, 3, 3],
                EVERY,
                (HOUR_MS.unsigned_abs() + 1, vec![(102, 103), (104, 105)]),
            ),
            (
                "none where the sums are wrong",
                WHOLE,
                [3, -5, 4 + HOUR_MS, 3, 2, 3, 3, 3],
                EVERY,
                (0, vec![]),
            ),
        ] {
            assert_eq!(missing(&file(checks, counted), hours), expected, "{what}");
        }
    }

    #[test]
    fn hours_whose_checks_may_have_been_deleted_or_whose_sums_are_old_are_not_looked_at() {
        let connection = file([2; 8], [3; 8]);
        let run = |sql: &str| connection.execute_batch(sql).expect(sql);
        run(&format!(
            "update pruning set pruned_before = {}",
            102 * HOUR_MS
        ));
        assert_eq!(missing(&connection, 0..i64::MAX), (6, vec![(102, 108)]));
        run(&format!(
            "update pruning set pruned_before = {}",
            102 * HOUR_MS + 1
        ));
        assert_eq!(missing(&connection, 0..i64::MAX), (5, vec![(103, 108)]));
        run("insert into stale_rollup values(1, 105), (2, 106)");
        assert_eq!(
            missing(&connection, 0..i64::MAX),
            (4, vec![(103, 105), (106, 108)])
        );
    }
}
