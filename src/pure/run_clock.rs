//! What the wall clock of this run is worth. A computer without a battery-backed clock starts with
//! an old time, and a time service corrects it later: what was recorded until then must move with
//! the correction, and nothing else. Until the correction a run whose clock is behind the record is
//! dated right after the record: it is later than all that was recorded before.

use std::cmp::Reverse;
use std::ops::{Range, RangeInclusive};
use std::time::Duration;

use crate::pure::time::{IMPLAUSIBLE_BEFORE, UtcMillis};

/// A smaller change is an adjustment, not a step.
pub const MIN_STEP_MS: i64 = 2_000;

/// A step that undoes another may differ by the drift of the clock in between.
pub const SAME_STEP_MS: i64 = 60_000;

/// By how much a step may differ from those that it undoes.
pub fn max_drift_ms(step_ms: i64) -> i64 {
    SAME_STEP_MS.min(step_ms.saturating_abs() / 4)
}

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
    /// The clock was right and skipped time: what was recorded since `from` stays.
    Skip { from: UtcMillis },
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
    /// As written in SQL.
    pub fn as_str(self) -> &'static str {
        match self {
            Why::Behind => "behind",
            Why::Unsynchronised => "unsynchronised",
            Why::SetBack => "set_back",
            Why::Undone => "undone",
        }
    }
}

/// An earlier step of this run, which may be taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Earlier {
    /// All that this run had recorded was moved by so many milliseconds.
    Moved(i64),
    /// So many milliseconds were skipped at `from`.
    Skipped { from: UtcMillis, ms: i64 },
}

impl Earlier {
    fn ms(self) -> i64 {
        match self {
            Earlier::Moved(ms) | Earlier::Skipped { ms, .. } => ms,
        }
    }
}

/// How many earlier steps can be taken back.
const MAX_EARLIER: usize = 16;

/// A record that is further ahead of the clock than this contradicts it.
const MAX_PLAUSIBLE_LEAD_MS: i64 = 86_400_000;

/// For how long a clock must not have been set before it is decided what a step meant.
pub const SETTLED_AFTER: Duration = Duration::from_secs(600);

/// The same, if the record contradicts the clock.
pub const SETTLED_AGAINST_RECORD_AFTER: Duration = Duration::from_secs(86_400);

