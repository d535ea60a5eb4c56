//! One thread per host: waits for the next tick, makes a check over a socket, and delivers the
//! result. While the host is silent it sends probes between the checks. Results go to a function
//! that the caller provides: nothing here knows the store.

mod logged;
mod names;
mod probing;
mod unlinked;

use std::sync::Arc;
use std::time::Duration;

use crate::config::{HostConfig, Role};
use crate::net::{Exchange, Machine, RepliesBeyond, Resolver, Route, SocketOptions, Target};
use crate::pure::cause::NetworkPosition;
use crate::pure::check::{Action, CheckSettings, ReadMode};
use crate::pure::link::Link;
use crate::pure::model::{
    CheckResult, Host, Interruption, InterruptionKind, LocalFault, Outcome, Probe, Unsent,
};
use crate::pure::outage::{OutageChange, OutageDetector, OutageRules};
use crate::pure::sample::CheckSample;
use crate::pure::time::{ClockSample, Monotonic, Schedule, UtcMillis, nanoseconds};
use crate::stop::Stop;

use logged::{SkippedTicks, StateChanges};
use unlinked::{LinkEnd, unsent_fault};

/// Settings that are the same for every host.
#[derive(Clone, Copy, Debug)]
pub struct ProbeSettings {
    pub read_mode: ReadMode,
    /// How long a check stays open for duplicates after its last reply.
    pub linger: Duration,
    /// Time between two probes of a silent host; `None` sends no probes.
    pub fast_interval: Option<Duration>,
    pub outages: OutageRules,
}

/// The progress of a running check.
#[derive(Clone, Copy, Debug)]
pub enum CheckProgress {
    /// The address is resolved; the pings begin.
    Target(Target),
    /// The outcome of the ping with this index (from 0).
    Ping(usize, Outcome),
}

/// What a host's thread delivers.
#[derive(Debug)]
pub enum PingerEvent {
    Check(CheckResult),
    Probe(Probe),
    /// A span in which this thread did not run.
    Interruption(Interruption),
    Unsent(Unsent),
    /// So many checks were due while the one before was still being made.
    Skipped(u64),
    /// For the witness.
    HostEvent(HostEvent),
}

/// A change of a host that the witness reacts to.
#[derive(Clone, Debug)]
pub struct HostEvent {
    pub host: Arc<Host>,
    /// Its address, where it is resolved.
    pub target: Option<Target>,
    /// The interface and gateway that its pings leave by.
    pub link: Option<Arc<Link>>,
    pub kind: HostEventKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostEventKind {
    /// The host is pinged at another address or over another link from now on.
    RouteChanged,
    /// No ping of a check was answered.
    Silent,
    AnswersAgain,
    /// No ping of a check could be sent.
    CannotSend,
}

/// Checks one host.
#[derive(Debug)]
pub struct Pinger<M: Machine> {
    machine: M,
    config: Arc<HostConfig>,
    settings: ProbeSettings,
    resolver: Resolver<M>,
    target: Option<Target>,
    /// The route of the newest check's or probe's pings.
    route: Option<Route>,
    link_end: LinkEnd,
    /// How long to wait before the link is tested again.
    link_wait: Duration,
    /// Since when nothing could be sent to the silent host, and why.
    unsent: Option<(UtcMillis, String)>,
    /// The spans of the running check in which this thread did not run.
    held_up: Vec<Interruption>,
    /// Whether so many other messages came during the last check that the next reads at once.
    was_flooded: bool,
}

impl<M: Machine> Pinger<M> {
    /// `beyond` is shared with the pingers of the other hosts, where they run.
    pub fn new(
        machine: M,
        config: Arc<HostConfig>,
        settings: ProbeSettings,
        beyond: Option<Arc<RepliesBeyond>>,
    ) -> Pinger<M> {
        let has_gateway_role = config.role == Role::Gateway;
        let host = Arc::clone(&config.host);
        let resolver = Resolver::new(
            machine.clone(),
            host,
            config.interval,
            has_gateway_role,
            beyond,
        );
        Pinger {
            machine,
            config,
            settings,
            resolver,
            target: None,
            route: None,
            link_end: LinkEnd::Good,
            link_wait: unlinked::FIRST_WAIT,
            unsent: None,
            held_up: Vec::new(),
            was_flooded: false,
        }
    }

