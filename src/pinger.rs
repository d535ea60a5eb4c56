//! One thread a host: waits for the next tick, drives a check over a socket, hands over what it found. The only place
//! where the pure state of a check meets the socket and the clocks. Knows nothing of the store but a function to call.

use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::Duration;

use crate::check::{Action, CheckPlan, CheckRun, Pace};
use crate::config::HostPlan;
use crate::icmp;
use crate::model::{CheckResult, Host, Outcome, State};
use crate::net::{EchoSocket, Resolver, SocketOptions, Target};
use crate::stop::Stop;
use crate::sys;
use crate::time::{Monotonic, Schedule};

/// How a check is made, beyond what the configuration says of its host.
#[derive(Clone, Copy, Debug)]
pub struct Manner {
    /// Whether replies are read as they come.
    pub pace: Pace,
    /// How long a check stays open for duplicates behind its last reply.
    pub linger: Duration,
}

/// What becomes known while a check runs.
#[derive(Clone, Copy, Debug)]
pub enum Progress {
    /// The address is found, the pings begin.
    Target(Target),
    /// The fate of the ping with this index, counted from 0.
    Ping(usize, Outcome),
}

/// Makes checks of one host.
#[derive(Debug)]
pub struct Pinger {
    plan: HostPlan,
    manner: Manner,
    resolver: Resolver,
}

impl Pinger {
    /// A pinger that has made no check yet.
    pub fn new(plan: HostPlan, manner: Manner) -> Pinger {
        let resolver = Resolver::new(Arc::clone(&plan.host));
        Pinger { plan, manner, resolver }
    }

    /// Checks the host at every tick until the flag is raised, and hands every result to `deliver`. A check that the
    /// stop interrupts is dropped whole. `first` is when the first check is due; then `schedule` rules.
    pub fn run(mut self, first: Monotonic, schedule: Schedule, stop: &Stop, mut deliver: impl FnMut(CheckResult)) {
        let mut report = StateReport::default();
        let mut skipped = SkipReport::default();
        let mut tick = first;
        let mut is_first = true;
        while !stop.wait_until(tick) {
            let began = sys::monotonic();
            let Some(result) = self.check(stop, &mut |_| ()) else { return };
            report.note(&result);
            deliver(result);
            let next = schedule.next_check(began, sys::monotonic());
            if !is_first {
                skipped.note(&self.plan.host, schedule.ticks_between(tick, next));
            }
            is_first = false;
            tick = next;
        }
    }

    /// Makes one check; `None` when the flag was raised meanwhile.
    pub fn check(&mut self, stop: &Stop, progress: &mut dyn FnMut(Progress)) -> Option<CheckResult> {
        let host = Arc::clone(&self.plan.host);
        let found = self.resolver.resolve(stop);
        if stop.is_raised() {
            return None;
        }
        let target = match found {
            Ok(target) => target,
            Err(reason) => return Some(CheckResult::not_measured(host, None, sys::clocks().utc(), reason)),
        };
        progress(Progress::Target(target));
        let cookie = sys::random_u64();
        let options = SocketOptions { time_to_live: self.plan.time_to_live, source: self.plan.source.clone() };
        match EchoSocket::open(&target, &options, cookie.rotate_left(17)) {
            Ok(socket) => self.drive(socket, target, cookie, stop, progress),
            Err(fault) => Some(CheckResult::not_measured(host, Some(target.ip), sys::clocks().utc(), fault.to_string())),
        }
    }

