//! Texts that attack what shows them, as names, notes and reasons of a database, through every
//! output.

mod common;

use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use ace_connection_logger::alerts::{Alert, alert_text};
use ace_connection_logger::pure::model::{CheckResult, Host, LocalFault, Outcome};
use ace_connection_logger::pure::time::UtcMillis;
use ace_connection_logger::store::{Database, Reader, RunState};
use common::namespace::{SocketKind, in_namespace, is_available};
use common::{Finished, TempDir, bin, http, run};
use rusqlite::Connection;
use serde_json::Value;

/// What they attack, and the text.
const TEXTS: [(&str, &str); 19] = [
    ("terminal: title, clear", "\x1b]0;owned\x07\x1b[2J"),
    ("terminal: C1 controls", "\u{9b}31m\u{90}q\u{9c}"),
    ("terminal: overwrites the line", "cr\rover\x08\x08"),
    ("bidi: override and isolate", "\u{202e}gnp.exe\u{2066}x"),
    ("log: a line", "a\n2026-01-01T00:00:00.000Z [ERROR] forged"),
    ("lines of other alphabets", "a\u{2028}b\u{2029}c\u{85}d"),
    ("CSV: quotes", "quote\"'`,;\"\""),
    ("CSV: formula", "=cmd|' /C calc'!A0"),
    ("CSV: formula with +", "+1+cmd"),
    ("CSV: formula with -", "-2+cmd"),
    ("CSV: formula with @", "@SUM(1)"),
    ("CSV: formula behind a tab", "\t=1+cmd"),
    ("HTML: script", "<script>alert(1)</script>"),
    ("HTML: attribute", "\"><img src=x onerror=y> ' onload='z"),
    ("SQL", "'); drop table host; --"),
    (
        "Prometheus: a label and a line",
        "x\",y=\"1\"} 1\nevil_metric{a=\"b",
    ),
    ("backslashes", "back\\slash\\n\\\""),
    ("shell and formats", "%s%n$(id)`id`${HOME}"),
    ("nothing to see", " \u{200b}\u{feff} "),
];

/// The name of the one host that is configured.
const CONFIGURED: &str = "x\",y=\"1\"} 1 evil_metric{a=\"b\\n";

const FILE: &str = "connection_logs.db";
const MINUTE: i64 = 60_000;

fn now() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    i64::try_from(now.expect("after 1970").as_millis()).expect("before 2248")
}

/// A database in which every text is the name of a host, the reason of a loss, the reason why a
/// host was not measured, and the note of an outage, which is ongoing.
fn record() -> TempDir {
    let folder = TempDir::new();
    let hosts = format!("hosts: [{{name: '{CONFIGURED}', address: 192.0.2.16}}]\n");
    folder.write("config.yaml", &hosts);
    let path = folder.path().join(FILE);
    let opened = Database::open(&path, &mut |_, _| ());
    let mut database = opened.expect("a new database").database;
    let began = now() - 10 * MINUTE;
    for (number, (_, text)) in (1..).zip(TEXTS) {
        let host = Arc::new(Host {
            name: text.to_string(),
            address: format!("192.0.2.{number}").as_str().into(),
            family: None,
            source: None,
        });
        let checks: Vec<CheckResult> = (0..8)
            .map(|minute| {
                let at = UtcMillis(began + minute * MINUTE);
                let ping = match minute {
                    0 => Outcome::Reply { rtt_us: 1000 },
                    1 => {
                        let why = text.to_string();
                        let host = Arc::clone(&host);
                        return CheckResult::not_measured(host, at, LocalFault::Host, why);
                    }
                    _ => Outcome::TimedOut,
                };
                CheckResult {
                    pings: vec![ping],
                    reason: (minute > 1).then(|| text.to_string()),
                    ..CheckResult::begin(Arc::clone(&host), at)
                }
            })
            .collect();
        let written = database.write(&checks, UtcMillis(now()), RunState::Stopped);
        written.expect("it is written");
        let note = "update outage_events set notes = ?1 where host_address = ?2";
        let noted = Connection::open(&path)
            .and_then(|file| file.execute(note, [text, &format!("192.0.2.{number}")]));
        assert_eq!(noted.expect("SQL"), 1, "{text:?}");
    }
    folder
}

