//! Reads columns. Other programs may have written anything, and a page may be damaged: a cell that
//! cannot be read counts as missing, and a row that says nothing without it counts as missing too.
//! An error here would end an answer, or prevent all later writes.

use std::ops::RangeInclusive;

use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSql, ToSqlOutput, ValueRef};
use rusqlite::{Error, Params, Row, Statement};

use crate::pure::address::Source;
use crate::pure::model::{EventId, HostId, Thresholds};
use crate::pure::sums::MAX_SUM;
use crate::pure::time::{Day, Hour, LATEST_MS, UtcMillis, parse_naive_ms};

/// Valid numbers of pings in a check that was imported or written by another program.
pub const PING_COUNTS: RangeInclusive<i64> = 0..=1_000_000;

/// Reads the rows of a query, without those that cannot be read.
pub trait ReadRows {
    fn read_all<T>(
        &mut self,
        values: impl Params,
        read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<Vec<T>>;

    /// The first of them.
    fn read_first<T>(
        &mut self,
        values: impl Params,
        read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<Option<T>>;
}

impl ReadRows for Statement<'_> {
    fn read_all<T>(
        &mut self,
        values: impl Params,
        read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<Vec<T>> {
        let rows = self.query_map(values, read)?;
        rows.filter_map(|row| readable(row).transpose()).collect()
    }

    fn read_first<T>(
        &mut self,
        values: impl Params,
        read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<Option<T>> {
        let mut rows = self.query_map(values, read)?;
        rows.find_map(|row| readable(row).transpose()).transpose()
    }
}

/// `None` where a column has another type or range than is read.
fn readable<T>(row: rusqlite::Result<T>) -> rusqlite::Result<Option<T>> {
    match row {
        Ok(row) => Ok(Some(row)),
        Err(
            Error::InvalidColumnType(..)
            | Error::IntegralValueOutOfRange(..)
            | Error::FromSqlConversionFailure(..)
            | Error::Utf8Error(..),
        ) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Text in any encoding, as another program may have written it.
pub fn text(row: &Row<'_>, index: usize) -> rusqlite::Result<Option<String>> {
    Ok(match row.get_ref(index)? {
        ValueRef::Text(bytes) => Some(String::from_utf8_lossy(bytes).into_owned()),
        _ => None,
    })
}

/// The source of a host; `None` where routing chooses, or where it is not known.
pub fn source(row: &Row<'_>, index: usize) -> rusqlite::Result<Option<Source>> {
    Ok(text(row, index)?
        .filter(|text| !text.is_empty())
        .map(|text| text.as_str().into()))
}

pub fn value<T: FromSql>(row: &Row<'_>, index: usize) -> Option<T> {
    row.get(index).unwrap_or(None)
}

/// A flag, which is set where a column is a number other than 0.
pub fn flag(row: &Row<'_>, index: usize) -> bool {
    value(row, index).unwrap_or(false)
}

/// The instant in a column of an event; `None` if it is not one.
pub fn instant_of(text: &str) -> Option<UtcMillis> {
    parse_naive_ms(text)
        .filter(|ms| (0..=LATEST_MS).contains(ms))
        .map(UtcMillis)
}

/// A length of time in milliseconds: at most that between the first instant and the last, so that
/// it can be added to any instant.
pub fn length_ms(row: &Row<'_>, index: usize) -> Option<i64> {
    value::<i64>(row, index).map(|ms| ms.clamp(-LATEST_MS, LATEST_MS))
}

/// Two columns from `first` on: the pings that were sent and received. An unreadable number is 0,
/// and no more were received than sent.
pub fn pings(row: &Row<'_>, first: usize) -> (i64, i64) {
    let count = |index| value(row, index).filter(|count| PING_COUNTS.contains(count));
    let sent = count(first).unwrap_or(0);
    (sent, count(first + 1).unwrap_or(0).min(sent))
}

/// A sum, such as a number of checks; `None` where it cannot result from measurements.
pub fn sum(row: &Row<'_>, index: usize) -> Option<i64> {
    value(row, index).filter(|sum| (0..=MAX_SUM).contains(sum))
}

/// Three columns from `first` on: minimum, mean and maximum of round-trip times in microseconds,
/// in this order even where another program has mixed them up.
pub fn latencies(row: &Row<'_>, first: usize) -> [Option<u32>; 3] {
    in_order([0, 1, 2].map(|index| value(row, first + index)))
}

/// The values in ascending order; those that are missing stay where they are.
pub fn in_order<const LEN: usize>(values: [Option<u32>; LEN]) -> [Option<u32>; LEN] {
    let mut present: Vec<u32> = values.iter().flatten().copied().collect();
    present.sort_unstable();
    let mut present = present.into_iter();
    values.map(|value| value.and_then(|_| present.next()))
}

/// Three columns from `first` on: the two rates and the limit. Defaults replace unreadable
/// values.
pub fn read_thresholds(row: &Row<'_>, first: usize) -> Thresholds {
    let default = Thresholds::default();
    let number = |index| value(row, first + index);
    Thresholds {
        up_rate: number(0).unwrap_or(default.up_rate),
        degraded_rate: number(1).unwrap_or(default.degraded_rate),
        latency_limit_us: number(2),
    }
}

/// A newtype of an integer is stored as that integer.
macro_rules! integer_columns {
    ($($newtype:ident: $read:expr),*) => {$(
        impl ToSql for $newtype {
            fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
                self.0.to_sql()
            }
        }

        impl FromSql for $newtype {
            fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
                $read(value).map($newtype)
            }
        }
    )*};
}

integer_columns!(
    HostId: i64::column_result,
    EventId: i64::column_result,
    Hour: |value| time_in(value, Hour::LATEST.0),
    Day: |value| time_in(value, Hour::LATEST.day().0),
    UtcMillis: |value| time_in(value, LATEST_MS)
);

/// A time from 0 (1970) to `latest`: a number outside is the nearest within, so that sums and
/// differences of times do not overflow. A part of a millisecond, hour or day is cut off.
fn time_in(value: ValueRef<'_>, latest: i64) -> FromSqlResult<i64> {
    let number = match value {
        ValueRef::Integer(number) => number,
        #[expect(
            clippy::cast_possible_truncation,
            reason = "a cast from a float saturates, and the range is limited below"
        )]
        ValueRef::Real(number) => number as i64,
        _ => return Err(FromSqlError::InvalidType),
    };
    Ok(number.clamp(0, latest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latencies_are_put_in_order_and_missing_ones_stay_missing() {
        assert_eq!(
            in_order([Some(9), Some(5), Some(1)]),
            [Some(1), Some(5), Some(9)]
        );
        assert_eq!(in_order([Some(9), None, Some(1)]), [Some(1), None, Some(9)]);
        assert_eq!(in_order([None, Some(7), Some(7)]), [None, Some(7), Some(7)]);
    }

    #[test]
    fn a_time_of_any_number_lies_between_1970_and_2248() {
        let read = |value| time_in(value, LATEST_MS).ok();
        assert_eq!(read(ValueRef::Integer(i64::MIN)), Some(0));
        assert_eq!(read(ValueRef::Integer(i64::MAX)), Some(LATEST_MS));
        assert_eq!(
            read(ValueRef::Integer(1_700_000_000_000)),
            Some(1_700_000_000_000)
        );
        assert_eq!(read(ValueRef::Real(1.5)), Some(1));
        assert_eq!(read(ValueRef::Real(9e300)), Some(LATEST_MS));
        assert_eq!(read(ValueRef::Text(b"soon")), None);
    }
}
