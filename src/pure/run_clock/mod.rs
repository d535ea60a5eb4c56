//! What the wall clock of this run is worth. A computer without a battery-backed clock starts with
//! an old time, and a time service corrects it later: what was recorded until then must move with
//! the correction, and nothing else. Until the correction a run whose clock is behind the record is
//! dated right after the record: it is later than all that was recorded before.

mod before;
mod correction;

use std::time::Duration;

use crate::pure::time::{IMPLAUSIBLE_BEFORE, UtcMillis};

pub use before::ClockBefore;
pub use correction::{ClockStep, Correction, Why, skips_in_force};

/// A smaller change is an adjustment, not a step.
pub const MIN_STEP_MS: i64 = 2_000;

/// By how much a clock may be off at most when it is set back to what it showed before.
pub const MAX_DRIFT_MS: i64 = 60_000;

/// By how much a clock that was wrong for so long may have drifted: a hundred millionths, which is
/// more than a quartz in its temperature range; less than a step is no step.
pub fn max_drift_ms(wrong_for: Duration) -> i64 {
    let wrong_for_ms = i64::try_from(wrong_for.as_millis()).unwrap_or(i64::MAX);
    (wrong_for_ms / 10_000).clamp(MIN_STEP_MS - 1, MAX_DRIFT_MS)
}

/// The clock skipped so many milliseconds, and the record does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Skipped {
    from: UtcMillis,
    ms: i64,
}

/// What the clock showed before it was set, and what was made of it: it may be set back to that.
/// `set_ms`, `dated_ms`, `moved_ms`, `doubt` and `is_confirmed` are those of [`RunClock`].
#[derive(Clone, Debug, PartialEq, Eq)]
struct Shown {
    set_ms: i64,
    dated_ms: i64,
    moved_ms: i64,
    doubt: Option<Why>,
    is_confirmed: bool,
    /// How many times had been skipped.
    skips: usize,
    /// How old the run was when the clock was set.
    until: Duration,
}

/// How many earlier times of the clock, and how many skipped times, are remembered.
const MAX_EARLIER: usize = 16;

/// A record that is further ahead of the clock than this contradicts it.
const MAX_PLAUSIBLE_LEAD_MS: i64 = 86_400_000;

/// For how long a clock must not have been set before it is decided what a step meant.
pub const SETTLED_AFTER: Duration = Duration::from_secs(600);

/// The same, if the record contradicts the clock.
pub const SETTLED_AGAINST_RECORD_AFTER: Duration = Duration::from_secs(86_400);

