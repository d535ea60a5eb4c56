//! Clocks that are behind or ahead when a run begins, and gaps of the clock.

use super::record::{at, pings, reader, set_clock};
use super::*;
use ace_connection_logger::pure::run_clock;

/// A run that goes on, with a check of the host after 10 s.
fn begun(path: &Path, one: &Arc<Host>) -> Database {
    let mut database = open(path);
    database.begin_run(at(0), true).expect("the ledger");
    write(&mut database, &[pings(one, 10, "r")], at(11).0);
    database
}

/// A run that ended without a clean stop 130 s after it began, with an outage from 60 s to 66 s.
fn first_run(path: &Path, one: &Arc<Host>) {
    let mut database = open(path);
    database.begin_run(at(0), true).expect("the ledger");
    let all = [
        pings(one, 0, "rrr"),
        pings(one, 60, "sss"),
        pings(one, 66, "rrr"),
        pings(one, 120, "rrr"),
    ];
    write(&mut database, &all, at(130).0);
}

#[test]
fn a_run_whose_clock_is_behind_moves_whole_and_nothing_of_before_it() {
    let folder = TempDir::new();
    let path = folder.path().join(FILE);
    let one = host("one", "192.0.2.1");
    first_run(&path, &one);
    let before = rows(
        &path,
        "select * from check_result union all select id, start_time, end_time, duration_seconds, 0, 0, 0, 0 from outage_events",
    );
    // Without power from 130 s to 200 s; the clock is half an hour behind, and set right at 290 s.
    let mut database = open(&path);
    let slow = |seconds: i64| seconds - 1800;
    database.begin_run(at(slow(200)), true).expect("the ledger");
    let dated = |database: &Database, seconds, letters| CheckResult {
        checked_at: database.run_clock.dated(at(slow(seconds))),
        ..pings(&one, 0, letters)
    };
    let silent = [
        dated(&database, 210, "rrr"),
        dated(&database, 230, "sss"),
        dated(&database, 250, "sss"),
    ];
    let now = database.run_clock.dated(at(slow(280)));
    write(&mut database, &silent, now.0);
    assert_eq!(
        number(
            &path,
            "select count(*) from outage_events where start_time < (select max(end_time) from outage_events)"
        ),
        1,
        "nothing interleaves with what was recorded before"
    );
    let note = format!(
        "insert into notice(made_at, kind, facts) values({}, 'down', '{{\"at\":\"{}\"}}');
         update outage_events set path = '[{{\"at\":\"{}\",\"hops\":[]}}]' where end_time is null;
         insert into doubt(host_id, noted_at, replied_at, lost) values(1, {}, {}, 1)",
        now.0,
        now.rfc3339(),
        now.rfc3339(),
        now.0,
        at(120).0
    );
    other_program(&path)
        .execute_batch(&note)
        .expect("it is written");
    assert_eq!(set_clock(&mut database, at(290), 1_800_000), 3);
    write(&mut database, &[pings(&one, 300, "rrr")], at(305).0);
    assert_eq!(
        rows(
            &path,
            "select * from check_result where checked_at < 1700000150000
             union all select id, start_time, end_time, duration_seconds, 0, 0, 0, 0 from outage_events where id = 1"
        ),
        before
    );
    let times = "select (checked_at - 1700000000000) / 1000 from check_result order by 1";
    assert_eq!(
        rows(&path, times),
        ["0", "60", "66", "120", "210", "230", "250", "300"]
    );
    assert_eq!(
        rows(
            &path,
            "select substr(start_time, 15), substr(end_time, 15), duration_seconds from outage_events where id = 2"
        ),
        ["17:10.000|18:20.000|70"],
        "22:13:20 is the second 0"
    );
    let moved = at(280).rfc3339();
    assert_eq!(
        rows(&path, "select made_at - 1700000000000, facts from notice"),
        [format!("280000|{{\"at\":\"{moved}\"}}")]
    );
    assert_eq!(
        rows(&path, "select path from outage_events where id = 2"),
        [format!("[{{\"at\":\"{moved}\",\"hops\":[]}}]")]
    );
    assert_eq!(
        rows(
            &path,
            "select noted_at - 1700000000000, replied_at - 1700000000000 from doubt"
        ),
        ["280000|120000"]
    );
    let gaps = reader(&path).gaps(&(at(0)..at(305))).expect("gaps");
    let [gap] = &gaps[..] else {
        panic!("one gap: {gaps:?}")
    };
    assert_eq!((gap.from, gap.to), (at(130), at(200)));
    assert!(gap.reason.contains("no power"), "{gap:?}");
}

