//! The running monitor: threads and channels, waiting for an event, reloading, stopping in order.

use std::collections::HashSet;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::alerts::{AlertHistory, Alerts};
use crate::config::{Config, HostConfig};
use crate::dashboard::Dashboard;
use crate::logging::Reopen;
use crate::net::{self, SocketError, TimestampSwitch};
use crate::pinger::{Pinger, PingerEvent, ProbeSettings};
use crate::pure::address::IpVersion;
use crate::pure::check::ReadMode;
use crate::pure::phrase::count;
use crate::pure::time::Schedule;
use crate::stop::Stop;
use crate::store::{Database, Record, StoreError, StoreSettings, Writer, WriterHandle};
use crate::sys;
use crate::systemd::Notifier;
use crate::web::{self, WebError};
use crate::witness::{OtherHost, Witness, WitnessHandle};

/// Why the monitor could not start.
#[derive(Debug)]
pub enum DaemonError {
    /// Neither kind of ICMP socket is allowed.
    Permission,
    /// The hosts need more open files than this process may have.
    OpenFiles {
        /// How many hosts there are.
        hosts: usize,
        /// How many files they need.
        needed: u64,
        /// The limit.
        limit: u64,
    },
    /// A thread or a descriptor could not be had.
    Resources {
        /// What was being started.
        what: String,
        /// What the system said.
        cause: io::Error,
    },
    /// The database.
    Store(StoreError),
    /// The dashboard cannot listen.
    Web(WebError),
}

impl fmt::Display for DaemonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DaemonError::Permission => write!(
                f,
                "sending ICMP: no permission for a datagram or a raw socket"
            ),
            DaemonError::OpenFiles {
                hosts,
                needed,
                limit,
            } => {
                write!(
                    f,
                    "hosts: checking {} takes {needed} open files, the limit is {limit}",
                    count(*hosts, "host")
                )
            }
            DaemonError::Resources { what, cause } => write!(f, "starting {what}: {cause}"),
            DaemonError::Store(error) => error.fmt(f),
            DaemonError::Web(error) => error.fmt(f),
        }
    }
}

impl From<WebError> for DaemonError {
    fn from(error: WebError) -> Self {
        DaemonError::Web(error)
    }
}

impl From<StoreError> for DaemonError {
    fn from(error: StoreError) -> Self {
        DaemonError::Store(error)
    }
}

/// What reading the configuration again came to: the new one, or why the running one stays.
pub type Reloaded = Result<Config, String>;

