//! The formats, with reports made by hand: escaping, width of lines, offsets of times.

use serde_json::{Value, json};

use super::figures::{CauseTime, CheckMethod, HostFigures, LinkDowntime, Method, WorstHour, Zone};
use super::period::local_days;
use super::timeline::{Bar, BarSpans, ChartPoint};
use super::*;
use crate::pure::cause::Cause;
use crate::pure::model::{EventId, EventKind, HostId, State};
use crate::pure::time::UtcMillis;
use crate::store::{Gap, GroupedOutage, Incident, OutageEvent, RecordedCheck};

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;
/// The autumn clock change: on 26 October 2025, 03:00 summer time becomes 02:00 standard time.
const CHANGE: i64 = 1_761_440_400_000;

/// Central Europe in 2025, in seconds.
fn berlin(unix_seconds: i64) -> i64 {
    if (1_743_296_400..1_761_440_400).contains(&unix_seconds) {
        7200
    } else {
        3600
    }
}

fn at(text: &str) -> UtcMillis {
    crate::pure::time::parse_instant(text).expect("an instant")
}

fn grouped_outage(
    id: i64,
    event_type: EventKind,
    start: i64,
    end: Option<i64>,
    now: i64,
) -> GroupedOutage {
    let event = OutageEvent {
        id: EventId(id),
        host_name: "Name server".into(),
        former_name: None,
        distinction: String::new(),
        host_address: "192.0.2.1".into(),
        event_type,
        start_time: Some(UtcMillis(start)),
        end_time: end.map(UtcMillis),
        duration_seconds: end.map(|end| (end - start) / 1000),
        checks_failed: Some(5),
        checks_during_outage: Some(5),
        recovery_success_rate: None,
        notes: None,
        earliest_start: Some(UtcMillis(start - MINUTE)),
        packets_sent: Some(25),
        packets_lost: Some(24),
        cause: Some(Cause::Provider),
        facts: Some(
            json!({"gateway": "answers", "gateway_address": "192.168.1.1", "beyond_answering": 0, "beyond_silent": 2})
                .to_string(),
        ),
        path: Some(json!([{"at": "x", "reached": false, "hops": ["192.168.1.1", null, "10.0.0.1", null]}]).to_string()),
        planned: false,
        answered_since: None,
        host_id: Some(HostId(1)),
        is_removed: false,
    };
    let until = end.unwrap_or(now);
    let spans = vec![UtcMillis(start)..UtcMillis(until)];
    let causes = vec![event.cause.unwrap_or(Cause::Unknown)];
    GroupedOutage {
        event,
        down_seconds: (until - start) / 1000,
        members: vec![EventId(id)],
        outage_count: None,
        ongoing_since: None,
        spans,
        causes,
    }
}

