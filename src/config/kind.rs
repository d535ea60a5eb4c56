//! What the value of a key may be. Each kind parses a node, and says what is wrong with one that it
//! cannot use.

use std::fmt;
use std::time::Duration;

use super::problem::shorten;
use super::scalar::{Meaning, ambiguity, number_text};
use super::yaml::{Content, Node, ScalarStyle};
use crate::pure::phrase::is_unprintable;

pub(super) trait Parse {
    type Value;

    /// The value of a node; otherwise what is wrong with it.
    fn parse(&self, node: &Node) -> Result<Self::Value, String>;
}

pub(super) trait Format: Parse {
    /// A value as the file writes it, for a message that names a default.
    fn format(&self, value: &Self::Value) -> String;
}

/// A number within a range.
#[derive(Clone, Copy)]
pub(super) struct Range {
    min: f64,
    max: f64,
    /// Whether `min` itself is not allowed.
    is_open: bool,
    is_whole: bool,
    unit: &'static str,
}

impl Range {
    pub const fn new(min: f64, max: f64) -> Range {
        Range {
            min,
            max,
            is_open: false,
            is_whole: false,
            unit: "",
        }
    }

    pub const fn above(min: f64, max: f64) -> Range {
        Range {
            is_open: true,
            ..Range::new(min, max)
        }
    }

    pub const fn of(self, unit: &'static str) -> Range {
        Range { unit, ..self }
    }

    pub const fn seconds(self) -> Time {
        Time {
            range: self.of("seconds"),
            unit_seconds: 1.0,
        }
    }

    pub const fn minutes(self) -> Time {
        Time {
            range: self.of("minutes"),
            unit_seconds: 60.0,
        }
    }

    pub const fn days(self) -> Time {
        Time {
            range: self.of("days"),
            unit_seconds: 86_400.0,
        }
    }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_whole {
            f.write_str("a whole number, ")?;
        }
        let (min, max) = (number_text(self.min), number_text(self.max));
        if self.is_open {
            write!(f, "more than {min}, up to {max}")?;
        } else {
            write!(f, "{min} to {max}")?;
        }
        if self.unit.is_empty() {
            Ok(())
        } else {
            write!(f, " {}", self.unit)
        }
    }
}

impl Parse for Range {
    type Value = f64;

    fn parse(&self, node: &Node) -> Result<f64, String> {
        let wrong = match parse_number(node) {
            Ok(value) if value.is_nan() => format!("{} is not a number", describe(node)),
            Ok(value) if self.is_whole && value.is_finite() && value.fract() != 0.0 => {
                format!("{} is not whole", describe(node))
            }
            Ok(value) if value < self.min || self.is_open && value == self.min => {
                format!("{} is too small", describe(node))
            }
            Ok(value) if value > self.max => format!("{} is too large", describe(node)),
            Ok(value) => return Ok(value),
            Err(wrong) => wrong,
        };
        Err(format!("{wrong} (allowed: {self})"))
    }
}

impl Format for Range {
    fn format(&self, value: &f64) -> String {
        value.to_string()
    }
}

fn parse_number(node: &Node) -> Result<f64, String> {
    if let ScalarStyle::Plain(plain) = &node.style
        && let Some((old, new)) = ambiguity(plain)
    {
        let numbers: Vec<String> = [old, new].iter().filter_map(finite).collect();
        let hint = if numbers.is_empty() {
            "a plain number".to_owned()
        } else {
            numbers.join(" or ")
        };
        return Err(format!(
            "{} is {old} in YAML 1.1 and {new} in YAML 1.2, write {hint}",
            shorten(plain)
        ));
    }
    match &node.content {
        Content::Number(value) => Ok(*value),
        Content::Null => Err("has no value".into()),
        Content::Text(text)
            if text.trim().parse::<f64>().is_ok_and(f64::is_finite)
                && node.style == ScalarStyle::Quoted =>
        {
            Err(format!("{} is text, remove the quotes", describe(node)))
        }
        _ => Err(format!("{} is not a number", describe(node))),
    }
}

fn finite(meaning: &Meaning) -> Option<String> {
    match meaning {
        Meaning::Number(value) if value.is_finite() => Some(number_text(*value)),
        _ => None,
    }
}

/// A whole number within a range.
pub(super) struct Whole(Range);

impl Whole {
    pub const fn new(min: u16, max: u16) -> Whole {
        Whole(Range {
            is_whole: true,
            ..Range::new(min as f64, max as f64)
        })
    }

    pub const fn of(self, unit: &'static str) -> Whole {
        Whole(self.0.of(unit))
    }
}

impl Parse for Whole {
    type Value = u16;

    fn parse(&self, node: &Node) -> Result<u16, String> {
        let value = self.0.parse(node)?;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "the bounds are u16"
        )]
        Ok(value as u16)
    }
}

impl Format for Whole {
    fn format(&self, value: &u16) -> String {
        value.to_string()
    }
}

/// A length of time within a range.
pub(super) struct Time {
    range: Range,
    unit_seconds: f64,
}

impl Parse for Time {
    type Value = Duration;

