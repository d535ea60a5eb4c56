//! Whether packets of a version of IP can leave this machine. A link is down when no host of that
//! version can be sent to; a host that alone cannot be sent to says nothing about it.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use crate::pure::address::IpVersion;
use crate::pure::cause::NetworkPosition;
use crate::pure::model::{CheckResult, Host, LocalFault, Outcome};
use crate::pure::time::UtcMillis;

/// Packets cannot be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkDown {
    pub versions: Vec<IpVersion>,
    pub since: UtcMillis,
    /// When something was last sent.
    pub earliest: Option<UtcMillis>,
    pub reason: String,
    /// The hosts whose pings could not be sent.
    pub hosts: Vec<Arc<Host>>,
}

#[derive(Clone, Debug, Default)]
pub struct OwnLinks {
    hosts: HashMap<Arc<Host>, HostLink>,
    links: BTreeMap<IpVersion, LinkState>,
}

#[derive(Clone, Debug)]
struct HostLink {
    version: IpVersion,
    is_this_machine: bool,
    /// Its newest check in which pings were sent.
    measured_at: Option<UtcMillis>,
    blocked: Option<Blocked>,
}

/// Checks in a row whose pings found no link.
#[derive(Clone, Debug)]
struct Blocked {
    since: UtcMillis,
    /// The last ping that could not be sent.
    last: UtcMillis,
    reason: String,
}

#[derive(Clone, Debug, Default)]
struct LinkState {
    down: Option<Down>,
    /// When it was down last, and when packets could be sent again.
    lost_at: Option<UtcMillis>,
    restored_at: Option<UtcMillis>,
    /// The first check in which pings were sent.
    first_sent: Option<UtcMillis>,
}

#[derive(Clone, Debug)]
struct Down {
    since: UtcMillis,
    /// When something was last sent.
    earliest: Option<UtcMillis>,
    reason: String,
}

impl LinkState {
    fn restore(&mut self, at: UtcMillis) {
        if let Some(down) = self.down.take_if(|down| down.since <= at) {
            (self.lost_at, self.restored_at) = (Some(down.since), Some(at));
        } else if self.lost_at.is_some_and(|lost| lost <= at) {
            // A check that began before the witness found it restored.
            self.restored_at = self.restored_at.min(Some(at));
        }
    }
}

/// Failures of both versions of IP within this time have one cause.
const SAME_FAILURE_MS: u64 = 120_000;

impl OwnLinks {
    /// Removes the hosts that are no longer checked.
    pub fn retain_hosts(&mut self, is_checked: impl Fn(&Host) -> bool) {
        self.hosts.retain(|host, _| is_checked(host));
    }

    pub fn add_check(
        &mut self,
        result: &CheckResult,
        version: IpVersion,
        position: Option<NetworkPosition>,
    ) {
        let at = result.checked_at;
        let is_this_machine = position == Some(NetworkPosition::ThisMachine);
        let host = self
            .hosts
            .entry(Arc::clone(&result.host))
            .or_insert(HostLink {
                version,
                is_this_machine,
                measured_at: None,
                blocked: None,
            });
        (host.version, host.is_this_machine) = (version, is_this_machine);
        if result.sent() > 0 {
            (host.measured_at, host.blocked) = (Some(at), None);
            if is_this_machine {
                return;
            }
            let link = self.links.entry(version).or_default();
            link.first_sent = Some(link.first_sent.map_or(at, |first| first.min(at)));
            // Where the last ping could not be sent, the link was lost in this check.
            if !matches!(result.pings.last(), Some(Outcome::SendFailed { .. })) {
                link.restore(at);
            }
        } else if result.local_fault == Some(LocalFault::Link) {
            let pings = i64::try_from(result.pings.len()).unwrap_or(0);
            let lasted = (pings - 1).max(0) * i64::from(result.spacing_ms);
            let last = UtcMillis(at.0.saturating_add(lasted));
            let reason = || result.reason.clone().unwrap_or_default();
            let blocked = host.blocked.get_or_insert_with(|| Blocked {
                since: at,
                last,
                reason: reason(),
            });
            blocked.last = last;
        }
    }

    /// No host of this version can be sent to, as was found `at` this time. It began with the first
    /// host that could not, after the last check in which something was sent.
    pub fn lost(&mut self, version: IpVersion, at: UtcMillis) {
        let of_version = |host: &&HostLink| host.version == version && !host.is_this_machine;
        let own = self.hosts.values().filter(of_version);
        let earliest = own.clone().filter_map(|host| host.measured_at).max();
        let blocked = own
            .filter_map(|host| host.blocked.as_ref())
            .filter(|blocked| earliest.is_none_or(|measured| measured < blocked.last))
            .min_by_key(|blocked| blocked.since);
        let link = self.links.entry(version).or_default();
        if let (None, Some(blocked)) = (&link.down, blocked) {
            let since = earliest.map_or(blocked.since, |measured| measured.max(blocked.since));
            if link
                .restored_at
                .is_none_or(|restored| restored < blocked.last)
            {
                link.down = Some(Down {
                    since: link
                        .restored_at
                        .map_or(since, |last| last.max(since))
                        .min(at),
                    earliest,
                    reason: blocked.reason.clone(),
                });
            }
        }
    }

