//! Values of options as text, parsed. An error says what is allowed.

use crate::export::Format;
use crate::pure::model::AlertKind;

pub fn hours(text: &str) -> Result<f64, String> {
    let hours: f64 = text
        .parse()
        .map_err(|_| format!("{text:?} is not a number of hours"))?;
    if (0.001..=8784.0).contains(&hours) {
        Ok(hours)
    } else {
        Err(format!("{text} is not between 0.001 and 8784 hours"))
    }
}

pub fn days(text: &str) -> Result<f64, String> {
    let days: f64 = text
        .parse()
        .map_err(|_| format!("{text:?} is not a number of days"))?;
    if days > 0.0 && days <= 100_000.0 {
        Ok(days)
    } else {
        Err(format!(
            "{text} is not a number of days from more than 0 to 100000"
        ))
    }
}

#[derive(Clone, Copy, Debug)]
pub enum ExportFormat {
    Text(Format),
    /// A database of the original.
    Original,
}

pub fn export_format(text: &str) -> Result<ExportFormat, String> {
    match text {
        "csv" => Ok(ExportFormat::Text(Format::Csv)),
        "jsonl" => Ok(ExportFormat::Text(Format::JsonLines)),
        "openmetrics" => Ok(ExportFormat::Text(Format::OpenMetrics)),
        "sqlite" => Ok(ExportFormat::Original),
        _ => Err(format!(
            "{text:?} is none of csv, jsonl, openmetrics, sqlite"
        )),
    }
}

pub fn alert_kind(text: &str) -> Result<AlertKind, String> {
    AlertKind::from_word(text)
        .or_else(|| (text == AlertKind::Digest.as_str()).then_some(AlertKind::Digest))
        .ok_or_else(|| {
            format!("{text:?} is none of down, up, degraded, incident, loss, database, digest")
        })
}

pub fn port(text: &str) -> Result<u16, String> {
    text.parse()
        .ok()
        .filter(|port| *port > 0)
        .ok_or_else(|| format!("{text:?} is not a port from 1 to 65535"))
}
