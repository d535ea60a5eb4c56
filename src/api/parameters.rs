//! Parses the parameters of a request and checks their ranges. An error names its parameter.

use std::ops::Range;

use super::ApiError;
use crate::pure::time::{DAY_MS, HOUR_MS, UtcMillis, parse_instant};
use crate::web::Request;

pub(super) struct Parameters<'a> {
    /// The text in place of `ADDRESS` in the path.
    pub path_address: &'a str,
    query: &'a [(String, String)],
    /// See [`Request::accept`].
    pub accept: Option<&'a str>,
    /// See [`Request::is_from_other_origin`].
    pub is_from_other_origin: bool,
}

/// The upper limit of a span in hours or days: a thousand years.
const MAX_HOURS: f64 = 8_766_000.0;

impl<'a> Parameters<'a> {
    pub fn new(path_address: &'a str, request: &'a Request) -> Parameters<'a> {
        Parameters {
            path_address,
            query: &request.query,
            accept: request.accept.as_deref(),
            is_from_other_origin: request.is_from_other_origin,
        }
    }

    /// The last value of a parameter. An empty value counts as none.
    pub fn text(&self, name: &str) -> Option<&'a str> {
        let found = self.query.iter().rev().find(|(key, _)| key == name);
        found
            .map(|(_, value)| value.as_str())
            .filter(|value| !value.is_empty())
    }

    /// `host_address`, which is required.
    pub fn address(&self) -> Result<&'a str, ApiError> {
        self.text("host_address").ok_or_else(|| {
            ApiError::BadParameter("host_address: this parameter is required".into())
        })
    }

    /// A whole number within a range, whose end is not in it.
    pub fn whole(&self, name: &str, range: Range<i64>, default: i64) -> Result<i64, ApiError> {
        let Some(text) = self.text(name) else {
            return Ok(default);
        };
        parse_whole(name, text, &range)
    }

    pub fn flag(&self, name: &str) -> Result<bool, ApiError> {
        match self.text(name) {
            None => Ok(false),
            Some(text) if text.eq_ignore_ascii_case("true") || text == "1" => Ok(true),
            Some(text) if text.eq_ignore_ascii_case("false") || text == "0" => Ok(false),
            Some(text) => Err(ApiError::BadParameter(format!(
                "{name}: {text:?} is neither true nor false"
            ))),
        }
    }

    /// The milliseconds of a number of hours or days, which may have a fraction. `None` means no
    /// limit: it is 0, or missing without a default.
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
                    ApiError::BadParameter(format!(
                        "{name}: {text:?} is not a number from 0 (all) up"
                    ))
                };
                Some(number.ok_or_else(wrong)?)
            }
        };
        #[expect(clippy::cast_possible_truncation, reason = "bounded above")]
        Ok(value
            .filter(|value| *value > 0.0)
            .map(|value| (value * unit_hours * HOUR_MS as f64) as i64))
    }

    pub fn instant(&self, name: &str) -> Result<Option<UtcMillis>, ApiError> {
        let text = self.text(name);
        text.map(|text| parse_instant_of(name, text)).transpose()
    }

    /// Instants between commas.
    pub fn instants(&self, name: &str) -> Result<Vec<UtcMillis>, ApiError> {
        let items = self.text(name).into_iter().flat_map(|text| text.split(','));
        items.map(|item| parse_instant_of(name, item)).collect()
    }

    /// Whole numbers between commas, within a range whose end is not in it.
    pub fn numbers(&self, name: &str, range: &Range<i64>) -> Result<Vec<i64>, ApiError> {
        let items = self.text(name).into_iter().flat_map(|text| text.split(','));
        items.map(|item| parse_whole(name, item, range)).collect()
    }

    /// From `from` to `to`, by default the last 24 hours.
    pub fn between(&self, now: UtcMillis) -> Result<Range<UtcMillis>, ApiError> {
        let to = self.instant("to")?.unwrap_or(UtcMillis(now.0 + 1));
        let from = self
            .instant("from")?
            .unwrap_or(UtcMillis((to.0 - DAY_MS).max(0)));
        if from >= to {
            return Err(ApiError::BadParameter(format!(
                "from: {} is not before to: {}",
                from.rfc3339(),
                to.rfc3339()
            )));
        }
        Ok(from..to)
    }

    /// From `from` to `to` if one of them is given, else the last `hours`, where 0 means all.
    pub fn span(&self, now: UtcMillis, default_hours: f64) -> Result<Range<UtcMillis>, ApiError> {
        if self.text("from").is_some() || self.text("to").is_some() {
            return self.between(now);
        }
        let hours = self.span_ms("hours", 1.0, Some(default_hours))?;
        Ok(UtcMillis(hours.map_or(0, |ms| (now.0 - ms).max(0)))..UtcMillis(now.0 + 1))
    }
}

fn parse_whole(name: &str, text: &str, range: &Range<i64>) -> Result<i64, ApiError> {
    let number = text.parse().ok().filter(|number| range.contains(number));
    number.ok_or_else(|| {
        ApiError::BadParameter(format!(
            "{name}: {text:?} is not a whole number from {} to {}",
            range.start,
            range.end - 1
        ))
    })
}

fn parse_instant_of(name: &str, text: &str) -> Result<UtcMillis, ApiError> {
    parse_instant(text).ok_or_else(|| {
        ApiError::BadParameter(format!(
            "{name}: {text:?} is neither RFC 3339 (2026-11-02T12:00:00Z) nor Unix seconds"
        ))
    })
}
