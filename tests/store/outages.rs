//! Outages as they are recorded: with their checks or not at all, over restarts, and beside other
//! writers.

use super::*;
use ace_connection_logger::pure::address::IpVersion;
use ace_connection_logger::pure::outage::OutageRules;
use ace_connection_logger::pure::scene::Scene;
use ace_connection_logger::status::HostStatuses;
use ace_connection_logger::store::{Reader, Record, StoreSettings, Writer};

const MINUTE: i64 = 60_000;

const EVENTS: &str = "select host_address, substr(start_time, 12), substr(end_time, 12), duration_seconds, checks_failed,
    checks_during_outage, recovery_success_rate, substr(earliest_start, 12), packets_sent, packets_lost
    from outage_events order by id";
const OPEN: &str = "select count(*) from outage_events where end_time is null";

/// The check of a minute since 1970 with as many pings as letters: r a reply, s silence. None is
/// one that could not be made.
fn minute(host: &Arc<Host>, minute: i64, pings: &str) -> CheckResult {
    let rtts: Vec<Option<u32>> = pings
        .chars()
        .map(|ping| (ping == 'r').then_some(1000))
        .collect();
    if rtts.is_empty() {
        not_measured(host, minute * MINUTE)
    } else {
        check(host, minute * MINUTE, &rtts)
    }
}

/// Writes the check of a minute, when it is made.
fn write_minute(database: &mut Database, host: &Arc<Host>, at: i64, pings: &str) {
    write(database, &[minute(host, at, pings)], at * MINUTE + 1000);
}

fn open_with(path: &Path, down_after: u16, up_after: u16) -> Database {
    let mut database = open(path);
    database.set_outage_rules(OutageRules {
        down_after,
        up_after,
    });
    database
}

#[test]
fn an_outage_begins_with_its_first_lost_check_and_ends_with_the_first_reply() {
    let folder = TempDir::new();
    let path = folder.path().join(FILE);
    let mut database = open(&path);
    let one = host("one", "192.0.2.1");
    write_minute(&mut database, &one, 1, "rr");
    assert_eq!(number(&path, "select count(*) from outage_events"), 0);
    write_minute(&mut database, &one, 2, "ss");
    assert_eq!(
        rows(&path, EVENTS),
        ["192.0.2.1|00:02:00.000|||1|1||00:01:00.000|2|2"]
    );
    write_minute(&mut database, &one, 3, "");
    write_minute(&mut database, &one, 4, "sss");
    assert_eq!(
        rows(&path, EVENTS),
        ["192.0.2.1|00:02:00.000|||2|2||00:01:00.000|5|5"]
    );
    write_minute(&mut database, &one, 5, "srrr");
    let over = "192.0.2.1|00:02:00.000|00:05:00.000|180|2|2|75.0|00:01:00.000|5|5";
    assert_eq!(rows(&path, EVENTS), [over]);
    write_minute(&mut database, &one, 6, "rr");
    assert_eq!(rows(&path, EVENTS), [over], "nothing is added to it");
    write_minute(&mut database, &one, 7, "ss");
    assert_eq!(
        rows(&path, EVENTS),
        [over, "192.0.2.1|00:07:00.000|||1|1||00:06:00.000|2|2"]
    );
    assert_eq!(
        rows(
            &path,
            "select distinct host_name, event_type, notes from outage_events"
        ),
        ["one|outage|"]
    );
}

#[test]
fn checks_make_the_same_events_whether_written_together_or_one_by_one() {
    let hosts = [host("one", "192.0.2.1"), host("two", "192.0.2.2")];
    let letters = [
        "r", "s", "r", "s", "s", "", "s", "r", "r", "s", "s", "r", "s", "r", "r", "s",
    ];
    let all: Vec<CheckResult> = (0..)
        .zip(letters)
        .flat_map(|(at, pings)| {
            hosts
                .iter()
                .enumerate()
                .map(move |(n, host)| minute(host, at + i64::try_from(n).expect("1"), pings))
        })
        .collect();
    for (down_after, up_after) in [(1, 1), (2, 1), (1, 2), (3, 2)] {
        let results = [all.len(), 1, 3].map(|together| {
            let folder = TempDir::new();
            let path = folder.path().join(FILE);
            for results in all.chunks(together) {
                // As if the program had been restarted each time.
                write(&mut open_with(&path, down_after, up_after), results, HOUR);
            }
            rows(
                &path,
                &EVENTS.replace("order by id", "order by start_time, host_address"),
            )
        });
        assert!(results[0].len() >= 2, "{results:?}");
        assert!(
            results.iter().all(|rows| *rows == results[0]),
            "{down_after} {up_after}: {results:#?}"
        );
    }
}

