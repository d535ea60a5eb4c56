//! The values that all layers share: a host, the outcome of a ping, the result of a check. How they
//! are judged is in check.rs, how they are stored in store/.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use serde::Serialize;

use crate::pure::address::{HostAddress, IpVersion, Source};
use crate::pure::cause::NetworkPosition;
use crate::pure::host_key::{HostIdentity, OwnedIdentity};
use crate::pure::link::Link;
use crate::pure::stats;
use crate::pure::time::UtcMillis;

/// The id of a recorded host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct HostId(pub i64);

/// The id of a recorded outage or other event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct EventId(pub i64);

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The kind of a recorded event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum EventKind {
    /// A host did not answer.
    Outage,
    /// Several outages of a host in a short time.
    Intermittent,
    /// A name did not resolve.
    Dns,
    /// Nothing could be sent.
    LinkDown,
    /// A word that only another program can have written.
    Unknown,
}

impl EventKind {
    const ALL: [EventKind; 5] = [
        EventKind::Outage,
        EventKind::Intermittent,
        EventKind::Dns,
        EventKind::LinkDown,
        EventKind::Unknown,
    ];

    /// The word in JSON and SQL.
    pub fn as_str(self) -> &'static str {
        match self {
            EventKind::Outage => "outage",
            EventKind::Intermittent => "intermittent",
            EventKind::Dns => "dns",
            EventKind::LinkDown => "link_down",
            EventKind::Unknown => "unknown",
        }
    }

    pub fn from_word(word: &str) -> EventKind {
        EventKind::ALL
            .into_iter()
            .find(|kind| kind.as_str() == word)
            .unwrap_or(EventKind::Unknown)
    }
}

impl fmt::Display for EventKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A host to ping. Address, family and source are its identity; the name is for people and may
/// change.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Host {
    pub name: String,
    pub address: HostAddress,
    /// The version of IP to use; `None` for either.
    pub family: Option<IpVersion>,
    /// `None` lets routing choose.
    pub source: Option<Source>,
}

impl Host {
    /// A host that is not in the configuration: named by its address, over either version of IP.
    pub fn unlisted(address: &str) -> Host {
        Host {
            name: address.to_owned(),
            address: address.into(),
            family: None,
            source: None,
        }
    }

    pub fn identity(&self) -> HostIdentity<'_> {
        HostIdentity {
            address: self.address.as_str(),
            family: self.family,
            source: self.source.as_ref(),
        }
    }

    pub fn owned_identity(&self) -> OwnedIdentity {
        (self.address.clone(), self.family, self.source.clone())
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.name == self.address.as_str() {
            write!(f, "{}", self.name)
        } else {
            write!(f, "{} ({})", self.name, self.address)
        }
    }
}

/// The outcome of one ping that was sent, or was to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// A valid reply arrived in time. The round-trip time is at least 1 us.
    Reply { rtt_us: u32 },
    /// Neither a reply nor an ICMP error arrived in time.
    TimedOut,
    /// No reply arrived in time; an ICMP error said why.
    Unreachable(IcmpError),
    /// The system call that sends failed: the ping counts neither as sent nor as lost.
    SendFailed { errno: i32 },
    /// The clock was set so that the round-trip time cannot be determined: neither sent nor lost.
    Untimed,
}

/// An ICMP error about one of our pings (RFC 792, RFC 4443): its type and code, and who sent it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IcmpError {
    /// The ICMP type.
    pub kind: u8,
    pub code: u8,
    /// Whether type and code are ICMP's or ICMPv6's.
    pub version: IpVersion,
    /// The machine that sent the error, where the kernel reports it.
    pub from: Option<IpAddr>,
}

/// How well a host answers, by the share of a check's pings that were answered: see [`Thresholds`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// At least `up_percent` (95) of the pings were answered, and not too slowly.
    Up,
    /// At least `degraded_percent` (80), or above `latency_limit_ms`.
    Degraded,
    /// Fewer, but some.
    Poor,
    /// None.
    Down,
    /// This machine could not send any ping.
    NotMeasured,
}

/// Limits of success rate and latency between the states. Rates are thousandths of a percent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Thresholds {
    /// Minimum success rate of a host that is up.
    pub up_rate: u32,
    /// Minimum success rate of a host that is degraded and not poor.
    pub degraded_rate: u32,
    /// A check whose mean round-trip time is above this is degraded, however many replies arrived.
    pub latency_limit_us: Option<u32>,
}

