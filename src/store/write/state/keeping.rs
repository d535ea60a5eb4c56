//! What the writer does about its file: keeps results while it cannot be written, opens it again,
//! makes what is committed safe from a power cut, and closes it.

use std::thread;
use std::time::Duration;

use super::{RETRY, SOON, WriterState};
use crate::pure::phrase;
use crate::pure::run_clock::skips_in_force;
use crate::pure::time::Monotonic;
use crate::store::error::StoreError;
use crate::store::presence::MonitorLock;
use crate::store::write::database::FileState;
use crate::store::write::record::RunState;

/// How soon a commit is tried again at the stop, when another program holds the database.
const LOCK_POLL: Duration = Duration::from_millis(50);

impl WriterState {
    /// Results are kept from now on. Only the first failure in a row is logged.
    pub(in crate::store::write) fn fail(&mut self, error: &StoreError) {
        if !self.is_failing {
            log::error!("{error}; results are kept in memory until it can be written");
        }
        (self.is_failing, self.is_locked) = (true, error.is_busy());
        self.database.totals.counters.note_write_failure();
        self.backlog.set_failure(Some(error.to_string()));
        let is_written_over = matches!(error, StoreError::WrittenOver { .. });
        self.flush_at = self
            .clock
            .monotonic()
            .after(if is_written_over { SOON } else { RETRY });
    }

    pub(super) fn note_unwritten(&self) {
        self.backlog
            .set_unwritten(self.dropped + self.pending.len(), self.dropped);
    }

    /// Opens another file where writes to the open one would be lost or damage it.
    pub(super) fn check_file(&mut self, run: RunState) -> Result<(), StoreError> {
        let path = self.database.path().display().to_string();
        let now = self.clock.clocks().utc();
        match self.database.file_state() {
            FileState::InUse => return Ok(()),
            FileState::Replaced if self.is_failing => {}
            FileState::Replaced => {
                log::error!("{path}: the file was deleted or replaced; opening this path again")
            }
            FileState::WrittenOver {
                is_complete,
                damage,
            } => {
                // A copy may be under way, but nothing waits at the stop.
                if !is_complete && run == RunState::Running {
                    return Err(StoreError::WrittenOver { path: path.into() });
                }
                if let Some(what) = damage {
                    let path = path.into();
                    return Err(StoreError::Damaged { path, what });
                }
                let aside = self.database.set_aside(now)?;
                log::error!(
                    "{path}: another program wrote over this file; what it contains now is in {}, \
                     and a new file is begun",
                    aside.display()
                );
            }
        }
        let had_begun = self.database.has_begun();
        self.database.reopen(now, self.clock.is_synchronised())?;
        self.database.set_busy_timeout(self.commit_wait);
        if !had_begun {
            self.join_record();
        }
        Ok(())
    }

    /// When a run that began without a file has opened it: what is kept was dated without the
    /// record, and what steps of the clock have moved is not in the file yet.
    fn join_record(&mut self) {
        if self.lock.is_none() {
            self.lock = MonitorLock::hold(self.database.path());
        }
        let behind_ms = self.database.run_clock.behind_ms();
        self.pending
            .iter_mut()
            .for_each(|record| record.shift(behind_ms));
        // What was kept was moved already, and nothing of before this run moves.
        let left = skips_in_force(self.corrections.drain(..), behind_ms);
        self.corrections.extend(left);
    }

    /// Makes what is committed safe from a power cut: an event at once, a result within the
    /// configured time since it came. Not at each commit, of which there are many while the page is
    /// open: each would have the disk write at once.
    pub(super) fn sync_if_due(&mut self, now: Monotonic) {
        let flush = self.settings.flush;
        let due = self
            .unsynced_since
            .map(|since| since.after(flush).min(self.last_sync.after(flush)));
        if self.database.take_urgent() || due.is_some_and(|due| due <= now) {
            self.sync(now);
        } else if let Some(since) = self.unsynced_since {
            self.flush_at = self.flush_at.min(since.after(flush));
        }
    }

    fn sync(&mut self, now: Monotonic) {
        (self.last_sync, self.unsynced_since) = (now, None);
        if let Err(error) = self.database.sync() {
            log::warn!(
                "{}: {error}: the newest results may be lost if the power fails",
                self.database.path().display()
            );
        }
        self.database.totals.publish();
    }

    /// Commits for the last time; returns how many results are lost. What another program holds is
    /// waited for, since it ends soon as a rule; a full or broken disk is not.
    pub fn close(mut self, until: Monotonic) -> u64 {
        self.flush(RunState::Stopped);
        if self.is_locked && !self.pending.is_empty() {
            let left = until.since(self.clock.monotonic());
            log::warn!(
                "{}: another program holds the database; {} to write: waiting up to {}",
                self.database.path().display(),
                phrase::count(self.pending.len(), "result"),
                phrase::duration(left)
            );
            while self.is_locked && self.clock.monotonic() < until {
                thread::sleep(LOCK_POLL);
                self.flush(RunState::Stopped);
            }
        }
        if self.is_failing {
            return (self.dropped + self.pending.len()) as u64;
        }
        // A reader may keep the log from being moved into the file.
        let now = self.clock.monotonic();
        self.sync(now);
        self.database.set_busy_timeout(Duration::ZERO);
        self.database.checkpoint();
        0
    }
}