fn program(folder: &Path, arguments: &[&str]) -> Finished {
    run(Command::new(bin()).args(arguments).current_dir(folder))
}

/// The same on a terminal: script(1) makes one.
fn on_terminal(folder: &Path, arguments: &[&str]) -> Finished {
    let line = format!(
        "NO_COLOR=1 {} {} 2>/dev/null",
        bin().display(),
        arguments.join(" ")
    );
    run(Command::new("script")
        .args(["-qec", &line, "/dev/null"])
        .current_dir(folder))
}

/// Neither commands a terminal, nor reorders or hides text, nor has another line.
fn is_tame(line: &str) -> bool {
    let hides = |c| matches!(c, '\u{200b}' | '\u{feff}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    !line.contains(|c: char| (c.is_control() && c != '\t') || hides(c))
}

#[track_caller]
fn assert_tame(what: &str, text: &str) {
    for line in text.replace("\r\n", "\n").split('\n') {
        assert!(is_tame(line), "{what}: {line:?}");
    }
    assert!(
        !text.contains("\n2026-01-01T00:00:00.000Z"),
        "{what}: a line is forged"
    );
}

#[test]
fn no_hostile_text_commands_a_terminal_or_forges_a_line() {
    if !is_available("no_hostile_text_commands_a_terminal_or_forges_a_line") {
        return;
    }
    let folder = record();
    in_namespace(SocketKind::Datagram, |_tun| {
        for arguments in [
            &["status"][..],
            &["status", "--json"],
            &["outages"],
            &["outages", "--json"],
            &["report", "--days", "1"],
            &["check", "--no-store"],
            &["check", "--no-store", "--json"],
            &["doctor"],
            &["cleanup", "-v"],
        ] {
            let shown = program(folder.path(), arguments);
            assert_tame(&arguments.join(" "), &shown.stdout);
            assert_tame(&arguments.join(" "), &shown.stderr);
            assert!(shown.stdout.len() + shown.stderr.len() > 20, "{shown:?}");
        }
        for arguments in [
            &["report", "--days", "1", "--format", "csv"][..],
            &["report", "--days", "1", "--format", "json"],
            &["report", "--days", "1", "--format", "html"],
            &["report", "--days", "1", "--raw"],
            &["export"],
            &["export", "--format", "jsonl"],
            &["export", "--format", "openmetrics"],
        ] {
            let shown = on_terminal(folder.path(), arguments);
            assert_eq!(shown.code, Some(0), "{shown:?}");
            let text = &shown.stdout;
            // A cell of CSV and a label may have a line of their own.
            let text = text
                .replace("\r\n", "\n")
                .replace("\n2026-01-01T00:00:00.000Z [ERROR] forged", "");
            assert_tame(&arguments.join(" "), &text);
            assert!(text.contains("drop table"), "{shown:?}");
        }
    });
}

/// The texts of a JSON value, at any depth.
fn texts_of<'j>(value: &'j Value, to: &mut Vec<&'j str>) {
    match value {
        Value::String(text) => to.push(text),
        Value::Array(items) => items.iter().for_each(|item| texts_of(item, to)),
        Value::Object(fields) => fields.values().for_each(|field| texts_of(field, to)),
        _ => {}
    }
}

#[track_caller]
fn assert_has_all_texts(what: &str, value: &Value) {
    let mut found = Vec::new();
    texts_of(value, &mut found);
    for (_, text) in TEXTS {
        assert!(found.contains(&text), "{what}: {text:?} is missing");
    }
}

