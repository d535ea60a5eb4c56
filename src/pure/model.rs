//! The nouns every floor shares: what is pinged, what became of a ping, what a check found. Plain
//! values; how they are judged is in check.rs, how they are kept in store/.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use crate::pure::address::{HostAddress, IpVersion};
use crate::pure::cause::NetworkPosition;
use crate::pure::stats;
use crate::pure::time::UtcMillis;

/// What the user lists. Address and family are its identity; the name is for people and may change.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Host {
    pub name: String,
    pub address: HostAddress,
    /// The version of IP to use; `None` for either.
    pub family: Option<IpVersion>,
}

impl Host {
    /// A host that is not in the configuration: named by its address, over either version of IP.
    pub fn unlisted(address: &str) -> Host {
        Host {
            name: address.to_owned(),
            address: address.into(),
            family: None,
        }
    }

    /// Text that identifies a host: its address, and where several hosts have that address
    /// (`is_shared`), its version of IP too.
    pub fn key(address: &str, family: Option<IpVersion>, is_shared: bool) -> String {
        match family.filter(|_| is_shared) {
            Some(version) => format!("{address} ({version})"),
            None => address.to_string(),
        }
    }

    /// Splits a key into the address and the version of IP, where it names one. No address ends
    /// like that.
    pub fn split_key(key: &str) -> (&str, Option<IpVersion>) {
        let address_for = |version: IpVersion| key.strip_suffix(&format!(" ({version})"));
        IpVersion::ALL
            .into_iter()
            .find_map(|version| Some((address_for(version)?, Some(version))))
            .unwrap_or((key, None))
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

/// What a host's pings are sent from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// One of this machine's addresses.
    Address(IpAddr),
    /// One of this machine's interfaces.
    Interface(String),
}

/// The fate of one ping that left this machine, or should have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// A right reply came in time. Whole microseconds, at least 1.
    Reply {
        /// Round-trip time.
        rtt_us: u32,
    },
    /// Nothing came in time that could be told from silence.
    TimedOut,
    /// Nothing came in time, and an ICMP error said why.
    Unreachable(IcmpError),
    /// The ping never left: the observer's fault, so neither sent nor lost.
    SendFailed {
        /// The error number of the send.
        errno: i32,
    },
    /// The clock was set so awkwardly meanwhile that the round-trip time cannot be told: neither
    /// sent nor lost.
    Untimed,
}

/// An ICMP error about one of our pings (RFC 792, RFC 4443): its type and code, and who sent it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IcmpError {
    /// ICMP type.
    pub kind: u8,
    /// ICMP code.
    pub code: u8,
    /// Whether type and code are ICMP's or ICMPv6's.
    pub version: IpVersion,
    /// The machine that sent the error, where the kernel said so.
    pub from: Option<IpAddr>,
}

/// How well a host answers, by the share of a check's pings that were answered: see [`Thresholds`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// 95 % and more, unless the configuration says otherwise.
    Up,
    /// 80 % and more, or slower than it may be.
    Degraded,
    /// Less.
    Down,
    /// Nothing could be sent: the observer's fault.
    NotMeasured,
}

/// From which success rate and latency on a host is up, degraded or down. Rates are thousandths of
/// a percent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Thresholds {
    /// The least success rate of a host that is up.
    pub up_rate: u32,
    /// The least success rate of a host that is no worse than degraded.
    pub degraded_rate: u32,
    /// A check whose mean round-trip time is above this is degraded however many replies came;
    /// microseconds.
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
    /// The state that `received` replies to `sent` pings mean, with their mean round-trip time in
    /// microseconds.
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
        } else if received == 0 || !reaches(self.degraded_rate) {
            State::Down
        } else if !reaches(self.up_rate) || is_slow() {
            State::Degraded
        } else {
            State::Up
        }
    }
}

