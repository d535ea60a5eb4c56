//! What the writer thread does with what it receives.

use super::clock::{SUSPICIOUS_STEP, pruning_delay};
use super::database::{Database, FileState};
use super::record::{Record, RunState};
use super::scrub::Scrub;
use crate::pure::model::{AlertKinds, Host, State};
use crate::pure::outage::OutageRules;
use crate::pure::phrase;
use crate::pure::run_clock::{ClockStep, Correction, MIN_STEP_MS};
use crate::pure::scene::{Observation, Scene};
use crate::pure::time::{ClockSample, Monotonic, UtcMillis};
use crate::store::error::StoreError;
use crate::sys;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender};
use std::thread;
use std::time::Duration;

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
    Finish,
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

/// The maximum number of records kept in memory while nothing can be written: four days of three
/// hosts at one check a minute, 6 MB.
const MAX_PENDING: usize = 20_000;

/// This many records are written at once: with many hosts, waiting costs memory and saves
/// little.
const FLUSH_PENDING: usize = 2000;

/// The shortest time between two wake-ups: waking for each result would cost a tenth of what a
/// ping costs.
const MIN_WAKE_INTERVAL: Duration = Duration::from_millis(200);

const PRUNE_EVERY: Duration = Duration::from_secs(3600);

/// Rows deleted in one transaction: some milliseconds on a router.
const PRUNE_ROWS: u32 = 1000;

/// A run that began before the newest result is believed if a time service has confirmed its clock
/// for this long.
const BELIEVED_AFTER: Duration = Duration::from_secs(600);

pub struct WriterState {
    database: Database,
    settings: StoreSettings,
    started: Monotonic,
    last_flush: Monotonic,
    viewed_until: Monotonic,
    viewer_poll_at: Monotonic,
    pending: VecDeque<Record>,
    states: HashMap<Arc<Host>, State>,
    scene: Scene,
    flush_at: Monotonic,
    prune_at: Monotonic,
    scrub_at: Monotonic,
    scrub: Scrub,
    /// As they were last read.
    clocks: ClockSample,
    /// Steps of the clock that the database has not been corrected for yet, in order.
    corrections: VecDeque<(ClockStep, Correction)>,
    wake: Option<SyncSender<()>>,
    /// When a damaged file was last replaced.
    replaced_at: Option<Monotonic>,
    is_failing: bool,
    dropped: u64,
}

impl WriterState {
    pub fn new(
        database: Database,
        settings: StoreSettings,
        start: ClockSample,
        delay: Option<Duration>,
    ) -> WriterState {
        let started = start.monotonic;
        WriterState {
            database,
            settings,
            started,
            last_flush: started,
            viewed_until: started,
            viewer_poll_at: started,
            pending: VecDeque::new(),
            states: HashMap::new(),
            scene: Scene::default(),
            flush_at: started.after(HEARTBEAT.max(settings.flush)),
            // Not while the first checks run.
            prune_at: started.after(delay.unwrap_or(Duration::from_secs(10))),
            scrub_at: started.after(scrub::FIRST_SCRUB),
            scrub: Scrub::default(),
            clocks: start,
            corrections: VecDeque::new(),
            wake: None,
            replaced_at: None,
            is_failing: false,
            dropped: 0,
        }
    }

