//! The list of outages as text: one row an incident, the planned ones apart, and the sums.

use std::ops::Range;

use super::print::{align, cut, is_coloured, paint, printable};
use crate::pure::cause::Cause;
use crate::pure::model::{EventKind, State};
use crate::pure::phrase::{self, count, duration_of};
use crate::pure::time::{UtcMillis, whole_seconds};
use crate::store::{Gap, GroupedOutage, Incident, any_down_seconds, by_incident};
use crate::sys::utc_offset_at;

pub struct OutageList<'a> {
    /// All that the options select.
    pub outages: &'a [GroupedOutage],
    /// The number of rows.
    pub limit: usize,
    /// Whether each host of an incident has a row below it.
    pub is_each_host: bool,
    /// The sums are of this span.
    pub span: &'a Range<UtcMillis>,
    pub gaps: &'a [Gap],
    pub now: UtcMillis,
}

impl OutageList<'_> {
    /// A table of the outages, another one of the planned ones, and the sums of each host and of
    /// all. The sums are over all outages, however few rows there are.
    pub fn text(&self) -> String {
        let all = by_incident(self.outages);
        if all.is_empty() {
            return "no outages\n".into();
        }
        let shown = &all[..self.limit.min(all.len())];
        let mut parts = tables(shown, self.is_each_host, self.gaps, self.now);
        if shown.len() < all.len() {
            parts.push(format!(
                "{} of {} shown; all of them with --limit 0\n",
                shown.len(),
                all.len()
            ));
        }
        if !self.is_each_host && shown.iter().any(|together| together.len() > 1) {
            parts.push("each host of an incident, with its id: --each-host\n".into());
        }
        parts.extend(self.sums_by_host());
        parts.extend(self.sum_of_all(&all));
        parts.join("\n")
    }

    fn sum_of_all(&self, all: &[Vec<&GroupedOutage>]) -> Option<String> {
        let incidents = all
            .iter()
            .filter(|together| together.iter().any(|outage| outage.is_counted()));
        let counted = || self.outages.iter().filter(|outage| outage.is_counted());
        let mut hosts: Vec<_> = counted().map(host_of).collect();
        let outages = hosts.len();
        hosts.sort_unstable();
        hosts.dedup();
        let down_seconds = any_down_seconds(counted(), self.span, self.gaps);
        sum_text(incidents.count(), outages, hosts.len(), down_seconds)
    }

    /// Number and durations of each host's outages without the planned ones; `None` where there are
    /// none. Only measured time of the span counts.
    fn sums_by_host(&self) -> Option<String> {
        let mut hosts: Vec<(String, Vec<i64>)> = Vec::new();
        for outage in self.outages.iter().filter(|outage| !outage.event.planned) {
            let what = match outage.event.event_type {
                EventKind::LinkDown => {
                    format!("link down: {}", printable(&outage.event.host_address))
                }
                EventKind::Dns => format!("dns: {}", host_of(outage)),
                _ => host_of(outage),
            };
            let seconds = any_down_seconds(std::iter::once(outage), self.span, self.gaps);
            match hosts.binary_search_by(|(known, _)| known.cmp(&what)) {
                Ok(index) => hosts[index].1.push(seconds),
                Err(index) => hosts.insert(index, (what, vec![seconds])),
            }
        }
        if hosts.is_empty() {
            return None;
        }
        let mut rows = vec![
            ["HOST", "OUTAGES", "AVERAGE", "LONGEST", "TOTAL"]
                .map(String::from)
                .to_vec(),
        ];
        rows.extend(hosts.iter().map(|(what, seconds)| {
            let total: i64 = seconds.iter().sum();
            let count = i64::try_from(seconds.len()).unwrap_or(i64::MAX);
            let longest = seconds.iter().max().copied().unwrap_or(0);
            vec![
                what.clone(),
                count.to_string(),
                duration_of(total / count),
                duration_of(longest),
                duration_of(total),
            ]
        }));
        Some(align(&rows, |_, _, cell| cell))
    }
}

/// Outages whose note was changed.
pub fn changed(outages: &[GroupedOutage], gaps: &[Gap], now: UtcMillis) -> String {
    tables(&by_incident(outages), true, gaps, now).join("\n")
}

/// The counted ones, and those that were planned.
fn tables(
    all: &[Vec<&GroupedOutage>],
    is_each_host: bool,
    gaps: &[Gap],
    now: UtcMillis,
) -> Vec<String> {
    let (planned, counted): (Vec<_>, Vec<_>) =
        all.iter().partition(|together| together[0].event.planned);
    let mut parts = Vec::new();
    if !counted.is_empty() {
        parts.push(table(&counted, is_each_host, gaps, now));
    }
    if !planned.is_empty() {
        let planned = table(&planned, is_each_host, gaps, now);
        parts.push(format!("planned, not counted:\n{planned}"));
    }
    parts
}

fn table(all: &[&Vec<&GroupedOutage>], is_each_host: bool, gaps: &[Gap], now: UtcMillis) -> String {
    let mut rows = vec![
        [
            "STATE", "ID", "BEGAN", "ENDED", "LASTED", "HOST", "CAUSE", "LOST", "NOTES",
        ]
        .map(String::from)
        .to_vec(),
    ];
    for together in all {
        rows.push(match together.as_slice() {
            [alone] => row(alone, now),
            several => incident_row(several, gaps, now),
        });
        if is_each_host && together.len() > 1 {
            rows.extend(together.iter().map(|outage| {
                let mut row = row(outage, now);
                row[5] = format!("  {}", row[5]);
                row
            }));
        }
    }
    let is_coloured = is_coloured();
    align(&rows, |_, column, cell| match cell.trim_end() {
        "ongoing" if column == 0 => paint(&cell, State::Down, is_coloured),
        "ended" if column == 0 => paint(&cell, State::Up, is_coloured),
        _ => cell,
    })
}

