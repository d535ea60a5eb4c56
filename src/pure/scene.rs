//! What is going on around this machine: who answered when, whether anything can be sent, whether
//! names resolve. Gathered from checks, probes and what witness.rs reports; asked for the evidence
//! that an outage's cause is judged by. Pure: kept in memory by the store's thread, empty after a
//! restart.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::Arc;

use serde::Serialize;

use crate::pure::address::IpVersion;
use crate::pure::cause::{CauseEvidence, NetworkPosition, Reachability};
use crate::pure::model::{CheckResult, Host, LocalFault, Probe};
use crate::pure::time::UtcMillis;

/// What the witness saw.
#[derive(Clone, Debug, PartialEq)]
pub enum Observation {
    /// Whether the default gateway answered a ping.
    Gateway {
        /// Its address.
        ip: IpAddr,
        /// When it was sent.
        at: UtcMillis,
        /// Whether it was answered.
        is_answered: bool,
    },
    /// Whether a host answered a ping that was sent because another does not.
    OtherHost {
        /// Which.
        host: Arc<Host>,
        /// When it was sent.
        at: UtcMillis,
        /// Whether it was answered.
        is_answered: bool,
    },
    /// Over a version of IP something can be sent.
    LinkRestored {
        /// Which version.
        version: IpVersion,
        /// When that was looked at.
        at: UtcMillis,
    },
    /// How far packets to a host get.
    Path {
        /// To whom.
        host: Arc<Host>,
        /// How far.
        path: Path,
    },
}

/// How far packets get: who answered a ping that may pass only so many routers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Path {
    /// When that was tried.
    pub at: UtcMillis,
    /// Whether the host itself answered.
    pub reached: bool,
    /// The machines on the link, the nearest first; `None` for one that does not say. Ends with the
    /// last that did.
    pub hops: Vec<Option<IpAddr>>,
}

/// When somebody answered and when not, in runs: a reply ends a run of silence and silence one of
/// replies.
#[derive(Clone, Debug, Default)]
struct ReplyRuns {
    runs: VecDeque<Run>,
}

#[derive(Clone, Copy, Debug)]
struct Run {
    is_answered: bool,
    first: UtcMillis,
    last: UtcMillis,
}

/// How many runs are remembered: an outage that flaps more often than that is judged by its newest
/// part.
const RUNS: usize = 32;
/// Replies this close to an outage's beginning or end may be of before or after it: hosts are not
/// asked at the same instant.
const MARGIN_MS: i64 = 2000;

impl ReplyRuns {
    fn note(&mut self, at: UtcMillis, is_answered: bool) {
        match self.runs.back_mut() {
            Some(run) if run.is_answered == is_answered => {
                (run.first, run.last) = (run.first.min(at), run.last.max(at));
            }
            _ => {
                if self.runs.len() == RUNS {
                    self.runs.pop_front();
                }
                self.runs.push_back(Run {
                    is_answered,
                    first: at,
                    last: at,
                });
            }
        }
    }

    /// What was seen within an outage, its edges left out.
    fn reachability(&self, from: UtcMillis, to: UtcMillis) -> Reachability {
        let margin = MARGIN_MS.min((to.0 - from.0).max(0) / 4);
        let (from, to) = (from.0 + margin, to.0 - margin);
        let mut within = self
            .runs
            .iter()
            .filter(|run| run.first.0 <= to && run.last.0 >= from)
            .map(|run| run.is_answered);
        match (within.clone().any(|is_answered| is_answered), within.next()) {
            (true, _) => Reachability::Answers,
            (false, Some(_)) => Reachability::Silent,
            (false, None) => Reachability::Unknown,
        }
    }

    fn last_reply(&self) -> Option<UtcMillis> {
        self.runs
            .iter()
            .rev()
            .find(|run| run.is_answered)
            .map(|run| run.last)
    }
}

