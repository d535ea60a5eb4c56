//! The report as CSV (RFC 4180), for a spreadsheet. It is one table, whose first column is the kind
//! of the record: outages first, then hosts, this machine's own link, gaps, planned outages, and
//! the raw pings if requested.

use std::borrow::Cow;

use super::figures::{HostFigures, Report};
use super::raw_pings::replies;
use super::wording::{local, observations, percent};
use crate::pure::csv::append_record;
use crate::pure::time::UtcMillis;
use crate::pure::time::whole_seconds;
use crate::store::{GroupedOutage, RecordedCheck};

const COLUMNS: [&str; 19] = [
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
    "degraded_seconds",
    "poor_seconds",
    "loss_percent",
    "cause",
    "pings_sent",
    "pings_lost",
    "availability_percent",
    "remark",
];

pub(super) fn report(report: &Report) -> String {
    let mut out = String::new();
    record(&mut out, &COLUMNS);
    for outage in &report.outages {
        outage_record(outage.event.event_type.as_str(), outage).append(&mut out, report);
    }
    for host in &report.hosts {
        host_record(host, report).append(&mut out, report);
    }
    for outage in &report.own_line.events {
        outage_record("link_down", outage).append(&mut out, report);
    }
    for gap in &report.gaps {
        let record = Record {
            kind: "not_measured",
            seconds: Some(whole_seconds(&(gap.from..gap.to))),
            remark: gap.reason.clone(),
            ..Record::of(gap.from, Some(gap.to))
        };
        record.append(&mut out, report);
    }
    for outage in &report.planned {
        outage_record("planned", outage).append(&mut out, report);
    }
    // Spreadsheets recognise UTF-8 only by a byte order mark. ASCII needs none.
    if out.is_ascii() {
        out
    } else {
        format!("\u{feff}{out}")
    }
}

/// `None` becomes an empty cell.
struct Record<'a> {
    kind: &'a str,
    name: Cow<'a, str>,
    address: &'a str,
    begin: UtcMillis,
    end: Option<UtcMillis>,
    seconds: Option<i64>,
    down_seconds: Option<i64>,
    cause: &'a str,
    sent: Option<i64>,
    lost: Option<i64>,
    availability_percent: Option<f64>,
    remark: String,
    /// Seconds degraded and poor, and lost pings in percent.
    loss: Option<(i64, i64, Option<f64>)>,
}

impl Record<'_> {
    fn of(begin: UtcMillis, end: Option<UtcMillis>) -> Record<'static> {
        Record {
            kind: "",
            name: "".into(),
            address: "",
            begin,
            end,
            seconds: None,
            down_seconds: None,
            cause: "",
            sent: None,
            lost: None,
            availability_percent: None,
            remark: String::new(),
            loss: None,
        }
    }

    fn append(&self, out: &mut String, report: &Report) {
        let number =
            |number: Option<i64>| number.map_or(String::new(), |number| number.to_string());
        let (begin, begin_offset) = clock(report, self.begin);
        let (end, end_offset) = self.end.map(|end| clock(report, end)).unwrap_or_default();
        let percent =
            |percent: Option<f64>| percent.map_or(String::new(), |percent| format!("{percent:.6}"));
        record(
            out,
            &[
                self.kind,
                &self.name,
                self.address,
                &begin,
                &begin_offset,
                &end,
                &end_offset,
                &self.begin.rfc3339(),
                &self.end.map_or(String::new(), UtcMillis::rfc3339),
                &number(self.seconds),
                &number(self.down_seconds),
                &number(self.loss.map(|(degraded, ..)| degraded)),
                &number(self.loss.map(|(_, poor, _)| poor)),
                &percent(self.loss.and_then(|(.., percent)| percent)),
                self.cause,
                &number(self.sent),
                &number(self.lost),
                &percent(self.availability_percent),
                &self.remark,
            ],
        );
    }
}

fn host_record<'a>(host: &'a HostFigures, report: &Report) -> Record<'a> {
    let first = host.first_recorded.unwrap_or(report.from);
    Record {
        kind: "host",
        name: host.host_name.as_str().into(),
        address: &host.host_address,
        seconds: Some(host.measured_seconds + host.not_measured_seconds),
        down_seconds: Some(host.down_seconds),
        sent: Some(host.sent),
        lost: Some(host.lost),
        availability_percent: host.availability_percent,
        remark: format!("measured {}", percent(host.coverage_percent)),
        loss: Some((host.degraded_seconds, host.poor_seconds, host.loss_percent)),
        ..Record::of(first.clamp(report.from, report.to), Some(report.to))
    }
}

fn outage_record<'a>(kind: &'a str, outage: &'a GroupedOutage) -> Record<'a> {
    let event = &outage.event;
    let remarks: Vec<String> = observations(event)
        .into_iter()
        .chain(event.notes.clone())
        .collect();
    Record {
        kind,
        name: event.distinct_name().into(),
        address: &event.host_address,
        seconds: event.duration_seconds,
        down_seconds: Some(outage.down_seconds),
        cause: outage.cause().as_str(),
        sent: event.packets_sent,
        lost: event.packets_lost,
        remark: remarks.join("; "),
        ..Record::of(outage.start(), outage.end())
    }
}

pub(super) fn pings(out: &mut String, report: &Report, check: &RecordedCheck) {
    let record = Record {
        kind: "ping",
        name: check.name.as_str().into(),
        address: &check.address,
        sent: Some(check.sent),
        lost: Some(check.failure_count()),
        remark: replies(check),
        ..Record::of(check.checked_at, None)
    };
    record.append(out, report);
}

/// A local time that a spreadsheet recognises, and its offset: `2026-11-02 14:03:22`, `UTC+01:00`.
fn clock(report: &Report, at: UtcMillis) -> (String, String) {
    let text = local(report, at);
    let (clock, offset) = text.rsplit_once(' ').unwrap_or((&text, ""));
    (clock.into(), format!("UTC{offset}"))
}

/// Spreadsheets expect the line ends of Windows.
pub(super) fn record(out: &mut String, cells: &[&str]) {
    append_record(out, cells, "\r\n");
}
