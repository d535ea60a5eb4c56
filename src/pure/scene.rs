//! What is known of the network around this machine: which hosts and gateways answered when,
//! whether packets can be sent, whether names resolve. Collected from checks, probes and the
//! observations of witness/; provides the evidence by which the cause of an outage is judged. The
//! store's thread keeps it in memory: after a restart it is empty.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::Arc;

use crate::pure::address::IpVersion;
use crate::pure::cause::{CauseEvidence, NetworkPosition, Reachability};
use crate::pure::link::Link;
use crate::pure::model::{CheckResult, Host, LocalFault, Probe};
use crate::pure::own_link::OwnLinks;
use crate::pure::path::{KnownPaths, Path};
use crate::pure::replies::{Answer, Conduct, OutageTime, Replies};
use crate::pure::time::UtcMillis;

/// What the witness observed during an outage.
#[derive(Clone, Debug, PartialEq)]
pub enum Observation {
    /// The gateway of a silent host's link was pinged.
    Gateway {
        link: Arc<Link>,
        at: UtcMillis,
        answer: Answer,
    },
    /// A host was pinged because another one is silent.
    OtherHost {
        host: Arc<Host>,
        at: UtcMillis,
        answer: Answer,
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

/// How old the last reply of a host that answers may be, for hosts that are rarely checked: the
/// witness pings them this often at least.
const MAX_AGE_MS: i64 = 10_000;
/// As many as are stored with an event.
const MAX_TRACES: usize = 5;

#[derive(Clone, Debug, Default)]
struct HostRecord {
    version: Option<IpVersion>,
    position: Option<NetworkPosition>,
    /// The address that was last pinged, and the link that the pings left by.
    ip: Option<IpAddr>,
    link: Option<Arc<Link>>,
    interval_ms: i64,
    replies: Replies,
    /// Since when its name has not resolved although another host answered, and the
    /// resolver's message.
    unresolved: Option<(UtcMillis, String)>,
    /// Since when its name has not resolved and no earlier address is known.
    not_found_since: Option<UtcMillis>,
    /// The last check for which its name resolved.
    resolved_at: Option<UtcMillis>,
    /// The first check for which its name resolved again.
    recovered_at: Option<UtcMillis>,
    /// The traced paths since the host last answered a trace: the first and the newest.
    traces: Vec<Path>,
    /// The newest path that reached the host.
    healthy_path: Option<Path>,
}

impl HostRecord {
    fn is_over(&self, link: &Link) -> bool {
        match &self.link {
            Some(own) => **own == *link,
            None => self.version == Some(link.version) && link.interface.is_empty(),
        }
    }

    fn is_beyond(&self, link: &Link) -> bool {
        match self.position {
            Some(NetworkPosition::BeyondGateway) => true,
            Some(NetworkPosition::Gateway) => self.ip != link.gateway,
            _ => false,
        }
    }

    /// The traces of an outage that did not reach the host: the one that got farthest.
    fn broken_path(&self, outage: &OutageTime) -> Option<&Path> {
        let silent = self.traced(outage).filter(|path| !path.reached);
        silent.max_by_key(|path| path.reach())
    }

    fn traced(&self, outage: &OutageTime) -> impl Iterator<Item = &Path> {
        let (from, to) = (outage.from, outage.to);
        self.traces
            .iter()
            .filter(move |path| path.at >= from && path.at <= to)
    }

    fn add_trace(&mut self, path: &Path) {
        // A path that did not reach the host begins another outage. Until then those of the last one
        // are needed: its end is judged after the path that reached the host.
        if self.traces.last().is_some_and(|last| last.reached) {
            self.traces.clear();
        }
        if path.reached {
            let is_worse = |known: &Path| path.is_lossy_copy_of(known);
            if !self.healthy_path.as_ref().is_some_and(is_worse) {
                self.healthy_path = Some(path.clone());
            }
        }
        if self.traces.len() == MAX_TRACES {
            self.traces.remove(1);
        }
        self.traces.push(path.clone());
    }

    fn paths(&self, outage: &OutageTime) -> KnownPaths<'_> {
        KnownPaths {
            healthy: self.healthy_path.as_ref(),
            broken: self.broken_path(outage),
        }
    }
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
    /// The gateways of links that have one.
    gateways: BTreeMap<Arc<Link>, Replies>,
    links: OwnLinks,
}

/// What is observed this long after the last lost ping of an outage belongs to it: a check ends with
/// the timeout of its last ping, and the witness begins then, and once more after two seconds.
const EVIDENCE_AFTER_MS: i64 = 30_000;

/// A gateway that answered this many pings in a row answers pings.
const RELIABLE_PINGS: u32 = 3;

/// The link whose gateway a host is.
fn own_gateway(record: &HostRecord, ip: Option<IpAddr>) -> Option<Arc<Link>> {
    let is_gateway = |link: &&Arc<Link>| ip.is_some() && link.gateway == ip;
    record.link.as_ref().filter(is_gateway).cloned()
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
        if result.link.is_some() && result.link != record.link {
            // The old path led elsewhere.
            (record.link, record.healthy_path) = (result.link.clone(), None);
        }
        record.ip = result.resolved.or(record.ip);
        record.interval_ms = i64::from(result.interval_ms);
        let is_name = result.host.address.is_name();
        // Not measured for another reason: the resolver has answered.
        let is_resolved = is_measured || result.local_fault == Some(LocalFault::Host);
        if result.name_failure.is_none() && is_resolved {
            if record.unresolved.take().is_some() {
                record.recovered_at = Some(at);
            }
            record.resolved_at = Some(at).filter(|_| is_name);
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
            let own_gateway = own_gateway(record, result.resolved);
            let mut gateway = own_gateway.map(|link| self.gateways.entry(link).or_default());
            for (at, rtt) in result.timed_rtts() {
                let answer = Answer::of(rtt.is_some());
                record.replies.add(at, answer);
                if let Some(gateway) = &mut gateway {
                    gateway.add(at, answer);
                }
            }
        }
    }

