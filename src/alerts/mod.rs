//! One thread that sends the waiting notices of the database as alerts: it runs the user's command
//! for one after the other, and runs it again where it failed. It only reads the database; the
//! writer records the results. config.yaml documents which notices there are, plan.rs which of
//! them make one alert.

mod plan;
mod queue;
mod sentence;
mod summary;
mod text;

use std::collections::{HashMap, VecDeque};
use std::io;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::command::{Capture, CommandEnd, CommandRun, run_command};
use crate::config::AlertsConfig;
use crate::pure::incident::GroupingRules;
use crate::pure::phrase::count;
use crate::pure::time::{Monotonic, UtcMillis, nanoseconds};
use crate::stop::Stop;
use crate::store::{NoticeResult, Reader, SendFailure, StoreError};
use crate::sys;

#[cfg(not(any(test, fuzzing)))]
use plan::plan;
#[cfg(any(test, fuzzing))]
pub use plan::plan;
pub use plan::{Alert, digest};
use plan::{Class, Planned, TRIES_BEFORE_OTHERS};
pub use queue::{Queue, WaitReason};
pub use text::{AlertText, alert_text, shown_time};

/// The running thread.
pub struct Alerts {
    stop: Stop,
    waker: SyncSender<()>,
    thread: JoinHandle<AlertHistory>,
}

/// What the next thread must know when the configuration changes and the thread is replaced.
#[derive(Clone, Debug, Default)]
pub struct AlertHistory {
    /// What was sent last, and its result. The writer may not have recorded that yet.
    sent: Option<(Alert, NoticeResult)>,
    /// A result that the writer has not accepted yet.
    unrecorded: Option<NoticeResult>,
}

/// The time between two attempts, doubled after each failure.
const FIRST_RETRY: Duration = Duration::from_secs(1);
const MAX_RETRY: Duration = Duration::from_secs(600);
/// A notice that no longer delays others fails so often before a later one of the same outage is
/// sent: when the line is back, both can be sent, in order.
const TRIES_BEFORE_LATER: u32 = 2;
/// How long the failure of one notice delays others.
const MAX_DELAY_BY_OTHERS: Duration = Duration::from_secs(60);
/// How often the database is read without being woken: another process may write notices, too.
const POLL_INTERVAL: Duration = Duration::from_secs(60);
const READ_RETRY: Duration = Duration::from_secs(10);
/// How soon to read the database again after a result was given to the writer.
const RECORDED_AFTER: Duration = Duration::from_millis(100);
/// A result that is not recorded after this may have been discarded: the writer does so when the
/// disk is full for days.
const LOST_AFTER_MS: i64 = 600_000;
const HOUR: Duration = Duration::from_secs(3600);
/// SQLite uses some 20 kB; the rest is only address space.
const STACK_BYTES: usize = 256 * 1024;

impl Alerts {
    /// Starts sending the waiting notices. `deliver` gives a result to the writer; `false` when the
    /// writer does not accept it now.
    pub fn start(
        config: AlertsConfig,
        grouping: GroupingRules,
        database: PathBuf,
        history: AlertHistory,
        deliver: impl Fn(NoticeResult) -> bool + Send + 'static,
    ) -> io::Result<Alerts> {
        let stop = Stop::new()?;
        let (waker, woken) = sync_channel(1);
        let state = AlertsState {
            config,
            grouping,
            database,
            deliver,
            stop: stop.clone(),
            history,
            classes: Default::default(),
            due: HashMap::new(),
            earlier_tries: HashMap::new(),
            logged_failures: 0,
            cannot_read: false,
        };
        let run = move || state.run(&woken);
        let thread = thread::Builder::new()
            .name("alerts".into())
            .stack_size(STACK_BYTES)
            .spawn(run)?;
        Ok(Alerts {
            stop,
            waker,
            thread,
        })
    }

    /// Wakes the thread to send a new notice.
    pub fn waker(&self) -> SyncSender<()> {
        self.waker.clone()
    }

    /// Stops the thread within a second. A running command is killed, and its notice keeps waiting.
    pub fn stop(self) -> AlertHistory {
        self.stop.raise();
        // A full channel wakes it as well.
        let _ = self.waker.try_send(());
        self.thread.join().unwrap_or_default()
    }
}

