//! `outages`, from a database with known contents: the list, the counts and the notes.

mod common;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use ace_connection_logger::pure::model::{CheckResult, Host, Outcome};
use ace_connection_logger::pure::time::UtcMillis;
use ace_connection_logger::store::{Database, RunState};
use common::{Finished, TempDir, bin, run};
use rusqlite::Connection;
use serde_json::{Value, json};

const FILE: &str = "connection_logs.db";
const MINUTE: i64 = 60_000;
const DAY: i64 = 1440 * MINUTE;

fn now() -> i64 {
    i64::try_from(
        SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .expect("after 1970")
            .as_millis(),
    )
    .expect("before 2248")
}

/// Hosts `One` and `Two`, and checks a minute apart from `began` on, one letter each: `r` for a
/// reply, `s` for silence.
struct Record {
    folder: TempDir,
    path: PathBuf,
    began: i64,
}

impl Record {
    fn new(began: i64, one: &str, two: &str) -> Record {
        let folder = TempDir::new();
        folder.write(
            "config.yaml",
            "hosts: [{name: Three, address: 192.0.2.3}]\n",
        );
        let path = folder.path().join(FILE);
        let mut database = Database::open(&path, &mut |_, _| ())
            .expect("a new database")
            .database;
        for (name, address, letters) in [("One", "192.0.2.1", one), ("Two", "two.example", two)] {
            let host = Arc::new(Host {
                name: name.into(),
                address: address.into(),
                family: None,
                source: None,
            });
            let check = |(minute, letter): (i64, char)| {
                let ping = if letter == 'r' {
                    Outcome::Reply { rtt_us: 1000 }
                } else {
                    Outcome::TimedOut
                };
                let at = UtcMillis(began + minute * MINUTE);
                CheckResult {
                    pings: vec![ping; 2],
                    ..CheckResult::begin(Arc::clone(&host), at)
                }
            };
            let checks: Vec<CheckResult> = (0..).zip(letters.chars()).map(check).collect();
            let until = UtcMillis(began + i64::try_from(letters.len()).expect("few") * MINUTE);
            database
                .write(&checks, until, RunState::Running)
                .expect("it is written");
        }
        Record {
            folder,
            path,
            began,
        }
    }

    fn sql(&self, sql: &str) {
        Connection::open(&self.path)
            .and_then(|database| database.execute_batch(sql))
            .expect("plain SQL");
    }

    fn text(&self, arguments: &[&str]) -> String {
        output(self.folder.path(), arguments)
    }

    fn json(&self, arguments: &[&str]) -> Vec<Value> {
        let text = self.text(&[arguments, &["--json"]].concat());
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
    }

    fn ids(&self, arguments: &[&str]) -> Vec<i64> {
        self.json(arguments)
            .iter()
            .map(|event| event["id"].as_i64().expect("an id"))
            .collect()
    }

    fn at(&self, minute: i64) -> String {
        UtcMillis(self.began + minute * MINUTE).rfc3339()
    }
}

fn program(folder: &Path, arguments: &[&str]) -> Finished {
    run(Command::new(bin())
        .args(arguments)
        .current_dir(folder)
        .env("TZ", "Europe/Berlin")
        .env_remove("NO_COLOR"))
}

fn output(folder: &Path, arguments: &[&str]) -> String {
    let finished = program(folder, arguments);
    assert_eq!(
        (finished.code, finished.stderr.as_str()),
        (Some(0), ""),
        "{arguments:?}"
    );
    finished.stdout
}

#[test]
fn json_has_the_fields_of_the_contract_in_its_order() {
    let record = Record::new(now() - DAY, "rssr", "rr");
    let text = record.text(&["outages", "--json"]);
    let fields = [
        "id",
        "host_name",
        "host_address",
        "event_type",
        "start_time",
        "end_time",
        "duration_seconds",
        "checks_failed",
        "checks_during_outage",
        "recovery_success_rate",
        "notes",
        "cause",
        "earliest_start",
        "packets_sent",
        "packets_lost",
        "path",
        "planned",
        "facts",
        "down_seconds",
        "event_ids",
    ];
    let written: Vec<&str> = text
        .lines()
        .filter_map(|line| line.strip_prefix("    \""))
        .filter_map(|line| line.split('"').next())
        .collect();
    assert_eq!(written, fields);
    let events = record.json(&["outages"]);
    let event = |field: &str| &events[0][field];
    assert_eq!(
        (
            event("host_name"),
            event("host_address"),
            event("event_type")
        ),
        (&json!("One"), &json!("192.0.2.1"), &json!("outage"))
    );
    assert_eq!(
        (
            event("start_time"),
            event("end_time"),
            event("earliest_start")
        ),
        (
            &json!(record.at(1)),
            &json!(record.at(3)),
            &json!(record.at(0))
        )
    );
    assert_eq!(
        (
            event("duration_seconds"),
            event("down_seconds"),
            event("checks_failed")
        ),
        (&json!(120), &json!(120), &json!(2))
    );
    assert_eq!(
        (
            event("packets_sent"),
            event("packets_lost"),
            event("planned"),
            event("event_ids")
        ),
        (&json!(4), &json!(4), &json!(false), &json!([1]))
    );
}