/// By what time a run dates its records. A clock that is set back is not believed at once, since it
/// may be set right again: until then the run goes on dating as if it had not been set, and nothing
/// that is recorded moves. When it is believed, what this run dated by the wrong clock moves. When the
/// clock is set to what it showed before, what was dated in between moves, and it is all as it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunClock {
    /// When the run began, by the times that it records.
    started: UtcMillis,
    /// The newest instant that was recorded before the run.
    newest_before: Option<UtcMillis>,
    /// By how much the wall clock was set since the run began, in all.
    set_ms: i64,
    /// By how much it would have been set if it showed the times that are recorded now: more than
    /// `set_ms` while the clock shows a time before the newest result of before the run, or was set
    /// back and is not believed.
    dated_ms: i64,
    /// By how much the whole run has moved.
    moved_ms: i64,
    /// The times that the record skips and that may be taken back, in order.
    skipped: Vec<Skipped>,
    /// What the clock showed before it was set to what it shows now, in order.
    shown: Vec<Shown>,
    /// How old the run was when the clock was last set.
    stepped: Duration,
    doubt: Option<Why>,
    /// Whether a time service had confirmed the clock, apart from what it has skipped since.
    is_confirmed: bool,
    /// Whether the clock has shown no time after the newest result of before the run.
    is_behind_record: bool,
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
            set_ms: 0,
            dated_ms: behind_ms,
            moved_ms: 0,
            skipped: Vec::new(),
            shown: Vec::new(),
            stepped: Duration::ZERO,
            doubt,
            is_confirmed: doubt.is_none(),
            is_behind_record: behind_ms > 0,
        }
    }

    /// What is added to the wall clock in what is recorded.
    pub fn behind_ms(&self) -> i64 {
        self.dated_ms.saturating_sub(self.set_ms)
    }

    /// Whether the clock was set back and is not believed.
    pub fn is_set_back(&self) -> bool {
        self.behind_ms() > 0 && !self.is_behind_record
    }

    /// When the run began, by the times that it records.
    pub fn started(&self) -> UtcMillis {
        self.started
    }

    /// The time to record, where the wall clock shows `wall`.
    pub fn dated(&self, wall: UtcMillis) -> UtcMillis {
        wall.plus(self.behind_ms())
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
        let left = self.shown_until(age);
        self.set_ms = self.set_ms.saturating_add(step.step_ms);
        let ahead_ms = self.set_ms.saturating_sub(self.dated_ms);
        if self.is_behind_record {
            return if ahead_ms < 0 {
                Vec::new()
            } else {
                self.pass_record(before, ahead_ms)
            };
        }
        self.stepped = age;
        if let Some(index) = self.shown_before(|_| MIN_STEP_MS - 1) {
            return self.return_to(index, before);
        }
        self.remember(left);
        if ahead_ms >= MIN_STEP_MS {
            self.set_forward(before, ahead_ms)
        } else if ahead_ms > -MIN_STEP_MS {
            self.dated_ms = self.set_ms;
            Vec::new()
        } else if !self.is_confirmed && age < SETTLED_AFTER && self.is_after_record(self.set_ms) {
            self.cut(before, self.set_ms)
        } else {
            Vec::new()
        }
    }

    /// The run began before the newest result on record, and its clock is set to a time after it.
    fn pass_record(&mut self, before: UtcMillis, by_ms: i64) -> Vec<Correction> {
        (self.is_behind_record, self.doubt) = (false, None);
        vec![self.redate_whole(before, by_ms, Why::Behind)]
    }

    fn set_forward(&mut self, before: UtcMillis, by_ms: i64) -> Vec<Correction> {
        if let Some(why) = self.doubt.take() {
            return vec![self.redate_whole(before, by_ms, why)];
        }
        self.skipped.push(Skipped {
            from: before,
            ms: by_ms,
        });
        self.dated_ms = self.set_ms;
        vec![Correction::Skip {
            from: before,
            by_ms,
        }]
    }

    fn shown_until(&self, age: Duration) -> Shown {
        Shown {
            set_ms: self.set_ms,
            dated_ms: self.dated_ms,
            moved_ms: self.moved_ms,
            doubt: self.doubt,
            is_confirmed: self.is_confirmed,
            skips: self.skipped.len(),
            until: age,
        }
    }

    fn remember(&mut self, mut shown: Shown) {
        if self.shown.len().max(self.skipped.len()) >= MAX_EARLIER {
            // None of them is taken back any more.
            self.shown.clear();
            self.skipped.clear();
            shown.skips = 0;
        }
        self.shown.push(shown);
    }

    /// The earlier time of the clock that it shows again, if it differs by so much at most: the nearest.
    fn shown_before(&self, max_difference_ms: impl Fn(&Shown) -> i64) -> Option<usize> {
        let difference = |shown: &Shown| self.set_ms.saturating_sub(shown.set_ms).saturating_abs();
        let shown = self.shown.iter().enumerate();
        shown
            .filter(|(_, shown)| difference(shown) <= max_difference_ms(shown))
            .min_by_key(|(_, shown)| difference(shown))
            .map(|(index, _)| index)
    }

    /// The clock shows again what it showed before: what the steps since then moved and skipped is
    /// taken back, the last one first.
    fn return_to(&mut self, index: usize, before: UtcMillis) -> Vec<Correction> {
        let Some(shown) = self.shown.drain(index..).next() else {
            return Vec::new();
        };
        let mut drift_ms = if shown.dated_ms == shown.set_ms {
            self.set_ms - shown.set_ms
        } else {
            0
        };
        let mut until = before;
        let mut corrections = Vec::new();
        while self.skipped.len() > shown.skips
            && let Some(skipped) = self.skipped.pop()
        {
            // The drift of the clock in between counts for the first of these steps.
            let is_first = self.skipped.len() == shown.skips;
            let drift_ms = if is_first {
                std::mem::take(&mut drift_ms)
            } else {
                0
            };
            let by_ms = drift_ms - skipped.ms;
            corrections.push(skipped.take_back(by_ms, until));
            self.dated_ms += by_ms;
            until = until.plus(by_ms);
        }
        let by_ms = shown.moved_ms - self.moved_ms;
        if by_ms != 0 {
            let by_ms = by_ms + std::mem::take(&mut drift_ms);
            corrections.push(self.redate_whole(until, by_ms, Why::Undone));
            until = until.plus(by_ms);
        }
        (self.doubt, self.is_confirmed) = (shown.doubt, shown.is_confirmed);
        // Where a part of what had been skipped before was taken back meanwhile, it is skipped now.
        let ahead_ms = self.set_ms - self.dated_ms;
        if ahead_ms >= MIN_STEP_MS {
            corrections.extend(self.set_forward(until, ahead_ms));
        } else if shown.dated_ms == shown.set_ms {
            self.dated_ms = self.set_ms;
        }
        corrections
    }

    /// Whether [`RunClock::settle`] can decide anything.
    pub fn is_unsettled(&self) -> bool {
        let is_settled = self.is_confirmed && self.doubt.is_none() && self.is_without_steps();
        self.behind_ms() > 0 || !is_settled
    }

    fn is_without_steps(&self) -> bool {
        self.skipped.is_empty() && self.shown.is_empty()
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
        if self.behind_ms() > 0 {
            return self.settle_behind(wall, is_synchronised, quiet);
        }
        if !is_synchronised {
            return Vec::new();
        }
        self.doubt = None;
        if quiet < SETTLED_AFTER {
            return Vec::new();
        }
        self.is_confirmed = true;
        if self.is_without_steps() {
            return Vec::new();
        }
        self.skipped.clear();
        self.shown.clear();
        vec![Correction::Confirm]
    }

    /// The same, for a clock that is behind what is recorded.
    fn settle_behind(
        &mut self,
        wall: UtcMillis,
        is_synchronised: bool,
        quiet: Duration,
    ) -> Vec<Correction> {
        if is_synchronised && quiet >= SETTLED_AFTER {
            // It was set right, and had drifted while it was wrong.
            let drift = |shown: &Shown| max_drift_ms(self.stepped.saturating_sub(shown.until));
            if let Some(index) = self.shown_before(drift) {
                return self.return_to(index, self.dated(wall));
            }
        }
        let believed_ms = self.believed_ms(is_synchronised, quiet);
        if wall < IMPLAUSIBLE_BEFORE || believed_ms >= self.dated_ms {
            return Vec::new();
        }
        self.cut(self.dated(wall), believed_ms)
    }

    /// What [`RunClock::dated_ms`] should be, as far as the clock is believed, which is behind what is
    /// recorded.
    fn believed_ms(&self, is_synchronised: bool, quiet: Duration) -> i64 {
        let is_against_record = if self.is_behind_record {
            self.behind_ms() > MAX_PLAUSIBLE_LEAD_MS
        } else {
            !self.is_after_record(self.set_ms)
        };
        let needed = if is_against_record {
            SETTLED_AGAINST_RECORD_AFTER
        } else {
            SETTLED_AFTER
        };
        let is_contradicted = is_against_record || self.is_confirmed || self.is_behind_record;
        if quiet >= needed && (is_synchronised || !is_contradicted) {
            self.set_ms
        } else if quiet >= SETTLED_AFTER {
            // What was skipped has not been confirmed either.
            self.set_ms.max(self.without_skipped_ms())
        } else {
            self.dated_ms
        }
    }

    /// What was recorded by a clock that was ahead moves, so that the run is dated by `to_ms`: first
    /// what was recorded since the clock skipped time, then the whole run.
    fn cut(&mut self, before: UtcMillis, to_ms: i64) -> Vec<Correction> {
        let mut until = before;
        let mut corrections = Vec::new();
        while self.dated_ms > to_ms
            && let Some(skipped) = self.skipped.pop()
        {
            let by_ms = -skipped.ms.min(self.dated_ms - to_ms);
            corrections.push(skipped.take_back(by_ms, until));
            until = until.plus(by_ms);
            self.dated_ms += by_ms;
            let ms = skipped.ms + by_ms;
            if ms > 0 {
                self.skipped.push(Skipped { ms, ..skipped });
            }
        }
        if self.dated_ms > to_ms {
            let by_ms = to_ms - self.dated_ms;
            corrections.push(self.redate_whole(until, by_ms, Why::SetBack));
        }
        if self.dated_ms == self.set_ms {
            (self.doubt, self.is_behind_record) = (None, false);
        }
        corrections
    }

    /// What [`RunClock::dated_ms`] was before the times that may be taken back were skipped.
    fn without_skipped_ms(&self) -> i64 {
        let skipped = self.skipped.iter();
        skipped.fold(self.dated_ms, |ms, skipped| ms.saturating_sub(skipped.ms))
    }

    /// Whether what this run recorded would still be later than what was recorded before it if it
    /// were dated by `to_ms`.
    fn is_after_record(&self, to_ms: i64) -> bool {
        let by_ms = to_ms.saturating_sub(self.without_skipped_ms()).min(0);
        self.newest_before
            .is_none_or(|newest| self.started.plus(by_ms) > newest)
    }

    fn redate_whole(&mut self, before: UtcMillis, by_ms: i64, why: Why) -> Correction {
        let times = self.started.0..=before.0;
        self.started = self.started.plus(by_ms);
        self.dated_ms += by_ms;
        self.moved_ms += by_ms;
        for skipped in &mut self.skipped {
            skipped.from = skipped.from.plus(by_ms);
        }
        Correction::Redate { times, by_ms, why }
    }
}

