//! Changes of level: each is recorded once, with its time, through restarts and corrections of the
//! clock, and goes with the checks.

use super::record::{at, set_clock};
use super::*;

const CHANGES: &str =
    "select kind, (at - 1700000000000) / 60000, before, after from level_changes order by at, kind";

/// The check of a minute with five pings, of which the first `lost` are lost, and a round-trip time
/// that varies a little.
fn minute(host: &Arc<Host>, minute: i64, rtt_us: u32, lost: usize) -> CheckResult {
    let varied = rtt_us + u32::try_from(minute * 37 % 11).expect("it is small") * rtt_us / 1000;
    let pings: Vec<Option<u32>> = (0..5)
        .map(|index| (index >= lost).then_some(varied))
        .collect();
    check(host, at(minute * 60).0, &pings)
}

/// The changes of a kind as minute, level before, level after, the levels without their last three
/// digits.
fn changes(path: &Path, kind: &str) -> Vec<(i64, i64, i64)> {
    let of_kind = format!("select * from ({CHANGES}) where kind = '{kind}'");
    let number = |part: Option<&str>| part.and_then(|part| part.parse().ok()).expect("a number");
    rows(path, &of_kind)
        .iter()
        .map(|row| {
            let mut parts = row.split('|').skip(1);
            let mut next = || -> i64 { number(parts.next()) };
            (next(), next() / 1000, next() / 1000)
        })
        .collect()
}

/// Writes the checks with a restart after each `run` of them.
fn write_in_runs(path: &Path, checks: &[CheckResult], run: usize) {
    for part in checks.chunks(run) {
        let mut database = open(path);
        let now = part.last().expect("a check").checked_at;
        write_once(&mut database, part, now.0);
    }
}

#[test]
fn a_change_is_recorded_once_however_often_the_monitor_restarts() {
    let one = host("one", "192.0.2.1");
    let checks: Vec<_> = (0..400)
        .map(|index| match index {
            ..100 => minute(&one, index, 12_000, 0),
            100..220 => minute(&one, index, 31_000, 0),
            _ => minute(&one, index, 12_000, usize::from(index >= 300)),
        })
        .collect();
    for run in [3, 7, 40, 101, 400] {
        let folder = TempDir::new();
        let path = folder.path().join(FILE);
        write_in_runs(&path, &checks, run);
        assert_eq!(
            changes(&path, "latency"),
            [(100, 12, 31), (220, 31, 12)],
            "{run}"
        );
        let loss = changes(&path, "loss");
        let [(found_at, 0, after)] = loss[..] else {
            panic!("{run}: {loss:?}")
        };
        assert!((298..=302).contains(&found_at), "{run}: {loss:?}");
        assert!((18..=20).contains(&after), "{run}: {loss:?}");
    }
}

#[test]
fn an_outage_and_what_could_not_be_measured_are_no_change() {
    let one = host("one", "192.0.2.1");
    let with = |between: fn(&Arc<Host>, i64) -> CheckResult, after_us: u32| -> Vec<_> {
        (0..200)
            .map(|index| match index {
                60..120 => between(&one, index),
                120.. => minute(&one, index, after_us, 0),
                _ => minute(&one, index, 12_000, 0),
            })
            .collect()
    };
    let silent: fn(&Arc<Host>, i64) -> CheckResult = |one, index| minute(one, index, 12_000, 5);
    let unmeasured: fn(&Arc<Host>, i64) -> CheckResult =
        |one, index| not_measured(one, at(index * 60).0);
    let by_hand: fn(&Arc<Host>, i64) -> CheckResult = |one, index| CheckResult {
        is_by_hand: true,
        ..minute(one, index, 50_000, 2)
    };
    for (what, between) in [
        ("an outage", silent),
        ("not measured", unmeasured),
        ("by hand", by_hand),
    ] {
        let folder = TempDir::new();
        let path = folder.path().join(FILE);
        write_in_runs(&path, &with(between, 12_000), 200);
        assert_eq!(rows(&path, CHANGES), [""; 0], "{what}");
        let folder = TempDir::new();
        let path = folder.path().join(FILE);
        write_in_runs(&path, &with(between, 31_000), 200);
        assert_eq!(changes(&path, "latency"), [(120, 12, 31)], "{what}");
        assert_eq!(changes(&path, "loss"), [], "{what}");
    }
}

