//! The thread that owns the writing connection. It gathers results and commits them together: every
//! commit costs the same journal, whatever is in it. While the disk is full or the database held by
//! somebody else it keeps results in memory, up to a bound, and tries again; nobody waits for the
//! disk but this thread.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::{ClockStep, Database, Record, RunStart, StoreError};
use crate::pure::model::{AlertKinds, Host, State};
use crate::pure::outage::OutageRules;
use crate::pure::phrase;
use crate::pure::scene::{Observation, Scene};
use crate::pure::time::{ClockSample, Monotonic, UtcMillis, nanoseconds};
use crate::sys;

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

enum Order {
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
const PATIENCE: Duration = Duration::from_millis(500);
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
/// How many results wait in the channel for the writer while it is in the middle of a slow commit:
/// so many, or so many a host where that is more.
const QUEUE_LEN: usize = 1024;
const QUEUE_LEN_PER_HOST: usize = 4;
/// When results come closer than this the writer sleeps as long between two looks at its queue:
/// waking for each would cost a tenth of what a ping costs.
const NAP: Duration = Duration::from_millis(200);
/// How often what is older than the retention is deleted.
const PRUNE_EVERY: Duration = Duration::from_secs(3600);
/// How many rows a deletion takes at once: some milliseconds on a router.
const PRUNE_ROWS: u32 = 1000;
/// A clock that shows the last daemon this far behind may be wrong, and deletes nothing before the
/// day is over.
const CLOCK_DOUBT: Duration = Duration::from_secs(30 * 86_400);
const CLOCK_PROOF: Duration = Duration::from_secs(86_400);

/// A clock that is set by less than this was kept right, not set.
const CLOCK_STEP: Duration = Duration::from_secs(2);

/// The way to the writer; clones lead to the same.
#[derive(Clone, Debug)]
pub struct WriterHandle {
    orders: SyncSender<Order>,
}

impl WriterHandle {
    /// Hands a result over without waiting; `false` when the writer is so far behind that it is
    /// lost.
    pub fn deliver(&self, entry: impl Into<Record>) -> bool {
        !matches!(
            self.orders.try_send(Order::Record(entry.into())),
            Err(TrySendError::Full(_))
        )
    }

    /// Tells it what is going on around this machine; where it is far behind that is lost.
    pub fn tell(&self, fact: Observation) {
        let _ = self.orders.try_send(Order::Observation(fact));
    }

    /// From now on only these hosts are checked.
    pub fn set_hosts(&self, hosts: Vec<Arc<Host>>) {
        let _ = self.orders.send(Order::Hosts(hosts));
    }

    /// Somebody looks at the newest results: for the next minute they are written soon.
    pub fn watched(&self) {
        // When the queue is full there are more urgent things.
        let _ = self.orders.try_send(Order::Watched);
    }

    /// Has it ring when there is something to tell.
    pub fn ring(&self, bell: SyncSender<()>) {
        let _ = self.orders.send(Order::Bell(bell));
    }

    /// Makes it go by new settings.
    pub fn set(&self, settings: StoreSettings) {
        let _ = self.orders.send(Order::StoreSettings(settings));
    }
}

/// The running thread.
#[derive(Debug)]
pub struct Writer {
    handle: WriterHandle,
    thread: JoinHandle<u64>,
}

impl Writer {
    /// Enters the daemon into the ledger and starts the thread, with room for the results of so
    /// many hosts.
    pub fn start(
        mut database: Database,
        settings: StoreSettings,
        hosts: usize,
    ) -> Result<Writer, StoreError> {
        let start = sys::clocks();
        let doubt = clock_doubt(&database.runs()?, start.utc());
        database.begin_run(start.utc())?;
        let (orders, received) = sync_channel(QUEUE_LEN.max(hosts * QUEUE_LEN_PER_HOST));
        let path = database.path().to_path_buf();
        // Whoever holds the file longer is tried again later: meanwhile the queue must be emptied.
        database.set_patience(PATIENCE);
        database.set_outage_rules(settings.outages);
        database.set_alerts(settings.alerts);
        let desk = WriterState::new(database, settings, start, doubt);
        let thread = thread::Builder::new()
            .name("store".into())
            .spawn(move || desk.work(&received));
        let thread = thread.map_err(|cause| StoreError::File {
            operation: "starting the thread for",
            path,
            cause,
        })?;
        Ok(Writer {
            handle: WriterHandle { orders },
            thread,
        })
    }

