//! The running monitor: starts all threads, reloads the configuration, and stops them in order.

mod error;
mod limits;
mod pingers;
mod pulse;
mod reloads;
mod signals;

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::thread;
use std::time::Duration;

use crate::alerts::{AlertHistory, Alerts};
use crate::config::Config;
use crate::dashboard::Dashboard;
use crate::logging::LogHandle;
use crate::net::{LinkWatch, TimestampSwitch};
use crate::pinger::ProbeSettings;
use crate::pure::check::ReadMode;
use crate::pure::phrase::count;
use crate::push::{Push, PushHistory};
use crate::store::{Database, Record, StoreSettings, Writer, WriterHandle};
use crate::sys;
use crate::systemd::Notifier;
use crate::witness::Witness;

use pingers::Pingers;
use pulse::Pulse;
use reloads::{Progress, Reloads};
use signals::SignalEvent;

pub use error::DaemonError;
pub use limits::{
    allow_files_for_dashboard, allow_files_for_monitoring, prepare_for_one_check,
    prepare_to_monitor,
};
pub use signals::{ignore_sighup, ignore_sigxfsz, stop_on_signals};

/// The configuration as it was read again, or why the running one stays in force.
pub type Reloaded = Result<Config, String>;

/// Reads the configuration again.
pub type Reload = Arc<dyn Fn() -> Reloaded + Send + Sync>;

/// Runs the monitor until a signal ends it, after [`prepare_to_monitor`]. Returns how many results
/// were lost because they could not be written.
pub fn run(
    config: Config,
    database: Database,
    dashboard: Option<Dashboard>,
    reload: Reload,
    log: LogHandle,
) -> Result<u64, DaemonError> {
    let notifier = Notifier::from_environment();
    let events = signals::events()?;
    let mut monitor = Monitor::start(config, database, dashboard)?;
    notifier.ready(&monitor.status());
    let mut reloads = Reloads::new(reload, log);
    let reason = monitor.wait_for_stop(&events, &notifier, &mut reloads);
    notifier.stopping();
    log::info!("stopping on {reason}");
    let lost = stop_within(MAX_STOP, monitor, &events);
    if lost > 0 {
        log::error!(
            "{} could not be written and had to be discarded",
            count(lost, "result")
        );
    }
    Ok(lost)
}

/// How long a stop takes at most: the last commit may wait, and the disk may stall without an
/// error. Service managers allow 30 seconds.
const MAX_STOP: Duration = Duration::from_secs(27);

/// How often a stop that takes its time looks for a second signal.
const STOP_POLL: Duration = Duration::from_millis(50);

/// Stops the monitor in another thread, which a disk that stalls may hold up for ever. A second
/// signal ends the wait. Returns how many results are lost.
fn stop_within(longest: Duration, monitor: Monitor, events: &Receiver<SignalEvent>) -> u64 {
    let until = sys::monotonic().after(longest);
    let writer = monitor.writer.handle();
    let (give, given) = sync_channel::<Monitor>(1);
    let (sender, stopped) = sync_channel(1);
    let stop = move || given.recv().map(|monitor| sender.send(monitor.stop()));
    let thread = thread::Builder::new().name("stop".into());
    if thread.spawn(stop).is_err() {
        // No thread is to be had.
        return monitor.stop();
    }
    // It is received.
    let _ = give.send(monitor);
    loop {
        match stopped.recv_timeout(STOP_POLL) {
            Ok(lost) => return lost,
            // It panicked.
            Err(RecvTimeoutError::Disconnected) => return writer.at_risk(),
            Err(RecvTimeoutError::Timeout) => {}
        }
        let is_urged = events
            .try_iter()
            .any(|event| matches!(event, SignalEvent::Stop(_)));
        if is_urged || until <= sys::monotonic() {
            let why = if is_urged {
                "a second signal"
            } else {
                "the disk does not answer"
            };
            log::error!("{why}: stopping before everything is written");
            return writer.at_risk();
        }
    }
}

