//! The period of a report: a number of days, a month, or the time between two instants. Days and
//! months are those of the machine's time zone; at a clock change they are an hour shorter or
//! longer.

use std::ops::Range;

use crate::pure::time::{DAY_MS, HOUR_MS, UtcMillis, local_to_utc, parse_naive_ms};

/// More than anyone can have recorded, and small enough for every calendar calculation.
const MAX_DAYS: i64 = 36_600;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Period {
    /// A number of days, today included.
    Days(i64),
    /// `YYYY-MM`.
    Month(String),
    /// Between two instants; without the second, until now.
    Between(UtcMillis, Option<UtcMillis>),
}

impl Period {
    pub fn days(text: &str) -> Result<Period, String> {
        let days = text
            .parse()
            .ok()
            .filter(|days| (1..=MAX_DAYS).contains(days));
        days.map(Period::Days)
            .ok_or_else(|| format!("{text:?} is not a whole number of days from 1 to {MAX_DAYS}"))
    }

    pub fn month(text: &str) -> Result<Period, String> {
        let is_month = text.len() == 7 && first_of(text).is_some();
        if is_month {
            Ok(Period::Month(text.into()))
        } else {
            Err(format!("{text:?} is not a month: give it as 2026-11"))
        }
    }

    /// The period as a span that ends now at the latest.
    pub fn span(
        &self,
        now: UtcMillis,
        offset_at: fn(i64) -> i64,
    ) -> Result<Range<UtcMillis>, String> {
        let local = |naive_ms| local_to_utc(naive_ms, None, offset_at);
        let (from, to) = match self {
            Period::Days(days) => (local((local_day(now, offset_at) - days + 1) * DAY_MS), now),
            Period::Month(month) => {
                let first = first_of(month).unwrap_or(0);
                // 31 days after the first of a month lie within the next month.
                let next = UtcMillis(first + 31 * DAY_MS).sql_text();
                let next = first_of(&next[..7])
                    .filter(|next| *next > first)
                    .unwrap_or(first + 31 * DAY_MS);
                (local(first), local(next).min(now))
            }
            Period::Between(from, to) => (*from, to.unwrap_or(now).min(now)),
        };
        // Nothing was recorded before 1970.
        let from = from.max(UtcMillis(0));
        let local_text = |at: UtcMillis| at.local_text(offset_at(at.0.div_euclid(1000)));
        match from < to {
            true => Ok(from..to),
            false if to == now => Err(format!("{} is in the future", local_text(from))),
            false => Err(format!(
                "{} is not before {}",
                local_text(from),
                local_text(to)
            )),
        }
    }
}

/// The first millisecond of a month, `YYYY-MM`, as if its time zone were UTC.
fn first_of(month: &str) -> Option<i64> {
    parse_naive_ms(&format!("{month}-01 00:00:00")).filter(|ms| *ms >= 0)
}

/// When the hour of the machine's time zone begins that an instant is in.
pub(super) fn local_hour(at: UtcMillis, offset_at: fn(i64) -> i64) -> UtcMillis {
    let offset_ms = offset_at(at.0.div_euclid(1000)) * 1000;
    UtcMillis((at.0 + offset_ms).div_euclid(HOUR_MS) * HOUR_MS - offset_ms)
}

/// The local day of an instant, counted from 1970-01-01.
pub(super) fn local_day(at: UtcMillis, offset_at: fn(i64) -> i64) -> i64 {
    (at.0 + offset_at(at.0.div_euclid(1000)) * 1000).div_euclid(DAY_MS)
}

/// The local days that a span touches, clipped to the span.
pub(super) fn local_days(
    span: &Range<UtcMillis>,
    offset_at: fn(i64) -> i64,
) -> Vec<Range<UtcMillis>> {
    let (first, last) = (
        local_day(span.start, offset_at),
        local_day(UtcMillis(span.end.0 - 1), offset_at),
    );
    let midnight =
        |day: i64| local_to_utc(day * DAY_MS, None, offset_at).clamp(span.start, span.end);
    (first..=last)
        .map(|day| midnight(day)..midnight(day + 1))
        .collect()
}
