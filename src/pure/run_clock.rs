//! What the wall clock of this run is worth. A computer without a battery-backed clock starts with
//! an old time, and a time service corrects it later: what was recorded until then must move with
//! the correction, and nothing else. Until the correction a run whose clock is behind the record is
//! dated right after the record: it is later than all that was recorded before.

use std::ops::RangeInclusive;

use crate::pure::time::{IMPLAUSIBLE_BEFORE, UtcMillis};

/// A smaller change is an adjustment, not a step.
pub const MIN_STEP_MS: i64 = 2_000;

/// A step that undoes another may differ by the drift of the clock in between.
pub const SAME_STEP_MS: u64 = 60_000;

/// A change of the wall clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClockStep {
    /// The time that the clock shows after it.
    pub now: UtcMillis,
    /// Negative when it was set back.
    pub step_ms: i64,
}

impl ClockStep {
    /// The clock's time just before.
    pub fn before(&self) -> UtcMillis {
        self.now.plus(-self.step_ms)
    }

    /// Whether it takes back an earlier step of so many milliseconds.
    pub fn undoes(&self, earlier_ms: i64) -> bool {
        earlier_ms.saturating_add(self.step_ms).unsigned_abs() <= SAME_STEP_MS
    }
}

/// What a step means for what this run has recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Correction {
    /// Nothing changes: the clock is still behind the record.
    Nothing,
    /// These times were taken from a wrong clock and move by so many milliseconds.
    Redate {
        times: RangeInclusive<i64>,
        by_ms: i64,
        why: Why,
    },
    /// The clock was right and skipped time: what was recorded since `from` stays.
    Skip { from: UtcMillis },
    /// The clock was set back for a while, which moved some results of this run; they return.
    /// `since` is when it was set back, by that clock.
    Restore { since: UtcMillis, step_ms: i64 },
}

impl Correction {
    /// Whether it corrects what was recorded by a clock that was never right.
    pub fn is_of_whole_run(&self) -> bool {
        matches!(
            self,
            Correction::Redate {
                why: Why::Behind | Why::Unsynchronised,
                ..
            }
        )
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// The run began before the newest result on record, or before 2020.
    Behind,
    /// No time service had set the clock when the run began.
    Unsynchronised,
    /// These times lie in the future.
    SetBack,
    /// An earlier step, of so many milliseconds, is taken back.
    Undone(i64),
}

impl Why {
    /// As written in SQL.
    pub fn as_str(self) -> &'static str {
        match self {
            Why::Behind => "behind",
            Why::Unsynchronised => "unsynchronised",
            Why::SetBack => "set_back",
            Why::Undone(_) => "undone",
        }
    }
}

/// An earlier step of this run, which may be taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Earlier {
    /// All that this run had recorded was moved.
    Whole(i64),
    /// Only what lay in the future of the new time.
    Part { step_ms: i64, now: UtcMillis },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunClock {
    /// When the run began, by the times that it records.
    started: UtcMillis,
    /// What is added to the wall clock in what is recorded: not zero while the clock shows a time
    /// before the newest result of before the run.
    behind_ms: i64,
    doubt: Option<Why>,
    earlier: Option<Earlier>,
}

impl RunClock {
    /// At the start of a run, when the wall clock shows `now`. `newest` is the newest instant on
    /// record.
    pub fn start(now: UtcMillis, newest: Option<UtcMillis>, is_synchronised: bool) -> RunClock {
        let lead_ms = newest.map_or(0, |newest| newest.0.saturating_sub(now.0));
        // Not at the newest instant itself, which must not move.
        let behind_ms = if lead_ms < MIN_STEP_MS {
            0
        } else {
            lead_ms + 1
        };
        let doubt = if behind_ms > 0 || now < IMPLAUSIBLE_BEFORE {
            Some(Why::Behind)
        } else if is_synchronised {
            None
        } else {
            Some(Why::Unsynchronised)
        };
        RunClock {
            started: now.plus(behind_ms),
            behind_ms,
            doubt,
            earlier: None,
        }
    }

    pub fn started(&self) -> UtcMillis {
        self.started
    }

