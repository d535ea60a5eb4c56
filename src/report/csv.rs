//! The report as CSV (RFC 4180), for a spreadsheet. One table, whose first column says what a
//! record is: outages first, then hosts, the own line, gaps, planned events, and raw pings where
//! they are wanted.

use super::figures::Report;
use super::raw_pings::cells;
use super::wording::{local, meanwhile, percent};
use crate::pure::time::UtcMillis;
use crate::store::{GroupedOutage, RecordedCheck};

const COLUMNS: [&str; 16] = [
    "record",
    "name",
    "address",
    "begin",
    "begin_offset",
    "end",
    "end_offset",
    "begin_utc",
    "end_utc",
    "seconds",
    "down_seconds",
    "cause",
    "pings_sent",
    "pings_lost",
    "availability_percent",
    "remark",
];

pub(super) fn report(report: &Report) -> String {
    let mut out = String::new();
    record(&mut out, &COLUMNS);
    report
        .outages
        .iter()
        .for_each(|outage| event(&mut out, report, &outage.event.event_type, outage));
    for host in &report.hosts {
        let whole = host.measured_seconds + host.not_measured_seconds;
        let number =
            |number: Option<f64>| number.map_or(String::new(), |number| format!("{number:.6}"));
        let coverage = format!("measured {}", percent(host.coverage_percent));
        line(
            &mut out,
            report,
            ["host", &host.host_name, &host.host_address],
            (
                host.first_recorded
                    .map_or(report.from, |first| first.max(report.from)),
                Some(report.to),
            ),
            [
                whole.to_string(),
                host.down_seconds.to_string(),
                String::new(),
                host.sent.to_string(),
                host.lost.to_string(),
                number(host.availability_percent),
                coverage,
            ],
        );
    }
    report
        .own_line
        .events
        .iter()
        .for_each(|outage| event(&mut out, report, "link_down", outage));
    for gap in &report.gaps {
        let seconds = ((gap.to.0 - gap.from.0) / 1000).to_string();
        let rest = [
            seconds,
            String::new(),
            String::new(),
            String::new(),
            String::new(),
            String::new(),
            gap.reason.clone(),
        ];
        line(
            &mut out,
            report,
            ["not_measured", "", ""],
            (gap.from, Some(gap.to)),
            rest,
        );
    }
    report
        .planned
        .iter()
        .for_each(|outage| event(&mut out, report, "planned", outage));
    // Plain ASCII is the same in every encoding; anything else a spreadsheet takes for UTF-8 only
    // behind a mark.
    if out.is_ascii() {
        out
    } else {
        format!("\u{feff}{out}")
    }
}

fn event(out: &mut String, report: &Report, what: &str, outage: &GroupedOutage) {
    let event = &outage.event;
    let number = |number: Option<i64>| number.map_or(String::new(), |number| number.to_string());
    let remark: Vec<String> = meanwhile(event)
        .into_iter()
        .chain(event.notes.clone())
        .collect();
    let rest = [
        number(event.duration_seconds),
        outage.down_seconds.to_string(),
        outage.cause().as_str().into(),
        number(event.packets_sent),
        number(event.packets_lost),
        String::new(),
        remark.join("; "),
    ];
    line(
        out,
        report,
        [what, &event.host_name, &event.host_address],
        (outage.start(), outage.end()),
        rest,
    );
}

fn line(
    out: &mut String,
    report: &Report,
    what: [&str; 3],
    (begin, end): (UtcMillis, Option<UtcMillis>),
    rest: [String; 7],
) {
    let (begin_clock, begin_offset) = clock(report, begin);
    let (end_clock, end_offset) = end.map(|end| clock(report, end)).unwrap_or_default();
    let end_utc = end.map_or(String::new(), UtcMillis::rfc3339);
    let times = [
        begin_clock,
        begin_offset,
        end_clock,
        end_offset,
        begin.rfc3339(),
        end_utc,
    ];
    let cells: Vec<&str> = what
        .into_iter()
        .chain(times.iter().map(String::as_str))
        .chain(rest.iter().map(String::as_str))
        .collect();
    record(out, &cells);
}

pub(super) fn pings(out: &mut String, report: &Report, check: &RecordedCheck) {
    let [_, name, sent, lost, replies] = &cells(report, check);
    let (clock, offset) = clock(report, check.checked_at);
    let utc = check.checked_at.rfc3339();
    let cells = [
        "ping",
        name,
        &check.address,
        &clock,
        &offset,
        "",
        "",
        &utc,
        "",
        "",
        "",
        "",
        sent,
        lost,
        "",
        replies,
    ];
    record(out, &cells);
}

/// A local time as a spreadsheet reads it, and what is behind it: `2026-11-02 14:03:22`,
/// `UTC+01:00`.
fn clock(report: &Report, at: UtcMillis) -> (String, String) {
    let text = local(report, at);
    let (clock, offset) = text.rsplit_once(' ').unwrap_or((&text, ""));
    (clock.into(), format!("UTC{offset}"))
}

/// Appends a record. What a spreadsheet would take for a formula is marked as text: OWASP, CSV
/// injection.
pub(super) fn record(out: &mut String, cells: &[&str]) {
    for (index, cell) in cells.iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        let is_formula = cell.starts_with(['=', '+', '-', '@', '\t', '\r'])
            && !cell.parse::<f64>().is_ok_and(f64::is_finite);
        let is_quoted =
            cell.contains([',', '"', '\r', '\n']) || cell.starts_with(' ') || cell.ends_with(' ');
        let quote = if is_quoted { "\"" } else { "" };
        *out += quote;
        *out += if is_formula { "'" } else { "" };
        *out += &cell.replace('"', "\"\"");
        *out += quote;
    }
    *out += "\r\n";
}