impl Default for Thresholds {
    fn default() -> Self {
        Thresholds {
            up_rate: 95_000,
            degraded_rate: 80_000,
            latency_limit_us: None,
        }
    }
}

impl Thresholds {
    /// The state after `received` replies to `sent` pings with the mean round-trip time `avg_us`.
    pub fn judge(&self, sent: u64, received: u64, avg_us: Option<u32>) -> State {
        let reaches =
            |rate: u32| received.saturating_mul(100_000) >= sent.saturating_mul(u64::from(rate));
        let is_slow = || {
            self.latency_limit_us
                .zip(avg_us)
                .is_some_and(|(limit, avg)| avg > limit)
        };
        if sent == 0 {
            State::NotMeasured
        } else if received == 0 {
            State::Down
        } else if !reaches(self.degraded_rate) {
            State::Poor
        } else if !reaches(self.up_rate) || is_slow() {
            State::Degraded
        } else {
            State::Up
        }
    }
}

impl State {
    /// The best first, and last the one of which nothing is known.
    pub const ALL: [State; 5] = [
        State::Up,
        State::Degraded,
        State::Poor,
        State::Down,
        State::NotMeasured,
    ];

    /// As written in JSON and SQL.
    pub fn as_str(self) -> &'static str {
        match self {
            State::Up => "up",
            State::Degraded => "degraded",
            State::Poor => "poor",
            State::Down => "down",
            State::NotMeasured => "not_measured",
        }
    }

    /// As shown to people.
    pub fn text(self) -> &'static str {
        match self {
            State::NotMeasured => "not measured",
            other => other.as_str(),
        }
    }
}

/// The result of one check: one row in the database.
#[derive(Clone, Debug, PartialEq)]
pub struct CheckResult {
    pub host: Arc<Host>,
    /// The IP address that was pinged; `None` when the host could not be resolved.
    pub resolved: Option<IpAddr>,
    /// Wall clock just before the first ping.
    pub checked_at: UtcMillis,
    /// One outcome per ping, in the order of sending. Empty when no ping was attempted.
    pub pings: Vec<Outcome>,
    /// Time between two pings; 0 when unknown.
    pub spacing_ms: u32,
    /// When each ping was sent, in milliseconds after `checked_at`. Empty where they were sent
    /// `spacing_ms` apart.
    pub sent_after_ms: Vec<u32>,
    /// Time between two checks of the host, which the result represents; 0 when unknown.
    pub interval_ms: u32,
    /// Made by the command `check`: `interval_ms` is the time of its pings.
    pub is_by_hand: bool,
    /// A monitor runs meanwhile, and its checks cover the time.
    pub is_beside_monitor: bool,
    /// Valid replies that arrived after their timeout; their pings count as lost.
    pub late: u32,
    /// Further replies to a ping that was answered before.
    pub duplicates: u32,
    /// Messages that answer none of the pings.
    pub foreign: u32,
    /// Why nothing was measured, or why pings were lost.
    pub reason: Option<String>,
    /// What prevented this machine from measuring.
    pub local_fault: Option<LocalFault>,
    /// Where the host lies in the network, where that is known.
    pub position: Option<NetworkPosition>,
    /// The interface and gateway that the pings left by; `None` where that is not known, and for an
    /// address of this machine.
    pub link: Option<Arc<Link>>,
    /// Why the host's name did not resolve, where its last good address was pinged instead.
    pub name_failure: Option<String>,
    pub thresholds: Thresholds,
}

/// A fault of this machine that prevents measuring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LocalFault {
    /// No interface, carrier, address or route to send by. It is this machine's link if no other
    /// host can be sent to either.
    Link,
    /// This machine sends, but not to this host: its configured source is absent, a route or this
    /// machine's firewall forbids it.
    Host,
    /// The host's name does not resolve.
    Name,
    /// No permission, no file descriptors, the machine slept, or the clock was set.
    Other,
}

impl CheckResult {
    /// A check without pings yet.
    pub fn begin(host: Arc<Host>, checked_at: UtcMillis) -> Self {
        CheckResult {
            host,
            resolved: None,
            checked_at,
            pings: Vec::new(),
            spacing_ms: 0,
            sent_after_ms: Vec::new(),
            interval_ms: 0,
            is_by_hand: false,
            is_beside_monitor: false,
            late: 0,
            duplicates: 0,
            foreign: 0,
            reason: None,
            local_fault: None,
            position: None,
            link: None,
            name_failure: None,
            thresholds: Thresholds::default(),
        }
    }

