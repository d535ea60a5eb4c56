//! One section of the file and its values, each read with the one message that its wrongness
//! deserves. Knows forms and ranges; what the keys mean is with check.rs, pace.rs and hosts.rs.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use super::keys;
use super::problem::{Problem, ProblemKind, is_unprintable, shorten};
use super::scalar::{Meaning, ambiguity, number_text};
use super::yaml::{Content, Node, ScalarStyle};

/// What a number must be.
#[derive(Clone, Copy, Debug)]
pub(super) struct Range {
    pub least: f64,
    pub most: f64,
    /// Whether `least` itself is too little.
    pub is_open: bool,
    pub is_whole: bool,
    pub unit: &'static str,
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole = if self.is_whole {
            "a whole number, "
        } else {
            ""
        };
        let (least, most) = (number_text(self.least), number_text(self.most));
        if self.is_open {
            write!(f, "{whole}more than {least}, up to {most}")?
        } else {
            write!(f, "{whole}{least} to {most}")?
        }
        if self.unit.is_empty() {
            Ok(())
        } else {
            write!(f, " {}", self.unit)
        }
    }
}

/// Keys with their last values. Empty when the section is absent or is no section.
#[derive(Default)]
pub(super) struct Section<'n> {
    pub path: String,
    pub line: Option<usize>,
    values: HashMap<Cow<'n, str>, Slot<'n>>,
}

struct Slot<'n> {
    node: &'n Node,
    lines: Vec<Option<usize>>,
}

impl<'n> Section<'n> {
    /// A section that the file does not have.
    pub fn absent(path: &str) -> Self {
        Section {
            path: path.to_owned(),
            ..Section::default()
        }
    }

    /// What stands behind a key, if the key is there.
    pub fn get(&self, key: &str) -> Option<&'n Node> {
        self.values.get(key).map(|slot| slot.node)
    }

    /// The line of a key, else that of the section.
    pub fn line_of(&self, key: &str) -> Option<usize> {
        self.get(key).map_or(self.line, |node| node.line)
    }

    /// The path of a key for a message.
    pub fn path_of(&self, key: &str) -> String {
        if self.path.is_empty() {
            key.to_owned()
        } else {
            format!("{}.{key}", self.path)
        }
    }
}

/// Gathers what is found.
pub(super) struct Checker {
    file: Arc<str>,
    pub problems: Vec<Problem>,
}

impl Checker {
    pub fn new(file: &str) -> Self {
        Checker {
            file: file.into(),
            problems: Vec::new(),
        }
    }

    /// Something wrong that is not about a value.
    pub fn problem(&mut self, kind: ProblemKind, line: Option<usize>, key: String, text: String) {
        self.problems.push(Problem {
            kind,
            file: self.file.clone(),
            line,
            key,
            text,
        });
    }

    /// Something worth knowing about a key.
    pub fn note(&mut self, section: &Section<'_>, key: &str, text: String) {
        let (line, key) = (section.line_of(key), section.path_of(key));
        self.problems.push(Problem {
            kind: ProblemKind::Note,
            file: self.file.clone(),
            line,
            key,
            text,
        });
    }

    /// A wrong value: `wrong` says the value and its fault, `used` what happens now.
    pub fn wrong(&mut self, section: &Section<'_>, key: &str, wrong: &str, used: &str) {
        self.problem(
            ProblemKind::Value,
            section.line_of(key),
            section.path_of(key),
            format!("{wrong}; {used}"),
        );
    }

