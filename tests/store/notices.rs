//! Which notices are written.

use ace_connection_logger::pure::model::{AlertKind, Thresholds};
use ace_connection_logger::store::{Notice, NoticeResult, Reader, Record, SendFailure};

use super::*;

const MINUTE: i64 = 60_000;
const ALL: [AlertKind; 6] = AlertKind::ALL;
/// Kind, tries, whether it was sent, and its events.
const NOTICES: &str = "select kind, tries, told_at is not null,
    (select group_concat(event_id) from (select event_id from notice_event where notice_id = n.id order by event_id)) from notice n order by id";

fn open_with_alerts(path: &Path, kinds: &[AlertKind]) -> Database {
    let mut database = open(path);
    database.set_alerts(kinds.iter().copied().collect());
    database
}

/// With an outage of the second 2 that is over, of which two notices wait.
fn open_with_an_outage(path: &Path) -> Database {
    let mut database = open_with_alerts(path, &ALL);
    let one = host("one", "192.0.2.1");
    let checks = [(1, "r"), (2, "s"), (3, "r")];
    write_each(
        &mut database,
        &checks.map(|(at, pings)| second(&one, at, pings)),
    );
    database
}

/// The check of a second since 1970: r a reply, s silence.
fn second(host: &Arc<Host>, at: i64, pings: &str) -> CheckResult {
    let rtts: Vec<Option<u32>> = pings
        .chars()
        .map(|ping| (ping == 'r').then_some(1000))
        .collect();
    check(host, at * 1000, &rtts)
}

/// Writes each check in a transaction of its own.
fn write_each(database: &mut Database, checks: &[CheckResult]) {
    for check in checks {
        write(
            database,
            std::slice::from_ref(check),
            check.checked_at.0 + 1000,
        );
    }
}

fn record_result(database: &mut Database, id: i64, sent_at: Option<i64>) {
    let failure = SendFailure {
        end: "sh: exit status: 3".into(),
        output: "no line".into(),
    };
    let result = Record::Notice(NoticeResult {
        ids: vec![id],
        at: UtcMillis(sent_at.unwrap_or(500)),
        failure: sent_at.is_none().then_some(failure),
    });
    database
        .write_records(
            &[result],
            &Default::default(),
            UtcMillis(sent_at.unwrap_or(0)),
            RunState::Running,
        )
        .expect("it is written");
}

fn next(path: &Path) -> Option<Notice> {
    Reader::open(path)
        .expect("it opens")
        .expect("it is there")
        .notices(UtcMillis(i64::MAX))
        .expect("it is read")
        .into_iter()
        .next()
}

#[test]
fn an_outage_has_notices_of_its_start_and_end_as_far_as_they_are_configured() {
    let expected: [(&[AlertKind], &[&str]); 4] = [
        (&ALL, &["down|0|0|1", "up|0|0|1"]),
        (&[AlertKind::Down], &["down|0|0|1"]),
        (&[AlertKind::Up, AlertKind::Incident], &["up|0|0|1"]),
        (&[], &[]),
    ];
    for (kinds, expected) in expected {
        let folder = TempDir::new();
        let path = folder.path().join(FILE);
        let mut database = open_with_alerts(&path, kinds);
        let one = host("one", "192.0.2.1");
        write_each(
            &mut database,
            &[
                second(&one, 1, "r"),
                second(&one, 2, "s"),
                second(&one, 3, "s"),
                second(&one, 4, "r"),
            ],
        );
        assert_eq!(rows(&path, NOTICES), expected, "{kinds:?}");
        assert_eq!(database.take_new_notices(), !expected.is_empty());
        assert!(!database.take_new_notices(), "a notice is new only once");
    }
}

#[test]
fn a_failed_commit_writes_no_notice_and_its_retry_writes_one() {
    let folder = TempDir::new();
    let path = folder.path().join(FILE);
    let mut database = open_with_alerts(&path, &ALL);
    let one = host("one", "192.0.2.1");
    write_each(&mut database, &[second(&one, 1, "r")]);
    other_program(&path)
        .execute_batch(
            "create trigger t before insert on stale_rollup begin select raise(abort, 'no'); end",
        )
        .expect("SQL");
    let silent = [second(&one, 4000, "s")];
    database
        .write(&silent, UtcMillis(4_001_000), RunState::Running)
        .expect_err("it is refused");
    assert!(rows(&path, NOTICES).is_empty() && !database.take_new_notices());
    other_program(&path)
        .execute_batch("drop trigger t")
        .expect("SQL");
    write(&mut database, &silent, 4_002_000);
    assert_eq!(rows(&path, NOTICES), ["down|0|0|1"]);
}

