//! Probes: single pings between two checks while a host is silent or did not answer the newest
//! ping, so that the start and end of an outage are known to the second. Each probe has its own
//! timeout; outcomes are delivered in the order of sending. Meanwhile anything between this machine
//! and the host may change, so the probes follow the host's name and the routes, and change their
//! socket: a socket keeps its source address, and a NAT keeps the uplink of an ICMP identifier.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use super::{HostEvent, HostEventKind, Pinger, PingerEvent, corrected_start, interruption};
use crate::net::{Exchange, Machine, Target};
use crate::pure::check::{CheckSettings, ReadMode};
use crate::pure::model::{CheckResult, LocalFault, Outcome, Probe, Unsent};
use crate::pure::outage::OutageDetector;
use crate::pure::time::{ClockSample, Monotonic, UtcMillis};
use crate::stop::Stop;

/// Sockets that have sent every probe they are to send and wait for replies. With the newest there
/// is one more: daemon/limits.rs.
const MAX_WAITING_SOCKETS: u32 = 2;

/// The probes of one socket.
struct ProbeSocket<M: Machine> {
    exchange: Box<Exchange<M>>,
    target: Target,
    sent: u16,
    /// How many are judged: the oldest first.
    judged: usize,
    /// How many it may send.
    limit: u16,
}

impl<M: Machine> ProbeSocket<M> {
    fn next_sequence(&self) -> Option<u16> {
        (self.sent < self.limit).then_some(self.sent + 1)
    }
}

impl<M: Machine> Pinger<M> {
    /// Waits for the next tick and sends probes meanwhile, until the host answers. Returns whether
    /// `stop` was raised.
    pub(super) fn probe_until(
        &mut self,
        tick: Monotonic,
        detector: &mut OutageDetector,
        last_run: &mut ClockSample,
        stop: &Stop,
        deliver: &mut dyn FnMut(PingerEvent),
    ) -> bool {
        if let Some(interval) = self.settings.fast_interval
            && self.target.is_some()
            && detector.needs_probing()
        {
            let was_silent = detector.is_silent();
            // The last ping of the check has waited for its timeout already.
            let first = self
                .machine
                .monotonic()
                .after(interval.saturating_sub(self.config.timeout));
            let due = (first, interval);
            let is_stopped = self.send_probes(due, tick, detector, last_run, stop, deliver);
            self.report_unsent(self.machine.clocks().utc(), deliver);
            if is_stopped {
                return true;
            }
            if was_silent && !detector.needs_probing() {
                deliver(PingerEvent::HostEvent(
                    self.event(HostEventKind::AnswersAgain),
                ));
            }
        }
        self.machine.wait_until(stop, tick)
    }

    pub(super) fn event(&self, kind: HostEventKind) -> HostEvent {
        HostEvent {
            host: Arc::clone(&self.config.host),
            target: self.target,
            link: self.link(),
            kind,
        }
    }

    /// Sends probes until the host answers or the tick is due; whether `stop` was raised. The first
    /// is due at the instant of `due`, the others its interval later.
    // Size: inlined, its stack frame would be held by every check.
    #[inline(never)]
    fn send_probes(
        &mut self,
        (mut due, interval): (Monotonic, Duration),
        tick: Monotonic,
        detector: &mut OutageDetector,
        last_run: &mut ClockSample,
        stop: &Stop,
        deliver: &mut dyn FnMut(PingerEvent),
    ) -> bool {
        let mut sockets: VecDeque<ProbeSocket<M>> = VecDeque::new();
        loop {
            // No time is left for a probe that is due less than an interval before the tick.
            let is_last = due.after(interval) >= tick;
            let mut until = if is_last { tick } else { due };
            if let Some(socket) = sockets.front()
                && let Some(sent) = socket.exchange.run.sent_at(socket.judged)
            {
                // The outcome of the oldest probe is known when its timeout ends.
                let wait = self.config.timeout + Duration::from_millis(1);
                until = until.min(sent.monotonic.after(wait));
            }
            let is_stopped = match sockets.back_mut() {
                Some(newest) => {
                    newest.exchange.read_errors();
                    newest.exchange.wait_readable(stop, until)
                }
                None => self.machine.wait_until(stop, until),
            };
            if is_stopped {
                return true;
            }
            let now = self.machine.clocks();
            if let Some(interruption) = interruption(last_run, &now, until) {
                deliver(PingerEvent::Interruption(interruption));
            }
            if !now.slept_since(last_run).is_zero() {
                // Replies to probes of before are lost.
                sockets.clear();
            }
            *last_run = now;
            for socket in &mut sockets {
                socket.exchange.read_errors();
                socket.exchange.read();
            }
            self.judge(&mut sockets, &now, detector, deliver);
            if !detector.needs_probing() || now.monotonic >= tick {
                return false;
            }
            if now.monotonic >= due && !is_last {
                self.send_probe(&mut sockets, interval, &now, deliver);
                due = due.after(interval);
                // Held up: the probes in between are left out.
                if due < now.monotonic {
                    due = now.monotonic.after(interval);
                }
            }
        }
    }

