//! Incidents: outages of several hosts that began together, counted as people count them, as one.

use serde::Serialize;

use super::grouped::GroupedOutage;
use crate::pure::cause::Cause;
use crate::pure::incident::{self, OutageSpan};
use crate::pure::model::{EventId, EventKind};
use crate::pure::order::by_key;
use crate::pure::time::UtcMillis;

/// Outages of several hosts that began together.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Incident {
    pub start_time: UtcMillis,
    /// When the last outage ended; `None` while one is ongoing.
    pub end_time: Option<UtcMillis>,
    /// The one nearest to this machine.
    pub cause: Cause,
    pub hosts: usize,
    /// In the order in which they failed.
    pub host_names: Vec<String>,
    /// The ids of the outages.
    pub event_ids: Vec<EventId>,
}

impl Incident {
    /// Of outages that began together, in the order in which they did.
    pub fn of(outages: &[&GroupedOutage]) -> Incident {
        let start = outages.iter().map(|outage| outage.start()).min();
        let ends: Option<Vec<UtcMillis>> = outages.iter().map(|outage| outage.end()).collect();
        let cause = outages.iter().map(|outage| outage.cause()).min();
        Incident {
            start_time: start.unwrap_or(UtcMillis(0)),
            end_time: ends.and_then(|ends| ends.into_iter().max()),
            cause: cause.unwrap_or(Cause::Unknown),
            hosts: outages.len(),
            host_names: outages.iter().map(|outage| outage.event.name()).collect(),
            event_ids: outages.iter().map(|outage| outage.event.id).collect(),
        }
    }
}

/// Newest first. Planned outages are in none.
pub fn incidents(outages: &[GroupedOutage]) -> Vec<Incident> {
    by_incident(outages)
        .iter()
        .filter(|together| together.len() > 1 && !together[0].event.planned)
        .map(|together| Incident::of(together))
        .collect()
}

/// Every outage once: those that began together side by side, in the order in which they did, the
/// others alone. Newest first. Planned outages are together with planned ones only, and a link that
/// was down with nothing.
pub fn by_incident(outages: &[GroupedOutage]) -> Vec<Vec<&GroupedOutage>> {
    let mut ordered: Vec<&GroupedOutage> = outages.iter().collect();
    by_key(&mut ordered, |outage| [outage.start().0, outage.event.id.0]);
    let mut groups: Vec<Vec<&GroupedOutage>> = Vec::new();
    let is_link = |outage: &GroupedOutage| outage.event.event_type == EventKind::LinkDown;
    for is_planned in [false, true] {
        let candidates: Vec<&GroupedOutage> = ordered
            .iter()
            .copied()
            .filter(|outage| !is_link(outage) && outage.event.planned == is_planned)
            .collect();
        let spans: Vec<OutageSpan<_>> = candidates
            .iter()
            .map(|outage| OutageSpan {
                host: outage.event.host(),
                earliest_start: outage.event.earliest_start,
                start: outage.start(),
                end: outage.end(),
                is_last: false,
            })
            .collect();
        let mut is_alone = vec![true; candidates.len()];
        for members in incident::incidents(&spans) {
            for index in &members {
                is_alone[*index] = false;
            }
            groups.push(members.iter().map(|index| candidates[*index]).collect());
        }
        let alone = candidates.iter().zip(is_alone).filter(|(_, alone)| *alone);
        groups.extend(alone.map(|(outage, _)| vec![*outage]));
    }
    groups.extend(ordered.iter().filter(|o| is_link(o)).map(|o| vec![*o]));
    by_key(&mut groups, |group| {
        [
            group[0].start().0.saturating_neg(),
            group[0].event.id.0.saturating_neg(),
        ]
    });
    groups
}
