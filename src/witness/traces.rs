//! Traces of paths, in threads of their own, so that the pings continue meanwhile: to silent hosts
//! during an outage, and to each host while it answers, so that the order of the routers is known
//! before an outage.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use super::probe::{self, ProbeTarget, Subject};
use super::{PING_TIMEOUT, STACK_BYTES};
use crate::net::{Machine, Target};
use crate::pure::address::Source;
use crate::pure::link::Link;
use crate::pure::model::Host;
use crate::pure::scene::Observation;
use crate::pure::time::Monotonic;
use crate::stop::Stop;

/// Between two traces to hosts that answer, so that many hosts cause little traffic.
const PAUSE: Duration = Duration::from_millis(500);
/// Pings that show whether a gateway answers pings at all.
const GATEWAY_PINGS: usize = 5;
const GATEWAY_PING_SPACING: Duration = Duration::from_millis(200);

/// A path to trace.
pub(super) struct Trace {
    pub host: Arc<Host>,
    pub target: Target,
    pub source: Option<Source>,
}

pub(super) struct Traces<M: Machine, S> {
    machine: M,
    stop: Stop,
    deliver: S,
    /// Of silent hosts. Returns those whose paths could not be traced.
    thread: Option<M::Task<Vec<Arc<Host>>>>,
    /// Of a host that answers.
    healthy_thread: Option<M::Task<()>>,
    /// Hosts that answer and are to be traced, with their links.
    waiting: VecDeque<(Arc<Host>, Option<Arc<Link>>)>,
    next_healthy: Monotonic,
    /// Links whose gateways were pinged.
    known_links: HashSet<Arc<Link>>,
}

impl<M: Machine, S: Fn(Observation) + Clone + Send + 'static> Traces<M, S> {
    pub fn new(machine: M, stop: Stop, deliver: S) -> Traces<M, S> {
        let next_healthy = machine.monotonic();
        Traces {
            machine,
            stop,
            deliver,
            thread: None,
            healthy_thread: None,
            waiting: VecDeque::new(),
            next_healthy,
            known_links: HashSet::new(),
        }
    }

    pub fn is_tracing(&self) -> bool {
        is_running(&self.machine, self.thread.as_ref())
    }

    /// Traces the paths to silent hosts, one after the other.
    pub fn trace(&mut self, paths: Vec<Trace>) {
        let (deliver, stop) = (self.deliver.clone(), self.stop.clone());
        self.thread = spawn(&self.machine, move |machine| {
            let mut untraced = Vec::new();
            for Trace {
                host,
                target,
                source,
            } in paths
            {
                match probe::trace(machine, &target, source, &stop) {
                    Some(path) => deliver(Observation::Path { host, path }),
                    None => untraced.push(host),
                }
            }
            untraced
        });
    }

    /// The silent hosts whose paths could not be traced, once.
    pub fn take_untraced(&mut self) -> Vec<Arc<Host>> {
        let machine = &self.machine;
        let finished = self.thread.take_if(|thread| machine.is_finished(thread));
        finished
            .and_then(|thread| machine.join(thread))
            .unwrap_or_default()
    }

    /// Notes that a host's path is to be traced while it answers.
    pub fn add_healthy(&mut self, host: Arc<Host>, link: Option<Arc<Link>>) {
        self.waiting.retain(|(other, _)| *other != host);
        self.waiting.push_back((host, link));
    }

    pub fn retain_hosts(&mut self, is_kept: impl Fn(&Arc<Host>) -> bool) {
        self.waiting.retain(|(host, _)| is_kept(host));
    }

    /// When the next path to a host that answers is traced.
    pub fn next_healthy(&self) -> Option<Monotonic> {
        (!self.waiting.is_empty()).then_some(self.next_healthy)
    }

    /// Traces the next path to a host that answers. `prepare` returns `None` for a host that does
    /// not: it is traced when it answers again.
    pub fn trace_healthy(&mut self, prepare: impl Fn(&Arc<Host>) -> Option<Trace>) {
        let now = self.machine.monotonic();
        if now < self.next_healthy || self.waiting.is_empty() {
            return;
        }
        self.next_healthy = now.after(PAUSE);
        if is_running(&self.machine, self.healthy_thread.as_ref()) {
            return;
        }
        let Some((trace, link)) = self.waiting.pop_front().and_then(|(host, link)| {
            let trace = prepare(&host)?;
            Some((trace, link))
        }) else {
            return;
        };
        let gateway = link
            .filter(|link| self.known_links.insert(Arc::clone(link)))
            .as_ref()
            .and_then(ProbeTarget::gateway);
        let (deliver, stop) = (self.deliver.clone(), self.stop.clone());
        self.healthy_thread = spawn(&self.machine, move |machine| {
            if let Some(path) = probe::trace_healthy(machine, &trace.target, trace.source, &stop)
                && path.reached
            {
                let host = trace.host;
                deliver(Observation::Path { host, path });
            }
            let Some(gateway) = gateway else { return };
            for _ in 0..GATEWAY_PINGS {
                ping(machine, vec![gateway.clone()], &stop, &deliver);
                if machine.wait_until(&stop, machine.monotonic().after(GATEWAY_PING_SPACING)) {
                    return;
                }
            }
        });
    }

    pub fn join(self) {
        if let Some(thread) = self.thread {
            self.machine.join(thread);
        }
        if let Some(thread) = self.healthy_thread {
            self.machine.join(thread);
        }
    }
}

/// Pings each target once, and delivers the outcomes.
pub(super) fn ping(
    machine: &impl Machine,
    targets: Vec<ProbeTarget>,
    stop: &Stop,
    deliver: &impl Fn(Observation),
) {
    for (target, at, answer) in probe::ping_all(machine, targets, PING_TIMEOUT, stop) {
        deliver(match target.subject {
            Subject::OtherHost(host) => Observation::OtherHost { host, at, answer },
            Subject::Gateway(link) => Observation::Gateway { link, at, answer },
        });
    }
}

fn is_running<M: Machine, T: Send + 'static>(machine: &M, thread: Option<&M::Task<T>>) -> bool {
    thread.is_some_and(|thread| !machine.is_finished(thread))
}

fn spawn<M: Machine, T: Send + 'static>(
    machine: &M,
    work: impl FnOnce(&M) -> T + Send + 'static,
) -> Option<M::Task<T>> {
    machine.start("trace", STACK_BYTES, work).ok()
}
