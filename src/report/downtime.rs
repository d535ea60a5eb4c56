//! How long outages lasted within a span.

use std::ops::Range;

use super::figures::CauseTime;
use crate::pure::cause::Cause;
use crate::pure::order::by_key;
use crate::pure::time::{Hour, UtcMillis};
use crate::store::{Gap, GroupedOutage, missing_ms};

/// Milliseconds of a span in which an outage is proved by measurements: gaps are subtracted for a
/// host, but not for a link, which is known to be down without measurements.
pub(super) fn down_ms(outage: &GroupedOutage, span: &Range<UtcMillis>, gaps: &[Gap]) -> i64 {
    outage
        .spans
        .iter()
        .map(|down| down.start.max(span.start)..down.end.min(span.end))
        .filter(|part| part.start < part.end)
        .map(|part| measured_ms(&part, outage.is_of_host(), gaps))
        .sum()
}

fn measured_ms(part: &Range<UtcMillis>, is_of_host: bool, gaps: &[Gap]) -> i64 {
    let missing = if is_of_host {
        missing_ms(gaps, part)
    } else {
        0
    };
    part.end.0 - part.start.0 - missing
}

/// Seconds of a span in which at least one of several outages lasted.
pub(super) fn any_down_seconds<'o>(
    outages: impl Iterator<Item = &'o GroupedOutage>,
    span: &Range<UtcMillis>,
    gaps: &[Gap],
) -> i64 {
    let parts_of = |outage: &'o GroupedOutage| {
        let spans = outage.spans.iter();
        spans.map(|down| {
            let part = down.start.max(span.start)..down.end.min(span.end);
            (part, outage.is_of_host())
        })
    };
    let mut parts: Vec<(Range<UtcMillis>, bool)> = outages.flat_map(parts_of).collect();
    by_key(&mut parts, |(part, _)| [part.start.0, 0]);
    let (mut sum_ms, mut counted_until) = (0, span.start);
    for (part, is_of_host) in parts {
        let part = part.start.max(counted_until)..part.end;
        if part.start < part.end {
            sum_ms += measured_ms(&part, is_of_host, gaps);
            counted_until = part.end;
        }
    }
    sum_ms / 1000
}

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

/// Whether a planned outage touches an hour: the losses of such an hour do not count.
pub(super) fn is_planned_hour(outages: &[&GroupedOutage], hour: Hour) -> bool {
    let span = hour.start()..hour.next().start();
    let touches = |down: &Range<UtcMillis>| down.start < span.end && down.end > span.start;
    outages
        .iter()
        .any(|outage| outage.event.planned && outage.spans.iter().any(touches))
}
