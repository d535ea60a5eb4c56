//! One thread that sends the waiting notices of the database as alerts: it runs the user's command
//! for one after the other, and runs it again where it failed. It only reads the database; the
//! writer records the results. config.yaml documents which notices there are, plan.rs which of
//! them make one alert.

mod command;
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

use crate::config::AlertsConfig;
use crate::pure::incident::GroupingRules;
use crate::pure::phrase::count;
use crate::pure::time::{Monotonic, UtcMillis, nanoseconds};
use crate::stop::Stop;
use crate::store::{Notice, NoticeResult, Reader, SendFailure, StoreError};
use crate::sys;

pub use command::{Capture, CommandEnd, CommandRun, run_command};
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
    /// What was sent last. The writer may not have recorded that yet.
    sent: Option<Alert>,
    /// A result that the writer has not accepted yet.
    unrecorded: Option<NoticeResult>,
}

/// The time between two attempts, doubled after each failure.
const FIRST_RETRY: Duration = Duration::from_secs(1);
const MAX_RETRY: Duration = Duration::from_secs(600);
/// How often the database is read without being woken: another process may write notices, too.
const POLL_INTERVAL: Duration = Duration::from_secs(60);
const READ_RETRY: Duration = Duration::from_secs(10);
/// How soon to read the database again after a result was given to the writer.
const RECORDED_AFTER: Duration = Duration::from_millis(100);
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
    /// How often in a row the command failed.
    failures: u32,
    /// Not before this.
    retry_at: Option<Monotonic>,
    is_limited: bool,
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

    /// Notices that were sent before a restart count for the limit per hour.
    fn count_recently_sent(&mut self) {
        let (now, clock) = (sys::monotonic(), sys::clocks().utc());
        let since = UtcMillis(clock.0 - nanoseconds(HOUR) / 1_000_000);
        let sent_at = Reader::open_current(&self.database).and_then(|reader| {
            reader.map_or(Ok(Vec::new()), |reader| reader.alerts_sent_since(since))
        });
        let ago = |at: UtcMillis| Monotonic(now.0 - (clock.0 - at.0).max(0) * 1_000_000);
        for (at, is_quality) in sent_at.unwrap_or_default() {
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
            let kept = result.clone();
            if !(self.deliver)(result) {
                self.history.unrecorded = Some(kept);
                return now.after(READ_RETRY);
            }
        }
        let clock = sys::clocks().utc();
        let notices = match self.notices(clock) {
            Ok(notices) => notices,
            Err(error) => {
                if !std::mem::replace(&mut self.cannot_read, true) {
                    log::error!("alerts: {error}");
                }
                return now.after(READ_RETRY);
            }
        };
        self.cannot_read = false;
        if let Some(sent) = &self.history.sent
            && notices.iter().any(|notice| sent.has_waiting(notice))
        {
            return now.after(RECORDED_AFTER);
        }
        self.due
            .retain(|id, _| notices.iter().any(|notice| notice.id == *id));
        let planned = plan::plan(&notices, &self.grouping, clock);
        match self.next(&planned, now, clock) {
            Next::At(at) => at,
            Next::Send(alert) => self.send(&alert),
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

    fn notices(&self, now: UtcMillis) -> Result<Vec<Notice>, StoreError> {
        let since = UtcMillis(now.0 - plan::history_ms(&self.grouping));
        // Opened each time: this is rare, and the file may have been replaced.
        Reader::open_current(&self.database)?.map_or(Ok(Vec::new()), |reader| reader.notices(since))
    }

    /// The alert of a class that is sent next.
    fn next_of<'p>(
        &mut self,
        class: Class,
        planned: &'p [Planned],
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
        let state = &self.classes[class as usize];
        if let Some(at) = state.retry_at.filter(|at| *at > now) {
            return Next::At(held.min(at));
        }
        let alerts: Vec<&Alert> = ready.iter().map(|planned| &planned.alert).collect();
        let tries_of_all = alerts.iter().map(|alert| alert.tries).min().unwrap_or(0);
        // A command that refuses digests gets every other time a single notice.
        let is_refused = tries_of_all >= TRIES_BEFORE_OTHERS && state.failures % 2 == 1;
        if ready.len() > room && !is_refused {
            return digest(&alerts).map_or(Next::At(held), Next::Send);
        }
        let delay = |alert: &Alert| (alert.tries + 1).saturating_sub(TRIES_BEFORE_OTHERS);
        let due = |alert: &Alert| {
            let due = self.due.get(&alert.ids[0]).copied();
            due.filter(|due| delay(alert) > 0 && *due > now)
        };
        let one = |planned: &&'p Planned| planned.first.as_ref().unwrap_or(&planned.alert);
        let mut in_order: Vec<&Alert> = ready.iter().map(one).collect();
        in_order.sort_by_key(|alert| (due(alert), delay(alert)));
        match due(in_order[0]) {
            Some(at) => Next::At(held.min(at)),
            None => Next::Send(in_order[0].clone()),
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

    fn send(&mut self, alert: &Alert) -> Monotonic {
        // Its event has been deleted: there is nothing left to send.
        if alert.events.is_empty() && alert.facts.is_none() && alert.host_names.is_empty() {
            return self.record(alert, None);
        }
        let text = alert_text(alert, sys::clocks().utc(), sys::utc_offset_at);
        log::debug!("alerts: {}", text.text);
        let result = run_command(
            &self.config.command,
            &text,
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
                let state = &mut self.classes[alert.class as usize];
                if std::mem::take(&mut state.failures) > 0 {
                    // What failed with it may succeed with it.
                    self.due.clear();
                }
                state.retry_at = None;
                state.sent_at.push_back(sys::monotonic());
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
        let state = &mut self.classes[alert.class as usize];
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
        let now = sys::monotonic();
        state.retry_at = Some(now.after(backoff(state.failures)));
        state.failures = state.failures.saturating_add(1);
        if alert.tries + 1 == TRIES_BEFORE_OTHERS {
            log::warn!(
                "alerts: a notice failed {TRIES_BEFORE_OTHERS} times; others are sent before it"
            );
        }
        self.due
            .insert(alert.ids[0], now.after(backoff(alert.tries)));
        self.record(alert, Some(SendFailure { end, output }))
    }

    fn record(&mut self, alert: &Alert, failure: Option<SendFailure>) -> Monotonic {
        if failure.is_none() {
            self.history.sent = Some(alert.clone());
        }
        let result = NoticeResult {
            ids: alert.ids.clone(),
            at: sys::clocks().utc(),
            failure,
        };
        if !(self.deliver)(result.clone()) {
            self.history.unrecorded = Some(result);
        }
        sys::monotonic().after(RECORDED_AFTER)
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
