//! One thread a host: waits for the next tick, drives a check over a socket, hands over what it
//! found. While the host is silent it is pinged between its checks too. The only place where the
//! pure state of a check meets the socket and the clocks. Knows nothing of the store but a function
//! to call.

mod probing;
mod report;

use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::Duration;

use crate::config::HostConfig;
use crate::net::{self, Exchange, Link, Resolver, SocketOptions, Target};
use crate::pure::cause::NetworkPosition;
use crate::pure::check::{Action, CheckSettings, ReadMode};
use crate::pure::model::{
    CheckResult, Host, Interruption, InterruptionKind, LocalFault, Outcome, Probe,
};
use crate::pure::outage::{CheckSample, OutageChange, OutageDetector, OutageRules};
use crate::pure::time::{ClockSample, Monotonic, Schedule, UtcMillis, nanoseconds};
use crate::stop::Stop;
use crate::sys;

use report::{SkipReport, StateReport};

/// How a check is made, beyond what the configuration says of its host.
#[derive(Clone, Copy, Debug)]
pub struct ProbeSettings {
    /// Whether replies are read as they come.
    pub read_mode: ReadMode,
    /// How long a check stays open for duplicates behind its last reply.
    pub linger: Duration,
    /// From one ping to the next while the host is silent; `None` sends none between checks.
    pub fast_interval: Option<Duration>,
    /// Which silence is an outage.
    pub outages: OutageRules,
}

/// What becomes known while a check runs.
#[derive(Clone, Copy, Debug)]
pub enum Progress {
    /// The address is found, the pings begin.
    Target(Target),
    /// The fate of the ping with this index, counted from 0.
    Ping(usize, Outcome),
}

/// What a host's thread finds.
#[derive(Debug)]
pub enum PingerEvent {
    /// A check.
    Check(CheckResult),
    /// A ping between two checks.
    Probe(Probe),
    /// A time in which this thread did not run.
    Interruption(Interruption),
    /// Something that is worth a look around.
    HostEvent(HostEvent),
}

/// Something about a host that is worth a look around.
#[derive(Clone, Debug)]
pub struct HostEvent {
    /// Which host.
    pub host: Arc<Host>,
    /// Where it is.
    pub target: Option<Target>,
    /// What happened.
    pub kind: HostEventKind,
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostEventKind {
    /// It is pinged at this address from now on.
    Found,
    /// It was silent for a whole check.
    Silent,
    /// It answers again.
    Over,
    /// Nothing could be sent to it.
    Blocked,
}

/// Makes checks of one host.
#[derive(Debug)]
pub struct Pinger {
    plan: Arc<HostConfig>,
    manner: ProbeSettings,
    resolver: Resolver,
    target: Option<Target>,
    place: Option<NetworkPosition>,
    /// Whether nothing could be sent for the check before.
    was_blocked: bool,
}

impl Pinger {
    /// A pinger that has made no check yet.
    pub fn new(plan: Arc<HostConfig>, manner: ProbeSettings) -> Pinger {
        let resolver = Resolver::new(Arc::clone(&plan.host));
        Pinger {
            plan,
            manner,
            resolver,
            target: None,
            place: None,
            was_blocked: false,
        }
    }

    /// Checks the host at every tick until the flag is raised, and hands every finding to
    /// `deliver`. A check that the stop interrupts is dropped whole. `first` is when the first
    /// check is due; then `schedule` rules.
    pub fn run(
        &mut self,
        first: Monotonic,
        schedule: Schedule,
        stop: &Stop,
        mut deliver: impl FnMut(PingerEvent),
    ) {
        let mut report = StateReport::default();
        let mut skipped = SkipReport::default();
        let mut watch = OutageDetector::new(self.manner.outages, None);
        let mut tick = first;
        let mut is_first = true;
        let mut last_look = sys::clocks();
        loop {
            if self.probe_until(tick, &mut watch, &mut last_look, stop, &mut deliver) {
                return;
            }
            let clocks = sys::clocks();
            if let Some(interruption) = interruption(&last_look, &clocks, tick) {
                deliver(PingerEvent::Interruption(interruption));
            }
            let began = clocks.monotonic;
            let known = self.target;
            let Some(result) = self.check(stop, &mut |_| ()) else {
                return;
            };
            report.note(&result);
            let needed_probing = watch.needs_probing();
            let change = watch.take(
                &CheckSample::of(&result, result.checked_at),
                result.checked_at,
            );
            let trouble = self.trouble(&result, known, needed_probing, change.as_ref());
            // First the result, then the trouble: what is found out about it comes behind it.
            deliver(PingerEvent::Check(result));
            trouble
                .into_iter()
                .for_each(|trouble| deliver(PingerEvent::HostEvent(trouble)));
            last_look = sys::clocks();
            let next = schedule.next_check(began, last_look.monotonic);
            if !is_first {
                skipped.note(&self.plan.host, schedule.ticks_between(tick, next));
            }
            is_first = false;
            tick = next;
        }
    }