    pub fn add_probe(&mut self, probe: &Probe) {
        self.add_ping(&probe.host, probe.at, Answer::of(probe.is_answered));
    }

    /// A ping that belongs to no check.
    fn add_ping(&mut self, host: &Host, at: UtcMillis, answer: Answer) {
        if let Some(record) = self.hosts.get_mut(host) {
            record.replies.add(at, answer);
            if let Some(link) = own_gateway(record, record.ip) {
                self.gateways.entry(link).or_default().add(at, answer);
            }
        }
    }

    pub fn add_observation(&mut self, observation: &Observation) {
        match observation {
            Observation::Gateway { link, at, answer } => {
                let gateway = self.gateways.entry(Arc::clone(link)).or_default();
                gateway.add(*at, *answer);
            }
            Observation::OtherHost { host, at, answer } => self.add_ping(host, *at, *answer),
            Observation::LinkLost { version, at } => self.links.lost(*version, *at),
            Observation::LinkRestored { version, at } => self.links.restored(*version, *at),
            Observation::Path { host, path } => {
                if let Some(record) = self.hosts.get_mut(host) {
                    record.add_trace(path);
                }
            }
        }
    }

    /// The evidence for the cause of a host's outage between two instants; `None` for an unknown
    /// host.
    pub fn evidence(&self, host: &Host, from: UtcMillis, to: UtcMillis) -> Option<CauseEvidence> {
        let subject = self.hosts.get(host)?;
        let link = subject.link.clone().or_else(|| {
            let version = subject.version?;
            Some(Arc::new(Link {
                version,
                interface: String::new(),
                gateway: None,
            }))
        })?;
        // What answers long after the last lost ping may do so since the host answers again, which
        // without probes is found by the next check.
        let began = from;
        let silence = subject.replies.silence(from, to);
        let (from, last_silence) = silence.map_or((from, None), |(from, last)| (from, Some(last)));
        let outage = OutageTime {
            last_reply: subject.replies.last_reply_before(from),
            from,
            to: last_silence.map_or(to, |at| to.min(at.plus(EVIDENCE_AFTER_MS))),
        };
        let gateway = self.gateways.get(&link);
        let broken_path = subject.broken_path(&outage);
        let healthy_path = subject.healthy_path.as_ref();
        let longest_run = gateway.and_then(|replies| replies.longest_run_before(from));
        let is_gateway_reliable = longest_run.map(|pings| pings >= RELIABLE_PINGS);
        let gateway_during = |outage: &OutageTime| {
            let is_reliable = is_gateway_reliable == Some(true);
            let answered = gateway.and_then(|replies| replies.answered(outage, is_reliable));
            answered.map_or(Reachability::Unknown, |is_answered| match is_answered {
                true => Reachability::Answers,
                false => Reachability::Silent,
            })
        };
        let mut evidence = CauseEvidence {
            position: subject.position?,
            // The pings of this outage were sent, so it was not the link.
            link_fault: None,
            gateway_address: link.gateway,
            interface: Some(link.interface.clone()).filter(|name| !name.is_empty()),
            gateway: gateway_during(&outage),
            is_gateway_reliable,
            beyond_answering: 0,
            on_path_answering: 0,
            beyond_silent: 0,
            near_answering: 0,
            near_silent: 0,
            path_reached: broken_path.and_then(Path::last),
            reach: broken_path.map(Path::reach),
            link_reach: None,
            link_reached: None,
            is_path_whole: broken_path
                .zip(healthy_path)
                .and_then(|(b, h)| b.is_whole(h)),
            is_first_router_known: healthy_path
                .is_some_and(|path| path.hops.first().is_some_and(Option::is_some)),
            is_complete: subject.replies.since().is_some_and(|since| since < began),
        };
        let paths = subject.paths(&outage);
        let over_link = || {
            let all = self.hosts.iter();
            all.filter(|(_, record)| record.is_over(&link))
        };
        // A trace that ended after the last lost ping may have reached its host after the
        // outage.
        let silent_until = match last_silence {
            Some(at) if to.0.saturating_sub(at.0) <= EVIDENCE_AFTER_MS => at,
            _ => outage.to,
        };
        let is_within = |path: &&Path| !path.reached || path.at <= silent_until;
        let add_paths = |evidence: &mut CauseEvidence, outage: &OutageTime| {
            for (_, record) in over_link().filter(|(_, record)| record.is_beyond(&link)) {
                let traced = record.traced(outage).filter(is_within);
                if let Some(path) = traced.max_by_key(|path| path.reach()) {
                    evidence.add_path_over_link(path.reach(), path.last());
                }
            }
        };
        add_paths(&mut evidence, &outage);
        let mut failed_since = from;
        for (other, record) in over_link() {
            let is_beyond = record.is_beyond(&link);
            if **other == *host {
                continue;
            }
            let max_age_ms = MAX_AGE_MS.max(record.interval_ms + MAX_AGE_MS / 2);
            let is_passed = || {
                let path = record.healthy_path.as_ref();
                record.ip.is_some_and(|ip| paths.pass(ip, path))
            };
            let counted = match record.replies.conduct(&outage, max_age_ms) {
                Conduct::Answered if is_beyond && is_passed() => &mut evidence.on_path_answering,
                Conduct::Answered if is_beyond => &mut evidence.beyond_answering,
                Conduct::FailedToo if is_beyond => {
                    let since = record.replies.failed_since(&outage);
                    failed_since = failed_since.min(since.unwrap_or(from));
                    &mut evidence.beyond_silent
                }
                _ if record.position != Some(NetworkPosition::OnLink) => continue,
                Conduct::Answered => &mut evidence.near_answering,
                Conduct::FailedToo => &mut evidence.near_silent,
                Conduct::Unclear => continue,
            };
            *counted += 1;
        }
        // Checked rarely, it may have been silent as long as those that failed with it. What was
        // observed since then counts where nothing was later.
        let whole = OutageTime {
            from: failed_since,
            ..outage
        };
        if evidence.gateway == Reachability::Unknown {
            evidence.gateway = gateway_during(&whole);
        }
        if evidence.link_reach.is_none() {
            add_paths(&mut evidence, &whole);
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
            let order = |failure: &NameFailure| (failure.since, failure.host.name.clone());
            order(a).cmp(&order(b))
        });
        found
    }

    /// When the name of an address first resolved again for one of its hosts, after `since`, if it
    /// resolves for all of them.
    pub fn resolved_at_address(&self, address: &str, since: UtcMillis) -> Option<UtcMillis> {
        let has_address =
            |(host, _): &(&Arc<Host>, _)| host.address.as_str().eq_ignore_ascii_case(address);
        let records = || {
            self.hosts
                .iter()
                .filter(has_address)
                .map(|(_, record)| record)
        };
        let is_resolved = |record: &HostRecord| record.not_found_since.is_none();
        let recovered = records().filter_map(|record| record.recovered_at);
        let recovered = recovered.filter(|at| *at >= since).min();
        // After a restart the first failed lookup is not known.
        let resolved = records().filter_map(|record| record.resolved_at).max();
        recovered
            .or(resolved)
            .filter(|_| records().all(is_resolved))
    }

    /// The newest traced path to a host that did not reach it.
    pub fn broken_path(&self, host: &Host) -> Option<&Path> {
        let mut traces = self.hosts.get(host)?.traces.iter().rev();
        traces.find(|path| !path.reached)
    }

    /// The last ping that the host did not answer.
    pub fn last_silence(&self, host: &Host) -> Option<UtcMillis> {
        self.hosts.get(host)?.replies.last_silence()
    }
}

#[cfg(test)]
#[path = "scene_tests.rs"]
mod tests;