#[test]
fn a_failed_commit_writes_neither_check_nor_event_and_its_retry_writes_both() {
    let folder = TempDir::new();
    let path = folder.path().join(FILE);
    let mut database = open(&path);
    let (one, two) = (host("one", "192.0.2.1"), host("two", "192.0.2.2"));
    write(
        &mut database,
        &[minute(&one, 1, "r"), minute(&two, 1, "r")],
        2 * MINUTE,
    );
    let rounds = [
        (
            "insert on outage_events",
            vec![minute(&one, 2, "s"), minute(&two, 2, "s")],
        ),
        (
            "update on outage_events",
            vec![minute(&one, 3, "s"), minute(&two, 3, "r")],
        ),
        // The event is written, and then the check of another host is not.
        (
            "insert on check_result when new.host_id = 2",
            vec![minute(&one, 4, "r"), minute(&two, 4, "s")],
        ),
        (
            "insert on stale_rollup",
            vec![minute(&one, 100, "s"), minute(&two, 100, "s")],
        ),
    ];
    for (what, results) in rounds {
        let content =
            || [EVENTS, "select host_id, checked_at from check_result"].map(|sql| rows(&path, sql));
        let before = content();
        let trigger =
            format!("create trigger t before {what} begin select raise(abort, 'no'); end");
        other_program(&path)
            .execute_batch(&trigger)
            .expect("a trigger");
        let now = results[0].checked_at.0 + 1000;
        let life = RunState::Running;
        for _ in 0..3 {
            database
                .write(&results, UtcMillis(now), life)
                .expect_err(what);
            assert_eq!(content(), before, "{what}");
        }
        other_program(&path)
            .execute_batch("drop trigger t")
            .expect("it is there");
        write(&mut database, &results, now);
    }
    assert_eq!(
        rows(&path, EVENTS),
        [
            "192.0.2.1|00:02:00.000|00:04:00.000|120|2|2|100.0|00:01:00.000|2|2",
            "192.0.2.2|00:02:00.000|00:03:00.000|60|1|1|100.0|00:01:00.000|1|1",
            "192.0.2.2|00:04:00.000|||2|2||00:03:00.000|2|2",
            "192.0.2.1|01:40:00.000|||1|1||00:04:00.000|1|1",
        ]
    );
}

#[test]
fn an_outage_that_is_ongoing_at_a_stop_continues_or_ends_at_the_next_start() {
    for (pings, expected) in [
        ("s", "192.0.2.1|00:02:00.000|||2|2||00:01:00.000|2|2"),
        (
            "r",
            "192.0.2.1|00:02:00.000|00:50:00.000|2880|1|1|100.0|00:01:00.000|1|1",
        ),
        ("", "192.0.2.1|00:02:00.000|||1|1||00:01:00.000|1|1"),
    ] {
        let folder = TempDir::new();
        let path = folder.path().join(FILE);
        let one = host("one", "192.0.2.1");
        let mut database = open(&path);
        write_minute(&mut database, &one, 1, "r");
        write_minute(&mut database, &one, 2, "s");
        drop(database);
        write_minute(&mut open(&path), &one, 50, pings);
        assert_eq!(rows(&path, EVENTS), [expected]);
    }
}

