//! The `report` command, with a database whose checks are all known: the figures are calculated by
//! hand.

mod common;

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use ace_connection_logger::api::{Api, ApiConfig};
use ace_connection_logger::config;
use ace_connection_logger::pure::model::{CheckResult, Host, Outcome};
use ace_connection_logger::pure::time::UtcMillis;
use ace_connection_logger::store::{Database, RunState};
use ace_connection_logger::web::WebServer;
use common::{Finished, TempDir, bin, run};
use rusqlite::Connection;
use serde_json::{Value, json};

const MINUTE: i64 = 60_000;
/// 25 October 2025, 20:00 UTC: five hours before Central Europe's clocks go back.
const BEGIN: i64 = 1_761_422_400_000;
const SPAN: [&str; 4] = ["--from", "2025-10-25 22:00", "--to", "2025-10-26T04:00:00Z"];

fn check<const N: usize>(host: &Arc<Host>, at: i64, rtts: [Option<u32>; N]) -> CheckResult {
    let outcome =
        |rtt: Option<u32>| rtt.map_or(Outcome::TimedOut, |rtt_us| Outcome::Reply { rtt_us });
    CheckResult {
        pings: rtts.map(outcome).to_vec(),
        ..CheckResult::begin(Arc::clone(host), UtcMillis(BEGIN + at * MINUTE))
    }
}

/// Eight hours with one check a minute of two pings. Host One is silent for 20 minutes across midnight
/// and for 60 minutes across the clock change. The monitor is off for 15 minutes, and the link is down
/// during 5 of them. Host Two has a planned outage of 10 minutes.
fn folder() -> TempDir {
    let folder = TempDir::new();
    folder.write(
        "config.yaml",
        "monitoring: {ping_count: 2}\nhosts: [{name: \"One <b>\", address: 192.0.2.1}, {name: Two, address: 192.0.2.2}]\n",
    );
    let path = folder.path().join("connection_logs.db");
    let mut database = Database::open(&path, &mut |_, _| ())
        .expect("a new database")
        .database;
    let host = |name: &str, address: &str| {
        Arc::new(Host {
            name: name.into(),
            address: address.into(),
            family: None,
            source: None,
        })
    };
    let (one, two) = (host("One <b>", "192.0.2.1"), host("Two", "192.0.2.2"));
    let write = |database: &mut Database, minutes: std::ops::Range<i64>| {
        database
            .begin_run(UtcMillis(BEGIN + minutes.start * MINUTE), true)
            .expect("it is written");
        let mut results = Vec::new();
        for at in minutes.clone() {
            let answered = [Some(10_000), Some(20_000)];
            results.push(match at {
                // Half of the pings: poor, but no outage.
                10 => check(&one, at, [Some(10_000), None]),
                110..130 | 270..330 => check(&one, at, [None; 2]),
                // The check in which the outage ends.
                130 => check(&one, at, [None, Some(10_000)]),
                _ => check(&one, at, answered),
            });
            results.push(check(
                &two,
                at,
                if (420..430).contains(&at) {
                    [None; 2]
                } else {
                    answered
                },
            ));
        }
        database
            .write(
                &results,
                UtcMillis(BEGIN + minutes.end * MINUTE),
                RunState::Stopped,
            )
            .expect("it is written");
    };
    write(&mut database, 0..360);
    write(&mut database, 375..480);
    drop(database);
    sql(
        &folder,
        "update outage_events set cause = 'provider', facts = '{\"gateway_address\":\"192.168.1.1\",\"gateway\":\"answers\",\"beyond_silent\":2}',
                path = '[{\"at\":\"2025-10-26T00:31:00.000Z\",\"reached\":false,\"hops\":[\"192.168.1.1\",\"10.0.0.1\"]}]';
         update outage_events set planned = 1, notes = 'new router', cause = 'host' where host_name = 'Two';
         insert into outage_events(host_name, host_address, event_type, start_time, end_time, duration_seconds, notes, cause, facts)
         values('link', 'IPv4', 'link_down', '2025-10-26 02:05:00.000', '2025-10-26 02:10:00.000', 300, 'no carrier', 'link', '{\"link_fault\":\"no carrier\"}')",
    );
    folder
}

fn sql(folder: &TempDir, text: &str) {
    let database =
        Connection::open(folder.path().join("connection_logs.db")).expect("the database");
    database.execute_batch(text).expect("plain SQL");
}

fn program(folder: &Path, arguments: &[&str]) -> Finished {
    run(Command::new(bin())
        .arg("report")
        .args(arguments)
        .current_dir(folder)
        .env("TZ", "Europe/Berlin"))
}

fn report(folder: &TempDir, arguments: &[&str]) -> String {
    let finished = program(folder.path(), &[&SPAN, arguments].concat());
    assert_eq!(
        (finished.code, finished.stderr.as_str()),
        (Some(0), ""),
        "{arguments:?}"
    );
    finished.stdout
}