/// Parses by the rules of RFC 4180.
fn csv_records(csv: &str) -> Vec<Vec<String>> {
    let (mut records, mut cells, mut cell) = (Vec::new(), Vec::new(), String::new());
    let mut is_quoted = false;
    let mut letters = csv.trim_start_matches('\u{feff}').chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '"' if is_quoted && letters.peek() == Some(&'"') => cell.extend(letters.next()),
            '"' => is_quoted = !is_quoted,
            ',' if !is_quoted => cells.push(std::mem::take(&mut cell)),
            '\r' if !is_quoted && letters.peek() == Some(&'\n') => {}
            '\n' if !is_quoted => {
                cells.push(std::mem::take(&mut cell));
                records.push(std::mem::take(&mut cells));
            }
            other => cell.push(other),
        }
    }
    assert!(!is_quoted && cell.is_empty() && cells.is_empty(), "{csv}");
    records
}

#[track_caller]
fn assert_csv(what: &str, csv: &str) {
    let records = csv_records(csv);
    for record in &records {
        assert_eq!(record.len(), records[0].len(), "{what}: {record:?}");
        for cell in record {
            let is_formula = cell.starts_with(['=', '+', '-', '@', '\t', '\r']);
            assert!(
                !is_formula || cell.parse::<f64>().is_ok(),
                "{what}: {cell:?}"
            );
        }
    }
    for (_, text) in TEXTS {
        let is_there = |cell: &String| *cell == text || cell.strip_prefix('\'') == Some(text);
        assert!(
            records.iter().flatten().any(is_there),
            "{what}: {text:?} is missing"
        );
    }
}

/// The values of all labels, from the text format of Prometheus or OpenMetrics.
#[track_caller]
fn labels(what: &str, text: &str) -> Vec<String> {
    let mut labels = Vec::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (name, rest) = line
            .split_once('{')
            .unwrap_or((line.split(' ').next().unwrap_or(""), ""));
        let is_ours = name.starts_with("ace_") || name.starts_with("process_");
        assert!(is_ours, "{what}: {line}");
        let mut letters = rest.chars();
        let (mut label, mut is_inside) = (String::new(), false);
        while let Some(letter) = letters.next() {
            match letter {
                '\\' if is_inside => label.push(match letters.next() {
                    Some('n') => '\n',
                    Some(escaped @ ('\\' | '"')) => escaped,
                    other => panic!("{what}: \\{other:?} in {line}"),
                }),
                '"' => {
                    is_inside = !is_inside;
                    if !is_inside {
                        labels.push(std::mem::take(&mut label));
                    }
                }
                inside if is_inside => label.push(inside),
                '}' => break,
                _ => {}
            }
        }
        let value = letters.as_str().split_whitespace().next();
        let value = value.or_else(|| line.split(' ').nth(1));
        assert!(
            value.is_some_and(|value| value.parse::<f64>().is_ok()),
            "{what}: {line}"
        );
    }
    labels
}

#[track_caller]
fn assert_html(what: &str, html: &str) {
    for markup in ["<script>alert", "<img src=x", "' onload='", "onerror=y>"] {
        assert!(!html.contains(markup), "{what}: {markup}");
    }
    assert!(
        html.contains("&lt;script&gt;alert(1)"),
        "{what}: a name is missing"
    );
    for line in html.lines() {
        assert!(
            !line.contains(|c: char| c.is_control() && c != '\t'),
            "{what}: {line:?}"
        );
    }
}

