//! Another file in place of one that is damaged.

use std::time::Duration;

use super::WriterState;
use crate::store::damage;
use crate::store::error::StoreError;

/// A disk that damages every file at once is not filled with them.
const MIN_BETWEEN_DAMAGED_FILES: Duration = Duration::from_secs(3600);

impl WriterState {
    /// Where an error says that the file is damaged: goes on with a new one. Returns whether it did.
    pub(super) fn replace_damaged(&mut self, error: &StoreError) -> bool {
        let now = self.clock.clocks();
        let is_again = (self.replaced_at)
            .is_some_and(|at| now.monotonic.since(at) < MIN_BETWEEN_DAMAGED_FILES);
        if is_again || !damage::is_of_ours(error, self.database.path()) {
            return false;
        }
        let is_synchronised = self.clock.is_synchronised();
        match (self.database).replace_damaged(error, now.utc(), is_synchronised) {
            Ok(()) => {
                self.replaced_at = Some(now.monotonic);
                self.database.set_busy_timeout(self.commit_wait);
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
}
