//! The list of outages as people count them: one entry for outages of several hosts that began
//! together, newest first, a part of the record at a time.

use serde::Serialize;

use super::outages::{OutageFilter, OutageRow, limit, outage_rows, span};
use super::parameters::Parameters;
use super::{Api, ApiResult, json, present};
use crate::pure::cause::Cause;
use crate::pure::model::EventKind;
use crate::pure::time::UtcMillis;
use crate::store::{GroupedOutage, Incident, any_down_seconds, by_incident};

#[derive(Serialize)]
struct IncidentRow<'a> {
    start_time: UtcMillis,
    end_time: Option<UtcMillis>,
    cause: Cause,
    planned: bool,
    /// Of all that began together, also if only one is asked for.
    hosts: usize,
    /// How long at least one of the outages lasted, as far as it was measured.
    down_seconds: i64,
    outages: Vec<OutageRow<'a>>,
}

#[derive(Serialize)]
struct IncidentList<'a> {
    /// The span of the sums.
    from: UtcMillis,
    to: UtcMillis,
    /// Within the span, without planned ones, links and names. Those that began together are one.
    outages: usize,
    /// The same, for each host by itself.
    outages_of_hosts: usize,
    hosts: usize,
    /// How long at least one host was down within the span.
    down_seconds: i64,
    /// This machine's links that were down.
    links: Besides,
    /// Names that did not resolve.
    names: Besides,
    /// Of the whole record.
    incidents: Vec<IncidentRow<'a>>,
    /// The parameter `before` for the entries that follow; null at the end of the record.
    older: Option<UtcMillis>,
}

/// What is listed beside the outages of hosts, within the span and without planned ones.
#[derive(Serialize)]
struct Besides {
    events: usize,
    /// How long at least one of them lasted.
    seconds: i64,
}

/// Unless a single incident has more, an answer has at most so many outages.
const MAX_OUTAGES: usize = 1000;

pub(super) fn incident_list(api: &Api, parameters: &Parameters<'_>) -> ApiResult {
    let wanted = OutageFilter::of(parameters)?;
    let (span, limit) = (span(api, parameters)?, limit(parameters)?);
    let before = parameters.instant("before")?;
    let reader = api.reader()?;
    let wanted = wanted.with_host(api, &reader, parameters)?;
    let whole = UtcMillis(0)..UtcMillis(present(&reader)?.0 + 1);
    let gaps = reader.gaps(&whole)?;
    let found = reader.grouped_outages(&whole, &api.config().report.grouping, &gaps)?;
    // Grouped before they are selected: a host fails with others also where only it is asked for.
    let mut all: Vec<(usize, Vec<&GroupedOutage>)> = by_incident(&found)
        .into_iter()
        .map(|together| (together.len(), together))
        .collect();
    for (_, together) in &mut all {
        together.retain(|outage| wanted.matches(outage));
    }
    all.retain(|(_, together)| !together.is_empty());
    let touches = |outage: &GroupedOutage| {
        outage.start() < span.end && outage.end().is_none_or(|end| end > span.start)
    };
    let within = |outage: &&GroupedOutage| outage.is_counted() && touches(outage);
    let besides = |kind: EventKind| {
        let of_kind = |outage: &&GroupedOutage| {
            let event = &outage.event;
            event.event_type == kind && !event.planned && touches(outage) && wanted.matches(outage)
        };
        let events = found.iter().filter(of_kind);
        Besides {
            events: events.clone().count(),
            seconds: any_down_seconds(events, &span, &gaps),
        }
    };
    let counted: Vec<&GroupedOutage> = found
        .iter()
        .filter(|outage| wanted.matches(outage) && within(outage))
        .collect();
    let mut hosts: Vec<_> = counted
        .iter()
        .map(|outage| (outage.event.host_id, &outage.event.host_address))
        .collect();
    hosts.sort_unstable();
    hosts.dedup();
    // An imported outage has no id.
    let with_id: Vec<&String> = hosts
        .iter()
        .filter(|(id, _)| id.is_some())
        .map(|(_, at)| *at)
        .collect();
    hosts.retain(|(id, address)| id.is_some() || !with_id.contains(address));
    let older =
        |together: &[&GroupedOutage]| before.is_none_or(|before| together[0].start() < before);
    let mut rest = all
        .iter()
        .filter(|(_, together)| older(together))
        .peekable();
    let (mut listed, mut outages) = (Vec::new(), 0);
    while let Some((_, together)) = rest.peek() {
        // Those of one instant are not torn apart.
        let is_other = listed
            .last()
            .is_none_or(|(_, last): &&(usize, Vec<&GroupedOutage>)| {
                last[0].start() != together[0].start()
            });
        if is_other && (listed.len() >= limit || outages >= MAX_OUTAGES) {
            break;
        }
        outages += together.len();
        listed.extend(rest.next());
    }
    let older = rest
        .peek()
        .and(listed.last())
        .map(|(_, together)| together[0].start());
    let of_all = listed.iter().flat_map(|(_, together)| together);
    let mut rows = outage_rows(&reader, of_all.copied())?.into_iter();
    let incidents = listed.iter().map(|(hosts, together)| {
        let incident = Incident::of(together);
        IncidentRow {
            start_time: incident.start_time,
            end_time: incident.end_time,
            cause: incident.cause,
            planned: together[0].event.planned,
            hosts: *hosts,
            down_seconds: any_down_seconds(together.iter().copied(), &whole, &gaps),
            outages: rows.by_ref().take(together.len()).collect(),
        }
    });
    json(&IncidentList {
        from: span.start,
        to: span.end,
        outages: all
            .iter()
            .filter(|(_, together)| together.iter().any(within))
            .count(),
        outages_of_hosts: counted.len(),
        hosts: hosts.len(),
        down_seconds: any_down_seconds(counted.into_iter(), &span, &gaps),
        links: besides(EventKind::LinkDown),
        names: besides(EventKind::Dns),
        incidents: incidents.collect(),
        older,
    })
}
