//! The nouns every floor shares: what is pinged, what became of a ping, what a check found. Plain values; how they are
//! judged is in check.rs, how they are kept in store/.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use crate::time::UtcMillis;

/// Which version of IP a host is pinged over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Family {
    /// Whatever the address is, or what the resolver names first.
    #[default]
    Any,
    /// IPv4 only.
    V4,
    /// IPv6 only.
    V6,
}

impl Family {
    /// 0, 4 or 6: how the family is stored.
    pub fn number(self) -> i64 {
        match self {
            Family::Any => 0,
            Family::V4 => 4,
            Family::V6 => 6,
        }
    }

    /// Whether an address of this IP version may be used.
    pub fn admits(self, address: IpAddr) -> bool {
        match self {
            Family::Any => true,
            Family::V4 => address.is_ipv4(),
            Family::V6 => address.is_ipv6(),
        }
    }
}

/// What the user lists. Address and family are its identity; the name is for people and may change.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Host {
    /// For people.
    pub name: String,
    /// An IP address, a scoped one (`fe80::1%eth0`), a host name, or `gateway`.
    pub address: String,
    /// Which version of IP to use.
    pub family: Family,
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.name == self.address { write!(f, "{}", self.name) } else { write!(f, "{} ({})", self.name, self.address) }
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
    /// The clock was set so awkwardly meanwhile that the round-trip time cannot be told: neither sent nor lost.
    Untimed,
}

/// An ICMP error about one of our pings (RFC 792, RFC 4443): its type and code, and who sent it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IcmpError {
    /// ICMP type.
    pub kind: u8,
    /// ICMP code.
    pub code: u8,
    /// Whether type and code are of ICMPv6.
    pub is_v6: bool,
    /// The machine that sent the error, where the kernel said so.
    pub from: Option<IpAddr>,
}

/// How well a host answers, by the share of a check's pings that were answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// 95 % and more.
    Up,
    /// 80 % and more.
    Degraded,
    /// Less than 80 %.
    Down,
    /// Nothing could be sent: the observer's fault.
    NotMeasured,
}

impl State {
    /// The least success rate in percent of a host that is up.
    pub const UP_PERCENT: u64 = 95;
    /// The least success rate in percent of a host that is no worse than degraded.
    pub const DEGRADED_PERCENT: u64 = 80;

    /// The state that `received` replies to `sent` pings mean.
    pub fn of(sent: u64, received: u64) -> State {
        if sent == 0 {
            State::NotMeasured
        } else if received.saturating_mul(100) >= sent.saturating_mul(State::UP_PERCENT) {
            State::Up
        } else if received.saturating_mul(100) >= sent.saturating_mul(State::DEGRADED_PERCENT) {
            State::Degraded
        } else {
            State::Down
        }
    }

    /// The word in JSON and SQL.
    pub fn word(self) -> &'static str {
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
            other => other.word(),
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
    /// Right replies that came after their timeout: the pings stay lost.
    pub late: u32,
    /// Right replies that came again.
    pub duplicates: u32,
    /// Messages that were not an answer to any of the pings.
    pub foreign: u32,
    /// Why nothing could be measured, or why pings were lost; `None` when there is nothing to tell.
    pub reason: Option<String>,
}

impl CheckResult {
    /// A check that could not be made, with the reason.
    pub fn not_measured(host: Arc<Host>, resolved: Option<IpAddr>, checked_at: UtcMillis, reason: String) -> Self {
        CheckResult { host, resolved, checked_at, pings: Vec::new(), late: 0, duplicates: 0, foreign: 0, reason: Some(reason) }
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

    /// Up, degraded, down or not measured.
    pub fn state(&self) -> State {
        State::of(u64::from(self.sent()), u64::from(self.received()))
    }
}

fn count<T>(items: impl Iterator<Item = T>) -> u32 {
    u32::try_from(items.count()).expect("a check has at most a hundred pings")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_change_exactly_at_95_and_80_percent() {
        assert_eq!(State::of(100, 95), State::Up);
        assert_eq!(State::of(100, 94), State::Degraded);
        assert_eq!(State::of(100, 80), State::Degraded);
        assert_eq!(State::of(100, 79), State::Down);
        assert_eq!(State::of(5, 5), State::Up);
        assert_eq!(State::of(5, 4), State::Degraded);
        assert_eq!(State::of(5, 0), State::Down);
        assert_eq!(State::of(0, 0), State::NotMeasured);
    }

    #[test]
    fn a_ping_that_never_left_is_neither_sent_nor_lost() {
        let host = Arc::new(Host { name: "a".into(), address: "127.0.0.1".into(), family: Family::Any });
        let mut result = CheckResult::not_measured(host, None, UtcMillis(0), "x".into());
        assert_eq!(result.state(), State::NotMeasured);
        result.pings =
            vec![Outcome::SendFailed { errno: 101 }, Outcome::Reply { rtt_us: 5 }, Outcome::TimedOut, Outcome::Untimed];
        assert_eq!((result.sent(), result.received()), (2, 1));
        assert_eq!(result.rtts_us().collect::<Vec<_>>(), [Some(5), None]);
        assert_eq!(result.state(), State::Down);
    }
}
