//! The outages of a report as people count them: those of several hosts that began together are
//! one row, with a row for each host, marked by `-`, below it.

use super::figures::Report;
use super::rows::{incident_row, outage_row};
use super::table::Row;
use crate::pure::phrase;
use crate::store::{GroupedOutage, Incident};

/// Of the section of outages.
const HOST_COLUMN: usize = 3;

/// Outages that began together, or a single one.
pub(super) struct Together<'r> {
    /// `None` for an outage of a host that failed alone.
    incident: Option<&'r Incident>,
    /// Those of the report's hosts. Never empty.
    pub outages: Vec<&'r GroupedOutage>,
}

/// Every outage of the report once, in the order of their beginnings.
pub(super) fn together(report: &Report) -> Vec<Together<'_>> {
    let mut groups: Vec<Together<'_>> = Vec::new();
    for outage in &report.outages {
        let has_it = |incident: &&Incident| incident.event_ids.contains(&outage.event.id);
        let incident = report.incidents.iter().find(has_it);
        let of_incident = |group: &&mut Together<'_>| {
            incident.is_some_and(|own| group.incident.is_some_and(|of| std::ptr::eq(of, own)))
        };
        match groups.iter_mut().find(of_incident) {
            Some(group) => group.outages.push(outage),
            None => groups.push(Together {
                incident,
                outages: vec![outage],
            }),
        }
    }
    groups
}

impl Together<'_> {
    pub fn rows(&self, report: &Report) -> Vec<Row> {
        let own = self.outages.iter().map(|outage| outage_row(report, outage));
        match (self.incident, self.outages.as_slice()) {
            (Some(incident), [alone]) => own
                .map(|mut row| {
                    row.details.extend(others(incident, alone));
                    row
                })
                .collect(),
            (Some(incident), outages) => [incident_row(report, incident, outages)]
                .into_iter()
                .chain(own.map(|mut row| {
                    row.cells[HOST_COLUMN].insert_str(0, "- ");
                    row
                }))
                .collect(),
            (None, _) => own.collect(),
        }
    }
}

/// The hosts that failed together with one, where the report is of that one only.
fn others(incident: &Incident, own: &GroupedOutage) -> Option<String> {
    let all = incident.event_ids.iter().zip(&incident.host_names);
    let others = all.filter(|(id, _)| **id != own.event.id);
    let names: Vec<&str> = others.map(|(_, name)| name.as_str()).collect();
    (!names.is_empty()).then(|| format!("Failed together with {}.", names.join(", ")))
}

/// `4 outages (12 counted for each host) of 3 hosts.`
pub(super) fn count_text(together: usize, outages: usize, hosts: usize) -> String {
    let outages = phrase::outages(together, outages);
    format!("{outages} of {}.", phrase::count(hosts, "host"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outages_that_began_together_count_once() {
        for (together, outages, hosts, text) in [
            (1, 1, 1, "1 outage of 1 host."),
            (2, 2, 1, "2 outages of 1 host."),
            (1, 9, 9, "1 outage (9 counted for each host) of 9 hosts."),
            (4, 12, 3, "4 outages (12 counted for each host) of 3 hosts."),
        ] {
            assert_eq!(count_text(together, outages, hosts), text);
        }
    }
}
