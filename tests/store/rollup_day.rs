//! Days: packed once they are over, and never anything but the sum of their hours.

use ace_connection_logger::pure::sums::Counts;
use ace_connection_logger::pure::time::Hour;
use ace_connection_logger::store::{Reader, Source};

use super::rollup::{LATER, START, some_checks};
use super::*;

const DAYS: &str =
    "select host_id, day, hex(total), hex(counts) from rollup_day order by host_id, day";
/// The day of `START`, and the first instant after it.
const DAY_OF_START: i64 = START / 86_400_000;
const NEXT_DAY: i64 = (DAY_OF_START + 1) * 86_400_000;

/// What a reader returns for every hour of two days around `START`, and of their sum.
fn read_hours(path: &Path) -> (Vec<String>, String) {
    let reader = Reader::open(path).expect("a database").expect("is there");
    let ids = reader.host_ids("192.0.2.1").expect("ids");
    let span = UtcMillis(NEXT_DAY - 2 * 86_400_000)..UtcMillis(NEXT_DAY + 86_400_000);
    let hours = reader
        .buckets(&ids, &span, HOUR, Source::Rollup)
        .expect("hours");
    let mut counts = std::collections::BTreeMap::new();
    let take = |hour, sums: &Counts| {
        assert!(
            counts.insert(hour, *sums).is_none(),
            "{hour:?} is read twice"
        )
    };
    reader
        .each_hour(ids[0], span.start.hour()..span.end.hour(), take)
        .expect("counts");
    assert!(
        hours
            .iter()
            .map(|(hour, sums)| (Hour(*hour), sums.counts))
            .eq(counts),
        "the same with and without latencies"
    );
    let sum = reader.sums(&ids, &span).expect("a sum");
    (
        hours.iter().map(|hour| format!("{hour:?}")).collect(),
        format!("{sum:?}"),
    )
}

#[test]
fn a_day_is_packed_when_it_is_over_and_equals_the_sum_of_its_hours() {
    let folder = TempDir::new();
    let path = folder.path().join(FILE);
    let mut database = open(&path);
    let one = host("one", "192.0.2.1");
    write(&mut database, &some_checks(&one), LATER);
    for hour in [2, 5, 23, 24] {
        write(
            &mut database,
            &[check(&one, START + hour * HOUR, &[Some(700), None])],
            START + hour.min(23) * HOUR,
        );
    }
    write(&mut database, &[], NEXT_DAY - 1);
    assert_eq!(rows(&path, DAYS), [""; 0]);
    let by_the_hour = read_hours(&path);
    write(&mut database, &[], NEXT_DAY);
    assert_eq!(number(&path, "select count(*) from rollup_day"), 1);
    assert_eq!(number(&path, "select day from rollup_day"), DAY_OF_START);
    assert_eq!(read_hours(&path), by_the_hour);
    // Nothing else of that day is read: the rows of its hours have no effect then.
    other_program(&path)
        .execute_batch("update rollup set sent = 77 where hour % 24 < 23")
        .expect("it is spoilt");
    assert_eq!(read_hours(&path), by_the_hour);
}

#[test]
fn a_day_is_made_again_when_one_of_its_hours_changes() {
    let folder = TempDir::new();
    let path = folder.path().join(FILE);
    let mut database = open(&path);
    write(
        &mut database,
        &some_checks(&host("one", "192.0.2.1")),
        NEXT_DAY,
    );
    let before = (read_hours(&path), rows(&path, DAYS));
    let other = other_program(&path);
    let row = "insert into ping_results values(null, 'one', '192.0.2.1', '2024-01-01 00:30:00', 1, 0, 100, 9, 9, 9)";
    other.execute(row, []).expect("it is inserted");
    let (hours, sum) = read_hours(&path);
    assert!(
        sum.contains("sent: 19,") && hours.len() == 1,
        "a stale hour is read from its checks: {sum}"
    );
    write(&mut database, &[], NEXT_DAY);
    assert_eq!(read_hours(&path), (hours, sum));
    assert_ne!(rows(&path, DAYS), before.1);
    other
        .execute(
            "delete from ping_results where timestamp = '2024-01-01 00:30:00.000'",
            [],
        )
        .expect("it is deleted");
    write(&mut database, &[], NEXT_DAY);
    assert_eq!((read_hours(&path), rows(&path, DAYS)), before);
    other
        .execute_batch("delete from ping_results; delete from not_measured_check")
        .expect("they are deleted");
    write(&mut database, &[], NEXT_DAY);
    assert_eq!(rows(&path, DAYS), [""; 0]);
    assert_eq!(rows(&path, "select * from stale_rollup_day"), [""; 0]);
}

#[test]
fn a_damaged_day_is_read_from_its_hours() {
    let folder = TempDir::new();
    let path = folder.path().join(FILE);
    let mut database = open(&path);
    let one = host("one", "192.0.2.1");
    let checks: Vec<_> = (0..20)
        .map(|hour| check(&one, START + hour * HOUR, &[Some(700), None, Some(900)]))
        .collect();
    write(&mut database, &checks, NEXT_DAY);
    let whole = read_hours(&path);
    let other = other_program(&path);
    let length = number(&path, "select length(counts) from rollup_day");
    for column in ["counts", "latencies", "total"] {
        for (cut, rest) in [
            (0, "x''"),
            (1, "x''"),
            (length / 2 + 1, "x''"),
            (length / 2 + 1, "x'ffffffffffffffffffff'"),
            (0, "zeroblob(999)"),
        ] {
            let spoil = format!(
                "create temp table kept as select * from rollup_day;
                 update rollup_day set {column} = cast(substr({column}, 1, {cut}) || {rest} as blob)"
            );
            other.execute_batch(&spoil).expect("it is spoilt");
            // A damaged row that still decodes may have wrong values, but no hour twice.
            let damaged = read_hours(&path);
            if !rest.contains("zero") {
                assert_eq!(damaged, whole, "{column} cut at {cut}");
            }
            other
                .execute_batch("delete from rollup_day; insert into rollup_day select * from kept; drop table kept")
                .expect("whole");
        }
    }
    assert_eq!(read_hours(&path), whole);
}

#[test]
fn roll_ups_are_deleted_by_whole_days() {
    let folder = TempDir::new();
    let path = folder.path().join(FILE);
    let mut database = open(&path);
    let one = host("one", "192.0.2.1");
    let checks: Vec<_> = (0..72)
        .map(|hour| check(&one, START + hour * HOUR, &[Some(700)]))
        .collect();
    write(&mut database, &checks, START + 80 * HOUR);
    // The cut goes through the first day, then through the second.
    let keep = [DAY * 1000, DAY * 2];
    prune_all(&mut database, START + 71 * HOUR, keep, 5000);
    assert_eq!(number(&path, "select min(hour) from rollup"), START / HOUR);
    prune_all(&mut database, START + 73 * HOUR, keep, 5000);
    assert_eq!(
        number(&path, "select min(hour) from rollup"),
        (START / 86_400_000 + 1) * 24
    );
    assert_eq!(
        number(&path, "select min(day) from rollup_day"),
        START / 86_400_000 + 1
    );
}
