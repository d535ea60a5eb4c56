//! Summary of the internet line over some days: its down time by cause, and the main cause of each
//! day.

use std::ops::Range;

use serde::Serialize;

use super::zone::ViewerZone;
use crate::pure::cause::Cause;
use crate::pure::incident::GroupingRules;
use crate::pure::time::UtcMillis;
use crate::store::{
    Gap, GroupedOutage, Incident, UngroupedOutages, by_incident, joined, missing_ms,
};

#[derive(Serialize, Default)]
struct CauseTotals {
    /// Time counts once however many hosts were down.
    down_seconds: i64,
    /// For a cause of the line those that overlap are one; for the others each counts.
    outages: usize,
}

#[derive(Serialize)]
struct LastOutage {
    /// The host that was down last.
    host_name: String,
    /// How many hosts went down together.
    hosts: usize,
    end_time: String,
    cause: &'static str,
}

/// By cause; `host` and `unknown` are not causes of the line.
#[derive(Serialize)]
pub(super) struct LineSummary {
    link: CauseTotals,
    gateway: CauseTotals,
    provider: CauseTotals,
    dns: CauseTotals,
    host: CauseTotals,
    unknown: CauseTotals,
    /// The letter of the line's cause that lasted longest on each day.
    days: Vec<Option<&'static str>>,
    last: Option<LastOutage>,
}

/// The causes that concern the line, with the letter that marks a day.
const LINE_CAUSES: [(Cause, &str); 4] = [
    (Cause::Link, "L"),
    (Cause::Gateway, "G"),
    (Cause::Provider, "P"),
    (Cause::Dns, "D"),
];

/// What the summary needs of the grouped outages, which are freed before others are made.
pub(super) struct LineOutages {
    /// As [`within`] the days.
    outages: Vec<(Cause, Range<UtcMillis>)>,
    last: Option<LastOutage>,
}

/// The cause of an outage, and its time within a span.
pub(super) fn within(outage: &GroupedOutage, span: &Range<UtcMillis>) -> (Cause, Range<UtcMillis>) {
    // An ongoing one lasts as long as its host was checked.
    let known = outage.spans.iter().map(|down| down.end).max();
    let end = known.unwrap_or(span.end).min(span.end);
    (outage.cause(), outage.start().max(span.start)..end)
}

impl LineOutages {
    pub fn of(
        fragments: &UngroupedOutages,
        grouping: &GroupingRules,
        gaps: &[Gap],
        span: &Range<UtcMillis>,
    ) -> LineOutages {
        let mut outages = fragments.grouped(grouping, gaps);
        outages.retain(|outage| !outage.event.planned);
        // Where the monitor stopped to look, nothing is known of the end.
        let is_known = |outage: &&GroupedOutage| outage.is_of_host() && !outage.event.is_removed;
        let ended = by_incident(&outages)
            .into_iter()
            .filter_map(|mut together| {
                together.retain(is_known);
                let last = *together.iter().max_by_key(|outage| outage.end())?;
                let is_over = together.iter().all(|outage| !outage.is_open());
                is_over.then_some((together, last))
            });
        let ended = ended.max_by_key(|(_, last)| last.end());
        LineOutages {
            outages: outages.iter().map(|outage| within(outage, span)).collect(),
            last: ended.map(|(together, last)| LastOutage {
                host_name: last.event.distinct_name(),
                hosts: together.len(),
                end_time: last.end().unwrap_or(span.end).rfc3339(),
                cause: Incident::of(&together).cause.as_str(),
            }),
        }
    }
}