/// The state of the thread.
struct AlertsState<S> {
    config: AlertsConfig,
    grouping: GroupingRules,
    database: PathBuf,
    deliver: S,
    stop: Stop,
    history: AlertHistory,
    /// In the order of [`Class::ALL`].
    classes: [ClassState; Class::ALL.len()],
    /// When a notice that no longer delays others is tried again.
    due: HashMap<i64, Monotonic>,
    /// How often an earlier notice of the same outage had failed when this one was first seen.
    earlier_tries: HashMap<i64, u32>,
    /// How often the command failed since that was logged.
    logged_failures: u32,
    /// Whether the last attempt to read the database failed, which is logged once.
    cannot_read: bool,
}

/// What is counted for each class, so that none delays the other.
#[derive(Default)]
struct ClassState {
    /// When alerts were sent within the last hour.
    sent_at: VecDeque<Monotonic>,
    /// How often in a row the command failed, and when it last did.
    failures: u32,
    failed_at: Option<Monotonic>,
    is_limited: bool,
}

impl ClassState {
    /// Not before this, after a failure.
    fn retry_at(&self) -> Option<Monotonic> {
        let wait = backoff(self.failures.saturating_sub(1)).min(MAX_DELAY_BY_OTHERS);
        self.failed_at.map(|at| at.after(wait))
    }
}

impl<S: Fn(NoticeResult) -> bool> AlertsState<S> {
    fn run(mut self, woken: &Receiver<()>) -> AlertHistory {
        self.count_recently_sent();
        while !self.stop.is_raised() {
            let until = self.step();
            let _ = woken.recv_timeout(until.since(sys::monotonic()));
        }
        self.history
    }

    /// Asks the database, with the present time as the monitor dates what it records. Opened each
    /// time: this is rare, and the file may have been replaced.
    fn ask<T: Default>(
        &self,
        question: impl FnOnce(&Reader, UtcMillis) -> Result<T, StoreError>,
    ) -> Result<(UtcMillis, T), StoreError> {
        let wall = sys::clocks().utc();
        match Reader::open_current(&self.database)? {
            Some(reader) => {
                let now = reader.present(wall)?;
                question(&reader, now).map(|answer| (now, answer))
            }
            None => Ok((wall, T::default())),
        }
    }

    /// Notices that were sent before a restart count for the limit per hour.
    fn count_recently_sent(&mut self) {
        let now = sys::monotonic();
        let sent_at = self.ask(|reader, clock| {
            reader.alerts_sent_since(UtcMillis(clock.0 - nanoseconds(HOUR) / 1_000_000))
        });
        let Ok((clock, sent_at)) = sent_at else {
            return;
        };
        let ago = |at: UtcMillis| Monotonic(now.0 - (clock.0 - at.0).max(0) * 1_000_000);
        for (at, is_quality) in sent_at {
            if at <= clock {
                self.classes[usize::from(is_quality)]
                    .sent_at
                    .push_back(ago(at));
            }
        }
    }

    /// Sends an alert if one is due. Returns when to continue.
    fn step(&mut self) -> Monotonic {
        let now = sys::monotonic();
        if let Some(result) = self.history.unrecorded.take() {
            return self.give_to_writer(result);
        }
        let history_ms = plan::history_ms(&self.grouping);
        let found = self.ask(|reader, now| reader.notices(UtcMillis(now.0 - history_ms)));
        let (clock, notices) = match found {
            Ok(found) => found,
            Err(error) => {
                if !std::mem::replace(&mut self.cannot_read, true) {
                    log::error!("alerts: {error}");
                }
                return now.after(READ_RETRY);
            }
        };
        self.cannot_read = false;
        if let Some((sent, result)) = &self.history.sent
            && notices.iter().any(|notice| sent.has_waiting(notice))
        {
            if sys::clocks().utc().0 - result.at.0 <= LOST_AFTER_MS {
                return now.after(RECORDED_AFTER);
            }
            return self.record(&sent.clone(), None);
        }
        let is_there = |id: &i64| notices.iter().any(|notice| notice.id == *id);
        self.due.retain(|id, _| is_there(id));
        self.earlier_tries.retain(|id, _| is_there(id));
        let planned = plan(&notices, &self.grouping, clock);
        match self.next(&planned, now, clock) {
            Next::At(at) => at,
            Next::Send(alert) => self.send(&alert, clock),
        }
    }

