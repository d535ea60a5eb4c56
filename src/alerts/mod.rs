//! One thread that tells the notices that wait in the database, one after the other, by running a
//! program for each until it has done so. It reads the database by itself and writes nothing: what
//! came of a notice is handed to the store. What is told when is documented in config.yaml.

mod command;
mod telling;

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

pub use command::{AlertResult, End, Run, run};
pub use telling::{AlertText, tell};

/// The running thread.
pub struct Alerts {
    stop: Stop,
    bell: SyncSender<()>,
    thread: JoinHandle<AlertHistory>,
}

/// What one thread leaves to the next.
#[derive(Clone, Copy, Debug, Default)]
pub struct AlertHistory {
    /// The notice that was told last, by its id and when it was made: the store may not have
    /// written that yet.
    settled: Option<(i64, UtcMillis)>,
    /// What the store did not take yet.
    owed: Option<NoticeResult>,
}

/// How soon after it was written the beginning of an outage is told: its cause is known by then.
const CAUSE_KNOWN_AFTER: Duration = Duration::from_secs(2);
/// From one try to the next: doubled each time, from the one to the other.
const FIRST_RETRY: Duration = Duration::from_secs(1);
const MAX_RETRY: Duration = Duration::from_secs(600);
/// How often it is looked for notices that another process has written, which rings no bell.
const LOOK_EVERY: Duration = Duration::from_secs(60);
/// How soon a database that could not be read is tried again.
const READ_RETRY: Duration = Duration::from_secs(10);
/// How soon it is looked again whether the store has written what it was handed.
const WRITTEN_SOON: Duration = Duration::from_millis(100);
/// `most_per_hour` is over this.
const HOUR: Duration = Duration::from_secs(3600);
/// SQLite asks for some 20 kB; the rest is address space.
const STACK_BYTES: usize = 256 * 1024;

impl Alerts {
    /// Starts telling what waits in a database. `settle` hands what came of a notice to the store;
    /// `false` when that does not take it now.
    pub fn start(
        config: AlertsConfig,
        database: PathBuf,
        memory: AlertHistory,
        settle: impl Fn(NoticeResult) -> bool + Send + 'static,
    ) -> io::Result<Alerts> {
        let stop = Stop::new()?;
        let (bell, rung) = sync_channel(1);
        let teller = AlertsState {
            config,
            database,
            settle,
            stop: stop.clone(),
            head: None,
            memory,
            told: VecDeque::new(),
            failures: 0,
            is_blind: false,
            is_limited: false,
        };
        let work = move || teller.work(&rung);
        let thread = thread::Builder::new()
            .name("alerts".into())
            .stack_size(STACK_BYTES)
            .spawn(work)?;
        Ok(Alerts { stop, bell, thread })
    }

    /// What is to be rung when there is something to tell.
    pub fn bell(&self) -> SyncSender<()> {
        self.bell.clone()
    }

    /// Ends it within a second. A program that runs is killed, and its notice stays. Returns what
    /// the next one must know.
    pub fn stop(self) -> AlertHistory {
        self.stop.raise();
        // Where the bell rings already it is awake.
        let _ = self.bell.try_send(());
        self.thread.join().unwrap_or_default()
    }
}

/// What the thread works with.
struct AlertsState<S> {
    config: AlertsConfig,
    database: PathBuf,
    settle: S,
    stop: Stop,
    /// The notice that is told next.
    head: Option<Head>,
    memory: AlertHistory,
    /// When notices were told within the last hour.
    told: VecDeque<Monotonic>,
    /// How often in a row the program failed.
    failures: u32,
    is_blind: bool,
    is_limited: bool,
}

struct Head {
    id: i64,
    tries: u32,
    due: Monotonic,
}

impl<S: Fn(NoticeResult) -> bool> AlertsState<S> {
    fn work(mut self, rung: &Receiver<()>) -> AlertHistory {
        self.recall();
        while !self.stop.is_raised() {
            let until = self.step();
            // However it ends, it is looked again.
            let _ = rung.recv_timeout(until.since(sys::monotonic()));
        }
        self.memory
    }

    /// What was told within the last hour before a restart counts too.
    fn recall(&mut self) {
        let (now, clock) = (sys::monotonic(), sys::clocks().utc());
        let since = UtcMillis(clock.0 - nanoseconds(HOUR) / 1_000_000);
        let told = Reader::open_current(&self.database).and_then(|reader| {
            reader.map_or(Ok(Vec::new()), |reader| reader.notices_told_since(since))
        });
        let ago = |at: &UtcMillis| Monotonic(now.0 - (clock.0 - at.0).max(0) * 1_000_000);
        self.told = told
            .unwrap_or_default()
            .iter()
            .filter(|at| **at <= clock)
            .map(ago)
            .collect();
    }

