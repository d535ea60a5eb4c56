//! The original's rows in our units: local times to UTC, milliseconds to microseconds.

use rusqlite::{Row, types::ValueRef};

use super::text::Writer;
use crate::pure::time::{LATEST_MS, UtcMillis};
use crate::store::columns::{PING_COUNTS, in_order};
use crate::store::rows::CheckRow;

type Check = (UtcMillis, String, String, CheckRow);

pub fn read_check(
    row: &Row<'_>,
    writer: Writer,
    previous: Option<UtcMillis>,
) -> Result<Check, String> {
    let value = |index| row.get_ref(index).map_err(|error| error.to_string());
    let text = |index| value(index).map(|value| value.as_str().ok().map(str::to_string));
    let timestamp = value(3)?;
    let at = timestamp
        .as_str()
        .ok()
        .and_then(|text| writer.instant(text, previous))
        // Text with a zone, which SQLite can parse; the original writes none.
        .or_else(|| {
            row.get::<_, f64>(9)
                .ok()
                .filter(|_| timestamp.as_str().is_ok())
                .map(from_julian_day)
        })
        .filter(|at| (0..=LATEST_MS).contains(&at.0))
        .ok_or_else(|| format!("timestamp {}", describe(&timestamp)))?;
    let address = text(2)?
        .filter(|address| !address.trim().is_empty())
        .ok_or("no host_address")?;
    let name = text(1)?
        .filter(|name| !name.is_empty())
        .unwrap_or_else(|| address.clone());
    let count = |index, column| {
        let found = value(index)?;
        found
            .as_i64()
            .ok()
            .filter(|count| PING_COUNTS.contains(count))
            .ok_or_else(|| format!("{column} {}", describe(&found)))
    };
    let received = count(4, "success_count")?;
    let sent = received + count(5, "failure_count")?;
    // With exactly three replies the original stores them in order of arrival instead of minimum,
    // mean and maximum.
    let latencies = [
        latency_us(&value(6)?),
        latency_us(&value(7)?),
        latency_us(&value(8)?),
    ];
    // Without a reply there is none.
    let latencies = latencies.map(|us| us.filter(|_| received > 0));
    let [min_us, avg_us, max_us] = in_order(latencies);
    Ok((
        at,
        address,
        name,
        CheckRow {
            sent,
            received,
            min_us,
            avg_us,
            max_us,
            rtts: None,
        },
    ))
}

/// Start, end and address of an event.
pub fn read_span(
    row: &Row<'_>,
    writer: Writer,
    previous: Option<UtcMillis>,
) -> Result<(UtcMillis, Option<UtcMillis>, String), String> {
    let value = |index| row.get_ref(index).map_err(|error| error.to_string());
    let instant = |column, value: &ValueRef<'_>, previous| {
        let at = value
            .as_str()
            .ok()
            .and_then(|text| writer.instant(text, previous));
        at.filter(|at| (0..=LATEST_MS).contains(&at.0))
            .ok_or_else(|| format!("{column} {}", describe(value)))
    };
    let address = value(2)?
        .as_str()
        .ok()
        .filter(|address| !address.is_empty())
        .ok_or("no host_address")?
        .to_string();
    let start = instant("start_time", &value(3)?, previous)?;
    let end = match value(4)? {
        ValueRef::Null => None,
        // An unreadable end is an error, or an ended outage would be ongoing forever. An end
        // before the start lies in the second pass of the hour that autumn repeats.
        end => match instant("end_time", &end, Some(start))? {
            early if early < start => Some(instant("end_time", &end, Some(UtcMillis(i64::MAX)))?),
            end => Some(end),
        },
    };
    Ok((start, end, address))
}

fn from_julian_day(day: f64) -> UtcMillis {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a cast from a float saturates, and the range is checked afterwards"
    )]
    UtcMillis(((day - 2_440_587.5) * 86_400_000.0).round() as i64)
}

/// Milliseconds as whole microseconds; `None` if it is not a valid number.
fn latency_us(value: &ValueRef<'_>) -> Option<u32> {
    let ms = match value {
        ValueRef::Real(ms) => *ms,
        ValueRef::Integer(ms) => *ms as f64,
        _ => return None,
    };
    let us = (ms * 1000.0).round();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the range is checked before"
    )]
    (0.0..=f64::from(u32::MAX))
        .contains(&us)
        .then_some(us as u32)
}

pub fn describe(value: &ValueRef<'_>) -> String {
    match value {
        ValueRef::Null => "NULL".into(),
        ValueRef::Integer(number) => number.to_string(),
        ValueRef::Real(number) => number.to_string(),
        ValueRef::Text(text) => {
            format!("{:?}", String::from_utf8_lossy(&text[..text.len().min(60)]))
        }
        ValueRef::Blob(_) => "a blob".into(),
    }
}
