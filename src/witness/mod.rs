//! One thread that looks around while something is wrong, and sleeps otherwise: whether the gateway
//! answers, whether other hosts do, whether anything can be sent again, how far packets get. Says
//! what it sees and judges nothing: cause.rs does.

mod look;

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::net::{self, Target};
use crate::pinger::{HostEvent, HostEventKind};
use crate::pure::address::IpVersion;
use crate::pure::model::{Host, Source};
use crate::pure::scene::Observation;
use crate::pure::time::Monotonic;
use crate::stop::Stop;
use crate::sys;

use look::Question;

/// A host as far as the witness needs it.
#[derive(Clone, Debug)]
pub struct OtherHost {
    /// Which.
    pub host: Arc<Host>,
    /// What its pings are sent from.
    pub source: Option<Source>,
}

enum Word {
    HostEvent(HostEvent),
    Hosts(Vec<OtherHost>),
    Stop,
}

/// The way to the witness; clones lead to the same.
#[derive(Clone, Debug)]
pub struct WitnessHandle {
    words: SyncSender<Word>,
}

impl WitnessHandle {
    /// Something is worth a look. Where the witness is far behind, others have told it so.
    pub fn tell(&self, trouble: HostEvent) {
        let _ = self.words.try_send(Word::HostEvent(trouble));
    }

    /// From now on only these hosts are checked.
    pub fn set_hosts(&self, hosts: Vec<OtherHost>) {
        let _ = self.words.send(Word::Hosts(hosts));
    }
}

/// The running thread.
pub struct Witness {
    handle: WitnessHandle,
    stop: Stop,
    thread: JoinHandle<()>,
}

/// How many words may wait: a line that dies with a thousand hosts on it.
const QUEUE_LEN: usize = 2048;
/// Touched are some 10 kB, the rest is address space.
const STACK_BYTES: usize = 128 * 1024;
/// How long a ping of the witness's own waits: the gateway is near, and a look is to be over before
/// the next is due.
const PATIENCE: Duration = Duration::from_millis(900);
/// How often packets are followed while an outage lasts.
const TRACE_EVERY: Duration = Duration::from_secs(60);
/// How many other hosts are asked whether they answer, and how many silent ones are followed at a
/// time.
const MAX_NEIGHBOURS: usize = 16;
const MAX_TRACES: usize = 8;

impl Witness {
    /// Starts the thread. `fast_interval` is from one look to the next while something is wrong;
    /// `None` looks only when told. `say` takes what is seen.
    pub fn start(
        fast_interval: Option<Duration>,
        say: impl Fn(Observation) + Clone + Send + 'static,
    ) -> io::Result<Witness> {
        let (words, received) = sync_channel(QUEUE_LEN);
        let stop = Stop::new()?;
        let flag = stop.clone();
        let watch = move || {
            let post = WitnessState {
                stop: flag,
                fast_interval,
                say,
                neighbours: Vec::new(),
                targets: HashMap::new(),
                silent: HashMap::new(),
                blocked: Vec::new(),
                trace: None,
                again: None,
            };
            post.stand(&received);
        };
        let thread = thread::Builder::new()
            .name("witness".into())
            .stack_size(STACK_BYTES)
            .spawn(watch)?;
        Ok(Witness {
            handle: WitnessHandle { words },
            stop,
            thread,
        })
    }

    /// The way to it.
    pub fn handle(&self) -> WitnessHandle {
        self.handle.clone()
    }

    /// Ends it.
    pub fn stop(self) {
        self.stop.raise();
        // Where the queue is full it is awake in any case.
        let _ = self.handle.words.try_send(Word::Stop);
        if self.thread.join().is_err() {
            log::error!("the witness broke off");
        }
    }
}

/// After so long the others are asked once more: the first time may lie at the edge of an outage,
/// which proves nothing.
const ONCE_MORE: Duration = Duration::from_secs(2);

