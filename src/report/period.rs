//! Which span a report is about: so many days, a month, or what lies between two instants. Days and
//! months are those of the machine's zone, which may be an hour shorter or longer than others.

use std::ops::Range;

use crate::pure::time::{UtcMillis, local_to_utc, parse_naive_ms};

const DAY_MS: i64 = 86_400_000;
/// No more days can be asked for: all that the program can have recorded, and less than calendars
/// end with.
const MAX_DAYS: i64 = 36_600;

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Period {
    /// Today and the days before it.
    Days(i64),
    /// `YYYY-MM`.
    Month(String),
    /// Between two instants; until now where only the first is given.
    Between(UtcMillis, Option<UtcMillis>),
}

impl Period {
    /// A number of days from a text.
    pub fn days(text: &str) -> Result<Period, String> {
        let days = text
            .parse()
            .ok()
            .filter(|days| (1..=MAX_DAYS).contains(days));
        days.map(Period::Days)
            .ok_or_else(|| format!("{text:?} is no whole number of days from 1 to {MAX_DAYS}"))
    }

    /// A month from a text.
    pub fn month(text: &str) -> Result<Period, String> {
        let is_month = text.len() == 7 && first_of(text).is_some();
        if is_month {
            Ok(Period::Month(text.into()))
        } else {
            Err(format!("{text:?} is no month: give it as 2026-11"))
        }
    }

    /// The span, which ends now at the latest. An error says what is wrong with it.
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
                // The first of the next month: no month is longer, none is shorter by more than
                // three days.
                let next = UtcMillis(first + 31 * DAY_MS).sql_text();
                let next = first_of(&next[..7])
                    .filter(|next| *next > first)
                    .unwrap_or(first + 31 * DAY_MS);
                (local(first), local(next).min(now))
            }
            Period::Between(from, to) => (*from, to.unwrap_or(now).min(now)),
        };
        // What is asked for from before 1970 on is asked for from then on.
        let from = from.max(UtcMillis(0));
        let local_text = |at: UtcMillis| at.local_text(offset_at(at.0.div_euclid(1000)));
        match from < to {
            true => Ok(from..to),
            false if to == now => Err(format!("{} has not come yet", local_text(from))),
            false => Err(format!(
                "{} is not before {}",
                local_text(from),
                local_text(to)
            )),
        }
    }
}

/// The first instant of a month, `YYYY-MM`, as if its zone were UTC.
fn first_of(month: &str) -> Option<i64> {
    parse_naive_ms(&format!("{month}-01 00:00:00")).filter(|ms| *ms >= 0)
}

/// The day of a zone that an instant is in, counted from 1970.
pub(super) fn local_day(at: UtcMillis, offset_at: fn(i64) -> i64) -> i64 {
    (at.0 + offset_at(at.0.div_euclid(1000)) * 1000).div_euclid(DAY_MS)
}

/// The days of a zone that a span touches, cut to it.
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
