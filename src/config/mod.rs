//! What the daemon is told to do: hosts, intervals, paths. Owns the YAML and every message about it; nothing else knows
//! the file's form. The checked values are plain, so that the other floors need not doubt them.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::model::Host;

/// The checked configuration. Every value is in its allowed range.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// The hosts with their own settings, in the order of the file; no two have the same address and family.
    pub hosts: Vec<HostPlan>,
    /// `database:`.
    pub database: DatabaseConfig,
    /// `dashboard:`.
    pub dashboard: DashboardConfig,
    /// `logging:`.
    pub logging: LoggingConfig,
}

/// How one host is checked: its own keys, where it has none those of `monitoring:`.
#[derive(Clone, Debug, PartialEq)]
pub struct HostPlan {
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
    /// What to send from; `None` leaves it to routing.
    pub source: Option<Source>,
    /// What part of the way to the internet the host stands for.
    pub role: Role,
}

/// What a host's pings are sent from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// One of this machine's addresses.
    Address(std::net::IpAddr),
    /// One of this machine's interfaces.
    Interface(String),
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