    pub fn run(mut self, orders: &Receiver<Order>) -> u64 {
        let mut last_wake = self.started;
        loop {
            let due = self.flush_at.min(self.prune_at).min(self.scrub_at);
            let mut order = orders.recv_timeout(due.since(sys::monotonic()));
            if order.is_ok() && sys::monotonic().since(last_wake) < MIN_WAKE_INTERVAL {
                thread::sleep(MIN_WAKE_INTERVAL);
            }
            loop {
                match order {
                    Ok(Order::Record(record, sent)) => self.receive(record, &sent),
                    Ok(Order::Observation(observation)) => self.observe(observation),
                    Ok(Order::Hosts(hosts)) => self.set_hosts(&hosts),
                    Ok(Order::StoreSettings(settings)) => self.set_settings(settings),
                    Ok(Order::Viewed) => self.note_viewer(),
                    Ok(Order::Wake(wake)) => self.wake = Some(wake),
                    Ok(Order::Finish) | Err(RecvTimeoutError::Disconnected) => return self.close(),
                    Err(RecvTimeoutError::Timeout) => break,
                }
                order = orders.try_recv().or(Err(RecvTimeoutError::Timeout));
            }
            let now = sys::monotonic();
            last_wake = now;
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
        if self.is_failing
            && self.pending.len() >= MAX_PENDING / 2
            && matches!(&record, Record::Probe(probe) if !probe.is_answered)
        {
            // A probe a second for each silent host would displace checks.
            return;
        }
        if self.pending.len() >= MAX_PENDING && self.is_failing {
            self.pending.pop_front();
            self.dropped += 1;
        }
        let is_notice = matches!(record, Record::Notice(_));
        self.pending.push_back(record);
        self.schedule_flush(is_change);
        // The next notice waits for it, and after a crash this one would be sent again.
        if is_notice && !self.is_failing {
            self.flush_at = sys::monotonic();
        }
    }

    /// Ends the outages of hosts that are no longer checked, since their end will not be seen.
    fn set_hosts(&mut self, hosts: &[Arc<Host>]) {
        self.end_outages_of_removed(hosts);
        self.scene
            .retain_hosts(|host| hosts.iter().any(|kept| **kept == *host));
    }

    fn end_outages_of_removed(&mut self, hosts: &[Arc<Host>]) {
        let is_kept = |host: &Host| hosts.iter().any(|kept| kept.identity() == host.identity());
        let gone: Vec<Arc<Host>> = self
            .states
            .keys()
            .filter(|host| !is_kept(host))
            .cloned()
            .collect();
        if gone.is_empty() {
            return;
        }
        self.states.retain(|host, _| is_kept(host));
        // Their last checks are written first.
        self.flush(RunState::Running);
        if let Err(error) = gone
            .iter()
            .try_for_each(|host| (self.database).end_outage_of(host, self.scene.last_silence(host)))
        {
            log::warn!("{error}");
        }
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
        let now = sys::monotonic();
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
        let now = sys::clocks();
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
        let now = sys::monotonic();
        self.viewed_until = now.after(VIEWING);
        if !self.pending.is_empty() && !self.is_failing {
            self.flush_at = self.flush_at.min(now.after(SOON));
        }
    }

    /// The present time as it is recorded.
    fn now(&self) -> UtcMillis {
        self.database.run_clock.dated(sys::clocks().utc())
    }

    /// Writes the pending records and the time of the last activity. On failure they stay
    /// pending.
    fn flush(&mut self, run: RunState) {
        self.watch_clock(&sys::clocks());
        self.write(self.now(), run);
    }

    fn write(&mut self, now_utc: UtcMillis, run: RunState) {
        let result = match self.write_pending(now_utc, run) {
            Err(error) if self.replace_damaged(&error) => self.write_pending(now_utc, run),
            other => other,
        };
        let now = sys::monotonic();
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
                (self.is_failing, self.dropped) = (false, 0);
                self.pending.clear();
                self.pending.shrink_to(256);
                if self.database.take_new_notices() {
                    // So that the cause is recorded by the time the alert is sent.
                    self.flush_at = self.flush_at.min(now.after(SOON));
                    self.wake.as_ref().map(|wake| wake.try_send(()));
                }
            }
            Err(error) => {
                if !self.is_failing {
                    log::error!("{error}; results are kept in memory until it can be written");
                }
                self.is_failing = true;
                let is_written_over = matches!(error, StoreError::WrittenOver { .. });
                self.flush_at = now.after(if is_written_over { SOON } else { RETRY });
            }
        }
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