    /// Checks the host at every tick until `stop` is raised. A check that the stop interrupts is
    /// discarded. The first check is due at `first`, later ones by `schedule`.
    pub fn run(
        &mut self,
        first: Monotonic,
        schedule: Schedule,
        stop: &Stop,
        mut deliver: impl FnMut(PingerEvent),
    ) {
        let mut state_changes = StateChanges::default();
        let mut skipped_ticks = SkippedTicks::default();
        let mut detector = OutageDetector::new(self.settings.outages, None);
        let mut tick = first;
        let mut is_first = true;
        let mut last_run = self.machine.clocks();
        loop {
            let due = self.wait_for_name(tick, stop);
            // The host is probed meanwhile.
            let due = if detector.needs_probing() {
                due
            } else {
                due.and_then(|due| self.wait_for_link(due, stop))
            };
            let Some(due) = due else {
                return;
            };
            tick = due;
            if self.probe_until(tick, &mut detector, &mut last_run, stop, &mut deliver) {
                return;
            }
            let clocks = self.machine.clocks();
            if let Some(interruption) = interruption(&last_run, &clocks, tick) {
                deliver(PingerEvent::Interruption(interruption));
            }
            let began = clocks.monotonic;
            let previous = (self.target, self.link());
            let Some(result) = self.check(stop, &mut |_| ()) else {
                return;
            };
            self.note_link(&result);
            state_changes.log(&result);
            for interruption in self.held_up.drain(..) {
                deliver(PingerEvent::Interruption(interruption));
            }
            let was_silent = detector.is_silent();
            let change = detector.add_check(
                &CheckSample::of(&result, result.checked_at),
                result.checked_at,
            );
            let host_events = self.host_events(&result, previous, was_silent, change.as_ref());
            self.note_unsent_check(&result, was_silent, &mut deliver);
            // The result first: the observations of the witness must follow it.
            deliver(PingerEvent::Check(*result));
            for event in host_events {
                deliver(PingerEvent::HostEvent(event));
            }
            last_run = self.machine.clocks();
            let slept = interruption(&clocks, &last_run, last_run.monotonic);
            if let Some(interruption) = slept {
                deliver(PingerEvent::Interruption(interruption));
            }
            let next = schedule.next_check(began, last_run.monotonic);
            if !is_first {
                let skipped = schedule.ticks_between(tick, next);
                skipped_ticks.log(&self.config.host, skipped);
                if skipped > 0 {
                    deliver(PingerEvent::Skipped(skipped));
                }
            }
            is_first = false;
            tick = next;
        }
    }

    /// The events that the witness must know of after a check.
    fn host_events(
        &self,
        result: &CheckResult,
        (previous_target, previous_link): (Option<Target>, Option<Arc<Link>>),
        was_silent: bool,
        change: Option<&OutageChange>,
    ) -> Vec<HostEvent> {
        let event = |kind| self.event(kind);
        let mut found = Vec::new();
        if result.sent() > 0 && result.received() == 0 {
            found.push(event(HostEventKind::Silent));
        } else if result.local_fault == Some(LocalFault::Link) {
            found.push(event(HostEventKind::CannotSend));
        } else if matches!(change, Some(OutageChange::Ended(..)))
            || (was_silent && result.received() > 0)
        {
            found.push(event(HostEventKind::AnswersAgain));
        }
        // Last: the path of a host that is silent is not traced as one that answers.
        let has_other_link = self.route.is_some() && self.link() != previous_link;
        if self.target != previous_target || has_other_link {
            found.push(event(HostEventKind::RouteChanged));
        }
        found
    }

