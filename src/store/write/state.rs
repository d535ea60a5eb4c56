//! What the writer thread does with what it receives.

use super::backlog::{Backlog, gives_way, has_room};
use super::counters::{Counters, MonitorCounts};
use super::database::{Database, FileState};
use super::push::PushProgress;
use super::record::{Record, RunState};
use super::scrub::Scrub;
use crate::clock::Clock;
use crate::pure::model::{AlertKinds, Host, State};
use crate::pure::outage::OutageRules;
use crate::pure::phrase;
use crate::pure::run_clock::{ClockStep, Correction, MIN_STEP_MS};
use crate::pure::scene::{Observation, Scene};
use crate::pure::time::{ClockSample, Monotonic, UtcMillis};
use crate::store::error::StoreError;
use crate::store::presence::MonitorLock;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender};
use std::thread;
use std::time::Duration;

mod clock_steps;
mod keeping;
mod replace;
mod scrub;

/// The configuration of the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoreSettings {
    /// The longest time that a result waits in memory.
    pub flush: Duration,
    /// Of checks.
    pub retention: Duration,
    pub rollup_retention: Duration,
    pub outages: OutageRules,
    pub alerts: AlertKinds,
}

pub enum Order {
    /// With the clocks when it was sent, by which its times were taken.
    Record(Record, ClockSample),
    Observation(Observation),
    StoreSettings(StoreSettings),
    Hosts(Vec<Arc<Host>>),
    Viewed,
    Wake(SyncSender<()>),
    Pushed(PushProgress),
    /// The last commit waits for other programs until then.
    Finish {
        until: Monotonic,
    },
}

impl Order {
    pub fn is_record(&self) -> bool {
        matches!(self, Order::Record(..))
    }
}

/// A result is written this soon while a user may be waiting for it.
const SOON: Duration = Duration::from_millis(1500);

/// How often the time of the monitor's last activity is written when there is nothing else to
/// write.
const HEARTBEAT: Duration = Duration::from_secs(60);

/// How long a commit waits for another writer. A stop takes at most two seconds, and a commit
/// and a deletion may have to end before the last commit begins.
pub const COMMIT_BUSY_TIMEOUT: Duration = Duration::from_millis(500);

/// How long a user counts as viewing the newest results after requesting them.
const VIEWING: Duration = Duration::from_secs(60);

/// How often the database is queried for a user who views them through another process.
const VIEWER_POLL: Duration = Duration::from_secs(2);

/// Results are written soon for this long after the start: a user may be setting the program
/// up.
const STARTUP: Duration = Duration::from_secs(60);

/// How soon a failed commit is retried.
const RETRY: Duration = Duration::from_secs(10);

/// This many records are written at once: with many hosts, waiting costs memory and saves
/// little.
const FLUSH_PENDING: usize = 2000;

/// The shortest time between two wake-ups: waking for each result would cost a tenth of what a
/// ping costs.
const MIN_WAKE_INTERVAL: Duration = Duration::from_millis(200);

const PRUNE_EVERY: Duration = Duration::from_secs(3600);

/// Rows deleted in one transaction: some milliseconds on a router.
const PRUNE_ROWS: u32 = 1000;

pub struct WriterState {
    database: Database,
    clock: Arc<dyn Clock>,
    settings: StoreSettings,
    started: Monotonic,
    last_flush: Monotonic,
    /// When what was committed was last made safe from a power cut.
    last_sync: Monotonic,
    /// When the oldest record came that is not.
    unsynced_since: Option<Monotonic>,
    viewed_until: Monotonic,
    viewer_poll_at: Monotonic,
    pending: VecDeque<Record>,
    states: HashMap<Arc<Host>, State>,
    scene: Scene,
    /// The hosts of the start, until the outages of others are ended.
    first_hosts: Option<Vec<Arc<Host>>>,
    has_hosts: bool,
    /// Hosts that are no longer checked and whose outages are to be ended, with their last silence.
    removed: Vec<(Arc<Host>, Option<UtcMillis>)>,
    flush_at: Monotonic,
    prune_at: Monotonic,
    scrub_at: Monotonic,
    scrub: Scrub,
    /// As they were last read.
    clocks: ClockSample,
    /// When the clock was last set, or this run began.
    clock_set_at: Monotonic,
    /// Steps of the clock that the database has not been corrected for yet, in order.
    corrections: VecDeque<(ClockStep, Vec<Correction>)>,
    wake: Option<SyncSender<()>>,
    /// When a damaged file was last replaced.
    replaced_at: Option<Monotonic>,
    /// How long a commit waits for another writer.
    commit_wait: Duration,
    is_failing: bool,
    /// Whether it fails because another program holds the database.
    is_locked: bool,
    dropped: usize,
    pub(super) backlog: Arc<Backlog>,
    /// Shows other processes that this one runs.
    lock: Option<MonitorLock>,
}

