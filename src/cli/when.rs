//! An instant as a person types it.

use crate::sys::utc_offset_at;
use crate::time::{LATEST_MS, UtcMillis, local_to_utc, parse_instant, parse_naive_ms};

/// Reads RFC 3339, `YYYY-MM-DD[ HH:MM[:SS]]` in local time, or Unix seconds. Of a time that autumn repeats the first is meant.
pub fn instant(text: &str) -> Result<UtcMillis, String> {
    let text = text.trim();
    let local = || {
        let whole = match text.len() {
            10 => format!("{text} 00:00:00"),
            16 => format!("{text}:00"),
            _ => text.to_string(),
        };
        let naive = parse_naive_ms(&whole)?;
        Some(local_to_utc(naive, None, utc_offset_at)).filter(|at| (0..=LATEST_MS).contains(&at.0))
    };
    parse_instant(text).or_else(local).ok_or_else(|| {
        format!(
            "{text:?} is no time from 1970 on: write YYYY-MM-DD or YYYY-MM-DD HH:MM:SS (local time), 2026-03-01T12:00:00Z, \
             or seconds since 1970"
        )
    })
}