#[test]
fn failed_checks_count_across_a_restart() {
    let folder = TempDir::new();
    let path = folder.path().join(FILE);
    let one = host("one", "192.0.2.1");
    for (at, pings, open) in [
        (1, "r", 0),
        (2, "s", 0),
        (3, "", 0),
        (4, "s", 0),
        (5, "s", 1),
        (6, "r", 1),
        (7, "", 1),
        (8, "r", 0),
    ] {
        write_minute(&mut open_with(&path, 3, 2), &one, at, pings);
        assert_eq!(number(&path, OPEN), open, "minute {at}");
    }
    assert_eq!(
        rows(&path, EVENTS),
        ["192.0.2.1|00:02:00.000|00:06:00.000|240|3|3|100.0|00:01:00.000|3|3"]
    );
    // A run that is broken off by a reply is none.
    for (at, pings) in [
        (9, "s"),
        (10, "s"),
        (11, "r"),
        (12, "s"),
        (13, "s"),
        (14, "r"),
    ] {
        write_minute(&mut open_with(&path, 3, 2), &one, at, pings);
    }
    assert_eq!(number(&path, "select count(*) from outage_events"), 1);
}

#[test]
fn the_writer_applies_changed_settings() {
    let folder = TempDir::new();
    let path = folder.path().join(FILE);
    let one = host("one", "192.0.2.1");
    let keep = DAY * 36_500;
    let settings = |down_after| StoreSettings {
        flush: Duration::ZERO,
        retention: keep,
        rollup_retention: keep,
        outages: OutageRules {
            down_after,
            up_after: 1,
        },
        alerts: Default::default(),
    };
    let writer = Writer::start(open(&path), settings(2)).unwrap_or_else(|error| panic!("{error}"));
    let deliver = |at, pings| {
        assert!(writer.handle().record(minute(&one, at, pings)));
        wait_for("the check", || {
            number(
                &path,
                "select coalesce(max(checked_at), 0) from check_result",
            ) == at * MINUTE
        });
    };
    deliver(1, "s");
    assert_eq!(number(&path, OPEN), 0);
    deliver(2, "s");
    deliver(3, "r");
    writer.handle().set_settings(settings(1));
    deliver(4, "s");
    // In the file's place there is a new one.
    for suffix in ["", "-wal", "-shm"] {
        fs::rename(
            folder.path().join(format!("{FILE}{suffix}")),
            folder.path().join(format!("old{suffix}")),
        )
        .expect("it is there");
    }
    writer.handle().set_settings(settings(3));
    assert!(writer.handle().record(minute(&one, 5, "s")));
    assert!(writer.handle().record(minute(&one, 6, "s")));
    assert_eq!(writer.finish(), 0);
    assert_eq!(number(&path, "select count(*) from check_result"), 2);
    assert_eq!(number(&path, OPEN), 0);
    assert_eq!(
        rows(&folder.path().join("old"), EVENTS),
        [
            "192.0.2.1|00:01:00.000|00:03:00.000|120|2|2|100.0||2|2",
            "192.0.2.1|00:04:00.000|||1|1||00:03:00.000|1|1"
        ]
    );
}

#[test]
fn each_ip_version_of_an_address_has_its_own_outages() {
    let folder = TempDir::new();
    let path = folder.path().join(FILE);
    let mut database = open(&path);
    let of = |family| {
        Arc::new(Host {
            name: "name".into(),
            address: "name.example".into(),
            family,
            source: None,
        })
    };
    let (four, six) = (of(Some(IpVersion::V4)), of(Some(IpVersion::V6)));
    write(
        &mut database,
        &[
            minute(&four, 1, "r"),
            minute(&six, 1, "r"),
            minute(&four, 2, "s"),
            minute(&six, 2, "r"),
        ],
        HOUR,
    );
    assert_eq!(number(&path, OPEN), 1);
    write(
        &mut database,
        &[minute(&six, 3, "s"), minute(&four, 3, "r")],
        HOUR,
    );
    assert_eq!(
        rows(
            &path,
            "select host_id, substr(start_time, 12), substr(end_time, 12) from outage_events"
        ),
        ["1|00:02:00.000|00:03:00.000", "2|00:03:00.000|"]
    );
    folder.write(
        "config.yaml",
        "hosts: [{address: name.example, family: 4}, {address: name.example, family: 6}]\n",
    );
    let status = json(program(folder.path(), &["status", "--json"]));
    assert_eq!(
        (status[0]["outage"].is_null(), status[1]["outage"].is_null()),
        (true, false),
        "{status}"
    );
}