#[test]
fn outages_are_listed_newest_first_and_filtered_by_the_options() {
    // One was down twice, far apart, and is down again; Two once in between.
    let record = Record::new(
        now() - 40 * MINUTE,
        "rssrrrrrrrrrrrrrrrrrrrrsrrrrrrrrrrrrrrss",
        "rrrrrrrrrrsrr",
    );
    let addresses = |arguments: &[&str]| {
        let events = record.json(arguments);
        events
            .iter()
            .map(|event| event["host_address"].as_str().expect("text").to_string())
            .collect::<Vec<_>>()
            .join(" ")
    };
    let all = "192.0.2.1 192.0.2.1 two.example 192.0.2.1";
    for arguments in [
        &["outages"][..],
        &["events"],
        &["outages", "--limit", "0"],
        &["outages", "--days=1"],
        &["outages", "--limit", "9"],
    ] {
        assert_eq!(addresses(arguments), all, "{arguments:?}");
    }
    assert_eq!(
        addresses(&["outages", "--limit", "2"]),
        "192.0.2.1 192.0.2.1"
    );
    for named in ["TWO", "two.EXAMPLE"] {
        assert_eq!(addresses(&["outages", "--host", named]), "two.example");
    }
    assert_eq!(
        addresses(&["outages", "--host", "Three"]),
        "",
        "it is configured, and nothing is recorded of it"
    );
    // 0.02 days are 28 minutes and 48 seconds: the outage of minute 23 is 17 minutes old, the one
    // of minute 10 is 30.
    assert_eq!(
        addresses(&["outages", "--days", "0.02"]),
        "192.0.2.1 192.0.2.1"
    );
    let active = record.json(&["outages", "--active"]);
    assert_eq!(
        (
            active.len(),
            &active[0]["end_time"],
            &active[0]["duration_seconds"]
        ),
        (1, &Value::Null, &Value::Null)
    );
    assert_eq!(
        record.text(&["outages", "--active", "--host", "two"]),
        "no outages\n"
    );
}

#[test]
fn the_table_has_local_times_causes_in_words_and_a_summary() {
    // 2025-07-01 10:00 UTC, which is noon in Berlin.
    let record = Record::new(
        1_751_364_000_000,
        "rssrrrrrrrrrrrrrrrrrrrrsrrr",
        "rrrrrrrrrrsrr",
    );
    record.sql("update outage_events set cause = 'provider' where id = 1; update outage_events set cause = 'host', host_name = 'T\u{1b}wo' where host_address = 'two.example'; update outage_events set notes = 'called them' where id = 1");
    let text = record.text(&["outages"]);
    let expected = "\
STATE  ID  BEGAN                ENDED                LASTED     HOST                CAUSE                                LOST    NOTES
ended  2   2025-07-01 12:23:00  2025-07-01 12:24:00  1 min 0 s  One (192.0.2.1)     unknown                              2 of 2
ended  3   2025-07-01 12:10:00  2025-07-01 12:11:00  1 min 0 s  T\u{fffd}wo (two.example)  host: others answered                2 of 2
ended  1   2025-07-01 12:01:00  2025-07-01 12:03:00  2 min 0 s  One (192.0.2.1)     provider: only the gateway answered  4 of 4  called them

HOST                OUTAGES  AVERAGE     LONGEST    TOTAL
One (192.0.2.1)     2        1 min 30 s  2 min 0 s  3 min 0 s
T\u{fffd}wo (two.example)  1        1 min 0 s   1 min 0 s  1 min 0 s

3 outages; at least one of 2 hosts was down for 4 min 0 s in total
";
    assert!(text == expected, "{text}\n{expected}");
    let few = record.text(&["outages", "--limit", "1"]);
    assert!(
        few.contains("\n1 of 3 shown; all of them with --limit 0\n"),
        "{few}"
    );
    assert!(
        few.contains("One (192.0.2.1)     2  "),
        "all are counted: {few}"
    );
}