    /// What of a check is worth a look around.
    fn trouble(
        &self,
        result: &CheckResult,
        known: Option<Target>,
        needed_probing: bool,
        change: Option<&OutageChange>,
    ) -> Vec<HostEvent> {
        let trouble = |kind| HostEvent {
            host: Arc::clone(&self.plan.host),
            target: self.target,
            kind,
        };
        let mut found = Vec::new();
        if self.target != known {
            found.push(trouble(HostEventKind::Found));
        }
        if result.sent() > 0 && result.received() == 0 {
            found.push(trouble(HostEventKind::Silent));
        } else if result.local_fault == Some(LocalFault::Link) {
            found.push(trouble(HostEventKind::Blocked));
        } else if matches!(change, Some(OutageChange::Ended(..)))
            || (needed_probing && result.received() > 0)
        {
            found.push(trouble(HostEventKind::Over));
        }
        found
    }

    /// Makes one check; `None` when the flag was raised meanwhile.
    pub fn check(
        &mut self,
        stop: &Stop,
        progress: &mut dyn FnMut(Progress),
    ) -> Option<CheckResult> {
        let host = Arc::clone(&self.plan.host);
        let found = self.resolver.resolve(stop);
        if stop.is_raised() {
            return None;
        }
        let target = match found {
            Ok(target) => target,
            Err(reason) => {
                let local_fault = if self.resolver.is_name() {
                    LocalFault::Name
                } else {
                    LocalFault::Link
                };
                return Some(CheckResult::not_measured(
                    host,
                    sys::clocks().utc(),
                    local_fault,
                    reason,
                ));
            }
        };
        if self.target != Some(target) || self.place.is_none() {
            (self.target, self.place) = (Some(target), net::position_of(&target));
        }
        progress(Progress::Target(target));
        // Where there was no link for the check before, pings that are sent before it is there are
        // not lost either.
        let fault = if self.was_blocked {
            Link::to(&target, self.plan.source.as_ref()).fault()
        } else {
            None
        };
        let mut result =
            match Exchange::open(&target, &self.socket_options(), self.check_settings()) {
                Ok(_) if fault.is_some() => CheckResult::not_measured(
                    host,
                    sys::clocks().utc(),
                    LocalFault::Link,
                    fault.unwrap_or_default(),
                ),
                Ok(exchange) => self.drive(exchange, stop, progress)?,
                Err(fault) => {
                    // A route may lead elsewhere when there is one again.
                    self.place = None;
                    CheckResult::not_measured(
                        host,
                        sys::clocks().utc(),
                        fault.local_fault(),
                        fault.to_string(),
                    )
                }
            };
        result.resolved = Some(target.ip);
        result.place = if self.plan.role == crate::config::Role::Gateway {
            Some(NetworkPosition::Gateway)
        } else {
            self.place
        };
        result.thresholds = self.plan.thresholds;
        result.spacing_ms = u32::try_from(self.plan.spacing.as_millis()).unwrap_or(0);
        result.interval_ms = u32::try_from(self.plan.interval.as_millis()).unwrap_or(0);
        result.name_failure = self.resolver.failure().map(String::from);
        self.uncount_unsent(&mut result, &target);
        self.was_blocked = result.local_fault == Some(LocalFault::Link);
        Some(result)
    }

