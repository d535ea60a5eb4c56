//! What is said about a configuration: problems with their place, and why a file could not be read.
//! Owns the form of the messages; what is wrong is found elsewhere.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use super::Config;

/// A configuration as far as it could be understood, and what was wrong with it.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// Usable in any case: defaults stand where the file was wrong.
    pub config: Config,
    /// In the order in which they were found.
    pub problems: Vec<Problem>,
}

impl Loaded {
    /// The problems without the notes.
    pub fn errors(&self) -> impl Iterator<Item = &Problem> {
        self.problems.iter().filter(|problem| !problem.is_note())
    }

    /// Whether nothing of the text could be used, so that the whole configuration is the default.
    pub fn is_unusable(&self) -> bool {
        self.problems
            .iter()
            .any(|problem| matches!(problem.kind, ProblemKind::Unreadable | ProblemKind::Syntax))
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProblemKind {
    /// The bytes are not text.
    Unreadable,
    /// The text is not YAML with sections.
    Syntax,
    UnknownKey,
    /// A key whose value cannot be used.
    Value,
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

impl Problem {
    /// Whether nothing is wrong: the file has an effect that the user should know.
    pub fn is_note(&self) -> bool {
        self.kind == ProblemKind::Note
    }
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

/// Why a file could not be read.
#[derive(Debug)]
pub enum ReadError {
    /// It is not there, or may not be read, or the disk failed.
    Failed {
        /// The file.
        path: PathBuf,
        /// What the system said.
        cause: io::Error,
    },
    /// It is a directory.
    Directory {
        /// The directory.
        path: PathBuf,
    },
    /// It is so long that it cannot be meant.
    TooLong {
        /// The file.
        path: PathBuf,
        /// The longest that is read, in MiB.
        limit_mib: u64,
    },
}

impl ReadError {
    /// Whether there is no such file.
    pub fn is_not_found(&self) -> bool {
        matches!(self, ReadError::Failed { cause, .. } if cause.kind() == io::ErrorKind::NotFound)
    }
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ReadError::Failed { path, cause } => write!(f, "{}: {cause}", path.display()),
            ReadError::Directory { path } => {
                write!(f, "{}: is a directory, not a file", path.display())
            }
            ReadError::TooLong { path, limit_mib } => {
                write!(f, "{}: is longer than {limit_mib} MiB", path.display())
            }
        }
    }
}

impl std::error::Error for ReadError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            ReadError::Failed { cause, .. } => Some(cause),
            ReadError::Directory { .. } | ReadError::TooLong { .. } => None,
        }
    }
}

/// A value of the file as a message shows it: control characters escaped, at most 60 characters.
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

/// Control characters, and those that reorder or hide the text around them: in a name they would
/// forge log lines.
pub(super) fn is_unprintable(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}
