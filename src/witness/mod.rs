//! One thread that collects evidence during an outage and sleeps otherwise: it pings the gateway
//! and other hosts, checks whether packets can be sent again, and traces the paths to silent hosts. It delivers observations; pure/cause.rs judges them.

mod probe;
mod traces;

use std::collections::{BTreeSet, HashMap};
use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::net::{Machine, Target, ThisMachine};
use crate::pinger::{HostEvent, HostEventKind};
use crate::pure::address::{AddressKind, IpVersion, Source};
use crate::pure::cause::NetworkPosition;
use crate::pure::link::Link;
use crate::pure::model::Host;
use crate::pure::scene::Observation;
use crate::pure::time::Monotonic;
use crate::stop::Stop;

use probe::{ProbeTarget, Subject};
use traces::{Trace, Traces};

/// A configured host.
#[derive(Clone, Debug)]
pub struct OtherHost {
    pub host: Arc<Host>,
    pub source: Option<Source>,
}

/// What the witness is told.
pub enum Message {
    HostEvent(HostEvent),
    Hosts(Vec<OtherHost>),
    Stop,
}

/// Sends messages to the witness. Clones share its queue.
#[derive(Clone, Debug)]
pub struct WitnessHandle {
    messages: SyncSender<Message>,
}

impl WitnessHandle {
    /// Reports an event. It is dropped when the queue is full: the witness is then busy with
    /// others.
    pub fn host_event(&self, event: HostEvent) {
        let _ = self.messages.try_send(Message::HostEvent(event));
    }

    /// Replaces the list of hosts.
    pub fn set_hosts(&self, hosts: Vec<OtherHost>) {
        let _ = self.messages.send(Message::Hosts(hosts));
    }
}

/// The running thread.
pub struct Witness {
    handle: WitnessHandle,
    stop: Stop,
    thread: JoinHandle<()>,
}

/// Enough for the events of a thousand hosts that fail together.
const QUEUE_LEN: usize = 2048;
/// About 10 kB of it are used (measured); the rest is only address space.
const STACK_BYTES: usize = 128 * 1024;
/// Timeout of a ping of the witness: the gateway is near, and all have to end before the next are
/// due.
const PING_TIMEOUT: Duration = Duration::from_millis(900);
/// Time between two traces of the path to a silent host.
const TRACE_INTERVAL: Duration = Duration::from_secs(60);
/// Time until a trace is tried again during which this machine had no link.
const TRACE_RETRY: Duration = Duration::from_secs(1);
/// Other hosts that are pinged at a time.
const MAX_OTHER_HOSTS: usize = 16;
/// Paths that are traced at a time.
const MAX_TRACES: usize = 8;

impl Witness {
    /// Starts the thread. `fast_interval` is the time between two rounds of pings during an outage;
    /// with `None` it pings only after a host event. Observations go to `deliver`.
    pub fn start(
        fast_interval: Option<Duration>,
        deliver: impl Fn(Observation) + Clone + Send + 'static,
    ) -> io::Result<Witness> {
        let (messages, received) = sync_channel(QUEUE_LEN);
        let stop = Stop::new()?;
        let flag = stop.clone();
        let run = move || {
            WitnessState::new(ThisMachine, flag, fast_interval, deliver).run(&received);
        };
        let thread = thread::Builder::new()
            .name("witness".into())
            .stack_size(STACK_BYTES)
            .spawn(run)?;
        Ok(Witness {
            handle: WitnessHandle { messages },
            stop,
            thread,
        })
    }

    pub fn handle(&self) -> WitnessHandle {
        self.handle.clone()
    }

    pub fn stop(self) {
        self.stop.raise();
        // With a full queue the thread is awake and sees the flag.
        let _ = self.handle.messages.try_send(Message::Stop);
        if self.thread.join().is_err() {
            log::error!("the witness thread panicked");
        }
    }
}

/// The other hosts are pinged a second time after this delay, since the first pings may lie too
/// close to the start of the outage to prove anything, and some may be resolved only then.
const SECOND_ROUND_DELAY: Duration = Duration::from_secs(2);
/// Then they are pinged as long as the outage lasts: scene.rs asks for a reply every ten seconds.
const OTHERS_INTERVAL: Duration = Duration::from_secs(5);