    fn socket_options(&self) -> SocketOptions {
        SocketOptions {
            time_to_live: self.plan.time_to_live,
            source: self.plan.source.clone(),
        }
    }

    /// Pings that were sent into an interface without a carrier have not left: they are neither
    /// sent nor lost.
    fn uncount_unsent(&self, result: &mut CheckResult, target: &Target) {
        let is_lost =
            |outcome: &Outcome| matches!(outcome, Outcome::TimedOut | Outcome::Unreachable(_));
        if !result.pings.last().is_some_and(is_lost) {
            return;
        }
        let Some(fault) = Link::to(target, self.plan.source.as_ref()).fault() else {
            return;
        };
        for outcome in result
            .pings
            .iter_mut()
            .rev()
            .take_while(|outcome| is_lost(outcome))
        {
            *outcome = Outcome::SendFailed { errno: 0 };
        }
        result.reason = Some(fault);
        if result.sent() == 0 {
            result.local_fault = Some(LocalFault::Link);
        }
    }

    fn check_settings(&self) -> CheckSettings {
        CheckSettings {
            ping_count: self.plan.ping_count,
            spacing: self.plan.spacing,
            timeout: self.plan.timeout,
            payload_len: usize::from(self.plan.payload_bytes),
            linger: self.manner.linger,
            read_mode: self.manner.read_mode,
        }
    }

    /// Sends the pings and reads what comes until every one is answered or out of time.
    fn drive(
        &self,
        mut exchange: Box<Exchange>,
        stop: &Stop,
        progress: &mut dyn FnMut(Progress),
    ) -> Option<CheckResult> {
        let mut told = 0;
        let begin = sys::clocks();
        let mut now = begin.monotonic;
        loop {
            let action = exchange.run.next_action(now);
            if self.manner.read_mode == ReadMode::Immediate {
                while let Some(outcome) = exchange.run.outcome_so_far(told, now) {
                    progress(Progress::Ping(told, outcome));
                    told += 1;
                }
            }
            match action {
                Action::Send(sequence) => {
                    now = exchange.send(sequence).monotonic;
                    continue;
                }
                Action::SleepUntil(until) => {
                    if stop.wait_until(until) {
                        return None;
                    }
                }
                Action::ListenUntil(until) => {
                    exchange.read_errors();
                    if stop.wait_readable(exchange.as_fd(), until) {
                        return None;
                    }
                }
                Action::Done => break,
            }
            exchange.read();
            now = sys::monotonic();
        }
        if !exchange.run.is_fully_stamped() {
            exchange.read_errors();
        }
        let host = Arc::clone(&self.plan.host);
        let end = sys::clocks();
        let begun = dated_by(&end, &begin);
        Some(match exchange.run.finish(&end) {
            Ok(found) => {
                let is_unsent = !found.pings.is_empty()
                    && found
                        .pings
                        .iter()
                        .all(|ping| matches!(ping, Outcome::SendFailed { .. }));
                CheckResult {
                    pings: found.pings,
                    late: found.late,
                    duplicates: found.duplicates,
                    foreign: found.foreign,
                    reason: found.reason,
                    local_fault: is_unsent.then_some(LocalFault::Link),
                    ..CheckResult::begin(host, begun)
                }
            }
            Err(reason) => CheckResult::not_measured(host, begun, LocalFault::Other, reason),
        })
    }
}

/// When a check began by the wall clock as it is at its `end`: one that was set meanwhile was wrong
/// before.
fn dated_by(end: &ClockSample, begin: &ClockSample) -> UtcMillis {
    let step_ms = end.set_since(begin) / 1_000_000;
    UtcMillis(begin.utc().0 + if step_ms.abs() >= 1000 { step_ms } else { 0 })
}

/// Being late by less than this is no interruption: a busy machine, a slow resolver.
const HELD_UP: Duration = Duration::from_secs(5);

/// What kept this thread from running when it was to wait from `before` until `tick`, and did so
/// until `now`.
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
    (late >= HELD_UP).then_some(Interruption {
        kind: InterruptionKind::HeldUp,
        from,
        to: utc,
    })
}
