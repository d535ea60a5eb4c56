//! The days of the viewer, whose browser may be in another time zone than this machine.

use super::ApiError;
use super::parameters::Parameters;
use crate::pure::time::DAY_MS;

/// The offset east of UTC, and the one that applied before its last change (daylight saving time).
pub(super) struct ViewerZone {
    offset_ms: i64,
    changed_at_ms: i64,
    earlier_offset_ms: i64,
}

impl ViewerZone {
    pub fn read(parameters: &Parameters<'_>) -> Result<ViewerZone, ApiError> {
        let offset = parameters.whole("offset_minutes", -900..901, 0)?;
        let earlier = parameters.whole("earlier_offset_minutes", -900..901, offset)?;
        let changed_at_ms = parameters.instant("changed_at")?.map_or(0, |at| at.0);
        Ok(ViewerZone {
            offset_ms: offset * 60_000,
            changed_at_ms,
            earlier_offset_ms: earlier * 60_000,
        })
    }

    /// A zone with a constant offset.
    #[cfg(test)]
    pub fn east_by(offset_ms: i64) -> ViewerZone {
        ViewerZone {
            offset_ms,
            changed_at_ms: 0,
            earlier_offset_ms: offset_ms,
        }
    }

    fn offset_at(&self, instant: i64) -> i64 {
        if instant < self.changed_at_ms {
            self.earlier_offset_ms
        } else {
            self.offset_ms
        }
    }

    /// The day that an instant is in, counted from 1970.
    pub fn day_of(&self, instant: i64) -> i64 {
        instant
            .saturating_add(self.offset_at(instant))
            .div_euclid(DAY_MS)
    }

    /// When a day begins.
    pub fn begin_of(&self, day: i64) -> i64 {
        let by_earlier = day * DAY_MS - self.earlier_offset_ms;
        if by_earlier < self.changed_at_ms {
            by_earlier
        } else {
            day * DAY_MS - self.offset_ms
        }
    }
}