/// Days are those of the viewer's zone.
///
/// `rows` are the outages that count, as [`within`] the days, without grouping: between the parts of
/// an intermittent outage the host was up.
pub(super) fn line_summary(
    grouped: LineOutages,
    rows: &[(Cause, Range<UtcMillis>)],
    gaps: &[Gap],
    span: &Range<UtcMillis>,
    zone: &ViewerZone,
) -> LineSummary {
    let of = |outages: &[(Cause, Range<UtcMillis>)], cause: Cause| -> Vec<Range<UtcMillis>> {
        let same = outages.iter().filter(|(other, _)| *other == cause);
        same.map(|(_, span)| span.clone()).collect()
    };
    let is_link = |cause| cause == Cause::Link;
    // While the link is down nothing is measured, so gaps are not subtracted from it.
    let seconds = |cause: Cause, spans: &[Range<UtcMillis>]| {
        let measured = |span: &Range<UtcMillis>| {
            span.end.0
                - span.start.0
                - if is_link(cause) {
                    0
                } else {
                    missing_ms(gaps, span, None)
                }
        };
        spans.iter().map(measured).sum::<i64>() / 1000
    };
    let of_line = |cause| CauseTotals {
        down_seconds: seconds(cause, &joined(of(rows, cause))),
        outages: joined(of(&grouped.outages, cause)).len(),
    };
    let of_hosts = |cause| CauseTotals {
        down_seconds: seconds(cause, &joined(of(rows, cause))),
        outages: of(&grouped.outages, cause).len(),
    };
    LineSummary {
        link: of_line(Cause::Link),
        gateway: of_line(Cause::Gateway),
        provider: of_line(Cause::Provider),
        dns: of_line(Cause::Dns),
        host: of_hosts(Cause::Host),
        unknown: of_hosts(Cause::Unknown),
        days: letters(
            &LINE_CAUSES.map(|(cause, letter)| (letter, joined(of(rows, cause)))),
            span,
            zone,
        ),
        last: grouped.last,
    }
}

/// For each day the letter whose spans cover most of it.
fn letters(
    causes: &[(&'static str, Vec<Range<UtcMillis>>)],
    span: &Range<UtcMillis>,
    zone: &ViewerZone,
) -> Vec<Option<&'static str>> {
    let day_of = |at: UtcMillis| zone.day_of(at.0);
    let first = day_of(span.start);
    let count = usize::try_from(day_of(UtcMillis(span.end.0 - 1)) - first + 1).unwrap_or(0);
    let mut worst: Vec<(i64, Option<&'static str>)> = vec![(0, None); count];
    for (letter, spans) in causes {
        let mut lengths = vec![0; count];
        for span in spans.iter().filter(|span| span.end > span.start) {
            for day in day_of(span.start)..=day_of(UtcMillis(span.end.0 - 1)) {
                let (begin, end) = (zone.begin_of(day), zone.begin_of(day + 1));
                let Some(length) = usize::try_from(day - first)
                    .ok()
                    .and_then(|day| lengths.get_mut(day))
                else {
                    continue;
                };
                *length += span.end.0.min(end) - span.start.0.max(begin);
            }
        }
        for (worst, length) in worst.iter_mut().zip(lengths) {
            if length > worst.0 {
                *worst = (length, Some(*letter));
            }
        }
    }
    worst.into_iter().map(|(_, letter)| letter).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spans(all: &[(i64, i64)]) -> Vec<Range<UtcMillis>> {
        all.iter()
            .map(|(from, to)| UtcMillis(*from)..UtcMillis(*to))
            .collect()
    }

    #[test]
    fn a_day_is_marked_with_the_longest_cause_in_the_viewers_zone() {
        let hour = 3_600_000;
        // Two hours east: the viewer's day begins at 22:00 UTC.
        let span = UtcMillis(22 * hour)..UtcMillis(94 * hour);
        let causes = [
            (
                "G",
                spans(&[(23 * hour, 24 * hour), (71 * hour, 72 * hour)]),
            ),
            ("P", spans(&[(44 * hour, 47 * hour)])),
        ];
        assert_eq!(
            letters(&causes, &span, &ViewerZone::east_by(2 * hour)),
            [Some("P"), Some("P"), Some("G")]
        );
        assert_eq!(letters(&causes, &span, &ViewerZone::east_by(0)).len(), 4);
    }
}