#[test]
fn a_check_from_the_command_line_begins_and_ends_the_monitors_outages() {
    let folder = TempDir::new();
    let path = folder.path().join(FILE);
    let (mut monitor, mut by_hand) = (open(&path), open(&path));
    let one = host("one", "192.0.2.1");
    write_minute(&mut monitor, &one, 1, "r");
    write_minute(&mut by_hand, &one, 3, "s");
    // What the monitor measured before comes only now, and with it the first silent check of its
    // own.
    write(
        &mut monitor,
        &[minute(&one, 2, "r"), minute(&one, 4, "s")],
        4 * MINUTE + 1000,
    );
    assert_eq!(
        rows(&path, EVENTS),
        ["192.0.2.1|00:03:00.000|||2|2||00:02:00.000|2|2"]
    );
    write_minute(&mut by_hand, &one, 5, "r");
    write_minute(&mut monitor, &one, 6, "r");
    write_minute(&mut by_hand, &one, 7, "s");
    write_minute(&mut monitor, &one, 8, "r");
    write_minute(&mut by_hand, &one, 9, "r");
    assert_eq!(
        rows(&path, EVENTS),
        [
            "192.0.2.1|00:03:00.000|00:05:00.000|120|2|2|100.0|00:02:00.000|2|2",
            "192.0.2.1|00:07:00.000|00:08:00.000|60|1|1|100.0|00:06:00.000|1|1"
        ]
    );
}

#[test]
fn the_retention_deletes_checks_but_not_outages() {
    let folder = TempDir::new();
    let path = folder.path().join(FILE);
    let mut database = open(&path);
    let one = host("one", "192.0.2.1");
    for (at, pings) in [(1, "r"), (2, "s"), (3, "r"), (4, "s")] {
        write_minute(&mut database, &one, at, pings);
    }
    let before = rows(&path, EVENTS);
    prune_all(&mut database, 200 * 86_400_000, [DAY, DAY], 1000);
    assert_eq!(number(&path, "select count(*) from check_result"), 0);
    assert_eq!(rows(&path, EVENTS), before);
    write_minute(&mut database, &one, 60, "r");
    assert_eq!(number(&path, OPEN), 0, "it ends without its checks, too");
}

#[test]
fn an_ongoing_outage_without_a_host_id_belongs_to_the_host_with_its_address() {
    let begin = |at: &str| {
        let folder = TempDir::new();
        let path = folder.path().join(FILE);
        let database = open(&path);
        let event = format!(
            "insert into outage_events(host_name, host_address, event_type, start_time, checks_failed, checks_during_outage)
             values('old', '192.0.2.1', 'outage', '1970-01-01 {at}', 7, 7)"
        );
        other_program(&path).execute(&event, []).expect("an event");
        (folder, path, database)
    };
    let one = host("one", "192.0.2.1");
    let (_folder, path, mut database) = begin("00:02:00");
    write_minute(&mut database, &host("two", "192.0.2.2"), 3, "r");
    assert_eq!(number(&path, OPEN), 1, "that is another's");
    write_minute(&mut database, &one, 4, "s");
    assert_eq!(
        rows(&path, EVENTS),
        ["192.0.2.1|00:02:00.000|||8|8||||"],
        "pings were not counted from its start"
    );
    write_minute(&mut database, &one, 5, "r");
    assert_eq!(
        rows(&path, EVENTS),
        ["192.0.2.1|00:02:00.000|00:05:00.000|180|8|8|100.0|||"]
    );
    // What comes from an old file ended as soon as a host is known to have answered after it.
    let (_folder, path, mut database) = begin("00:02:00");
    let event = "update outage_events set end_time = 'later'";
    other_program(&path)
        .execute(event, [])
        .expect("it is closed for now");
    write(
        &mut database,
        &[
            minute(&one, 1, "r"),
            minute(&one, 3, "s"),
            minute(&one, 4, "rs"),
            minute(&one, 30, "r"),
        ],
        HOUR,
    );
    let event = "delete from outage_events where host_id is not null; update outage_events set end_time = null";
    other_program(&path)
        .execute_batch(event)
        .expect("it is open again");
    write(&mut database, &[minute(&one, 40, "s")], HOUR);
    assert_eq!(
        rows(&path, EVENTS),
        [
            "192.0.2.1|00:02:00.000|00:04:00.000|120|7|7|50.0|||",
            "192.0.2.1|00:40:00.000|||1|1||00:30:00.000|1|1"
        ]
    );
}