/// Two days around the autumn clock change.
fn report() -> Report {
    let (from, to) = (CHANGE - 24 * HOUR, CHANGE + 24 * HOUR);
    let offset_at: fn(i64) -> i64 = berlin;
    let spans = BarSpans::of(&(UtcMillis(from)..UtcMillis(to)), offset_at);
    let bars = spans.spans.iter().enumerate().map(|(n, _)| {
        [
            Bar::Up,
            Bar::Down(600),
            Bar::NotRecordedYet,
            Bar::NotMeasured,
        ][n % 4]
    });
    let point = |n: i64| ChartPoint {
        at: from + n * HOUR,
        width: HOUR,
        quantiles_us: Some([900, 12_000, 40_000]),
        loss: Some(0.01),
    };
    let host = HostFigures {
        host_name: "Name server".into(),
        host_address: "192.0.2.1".into(),
        availability_percent: Some(99.987),
        coverage_percent: Some(100.0),
        outages: 1,
        checks: 2880,
        sent: 14_400,
        lost: 25,
        p50_us: Some(12_345),
        first_recorded: Some(UtcMillis(from - HOUR)),
        bars: bars.collect(),
        points: (0..48).map(point).collect(),
        ..HostFigures::default()
    };
    Report {
        asked_from: UtcMillis(from),
        from: UtcMillis(from),
        to: UtcMillis(to),
        first_recorded: Some(UtcMillis(from - HOUR)),
        run_since: Some(UtcMillis(from - HOUR)),
        hosts: vec![host],
        outages: vec![grouped_outage(
            7,
            EventKind::Outage,
            CHANGE - 30 * MINUTE,
            Some(CHANGE + 30 * MINUTE),
            to,
        )],
        gaps: vec![Gap {
            from: UtcMillis(from),
            to: UtcMillis(from + HOUR),
            reason: "this machine was asleep".into(),
            host_id: None,
            host: None,
        }],
        incidents: Vec::new(),
        planned: Vec::new(),
        own_line: LinkDowntime {
            down_seconds: 0,
            events: Vec::new(),
        },
        any_down_seconds: 3600,
        causes: vec![CauseTime {
            cause: Cause::Provider,
            seconds: 3600,
            events: 1,
        }],
        worst_hours: vec![WorstHour {
            from: UtcMillis(CHANGE),
            sent: 300,
            lost: 20,
            lost_while_down: 0,
        }],
        method: Method {
            program: "ace-connection-logger",
            version: "1.2.3",
            made_at: UtcMillis(to),
            zone: Zone {
                name: Some("Europe/Berlin".into()),
                offset_at,
                offset_from: "+02:00".into(),
                offset_to: "+01:00".into(),
            },
            checks: vec![CheckMethod {
                hosts: vec!["Name server".into()],
                interval_seconds: Some(60.0),
                ..CheckMethod::default()
            }],
            fast_interval_seconds: Some(1.0),
            down_after_checks: 1,
            up_after_checks: 1,
            merge_seconds: 5.0,
            intermittent_count: 3,
            intermittent_seconds: 600.0,
            availability: "a",
            coverage: "b",
            checks_since: None,
            not_measured: "c",
            received: "d",
        },
        bars: spans,
        appendix: Appendix::Nothing,
    }
}

fn whole(report: &Report, format: Format) -> String {
    let FormattedReport {
        before_pings: head,
        after_pings: tail,
    } = report.format(format);
    head + tail
}

fn raw_check() -> RecordedCheck {
    RecordedCheck {
        name: "=1+1".into(),
        address: "192.0.2.1".into(),
        checked_at: UtcMillis(CHANGE),
        sent: 3,
        received: 2,
        min_us: Some(900),
        avg_us: Some(1000),
        max_us: Some(12_345),
        rtts_us: Some(vec![Some(900), None, Some(12_345)]),
        late: 0,
        duplicates: 0,
        foreign: 0,
        reason: None,
        state: State::Poor,
    }
}

#[test]
fn an_outage_across_the_autumn_clock_change_has_both_offsets() {
    let report = report();
    let text = whole(&report, Format::Text);
    assert!(
        text.contains("2025-10-26 02:30:00 +02:00  1 h 0 min 0 s  Name server  provider"),
        "{text}"
    );
    assert!(
        text.contains("End: 2025-10-26 02:30:00 +01:00. Pings lost: 24 of 25."),
        "{text}"
    );
    let html = whole(&report, Format::Html);
    assert!(
        html.contains("<td>2025-10-26 02:30:00 +02:00</td><td>2025-10-26 02:30:00 +01:00</td><td>1 h 0 min 0 s</td>"),
        "{html}"
    );
    let csv = whole(&report, Format::Csv);
    assert!(
        csv.contains("outage,Name server,192.0.2.1,2025-10-26 02:30:00,UTC+02:00,2025-10-26 02:30:00,UTC+01:00,2025-10-26T00:30:00.000Z,2025-10-26T01:30:00.000Z,3600,3600,,,,provider,25,24,"),
        "{csv}"
    );
}

