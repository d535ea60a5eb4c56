//! Single pings between two checks, while a host is silent: so that the end of an outage, and its
//! beginning, are known to the second. Each ping has its own timeout and its fate is told in the
//! order of sending.

use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::Duration;

use super::{HostEvent, HostEventKind, Pinger, PingerEvent};
use crate::net::{Exchange, Link, Target};
use crate::pure::check::{Action, CheckSettings, ReadMode};
use crate::pure::model::{Outcome, Probe};
use crate::pure::outage::OutageDetector;
use crate::pure::time::{ClockSample, Monotonic, nanoseconds};
use crate::stop::Stop;
use crate::sys;

/// How many pings leave by one socket.
const PINGS_A_SOCKET: u16 = 600;

impl Pinger {
    /// Waits for the next tick, and pings the host meanwhile as long as it is silent. `true` when
    /// the flag was raised.
    pub(super) fn probe_until(
        &mut self,
        tick: Monotonic,
        watch: &mut OutageDetector,
        last_look: &mut ClockSample,
        stop: &Stop,
        deliver: &mut dyn FnMut(PingerEvent),
    ) -> bool {
        while let (Some(interval), Some(target), true) = (
            self.manner.fast_interval,
            self.target,
            watch.needs_probing(),
        ) {
            // The last ping before has waited for its timeout already.
            let due = sys::monotonic().after(interval.saturating_sub(self.plan.timeout));
            // Time for one ping at least.
            if due.after(interval) >= tick {
                break;
            }
            if stop.wait_until(due) {
                return true;
            }
            *last_look = sys::clocks();
            if self
                .probe(&target, interval, tick, watch, stop, deliver)
                .is_none()
            {
                break;
            }
            if !watch.needs_probing() {
                deliver(PingerEvent::HostEvent(HostEvent {
                    host: Arc::clone(&self.plan.host),
                    target: Some(target),
                    kind: HostEventKind::Over,
                }));
            }
        }
        stop.wait_until(tick)
    }

    /// Pings until the host is well, the tick is due, or the socket has sent enough. `None` when
    /// nothing can be sent or said now; the next check tells why.
    // Rare: its room on the stack is not to be held by every check.
    #[inline(never)]
    fn probe(
        &self,
        target: &Target,
        interval: Duration,
        tick: Monotonic,
        watch: &mut OutageDetector,
        stop: &Stop,
        deliver: &mut dyn FnMut(PingerEvent),
    ) -> Option<()> {
        let link = Link::to(target, self.plan.source.as_ref());
        // The interval is at least 50 ms.
        let room = tick.since(sys::monotonic()).as_millis() / interval.as_millis().max(1);
        let plan = CheckSettings {
            ping_count: u16::try_from(room)
                .unwrap_or(PINGS_A_SOCKET)
                .clamp(1, PINGS_A_SOCKET),
            spacing: interval,
            timeout: self.plan.timeout,
            payload_len: usize::from(self.plan.payload_bytes),
            linger: Duration::ZERO,
            read_mode: ReadMode::Immediate,
        };
        let mut exchange = Exchange::open(target, &self.socket_options(), plan).ok()?;
        let begin = sys::clocks();
        let mut told = 0;
        loop {
            let now = sys::clocks();
            if now.monotonic >= tick {
                return Some(());
            }
            if !now.slept_since(&begin).is_zero() {
                return None;
            }
            while let Some((outcome, sent)) = exchange
                .run
                .outcome_so_far(told, now.monotonic)
                .zip(exchange.run.sent_at(told))
            {
                let at = sent.utc();
                told += 1;
                let is_answered = match outcome {
                    Outcome::Reply { .. } => true,
                    // It has not left: the observer's own fault.
                    _ if link.fault().is_some() => return None,
                    Outcome::TimedOut | Outcome::Unreachable(_) => false,
                    Outcome::SendFailed { .. } | Outcome::Untimed => continue,
                };
                watch.probe(at, is_answered);
                deliver(PingerEvent::Probe(Probe {
                    host: Arc::clone(&self.plan.host),
                    at,
                    is_answered,
                }));
                if !watch.needs_probing() {
                    return Some(());
                }
            }
            let oldest = exchange.run.sent_at(told);
            let until = match exchange.run.next_action(now.monotonic) {
                Action::Send(sequence) => {
                    exchange.send(sequence);
                    continue;
                }
                Action::SleepUntil(until) | Action::ListenUntil(until) => until,
                Action::Done if oldest.is_none() => return Some(()),
                // Answered, but not told yet: a millisecond later it is.
                Action::Done => Monotonic(now.monotonic.0 + nanoseconds(Duration::from_millis(1))),
            };
            // The fate of the oldest ping is known at the end of its time.
            let known = oldest.map_or(until, |clock| {
                clock
                    .monotonic
                    .after(self.plan.timeout + Duration::from_millis(1))
            });
            exchange.read_errors();
            if stop.wait_readable(exchange.as_fd(), until.min(known).min(tick)) {
                return Some(());
            }
            exchange.read();
        }
    }
}