    /// The way to it.
    pub fn handle(&self) -> WriterHandle {
        self.handle.clone()
    }

    /// Whether the thread still runs.
    pub fn is_alive(&self) -> bool {
        !self.thread.is_finished()
    }

    /// Has everything that was delivered written and the file closed; says how many results could
    /// not be written.
    pub fn finish(self) -> u64 {
        let _ = self.handle.orders.send(Order::Finish);
        self.thread.join().unwrap_or(0)
    }
}

/// How long to wait before anything is deleted, when the clock seems to have leapt ahead since a
/// daemon was last alive. `runs` are starts and last signs of life; those behind a leap prove the
/// clock only when they lasted for a day together.
fn clock_doubt(runs: &[(UtcMillis, UtcMillis)], now: UtcMillis) -> Option<Duration> {
    let between = |from: UtcMillis, to: UtcMillis| {
        Duration::from_millis(u64::try_from(to.0.saturating_sub(from.0)).unwrap_or_default())
    };
    let mut runs = runs.iter();
    let (_, mut proven) = *runs.next()?;
    let mut lived = Duration::ZERO;
    for &(started, alive) in runs {
        if between(proven, started) >= CLOCK_DOUBT {
            lived = lived.saturating_add(between(started, alive));
        }
        if between(proven, started) < CLOCK_DOUBT || lived >= CLOCK_PROOF {
            (proven, lived) = (proven.max(alive), Duration::ZERO);
        }
    }
    let away = between(proven, now);
    if away < CLOCK_DOUBT {
        return None;
    }
    log::warn!(
        "the last run ended {} ago by this clock; in case it is wrong nothing is deleted for a day",
        phrase::duration(away)
    );
    Some(CLOCK_PROOF.saturating_sub(lived))
}

/// What the thread works with.
struct WriterState {
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
    fn new(
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

    fn work(mut self, orders: &Receiver<Order>) -> u64 {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_leaps_ahead_is_believed_only_after_a_day_however_often_it_is_started() {
        let day = 86_400_000;
        let doubt = |runs: &[(i64, i64)], now| {
            let runs: Vec<_> = runs
                .iter()
                .map(|(start, alive)| (UtcMillis(start * day), UtcMillis(alive * day)))
                .collect();
            clock_doubt(&runs, UtcMillis(now * day))
        };
        assert_eq!(doubt(&[], 20_000), None);
        assert_eq!(doubt(&[(20_000, 20_001)], 20_030), None);
        assert_eq!(doubt(&[(20_000, 20_001)], 47_000), Some(CLOCK_PROOF));
        assert_eq!(
            doubt(&[(20_000, 20_001), (47_000, 47_000)], 47_000),
            Some(CLOCK_PROOF),
            "a restart proves nothing"
        );
        assert_eq!(
            doubt(&[(20_000, 20_001), (47_000, 47_001)], 47_001),
            None,
            "a day does"
        );
        assert_eq!(
            doubt(&[(20_000, 20_001), (47_000, 47_000)], 20_002),
            None,
            "the clock is right again"
        );
        // A machine without a clock of its own: every start is in 1970, until the time service has
        // answered.
        assert_eq!(doubt(&[(0, 0)], 20_000), Some(CLOCK_PROOF));
        assert_eq!(doubt(&[(0, 0), (20_000, 20_001), (0, 0)], 20_001), None);
    }
}
