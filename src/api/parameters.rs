//! The parameters of a question: parsed, bounded, and named when they are wrong.

use std::ops::Range;

use super::ApiError;
use crate::pure::time::{UtcMillis, parse_instant};

/// The parameters as they came.
pub(super) struct Parameters<'a> {
    query: &'a [(String, String)],
}

/// No span that is asked for in hours or days is longer: a thousand years.
const MAX_HOURS: f64 = 8_766_000.0;

impl<'a> Parameters<'a> {
    pub fn new(query: &'a [(String, String)]) -> Parameters<'a> {
        Parameters { query }
    }

    /// The value of a parameter; of several the last. An empty one is none.
    pub fn text(&self, name: &str) -> Option<&'a str> {
        let found = self.query.iter().rev().find(|(key, _)| key == name);
        found
            .map(|(_, value)| value.as_str())
            .filter(|value| !value.is_empty())
    }

    /// The address that a question is about.
    pub fn address(&self) -> Result<&'a str, ApiError> {
        self.text("host_address")
            .ok_or_else(|| ApiError::Parameter("host_address: it is missing".into()))
    }

    /// A whole number within a range.
    pub fn whole(&self, name: &str, range: Range<u64>, default: u64) -> Result<u64, ApiError> {
        let Some(text) = self.text(name) else {
            return Ok(default);
        };
        let number = text.parse().ok().filter(|number| range.contains(number));
        number.ok_or_else(|| {
            ApiError::Parameter(format!(
                "{name}: {text:?} is no whole number from {} to {}",
                range.start,
                range.end - 1
            ))
        })
    }

    /// A whole number that may be negative, within a range.
    pub fn signed(&self, name: &str, range: Range<i64>, default: i64) -> Result<i64, ApiError> {
        let Some(text) = self.text(name) else {
            return Ok(default);
        };
        let number = text.parse().ok().filter(|number| range.contains(number));
        number.ok_or_else(|| {
            ApiError::Parameter(format!(
                "{name}: {text:?} is no whole number from {} to {}",
                range.start,
                range.end - 1
            ))
        })
    }

    /// true or false.
    pub fn flag(&self, name: &str) -> Result<bool, ApiError> {
        match self.text(name) {
            None => Ok(false),
            Some(text) if text.eq_ignore_ascii_case("true") || text == "1" => Ok(true),
            Some(text) if text.eq_ignore_ascii_case("false") || text == "0" => Ok(false),
            Some(text) => Err(ApiError::Parameter(format!(
                "{name}: {text:?} is neither true nor false"
            ))),
        }
    }

    /// A number of hours or days, fractions too; `None` when it is 0 or, without a default,
    /// missing.
    pub fn span_ms(
        &self,
        name: &str,
        unit_hours: f64,
        default: Option<f64>,
    ) -> Result<Option<i64>, ApiError> {
        let value = match self.text(name) {
            None => default,
            Some(text) => {
                let number = text
                    .parse::<f64>()
                    .ok()
                    .filter(|number| (0.0..=MAX_HOURS).contains(number));
                let wrong = || {
                    ApiError::Parameter(format!("{name}: {text:?} is no number from 0 (all) up"))
                };
                Some(number.ok_or_else(wrong)?)
            }
        };
        #[expect(clippy::cast_possible_truncation, reason = "bounded above")]
        Ok(value
            .filter(|value| *value > 0.0)
            .map(|value| (value * unit_hours * 3_600_000.0) as i64))
    }

    /// An instant.
    pub fn instant(&self, name: &str) -> Result<Option<UtcMillis>, ApiError> {
        let Some(text) = self.text(name) else {
            return Ok(None);
        };
        let wrong = || {
            ApiError::Parameter(format!(
                "{name}: {text:?} is neither RFC 3339 (2026-11-02T12:00:00Z) nor Unix seconds"
            ))
        };
        parse_instant(text).map(Some).ok_or_else(wrong)
    }

    /// `from` and `to`; by default the last 24 hours.
    pub fn between(&self, now: UtcMillis) -> Result<Range<UtcMillis>, ApiError> {
        let to = self.instant("to")?.unwrap_or(UtcMillis(now.0 + 1));
        let from = self
            .instant("from")?
            .unwrap_or(UtcMillis((to.0 - 86_400_000).max(0)));
        if from >= to {
            return Err(ApiError::Parameter(format!(
                "from: {} is not before to: {}",
                from.rfc3339(),
                to.rfc3339()
            )));
        }
        Ok(from..to)
    }

    /// `from` and `to` where they are given, else the last `hours`, of which 0 means all.
    pub fn span(&self, now: UtcMillis, default_hours: f64) -> Result<Range<UtcMillis>, ApiError> {
        if self.text("from").is_some() || self.text("to").is_some() {
            return self.between(now);
        }
        let hours = self.span_ms("hours", 1.0, Some(default_hours))?;
        Ok(UtcMillis(hours.map_or(0, |ms| (now.0 - ms).max(0)))..UtcMillis(now.0 + 1))
    }
}
