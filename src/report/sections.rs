//! The sections of a report, in their order: text and page lay out the same ones.

use super::changes;
use super::coverage::RecordedPeriod;
use super::figures::{Appendix, CauseTime, CheckMethod, Report, WorstHour};
use super::raw_pings;
use super::rows::{host_row, outage_row};
use super::table::{Follows, Row, Section, columns};
use super::together::{Together, together};
use super::wording::{cause_meaning, cause_word, local, percent};
use crate::pure::phrase::{count, duration_of};
use crate::pure::time::whole_seconds;
use crate::store::{Gap, GroupedOutage};

const OUTAGE_COLUMNS: [&str; 6] = ["Begin", "End*", "Lasted", "Host", "Cause", "Pings lost*"];

/// Each is made when it is taken: the rows of thousands of outages take megabytes.
pub(super) fn sections(report: &Report) -> impl Iterator<Item = Section> {
    let sections: [fn(&Report) -> Option<Section>; 10] = [
        |report| Some(hosts(report)),
        |report| Some(outages(report)),
        |report| (!report.causes.is_empty()).then(|| causes(report)),
        |report| Some(own_link(report)),
        |report| (!report.worst_hours.is_empty()).then(|| worst_hours(report)),
        changes::section,
        |report| Some(not_measured(report)),
        |report| (!report.planned.is_empty()).then(|| planned(report)),
        |report| Some(method_section(report)),
        |report| (report.appendix == Appendix::RawPings).then(raw_pings_section),
    ];
    sections
        .into_iter()
        .filter_map(move |section| section(report))
}

fn method_section(report: &Report) -> Section {
    Section {
        title: "Method",
        sentences: method(report),
        ..Section::default()
    }
}

fn raw_pings_section() -> Section {
    Section {
        title: "Raw pings",
        columns: columns(&raw_pings::COLUMNS),
        follows: Some(Follows::RawPings),
        ..Section::default()
    }
}

fn hosts(report: &Report) -> Section {
    let row = |host| host_row(report, host);
    Section {
        title: "Hosts",
        columns: columns(&[
            "Host",
            "Availability",
            "Measured",
            "Outages",
            "Down",
            "Median",
        ]),
        rows: report.hosts.iter().map(row).collect(),
        follows: Some(Follows::Strips),
        ..Section::default()
    }
}

fn outage_rows(report: &Report, outages: &[GroupedOutage]) -> Vec<Row> {
    let row = |outage| outage_row(report, outage);
    outages.iter().map(row).collect()
}

fn outages(report: &Report) -> Section {
    let all = together(report);
    let sentence = if all.is_empty() {
        Some("No outage was recorded.")
    } else {
        let is_several = |together: &Together<'_>| together.outages.len() > 1;
        all.iter().any(is_several).then_some(
            "Outages of several hosts that began together are one row, above the rows of its hosts, which are marked by -.",
        )
    };
    Section {
        title: "Outages",
        sentences: sentence.into_iter().map(String::from).collect(),
        columns: columns(&OUTAGE_COLUMNS),
        rows: all
            .iter()
            .flat_map(|together| together.rows(report))
            .collect(),
        ..Section::default()
    }
}

fn causes(report: &Report) -> Section {
    let row = |time: &CauseTime| {
        Row::of([
            cause_word(time.cause).into(),
            duration_of(time.seconds),
            time.events.to_string(),
            cause_meaning(time.cause).into(),
        ])
    };
    Section {
        title: "Downtime by cause",
        sentences: vec![
            "Time in which at least one host was down for this cause; overlapping outages count once.".into(),
        ],
        columns: columns(&["Cause", "Time", "Events", "Meaning*"]),
        rows: report.causes.iter().map(row).collect(),
        ..Section::default()
    }
}

fn own_link(report: &Report) -> Section {
    let link = &report.own_line;
    Section {
        title: "This machine's own link",
        sentences: vec![if link.events.is_empty() {
            "It is not recorded as down in this period.".into()
        } else {
            format!(
                "Down for {} in total. Nothing was measured during that time, so it is not an outage of any host.",
                duration_of(link.down_seconds)
            )
        }],
        columns: columns(&OUTAGE_COLUMNS),
        rows: outage_rows(report, &link.events),
        follows: Some(Follows::Charts),
    }
}

