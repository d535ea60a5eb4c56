//! The section `logging`.

use std::path::PathBuf;

use log::LevelFilter;

use super::key::{Key, SectionKeys, Without};
use super::kind::{Choice, Text};
use super::problem::Problems;
use super::section::Section;

const LEVEL: Key<Choice<LevelFilter>, LevelFilter> = Key {
    name: "level",
    kind: Choice(&[
        ("error", LevelFilter::Error),
        ("warn", LevelFilter::Warn),
        ("info", LevelFilter::Info),
        ("debug", LevelFilter::Debug),
    ]),
    default: LevelFilter::Info,
};
const FILE: Key<Text, Without> = Key {
    name: "file",
    kind: Text,
    default: Without("standard error used"),
};

pub(super) const KEYS: SectionKeys = SectionKeys {
    path: "logging",
    keys: &[LEVEL.name, FILE.name],
};

#[derive(Clone, Debug, PartialEq)]
pub struct LoggingConfig {
    pub level: LevelFilter,
    /// The log file; `None` for standard error.
    pub file: Option<PathBuf>,
}

pub(super) fn read(problems: &mut Problems, section: &Section<'_>) -> LoggingConfig {
    LoggingConfig {
        level: section.value(problems, &LEVEL),
        file: section.optional(problems, &FILE).map(PathBuf::from),
    }
}