#[derive(Clone, Debug, Default)]
struct HostRecord {
    version: Option<IpVersion>,
    place: Option<NetworkPosition>,
    record: ReplyRuns,
    /// Whether nothing could be sent to it at its newest check.
    is_blocked: bool,
    /// Its newest check that could be made.
    measured_at: Option<UtcMillis>,
    /// Since when its name does not resolve although something answers, and what the resolver said.
    unresolved: Option<(UtcMillis, String)>,
    /// Since when it has not been found at all.
    not_found_since: Option<UtcMillis>,
    /// The last check whose name resolved.
    resolved_at: Option<UtcMillis>,
    path: Option<Path>,
}

/// That nothing can be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkDown {
    /// Over which versions of IP.
    pub versions: Vec<IpVersion>,
    /// Since when.
    pub since: UtcMillis,
    /// When something could last be sent.
    pub earliest: Option<UtcMillis>,
    /// Why.
    pub reason: String,
    /// The hosts that could not be sent to.
    pub hosts: Vec<Arc<Host>>,
}

/// That a name does not resolve.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NameFailure {
    /// Whose.
    pub host: Arc<Host>,
    /// Since when.
    pub since: UtcMillis,
    /// When it last resolved.
    pub earliest: Option<UtcMillis>,
    /// What the resolver said.
    pub reason: String,
}

/// The surroundings.
#[derive(Clone, Debug, Default)]
pub struct Scene {
    hosts: HashMap<Arc<Host>, HostRecord>,
    gateways: BTreeMap<IpVersion, (IpAddr, ReplyRuns)>,
    links: BTreeMap<IpVersion, LinkState>,
}

/// Whether anything can be sent over a version of IP.
#[derive(Clone, Debug, Default)]
struct LinkState {
    /// Since when not, when something could last be sent, and why not.
    down: Option<(UtcMillis, Option<UtcMillis>, String)>,
    /// When it could again.
    cleared_at: Option<UtcMillis>,
}

impl LinkState {
    fn clear(&mut self, at: UtcMillis) {
        if self.down.take_if(|(since, ..)| *since <= at).is_some() {
            self.cleared_at = Some(at);
        }
    }
}

/// Both versions of IP that fail within this time have one cause.
const SAME_FAILURE_MS: u64 = 120_000;

impl Scene {
    /// Forgets hosts that are not checked any more.
    pub fn keep_only(&mut self, is_checked: impl Fn(&Host) -> bool) {
        self.hosts.retain(|host, _| is_checked(host));
    }

    /// Takes a check.
    pub fn check(&mut self, result: &CheckResult) {
        let at = result.checked_at;
        let (is_measured, is_answered) = (result.sent() > 0, result.received() > 0);
        let seen = self.hosts.entry(Arc::clone(&result.host)).or_default();
        if let Some(ip) = result.resolved {
            seen.version = Some(IpVersion::of(ip));
        }
        seen.place = result.place.or(seen.place);
        let is_name = result.host.address.is_name();
        if result.name_failure.is_none() && is_measured {
            (seen.unresolved, seen.resolved_at) = (None, Some(at).filter(|_| is_name));
            seen.not_found_since = None;
        } else if let Some(reason) = result.name_failure.as_ref().filter(|_| is_answered) {
            // Its own pings are answered, at the last good address.
            seen.unresolved.get_or_insert_with(|| (at, reason.clone()));
        } else if result.local_fault == Some(LocalFault::Name) {
            // It has not resolved since the start: whether something else answers meanwhile is seen
            // by its next check.
            let since = *seen.not_found_since.get_or_insert(at);
            let reason = result.reason.clone().unwrap_or_default();
            let somebody = self
                .hosts
                .values()
                .filter_map(|other| other.record.last_reply())
                .any(|reply| reply > since);
            if somebody && let Some(seen) = self.hosts.get_mut(&result.host) {
                seen.unresolved.get_or_insert((since, reason));
            }
            return;
        }
        let version = seen.version.unwrap_or(IpVersion::V4);
        if is_measured {
            for (index, rtt) in (0..).zip(result.rtts_us()) {
                seen.record.note(
                    UtcMillis(at.0.saturating_add(index * i64::from(result.spacing_ms))),
                    rtt.is_some(),
                );
            }
            let could_not = std::mem::replace(&mut seen.is_blocked, false);
            seen.measured_at = Some(at);
            let place = seen.place;
            if could_not || place == Some(NetworkPosition::Beyond) {
                self.links.entry(version).or_default().clear(at);
            }
            if let Some(ip) = result
                .resolved
                .filter(|_| place == Some(NetworkPosition::Gateway))
            {
                self.gateway(ip, at, is_answered);
            }
        } else if result.local_fault == Some(LocalFault::Link) {
            seen.is_blocked = true;
            self.block(
                version,
                at,
                result.reason.as_deref().unwrap_or("nothing can be sent"),
            );
        }
    }