#[test]
fn rows_that_a_clock_left_in_the_future_move_back_at_the_next_start() {
    for is_synchronised in [true, false] {
        let folder = TempDir::new();
        let path = folder.path().join(FILE);
        let one = host("one", "192.0.2.1");
        let mut database = open(&path);
        database
            .begin_run(at(0), is_synchronised)
            .expect("the ledger");
        write(&mut database, &[pings(&one, 10, "r")], at(11).0);
        set_clock(&mut database, at(20 + 3600), 3_600_000);
        write(
            &mut database,
            &[pings(&one, 30 + 3600, "r")],
            at(31 + 3600).0,
        );
        drop(database);
        let mut database = open(&path);
        database
            .begin_run(at(60), is_synchronised)
            .expect("the ledger");
        assert_eq!(database.run_clock.dated(at(60)), at(60));
        let times = "select (checked_at - 1700000000000) / 1000 from check_result";
        assert_eq!(rows(&path, times), ["10", "30"]);
        let gaps = reader(&path).gaps(&(at(0)..at(61))).expect("gaps");
        assert_eq!(
            gaps.iter()
                .map(|gap| (gap.from, gap.to))
                .collect::<Vec<_>>(),
            [(at(31), at(60))]
        );
    }
}

/// Everything that is recorded, without the runs and steps of the clock.
fn record_of(path: &Path) -> Vec<String> {
    [
        "select host_id, checked_at, sent, received, rtts from check_result order by 1, 2",
        "select * from outage_events order by id",
        "select * from rollup r where not exists
          (select 1 from stale_rollup s where s.host_id = r.host_id and s.hour = r.hour) order by 1, 2",
        "select started_at, ended_at, kind from interruption order by 1",
    ]
    .iter()
    .flat_map(|sql| rows(path, sql))
    .collect()
}

#[test]
fn a_clock_set_back_moves_nothing_of_earlier_runs_and_all_of_its_own_comes_back() {
    const HOUR: i64 = 3600;
    for steps in [
        &[-HOUR, HOUR][..],
        &[-12 * HOUR, -12 * HOUR, 24 * HOUR],
        &[-100 * 24 * HOUR, 100 * 24 * HOUR],
        &[-1024 * 7 * 24 * HOUR, 1024 * 7 * 24 * HOUR],
        &[12 * HOUR, 12 * HOUR, -24 * HOUR],
        &[12 * HOUR, 12 * HOUR, -12 * HOUR, -12 * HOUR],
        &[24 * HOUR, -12 * HOUR, -12 * HOUR],
    ] {
        for is_synchronised in [true, false] {
            let record = |steps: &[i64]| {
                let folder = TempDir::new();
                let path = folder.path().join(FILE);
                let one = host("one", "192.0.2.1");
                first_run(&path, &one);
                let mut database = open(&path);
                database
                    .begin_run(at(4000), is_synchronised)
                    .expect("the ledger");
                // An outage is ongoing while the clock is set.
                let mut seconds = 4010;
                let check = |database: &mut Database, wall: i64, letters: &str| {
                    let dated = database.run_clock.dated(at(wall));
                    let result = CheckResult {
                        checked_at: dated,
                        ..pings(&one, 0, letters)
                    };
                    write(database, &[result], dated.0);
                };
                check(&mut database, seconds, "rrr");
                check(&mut database, seconds + 5, "sss");
                let mut offset = 0;
                for step in steps {
                    offset += step;
                    seconds += 10;
                    set_clock(&mut database, at(seconds + offset), step * 1000);
                    check(&mut database, seconds + 5 + offset, "sss");
                }
                assert_eq!(offset, 0);
                check(&mut database, 4200, "rrr");
                check(&mut database, 3 * HOUR + 4200, "rrr");
                record_of(&path)
            };
            let without: Vec<i64> = steps.iter().map(|_| 0).collect();
            assert_eq!(
                record(steps),
                record(&without),
                "{steps:?}, synchronised: {is_synchronised}"
            );
        }
    }
}

