//! What the writer does about its file: keeps results while it cannot be written, opens it again,
//! and closes it.

use std::thread;
use std::time::Duration;

use super::database::FileState;
use super::record::RunState;
use super::state::{COMMIT_BUSY_TIMEOUT, RETRY, SOON, WriterState};
use crate::pure::phrase;
use crate::pure::time::Monotonic;
use crate::store::error::StoreError;
use crate::sys;

/// How soon a commit is tried again at the stop, when another program holds the database.
const LOCK_POLL: Duration = Duration::from_millis(50);

impl WriterState {
    /// Results are kept from now on. Only the first failure in a row is logged.
    pub(super) fn fail(&mut self, error: &StoreError) {
        if !self.is_failing {
            log::error!("{error}; results are kept in memory until it can be written");
        }
        (self.is_failing, self.is_locked) = (true, error.is_busy());
        let is_written_over = matches!(error, StoreError::WrittenOver { .. });
        self.flush_at = sys::monotonic().after(if is_written_over { SOON } else { RETRY });
    }

    pub(super) fn note_unwritten(&self) {
        self.backlog
            .set_unwritten(self.dropped + self.pending.len());
    }

    /// Opens another file where writes to the open one would be lost or damage it.
    pub(super) fn check_file(&mut self, run: RunState) -> Result<(), StoreError> {
        let path = self.database.path().display().to_string();
        let now = sys::clocks().utc();
        match self.database.file_state() {
            FileState::InUse => return Ok(()),
            FileState::Replaced if self.is_failing => {}
            FileState::Replaced => {
                log::error!("{path}: the file was deleted or replaced; opening this path again")
            }
            FileState::WrittenOver { is_complete } => {
                // A copy may be under way, but nothing waits at the stop.
                if !is_complete && run == RunState::Running {
                    return Err(StoreError::WrittenOver { path: path.into() });
                }
                let aside = self.database.set_aside(now)?;
                log::error!(
                    "{path}: another program wrote over this file; what it contains now is in {}, \
                     and a new file is begun",
                    aside.display()
                );
            }
        }
        self.database.reopen(now, sys::is_clock_synchronised())?;
        self.database.set_busy_timeout(COMMIT_BUSY_TIMEOUT);
        Ok(())
    }

    /// Commits for the last time; returns how many results are lost. What another program holds is
    /// waited for, since it ends soon as a rule; a full or broken disk is not.
    pub(super) fn close(mut self, until: Monotonic) -> u64 {
        self.flush(RunState::Stopped);
        if self.is_locked && !self.pending.is_empty() {
            let left = until.since(sys::monotonic());
            log::warn!(
                "{}: another program holds the database; {} to write: waiting up to {}",
                self.database.path().display(),
                phrase::count(self.pending.len(), "result"),
                phrase::duration(left)
            );
            while self.is_locked && sys::monotonic() < until {
                thread::sleep(LOCK_POLL);
                self.flush(RunState::Stopped);
            }
        }
        if self.is_failing {
            return (self.dropped + self.pending.len()) as u64;
        }
        self.database.set_busy_timeout(Duration::ZERO);
        self.database.checkpoint();
        0
    }
}
