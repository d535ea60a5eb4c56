//! The current state of every host: its newest check, whether that is stale, and whether the monitor
//! is running.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use crate::config::HostConfig;
use crate::pure::host_key::{HostIdentity, HostKeys};
use crate::pure::model::{EventKind, HostId, State};
use crate::pure::time::UtcMillis;
use crate::store::{LatestCheck, MonitorRun, OutageEvent, Reader, RecordedCheck, StoreError};

#[derive(Debug)]
pub struct HostStatuses {
    /// The newest check of every host that was ever recorded.
    pub latest: Vec<LatestCheck>,
    /// The ongoing outages, if the caller has read them.
    pub outages: Vec<OutageEvent>,
    now: UtcMillis,
    delay: Duration,
}

impl HostStatuses {
    /// For a database that does not exist yet.
    pub fn empty(now: UtcMillis) -> HostStatuses {
        HostStatuses {
            latest: Vec::new(),
            outages: Vec::new(),
            now,
            delay: Duration::ZERO,
        }
    }

    /// Leaves `outages` empty. `flush` is how long the monitor keeps results in memory.
    pub fn read(
        reader: &Reader,
        flush: Duration,
        now: UtcMillis,
    ) -> Result<HostStatuses, StoreError> {
        let latest = reader.latest_checks(now.plus(MAX_AHEAD_MS))?;
        let delay = if is_monitor_running(reader, flush, now)? {
            flush
        } else {
            Duration::ZERO
        };
        Ok(HostStatuses {
            latest,
            outages: Vec::new(),
            now,
            delay,
        })
    }

    /// The configured hosts in their order, then those that are only recorded.
    pub fn of_hosts<'a>(&'a self, configured: &'a [HostConfig]) -> Vec<HostStatus<'a>> {
        let HostStatuses {
            latest,
            outages,
            now,
            delay,
        } = self;
        let listed = || configured.iter().map(|config| config.host.identity());
        let keys = HostKeys::of(latest.iter().map(LatestCheck::identity).chain(listed()));
        let events = OutageIndex::of(outages);
        let status = |name, identity: HostIdentity<'a>, config, latest: Option<&'a LatestCheck>| {
            HostStatus {
                name,
                address: identity.address,
                key: keys.key(&identity),
                config,
                latest,
                is_unresolved: events.is_unresolved(identity.address),
                outage: events.first(latest.map(|check| check.host_id), identity.address),
                age: latest
                    .map(|latest| now.0.saturating_sub(latest.check.checked_at.0))
                    .filter(|age_ms| *age_ms >= -MAX_AHEAD_MS)
                    .map(|age_ms| Duration::from_millis(u64::try_from(age_ms).unwrap_or(0))),
                delay: *delay,
            }
        };
        let all_listed: HashSet<HostIdentity<'_>> = listed().collect();
        let mut by_identity: HashMap<HostIdentity<'_>, &LatestCheck> = HashMap::new();
        for check in latest {
            let newest = by_identity.entry(check.identity()).or_insert(check);
            if check.check.checked_at >= newest.check.checked_at {
                *newest = check;
            }
        }
        let mut shown = HashSet::new();
        let mut statuses = Vec::new();
        for config in configured {
            let own = config.host.identity();
            // Rows written with plain SQL or imported from the original have neither family nor
            // source. They belong to this host unless the address is also configured like that.
            let unlisted = Some(plain(own)).filter(|plain| !all_listed.contains(plain));
            let found = [Some(own), unlisted].into_iter().flatten();
            let found = found.filter_map(|identity| by_identity.get(&identity).copied());
            let newest = found.max_by_key(|latest| latest.check.checked_at);
            shown.insert(own);
            shown.insert(plain(own));
            statuses.push(status(config.host.name.as_str(), own, Some(config), newest));
        }
        let others = latest
            .iter()
            .filter(|other| !shown.contains(&other.identity()));
        statuses.extend(others.map(|other| {
            status(
                other.check.name.as_str(),
                other.identity(),
                None,
                Some(other),
            )
        }));
        statuses
    }
}