impl WriterState {
    pub fn new(database: Database, settings: StoreSettings, start: ClockSample) -> WriterState {
        let started = start.monotonic;
        let lock = MonitorLock::hold(database.path());
        WriterState {
            clock: database.clock(),
            database,
            settings,
            started,
            last_flush: started,
            last_sync: started,
            unsynced_since: None,
            viewed_until: started,
            viewer_poll_at: started,
            pending: VecDeque::new(),
            states: HashMap::new(),
            scene: Scene::default(),
            first_hosts: None,
            has_hosts: false,
            removed: Vec::new(),
            flush_at: started.after(HEARTBEAT.max(settings.flush)),
            // Not while the first checks run.
            prune_at: started.after(Duration::from_secs(10)),
            scrub_at: started.after(scrub::FIRST_SCRUB),
            scrub: Scrub::default(),
            clocks: start,
            clock_set_at: started,
            corrections: VecDeque::new(),
            wake: None,
            replaced_at: None,
            commit_wait: COMMIT_BUSY_TIMEOUT,
            is_failing: false,
            is_locked: false,
            dropped: 0,
            backlog: Arc::default(),
            lock,
        }
    }

    pub(super) fn counters(&self) -> Arc<Counters> {
        Arc::clone(&self.database.totals.counters)
    }

    /// What `/metrics` counts.
    pub fn counts(&self) -> MonitorCounts {
        self.database.totals.counters.counts(self.backlog.waiting())
    }

    /// For the simulation of tests/years, whose other programs hold the database for hours.
    pub fn set_commit_wait(&mut self, wait: Duration) {
        self.commit_wait = wait;
        self.database.set_busy_timeout(wait);
    }

    pub fn run(mut self, orders: &Receiver<Order>) -> u64 {
        let mut last_wake = self.started;
        loop {
            let mut order = orders.recv_timeout(self.due().since(self.clock.monotonic()));
            if order.is_ok() && self.clock.monotonic().since(last_wake) < MIN_WAKE_INTERVAL {
                thread::sleep(MIN_WAKE_INTERVAL);
            }
            loop {
                if let Ok(order) = &order {
                    self.backlog.note_received(order.is_record());
                }
                match order {
                    Ok(Order::Finish { until }) => return self.close(until),
                    Err(RecvTimeoutError::Disconnected) => {
                        let now = self.clock.monotonic();
                        return self.close(now);
                    }
                    Ok(order) => self.follow(order),
                    Err(RecvTimeoutError::Timeout) => break,
                }
                order = orders.try_recv().or(Err(RecvTimeoutError::Timeout));
            }
            last_wake = self.clock.monotonic();
            self.write_due();
        }
    }

    /// When there is something to write or to delete.
    pub fn due(&self) -> Monotonic {
        self.flush_at.min(self.prune_at).min(self.scrub_at)
    }

    pub fn follow(&mut self, order: Order) {
        match order {
            Order::Record(record, sent) => self.receive(record, &sent),
            Order::Observation(observation) => self.observe(observation),
            Order::Hosts(hosts) => self.set_hosts(hosts),
            Order::StoreSettings(settings) => self.set_settings(settings),
            Order::Viewed => self.note_viewer(),
            Order::Wake(wake) => self.wake = Some(wake),
            Order::Pushed(progress) => self.note_pushed(progress),
            Order::Finish { .. } => {}
        }
    }

    /// Writes and deletes what is due.
    pub fn write_due(&mut self) {
        let now = self.clock.monotonic();
        if self.flush_at <= now {
            self.flush(RunState::Running);
        }
        if self.prune_at <= now {
            self.prune();
        }
        if self.scrub_at <= now {
            self.scrub();
        }
    }