struct Monitor {
    config: Config,
    writer: Writer,
    witness: Witness,
    pingers: Pingers,
    alerts: Option<Alerts>,
    push: Option<Push>,
    /// Of the last thread that ended.
    push_history: PushHistory,
    dashboard: Option<Dashboard>,
    /// Keeps the kernel's timestamps switched on.
    _timestamps: TimestampSwitch,
    _links: LinkWatch,
}

impl Monitor {
    fn start(
        config: Config,
        database: Database,
        dashboard: Option<Dashboard>,
    ) -> Result<Monitor, DaemonError> {
        let timestamps = TimestampSwitch::start();
        let links = LinkWatch::start();
        let writer = Writer::start(database, store_settings(&config))?;
        if let Some(dashboard) = &dashboard {
            dashboard.set_writer(writer.handle());
        }
        let settings = ProbeSettings {
            read_mode: if timestamps.works() {
                ReadMode::Deferred
            } else {
                ReadMode::Immediate
            },
            linger: Duration::ZERO,
            fast_interval: config.fast_interval,
            outages: config.outages,
        };
        let observations = writer.handle();
        let witness = Witness::start(config.fast_interval, move |observation| {
            observations.observe(observation)
        })
        .map_err(DaemonError::starting("the witness"))?;
        let mut pingers = Pingers::new(settings, writer.handle(), witness.handle());
        pingers.announce(&config.hosts);
        let alerts = start_alerts(&config, &writer.handle(), AlertHistory::default())?;
        let push = start_push(&config, &writer.handle(), PushHistory::default())?;
        pingers.start(&config.hosts)?;
        log::info!(
            "monitoring {}; recording to {}",
            count(config.hosts.len(), "host"),
            config.database.path.display()
        );
        if config.hosts.is_empty() {
            log::warn!("hosts: the list is empty; add hosts to the configuration and send SIGHUP");
        }
        Ok(Monitor {
            config,
            writer,
            witness,
            pingers,
            alerts,
            push,
            push_history: PushHistory::default(),
            dashboard,
            _timestamps: timestamps,
            _links: links,
        })
    }

    /// The line that `systemctl status` shows.
    fn status(&self) -> String {
        format!("monitoring {}", count(self.config.hosts.len(), "host"))
    }