#[test]
fn an_ongoing_outage_is_marked_and_unmeasured_time_is_not_counted() {
    let record = Record::new(now() - 10 * MINUTE, "rsssssssss", "r");
    let (from, to) = (record.began + 2 * MINUTE, record.began + 7 * MINUTE);
    record.sql(&format!(
        "insert into interruption(started_at, ended_at, kind) values({from}, {to}, 'asleep')"
    ));
    let text = record.text(&["outages"]);
    let line = text.lines().nth(1).expect("a line");
    assert!(line.starts_with("ongoing  1 "), "{text}");
    assert!(
        line.contains(" -  ") && line.contains("  9 min ") && line.contains(" (4 min "),
        "{text}"
    );
    assert!(line.contains(" s measured)  One (192.0.2.1)  "), "{text}");
    let event = &record.json(&["outages"])[0];
    assert!(
        (240..260).contains(&event["down_seconds"].as_i64().expect("a number")),
        "{event}"
    );
}

/// Outages of host One that last so many seconds; one as the original may have left it, whose
/// duration is a second less than its times say: the times decide.
#[test]
fn the_same_outage_has_one_length_in_the_list_and_in_the_report() {
    let record = Record::new(now() - 20 * DAY, "r", "r");
    for (begin, seconds, duration) in [
        (15, 187_259, 187_259),
        (10, 12_006, 12_005),
        (8, 86_400, 86_400),
        (6, 59, 59),
    ] {
        let start = now() - begin * DAY;
        let [start, end] = [start, start + seconds * 1000].map(|at| UtcMillis(at).sql_text());
        record.sql(&format!(
            "insert into outage_events(host_name, host_address, event_type, start_time, end_time, duration_seconds)
             values('One', '192.0.2.1', 'outage', '{start}', '{end}', {duration})"
        ));
    }
    let (list, report) = (record.text(&["outages"]), record.text(&["report"]));
    for length in [
        "2 d 4 h 0 min 59 s",
        "3 h 20 min 6 s",
        "1 d 0 h 0 min 0 s",
        "59 s",
    ] {
        for text in [&list, &report] {
            assert!(text.contains(&format!("  {length} ")), "{length}: {text}");
        }
    }
}

#[test]
fn without_a_database_every_command_has_the_same_status_and_creates_none() {
    let folder = TempDir::new();
    folder.write(
        "config.yaml",
        "hosts: [{name: Three, address: 192.0.2.3}]\n",
    );
    for (arguments, stdout) in [
        (&["outages"][..], ""),
        (&["outages", "--json"], "[]\n"),
        (&["outages", "--note", "1", "x", "--json"], ""),
        (&["status"], ""),
        (&["report"], ""),
        (&["export"], ""),
        (&["backup", "copy.db"], ""),
    ] {
        let refused = program(folder.path(), arguments);
        assert_eq!(
            (refused.code, refused.stdout.as_str()),
            (Some(1), stdout),
            "{arguments:?}"
        );
        assert!(
            refused
                .stderr
                .contains("nothing recorded yet in connection_logs.db\nhint: "),
            "{}",
            refused.stderr
        );
    }
    assert_eq!(
        std::fs::read_dir(folder.path()).expect("a folder").count(),
        1
    );
    let record = Record::new(now() - DAY, "rr", "rr");
    assert_eq!(record.text(&["outages"]), "no outages\n");
    assert_eq!(record.text(&["outages", "--json"]), "[]\n");
}

