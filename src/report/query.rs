//! The parameters of a report, and why one may be impossible.

use std::ops::Range;
use std::time::Duration;

use super::figures::Appendix;
use crate::config::{Config, HostConfig};
use crate::pure::incident::GroupingRules;
use crate::pure::outage::OutageRules;
use crate::pure::time::UtcMillis;
use crate::store::StoreError;

#[derive(Clone, Debug)]
pub struct ReportQuery<'a> {
    /// Ends now at the latest.
    pub span: Range<UtcMillis>,
    pub now: UtcMillis,
    /// A host's name or address; `None` for all hosts.
    pub only: Option<&'a str>,
    pub settings: &'a ReportSettings,
    /// The machine's time zone: seconds east of UTC at a time in Unix seconds.
    pub offset_at: fn(i64) -> i64,
    pub appendix: Appendix,
}

/// The part of the configuration that a report depends on.
#[derive(Clone, Debug)]
pub struct ReportSettings {
    pub hosts: Vec<HostConfig>,
    /// How a host that is not configured would be checked.
    pub unlisted: HostConfig,
    pub grouping: GroupingRules,
    pub rules: OutageRules,
    /// Between two probes of a silent host.
    pub fast_interval: Option<Duration>,
}

impl ReportSettings {
    pub fn of(config: &Config) -> ReportSettings {
        ReportSettings {
            hosts: config.hosts.clone(),
            unlisted: config.unlisted.clone(),
            grouping: config.grouping,
            rules: config.outages,
            fast_interval: config.fast_interval,
        }
    }
}

#[derive(Debug)]
pub enum ReportError {
    Store(StoreError),
    /// No host of that name or address was ever recorded, and none is configured.
    UnknownHost {
        requested: String,
        /// Names of the hosts that are known.
        known: Vec<String>,
    },
}

impl From<StoreError> for ReportError {
    fn from(error: StoreError) -> Self {
        ReportError::Store(error)
    }
}
