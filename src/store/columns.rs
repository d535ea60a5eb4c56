//! Reads columns. Other programs may have written anything; what cannot be read counts as
//! missing.

use rusqlite::Row;
use rusqlite::types::{FromSql, FromSqlResult, ToSql, ToSqlOutput, ValueRef};

use crate::pure::address::Source;
use crate::pure::model::{EventId, HostId, Thresholds};
use crate::pure::time::{Day, Hour, LATEST_MS, UtcMillis, parse_naive_ms};

/// Text in any encoding, as another program may have written it.
pub fn text(row: &Row<'_>, index: usize) -> rusqlite::Result<Option<String>> {
    Ok(match row.get_ref(index)? {
        ValueRef::Text(bytes) => Some(String::from_utf8_lossy(bytes).into_owned()),
        ValueRef::Null => None,
        _ => row.get(index).map(Some)?,
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

/// The instant in a column of an event; `None` if it is not one.
pub fn instant_of(text: &str) -> Option<UtcMillis> {
    parse_naive_ms(text)
        .filter(|ms| (0..=LATEST_MS).contains(ms))
        .map(UtcMillis)
}

/// Three columns from `first` on: the two rates and the limit. Defaults replace unreadable
/// values.
pub fn read_thresholds(row: &Row<'_>, first: usize) -> Thresholds {
    let default = Thresholds::default();
    let number = |index| row.get::<_, Option<u32>>(first + index).unwrap_or(None);
    Thresholds {
        up_rate: number(0).unwrap_or(default.up_rate),
        degraded_rate: number(1).unwrap_or(default.degraded_rate),
        latency_limit_us: number(2),
    }
}

/// A newtype of an integer is stored as that integer.
macro_rules! integer_columns {
    ($($newtype:ident),*) => {$(
        impl ToSql for $newtype {
            fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
                self.0.to_sql()
            }
        }

        impl FromSql for $newtype {
            fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
                i64::column_result(value).map($newtype)
            }
        }
    )*};
}

integer_columns!(HostId, EventId, Hour, Day, UtcMillis);
