//! The report as text of 80 columns, for a terminal or a mail.

use unicode_width::UnicodeWidthStr;

use super::figures::Report;
use super::raw_pings::cells;
use super::sections::sections;
use super::summary::heading;
use super::table::{Row, Section};
use crate::pure::phrase::{cut, pad, printable, wrap};
use crate::store::RecordedCheck;

const WIDTH: usize = 80;
const MARGIN: &str = "  ";

pub(super) fn report(report: &Report) -> String {
    let heading = heading(report);
    let mut text = format!(
        "{}\n{}\n\n",
        heading.title.to_ascii_uppercase(),
        "=".repeat(heading.title.len())
    );
    for (name, value) in &heading.about {
        text += &wrap(&format!("{name}: {}", printable(value)), WIDTH, "");
    }
    text.push('\n');
    text += &wrap(&printable(&heading.summary), WIDTH, "");
    for section in sections(report) {
        text += &format!(
            "\n{}\n{}\n",
            section.title.to_ascii_uppercase(),
            "-".repeat(section.title.len())
        );
        for (index, sentence) in section.sentences.iter().enumerate() {
            if index > 0 {
                text.push('\n');
            }
            text += &wrap(&printable(sentence), WIDTH, "");
        }
        if !section.rows.is_empty() {
            table(&mut text, &section);
        }
    }
    text
}

pub(super) fn pings(out: &mut String, report: &Report, check: &RecordedCheck) {
    let [at, name, _, _, replies] = &cells(report, check);
    let name = pad(&cut(&printable(name), 18), 18);
    *out += &format!("{at}{MARGIN}{name}{MARGIN}{}\n", cut(replies, 32));
}

/// Narrows the widest column that may be cut until a row fits on a line.
fn table(text: &mut String, section: &Section) {
    let shown: Vec<usize> = (0..section.columns.len())
        .filter(|index| !section.columns[*index].is_wide_only)
        .collect();
    let head: Vec<String> = shown
        .iter()
        .map(|index| section.columns[*index].title.to_string())
        .collect();
    let cells_of = |row: &Row| {
        shown
            .iter()
            .map(|index| printable(&row.cells[*index]))
            .collect::<Vec<_>>()
    };
    let rows: Vec<Vec<String>> = section.rows.iter().map(cells_of).collect();
    let width = |column: usize| {
        rows.iter()
            .chain([&head])
            .map(|cells| cells[column].width())
            .max()
            .unwrap_or(0)
    };
    let mut widths: Vec<usize> = (0..shown.len()).map(width).collect();
    let available = WIDTH - MARGIN.len() * (widths.len() - 1);
    while widths.iter().sum::<usize>() > available {
        let widest = (0..widths.len())
            .filter(|column| !is_exact(&rows, *column))
            .max_by_key(|column| widths[*column]);
        widths[widest.unwrap_or(0)] -= 1;
    }
    let line = |cells: &[String]| {
        let padded: Vec<String> = cells
            .iter()
            .zip(&widths)
            .map(|(cell, width)| pad(&cut(cell, *width), *width))
            .collect();
        format!("{}\n", padded.join(MARGIN).trim_end())
    };
    *text += &line(&head);
    for (row, cells) in section.rows.iter().zip(&rows) {
        *text += &line(cells);
        let is_hidden =
            |index: &usize| section.columns[*index].is_wide_only && row.cells[*index] != "-";
        let hidden = (0..section.columns.len()).filter(is_hidden);
        let hidden: Vec<String> = hidden
            .map(|index| format!("{}: {}.", section.columns[index].title, row.cells[index]))
            .collect();
        *text += &wrap(&printable(&hidden.join(" ")), WIDTH, MARGIN);
        for detail in &row.details {
            *text += &wrap(&printable(detail), WIDTH, MARGIN);
        }
    }
}

/// Whether a column holds times or durations, which must not be cut.
fn is_exact(rows: &[Vec<String>], column: usize) -> bool {
    rows.iter()
        .all(|cells| cells[column].starts_with(|first: char| first.is_ascii_digit()))
}