#[test]
fn hosts_that_fail_together_have_one_notice_of_the_start_and_one_of_the_end() {
    let folder = TempDir::new();
    let path = folder.path().join(FILE);
    let mut database = open_with_alerts(&path, &ALL);
    let hosts: Vec<Arc<Host>> = (1..=5)
        .map(|n| host(&format!("host {n}"), &format!("192.0.2.{n}")))
        .collect();
    write_each(
        &mut database,
        &hosts
            .iter()
            .map(|host| second(host, 1, "r"))
            .collect::<Vec<_>>(),
    );
    write_each(&mut database, &[second(&hosts[0], 60, "s")]);
    assert_eq!(rows(&path, NOTICES), ["down|0|0|1"]);
    // The waiting notice is replaced by one for both hosts.
    write_each(&mut database, &[second(&hosts[1], 61, "s")]);
    assert_eq!(rows(&path, NOTICES), ["incident|0|0|1,2"]);
    let incident = next(&path).expect("it waits");
    assert_eq!(
        (incident.id, incident.events.len()),
        (2, 2),
        "an id is never used again"
    );
    record_result(&mut database, incident.id, Some(70_000));
    // Two more in one transaction, and one after the other.
    write(
        &mut database,
        &[second(&hosts[2], 62, "s"), second(&hosts[3], 62, "s")],
        63_000,
    );
    assert_eq!(rows(&path, NOTICES), ["incident|1|1|1,2,3,4"]);
    // All but one are up again: the incident continues.
    write_each(
        &mut database,
        &hosts[..3]
            .iter()
            .map(|host| second(host, 70, "r"))
            .collect::<Vec<_>>(),
    );
    assert_eq!(rows(&path, NOTICES), ["incident|1|1|1,2,3,4"]);
    // A second outage of one of them is its own.
    write_each(
        &mut database,
        &[second(&hosts[0], 100, "s"), second(&hosts[0], 101, "r")],
    );
    write_each(&mut database, &[second(&hosts[3], 120, "r")]);
    assert_eq!(
        rows(&path, NOTICES),
        [
            "incident|1|1|1,2,3,4",
            "down|0|0|5",
            "up|0|0|5",
            "up|0|0|1,2,3,4"
        ]
    );
    // A host that fails only now has its own notices: the others have ended already.
    write_each(
        &mut database,
        &[second(&hosts[4], 130, "s"), second(&hosts[4], 131, "r")],
    );
    assert_eq!(rows(&path, NOTICES)[4..], ["down|0|0|6", "up|0|0|6"]);
}

#[test]
fn all_hosts_that_fail_or_recover_in_one_transaction_are_one_incident() {
    let folder = TempDir::new();
    let path = folder.path().join(FILE);
    let mut database = open_with_alerts(&path, &ALL);
    let hosts: Vec<Arc<Host>> = (0..300)
        .map(|n| {
            host(
                &format!("host {n}"),
                &format!("10.0.{}.{}", n / 100, n % 100),
            )
        })
        .collect();
    let all = |at: i64, pings: &str| {
        hosts
            .iter()
            .map(|host| second(host, at, pings))
            .collect::<Vec<_>>()
    };
    write(&mut database, &all(1, "r"), 2000);
    write(&mut database, &all(2, "s"), 3000);
    assert_eq!(
        rows(
            &path,
            "select kind, count(*) from notice join notice_event on notice_id = id group by kind"
        ),
        ["incident|300"]
    );
    write(&mut database, &all(3, "r"), 4000);
    write(&mut database, &[all(4, "s"), all(5, "r")].concat(), 6000);
    let kinds = "select kind, (select count(*) from notice_event where notice_id = n.id) from notice n order by id";
    assert_eq!(
        rows(&path, kinds),
        ["incident|300", "up|300", "incident|300", "up|300"]
    );
}

#[test]
fn without_incidents_each_host_has_its_own_notice() {
    let folder = TempDir::new();
    let path = folder.path().join(FILE);
    let mut database = open_with_alerts(&path, &[AlertKind::Down, AlertKind::Up]);
    let (one, two) = (host("one", "192.0.2.1"), host("two", "192.0.2.2"));
    for (at, pings) in [(1, "r"), (2, "s"), (3, "r")] {
        write(
            &mut database,
            &[second(&one, at, pings), second(&two, at, pings)],
            at * 1000 + 500,
        );
    }
    assert_eq!(
        rows(&path, NOTICES),
        ["down|0|0|1", "down|0|0|2", "up|0|0|1", "up|0|0|2"]
    );
}

