//! Probes: single pings between two checks while a host is silent, so that the start and end of an
//! outage are known to the second. Each probe has its own timeout; outcomes are delivered in the
//! order of sending.

use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::Duration;

use super::{HostEvent, HostEventKind, Pinger, PingerEvent};
use crate::net::{Exchange, Target};
use crate::pure::check::{Action, CheckSettings, ReadMode};
use crate::pure::model::{Outcome, Probe};
use crate::pure::outage::OutageDetector;
use crate::pure::time::{ClockSample, Monotonic, nanoseconds};
use crate::stop::Stop;
use crate::sys;

/// Probes sent by one socket before a new one is opened.
const MAX_PROBES_PER_SOCKET: u16 = 600;

impl Pinger {
    /// Waits for the next tick and sends probes meanwhile, as long as the host is silent. Returns
    /// whether `stop` was raised.
    pub(super) fn probe_until(
        &mut self,
        tick: Monotonic,
        detector: &mut OutageDetector,
        last_run: &mut ClockSample,
        stop: &Stop,
        deliver: &mut dyn FnMut(PingerEvent),
    ) -> bool {
        while let (Some(interval), Some(target), true) = (
            self.settings.fast_interval,
            self.target,
            detector.needs_probing(),
        ) {
            // The last ping of the check has waited for its timeout already.
            let due = sys::monotonic().after(interval.saturating_sub(self.config.timeout));
            // No time is left for a probe.
            if due.after(interval) >= tick {
                break;
            }
            if stop.wait_until(due) {
                return true;
            }
            *last_run = sys::clocks();
            if self
                .send_probes(&target, interval, tick, detector, stop, deliver)
                .is_none()
            {
                break;
            }
            if !detector.needs_probing() {
                deliver(PingerEvent::HostEvent(HostEvent {
                    host: Arc::clone(&self.config.host),
                    target: Some(target),
                    link: self.link(),
                    kind: HostEventKind::AnswersAgain,
                }));
            }
        }
        stop.wait_until(tick)
    }

    /// Sends probes until the host answers, the tick is due, or the socket has sent its maximum.
    /// `None` when nothing can be sent or judged now; the next check records the reason.
    // Size: inlined, its stack frame would be held by every check.
    #[inline(never)]
    fn send_probes(
        &self,
        target: &Target,
        interval: Duration,
        tick: Monotonic,
        detector: &mut OutageDetector,
        stop: &Stop,
        deliver: &mut dyn FnMut(PingerEvent),
    ) -> Option<()> {
        // The interval is at least 50 ms.
        let fitting = tick.since(sys::monotonic()).as_millis() / interval.as_millis().max(1);
        let settings = CheckSettings {
            ping_count: u16::try_from(fitting)
                .unwrap_or(MAX_PROBES_PER_SOCKET)
                .clamp(1, MAX_PROBES_PER_SOCKET),
            spacing: interval,
            timeout: self.config.timeout,
            payload_len: usize::from(self.config.payload_bytes),
            linger: Duration::ZERO,
            read_mode: ReadMode::Immediate,
        };
        let mut exchange = Exchange::open(target, &self.socket_options(), settings).ok()?;
        let begin = sys::clocks();
        let mut delivered = 0;
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
                .outcome_so_far(delivered, now.monotonic)
                .zip(exchange.run.sent_at(delivered))
            {
                let at = sent.utc();
                delivered += 1;
                let is_answered = match outcome {
                    Outcome::Reply { .. } => true,
                    // It has not left this machine.
                    _ if self.interface_fault().is_some() => return None,
                    Outcome::TimedOut | Outcome::Unreachable(_) => false,
                    Outcome::SendFailed { .. } | Outcome::Untimed => continue,
                };
                detector.add_probe(at, is_answered);
                deliver(PingerEvent::Probe(Probe {
                    host: Arc::clone(&self.config.host),
                    at,
                    is_answered,
                }));
                if !detector.needs_probing() {
                    return Some(());
                }
            }
            let oldest = exchange.run.sent_at(delivered);
            let until = match exchange.run.next_action(now.monotonic) {
                Action::Send(sequence) => {
                    exchange.send(sequence);
                    continue;
                }
                Action::SleepUntil(until) | Action::ListenUntil(until) => until,
                Action::Done if oldest.is_none() => return Some(()),
                // Its timeout ends within a millisecond.
                Action::Done => Monotonic(now.monotonic.0 + nanoseconds(Duration::from_millis(1))),
            };
            // The outcome of the oldest probe is known when its timeout ends.
            let judged_at = oldest.map_or(until, |clock| {
                clock
                    .monotonic
                    .after(self.config.timeout + Duration::from_millis(1))
            });
            exchange.read_errors();
            if stop.wait_readable(exchange.as_fd(), until.min(judged_at).min(tick)) {
                return Some(());
            }
            exchange.read();
        }
    }
}