    /// A check could not be sent: nothing can, unless something has been since.
    fn block(&mut self, version: IpVersion, at: UtcMillis, reason: &str) {
        let own = self
            .hosts
            .values()
            .filter(|seen| seen.version.unwrap_or(IpVersion::V4) == version);
        let earliest = own
            .filter(|seen| !matches!(seen.place, Some(NetworkPosition::Here)))
            .filter_map(|seen| seen.measured_at)
            .max();
        let link = self.links.entry(version).or_default();
        if link.down.is_none()
            && link.cleared_at.is_none_or(|cleared| cleared < at)
            && earliest.is_none_or(|measured| measured < at)
        {
            link.down = Some((at, earliest, reason.to_string()));
        }
    }

    /// Takes a ping between two checks.
    pub fn probe(&mut self, probe: &Probe) {
        if let Some(seen) = self.hosts.get_mut(&probe.host) {
            seen.record.note(probe.at, probe.is_answered);
            if let (Some(NetworkPosition::Gateway), Some((_, record))) = (
                seen.place,
                seen.version.and_then(|v| self.gateways.get_mut(&v)),
            ) {
                record.note(probe.at, probe.is_answered);
            }
        }
    }

    /// Takes what the witness saw.
    pub fn fact(&mut self, fact: &Observation) {
        match fact {
            Observation::Gateway {
                ip,
                at,
                is_answered,
            } => self.gateway(*ip, *at, *is_answered),
            Observation::OtherHost {
                host,
                at,
                is_answered,
            } => {
                if let Some(seen) = self.hosts.get_mut(host) {
                    seen.record.note(*at, *is_answered);
                }
            }
            Observation::LinkRestored { version, at } => {
                self.links.entry(*version).or_default().clear(*at)
            }
            Observation::Path { host, path } => {
                if let Some(seen) = self.hosts.get_mut(host) {
                    seen.path = Some(path.clone());
                }
            }
        }
    }

    fn gateway(&mut self, ip: IpAddr, at: UtcMillis, is_answered: bool) {
        let (known, record) = self
            .gateways
            .entry(IpVersion::of(ip))
            .or_insert_with(|| (ip, ReplyRuns::default()));
        if *known != ip {
            (*known, *record) = (ip, ReplyRuns::default());
        }
        record.note(at, is_answered);
    }