    /// Delivers the outcomes that are known, the oldest first.
    fn judge(
        &mut self,
        sockets: &mut VecDeque<ProbeSocket<M>>,
        now: &ClockSample,
        detector: &mut OutageDetector,
        deliver: &mut dyn FnMut(PingerEvent),
    ) {
        while let Some(socket) = sockets.front_mut() {
            let run = &socket.exchange.run;
            let Some(sent) = run.sent_at(socket.judged) else {
                if socket.next_sequence().is_some() {
                    return;
                }
                sockets.pop_front();
                continue;
            };
            let Some(outcome) = run.outcome_so_far(socket.judged, now.monotonic) else {
                return;
            };
            socket.judged += 1;
            // By the clock of now, as a check is.
            let at = corrected_start(now, &sent);
            let is_answered = match outcome {
                Outcome::Reply { .. } => true,
                Outcome::TimedOut | Outcome::Unreachable(_) => false,
                Outcome::SendFailed { .. } | Outcome::Untimed => continue,
            };
            // A lost one may not have left this machine.
            if !is_answered && let Some(fault) = self.interface_fault() {
                self.note_unsent(at, fault);
                continue;
            }
            detector.add_probe(at, is_answered);
            deliver(PingerEvent::Probe(Probe {
                host: Arc::clone(&self.config.host),
                at,
                is_answered,
            }));
            if !detector.needs_probing() {
                return;
            }
        }
    }

    /// Sends one probe, from a new socket where the newest has sent its probes or has failed.
    fn send_probe(
        &mut self,
        sockets: &mut VecDeque<ProbeSocket<M>>,
        interval: Duration,
        now: &ClockSample,
        deliver: &mut dyn FnMut(PingerEvent),
    ) {
        // Another address, if the name or the default gateway changed.
        let followed = self.resolver.follow().ok().or(self.target);
        let before = (self.target, self.link());
        self.target = followed;
        let Some(target) = followed else { return };
        let is_usable =
            |socket: &ProbeSocket<M>| socket.target == target && socket.next_sequence().is_some();
        if !sockets.back().is_some_and(is_usable) {
            if let Some(newest) = sockets.back_mut() {
                newest.limit = newest.sent;
            }
            match self.probe_socket(&target, interval) {
                Ok(socket) => {
                    self.route = self.route_of(&socket.exchange);
                    sockets.push_back(socket);
                }
                Err(reason) => return self.note_unsent(now.utc(), reason),
            }
        }
        if before != (followed, self.link()) {
            deliver(PingerEvent::HostEvent(
                self.event(HostEventKind::RouteChanged),
            ));
        }
        let Some(socket) = sockets.back_mut() else {
            return;
        };
        if let Some(fault) = self.interface_fault() {
            socket.limit = socket.sent;
            return self.note_unsent(now.utc(), fault);
        }
        socket.sent += 1;
        let clock = socket.exchange.send(socket.sent);
        let index = usize::from(socket.sent) - 1;
        match socket.exchange.run.outcome_so_far(index, clock.monotonic) {
            Some(Outcome::SendFailed { errno }) => {
                socket.limit = socket.sent;
                self.note_unsent(clock.utc(), self.send_failure(errno));
            }
            _ => self.end_unsent(clock.utc(), deliver),
        }
    }

    /// A new socket, for as many probes as keep the number of sockets that wait for replies within
    /// [`MAX_WAITING_SOCKETS`].
    fn probe_socket(&self, target: &Target, interval: Duration) -> Result<ProbeSocket<M>, String> {
        let waiting = self.config.timeout.as_millis();
        let limit = waiting.div_ceil(interval.as_millis().max(1) * u128::from(MAX_WAITING_SOCKETS));
        let limit = u16::try_from(limit).unwrap_or(u16::MAX).max(1);
        let settings = CheckSettings {
            ping_count: limit,
            spacing: interval,
            timeout: self.config.timeout,
            payload_len: usize::from(self.config.payload_bytes),
            linger: Duration::ZERO,
            read_mode: ReadMode::Immediate,
        };
        let exchange = Exchange::open(&self.machine, target, &self.socket_options(), settings)
            .map_err(|fault| fault.to_string())?;
        Ok(ProbeSocket {
            exchange,
            target: *target,
            sent: 0,
            judged: 0,
            limit,
        })
    }

    /// After a check of a host that was silent before: while nothing can be sent, its outage is not
    /// measured.
    pub(super) fn note_unsent_check(
        &mut self,
        result: &CheckResult,
        is_silent: bool,
        deliver: &mut dyn FnMut(PingerEvent),
    ) {
        if result.sent() > 0 {
            self.end_unsent(result.checked_at, deliver);
        } else if is_silent && result.local_fault != Some(LocalFault::Name) {
            let reason = result.reason.clone().unwrap_or_default();
            self.note_unsent(result.checked_at, reason);
        }
    }

    fn note_unsent(&mut self, at: UtcMillis, reason: String) {
        let (since, _) = self.unsent.get_or_insert((at, reason));
        *since = at.min(*since);
    }

    fn end_unsent(&mut self, at: UtcMillis, deliver: &mut dyn FnMut(PingerEvent)) {
        self.report_unsent(at, deliver);
        self.unsent = None;
    }

    /// Delivers the time in which nothing could be sent so far.
    fn report_unsent(&self, to: UtcMillis, deliver: &mut dyn FnMut(PingerEvent)) {
        if let Some((from, reason)) = &self.unsent
            && *from < to
        {
            deliver(PingerEvent::Unsent(Unsent {
                host: Arc::clone(&self.config.host),
                from: *from,
                to,
                reason: reason.clone(),
            }));
        }
    }
}
