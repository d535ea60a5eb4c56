//! The report as one page of HTML without script and without other files, which prints on A4.

use super::charts;
use super::figures::Report;
use super::markup::{begin_section, element, row};
use super::raw_pings::cells;
use super::sections::sections;
use super::summary::heading;
use super::table::{Follows, Section};
use crate::store::RecordedCheck;

/// Part of the page. Designed for paper first.
const STYLE: &str = include_str!("style.css");
/// The hash that the Content-Security-Policy allows the style by. When the style has changed, a
/// test in tests/report.rs prints the new hash.
pub const STYLE_HASH: &str = "sha256-syd+u0gG1ngnBMMtSpGCkF/xUIL5eFxMmw6qvuweswI=";

/// The page up to what [`end`] returns. With raw pings, the table of its last section is not
/// closed.
pub(super) fn report(report: &Report) -> String {
    let heading = heading(report);
    let mut out = String::from("<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">");
    out += "<meta name=\"viewport\" content=\"width=device-width\">";
    let day = report.from.rfc3339();
    let day = day.get(..10).unwrap_or_default();
    element(&mut out, "title", &format!("{} {day}", heading.title));
    out += "<style>";
    out += STYLE;
    out += "</style></head><body><main>";
    element(&mut out, "h1", heading.title);
    out += "<dl>";
    for (name, value) in &heading.about {
        element(&mut out, "dt", name);
        element(&mut out, "dd", value);
    }
    out += "</dl>";
    element(&mut out, "p class=verdict", &heading.summary);
    for part in sections(report) {
        section(&mut out, report, &part);
    }
    out
}

pub(super) fn end(has_pings: bool) -> &'static str {
    if has_pings {
        "</table></section></main></body></html>\n"
    } else {
        "</main></body></html>\n"
    }
}

pub(super) fn pings(out: &mut String, report: &Report, check: &RecordedCheck) {
    row(out, &cells(report, check), &[]);
}

fn section(out: &mut String, report: &Report, section: &Section) {
    let has_pings = section.follows == Some(Follows::RawPings);
    let has_table = has_pings || !section.rows.is_empty();
    begin_section(out, section.title, has_table);
    for sentence in &section.sentences {
        element(out, "p", sentence);
    }
    if has_table {
        *out += "<table><thead><tr>";
        for column in &section.columns {
            element(out, "th scope=col", column.title);
        }
        *out += "</tr></thead>";
        for item in &section.rows {
            row(out, &item.cells, &item.details);
        }
        if has_pings {
            return;
        }
        *out += "</table>";
    }
    match section.follows {
        Some(Follows::Strips) => charts::strips(out, report),
        Some(Follows::Charts) => charts::charts(out, report),
        Some(Follows::RawPings) | None => {}
    }
    *out += "</section>\n";
}