impl State {
    /// The word in JSON and SQL.
    pub fn as_str(self) -> &'static str {
        match self {
            State::Up => "up",
            State::Degraded => "degraded",
            State::Down => "down",
            State::NotMeasured => "not_measured",
        }
    }

    /// The word for people.
    pub fn text(self) -> &'static str {
        match self {
            State::NotMeasured => "not measured",
            other => other.as_str(),
        }
    }
}

/// What one check found: one row in the database.
#[derive(Clone, Debug, PartialEq)]
pub struct CheckResult {
    /// The host that was checked.
    pub host: Arc<Host>,
    /// The IP address that was pinged; `None` when there was none to ping.
    pub resolved: Option<IpAddr>,
    /// The wall clock just before the first ping.
    pub checked_at: UtcMillis,
    /// One outcome a ping, in the order of sending. Empty when no ping could be tried.
    pub pings: Vec<Outcome>,
    /// From one ping to the next; 0 where nobody knows.
    pub spacing_ms: u32,
    /// From one check of the host to the next, for which it stands; 0 where nobody knows.
    pub interval_ms: u32,
    /// Right replies that came after their timeout: the pings stay lost.
    pub late: u32,
    /// Right replies that came again.
    pub duplicates: u32,
    /// Messages that were not an answer to any of the pings.
    pub foreign: u32,
    /// Why nothing could be measured, or why pings were lost; `None` when there is nothing to tell.
    pub reason: Option<String>,
    /// What kept this machine from measuring, where it could not.
    pub local_fault: Option<LocalFault>,
    /// Where the host is, seen from this machine, where that is known.
    pub place: Option<NetworkPosition>,
    /// What the resolver said of a name that does not resolve any more and is pinged at its last
    /// good address.
    pub name_failure: Option<String>,
    /// By what its state is judged.
    pub thresholds: Thresholds,
}

/// What keeps this machine from measuring: the observer's own faults.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LocalFault {
    /// No interface, no carrier, no address or no route to send by.
    Link,
    /// A name that does not resolve.
    Name,
    /// No permission, no descriptors, a machine that slept, a clock that was set.
    Other,
}

impl CheckResult {
    /// A check of which nothing is known yet.
    pub fn begin(host: Arc<Host>, checked_at: UtcMillis) -> Self {
        CheckResult {
            host,
            resolved: None,
            checked_at,
            pings: Vec::new(),
            spacing_ms: 0,
            interval_ms: 0,
            late: 0,
            duplicates: 0,
            foreign: 0,
            reason: None,
            local_fault: None,
            place: None,
            name_failure: None,
            thresholds: Thresholds::default(),
        }
    }

    /// A check that could not be made, with the reason.
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

    /// Round-trip time of each ping that was sent: microseconds, `None` where it was lost.
    pub fn rtts_us(&self) -> impl Iterator<Item = Option<u32>> + '_ {
        self.pings.iter().filter_map(|outcome| match outcome {
            Outcome::Reply { rtt_us } => Some(Some(*rtt_us)),
            Outcome::TimedOut | Outcome::Unreachable(_) => Some(None),
            Outcome::SendFailed { .. } | Outcome::Untimed => None,
        })
    }

    /// Pings that left and could be judged.
    pub fn sent(&self) -> u32 {
        count(self.rtts_us())
    }

    /// Pings that were answered in time.
    pub fn received(&self) -> u32 {
        count(self.rtts_us().flatten())
    }

    /// Mean round-trip time in microseconds.
    pub fn avg_us(&self) -> Option<u32> {
        stats::summarize(self.rtts_us().flatten()).map(|summary| summary.avg_us)
    }

    /// Up, degraded, down or not measured.
    pub fn state(&self) -> State {
        self.thresholds.judge(
            u64::from(self.sent()),
            u64::from(self.received()),
            self.avg_us(),
        )
    }
}

/// What there is to tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AlertKind {
    /// An outage began.
    Down,
    /// It is over.
    Up,
    /// A host answers, but badly.
    Degraded,
    /// Several hosts failed together.
    Incident,
}

