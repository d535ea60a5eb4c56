//! What is known of the network around this machine: which hosts and gateways answered when,
//! whether packets can be sent, whether names resolve. Collected from checks, probes and the
//! observations of witness/; provides the evidence by which the cause of an outage is judged. The
//! store's thread keeps it in memory: after a restart it is empty.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::Arc;

use serde::Serialize;

use crate::pure::address::IpVersion;
use crate::pure::cause::{CauseEvidence, NetworkPosition, Reachability};
use crate::pure::link::Link;
use crate::pure::model::{CheckResult, Host, LocalFault, Probe};
use crate::pure::own_link::OwnLinks;
use crate::pure::time::UtcMillis;

/// What the witness observed during an outage.
#[derive(Clone, Debug, PartialEq)]
pub enum Observation {
    /// The gateway of a silent host's link was pinged.
    Gateway {
        link: Arc<Link>,
        at: UtcMillis,
        is_answered: bool,
    },
    /// A host was pinged because another one is silent.
    OtherHost {
        host: Arc<Host>,
        at: UtcMillis,
        is_answered: bool,
    },
    /// Packets of this version of IP cannot be sent to any host.
    LinkLost { version: IpVersion, at: UtcMillis },
    /// Packets of this version of IP can be sent again.
    LinkRestored { version: IpVersion, at: UtcMillis },
    /// The path to a host was traced.
    Path { host: Arc<Host>, path: Path },
}

impl Observation {
    /// When it was made.
    pub fn at_mut(&mut self) -> &mut UtcMillis {
        match self {
            Observation::Gateway { at, .. }
            | Observation::OtherHost { at, .. }
            | Observation::LinkLost { at, .. }
            | Observation::LinkRestored { at, .. } => at,
            Observation::Path { path, .. } => &mut path.at,
        }
    }
}

/// The routers on the path to a host that answered a ping with a limited time to live.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Path {
    pub at: UtcMillis,
    /// Whether the host itself answered.
    pub reached: bool,
    /// The nearest first; `None` for one that did not answer. Ends with the last that did.
    pub hops: Vec<Option<IpAddr>>,
}

/// When a host or gateway answered and when not: runs of replies and runs of silence in turn.
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

/// Number of runs that are kept. An outage with more changes is judged by its newest part.
const MAX_RUNS: usize = 32;
/// Replies this close to the start or end of an outage may belong to the time before or after it,
/// since hosts are not pinged at the same instant.
const MARGIN_MS: i64 = 2000;