    fn receive(&mut self, mut record: Record, sent: &ClockSample) {
        let older_ms = self.clocks.set_since(sent) / 1_000_000;
        if sent.monotonic >= self.clocks.monotonic {
            self.watch_clock(sent);
        } else if older_ms.abs() >= MIN_STEP_MS {
            // Another thread has sent a record since the clock was set.
            record.shift(older_ms);
        }
        record.shift(self.database.run_clock.behind_ms());
        let is_change = match &record {
            Record::Check(result) => {
                self.scene.add_check(result);
                self.poll_viewer();
                let state = result.state();
                match self.states.get_mut(&result.host) {
                    Some(known) => std::mem::replace(known, state) != state,
                    None => self
                        .states
                        .insert(Arc::clone(&result.host), state)
                        .is_none(),
                }
            }
            Record::Probe(probe) => {
                self.scene.add_probe(probe);
                // It may be the end of an outage.
                probe.is_answered
            }
            Record::Interruption(_) | Record::Unsent(_) | Record::Notice(_) => true,
        };
        if self.is_failing && !has_room(&record, self.pending.len()) {
            if gives_way(&record) {
                return;
            }
            self.pending.pop_front();
            self.dropped += 1;
            self.database.totals.counters.note_lost();
        }
        let is_notice = matches!(record, Record::Notice(_));
        self.pending.push_back(record);
        let now = self.clock.monotonic();
        self.unsynced_since.get_or_insert(now);
        self.note_unwritten();
        self.schedule_flush(is_change);
        // The next notice waits for it, and after a crash this one would be sent again.
        if is_notice && !self.is_failing {
            self.flush_at = now;
        }
    }

    /// Ends the outages of hosts that are no longer checked, since their end will not be seen.
    fn set_hosts(&mut self, hosts: Vec<Arc<Host>>) {
        self.end_outages_of_removed(&hosts);
        self.scene
            .retain_hosts(|host| hosts.iter().any(|kept| **kept == *host));
        if !self.has_hosts || self.first_hosts.is_some() {
            (self.has_hosts, self.first_hosts) = (true, Some(hosts));
        }
    }

    fn end_outages_of_removed(&mut self, hosts: &[Arc<Host>]) {
        let is_kept = |host: &Host| hosts.iter().any(|kept| kept.identity() == host.identity());
        // One that is checked again before its end could be written goes on.
        self.removed.retain(|(host, _)| !is_kept(host));
        let gone = self.states.keys().filter(|host| !is_kept(host));
        let gone: Vec<_> = gone
            .map(|host| (Arc::clone(host), self.scene.last_silence(host)))
            .collect();
        if gone.is_empty() {
            return;
        }
        self.states.retain(|host, _| is_kept(host));
        self.removed.extend(gone);
        // Their last checks are written first.
        self.flush(RunState::Running);
    }

    /// What cannot be written is tried again with the next commit.
    fn end_removed(&mut self) {
        if let Err(error) = self.try_to_end_removed() {
            log::warn!("{error}; it is tried again");
            self.flush_at = self.flush_at.min(self.clock.monotonic().after(RETRY));
        }
    }

    fn try_to_end_removed(&mut self) -> Result<(), StoreError> {
        let now = self.now();
        if let Some(hosts) = &self.first_hosts
            && self.database.end_outages_of_others(hosts, now)?
        {
            self.first_hosts = None;
        }
        if !self.removed.is_empty() {
            self.database.end_outages_of(&self.removed)?;
            self.removed.clear();
        }
        Ok(())
    }

    fn observe(&mut self, mut observation: Observation) {
        let at = observation.at_mut();
        *at = self.database.run_clock.dated(*at);
        let links_down = self.scene.own_links().count_down();
        self.scene.add_observation(&observation);
        self.schedule_flush(matches!(
            &observation,
            Observation::LinkLost { .. }
                | Observation::LinkRestored { .. }
                | Observation::Path { .. }
        ));
        // A link that is restored before the next commit would never have been down.
        if self.scene.own_links().count_down() > links_down && !self.is_failing {
            self.flush(RunState::Running);
        }
    }

    /// Soon after a change or while a user may be waiting, else after the configured time.
    fn schedule_flush(&mut self, is_change: bool) {
        let now = self.clock.monotonic();
        let is_urgent = is_change || now < self.viewed_until || now < self.started.after(STARTUP);
        if !self.is_failing {
            let due = self.last_flush.after(self.settings.flush);
            let due = if is_urgent {
                due.min(now.after(SOON))
            } else {
                due
            };
            let due = if self.pending.len() >= FLUSH_PENDING {
                now
            } else {
                due
            };
            self.flush_at = self.flush_at.min(due);
        }
    }

    fn set_settings(&mut self, settings: StoreSettings) {
        self.settings = settings;
        self.database.set_outage_rules(settings.outages);
        self.database.set_alerts(settings.alerts);
    }