    /// Sends the pings and reads what comes until every one is answered or out of time.
    fn drive(
        &self,
        mut socket: EchoSocket,
        target: Target,
        cookie: u64,
        stop: &Stop,
        progress: &mut dyn FnMut(Progress),
    ) -> Option<CheckResult> {
        let plan = &self.plan;
        let check_plan = CheckPlan {
            ping_count: plan.ping_count,
            spacing: plan.spacing,
            timeout: plan.timeout,
            payload_len: usize::from(plan.payload_bytes),
            linger: self.manner.linger,
            pace: self.manner.pace,
        };
        let mut run = CheckRun::new(check_plan, target.version(), socket.identifier(), cookie);
        let mut batch = socket.batch(check_plan.payload_len);
        let mut request = vec![0; icmp::HEADER_LEN + check_plan.payload_len];
        let mut told = 0;
        let begin = sys::clocks();
        let mut now = begin.monotonic;
        loop {
            let action = run.next_action(now);
            if self.manner.pace == Pace::Listening {
                while let Some(outcome) = run.outcome_so_far(told, now) {
                    progress(Progress::Ping(told, outcome));
                    told += 1;
                }
            }
            match action {
                Action::Send(sequence) => {
                    icmp::write_request(&mut request, target.version(), socket.identifier(), sequence, cookie);
                    let clock = sys::clocks();
                    match socket.send(&request, &mut batch, &mut run) {
                        Ok(()) => run.sent(clock),
                        Err(error) => run.send_failed(clock, error.raw_os_error().unwrap_or(0)),
                    }
                    now = clock.monotonic;
                    continue;
                }
                Action::SleepUntil(until) => {
                    if stop.wait_until(until) {
                        return None;
                    }
                }
                Action::ListenUntil(until) => {
                    // Transmit stamps lie in the error queue, and while they do the socket counts as readable.
                    socket.read_errors(&mut batch, &mut run);
                    if stop.wait_readable(socket.as_fd(), until) {
                        return None;
                    }
                }
                Action::Done => break,
            }
            socket.read(&mut batch, &mut run);
            now = sys::monotonic();
        }
        if !run.is_fully_stamped() {
            socket.read_errors(&mut batch, &mut run);
        }
        let host = Arc::clone(&plan.host);
        let end = sys::clocks();
        Some(match run.finish(&end) {
            Ok(found) => CheckResult {
                host,
                resolved: Some(target.ip),
                checked_at: begin.utc(),
                pings: found.pings,
                late: found.late,
                duplicates: found.duplicates,
                foreign: found.foreign,
                reason: found.reason,
            },
            Err(reason) => CheckResult::not_measured(host, Some(target.ip), begin.utc(), reason),
        })
    }
}

/// Says in the log when a host's state begins and ends, once each, with the count between.
#[derive(Debug, Default)]
struct StateReport {
    trouble: Option<(State, String)>,
    checks: u64,
}

impl StateReport {
    fn note(&mut self, result: &CheckResult) {
        let host = &result.host;
        let trouble = match result.state() {
            State::Up | State::Degraded => None,
            State::Down => Some((State::Down, String::new())),
            State::NotMeasured => Some((State::NotMeasured, result.reason.clone().unwrap_or_default())),
        };
        if trouble == self.trouble {
            self.checks += 1;
            return;
        }
        if let Some((state, _)) = &self.trouble {
            let plural = if self.checks == 1 { "" } else { "s" };
            match state {
                State::NotMeasured => log::info!("{host}: measured again after {} check{plural}", self.checks),
                _ if trouble.is_none() => log::info!("{host} is up again after {} check{plural}", self.checks),
                _ => log::info!("{host} was down for {} check{plural}", self.checks),
            }
        }
        match &trouble {
            Some((State::NotMeasured, reason)) => log::warn!("{host} is not measured: {reason}"),
            Some(_) => {
                let reason = result.reason.as_deref().map(|reason| format!(" ({reason})")).unwrap_or_default();
                log::warn!("{host} is down: {} of {} pings answered{reason}", result.received(), result.sent());
            }
            None => {}
        }
        self.trouble = trouble;
        self.checks = 1;
    }
}

/// Says in the log when ticks begin to be skipped and when that ends.
#[derive(Debug, Default)]
struct SkipReport {
    skipped: u64,
}

impl SkipReport {
    fn note(&mut self, host: &Host, skipped: u64) {
        if skipped > 0 && self.skipped == 0 {
            log::warn!("{host}: a check was not over when the next was due; ticks are skipped");
        }
        if skipped == 0 && self.skipped > 0 {
            log::info!("{host}: on schedule again after {} skipped ticks", self.skipped);
            self.skipped = 0;
        }
        self.skipped += skipped;
    }
}