#[test]
fn days_are_those_of_the_time_zone_and_one_has_25_hours() {
    let days = local_days(
        &(at("2025-10-24T22:00:00Z")..at("2025-10-27T11:00:00Z")),
        berlin,
    );
    let hours: Vec<i64> = days
        .iter()
        .map(|day| (day.end.0 - day.start.0) / HOUR)
        .collect();
    assert_eq!(hours, [24, 25, 12]);
    let month = Period::month("2025-10")
        .expect("a month")
        .span(at("2026-01-01T00:00:00Z"), berlin)
        .expect("a past month");
    assert_eq!(
        month,
        at("2025-09-30T22:00:00Z")..at("2025-10-31T23:00:00Z")
    );
    let now = at("2025-10-27T10:00:00Z");
    assert_eq!(
        Period::Days(2).span(now, berlin),
        Ok(at("2025-10-25T22:00:00Z")..now)
    );
    assert_eq!(
        Period::month("2025-10")
            .and_then(|month| month.span(now, berlin))
            .map(|span| span.end),
        Ok(now)
    );
    assert!(
        Period::month("2025-12")
            .and_then(|month| month.span(now, berlin))
            .is_err()
    );
    let december = Period::month("2024-12").and_then(|month| month.span(now, berlin));
    assert_eq!(
        december,
        Ok(at("2024-11-30T23:00:00Z")..at("2024-12-31T23:00:00Z"))
    );
    let backwards = Period::Between(now, Some(UtcMillis(now.0 - 1))).span(now, berlin);
    assert!(backwards.is_err_and(|problem| problem.contains("is not before")));
    for wrong in ["2025-13", "2025-1", "25-10", "2025-10-01", "ä25-10", ""] {
        assert!(Period::month(wrong).is_err(), "{wrong}");
    }
    for wrong in ["0", "-3", "1.5", "x", "", "99999999999999999999"] {
        assert!(Period::days(wrong).is_err(), "{wrong}");
    }
}

/// Names and notes that contain markup, control sequences and formulas, some of the maximum length.
fn hostile() -> Report {
    let mut report = report();
    let name = "=cmd<script>alert('1')</script>&\"x\"\x1b[2J東京".to_string() + &"長".repeat(60);
    report.hosts[0].host_name.clone_from(&name);
    report.hosts[0].host_address = "a".repeat(253);
    let mut hostile = grouped_outage(8, EventKind::Intermittent, CHANGE, None, report.to.0);
    hostile.event.host_name.clone_from(&name);
    hostile.event.notes = Some(format!(
        "@sum(1)\r\n<img src=x onerror=y> {}",
        "w".repeat(300)
    ));
    hostile.event.facts = Some(
        "{\"gateway\": \"silent\", \"gateway_address\": \"<b>\", \"beyond_silent\": -5}".into(),
    );
    hostile.event.path = Some("nonsense".into());
    report.outages.push(hostile);
    let mut link = grouped_outage(9, EventKind::LinkDown, CHANGE, Some(CHANGE + MINUTE), 0);
    link.event.facts = Some(json!({ "link_fault": "<i>eth0</i>" }).to_string());
    report.own_line.events.push(link);
    report.gaps.push(Gap {
        from: UtcMillis(CHANGE),
        to: UtcMillis(CHANGE + HOUR),
        reason: "why ".repeat(60),
        host_id: None,
        host: None,
    });
    report.incidents.push(Incident {
        start_time: UtcMillis(CHANGE),
        end_time: None,
        cause: Cause::Provider,
        hosts: 2,
        host_names: vec![name.clone(), name],
        event_ids: vec![EventId(8), EventId(9)],
    });
    report
}

#[test]
fn html_escapes_names_and_notes() {
    let html = whole(&hostile(), Format::Html);
    for markup in ["<script", "<img", "<i>", "<b>", "\x1b", "onerror=y>"] {
        assert!(!html.contains(markup), "{markup}");
    }
    assert!(
        html.contains("&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;&amp;&quot;x&quot;"),
        "{html}"
    );
    let mut open: Vec<&str> = Vec::new();
    for tag in html
        .split('<')
        .skip(1)
        .filter_map(|rest| rest.split('>').next())
        .filter(|tag| !tag.starts_with(['!']) && !tag.starts_with("meta") && !tag.ends_with('/'))
    {
        match tag.strip_prefix('/') {
            Some(name) => assert_eq!(open.pop(), Some(name), "{html}"),
            None => open.push(tag.split(' ').next().unwrap_or(tag)),
        }
    }
    assert!(open.is_empty(), "{open:?}");
}

#[test]
fn a_host_that_never_answered_has_no_times_of_replies() {
    let mut report = report();
    (report.hosts[0].p50_us, report.hosts[0].p95_us) = (None, None);
    let text = whole(&report, Format::Text);
    assert!(text.contains("25 of 14400 pings lost"), "{text}");
    assert!(!text.contains("replies within"), "{text}");
}