    fn next(&mut self, planned: &[Planned], now: Monotonic, clock: UtcMillis) -> Next {
        let mut until = now.after(POLL_INTERVAL);
        for class in Class::ALL {
            match self.next_of(class, planned, now, clock) {
                Next::At(at) => until = until.min(at),
                send @ Next::Send(_) => return send,
            }
        }
        Next::At(until)
    }

    /// The alert of a class that is sent next.
    fn next_of(
        &mut self,
        class: Class,
        planned: &[Planned],
        now: Monotonic,
        clock: UtcMillis,
    ) -> Next {
        let own = || {
            planned
                .iter()
                .filter(|planned| planned.alert.class == class)
        };
        let held = own().filter_map(|planned| planned.held_until).min();
        let ready: Vec<&Planned> = own()
            .filter(|planned| planned.held_until.is_none())
            .collect();
        let held = held.map_or(now.after(POLL_INTERVAL), |held| {
            let ms = u64::try_from(held.0 - clock.0).unwrap_or(0);
            now.after(Duration::from_millis(ms))
        });
        if ready.is_empty() {
            return Next::At(held);
        }
        let room = match self.room(class, now) {
            Ok(room) => room,
            Err(until) => return Next::At(held.min(until)),
        };
        if let Some(at) = self.classes[class as usize]
            .retry_at()
            .filter(|at| *at > now)
        {
            return Next::At(held.min(at));
        }
        let mut in_order: Vec<(&Alert, u32)> = Vec::new();
        for planned in &ready {
            self.add_candidates(planned, &mut in_order);
        }
        let failures = self.classes[class as usize].failures;
        // A command that refuses digests gets every other time a single notice.
        let has_refused = in_order
            .iter()
            .any(|(alert, _)| alert.tries >= TRIES_BEFORE_OTHERS);
        if ready.len() > room && !(has_refused && failures % 2 == 1) {
            let alerts: Vec<&Alert> = ready.iter().map(|planned| &planned.alert).collect();
            return digest(&alerts).map_or(Next::At(held), Next::Send);
        }
        // In the order of making, until one or several have failed so often.
        let ignored_tries = match failures {
            TRIES_BEFORE_OTHERS.. => 0,
            _ => TRIES_BEFORE_OTHERS - 1,
        };
        let order = |(alert, tries): (&Alert, u32)| {
            let delay = tries.saturating_sub(ignored_tries);
            let due = self.due.get(&alert.ids[0]).copied();
            (due.filter(|due| delay > 0 && *due > now), delay)
        };
        match in_order.into_iter().min_by_key(|found| order(*found)) {
            None => Next::At(held),
            Some(found) => match order(found).0 {
                Some(at) => Next::At(held.min(at)),
                None => Next::Send(found.0.clone()),
            },
        }
    }

    /// Adds the alerts that may be sent for a planned one, with the failed attempts by which they
    /// are delayed. Of a single outage the beginning is sent first, unless it is refused again after
    /// its end was noticed.
    fn add_candidates<'p>(&mut self, planned: &'p Planned, to: &mut Vec<(&'p Alert, u32)>) {
        let with_tries = |alert: &'p Alert| (alert, alert.tries);
        let [first, later @ ..] = &planned.singles[..] else {
            return to.push(with_tries(&planned.alert));
        };
        let before = later.first().map_or(first.tries, |next| {
            let id = next.ids[0];
            *self.earlier_tries.entry(id).or_insert(first.tries)
        });
        let since = first.tries.saturating_sub(before);
        if first.tries < TRIES_BEFORE_OTHERS || since < TRIES_BEFORE_LATER {
            to.push((first, since));
        } else {
            to.extend(planned.singles.iter().map(with_tries));
        }
    }

    /// How many alerts of a class may be sent now, else when the next may.
    fn room(&mut self, class: Class, now: Monotonic) -> Result<usize, Monotonic> {
        let max = usize::from(self.config.max_per_hour);
        let state = &mut self.classes[class as usize];
        while state
            .sent_at
            .front()
            .is_some_and(|at| at.after(HOUR) <= now)
        {
            state.sent_at.pop_front();
        }
        let until = (state.sent_at.len() >= max)
            .then(|| state.sent_at[state.sent_at.len() - max].after(HOUR));
        if until.is_some() && !state.is_limited {
            log::warn!(
                "alerts: {} sent within an hour; the others wait and will be one (alerts.most_per_hour)",
                count(max, "notice")
            );
        }
        state.is_limited = until.is_some();
        until.map_or(Ok(max - state.sent_at.len()), Err)
    }

