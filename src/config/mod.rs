//! What the daemon is told to do: hosts, intervals, paths. Owns the YAML and every message about
//! it; nothing else knows the file's form. The checked values are plain, so that the other floors
//! need not doubt them.

mod address;
mod check;
mod flow;
mod hosts;
mod keys;
mod lines;
mod pace;
mod problem;
mod scalar;
mod scanner;
mod section;
#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests;
mod yaml;

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::pure::incident;
use crate::pure::model::{AlertKind, AlertKinds, Host, Source, Thresholds};
use crate::pure::outage;

pub use problem::{Loaded, Problem, ProblemKind, ReadError};

/// The commented configuration that says what [`Config::default`] is.
pub const DEFAULT_TEXT: &str = include_str!("../../config.yaml");

/// The longest file that is read. Ten thousand hosts with every key need three.
const MAX_FILE_MIB: u64 = 16;

/// The configuration in a file, and everything that is wrong with it. An error when the file cannot
/// be read at all.
pub fn load(path: &Path) -> Result<Loaded, ReadError> {
    let failed = |cause| ReadError::Failed {
        path: path.to_path_buf(),
        cause,
    };
    let file = File::open(path).map_err(failed)?;
    if file.metadata().map_err(failed)?.is_dir() {
        return Err(ReadError::Directory {
            path: path.to_path_buf(),
        });
    }
    let limit = MAX_FILE_MIB * 1024 * 1024;
    let mut text = Vec::new();
    file.take(limit + 1)
        .read_to_end(&mut text)
        .map_err(failed)?;
    if text.len() as u64 > limit {
        return Err(ReadError::TooLong {
            path: path.to_path_buf(),
            limit_mib: MAX_FILE_MIB,
        });
    }
    Ok(parse(&text, &path.display().to_string()))
}

/// The configuration in a text, and everything that is wrong with it. A wrong value falls back to
/// its default; a text that cannot be understood as a whole falls back to [`Config::default`].
/// `file` is the name for the messages.
pub fn parse(text: &[u8], file: &str) -> Loaded {
    check::check_text(text, file)
}

/// The checked configuration. Every value is in its allowed range.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// The hosts with their own settings, in the order of the file; no two have the same address
    /// and family.
    pub hosts: Vec<HostConfig>,
    /// How a host that is not listed would be checked; of nobody.
    unlisted: HostConfig,
    /// `database:`.
    pub database: DatabaseConfig,
    /// `outages:`, as far as it says what one is.
    pub outages: outage::OutageRules,
    /// `outages:`, as far as it says which of them belong together.
    pub grouping: incident::GroupingRules,
    /// `outages.fast_interval_seconds`: from one ping to the next while a host is silent; `None`
    /// asks for none between checks.
    pub fast_interval: Option<Duration>,
    /// `alerts:`.
    pub alerts: AlertsConfig,
    /// `dashboard:`.
    pub dashboard: DashboardConfig,
    /// `logging:`.
    pub logging: LoggingConfig,
}

impl Default for Config {
    fn default() -> Self {
        check::default_config()
    }
}

impl Config {
    /// How a host that is not listed is checked: by the keys of `monitoring:`.
    pub fn plan_for(&self, host: Host) -> HostConfig {
        HostConfig {
            host: Arc::new(host),
            ..self.unlisted.clone()
        }
    }
}

/// How one host is checked: its own keys, where it has none those of `monitoring:`.
#[derive(Clone, Debug, PartialEq)]
pub struct HostConfig {
    /// Name, address and family.
    pub host: Arc<Host>,
    /// From one check to the next.
    pub interval: Duration,
    /// Pings a check.
    pub ping_count: u16,
    /// How long a ping waits for its reply.
    pub timeout: Duration,
    /// From one ping of a check to the next; already shortened so that a check fits its interval.
    pub spacing: Duration,
    /// Payload bytes a ping, after the eight of the ICMP header.
    pub payload_bytes: u16,
    /// Time to live (hop limit); `None` leaves it to the system.
    pub time_to_live: Option<u8>,
    /// From when on it is up, degraded, down.
    pub thresholds: Thresholds,
    /// What to send from; `None` leaves it to routing.
    pub source: Option<Source>,
    /// What part of the way to the internet the host stands for.
    pub role: Role,
}

/// What part of the way to the internet a host stands for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Role {
    /// The default gateway.
    Gateway,
    /// Somewhere beyond the provider.
    #[default]
    Internet,
    /// A name server.
    Dns,
    /// Anything else.
    Other,
}

impl Role {
    /// The word of the configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Role::Gateway => "gateway",
            Role::Internet => "internet",
            Role::Dns => "dns",
            Role::Other => "other",
        }
    }
}

/// `database:`.
#[derive(Clone, Debug, PartialEq)]
pub struct DatabaseConfig {
    /// The SQLite file; a relative path is relative to the working directory.
    pub path: PathBuf,
    /// How long checks are kept.
    pub retention: Duration,
    /// How long the hourly roll-ups are kept.
    pub rollup_retention: Duration,
    /// At most this long a result waits in memory.
    pub flush: Duration,
}

/// `alerts:`.
#[derive(Clone, Debug, PartialEq)]
pub struct AlertsConfig {
    /// The program and its arguments; empty when nobody is to be told.
    pub command: Vec<String>,
    /// What is told.
    pub events: Vec<AlertKind>,
    /// How long the command may run.
    pub timeout: Duration,
    /// How many notices an hour at most.
    pub most_per_hour: u16,
}

impl AlertsConfig {
    /// What is to be told: nothing where there is nobody to tell.
    pub fn kinds(&self) -> AlertKinds {
        if self.command.is_empty() {
            AlertKinds::default()
        } else {
            self.events.iter().copied().collect()
        }
    }
}

/// `dashboard:`.
#[derive(Clone, Debug, PartialEq)]
pub struct DashboardConfig {
    /// TCP port.
    pub port: u16,
    /// An address or a name to bind; `localhost` means 127.0.0.1 and ::1.
    pub host: String,
    /// Path prefix behind a proxy: empty, or `/` and more without a `/` at its end.
    pub base_path: String,
    /// Further Host headers that are answered.
    pub allowed_hosts: Vec<String>,
}

/// `logging:`.
#[derive(Clone, Debug, PartialEq)]
pub struct LoggingConfig {
    /// What is worth a line.
    pub level: log::LevelFilter,
    /// Where lines go instead of standard error.
    pub file: Option<PathBuf>,
}