#[derive(Debug, PartialEq)]
enum Event {
    Stop(&'static str),
    Reload,
}

impl Event {
    /// What is left to do when `later` comes before this is done.
    fn over(self, later: Event) -> Event {
        if matches!(self, Event::Stop(_)) {
            self
        } else {
            later
        }
    }
}

/// Descriptors besides those of the hosts: database, log, signals, time stamps, lookups.
const SPARE_FILES: u64 = 64;
/// A monitored host has a stop flag and, while a check runs, a socket.
const FILES_PER_MONITORED_HOST: u64 = 2;
/// A pinger's stack: touched are some 10 kB, the rest is address space.
const PINGER_STACK_BYTES: usize = 128 * 1024;

/// Makes sure that this process may monitor so many hosts at all, before anything is begun.
pub fn prepare(hosts: usize) -> Result<(), DaemonError> {
    allow_files_for_monitoring(hosts)?;
    may_ping()
}

/// Makes sure that this process may check so many hosts once, all at the same time.
pub fn prepare_for_one_check(hosts: usize) -> Result<(), DaemonError> {
    allow_files(hosts, hosts as u64)?;
    may_ping()
}

/// Raises the limit of open files to what so many monitored hosts and the dashboard need.
pub fn allow_files_for_monitoring(hosts: usize) -> Result<(), DaemonError> {
    allow_files(
        hosts,
        hosts as u64 * FILES_PER_MONITORED_HOST + web::MAX_FILES,
    )
}

/// Raises the limit of open files to what a dashboard alone needs.
pub fn allow_files_for_dashboard() -> Result<(), DaemonError> {
    allow_files(0, web::MAX_FILES)
}

fn allow_files(hosts: usize, files: u64) -> Result<(), DaemonError> {
    let needed = files + SPARE_FILES;
    sys::allow_open_files(needed).map_err(|limit| DaemonError::OpenFiles {
        hosts,
        needed,
        limit,
    })
}

/// Whether this process may ping at all, by either version of IP.
fn may_ping() -> Result<(), DaemonError> {
    let probes = [IpVersion::V4, IpVersion::V6].map(net::usable_socket_type);
    let is_refused = probes
        .iter()
        .any(|probe| matches!(probe, Err(SocketError::Permission)));
    let is_allowed = probes.iter().any(Result::is_ok);
    if is_refused && !is_allowed {
        Err(DaemonError::Permission)
    } else {
        Ok(())
    }
}

/// Runs the monitor until a signal ends it; [`prepare`] has been asked before. `reload` reads the
/// configuration again, and a dashboard that was started before shows what is recorded. Returns how
/// many results were lost because they could not be written.
pub fn run(
    config: Config,
    database: Database,
    dashboard: Option<Dashboard>,
    reload: &mut dyn FnMut() -> Reloaded,
    log_file: &Reopen,
) -> Result<u64, DaemonError> {
    let notifier = Notifier::from_environment();
    let events = listen_for_signals()?;
    let stamps = TimestampSwitch::start();
    let writer = Writer::start(database, settings(&config), config.hosts.len())?;
    if let Some(dashboard) = &dashboard {
        dashboard.tell(writer.handle());
    }
    let manner = ProbeSettings {
        read_mode: if stamps.works() {
            ReadMode::Deferred
        } else {
            ReadMode::Immediate
        },
        linger: Duration::ZERO,
        fast_interval: config.fast_interval,
        outages: config.outages,
    };
    let facts = writer.handle();
    let failed = |cause| DaemonError::Resources {
        what: "the witness".into(),
        cause,
    };
    let witness =
        Witness::start(config.fast_interval, move |fact| facts.tell(fact)).map_err(failed)?;
    let mut team = Pingers {
        members: Vec::new(),
        manner,
        results: writer.handle(),
        witness: witness.handle(),
    };
    team.tell_hosts(&config.hosts);
    let mut alerts = start_alerts(&config, &writer.handle(), AlertHistory::default())?;
    team.hire(&config.hosts)?;
    log::info!(
        "monitoring {}; recording to {}",
        count(config.hosts.len(), "host"),
        config.database.path.display()
    );
    if config.hosts.is_empty() {
        log::warn!("hosts: the list is empty; add hosts to the configuration and send SIGHUP");
    }
    let status = |config: &Config| format!("monitoring {}", count(config.hosts.len(), "host"));
    notifier.ready(&status(&config));

    let mut config = config;
    let reason = loop {
        let event = match notifier.watchdog_interval() {
            Some(interval) => events.recv_timeout(interval),
            None => events.recv().map_err(RecvTimeoutError::from),
        };
        // Reading the configuration once answers every request that came before, and a stop waits
        // for none.
        match event.map(|first| events.try_iter().fold(first, Event::over)) {
            Ok(Event::Stop(signal)) => break signal,
            Ok(Event::Reload) => {
                notifier.reloading(sys::monotonic());
                log_file.request();
                match reload() {
                    Ok(new) => {
                        let told_so_far = config.alerts.clone();
                        config = team.take_over(config, new, &writer.handle());
                        if config.alerts != told_so_far {
                            let memory = alerts.take().map(Alerts::stop).unwrap_or_default();
                            alerts = start_alerts(&config, &writer.handle(), memory)
                                .unwrap_or_else(|error| {
                                    log::error!("{error}");
                                    None
                                });
                        }
                        if let Some(dashboard) = &dashboard {
                            dashboard.follow(&config);
                        }
                    }
                    Err(reason) => log::error!("{reason}; the running configuration stays"),
                }
                sys::release_memory();
                notifier.ready(&status(&config));
                // However often it is asked to reload.
                if writer.is_alive() {
                    notifier.alive();
                }
            }
            Err(RecvTimeoutError::Timeout) if writer.is_alive() => notifier.alive(),
            Err(RecvTimeoutError::Timeout) => log::error!("the store's thread is gone"),
            Err(RecvTimeoutError::Disconnected) => break "the end of the signal thread",
        }
    };
    notifier.stopping();
    log::info!("stopping on {reason}");
    if let Some(alerts) = alerts {
        alerts.stop();
    }
    if let Some(dashboard) = dashboard {
        dashboard.stop();
    }
    // Pingers before the store: after the last of them it has every finished check in its queue.
    team.dismiss();
    witness.stop();
    let lost = writer.finish();
    if lost > 0 {
        log::error!("{} could not be written: lost", count(lost, "result"));
    }
    Ok(lost)
}

fn settings(config: &Config) -> StoreSettings {
    let database = &config.database;
    StoreSettings {
        flush: database.flush,
        retention: database.retention,
        rollup_retention: database.rollup_retention,
        outages: config.outages,
        alerts: config.alerts.kinds(),
    }
}

/// Starts telling notices, where there is somebody to tell.
fn start_alerts(
    config: &Config,
    writer: &WriterHandle,
    memory: AlertHistory,
) -> Result<Option<Alerts>, DaemonError> {
    if config.alerts.command.is_empty() {
        return Ok(None);
    }
    let store = writer.clone();
    let settle = move |fate| store.deliver(Record::Notice(fate));
    let alerts = Alerts::start(
        config.alerts.clone(),
        config.database.path.clone(),
        memory,
        settle,
    );
    let alerts = alerts.map_err(|cause| DaemonError::Resources {
        what: "the thread of the alerts".into(),
        cause,
    })?;
    writer.ring(alerts.bell());
    Ok(Some(alerts))
}

/// From now on a SIGHUP does not end this process.
pub fn survive_sighup() -> Result<(), DaemonError> {
    let failed = |cause| DaemonError::Resources {
        what: "the handler of SIGHUP".into(),
        cause,
    };
    signal_hook::flag::register(SIGHUP, Arc::default())
        .map(drop)
        .map_err(failed)
}

fn listen_for_signals() -> Result<Receiver<Event>, DaemonError> {
    let failed = |cause| DaemonError::Resources {
        what: "the signal thread".into(),
        cause,
    };
    let (sender, events): (Sender<Event>, _) = channel();
    let mut signals = Signals::new([SIGTERM, SIGINT, SIGHUP]).map_err(failed)?;
    let forward = move || {
        for signal in signals.forever() {
            let event = match signal {
                SIGHUP => Event::Reload,
                SIGINT => Event::Stop("SIGINT"),
                _ => Event::Stop("SIGTERM"),
            };
            if sender.send(event).is_err() {
                return;
            }
        }
    };
    thread::Builder::new()
        .name("signals".into())
        .spawn(forward)
        .map_err(failed)?;
    Ok(events)
}

/// The pingers.
struct Pingers {
    members: Vec<RunningPinger>,
    manner: ProbeSettings,
    results: WriterHandle,
    witness: WitnessHandle,
}

struct RunningPinger {
    plan: Arc<HostConfig>,
    stop: Stop,
    thread: JoinHandle<()>,
}

impl Pingers {
    /// Starts a pinger for each plan, phased against one another.
    fn hire(&mut self, plans: &[HostConfig]) -> Result<(), DaemonError> {
        let start = sys::monotonic();
        for (index, plan) in plans.iter().enumerate() {
            let failed = |cause| DaemonError::Resources {
                what: format!("the thread of {}", plan.host),
                cause,
            };
            let stop = Stop::new().map_err(failed)?;
            let first = Schedule::first_check(start, plan.interval, index, plans.len());
            let schedule = Schedule::phased(start, plan.interval, index, plans.len());
            // Not on the thread's stack, of which two pages are touched and no third.
            let own = Arc::new(plan.clone());
            let mut pinger = Box::new(Pinger::new(Arc::clone(&own), self.manner));
            let (flag, results) = (stop.clone(), self.results.clone());
            let (host, mut lost) = (Arc::clone(&plan.host), 0);
            let witness = self.witness.clone();
            let deliver = move |finding| match (pass_on(finding, &results, &witness), lost) {
                (true, 0) => {}
                (true, _) => {
                    log::info!(
                        "{host}: the disk keeps up again; {} lost",
                        count(lost, "result")
                    );
                    lost = 0;
                }
                (false, _) => {
                    if lost == 0 {
                        log::error!("{host}: the disk does not keep up: results are lost");
                    }
                    lost += 1;
                }
            };
            let work = move || pinger.run(first, schedule, &flag, deliver);
            let name = format!("ping-{}", self.members.len());
            let thread = thread::Builder::new()
                .name(name)
                .stack_size(PINGER_STACK_BYTES)
                .spawn(work)
                .map_err(failed)?;
            self.members.push(RunningPinger {
                plan: own,
                stop,
                thread,
            });
        }
        Ok(())
    }

