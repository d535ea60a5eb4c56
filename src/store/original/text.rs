//! Times in the original's schema: text in local time.
//!
//! In autumn an hour of local time is repeated. The original's text does not distinguish the two
//! passes, and its table allows each text once per address. Our times are whole milliseconds, so
//! the microseconds can mark the pass: they are odd in the second one.

use rusqlite::Connection;

use crate::pure::time::{UtcMillis, local_to_utc, parse_naive_ms};
use crate::store::schema;
use crate::sys::utc_offset_at;

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Writer {
    /// The original or a compatible program.
    Original,
    /// This program's `export`.
    Export,
}

pub fn writer_of(connection: &Connection, schema: &str) -> rusqlite::Result<Writer> {
    let id: i64 =
        connection.pragma_query_value(Some(schema), "application_id", |row| row.get(0))?;
    Ok(if id == schema::EXPORT_ID {
        Writer::Export
    } else {
        Writer::Original
    })
}

impl Writer {
    /// In the hour that autumn repeats, the original's rows are distinguished by the previous row,
    /// ours by themselves.
    pub fn instant(self, text: &str, previous: Option<UtcMillis>) -> Option<UtcMillis> {
        let previous = match self {
            Writer::Original => previous,
            Writer::Export => is_second_pass(text).then_some(UtcMillis(i64::MAX)),
        };
        parse_naive_ms(text).map(|naive| local_to_utc(naive, previous, utc_offset_at))
    }
}

fn naive(at: UtcMillis) -> UtcMillis {
    UtcMillis(at.0.saturating_add(utc_offset_at(at.0.div_euclid(1000)) * 1000))
}

/// 1 in the second pass of a repeated local time, else 0.
pub fn pass_of(at: UtcMillis) -> u32 {
    u32::from(local_to_utc(naive(at).0, None, utc_offset_at) != at)
}

pub fn is_second_pass(text: &str) -> bool {
    text.as_bytes().get(25).is_some_and(|digit| digit % 2 == 1)
}

/// `YYYY-MM-DD HH:MM:SS.ffffff` in local time; without a fraction where that is zero, as the
/// original writes it.
pub fn original_text(at: UtcMillis, micros: u32) -> String {
    let mut text = naive(at).sql_text();
    if micros == 0 && text.ends_with(".000") {
        text.truncate(19);
    } else {
        text += &format!("{micros:03}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exported_time_has_six_digits_or_none_and_the_last_one_marks_the_pass() {
        let whole = original_text(UtcMillis(1_762_086_896_000), 0);
        assert_eq!((whole.len(), is_second_pass(&whole)), (19, false));
        let second = original_text(UtcMillis(1_762_086_896_000), 1);
        assert!(
            second.ends_with(".000001") && is_second_pass(&second),
            "{second}"
        );
        let first = original_text(UtcMillis(1_762_086_896_123), 2);
        assert!(
            first.ends_with(".123002") && !is_second_pass(&first),
            "{first}"
        );
    }
}