#[test]
fn unreadable_events_prevent_no_write() {
    let max = i64::MAX;
    for nonsense in [
        "start_time = 'ä'".to_string(),
        "start_time = '1969-12-31 23:59:59'".into(),
        "start_time = '9999-12-31 23:59:59'".into(),
        "start_time = x'ff', host_name = x'ff', event_type = x'00'".into(),
        format!("checks_failed = {max}, checks_during_outage = {max}, packets_sent = {max}, packets_lost = {max}"),
        "checks_failed = 'x', checks_during_outage = -5, packets_sent = x'00', packets_lost = 1.5, duration_seconds = 'x'".into(),
        "earliest_start = 'never', host_address = ''".into(),
        format!("host_id = {max}"),
        "host_id = 'one'".into(),
    ] {
        let folder = TempDir::new();
        let path = folder.path().join(FILE);
        let mut database = open(&path);
        let one = host("one", "192.0.2.1");
        write_minute(&mut database, &one, 1, "r");
        write_minute(&mut database, &one, 2, "s");
        other_program(&path).execute(&format!("update outage_events set {nonsense}"), []).expect("it may be written");
        write_minute(&mut database, &one, 3, "s");
        write_minute(&mut database, &one, 4, "r");
        assert_eq!(number(&path, "select count(*) from check_result"), 4, "{nonsense}");
        // An unreadable event stays as it is; the host gets another one.
        assert_eq!(number(&path, "select count(*) from outage_events where end_time like '%00:04:00.000'"), 1, "{nonsense}");
        assert!(number(&path, OPEN) <= 1, "{nonsense}");
        assert_eq!(number(&path, "select count(*) from outage_events where duration_seconds < 0"), 0, "{nonsense}");
        configure(&folder, FILE, &["192.0.2.1"]);
        expect_success(program(folder.path(), &["status"]));
    }
}

#[test]
fn an_event_of_another_kind_is_not_changed() {
    let folder = TempDir::new();
    let path = folder.path().join(FILE);
    let mut database = open(&path);
    let one = host("one", "192.0.2.1");
    let event = "insert into outage_events(host_name, host_address, event_type, start_time) values('one', '192.0.2.1', 'dns', '1970-01-01 00:00:30.000')";
    other_program(&path).execute(event, []).expect("an event");
    for (at, pings) in [(1, "r"), (2, "s"), (3, "r")] {
        write_minute(&mut database, &one, at, pings);
    }
    let events =
        "select event_type, substr(start_time, 12), substr(end_time, 12) from outage_events";
    assert_eq!(
        rows(&path, events),
        ["dns|00:00:30.000|", "outage|00:02:00.000|00:03:00.000"]
    );
}

#[test]
fn after_an_event_is_deleted_or_closed_by_hand_a_silent_host_gets_a_new_one() {
    for change in [
        "delete from outage_events",
        "update outage_events set end_time = '1970-01-01 00:02:30'",
    ] {
        let folder = TempDir::new();
        let path = folder.path().join(FILE);
        let one = host("one", "192.0.2.1");
        let mut database = open_with(&path, 2, 1);
        for (at, pings) in [(1, "r"), (2, "s"), (3, "s"), (4, "s")] {
            write_minute(&mut database, &one, at, pings);
        }
        other_program(&path)
            .execute(change, [])
            .expect("it may be written");
        write_minute(&mut database, &one, 5, "s");
        write_minute(&mut database, &one, 6, "r");
        let newest = "select substr(start_time, 12), duration_seconds, checks_failed from outage_events order by id desc limit 1";
        assert_eq!(rows(&path, newest), ["00:04:00.000|120|2"], "{change}");
        assert_eq!(number(&path, OPEN), 0, "{change}");
    }
}