    pub fn restored(&mut self, version: IpVersion, at: UtcMillis) {
        self.links.entry(version).or_default().restore(at);
    }

    /// The versions of IP whose packets cannot be sent; those that failed together as one entry.
    pub fn down(&self) -> Vec<LinkDown> {
        let mut found: Vec<LinkDown> = Vec::new();
        for (version, link) in &self.links {
            let Some(Down {
                since,
                earliest,
                reason,
            }) = &link.down
            else {
                continue;
            };
            let is_blocked = |host: &HostLink| host.version == *version && host.blocked.is_some();
            let hosts = self
                .hosts
                .iter()
                .filter(|(_, host)| is_blocked(host))
                .map(|(host, _)| Arc::clone(host));
            match found
                .iter_mut()
                .find(|other| other.since.0.abs_diff(since.0) <= SAME_FAILURE_MS)
            {
                Some(other) => {
                    other.versions.push(*version);
                    other.hosts.extend(hosts);
                    (other.since, other.earliest) =
                        (other.since.min(*since), other.earliest.max(*earliest));
                }
                None => found.push(LinkDown {
                    versions: vec![*version],
                    since: *since,
                    earliest: *earliest,
                    reason: reason.clone(),
                    hosts: hosts.collect(),
                }),
            }
        }
        found
    }

    /// The number of versions of IP whose packets cannot be sent.
    pub fn count_down(&self) -> usize {
        let links = self.links.values();
        links.filter(|link| link.down.is_some()).count()
    }

    /// When packets of this version could be sent again.
    pub fn restored_at(&self, version: IpVersion) -> Option<UtcMillis> {
        self.links.get(&version).and_then(|link| link.restored_at)
    }

