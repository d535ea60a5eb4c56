//! What the writer does when the wall clock is set: pure/run_clock/ decides what that means for what
//! this run has recorded, write/clock.rs corrects it.

use std::time::Duration;

use super::WriterState;
use crate::pure::phrase;
use crate::pure::run_clock::{ClockStep, Correction, MIN_STEP_MS};
use crate::pure::scene::Scene;
use crate::pure::time::ClockSample;
use crate::store::error::StoreError;
use crate::store::write::record::RunState;

impl WriterState {
    /// When the clock was set since it was last read, decides what that means for what this run
    /// has recorded.
    pub(super) fn watch_clock(&mut self, now: &ClockSample) {
        let step_ms = now.set_since(&self.clocks) / 1_000_000;
        self.clocks = *now;
        let step = ClockStep {
            now: now.utc(),
            step_ms,
        };
        if step_ms.abs() >= MIN_STEP_MS {
            if !self.pending.is_empty() && !self.is_failing {
                // With the times of before the step, as what is recorded already.
                self.write(
                    self.database.run_clock.dated(step.before()),
                    RunState::Running,
                );
            }
            if step_ms < 0 && !self.is_failing {
                self.take_back_lead(&step);
            }
            let age = now.monotonic.since(self.started);
            let corrections = self.database.run_clock.step(&step, age);
            self.clock_set_at = now.monotonic;
            self.plan(step, corrections);
        } else if self.database.run_clock.is_unsettled() {
            let quiet = now.monotonic.since(self.clock_set_at);
            let is_synchronised = self.clock.is_synchronised();
            let run_clock = &mut self.database.run_clock;
            let corrections = run_clock.settle(now.utc(), is_synchronised, quiet);
            if !corrections.is_empty() {
                self.plan(ClockStep { step_ms: 0, ..step }, corrections);
            }
        }
    }

    fn take_back_lead(&mut self, step: &ClockStep) {
        if let Err(error) = self.database.take_back_lead(step) {
            log::warn!("{error}");
        }
    }

    fn plan(&mut self, step: ClockStep, corrections: Vec<Correction>) {
        for (times, by_ms) in corrections.iter().filter_map(Correction::moved) {
            self.pending
                .iter_mut()
                .for_each(|record| record.redate(&times, by_ms));
            let silences = self.removed.iter_mut().filter_map(|(_, at)| at.as_mut());
            silences
                .filter(|at| times.contains(&at.0))
                .for_each(|at| *at = at.plus(by_ms));
            if by_ms != 0 {
                // The scene's times are those of the old clock.
                self.scene = Scene::default();
            }
        }
        self.corrections.push_back((step, corrections));
        if !self.is_failing {
            self.flush_at = self.clock.monotonic();
        }
    }

    /// Corrects what is recorded.
    pub(super) fn correct(&mut self) -> Result<(), StoreError> {
        while let Some((step, corrections)) = self.corrections.front() {
            let moved = self.database.correct(step, corrections)?;
            let is_confirmed = corrections.contains(&Correction::Confirm);
            let seconds = step.step_ms.unsigned_abs().saturating_add(500) / 1000;
            let length = phrase::duration(Duration::from_secs(seconds));
            let what = match step.step_ms {
                0 => "the clock is believed, and what this run recorded was ahead".into(),
                1.. => format!("the clock was set forward by {length}"),
                _ => format!("the clock was set back by {length}"),
            };
            let result = if self.database.run_clock.is_set_back() {
                "results are dated as before until it is known which time is right".into()
            } else {
                format!("{} dated anew", phrase::count(moved, "check"))
            };
            if !is_confirmed {
                log::warn!("{what}, to {}; {result}", step.now.rfc3339());
            }
            self.corrections.pop_front();
        }
        Ok(())
    }
}