fn worst_hours(report: &Report) -> Section {
    let row = |hour: &WorstHour| {
        Row::of([
            local(report, hour.from),
            hour.lost.to_string(),
            hour.sent.to_string(),
            percent(Some(100.0 * hour.lost as f64 / hour.sent.max(1) as f64)),
            hour.lost_while_down.to_string(),
        ])
    };
    Section {
        title: "Hours with the most lost pings",
        sentences: vec![
            "Over all hosts of this report. Pings of checks without any reply are \
             counted as lost in silence; hours that lost most besides come first."
                .into(),
        ],
        columns: columns(&["Hour from", "Lost", "Sent", "Share", "In silence"]),
        rows: report.worst_hours.iter().map(row).collect(),
        ..Section::default()
    }
}

fn not_measured(report: &Report) -> Section {
    let row = |gap: &Gap| {
        Row::of([
            local(report, gap.from),
            local(report, gap.to),
            duration_of(whole_seconds(&(gap.from..gap.to))),
            gap.reason.clone(),
        ])
    };
    let monitor =
        RecordedPeriod::of(report).monitor(report.run_since, !report.gaps.is_empty(), &|at| {
            local(report, at)
        });
    Section {
        title: "Not measured",
        sentences: monitor.into_iter().collect(),
        columns: columns(&["From", "To*", "Lasted", "Why"]),
        rows: report.gaps.iter().map(row).collect(),
        ..Section::default()
    }
}

fn planned(report: &Report) -> Section {
    Section {
        title: "Planned",
        sentences: vec!["Planned outages count neither as outages nor in the availability.".into()],
        columns: columns(&OUTAGE_COLUMNS),
        rows: outage_rows(report, &report.planned),
        ..Section::default()
    }
}

/// How the figures were determined, a paragraph each.
fn method(report: &Report) -> Vec<String> {
    let method = &report.method;
    let mut sentences = Vec::new();
    for check in &method.checks {
        let CheckMethod {
            hosts,
            interval_seconds,
            ping_count,
            timeout_seconds,
            payload_bytes,
            up_percent,
            degraded_percent,
            ..
        } = check;
        let whose = if method.checks.len() == 1 {
            "Every host".into()
        } else {
            hosts.join(", ")
        };
        let limit = check.latency_limit_ms.map_or(String::new(), |limit| {
            format!(" or the mean round-trip time was above {limit} ms")
        });
        let when = interval_seconds.map_or("at times, by the command check,".into(), |seconds| {
            format!("every {seconds} s")
        });
        sentences.push(format!(
            "{whose}: {when} a check of {} with {payload_bytes} bytes of payload. A \
             reply counts if it arrives within {timeout_seconds} s. A check is up if at least {up_percent} % of its \
             pings were answered, degraded if fewer were{limit}, poor if fewer than {degraded_percent} % were, and down if \
             none was.",
            count(*ping_count, "ICMP echo request")
        ));
    }
    // Only the monitor does that.
    let run = report.run_since.filter(|run| *run < report.to);
    let fast = run.zip(method.fast_interval_seconds).map_or(String::new(), |(run, seconds)| {
        let since = if run > report.from { format!(" since {}", local(report, run)) } else { String::new() };
        format!(" While a host is silent it is also pinged every {seconds} s{since}, so that the start and end of an outage are exact to that interval.")
    });
    let outage = match method.down_after_checks {
        1 => "one or more consecutive checks".into(),
        checks => format!("at least {checks} consecutive checks"),
    };
    sentences.push(format!(
        "An outage is {outage} without any reply, from the first lost ping to the first reply.{fast} Outages \
         of a host less than {} s apart count as one; {} or more that begin within {} s count as one intermittent outage.",
        method.merge_seconds, method.intermittent_count, method.intermittent_seconds
    ));
    sentences.push(method.received.into());
    sentences.push(format!(
        "{} {} {}",
        method.availability, method.coverage, method.not_measured
    ));
    if let Some(since) = method.checks_since {
        sentences.push(format!(
            "Before {} only the sums of each hour are kept: an hour that the period cuts counts in proportion.",
            local(report, since)
        ));
    }
    sentences.push(
        "The cause is judged by what else answered during the outage: the default gateway, hosts beyond it, hosts on this \
         machine's own networks, and by how far packets with increasing time to live got."
            .into(),
    );
    let zone = method
        .zone
        .name
        .as_deref()
        .map_or(String::new(), |name| format!(" ({name})"));
    sentences.push(format!(
        "Times are in the time zone of the measuring machine{zone}, each with its offset from UTC. Intervals and limits are \
         those configured now."
    ));
    sentences
}
