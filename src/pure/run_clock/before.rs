//! How a run begins where the run before, since the same boot, knew more of the clock.

use std::time::Duration;

use super::{MIN_STEP_MS, RunClock, Shown, Why};
use crate::pure::time::UtcMillis;

/// What the run before, since the same boot, made of the clock with which a run begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClockBefore {
    /// By so much the clock was behind the times which that run recorded.
    pub behind_ms: i64,
    pub doubt: Option<Why>,
    /// By how much it was set since: nothing, or a step.
    pub step_ms: i64,
}

impl ClockBefore {
    /// By how much the clock was set back since that run ended, if it was.
    pub fn set_back_ms(&self) -> Option<i64> {
        (self.step_ms < 0).then(|| self.step_ms.saturating_neg())
    }
}

impl RunClock {
    /// As [`RunClock::start`], where the run before knew more: its clock was behind what it recorded, or was set back
    /// since. Both runs have one clock, so this one goes on dating as that one did, with the time
    /// between them.
    pub fn start_after(
        before: &ClockBefore,
        now: UtcMillis,
        newest: Option<UtcMillis>,
        is_synchronised: bool,
    ) -> RunClock {
        let alone = RunClock::start(now, newest, is_synchronised);
        let behind_ms = before.behind_ms.saturating_sub(before.step_ms);
        let is_set_since = before.behind_ms == 0;
        let is_known = if is_set_since {
            alone.is_behind_record
        } else {
            behind_ms >= MIN_STEP_MS
        };
        if !is_known || behind_ms < alone.dated_ms {
            return alone;
        }
        let is_behind_record = is_set_since || before.doubt == Some(Why::Behind);
        let mut clock = RunClock {
            started: now.plus(behind_ms),
            dated_ms: behind_ms,
            doubt: if is_behind_record {
                Some(Why::Behind)
            } else {
                before.doubt
            },
            is_confirmed: before.doubt.is_none() && !is_behind_record,
            is_behind_record,
            ..alone
        };
        if !is_behind_record {
            // It was set back, and may be set to this again.
            let shown = clock.shown_until(Duration::ZERO);
            clock.shown.push(Shown {
                set_ms: behind_ms,
                ..shown
            });
        }
        clock
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{YOUNG, at, just_before, redate, skip, step};
    use super::*;

    #[test]
    fn a_run_goes_on_dating_as_the_one_before_it_in_the_same_boot() {
        let before = |behind: i64, doubt, step: i64| ClockBefore {
            behind_ms: behind * 1000,
            doubt,
            step_ms: step * 1000,
        };
        // The record ends at 0, by right times; this run begins at 40, and the clock is 190 behind.
        let newest = Some(just_before(0));
        let start = |before| RunClock::start_after(&before, at(-150), newest, false);
        for (earlier, dated, doubt, what) in [
            (before(190, None, 0), 40, None, "it was set back"),
            (
                before(190, Some(Why::Unsynchronised), 0),
                40,
                Some(Why::Unsynchronised),
                "of a doubted run too",
            ),
            (
                before(190, Some(Why::Behind), 0),
                40,
                Some(Why::Behind),
                "it never was right",
            ),
            (
                before(0, None, -190),
                40,
                Some(Why::Behind),
                "it was set back in between",
            ),
            (before(150, None, -40), 40, None, "it was set back twice"),
            (
                before(10, None, 0),
                0,
                Some(Why::Behind),
                "not before what is on record",
            ),
            (before(0, None, -5), 0, Some(Why::Behind), "not by enough"),
        ] {
            let clock = start(earlier);
            assert_eq!(clock.dated(at(-150)), at(dated), "{what}");
            assert_eq!(
                (clock.started(), clock.doubt()),
                (at(dated), doubt),
                "{what}"
            );
        }
        let mut clock = start(before(190, None, 0));
        assert_eq!(clock.step(&step(20, 160), YOUNG), [], "a part of it");
        assert_eq!(clock.dated(at(20)), at(50));
        assert_eq!(clock.step(&step(60, 30), YOUNG), [], "it is right again");
        assert_eq!((clock.behind_ms(), clock.doubt()), (0, None));
        let mut clock = start(before(190, None, 0));
        assert_eq!(clock.step(&step(100, 240), YOUNG), skip(50, 50));
        let mut clock = start(before(190, Some(Why::Behind), 0));
        assert_eq!(clock.step(&step(20, 160), YOUNG), [], "a part of it");
        assert_eq!(
            clock.step(&step(160, 130), YOUNG),
            redate(40, 60, 100, Why::Behind)
        );
        // The record ends long before the clock, which was set back in a longer pause, or before it.
        let late = |before| RunClock::start_after(&before, at(500), newest, true);
        assert_eq!(late(before(0, None, -190)).dated(at(500)), at(500));
        assert_eq!(late(before(190, None, 0)).dated(at(500)), at(690));
    }
}