    /// Makes one check; `None` when `stop` was raised meanwhile.
    // Size: boxed, so that the stack of a host's thread stays within two pages.
    pub fn check(
        &mut self,
        stop: &Stop,
        progress: &mut dyn FnMut(CheckProgress),
    ) -> Option<Box<CheckResult>> {
        let host = Arc::clone(&self.config.host);
        let at = self.machine.clocks();
        let began = at.monotonic;
        let found = self.resolver.resolve(stop);
        if stop.is_raised() {
            return None;
        }
        let target = match found {
            Ok(target) => target,
            Err(reason) => {
                let local_fault = if !self.resolver.is_name() {
                    LocalFault::Link
                } else if self.resolver.has_no_address() {
                    LocalFault::Host
                } else {
                    LocalFault::Name
                };
                return Some(Box::new(CheckResult::not_measured(
                    host,
                    at.utc(),
                    local_fault,
                    reason,
                )));
            }
        };
        self.target = Some(target);
        progress(CheckProgress::Target(target));
        let exchange = Exchange::open(
            &self.machine,
            &target,
            &self.socket_options(),
            self.check_settings(),
        );
        self.route = exchange
            .as_ref()
            .ok()
            .and_then(|exchange| self.route_of(exchange));
        // After a check that ended without a link, pings sent while it is still down are not lost
        // either.
        let fault = if self.link_end != LinkEnd::Good {
            self.interface_fault()
        } else {
            None
        };
        let mut result = match exchange {
            Ok(_) if fault.is_some() => Box::new(CheckResult::not_measured(
                host,
                self.machine.clocks().utc(),
                LocalFault::Link,
                fault.unwrap_or_default(),
            )),
            Ok(exchange) => self.run_exchange(exchange, stop, progress)?,
            Err(fault) => Box::new(CheckResult::not_measured(
                host,
                self.machine.clocks().utc(),
                self.fault_of(&fault, &target),
                fault.to_string(),
            )),
        };
        result.resolved = Some(target.ip);
        result.position = if self.config.role == Role::Gateway {
            Some(NetworkPosition::Gateway)
        } else {
            self.route.as_ref().map(|route| route.position)
        };
        result.link = self.link();
        result.thresholds = self.config.thresholds;
        result.spacing_ms = u32::try_from(self.config.spacing.as_millis()).unwrap_or(0);
        result.interval_ms = u32::try_from(self.config.interval.as_millis()).unwrap_or(0);
        result.name_failure = self.resolver.failure().map(String::from);
        if result.sent() > 0 && result.position == Some(NetworkPosition::BeyondGateway) {
            self.resolver
                .note_check_beyond(began, result.received() > 0);
        }
        self.try_other_addresses(&target, &mut result, stop);
        Some(result)
    }

    /// Asked for each socket: routes change.
    fn route_of(&self, exchange: &Exchange<M>) -> Option<Route> {
        let host = &self.config.host;
        exchange
            .route(host.source.as_ref())
            .inspect_err(|error| log::debug!("{host}: the route: {error}"))
            .ok()
    }

    fn link(&self) -> Option<Arc<Link>> {
        self.route.as_ref().and_then(|route| route.link.clone())
    }

    /// Why the interface that the pings leave by cannot send.
    fn interface_fault(&self) -> Option<String> {
        let link = self.route.as_ref()?.link.as_ref()?;
        self.machine.interface_fault(&link.interface)
    }

    fn socket_options(&self) -> SocketOptions {
        SocketOptions {
            time_to_live: self.config.time_to_live,
            source: self.config.host.source.clone(),
        }
    }

    fn check_settings(&self) -> CheckSettings {
        CheckSettings {
            ping_count: self.config.ping_count,
            spacing: self.config.spacing,
            timeout: self.config.timeout,
            payload_len: usize::from(self.config.payload_bytes),
            linger: self.settings.linger,
            read_mode: if self.was_flooded {
                ReadMode::Immediate
            } else {
                self.settings.read_mode
            },
        }
    }