    pub fn behind_ms(&self) -> i64 {
        self.behind_ms
    }

    /// The time to record, where the wall clock shows `wall`.
    pub fn dated(&self, wall: UtcMillis) -> UtcMillis {
        wall.plus(self.behind_ms)
    }

    /// Why the first step forward corrects the whole run; `None` when the clock is believed.
    pub fn doubt(&self) -> Option<Why> {
        self.doubt
    }

    pub fn is_doubted(&self) -> bool {
        self.doubt.is_some()
    }

    /// A time service says that the clock shows the right time `wall`, without having set it during
    /// this run: the record was ahead.
    pub fn believe(&mut self, wall: UtcMillis) -> Correction {
        self.doubt = None;
        let behind_ms = std::mem::take(&mut self.behind_ms);
        if behind_ms == 0 {
            return Correction::Nothing;
        }
        let times = self.started.0..=wall.0.saturating_add(behind_ms);
        self.started = self.started.plus(-behind_ms);
        Correction::Redate {
            times,
            by_ms: -behind_ms,
            why: Why::SetBack,
        }
    }

    /// What a step of the wall clock means.
    pub fn step(&mut self, step: &ClockStep) -> Correction {
        let before = self.dated(step.before());
        if self.behind_ms > 0 {
            let still_behind = self.behind_ms.saturating_sub(step.step_ms).max(0);
            let by_ms = step.step_ms - (self.behind_ms - still_behind);
            self.behind_ms = still_behind;
            if still_behind > 0 {
                return Correction::Nothing;
            }
            self.doubt = None;
            return self.redate_whole(before, by_ms, Why::Behind);
        }
        match self.earlier.take() {
            Some(Earlier::Whole(earlier_ms)) if step.undoes(earlier_ms) => {
                return self.redate_whole(before, step.step_ms, Why::Undone(earlier_ms));
            }
            Some(Earlier::Part { step_ms, now }) if step.undoes(step_ms) => {
                return Correction::Restore {
                    since: now,
                    step_ms,
                };
            }
            _ => {}
        }
        if step.step_ms < 0 {
            return self.set_back(step, before);
        }
        match self.doubt.take() {
            Some(why) => {
                self.earlier = Some(Earlier::Whole(step.step_ms));
                self.redate_whole(before, step.step_ms, why)
            }
            None => Correction::Skip { from: before },
        }
    }

    fn set_back(&mut self, step: &ClockStep, before: UtcMillis) -> Correction {
        if self.started > step.now {
            self.earlier = Some(Earlier::Whole(step.step_ms));
            return self.redate_whole(before, step.step_ms, Why::SetBack);
        }
        self.earlier = Some(Earlier::Part {
            step_ms: step.step_ms,
            now: step.now,
        });
        Correction::Redate {
            times: step.now.0 + 1..=before.0,
            by_ms: step.step_ms,
            why: Why::SetBack,
        }
    }