/// Ongoing outages, to be found by their host.
struct OutageIndex<'a> {
    /// The first of each host, with its place among all.
    by_id: HashMap<HostId, (usize, &'a OutageEvent)>,
    /// The same of those that were imported and have no id, by their address.
    by_address: HashMap<&'a str, (usize, &'a OutageEvent)>,
    /// The addresses whose name does not resolve, in lower case.
    unresolved: HashSet<String>,
}

impl<'a> OutageIndex<'a> {
    fn of(outages: &'a [OutageEvent]) -> OutageIndex<'a> {
        let mut index = OutageIndex {
            by_id: HashMap::new(),
            by_address: HashMap::new(),
            unresolved: HashSet::new(),
        };
        for (place, event) in outages.iter().enumerate() {
            let address = event.host_address.as_str();
            if event.event_type == EventKind::Dns {
                index.unresolved.insert(address.to_ascii_lowercase());
            }
            match event.host_id {
                Some(id) => index.by_id.entry(id).or_insert((place, event)),
                None => index.by_address.entry(address).or_insert((place, event)),
            };
        }
        index
    }

    fn is_unresolved(&self, address: &str) -> bool {
        !self.unresolved.is_empty() && self.unresolved.contains(&address.to_ascii_lowercase())
    }

    fn first(&self, id: Option<HostId>, address: &str) -> Option<&'a OutageEvent> {
        let of_id = id.and_then(|id| self.by_id.get(&id));
        let found = of_id.into_iter().chain(self.by_address.get(address));
        found
            .min_by_key(|(place, _)| *place)
            .map(|(_, event)| *event)
    }
}

/// A host of this address without family and source.
fn plain(identity: HostIdentity<'_>) -> HostIdentity<'_> {
    HostIdentity {
        family: None,
        source: None,
        ..identity
    }
}

pub struct HostStatus<'a> {
    pub name: &'a str,
    pub address: &'a str,
    /// Distinguishes hosts that share an address: see [`HostIdentity::key`].
    pub key: String,
    /// `None` when the host is not monitored any more.
    pub config: Option<&'a HostConfig>,
    /// The newest check.
    pub latest: Option<&'a LatestCheck>,
    /// The ongoing outage.
    pub outage: Option<&'a OutageEvent>,
    /// Whether an ongoing event says that the name does not resolve.
    is_unresolved: bool,
    /// Of the newest check; `None` also when its time is in the future.
    pub age: Option<Duration>,
    /// How long a result may still be in the monitor's memory.
    delay: Duration,
}

/// The time of a check that is further in the future was read from a wrong clock.
const MAX_AHEAD_MS: i64 = 60_000;

impl HostStatus<'_> {
    /// Whether the newest check says nothing about the present.
    pub fn is_stale(&self) -> bool {
        match (self.config, self.age) {
            (Some(config), Some(age)) => is_stale(age, config.interval, self.delay),
            _ => true,
        }
    }

    /// The newest check, unless it is stale.
    pub fn current(&self) -> Option<&LatestCheck> {
        self.latest.filter(|_| !self.is_stale())
    }

    /// The newest check, if it could be made.
    pub fn measured(&self) -> Option<&RecordedCheck> {
        self.latest
            .filter(|latest| latest.is_measured())
            .map(|latest| &latest.check)
    }

    /// The address that a name or the gateway was last pinged at.
    pub fn resolved(&self) -> Option<&str> {
        self.latest.and_then(|latest| latest.resolved.as_deref())
    }

    /// Whether the name resolves now, as far as the newest check knows: a reply proves an address,
    /// and a host that never had one was never pinged. `None` also where the address is no name.
    pub fn name_resolves(&self) -> Option<bool> {
        let config = self.config.filter(|config| config.host.address.is_name());
        let latest = self.current().filter(|_| config.is_some())?;
        if self.is_unresolved || (!latest.is_measured() && latest.resolved.is_none()) {
            Some(false)
        } else {
            (latest.check.received > 0).then_some(true)
        }
    }

    pub fn state(&self) -> State {
        self.latest
            .map_or(State::NotMeasured, |latest| latest.check.state)
    }
}

