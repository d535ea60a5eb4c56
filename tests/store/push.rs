//! The marks that say what the engine of the section `push` does not have yet: whatever is entered,
//! moved or changed is sent again, and nothing else.

use super::common::versions::WITHOUT_PUSH;
use super::record::{at, pings, reader, set_clock};
use super::*;
use ace_connection_logger::store::{PushMark, PushProgress};

/// What the engine has acknowledged when it has all that is recorded now.
fn all(path: &Path) -> PushProgress {
    let reader = reader(path);
    let mut progress = PushProgress::default();
    for host in reader.hosts_to_push().expect("hosts") {
        let checks = reader
            .checks_to_push(host.host.id, host.mark.until, usize::MAX)
            .expect("checks");
        let until = checks.last().map_or(host.mark.until, |check| check.at.0);
        let mark = PushMark { until, ..host.mark };
        progress.marks.insert(host.host.id, mark);
    }
    let events = reader.events_to_push(0, usize::MAX).expect("events");
    progress.events = events.last().map(|event| event.change);
    progress
}

/// Has the writer record it.
fn acknowledge(database: &mut Database, progress: PushProgress) {
    database.note_pushed(progress);
    write_once(database, &[], at(100).0);
}

/// The seconds of the checks that are to be sent, of all hosts.
fn unsent(path: &Path) -> Vec<i64> {
    let reader = reader(path);
    let mut seconds = Vec::new();
    for host in reader.hosts_to_push().expect("hosts") {
        let checks = reader.checks_to_push(host.host.id, host.mark.until, usize::MAX);
        let times = checks.expect("checks").into_iter().map(|check| check.at.0);
        seconds.extend(times.map(|ms| (ms - at(0).0) / 1000));
    }
    seconds
}

/// Five checks, one of them not measured, that the engine has.
fn sent_database(path: &Path) -> Database {
    let one = host("one", "192.0.2.1");
    let mut database = open(path);
    database.begin_run(at(0), false).expect("the ledger");
    let mut checks: Vec<CheckResult> = [10, 20, 30, 50].map(|s| pings(&one, s, "rr")).into();
    checks.insert(3, not_measured(&one, at(40).0));
    write_once(&mut database, &checks, at(60).0);
    assert_eq!(unsent(path), [10, 20, 30, 40, 50]);
    let progress = all(path);
    acknowledge(&mut database, progress);
    assert_eq!(unsent(path), [0; 0]);
    database
}

fn execute(path: &Path, sql: &str) {
    other_program(path).execute_batch(sql).expect("SQL");
}

/// A timestamp of `ping_results`.
fn text(seconds: i64) -> String {
    at(seconds).sql_text()
}

/// A statement that enters a check of the host with plain SQL.
fn insert(seconds: i64, count: u8) -> String {
    format!(
        "insert or replace into ping_results(host_name, host_address, timestamp, success_count, failure_count,
             min_latency, max_latency, avg_latency) values('one', '192.0.2.1', '{}', {count}, 0, 1, 1, 1)",
        text(seconds)
    )
}

#[test]
fn what_is_entered_moved_or_replaced_behind_the_mark_is_sent_again_and_nothing_else() {
    type Change = Box<dyn Fn(&mut Database)>;
    let one = || host("one", "192.0.2.1");
    let record = |checks: Vec<CheckResult>| -> Change {
        Box::new(move |database| write_once(database, &checks, at(100).0))
    };
    let sql = |sql: String| -> Change { Box::new(move |database| execute(database.path(), &sql)) };
    let changes: [(&str, Change, &[i64]); 13] = [
        ("nothing", record(vec![]), &[]),
        (
            "a later check",
            record(vec![pings(&one(), 60, "rr")]),
            &[60],
        ),
        (
            "an earlier check",
            record(vec![pings(&one(), 35, "rr")]),
            &[35, 40, 50],
        ),
        (
            "an earlier one not measured",
            record(vec![not_measured(&one(), at(15).0)]),
            &[15, 20, 30, 40, 50],
        ),
        (
            "another host",
            record(vec![pings(&host("two", "192.0.2.2"), 5, "rr")]),
            &[5],
        ),
        ("a later row", sql(insert(60, 3)), &[60]),
        ("an earlier row", sql(insert(45, 3)), &[45, 50]),
        ("a replaced row", sql(insert(30, 3)), &[30, 40, 50]),
        ("the last row replaced", sql(insert(50, 3)), &[50]),
        ("a row that is the same", sql(insert(20, 2)), &[]),
        (
            "a row that is deleted",
            sql(format!(
                "delete from ping_results where timestamp = '{}'",
                text(20)
            )),
            &[],
        ),
        (
            "a clock that was an hour behind",
            Box::new(|database| {
                assert!(set_clock(database, at(61 + 3600), 3_600_000) > 0);
            }),
            &[3610, 3620, 3630, 3640, 3650],
        ),
        (
            "rows that are moved back",
            sql("update check_result set checked_at = checked_at - 3600000".into()),
            &[-3590, -3580, -3570, -3550, 40],
        ),
    ];
    for (what, change, expected) in changes {
        let folder = TempDir::new();
        let path = folder.path().join(FILE);
        let mut database = sent_database(&path);
        change(&mut database);
        assert_eq!(unsent(&path), expected, "{what}");
        // It is sent once.
        let progress = all(&path);
        acknowledge(&mut database, progress);
        assert_eq!(unsent(&path), [0; 0], "{what}");
    }
}