fn json_of(folder: &TempDir, arguments: &[&str]) -> Value {
    serde_json::from_str(&report(
        folder,
        &[&["--format", "json"], arguments].concat(),
    ))
    .expect("JSON")
}

#[test]
fn reports_of_the_parts_of_a_period_add_up_to_the_whole() {
    let folder = folder();
    let begin = BEGIN / 1000 + 2 * 3600;
    let figures = |from: i64, to: i64| -> Vec<i64> {
        let (from, to) = ((begin + from).to_string(), (begin + to).to_string());
        let arguments = ["--from", &from, "--to", &to, "--format", "json"];
        let finished = program(folder.path(), &arguments);
        let report: Value = serde_json::from_str(&finished.stdout).expect("JSON");
        let hosts = report["hosts"].as_array().expect("hosts");
        let fields =
            "measured_seconds not_measured_seconds down_seconds poor_seconds checks sent lost";
        let of_host = |host: &Value| {
            let number = |field: &str| host[field].as_i64().expect("a number");
            fields.split(' ').map(number).collect::<Vec<_>>()
        };
        hosts.iter().flat_map(of_host).collect()
    };
    let whole = figures(0, 21_600);
    // Between two checks of an outage, within the check in which it ends, in a gap, anywhere.
    for cuts in [
        vec![5],
        vec![605, 625, 635],
        vec![599, 601, 9_001, 12_605],
        vec![14_350, 14_389, 14_700, 15_319],
        vec![12_613, 12_614, 12_671],
    ] {
        let ends = cuts.iter().copied().chain([21_600]);
        let parts = [0].into_iter().chain(cuts.iter().copied()).zip(ends);
        let mut sum = vec![0; whole.len()];
        for (from, to) in parts {
            let part = figures(from, to);
            sum.iter_mut()
                .zip(part)
                .for_each(|(sum, part)| *sum += part);
        }
        assert_eq!(sum, whole, "cut at {cuts:?}");
    }
}

#[test]
fn worst_hours_are_those_of_the_time_zone() {
    // The outage of 00:30 to 01:30 UTC is an hour of Nepal's clocks from 06:15 to 07:15.
    let folder = folder();
    let finished = run(Command::new(bin())
        .args(["report", "--host", "192.0.2.1", "--format", "json"])
        .args(SPAN)
        .current_dir(folder.path())
        .env("TZ", "Asia/Kathmandu"));
    let report: Value = serde_json::from_str(&finished.stdout).expect("JSON");
    let hours = report["worst_hours"].as_array().expect("hours");
    let of_outage: Vec<(&str, i64)> = hours
        .iter()
        .map(|hour| {
            (
                hour["from"].as_str().expect("a time"),
                hour["lost"].as_i64().expect("pings"),
            )
        })
        .filter(|(from, _)| *from >= "2025-10-26T00:00")
        .collect();
    let expected = [
        ("2025-10-26T00:15:00.000Z", 90),
        ("2025-10-26T01:15:00.000Z", 30),
    ];
    assert_eq!(of_outage, expected);
}