#[test]
fn a_check_that_began_before_a_step_forward_was_noticed_comes_back_with_the_others() {
    let folder = TempDir::new();
    let path = folder.path().join(FILE);
    let one = host("one", "192.0.2.1");
    let mut database = begun(&path, &one);
    // The clock was set at some time after 11 s, and a check from 28 s to 30 s notices it.
    set_clock(&mut database, at(30 + 3600), 3_600_000);
    for seconds in [28, 40] {
        let check = pings(&one, seconds + 3600, "r");
        write(&mut database, &[check], at(seconds + 3602).0);
    }
    set_clock(&mut database, at(60), -3_600_000);
    let times = "select (checked_at - 1700000000000) / 1000 from check_result";
    assert_eq!(rows(&path, times), ["10", "28", "40"]);
}

#[test]
fn a_step_ahead_that_is_taken_back_in_two_parts_moves_nothing_of_before_it() {
    let folder = TempDir::new();
    let path = folder.path().join(FILE);
    let one = host("one", "192.0.2.1");
    let mut database = begun(&path, &one);
    let record = |database: &mut Database, seconds: i64, ahead: i64| {
        let check = pings(&one, seconds + ahead, "r");
        write(database, &[check], at(seconds + ahead + 1).0);
    };
    record(&mut database, 20, 0);
    set_clock(&mut database, at(30 + 3600), 3_600_000);
    record(&mut database, 40, 3600);
    // Ten minutes after a part of it is taken back, that is believed.
    let step = run_clock::ClockStep {
        now: at(60 + 3000),
        step_ms: -600_000,
    };
    let not_believed = database.run_clock.step(&step, DAY);
    assert_eq!(not_believed, []);
    let now = at(700 + 3000);
    let quiet = Duration::from_secs(640);
    let believed = database.run_clock.settle(now, false, quiet);
    assert_eq!(believed.len(), 1, "{believed:?}");
    let step = run_clock::ClockStep { now, step_ms: 0 };
    database.correct(&step, &believed).expect("it is written");
    record(&mut database, 710, 3000);
    let gap = "select started_at - 1700000000000, ended_at - started_at from interruption";
    assert_eq!(rows(&path, gap), ["30000|3000000"]);
    set_clock(&mut database, at(720), -3_000_000);
    let times = "select (checked_at - 1700000000000) / 1000 from check_result";
    assert_eq!(rows(&path, times), ["10", "20", "40", "710"]);
    assert_eq!(rows(&path, gap), [""; 0]);
}

#[test]
fn several_steps_ahead_that_a_power_cut_left_are_taken_back_at_the_next_start() {
    let folder = TempDir::new();
    let path = folder.path().join(FILE);
    let one = host("one", "192.0.2.1");
    let mut database = begun(&path, &one);
    for (at_seconds, ahead) in [(20, 3600), (40, 7200)] {
        set_clock(&mut database, at(at_seconds + ahead), 3_600_000);
        let check = pings(&one, at_seconds + 10 + ahead, "r");
        write(&mut database, &[check], at(at_seconds + 11 + ahead).0);
    }
    drop(database);
    let settled = folder.path().join("settled");
    fs::copy(&path, &settled).expect("a copy");
    other_program(&settled)
        .execute("update clock_step set why = 'confirmed'", [])
        .expect("it is written");
    let times = "select (checked_at - 1700000000000) / 1000 from check_result";
    for (path, expected) in [
        (&path, ["10", "30", "50"]),
        (&settled, ["10", "3630", "7250"]),
    ] {
        open(path).begin_run(at(60), true).expect("the ledger");
        assert_eq!(rows(path, times), expected);
    }
    assert_eq!(number(&path, "select count(*) from interruption"), 0);
}