#[test]
fn what_changes_while_it_is_sent_is_sent_again() {
    for (what, change) in [
        ("an earlier row", insert(45, 3)),
        ("the last row replaced", insert(50, 3)),
    ] {
        let folder = TempDir::new();
        let path = folder.path().join(FILE);
        let mut database = sent_database(&path);
        write_once(
            &mut database,
            &[pings(&host("one", "192.0.2.1"), 55, "rr")],
            at(60).0,
        );
        let progress = all(&path);
        execute(&path, &change);
        acknowledge(&mut database, progress);
        assert!(unsent(&path).contains(&55), "{what}: {:?}", unsent(&path));
    }
    // What comes after it is no change of it.
    let folder = TempDir::new();
    let path = folder.path().join(FILE);
    let mut database = sent_database(&path);
    execute(&path, &insert(60, 3));
    let progress = all(&path);
    execute(&path, &insert(70, 3));
    acknowledge(&mut database, progress);
    assert_eq!(unsent(&path), [70]);
}

/// The ids of the events that are to be sent.
fn unsent_events(path: &Path) -> Vec<i64> {
    let events = reader(path).events_to_push(0, usize::MAX).expect("events");
    events.iter().map(|event| event.event.id.0).collect()
}

#[test]
fn an_event_is_sent_again_when_something_of_it_changes_that_is_sent() {
    let folder = TempDir::new();
    let path = folder.path().join(FILE);
    let mut database = sent_database(&path);
    let one = host("one", "192.0.2.1");
    let silent: Vec<CheckResult> = [60, 70, 80].map(|s| pings(&one, s, "ss")).into();
    write_once(&mut database, &silent, at(81).0);
    assert_eq!(unsent_events(&path), [1]);
    let progress = all(&path);
    acknowledge(&mut database, progress);
    assert_eq!(unsent_events(&path), [0; 0]);
    for (change, is_sent) in [
        ("checks_failed = 99", false),
        ("cause = 'host'", true),
        ("cause = 'host'", false),
        ("notes = 'a cable'", true),
        ("planned = 1", true),
        ("start_time = '2025-11-02 12:00:00.000'", true),
        ("end_time = '2025-11-02 12:34:56.000'", true),
        ("facts = '{}'", false),
    ] {
        execute(&path, &format!("update outage_events set {change}"));
        let expected: &[i64] = if is_sent { &[1] } else { &[] };
        assert_eq!(unsent_events(&path), expected, "{change}");
        let progress = all(&path);
        // A change while it is sent is another one.
        execute(
            &path,
            "update outage_events set notes = coalesce(notes, '') || '.'",
        );
        acknowledge(&mut database, progress);
        assert_eq!(unsent_events(&path), [1], "{change}");
        let progress = all(&path);
        acknowledge(&mut database, progress);
        assert_eq!(unsent_events(&path), [0; 0], "{change}");
    }
    execute(
        &path,
        "update outage_events set notes = 'x'; delete from outage_events",
    );
    assert_eq!(number(&path, "select count(*) from push_event"), 0);
}

#[test]
fn another_engine_has_nothing_and_the_same_one_keeps_what_it_has() {
    let folder = TempDir::new();
    let path = folder.path().join(FILE);
    let mut database = sent_database(&path);
    let engine = |engine| PushProgress {
        engine: Some(engine),
        ..PushProgress::default()
    };
    acknowledge(&mut database, engine(5));
    assert_eq!(unsent(&path), [10, 20, 30, 40, 50]);
    let progress = all(&path);
    acknowledge(&mut database, progress.clone());
    acknowledge(&mut database, engine(5));
    assert_eq!(unsent(&path), [0; 0]);
    // What the one before has acknowledged does not count for the next.
    database.note_pushed(progress);
    acknowledge(&mut database, engine(6));
    assert_eq!(unsent(&path), [10, 20, 30, 40, 50]);
    assert_eq!(reader(&path).push_state().expect("a state").engine, 6);
}

#[test]
fn a_database_of_an_older_version_is_sent_whole() {
    let folder = TempDir::new();
    let path = folder.path().join(FILE);
    let database = sent_database(&path);
    drop(database);
    let version = number(&path, "pragma user_version");
    let before = version - 2;
    execute(
        &path,
        &format!("{WITHOUT_PUSH} pragma user_version = {before}"),
    );
    drop(open(&path));
    assert_eq!(number(&path, "pragma user_version"), version);
    assert_eq!(unsent(&path), [10, 20, 30, 40, 50]);
}

#[test]
fn an_import_of_older_checks_is_sent_and_what_is_known_already_is_not() {
    let folder = TempDir::new();
    let (path, other) = (folder.path().join(FILE), folder.path().join("other.db"));
    let mut database = sent_database(&path);
    let one = host("one", "192.0.2.1");
    let mut from = open(&other);
    let checks: Vec<CheckResult> = [30, 50].map(|s| pings(&one, s, "rr")).into();
    write_once(&mut from, &checks, at(60).0);
    drop(from);
    database.import(&other, &mut |_, _| ()).expect("it imports");
    assert_eq!(unsent(&path), [0; 0]);
    let mut from = open(&other);
    write_once(&mut from, &[pings(&one, 25, "rr")], at(60).0);
    drop(from);
    database.import(&other, &mut |_, _| ()).expect("it imports");
    assert_eq!(unsent(&path), [25, 30, 40, 50]);
}
