//! The problems of a configuration: each with its place, and displayed as one message.

use crate::pure::phrase::is_unprintable;
use std::fmt;
use std::sync::Arc;

use super::key::SectionKeys;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProblemKind {
    /// The bytes are not text.
    Unreadable,
    /// The text is not YAML with sections.
    Syntax,
    UnknownKey,
    /// A key whose value cannot be used.
    Value,
    /// The file has no list of hosts, so the built-in ones are used: an error only with `--strict`
    /// and at a reload.
    NoHosts,
    /// Another file, which a key names, is not as it must be. It may be repaired while the monitor
    /// runs, so that this is an error for `check-config` only.
    File,
    /// The file is right, but has an effect that the user should know.
    Note,
}

/// Displayed as `config.yaml:12: hosts[2].address: "8.8.8" is …`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    pub kind: ProblemKind,
    /// The file, as the caller named it.
    pub file: Arc<str>,
    /// Counted from 1; `None` where it is not known.
    pub line: Option<usize>,
    /// The path of the key, hosts counted from 0; empty for the whole file.
    pub key: String,
    /// The value, what is wrong with it, what is allowed and what is used instead.
    pub text: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        if !self.key.is_empty() {
            write!(f, ": {}", self.key)?;
        }
        write!(f, ": {}", self.text)
    }
}

/// Collects the problems of one file.
pub(super) struct Problems {
    file: Arc<str>,
    /// The sections of the file, for hints: an unknown key may belong to another section.
    pub sections: &'static [SectionKeys],
    pub found: Vec<Problem>,
    /// Whether the files that keys name are looked at.
    pub checks_files: bool,
    /// How many are not in the list, and of which kind.
    omitted: Option<(usize, ProblemKind)>,
}

/// Nobody reads more.
const MAX_PROBLEMS: usize = 1000;

impl Problems {
    pub fn new(file: &str, sections: &'static [SectionKeys]) -> Self {
        Problems {
            file: file.into(),
            sections,
            found: Vec::new(),
            checks_files: false,
            omitted: None,
        }
    }

    /// Whether the text of another problem is not needed.
    pub fn is_full(&self) -> bool {
        self.found.len() >= MAX_PROBLEMS
    }

    pub fn add(&mut self, kind: ProblemKind, line: Option<usize>, key: String, text: String) {
        if self.is_full() {
            let (count, of_all) = self.omitted.unwrap_or((0, kind));
            let is_graver = kind == ProblemKind::Value;
            self.omitted = Some((count + 1, if is_graver { kind } else { of_all }));
            return;
        }
        self.found.push(Problem {
            kind,
            file: self.file.clone(),
            line,
            key,
            text,
        });
    }

    /// All problems; the last says how many more there are.
    pub fn finish(mut self) -> Vec<Problem> {
        if let Some((count, kind)) = self.omitted {
            self.found.push(Problem {
                kind,
                file: self.file,
                line: None,
                key: String::new(),
                text: format!("{count} more of them are not listed"),
            });
        }
        self.found
    }

    /// Adds the problem for which nothing of the file can be used.
    pub fn reject_file(&mut self, kind: ProblemKind, line: Option<usize>, wrong: &str) {
        let text = format!("{wrong}; default configuration used");
        self.add(kind, line, String::new(), text);
    }
}

/// A value of the file for a message: control characters escaped, at most 60 characters.
pub(super) fn shorten(value: &str) -> String {
    const MAX_CHARACTERS: usize = 60;
    let mut shown = String::new();
    for (index, character) in value.chars().enumerate() {
        if index == MAX_CHARACTERS {
            shown.push('…');
            break;
        }
        if is_unprintable(character) {
            shown.extend(character.escape_default());
        } else {
            shown.push(character);
        }
    }
    shown
}
