//! The pings of the witness: one ping each to several targets, and traces of a path.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::net::{self, Exchange, Machine, SocketOptions, Target};
use crate::pure::address::Source;
use crate::pure::check::{Action, CheckSettings, ReadMode};
use crate::pure::icmp;
use crate::pure::link::Link;
use crate::pure::model::{Host, Outcome};
use crate::pure::path::{self, Path};
use crate::pure::replies::Answer;
use crate::pure::time::{ClockSample, Monotonic, UtcMillis};
use crate::stop::Stop;

/// A target of a single ping.
#[derive(Clone, Debug)]
pub(super) struct ProbeTarget {
    pub target: Target,
    pub source: Option<Source>,
    pub subject: Subject,
}

impl ProbeTarget {
    /// The gateway of a link; `None` where that has no address.
    pub fn gateway(link: &Arc<Link>) -> Option<ProbeTarget> {
        Some(ProbeTarget {
            target: net::gateway_of(link)?,
            // Two links may have gateways with the same address.
            source: Some(Source::Interface(link.interface.clone())),
            subject: Subject::Gateway(Arc::clone(link)),
        })
    }
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

struct PendingPing<M: Machine> {
    target: ProbeTarget,
    exchange: Box<Exchange<M>>,
    at: ClockSample,
}

/// Whether this machine had its link all the time while pings sent since `begin` waited for their
/// replies: without it, their silence says nothing about the network beyond.
fn had_link<M: Machine>(
    machine: &M,
    exchange: &mut Exchange<M>,
    source: Option<&Source>,
    begin: Monotonic,
) -> bool {
    let Ok(route) = exchange.route(source) else {
        return false;
    };
    let interface = route.link.as_ref().map(|link| link.interface.as_str());
    exchange.exclude_link_losses(interface, begin).is_none()
        && interface.is_none_or(|name| machine.interface_fault(name).is_none())
}

/// Sends one ping to each target at the same time and returns when it was sent and whether it was
/// answered within the timeout. Targets to which nothing can be sent are left out, and all once
/// `stop` is raised.
pub(super) fn ping_all<M: Machine>(
    machine: &M,
    targets: Vec<ProbeTarget>,
    timeout: Duration,
    stop: &Stop,
) -> Vec<(ProbeTarget, UtcMillis, Answer)> {
    let mut open: Vec<PendingPing<M>> = targets
        .into_iter()
        .filter_map(|target| send(machine, target, timeout))
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
        let until = machine.monotonic().after(wait);
        let deadline = match first.run.next_action(machine.monotonic()) {
            Action::ListenUntil(deadline) => deadline.min(until),
            _ => machine.monotonic(),
        };
        if first.wait_readable(stop, deadline) {
            return Vec::new();
        }
        let mut waiting = Vec::with_capacity(open.len());
        for mut ping in open {
            ping.exchange.read();
            match ping.exchange.run.outcome_so_far(0, machine.monotonic()) {
                Some(outcome) => {
                    let source = ping.target.source.as_ref();
                    let answer = if is_reply(&outcome) {
                        Answer::Answered
                    } else if had_link(machine, &mut ping.exchange, source, ping.at.monotonic) {
                        Answer::Silent
                    } else {
                        Answer::LinkLost
                    };
                    answers.push((ping.target, ping.at.utc(), answer));
                }
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

fn send<M: Machine>(machine: &M, target: ProbeTarget, timeout: Duration) -> Option<PendingPing<M>> {
    let open = |source| {
        let options = SocketOptions {
            time_to_live: None,
            source,
        };
        Exchange::open(machine, &target.target, &options, settings(1, timeout))
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
        at: clock,
    })
}

/// Largest time to live of a trace: routers further away are not the provider's.
const MAX_HOPS: u8 = 16;
/// Routers that are pinged twice by a trace to a silent host: those that tell the provider from the
/// host. Routers limit their messages about expired packets.
const NEAR_HOPS: u8 = 4;
const TRACE_TIMEOUT: Duration = Duration::from_millis(1200);

/// Traces the path to a silent host: one ping for each time to live, all within two seconds.
/// `None` when nothing can be sent, this machine's link was lost meanwhile, or `stop` was raised.
pub(super) fn trace(
    machine: &impl Machine,
    target: &Target,
    source: Option<Source>,
    stop: &Stop,
) -> Option<Path> {
    let hops: Vec<u8> = (1..=MAX_HOPS).chain(1..=NEAR_HOPS).collect();
    let at = machine.clocks().utc();
    let mut pings = ping_hops(machine, target, source.as_ref(), &hops, stop)?;
    let again = pings.split_off(usize::from(MAX_HOPS));
    for (ping, again) in pings.iter_mut().zip(again) {
        if !says_anything(ping) {
            *ping = again;
        }
    }
    let mut path = path_of(at, target.ip, &pings);
    if path.reached {
        // The host has answered meanwhile: this is no path of its outage.
        path.at = machine.clocks().utc();
    }
    Some(path)
}

/// Traces the path to a host that answers, a few hops at a time, so that it gets few pings more.
pub(super) fn trace_healthy(
    machine: &impl Machine,
    target: &Target,
    source: Option<Source>,
    stop: &Stop,
) -> Option<Path> {
    let ping = |hops: &[u8]| ping_hops(machine, target, source.as_ref(), hops, stop);
    let mut pings = Vec::new();
    for first in (1..=MAX_HOPS).step_by(usize::from(NEAR_HOPS)) {
        let hops: Vec<u8> = (first..first + NEAR_HOPS).collect();
        pings.extend(ping(&hops)?);
        if pings.iter().any(is_reply) {
            break;
        }
    }
    // Once more where nothing answered before the host: a lost ping makes it seem farther away.
    let distance = pings.iter().position(is_reply).unwrap_or(0);
    let before = (1..=MAX_HOPS).zip(&pings[..distance]);
    let silent = before.filter(|(_, ping)| !says_anything(ping));
    let again: Vec<u8> = silent.map(|(hop, _)| hop).collect();
    if !again.is_empty() {
        for (hop, ping) in again.iter().zip(ping(&again)?) {
            pings[usize::from(*hop) - 1] = ping;
        }
    }
    // Its end: the host may have been silent when it began.
    Some(path_of(machine.clocks().utc(), target.ip, &pings))
}

fn is_reply(ping: &Outcome) -> bool {
    matches!(ping, Outcome::Reply { .. })
}

fn says_anything(ping: &Outcome) -> bool {
    matches!(ping, Outcome::Reply { .. } | Outcome::Unreachable(_))
}

/// Sends a ping with each of these times to live.
fn ping_hops(
    machine: &impl Machine,
    target: &Target,
    source: Option<&Source>,
    hops: &[u8],
    stop: &Stop,
) -> Option<Vec<Outcome>> {
    let options = SocketOptions {
        time_to_live: Some(1),
        source: source.cloned(),
    };
    let count = u16::try_from(hops.len()).ok()?;
    let mut exchange =
        Exchange::open(machine, target, &options, settings(count, TRACE_TIMEOUT)).ok()?;
    let own = exchange.own_address();
    let begin = machine.monotonic();
    loop {
        match exchange.run.next_action(machine.monotonic()) {
            Action::Send(sequence) => {
                let hop = hops.get(usize::from(sequence).checked_sub(1)?)?;
                exchange.set_time_to_live(*hop).ok()?;
                exchange.send(sequence);
            }
            Action::SleepUntil(until) | Action::ListenUntil(until) => {
                exchange.read_errors();
                if exchange.wait_readable(stop, until) {
                    return None;
                }
                exchange.read();
            }
            Action::Done => break,
        }
    }
    exchange.read_errors();
    if !had_link(machine, &mut exchange, source, begin) {
        return None;
    }
    let mut pings = exchange.run.finish(&machine.clocks()).ok()?.pings;
    for ping in &mut pings {
        // This machine reports that its neighbour does not answer ARP or NDP.
        if matches!(ping, Outcome::Unreachable(error) if error.from.is_none_or(|from| from == own))
        {
            *ping = Outcome::TimedOut;
        }
    }
    Some(pings)
}

/// The path that the outcomes of the pings show, in the order of their time to live.
fn path_of(at: UtcMillis, target: IpAddr, pings: &[Outcome]) -> Path {
    let mut hops: Vec<Option<IpAddr>> = Vec::new();
    for (index, ping) in pings.iter().enumerate() {
        match ping {
            Outcome::Reply { .. } => {
                hops.push(Some(target));
                return Path {
                    at,
                    reached: true,
                    hops,
                };
            }
            // Routers that send a packet back and forth do not come nearer to the host.
            Outcome::Unreachable(error)
                if icmp::is_time_exceeded(*error) && is_loop(&hops, error.from) =>
            {
                break;
            }
            Outcome::Unreachable(error) if icmp::is_time_exceeded(*error) => hops.push(error.from),
            // A router that reports the host as unreachable ends the path. It has reported an
            // expired packet before, if it does that.
            Outcome::Unreachable(error) => {
                if !hops.contains(&error.from) {
                    // Where it limits its messages, earlier ones are missing: it may be nearer.
                    if !pings.get(index + 1).is_some_and(says_anything) {
                        hops.truncate(path::reach(&hops));
                    }
                    hops.push(error.from);
                }
                break;
            }
            _ => hops.push(None),
        }
    }
    hops.truncate(path::reach(&hops));
    Path {
        at,
        reached: false,
        hops,
    }
}

/// Whether a router answered before, and another one after it.
fn is_loop(hops: &[Option<IpAddr>], router: Option<IpAddr>) -> bool {
    let before = hops.iter().rposition(|hop| *hop == router);
    router.is_some() && before.is_some_and(|before| hops[before + 1..].iter().any(Option::is_some))
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
        assert_eq!(
            hops(&[exceeded(1), exceeded(2), refused]),
            [Some(ip(1)), Some(ip(2))],
            "it is one router"
        );
        assert_eq!(
            hops(&[Outcome::TimedOut, refused, refused]),
            [None, Some(ip(2))]
        );
        assert_eq!(
            hops(&[Outcome::TimedOut, Outcome::TimedOut, refused]),
            [Some(ip(2))],
            "a limited router has not answered before"
        );
        let (lost, looped) = (Outcome::TimedOut, [exceeded(1), exceeded(2)]);
        assert_eq!(
            hops(&[looped, looped, looped].concat()),
            [Some(ip(1)), Some(ip(2))]
        );
        assert_eq!(
            hops(&[exceeded(1), exceeded(1), lost, exceeded(1), exceeded(2)]).len(),
            5,
            "one router can answer twice"
        );
        let whole = path(&[exceeded(1), reply, reply]);
        assert_eq!(
            (whole.hops, whole.reached),
            (vec![Some(ip(1)), Some(ip(9))], true)
        );
        assert!(!path(&[exceeded(1), refused]).reached);
    }
}