#[test]
fn after_a_restart_a_recorded_change_is_not_found_beside_itself() {
    let folder = TempDir::new();
    let path = folder.path().join(FILE);
    let one = host("one", "192.0.2.1");
    let level = |index: i64| minute(&one, index, if index < 47 { 12_000 } else { 31_000 }, 0);
    let checks: Vec<_> = (0..120).map(level).collect();
    write_in_runs(&path, &checks[..50], 50);
    assert_eq!(rows(&path, CHANGES), [""; 0], "it is not certain yet");
    let recorded = format!(
        "insert into level_changes values(1, 'latency', {}, 12000, 31000, 80)",
        at(49 * 60).0
    );
    other_program(&path)
        .execute(&recorded, [])
        .expect("a change");
    write_in_runs(&path, &checks[50..], 70);
    assert_eq!(changes(&path, "latency"), [(49, 12, 31)]);
}

#[test]
fn a_change_moves_with_the_checks_of_its_run_and_is_not_recorded_again() {
    // When the clock is set right the change is recorded, or is not certain yet.
    for set_at in [100, 63] {
        let folder = TempDir::new();
        let path = folder.path().join(FILE);
        let one = host("one", "192.0.2.1");
        let mut database = open(&path);
        database.begin_run(at(0), true).expect("the ledger");
        write(&mut database, &[minute(&one, 1, 12_000, 0)], at(60).0);
        drop(database);
        // The clock is half an hour behind.
        let mut database = open(&path);
        let behind = -1800;
        let begin = at(120 + behind);
        database.begin_run(begin, true).expect("the ledger");
        let checks: Vec<_> = (3..set_at)
            .map(|index| {
                let result = minute(&one, index, if index < 60 { 12_000 } else { 31_000 }, 0);
                let shown = UtcMillis(result.checked_at.0 + behind * 1000);
                CheckResult {
                    checked_at: database.run_clock.dated(shown),
                    ..result
                }
            })
            .collect();
        let now = database.run_clock.dated(at(set_at * 60 + behind));
        write(&mut database, &checks, now.0);
        let before = changes(&path, "latency");
        assert_eq!(before.len(), usize::from(set_at == 100), "{before:?}");
        assert!(before.iter().all(|(at, ..)| *at != 60), "{before:?}");
        set_clock(&mut database, at(set_at * 60), 1_800_000);
        let later: Vec<_> = (set_at + 1..200)
            .map(|index| minute(&one, index, 31_000, 0))
            .collect();
        write(&mut database, &later, at(200 * 60).0);
        assert_eq!(changes(&path, "latency"), [(60, 12, 31)], "{set_at}");
    }
}

#[test]
fn changes_are_kept_as_long_as_hourly_sums_and_are_in_copies_and_imports_once() {
    const DAY_MS: i64 = 86_400_000;
    let folder = TempDir::new();
    let path = folder.path().join(FILE);
    configure(&folder, FILE, &["127.0.0.1"]);
    let one = host("one", "192.0.2.1");
    let mut database = open(&path);
    let now = at(0).0 + 10 * DAY_MS;
    write(&mut database, &[check(&one, now, &[Some(1000)])], now);
    for days in [1, 4, 6, 9] {
        let insert = format!(
            "insert into level_changes values(1, 'latency', {}, 12000, 31000, 80)",
            now - days * DAY_MS
        );
        other_program(&path).execute(&insert, []).expect("a change");
    }
    prune_all(&mut database, now, [DAY * 3, DAY * 5], 1000);
    let days = format!("select ({now} - at) / {DAY_MS} from level_changes order by at");
    assert_eq!(rows(&path, &days), ["4", "1"]);
    let copy = folder.path().join("copy");
    let name = copy.to_string_lossy().into_owned();
    expect_success(program(folder.path(), &["backup", &name]));
    assert_eq!(rows(&copy, &days), ["4", "1"]);
    // Where the host has another id.
    let other = folder.path().join("other.db");
    let mut database = open(&other);
    write(
        &mut database,
        &[check(&host("two", "192.0.2.2"), now, &[Some(1)])],
        now,
    );
    for times in 0..2 {
        database.import(&copy, &mut |_, _| ()).expect("it imports");
        let of_one = format!(
            "select name, ({now} - at) / {DAY_MS}, before, after, sureness, host_id
                                from level_changes join host h on h.id = host_id order by at"
        );
        assert_eq!(
            rows(&other, &of_one),
            ["one|4|12000|31000|80|2", "one|1|12000|31000|80|2"],
            "{times}"
        );
    }
}
