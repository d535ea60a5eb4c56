//! Traces of paths, in threads of their own, so that the pings continue meanwhile: to silent hosts
//! during an outage, and to each host while it answers, so that the order of the routers is known
//! before an outage.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::probe::{self, ProbeTarget, Subject};
use super::{PING_TIMEOUT, STACK_BYTES};
use crate::net::Target;
use crate::pure::address::Source;
use crate::pure::link::Link;
use crate::pure::model::Host;
use crate::pure::scene::Observation;
use crate::pure::time::Monotonic;
use crate::stop::Stop;
use crate::sys;

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

pub(super) struct Traces<S> {
    stop: Stop,
    deliver: S,
    /// Of silent hosts. Returns those whose paths could not be traced.
    thread: Option<JoinHandle<Vec<Arc<Host>>>>,
    /// Of a host that answers.
    healthy_thread: Option<JoinHandle<()>>,
    /// Hosts that answer and are to be traced, with their links.
    waiting: VecDeque<(Arc<Host>, Option<Arc<Link>>)>,
    next_healthy: Monotonic,
    /// Links whose gateways were pinged.
    known_links: HashSet<Arc<Link>>,
}

impl<S: Fn(Observation) + Clone + Send + 'static> Traces<S> {
    pub fn new(stop: Stop, deliver: S) -> Traces<S> {
        Traces {
            stop,
            deliver,
            thread: None,
            healthy_thread: None,
            waiting: VecDeque::new(),
            next_healthy: sys::monotonic(),
            known_links: HashSet::new(),
        }
    }

    pub fn is_tracing(&self) -> bool {
        is_running(self.thread.as_ref())
    }

    /// Traces the paths to silent hosts, one after the other.
    pub fn trace(&mut self, paths: Vec<Trace>) {
        let (deliver, stop) = (self.deliver.clone(), self.stop.clone());
        self.thread = spawn(move || {
            let mut untraced = Vec::new();
            for Trace {
                host,
                target,
                source,
            } in paths
            {
                match probe::trace(&target, source, &stop) {
                    Some(path) => deliver(Observation::Path { host, path }),
                    None => untraced.push(host),
                }
            }
            untraced
        });
    }

    /// The silent hosts whose paths could not be traced, once.
    pub fn take_untraced(&mut self) -> Vec<Arc<Host>> {
        let finished = self.thread.take_if(|thread| thread.is_finished());
        finished
            .and_then(|thread| thread.join().ok())
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
        let now = sys::monotonic();
        if now < self.next_healthy || self.waiting.is_empty() {
            return;
        }
        self.next_healthy = now.after(PAUSE);
        if is_running(self.healthy_thread.as_ref()) {
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
        self.healthy_thread = spawn(move || {
            if let Some(path) = probe::trace_healthy(&trace.target, trace.source, &stop)
                && path.reached
            {
                let host = trace.host;
                deliver(Observation::Path { host, path });
            }
            let Some(gateway) = gateway else { return };
            for _ in 0..GATEWAY_PINGS {
                ping(vec![gateway.clone()], &stop, &deliver);
                if stop.wait_until(sys::monotonic().after(GATEWAY_PING_SPACING)) {
                    return;
                }
            }
        });
    }

    pub fn join(self) {
        drop(self.thread.map(JoinHandle::join));
        drop(self.healthy_thread.map(JoinHandle::join));
    }
}

/// Pings each target once, and delivers the outcomes.
pub(super) fn ping(targets: Vec<ProbeTarget>, stop: &Stop, deliver: &impl Fn(Observation)) {
    for (target, at, answer) in probe::ping_all(targets, PING_TIMEOUT, stop) {
        deliver(match target.subject {
            Subject::OtherHost(host) => Observation::OtherHost { host, at, answer },
            Subject::Gateway(link) => Observation::Gateway { link, at, answer },
        });
    }
}

fn is_running<T>(thread: Option<&JoinHandle<T>>) -> bool {
    thread.is_some_and(|thread| !thread.is_finished())
}

fn spawn<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Option<JoinHandle<T>> {
    let thread = thread::Builder::new().name("trace".into());
    thread.stack_size(STACK_BYTES).spawn(work).ok()
}
