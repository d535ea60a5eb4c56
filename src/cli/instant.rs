//! Times as users type them on the command line.

use crate::pure::time::{LATEST_MS, UtcMillis, local_to_utc, parse_instant, parse_naive_ms};
use crate::sys;

/// Parses RFC 3339, `YYYY-MM-DD[ HH:MM[:SS]]` in this machine's time zone, or Unix seconds. The
/// error says what is allowed.
pub fn parse(text: &str) -> Result<UtcMillis, String> {
    let local = || {
        let text = text.trim();
        let missing = match text.len() {
            10 => " 00:00:00",
            16 => ":00",
            _ => "",
        };
        let naive_ms = parse_naive_ms(&format!("{text}{missing}"))?;
        Some(local_to_utc(naive_ms, None, sys::utc_offset_at))
            .filter(|at| (0..=LATEST_MS).contains(&at.0))
    };
    parse_instant(text).or_else(local).ok_or_else(|| {
        format!(
            "{text:?} is not a time: give it as 2026-11-02, \"2026-11-02 14:03\" or \"2026-11-02 14:03:22\" (local time), \
             2026-11-02T13:03:22Z or Unix seconds"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_documented_form_of_a_time_is_parsed_and_nothing_else() {
        // Does not depend on this machine's time zone.
        let local = |text: &str| {
            local_to_utc(
                parse_naive_ms(text).expect("a time"),
                None,
                sys::utc_offset_at,
            )
        };
        assert_eq!(parse("2025-11-02"), Ok(local("2025-11-02 00:00:00")));
        assert_eq!(parse("2025-11-02 14:03"), Ok(local("2025-11-02 14:03:00")));
        assert_eq!(
            parse(" 2025-11-02T14:03:22 "),
            Ok(local("2025-11-02 14:03:22"))
        );
        assert_eq!(
            parse("2025-11-02T12:34:56Z"),
            Ok(UtcMillis(1_762_086_896_000))
        );
        assert_eq!(parse("1762086896"), Ok(UtcMillis(1_762_086_896_000)));
        for text in [
            "",
            "now",
            "2025-11",
            "2025-11-31",
            "2025-11-02 25:00",
            "1960-01-01",
            "2025-11-02 14",
            "02.11.2025",
        ] {
            let error = parse(text).expect_err(text);
            assert!(
                error.contains(text) && error.contains("2026-11-02 14:03"),
                "{error}"
            );
        }
    }
}