impl AlertKind {
    /// All of them.
    pub const ALL: [AlertKind; 4] = [
        AlertKind::Down,
        AlertKind::Up,
        AlertKind::Degraded,
        AlertKind::Incident,
    ];

    /// The word in the configuration, in JSON and SQL.
    pub fn as_str(self) -> &'static str {
        match self {
            AlertKind::Down => "down",
            AlertKind::Up => "up",
            AlertKind::Degraded => "degraded",
            AlertKind::Incident => "incident",
        }
    }

    /// The kind of that word.
    pub fn from_word(word: &str) -> Option<AlertKind> {
        AlertKind::ALL
            .into_iter()
            .find(|kind| kind.as_str() == word)
    }
}

/// Some of the kinds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AlertKinds(u8);

impl AlertKinds {
    /// Whether a kind is among them.
    pub fn contains(self, kind: AlertKind) -> bool {
        self.0 & (1 << kind as u8) != 0
    }

    /// Whether none is.
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

/// What kept a running monitor from measuring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InterruptionKind {
    /// The machine slept.
    Asleep,
    /// The process was stopped, or did not get the processor.
    HeldUp,
    /// The wall clock was set forward over it: there was no such time.
    ClockSet,
}

impl InterruptionKind {
    /// All of them.
    pub const ALL: [InterruptionKind; 3] = [
        InterruptionKind::Asleep,
        InterruptionKind::HeldUp,
        InterruptionKind::ClockSet,
    ];

    /// The word in SQL.
    pub fn as_str(self) -> &'static str {
        match self {
            InterruptionKind::Asleep => "asleep",
            InterruptionKind::HeldUp => "held_up",
            InterruptionKind::ClockSet => "clock",
        }
    }

    /// What people are told.
    pub fn reason(self) -> &'static str {
        match self {
            InterruptionKind::Asleep => "this machine was asleep",
            InterruptionKind::HeldUp => "the monitor was held up",
            InterruptionKind::ClockSet => "the clock was set forward over this time",
        }
    }
}

/// A time in which a running monitor measured nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interruption {
    /// Why.
    pub kind: InterruptionKind,
    /// From when on.
    pub from: UtcMillis,
    /// Until when.
    pub to: UtcMillis,
}

/// One ping between two checks, sent to a host that was silent: it moves the start and the end of
/// an outage and is no check.
#[derive(Clone, Debug, PartialEq)]
pub struct Probe {
    /// Whom it was sent to.
    pub host: Arc<Host>,
    /// When it was sent.
    pub at: UtcMillis,
    /// Whether it was answered in time.
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
        assert_eq!(judge(100, 79), State::Down);
        assert_eq!(judge(5, 5), State::Up);
        assert_eq!(judge(5, 4), State::Degraded);
        assert_eq!(judge(5, 0), State::Down);
        assert_eq!(judge(0, 0), State::NotMeasured);
    }

    #[test]
    fn thresholds_of_ones_own_move_the_states_and_a_slow_host_is_degraded() {
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
            "without any reply a host is down whatever is asked of it"
        );
        assert_eq!(
            Thresholds { up_rate: 0, ..own }.judge(10, 0, Some(1)),
            State::Down
        );
    }

    #[test]
    fn a_ping_that_never_left_is_neither_sent_nor_lost() {
        let host = Arc::new(Host {
            name: "a".into(),
            address: "127.0.0.1".into(),
            family: None,
        });
        let mut result =
            CheckResult::not_measured(host, UtcMillis(0), LocalFault::Other, "x".into());
        assert_eq!(result.state(), State::NotMeasured);
        result.pings = vec![
            Outcome::SendFailed { errno: 101 },
            Outcome::Reply { rtt_us: 5 },
            Outcome::TimedOut,
            Outcome::Untimed,
        ];
        assert_eq!((result.sent(), result.received()), (2, 1));
        assert_eq!(result.rtts_us().collect::<Vec<_>>(), [Some(5), None]);
        assert_eq!(result.state(), State::Down);
    }
}
