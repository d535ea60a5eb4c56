//! Writes recorded checks for other programs: CSV, JSON Lines, OpenMetrics. Each check is written
//! as soon as it is read, so that memory does not grow with their number. The format `sqlite`, the
//! original's database, is written by the store.

mod openmetrics;
mod rows;

use std::fmt;
use std::io::{self, Write};
use std::ops::Range;

pub use openmetrics::SeriesLabels;

use crate::pure::time::UtcMillis;
use crate::store::{Reader, RecordedHost, StoreError, Unreadable};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// RFC 4180, but with line feeds only. The first columns are those of `ping_results`, with the
    /// same texts, except that one which a spreadsheet would take for a formula has a `'` before it.
    Csv,
    /// Times are in RFC 3339 format.
    JsonLines,
    /// OpenMetrics 1.0, for `promtool tsdb create-blocks-from openmetrics`.
    OpenMetrics,
}

#[derive(Debug)]
pub enum ExportError {
    Store(StoreError),
    Output(io::Error),
}

impl fmt::Display for ExportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ExportError::Store(error) => error.fmt(f),
            ExportError::Output(error) => error.fmt(f),
        }
    }
}

impl From<StoreError> for ExportError {
    fn from(error: StoreError) -> Self {
        ExportError::Store(error)
    }
}

impl From<io::Error> for ExportError {
    fn from(error: io::Error) -> Self {
        ExportError::Output(error)
    }
}

/// What was written, and what could not be read.
pub struct Written {
    pub checks: u64,
    pub unreadable: Vec<Unreadable>,
}

/// Writes the checks of hosts within a span, oldest first. `progress` is called with the number of
/// checks written so far; `labels` are those of OpenMetrics.
pub fn write(
    reader: &Reader,
    hosts: &[RecordedHost],
    span: &Range<UtcMillis>,
    format: Format,
    labels: &SeriesLabels,
    out: &mut dyn Write,
    progress: &mut dyn FnMut(u64),
) -> Result<Written, ExportError> {
    match format {
        Format::Csv => rows::write(
            reader,
            hosts,
            span,
            rows::csv,
            rows::CSV_HEADER,
            out,
            progress,
        ),
        Format::JsonLines => rows::write(reader, hosts, span, rows::json_line, "", out, progress),
        Format::OpenMetrics => openmetrics::write(reader, hosts, span, labels, out, progress),
    }
}
