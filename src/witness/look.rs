//! Single looks: a ping to each of several, and how far packets to somebody get.

use std::net::IpAddr;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::Duration;

use crate::net::{Exchange, SocketOptions, Target};
use crate::pure::check::{Action, CheckSettings, ReadMode};
use crate::pure::icmp;
use crate::pure::model::{Host, Outcome, Source};
use crate::pure::scene::Path;
use crate::pure::time::UtcMillis;
use crate::stop::Stop;
use crate::sys;

/// Whom to ask.
#[derive(Clone, Debug)]
pub(super) struct Question {
    pub target: Target,
    pub source: Option<Source>,
    /// Which host that is; `None` for the gateway.
    pub host: Option<Arc<Host>>,
}

/// The payload of ping(8).
const PAYLOAD_LEN: usize = 56;
/// How long a look waits for one socket before it reads the others.
const TURN: Duration = Duration::from_millis(20);

/// A ping under way.
struct Asked {
    question: Question,
    exchange: Box<Exchange>,
    at: UtcMillis,
}

/// Pings all, one ping each, side by side, and says who answered within the time. Whoever cannot be
/// asked is left out, and so is everybody once the flag is raised.
pub(super) fn ask(
    questions: Vec<Question>,
    patience: Duration,
    stop: &Stop,
) -> Vec<(Question, UtcMillis, bool)> {
    let mut open: Vec<Asked> = questions
        .into_iter()
        .filter_map(|question| send(question, patience))
        .collect();
    let mut answers = Vec::with_capacity(open.len());
    while !open.is_empty() {
        for asked in &mut open {
            asked.exchange.read_errors();
        }
        let first = &open[0].exchange;
        let turn = if open.len() == 1 { patience } else { TURN };
        let until = sys::monotonic().after(turn);
        let deadline = match first.run.next_action(sys::monotonic()) {
            Action::ListenUntil(deadline) => deadline.min(until),
            _ => sys::monotonic(),
        };
        if stop.wait_readable(first.as_fd(), deadline) {
            return Vec::new();
        }
        let mut waiting = Vec::with_capacity(open.len());
        for mut asked in open {
            asked.exchange.read();
            match asked.exchange.run.outcome_so_far(0, sys::monotonic()) {
                Some(outcome) => answers.push((
                    asked.question,
                    asked.at,
                    matches!(outcome, Outcome::Reply { .. }),
                )),
                None => waiting.push(asked),
            }
        }
        open = waiting;
    }
    answers
}

fn plan(ping_count: u16, timeout: Duration) -> CheckSettings {
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

fn send(question: Question, patience: Duration) -> Option<Asked> {
    let options = SocketOptions {
        time_to_live: None,
        source: question.source.clone(),
    };
    let mut exchange = Exchange::open(&question.target, &options, plan(1, patience)).ok()?;
    let clock = exchange.send(1);
    let is_sent = !matches!(
        exchange.run.outcome_so_far(0, clock.monotonic),
        Some(Outcome::SendFailed { .. })
    );
    is_sent.then(|| Asked {
        question,
        exchange,
        at: clock.utc(),
    })
}

/// How many routers a packet may pass when it is followed: what lies behind is not the provider's
/// any more.
const MAX_HOPS: u16 = 16;
const TRACE_PATIENCE: Duration = Duration::from_millis(1200);

/// Follows packets to a target: one ping for each number of routers it may pass, all within a
/// second and a half. `None` when nothing can be sent, or the flag was raised.
pub(super) fn follow(target: &Target, source: Option<Source>, stop: &Stop) -> Option<Path> {
    let options = SocketOptions {
        time_to_live: Some(1),
        source,
    };
    let mut exchange = Exchange::open(target, &options, plan(MAX_HOPS, TRACE_PATIENCE)).ok()?;
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

/// The path that the fates of the pings tell, the one that may pass the fewest routers first.
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
                // Whoever says that the host is unreachable is the last on the way.
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
