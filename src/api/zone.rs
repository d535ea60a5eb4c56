//! The days of the viewer, whose browser may be in another time zone than this machine.

use std::cell::Cell;
use std::ops::Range;

use super::ApiError;
use super::parameters::Parameters;
use crate::pure::time::{DAY_MS, Hour, UtcMillis};

/// The offset east of UTC, and its changes (daylight saving time) within the days that are shown.
pub(super) struct ViewerZone {
    offset_ms: i64,
    /// When each change was, and the offset before it; the latest first.
    changes: Vec<(i64, i64)>,
}

/// Of an offset.
const MINUTES: Range<i64> = -900..901;
const MINUTE_MS: i64 = 60_000;
/// A zone has at most a few changes within 400 days.
const MAX_CHANGES: usize = 8;

impl ViewerZone {
    /// `changed_at` and `earlier_offset_minutes` are lists of the same length, the latest change
    /// first.
    pub fn read(parameters: &Parameters<'_>) -> Result<ViewerZone, ApiError> {
        let offset = parameters.whole("offset_minutes", MINUTES, 0)?;
        let times = parameters.instants("changed_at")?;
        let offsets = parameters.numbers("earlier_offset_minutes", &MINUTES)?;
        if times.len() != offsets.len() || times.len() > MAX_CHANGES {
            return Err(ApiError::BadParameter(format!(
                "earlier_offset_minutes: one number belongs to each time in changed_at, of which \
                 there are at most {MAX_CHANGES}"
            )));
        }
        let offsets = offsets.into_iter().map(|minutes| minutes * MINUTE_MS);
        Ok(ViewerZone {
            offset_ms: offset * MINUTE_MS,
            changes: times.iter().map(|at| at.0).zip(offsets).collect(),
        })
    }

    /// A zone with a constant offset.
    #[cfg(test)]
    pub fn east_by(offset_ms: i64) -> ViewerZone {
        ViewerZone {
            offset_ms,
            changes: Vec::new(),
        }
    }

    fn offset_at(&self, instant: i64) -> i64 {
        let before = self.changes.iter().rev().find(|(at, _)| instant < *at);
        before.map_or(self.offset_ms, |(_, earlier)| *earlier)
    }

    /// The day that an instant is in, counted from 1970.
    pub fn day_of(&self, instant: i64) -> i64 {
        instant
            .saturating_add(self.offset_at(instant))
            .div_euclid(DAY_MS)
    }

    /// When a day begins.
    pub fn begin_of(&self, day: i64) -> i64 {
        let begin = |offset: i64| day * DAY_MS - offset;
        let earlier = self.changes.iter().rev();
        let by_earlier = earlier.map(|(at, earlier)| (*at, begin(*earlier)));
        let mut found = by_earlier.filter(|(at, begin)| begin < at);
        found
            .next()
            .map_or(begin(self.offset_ms), |(_, begin)| begin)
    }

    pub fn day_finder(&self) -> DayFinder<'_> {
        DayFinder {
            zone: self,
            newest: Cell::new((0, 0, 0)),
        }
    }

    /// When a day begins within an hour, not with it.
    pub fn day_beginning_in(&self, hour: Hour) -> Option<UtcMillis> {
        let begin = self.begin_of(self.day_of(hour.next().start().0 - 1));
        Some(UtcMillis(begin)).filter(|begin| *begin > hour.start())
    }
}

/// Finds the days of instants that follow one another: most are in the day of the one before.
pub(super) struct DayFinder<'a> {
    zone: &'a ViewerZone,
    /// Its number, begin and end.
    newest: Cell<(i64, i64, i64)>,
}

impl DayFinder<'_> {
    /// As [`ViewerZone::day_of`].
    pub fn day_of(&self, instant: i64) -> i64 {
        let (day, begin, end) = self.newest.get();
        if begin <= instant && instant < end {
            return day;
        }
        let day = self.zone.day_of(instant);
        let end = self.zone.begin_of(day + 1);
        self.newest.set((day, self.zone.begin_of(day), end));
        day
    }

    /// As [`ViewerZone::day_beginning_in`].
    pub fn day_beginning_in(&self, hour: Hour) -> Option<UtcMillis> {
        let is_one_day = self.day_of(hour.start().0) == self.day_of(hour.next().start().0 - 1);
        if is_one_day {
            None
        } else {
            self.zone.day_beginning_in(hour)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_right_over_two_changes_of_the_offset_and_with_half_hours() {
        // Two hours east, before that one, before that two and a half.
        let zone = ViewerZone {
            offset_ms: 120 * MINUTE_MS,
            changes: vec![
                (100 * DAY_MS, 60 * MINUTE_MS),
                (50 * DAY_MS, 150 * MINUTE_MS),
            ],
        };
        for (day, minutes_east) in [(30, 150), (50, 150), (51, 60), (99, 60), (101, 120)] {
            let begin = day * DAY_MS - minutes_east * MINUTE_MS;
            assert_eq!(zone.begin_of(day), begin, "{day}");
            assert_eq!((zone.day_of(begin), zone.day_of(begin - 1)), (day, day - 1));
        }
        let finder = zone.day_finder();
        for hour in (29 * 24..102 * 24).map(Hour) {
            for at in [hour.start().0, hour.start().0 + 30 * MINUTE_MS - 1] {
                assert_eq!(finder.day_of(at), zone.day_of(at), "{at}");
            }
            assert_eq!(finder.day_beginning_in(hour), zone.day_beginning_in(hour));
        }
        let hour = |day: i64, minutes: i64| UtcMillis(day * DAY_MS - minutes * MINUTE_MS).hour();
        assert_eq!(
            zone.day_beginning_in(hour(30, 150)),
            Some(UtcMillis(30 * DAY_MS - 150 * MINUTE_MS))
        );
        assert_eq!(zone.day_beginning_in(hour(30, 90)), None);
        assert_eq!(
            zone.day_beginning_in(hour(99, 60)),
            None,
            "it begins with the hour"
        );
        for minutes in [345, -210, 765] {
            let zone = ViewerZone::east_by(minutes * MINUTE_MS);
            let begin = 7 * DAY_MS - minutes * MINUTE_MS;
            assert_eq!(
                zone.day_beginning_in(UtcMillis(begin).hour()),
                Some(UtcMillis(begin))
            );
        }
    }
}
