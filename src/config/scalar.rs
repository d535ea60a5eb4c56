//! The meaning of a plain scalar in YAML 1.1, which the original program reads with PyYAML, and in
//! YAML 1.2's core schema. A scalar whose meaning differs is reported instead of guessed. YAML 1.1
//! types: yaml.org/type; YAML 1.2.2, section 10.3.2.

use std::fmt;

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Meaning {
    Null,
    Boolean(bool),
    Number(f64),
    /// Only in YAML 1.1.
    Date,
    Text,
}

impl fmt::Display for Meaning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Meaning::Null => f.write_str("nothing"),
            Meaning::Boolean(value) => write!(f, "{value}"),
            Meaning::Number(value) => f.write_str(&number_text(*value)),
            Meaning::Date => f.write_str("a date"),
            Meaning::Text => f.write_str("text"),
        }
    }
}

/// A number in decimal notation, a very large or very small one with an exponent.
pub(super) fn number_text(value: f64) -> String {
    if value == 0.0 || (1e-6..1e15).contains(&value.abs()) {
        format!("{value}")
    } else {
        format!("{value:e}")
    }
}

/// Both meanings, that of YAML 1.1 first, if they differ.
pub(super) fn ambiguity(plain: &str) -> Option<(Meaning, Meaning)> {
    let (old, new) = (yaml_1_1(plain), yaml_1_2(plain));
    let are_both_nan = matches!((old, new), (Meaning::Number(old), Meaning::Number(new))
        if old.is_nan() && new.is_nan());
    (old != new && !are_both_nan).then_some((old, new))
}

fn yaml_1_1(plain: &str) -> Meaning {
    match plain {
        "yes" | "Yes" | "YES" | "on" | "On" | "ON" => return Meaning::Boolean(true),
        "no" | "No" | "NO" | "off" | "Off" | "OFF" => return Meaning::Boolean(false),
        _ => {}
    }
    if let Some(meaning) = common(plain) {
        return meaning;
    }
    if is_date(plain) {
        return Meaning::Date;
    }
    let (sign, digits) = unsigned(plain);
    whole_1_1(digits)
        .or_else(|| sexagesimal(digits))
        .or_else(|| float_1_1(plain, digits))
        .map_or(Meaning::Text, |value| Meaning::Number(sign * value))
}

fn yaml_1_2(plain: &str) -> Meaning {
    if let Some(meaning) = common(plain) {
        return meaning;
    }
    let (sign, digits) = unsigned(plain);
    if plain.starts_with("0o") || plain.starts_with("0x") {
        let radix = if plain.starts_with("0o") { 8 } else { 16 };
        return radix_number(&plain[2..], radix, |digit| digit.is_digit(radix))
            .map_or(Meaning::Text, Meaning::Number);
    }
    // Rust's parser also accepts `inf` and `nan`, which YAML does not.
    let is_number = digits.starts_with(|c: char| c.is_ascii_digit() || c == '.')
        && digits
            .chars()
            .all(|c| c.is_ascii_digit() || matches!(c, '.' | 'e' | 'E' | '+' | '-'));
    let value = if is_number {
        digits.parse::<f64>().ok()
    } else {
        None
    };
    value.map_or(Meaning::Text, |value| Meaning::Number(sign * value))
}

/// Words with the same meaning in both versions.
fn common(plain: &str) -> Option<Meaning> {
    Some(match plain {
        "" | "~" | "null" | "Null" | "NULL" => Meaning::Null,
        "true" | "True" | "TRUE" => Meaning::Boolean(true),
        "false" | "False" | "FALSE" => Meaning::Boolean(false),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => Meaning::Number(f64::INFINITY),
        "-.inf" | "-.Inf" | "-.INF" => Meaning::Number(f64::NEG_INFINITY),
        ".nan" | ".NaN" | ".NAN" => Meaning::Number(f64::NAN),
        _ => return None,
    })
}

fn unsigned(plain: &str) -> (f64, &str) {
    match plain.as_bytes().first() {
        Some(b'-') => (-1.0, &plain[1..]),
        Some(b'+') => (1.0, &plain[1..]),
        _ => (1.0, plain),
    }
}

fn whole_1_1(digits: &str) -> Option<f64> {
    if let Some(rest) = digits.strip_prefix("0b") {
        return radix_number(rest, 2, |digit| matches!(digit, '0' | '1' | '_'));
    }
    if let Some(rest) = digits.strip_prefix("0x") {
        return radix_number(rest, 16, |digit| digit.is_ascii_hexdigit() || digit == '_');
    }
    if digits.starts_with('0') {
        return radix_number(digits, 8, |digit| matches!(digit, '0'..='7' | '_'));
    }
    // An underscore may not be the first character.
    if digits.starts_with('_') {
        return None;
    }
    radix_number(digits, 10, |digit| digit.is_ascii_digit() || digit == '_')
}

fn radix_number(digits: &str, radix: u32, is_allowed: impl Fn(char) -> bool) -> Option<f64> {
    if digits.is_empty() || !digits.chars().all(is_allowed) {
        return None;
    }
    Some(
        digits
            .chars()
            .filter_map(|digit| digit.to_digit(radix))
            .fold(0.0, |sum, digit| sum * f64::from(radix) + f64::from(digit)),
    )
}