fn local(at: UtcMillis) -> String {
    at.local_text(utc_offset_at(at.0.div_euclid(1000)))
}

fn state(end: Option<UtcMillis>) -> String {
    if end.is_some() { "ended" } else { "ongoing" }.into()
}

fn row(outage: &GroupedOutage, now: UtcMillis) -> Vec<String> {
    let event = &outage.event;
    let lasted = outage.lasted_seconds(now);
    let mut duration = duration_of(lasted);
    if outage.down_seconds < lasted {
        // Between several rows the host answered; in a single row some time was not measured.
        let word = if outage.members.len() > 1 {
            "down"
        } else {
            "measured"
        };
        duration += &format!(" ({} {word})", duration_of(outage.down_seconds));
    }
    vec![
        state(outage.end()),
        event.id.to_string(),
        local(outage.start()),
        outage.end().map_or("-".into(), local),
        duration,
        host_of(outage),
        cause_text(outage),
        lost_text(&[outage]),
        notes_text(&[outage]),
    ]
}

/// Several outages that began together.
fn incident_row(outages: &[&GroupedOutage], gaps: &[Gap], now: UtcMillis) -> Vec<String> {
    let incident = Incident::of(outages);
    let (start, end) = (incident.start_time, incident.end_time);
    let with_cause = |outage: &&&GroupedOutage| outage.cause() == incident.cause;
    let judged = outages.iter().find(with_cause).unwrap_or(&outages[0]);
    let whole = start..end.unwrap_or(now);
    let lasted = whole_seconds(&whole).max(0);
    let down = any_down_seconds(outages.iter().copied(), &whole, gaps);
    let mut duration = duration_of(lasted);
    if lasted - down > 1 {
        duration += &format!(" ({} down)", duration_of(down));
    }
    vec![
        state(end),
        outages[0].event.id.to_string(),
        local(start),
        end.map_or("-".into(), local),
        duration,
        hosts_text(&incident.host_names),
        cause_words(judged).into(),
        lost_text(outages),
        notes_text(outages),
    ]
}

const MAX_NAMES: usize = 3;

/// `9 hosts: A, B, C and 6 more`.
fn hosts_text(names: &[String]) -> String {
    let shown = names.iter().take(MAX_NAMES);
    let shown: Vec<String> = shown.map(|name| cut(&printable(name), 20)).collect();
    let more = match names.len().saturating_sub(MAX_NAMES) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!("{}: {}{more}", count(names.len(), "host"), shown.join(", "))
}

fn lost_text(outages: &[&GroupedOutage]) -> String {
    let counts = outages
        .iter()
        .filter_map(|outage| outage.event.packets_lost.zip(outage.event.packets_sent));
    let sum = counts.reduce(|sum, counts| (sum.0 + counts.0, sum.1 + counts.1));
    sum.map_or("-".into(), |(lost, sent)| format!("{lost} of {sent}"))
}

fn notes_text(outages: &[&GroupedOutage]) -> String {
    let notes = outages
        .iter()
        .filter_map(|outage| outage.event.notes.as_deref());
    let mut lines: Vec<&str> = notes.flat_map(str::lines).collect();
    lines.dedup();
    cut(&printable(&lines.join("; ")), 80)
}

fn host_of(outage: &GroupedOutage) -> String {
    let event = &outage.event;
    let name = cut(&printable(&event.name()), 32);
    if event.host_name == event.host_address {
        name
    } else {
        format!("{name} ({})", cut(&printable(&event.host_address), 40))
    }
}

fn cause_words(outage: &GroupedOutage) -> &'static str {
    match outage.cause() {
        Cause::Link => "link: nothing could be sent",
        Cause::Gateway => "gateway: it was silent",
        Cause::Provider if outage.event.only_gateway_answered() => {
            "provider: only the gateway answered"
        }
        Cause::Provider => "provider: lost on its side",
        Cause::Dns => "dns: the name did not resolve",
        Cause::Host => "host: others answered",
        Cause::Unknown => "unknown",
    }
}

fn cause_text(outage: &GroupedOutage) -> String {
    let cause = cause_words(outage);
    match outage.outages() {
        times if outage.event.event_type == EventKind::Intermittent => {
            format!("{cause}; intermittent, {times} times")
        }
        _ => cause.into(),
    }
}

/// The sum over several hosts, in which time counts once. Of one host it stands in the table.
fn sum_text(incidents: usize, outages: usize, hosts: usize, down_seconds: i64) -> Option<String> {
    if hosts < 2 {
        return None;
    }
    Some(format!(
        "{}; at least one of {} was down for {} in total\n",
        phrase::outages(incidents, outages),
        count(hosts, "host"),
        duration_of(down_seconds)
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sum_over_several_hosts_counts_outages_that_began_together_once() {
        for (incidents, outages, hosts, seconds, text) in [
            (0, 0, 0, 0, ""),
            (3, 3, 1, 60, ""),
            (
                2,
                2,
                2,
                60,
                "2 outages; at least one of 2 hosts was down for 1 min 0 s in total\n",
            ),
            (
                1,
                9,
                9,
                2400,
                "1 outage (9 counted for each host); at least one of 9 hosts was down for 40 min 0 s in total\n",
            ),
        ] {
            let said = sum_text(incidents, outages, hosts, seconds);
            assert_eq!(said.unwrap_or_default(), text);
        }
    }
}