#[test]
fn a_degraded_host_has_one_notice_and_none_during_its_recovery() {
    let folder = TempDir::new();
    let path = folder.path().join(FILE);
    let mut database = open_with_alerts(&path, &[AlertKind::Degraded]);
    let one = host("one", "192.0.2.1");
    let kinds = |database: &mut Database, at: i64, pings: &str| {
        write_each(database, &[second(&one, at, pings)]);
        rows(
            &path,
            "select kind, substr(facts, instr(facts, 'received') + 10, 1) from notice",
        )
    };
    for (at, pings, notices) in [
        (1, "rrrrs", 0),
        (2, "rrrrr", 0),
        (3, "rrrrs", 1),
        (4, "rrrrs", 1),
        // Worse, but still degraded: there is a notice already.
        (5, "rssss", 1),
        (6, "sssss", 1),
        (7, "rrrss", 1),
        (8, "rrrrs", 1),
        (9, "rrrrr", 1),
        (10, "rssss", 2),
    ] {
        assert_eq!(
            kinds(&mut database, at, pings).len(),
            notices,
            "second {at}"
        );
    }
    assert_eq!(
        kinds(&mut database, 11, "rrrrr"),
        ["degraded|4", "degraded|1"]
    );
    // A check above the latency limit is degraded too.
    let thresholds = Thresholds {
        latency_limit_us: Some(900),
        ..Thresholds::default()
    };
    let slow = CheckResult {
        thresholds,
        ..second(&one, 12, "rrrrr")
    };
    write_each(
        &mut database,
        &[
            CheckResult {
                thresholds,
                ..check(&one, 11_500, &[Some(800)])
            },
            slow,
        ],
    );
    assert_eq!(number(&path, "select count(*) from notice"), 3);
    let notice = next(&path).expect("it waits");
    assert!(
        notice.events.is_empty()
            && notice
                .facts
                .is_some_and(|facts| facts.contains("\"host_name\":\"one\""))
    );
}

#[test]
fn a_loss_is_reported_when_it_begins_and_when_it_ends() {
    let folder = TempDir::new();
    let path = folder.path().join(FILE);
    let mut database = open_with_alerts(&path, &[AlertKind::Loss, AlertKind::Down]);
    let one = host("one", "192.0.2.1");
    let letters = |replies: &str| -> Vec<CheckResult> {
        (0..)
            .zip(replies.chars())
            .map(|(at, received)| {
                let received = received.to_digit(10).expect("a digit") as usize;
                let pings = "r".repeat(received) + &"s".repeat(5 - received);
                second(&one, 10 + at, &pings)
            })
            .collect()
    };
    let kinds = || rows(&path, "select kind from notice order by id");
    let checks = letters("555334333335055555");
    write_each(&mut database, &checks[..5]);
    assert!(kinds().is_empty(), "two lossy checks are not enough");
    write_each(&mut database, &checks[5..11]);
    assert_eq!(kinds(), ["loss"]);
    assert_eq!(number(&path, "select since from loss"), 13_000);
    write_each(&mut database, &checks[11..13]);
    assert_eq!(kinds(), ["loss", "down"]);
    record_result(&mut database, 2, Some(MINUTE));
    write_each(&mut database, &checks[13..17]);
    assert_eq!(
        kinds(),
        ["loss", "down", "loss"],
        "five good checks, silence apart"
    );
    assert_eq!(number(&path, "select count(*) from loss"), 0);
    let facts = rows(&path, "select facts from notice where kind = 'loss'");
    let facts: Vec<_> = facts
        .iter()
        .map(|facts| {
            let facts: serde_json::Value = serde_json::from_str(facts).expect("JSON");
            ["start_time", "end_time", "lost", "sent"].map(|name| facts["loss"][name].clone())
        })
        .collect();
    let since = "1970-01-01T00:00:13.000Z";
    let json = serde_json::json!([
        [since, null, 5, 15],
        [since, "1970-01-01T00:00:21.000Z", 15, 40]
    ]);
    assert_eq!(serde_json::json!(facts), json);
}

#[test]
fn without_the_kind_loss_nothing_is_written_about_it() {
    let folder = TempDir::new();
    let path = folder.path().join(FILE);
    let mut database = open_with_alerts(&path, &[AlertKind::Down]);
    let one = host("one", "192.0.2.1");
    let lossy: Vec<CheckResult> = (1..9).map(|at| second(&one, at, "rrrss")).collect();
    write_each(&mut database, &lossy);
    assert!(rows(&path, "select kind from notice").is_empty());
    assert_eq!(number(&path, "select count(*) from loss"), 0);
}