/// What the thread works with.
struct WitnessState<S> {
    stop: Stop,
    fast_interval: Option<Duration>,
    say: S,
    neighbours: Vec<OtherHost>,
    /// Where hosts were last pinged.
    targets: HashMap<Arc<Host>, Target>,
    /// Hosts that do not answer, and when packets to them are followed next.
    silent: HashMap<Arc<Host>, Monotonic>,
    /// Targets that nothing could be sent to, one of each version of IP.
    blocked: Vec<(Target, Option<Source>)>,
    /// Follows packets, so that the looks go on meanwhile.
    trace: Option<JoinHandle<()>>,
    /// When the others are asked once more, some of which may have been found only now.
    again: Option<Monotonic>,
}

impl<S: Fn(Observation) + Clone + Send + 'static> WitnessState<S> {
    fn stand(mut self, words: &Receiver<Word>) {
        let mut next_look = sys::monotonic();
        while !self.stop.is_raised() {
            let is_calm = self.silent.is_empty() && self.blocked.is_empty();
            let word = match self.fast_interval.filter(|_| !is_calm) {
                Some(_) => words.recv_timeout(next_look.since(sys::monotonic())),
                None => words.recv_timeout(Duration::from_secs(3600)),
            };
            match word {
                Ok(Word::Hosts(hosts)) => self.set_hosts(hosts),
                Ok(Word::HostEvent(trouble)) => self.take(trouble),
                Ok(Word::Stop) | Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) if is_calm => {}
                Err(RecvTimeoutError::Timeout) => {
                    next_look = sys::monotonic().after(self.fast_interval.unwrap_or(TRACE_EVERY));
                    self.look();
                }
            }
        }
        if let Some(trace) = self.trace.take() {
            drop(trace.join());
        }
    }

    fn set_hosts(&mut self, hosts: Vec<OtherHost>) {
        let is_kept = |host: &Arc<Host>| hosts.iter().any(|kept| kept.host == *host);
        self.targets.retain(|host, _| is_kept(host));
        self.silent.retain(|host, _| is_kept(host));
        self.blocked.clear();
        self.neighbours = hosts;
    }

    fn take(&mut self, trouble: HostEvent) {
        let HostEvent { host, target, kind } = trouble;
        if let Some(target) = target {
            self.targets.insert(Arc::clone(&host), target);
        }
        match kind {
            HostEventKind::AddressChanged if self.silent.is_empty() => {}
            HostEventKind::AddressChanged => self.again = Some(sys::monotonic().after(ONCE_MORE)),
            HostEventKind::AnswersAgain => {
                self.silent.remove(&host);
            }
            HostEventKind::Silent => {
                let is_new = !self.silent.contains_key(&host);
                self.silent.entry(host).or_insert_with(sys::monotonic);
                if is_new || self.fast_interval.is_none() {
                    self.look_around();
                    self.again = Some(sys::monotonic().after(ONCE_MORE));
                }
                self.follow_packets();
            }
            HostEventKind::CannotSend => {
                if let Some(target) = target {
                    self.watch_way(target, self.source_of(&host));
                }
            }
        }
    }

    /// One target stands for all of its version of IP, best one that goes by the ordinary routes.
    fn watch_way(&mut self, target: Target, source: Option<Source>) {
        let known = self
            .blocked
            .iter()
            .position(|(known, _)| known.version() == target.version());
        match known.map(|index| &mut self.blocked[index]) {
            Some((_, known_source)) if known_source.is_none() || source.is_some() => return,
            Some(entry) => *entry = (target, source),
            None => self.blocked.push((target, source)),
        }
        self.look_at_ways();
    }

    fn source_of(&self, host: &Host) -> Option<Source> {
        self.neighbours
            .iter()
            .find(|known| *known.host == *host)
            .and_then(|known| known.source.clone())
    }

    /// What is looked at again and again while something is wrong.
    fn look(&mut self) {
        self.look_at_ways();
        if self.again.take_if(|due| *due <= sys::monotonic()).is_some() {
            self.look_around();
        } else {
            self.ask(self.gateways());
        }
        self.follow_packets();
    }

    /// What is looked at when something goes wrong, and once more: the gateway, and whether the
    /// others answer.
    fn look_around(&mut self) {
        let mut questions = self.gateways();
        let others = self
            .neighbours
            .iter()
            .filter(|other| !self.silent.contains_key(&other.host));
        let asked = others.filter_map(|other| {
            let target = self.targets.get(&other.host)?;
            Some(Question {
                target: *target,
                source: other.source.clone(),
                host: Some(Arc::clone(&other.host)),
            })
        });
        questions.extend(asked.take(MAX_NEIGHBOURS));
        self.ask(questions);
    }

    /// The default gateways of the versions of IP that something is wrong with.
    fn gateways(&self) -> Vec<Question> {
        let mut versions: Vec<IpVersion> = self
            .silent
            .keys()
            .filter_map(|host| self.targets.get(host))
            .map(Target::version)
            .collect();
        versions.sort_by_key(|version| *version == IpVersion::V6);
        versions.dedup();
        if versions.is_empty() {
            return Vec::new();
        }
        let gateways = net::default_gateways();
        let best = |version: IpVersion| {
            gateways
                .iter()
                .filter_map(net::target_of)
                .find(|gateway| gateway.version() == version)
        };
        versions
            .into_iter()
            .filter_map(best)
            .map(|target| Question {
                target,
                source: None,
                host: None,
            })
            .collect()
    }

    fn ask(&self, questions: Vec<Question>) {
        for (question, at, is_answered) in look::ask(questions, PATIENCE, &self.stop) {
            (self.say)(match question.host {
                Some(host) => Observation::OtherHost {
                    host,
                    at,
                    is_answered,
                },
                None => Observation::Gateway {
                    ip: question.target.ip,
                    at,
                    is_answered,
                },
            });
        }
    }

    /// Whether something can be sent where nothing could.
    fn look_at_ways(&mut self) {
        let clear: Vec<IpVersion> = self
            .blocked
            .iter()
            .filter(|(target, source)| net::can_send(target, source.as_ref()))
            .map(|(target, _)| target.version())
            .collect();
        for version in [IpVersion::V4, IpVersion::V6]
            .into_iter()
            .filter(|version| clear.contains(version))
        {
            (self.say)(Observation::LinkRestored {
                version,
                at: sys::clocks().utc(),
            });
        }
        self.blocked
            .retain(|(target, _)| !clear.contains(&target.version()));
    }

    /// Follows packets to the hosts whose turn it is.
    fn follow_packets(&mut self) {
        if self
            .trace
            .as_ref()
            .is_some_and(|trace| !trace.is_finished())
        {
            return;
        }
        let now = sys::monotonic();
        let mut due: Vec<(Arc<Host>, Target, Option<Source>)> = Vec::new();
        for (host, next) in &mut self.silent {
            if let Some(target) = self
                .targets
                .get(host)
                .filter(|_| *next <= now && due.len() < MAX_TRACES)
            {
                *next = now.after(TRACE_EVERY);
                let source = self
                    .neighbours
                    .iter()
                    .find(|known| known.host == *host)
                    .and_then(|known| known.source.clone());
                due.push((Arc::clone(host), *target, source));
            }
        }
        if due.is_empty() {
            return;
        }
        let (say, stop) = (self.say.clone(), self.stop.clone());
        let work = move || {
            for (host, target, source) in due {
                if let Some(path) = look::follow(&target, source, &stop) {
                    say(Observation::Path { host, path });
                }
            }
        };
        self.trace = thread::Builder::new()
            .name("trace".into())
            .stack_size(STACK_BYTES)
            .spawn(work)
            .ok();
    }
}