    fn parse(&self, node: &Node) -> Result<Duration, String> {
        let value = self.range.parse(node)?;
        Ok(Duration::from_secs_f64(value * self.unit_seconds))
    }
}

impl Format for Time {
    fn format(&self, value: &Duration) -> String {
        (value.as_secs_f64() / self.unit_seconds).to_string()
    }
}

/// One of a few words, each with its meaning. Upper and lower case are the same.
pub(super) struct Choice<T: 'static>(pub &'static [(&'static str, T)]);

impl<T: Copy> Parse for Choice<T> {
    type Value = T;

    fn parse(&self, node: &Node) -> Result<T, String> {
        let words = || self.0.iter().map(|(word, _)| *word).collect::<Vec<_>>();
        let wrong = match parse_word(node) {
            Ok(text) => match self
                .0
                .iter()
                .find(|(word, _)| word.eq_ignore_ascii_case(&text))
            {
                Some((_, value)) => return Ok(*value),
                None => format!("{} is not known", describe(node)),
            },
            Err(wrong) => wrong,
        };
        Err(format!("{wrong} (allowed: {})", words().join(", ")))
    }
}

impl<T: Copy + PartialEq> Format for Choice<T> {
    fn format(&self, value: &T) -> String {
        let choice = self.0.iter().find(|(_, meaning)| meaning == value);
        choice.expect("every value has a word").0.to_owned()
    }
}

/// Text without invisible characters; a number counts as text.
pub(super) struct Text;

impl Parse for Text {
    type Value = String;

    fn parse(&self, node: &Node) -> Result<String, String> {
        if let ScalarStyle::Plain(plain) = &node.style
            && let Some((old, new)) = ambiguity(plain)
        {
            let plain = shorten(plain);
            return Err(format!(
                "{plain} is {old} in YAML 1.1 and {new} in YAML 1.2, write \"{plain}\" with quotes"
            ));
        }
        if let Content::Boolean(value) = &node.content {
            return Err(format!(
                "{value} is not text, write \"{value}\" with quotes"
            ));
        }
        let text = parse_word(node)?;
        if text.trim().is_empty() {
            Err("is empty".into())
        } else if let Some(character) = text.chars().find(|c| is_unprintable(*c)) {
            let code = u32::from(character);
            Err(format!(
                "\"{}\" has the invisible character U+{code:04X}, delete it",
                shorten(&text)
            ))
        } else {
            Ok(text)
        }
    }
}

impl Format for Text {
    fn format(&self, value: &String) -> String {
        value.clone()
    }
}

/// A text that a function parses, as it is written, whatever its meaning in YAML. The error of the
/// function says what is wrong with the text, as in "is not a path".
pub(super) struct Parsed<T>(pub fn(&str) -> Result<T, String>);

impl<T> Parse for Parsed<T> {
    type Value = T;

    fn parse(&self, node: &Node) -> Result<T, String> {
        let word = parse_word(node)?;
        (self.0)(&word).map_err(|wrong| format!("\"{}\" {wrong}", shorten(&word)))
    }
}

impl Format for Parsed<String> {
    fn format(&self, value: &String) -> String {
        value.clone()
    }
}

/// A list. In a message that something else is found, `what` names it and `detail` may follow.
pub(super) struct List {
    pub what: &'static str,
    pub detail: &'static str,
}

impl List {
    /// What is wrong with a node that is not a list.
    pub fn wrong(&self, node: &Node) -> String {
        let List { what, detail } = self;
        match &node.content {
            Content::Null => format!("has no value: {what} belongs here{detail}"),
            _ => format!("{} where {what} belongs{detail}", describe(node)),
        }
    }
}

/// A scalar as it is written, whatever its meaning in YAML: an address may look like a number.
pub(super) fn parse_word(node: &Node) -> Result<String, String> {
    match (&node.content, &node.style) {
        (Content::Text(text), _) => Ok(text.clone()),
        (Content::Null, _) => Err("has no value".into()),
        (Content::Number(_) | Content::Boolean(_), ScalarStyle::Plain(plain)) => Ok(plain.clone()),
        (Content::Number(value), _) => Ok(number_text(*value)),
        (Content::Boolean(value), _) => Ok(value.to_string()),
        (Content::List(_) | Content::Mapping(_) | Content::Tagged(_), _) => {
            Err(format!("{} where text belongs", describe(node)))
        }
    }
}

/// A node for a message.
pub(super) fn describe(node: &Node) -> String {
    match (&node.content, &node.style) {
        (Content::Text(text), _) => format!("\"{}\"", shorten(text)),
        (Content::Null, _) => "nothing".into(),
        (Content::Number(_) | Content::Boolean(_), ScalarStyle::Plain(plain)) => shorten(plain),
        (Content::Number(value), _) => number_text(*value),
        (Content::Boolean(value), _) => value.to_string(),
        (Content::List(_), _) => "a list".into(),
        (Content::Mapping(_), _) => "a section".into(),
        (Content::Tagged(tag), _) => format!("a value with the tag {}", shorten(tag)),
    }
}