    /// Tells those who look at all hosts together which there are.
    fn tell_hosts(&self, plans: &[HostConfig]) {
        self.results
            .set_hosts(plans.iter().map(|plan| Arc::clone(&plan.host)).collect());
        let neighbour = |plan: &HostConfig| OtherHost {
            host: Arc::clone(&plan.host),
            source: plan.source.clone(),
        };
        self.witness
            .set_hosts(plans.iter().map(neighbour).collect());
    }

    /// Goes from one configuration to the next: hosts that stay as they are go on undisturbed.
    /// Returns what is in force.
    fn take_over(&mut self, old: Config, mut new: Config, writer: &WriterHandle) -> Config {
        for (key, is_changed) in [
            ("database.path", old.database.path != new.database.path),
            ("dashboard", old.dashboard != new.dashboard),
            ("logging.file", old.logging.file != new.logging.file),
        ] {
            if is_changed {
                log::warn!("{key} has changed: that needs a restart");
            }
        }
        (new.database.path, new.dashboard, new.logging.file) =
            (old.database.path, old.dashboard, old.logging.file);
        if let Err(error) = allow_files_for_monitoring(new.hosts.len()) {
            log::error!("{error}; the running hosts stay");
            new.hosts = old.hosts;
            return new;
        }
        writer.set(settings(&new));
        self.tell_hosts(&new.hosts);
        // What all pingers go by has changed for all of them.
        let is_same_manner =
            (self.manner.fast_interval, self.manner.outages) == (new.fast_interval, new.outages);
        (self.manner.fast_interval, self.manner.outages) = (new.fast_interval, new.outages);
        let (stay, go): (Vec<RunningPinger>, Vec<RunningPinger>) =
            std::mem::take(&mut self.members)
                .into_iter()
                .partition(|member| is_same_manner && new.hosts.contains(&*member.plan));
        self.members = stay;
        let known: HashSet<_> = self
            .members
            .iter()
            .map(|member| Arc::clone(&member.plan.host))
            .collect();
        let come: Vec<HostConfig> = new
            .hosts
            .iter()
            .filter(|plan| !known.contains(&plan.host))
            .cloned()
            .collect();
        let (stay, gone) = (self.members.len(), go.len());
        dismiss(go);
        if let Err(error) = self.hire(&come) {
            log::error!("{error}");
        }
        log::info!(
            "configuration taken over, by hosts: {stay} unchanged, {} new or changed, {gone} ended",
            come.len()
        );
        new
    }