    /// What was seen during the outage of a host between two instants; `None` for a host that is
    /// not known.
    pub fn evidence(&self, host: &Host, from: UtcMillis, to: UtcMillis) -> Option<CauseEvidence> {
        let (_, subject) = self.hosts.get_key_value(host)?;
        let version = subject.version?;
        let gateway = self.gateways.get(&version);
        // One that reached the host was tried when it answered again.
        let path_reached = subject
            .path
            .as_ref()
            .filter(|path| path.at >= from && path.at <= to && !path.reached);
        let mut seen = CauseEvidence {
            place: subject.place?,
            // What could be sent is no fault of the link.
            link_fault: None,
            gateway_address: gateway.map(|(ip, _)| *ip),
            gateway: gateway.map_or(Reachability::Unknown, |(_, record)| {
                record.reachability(from, to)
            }),
            beyond_answering: 0,
            beyond_silent: 0,
            near_answering: 0,
            near_silent: 0,
            path_reached: path_reached
                .and_then(|path| path.hops.iter().rev().flatten().next().copied()),
        };
        for (other, record) in &self.hosts {
            if **other == *host || record.version != Some(version) {
                continue;
            }
            let counted = match (record.place, record.record.reachability(from, to)) {
                (Some(NetworkPosition::Beyond), Reachability::Answers) => {
                    &mut seen.beyond_answering
                }
                (Some(NetworkPosition::Beyond), Reachability::Silent) => &mut seen.beyond_silent,
                (Some(NetworkPosition::Near), Reachability::Answers) => &mut seen.near_answering,
                (Some(NetworkPosition::Near), Reachability::Silent) => &mut seen.near_silent,
                _ => continue,
            };
            *counted += 1;
        }
        Some(seen)
    }

    /// The versions of IP over which nothing can be sent, those that failed together as one.
    pub fn links_down(&self) -> Vec<LinkDown> {
        let mut found: Vec<LinkDown> = Vec::new();
        for (version, link) in &self.links {
            let Some((since, earliest, reason)) = &link.down else {
                continue;
            };
            let version = *version;
            let is_blocked = |seen: &HostRecord| {
                seen.is_blocked && seen.version.unwrap_or(IpVersion::V4) == version
            };
            let hosts = self
                .hosts
                .iter()
                .filter(|(_, seen)| is_blocked(seen))
                .map(|(host, _)| Arc::clone(host));
            match found
                .iter_mut()
                .find(|other| other.since.0.abs_diff(since.0) <= SAME_FAILURE_MS)
            {
                Some(other) => {
                    other.versions.push(version);
                    other.hosts.extend(hosts);
                    (other.since, other.earliest) =
                        (other.since.min(*since), other.earliest.max(*earliest));
                }
                None => found.push(LinkDown {
                    versions: vec![version],
                    since: *since,
                    earliest: *earliest,
                    reason: reason.clone(),
                    hosts: hosts.collect(),
                }),
            }
        }
        found
    }

    /// When something could be sent again over a version, after it could not.
    pub fn link_cleared_at(&self, version: IpVersion) -> Option<UtcMillis> {
        self.links.get(&version).and_then(|link| link.cleared_at)
    }

    /// The names that do not resolve although something answers.
    pub fn unresolved_names(&self) -> Vec<NameFailure> {
        let failure = |(host, seen): (&Arc<Host>, &HostRecord)| {
            let (since, reason) = seen.unresolved.clone()?;
            Some(NameFailure {
                host: Arc::clone(host),
                since,
                earliest: seen.resolved_at,
                reason,
            })
        };
        let mut found: Vec<NameFailure> = self.hosts.iter().filter_map(failure).collect();
        found.sort_by(|a, b| {
            (a.since, a.host.address.as_str()).cmp(&(b.since, b.host.address.as_str()))
        });
        found
    }

    /// When the name of an address last resolved.
    pub fn resolved_at_address(&self, address: &str) -> Option<UtcMillis> {
        self.hosts
            .iter()
            .filter(|(host, _)| host.address.as_str() == address)
            .filter_map(|(_, seen)| seen.resolved_at)
            .max()
    }

    /// When something was last measured over any of these versions.
    pub fn measured_at(&self, versions: &[IpVersion]) -> Option<UtcMillis> {
        let is_meant = |seen: &&HostRecord| {
            seen.version
                .is_some_and(|version| versions.contains(&version))
        };
        self.hosts
            .values()
            .filter(is_meant)
            .filter_map(|seen| seen.measured_at)
            .min()
    }

    /// How far packets to a host got when that was last tried.
    pub fn path(&self, host: &Host) -> Option<&Path> {
        self.hosts.get(host).and_then(|seen| seen.path.as_ref())
    }
}