#[test]
fn every_figure_is_the_one_calculated_by_hand() {
    let folder = folder();
    let text = report(&folder, &["--format", "json"]);
    let value: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(
        (&value["from"], &value["to"]),
        (
            &json!("2025-10-25T20:00:00.000Z"),
            &json!("2025-10-26T04:00:00.000Z")
        )
    );
    let one = &value["hosts"][0];
    // 465 checks of 480 minutes; 80 minutes of outages. One check with half of its replies is poor
    // and takes nothing from the availability; so is the one in which an outage ended, but that loss
    // is the outage's.
    for (field, expected) in [
        ("checks", json!(465)),
        ("coverage_percent", json!(100.0 * 465.0 / 480.0)),
        ("not_measured_seconds", json!(900)),
        ("outages", json!(2)),
        ("down_seconds", json!(80 * 60)),
        ("degraded_seconds", json!(0)),
        ("poor_seconds", json!(60)),
        (
            "availability_percent",
            json!(100.0 * (465.0 - 80.0) / 465.0),
        ),
        ("loss_percent", json!(100.0 * 162.0 / 930.0)),
        ("sent", json!(930)),
        ("lost", json!(162)),
        ("longest_outage_seconds", json!(3600)),
        ("first_recorded", json!("2025-10-25T20:00:00.000Z")),
    ] {
        assert_eq!(one[field], expected, "{field}: {one}");
    }
    assert!(
        one["p50_us"]
            .as_i64()
            .is_some_and(|us| (9_000..21_000).contains(&us)),
        "{one}"
    );
    let two = &value["hosts"][1];
    assert_eq!(
        (
            &two["outages"],
            &two["down_seconds"],
            &two["availability_percent"]
        ),
        (&json!(0), &json!(0), &json!(100.0))
    );
    let outages = value["outages"].as_array().expect("a list");
    let times: Vec<[&str; 2]> = outages
        .iter()
        .map(|event| ["start_time", "end_time"].map(|field| event[field].as_str().expect("a time")))
        .collect();
    assert_eq!(
        times,
        [
            ["2025-10-25T21:50:00.000Z", "2025-10-25T22:10:00.000Z"],
            ["2025-10-26T00:30:00.000Z", "2025-10-26T01:30:00.000Z"]
        ]
    );
    assert_eq!(
        (&outages[1]["down_seconds"], &outages[1]["packets_lost"]),
        (&json!(3600), &json!(120))
    );
    assert_eq!(value["planned"].as_array().map(Vec::len), Some(1));
    assert_eq!(
        (
            &value["own_line"]["down_seconds"],
            &value["any_down_seconds"]
        ),
        (&json!(300), &json!(4800))
    );
    let gap = json!([{"from": "2025-10-26T02:00:00.000Z", "to": "2025-10-26T02:15:00.000Z", "reason": "the monitor was stopped"}]);
    assert_eq!(value["gaps"], gap);
    let causes = json!([{"cause": "link", "seconds": 300, "events": 1}, {"cause": "provider", "seconds": 4800, "events": 2}]);
    assert_eq!(value["causes"], causes);
    // Host Two: the hour of its planned outage does not count.
    let hour = |from: &str, lost: i64, silent: i64| json!({"from": from, "sent": 240, "lost": lost, "lost_while_down": silent});
    let worst = [
        ("2025-10-25T22:00:00.000Z", 21, 20),
        ("2025-10-25T20:00:00.000Z", 1, 0),
        ("2025-10-26T00:00:00.000Z", 60, 60),
        ("2025-10-26T01:00:00.000Z", 60, 60),
        ("2025-10-25T21:00:00.000Z", 20, 20),
    ];
    assert_eq!(
        value["worst_hours"],
        json!(worst.map(|(from, lost, silent)| hour(from, lost, silent))),
        "hours that lost pings outside silence come first"
    );
    let method = &value["method"];
    assert_eq!(
        (&method["zone"]["name"], &method["zone"]["offset_from"]),
        (&json!("Europe/Berlin"), &json!("+02:00"))
    );
    assert_eq!(
        (
            &method["zone"]["offset_to"],
            &method["checks"][0]["ping_count"]
        ),
        (&json!("+01:00"), &json!(2))
    );
    let positions: Vec<usize> = [
        "\"from\"",
        "\"hosts\"",
        "\"host_name\"",
        "\"availability_percent\"",
        "\"down_seconds\"",
        "\"outages\": [",
        "\"gaps\"",
        "\"method\"",
    ]
    .map(|field| text.find(field).unwrap_or_else(|| panic!("{field}")))
    .to_vec();
    assert!(positions.is_sorted(), "{positions:?}");
}

#[test]
fn a_host_that_loses_two_of_five_pings_is_poor_and_fully_available() {
    let folder = TempDir::new();
    folder.write(
        "config.yaml",
        "hosts: [{name: Lossy, address: 192.0.2.1}]\n",
    );
    let path = folder.path().join("connection_logs.db");
    let mut database = Database::open(&path, &mut |_, _| ())
        .expect("a new database")
        .database;
    let host = Arc::new(Host {
        name: "Lossy".into(),
        address: "192.0.2.1".into(),
        family: None,
        source: None,
    });
    database
        .begin_run(UtcMillis(BEGIN), true)
        .expect("it is written");
    let lossy = [Some(10_000), None, Some(10_000), None, Some(10_000)];
    let results: Vec<CheckResult> = (0..480).map(|at| check(&host, at, lossy)).collect();
    database
        .write(&results, UtcMillis(BEGIN + 480 * MINUTE), RunState::Stopped)
        .expect("it is written");
    let value = json_of(&folder, &[]);
    let of_host = &value["hosts"][0];
    for (field, expected) in [
        ("availability_percent", json!(100.0)),
        ("outages", json!(0)),
        ("down_seconds", json!(0)),
        ("degraded_seconds", json!(0)),
        ("poor_seconds", json!(8 * 3600)),
        ("sent", json!(2400)),
        ("lost", json!(960)),
        ("loss_percent", json!(40.0)),
    ] {
        assert_eq!(of_host[field], expected, "{field}: {of_host}");
    }
    let text = report(&folder, &[]);
    for part in [
        "No outage was recorded. Lossy lost 960 of 2400 pings (40.00 %, 95 % interval 38.06 to 41.97 %): poor for 8 h 0 min 0 s.",
        "Availability 100.00 %",
        "960 of 2400 pings lost (40.00 %, 95 % interval 38.06 to 41.97 %)",
    ] {
        let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(words.contains(part), "{part}: {text}");
    }
    let csv = report(&folder, &["--format", "csv"]);
    assert!(
        csv.contains(",28800,0,0,28800,40.000000,,2400,960,100.000000,"),
        "{csv}"
    );
    assert!(
        report(&folder, &["--format", "html"]).contains("<path class=p"),
        "its bars are poor"
    );
}