#[test]
fn every_format_keeps_hostile_texts_as_they_are_and_apart() {
    let folder = record();
    let output = |arguments: &[&str]| {
        let done = program(folder.path(), arguments);
        assert_eq!(done.code, Some(0), "{}", done.stderr);
        done.stdout
    };
    for arguments in [
        &["outages", "--json"][..],
        &["report", "--days", "1", "--format", "json"],
    ] {
        let value = serde_json::from_str(&output(arguments)).expect("JSON");
        assert_has_all_texts(&arguments.join(" "), &value);
    }
    let lines = output(&["export", "--format", "jsonl"]);
    let rows: Vec<Value> = lines
        .split_terminator('\n')
        .map(|line| serde_json::from_str(line).expect("one JSON a line"))
        .collect();
    assert_has_all_texts("export jsonl", &Value::Array(rows));
    assert_csv("export", &output(&["export"]));
    assert_csv(
        "report csv",
        &output(&["report", "--days", "1", "--format", "csv"]),
    );
    assert_html(
        "report html",
        &output(&["report", "--days", "1", "--format", "html"]),
    );
    let labels = labels(
        "openmetrics",
        &output(&["export", "--format", "openmetrics"]),
    );
    for (_, text) in TEXTS {
        assert!(
            labels.iter().any(|label| label == text),
            "{text:?} is missing"
        );
    }
    output(&["export", "--format", "sqlite", "-o", "original.db"]);
    let original = Connection::open(folder.path().join("original.db")).expect("a database");
    for (_, text) in TEXTS {
        let count = "select count(*) from outage_events where host_name = ?1 and notes = ?1";
        let found: i64 = original
            .query_row(count, [text], |row| row.get(0))
            .expect("SQL");
        assert_eq!(found, 1, "{text:?}");
    }
}

/// Ended with the test.
struct Dashboard(Child);

impl Dashboard {
    fn start(folder: &Path) -> Dashboard {
        let mut command = Command::new(bin());
        command.arg("dashboard").current_dir(folder);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        Dashboard(command.spawn().expect("the program starts"))
    }
}

impl Drop for Dashboard {
    fn drop(&mut self) {
        // It may have ended already.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

#[test]
fn the_dashboards_answers_keep_hostile_texts_as_they_are_and_apart() {
    if !is_available("the_dashboards_answers_keep_hostile_texts_as_they_are_and_apart") {
        return;
    }
    let folder = record();
    in_namespace(SocketKind::Datagram, |_tun| {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 8501));
        let _dashboard = Dashboard::start(folder.path());
        let deadline = Instant::now() + Duration::from_secs(20);
        while TcpStream::connect(address).is_err() && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(20));
        }
        for path in [
            "/api/outages",
            "/api/outages/active",
            "/api/outages/by-incident",
            "/api/ping-results/latest",
            "/api/hosts/all",
            "/api/overview",
        ] {
            let answer = http::get(address, path, "");
            assert_eq!(answer.status, 200, "{path}");
            assert!(
                is_tame(&answer.head.replace("\r\n", "")),
                "{path}: {}",
                answer.head
            );
            assert_has_all_texts(path, &answer.json());
        }
        // Only of configured hosts, whose names cannot have control characters.
        let labels = labels("/metrics", &http::get(address, "/metrics", "").body);
        assert!(labels.iter().any(|label| label == CONFIGURED), "{labels:?}");
        for (format, check) in [("html", assert_html as fn(&str, &str)), ("csv", assert_csv)] {
            let path = format!("/api/report?days=1&format={format}");
            let answer = http::get(address, &path, "");
            assert_eq!(answer.status, 200, "{}", answer.body);
            check(&path, &answer.body);
        }
    });
}

#[test]
fn an_alert_can_be_run_whatever_its_texts_contain() {
    let folder = record();
    let path = folder.path().join(FILE);
    let sql = "insert into notice(made_at, kind) select 1, 'down' from outage_events;
               insert into notice_event(event_id, notice_id) select id, id from outage_events";
    Connection::open(&path)
        .and_then(|file| file.execute_batch(sql))
        .expect("SQL");
    let reader = Reader::open(&path).expect("it opens").expect("it exists");
    let notices = reader.notices(UtcMillis(0)).expect("notices");
    assert_eq!(notices.len(), TEXTS.len());
    for notice in notices {
        let alert = alert_text(&Alert::of(&notice), UtcMillis(now()), |_| 0);
        let event: Value = serde_json::from_str(&alert.json).expect("JSON");
        assert_eq!(event["host_name"], notice.events[0].host_name.as_str());
        assert!(!alert.json.trim_end().contains('\n'), "{}", alert.json);
        for (name, value) in alert.environment {
            assert!(is_tame(&value) && !value.contains('\t'), "{name}={value:?}");
        }
    }
}
