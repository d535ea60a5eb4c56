//! The report as one page of HTML that needs nothing else: no script, no file, and it prints on A4.
//! Every text is escaped.

use super::told::{Picture, Row, Section, sections, top};
use super::{Appendix, Report, picture};
use crate::pure::phrase::printable;

/// The page's only style, which stands in it. Written for paper first.
const STYLE: &str = include_str!("style.css");
/// What a content security policy knows it by. tests/report.rs says what it must be when the style
/// has changed.
pub const STYLE_HASH: &str = "sha256-esgu6lq83yzMyGaV5eb0HDwJDLAudGQ/HMwdhmumKgI=";

/// All but the end of the page, which the raw pings may stand before.
pub(super) fn write(report: &Report) -> String {
    let top = top(report);
    let mut out = String::from("<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">");
    out += "<meta name=\"viewport\" content=\"width=device-width\"><title>";
    escape(
        &mut out,
        &format!(
            "{} {}",
            top.title,
            report.from.rfc3339().get(..10).unwrap_or_default()
        ),
    );
    out += "</title><style>";
    out += STYLE;
    out += "</style></head><body><h1>";
    out += top.title;
    out += "</h1><dl>";
    for (name, value) in &top.about {
        element(&mut out, "dt", name);
        element(&mut out, "dd", value);
    }
    out += "</dl>";
    element(&mut out, "p class=verdict", &top.verdict);
    for section in sections(report) {
        write_section(&mut out, report, &section);
    }
    out
}

fn write_section(out: &mut String, report: &Report, section: &Section) {
    *out += "<section>";
    element(out, "h2", section.title);
    for sentence in &section.sentences {
        element(out, "p", sentence);
    }
    let is_raw = section.rows.is_empty()
        && !section.columns.is_empty()
        && section.title == super::raw::TITLE;
    if !section.rows.is_empty() || is_raw {
        *out += "<table><thead><tr>";
        section
            .columns
            .iter()
            .for_each(|column| element(out, "th", column.title));
        *out += "</tr></thead>";
        section.rows.iter().for_each(|item| row(out, item));
    }
    if is_raw && report.appendix == Appendix::RawPings {
        // The rows follow, and the end of the page with them.
        return;
    }
    *out += if section.rows.is_empty() {
        ""
    } else {
        "</table>"
    };
    match section.picture {
        Some(Picture::Strips) => picture::strips(out, report),
        Some(Picture::Charts) => picture::charts(out, report),
        None => {}
    }
    *out += "</section>\n";
}

/// A row with what is said below it: a body of its own, which a page is not broken in.
pub(super) fn row(out: &mut String, row: &Row) {
    *out += "<tbody><tr>";
    // What is short is not broken, so that a time stays in one line.
    row.cells.iter().for_each(|cell| {
        element(
            out,
            if cell.len() > 26 {
                "td class=long"
            } else {
                "td"
            },
            cell,
        )
    });
    *out += "</tr>";
    for detail in row.details.iter().filter(|detail| !detail.is_empty()) {
        *out += "<tr class=detail>";
        element(out, &format!("td colspan={}", row.cells.len()), detail);
        *out += "</tr>";
    }
    *out += "</tbody>\n";
}

/// An element of a text; `tag` may have attributes.
pub(super) fn element(out: &mut String, tag: &str, text: &str) {
    *out += "<";
    *out += tag;
    *out += ">";
    escape(out, text);
    *out += "</";
    *out += tag.split(' ').next().unwrap_or(tag);
    *out += ">";
}

fn escape(out: &mut String, text: &str) {
    for character in printable(text).chars() {
        match character {
            '&' => *out += "&amp;",
            '<' => *out += "&lt;",
            '>' => *out += "&gt;",
            '"' => *out += "&quot;",
            '\'' => *out += "&#39;",
            other => out.push(other),
        }
    }
}
