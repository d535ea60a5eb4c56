//! Roll-ups: what they contain, when they are made, and what must not change them.

use super::*;

/// A full hour in 2024, and the one after it.
pub(super) const START: i64 = 473_352 * HOUR;
pub(super) const LATER: i64 = START + HOUR;

const ALL: &str = "select host_id, hour, none, to_20, to_40, to_60, to_80, to_95, to_100, full, not_measured, sent, received, rate_sum, rate_min, rate_max, \
                   min_us, max_us, sum_us, avg_sum_us, latency_checks, hex(histogram) from rollup order by host_id, hour";

pub(super) fn some_checks(host: &Arc<Host>) -> Vec<CheckResult> {
    vec![
        check(host, START, &[Some(1000), Some(2000), Some(3000)]),
        check(
            host,
            START + 60_000,
            &[Some(1000), None, Some(1000), Some(1400), Some(1000)],
        ),
        check(
            host,
            START + 120_000,
            &[Some(5000), None, None, None, Some(7000)],
        ),
        check(host, START + 180_000, &[None; 5]),
        not_measured(host, START + 240_000),
    ]
}

/// Rates: 100, 80, 40, 0 %. Means: 2000, 1100, 6000 us. Histogram: bucket 111 (992 to 1023 us) four
/// times, then 117, 127, 135, 147, 155 once each, as distances with counts.
const WORKED_BY_HAND: &str = "1|473352|1|0|1|0|0|1|0|1|1|18|9|220000|0|100000|1000|7000|22400|9100|3|6F0406010A0108010C010801";

#[test]
fn a_roll_up_equals_sums_by_hand_and_is_made_when_the_hour_is_over() {
    let folder = TempDir::new();
    let path = folder.path().join(FILE);
    let mut database = open(&path);
    write(
        &mut database,
        &some_checks(&host("one", "192.0.2.1")),
        LATER - 1,
    );
    assert_eq!(rows(&path, ALL), [""; 0]);
    assert_eq!(
        rows(&path, "select host_id, hour from stale_rollup"),
        ["1|473352"]
    );
    write(&mut database, &[], LATER);
    assert_eq!(rows(&path, ALL), [WORKED_BY_HAND]);
    assert_eq!(rows(&path, "select * from stale_rollup"), [""; 0]);
}

#[test]
fn checks_with_only_minimum_mean_and_maximum_count_with_these() {
    let folder = TempDir::new();
    let path = folder.path().join(FILE);
    let mut database = open(&path);
    let insert =
        "insert into ping_results values(null, 'one', '192.0.2.1', ?1, ?2, ?3, null, ?4, ?5, ?6)";
    let other = other_program(&path);
    // Minimum, maximum, and twice the mean: 20, 30 (the means) and 10 us, one reply of 31 us, and
    // one without a time.
    for (second, received, lost, min, max, avg) in [
        (0, 4, 1, Some(0.010), Some(0.030), Some(0.020)),
        (1, 1, 0, Some(0.031), Some(0.031), Some(0.031)),
        (2, 5, 0, None, None, None),
    ] {
        let at = format!("2024-01-01 00:00:0{second}");
        other
            .execute(insert, rusqlite::params![at, received, lost, min, max, avg])
            .expect("it is inserted");
    }
    write(&mut database, &[], LATER);
    assert_eq!(
        rows(&path, ALL),
        ["1|473352|0|0|0|0|0|1|0|2|0|11|10|280000|80000|100000|10|31|111|51|2|0A010A020A010101"]
    );
}

#[test]
fn an_old_hour_that_plain_sql_changes_is_rolled_up_again() {
    let folder = TempDir::new();
    let path = folder.path().join(FILE);
    let mut database = open(&path);
    write(
        &mut database,
        &some_checks(&host("one", "192.0.2.1")),
        LATER,
    );
    let other = other_program(&path);
    let row = "insert into ping_results values(null, 'one', '192.0.2.1', '2024-01-01 00:30:00', 1, 0, 100, 9, 9, 9)";
    other.execute(row, []).expect("it is inserted");
    write(&mut database, &[], LATER);
    assert_eq!(
        rows(&path, "select full, sent, max_us from rollup"),
        ["2|19|9000"]
    );
    other
        .execute(
            "delete from ping_results where timestamp = '2024-01-01 00:30:00.000'",
            [],
        )
        .expect("it is deleted");
    write(&mut database, &[], LATER);
    assert_eq!(rows(&path, ALL), [WORKED_BY_HAND]);
    other
        .execute("delete from ping_results", [])
        .expect("they are deleted");
    write(&mut database, &[], LATER);
    assert_eq!(
        rows(
            &path,
            "select full, none + to_40, not_measured, sent from rollup"
        ),
        ["0|0|1|0"]
    );
}

