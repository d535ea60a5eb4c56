//! Reads all figures of a report from the store.

use std::ops::Range;

use super::charts::charted;
use super::coverage::RecordedPeriod;
use super::downtime::by_cause;
use super::figures::{LinkDowntime, Report};
use super::host_figures::Source;
use super::hosts::{ReportedHost, reported_hosts};
use super::hours::{HourlyLosses, points};
use super::method;
use super::query::{ReportError, ReportQuery};
use super::timeline::BarSpans;
use crate::pure::model::{EventId, EventKind, HostId};
use crate::pure::order::by_key;
use crate::pure::time::UtcMillis;
use crate::store::{Gap, GroupedOutage, Reader, any_down_seconds, incidents};

/// `progress` is called with the number of hosts done and of all hosts.
pub fn gather(
    reader: &Reader,
    query: &ReportQuery<'_>,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Report, ReportError> {
    let asked = query.span.clone();
    // Gaps before the span too: they shorten the downtime of outages that began before it.
    let all_gaps = reader.gaps(&(UtcMillis(0)..asked.end))?;
    let mut outages = reader.grouped_outages(&asked, &query.settings.grouping, &all_gaps)?;
    let mut incidents = incidents(&outages);
    // The store returns the newest first.
    incidents.reverse();
    outages.reverse();
    let reported = reported_hosts(reader, query, &outages)?;
    outages.retain(|outage| is_of_link(outage) || reported.iter().any(|host| host.has(outage)));
    incidents.retain(|incident| {
        let is_listed = |id: &EventId| outages.iter().any(|outage| outage.event.id == *id);
        incident.event_ids.iter().any(is_listed)
    });
    let period = RecordedPeriod {
        first: first_recorded(reader, &reported, &outages)?,
        asked,
    };
    let span = period.span();
    let gaps: Vec<Gap> = all_gaps
        .iter()
        .filter_map(|gap| part_within(gap, &span))
        .collect();
    let bars = BarSpans::of(&span, query.offset_at);
    let source = Source {
        reader,
        span: &span,
        gaps: &gaps,
        bars: &bars,
        offset_at: query.offset_at,
    };
    let mut losses = HourlyLosses::default();
    let mut hosts = Vec::with_capacity(reported.len());
    let mut check_methods = Vec::new();
    for (index, host) in reported.iter().enumerate() {
        progress(index as u64, reported.len() as u64);
        let own: Vec<&GroupedOutage> = outages
            .iter()
            .filter(|outage| outage.is_of_host() && host.has(outage))
            .collect();
        let (figures, check_method) = source.figures(host, &own, &mut losses)?;
        hosts.push(figures);
        method::add_host(&mut check_methods, &host.name, check_method);
    }
    for place in charted(&hosts) {
        let recorded = reported[place].recorded.iter();
        let ids: Vec<HostId> = recorded.map(|host| host.id).collect();
        hosts[place].points = points(reader, &ids, &span)?;
    }
    let (mut planned, unplanned): (Vec<GroupedOutage>, Vec<GroupedOutage>) =
        outages.into_iter().partition(|outage| outage.event.planned);
    by_key(&mut planned, |outage| {
        [outage.start().0, i64::from(is_of_link(outage))]
    });
    let (links, outages): (Vec<GroupedOutage>, Vec<GroupedOutage>) =
        unplanned.into_iter().partition(is_of_link);
    let of_hosts = outages.iter().filter(|outage| outage.is_of_host());
    Ok(Report {
        causes: by_cause(outages.iter().chain(&links), &span, &gaps),
        any_down_seconds: any_down_seconds(of_hosts, &span, &gaps),
        own_line: LinkDowntime {
            down_seconds: any_down_seconds(links.iter(), &span, &gaps),
            events: links,
        },
        worst_hours: losses.worst(),
        method: method::method(query, &span, check_methods, reader.pruned_before()?),
        appendix: query.appendix,
        asked_from: period.asked.start,
        from: span.start,
        to: span.end,
        first_recorded: period.first,
        run_since: reader.first_run()?,
        hosts,
        outages,
        gaps,
        incidents,
        planned,
        bars,
    })
}

/// The first record of any of the hosts. An outage that was imported may be older than all checks.
fn first_recorded(
    reader: &Reader,
    hosts: &[ReportedHost<'_>],
    outages: &[GroupedOutage],
) -> Result<Option<UtcMillis>, ReportError> {
    let ids = hosts.iter().flat_map(|host| &host.recorded);
    let ids: Vec<HostId> = ids.map(|host| host.id).collect();
    let of_hosts = outages.iter().filter(|outage| !is_of_link(outage));
    let of_outages = of_hosts.map(GroupedOutage::start);
    Ok(reader
        .first_recorded(&ids)?
        .into_iter()
        .chain(of_outages)
        .min())
}

fn part_within(gap: &Gap, span: &Range<UtcMillis>) -> Option<Gap> {
    let (from, to) = (gap.from.max(span.start), gap.to.min(span.end));
    (from < to).then(|| Gap {
        from,
        to,
        ..gap.clone()
    })
}

fn is_of_link(outage: &GroupedOutage) -> bool {
    outage.event.event_type == EventKind::LinkDown
}