/// Whether a monitor is running: it has not recorded that it stopped, was not killed, and was alive
/// within the last two flushes. `now` is [`Reader::present`]. It records that it is alive with every flush, at least once a minute.
pub fn is_running(run: &MonitorRun, flush: Duration, now: UtcMillis) -> bool {
    let silence = Duration::from_millis(now.0.abs_diff(run.alive_at.0));
    run.stopped_at.is_none() && !run.was_killed && silence < flush.max(Duration::from_secs(60)) * 2
}

/// Whether a monitor of this database is running.
pub fn is_monitor_running(
    reader: &Reader,
    flush: Duration,
    now: UtcMillis,
) -> Result<bool, StoreError> {
    let run = reader.newest_run()?;
    Ok(run.is_some_and(|run| is_running(&run, flush, now)))
}

/// Whether a monitor has started so recently that its first check may not have been written.
pub fn is_starting(run: &MonitorRun, now: UtcMillis) -> bool {
    run.stopped_at.is_none() && !run.was_killed && now.0 - run.started_at.0 < 180_000
}

/// Whether a check of this age is too old: three intervals have passed, and the `delay` for which a
/// newer result may still be in the monitor's memory.
fn is_stale(age: Duration, interval: Duration, delay: Duration) -> bool {
    age > interval * 3 + delay
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_monitor_runs_if_it_was_alive_within_two_flushes_and_has_not_stopped() {
        let now = 1_000_000;
        for (alive_ago_ms, is_stopped, flush_seconds, expected) in [
            (0, false, 60, true),
            (119_999, false, 60, true),
            (120_000, false, 60, false),
            // It is alive at least once a minute, however often it flushes.
            (119_999, false, 1, true),
            (120_000, false, 1, false),
            (599_999, false, 300, true),
            (600_000, false, 300, false),
            // The clock was set back meanwhile.
            (-119_999, false, 60, true),
            (-120_000, false, 60, false),
            (0, true, 60, false),
        ] {
            let run = MonitorRun {
                behind_ms: 0,
                started_at: UtcMillis(0),
                alive_at: UtcMillis(now - alive_ago_ms),
                stopped_at: is_stopped.then_some(UtcMillis(now)),
                was_killed: false,
            };
            let runs = |run| is_running(&run, Duration::from_secs(flush_seconds), UtcMillis(now));
            assert_eq!(
                runs(run),
                expected,
                "alive {alive_ago_ms} ms ago, stopped: {is_stopped}, flush {flush_seconds} s"
            );
            assert!(!runs(MonitorRun {
                was_killed: true,
                ..run
            }));
        }
    }

    #[test]
    fn a_monitor_is_starting_for_three_minutes() {
        for (started_ago_ms, is_stopped, expected) in [
            (0, false, true),
            (179_999, false, true),
            (180_000, false, false),
            (0, true, false),
        ] {
            let now = UtcMillis(1_000_000);
            let run = MonitorRun {
                behind_ms: 0,
                started_at: UtcMillis(now.0 - started_ago_ms),
                alive_at: now,
                stopped_at: is_stopped.then_some(now),
                was_killed: false,
            };
            assert_eq!(is_starting(&run, now), expected, "{started_ago_ms} ms ago");
            assert!(!is_starting(
                &MonitorRun {
                    was_killed: true,
                    ..run
                },
                now
            ));
        }
    }

    #[test]
    fn a_check_is_stale_after_three_intervals_and_the_delay() {
        let seconds = Duration::from_secs;
        for (age, interval, delay, expected) in [
            (180, 60, 0, false),
            (181, 60, 0, true),
            (240, 60, 60, false),
            (241, 60, 60, true),
            (0, 1, 0, false),
            (4, 1, 0, true),
        ] {
            assert_eq!(
                is_stale(seconds(age), seconds(interval), seconds(delay)),
                expected,
                "{age} s old, every {interval} s, delay {delay} s"
            );
        }
    }
}
