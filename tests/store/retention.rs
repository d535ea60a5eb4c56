//! What is older than the retention goes, and nothing else.

use super::*;

const NOW: i64 = 1_704_067_200_000; // 2024-01-01 00:00 UTC

/// A check a minute and host over so many days, each with a note, and one that could not be made an
/// hour.
fn fill(path: &Path, days: i64, hosts: usize) -> Database {
    let mut database = open(path);
    for index in 0..hosts {
        let one = host("one", &format!("192.0.2.{index}"));
        let minute = |minute: i64| CheckResult {
            late: 1,
            ..check(
                &one,
                NOW - minute * 60_000,
                &[Some(12_345), Some(13_001), None, Some(40_000), Some(12_999)],
            )
        };
        let mut checks: Vec<_> = (1..=days * 1440).map(minute).collect();
        checks.extend((1..=days * 24).map(|hour| not_measured(&one, NOW - hour * HOUR + 500)));
        write(&mut database, &checks, NOW);
    }
    database
}

#[test]
fn exactly_what_is_older_is_deleted_in_steps_and_the_file_shrinks() {
    let folder = TempDir::new();
    let path = folder.path().join(FILE);
    let mut database = fill(&path, 10, 2);
    write(
        &mut database,
        &[check(&host("cut", "cut"), NOW - 3 * 86_400_000, &[None])],
        NOW,
    );
    write(
        &mut database,
        &[check(
            &host("cut", "cut"),
            NOW - 3 * 86_400_000 - 1,
            &[None],
        )],
        NOW,
    );
    database.checkpoint();
    let size = || fs::metadata(&path).expect("a file").len();
    let before = size();
    let (pruned, steps) = prune_all(&mut database, NOW, [DAY * 3, DAY * 5], 1000);
    assert_eq!(pruned.checks, 2 * 7 * (1440 + 24) + 1);
    assert!(steps >= 20, "{steps}");
    // The check at the cut itself stays.
    let cut = NOW - 3 * 86_400_000;
    assert_eq!(
        number(&path, "select count(*) from check_result"),
        2 * 3 * 1440 + 1
    );
    for table in ["check_result", "check_note"] {
        assert_eq!(
            number(&path, &format!("select min(checked_at) from {table}")),
            cut,
            "{table}"
        );
    }
    assert_eq!(
        number(&path, "select min(checked_at) from not_measured_check"),
        cut + 500
    );
    // Roll-ups of whole hours.
    assert_eq!(
        number(&path, "select min(hour) from rollup"),
        (NOW - 5 * 86_400_000) / HOUR
    );
    assert_eq!(pruned.rollups, 2 * 5 * 24);
    assert_eq!(
        number(
            &path,
            "select count(*) from rollup where host_id = 1 and sent = 300"
        ),
        5 * 24
    );
    assert_eq!(number(&path, "pragma freelist_count"), 0);
    database.checkpoint();
    assert!(size() * 2 < before, "{before} bytes became {}", size());
    expect_whole(&path);
    assert_eq!(
        prune_all(&mut database, NOW, [DAY * 3, DAY * 5], 1000).0,
        Pruned::default()
    );
}

/// Writes a day of two hosts, hour by hour as a monitor does, and deletes what is older than two
/// days, its sums after four. Without outages, which are kept. Returns the length of the file.
fn live_a_day(database: &mut Database, path: &Path, day: i64) -> u64 {
    let hosts = [host("one", "192.0.2.1"), host("two", "192.0.2.2")];
    for hour in day * 24..(day + 1) * 24 {
        let end = NOW + (hour + 1) * HOUR;
        let minute = |minute: i64| {
            let at = end - HOUR + minute * 60_000;
            let pings = |host| match (hour % 7, minute) {
                (1, 30) => not_measured(host, at),
                _ => check(host, at, &[Some(12_345), None, Some(13_001)]),
            };
            hosts.iter().map(pings).collect::<Vec<_>>()
        };
        let checks: Vec<_> = (0..60).flat_map(minute).collect();
        write(database, &checks, end);
        prune_all(database, end, [DAY * 2, DAY * 4], 1000);
    }
    database.checkpoint();
    fs::metadata(path).expect("a file").len()
}

#[test]
fn the_file_stays_as_long_as_it_is_when_the_retention_is_reached() {
    let folder = TempDir::new();
    let path = folder.path().join(FILE);
    let mut database = open(&path);
    let sizes: Vec<u64> = (0..20)
        .map(|day| live_a_day(&mut database, &path, day))
        .collect();
    let reached = sizes[4];
    for size in &sizes[5..] {
        assert!(*size * 100 <= reached * 105, "{sizes:?}");
    }
    expect_whole(&path);
}

#[test]
fn a_reader_within_a_query_sees_its_snapshot_and_blocks_no_writer() {
    let folder = TempDir::new();
    let path = folder.path().join(FILE);
    let mut database = fill(&path, 4, 1);
    let reader = other_program(&path);
    let mut statement = reader
        .prepare("select timestamp from ping_results order by host_address, id")
        .expect("a query");
    let mut answer = statement.query([]).expect("it begins");
    assert!(answer.next().expect("a row").is_some());
    let began = Instant::now();
    let (pruned, _) = prune_all(&mut database, NOW, [DAY, DAY * 5], 500);
    write(
        &mut database,
        &[check(&host("new", "new"), NOW, &[Some(1)])],
        NOW,
    );
    assert!(
        began.elapsed() < Duration::from_secs(4),
        "it waited for the reader: {:?}",
        began.elapsed()
    );
    assert_eq!(pruned.checks, 3 * (1440 + 24));
    let mut rest = 1;
    while answer.next().expect("a row").is_some() {
        rest += 1;
    }
    assert_eq!(rest, 4 * 1440);
    assert_eq!(number(&path, "select count(*) from ping_results"), 1441);
}

#[test]
fn cleanup_reports_what_it_deleted_and_runs_while_a_monitor_runs() {
    let folder = TempDir::new();
    let path = folder.path().join(FILE);
    configure(&folder, FILE, &["127.0.0.1"]);
    drop(fill(&path, 2, 3));
    let mut monitor = Monitor::start(&folder);
    let count = || {
        number(
            &path,
            "select count(*) from ping_results where host_address = '127.0.0.1'",
        )
    };
    wait_for("a result", || count() > 0);
    let cleaned = json(program(folder.path(), &["cleanup", "--json"]));
    // All of 2023 is older than the default of 90 days, and roll-ups are kept for five years, which
    // it may be or not.
    assert_eq!(cleaned["deleted_checks"], 3 * 2 * (1440 + 24));
    assert!(cleaned["deleted_rollups"].is_u64());
    let before = count();
    wait_for("more results", || count() > before + 3);
    assert_eq!(monitor.stop(), Some(0), "{}", monitor.log());
    assert!(!monitor.log().contains("ERROR"), "{}", monitor.log());
    assert_eq!(
        json(program(folder.path(), &["cleanup", "--json"]))["deleted_checks"],
        0
    );
    assert_eq!(
        number(
            &path,
            "select count(*) from ping_results where host_address <> '127.0.0.1'"
        ),
        0
    );
    expect_whole(&path);
}