/// Within this time after the start most names have been resolved.
const MAX_FIRST_CHECK: Duration = Duration::from_secs(10);

/// A version of IP of a host that could not be sent to.
struct Suspect {
    version: IpVersion,
    /// No host of this version can be sent to, and that is reported.
    is_down: bool,
}

/// What the thread does. It is public for the simulation of tests/years, which steps it.
pub struct WitnessState<M: Machine, S> {
    machine: M,
    stop: Stop,
    fast_interval: Option<Duration>,
    deliver: S,
    hosts: Vec<OtherHost>,
    /// The targets at which hosts were last pinged.
    targets: HashMap<Arc<Host>, Target>,
    /// The links that the pings to silent hosts leave by.
    links: HashMap<Arc<Host>, Arc<Link>>,
    /// Silent hosts, and when the path to each is traced next.
    silent: HashMap<Arc<Host>, Monotonic>,
    /// The versions of IP of hosts that could not be sent to.
    suspects: Vec<Suspect>,
    started: Monotonic,
    traces: Traces<M, S>,
    /// When the other hosts are pinged again.
    others_due: Option<Monotonic>,
    /// The first of them, where they are more than are pinged at a time.
    next_other: usize,
    next_round: Monotonic,
}

impl<M: Machine, S: Fn(Observation) + Clone + Send + 'static> WitnessState<M, S> {
    pub fn new(
        machine: M,
        stop: Stop,
        fast_interval: Option<Duration>,
        deliver: S,
    ) -> WitnessState<M, S> {
        let started = machine.monotonic();
        WitnessState {
            traces: Traces::new(machine.clone(), stop.clone(), deliver.clone()),
            machine,
            stop,
            fast_interval,
            deliver,
            hosts: Vec::new(),
            targets: HashMap::new(),
            links: HashMap::new(),
            silent: HashMap::new(),
            suspects: Vec::new(),
            started,
            others_due: None,
            next_other: 0,
            next_round: started,
        }
    }

    fn run(mut self, messages: &Receiver<Message>) {
        while !self.stop.is_raised() {
            let wait = match self.due() {
                Some(due) => due.since(self.machine.monotonic()),
                None => Duration::from_secs(3600),
            };
            let message = match messages.recv_timeout(wait) {
                Ok(message) => Some(message),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => Some(Message::Stop),
            };
            if !self.step(message) {
                break;
            }
        }
        self.traces.join();
    }

    /// When there is something to do without a message.
    pub fn due(&self) -> Option<Monotonic> {
        self.round_due()
            .into_iter()
            .chain(self.traces.next_healthy())
            .min()
    }

    fn round_due(&self) -> Option<Monotonic> {
        let is_idle = self.silent.is_empty() && self.suspects.is_empty();
        let is_due = self.fast_interval.is_some() && !is_idle;
        is_due.then_some(self.next_round)
    }

    /// Does what a message asks for, or without one what is due; `false` when it was to stop.
    pub fn step(&mut self, message: Option<Message>) -> bool {
        self.trace_healthy();
        match message {
            Some(Message::Hosts(hosts)) => self.set_hosts(hosts),
            Some(Message::HostEvent(event)) => self.handle_event(event),
            Some(Message::Stop) => return false,
            None if self
                .round_due()
                .is_none_or(|due| self.machine.monotonic() < due) => {}
            None => {
                let interval = self.fast_interval.unwrap_or(TRACE_INTERVAL);
                self.next_round = self.machine.monotonic().after(interval);
                self.continue_round();
            }
        }
        true
    }

    fn set_hosts(&mut self, hosts: Vec<OtherHost>) {
        let is_kept = |host: &Arc<Host>| hosts.iter().any(|kept| kept.host == *host);
        self.targets.retain(|host, _| is_kept(host));
        self.silent.retain(|host, _| is_kept(host));
        self.links.retain(|host, _| is_kept(host));
        self.traces.retain_hosts(is_kept);
        self.suspects.clear();
        self.hosts = hosts;
    }

    fn handle_event(&mut self, event: HostEvent) {
        let HostEvent {
            host,
            target,
            link,
            kind,
        } = event;
        if let Some(target) = target {
            self.targets.insert(Arc::clone(&host), target);
        }
        match kind {
            HostEventKind::RouteChanged => {
                self.traces.add_healthy(host, link);
                if !self.silent.is_empty() {
                    self.others_due = Some(self.machine.monotonic().after(SECOND_ROUND_DELAY));
                }
            }
            HostEventKind::AnswersAgain => {
                self.silent.remove(&host);
                self.links.remove(&host);
                self.traces.add_healthy(host, link);
            }
            HostEventKind::Silent => {
                let is_new = !self.silent.contains_key(&host);
                // At each check: routes change.
                if let Some(link) = link {
                    self.links.insert(Arc::clone(&host), link);
                }
                self.silent
                    .entry(host)
                    .or_insert_with(|| self.machine.monotonic());
                if is_new || self.fast_interval.is_none() {
                    self.ping_gateway_and_others();
                    self.others_due = Some(self.machine.monotonic().after(SECOND_ROUND_DELAY));
                }
                self.trace_paths();
            }
            HostEventKind::CannotSend => {
                if let Some(target) = target {
                    self.suspect(target.version());
                }
            }
        }
    }

    /// A host of this version could not be sent to.
    fn suspect(&mut self, version: IpVersion) {
        if let Some(known) = self.suspects.iter().find(|known| known.version == version) {
            if known.is_down {
                self.report_lost(version);
            }
            return;
        }
        self.suspects.push(Suspect {
            version,
            is_down: false,
        });
        self.check_links();
    }

    /// Runs at every `fast_interval` during an outage.
    fn continue_round(&mut self) {
        self.check_links();
        if self
            .others_due
            .is_some_and(|due| due <= self.machine.monotonic())
        {
            self.others_due = Some(self.machine.monotonic().after(OTHERS_INTERVAL));
            self.ping_gateway_and_others();
        } else {
            self.ping(self.gateways());
        }
        self.trace_paths();
    }

    /// Pings the gateways and hosts that are not silent: of many, other ones each time.
    fn ping_gateway_and_others(&mut self) {
        let others = self
            .hosts
            .iter()
            .filter(|other| !self.silent.contains_key(&other.host));
        let pinged = others.filter_map(|other| {
            let target = self.targets.get(&other.host)?;
            Some(ProbeTarget {
                target: *target,
                source: other.source.clone(),
                subject: Subject::OtherHost(Arc::clone(&other.host)),
            })
        });
        let mut targets = in_turn(pinged.collect(), &mut self.next_other, MAX_OTHER_HOSTS);
        targets.extend(self.gateways());
        self.ping(targets);
    }

    /// The gateways of the links that the pings to silent hosts leave by.
    fn gateways(&self) -> Vec<ProbeTarget> {
        let links: BTreeSet<&Arc<Link>> = self.links.values().collect();
        links.into_iter().filter_map(ProbeTarget::gateway).collect()
    }

    fn ping(&self, targets: Vec<ProbeTarget>) {
        traces::ping(&self.machine, targets, &self.stop, &self.deliver);
    }

    /// Reports the versions of IP whose packets can be sent to no host, and those whose packets can
    /// be sent again.
    fn check_links(&mut self) {
        let mut suspects = std::mem::take(&mut self.suspects);
        suspects.retain_mut(|Suspect { version, is_down }| {
            let version = *version;
            if self.can_send_to_any(version, *is_down) {
                if *is_down {
                    let at = self.machine.clocks().utc();
                    (self.deliver)(Observation::LinkRestored { version, at });
                }
                return false;
            }
            if !*is_down && self.knows_all_hosts() {
                *is_down = true;
                self.report_lost(version);
            }
            true
        });
        self.suspects = suspects;
    }

    fn report_lost(&self, version: IpVersion) {
        let at = self.machine.clocks().utc();
        (self.deliver)(Observation::LinkLost { version, at });
    }

    /// While the link is down a part of the hosts is enough to find that it is back.
    fn can_send_to_any(&self, version: IpVersion, is_down: bool) -> bool {
        let most = if is_down { MAX_OTHER_HOSTS } else { usize::MAX };
        let own = self.hosts.iter().filter_map(|other| {
            let target = self.target_of(other)?;
            (target.version() == version).then_some((other, target))
        });
        let can_send = |(other, target): (&OtherHost, Target)| {
            let source = other.source.as_ref();
            let is_gateway = *other.host.address.kind() == AddressKind::Gateway;
            (!is_gateway || self.machine.default_gateway(version, source).is_ok())
                && self.machine.can_send(&target, source)
                && self.is_remote(&target)
        };
        own.take(most).any(can_send)
    }

    /// Whether packets to the target leave this machine: not those to its own addresses.
    fn is_remote(&self, target: &Target) -> bool {
        !(self.machine.route_to(target, None))
            .is_ok_and(|route| route.position == NetworkPosition::ThisMachine)
    }

    /// The address that a host was last pinged at, or that it is configured with.
    fn target_of(&self, other: &OtherHost) -> Option<Target> {
        let configured = || match other.host.address.kind() {
            AddressKind::Ip(ip) => Some(Target {
                ip: *ip,
                scope_id: 0,
            }),
            _ => None,
        };
        self.targets.get(&other.host).copied().or_else(configured)
    }

    /// A name that has not been resolved some time after the start is not waited for.
    fn knows_all_hosts(&self) -> bool {
        self.machine.monotonic().since(self.started) >= MAX_FIRST_CHECK
            || self
                .hosts
                .iter()
                .all(|other| self.target_of(other).is_some())
    }

    /// Traces the paths to silent hosts that are due, unless a trace is running.
    fn trace_paths(&mut self) {
        if self.traces.is_tracing() {
            return;
        }
        let now = self.machine.monotonic();
        for host in self.traces.take_untraced() {
            if let Some(next) = self.silent.get_mut(&host) {
                *next = now.after(TRACE_RETRY);
            }
        }
        let mut due = Vec::new();
        for (host, next) in &mut self.silent {
            if let Some(target) = self
                .targets
                .get(host)
                .filter(|_| *next <= now && due.len() < MAX_TRACES)
            {
                *next = now.after(TRACE_INTERVAL);
                due.push(Trace {
                    host: Arc::clone(host),
                    target: *target,
                    source: source_of(&self.hosts, host),
                });
            }
        }
        if !due.is_empty() {
            self.traces.trace(due);
        }
    }

    /// Traces the next path to a host that answers.
    fn trace_healthy(&mut self) {
        let WitnessState {
            traces,
            silent,
            targets,
            hosts,
            ..
        } = self;
        traces.trace_healthy(|host| {
            Some(Trace {
                host: Arc::clone(host),
                target: *targets.get(host).filter(|_| !silent.contains_key(host))?,
                source: source_of(hosts, host),
            })
        });
    }
}

fn source_of(hosts: &[OtherHost], host: &Host) -> Option<Source> {
    hosts
        .iter()
        .find(|known| *known.host == *host)
        .and_then(|known| known.source.clone())
}

/// At most this many of all, and the following ones next time.
fn in_turn<T>(mut all: Vec<T>, next: &mut usize, most: usize) -> Vec<T> {
    if all.len() > most {
        let first = *next % all.len();
        all.rotate_left(first);
        all.truncate(most);
        *next = first + most;
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_many_hosts_each_is_pinged_in_its_turn() {
        let mut next = 0;
        let mut pinged = |hosts: &[u8]| in_turn(hosts.to_vec(), &mut next, 2);
        let five = [1, 2, 3, 4, 5];
        let rounds = [pinged(&five), pinged(&five), pinged(&five)];
        assert_eq!(rounds, [[1, 2], [3, 4], [5, 1]]);
        assert_eq!(pinged(&[1, 2]), [1, 2]);
        assert_eq!(pinged(&[1, 2, 3]), [1, 2], "others are silent");
    }
}