#[test]
fn a_run_that_moved_by_less_than_the_step_moves_back_by_as_much() {
    let folder = TempDir::new();
    let path = folder.path().join(FILE);
    let one = host("one", "192.0.2.1");
    first_run(&path, &one);
    let mut database = open(&path);
    database.begin_run(at(140), false).expect("the ledger");
    write(&mut database, &[pings(&one, 150, "r")], at(151).0);
    // Set back by 100 s, which the earlier run contradicts, and then ahead by 50 s more than that.
    set_clock(&mut database, at(60), -100_000);
    let moved = set_clock(&mut database, at(220), 150_000);
    assert_eq!(moved, 1);
    write(&mut database, &[pings(&one, 230, "r")], at(231).0);
    drop(database);
    open(&path).begin_run(at(182), true).expect("the ledger");
    let times = "select (checked_at - 1700000000000) / 1000 from check_result";
    assert_eq!(rows(&path, times), ["0", "60", "66", "120", "150", "180"]);
}

#[test]
fn a_longer_step_than_the_clock_was_behind_skips_the_rest_of_it() {
    let folder = TempDir::new();
    let path = folder.path().join(FILE);
    let mut database = begun(&path, &host("one", "192.0.2.1"));
    set_clock(&mut database, at(20 - 100), -100_000);
    set_clock(&mut database, at(30 + 50), 150_000);
    let gap = "select started_at - 1700000000000, ended_at - started_at from interruption";
    assert_eq!(rows(&path, gap), ["30000|50000"]);
}

#[test]
fn a_row_of_the_distant_future_dates_no_run() {
    let folder = TempDir::new();
    let path = folder.path().join(FILE);
    let one = host("one", "192.0.2.1");
    first_run(&path, &one);
    let insert = "insert into check_result values(1, 8796093022207, 1, 1, 1, 1, 1, null)";
    other_program(&path)
        .execute(insert, [])
        .expect("it is written");
    let mut database = open(&path);
    database.begin_run(at(200), true).expect("the ledger");
    assert_eq!(database.run_clock.dated(at(200)), at(200));
}

#[test]
fn a_gap_of_the_clock_of_an_older_version_covers_nothing_that_was_measured() {
    let folder = TempDir::new();
    let path = folder.path().join(FILE);
    first_run(&path, &host("one", "192.0.2.1"));
    let insert = format!(
        "insert into interruption(started_at, ended_at, kind) values({}, {}, 'clock')",
        at(-3600).0,
        at(125).0
    );
    other_program(&path)
        .execute(&insert, [])
        .expect("it is written");
    let gaps = reader(&path).gaps(&(at(-3600)..at(130))).expect("gaps");
    assert_eq!(
        gaps.iter()
            .map(|gap| (gap.from, gap.to))
            .collect::<Vec<_>>(),
        [(at(-3600), at(0)), (at(120), at(125))]
    );
}

#[test]
fn the_time_after_a_restored_backup_is_not_one_without_power() {
    let folder = TempDir::new();
    let path = folder.path().join(FILE);
    first_run(&path, &host("one", "192.0.2.1"));
    let copy = folder.path().join("copy");
    ace_connection_logger::store::backup(&path, &copy).expect("a copy");
    let reason = |path: &Path| {
        open(path).begin_run(at(500), true).expect("the ledger");
        let gaps = reader(path).gaps(&(at(0)..at(501))).expect("gaps");
        let [gap] = &gaps[..] else {
            panic!("one gap: {gaps:?}")
        };
        assert_eq!((gap.from, gap.to), (at(130), at(500)));
        gap.reason.clone()
    };
    assert_eq!(
        reason(&copy),
        "what was measured after this backup was made is not in it"
    );
    assert!(reason(&path).contains("killed"));
}
