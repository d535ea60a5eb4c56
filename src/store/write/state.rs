//! What the writer thread does with what it receives.

use super::clock::{CLOCK_DOUBT, ClockStep, clock_doubt};
use super::database::Database;
use super::record::{Record, RunStart};
use crate::pure::model::{AlertKinds, Host, State};
use crate::pure::outage::OutageRules;
use crate::pure::phrase;
use crate::pure::scene::{Observation, Scene};
use crate::pure::time::{ClockSample, Monotonic, UtcMillis, nanoseconds};
use crate::store::error::StoreError;
use crate::sys;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender};
use std::thread;
use std::time::Duration;

/// How the writer goes about it: part of the configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoreSettings {
    /// At most this long a result waits in memory.
    pub flush: Duration,
    /// How long checks are kept.
    pub retention: Duration,
    /// How long roll-ups are kept.
    pub rollup_retention: Duration,
    /// Which silence is an outage.
    pub outages: OutageRules,
    /// What is told.
    pub alerts: AlertKinds,
}

pub enum Order {
    Record(Record),
    Observation(Observation),
    StoreSettings(StoreSettings),
    Hosts(Vec<Arc<Host>>),
    Watched,
    Bell(SyncSender<()>),
    Finish,
}

/// How soon a result is on disk when somebody may be waiting for it.
const HURRY: Duration = Duration::from_millis(1500);

/// How often the sign of life is written when there is nothing else to write.
const HEARTBEAT: Duration = Duration::from_secs(60);

/// How long a commit waits for another writer. A stop is over within two seconds, and may find a
/// commit and a deletion waiting before its own last commit.
pub const PATIENCE: Duration = Duration::from_millis(500);

/// How long a look at the newest results counts as watching.
const WATCHED: Duration = Duration::from_secs(60);

/// How often it is looked whether somebody watches through another process.
const WATCH_LOOK: Duration = Duration::from_secs(2);

/// How long after its start the daemon is in a hurry: somebody is setting it up.
const START_HURRY: Duration = Duration::from_secs(60);

/// How soon a failed commit is tried again.
const RETRY: Duration = Duration::from_secs(10);

/// How many results are kept in memory while nothing can be written: four days of three hosts at
/// one check a minute, 6 MB.
const PENDING_MAX: usize = 20_000;

/// So many results are written whatever the time is: with many hosts waiting costs memory and saves
/// little.
const PENDING_ENOUGH: usize = 2000;

/// When results come closer than this the writer sleeps as long between two looks at its queue:
/// waking for each would cost a tenth of what a ping costs.
const NAP: Duration = Duration::from_millis(200);

/// How often what is older than the retention is deleted.
const PRUNE_EVERY: Duration = Duration::from_secs(3600);

/// How many rows a deletion takes at once: some milliseconds on a router.
const PRUNE_ROWS: u32 = 1000;

/// A clock that is set by less than this was kept right, not set.
const CLOCK_STEP: Duration = Duration::from_secs(2);

/// What the thread works with.
pub struct WriterState {
    database: Database,
    settings: StoreSettings,
    started: Monotonic,
    last_flush: Monotonic,
    watched_until: Monotonic,
    /// When it is looked again whether somebody watches through another process.
    watch_look_at: Monotonic,
    pending: VecDeque<Record>,
    states: HashMap<Arc<Host>, State>,
    scene: Scene,
    /// When the pending results are to be written.
    flush_at: Monotonic,
    prune_at: Monotonic,
    /// The clocks when they were last looked at.
    clocks: ClockSample,
    /// When this run began, by the clock as it is now.
    run_started: UtcMillis,
    bell: Option<SyncSender<()>>,
    is_failing: bool,
    dropped: u64,
}

impl WriterState {
    pub fn new(
        database: Database,
        settings: StoreSettings,
        start: ClockSample,
        doubt: Option<Duration>,
    ) -> WriterState {
        let started = start.monotonic;
        WriterState {
            database,
            settings,
            started,
            last_flush: started,
            watched_until: started,
            watch_look_at: started,
            pending: VecDeque::new(),
            states: HashMap::new(),
            scene: Scene::default(),
            flush_at: started.after(HEARTBEAT.max(settings.flush)),
            // Not in the first moments, when the first checks run.
            prune_at: started.after(doubt.unwrap_or(Duration::from_secs(10))),
            clocks: start,
            run_started: start.utc(),
            bell: None,
            is_failing: false,
            dropped: 0,
        }
    }