#[test]
fn html_refers_to_no_other_file() {
    let html = whole(&report(), Format::Html);
    for foreign in ["<script", "<link", "src=", "url(", "@import", "http"] {
        assert!(!html.contains(foreign), "{foreign}");
    }
    assert!(
        html.contains("@page{size:A4") && html.contains("<svg viewBox"),
        "{html}"
    );
    assert_eq!(html.matches("<figure>").count(), 2, "a strip and a chart");
    for name in [
        "aria-label=\"Name server, 48 hours: 12 before the first record, 12 not measured, 12 up, 12 with an outage\"",
        "aria-label=\"Latency and lost pings of Name server: ",
        "<section aria-label=\"Method\">",
    ] {
        assert!(html.contains(name), "{name} in {html}");
    }
}

#[test]
fn text_fits_80_columns_and_has_no_control_characters() {
    use unicode_width::UnicodeWidthStr;
    for mut report in [report(), hostile()] {
        report.appendix = Appendix::RawPings;
        let mut check = raw_check();
        check.rtts_us = Some(vec![Some(4_000_000_000); 100]);
        check.name = "東京".repeat(40);
        let text = whole(&report, Format::Text) + &report.format_pings(Format::Text, &[check], 0);
        for line in text.lines() {
            assert!(line.width() <= 80, "{} columns: {line}", line.width());
            assert!(
                !line.chars().any(char::is_control) && line.trim_end() == line,
                "{line:?}"
            );
        }
    }
}

#[test]
fn a_spreadsheet_gets_whole_records_and_no_formula() {
    let mut report = hostile();
    report.appendix = Appendix::RawPings;
    let csv = whole(&report, Format::Csv) + &report.format_pings(Format::Csv, &[raw_check()], 0);
    let csv = csv
        .strip_prefix('\u{feff}')
        .expect("text that is not ASCII begins with a byte order mark");
    // Parsed by the rules of RFC 4180.
    let (mut records, mut cells, mut cell, mut is_quoted) =
        (Vec::new(), Vec::new(), String::new(), false);
    let mut letters = csv.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '"' if is_quoted && letters.peek() == Some(&'"') => cell.extend(letters.next()),
            '"' => is_quoted = !is_quoted,
            ',' if !is_quoted => cells.push(std::mem::take(&mut cell)),
            '\r' if !is_quoted => {
                assert_eq!(letters.next(), Some('\n'));
                cells.push(std::mem::take(&mut cell));
                records.push(std::mem::take(&mut cells));
            }
            other => cell.push(other),
        }
    }
    assert!(cell.is_empty() && cells.is_empty());
    assert!(
        records
            .iter()
            .all(|record| record.len() == records[0].len()),
        "{records:?}"
    );
    let kinds: Vec<&str> = records.iter().map(|record| record[0].as_str()).collect();
    assert_eq!(
        kinds,
        [
            "record",
            "outage",
            "intermittent",
            "host",
            "link_down",
            "not_measured",
            "not_measured",
            "ping"
        ]
    );
    let is_formula =
        |cell: &String| cell.starts_with(['=', '+', '-', '@']) && cell.parse::<f64>().is_err();
    assert!(!records.iter().flatten().any(is_formula), "{records:?}");
    assert_eq!(
        records[7],
        [
            "ping",
            "'=1+1",
            "192.0.2.1",
            "2025-10-26 02:00:00",
            "UTC+01:00",
            "",
            "",
            "2025-10-26T01:00:00.000Z",
            "",
            "",
            "",
            "",
            "",
            "",
            "",
            "3",
            "1",
            "",
            "0.900 x 12.345"
        ]
    );
    let mut out = String::new();
    csv::record(&mut out, &["-5", "-5x", "a,b", "a\"b", " a"]);
    assert_eq!(out, "-5,'-5x,\"a,b\",\"a\"\"b\",\" a\"\r\n");
    assert!(
        !whole(&self::report(), Format::Csv).starts_with('\u{feff}'),
        "ASCII needs no mark"
    );
}

