//! The pings of the witness: one ping each to several targets, and traces of a path.

use std::net::IpAddr;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::Duration;

use crate::net::{Exchange, SocketOptions, Target};
use crate::pure::address::Source;
use crate::pure::check::{Action, CheckSettings, ReadMode};
use crate::pure::icmp;
use crate::pure::link::Link;
use crate::pure::model::{Host, Outcome};
use crate::pure::scene::Path;
use crate::pure::time::UtcMillis;
use crate::stop::Stop;
use crate::sys;

/// A target of a single ping.
#[derive(Clone, Debug)]
pub(super) struct ProbeTarget {
    pub target: Target,
    pub source: Option<Source>,
    pub subject: Subject,
}

/// What is observed by the ping.
#[derive(Clone, Debug)]
pub(super) enum Subject {
    OtherHost(Arc<Host>),
    /// The gateway of this link.
    Gateway(Arc<Link>),
}

/// The payload of ping(8).
const PAYLOAD_LEN: usize = 56;
/// Maximum wait for one socket before the others are read.
const SOCKET_WAIT: Duration = Duration::from_millis(20);

struct PendingPing {
    target: ProbeTarget,
    exchange: Box<Exchange>,
    at: UtcMillis,
}

/// Sends one ping to each target at the same time and returns when it was sent and whether it was
/// answered within the timeout. Targets to which nothing can be sent are left out, and so are all
/// once `stop` is raised.
pub(super) fn ping_all(
    targets: Vec<ProbeTarget>,
    timeout: Duration,
    stop: &Stop,
) -> Vec<(ProbeTarget, UtcMillis, bool)> {
    let mut open: Vec<PendingPing> = targets
        .into_iter()
        .filter_map(|target| send(target, timeout))
        .collect();
    let mut answers = Vec::with_capacity(open.len());
    while !open.is_empty() {
        for ping in &mut open {
            ping.exchange.read_errors();
        }
        let first = &open[0].exchange;
        let wait = if open.len() == 1 {
            timeout
        } else {
            SOCKET_WAIT
        };
        let until = sys::monotonic().after(wait);
        let deadline = match first.run.next_action(sys::monotonic()) {
            Action::ListenUntil(deadline) => deadline.min(until),
            _ => sys::monotonic(),
        };
        if stop.wait_readable(first.as_fd(), deadline) {
            return Vec::new();
        }
        let mut waiting = Vec::with_capacity(open.len());
        for mut ping in open {
            ping.exchange.read();
            match ping.exchange.run.outcome_so_far(0, sys::monotonic()) {
                Some(outcome) => answers.push((
                    ping.target,
                    ping.at,
                    matches!(outcome, Outcome::Reply { .. }),
                )),
                None => waiting.push(ping),
            }
        }
        open = waiting;
    }
    answers
}

fn settings(ping_count: u16, timeout: Duration) -> CheckSettings {
    let spacing = Duration::from_millis(20);
    CheckSettings {
        ping_count,
        spacing,
        timeout,
        payload_len: PAYLOAD_LEN,
        linger: Duration::ZERO,
        read_mode: ReadMode::Immediate,
    }
}

fn send(target: ProbeTarget, timeout: Duration) -> Option<PendingPing> {
    let open = |source| {
        let options = SocketOptions {
            time_to_live: None,
            source,
        };
        Exchange::open(&target.target, &options, settings(1, timeout))
    };
    let mut exchange = open(target.source.clone())
        // Before Linux 5.7 only root may bind a socket to an interface.
        .or_else(|error| match target.subject {
            Subject::Gateway(_) => open(None),
            Subject::OtherHost(_) => Err(error),
        })
        .ok()?;
    let clock = exchange.send(1);
    let is_sent = !matches!(
        exchange.run.outcome_so_far(0, clock.monotonic),
        Some(Outcome::SendFailed { .. })
    );
    is_sent.then(|| PendingPing {
        target,
        exchange,
        at: clock.utc(),
    })
}

/// Largest time to live of a trace: routers further away are not the provider's.
const MAX_HOPS: u16 = 16;
const TRACE_TIMEOUT: Duration = Duration::from_millis(1200);

/// Traces the path to a target: one ping for each time to live, all within a second and a half.
/// `None` when nothing can be sent, or `stop` was raised.
pub(super) fn trace(target: &Target, source: Option<Source>, stop: &Stop) -> Option<Path> {
    let options = SocketOptions {
        time_to_live: Some(1),
        source,
    };
    let mut exchange = Exchange::open(target, &options, settings(MAX_HOPS, TRACE_TIMEOUT)).ok()?;
    let at = sys::clocks().utc();
    loop {
        match exchange.run.next_action(sys::monotonic()) {
            Action::Send(sequence) => {
                exchange
                    .set_time_to_live(u8::try_from(sequence).ok()?)
                    .ok()?;
                exchange.send(sequence);
            }
            Action::SleepUntil(until) | Action::ListenUntil(until) => {
                exchange.read_errors();
                if stop.wait_readable(exchange.as_fd(), until) {
                    return None;
                }
                exchange.read();
            }
            Action::Done => break,
        }
    }
    exchange.read_errors();
    let pings = exchange.run.finish(&sys::clocks()).ok()?.pings;
    Some(path_of(at, target.ip, &pings))
}

/// The path that the outcomes of the pings show, in the order of their time to live.
fn path_of(at: UtcMillis, target: IpAddr, pings: &[Outcome]) -> Path {
    let mut hops = Vec::new();
    for ping in pings {
        match ping {
            Outcome::Reply { .. } => {
                hops.push(Some(target));
                return Path {
                    at,
                    reached: true,
                    hops,
                };
            }
            Outcome::Unreachable(error) => {
                hops.push(error.from);
                // A router that reports the host as unreachable ends the path.
                if !icmp::is_time_exceeded(*error) {
                    return Path {
                        at,
                        reached: false,
                        hops,
                    };
                }
            }
            _ => hops.push(None),
        }
    }
    let known = hops
        .iter()
        .rposition(Option::is_some)
        .map_or(0, |last| last + 1);
    hops.truncate(known);
    Path {
        at,
        reached: false,
        hops,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pure::address::IpVersion;
    use crate::pure::model::IcmpError;

    #[test]
    fn a_path_ends_with_the_last_machine_that_answers() {
        let ip = |last: u8| IpAddr::from([192, 0, 2, last]);
        let exceeded = |last| {
            Outcome::Unreachable(IcmpError {
                kind: 11,
                code: 0,
                version: IpVersion::V4,
                from: Some(ip(last)),
            })
        };
        let refused = Outcome::Unreachable(IcmpError {
            kind: 3,
            code: 1,
            version: IpVersion::V4,
            from: Some(ip(2)),
        });
        let reply = Outcome::Reply { rtt_us: 5 };
        let path = |pings: &[Outcome]| path_of(UtcMillis(7), ip(9), pings);
        let hops = |pings: &[Outcome]| path(pings).hops;
        assert_eq!(
            hops(&[
                exceeded(1),
                Outcome::TimedOut,
                exceeded(3),
                Outcome::TimedOut
            ]),
            [Some(ip(1)), None, Some(ip(3))]
        );
        assert_eq!(hops(&[Outcome::TimedOut; 5]), []);
        assert_eq!(
            hops(&[exceeded(1), refused, refused, refused]),
            [Some(ip(1)), Some(ip(2))]
        );
        let whole = path(&[exceeded(1), reply, reply]);
        assert_eq!(
            (whole.hops, whole.reached),
            (vec![Some(ip(1)), Some(ip(9))], true)
        );
        assert!(!path(&[exceeded(1), refused]).reached);
    }
}
