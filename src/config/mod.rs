//! The configuration: reads the YAML file, checks it, and reports every problem with its line. Only
//! this module knows the form of the file; the values of a [`Config`] are in their allowed ranges.

mod address;
mod alerts;
mod dashboard;
mod database;
mod document;
mod file;
mod flow;
mod hosts;
mod key;
mod kind;
mod lines;
mod logging;
mod monitoring;
mod nearest;
mod outages;
mod problem;
mod push;
mod push_files;
mod scalar;
mod scanner;
mod section;
#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests;
mod yaml;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::pure::incident::GroupingRules;
use crate::pure::model::Host;
use crate::pure::outage::OutageRules;
use key::SectionKeys;
use problem::Problems;
use section::Section;
use yaml::Content;

pub use address::address_hint;
pub use alerts::AlertsConfig;
pub use dashboard::DashboardConfig;
pub use database::DatabaseConfig;
pub use file::ReadError;
pub use hosts::{HostConfig, Role};
pub use logging::LoggingConfig;
pub use problem::{Problem, ProblemKind};
pub use push::{PushConfig, PushFormat, PushUrl, PushWay};
pub use push_files::read_token;

/// The commented file with the values of [`Config::default`].
pub const DEFAULT_TEXT: &str = include_str!("../../config.yaml");

const SECTIONS: &[SectionKeys] = &[
    monitoring::KEYS,
    hosts::KEYS,
    database::KEYS,
    outages::KEYS,
    alerts::KEYS,
    push::KEYS,
    dashboard::KEYS,
    logging::KEYS,
];

fn section_names() -> Vec<&'static str> {
    SECTIONS.iter().map(SectionKeys::name).collect()
}

#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// The file it was read from; `None` for the built-in defaults.
    pub file: Option<PathBuf>,
    /// In the order of the file; no two have the same address, family and source.
    pub hosts: Vec<HostConfig>,
    /// The settings of a host that is not in the list; its name and address are empty.
    pub unlisted: HostConfig,
    pub database: DatabaseConfig,
    pub outages: OutageRules,
    pub grouping: GroupingRules,
    /// The time between two pings while a host is silent; `None` for no pings between checks.
    pub fast_interval: Option<Duration>,
    pub alerts: AlertsConfig,
    /// `None` where nothing is sent.
    pub push: Option<PushConfig>,
    pub dashboard: DashboardConfig,
    pub logging: LoggingConfig,
}

impl Default for Config {
    /// The configuration of an empty file.
    fn default() -> Self {
        let names = section_names();
        let root = Section::absent("", &names);
        read_sections(&mut Problems::new("", SECTIONS), &root)
    }
}

impl Config {
    /// The settings of `monitoring` for a host that is not in the list.
    pub fn unlisted_host(&self, host: Host) -> HostConfig {
        HostConfig {
            host: Arc::new(host),
            ..self.unlisted.clone()
        }
    }
}

/// A configuration and the problems of its file.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// Usable in any case: has defaults where the file is wrong.
    pub config: Config,
    /// In the order in which they were found.
    pub problems: Vec<Problem>,
}

impl Loaded {
    /// The problems that `--strict` refuses: without those of other files.
    pub fn refused_by_strict(&self) -> impl Iterator<Item = &Problem> {
        self.errors(true)
            .filter(|problem| problem.kind != ProblemKind::File)
    }

    /// The problems without the notes. A file without hosts is an error where `is_strict`.
    pub fn errors(&self, is_strict: bool) -> impl Iterator<Item = &Problem> {
        self.problems
            .iter()
            .filter(move |problem| match problem.kind {
                ProblemKind::Note => false,
                ProblemKind::NoHosts => is_strict,
                _ => true,
            })
    }
}

/// Reads the configuration from a file.
pub fn load(path: &Path) -> Result<Loaded, ReadError> {
    let bytes = file::read(path)?;
    let mut loaded = parse_and_check(&bytes, &path.display().to_string(), true);
    // The working directory of a reader of the page is another one.
    loaded.config.file = Some(std::path::absolute(path).unwrap_or_else(|_| path.into()));
    Ok(loaded)
}

/// Reads the configuration from the bytes of a file; messages name it `file`. A wrong value falls
/// back to its default, a file that is not YAML to [`Config::default`].
pub fn parse(bytes: &[u8], file: &str) -> Loaded {
    parse_and_check(bytes, file, false)
}

fn parse_and_check(bytes: &[u8], file: &str, checks_files: bool) -> Loaded {
    let mut problems = Problems::new(file, SECTIONS);
    problems.checks_files = checks_files;
    let config = read_document(&mut problems, bytes).unwrap_or_default();
    Loaded {
        config,
        problems: problems.finish(),
    }
}

fn read_document(problems: &mut Problems, bytes: &[u8]) -> Option<Config> {
    let node = document::read(problems, bytes)?;
    let names = section_names();
    match &node.content {
        Content::Null => Some(read_sections(problems, &Section::absent("", &names))),
        Content::Mapping(_) => {
            let root = Section::open(problems, &node, "", &names, "")?;
            Some(read_sections(problems, &root))
        }
        _ => {
            let wrong = format!(
                "{} where the sections belong ({})",
                kind::describe(&node),
                names.join(", ")
            );
            problems.reject_file(ProblemKind::Syntax, None, &wrong);
            None
        }
    }
}

fn read_sections(problems: &mut Problems, root: &Section<'_>) -> Config {
    let section = open(problems, root, &monitoring::KEYS);
    let monitoring = monitoring::read(problems, &section);
    let hosts = hosts::read(problems, root, &monitoring);
    let section = open(problems, root, &database::KEYS);
    let database = database::read(problems, &section);
    let section = open(problems, root, &outages::KEYS);
    let outages = outages::read_rules(problems, &section);
    let fast_interval = outages::read_fast_interval(problems, &section);
    let grouping = outages::read_grouping(problems, &section);
    let section = open(problems, root, &alerts::KEYS);
    let alerts = alerts::read(problems, &section);
    let section = open(problems, root, &push::KEYS);
    let push = push::read(problems, &section);
    let section = open(problems, root, &dashboard::KEYS);
    let dashboard = dashboard::read(problems, &section);
    let section = open(problems, root, &logging::KEYS);
    let logging = logging::read(problems, &section);
    Config {
        file: None,
        hosts,
        unlisted: hosts::unlisted(Host::unlisted(""), &monitoring),
        database,
        outages,
        grouping,
        fast_interval,
        alerts,
        push,
        dashboard,
        logging,
    }
}

/// A section of the root; absent if the file does not have it or it is not a mapping.
fn open<'n>(problems: &mut Problems, root: &Section<'n>, section: &SectionKeys) -> Section<'n> {
    let name = section.name();
    root.get(name)
        .and_then(|node| Section::open(problems, node, name, section.keys, "its defaults used"))
        .unwrap_or_else(|| Section::absent(name, section.keys))
}
