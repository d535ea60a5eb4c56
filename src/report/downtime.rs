//! How long outages lasted within a span.

use std::ops::Range;

use super::figures::CauseTime;
use crate::pure::cause::Cause;
use crate::pure::time::{HOUR_MS, UtcMillis};
use crate::store::{Gap, GroupedOutage, any_down_seconds};

pub(super) fn by_cause<'o>(
    outages: impl Iterator<Item = &'o GroupedOutage> + Clone,
    span: &Range<UtcMillis>,
    gaps: &[Gap],
) -> Vec<CauseTime> {
    let of = |cause| {
        let parts: Vec<GroupedOutage> = outages
            .clone()
            .filter_map(|outage| outage.part_of(cause))
            .collect();
        CauseTime {
            cause,
            seconds: any_down_seconds(parts.iter(), span, gaps),
            events: parts.len(),
        }
    };
    Cause::ALL
        .into_iter()
        .map(of)
        .filter(|time| time.events > 0)
        .collect()
}

/// Whether a planned outage touches the hour that begins then: the losses of such an hour do not count.
pub(super) fn is_planned_hour(outages: &[&GroupedOutage], hour: UtcMillis) -> bool {
    let span = hour..UtcMillis(hour.0 + HOUR_MS);
    let touches = |down: &Range<UtcMillis>| down.start < span.end && down.end > span.start;
    outages
        .iter()
        .any(|outage| outage.event.planned && outage.spans.iter().any(touches))
}