#[test]
fn a_late_check_counts_although_another_process_has_rolled_up_its_hour() {
    let folder = TempDir::new();
    let path = folder.path().join(FILE);
    let (mut late, mut early) = (open(&path), open(&path));
    let one = host("one", "192.0.2.1");
    write(&mut late, &[check(&one, START, &[Some(5)])], START);
    write(&mut early, &[], LATER);
    assert_eq!(rows(&path, "select sent from rollup"), ["1"]);
    write(&mut late, &[check(&one, START + 1000, &[Some(5)])], LATER);
    assert_eq!(rows(&path, "select sent from rollup"), ["2"]);
}

#[test]
fn roll_ups_outlive_their_checks_and_an_insert_into_a_pruned_hour_changes_none() {
    let folder = TempDir::new();
    let path = folder.path().join(FILE);
    let mut database = open(&path);
    write(
        &mut database,
        &some_checks(&host("one", "192.0.2.1")),
        START,
    );
    // The cut goes through the hour, and the hour after it has checks that stay.
    let now = START + 150_000 + 86_400_000;
    let (pruned, _) = prune_all(&mut database, now, [DAY, DAY * 1000], 5000);
    assert_eq!((pruned.checks, pruned.rollups), (3, 0));
    assert_eq!(rows(&path, ALL), [WORKED_BY_HAND]);
    assert_eq!(
        rows(&path, "select checked_at from check_result"),
        [(START + 180_000).to_string()]
    );
    assert_eq!(
        rows(&path, "select checked_at from not_measured_check"),
        [(START + 240_000).to_string()]
    );
    let row = "insert into ping_results values(null, 'one', '192.0.2.1', '2024-01-01 00:00:30', 1, 0, 100, 9, 9, 9)";
    other_program(&path)
        .execute(row, [])
        .expect("it is inserted");
    write(&mut database, &[], now);
    assert_eq!(rows(&path, ALL), [WORKED_BY_HAND]);
    // Another host's checks of that hour have no roll-up yet, so theirs is made.
    write(
        &mut database,
        &[check(&host("two", "192.0.2.2"), START + 5, &[Some(9)])],
        now,
    );
    assert_eq!(
        number(&path, "select sent from rollup where host_id = 2"),
        1
    );
}

#[test]
fn unreadable_values_count_as_nothing_and_prevent_no_later_write() {
    let folder = TempDir::new();
    let path = folder.path().join(FILE);
    let mut database = open(&path);
    let one = host("one", "192.0.2.1");
    write(&mut database, &[check(&one, START, &[Some(5)])], START);
    let insert = "insert into check_result values(1, ?1, ?2, ?3, ?4, ?5, ?6, ?7)";
    let other = other_program(&path);
    let max = i64::MAX;
    for (at, values) in [
        (1, "'many', 'none', 'x', 'y', 'z', 'w'".to_string()),
        (2, "-5, -6, -7, -8, -9, zeroblob(1000000)".into()),
        (3, format!("{max}, {max}, 1, 1, 1, null")),
        (4, format!("{max}, {max}, {max}, {max}, {max}, null")),
        (
            5,
            "1, 1e308, 4294967295, 4294967295, 4294967295, x'ffffffffffffffffffff'".into(),
        ),
        (
            6,
            "1000000, 1000000, 4294967295, 4294967295, 4294967295, 7".into(),
        ),
    ] {
        let insert = insert.replace(
            "?1, ?2, ?3, ?4, ?5, ?6, ?7",
            &format!("{}, {values}", START + at),
        );
        other
            .execute(&insert, [])
            .unwrap_or_else(|error| panic!("{insert}: {error}"));
    }
    write(
        &mut database,
        &[check(&one, START + 1000, &[Some(5)])],
        LATER,
    );
    assert_eq!(number(&path, "select count(*) from check_result"), 8);
    assert_eq!(number(&path, "select sent from rollup"), 1_000_003);
}