    fn send(&mut self, alert: &Alert, now: UtcMillis) -> Monotonic {
        // Its event has been deleted: there is nothing left to send.
        if alert.events.is_empty() && alert.facts.is_none() && alert.host_names.is_empty() {
            return self.record(alert, None);
        }
        let text = alert_text(alert, now, sys::utc_offset_at);
        log::debug!("alerts: {}", text.text);
        let result = run_command(
            &self.config.command,
            text.input(),
            self.config.timeout,
            &self.stop,
            Capture::Stderr,
        );
        match result {
            Ok(CommandRun {
                end: CommandEnd::Stopped,
                ..
            }) => sys::monotonic(),
            Ok(run) if run.is_success() => {
                if self.logged_failures > 0 {
                    log::info!(
                        "alerts.command: works again; it had failed {}",
                        count(self.logged_failures, "time")
                    );
                }
                self.logged_failures = 0;
                self.count_success(alert.class, sys::monotonic());
                self.record(alert, None)
            }
            Ok(run) => self.fail(alert, (run.end_text(), run.last_line()), ""),
            Err(error) => {
                let cure = "; correct it and send SIGHUP";
                self.fail(alert, (error.to_string(), String::new()), cure)
            }
        }
    }

    fn fail(&mut self, alert: &Alert, (end, output): (String, String), cure: &str) -> Monotonic {
        let program = self.config.command.first().map_or("", String::as_str);
        let end = format!("{program}: {end}");
        let is_logged = self.logged_failures > 0;
        if !is_logged && alert.tries < TRIES_BEFORE_OTHERS {
            let line = if output.is_empty() { "" } else { ": " };
            log::error!(
                "alerts.command: {end}{line}{output}{cure}; notices wait and are tried again"
            );
        }
        if is_logged || alert.tries < TRIES_BEFORE_OTHERS {
            self.logged_failures = self.logged_failures.saturating_add(1);
        }
        if alert.tries + 1 == TRIES_BEFORE_OTHERS {
            log::warn!(
                "alerts: a notice failed {TRIES_BEFORE_OTHERS} times; others are sent before it"
            );
        }
        self.count_failure(alert, sys::monotonic());
        self.record(alert, Some(SendFailure { end, output }))
    }

    fn count_success(&mut self, class: Class, now: Monotonic) {
        let state = &mut self.classes[class as usize];
        if std::mem::take(&mut state.failures) > 0 {
            // What failed with it may succeed with it.
            self.due.clear();
        }
        state.failed_at = None;
        state.sent_at.push_back(now);
    }

    fn count_failure(&mut self, alert: &Alert, now: Monotonic) {
        let state = &mut self.classes[alert.class as usize];
        state.failed_at = Some(now);
        state.failures = state.failures.saturating_add(1);
        self.due
            .insert(alert.ids[0], now.after(backoff(alert.tries)));
    }

    fn record(&mut self, alert: &Alert, failure: Option<SendFailure>) -> Monotonic {
        let result = NoticeResult {
            ids: alert.ids.clone(),
            at: sys::clocks().utc(),
            failure,
        };
        if result.failure.is_none() {
            self.history.sent = Some((alert.clone(), result.clone()));
        }
        self.give_to_writer(result)
    }

    /// Returns when to continue.
    fn give_to_writer(&mut self, result: NoticeResult) -> Monotonic {
        let now = sys::monotonic();
        if (self.deliver)(result.clone()) {
            return now.after(RECORDED_AFTER);
        }
        self.history.unrecorded = Some(result);
        now.after(READ_RETRY)
    }
}

enum Next {
    Send(Alert),
    /// Nothing before this.
    At(Monotonic),
}

/// How long a notice waits after a failure. `tries` is the number of its earlier failures.
fn backoff(tries: u32) -> Duration {
    FIRST_RETRY
        .saturating_mul(2u32.saturating_pow(tries))
        .min(MAX_RETRY)
}

#[cfg(test)]
mod tests;
