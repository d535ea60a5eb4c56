//! One thread that sends the waiting notices of the database as alerts: it runs the user's command
//! for one after the other, and runs it again where it failed. It only reads the database; the
//! writer records the results. config.yaml documents which notices there are.

mod command;
mod sentence;
mod summary;
mod text;

use std::collections::VecDeque;
use std::io;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::config::AlertsConfig;
use crate::pure::model::AlertKind;
use crate::pure::phrase::count;
use crate::pure::time::{Monotonic, UtcMillis, nanoseconds};
use crate::stop::Stop;
use crate::store::{Notice, NoticeResult, Reader, StoreError};
use crate::sys;

pub use command::{Capture, CommandEnd, CommandRun, run_command};
pub use text::{AlertText, alert_text};

/// The running thread.
pub struct Alerts {
    stop: Stop,
    waker: SyncSender<()>,
    thread: JoinHandle<AlertHistory>,
}

/// What the next thread must know when the configuration changes and the thread is replaced.
#[derive(Clone, Copy, Debug, Default)]
pub struct AlertHistory {
    /// ID and creation time of the notice that was sent last. The writer may not have recorded that
    /// yet.
    sent: Option<(i64, UtcMillis)>,
    /// A result that the writer has not accepted yet.
    unrecorded: Option<NoticeResult>,
}

