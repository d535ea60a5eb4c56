//! The recorded checks as other programs read them: CSV, one JSON object a line, OpenMetrics.
//! Written as they are read, so that the memory does not grow with their number. The original's own
//! format is a database: see store/export.rs.

mod openmetrics;
mod rows;

use std::fmt;
use std::io::{self, Write};
use std::ops::Range;

use crate::pure::time::UtcMillis;
use crate::store::{Reader, RecordedHost, StoreError};

/// What is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// RFC 4180, but with the line ends of Unix. Its first columns are those of `ping_results`, in
    /// the same texts.
    Csv,
    /// One JSON object a line; times as RFC 3339 has them.
    JsonLines,
    /// OpenMetrics 1.0, for `promtool tsdb create-blocks-from openmetrics`.
    OpenMetrics,
}

/// Why an export broke off.
#[derive(Debug)]
pub enum ExportError {
    /// The database could not be read.
    Store(StoreError),
    /// It could not be written on.
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

/// Writes the checks of hosts within a span, oldest first; says how many. `progress` hears the
/// checks done.
pub fn write(
    reader: &Reader,
    hosts: &[RecordedHost],
    span: &Range<UtcMillis>,
    format: Format,
    out: &mut dyn Write,
    progress: &mut dyn FnMut(u64),
) -> Result<u64, ExportError> {
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
        Format::OpenMetrics => openmetrics::write(reader, hosts, span, out, progress),
    }
}