    pub fn work(mut self, orders: &Receiver<Order>) -> u64 {
        let mut last_look = self.started;
        loop {
            let due = self.flush_at.min(self.prune_at);
            let mut order = orders.recv_timeout(due.since(sys::monotonic()));
            if order.is_ok() && sys::monotonic().since(last_look) < NAP {
                thread::sleep(NAP);
            }
            loop {
                match order {
                    Ok(Order::Record(entry)) => self.take(entry),
                    Ok(Order::Observation(fact)) => self.learn(&fact),
                    Ok(Order::Hosts(hosts)) => self.keep_only(&hosts),
                    Ok(Order::StoreSettings(settings)) => self.follow(settings),
                    Ok(Order::Watched) => self.note_watcher(),
                    Ok(Order::Bell(bell)) => self.bell = Some(bell),
                    Ok(Order::Finish) | Err(RecvTimeoutError::Disconnected) => return self.close(),
                    Err(RecvTimeoutError::Timeout) => break,
                }
                order = orders.try_recv().or(Err(RecvTimeoutError::Timeout));
            }
            let now = sys::monotonic();
            last_look = now;
            if self.flush_at <= now {
                self.flush(RunStart::GoesOn);
            }
            if self.prune_at <= now {
                self.prune();
            }
        }
    }

    fn take(&mut self, entry: Record) {
        let is_news = match &entry {
            Record::Check(result) => {
                self.scene.add_check(result);
                self.look_for_watchers();
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
                // The first reply may be the end of an outage.
                probe.is_answered
            }
            Record::Interruption(_) | Record::Notice(_) => true,
        };
        if self.is_failing
            && self.pending.len() >= PENDING_MAX / 2
            && matches!(&entry, Record::Probe(probe) if !probe.is_answered)
        {
            // A ping a second of each silent host would push out checks.
            return;
        }
        if self.pending.len() >= PENDING_MAX && self.is_failing {
            self.pending.pop_front();
            self.dropped += 1;
        }
        let is_fate = matches!(entry, Record::Notice(_));
        self.pending.push_back(entry);
        self.hasten(is_news);
        // Whoever tells the next one waits for it, and a sudden end would have this one told again.
        if is_fate && !self.is_failing {
            self.flush_at = sys::monotonic();
        }
    }

    /// Leaves alone hosts that are checked no more: nobody will see the end of an outage of theirs.
    fn keep_only(&mut self, hosts: &[Arc<Host>]) {
        self.scene
            .retain_hosts(|host| hosts.iter().any(|kept| **kept == *host));
        let is_kept = |host: &Host| {
            hosts
                .iter()
                .any(|kept| (&kept.address, kept.family) == (&host.address, host.family))
        };
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
        // Their last checks first.
        self.flush(RunStart::GoesOn);
        if let Err(error) = gone.iter().try_for_each(|host| self.database.leave(host)) {
            log::warn!("{error}");
        }
    }

    /// What is going on around an outage is news when it is its cause.
    fn learn(&mut self, fact: &Observation) {
        self.scene.add_observation(fact);
        self.hasten(matches!(
            fact,
            Observation::LinkRestored { .. } | Observation::Path { .. }
        ));
    }

    /// Has what is pending written in time, and soon when it is news or somebody may be waiting for
    /// it.
    fn hasten(&mut self, is_news: bool) {
        let now = sys::monotonic();
        let is_hurried =
            is_news || now < self.watched_until || now < self.started.after(START_HURRY);
        if !self.is_failing {
            let due = self.last_flush.after(self.settings.flush);
            let due = if is_hurried {
                due.min(now.after(HURRY))
            } else {
                due
            };
            let due = if self.pending.len() >= PENDING_ENOUGH {
                now
            } else {
                due
            };
            self.flush_at = self.flush_at.min(due);
        }
    }

    fn follow(&mut self, settings: StoreSettings) {
        self.settings = settings;
        self.database.set_outage_rules(settings.outages);
        self.database.set_alerts(settings.alerts);
    }

    /// Whether somebody looks at the newest results through a dashboard of its own.
    fn look_for_watchers(&mut self) {
        let now = sys::clocks();
        if now.monotonic < self.watched_until || now.monotonic < self.watch_look_at {
            return;
        }
        self.watch_look_at = now.monotonic.after(WATCH_LOOK);
        let watched = i64::try_from(WATCHED.as_millis()).unwrap_or(i64::MAX);
        if self
            .database
            .watched_at()
            .is_some_and(|at| (0..watched).contains(&(now.utc().0 - at.0)))
        {
            self.watched_until = now.monotonic.after(WATCHED);
        }
    }

    /// What is pending is written soon, and so is what comes in the next minute.
    fn note_watcher(&mut self) {
        let now = sys::monotonic();
        self.watched_until = now.after(WATCHED);
        if !self.pending.is_empty() && !self.is_failing {
            self.flush_at = self.flush_at.min(now.after(HURRY));
        }
    }