    /// Ends all.
    fn dismiss(&mut self) {
        dismiss(std::mem::take(&mut self.members));
    }
}

/// Hands over what a pinger found; `false` when it is lost.
fn pass_on(finding: PingerEvent, results: &WriterHandle, witness: &WitnessHandle) -> bool {
    match finding {
        PingerEvent::Check(result) => results.deliver(result),
        PingerEvent::Probe(probe) => results.deliver(Record::Probe(probe)),
        PingerEvent::Interruption(interruption) => {
            results.deliver(Record::Interruption(interruption))
        }
        PingerEvent::HostEvent(trouble) => {
            witness.host_event(trouble);
            true
        }
    }
}

/// Ends pingers: each notices within the time a lookup takes to look at its flag.
fn dismiss(members: Vec<RunningPinger>) {
    for member in &members {
        member.stop.raise();
    }
    for member in members {
        if member.thread.join().is_err() {
            log::error!("the thread of {} broke off", member.plan.host);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stop_goes_before_every_reload_that_waits_and_many_reloads_are_one() {
        let all = |events: Vec<Event>| events.into_iter().reduce(Event::over);
        assert_eq!(
            all(vec![Event::Reload, Event::Reload, Event::Reload]),
            Some(Event::Reload)
        );
        assert_eq!(
            all(vec![Event::Reload, Event::Stop("SIGTERM"), Event::Reload]),
            Some(Event::Stop("SIGTERM"))
        );
    }
}
