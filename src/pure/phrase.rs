//! Numbers, durations and names as people read them, on a terminal and on paper.

use std::fmt::Display;
use std::io;
use std::time::Duration;

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Microseconds as milliseconds with three significant figures: `0.123 ms`, `12.3 ms`, `123 ms`.
pub fn ms(us: f64) -> String {
    let ms = us / 1000.0;
    let decimals = match ms {
        ms if ms < 1.0 => 3,
        ms if ms < 10.0 => 2,
        ms if ms < 100.0 => 1,
        _ => 0,
    };
    format!("{ms:.decimals$} ms")
}

/// `4 outages (12 counted for each host)`: those of several hosts that began together are one.
pub fn outages(together: usize, of_each_host: usize) -> String {
    let outages = count(together, "outage");
    if of_each_host == together {
        outages
    } else {
        format!("{outages} ({of_each_host} counted for each host)")
    }
}

/// Replaces what must not reach a terminal or a log, wherever a name or a reason comes from.
pub fn printable(text: &str) -> String {
    let shown = |c| if is_unprintable(c) { '\u{fffd}' } else { c };
    text.chars().map(shown).collect()
}

/// Control characters, and characters that reorder or hide the text around them: a name with them
/// could forge log lines.
pub fn is_unprintable(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{61c}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// Shortens a text to a width in terminal cells, with `...` at the end.
pub fn cut(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_string();
    }
    let mut kept = String::new();
    for character in text.chars() {
        if kept.width() + character.width().unwrap_or(0) + 3 > width {
            break;
        }
        kept.push(character);
    }
    kept + "..."
}

/// The same, keeping begin and end, which distinguish addresses.
pub fn cut_middle(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_string();
    }
    let reversed = |text: &str| text.chars().rev().collect::<String>();
    let head = cut(text, (width + 3).div_ceil(2));
    let tail = cut(&reversed(text), width + 3 - head.width());
    head + &reversed(tail.trim_end_matches("..."))
}

/// Pads a text with blanks to a width in terminal cells.
pub fn pad(text: &str, width: usize) -> String {
    format!(
        "{text}{:blanks$}",
        "",
        blanks = width.saturating_sub(text.width())
    )
}

/// A length of time in whole seconds: `45 s`, `5 min 12 s`, `3 h 20 min 5 s`, `2 d 4 h 0 min 59 s`.
pub fn duration(length: Duration) -> String {
    let all = length.as_secs();
    let (days, hours, minutes, seconds) = (all / 86_400, all / 3600 % 24, all / 60 % 60, all % 60);
    match all {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{minutes} min {seconds} s"),
        3600..86_400 => format!("{hours} h {minutes} min {seconds} s"),
        _ => format!("{days} d {hours} h {minutes} min {seconds} s"),
    }
}

/// The same for a number of seconds; a negative number counts as 0.
pub fn duration_of(seconds: i64) -> String {
    duration(Duration::from_secs(u64::try_from(seconds).unwrap_or(0)))
}

/// Why a packet could not be sent, for the errors that do not say it. Their numbers are the same on
/// every Unix.
pub fn send_error(error: &io::Error) -> String {
    const EPERM: i32 = 1;
    const EACCES: i32 = 13;
    const EINVAL: i32 = 22;
    let why = match error.raw_os_error() {
        Some(EPERM) => "this machine's firewall drops it",
        Some(EACCES) => "a route of type prohibit, or a broadcast address",
        Some(EINVAL) => "a route of type blackhole, or the source address was removed",
        _ if error.kind() == io::ErrorKind::HostUnreachable => "a route of type unreachable",
        _ if error.kind() == io::ErrorKind::AddrNotAvailable => {
            "this machine has no address to send it from"
        }
        _ => return error.to_string(),
    };
    format!("{error}: {why}")
}

/// An offset east of UTC in seconds as RFC 3339 writes it: `+01:00`.
pub fn offset(seconds: i64) -> String {
    let minutes = seconds.abs() / 60;
    format!(
        "{}{:02}:{:02}",
        if seconds < 0 { '-' } else { '+' },
        minutes / 60,
        minutes % 60
    )
}

/// A number of things: `1 host`, `3 hosts`, `1.5 days`.
pub fn count(number: impl Display, noun: &str) -> String {
    let number = number.to_string();
    let plural = if number == "1" { "" } else { "s" };
    format!("{number} {noun}{plural}")
}