    /// Handles signals until one ends the monitor. Returns the name of that signal.
    fn wait_for_stop(
        &mut self,
        events: &Receiver<SignalEvent>,
        notifier: &Notifier,
        reloads: &mut Reloads,
    ) -> &'static str {
        let writer = self.writer.handle();
        let mut pulse = Pulse::new(sys::clocks());
        let mut alive_at = sys::monotonic();
        loop {
            let now = sys::monotonic();
            let until_alive = notifier
                .watchdog_interval()
                .map(|interval| alive_at.after(interval).since(now));
            let wait = until_alive
                .into_iter()
                .chain(reloads.poll_interval())
                .fold(pulse::INTERVAL, Duration::min);
            let event = events.recv_timeout(wait);
            if let Some(interruption) = pulse.beat(sys::clocks()) {
                writer.record(Record::Interruption(interruption));
            }
            // One reload answers all waiting requests, and a stop waits for no reload.
            match event.map(|first| events.try_iter().fold(first, SignalEvent::merge)) {
                Ok(SignalEvent::Stop(signal)) => return signal,
                Ok(SignalEvent::Reload) => {
                    notifier.reloading(sys::monotonic());
                    reloads.request();
                }
                Err(RecvTimeoutError::Timeout) => {
                    let interval = notifier.watchdog_interval();
                    if interval.is_some_and(|interval| alive_at.after(interval) <= sys::monotonic())
                    {
                        alive_at = sys::monotonic();
                        if self.writer.is_alive() {
                            notifier.alive();
                        } else {
                            log::error!("the store's thread has ended");
                        }
                    }
                }
                Err(RecvTimeoutError::Disconnected) => return "the end of the signal thread",
            }
            match reloads.poll() {
                Progress::None => {}
                Progress::Delayed => notifier.ready(&self.status()),
                Progress::Finished(reloaded) => {
                    self.finish_reload(*reloaded);
                    pulse = Pulse::new(sys::clocks());
                    notifier.ready(&self.status());
                    // Frequent reloads must not keep the watchdog waiting.
                    if self.writer.is_alive() {
                        notifier.alive();
                    }
                }
            }
        }
    }

    fn finish_reload(&mut self, reloaded: Reloaded) {
        match reloaded {
            Ok(new) => self.apply(new),
            Err(reason) => {
                log::error!("{reason}; the running configuration stays");
                self.note_failed_reload();
            }
        }
        sys::release_memory();
        sys::reread_zone();
    }

    fn note_failed_reload(&self) {
        if let Some(dashboard) = &self.dashboard {
            dashboard.note_failed_reload();
        }
    }

    /// Applies a new configuration, except for what needs a restart.
    fn apply(&mut self, new: Config) {
        let old = std::mem::replace(&mut self.config, new);
        let new = &mut self.config;
        for (key, is_changed) in [
            ("database.path", old.database.path != new.database.path),
            ("dashboard", old.dashboard != new.dashboard),
            ("logging.file", old.logging.file != new.logging.file),
        ] {
            if is_changed {
                log::warn!("{key} has changed: that needs a restart");
            }
        }
        new.database.path = old.database.path;
        new.dashboard = old.dashboard;
        new.logging.file = old.logging.file;
        let writer = self.writer.handle();
        match allow_files_for_monitoring(new.hosts.len()) {
            Ok(()) => {
                writer.set_settings(store_settings(new));
                self.pingers.apply(new);
            }
            Err(error) => {
                log::error!("{error}; the running hosts stay");
                new.hosts = old.hosts;
            }
        }
        if new.alerts != old.alerts || new.grouping != old.grouping {
            let history = self.alerts.take().map(Alerts::stop).unwrap_or_default();
            self.alerts = start_alerts(new, &writer, history).unwrap_or_else(|error| {
                log::error!("{error}");
                None
            });
        }
        if new.push != old.push {
            if let Some(push) = self.push.take() {
                self.push_history = push.stop();
            }
            let history = self.push_history.clone();
            self.push = start_push(new, &writer, history).unwrap_or_else(|error| {
                log::error!("{error}");
                None
            });
        }
        if let Some(dashboard) = &self.dashboard {
            dashboard.set_config(new);
        }
    }

    /// Returns how many results could not be written.
    fn stop(self) -> u64 {
        if let Some(alerts) = self.alerts {
            alerts.stop();
        }
        if let Some(push) = self.push {
            push.stop();
        }
        if let Some(dashboard) = self.dashboard {
            dashboard.stop();
        }
        // The pingers before the writer, which then has every finished check in its queue.
        self.pingers.stop();
        self.witness.stop();
        self.writer.finish()
    }
}

/// What the writer needs of the configuration.
pub fn store_settings(config: &Config) -> StoreSettings {
    let database = &config.database;
    StoreSettings {
        flush: database.flush,
        retention: database.retention,
        rollup_retention: database.rollup_retention,
        outages: config.outages,
        alerts: config.alerts.kinds(),
    }
}

/// `None` where no command is configured.
fn start_alerts(
    config: &Config,
    writer: &WriterHandle,
    history: AlertHistory,
) -> Result<Option<Alerts>, DaemonError> {
    if config.alerts.command.is_empty() {
        return Ok(None);
    }
    let store = writer.clone();
    let alerts = Alerts::start(
        config.alerts.clone(),
        config.grouping,
        config.database.path.clone(),
        history,
        move |result| store.record(Record::Notice(result)),
    )
    .map_err(DaemonError::starting("the thread of the alerts"))?;
    writer.wake_for_notices(alerts.waker());
    Ok(Some(alerts))
}

/// `None` where nothing is to be sent.
pub fn start_push(
    config: &Config,
    writer: &WriterHandle,
    history: PushHistory,
) -> Result<Option<Push>, DaemonError> {
    let Some(push) = config.push.clone() else {
        return Ok(None);
    };
    let store = writer.clone();
    let deliver = move |progress| store.note_pushed(progress);
    Push::start(push, config.database.path.clone(), history, deliver)
        .map(Some)
        .map_err(DaemonError::starting("the thread of push"))
}
