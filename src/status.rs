//! What is known of each host now: the configured ones in their order, then those that are only
//! recorded, and whether what is known is too old to say anything.

use crate::pure::address::IpVersion;
use std::collections::HashSet;
use std::time::Duration;

use crate::config::HostConfig;
use crate::pure::model::{Host, State};
use crate::pure::time::UtcMillis;
use crate::store::{LatestCheck, OutageEvent, Reader, StoreError};

/// What the database knows of now.
#[derive(Debug)]
pub struct HostStatuses {
    /// The newest check of every host that was ever recorded.
    pub latest: Vec<LatestCheck>,
    /// The outages that are not over, where somebody wants them beside their hosts.
    pub outages: Vec<OutageEvent>,
    now: UtcMillis,
    delay: Duration,
}

impl HostStatuses {
    /// Nothing: there is no database yet.
    pub fn nothing(now: UtcMillis) -> HostStatuses {
        HostStatuses {
            latest: Vec::new(),
            outages: Vec::new(),
            now,
            delay: Duration::ZERO,
        }
    }

    /// What a database knows, without its outages. `flush` is how long its monitor keeps results in
    /// memory.
    pub fn read(
        reader: &Reader,
        flush: Duration,
        now: UtcMillis,
    ) -> Result<HostStatuses, StoreError> {
        let latest = reader.latest_checks(UtcMillis(now.0.saturating_add(AHEAD_MS)))?;
        let delay = delay(flush, reader.last_sign_of_life()?, now);
        Ok(HostStatuses {
            latest,
            outages: Vec::new(),
            now,
            delay,
        })
    }

    /// The configured hosts in their order, then those that are only recorded.
    pub fn lines<'a>(&'a self, plans: &'a [HostConfig]) -> Vec<HostStatus<'a>> {
        let HostStatuses {
            latest,
            outages,
            now,
            delay,
        } = self;
        let families = |address: &str| {
            let recorded = latest
                .iter()
                .filter(|check| check.address == address)
                .map(|check| check.family);
            let configured = plans
                .iter()
                .filter(|plan| plan.host.address.as_str() == address)
                .map(|plan| plan.host.family);
            recorded
                .chain(configured)
                .collect::<HashSet<Option<IpVersion>>>()
                .len()
        };
        let line =
            |name, address: &'a str, family, plan, latest: Option<&'a LatestCheck>| HostStatus {
                name,
                address,
                family,
                key: Host::key(address, family, families(address) > 1),
                plan,
                latest,
                outage: outages.iter().find(|event| match event.host_id {
                    Some(id) => latest.is_some_and(|check| check.host_id == id),
                    None => event.host_address == address,
                }),
                age: latest
                    .map(|check| now.0.saturating_sub(check.checked_at.0))
                    .filter(|age_ms| *age_ms >= -AHEAD_MS)
                    .map(|age_ms| Duration::from_millis(u64::try_from(age_ms).unwrap_or(0))),
                delay: *delay,
            };
        let mut shown = HashSet::new();
        let mut lines = Vec::new();
        for plan in plans {
            let family = plan.host.family;
            // What was written with plain SQL or taken over has no family; it is the host's unless
            // another is listed without.
            let is_listed_without = plans.iter().any(|other| {
                other.host.address == plan.host.address && other.host.family.is_none()
            });
            let is_own = |check: &&LatestCheck| {
                check.family == family || (check.family.is_none() && !is_listed_without)
            };
            let found = latest
                .iter()
                .filter(|check| check.address == plan.host.address.as_str())
                .filter(is_own);
            let newest = found.max_by_key(|check| check.checked_at);
            shown.insert((plan.host.address.as_str(), family));
            shown.insert((plan.host.address.as_str(), None));
            lines.push(line(
                plan.host.name.as_str(),
                plan.host.address.as_str(),
                family,
                Some(plan),
                newest,
            ));
        }
        let others = latest
            .iter()
            .filter(|check| !shown.contains(&(check.address.as_str(), check.family)));
        lines.extend(others.map(|check| {
            line(
                check.name.as_str(),
                check.address.as_str(),
                check.family,
                None,
                Some(check),
            )
        }));
        lines
    }
}

/// One host, configured or not any more.
pub struct HostStatus<'a> {
    /// For people.
    pub name: &'a str,
    /// As configured or recorded.
    pub address: &'a str,
    /// `None` for either version of IP.
    pub family: Option<IpVersion>,
    /// What tells it from all others: see [`Host::key`].
    pub key: String,
    /// Its configuration; `None` when it is not monitored any more.
    pub plan: Option<&'a HostConfig>,
    /// Its newest check.
    pub latest: Option<&'a LatestCheck>,
    /// The outage that is not over.
    pub outage: Option<&'a OutageEvent>,
    /// How long ago the newest check was.
    pub age: Option<Duration>,
    /// How long a result may still be in the monitor's memory.
    delay: Duration,
}

/// After so many intervals without a check a result says nothing about now.
const STALE_INTERVALS: u32 = 3;
/// A result that is dated further ahead was dated by a clock that was wrong.
const AHEAD_MS: i64 = 60_000;

impl HostStatus<'_> {
    /// Whether the newest check says nothing about now.
    pub fn is_stale(&self) -> bool {
        match (self.plan, self.age) {
            (Some(plan), Some(age)) => age > plan.interval * STALE_INTERVALS + self.delay,
            _ => true,
        }
    }

    /// Its newest check, if that could be made.
    pub fn measured(&self) -> Option<&LatestCheck> {
        self.latest.filter(|check| check.is_measured)
    }

    /// Its state by the newest check.
    pub fn state(&self) -> State {
        self.latest.map_or(State::NotMeasured, LatestCheck::state)
    }
}

/// A monitor that runs keeps results in memory for up to a flush; its sign of life comes with every
/// flush, at least once a minute.
fn delay(flush: Duration, alive: Option<UtcMillis>, now: UtcMillis) -> Duration {
    let silence = alive.map(|alive| Duration::from_millis(now.0.abs_diff(alive.0)));
    let is_running =
        silence.is_some_and(|silence| silence < flush.max(Duration::from_secs(60)) * 2);
    if is_running { flush } else { Duration::ZERO }
}