#[test]
fn notices_are_read_in_order_count_attempts_and_are_deleted_a_month_after_sending() {
    let folder = TempDir::new();
    let path = folder.path().join(FILE);
    let mut database = open_with_an_outage(&path);
    let down = next(&path).expect("it waits");
    assert_eq!(
        (down.kind, down.tries, down.events[0].end_time.is_some()),
        (AlertKind::Down, 0, true)
    );
    record_result(&mut database, down.id, None);
    record_result(&mut database, down.id, None);
    assert_eq!(
        next(&path).map(|notice| (notice.id, notice.tries)),
        Some((down.id, 2))
    );
    let waiting = || {
        Reader::open(&path)
            .expect("it opens")
            .expect("it is there")
            .waiting_notices()
            .expect("it is read")
    };
    let before = waiting().expect("two wait");
    let failure = before.last_failure.expect("it failed");
    assert_eq!(
        (before.count, before.since, before.others_pass),
        (2, UtcMillis(3000), false)
    );
    assert_eq!(
        (failure.at.0, failure.end.as_str(), failure.output.as_str()),
        (500, "sh: exit status: 3", "no line")
    );
    record_result(&mut database, down.id, Some(MINUTE));
    let after = waiting().expect("one waits");
    assert_eq!(
        (after.count, after.last_failure, after.others_pass),
        (1, None, false)
    );
    let up = next(&path).expect("it waits");
    assert_eq!(up.kind, AlertKind::Up);
    let sent = |since| {
        Reader::open(&path)
            .expect("it opens")
            .expect("it is there")
            .alerts_sent_since(UtcMillis(since))
    };
    assert_eq!(sent(0).expect("it is read"), [(UtcMillis(MINUTE), false)]);
    assert!(sent(MINUTE).expect("it is read").is_empty());
    record_result(&mut database, up.id, Some(31 * 24 * HOUR));
    assert_eq!(rows(&path, NOTICES), ["up|1|1|1"]);
    assert_eq!(number(&path, "select count(*) from notice_event"), 1);
    assert!(next(&path).is_none() && waiting().is_none());
}

#[test]
fn a_later_notice_that_was_sent_passed_the_oldest() {
    let folder = TempDir::new();
    let path = folder.path().join(FILE);
    let mut database = open_with_an_outage(&path);
    let passed = || {
        let reader = Reader::open(&path).expect("it opens");
        let waiting = reader.expect("it is there").waiting_notices();
        waiting.expect("it is read").expect("one waits").others_pass
    };
    record_result(&mut database, 1, None);
    assert!(!passed());
    record_result(&mut database, 2, Some(MINUTE));
    assert!(passed());
}

#[test]
fn too_many_unsent_notices_are_dropped_the_oldest_first() {
    let folder = TempDir::new();
    let path = folder.path().join(FILE);
    let mut database = open_with_alerts(&path, &ALL);
    let fill = "with recursive n(i) as (select 1 union all select i + 1 from n where i < 10000)
                insert into notice(made_at, kind) select i, 'degraded' from n";
    other_program(&path).execute(fill, []).expect("SQL");
    let one = host("one", "192.0.2.1");
    write_each(&mut database, &[second(&one, 1, "r"), second(&one, 2, "s")]);
    assert_eq!(
        rows(&path, "select count(*), min(id), max(id) from notice"),
        ["9000|1002|10001"]
    );
}

#[test]
fn a_new_event_with_the_id_of_a_deleted_one_inherits_no_notice() {
    let folder = TempDir::new();
    let path = folder.path().join(FILE);
    let mut database = open_with_alerts(&path, &ALL);
    let (one, two) = (host("one", "192.0.2.1"), host("two", "192.0.2.2"));
    for (at, pings) in [(1, "r"), (2, "s")] {
        write(
            &mut database,
            &[second(&one, at, pings), second(&two, at, pings)],
            at * 1000 + 500,
        );
    }
    other_program(&path)
        .execute("delete from outage_events", [])
        .expect("SQL");
    assert!(next(&path).is_some_and(|notice| notice.events.is_empty() && notice.facts.is_none()));
    write_each(
        &mut database,
        &[
            second(&one, 9000, "r"),
            second(&one, 9001, "s"),
            second(&one, 9002, "r"),
        ],
    );
    assert_eq!(
        rows(&path, NOTICES),
        ["incident|0|0|", "down|0|0|1", "up|0|0|1"]
    );
}
