//! What the line did for some days: for how long it was down by each cause, and which of them each
//! day is marked with.

use std::ops::Range;
use std::time::Duration;

use serde::Serialize;

use super::zone::Zone;
use crate::pure::cause::Cause;
use crate::pure::incident::GroupingRules;
use crate::pure::time::UtcMillis;
use crate::store::{GroupedOutage, Reader, StoreError, missing_ms};

/// How long and how often something was the cause.
#[derive(Serialize, Default)]
struct Share {
    /// Of the line's causes the time counts once, however many hosts noticed; of the others for
    /// each host.
    down_seconds: i64,
    outages: usize,
}

/// The outage that ended last.
#[derive(Serialize)]
struct Last {
    host_name: String,
    end_time: String,
    cause: &'static str,
}

/// The line, and what was no fault of it.
#[derive(Serialize)]
pub(super) struct Line {
    link: Share,
    gateway: Share,
    provider: Share,
    dns: Share,
    host: Share,
    unknown: Share,
    /// The line's cause that lasted longest that day, by its first letter.
    days: Vec<Option<&'static str>>,
    last: Option<Last>,
}

/// The causes that are the line's own, and the letter of each.
const LINE_CAUSES: [(Cause, &str); 4] = [
    (Cause::Link, "L"),
    (Cause::Gateway, "G"),
    (Cause::Provider, "P"),
    (Cause::Dns, "D"),
];

/// Days begin by the reader's zone.
pub(super) fn line(
    reader: &Reader,
    grouping: &GroupingRules,
    span: &Range<UtcMillis>,
    zone: &Zone,
) -> Result<Line, StoreError> {
    let gaps = reader.gaps(&(UtcMillis(0)..span.end))?;
    let is_counted = |episode: &GroupedOutage| !episode.event.planned;
    let fragments = reader.fragments(span)?;
    let mut outages = fragments.episodes(grouping, &gaps);
    outages.retain(is_counted);
    // Each row by itself: between the spells of an intermittent outage the host was up.
    let apart = GroupingRules {
        merge: Duration::ZERO,
        intermittent_count: 0,
        ..*grouping
    };
    let mut rows = fragments.episodes(&apart, &gaps);
    rows.retain(is_counted);
    let within = |episode: &GroupedOutage| {
        episode.start().max(span.start)..episode.end().unwrap_or(span.end).min(span.end)
    };
    let of = |episodes: &[GroupedOutage], cause: Cause| -> Vec<Range<UtcMillis>> {
        episodes
            .iter()
            .filter(|episode| episode.cause() == cause)
            .map(within)
            .collect()
    };
    let is_link = |cause| cause == Cause::Link;
    // A link that is down is itself a time in which nothing is measured.
    let seconds = |cause: Cause, spans: &[Range<UtcMillis>]| {
        let measured = |span: &Range<UtcMillis>| {
            span.end.0
                - span.start.0
                - if is_link(cause) {
                    0
                } else {
                    missing_ms(&gaps, span)
                }
        };
        spans.iter().map(measured).sum::<i64>() / 1000
    };
    let of_line = |cause| Share {
        down_seconds: seconds(cause, &joined(of(&rows, cause))),
        outages: joined(of(&outages, cause)).len(),
    };
    let of_hosts = |cause| Share {
        down_seconds: seconds(cause, &of(&rows, cause)),
        outages: of(&outages, cause).len(),
    };
    let ended = outages
        .iter()
        .filter(|episode| !episode.is_open())
        .max_by_key(|episode| episode.end());
    Ok(Line {
        link: of_line(Cause::Link),
        gateway: of_line(Cause::Gateway),
        provider: of_line(Cause::Provider),
        dns: of_line(Cause::Dns),
        host: of_hosts(Cause::Host),
        unknown: of_hosts(Cause::Unknown),
        days: letters(
            &LINE_CAUSES.map(|(cause, letter)| (letter, joined(of(&rows, cause)))),
            span,
            zone,
        ),
        last: ended.map(|episode| Last {
            host_name: episode.event.host_name.clone(),
            end_time: episode.end().unwrap_or(span.end).rfc3339(),
            cause: episode.cause().as_str(),
        }),
    })
}

/// Spans in the order of time, those that touch as one.
fn joined(mut spans: Vec<Range<UtcMillis>>) -> Vec<Range<UtcMillis>> {
    spans.sort_by_key(|span| span.start);
    let mut joined: Vec<Range<UtcMillis>> = Vec::new();
    for span in spans {
        match joined.last_mut().filter(|last| span.start <= last.end) {
            Some(last) => last.end = last.end.max(span.end),
            None => joined.push(span),
        }
    }
    joined
}

/// The letter of each day: of the spans that hold most of it.
fn letters(
    causes: &[(&'static str, Vec<Range<UtcMillis>>)],
    span: &Range<UtcMillis>,
    zone: &Zone,
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
    fn what_several_hosts_noticed_counts_once() {
        assert_eq!(
            joined(spans(&[(50, 60), (10, 20), (15, 40), (40, 45)])),
            spans(&[(10, 45), (50, 60)])
        );
    }

    #[test]
    fn a_day_is_marked_with_what_lasted_longest_in_the_readers_zone() {
        let hour = 3_600_000;
        // Two hours east: the reader's day begins at 22:00 UTC.
        let span = UtcMillis(22 * hour)..UtcMillis(94 * hour);
        let causes = [
            (
                "G",
                spans(&[(23 * hour, 24 * hour), (71 * hour, 72 * hour)]),
            ),
            ("P", spans(&[(44 * hour, 47 * hour)])),
        ];
        assert_eq!(
            letters(&causes, &span, &Zone::east_by(2 * hour)),
            [Some("P"), Some("P"), Some("G")]
        );
        assert_eq!(letters(&causes, &span, &Zone::east_by(0)).len(), 4);
    }
}
