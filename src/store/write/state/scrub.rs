//! When the database is scrubbed: a small step every few seconds, all of it once a week.

use std::time::Duration;

use super::WriterState;
use crate::store::write::scrub::Scrub;

/// Not while the first checks run.
pub(super) const FIRST_SCRUB: Duration = Duration::from_secs(600);

/// Between two steps of some milliseconds each: of the largest databases, with 500 hosts, all is
/// read within a day.
const PAUSE: Duration = Duration::from_secs(10);

/// From the end of one scrub to the begin of the next.
const SCRUB_EVERY: Duration = Duration::from_secs(7 * 86_400);

impl WriterState {
    pub(super) fn scrub(&mut self) {
        let mut pause = PAUSE;
        if !self.is_failing && self.scrub_step() {
            self.scrub = Scrub::default();
            pause = SCRUB_EVERY;
        }
        self.scrub_at = self.clock.monotonic().after(pause);
    }

    /// Returns whether a scrub has ended and its result is recorded.
    fn scrub_step(&mut self) -> bool {
        let now = self.now();
        let recorded = match self.database.scrub(&mut self.scrub) {
            Ok(false) => return false,
            Ok(true) => self.database.record_scrub(&self.scrub, now),
            Err(error) => Err(error),
        };
        match recorded {
            Ok(Some(sentence)) => log::error!("{sentence}"),
            Ok(None) => log::debug!("{}: scrubbed", self.database.path().display()),
            Err(error) => {
                log::debug!("{error}");
                return false;
            }
        }
        true
    }
}