#[test]
fn only_the_part_of_an_outage_within_the_period_counts() {
    let folder = folder();
    let finished = program(
        folder.path(),
        &[
            "--from",
            "2025-10-26T00:00:00Z",
            "--to",
            "2025-10-26T01:00:00Z",
            "--format",
            "json",
        ],
    );
    let value: Value = serde_json::from_str(&finished.stdout).expect("JSON");
    assert_eq!(
        (
            &value["hosts"][0]["down_seconds"],
            &value["hosts"][0]["availability_percent"]
        ),
        (&json!(1800), &json!(50.0))
    );
    assert_eq!(
        (
            &value["outages"][0]["down_seconds"],
            &value["causes"][0]["seconds"]
        ),
        (&json!(3600), &json!(1800))
    );
    let finished = program(
        folder.path(),
        &[
            "--from",
            "2025-10-26T00:00:00Z",
            "--to",
            "2025-10-26T01:00:00Z",
        ],
    );
    assert!(
        finished.stdout.contains("30 min 0 s of it in this period."),
        "{}",
        finished.stdout
    );
}

#[test]
fn text_and_html_have_local_times_across_midnight_and_the_clock_change() {
    let folder = folder();
    let text = report(&folder, &[]);
    for part in [
        "Period: 2025-10-25 22:00:00 +02:00 to 2025-10-26 05:00:00 +01:00",
        "2 outages of 1 host.",
        "2025-10-25 23:50:00 +02:00  20 min 0 s     One <b>  provider",
        "End: 2025-10-26 00:10:00 +02:00. Pings lost: 40 of 40.",
        "2025-10-26 02:30:00 +02:00  1 h 0 min 0 s  One <b>  provider",
        "End: 2025-10-26 02:30:00 +01:00.",
        "the gateway\n  192.168.1.1 answered; 2 other hosts beyond it did not; packets got as far as\n  10.0.0.1.",
        "\nPLANNED\n",
        "Note: new router",
        "the monitor was stopped",
        "(Europe/Berlin)",
    ] {
        assert!(text.contains(part), "{part} is not in {text}");
    }
    assert!(
        text.lines().all(|line| line.chars().count() <= 80),
        "{text}"
    );
    let (down, planned) = text.split_once("\nPLANNED\n").expect("both");
    assert!(
        !down.contains("Two       host alone") && planned.contains("2025-10-26 04:00:00 +01:00"),
        "{text}"
    );
    let html = report(&folder, &["--format=html"]);
    assert!(
        html.contains("<td>One &lt;b&gt;</td>") && !html.contains("<b>"),
        "{html}"
    );
    assert!(html.contains("<td>2025-10-26 02:30:00 +02:00</td><td>2025-10-26 02:30:00 +01:00</td><td>1 h 0 min 0 s</td>"));
    let csv = report(&folder, &["--format", "csv"]);
    let kinds: Vec<&str> = csv
        .split("\r\n")
        .filter_map(|line| line.split(',').next())
        .collect();
    assert_eq!(
        kinds,
        [
            "record",
            "outage",
            "outage",
            "host",
            "host",
            "link_down",
            "not_measured",
            "planned",
            ""
        ]
    );
    assert!(
        csv.contains(
            "outage,One <b>,192.0.2.1,2025-10-26 02:30:00,UTC+02:00,2025-10-26 02:30:00,UTC+01:00,"
        ),
        "{csv}"
    );
}

#[test]
fn raw_pings_are_in_chronological_order_in_every_format() {
    let folder = folder();
    let span = [
        "--from",
        "2025-10-25T21:58:00Z",
        "--to",
        "2025-10-25T22:12:00Z",
        "--host",
        "192.0.2.1",
        "--raw",
    ];
    let of =
        |format: &str| program(folder.path(), &[&span[..], &["--format", format]].concat()).stdout;
    let value: Value = serde_json::from_str(&of("json")).expect("JSON");
    let checks = value["checks"].as_array().expect("a list");
    let times: Vec<&str> = checks
        .iter()
        .map(|check| check["timestamp"].as_str().expect("a time"))
        .collect();
    assert_eq!(
        (times.len(), times[0], times[13]),
        (14, "2025-10-25T21:58:00.000Z", "2025-10-25T22:11:00.000Z")
    );
    assert!(times.is_sorted(), "{times:?}");
    assert_eq!(
        (&checks[12]["rtts_us"], &checks[13]["rtts_us"]),
        (&json!([null, 10_000]), &json!([10_000, 20_000]))
    );
    assert!(
        of("text").contains("\n2025-10-26 00:10:00 +02:00  One <b>             x 10.000\n"),
        "{}",
        of("text")
    );
    assert!(
        of("csv").ends_with(",2,0,,10.000 20.000\r\n"),
        "{}",
        of("csv")
    );
    let html = of("html");
    assert!(
        html.ends_with(
            "<td>10.000 20.000</td></tr></tbody>\n</table></section></main></body></html>\n"
        ),
        "{html}"
    );
}