    fn redate_whole(&mut self, before: UtcMillis, by_ms: i64, why: Why) -> Correction {
        let times = self.started.0..=before.0;
        self.started = self.started.plus(by_ms);
        Correction::Redate { times, by_ms, why }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> UtcMillis {
        UtcMillis(1_700_000_000_000 + seconds * 1000)
    }

    fn just_before(seconds: i64) -> UtcMillis {
        at(seconds).plus(-1)
    }

    fn step(now: i64, seconds: i64) -> ClockStep {
        ClockStep {
            now: at(now),
            step_ms: seconds * 1000,
        }
    }

    fn redate(from: i64, to: i64, seconds: i64, why: Why) -> Correction {
        Correction::Redate {
            times: at(from).0..=at(to).0,
            by_ms: seconds * 1000,
            why,
        }
    }

    #[test]
    fn a_run_that_begins_before_the_newest_result_is_dated_after_it_until_it_is_corrected() {
        // The run before ended at 0; the power was away for 20 s, and the clock is an hour behind.
        let mut clock = RunClock::start(at(20 - 3600), Some(just_before(0)), true);
        assert_eq!(clock.dated(at(25 - 3600)), at(5));
        // 30 s after the start.
        assert_eq!(
            clock.step(&step(50, 3600)),
            redate(0, 30, 20, Why::Behind),
            "from right after the record to the right times"
        );
        assert_eq!(clock.dated(at(60)), at(60));
        assert_eq!(
            clock.step(&step(3700, 3600)),
            Correction::Skip { from: at(100) },
            "it is right now"
        );
    }

    #[test]
    fn a_correction_in_several_steps_moves_nothing_before_it_passes_the_record() {
        let mut clock = RunClock::start(at(-3600), Some(just_before(0)), true);
        assert_eq!(clock.step(&step(-1590, 2000)), Correction::Nothing);
        assert_eq!(clock.dated(at(-1590)), at(10));
        assert_eq!(clock.step(&step(-1680, -100)), Correction::Nothing);
        assert_eq!(clock.dated(at(-1680)), at(20));
        assert_eq!(
            clock.step(&step(330, 2000)),
            redate(0, 30, 300, Why::Behind)
        );
    }

    #[test]
    fn an_unsynchronised_run_is_moved_whole_by_the_first_step_forward_alone() {
        let mut clock = RunClock::start(at(0), Some(at(-60)), false);
        assert_eq!(
            clock.step(&step(3610, 3600)),
            redate(0, 10, 3600, Why::Unsynchronised)
        );
        assert_eq!(
            clock.step(&step(7300, 3600)),
            Correction::Skip { from: at(3700) }
        );
        let mut clock = RunClock::start(UtcMillis(5_000), None, true);
        let correction = ClockStep {
            now: at(0),
            step_ms: at(0).0 - 90_000,
        };
        assert_eq!(
            clock.step(&correction),
            Correction::Redate {
                times: 5_000..=90_000,
                by_ms: at(0).0 - 90_000,
                why: Why::Behind
            },
            "no clock is right before 2020"
        );
    }

    #[test]
    fn a_step_that_takes_back_another_restores_every_time() {
        for is_synchronised in [true, false] {
            let mut clock = RunClock::start(at(0), None, is_synchronised);
            assert_eq!(
                clock.step(&step(10 - 3600, -3600)),
                redate(0, 10, -3600, Why::SetBack)
            );
            assert_eq!(
                clock.step(&step(20, 3600)),
                redate(-3600, 20 - 3600, 3600, Why::Undone(-3_600_000))
            );
        }
        let mut clock = RunClock::start(at(0), None, false);
        clock.step(&step(3610, 3600));
        assert_eq!(
            clock.step(&step(4000, -3600)),
            redate(3600, 7600, -3600, Why::Undone(3_600_000)),
            "also what is not in the future"
        );
    }

    #[test]
    fn a_clock_set_back_moves_what_is_in_the_future_and_nothing_of_before_the_run() {
        let mut clock = RunClock::start(at(0), Some(at(-5)), true);
        assert_eq!(
            clock.step(&step(5000, -3600)),
            Correction::Redate {
                times: at(5000).0 + 1..=at(8600).0,
                by_ms: -3_600_000,
                why: Why::SetBack
            }
        );
        assert_eq!(
            clock.step(&step(8700, 3600)),
            Correction::Restore {
                since: at(5000),
                step_ms: -3_600_000
            }
        );
        let mut clock = RunClock::start(at(0), Some(at(-5)), true);
        assert_eq!(
            clock.step(&step(-3590, -3600)),
            redate(0, 10, -3600, Why::SetBack),
            "not the run before"
        );
    }

    #[test]
    fn a_run_that_a_time_service_confirms_was_right_and_the_record_ahead() {
        let mut clock = RunClock::start(at(0), Some(just_before(3600)), false);
        assert_eq!(
            clock.believe(at(600)),
            redate(3600, 4200, -3600, Why::SetBack)
        );
        assert_eq!((clock.dated(at(601)), clock.is_doubted()), (at(601), false));
        let mut clock = RunClock::start(at(0), None, false);
        assert_eq!(clock.believe(at(600)), Correction::Nothing);
        assert_eq!(
            clock.step(&step(4200, 3600)),
            Correction::Skip { from: at(600) }
        );
    }
}