/// By what time a run dates its records. A clock that is set back is not believed at once, since it
/// may be set right again: until then the run goes on dating as if it had not been set, and nothing
/// that is recorded moves. When it is believed, what this run dated by the wrong clock moves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunClock {
    /// When the run began, by the times that it records.
    started: UtcMillis,
    /// The newest instant that was recorded before the run.
    newest_before: Option<UtcMillis>,
    /// What is added to the wall clock in what is recorded: not zero while the clock shows a time
    /// before the newest result of before the run, or was set back and is not believed.
    behind_ms: i64,
    /// The part of it that the clock was set back during this run.
    set_back_ms: i64,
    doubt: Option<Why>,
    /// Whether a time service had confirmed the clock before it was set back, if it was.
    is_confirmed: bool,
    earlier: Vec<Earlier>,
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
            newest_before: newest,
            behind_ms,
            set_back_ms: 0,
            doubt,
            is_confirmed: doubt.is_none(),
            earlier: Vec::new(),
        }
    }

    pub fn behind_ms(&self) -> i64 {
        self.behind_ms
    }

    /// Whether the clock was set back and is not believed.
    pub fn is_set_back(&self) -> bool {
        self.set_back_ms > 0
    }

    /// When the run began, by the times that it records.
    pub fn started(&self) -> UtcMillis {
        self.started
    }

    /// The time to record, where the wall clock shows `wall`.
    pub fn dated(&self, wall: UtcMillis) -> UtcMillis {
        wall.plus(self.behind_ms)
    }

    /// Why the first step forward corrects the whole run; `None` when the clock is believed.
    pub fn doubt(&self) -> Option<Why> {
        self.doubt
    }

    /// What was recorded before the run has moved: this is now the newest instant.
    pub fn set_newest_before(&mut self, newest: Option<UtcMillis>) {
        self.newest_before = newest;
    }

    /// What a step of the wall clock means. `age`: of the run.
    pub fn step(&mut self, step: &ClockStep, age: Duration) -> Vec<Correction> {
        let before = self.dated(step.before());
        if self.behind_ms > self.set_back_ms {
            return self.step_behind_record(before, step.step_ms);
        }
        if step.step_ms < 0 {
            self.set_back(before, -step.step_ms, age)
        } else {
            self.set_forward(before, step.step_ms)
        }
    }

    /// The run began before the newest result on record, and its clock is set.
    fn step_behind_record(&mut self, before: UtcMillis, step_ms: i64) -> Vec<Correction> {
        let still_behind = self.behind_ms.saturating_sub(step_ms).max(0);
        let by_ms = step_ms - self.behind_ms;
        (self.behind_ms, self.set_back_ms) = (still_behind, 0);
        if still_behind > 0 {
            return Vec::new();
        }
        self.doubt = None;
        vec![self.redate_whole(before, by_ms, Why::Behind)]
    }

    fn set_back(&mut self, before: UtcMillis, by_ms: i64, age: Duration) -> Vec<Correction> {
        let back_ms = self.set_back_ms.saturating_add(by_ms);
        // Where this step alone fits an earlier one better than with what the clock was set back
        // before, that is still to be judged.
        let fits = |step_ms: i64| {
            self.fitting(step_ms)
                .map_or(i64::MAX, |(_, rest_ms)| rest_ms.saturating_abs())
        };
        if fits(-by_ms) < fits(-back_ms)
            && let Some(undone) = self.undo(before, -by_ms)
        {
            return undone;
        }
        if let Some(undone) = self.undo(before, -back_ms) {
            (self.behind_ms, self.set_back_ms) = (0, 0);
            return undone;
        }
        if !self.is_confirmed && age < SETTLED_AFTER && self.is_after_record(back_ms) {
            (self.behind_ms, self.set_back_ms) = (0, 0);
            self.remember(Earlier::Moved(-back_ms));
            return vec![self.redate_whole(before, -back_ms, Why::SetBack)];
        }
        self.set_back_ms = back_ms;
        self.behind_ms = self.behind_ms.saturating_add(by_ms);
        Vec::new()
    }

    fn set_forward(&mut self, before: UtcMillis, step_ms: i64) -> Vec<Correction> {
        let undone = self.set_back_ms.min(step_ms);
        let mut set_back_ms = self.set_back_ms - undone;
        if set_back_ms < MIN_STEP_MS {
            set_back_ms = 0;
        }
        self.behind_ms -= self.set_back_ms - set_back_ms;
        self.set_back_ms = set_back_ms;
        let step_ms = step_ms - undone;
        if step_ms < MIN_STEP_MS {
            return Vec::new();
        }
        if let Some(undone) = self.undo(before, step_ms) {
            return undone;
        }
        if let Some(why) = self.doubt.take() {
            self.remember(Earlier::Moved(step_ms));
            return vec![self.redate_whole(before, step_ms, why)];
        }
        self.is_confirmed = false;
        self.remember(Earlier::Skipped {
            from: before,
            ms: step_ms,
        });
        vec![Correction::Skip { from: before }]
    }

    /// Takes back the earlier steps that this step takes back together, if there are any.
    fn undo(&mut self, before: UtcMillis, step_ms: i64) -> Option<Vec<Correction>> {
        let (fitting, rest_ms) = self.fitting(step_ms)?;
        let mut until = before;
        let mut corrections = Vec::new();
        let first = fitting.start;
        let later = self.earlier.split_off(fitting.end);
        while self.earlier.len() > first
            && let Some(earlier) = self.earlier.pop()
        {
            // The drift of the clock in between counts for the first of these steps.
            let is_first = self.earlier.len() == first;
            let by_ms = -earlier.ms() + if is_first { rest_ms } else { 0 };
            corrections.push(self.take_back(earlier, by_ms, until));
            until = until.plus(by_ms);
        }
        // What followed has moved with the rest.
        let by_ms = until.0 - before.0;
        self.earlier
            .extend(later.into_iter().map(|step| match step {
                Earlier::Skipped { from, ms } => Earlier::Skipped {
                    from: from.plus(by_ms),
                    ms,
                },
                moved => moved,
            }));
        Some(corrections)
    }

    /// The earlier steps in a row that a step takes back, and by how much it is another one than they
    /// were together: the least of all, and of several the last.
    fn fitting(&self, step_ms: i64) -> Option<(Range<usize>, i64)> {
        let max_drift_ms = max_drift_ms(step_ms);
        let count = self.earlier.len();
        let rows = (0..count).flat_map(|first| (first..count).map(move |last| first..last + 1));
        let rests = rows.map(|row| {
            let steps = self.earlier.get(row.clone()).unwrap_or_default();
            let rest_ms = steps.iter().fold(step_ms, |rest_ms, earlier| {
                rest_ms.saturating_add(earlier.ms())
            });
            (row, rest_ms)
        });
        rests
            .filter(|(_, rest_ms)| rest_ms.saturating_abs() <= max_drift_ms)
            .min_by_key(|(row, rest_ms)| {
                (
                    rest_ms.saturating_abs(),
                    Reverse(row.end),
                    Reverse(row.start),
                )
            })
    }

    fn take_back(&mut self, earlier: Earlier, by_ms: i64, until: UtcMillis) -> Correction {
        match earlier {
            Earlier::Moved(_) => self.redate_whole(until, by_ms, Why::Undone),
            Earlier::Skipped { from, ms } => Correction::TakeBack {
                from,
                skipped_ms: ms,
                by_ms,
                until,
            },
        }
    }

    /// Whether [`RunClock::settle`] can decide anything.
    pub fn is_unsettled(&self) -> bool {
        let is_settled = self.is_confirmed && self.doubt.is_none() && self.earlier.is_empty();
        self.behind_ms > 0 || !is_settled
    }

    /// Decides what no step decided, when the wall clock shows `wall` and was not set for `quiet`,
    /// which is at most the age of the run. `is_synchronised`: whether a time service says that it
    /// is right.
    pub fn settle(
        &mut self,
        wall: UtcMillis,
        is_synchronised: bool,
        quiet: Duration,
    ) -> Vec<Correction> {
        if self.behind_ms > 0 {
            let is_decided = wall >= IMPLAUSIBLE_BEFORE && self.is_believed(is_synchronised, quiet);
            return if is_decided {
                self.believe(wall)
            } else {
                Vec::new()
            };
        }
        if !is_synchronised {
            return Vec::new();
        }
        self.doubt = None;
        if quiet < SETTLED_AFTER {
            return Vec::new();
        }
        self.is_confirmed = true;
        if std::mem::take(&mut self.earlier).is_empty() {
            Vec::new()
        } else {
            vec![Correction::Confirm]
        }
    }

    /// Whether a clock that is behind what is recorded is right, and the record ahead.
    fn is_believed(&self, is_synchronised: bool, quiet: Duration) -> bool {
        let is_against_record = if self.is_set_back() {
            !self.is_after_record(self.set_back_ms - self.skipped_ms().min(self.set_back_ms))
        } else {
            self.behind_ms > MAX_PLAUSIBLE_LEAD_MS
        };
        let is_confirmation_needed =
            is_against_record || self.is_confirmed || self.behind_ms > self.set_back_ms;
        let needed = if is_against_record {
            SETTLED_AGAINST_RECORD_AFTER
        } else {
            SETTLED_AFTER
        };
        quiet >= needed && (is_synchronised || !is_confirmation_needed)
    }

    fn believe(&mut self, wall: UtcMillis) -> Vec<Correction> {
        let mut until = self.dated(wall);
        let mut left_ms = std::mem::take(&mut self.behind_ms);
        self.set_back_ms = 0;
        self.doubt = None;
        let mut corrections = Vec::new();
        while left_ms > 0
            && let Some(Earlier::Skipped { from, ms }) = self.earlier.pop()
        {
            let by_ms = -left_ms.min(ms);
            corrections.push(self.take_back(Earlier::Skipped { from, ms }, by_ms, until));
            until = until.plus(by_ms);
            left_ms += by_ms;
            if ms + by_ms > 0 {
                self.remember(Earlier::Skipped {
                    from,
                    ms: ms + by_ms,
                });
            }
        }
        if left_ms > 0 {
            self.earlier.clear();
            self.remember(Earlier::Moved(-left_ms));
            corrections.push(self.redate_whole(until, -left_ms, Why::SetBack));
        }
        corrections
    }

    /// Whether what this run recorded would still be later than what was recorded before it.
    fn is_after_record(&self, back_ms: i64) -> bool {
        self.newest_before
            .is_none_or(|newest| self.started.plus(-back_ms) > newest)
    }

    /// Since the last step that was none forward.
    fn skipped_ms(&self) -> i64 {
        self.earlier
            .iter()
            .rev()
            .map_while(|earlier| match earlier {
                Earlier::Skipped { ms, .. } => Some(ms),
                Earlier::Moved(_) => None,
            })
            .fold(0, |sum, ms| sum.saturating_add(*ms))
    }

    fn remember(&mut self, step: Earlier) {
        if self.earlier.len() == MAX_EARLIER {
            self.earlier.remove(0);
        }
        self.earlier.push(step);
    }

    fn redate_whole(&mut self, before: UtcMillis, by_ms: i64, why: Why) -> Correction {
        let times = self.started.0..=before.0;
        self.started = self.started.plus(by_ms);
        for earlier in &mut self.earlier {
            if let Earlier::Skipped { from, .. } = earlier {
                *from = from.plus(by_ms);
            }
        }
        Correction::Redate { times, by_ms, why }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3600;
    const YOUNG: Duration = Duration::from_secs(10);
    const OLD: Duration = Duration::from_secs(86_400);

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

    fn redate(from: i64, to: i64, seconds: i64, why: Why) -> Vec<Correction> {
        vec![Correction::Redate {
            times: at(from).0..=at(to).0,
            by_ms: seconds * 1000,
            why,
        }]
    }

    fn skip(from: i64) -> Vec<Correction> {
        vec![Correction::Skip { from: at(from) }]
    }

    fn take_back(from: i64, skipped: i64, seconds: i64, until: i64) -> Correction {
        Correction::TakeBack {
            from: at(from),
            skipped_ms: skipped * 1000,
            by_ms: seconds * 1000,
            until: at(until),
        }
    }

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
            (skip(5).remove(0), None, false),
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
    fn a_run_begins_behind_a_record_that_is_two_seconds_ahead_and_doubts_its_clock() {
        let behind = Some(Why::Behind);
        let unsynchronised = Some(Why::Unsynchronised);
        for (now, newest, is_synchronised, behind_ms, doubt) in [
            (at(0), None, true, 0, None),
            (at(0), None, false, 0, unsynchronised),
            (at(0), Some(at(0).plus(1999)), true, 0, None),
            (at(0), Some(at(2)), true, 2001, behind),
            (at(0), Some(at(2)), false, 2001, behind),
            (IMPLAUSIBLE_BEFORE, None, true, 0, None),
            (IMPLAUSIBLE_BEFORE.plus(-1), None, true, 0, behind),
        ] {
            let clock = RunClock::start(now, newest, is_synchronised);
            assert_eq!(
                (clock.behind_ms(), clock.doubt()),
                (behind_ms, doubt),
                "{now:?} {newest:?}"
            );
            assert_eq!(clock.started(), now.plus(behind_ms));
            assert!(!clock.is_set_back());
        }
    }

    #[test]
    fn a_clock_is_unsettled_until_it_is_confirmed_and_no_step_can_be_taken_back() {
        let mut clock = RunClock::start(at(0), None, true);
        assert!(!clock.is_unsettled());
        clock.step(&step(HOUR + 10, HOUR), OLD);
        assert!(clock.is_unsettled(), "a step");
        clock.settle(at(HOUR + 700), true, SETTLED_AFTER);
        assert!(!clock.is_unsettled(), "confirmed");
        clock.step(&step(800, -HOUR), OLD);
        assert!(clock.is_unsettled() && clock.is_set_back(), "set back");
        let mut clock = RunClock::start(at(0), None, false);
        assert!(clock.is_unsettled(), "unsynchronised");
        clock.settle(at(100), true, YOUNG);
        assert_eq!(clock.doubt(), None);
        assert!(clock.is_unsettled(), "synchronised too shortly");
        clock.settle(at(700), true, SETTLED_AFTER);
        assert!(!clock.is_unsettled());
        assert!(
            RunClock::start(at(0), Some(at(HOUR)), true).is_unsettled(),
            "behind"
        );
    }

    #[test]
    fn a_clock_set_back_moves_a_run_of_less_than_ten_minutes_that_stays_after_the_record() {
        for (age, newest, is_moved) in [
            (SETTLED_AFTER - Duration::from_millis(1), None, true),
            (SETTLED_AFTER, None, false),
            (YOUNG, Some(just_before(-HOUR)), true),
            (YOUNG, Some(at(-HOUR)), false),
        ] {
            let mut clock = RunClock::start(at(0), None, false);
            clock.set_newest_before(newest);
            let found = clock.step(&step(10 - HOUR, -HOUR), age);
            assert_eq!(!found.is_empty(), is_moved, "{age:?} {newest:?}");
            assert_eq!(clock.is_set_back(), !is_moved);
        }
    }

    #[test]
    fn a_step_forward_may_miss_the_one_back_by_less_than_two_seconds() {
        for (forward_ms, behind_ms, found) in [
            (HOUR * 1000 - 2000, 2000, vec![]),
            (HOUR * 1000 - 1999, 0, vec![]),
            (HOUR * 1000 + 1999, 0, vec![]),
            (HOUR * 1000 + 2000, 0, skip(20)),
        ] {
            let mut clock = RunClock::start(at(0), None, true);
            clock.step(&step(10 - HOUR, -HOUR), OLD);
            let forward = ClockStep {
                now: at(20 - HOUR).plus(forward_ms),
                step_ms: forward_ms,
            };
            assert_eq!(clock.step(&forward, OLD), found, "{forward_ms}");
            assert_eq!(clock.behind_ms(), behind_ms, "{forward_ms}");
        }
    }

    #[test]
    fn a_step_takes_back_another_that_differs_by_a_quarter_at_most() {
        for (back, is_undone) in [(80, true), (79, false)] {
            let mut clock = RunClock::start(at(0), None, true);
            clock.step(&step(110, 100), OLD);
            let found = clock.step(&step(120 - back, -back), OLD);
            let expected = if is_undone {
                vec![take_back(10, 100, -back, 120)]
            } else {
                vec![]
            };
            assert_eq!(found, expected, "{back}");
        }
    }

    #[test]
    fn a_step_takes_back_the_one_that_it_fits_best() {
        let first = |skipped, until| vec![take_back(1000, skipped, -skipped, until)];
        // A clock that is 65 s ahead is wrong by 7 s less for a while.
        let mut clock = RunClock::start(at(0), None, true);
        assert_eq!(clock.step(&step(1065, 65), OLD), skip(1000));
        assert_eq!(clock.step(&step(1358, -7), OLD), []);
        assert_eq!(clock.step(&step(1393, -65), OLD), first(65, 1465));
        assert_eq!(clock.behind_ms(), 7000);
        assert_eq!(clock.step(&step(1500, 7), OLD), []);
        assert_eq!(clock.behind_ms(), 0);
        // It is taken back in two parts.
        let mut clock = RunClock::start(at(0), None, true);
        assert_eq!(clock.step(&step(1072, 72), OLD), skip(1000));
        assert_eq!(clock.step(&step(1358, -7), OLD), []);
        assert_eq!(clock.step(&step(1393, -65), OLD), first(72, 1465));
        assert_eq!(clock.behind_ms(), 0);
        // Two are taken back, the second of which alone would do, less well.
        let mut clock = RunClock::start(at(0), None, true);
        assert_eq!(clock.step(&step(1010, 10), OLD), skip(1000));
        assert_eq!(clock.step(&step(1260, 60), OLD), skip(1200));
        let taken_back = clock.step(&step(1400, -70), OLD);
        assert_eq!(taken_back.len(), 2, "{taken_back:?}");
        // The first of two is taken back; the second stays, and is taken back later.
        let mut clock = RunClock::start(at(0), None, true);
        assert_eq!(clock.step(&step(4600, 3600), OLD), skip(1000));
        assert_eq!(clock.step(&step(4814, 14), OLD), skip(4800));
        assert_eq!(clock.step(&step(1314, -3600), OLD), first(3600, 4914));
        let second = take_back(1200, 14, -14, 1414);
        assert_eq!(clock.step(&step(1400, -14), OLD), [second]);
    }

    #[test]
    fn the_drift_between_steps_counts_for_the_first_of_them() {
        let mut clock = RunClock::start(at(0), None, true);
        clock.step(&step(10 + HOUR, HOUR), OLD);
        clock.step(&step(20 + 2 * HOUR, HOUR), OLD);
        assert_eq!(
            clock.step(&step(20, -2 * HOUR - 10), OLD),
            [
                take_back(20 + HOUR, HOUR, -HOUR, 2 * HOUR + 30),
                take_back(10, HOUR, -HOUR - 10, HOUR + 30),
            ]
        );
    }

    #[test]
    fn what_was_skipped_before_the_clock_was_set_back_does_not_contradict_it() {
        let mut clock = RunClock::start(at(0), Some(at(-60)), true);
        clock.step(&step(2 * HOUR + 10, 2 * HOUR), OLD);
        assert_eq!(clock.step(&step(HOUR + 20, -HOUR), OLD), []);
        assert_eq!(
            clock.settle(at(HOUR + 700), true, SETTLED_AFTER),
            [take_back(10, 2 * HOUR, -HOUR, 2 * HOUR + 700)]
        );
    }

    #[test]
    fn a_record_more_than_a_day_ahead_contradicts_the_clock_for_a_day() {
        for (lead_ms, quiet, is_believed) in [
            (86_399_999, SETTLED_AFTER, true),
            (86_400_000, SETTLED_AFTER, false),
            (86_400_000, SETTLED_AGAINST_RECORD_AFTER, true),
        ] {
            let mut clock = RunClock::start(at(0), Some(at(0).plus(lead_ms)), false);
            let found = clock.settle(at(1000), true, quiet);
            assert_eq!(!found.is_empty(), is_believed, "{lead_ms} {quiet:?}");
        }
    }

    #[test]
    fn a_run_that_begins_before_the_newest_result_is_dated_after_it_until_it_is_corrected() {
        // The run before ended at 0; the power was away for 20 s, and the clock is an hour behind.
        let mut clock = RunClock::start(at(20 - HOUR), Some(just_before(0)), true);
        assert_eq!(clock.dated(at(25 - HOUR)), at(5));
        // 30 s after the start.
        assert_eq!(
            clock.step(&step(50, HOUR), YOUNG),
            redate(0, 30, 20, Why::Behind),
            "from right after the record to the right times"
        );
        assert_eq!(clock.dated(at(60)), at(60));
        assert_eq!(
            clock.step(&step(3700, HOUR), YOUNG),
            skip(100),
            "it is right now"
        );
    }

    #[test]
    fn a_correction_in_several_steps_moves_nothing_before_it_passes_the_record() {
        let mut clock = RunClock::start(at(-HOUR), Some(just_before(0)), true);
        assert_eq!(clock.step(&step(-1590, 2000), YOUNG), []);
        assert_eq!(clock.dated(at(-1590)), at(10));
        assert_eq!(clock.step(&step(-1680, -100), YOUNG), []);
        assert_eq!(clock.dated(at(-1680)), at(20));
        assert_eq!(
            clock.step(&step(330, 2000), YOUNG),
            redate(0, 30, 300, Why::Behind)
        );
    }

    #[test]
    fn an_unsynchronised_run_is_moved_whole_by_the_first_step_forward_alone() {
        let mut clock = RunClock::start(at(0), Some(at(-60)), false);
        assert_eq!(
            clock.step(&step(3610, HOUR), YOUNG),
            redate(0, 10, HOUR, Why::Unsynchronised)
        );
        assert_eq!(clock.step(&step(7300, HOUR), YOUNG), skip(3700));
        let mut clock = RunClock::start(UtcMillis(5_000), None, true);
        let correction = ClockStep {
            now: at(0),
            step_ms: at(0).0 - 90_000,
        };
        assert_eq!(
            clock.step(&correction, YOUNG),
            [Correction::Redate {
                times: 5_000..=90_000,
                by_ms: at(0).0 - 90_000,
                why: Why::Behind
            }],
            "no clock is right before 2020"
        );
    }

    #[test]
    fn a_clock_set_back_for_a_while_moves_nothing() {
        for (is_synchronised, age, newest, back, forward, what) in [
            (
                true,
                YOUNG,
                None,
                &[-HOUR][..],
                &[HOUR][..],
                "a confirmed clock",
            ),
            (false, OLD, None, &[-HOUR], &[HOUR], "a run of a day"),
            (
                false,
                YOUNG,
                Some(at(-60)),
                &[-HOUR],
                &[HOUR],
                "earlier runs reach into that hour",
            ),
            (
                true,
                YOUNG,
                None,
                &[-12 * HOUR, -12 * HOUR],
                &[24 * HOUR],
                "two steps back",
            ),
            (
                true,
                YOUNG,
                None,
                &[-24 * HOUR],
                &[12 * HOUR, 12 * HOUR],
                "two steps forward",
            ),
            (
                true,
                OLD,
                Some(at(-60)),
                &[-2400 * HOUR],
                &[2400 * HOUR],
                "a hundred days",
            ),
        ] {
            let mut clock = RunClock::start(at(0), newest, is_synchronised);
            let mut wall = 10;
            for by in back.iter().chain(forward) {
                wall += by;
                assert_eq!(clock.step(&step(wall, *by), age), [], "{what}");
            }
            assert_eq!(wall, 10);
            assert_eq!(clock.dated(at(10)), at(10), "{what}");
        }
        let mut clock = RunClock::start(at(0), None, true);
        clock.step(&step(10 - HOUR, -HOUR), OLD);
        assert_eq!(clock.dated(at(20 - HOUR)), at(20), "meanwhile");
        assert_eq!(
            clock.step(&step(HOUR + 30, 2 * HOUR), OLD),
            skip(30),
            "what is more than right again is a step forward"
        );
    }

    #[test]
    fn a_young_run_whose_clock_nothing_confirms_is_moved_whole_and_back() {
        let mut clock = RunClock::start(at(0), Some(at(-2 * HOUR)), false);
        assert_eq!(
            clock.step(&step(10 - HOUR, -HOUR), YOUNG),
            redate(0, 10, -HOUR, Why::SetBack)
        );
        assert_eq!(
            clock.step(&step(20, HOUR), YOUNG),
            redate(-HOUR, 20 - HOUR, HOUR, Why::Undone)
        );
        let mut clock = RunClock::start(at(0), None, false);
        clock.step(&step(HOUR + 10, HOUR), YOUNG);
        assert_eq!(
            clock.step(&step(400, -HOUR), YOUNG),
            redate(HOUR, HOUR + 400, -HOUR, Why::Undone)
        );
    }

    #[test]
    fn steps_forward_that_are_taken_back_together_move_what_followed_each() {
        let day = 24 * HOUR;
        let two_skips = || {
            let mut clock = RunClock::start(at(0), None, true);
            assert_eq!(
                clock.step(&step(12 * HOUR + 10, 12 * HOUR), YOUNG),
                skip(10)
            );
            assert_eq!(
                clock.step(&step(day + 20, 12 * HOUR), YOUNG),
                skip(12 * HOUR + 20)
            );
            clock
        };
        let both = [
            take_back(12 * HOUR + 20, 12 * HOUR, -12 * HOUR, day + 30),
            take_back(10, 12 * HOUR, -12 * HOUR, 12 * HOUR + 30),
        ];
        assert_eq!(two_skips().step(&step(30, -day), OLD), both);
        let mut clock = two_skips();
        assert_eq!(
            clock.step(&step(12 * HOUR + 30, -12 * HOUR), OLD),
            both[..1]
        );
        assert_eq!(
            clock.step(&step(40, -12 * HOUR), OLD),
            [take_back(10, 12 * HOUR, -12 * HOUR, 12 * HOUR + 40)]
        );
        let mut clock = RunClock::start(at(0), None, true);
        clock.step(&step(day + 10, day), YOUNG);
        assert_eq!(clock.step(&step(12 * HOUR + 20, -12 * HOUR), OLD), []);
        assert_eq!(clock.dated(at(12 * HOUR + 20)), at(day + 20));
        assert_eq!(
            clock.step(&step(30, -12 * HOUR), OLD),
            [take_back(10, day, -day, day + 30)],
            "one step, taken back in two"
        );
        assert_eq!(clock.dated(at(31)), at(31));
    }

    #[test]
    fn a_clock_that_stays_set_back_is_believed_unless_something_contradicts_it() {
        let minutes = |minutes: u64| Duration::from_secs(minutes * 60);
        for (before, newest, after, quiet, is_believed, what) in [
            (false, None, false, 9, false, "too soon"),
            (false, None, false, 10, true, "nothing contradicts it"),
            (
                true,
                None,
                false,
                2000,
                false,
                "a time service had confirmed the other time",
            ),
            (true, None, true, 9, false, "too soon to be confirmed"),
            (
                true,
                None,
                true,
                10,
                true,
                "a time service has changed its mind",
            ),
            (
                false,
                Some(-60),
                false,
                2000,
                false,
                "earlier runs contradict it",
            ),
            (
                true,
                Some(-60),
                true,
                1439,
                false,
                "they do, for less than a day",
            ),
            (true, Some(-60), true, 1440, true, "a day of confirmation"),
        ] {
            let mut clock = RunClock::start(at(0), newest.map(at), before);
            assert_eq!(clock.step(&step(1000 - HOUR, -HOUR), OLD), []);
            let found = clock.settle(at(2000 - HOUR), after, minutes(quiet));
            let expected = if is_believed {
                redate(0, 2000, -HOUR, Why::SetBack)
            } else {
                Vec::new()
            };
            assert_eq!(found, expected, "{what}");
            if is_believed {
                assert_eq!(clock.dated(at(3000)), at(3000), "{what}");
                assert_eq!(
                    clock.step(&step(3000, HOUR), OLD),
                    redate(-HOUR, 3000 - HOUR, HOUR, Why::Undone),
                    "it was wrong after all: {what}"
                );
            }
        }
        let roll_over = 1024 * 7 * 24 * HOUR;
        let mut clock = RunClock::start(at(0), None, true);
        clock.step(&step(1000 - roll_over, -roll_over), OLD);
        assert_eq!(
            clock.settle(at(2000 - roll_over), true, OLD * 30),
            [],
            "no clock is right before 2020"
        );
    }

    #[test]
    fn a_clock_that_is_believed_takes_back_what_it_had_skipped_first() {
        let mut clock = RunClock::start(at(0), None, true);
        clock.step(&step(HOUR + 10, HOUR), OLD);
        clock.step(&step(HOUR + 20 - 600, -600), OLD);
        assert_eq!(
            clock.settle(at(HOUR + 800 - 600), false, SETTLED_AFTER),
            [take_back(10, HOUR, -600, HOUR + 800)],
            "a part of it"
        );
        clock.step(&step(HOUR + 900 - 600 - 2 * HOUR, -2 * HOUR), OLD);
        assert_eq!(
            clock.settle(at(HOUR + 2000 - 600 - 2 * HOUR), false, SETTLED_AFTER),
            [
                take_back(10, HOUR - 600, 600 - HOUR, HOUR + 1400),
                redate(0, 2000, -HOUR - 600, Why::SetBack).remove(0),
            ],
            "all of it, and more"
        );
    }

    #[test]
    fn what_a_time_service_confirms_is_not_taken_back_later() {
        let mut clock = RunClock::start(at(0), None, true);
        clock.step(&step(HOUR + 10, HOUR), OLD);
        assert_eq!(clock.settle(at(HOUR + 500), true, YOUNG), [], "too soon");
        assert_eq!(
            clock.settle(at(HOUR + 700), true, SETTLED_AFTER),
            [Correction::Confirm]
        );
        assert_eq!(clock.settle(at(HOUR + 800), true, SETTLED_AFTER), []);
        assert_eq!(clock.step(&step(900, -HOUR), OLD), []);
        assert_eq!(clock.dated(at(900)), at(HOUR + 900));
    }

    #[test]
    fn a_run_that_a_time_service_confirms_was_right_and_the_record_ahead() {
        let mut clock = RunClock::start(at(0), Some(just_before(HOUR)), false);
        assert_eq!(clock.settle(at(500), true, YOUNG), [], "too soon");
        assert_eq!(clock.settle(at(600), false, OLD), [], "unconfirmed");
        assert_eq!(
            clock.settle(at(600), true, SETTLED_AFTER),
            redate(HOUR, HOUR + 600, -HOUR, Why::SetBack)
        );
        assert_eq!((clock.dated(at(601)), clock.doubt()), (at(601), None));
        let mut clock = RunClock::start(at(0), Some(just_before(2400 * HOUR)), true);
        assert_eq!(
            clock.settle(at(600), true, SETTLED_AFTER),
            [],
            "a record of a hundred days"
        );
        assert_ne!(clock.settle(at(86_400), true, OLD), []);
        let mut clock = RunClock::start(at(0), None, false);
        assert_eq!(clock.settle(at(10), true, YOUNG), []);
        assert_eq!(clock.step(&step(4200, HOUR), YOUNG), skip(600));
    }
}