#[test]
fn a_host_is_chosen_by_name_or_address_and_an_unknown_one_is_refused() {
    let folder = folder();
    for host in ["Two", "192.0.2.2"] {
        let value = json_of(&folder, &["--host", host]);
        assert_eq!(value["hosts"].as_array().map(Vec::len), Some(1), "{value}");
        assert_eq!(
            (&value["hosts"][0]["host_name"], &value["outages"]),
            (&json!("Two"), &json!([]))
        );
    }
    let finished = program(folder.path(), &["--host", "Three"]);
    assert_eq!((finished.code, finished.stdout.as_str()), (Some(2), ""));
    assert!(
        finished.stderr.contains("--host: \"Three\"")
            && finished.stderr.contains("known are: One <b>, Two"),
        "{}",
        finished.stderr
    );
}

#[test]
fn a_host_that_is_no_longer_configured_is_only_in_reports_of_its_time() {
    let folder = folder();
    folder.write("config.yaml", "hosts: [{name: Two, address: 192.0.2.2}]\n");
    let names = |arguments: &[&str]| {
        let finished = program(folder.path(), &[arguments, &["--format", "json"]].concat());
        let value: Value = serde_json::from_str(&finished.stdout).expect("JSON");
        value["hosts"]
            .as_array()
            .expect("a list")
            .iter()
            .map(|host| host["host_name"].clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(names(&SPAN), ["Two", "One <b>"]);
    assert_eq!(
        names(&["--from", "2025-10-27", "--to", "2025-10-28"]),
        ["Two"]
    );
}

#[test]
fn changes_of_level_within_the_period_are_told_in_local_time_oldest_first() {
    let folder = folder();
    for format in ["text", "html"] {
        let without = report(&folder, &["--format", format]);
        assert!(
            !without.to_ascii_lowercase().contains("changes of level"),
            "{without}"
        );
    }
    let empty = json_of(&folder, &[]);
    assert_eq!(empty["hosts"][0]["level_changes"], json!([]));
    let [first, second, end] = [60, 360, 480].map(|at| BEGIN + at * MINUTE);
    let before = BEGIN - 1;
    sql(
        &folder,
        &format!(
            "delete from level_changes;
             insert into level_changes select id, 'latency', {second}, 12000, 31000, 80 from host where name like 'One%';
             insert into level_changes select id, 'loss', {first}, 100, 4000, 99 from host where name like 'One%';
             insert into level_changes select id, 'latency', {before}, 1, 2, 3 from host where name like 'One%';
             insert into level_changes select id, 'latency', {end}, 4, 5, 6 from host where name like 'One%';
             insert into level_changes select id, 'latency', {first}, 20000, 9000, 7 from host where name = 'Two'"
        ),
    );
    let sentences = [
        "One <b>: since 2025-10-25 23:00:00 +02:00 4.00 % of the pings were lost; before that it was 0.10 %.",
        "One <b>: since 2025-10-26 03:00:00 +01:00 the round-trip time was 31.0 ms; before that it was 12.0 ms.",
        "Two: since 2025-10-25 23:00:00 +02:00 the round-trip time was 9.00 ms; before that it was 20.0 ms.",
    ];
    let text = report(&folder, &[]);
    let words: Vec<&str> = text.split_whitespace().collect();
    let text = words.join(" ");
    assert!(text.contains("CHANGES OF LEVEL"), "{text}");
    assert!(text.contains(&sentences.join(" ")), "{text}");
    assert_eq!(text.matches("before that it was").count(), 3, "{text}");
    let html = report(&folder, &["--format", "html"]);
    let paragraphs: String = sentences
        .map(|sentence| {
            format!(
                "<p>{}</p>",
                sentence.replace('<', "&lt;").replace('>', "&gt;")
            )
        })
        .concat();
    assert!(html.contains(&paragraphs), "{html}");
    let value = json_of(&folder, &[]);
    let loss = json!({
        "kind": "loss", "at": "2025-10-25T21:00:00.000Z", "before_us": null, "after_us": null,
        "before_loss_percent": 0.1, "after_loss_percent": 4.0, "sureness": 99,
    });
    let latency = |at: &str, [before, after, sureness]: [u32; 3]| {
        json!({
            "kind": "latency", "at": at, "before_us": before, "after_us": after,
            "before_loss_percent": null, "after_loss_percent": null, "sureness": sureness,
        })
    };
    let slower = latency("2025-10-26T02:00:00.000Z", [12_000, 31_000, 80]);
    let faster = latency("2025-10-25T21:00:00.000Z", [20_000, 9_000, 7]);
    assert_eq!(value["hosts"][0]["level_changes"], json!([loss, slower]));
    assert_eq!(value["hosts"][1]["level_changes"], json!([faster]));
}

/// One host `A` that answered every check: `checks` of them, `minutes` apart, the last a minute ago.
fn record_of(checks: i64, minutes: i64, more_sql: &str) -> TempDir {
    let folder = TempDir::new();
    folder.write("config.yaml", "hosts: [{name: A, address: 192.0.2.1}]\n");
    let path = folder.path().join("connection_logs.db");
    Database::open(&path, &mut |_, _| ()).expect("a new database");
    sql(
        &folder,
        &format!(
            "insert into host(id, address, family, name) values(1, '192.0.2.1', 0, 'A');
             with recursive n(i) as (select 0 union all select i + 1 from n where i + 1 < {checks})
             insert into check_result(host_id, checked_at, sent, received)
                 select 1, (strftime('%s', 'now') - 60 - i * 60 * {minutes}) * 1000, 5, 5 from n;
             insert into stale_rollup(host_id, hour) select distinct host_id, checked_at / 3600000 from check_result;
             {more_sql}"
        ),
    );
    folder
}

fn in_one_line(folder: &TempDir, arguments: &[&str]) -> String {
    let finished = program(folder.path(), arguments);
    assert_eq!(finished.code, Some(0), "{finished:?}");
    finished
        .stdout
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
}

#[test]
fn a_report_of_a_short_record_says_since_when_and_counts_no_time_before() {
    // 23 minutes, one check a minute, by a monitor.
    let folder = record_of(
        23,
        1,
        "insert into host_interval(host_id, since, interval_ms, by_hand) values(1, 0, 60000, 0);
         insert into monitor_run(started_at, alive_at, version)
             select min(checked_at) - 100, max(checked_at), 'x' from check_result;",
    );
    let first: i64 = Connection::open(folder.path().join("connection_logs.db"))
        .and_then(|database| {
            database.query_row("select min(checked_at) from check_result", [], |row| {
                row.get(0)
            })
        })
        .expect("a check");
    let first_utc = UtcMillis(first).rfc3339();
    let json = program(folder.path(), &["--format", "json"]).stdout;
    let json: Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(json["first_recorded"], first_utc.as_str());
    assert!(
        json["from"].as_str().is_some_and(|from| from < &first_utc),
        "as asked for: {json}"
    );
    let html = in_one_line(&folder, &["--format", "html"]);
    let text = in_one_line(&folder, &[]);
    let begin = text
        .split_once("Period: ")
        .and_then(|(_, rest)| rest.split_once(", the first record, to "))
        .map(|(begin, _)| begin)
        .unwrap_or_else(|| panic!("{text}"));
    for text in [&text, &html] {
        assert!(
            text.contains(&format!("of the time from the first record, {begin}, to ")),
            "{text}"
        );
        assert!(
            text.contains(&format!(
                "No interruption of the monitor is recorded from {begin} to "
            )),
            "{text}"
        );
        assert!(!text.contains("of the period was measured"), "{text}");
    }
    let csv = program(folder.path(), &["--format", "csv"]).stdout;
    assert!(csv.contains(&format!(",{first_utc},")), "{csv}");
    // Tomorrow has not been measured, and is not missing either.
    let tomorrow = UtcMillis(first + 86_400_000).rfc3339();
    let from = UtcMillis(first).rfc3339();
    let json = program(
        folder.path(),
        &["--from", &from, "--to", &tomorrow, "--format", "json"],
    );
    let json: Value = serde_json::from_str(&json.stdout).expect("JSON");
    assert!(
        json["hosts"][0]["coverage_percent"]
            .as_f64()
            .is_some_and(|share| share > 95.0),
        "{json}"
    );
}

#[test]
fn two_checks_by_hand_are_not_said_to_be_a_monitor_that_ran() {
    let folder = record_of(
        2,
        10,
        "insert into host_interval(host_id, since, interval_ms, by_hand) values(1, 0, 6000, 1);",
    );
    let text = in_one_line(&folder, &[]);
    assert!(
        text.contains(
            "NOT MEASURED ------------ No run of the monitor is recorded in this period: nothing is known of the time \
             between the checks."
        ) && !text.contains("interruption"),
        "{text}"
    );
    assert!(
        text.contains("; 1.8") && text.contains(" % of the time from the first record, "),
        "{text}"
    );
}

#[test]
fn an_invalid_period_is_a_usage_error_that_names_option_and_cure() {
    let folder = folder();
    for (arguments, named) in [
        (&["--days", "0"][..], "--days"),
        (&["--month", "October"], "give it as 2026-11"),
        (&["--month", "2199-01"], "is in the future"),
        (&["--from", "yesterday"], "2026-11-02 14:03"),
        (
            &["--from", "2025-10-26", "--to", "2025-10-25"],
            "is not before",
        ),
        (&["--to", "2025-10-26"], "--from"),
        (
            &["--days", "3", "--month", "2025-10"],
            "give one of --days, --month",
        ),
        (&["--format", "pdf"], "text, html, csv, json"),
    ] {
        let finished = program(folder.path(), arguments);
        assert_eq!(
            (finished.code, finished.stdout.as_str()),
            (Some(2), ""),
            "{arguments:?}"
        );
        assert!(
            finished.stderr.contains(named),
            "{arguments:?}: {}",
            finished.stderr
        );
    }
}

#[test]
fn days_and_months_are_those_of_the_time_zone() {
    let folder = folder();
    let finished = program(folder.path(), &["--month=2025-10", "--format", "json"]);
    let value: Value = serde_json::from_str(&finished.stdout).expect("JSON");
    assert_eq!(
        (&value["from"], &value["to"]),
        (
            &json!("2025-09-30T22:00:00.000Z"),
            &json!("2025-10-31T23:00:00.000Z")
        )
    );
    let finished = program(folder.path(), &["--days", "1"]);
    assert!(
        finished.stdout.contains(" 00:00:00 +0")
            && finished.stdout.contains("Nothing was measured"),
        "{finished:?}"
    );
}

#[test]
fn a_file_is_written_completely_or_not_at_all() {
    let folder = folder();
    let written = |arguments: &[&str]| program(folder.path(), &[&SPAN, arguments].concat());
    let names = || {
        let entries = std::fs::read_dir(folder.path())
            .expect("a folder")
            .map(|entry| entry.expect("an entry").file_name());
        let mut names: Vec<String> = entries
            .map(|name| name.to_string_lossy().into_owned())
            .collect();
        names.retain(|name| !name.starts_with("connection_logs") && name != "config.yaml");
        names.sort();
        names
    };
    let finished = written(&["-oreport.html", "--format", "html"]);
    assert_eq!(
        (
            finished.code,
            finished.stdout.as_str(),
            finished.stderr.as_str()
        ),
        (Some(0), "", "")
    );
    let content = || std::fs::read_to_string(folder.path().join("report.html")).expect("a file");
    assert!(content().ends_with("</html>\n"));
    assert_eq!(
        written(&["-o", "report.html"]).code,
        Some(0),
        "one that exists is overwritten"
    );
    assert!(content().starts_with("CONNECTION REPORT"));
    std::fs::create_dir(folder.path().join("sub")).expect("a folder");
    for (path, named) in [
        ("sub", "writing "),
        ("/dev/full", "No space left"),
        ("nowhere/report.txt", "nowhere/report.txt: No such file"),
    ] {
        let finished = written(&["-o", path]);
        assert_eq!(finished.code, Some(74), "{path}");
        assert!(
            finished.stderr.contains(named) && finished.stderr.contains(path),
            "{}",
            finished.stderr
        );
    }
    assert_eq!(
        names(),
        ["report.html", "sub"],
        "nothing else is left behind"
    );
}

#[test]
fn without_a_database_the_report_fails_and_creates_none() {
    let folder = TempDir::new();
    let finished = program(folder.path(), &[]);
    assert_eq!(finished.code, Some(1));
    assert!(
        finished
            .stderr
            .contains("nothing recorded yet in connection_logs.db"),
        "{}",
        finished.stderr
    );
    assert!(!folder.path().join("connection_logs.db").exists());
}

#[test]
fn the_server_sends_the_same_report_with_a_policy_that_allows_its_style() {
    let folder = folder();
    let mut config = config::load(&folder.path().join("config.yaml"))
        .expect("it is there")
        .config;
    config.database.path = folder.path().join("connection_logs.db");
    config.dashboard.port = 0;
    let web = WebServer::start(
        &config.dashboard,
        Arc::new(Api::new(ApiConfig::of(&config), || ())),
    )
    .expect("a port is free");
    let get =
        |query: &str| common::http::get(web.addresses()[0], &format!("/api/report?{query}"), "");
    let span = "from=2025-10-25T20:00:00Z&to=2025-10-26T04:00:00Z";
    let page = get(span);
    assert_eq!(page.status, 200, "{}", page.body);
    let policies: Vec<&str> = page
        .head
        .lines()
        .filter(|line| line.starts_with("Content-Security-Policy: "))
        .collect();
    assert_eq!(policies.len(), 1, "{}", page.head);
    let style = page
        .body
        .split_once("<style>")
        .and_then(|(_, rest)| rest.split_once("</style>"))
        .expect("a style")
        .0;
    assert!(page.body.contains("<path class=band"), "{}", page.body);
    let expected = format!(
        ": default-src 'none'; style-src 'sha256-{}';",
        base64(&sha256(style.as_bytes()))
    );
    assert!(
        policies[0].contains(&expected),
        "{policies:?} and not {expected}"
    );
    assert!(!page.body.contains(" style="), "the policy forbids it");
    assert!(
        page.body.starts_with("<!DOCTYPE html>") && page.body.ends_with("</html>\n"),
        "{}",
        page.body
    );
    let mut by_server = get(&format!("{span}&format=json")).json();
    let mut by_command = json_of(&folder, &[]);
    for report in [&mut by_server, &mut by_command] {
        report["method"]["made_at"].take();
        report["method"]["zone"].take();
    }
    assert_eq!(by_server, by_command);
    assert_eq!(
        get(&format!("{span}&host_address=192.0.2.2&format=json")).json()["hosts"][0]["host_name"],
        "Two"
    );
    assert!(
        get("month=2025-10&format=csv")
            .head
            .contains("Content-Type: text/csv; charset=utf-8")
    );
    for (query, status, named) in [
        ("format=pdf", 400, "format: "),
        ("days=0", 400, "days: "),
        ("month=x", 400, "month: "),
        ("from=x", 400, "from: "),
        ("to=2025-10-26T04:00:00Z", 400, "from: "),
        ("days=1&month=2025-10", 400, "from: "),
        ("host_address=192.0.2.99", 404, "host_address: "),
    ] {
        let response = get(query);
        assert_eq!(response.status, status, "{query}");
        assert!(
            response.json()["detail"]
                .as_str()
                .is_some_and(|detail| detail.starts_with(named)),
            "{}",
            response.body
        );
    }
}

/// FIPS 180-4, with its constants calculated: the fractions of the roots of the first primes.
fn sha256(bytes: &[u8]) -> Vec<u8> {
    let primes: Vec<u64> = (2..312).filter(|n| (2..*n).all(|d| n % d != 0)).collect();
    let root = |prime: u64, power: u32| {
        let is_below = |guess: u128| guess.pow(power) <= u128::from(prime) << (32 * power);
        let guess = (0..36).rev().fold(0u128, |guess, bit| {
            if is_below(guess | 1 << bit) {
                guess | 1 << bit
            } else {
                guess
            }
        });
        u32::try_from(guess & 0xffff_ffff).expect("32 bits")
    };
    let mut state: Vec<u32> = primes[..8].iter().map(|prime| root(*prime, 2)).collect();
    let constants: Vec<u32> = primes[..64].iter().map(|prime| root(*prime, 3)).collect();
    let mut padded = bytes.to_vec();
    padded.push(0x80);
    padded.resize(padded.len() + (120 - padded.len() % 64) % 64, 0);
    padded.extend((bytes.len() as u64 * 8).to_be_bytes());
    for block in padded.chunks(64) {
        let mut words: Vec<u32> = block
            .chunks(4)
            .map(|word| u32::from_be_bytes(word.try_into().expect("four")))
            .collect();
        for n in 16..64 {
            let (a, b) = (words[n - 15], words[n - 2]);
            let low = a.rotate_right(7) ^ a.rotate_right(18) ^ (a >> 3);
            let high = b.rotate_right(17) ^ b.rotate_right(19) ^ (b >> 10);
            words.push(
                words[n - 16]
                    .wrapping_add(low)
                    .wrapping_add(words[n - 7])
                    .wrapping_add(high),
            );
        }
        let mut s = state.clone();
        for n in 0..64 {
            let sum = s[4].rotate_right(6) ^ s[4].rotate_right(11) ^ s[4].rotate_right(25);
            let choice = (s[4] & s[5]) ^ (!s[4] & s[6]);
            let one = s[7]
                .wrapping_add(sum)
                .wrapping_add(choice)
                .wrapping_add(constants[n])
                .wrapping_add(words[n]);
            let sum = s[0].rotate_right(2) ^ s[0].rotate_right(13) ^ s[0].rotate_right(22);
            let two = sum.wrapping_add((s[0] & s[1]) ^ (s[0] & s[2]) ^ (s[1] & s[2]));
            s.rotate_right(1);
            s[4] = s[4].wrapping_add(one);
            s[0] = one.wrapping_add(two);
        }
        state
            .iter_mut()
            .zip(s)
            .for_each(|(sum, word)| *sum = sum.wrapping_add(word));
    }
    state.iter().flat_map(|word| word.to_be_bytes()).collect()
}

fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let group = |three: &[u8]| {
        let bits = (0..3).fold(0usize, |bits, n| {
            bits << 8 | usize::from(three.get(n).copied().unwrap_or(0))
        });
        (0..4)
            .map(|n| {
                if n <= three.len() {
                    char::from(LETTERS[bits >> (18 - 6 * n) & 63])
                } else {
                    '='
                }
            })
            .collect::<String>()
    };
    bytes.chunks(3).map(group).collect()
}