    /// The keys of a node that should be a section. `used` says what happens when it is none.
    pub fn open<'n>(
        &mut self,
        node: &'n Node,
        path: String,
        known: &[&str],
        used: &str,
    ) -> Option<Section<'n>> {
        let Content::Mapping(entries) = &node.content else {
            let text = format!(
                "{} where a section with keys belongs; {used}",
                describe(node)
            );
            self.problem(ProblemKind::Value, node.line, path, text);
            return None;
        };
        let mut section = Section {
            path,
            line: node.line,
            values: HashMap::new(),
        };
        let mut merged = Vec::new();
        for (name, value) in entries {
            let name_text = key_text(name);
            if name_text == "<<" && name.style != ScalarStyle::Quoted {
                merged.push(value);
                continue;
            }
            let slot = section.values.entry(name_text).or_insert(Slot {
                node: value,
                lines: Vec::new(),
            });
            slot.node = value;
            slot.lines.push(name.line);
        }
        for value in merged {
            self.merge(&mut section, value);
        }
        self.judge_keys(&section, known);
        Some(section)
    }

    /// `<<: *other` and `<<: [*one, *other]`: what is there already stays.
    fn merge<'n>(&mut self, section: &mut Section<'n>, value: &'n Node) {
        let sources = match &value.content {
            Content::List(nodes) => nodes.as_slice(),
            _ => std::slice::from_ref(value),
        };
        for source in sources {
            let Content::Mapping(entries) = &source.content else {
                let text = format!(
                    "{} where a section to merge belongs; nothing merged",
                    describe(source)
                );
                self.problem(ProblemKind::Value, value.line, section.path_of("<<"), text);
                continue;
            };
            // The last of a source's own duplicates counts there as well.
            for (name, value) in entries.iter().rev() {
                section.values.entry(key_text(name)).or_insert(Slot {
                    node: value,
                    lines: vec![None],
                });
            }
        }
    }

    fn judge_keys(&mut self, section: &Section<'_>, known: &[&str]) {
        let mut found = Vec::new();
        for (key, slot) in &section.values {
            let line = slot.lines.last().copied().flatten();
            if !known.contains(&key.as_ref()) {
                let cure = match keys::nearest(key, known) {
                    Some(key) => format!("did you mean {key}?"),
                    None => format!("known here: {}", known.join(", ")),
                };
                found.push((
                    ProblemKind::UnknownKey,
                    line,
                    key,
                    format!("unknown key, {cure}; ignored"),
                ));
            }
            if slot.lines.len() > 1 {
                let lines: Vec<String> =
                    slot.lines.iter().flatten().map(usize::to_string).collect();
                let place = match lines.split_last() {
                    Some((last, rest)) if !rest.is_empty() => {
                        format!(", in lines {} and {last}", rest.join(", "))
                    }
                    _ => String::new(),
                };
                let text = format!(
                    "given {} times{place}; the last one counts",
                    slot.lines.len()
                );
                found.push((ProblemKind::Value, line, key, text));
            }
        }
        // A hash map has no order, a person reads from the top.
        found.sort_by(|a, b| (a.1, a.2).cmp(&(b.1, b.2)));
        for (kind, line, key, text) in found {
            self.problem(kind, line, section.path_of(&shorten(key)), text);
        }
    }

    /// The number behind a key; `None` when it is absent or wrong. `used` says what is used when it
    /// is wrong.
    pub fn number(
        &mut self,
        section: &Section<'_>,
        key: &str,
        range: &Range,
        used: &str,
    ) -> Option<f64> {
        let node = section.get(key)?;
        let wrong = match self.read_number(node) {
            Ok(value) if range.is_whole && value.is_finite() && value.fract() != 0.0 => {
                format!("{} is not whole", describe(node))
            }
            Ok(value) if value < range.least || range.is_open && value == range.least => {
                format!("{} is too little", describe(node))
            }
            Ok(value) if value > range.most => format!("{} is too much", describe(node)),
            Ok(value) if value.is_nan() => format!("{} is not a number", describe(node)),
            Ok(value) => return Some(value),
            Err(wrong) => wrong,
        };
        self.wrong(section, key, &format!("{wrong} (allowed: {range})"), used);
        None
    }

    fn read_number(&self, node: &Node) -> Result<f64, String> {
        if let ScalarStyle::Plain(plain) = &node.style
            && let Some((old, new)) = ambiguity(plain)
        {
            let meanings: Vec<String> = [old, new].iter().filter_map(finite).collect();
            let cure = if meanings.is_empty() {
                "a plain number".to_owned()
            } else {
                meanings.join(" or ")
            };
            return Err(format!(
                "{} is {old} in YAML 1.1 and {new} in YAML 1.2, write {cure}",
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

    /// A whole number that the caller's range keeps within 16 bits.
    pub fn whole(
        &mut self,
        section: &Section<'_>,
        key: &str,
        range: &Range,
        used: &str,
    ) -> Option<u16> {
        let value = self.number(section, key, range, used)?;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "the range is within 0 to 65535 and the number whole"
        )]
        Some(value as u16)
    }

    /// The text behind a key; numbers count as text. `None` when it is absent or wrong.
    pub fn text(&mut self, section: &Section<'_>, key: &str, used: &str) -> Option<String> {
        let node = section.get(key)?;
        let wrong = match &node.style {
            ScalarStyle::Plain(plain) => match ambiguity(plain) {
                Some((old, new)) => {
                    let plain = shorten(plain);
                    format!(
                        "{plain} is {old} in YAML 1.1 and {new} in YAML 1.2, write \"{plain}\" with quotes"
                    )
                }
                None => match self.read_text(node) {
                    Ok(text) => return Some(text),
                    Err(wrong) => wrong,
                },
            },
            _ => match self.read_text(node) {
                Ok(text) => return Some(text),
                Err(wrong) => wrong,
            },
        };
        self.wrong(section, key, &wrong, used);
        None
    }

    fn read_text(&self, node: &Node) -> Result<String, String> {
        match &node.content {
            Content::Boolean(value) => Err(format!(
                "{value} is not text, write \"{value}\" with quotes"
            )),
            _ => {
                let text = self.word(node)?;
                if text.trim().is_empty() {
                    Err("is empty".into())
                } else if text.contains(is_unprintable) {
                    Err(format!("\"{}\" has control characters", shorten(&text)))
                } else {
                    Ok(text)
                }
            }
        }
    }

    /// A scalar as it is spelt, whatever YAML takes it for: an address or one of a few words. Else
    /// what is wrong with it.
    pub fn word(&self, node: &Node) -> Result<String, String> {
        match (&node.content, &node.style) {
            (Content::Text(text), _) => Ok(text.clone()),
            (Content::Null, _) => Err("has no value".into()),
            (Content::Number(_) | Content::Boolean(_), ScalarStyle::Plain(plain)) => {
                Ok(plain.clone())
            }
            (Content::Number(value), _) => Ok(number_text(*value)),
            (Content::Boolean(value), _) => Ok(value.to_string()),
            (Content::List(_) | Content::Mapping(_) | Content::Tagged(_), _) => {
                Err(format!("{} where text belongs", describe(node)))
            }
        }
    }

    /// One of a few words behind a key, by its place among them. Capital letters do not matter.
    pub fn choice(
        &mut self,
        section: &Section<'_>,
        key: &str,
        words: &[&str],
        used: &str,
    ) -> Option<usize> {
        let node = section.get(key)?;
        let wrong = match self.word(node) {
            Ok(word) => match words
                .iter()
                .position(|known| known.eq_ignore_ascii_case(&word))
            {
                Some(index) => return Some(index),
                None => format!("{} is not known", describe(node)),
            },
            Err(wrong) => wrong,
        };
        self.wrong(
            section,
            key,
            &format!("{wrong} (allowed: {})", words.join(", ")),
            used,
        );
        None
    }
}

fn finite(meaning: &Meaning) -> Option<String> {
    match meaning {
        Meaning::Number(value) if value.is_finite() => Some(number_text(*value)),
        _ => None,
    }
}

/// A value for a message.
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

fn key_text(name: &Node) -> Cow<'_, str> {
    match (&name.content, &name.style) {
        (Content::Text(text), _) | (_, ScalarStyle::Plain(text)) => Cow::Borrowed(text),
        _ => Cow::Owned(describe(name)),
    }
}