    /// A check that could not be made.
    pub fn not_measured(
        host: Arc<Host>,
        checked_at: UtcMillis,
        local_fault: LocalFault,
        reason: String,
    ) -> Self {
        CheckResult {
            reason: Some(reason),
            local_fault: Some(local_fault),
            ..CheckResult::begin(host, checked_at)
        }
    }

    /// The text of the address that was pinged: with its interface where it is link-local.
    pub fn pinged_address(&self) -> Option<String> {
        let ip = self.resolved?;
        Some(match &self.link {
            Some(link) => link.text_of(ip),
            None => ip.to_string(),
        })
    }

    /// Round-trip time of each ping that was sent; `None` where it was lost.
    pub fn rtts_us(&self) -> impl Iterator<Item = Option<u32>> + '_ {
        self.timed_rtts().map(|(_, rtt)| rtt)
    }

    /// When each ping was sent and its round-trip time; without those that could not be sent.
    pub fn timed_rtts(&self) -> impl Iterator<Item = (UtcMillis, Option<u32>)> + '_ {
        let regular = |index: usize| i64::try_from(index).unwrap_or(0) * i64::from(self.spacing_ms);
        let sent_at = move |index: usize| {
            let after = self.sent_after_ms.get(index).copied().map(i64::from);
            let after = after.unwrap_or_else(|| regular(index));
            UtcMillis(self.checked_at.0.saturating_add(after))
        };
        self.pings
            .iter()
            .enumerate()
            .filter_map(move |(index, outcome)| match outcome {
                Outcome::Reply { rtt_us } => Some((sent_at(index), Some(*rtt_us))),
                Outcome::TimedOut | Outcome::Unreachable(_) => Some((sent_at(index), None)),
                Outcome::SendFailed { .. } | Outcome::Untimed => None,
            })
    }

    /// Whether it is known when each ping was sent.
    pub fn has_ping_times(&self) -> bool {
        self.spacing_ms > 0 || !self.sent_after_ms.is_empty()
    }

    /// Number of pings that were sent and could be judged.
    pub fn sent(&self) -> u32 {
        count(self.rtts_us())
    }

    /// Number of pings that were answered in time.
    pub fn received(&self) -> u32 {
        count(self.rtts_us().flatten())
    }

    /// Mean round-trip time of the replies.
    pub fn avg_us(&self) -> Option<u32> {
        stats::summarize(self.rtts_us().flatten()).map(|summary| summary.avg_us)
    }

    pub fn state(&self) -> State {
        self.thresholds.judge(
            u64::from(self.sent()),
            u64::from(self.received()),
            self.avg_us(),
        )
    }
}

/// What a notice reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AlertKind {
    /// An outage began.
    Down,
    /// An outage ended.
    Up,
    /// A host answers, but badly.
    Degraded,
    /// Several hosts failed together.
    Incident,
    /// A host began or ceased to lose pings: see loss.rs.
    Loss,
    /// The database is damaged.
    Database,
    /// More notices than may be sent within an hour, in one. It is never configured or stored.
    Digest,
}

impl AlertKind {
    /// Those that can be configured.
    pub const ALL: [AlertKind; 6] = [
        AlertKind::Down,
        AlertKind::Up,
        AlertKind::Degraded,
        AlertKind::Incident,
        AlertKind::Loss,
        AlertKind::Database,
    ];

    /// As written in the configuration, JSON and SQL.
    pub fn as_str(self) -> &'static str {
        match self {
            AlertKind::Down => "down",
            AlertKind::Up => "up",
            AlertKind::Degraded => "degraded",
            AlertKind::Incident => "incident",
            AlertKind::Loss => "loss",
            AlertKind::Database => "database",
            AlertKind::Digest => "digest",
        }
    }

    pub fn from_word(word: &str) -> Option<AlertKind> {
        AlertKind::ALL
            .into_iter()
            .find(|kind| kind.as_str() == word)
    }
}

/// A set of kinds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AlertKinds(u8);

impl AlertKinds {
    pub fn contains(self, kind: AlertKind) -> bool {
        self.0 & (1 << kind as u8) != 0
    }

    pub fn is_empty(self) -> bool {
        self.0 == 0
    }
}

impl FromIterator<AlertKind> for AlertKinds {
    fn from_iter<I: IntoIterator<Item = AlertKind>>(kinds: I) -> Self {
        AlertKinds(
            kinds
                .into_iter()
                .fold(0, |bits, kind| bits | 1 << kind as u8),
        )
    }
}