/// How long after its beginning an outage is reported: by then its cause is known.
const CAUSE_KNOWN_AFTER: Duration = Duration::from_secs(2);
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
        database: PathBuf,
        history: AlertHistory,
        deliver: impl Fn(NoticeResult) -> bool + Send + 'static,
    ) -> io::Result<Alerts> {
        let stop = Stop::new()?;
        let (waker, woken) = sync_channel(1);
        let state = AlertsState {
            config,
            database,
            deliver,
            stop: stop.clone(),
            next: None,
            history,
            sent_at: Default::default(),
            failures: 0,
            cannot_read: false,
            is_limited: false,
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
    database: PathBuf,
    deliver: S,
    stop: Stop,
    next: Option<NextNotice>,
    history: AlertHistory,
    /// When notices were sent within the last hour: those about loss are counted by themselves,
    /// so that they delay no other.
    sent_at: [VecDeque<Monotonic>; 2],
    /// How often in a row the command failed.
    failures: u32,
    /// Whether the last attempt to read the database failed, which is logged once.
    cannot_read: bool,
    is_limited: bool,
}

/// The notice that is sent next.
struct NextNotice {
    id: i64,
    tries: u32,
    due: Monotonic,
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
            reader.map_or(Ok(Vec::new()), |reader| reader.notices_sent_since(since))
        });
        let ago = |at: UtcMillis| Monotonic(now.0 - (clock.0 - at.0).max(0) * 1_000_000);
        for (at, is_loss) in sent_at.unwrap_or_default() {
            if at <= clock {
                self.sent_at[usize::from(is_loss)].push_back(ago(at));
            }
        }
    }

    /// Sends a notice if one is due. Returns when to continue.
    fn step(&mut self) -> Monotonic {
        let now = sys::monotonic();
        if let Some(result) = self.history.unrecorded.take()
            && !(self.deliver)(result)
        {
            self.history.unrecorded = Some(result);
            return now.after(READ_RETRY);
        }
        let notice = match self.next_notice() {
            Ok(Some(notice)) => notice,
            Ok(None) => return now.after(POLL_INTERVAL),
            Err(error) => {
                if !std::mem::replace(&mut self.cannot_read, true) {
                    log::error!("alerts: {error}");
                }
                return now.after(READ_RETRY);
            }
        };
        self.cannot_read = false;
        if self.history.sent == Some((notice.id, notice.made_at)) {
            return now.after(RECORDED_AFTER);
        }
        let due = match &self.next {
            Some(next) if next.id == notice.id => next.due,
            _ => self.first_due(&notice, now),
        };
        match self.limited_until(notice.kind, now) {
            _ if due > now => due,
            Some(until) => until,
            None => self.send(&notice),
        }
    }

    fn next_notice(&self) -> Result<Option<Notice>, StoreError> {
        // Opened each time: this is rare, and the file may have been replaced.
        Reader::open_current(&self.database)?.map_or(Ok(None), |reader| reader.next_notice())
    }

    /// When to send a notice that this thread has not tried yet: at once, unless its cause may not
    /// be known yet.
    fn first_due(&mut self, notice: &Notice, now: Monotonic) -> Monotonic {
        let is_beginning = matches!(notice.kind, AlertKind::Down | AlertKind::Incident);
        let age = sys::clocks().utc().0 - notice.made_at.0;
        let wait = match u64::try_from(age) {
            _ if !is_beginning => Duration::ZERO,
            Ok(age_ms) => CAUSE_KNOWN_AFTER.saturating_sub(Duration::from_millis(age_ms)),
            // The clock was set back.
            Err(_) => CAUSE_KNOWN_AFTER,
        };
        let due = now.after(wait);
        self.next = Some(NextNotice {
            id: notice.id,
            tries: notice.tries,
            due,
        });
        due
    }

    /// When the limit per hour allows the next notice; `None` where it does now.
    fn limited_until(&mut self, kind: AlertKind, now: Monotonic) -> Option<Monotonic> {
        let sent_at = &mut self.sent_at[usize::from(kind == AlertKind::Loss)];
        while sent_at.front().is_some_and(|at| at.after(HOUR) <= now) {
            sent_at.pop_front();
        }
        let max = usize::from(self.config.max_per_hour);
        let until = (sent_at.len() >= max).then(|| sent_at[sent_at.len() - max].after(HOUR));
        if until.is_some() && !self.is_limited {
            log::warn!(
                "alerts: {} sent within an hour; the others wait (alerts.most_per_hour)",
                count(max, "notice")
            );
        }
        self.is_limited = until.is_some();
        until
    }

    fn send(&mut self, notice: &Notice) -> Monotonic {
        // Its event has been deleted: there is nothing left to send.
        if notice.events.is_empty() && notice.facts.is_none() {
            return self.record(notice, Some(sys::clocks().utc()));
        }
        let alert = alert_text(notice, sys::clocks().utc(), sys::utc_offset_at);
        log::debug!("alerts: {}", alert.text);
        let result = run_command(
            &self.config.command,
            &alert,
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
                if self.failures > 0 {
                    log::info!(
                        "alerts.command: works again; it had failed {}",
                        count(self.failures, "time")
                    );
                }
                self.failures = 0;
                self.sent_at[usize::from(notice.kind == AlertKind::Loss)]
                    .push_back(sys::monotonic());
                self.record(notice, Some(sys::clocks().utc()))
            }
            Ok(run) => self.fail(notice, &run.summary(), ""),
            Err(error) => self.fail(notice, &error.to_string(), "; correct it and send SIGHUP"),
        }
    }

    fn fail(&mut self, notice: &Notice, reason: &str, cure: &str) -> Monotonic {
        if self.failures == 0 {
            let program = self.config.command.first().map_or("", String::as_str);
            log::error!(
                "alerts.command: {program}: {reason}{cure}; notices wait and are tried again"
            );
        }
        self.failures = self.failures.saturating_add(1);
        let tries = self.next.as_ref().map_or(0, |next| next.tries);
        let due = sys::monotonic().after(backoff(tries));
        self.next = Some(NextNotice {
            id: notice.id,
            tries: tries.saturating_add(1),
            due,
        });
        self.record(notice, None);
        due
    }

    fn record(&mut self, notice: &Notice, sent_at: Option<UtcMillis>) -> Monotonic {
        let result = NoticeResult {
            id: notice.id,
            sent_at,
        };
        if sent_at.is_some() {
            self.history.sent = Some((notice.id, notice.made_at));
        }
        if !(self.deliver)(result) {
            self.history.unrecorded = Some(result);
        }
        sys::monotonic().after(RECORDED_AFTER)
    }
}

/// How long a notice waits after a failure. `tries` is the number of its earlier failures.
fn backoff(tries: u32) -> Duration {
    FIRST_RETRY
        .saturating_mul(2u32.saturating_pow(tries))
        .min(MAX_RETRY)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attempts_are_further_and_further_apart_up_to_ten_minutes() {
        let waits: Vec<u64> = [0, 1, 2, 9, 10, 1000]
            .into_iter()
            .map(|tries| backoff(tries).as_secs())
            .collect();
        assert_eq!(waits, [1, 2, 4, 512, 600, 600]);
    }
}