    /// Whether a user views the newest results through a dashboard in another process.
    fn poll_viewer(&mut self) {
        let now = self.clock.clocks();
        if now.monotonic < self.viewed_until || now.monotonic < self.viewer_poll_at {
            return;
        }
        self.viewer_poll_at = now.monotonic.after(VIEWER_POLL);
        let viewing_ms = i64::try_from(VIEWING.as_millis()).unwrap_or(i64::MAX);
        if self
            .database
            .viewed_at()
            .is_some_and(|at| (0..viewing_ms).contains(&(now.utc().0 - at.0)))
        {
            self.viewed_until = now.monotonic.after(VIEWING);
        }
    }

    /// Pending records, and those of the next minute, are written soon.
    fn note_viewer(&mut self) {
        let now = self.clock.monotonic();
        self.viewed_until = now.after(VIEWING);
        if !self.pending.is_empty() && !self.is_failing {
            self.flush_at = self.flush_at.min(now.after(SOON));
        }
    }

    /// Written with the next commit, so that it costs none of its own; another engine is waited for.
    fn note_pushed(&mut self, progress: PushProgress) {
        let is_urgent = progress.engine.is_some();
        self.database.note_pushed(progress);
        self.schedule_flush(is_urgent);
    }

    /// The present time as it is recorded.
    fn now(&self) -> UtcMillis {
        self.database.run_clock.dated(self.clock.clocks().utc())
    }

    /// Writes the pending records and the time of the last activity. On failure they stay
    /// pending.
    fn flush(&mut self, run: RunState) {
        self.watch_clock(&self.clock.clocks());
        self.write(self.now(), run);
    }

    fn write(&mut self, now_utc: UtcMillis, run: RunState) {
        let result = match self.write_pending(now_utc, run) {
            Err(error) if self.replace_damaged(&error) => self.write_pending(now_utc, run),
            other => other,
        };
        let now = self.clock.monotonic();
        self.last_flush = now;
        self.flush_at = now.after(HEARTBEAT.max(self.settings.flush));
        match result {
            Ok(log_lines) => {
                log_lines.iter().for_each(|line| log::info!("{line}"));
                if self.is_failing {
                    log::info!(
                        "{}: writing again; {} kept, {} lost",
                        self.database.path().display(),
                        phrase::count(self.pending.len(), "result"),
                        self.dropped
                    );
                }
                (self.is_failing, self.is_locked, self.dropped) = (false, false, 0);
                self.backlog.set_failure(None);
                self.pending.clear();
                self.pending.shrink_to(256);
                self.end_removed();
                self.sync_if_due(now);
                if self.database.take_new_notices() {
                    // So that the cause is recorded by the time the alert is sent.
                    self.flush_at = self.flush_at.min(now.after(SOON));
                    self.wake.as_ref().map(|wake| wake.try_send(()));
                }
            }
            Err(error) => self.fail(&error),
        }
        self.note_unwritten();
    }

    fn write_pending(
        &mut self,
        now_utc: UtcMillis,
        run: RunState,
    ) -> Result<Vec<String>, StoreError> {
        self.check_file(run)?;
        self.correct()?;
        let pending = self.pending.make_contiguous();
        self.database
            .write_records(pending, &self.scene, now_utc, run)
    }

    fn prune(&mut self) {
        self.watch_clock(&self.clock.clocks());
        let is_ready = self.database.file_state() == FileState::InUse && self.correct().is_ok();
        if !is_ready {
            self.prune_at = self.clock.monotonic().after(RETRY);
            return;
        }
        let (checks, rollups) = (self.settings.retention, self.settings.rollup_retention);
        let proven = self.database.proven_time(self.now());
        let result =
            proven.and_then(|proven| self.database.prune(proven, checks, rollups, PRUNE_ROWS));
        let pause = match result {
            // Between two transactions results are received and others may write.
            Ok(pruned) if pruned.is_more => Duration::from_millis(50),
            Ok(_) => PRUNE_EVERY,
            Err(error) if error.is_busy() => RETRY,
            Err(error) if self.replace_damaged(&error) => PRUNE_EVERY,
            Err(error) => {
                log::warn!("{error}");
                PRUNE_EVERY
            }
        };
        self.prune_at = self.clock.monotonic().after(pause);
    }
}

// A commit, a deletion and the last commit may each wait that long.
const _: () = assert!(
    COMMIT_BUSY_TIMEOUT.as_millis() * 3 < 2000,
    "a stop with nothing to write is over within two seconds"
);