#[test]
fn a_note_is_shown_and_a_planned_outage_is_listed_separately_and_not_counted() {
    let record = Record::new(now() - DAY, "rssrrrrrrrrrrrrrrrrrrrrsrrr", "rrrrrrrrrrsrr");
    let noted = record.text(&[
        "outages", "--note", "1", "called", "them,", "--json", "ticket 7",
    ]);
    let noted: Vec<Value> = serde_json::from_str(&noted).expect("JSON");
    assert_eq!(
        (noted.len(), &noted[0]["id"], &noted[0]["notes"]),
        (1, &json!(1), &json!("called them, ticket 7"))
    );
    assert_eq!(noted[0]["planned"], false);
    let text = record.text(&["outages", "--note=3", "--planned", "--", "--cable moved"]);
    assert!(
        text.starts_with("planned, not counted:\n") && text.contains("--cable moved"),
        "{text}"
    );
    let text = record.text(&["outages"]);
    let (counted, planned) = text
        .split_once("\n\nplanned, not counted:\n")
        .expect("two tables");
    assert_eq!(
        (
            counted.lines().count(),
            planned.contains("Two (two.example)")
        ),
        (3, true),
        "{text}"
    );
    assert!(text.ends_with("\n\nHOST             OUTAGES  AVERAGE     LONGEST    TOTAL\nOne (192.0.2.1)  2        1 min 30 s  2 min 0 s  3 min 0 s\n"), "{text}");
    // --planned without text keeps the note.
    assert!(
        record
            .text(&["outages", "--note", "1", "--planned"])
            .contains("called them, ticket 7")
    );
    let plans: Vec<bool> = record
        .json(&["outages"])
        .iter()
        .map(|event| event["planned"].as_bool().expect("a bool"))
        .collect();
    assert_eq!(plans, [false, true, true]);
}

#[test]
fn a_note_on_an_outage_of_several_rows_is_found_by_any_of_their_ids() {
    // Three outages within ten minutes are one.
    let record = Record::new(now() - DAY, "rsrsrsr", "r");
    let event = &record.json(&["outages"])[0];
    assert_eq!(
        (&event["event_type"], &event["event_ids"]),
        (&json!("intermittent"), &json!([1, 2, 3]))
    );
    assert!(
        record
            .text(&["outages"])
            .contains("unknown; intermittent, 3 times")
    );
    let noted = record.text(&["outages", "--note", "2", "flapping", "--planned"]);
    assert!(noted.contains("flapping"), "{noted}");
    let event = &record.json(&["outages"])[0];
    assert_eq!(
        (&event["notes"], &event["planned"]),
        (&json!("flapping"), &json!(true))
    );
    let planned: i64 = Connection::open(&record.path)
        .and_then(|database| {
            database.query_row("select sum(planned) from outage_events", [], |row| {
                row.get(0)
            })
        })
        .expect("a number");
    assert_eq!(planned, 3);
}

#[test]
fn a_note_and_the_mark_planned_can_be_taken_back() {
    let record = Record::new(now() - DAY, "rsrsrsr", "r");
    let is = |notes: Value, is_planned: bool| {
        let event = &record.json(&["outages"])[0];
        assert_eq!(
            (&event["notes"], &event["planned"]),
            (&notes, &json!(is_planned))
        );
    };
    // As an earlier note on another of its rows left it.
    record.sql("update outage_events set notes = 'old' where id = 3");
    record.text(&["outages", "--note", "2", "flapping", "--planned"]);
    is(json!("flapping"), true);
    let text = record.text(&["outages", "--note", "2", "--not-planned"]);
    assert!(
        text.starts_with("STATE") && text.contains("flapping"),
        "{text}"
    );
    is(json!("flapping"), false);
    let text = record.text(&["outages", "--note", "1", ""]);
    assert!(!text.contains("flapping"), "{text}");
    is(Value::Null, false);
}

/// Both hosts fail together and one is longer down.
fn incident() -> Record {
    // 2025-07-01 10:00 UTC, which is noon in Berlin.
    Record::new(1_751_364_000_000, "rssrrrrrrrrrrrrrsrr", "rsssrrrrrrrr")
}

#[test]
fn an_incident_of_which_some_was_not_measured_says_so_and_sums_are_of_the_span() {
    let record = incident();
    // Nothing was measured for one of its three minutes.
    let gap = record.began + 2 * MINUTE;
    record.sql(&format!(
        "insert into interruption(started_at, ended_at, kind) values({gap}, {}, 'asleep')",
        gap + MINUTE
    ));
    let text = record.text(&["outages"]);
    assert!(
        text.contains("  3 min 0 s (2 min 0 s down)  2 hosts: One, Two  "),
        "{text}"
    );
    assert!(
        text.contains("at least one of 2 hosts was down for 3 min 0 s in total"),
        "{text}"
    );
    // A span that cuts an outage counts its part.
    let record = Record::new(now() - 60 * MINUTE, &format!("r{}r", "s".repeat(30)), "r");
    let text = record.text(&["outages", "--days", &(45.0 / 1440.0).to_string()]);
    let total = text
        .lines()
        .last()
        .expect("a line")
        .split("  ")
        .last()
        .expect("a cell");
    assert!(
        total.trim().starts_with("15 min") || total.trim().starts_with("16 min"),
        "{text}"
    );
    assert!(
        text.contains("  30 min 0 s  "),
        "the row is of the whole outage: {text}"
    );
}