/// Breaks a text into lines of at most `width` terminal cells, `indent` included. A wider word is
/// shortened.
pub fn wrap(text: &str, width: usize, indent: &str) -> String {
    let (mut lines, mut line) = (String::new(), String::from(indent));
    let max_word_width = width - indent.width();
    for word in text.split_whitespace() {
        if line.len() > indent.len() && line.width() + 1 + word.width() > width {
            lines += &line;
            lines.push('\n');
            line = indent.into();
        }
        if line.len() > indent.len() {
            line.push(' ');
        }
        line += &cut(word, max_word_width);
    }
    if line.len() > indent.len() {
        lines += &line;
        lines.push('\n');
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_of_time_is_exact_to_the_second() {
        for (seconds, text) in [
            (-3, "0 s"),
            (0, "0 s"),
            (42, "42 s"),
            (59, "59 s"),
            (60, "1 min 0 s"),
            (185, "3 min 5 s"),
            (312, "5 min 12 s"),
            (3599, "59 min 59 s"),
            (3600, "1 h 0 min 0 s"),
            (7207, "2 h 0 min 7 s"),
            (12_005, "3 h 20 min 5 s"),
            (86_399, "23 h 59 min 59 s"),
            (86_400, "1 d 0 h 0 min 0 s"),
            (187_259, "2 d 4 h 0 min 59 s"),
            (432_000, "5 d 0 h 0 min 0 s"),
        ] {
            assert_eq!(duration_of(seconds), text, "{seconds}");
        }
        assert_eq!(duration(Duration::from_millis(1999)), "1 s");
    }

    #[test]
    fn a_latency_has_three_significant_figures() {
        for (us, text) in [
            (4.0, "0.004 ms"),
            (123.4, "0.123 ms"),
            (1000.0, "1.00 ms"),
            (9_870.0, "9.87 ms"),
            (10_000.0, "10.0 ms"),
            (98_700.0, "98.7 ms"),
            (100_000.0, "100 ms"),
            (1_234_500.0, "1234 ms"),
        ] {
            assert_eq!(ms(us), text, "{us}");
        }
    }

    #[test]
    fn outages_of_several_hosts_are_counted_together_and_for_each() {
        assert_eq!(outages(1, 1), "1 outage");
        assert_eq!(outages(4, 12), "4 outages (12 counted for each host)");
    }

    #[test]
    fn characters_that_forge_or_hide_text_are_replaced() {
        for character in "\0\t\n\x1b\x7f\u{85}\u{61c}\u{200b}\u{200e}\u{200f}\u{2028}\u{202e}\u{2060}\u{2066}\u{2069}\u{feff}".chars() {
            assert!(is_unprintable(character), "{character:?}");
        }
        for character in " ~é字\u{200d}\u{2027}\u{202f}\u{2065}\u{206a}".chars() {
            assert!(!is_unprintable(character), "{character:?}");
        }
        assert_eq!(printable("a\x1b[1mé\u{202e}"), "a\u{fffd}[1mé\u{fffd}");
    }

    #[test]
    fn a_text_is_shortened_and_padded_to_a_width_in_cells() {
        for (text, width, at_the_end, in_the_middle) in [
            ("abcdef", 6, "abcdef", "abcdef"),
            ("abcdefg", 6, "abc...", "ab...g"),
            ("abcdefghijkl", 9, "abcdef...", "abc...jkl"),
            ("abcdefghijkl", 10, "abcdefg...", "abcd...jkl"),
            ("日本語日本", 10, "日本語日本", "日本語日本"),
            ("日本語日本", 9, "日本語...", "日...日本"),
            ("日本語日本", 8, "日本...", "日...本"),
        ] {
            assert_eq!(cut(text, width), at_the_end, "{text} {width}");
            assert_eq!(cut_middle(text, width), in_the_middle, "{text} {width}");
        }
        assert_eq!(pad("ab", 4), "ab  ");
        assert_eq!(pad("日", 4), "日  ");
        assert_eq!(pad("abcde", 4), "abcde");
    }

    #[test]
    fn the_reason_for_an_unsent_packet_is_added_where_the_error_does_not_say_it() {
        let unreachable = io::Error::from(io::ErrorKind::HostUnreachable);
        let no_address = io::Error::from(io::ErrorKind::AddrNotAvailable);
        let number = io::Error::from_raw_os_error;
        for (error, why) in [
            (number(1), ": this machine's firewall drops it"),
            (
                number(13),
                ": a route of type prohibit, or a broadcast address",
            ),
            (
                number(22),
                ": a route of type blackhole, or the source address was removed",
            ),
            (unreachable, ": a route of type unreachable"),
            (no_address, ": this machine has no address to send it from"),
            (number(5), ""),
        ] {
            assert_eq!(send_error(&error), format!("{error}{why}"));
        }
    }

    #[test]
    fn one_thing_is_singular_and_any_other_number_plural() {
        assert_eq!(count(0, "host"), "0 hosts");
        assert_eq!(count(1_usize, "host"), "1 host");
        assert_eq!(count(1_i64, "other host"), "1 other host");
        assert_eq!(count(2_u64, "host"), "2 hosts");
        assert_eq!(count(21, "problem"), "21 problems");
        assert_eq!(count(1.0, "day"), "1 day");
        assert_eq!(count(1.5, "day"), "1.5 days");
    }

    #[test]
    fn offsets_from_utc_have_hours_and_minutes() {
        assert_eq!(
            [0, 3600, -12_600, 49_500].map(offset),
            ["+00:00", "+01:00", "-03:30", "+13:45"]
        );
    }

    #[test]
    fn no_line_is_wider_than_the_width() {
        assert_eq!(
            wrap("one two  three\nfour", 10, "  "),
            "  one two\n  three\n  four\n"
        );
        assert_eq!(wrap("abc de", 8, "  "), "  abc de\n");
        assert_eq!(wrap("abc de", 7, "  "), "  abc\n  de\n");
        assert_eq!(wrap("abcdefghijkl x", 8, "  "), "  abc...\n  x\n");
        assert_eq!(wrap(" ", 8, "  "), "");
    }
}
