//! The section `database`.

use std::path::PathBuf;
use std::time::Duration;

use super::key::{Key, SectionKeys};
use super::kind::{Range, Text, Time};
use super::problem::Problems;
use super::section::Section;

const DAY_SECONDS: u64 = 86_400;

const PATH: Key<Text, &str> = Key {
    name: "path",
    kind: Text,
    default: "connection_logs.db",
};
const RETENTION: Key<Time, Duration> = Key {
    name: "retention_days",
    kind: Range::above(0.0, 36_500.0).days(),
    default: Duration::from_secs(90 * DAY_SECONDS),
};
const ROLLUP_RETENTION: Key<Time, Duration> = Key {
    name: "rollup_retention_days",
    kind: Range::above(0.0, 36_500.0).days(),
    default: Duration::from_secs(1825 * DAY_SECONDS),
};
const FLUSH: Key<Time, Duration> = Key {
    name: "flush_seconds",
    kind: Range::new(0.0, 3600.0).seconds(),
    default: Duration::from_secs(60),
};

pub(super) const KEYS: SectionKeys = SectionKeys {
    path: "database",
    keys: &[PATH.name, RETENTION.name, ROLLUP_RETENTION.name, FLUSH.name],
};

#[derive(Clone, Debug, PartialEq)]
pub struct DatabaseConfig {
    /// The SQLite file; a relative path is relative to the working directory.
    pub path: PathBuf,
    /// How long checks are kept.
    pub retention: Duration,
    /// How long the hourly roll-ups are kept.
    pub rollup_retention: Duration,
    /// How long a result may wait in memory.
    pub flush: Duration,
}

pub(super) fn read(problems: &mut Problems, section: &Section<'_>) -> DatabaseConfig {
    DatabaseConfig {
        path: PathBuf::from(section.value(problems, &PATH)),
        retention: section.value(problems, &RETENTION),
        rollup_retention: section.value(problems, &ROLLUP_RETENTION),
        flush: section.value(problems, &FLUSH),
    }
}