#[test]
fn hosts_that_failed_together_are_one_row_and_time_counts_once() {
    let record = incident();
    let expected = "\
STATE  ID  BEGAN                ENDED                LASTED     HOST               CAUSE    LOST      NOTES
ended  2   2025-07-01 12:16:00  2025-07-01 12:17:00  1 min 0 s  One (192.0.2.1)    unknown  2 of 2
ended  1   2025-07-01 12:01:00  2025-07-01 12:04:00  3 min 0 s  2 hosts: One, Two  unknown  10 of 10

each host of an incident, with its id: --each-host

HOST               OUTAGES  AVERAGE     LONGEST    TOTAL
One (192.0.2.1)    2        1 min 30 s  2 min 0 s  3 min 0 s
Two (two.example)  1        3 min 0 s   3 min 0 s  3 min 0 s

2 outages (3 counted for each host); at least one of 2 hosts was down for 4 min 0 s in total
";
    let text = record.text(&["outages"]);
    assert!(text == expected, "{text}\n{expected}");
    // The report has the same sum.
    let report = record.text(&["report", "--from", "2025-07-01", "--to", "2025-07-02"]);
    let report = report.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        report.contains(
            "2 outages (3 counted for each host) of 2 hosts. At least one host was silent for 4 min 0 s in total"
        ),
        "{report}"
    );
    // It has the same rows: the one of both hosts, with a row for each below it.
    let rows = [
        " 2025-07-01 12:01:00 +02:00 3 min 0 s 2 hosts unknown End: 2025-07-01 12:04:00 +02:00. Pings lost: 10 of 10.",
        " 2025-07-01 12:01:00 +02:00 2 min 0 s - One unknown End: 2025-07-01 12:03:00 +02:00. Pings lost: 4 of 4.",
        " 2025-07-01 12:01:00 +02:00 3 min 0 s - Two unknown End: 2025-07-01 12:04:00 +02:00. Pings lost: 6 of 6.",
        " 2025-07-01 12:16:00 +02:00 1 min 0 s One unknown ",
    ];
    let places: Vec<Option<usize>> = rows.iter().map(|row| report.find(row)).collect();
    assert!(
        places.iter().all(Option::is_some) && places.is_sorted(),
        "{places:?} {report}"
    );
    let of_two = record.text(&[
        "report",
        "--from",
        "2025-07-01",
        "--to",
        "2025-07-02",
        "--host",
        "two",
    ]);
    assert!(
        of_two.contains("\n1 outage of 1 host.") && of_two.contains("Failed together with One."),
        "{of_two}"
    );
    let each = record.text(&["outages", "--each-host"]);
    for line in [
        "2 hosts: One, Two    unknown  10 of 10",
        "ended  1   2025-07-01 12:01:00  2025-07-01 12:03:00  2 min 0 s    One (192.0.2.1)    unknown  4 of 4",
        "ended  3   2025-07-01 12:01:00  2025-07-01 12:04:00  3 min 0 s    Two (two.example)  unknown  6 of 6",
    ] {
        assert!(each.contains(line), "{line}\n{each}");
    }
    // A row is an incident; in JSON it is an outage.
    let one = record.text(&["outages", "--limit", "1"]);
    assert!(one.contains("1 of 2 shown"), "{one}");
    assert_eq!(record.ids(&["outages", "--limit", "2"]), [2, 3]);
    let of_two = record.text(&["outages", "--host", "two"]);
    assert!(
        !of_two.contains("at least one of") && !of_two.contains("--each-host"),
        "{of_two}"
    );
}

#[test]
fn a_note_on_an_incident_is_written_on_all_hosts_and_taken_back_from_all() {
    let record = incident();
    let planned = |arguments: &[&str]| {
        let text = record.text(&[&["outages", "--note", "3"], arguments].concat());
        let events = record.json(&["outages"]);
        let state = |event: &Value| {
            (
                event["id"].as_i64().expect("an id"),
                event["notes"].as_str().map(String::from),
                event["planned"].as_bool().expect("a bool"),
            )
        };
        (text, events.iter().map(state).collect::<Vec<_>>())
    };
    let router = || Some("new router".to_string());
    let (text, events) = planned(&["new", "router", "--planned", "--all-hosts"]);
    assert!(
        text.starts_with("planned, not counted:\n") && text.contains("2 hosts: One, Two"),
        "{text}"
    );
    assert_eq!(
        events,
        [(2, None, false), (3, router(), true), (1, router(), true)]
    );
    let (_, events) = planned(&["", "--not-planned", "--all-hosts"]);
    assert_eq!(
        events,
        [(2, None, false), (3, None, false), (1, None, false)]
    );
    let (_, events) = planned(&["new router"]);
    assert_eq!(
        events,
        [(2, None, false), (3, router(), false), (1, None, false)],
        "without --all-hosts only the one with the id"
    );
}

