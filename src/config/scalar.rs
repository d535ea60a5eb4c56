//! What a plain scalar means in YAML 1.1, as the original's PyYAML reads it, and in YAML 1.2's core
//! schema. A scalar that means two things is nobody's wish. YAML 1.1 types: yaml.org/type; YAML
//! 1.2.2, section 10.3.2.

use std::fmt;

/// What an unquoted scalar is taken for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Reading {
    /// Nothing.
    Null,
    /// A truth value.
    Boolean(bool),
    /// A number, whole or not.
    Number(f64),
    /// A date, which YAML 1.2 has none of.
    Date,
    /// Itself.
    Text,
}

impl fmt::Display for Reading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reading::Null => f.write_str("nothing"),
            Reading::Boolean(value) => write!(f, "{value}"),
            Reading::Number(value) => f.write_str(&number_text(*value)),
            Reading::Date => f.write_str("a date"),
            Reading::Text => f.write_str("text"),
        }
    }
}

/// A number as people write it, also when it is beyond reason.
pub(super) fn number_text(value: f64) -> String {
    if value == 0.0 || (1e-6..1e15).contains(&value.abs()) {
        format!("{value}")
    } else {
        format!("{value:e}")
    }
}

/// Both readings, 1.1 first, where they differ.
pub(super) fn ambiguity(plain: &str) -> Option<(Reading, Reading)> {
    let (old, new) = (yaml_1_1(plain), yaml_1_2(plain));
    let both_not_numbers = |old: Reading, new: Reading| matches!((old, new), (Reading::Number(old), Reading::Number(new)) if old.is_nan() && new.is_nan());
    (old != new && !both_not_numbers(old, new)).then_some((old, new))
}

fn yaml_1_1(plain: &str) -> Reading {
    match plain {
        "yes" | "Yes" | "YES" | "on" | "On" | "ON" => return Reading::Boolean(true),
        "no" | "No" | "NO" | "off" | "Off" | "OFF" => return Reading::Boolean(false),
        _ => {}
    }
    if let Some(reading) = common(plain) {
        return reading;
    }
    if is_date(plain) {
        return Reading::Date;
    }
    let (sign, digits) = unsigned(plain);
    whole_1_1(digits)
        .or_else(|| sexagesimal(digits))
        .or_else(|| float_1_1(plain, digits))
        .map_or(Reading::Text, |value| Reading::Number(sign * value))
}

fn yaml_1_2(plain: &str) -> Reading {
    if let Some(reading) = common(plain) {
        return reading;
    }
    let (sign, digits) = unsigned(plain);
    if plain.starts_with("0o") || plain.starts_with("0x") {
        let radix = if plain.starts_with("0o") { 8 } else { 16 };
        return radix_number(&plain[2..], radix, |digit| digit.is_digit(radix))
            .map_or(Reading::Text, Reading::Number);
    }
    // Rust's own parser takes more than YAML does: names of infinities, for one.
    let is_number = digits.starts_with(|c: char| c.is_ascii_digit() || c == '.')
        && digits
            .chars()
            .all(|c| c.is_ascii_digit() || matches!(c, '.' | 'e' | 'E' | '+' | '-'));
    let value = if is_number {
        digits.parse::<f64>().ok()
    } else {
        None
    };
    value.map_or(Reading::Text, |value| Reading::Number(sign * value))
}

/// What both versions agree on by the letter.
fn common(plain: &str) -> Option<Reading> {
    Some(match plain {
        "" | "~" | "null" | "Null" | "NULL" => Reading::Null,
        "true" | "True" | "TRUE" => Reading::Boolean(true),
        "false" | "False" | "FALSE" => Reading::Boolean(false),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => Reading::Number(f64::INFINITY),
        "-.inf" | "-.Inf" | "-.INF" => Reading::Number(f64::NEG_INFINITY),
        ".nan" | ".NaN" | ".NAN" => Reading::Number(f64::NAN),
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
    let starts_well = digits.starts_with(|digit: char| digit.is_ascii_digit());
    if starts_well {
        radix_number(digits, 10, |digit| digit.is_ascii_digit() || digit == '_')
    } else {
        None
    }
}

fn radix_number(digits: &str, radix: u32, admits: impl Fn(char) -> bool) -> Option<f64> {
    if digits.is_empty() || !digits.chars().all(admits) {
        return None;
    }
    Some(
        digits
            .chars()
            .filter_map(|digit| digit.to_digit(radix))
            .fold(0.0, |sum, digit| sum * f64::from(radix) + f64::from(digit)),
    )
}

/// `1:30` is ninety: YAML 1.1 counts in sixties.
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
    // PyYAML wants a point, wants a sign in the exponent, and takes no sign before a leading point.
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

/// `2024-01-31`, also with a time behind it.
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
    fn what_the_two_yamls_read_differently_is_known() {
        for (plain, old, new) in [
            ("1:30", Reading::Number(90.0), Reading::Text),
            ("1:30.5", Reading::Number(90.5), Reading::Text),
            ("no", Reading::Boolean(false), Reading::Text),
            ("On", Reading::Boolean(true), Reading::Text),
            ("010", Reading::Number(8.0), Reading::Number(10.0)),
            ("08", Reading::Text, Reading::Number(8.0)),
            ("0o17", Reading::Text, Reading::Number(15.0)),
            ("0b11", Reading::Number(3.0), Reading::Text),
            ("1_000", Reading::Number(1000.0), Reading::Text),
            ("1_0.5", Reading::Number(10.5), Reading::Text),
            ("1e3", Reading::Text, Reading::Number(1000.0)),
            ("1.0e3", Reading::Text, Reading::Number(1000.0)),
            ("+.5", Reading::Text, Reading::Number(0.5)),
            ("+0x1F", Reading::Number(31.0), Reading::Text),
            ("2024-01-31", Reading::Date, Reading::Text),
            ("2024-1-3 10:00:00", Reading::Date, Reading::Text),
        ] {
            assert_eq!(ambiguity(plain), Some((old, new)), "{plain}");
        }
    }

    #[test]
    fn what_the_two_yamls_agree_on_is_not_ambiguous() {
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