impl ReplyRuns {
    fn add(&mut self, at: UtcMillis, is_answered: bool) {
        match self.runs.back_mut() {
            Some(run) if run.is_answered == is_answered => {
                (run.first, run.last) = (run.first.min(at), run.last.max(at));
            }
            _ => {
                if self.runs.len() == MAX_RUNS {
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

    /// Whether pings were answered during an outage, without its first and last moments.
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
    position: Option<NetworkPosition>,
    replies: ReplyRuns,
    /// Since when its name has not resolved although another host answered, and the
    /// resolver's message.
    unresolved: Option<(UtcMillis, String)>,
    /// Since when its name has not resolved and no earlier address is known.
    not_found_since: Option<UtcMillis>,
    /// The last check for which its name resolved.
    resolved_at: Option<UtcMillis>,
    path: Option<Path>,
}

/// The name of a host does not resolve.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NameFailure {
    pub host: Arc<Host>,
    pub since: UtcMillis,
    /// When it last resolved.
    pub earliest: Option<UtcMillis>,
    /// The resolver's message.
    pub reason: String,
}

#[derive(Clone, Debug, Default)]
pub struct Scene {
    hosts: HashMap<Arc<Host>, HostRecord>,
    gateways: BTreeMap<IpVersion, (IpAddr, ReplyRuns)>,
    links: OwnLinks,
}

impl Scene {
    /// Removes the hosts that are no longer checked.
    pub fn retain_hosts(&mut self, is_checked: impl Fn(&Host) -> bool) {
        self.hosts.retain(|host, _| is_checked(host));
        self.links.retain_hosts(is_checked);
    }

    pub fn add_check(&mut self, result: &CheckResult) {
        let at = result.checked_at;
        let (is_measured, is_answered) = (result.sent() > 0, result.received() > 0);
        let record = self.hosts.entry(Arc::clone(&result.host)).or_default();
        if let Some(ip) = result.resolved {
            record.version = Some(IpVersion::of(ip));
        }
        record.position = result.position.or(record.position);
        let is_name = result.host.address.is_name();
        if result.name_failure.is_none() && is_measured {
            (record.unresolved, record.resolved_at) = (None, Some(at).filter(|_| is_name));
            record.not_found_since = None;
        } else if let Some(reason) = result.name_failure.as_ref().filter(|_| is_answered) {
            // Its pings are answered, at the last good address.
            record
                .unresolved
                .get_or_insert_with(|| (at, reason.clone()));
        } else if result.local_fault == Some(LocalFault::Name) {
            // It has not resolved since the start. Its next check shows whether another host
            // answers meanwhile.
            let since = *record.not_found_since.get_or_insert(at);
            let reason = result.reason.clone().unwrap_or_default();
            let another_answered = self
                .hosts
                .values()
                .filter_map(|other| other.replies.last_reply())
                .any(|reply| reply > since);
            if another_answered && let Some(record) = self.hosts.get_mut(&result.host) {
                record.unresolved.get_or_insert((since, reason));
            }
            return;
        }
        let version = record.version.unwrap_or(IpVersion::V4);
        self.links.add_check(result, version, record.position);
        if is_measured {
            for (sent, rtt) in result.timed_rtts() {
                record.replies.add(sent, rtt.is_some());
            }
            let position = record.position;
            if let Some(ip) = result
                .resolved
                .filter(|_| position == Some(NetworkPosition::Gateway))
            {
                self.add_gateway_ping(ip, at, is_answered);
            }
        }
    }

    pub fn add_probe(&mut self, probe: &Probe) {
        if let Some(record) = self.hosts.get_mut(&probe.host) {
            record.replies.add(probe.at, probe.is_answered);
            if let (Some(NetworkPosition::Gateway), Some((_, replies))) = (
                record.position,
                record.version.and_then(|v| self.gateways.get_mut(&v)),
            ) {
                replies.add(probe.at, probe.is_answered);
            }
        }
    }

    pub fn add_observation(&mut self, observation: &Observation) {
        match observation {
            Observation::Gateway {
                link,
                at,
                is_answered,
            } => {
                if let Some(ip) = link.gateway {
                    self.add_gateway_ping(ip, *at, *is_answered);
                }
            }
            Observation::OtherHost {
                host,
                at,
                is_answered,
            } => {
                if let Some(record) = self.hosts.get_mut(host) {
                    record.replies.add(*at, *is_answered);
                }
            }
            Observation::LinkLost { version, at } => self.links.lost(*version, *at),
            Observation::LinkRestored { version, at } => self.links.restored(*version, *at),
            Observation::Path { host, path } => {
                if let Some(record) = self.hosts.get_mut(host) {
                    record.path = Some(path.clone());
                }
            }
        }
    }

    fn add_gateway_ping(&mut self, ip: IpAddr, at: UtcMillis, is_answered: bool) {
        let (known, replies) = self
            .gateways
            .entry(IpVersion::of(ip))
            .or_insert_with(|| (ip, ReplyRuns::default()));
        if *known != ip {
            (*known, *replies) = (ip, ReplyRuns::default());
        }
        replies.add(at, is_answered);
    }

    /// The evidence for the cause of a host's outage between two instants; `None` for an unknown
    /// host.
    pub fn evidence(&self, host: &Host, from: UtcMillis, to: UtcMillis) -> Option<CauseEvidence> {
        let (_, subject) = self.hosts.get_key_value(host)?;
        let version = subject.version?;
        let gateway = self.gateways.get(&version);
        // A path that reached the host was traced when the host answered again.
        let unreached_path = subject
            .path
            .as_ref()
            .filter(|path| path.at >= from && path.at <= to && !path.reached);
        let mut evidence = CauseEvidence {
            position: subject.position?,
            // The pings of this outage were sent, so it was not the link.
            link_fault: None,
            gateway_address: gateway.map(|(ip, _)| *ip),
            gateway: gateway.map_or(Reachability::Unknown, |(_, replies)| {
                replies.reachability(from, to)
            }),
            beyond_answering: 0,
            beyond_silent: 0,
            near_answering: 0,
            near_silent: 0,
            path_reached: unreached_path
                .and_then(|path| path.hops.iter().rev().flatten().next().copied()),
        };
        for (other, record) in &self.hosts {
            if **other == *host || record.version != Some(version) {
                continue;
            }
            let counted = match (record.position, record.replies.reachability(from, to)) {
                (Some(NetworkPosition::BeyondGateway), Reachability::Answers) => {
                    &mut evidence.beyond_answering
                }
                (Some(NetworkPosition::BeyondGateway), Reachability::Silent) => {
                    &mut evidence.beyond_silent
                }
                (Some(NetworkPosition::OnLink), Reachability::Answers) => {
                    &mut evidence.near_answering
                }
                (Some(NetworkPosition::OnLink), Reachability::Silent) => &mut evidence.near_silent,
                _ => continue,
            };
            *counted += 1;
        }
        Some(evidence)
    }

    pub fn own_links(&self) -> &OwnLinks {
        &self.links
    }

    /// The names that do not resolve although other hosts answer.
    pub fn unresolved_names(&self) -> Vec<NameFailure> {
        let failure = |(host, record): (&Arc<Host>, &HostRecord)| {
            let (since, reason) = record.unresolved.clone()?;
            Some(NameFailure {
                host: Arc::clone(host),
                since,
                earliest: record.resolved_at,
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
            .filter_map(|(_, record)| record.resolved_at)
            .max()
    }

    /// The newest traced path to a host.
    pub fn path(&self, host: &Host) -> Option<&Path> {
        self.hosts.get(host).and_then(|record| record.path.as_ref())
    }
}