#[test]
fn a_wrong_note_is_refused_with_the_reason() {
    let record = Record::new(now() - DAY, "rsr", "r");
    let unknown = program(record.folder.path(), &["outages", "--note", "99", "what"]);
    assert_eq!((unknown.code, unknown.stdout.as_str()), (Some(1), ""));
    assert!(
        unknown
            .stderr
            .contains("outages --note 99: there is no outage with this id\nhint: "),
        "{}",
        unknown.stderr
    );
    for (arguments, what) in [
        (&["--note", "1"][..], "give the text of the note"),
        (&["--note", "1", "  "], "give the text of the note"),
        (&["--planned"], "name the outage with --note ID"),
        (&["--not-planned"], "name the outage with --note ID"),
        (&["--all-hosts"], "name the outage with --note ID"),
        (&["--note", "1", "--all-hosts"], "give the text of the note"),
        (
            &["--note", "1", "--planned", "--not-planned"],
            "give either --planned or --not-planned",
        ),
        (
            &["one"],
            "a note goes with --note ID, a host with --host HOST",
        ),
        (
            &["--host", "nobody"],
            "--host \"nobody\": no such host is recorded, but: One, Two",
        ),
        (
            &["--days", "0"],
            "0 is not a number of days from more than 0 to 100000",
        ),
        (&["--note", "one", "x"], "one"),
    ] {
        let refused = program(record.folder.path(), &[&["outages"], arguments].concat());
        assert_eq!(
            (refused.code, refused.stdout.as_str()),
            (Some(2), ""),
            "{arguments:?}"
        );
        assert!(refused.stderr.contains(what), "{}", refused.stderr);
    }
    assert_eq!(record.ids(&["outages"]), [1]);
}

#[test]
fn writing_a_note_waits_while_the_monitor_writes() {
    let record = Record::new(now() - DAY, "rsr", "r");
    let other = Connection::open(&record.path).expect("it opens");
    other.execute_batch("begin immediate").expect("it writes");
    let release = std::thread::spawn(move || {
        std::thread::sleep(std::time::Duration::from_millis(700));
        other.execute_batch("commit").expect("it ends");
    });
    assert!(
        record
            .text(&["outages", "--note", "1", "while it writes"])
            .contains("while it writes")
    );
    release.join().expect("it ended");
}

#[test]
fn a_renamed_host_has_its_present_name_and_is_found_by_either() {
    let record = Record::new(now() - DAY, "rssr", "rrrr");
    record.sql("update host set name = 'Router' where name = 'One'");
    for wanted in ["one", "router", "192.0.2.1"] {
        let text = record.text(&["outages", "--host", wanted]);
        assert!(text.contains("  Router (was One) (192.0.2.1)  "), "{text}");
        let report = record.text(&["report", "--host", wanted]);
        assert!(report.contains("Router (was"), "{report}");
    }
    let event = &record.json(&["outages"])[0];
    assert_eq!(
        (&event["host_name"], &event["former_name"]),
        (&json!("Router"), &json!("One"))
    );
    // Its first name again: nothing was renamed.
    record.sql("update host set name = 'One' where name = 'Router'");
    let text = record.text(&["outages"]);
    assert!(text.contains("  One (192.0.2.1)  "), "{text}");
}

#[test]
fn a_host_is_found_by_its_new_name_before_the_monitor_records_it() {
    let record = Record::new(now() - DAY, "rssr", "rrrr");
    record.folder.write(
        "config.yaml",
        "hosts: [{name: Router, address: 192.0.2.1}]\n",
    );
    let text = record.text(&["outages", "--host", "router"]);
    assert!(text.contains("  One (192.0.2.1)  "), "{text}");
}

#[test]
fn outages_are_not_grouped_over_the_removal_of_their_host() {
    let record = Record::new(now() - DAY, "rsrsrsr", "r");
    let count = |record: &Record| record.json(&["outages"]).len();
    assert_eq!(count(&record), 1, "intermittent");
    record.sql("update outage_events set removed = 1 where id = 2");
    assert_eq!(count(&record), 3);
}