    /// Writes what is pending and the sign of life. What fails stays pending.
    fn flush(&mut self, life: RunStart) {
        let result = self
            .reopen_if_taken_away()
            .and_then(|()| self.note_step())
            .and_then(|()| {
                let pending = self.pending.make_contiguous();
                self.database
                    .write_entries(pending, &self.scene, sys::clocks().utc(), life)
            });
        let now = sys::monotonic();
        self.last_flush = now;
        self.flush_at = now.after(HEARTBEAT.max(self.settings.flush));
        match result {
            Ok(news) => {
                news.iter().for_each(|line| log::info!("{line}"));
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
                if self.database.take_spooled() {
                    // By the time it is told its cause is on record.
                    self.flush_at = self.flush_at.min(now.after(HURRY));
                    self.bell.as_ref().map(|bell| bell.try_send(()));
                }
            }
            Err(error) => {
                if !self.is_failing {
                    log::error!("{error}; results are kept in memory until it can be written");
                }
                self.is_failing = true;
                self.flush_at = now.after(RETRY);
            }
        }
    }

    /// A file that was deleted or replaced while it was open takes writes that nobody will ever
    /// read.
    fn reopen_if_taken_away(&mut self) -> Result<(), StoreError> {
        if !self.database.is_taken_away() {
            return Ok(());
        }
        if !self.is_failing {
            log::error!(
                "{}: the file was deleted or replaced; beginning anew there",
                self.database.path().display()
            );
        }
        self.database.reopen(sys::clocks().utc())?;
        self.database.set_patience(PATIENCE);
        Ok(())
    }

    /// A clock that was set since it was last looked at: what is pending, and what this run has
    /// written, may be dated wrongly. One that is set far ahead is doubted as one that was so at
    /// the start, and what was lived before is no proof of it.
    fn note_step(&mut self) -> Result<(), StoreError> {
        let now = sys::clocks();
        let step_ns = now.set_since(&self.clocks);
        if step_ns.abs() >= nanoseconds(CLOCK_STEP) {
            let step = ClockStep {
                now: now.utc(),
                step_ms: step_ns / 1_000_000,
            };
            let moved = self.database.clock_was_set(&step)?;
            let wrong = step.wrong_times(self.run_started);
            if wrong
                .as_ref()
                .is_some_and(|times| times.contains(&self.run_started.0))
            {
                self.run_started = UtcMillis(self.run_started.0.saturating_add(step.step_ms));
            }
            // Where the clock was set forward, what is pending is of the time before it, whichever
            // was right.
            let times = wrong.or((step.step_ms > 0).then(|| 0..=step.before().0));
            if let Some(times) = &times {
                self.pending
                    .iter_mut()
                    .for_each(|entry| entry.redate(times, step.step_ms));
            }
            // What is known of the surroundings is dated by the old clock.
            self.scene = Scene::default();
            let way = if step.step_ms < 0 { "back" } else { "forward" };
            let length = phrase::duration(Duration::from_millis(step.step_ms.unsigned_abs()));
            log::warn!(
                "the clock was set {way} by {length}, to {}; {} dated anew",
                step.now.rfc3339(),
                phrase::count(moved, "check")
            );
        }
        if step_ns >= nanoseconds(CLOCK_DOUBT) {
            let doubt = clock_doubt(&self.database.runs()?, now.utc());
            self.database.begin_run(now.utc())?;
            self.run_started = now.utc();
            self.prune_at = doubt.map_or(self.prune_at, |doubt| now.monotonic.after(doubt));
        }
        self.clocks = now;
        Ok(())
    }

    fn prune(&mut self) {
        let is_ready = !self.database.is_taken_away() && self.note_step().is_ok();
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
        let result =
            self.database
                .prune(sys::clocks().utc(), retention, rollup_retention, PRUNE_ROWS);
        let pause = match result {
            // Between two steps results are taken and others may write.
            Ok(pruned) if pruned.is_more => Duration::from_millis(50),
            Ok(_) => PRUNE_EVERY,
            Err(error) if error.is_busy() => RETRY,
            Err(error) => {
                log::warn!("{error}");
                PRUNE_EVERY
            }
        };
        self.prune_at = sys::monotonic().after(pause);
    }

    /// The last commit; says how many results are lost.
    fn close(mut self) -> u64 {
        self.flush(RunStart::Ends);
        if self.is_failing {
            return self.dropped + self.pending.len() as u64;
        }
        self.database.set_patience(Duration::ZERO);
        self.database.checkpoint();
        0
    }
}

// A stop may find the thread before a commit and a deletion, and its own last commit follows.
const _: () = assert!(
    PATIENCE.as_millis() * 3 < 2000,
    "a stop is over within two seconds"
);