impl Skipped {
    fn take_back(self, by_ms: i64, until: UtcMillis) -> Correction {
        Correction::TakeBack {
            from: self.from,
            skipped_ms: self.ms,
            by_ms,
            until,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) const HOUR: i64 = 3600;
    pub(super) const YOUNG: Duration = Duration::from_secs(10);
    pub(super) const OLD: Duration = Duration::from_secs(86_400);

    pub(super) fn at(seconds: i64) -> UtcMillis {
        UtcMillis(1_700_000_000_000 + seconds * 1000)
    }

    pub(super) fn just_before(seconds: i64) -> UtcMillis {
        at(seconds).plus(-1)
    }

    pub(super) fn step(now: i64, seconds: i64) -> ClockStep {
        ClockStep {
            now: at(now),
            step_ms: seconds * 1000,
        }
    }

    pub(super) fn redate(from: i64, to: i64, seconds: i64, why: Why) -> Vec<Correction> {
        vec![Correction::Redate {
            times: at(from).0..=at(to).0,
            by_ms: seconds * 1000,
            why,
        }]
    }

    pub(super) fn skip(from: i64, seconds: i64) -> Vec<Correction> {
        vec![Correction::Skip {
            from: at(from),
            by_ms: seconds * 1000,
        }]
    }

    pub(super) fn take_back(from: i64, skipped: i64, seconds: i64, until: i64) -> Correction {
        Correction::TakeBack {
            from: at(from),
            skipped_ms: skipped * 1000,
            by_ms: seconds * 1000,
            until: at(until),
        }
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
            (HOUR * 1000 + 2000, 0, skip(20, 2)),
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

    /// A confirmed run whose clock was set ahead by so many seconds when it showed 1000.
    fn ahead(seconds: i64) -> RunClock {
        let mut clock = RunClock::start(at(0), None, true);
        assert_eq!(
            clock.step(&step(1000 + seconds, seconds), OLD),
            skip(1000, seconds)
        );
        clock
    }

    #[test]
    fn a_clock_is_set_back_to_what_it_showed_if_it_differs_by_less_than_a_step() {
        for (back_ms, left_ms) in [
            (98_001, 0),
            (101_999, 0),
            (98_000, 98_000),
            (102_000, 102_000),
        ] {
            let mut clock = ahead(100);
            let back = ClockStep {
                now: at(1200).plus(-back_ms),
                step_ms: -back_ms,
            };
            let found = clock.step(&back, OLD);
            let taken_back = Correction::TakeBack {
                from: at(1000),
                skipped_ms: 100_000,
                by_ms: -back_ms,
                until: at(1200),
            };
            let expected = if left_ms == 0 {
                vec![taken_back]
            } else {
                vec![]
            };
            assert_eq!((found, clock.behind_ms()), (expected, left_ms), "{back_ms}");
        }
    }

    #[test]
    fn a_confirmed_clock_may_have_drifted_while_it_was_wrong() {
        let wrong_for = Duration::from_secs(100_000);
        for (rest, is_drift) in [(-10, true), (10, true), (-11, false)] {
            let mut clock = ahead(1000);
            let back = rest - 1000;
            assert_eq!(clock.step(&step(102_000 + back, back), OLD + wrong_for), []);
            let wall = 103_000 + back;
            assert_eq!(clock.settle(at(wall), true, YOUNG), [], "too soon");
            let expected = if is_drift {
                vec![take_back(1000, 1000, back, 103_000)]
            } else {
                let first = take_back(1000, 1000, -1000, 103_000);
                vec![first, redate(0, 102_000, rest, Why::SetBack).remove(0)]
            };
            assert_eq!(
                clock.settle(at(wall), true, SETTLED_AFTER),
                expected,
                "{rest}"
            );
            assert_eq!(clock.behind_ms(), 0);
        }
        let mut clock = ahead(1000);
        clock.step(&step(100_990, -1010), OLD + wrong_for);
        let unconfirmed = clock.settle(at(101_990), false, SETTLED_AFTER);
        assert_eq!(unconfirmed, [take_back(1000, 1000, -1000, 103_000)]);
        // What was recorded after the first of two steps moves by the drift, and so does what followed.
        let mut clock = ahead(3600);
        assert_eq!(clock.step(&step(8300, 3600), OLD), skip(4700, 3600));
        assert_eq!(
            clock.step(&step(1199, -7201), OLD),
            [
                take_back(4700, 3600, -3600, 8400),
                take_back(1000, 3600, -3601, 4800)
            ]
        );
        for (seconds, drift_ms) in [
            (0, 1999),
            (20_000, 2000),
            (600_000, 60_000),
            (u64::MAX, 60_000),
        ] {
            assert_eq!(
                max_drift_ms(Duration::from_secs(seconds)),
                drift_ms,
                "{seconds}"
            );
        }
    }

    #[test]
    fn of_several_steps_each_way_back_to_a_time_that_was_shown_is_exact() {
        // A clock that is 65 s ahead is wrong by 7 s less for a while, which outlasts it.
        let mut clock = ahead(65);
        assert_eq!(clock.step(&step(1358, -7), OLD), []);
        assert_eq!(clock.step(&step(1393, -65), OLD), []);
        assert_eq!(clock.behind_ms(), 72_000);
        assert_eq!(
            clock.step(&step(1500, 7), OLD),
            [take_back(1000, 65, -65, 1565)]
        );
        assert_eq!(clock.behind_ms(), 0);
        // It is taken back in two parts.
        let mut clock = ahead(72);
        assert_eq!(clock.step(&step(1358, -7), OLD), []);
        assert_eq!(
            clock.step(&step(1393, -65), OLD),
            [take_back(1000, 72, -72, 1465)]
        );
        assert_eq!(clock.behind_ms(), 0);
        // The first of two is taken back, then the second.
        let mut clock = ahead(3600);
        assert_eq!(clock.step(&step(4814, 14), OLD), skip(4800, 14));
        assert_eq!(clock.step(&step(1314, -3600), OLD), []);
        assert_eq!(
            clock.step(&step(1400, -14), OLD),
            [
                take_back(4800, 14, -14, 5014),
                take_back(1000, 3600, -3600, 5000)
            ]
        );
        // What it showed after the time that it shows again is forgotten.
        let mut clock = ahead(100);
        assert_eq!(clock.step(&step(1050, -150), OLD), []);
        assert_eq!(
            clock.step(&step(1200, 50), OLD),
            [take_back(1000, 100, -100, 1300)]
        );
        assert_eq!(clock.step(&step(1400, 100), OLD), skip(1300, 100));
        assert_eq!(
            clock.step(&step(1400, -100), OLD),
            [take_back(1300, 100, -100, 1500)]
        );
        // What had been set back is set back again.
        let mut clock = RunClock::start(at(0), None, true);
        assert_eq!(clock.step(&step(86, -14), OLD), []);
        assert_eq!(clock.step(&step(3700, 3600), OLD), skip(114, 3586));
        assert_eq!(
            clock.step(&step(200, -3600), OLD),
            [take_back(114, 3586, -3586, 3800)]
        );
        assert_eq!(clock.behind_ms(), 14_000);
    }

    #[test]
    fn what_followed_a_skip_may_be_wrong_whatever_the_run_was_before() {
        // Nothing confirms a clock that was ahead and now is behind: what a time service confirmed stays.
        let mut clock = ahead(8);
        assert_eq!(clock.step(&step(2000, -87), OLD), []);
        assert_eq!(
            clock.settle(at(2599), false, SETTLED_AFTER),
            [take_back(1000, 8, -8, 2686)]
        );
        assert_eq!(clock.settle(at(2600), false, OLD), []);
        assert_eq!(clock.behind_ms(), 79_000);
        assert_eq!(clock.step(&step(3000, -8), OLD), []);
        assert_eq!(clock.step(&step(3187, 87), OLD), [], "it is right again");
        assert_eq!(clock.behind_ms(), 0);
        // A part of it was taken back, and the clock is ahead again by as much as before.
        let mut clock = ahead(100);
        assert_eq!(clock.step(&step(2000, -70), OLD), []);
        assert_eq!(
            clock.settle(at(2700), false, SETTLED_AFTER),
            [take_back(1000, 100, -70, 2770)]
        );
        assert_eq!(clock.step(&step(2870, 70), OLD), skip(2800, 70));
        assert_eq!(
            clock.step(&step(2900, -100), OLD),
            [
                take_back(2800, 70, -70, 3000),
                take_back(1000, 30, -30, 2930)
            ]
        );
    }

    #[test]
    fn a_run_that_was_doubted_is_doubted_again_when_its_clock_is_as_before() {
        let mut clock = RunClock::start(at(0), None, false);
        assert_eq!(
            clock.step(&step(20, 10), YOUNG),
            redate(0, 10, 10, Why::Unsynchronised)
        );
        assert_eq!(
            clock.step(&step(20, -10), YOUNG),
            redate(10, 30, -10, Why::Undone)
        );
        assert_eq!(clock.doubt(), Some(Why::Unsynchronised));
        assert_eq!(
            clock.step(&step(30 + HOUR, HOUR), OLD),
            redate(0, 30, HOUR, Why::Unsynchronised)
        );
    }

    #[test]
    fn more_skips_than_are_remembered_are_not_taken_back() {
        let mut clock = RunClock::start(at(0), None, true);
        let mut wall = 0;
        for _ in 0..=MAX_EARLIER {
            wall += 110;
            assert_eq!(clock.step(&step(wall, 100), OLD), skip(wall - 100, 100));
        }
        wall += 10;
        let last = take_back(wall - 110, 100, -100, wall);
        assert_eq!(clock.step(&step(wall - 100, -100), OLD), [last]);
        assert_eq!(clock.step(&step(wall - 200, -100), OLD), []);
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
            skip(100, HOUR),
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
        assert_eq!(clock.step(&step(7300, HOUR), YOUNG), skip(3700, HOUR));
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
            skip(30, HOUR),
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
                skip(10, 12 * HOUR)
            );
            assert_eq!(
                clock.step(&step(day + 20, 12 * HOUR), YOUNG),
                skip(12 * HOUR + 20, 12 * HOUR)
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
            [take_back(10, HOUR - 600, 600 - HOUR, HOUR + 1400)],
            "all of it"
        );
        assert_eq!(
            clock.settle(at(HOUR + 2000 - 600 - 2 * HOUR), true, SETTLED_AFTER),
            redate(0, 2000, -HOUR - 600, Why::SetBack),
            "and more, which contradicts what a time service had confirmed"
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
        assert_eq!(clock.step(&step(4200, HOUR), YOUNG), skip(600, HOUR));
    }
}
