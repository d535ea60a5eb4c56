//! The report of a span of time: what was down, since when, what caused it and how that is known.
//! `gather` reads a [`Report`] from the store, `sections` words it once for every reader, and one
//! file a format writes it. The callers are [`crate::cli`] and [`crate::api`].

mod changes;
mod charts;
mod coverage;
mod csv;
mod downtime;
mod figures;
mod gather;
mod host_figures;
mod hosts;
mod hours;
mod html;
mod json;
mod markup;
mod method;
mod period;
mod query;
mod raw_pings;
mod rows;
mod sections;
mod summary;
mod table;
#[cfg(test)]
mod tests;
mod text;
mod timeline;
mod together;
mod wording;

use crate::store::RecordedCheck;

pub use figures::{Appendix, Report};
pub use gather::gather;
pub use html::STYLE_HASH;
pub use period::Period;
pub use query::{ReportError, ReportQuery, ReportSettings};
pub use raw_pings::RawPings;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// For a terminal and a mail: 80 columns.
    Text,
    /// One page without links to other files, which prints on A4.
    Html,
    /// For a spreadsheet.
    Csv,
    Json,
}

impl Format {
    pub const ALL: [Format; 4] = [Format::Text, Format::Html, Format::Csv, Format::Json];

    pub fn as_str(self) -> &'static str {
        ["text", "html", "csv", "json"][self as usize]
    }

    pub fn from_word(word: &str) -> Result<Format, String> {
        let found = Format::ALL
            .into_iter()
            .find(|format| format.as_str() == word);
        found.ok_or_else(|| format!("{word:?} is none of text, html, csv, json"))
    }

    pub fn content_type(self) -> &'static str {
        match self {
            Format::Text => "text/plain; charset=utf-8",
            Format::Html => "text/html; charset=utf-8",
            Format::Csv => "text/csv; charset=utf-8",
            Format::Json => "application/json",
        }
    }
}

/// A report that is ready to be written. Its raw pings go between the two parts.
pub struct FormattedReport {
    pub before_pings: String,
    pub after_pings: &'static str,
}

impl Report {
    pub fn format(&self, format: Format) -> FormattedReport {
        let has_pings = self.appendix == Appendix::RawPings;
        let (before_pings, after_pings) = match format {
            Format::Text => (text::report(self), ""),
            Format::Html => (html::report(self), html::end(has_pings)),
            Format::Csv => (csv::report(self), ""),
            Format::Json => (json::report(self), json::end(has_pings)),
        };
        FormattedReport {
            before_pings,
            after_pings,
        }
    }

    /// Checks with all their pings. `before` is the number of checks already written.
    pub fn format_pings(&self, format: Format, checks: &[RecordedCheck], before: u64) -> String {
        let mut out = String::new();
        for (number, check) in (before..).zip(checks) {
            match format {
                Format::Text => text::pings(&mut out, self, check),
                Format::Html => html::pings(&mut out, self, check),
                Format::Csv => csv::pings(&mut out, self, check),
                Format::Json => json::pings(&mut out, check, number == 0),
            }
        }
        out
    }
}