/// Why a running monitor measured nothing for some time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InterruptionKind {
    /// The machine slept.
    Asleep,
    /// The process was stopped, or was not scheduled.
    HeldUp,
    /// The wall clock was set forward: these instants did not occur.
    ClockSet,
}

impl InterruptionKind {
    pub const ALL: [InterruptionKind; 3] = [
        InterruptionKind::Asleep,
        InterruptionKind::HeldUp,
        InterruptionKind::ClockSet,
    ];

    /// As written in SQL.
    pub fn as_str(self) -> &'static str {
        match self {
            InterruptionKind::Asleep => "asleep",
            InterruptionKind::HeldUp => "held_up",
            InterruptionKind::ClockSet => "clock",
        }
    }

    /// As shown to people.
    pub fn reason(self) -> &'static str {
        match self {
            InterruptionKind::Asleep => "this machine was asleep",
            InterruptionKind::HeldUp => "the monitor was held up",
            InterruptionKind::ClockSet => "the clock was set forward over this time",
        }
    }
}

/// A span in which a running monitor measured nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interruption {
    pub kind: InterruptionKind,
    pub from: UtcMillis,
    pub to: UtcMillis,
}

/// A span in which a host was to be pinged and nothing could be sent to it.
#[derive(Clone, Debug, PartialEq)]
pub struct Unsent {
    pub host: Arc<Host>,
    pub from: UtcMillis,
    pub to: UtcMillis,
    pub reason: String,
}

/// One ping between two checks, sent while a host is silent. It moves the start and end of an
/// outage and is not recorded as a check.
#[derive(Clone, Debug, PartialEq)]
pub struct Probe {
    pub host: Arc<Host>,
    /// When it was sent.
    pub at: UtcMillis,
    /// Whether a reply arrived in time.
    pub is_answered: bool,
}