    /// Sends the pings and reads messages until every ping is answered or timed out.
    fn run_exchange(
        &mut self,
        mut exchange: Box<Exchange<M>>,
        stop: &Stop,
        progress: &mut dyn FnMut(CheckProgress),
    ) -> Option<Box<CheckResult>> {
        let mut reported = 0;
        let begin = self.machine.clocks();
        let mut now = begin.monotonic;
        loop {
            let action = exchange.run.next_action(now);
            if self.settings.read_mode == ReadMode::Immediate {
                while let Some(outcome) = exchange.run.outcome_so_far(reported, now) {
                    progress(CheckProgress::Ping(reported, outcome));
                    reported += 1;
                }
            }
            match action {
                Action::Send(sequence) => {
                    now = exchange.send(sequence).monotonic;
                    continue;
                }
                Action::SleepUntil(until) => {
                    if self.machine.wait_until(stop, until) {
                        return None;
                    }
                    now = until;
                }
                Action::ListenUntil(until) => {
                    exchange.read_errors();
                    if exchange.wait_readable(stop, until) {
                        return None;
                    }
                    now = until;
                }
                Action::Done => break,
            }
            let until = now;
            exchange.read();
            now = self.machine.monotonic();
            if now.since(until) >= MIN_INTERRUPTION {
                let clocks = self.machine.clocks();
                self.held_up.extend(interruption(&begin, &clocks, until));
            }
        }
        self.was_flooded = exchange.run.is_flooded();
        if !exchange.run.has_all_transmit_times() {
            exchange.read_errors();
        }
        let unmeasured = self.exclude_unlinked(&mut exchange, begin.monotonic);
        let host = Arc::clone(&self.config.host);
        let end = self.machine.clocks();
        let first = exchange.run.sent_at(0).unwrap_or(begin);
        let began_at = corrected_start(&end, &first);
        Some(Box::new(match exchange.run.finish(&end) {
            Ok(found) => {
                let by_errno = unsent_fault(&found.pings);
                let fault = unmeasured.as_ref().map(|unmeasured| unmeasured.fault);
                CheckResult {
                    pings: found.pings,
                    sent_after_ms: found.sent_after_ms,
                    late: found.late,
                    duplicates: found.duplicates,
                    foreign: found.foreign,
                    reason: unmeasured
                        .map(|unmeasured| unmeasured.reason)
                        .or(found.reason),
                    local_fault: by_errno.map(|by_errno| fault.unwrap_or(by_errno)),
                    ..CheckResult::begin(host, began_at)
                }
            }
            Err(reason) => CheckResult::not_measured(host, began_at, LocalFault::Other, reason),
        }))
    }
}

/// When a check began, by the wall clock at its `end`: a clock that was set meanwhile was wrong at
/// the beginning.
fn corrected_start(end: &ClockSample, begin: &ClockSample) -> UtcMillis {
    let step_ms = end.set_since(begin) / 1_000_000;
    UtcMillis(begin.utc().0 + if step_ms.abs() >= 1000 { step_ms } else { 0 })
}

/// A shorter delay of a check is no interruption: a busy machine, a slow resolver.
const MIN_INTERRUPTION: Duration = Duration::from_secs(5);

/// Why this thread, which should have waited from `before` until `tick`, waited until `now`: the machine
/// slept or the process was not scheduled. `None` when it is not late.
fn interruption(before: &ClockSample, now: &ClockSample, tick: Monotonic) -> Option<Interruption> {
    if !now.slept_since(before).is_zero() {
        return Some(Interruption {
            kind: InterruptionKind::Asleep,
            from: before.utc(),
            to: now.utc(),
        });
    }
    let late = now.monotonic.since(tick.max(before.monotonic));
    let utc = now.utc();
    let from = UtcMillis(utc.0 - nanoseconds(late) / 1_000_000);
    (late >= MIN_INTERRUPTION).then_some(Interruption {
        kind: InterruptionKind::HeldUp,
        from,
        to: utc,
    })
}
