//! The rows of hosts, outages and incidents.

use super::figures::{HostFigures, Report};
use super::table::Row;
use super::wording::{cause_word, local, lost_pings, observations, percent};
use crate::pure::cause::Cause;
use crate::pure::model::{EventKind, State};
use crate::pure::phrase::{count, duration_of, ms};
use crate::pure::time::whole_seconds;
use crate::store::{GroupedOutage, Incident, any_down_seconds};

pub(super) fn host_row(report: &Report, host: &HostFigures) -> Row {
    let us = |us: Option<u32>| us.map_or("-".into(), |us| ms(f64::from(us)));
    let down = if host.checks > 0 {
        duration_of(host.down_seconds)
    } else {
        "-".into()
    };
    let mut details = Vec::new();
    if host.host_address != host.host_name {
        details.push(host.host_address.clone());
    }
    if host.sent > 0 {
        details.push(lost_pings(host));
        if host.p95_us.is_some() {
            details.push(format!(
                "95 % of the replies within {}, 99 % within {}",
                us(host.p95_us),
                us(host.p99_us)
            ));
        }
    }
    details.extend(lossy_times(host));
    if host.not_measured_seconds > 0 {
        details.push(format!(
            "not measured for {}",
            duration_of(host.not_measured_seconds)
        ));
    }
    match host.first_recorded {
        None => details.push("never recorded".into()),
        Some(first) if first > report.from => {
            details.push(format!("recorded since {}", local(report, first)))
        }
        Some(_) => {}
    }
    Row {
        cells: vec![
            host.host_name.clone(),
            percent(host.availability_percent),
            percent(host.coverage_percent),
            host.outages.to_string(),
            down,
            us(host.p50_us),
        ],
        details: vec![details.join(", ")],
    }
}

/// "poor for 4 min", "degraded for 2 min": the time in which pings were lost beside outages.
pub(super) fn lossy_times(host: &HostFigures) -> impl Iterator<Item = String> {
    [
        (State::Poor, host.poor_seconds),
        (State::Degraded, host.degraded_seconds),
    ]
    .into_iter()
    .filter(|(_, seconds)| *seconds > 0)
    .map(|(state, seconds)| format!("{} for {}", state.text(), duration_of(seconds)))
}

pub(super) fn outage_row(report: &Report, outage: &GroupedOutage) -> Row {
    let event = &outage.event;
    let span = report.from..report.to;
    let end = outage
        .end()
        .map_or("ongoing".into(), |end| local(report, end));
    let lasted = outage.lasted_seconds(report.to);
    let cause = if event.event_type == EventKind::Dns {
        Cause::Dns
    } else {
        outage.cause()
    };
    let pings = match (event.packets_lost, event.packets_sent) {
        (Some(lost), Some(sent)) => format!("{lost} of {sent}"),
        _ => "-".into(),
    };
    let mut details = Vec::new();
    if event.former_name.is_some() {
        details.push(format!("{}.", event.host_address));
    }
    if event.event_type == EventKind::Intermittent {
        details.push(format!(
            "Intermittent: {}, down for {} in total.",
            count(outage.outages(), "outage"),
            duration_of(outage.down_seconds)
        ));
    } else if outage.members.len() > 1 {
        let outages = count(outage.members.len(), "outage");
        details.push(format!(
            "Shown as one: {outages} shortly after one another, down for {} in total.",
            duration_of(outage.down_seconds)
        ));
    } else if lasted - outage.down_seconds > 1 {
        details.push(format!(
            "Down for {} of that, as far as this machine measured.",
            duration_of(outage.down_seconds)
        ));
    }
    if outage.start() < report.from || outage.end().is_some_and(|end| end > report.to) {
        details.push(format!(
            "{} of it in this period.",
            duration_of(any_down_seconds(
                std::iter::once(outage),
                &span,
                &report.gaps
            ))
        ));
    }
    if let Some(at) = event
        .earliest_start
        .filter(|at| outage.start().0 - at.0 >= 2000)
    {
        details.push(format!("Last reply before it at {}.", local(report, at)));
    }
    if let Some(observations) = observations(event) {
        details.push(format!("Meanwhile {observations}."));
    }
    if let Some(notes) = event
        .notes
        .as_deref()
        .filter(|notes| event.event_type != EventKind::LinkDown && !notes.is_empty())
    {
        details.push(format!("Note: {}", notes.replace('\n', "; ")));
    }
    let cells = vec![
        local(report, outage.start()),
        end,
        duration_of(lasted),
        event.name(),
        cause_word(cause).into(),
        pings,
    ];
    Row {
        cells,
        details: vec![details.join(" ")],
    }
}

/// Sums up outages of several hosts that began together.
pub(super) fn incident_row(
    report: &Report,
    incident: &Incident,
    outages: &[&GroupedOutage],
) -> Row {
    let (start, end) = (incident.start_time, incident.end_time);
    let lasted = whole_seconds(&(start..end.unwrap_or(report.to)));
    let within = report.from..report.to;
    let down = any_down_seconds(outages.iter().copied(), &within, &report.gaps);
    let counts = outages
        .iter()
        .filter_map(|outage| outage.event.packets_lost.zip(outage.event.packets_sent));
    let pings = counts.reduce(|sum, more| (sum.0 + more.0, sum.1 + more.1));
    let is_less = lasted - down > 1;
    Row {
        cells: vec![
            local(report, start),
            end.map_or("ongoing".into(), |end| local(report, end)),
            duration_of(lasted),
            count(incident.hosts, "host"),
            cause_word(incident.cause).into(),
            pings.map_or("-".into(), |(lost, sent)| format!("{lost} of {sent}")),
        ],
        details: is_less
            .then(|| {
                let down = duration_of(down);
                format!("At least one of them was down for {down} of that in this period.")
            })
            .into_iter()
            .collect(),
    }
}