/// `1:30` is 90: base 60, in YAML 1.1 only.
fn sexagesimal(digits: &str) -> Option<f64> {
    let mut parts = digits.split(':');
    let first = parts
        .next()
        .filter(|part| part.starts_with(|c: char| c.is_ascii_digit()))?;
    let mut sum = radix_number(first, 10, |digit| digit.is_ascii_digit() || digit == '_')?;
    let rest: Vec<&str> = parts.collect();
    for (index, part) in rest.iter().enumerate() {
        let is_last = index + 1 == rest.len();
        let (whole, fraction) = if is_last {
            part.split_once('.').unwrap_or((part, ""))
        } else {
            (*part, "")
        };
        let is_sixtieth = matches!(whole.as_bytes(), [b'0'..=b'9'] | [b'0'..=b'5', b'0'..=b'9']);
        if !is_sixtieth
            || !fraction
                .chars()
                .all(|digit| digit.is_ascii_digit() || digit == '_')
        {
            return None;
        }
        let part = format!("{whole}.{}0", fraction.replace('_', ""));
        sum = sum * 60.0 + part.parse::<f64>().ok()?;
    }
    (!rest.is_empty()).then_some(sum)
}

fn float_1_1(plain: &str, digits: &str) -> Option<f64> {
    let (mantissa, exponent) = match digits.find(['e', 'E']) {
        Some(at) => (&digits[..at], Some(&digits[at + 1..])),
        None => (digits, None),
    };
    // PyYAML requires a point and a sign in the exponent, and refuses a sign before a leading point.
    let (whole, fraction) = mantissa.split_once('.')?;
    let are_digits = |part: &str| {
        part.chars()
            .all(|digit| digit.is_ascii_digit() || digit == '_')
    };
    let starts_well = if whole.is_empty() {
        plain.starts_with('.') && fraction.starts_with(|c: char| c.is_ascii_digit())
    } else {
        whole.starts_with(|c: char| c.is_ascii_digit())
    };
    let exponent_is_fine = exponent.is_none_or(|exponent| {
        let (_, digits) = unsigned(exponent);
        digits.len() < exponent.len()
            && !digits.is_empty()
            && digits.chars().all(|digit| digit.is_ascii_digit())
    });
    if !(starts_well && are_digits(whole) && are_digits(fraction) && exponent_is_fine) {
        return None;
    }
    digits.replace('_', "").parse().ok()
}

/// `2024-01-31`, also with a time after it.
fn is_date(plain: &str) -> bool {
    let (date, time) = match plain.find(['T', 't', ' ', '\t']) {
        Some(at) => (&plain[..at], Some(&plain[at + 1..])),
        None => (plain, None),
    };
    let parts: Vec<&str> = date.split('-').collect();
    let [year, month, day] = parts.as_slice() else {
        return false;
    };
    let are_digits = |part: &str| part.chars().all(|digit| digit.is_ascii_digit());
    let lengths_are_fine = match time {
        None => (month.len(), day.len()) == (2, 2),
        Some(time) => {
            let time = time.trim_start();
            (1..=2).contains(&month.len())
                && (1..=2).contains(&day.len())
                && time.starts_with(|c: char| c.is_ascii_digit())
                && time
                    .chars()
                    .all(|c| c.is_ascii_digit() || matches!(c, ':' | '.' | '+' | '-' | ' ' | 'Z'))
        }
    };
    year.len() == 4 && lengths_are_fine && are_digits(year) && are_digits(month) && are_digits(day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scalars_with_two_meanings_are_recognised() {
        for (plain, old, new) in [
            ("1:30", Meaning::Number(90.0), Meaning::Text),
            ("1:30.5", Meaning::Number(90.5), Meaning::Text),
            ("no", Meaning::Boolean(false), Meaning::Text),
            ("On", Meaning::Boolean(true), Meaning::Text),
            ("010", Meaning::Number(8.0), Meaning::Number(10.0)),
            ("08", Meaning::Text, Meaning::Number(8.0)),
            ("0o17", Meaning::Text, Meaning::Number(15.0)),
            ("0b11", Meaning::Number(3.0), Meaning::Text),
            ("1_000", Meaning::Number(1000.0), Meaning::Text),
            ("1_0.5", Meaning::Number(10.5), Meaning::Text),
            ("1e3", Meaning::Text, Meaning::Number(1000.0)),
            ("1.0e3", Meaning::Text, Meaning::Number(1000.0)),
            ("+.5", Meaning::Text, Meaning::Number(0.5)),
            ("+0x1F", Meaning::Number(31.0), Meaning::Text),
            ("2024-01-31", Meaning::Date, Meaning::Text),
            ("2024-1-3 10:00:00", Meaning::Date, Meaning::Text),
        ] {
            assert_eq!(ambiguity(plain), Some((old, new)), "{plain}");
        }
    }

    #[test]
    fn scalars_with_the_same_meaning_in_both_versions_are_not_ambiguous() {
        for plain in [
            "",
            "~",
            "null",
            "true",
            "60",
            "+5",
            "-5",
            "0",
            "00",
            "0x1F",
            ".5",
            "10.",
            "10.0",
            "1.0e+3",
            "010.5",
            ".inf",
            "-.inf",
            ".nan",
            "::1",
            "2001:db8::1",
            "fe80::1%eth0",
            "1.1.1.1",
            "0.0.0.0",
            "Google DNS",
            "inf",
            "infinity",
            "nan",
            "e5",
            "-",
            "_",
            "1:60",
            "1:",
            "2024-01",
            "a:1",
            "1-2-3",
            "+",
            "0x",
            "1.2.3",
        ] {
            assert_eq!(ambiguity(plain), None, "{plain}");
        }
    }
}