    /// Does what there is to do, and says when to look again.
    fn step(&mut self) -> Monotonic {
        let now = sys::monotonic();
        if let Some(fate) = self.memory.owed.take()
            && !(self.settle)(fate)
        {
            self.memory.owed = Some(fate);
            return now.after(READ_RETRY);
        }
        let notice = match self.next_notice() {
            Ok(Some(notice)) => notice,
            Ok(None) => return now.after(LOOK_EVERY),
            Err(error) => {
                if !std::mem::replace(&mut self.is_blind, true) {
                    log::error!("alerts: {error}");
                }
                return now.after(READ_RETRY);
            }
        };
        self.is_blind = false;
        if self.memory.settled == Some((notice.id, notice.made_at)) {
            return now.after(WRITTEN_SOON);
        }
        let due = match &self.head {
            Some(head) if head.id == notice.id => head.due,
            _ => self.take_up(&notice, now),
        };
        match self.free_at(now) {
            _ if due > now => due,
            Some(free_at) => free_at,
            None => self.deliver(&notice),
        }
    }

    fn next_notice(&self) -> Result<Option<Notice>, StoreError> {
        // Opened afresh each time: the file may be another by now, and most of the time nobody
        // asks.
        Reader::open_current(&self.database)?.map_or(Ok(None), |reader| reader.next_notice())
    }

    /// A notice that nobody has tried since this thread runs: due at once, unless its cause may not
    /// be known yet.
    fn take_up(&mut self, notice: &Notice, now: Monotonic) -> Monotonic {
        let is_beginning = matches!(notice.kind, AlertKind::Down | AlertKind::Incident);
        let age = sys::clocks().utc().0 - notice.made_at.0;
        let wait = match u64::try_from(age) {
            _ if !is_beginning => Duration::ZERO,
            Ok(age_ms) => CAUSE_KNOWN_AFTER.saturating_sub(Duration::from_millis(age_ms)),
            // The clock was set back.
            Err(_) => CAUSE_KNOWN_AFTER,
        };
        let due = now.after(wait);
        self.head = Some(Head {
            id: notice.id,
            tries: notice.tries,
            due,
        });
        due
    }

    /// When the next may be told, where so many were told within an hour that it must wait.
    fn free_at(&mut self, now: Monotonic) -> Option<Monotonic> {
        while self.told.front().is_some_and(|at| at.after(HOUR) <= now) {
            self.told.pop_front();
        }
        let most = usize::from(self.config.most_per_hour);
        let free_at =
            (self.told.len() >= most).then(|| self.told[self.told.len() - most].after(HOUR));
        if free_at.is_some() && !self.is_limited {
            log::warn!(
                "alerts: {} sent within an hour; the others wait (alerts.most_per_hour)",
                count(most, "notice")
            );
        }
        self.is_limited = free_at.is_some();
        free_at
    }

    fn deliver(&mut self, notice: &Notice) -> Monotonic {
        // What it was about somebody has deleted meanwhile.
        if notice.events.is_empty() && notice.facts.is_none() {
            return self.note(notice, Some(sys::clocks().utc()));
        }
        let telling = tell(notice, sys::clocks().utc(), sys::utc_offset_at);
        log::debug!("alerts: {}", telling.text);
        let result = run(
            &self.config.command,
            &telling,
            self.config.timeout,
            &self.stop,
            AlertResult::Complaints,
        );
        match result {
            Ok(Run {
                end: End::Stopped, ..
            }) => sys::monotonic(),
            Ok(run) if run.is_success() => {
                if self.failures > 0 {
                    log::info!(
                        "alerts.command: works again; it had failed {}",
                        count(self.failures, "time")
                    );
                }
                self.failures = 0;
                self.told.push_back(sys::monotonic());
                self.note(notice, Some(sys::clocks().utc()))
            }
            Ok(run) => self.fail(notice, &run.account(), ""),
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
        let tries = self.head.as_ref().map_or(0, |head| head.tries);
        let due = sys::monotonic().after(backoff(tries));
        self.head = Some(Head {
            id: notice.id,
            tries: tries.saturating_add(1),
            due,
        });
        self.note(notice, None);
        due
    }

    fn note(&mut self, notice: &Notice, told_at: Option<UtcMillis>) -> Monotonic {
        let fate = NoticeResult {
            id: notice.id,
            told_at,
        };
        if told_at.is_some() {
            self.memory.settled = Some((notice.id, notice.made_at));
        }
        if !(self.settle)(fate) {
            self.memory.owed = Some(fate);
        }
        sys::monotonic().after(WRITTEN_SOON)
    }
}

/// How long a notice waits that failed so often before and now once more.
fn backoff(tries: u32) -> Duration {
    FIRST_RETRY
        .saturating_mul(2u32.saturating_pow(tries))
        .min(MAX_RETRY)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tries_lie_further_and_further_apart_up_to_ten_minutes() {
        let waits: Vec<u64> = [0, 1, 2, 9, 10, 1000]
            .into_iter()
            .map(|tries| backoff(tries).as_secs())
            .collect();
        assert_eq!(waits, [1, 2, 4, 512, 600, 600]);
    }
}