fn count<T>(items: impl Iterator<Item = T>) -> u32 {
    u32::try_from(items.count()).expect("a check has at most a hundred pings")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_change_exactly_at_95_and_80_percent() {
        let judge = |sent, received| Thresholds::default().judge(sent, received, Some(4_000_000));
        assert_eq!(judge(100, 95), State::Up);
        assert_eq!(judge(100, 94), State::Degraded);
        assert_eq!(judge(100, 80), State::Degraded);
        assert_eq!(judge(100, 79), State::Poor);
        assert_eq!(judge(100, 1), State::Poor);
        assert_eq!(judge(100, 0), State::Down);
        assert_eq!(judge(5, 5), State::Up);
        assert_eq!(judge(5, 4), State::Degraded);
        assert_eq!(judge(5, 2), State::Poor);
        assert_eq!(judge(5, 0), State::Down);
        assert_eq!(judge(0, 0), State::NotMeasured);
    }

    #[test]
    fn configured_thresholds_shift_the_states_and_a_slow_host_is_degraded() {
        let own = Thresholds {
            up_rate: 99_500,
            degraded_rate: 0,
            latency_limit_us: Some(200_000),
        };
        assert_eq!(own.judge(1000, 995, Some(200_000)), State::Up);
        assert_eq!(own.judge(1000, 995, Some(200_001)), State::Degraded);
        assert_eq!(own.judge(1000, 994, None), State::Degraded);
        assert_eq!(own.judge(1000, 1, None), State::Degraded);
        assert_eq!(
            own.judge(1000, 0, None),
            State::Down,
            "without any reply a host is down, whatever the thresholds"
        );
        assert_eq!(
            Thresholds { up_rate: 0, ..own }.judge(10, 0, Some(1)),
            State::Down
        );
    }

    #[test]
    fn every_kind_and_state_has_its_word_and_is_found_by_it() {
        for (kind, word) in [
            (EventKind::Outage, "outage"),
            (EventKind::Intermittent, "intermittent"),
            (EventKind::Dns, "dns"),
            (EventKind::LinkDown, "link_down"),
            (EventKind::Unknown, "unknown"),
        ] {
            assert_eq!((kind.as_str(), EventKind::from_word(word)), (word, kind));
            assert_eq!(kind.to_string(), word);
        }
        assert_eq!(EventKind::from_word("Outage"), EventKind::Unknown);
        for (kind, word) in [
            (AlertKind::Down, "down"),
            (AlertKind::Up, "up"),
            (AlertKind::Degraded, "degraded"),
            (AlertKind::Incident, "incident"),
            (AlertKind::Loss, "loss"),
            (AlertKind::Database, "database"),
        ] {
            assert_eq!(
                (kind.as_str(), AlertKind::from_word(word)),
                (word, Some(kind))
            );
        }
        assert_eq!(AlertKind::Digest.as_str(), "digest");
        assert_eq!(AlertKind::from_word("digest"), None, "cannot be configured");
        for (kind, word, reason) in [
            (
                InterruptionKind::Asleep,
                "asleep",
                "this machine was asleep",
            ),
            (
                InterruptionKind::HeldUp,
                "held_up",
                "the monitor was held up",
            ),
            (
                InterruptionKind::ClockSet,
                "clock",
                "the clock was set forward over this time",
            ),
        ] {
            assert_eq!((kind.as_str(), kind.reason()), (word, reason));
        }
        for (state, word, text) in [
            (State::Up, "up", "up"),
            (State::Degraded, "degraded", "degraded"),
            (State::Poor, "poor", "poor"),
            (State::Down, "down", "down"),
            (State::NotMeasured, "not_measured", "not measured"),
        ] {
            assert_eq!((state.as_str(), state.text()), (word, text));
        }
    }

    #[test]
    fn a_set_of_kinds_contains_what_it_was_made_of() {
        let sets: [&[AlertKind]; 5] = [
            &[],
            &AlertKind::ALL,
            &[AlertKind::Down],
            &[AlertKind::Up, AlertKind::Up],
            &[AlertKind::Database, AlertKind::Degraded],
        ];
        for kinds in sets {
            let set: AlertKinds = kinds.iter().copied().collect();
            assert_eq!(set.is_empty(), kinds.is_empty(), "{kinds:?}");
            for kind in AlertKind::ALL {
                assert_eq!(
                    set.contains(kind),
                    kinds.contains(&kind),
                    "{kind:?} in {kinds:?}"
                );
            }
        }
    }

    #[test]
    fn a_host_is_shown_with_its_address_unless_that_is_its_name() {
        let mut host = Host::unlisted("192.0.2.1");
        assert_eq!(host.to_string(), "192.0.2.1");
        host.name = "Router".into();
        assert_eq!(host.to_string(), "Router (192.0.2.1)");
        assert_eq!(format!("{:>3}", EventId(7)), "  7");
    }

    #[test]
    fn a_result_says_what_was_pinged_when_and_how_fast() {
        let host = Arc::new(Host::unlisted("router"));
        let mut result = CheckResult::begin(host, UtcMillis(1000));
        assert_eq!((result.pinged_address(), result.avg_us()), (None, None));
        assert!(!result.has_ping_times());
        result.resolved = Some("fe80::1".parse().expect("an address"));
        assert_eq!(result.pinged_address().as_deref(), Some("fe80::1"));
        result.link = Some(Arc::new(Link {
            version: IpVersion::V6,
            interface: "eth0".into(),
            gateway: None,
        }));
        assert_eq!(result.pinged_address().as_deref(), Some("fe80::1%eth0"));
        result.pings = vec![
            Outcome::Reply { rtt_us: 100 },
            Outcome::TimedOut,
            Outcome::Reply { rtt_us: 301 },
        ];
        assert_eq!(result.avg_us(), Some(201));
        result.spacing_ms = 20;
        assert!(result.has_ping_times());
        let sent = |result: &CheckResult| -> Vec<i64> {
            result.timed_rtts().map(|(at, _)| at.0).collect()
        };
        assert_eq!(sent(&result), [1000, 1020, 1040]);
        result.spacing_ms = 0;
        result.sent_after_ms = vec![0, 500, 510];
        assert!(result.has_ping_times());
        assert_eq!(sent(&result), [1000, 1500, 1510]);
    }

    #[test]
    fn a_ping_that_was_not_sent_is_neither_sent_nor_lost() {
        let host = Arc::new(Host {
            name: "a".into(),
            address: "127.0.0.1".into(),
            family: None,
            source: None,
        });
        let mut result =
            CheckResult::not_measured(host, UtcMillis(0), LocalFault::Other, "x".into());
        assert_eq!(result.state(), State::NotMeasured);
        assert_eq!(result.local_fault, Some(LocalFault::Other));
        assert_eq!(result.reason.as_deref(), Some("x"));
        result.pings = vec![
            Outcome::SendFailed { errno: 101 },
            Outcome::Reply { rtt_us: 5 },
            Outcome::TimedOut,
            Outcome::Untimed,
        ];
        assert_eq!((result.sent(), result.received()), (2, 1));
        assert_eq!(result.rtts_us().collect::<Vec<_>>(), [Some(5), None]);
        assert_eq!(result.state(), State::Poor);
    }
}
