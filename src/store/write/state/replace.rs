//! Another file in place of one that was deleted, replaced, written over or damaged.

use std::time::Duration;

use super::{COMMIT_BUSY_TIMEOUT, WriterState};
use crate::store::damage;
use crate::store::error::StoreError;
use crate::store::write::database::FileState;
use crate::store::write::record::RunState;
use crate::sys;

/// A disk that damages every file at once is not filled with them.
const MIN_BETWEEN_DAMAGED_FILES: Duration = Duration::from_secs(3600);

impl WriterState {
    /// Where an error says that the file is damaged: goes on with a new one. Returns whether it did.
    pub(super) fn replace_damaged(&mut self, error: &StoreError) -> bool {
        let now = sys::clocks();
        let is_again = (self.replaced_at)
            .is_some_and(|at| now.monotonic.since(at) < MIN_BETWEEN_DAMAGED_FILES);
        if is_again || !damage::is_of_ours(error, self.database.path()) {
            return false;
        }
        let is_synchronised = sys::is_clock_synchronised();
        match (self.database).replace_damaged(error, now.utc(), is_synchronised) {
            Ok(()) => {
                self.replaced_at = Some(now.monotonic);
                self.database.set_busy_timeout(COMMIT_BUSY_TIMEOUT);
                true
            }
            Err(error) => {
                if !self.is_failing {
                    log::error!("{error}");
                }
                false
            }
        }
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
        self.database.reopen(now, sys::is_clock_synchronised())?;
        self.database.set_busy_timeout(COMMIT_BUSY_TIMEOUT);
        Ok(())
    }
}
