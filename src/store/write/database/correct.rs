//! Corrects what is recorded when the wall clock is set.

use std::sync::Arc;

use rusqlite::TransactionBehavior;

use super::Database;
use crate::pure::run_clock::{ClockStep, Correction};
use crate::pure::time::UtcMillis;
use crate::store::error::StoreError;
use crate::store::write::{clock, runs};

impl Database {
    /// The clock of this run was set back: what earlier runs dated too late, since
    /// theirs had been set ahead, moves back.
    pub fn take_back_lead(&mut self, step: &ClockStep) -> Result<(), StoreError> {
        let (run_id, started) = (self.run_id, self.run_clock.started());
        let clock = Arc::clone(&self.clock);
        let mut write = || -> rusqlite::Result<Option<UtcMillis>> {
            let transaction = self
                .connection
                .transaction_with_behavior(TransactionBehavior::Immediate)?;
            clock::take_back_lead(&transaction, &*clock, step.now, Some(-step.step_ms), run_id)?;
            self.levels.forget();
            let newest = clock::newest_on_record(&transaction, Some(started))?;
            self.totals.store_all(&transaction)?;
            transaction.commit()?;
            self.totals.note_stored();
            Ok(newest)
        };
        let newest = write().map_err(|cause| self.failed("writing", cause))?;
        self.run_clock.set_newest_before(newest);
        self.has_urgent = true;
        Ok(())
    }

    /// Corrects the times of what was recorded while the clock was wrong, as [`RunClock::step`]
    /// decided; returns how many checks.
    pub fn correct(
        &mut self,
        step: &ClockStep,
        corrections: &[Correction],
    ) -> Result<usize, StoreError> {
        let run_id = self.run_id;
        let clock = Arc::clone(&self.clock);
        let mut write = || -> rusqlite::Result<usize> {
            let transaction = self
                .connection
                .transaction_with_behavior(TransactionBehavior::Immediate)?;
            let moved = clock::apply(&transaction, step, corrections, run_id)?;
            self.levels.forget();
            let is_of_whole_run = corrections.iter().any(Correction::is_of_whole_run);
            if let (true, Some(run_id)) = (is_of_whole_run, run_id) {
                runs::correct_others(&transaction, &*clock, step, run_id)?;
            }
            self.totals.store_all(&transaction)?;
            transaction.commit()?;
            self.totals.note_stored();
            Ok(moved)
        };
        let moved = write().map_err(|cause| self.failed("writing", cause))?;
        self.has_urgent = true;
        Ok(moved)
    }
}