#[test]
fn json_has_the_documented_fields_first_and_the_raw_pings_last() {
    let mut report = report();
    let keys = |text: &str| -> Vec<String> {
        let top = text.lines().filter_map(|line| line.strip_prefix("  \""));
        top.filter_map(|line| line.split_once("\":"))
            .map(|(key, _)| key.to_string())
            .collect()
    };
    let plain = whole(&report, Format::Json);
    assert_eq!(
        &keys(&plain)[..5],
        ["from", "to", "hosts", "outages", "gaps"]
    );
    report.appendix = Appendix::RawPings;
    let FormattedReport {
        before_pings: head,
        after_pings: tail,
    } = report.format(Format::Json);
    let none: Value = serde_json::from_str(&(head.clone() + tail)).expect("JSON");
    assert_eq!(none["checks"], json!([]));
    let rows = report.format_pings(Format::Json, &[raw_check()], 0)
        + &report.format_pings(Format::Json, &[raw_check()], 1);
    let text = head + &rows + tail;
    assert_eq!(keys(&text).last().map(String::as_str), Some("checks"));
    let value: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(value["checks"].as_array().map(Vec::len), Some(2));
    assert_eq!(value["checks"][1]["rtts_us"], json!([900, null, 12_345]));
    assert_eq!(
        value["outages"][0]["start_time"],
        "2025-10-26T00:30:00.000Z"
    );
    assert_eq!(value["outages"][0]["facts"]["gateway"], "answers");
    assert_eq!(
        value["gaps"][0],
        json!({"from": "2025-10-25T01:00:00.000Z", "to": "2025-10-25T02:00:00.000Z", "reason": "this machine was asleep"})
    );
}

#[test]
fn observations_are_worded_as_a_sentence() {
    let worded = |facts: Value, path: Value| {
        let mut event = grouped_outage(1, EventKind::Outage, CHANGE, None, CHANGE).event;
        (event.facts, event.path) = (Some(facts.to_string()), Some(path.to_string()));
        wording::observations(&event).unwrap_or_default()
    };
    let facts = json!({"gateway_address": "192.168.1.1", "gateway": "answers", "beyond_answering": 0, "beyond_silent": 2, "near_answering": 1});
    assert_eq!(
        worded(
            facts,
            json!([{"reached": true, "hops": []}, {"reached": false, "hops": ["192.168.1.1", "10.0.0.1", null]}])
        ),
        "the gateway 192.168.1.1 answered; 2 other hosts beyond it did not; 1 other host on this machine's own networks \
         answered; packets got as far as 10.0.0.1"
    );
    assert_eq!(
        worded(
            json!({"gateway": "silent"}),
            json!([{"reached": false, "hops": []}])
        ),
        "the gateway did not answer; no router on the path answered"
    );
    let by_eth1 = json!({"gateway": "answers", "gateway_address": "fe80::1", "interface": "eth1"});
    assert_eq!(
        worded(by_eth1, json!([])),
        "the gateway fe80::1 by eth1 answered"
    );
    let by_ppp0 = json!({"gateway": "unknown", "gateway_address": null, "interface": "ppp0"});
    assert_eq!(
        worded(by_ppp0, json!([])),
        "the route by ppp0 has no gateway address"
    );
    assert_eq!(
        worded(
            json!({"gateway": "unknown", "path_reached": "10.0.0.9"}),
            Value::Null
        ),
        "whether the gateway answered is not known; packets got as far as 10.0.0.9"
    );
    assert_eq!(
        worded(
            json!({"gateway": "answers", "link_reached": "10.0.0.9"}),
            json!([{"hops": [], "reached": false}])
        ),
        "the gateway answered; no router on the path answered; packets to another host got as far as 10.0.0.9"
    );
    assert_eq!(
        worded(json!({"resolver": "no such name"}), Value::Null),
        "the resolver reported: no such name"
    );
    assert_eq!(worded(json!([1]), json!("x")), "");
}

#[test]
fn text_has_the_downtime_of_an_outage_with_fragments_or_a_gap() {
    let mut report = report();
    report.outages[0].down_seconds = 47;
    let in_one_line = |report: &Report| {
        whole(report, Format::Text)
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" ")
    };
    assert!(
        in_one_line(&report).contains("Down for 47 s of that, as far as this machine measured.")
    );
    report.outages[0].members = vec![EventId(1), EventId(2)];
    let text = in_one_line(&report);
    assert!(
        text.contains("Shown as one: 2 outages shortly after one another, down for 47 s in total."),
        "{text}"
    );
    assert!(!text.contains("as far as this machine measured"), "{text}");
}