    /// When something was first sent over one of these versions.
    pub fn first_sent_at(&self, versions: &[IpVersion]) -> Option<UtcMillis> {
        let first = |version| self.links.get(version)?.first_sent;
        versions.iter().filter_map(first).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const V4: IpVersion = IpVersion::V4;

    fn result(name: &str, at: i64, pings: &[Outcome], fault: Option<LocalFault>) -> CheckResult {
        CheckResult {
            pings: pings.to_vec(),
            spacing_ms: 1000,
            local_fault: fault,
            reason: fault.map(|_| "why".into()),
            ..CheckResult::begin(Arc::new(Host::unlisted(name)), UtcMillis(at))
        }
    }

    const REPLY: Outcome = Outcome::Reply { rtt_us: 1 };
    const UNSENT: Outcome = Outcome::SendFailed { errno: 101 };

    struct Given(OwnLinks);

    impl Given {
        fn check(&mut self, name: &str, at: i64, pings: &[Outcome], fault: Option<LocalFault>) {
            let position = match name {
                "me" => NetworkPosition::ThisMachine,
                "near" => NetworkPosition::OnLink,
                _ => NetworkPosition::BeyondGateway,
            };
            let result = result(name, at, pings, fault);
            self.0.add_check(&result, V4, Some(position));
        }

        fn blocked(&mut self, name: &str, at: i64) {
            self.check(name, at, &[], Some(LocalFault::Link));
        }

        fn down(&self) -> Vec<(i64, Option<i64>)> {
            let down = self.0.down().into_iter();
            down.map(|link| (link.since.0, link.earliest.map(|at| at.0)))
                .collect()
        }
    }

    #[test]
    fn a_host_that_cannot_be_sent_to_is_no_link_that_is_down() {
        let mut given = Given(OwnLinks::default());
        given.blocked("far", 1000);
        given.check("near", 1500, &[REPLY], None);
        given.check("far", 3000, &[], Some(LocalFault::Host));
        assert_eq!(given.down(), []);
    }

    #[test]
    fn a_link_is_down_from_the_first_host_that_could_not_be_sent_to() {
        let mut given = Given(OwnLinks::default());
        given.blocked("never", 500);
        given.check("far", 1000, &[REPLY], None);
        given.check("near", 1500, &[REPLY], None);
        given.check("me", 4500, &[REPLY], None);
        given.blocked("far", 3000);
        given.0.lost(V4, UtcMillis(9000));
        assert_eq!(given.down(), [(3000, Some(1500))]);
        given.check("me", 5000, &[REPLY], None);
        assert_eq!(given.down().len(), 1, "loopback proves nothing");
        given.check("near", 6000, &[REPLY], None);
        assert_eq!(given.down(), []);
        assert_eq!(given.0.restored_at(V4), Some(UtcMillis(6000)));
    }

    #[test]
    fn a_check_that_lost_its_link_itself_ends_no_event() {
        let mut given = Given(OwnLinks::default());
        given.check("near", 1100, &[REPLY, REPLY], None);
        // Its pings were lost with the link, a second after the other check.
        let unsent = [UNSENT, UNSENT, UNSENT];
        given.check("far", 1000, &unsent, Some(LocalFault::Link));
        given.0.lost(V4, UtcMillis(9000));
        assert_eq!(given.down(), [(1100, Some(1100))]);
        given.check("near", 1200, &[REPLY, UNSENT], None);
        assert_eq!(given.down(), [(1100, Some(1100))]);
    }

    #[test]
    fn a_loss_that_is_reported_after_something_was_sent_is_none() {
        let mut given = Given(OwnLinks::default());
        given.blocked("far", 1000);
        given.check("near", 1500, &[REPLY], None);
        given.0.lost(V4, UtcMillis(9000));
        assert_eq!(given.down(), []);
        given.check("far", 3000, &[REPLY], None);
        given.blocked("far", 5000);
        given.0.lost(V4, UtcMillis(9000));
        given.0.restored(V4, UtcMillis(6000));
        given.0.lost(V4, UtcMillis(9000));
        assert_eq!(given.down(), [], "the same loss, reported again");
    }

    #[test]
    fn a_link_is_lost_only_if_a_ping_found_none_after_the_last_that_was_sent() {
        for (measured, expected) in [(3000, &[][..]), (2999, &[(2999, Some(2999))])] {
            let mut given = Given(OwnLinks::default());
            // The last of its pings was due at 3000.
            let unsent = [UNSENT, UNSENT, UNSENT];
            given.check("far", 1000, &unsent, Some(LocalFault::Link));
            given.check("near", measured, &[REPLY], None);
            given.0.lost(V4, UtcMillis(9000));
            assert_eq!(given.down(), expected, "{measured}");
        }
    }

    #[test]
    fn a_link_that_was_restored_is_lost_again_only_by_a_later_ping() {
        for (restored, expected) in [(2000, &[][..]), (1999, &[(1999, None)])] {
            let mut given = Given(OwnLinks::default());
            given.blocked("far", 1000);
            given.0.lost(V4, UtcMillis(9000));
            given.0.restored(V4, UtcMillis(restored));
            given.blocked("far", 2000);
            given.0.lost(V4, UtcMillis(9000));
            assert_eq!(given.down(), expected, "{restored}");
        }
    }

    #[test]
    fn versions_that_fail_within_two_minutes_are_one_entry_with_the_hosts_of_both() {
        for (apart, entries) in [(120_000, 1), (120_001, 2)] {
            let mut links = OwnLinks::default();
            let mut add = |name: &str, version, at, pings: &[Outcome]| {
                let fault = pings.is_empty().then_some(LocalFault::Link);
                links.add_check(&result(name, at, pings, fault), version, None);
            };
            add("four", V4, 1_000_000, &[]);
            add("other", V4, 999_000, &[REPLY]);
            add("six", IpVersion::V6, 1_000_000 + apart, &[]);
            add("seven", IpVersion::V6, 999_500, &[REPLY]);
            links.lost(V4, UtcMillis(9_000_000));
            assert_eq!(links.count_down(), 1);
            links.lost(IpVersion::V6, UtcMillis(9_000_000));
            assert_eq!(links.count_down(), 2);
            let down = links.down();
            let hosts = |link: &LinkDown| -> Vec<String> {
                link.hosts.iter().map(|host| host.name.clone()).collect()
            };
            assert_eq!(down.len(), entries);
            if let [both] = &down[..] {
                assert_eq!(both.versions, [V4, IpVersion::V6]);
                assert_eq!(both.since, UtcMillis(1_000_000));
                assert_eq!(both.earliest, Some(UtcMillis(999_500)));
                assert_eq!(hosts(both), ["four", "six"]);
            } else {
                assert_eq!(
                    (hosts(&down[0]), hosts(&down[1])),
                    (vec!["four".into()], vec!["six".into()])
                );
            }
            links.retain_hosts(|host| host.name == "six");
            let hosts: Vec<String> = links.down().iter().flat_map(hosts).collect();
            assert_eq!(hosts, ["six"]);
            links.restored(V4, UtcMillis(9_000_000));
            assert_eq!(links.count_down(), 1);
        }
    }

    #[test]
    fn a_check_that_began_before_the_link_was_found_restored_is_the_end() {
        let mut given = Given(OwnLinks::default());
        given.check("far", 1000, &[REPLY], None);
        given.blocked("far", 3000);
        given.0.lost(V4, UtcMillis(9000));
        given.0.restored(V4, UtcMillis(6000));
        given.check("far", 5900, &[REPLY], None);
        assert_eq!(given.0.restored_at(V4), Some(UtcMillis(5900)));
        given.check("far", 7900, &[REPLY], None);
        assert_eq!(given.0.restored_at(V4), Some(UtcMillis(5900)));
    }

    #[test]
    fn after_a_restart_the_first_check_that_sent_something_is_the_end() {
        let mut given = Given(OwnLinks::default());
        given.check("me", 500, &[REPLY], None);
        for at in [3000, 1000, 2000] {
            given.check("far", at, &[REPLY], None);
            given.check("near", at + 100, &[REPLY], None);
        }
        assert_eq!(given.0.first_sent_at(&[V4]), Some(UtcMillis(1000)));
        assert_eq!(given.0.first_sent_at(&[IpVersion::V6]), None);
    }
}
