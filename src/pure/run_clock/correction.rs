//! What a step of the wall clock means for what a run has recorded.

use std::ops::RangeInclusive;

use crate::pure::time::UtcMillis;

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
}

/// What a step of the clock, or a confirmation of it, means for what this run has recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Correction {
    /// These times were taken from a wrong clock and move by so many milliseconds.
    Redate {
        times: RangeInclusive<i64>,
        by_ms: i64,
        why: Why,
    },
    /// The clock was right and skipped `by_ms` at `from`: what was recorded before stays. That is less
    /// than the step where the clock was behind what is recorded.
    Skip { from: UtcMillis, by_ms: i64 },
    /// The clock had skipped `skipped_ms` at `from`, and `by_ms` of that, which is negative, is
    /// taken back: what was recorded since then, until `until`, moves.
    TakeBack {
        from: UtcMillis,
        skipped_ms: i64,
        by_ms: i64,
        until: UtcMillis,
    },
    /// A time service confirms the clock after the steps of this run: none of them is taken back
    /// later.
    Confirm,
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

    /// The times that move, and by how many milliseconds.
    pub fn moved(&self) -> Option<(RangeInclusive<i64>, i64)> {
        match self {
            Correction::Redate { times, by_ms, .. } => Some((times.clone(), *by_ms)),
            // Also what lies in the skipped time: a check that began before it was noticed that the
            // clock was set.
            Correction::TakeBack {
                from, by_ms, until, ..
            } => Some((from.plus(1).0..=until.0, *by_ms)),
            Correction::Skip { .. } | Correction::Confirm => None,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// The run began before the newest result on record, or before 2020; or its clock was set back,
    /// and that is not believed yet.
    Behind,
    /// No time service had set the clock when the run began.
    Unsynchronised,
    /// The clock was ahead.
    SetBack,
    /// An earlier step is taken back.
    Undone,
}

impl Why {
    pub const ALL: [Why; 4] = [Why::Behind, Why::Unsynchronised, Why::SetBack, Why::Undone];

    /// As written in SQL.
    pub fn as_str(self) -> &'static str {
        match self {
            Why::Behind => "behind",
            Why::Unsynchronised => "unsynchronised",
            Why::SetBack => "set_back",
            Why::Undone => "undone",
        }
    }

    pub fn of(text: &str) -> Option<Why> {
        Why::ALL.into_iter().find(|why| why.as_str() == text)
    }
}

/// Of what was decided before a run had a file: the skips that were not taken back, with the step of
/// each, by the times which the run records now. What moved besides is not in the file yet.
pub fn skips_in_force(
    decided: impl IntoIterator<Item = (ClockStep, Vec<Correction>)>,
    behind_ms: i64,
) -> Vec<(ClockStep, Vec<Correction>)> {
    let mut skips: Vec<(ClockStep, UtcMillis, i64)> = Vec::new();
    for (step, corrections) in decided {
        for correction in corrections {
            if let Some((times, by_ms)) = correction.moved() {
                let mut inside = skips
                    .iter_mut()
                    .filter(|(_, from, _)| times.contains(&from.0));
                inside
                    .by_ref()
                    .for_each(|(_, from, _)| *from = from.plus(by_ms));
            }
            match correction {
                Correction::Skip { from, by_ms } => skips.push((step, from, by_ms)),
                Correction::TakeBack {
                    from: of,
                    by_ms: back_ms,
                    ..
                } => {
                    if let Some((.., ms)) = skips.iter_mut().rfind(|(_, from, _)| *from == of) {
                        *ms += back_ms;
                    }
                }
                Correction::Redate { .. } | Correction::Confirm => {}
            }
        }
    }
    let left = skips.into_iter().filter(|(.., by_ms)| *by_ms > 0);
    left.map(|(step, from, by_ms)| {
        let from = from.plus(behind_ms);
        (step, vec![Correction::Skip { from, by_ms }])
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::super::RunClock;
    use super::super::tests::{HOUR, OLD, at, redate, skip, step, take_back};
    use super::*;

    #[test]
    fn a_correction_says_what_moves_and_whether_it_is_the_whole_run() {
        let redated = |why| redate(5, 9, -HOUR, why).remove(0);
        let moved = Some((at(5).0..=at(9).0, -HOUR * 1000));
        let taken_back = take_back(5, 10, -7, 20);
        for (correction, moved, is_of_whole_run) in [
            (redated(Why::Behind), moved.clone(), true),
            (redated(Why::Unsynchronised), moved.clone(), true),
            (redated(Why::SetBack), moved.clone(), false),
            (redated(Why::Undone), moved, false),
            (taken_back, Some((at(5).0 + 1..=at(20).0, -7000)), false),
            (skip(5, 1).remove(0), None, false),
            (Correction::Confirm, None, false),
        ] {
            assert_eq!(correction.moved(), moved, "{correction:?}");
            assert_eq!(
                correction.is_of_whole_run(),
                is_of_whole_run,
                "{correction:?}"
            );
        }
        let whys = [Why::Behind, Why::Unsynchronised, Why::SetBack, Why::Undone];
        assert_eq!(
            whys.map(Why::as_str),
            ["behind", "unsynchronised", "set_back", "undone"]
        );
    }

    #[test]
    fn of_steps_before_there_was_a_file_the_skips_in_force_are_left() {
        let steps = [
            (110, 100),
            (310, 100),
            (420, 100),
            (330, -100),
            (340, -HOUR),
            (3950, HOUR),
        ];
        let mut clock = RunClock::start(at(0), None, true);
        let decided: Vec<_> = steps
            .into_iter()
            .map(|(now, by)| (step(now, by), clock.step(&step(now, by), OLD)))
            .collect();
        let in_force = |count: usize, behind_ms| -> Vec<_> {
            let left = skips_in_force(decided.iter().take(count).cloned(), behind_ms);
            left.into_iter().flat_map(|(_, skips)| skips).collect()
        };
        let two = [skip(10, 100), skip(210, 100)].concat();
        assert_eq!(in_force(2, 0), two);
        assert_eq!(in_force(3, 0), [two.clone(), skip(320, 100)].concat());
        assert_eq!(in_force(6, 0), two, "the third was taken back");
        assert_eq!(in_force(1, 5000), skip(15, 100));
        // The run moves whole, and a part of what it skipped is taken back.
        let redate = redate(0, 100, 30, Why::Behind).remove(0);
        let part = take_back(40, 100, -70, 400);
        let corrections = vec![skip(10, 100).remove(0), redate, part];
        let left = skips_in_force([(step(1, 1), corrections)], 0);
        assert_eq!(left, [(step(1, 1), skip(40, 30))]);
    }
}