#[test]
fn status_shows_the_ongoing_outage_with_its_cause() {
    let folder = TempDir::new();
    configure(&folder, FILE, &["192.0.2.1", "192.0.2.2"]);
    let mut database = open(&folder.path().join(FILE));
    let (one, two) = (host("one", "192.0.2.1"), host("two", "192.0.2.2"));
    write(
        &mut database,
        &[
            minute(&one, 1, "r"),
            minute(&two, 1, "r"),
            minute(&one, 2, "ss"),
            minute(&two, 2, "r"),
        ],
        HOUR,
    );
    let text = expect_success(program(folder.path(), &["status"])).stdout;
    assert_eq!(
        text.matches("outage since 1970-01-01 00:02:00 UTC").count(),
        1,
        "{text}"
    );
    let status = json(program(folder.path(), &["status", "--json"]));
    let outage = &status[0]["outage"];
    assert_eq!(
        (
            &outage["start_time"],
            &outage["earliest_start"],
            &outage["end_time"]
        ),
        (
            &"1970-01-01T00:02:00.000Z".into(),
            &"1970-01-01T00:01:00.000Z".into(),
            &serde_json::Value::Null
        )
    );
    assert_eq!(
        (
            &outage["packets_sent"],
            &outage["packets_lost"],
            &outage["checks_failed"]
        ),
        (&2.into(), &2.into(), &1.into())
    );
    assert!(status[1]["outage"].is_null(), "{status}");
}

#[test]
fn a_name_that_does_not_resolve_is_one_event_and_not_its_healthy_twins() {
    let folder = TempDir::new();
    let path = folder.path().join(FILE);
    let mut database = open(&path);
    let of = |name: &str, family| {
        Arc::new(Host {
            name: name.into(),
            address: "name.example".into(),
            family: Some(family),
            source: None,
        })
    };
    let (four, six) = (of("four", IpVersion::V4), of("a six", IpVersion::V6));
    let mut scene = Scene::default();
    let mut write = |results: Vec<CheckResult>, minutes: i64| {
        results.iter().for_each(|result| scene.add_check(result));
        let records: Vec<Record> = results.into_iter().map(Record::Check).collect();
        database
            .write_records(
                &records,
                &scene,
                UtcMillis(60_000 * minutes),
                RunState::Running,
            )
            .expect("a write");
    };
    let failing = |host: &Arc<Host>, minutes| CheckResult {
        name_failure: Some("name.example does not resolve: x".into()),
        ..minute(host, minutes, "r")
    };
    let events = "select host_name, host_id, end_time is null from outage_events order by id";
    write(vec![minute(&four, 0, "r"), minute(&six, 0, "r")], 1);
    write(vec![failing(&four, 1), minute(&six, 1, "r")], 2);
    assert_eq!(rows(&path, events), ["four|1|1"]);
    let reader = Reader::open(&path).expect("it opens").expect("a database");
    let mut statuses =
        HostStatuses::read(&reader, Duration::ZERO, UtcMillis(120_000)).expect("statuses");
    statuses.outages = reader.open_outages().expect("outages");
    let shown = statuses.of_hosts(&[]);
    let in_outage = shown.iter().filter(|status| status.outage.is_some());
    assert_eq!(
        in_outage.map(|status| status.name).collect::<Vec<_>>(),
        ["four"]
    );
    drop(shown);
    // Whichever fails first, it is one event, of the first host by name.
    write(vec![failing(&four, 2), failing(&six, 2)], 3);
    assert_eq!(rows(&path, events), ["a six|2|1"]);
    write(vec![minute(&four, 3, "r"), failing(&six, 3)], 4);
    assert_eq!(rows(&path, events), ["a six|2|1"]);
    write(vec![minute(&six, 4, "r")], 5);
    assert_eq!(rows(&path, events), ["a six|2|0"]);
    assert_eq!(
        rows(&path, "select substr(end_time, 12, 5) from outage_events"),
        ["00:03"],
        "it resolved again then"
    );
}