    /// When the clock was set since it was last read, decides what that means for what this run
    /// has recorded.
    fn watch_clock(&mut self, now: &ClockSample) {
        let step_ms = now.set_since(&self.clocks) / 1_000_000;
        self.clocks = *now;
        let step = ClockStep {
            now: now.utc(),
            step_ms,
        };
        if step_ms.abs() >= MIN_STEP_MS {
            if !self.pending.is_empty() && !self.is_failing {
                // With the times of before the step, as what is recorded already.
                self.write(
                    self.database.run_clock.dated(step.before()),
                    RunState::Running,
                );
            }
            let correction = self.database.run_clock.step(&step);
            self.plan(step, correction);
        } else if self.database.run_clock.is_doubted() && sys::is_clock_synchronised() {
            let is_behind = self.database.run_clock.behind_ms() > 0;
            if !is_behind || now.monotonic.since(self.started) >= BELIEVED_AFTER {
                let correction = self.database.run_clock.believe(now.utc());
                self.plan(ClockStep { step_ms: 0, ..step }, correction);
            }
        }
    }

    fn plan(&mut self, step: ClockStep, correction: Correction) {
        if step.step_ms == 0 && correction == Correction::Nothing {
            return;
        }
        if let Correction::Redate { times, by_ms, .. } = &correction {
            self.pending
                .iter_mut()
                .for_each(|record| record.redate(times, *by_ms));
        }
        if !matches!(
            correction,
            Correction::Nothing | Correction::Redate { by_ms: 0, .. }
        ) {
            // The scene's times are those of the old clock.
            self.scene = Scene::default();
        }
        self.corrections.push_back((step, correction));
        if !self.is_failing {
            self.flush_at = sys::monotonic();
        }
    }

    /// Corrects what is recorded. A clock that was set far ahead may be wrong, as at the start.
    fn correct(&mut self) -> Result<(), StoreError> {
        while let Some((step, correction)) = self.corrections.front() {
            let moved = self.database.correct(step, correction)?;
            let seconds = step.step_ms.unsigned_abs().saturating_add(500) / 1000;
            let length = phrase::duration(Duration::from_secs(seconds));
            let what = match step.step_ms {
                0 => "a time service confirms the clock, and the record was ahead".into(),
                1.. => format!("the clock was set forward by {length}"),
                _ => format!("the clock was set back by {length}"),
            };
            log::warn!(
                "{what}, to {}; {} dated anew",
                step.now.rfc3339(),
                phrase::count(moved, "check")
            );
            if u128::try_from(step.step_ms).is_ok_and(|ms| ms >= SUSPICIOUS_STEP.as_millis()) {
                let now = sys::clocks();
                if matches!(correction, Correction::Skip { .. }) {
                    self.database.continue_run(now.utc())?;
                }
                let runs = self.database.runs()?;
                let delay = pruning_delay(&runs[..runs.len().saturating_sub(1)], now.utc());
                self.prune_at = delay.map_or(self.prune_at, |delay| now.monotonic.after(delay));
            }
            self.corrections.pop_front();
        }
        Ok(())
    }

    fn prune(&mut self) {
        self.watch_clock(&sys::clocks());
        let is_ready = self.database.file_state() == FileState::InUse && self.correct().is_ok();
        if !is_ready {
            self.prune_at = sys::monotonic().after(RETRY);
        }
        if !is_ready || self.prune_at > sys::monotonic() {
            return;
        }
        let StoreSettings {
            retention,
            rollup_retention,
            ..
        } = self.settings;
        let result = self
            .database
            .prune(self.now(), retention, rollup_retention, PRUNE_ROWS);
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
        self.prune_at = sys::monotonic().after(pause);
    }

    /// Commits for the last time; returns how many results are lost.
    fn close(mut self) -> u64 {
        self.flush(RunState::Stopped);
        if self.is_failing {
            return self.dropped + self.pending.len() as u64;
        }
        self.database.set_busy_timeout(Duration::ZERO);
        self.database.checkpoint();
        0
    }
}

// A commit, a deletion and the last commit may each wait that long.
const _: () = assert!(
    COMMIT_BUSY_TIMEOUT.as_millis() * 3 < 2000,
    "a stop is over within two seconds"
);
