//! The report in words: one list of sections, which text and HTML lay out each in its own way, so
//! that both say the same in the same order.

use super::seen::{cause_meaning, cause_word, meanwhile};
use super::{CheckMethod, HostFigures, Report, gather, raw};
use crate::pure::cause::Cause;
use crate::pure::phrase::{count, duration_of, ms, offset};
use crate::pure::time::UtcMillis;
use crate::store::{DNS, Gap, GroupedOutage, INTERMITTENT};

/// A part of the report.
#[derive(Debug, Default)]
pub(super) struct Section {
    pub title: &'static str,
    /// Sentences before the table.
    pub sentences: Vec<String>,
    pub columns: Vec<Column>,
    pub rows: Vec<Row>,
    /// What HTML draws behind it.
    pub picture: Option<Picture>,
}

/// A column of a table.
#[derive(Clone, Copy, Debug)]
pub(super) struct Column {
    pub title: &'static str,
    /// Text has no room for it, and says it below the row.
    pub is_wide_only: bool,
}

/// A row of a table, with what is said below it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Row {
    pub cells: Vec<String>,
    pub details: Vec<String>,
}

/// What is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Picture {
    Strips,
    Charts,
}

/// A local time with its zone's offset: `2026-11-02 14:03:22 +01:00`.
pub(super) fn local(report: &Report, at: UtcMillis) -> String {
    let seconds = (report.method.zone.offset_at)(at.0.div_euclid(1000));
    format!("{} {}", at.local_text(seconds), offset(seconds))
}

/// What stands above everything else.
pub(super) struct Top {
    pub title: &'static str,
    /// What it is about, a line each: a name and a value.
    pub about: Vec<(&'static str, String)>,
    pub verdict: String,
}

pub(super) fn top(report: &Report) -> Top {
    let names: Vec<&str> = report
        .hosts
        .iter()
        .take(MAX_NAMES)
        .map(|host| host.host_name.as_str())
        .collect();
    let more = report.hosts.len().saturating_sub(MAX_NAMES);
    let hosts = names.join(", ")
        + &if more > 0 {
            format!(" and {more} more")
        } else {
            String::new()
        };
    let method = &report.method;
    let about = vec![
        (
            "Period",
            format!(
                "{} to {}",
                local(report, report.from),
                local(report, report.to)
            ),
        ),
        ("Hosts", hosts),
        (
            "Made",
            format!(
                "{} by {} {}",
                local(report, method.made_at),
                method.program,
                method.version
            ),
        ),
    ];
    Top {
        title: "Connection report",
        about,
        verdict: verdict(report),
    }
}

const MAX_NAMES: usize = 12;

/// What a reader wants to know first, in a few sentences.
fn verdict(report: &Report) -> String {
    let mut hosts = report.hosts.iter().filter(|host| host.checks > 0);
    let Some(first) = hosts.next() else {
        return "Nothing was measured in this period.".into();
    };
    let worst = hosts.fold(first, |worst, host| {
        if host.availability_percent < worst.availability_percent {
            host
        } else {
            worst
        }
    });
    let of_hosts: Vec<&GroupedOutage> = report
        .outages
        .iter()
        .filter(|episode| episode.is_of_host())
        .collect();
    let mut told = Vec::new();
    match of_hosts.iter().max_by_key(|episode| episode.down_seconds) {
        None => told.push("No outage.".to_string()),
        Some(longest) => {
            let silent = report.hosts.iter().filter(|host| host.outages > 0).count();
            let together: usize = report.incidents.iter().map(|incident| incident.hosts).sum();
            let incidents = match report.incidents.len() {
                0 => String::new(),
                number => {
                    let which = if together == of_hosts.len() {
                        "all".into()
                    } else {
                        together.to_string()
                    };
                    format!(
                        ", {which} of them in {} of several at once",
                        count(number, "incident")
                    )
                }
            };
            told.push(format!(
                "{} of {}{incidents}.",
                count(of_hosts.len(), "outage"),
                count(silent, "host")
            ));
            let (all, long) = (
                duration_of(report.any_down_seconds),
                duration_of(longest.down_seconds),
            );
            let since = local(report, longest.start());
            told.push(match of_hosts.len() {
                1 if longest.is_open() => format!("It goes on and has lasted {long} so far, from {since}."),
                1 => format!("It lasted {long}, from {since}."),
                _ => format!("At least one host was silent for {all} in all, the longest for {long} from {since}."),
            });
        }
    }
    let is_of_line = |cause: Cause| {
        matches!(
            cause,
            Cause::Link | Cause::Gateway | Cause::Provider | Cause::Dns
        )
    };
    for cause in report.causes.iter().filter(|time| is_of_line(time.cause)) {
        told.push(format!(
            "For {} {}.",
            duration_of(cause.seconds),
            cause_meaning(cause.cause)
        ));
    }
    let (available, measured) = (
        percent(worst.availability_percent),
        percent(worst.coverage_percent),
    );
    told.push(match report.hosts.len() {
        1 => format!("Availability {available}; {measured} of the period was measured."),
        _ => format!(
            "The lowest availability is that of {}: {available}, of {measured} measured.",
            worst.host_name
        ),
    });
    told.join(" ")
}

/// A share with as many figures as tell it from all and nothing.
pub(super) fn percent(share: Option<f64>) -> String {
    match share {
        None => "-".into(),
        Some(share) if share > 99.999 && share < 100.0 => "> 99.999 %".into(),
        Some(share) if share > 99.0 && share < 100.0 => format!("{share:.3} %"),
        Some(share) => format!("{share:.2} %"),
    }
}

fn columns(titles: &[&'static str]) -> Vec<Column> {
    // A `*` marks what only a wide page has room for.
    titles
        .iter()
        .map(|title| Column {
            title: title.trim_end_matches('*'),
            is_wide_only: title.ends_with('*'),
        })
        .collect()
}

/// All sections, in their order.
pub(super) fn sections(report: &Report) -> Vec<Section> {
    let outage_columns = || columns(&["Begin", "End*", "Lasted", "Host", "Cause", "Pings lost*"]);
    let outage_rows = |episodes: &[GroupedOutage]| {
        episodes
            .iter()
            .map(|episode| outage(report, episode))
            .collect::<Vec<_>>()
    };
    let mut sections = vec![
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
            rows: report
                .hosts
                .iter()
                .map(|host| host_row(report, host))
                .collect(),
            picture: Some(Picture::Strips),
            ..Section::default()
        },
        Section {
            title: "What was down",
            sentences: if report.outages.is_empty() {
                vec!["Nothing.".into()]
            } else {
                Vec::new()
            },
            columns: outage_columns(),
            rows: outage_rows(&report.outages),
            ..Section::default()
        },
    ];
    if !report.causes.is_empty() {
        let row = |time: &super::CauseTime| Row {
            cells: vec![
                cause_word(time.cause).into(),
                duration_of(time.seconds),
                time.events.to_string(),
                cause_meaning(time.cause).into(),
            ],
            details: Vec::new(),
        };
        sections.push(Section {
            title: "Down time by cause",
            sentences: vec![
                "In which at least one host was down for that cause; what overlaps counts once."
                    .into(),
            ],
            columns: columns(&["Cause", "Time", "Events", "Meaning*"]),
            rows: report.causes.iter().map(row).collect(),
            ..Section::default()
        });
    }
    if !report.incidents.is_empty() {
        sections.push(Section {
            title: "Hosts that failed together",
            columns: columns(&["Begin", "End*", "Lasted", "Hosts", "Cause"]),
            rows: report
                .incidents
                .iter()
                .map(|incident| incident_row(report, incident))
                .collect(),
            ..Section::default()
        });
    }
    let own = &report.own_line;
    sections.push(Section {
        title: "This machine's own line",
        sentences: vec![if own.events.is_empty() {
            "It was never down.".into()
        } else {
            format!(
                "Down for {} in all. Nothing was measured meanwhile, so this is no outage of any host.",
                duration_of(own.down_seconds)
            )
        }],
        columns: outage_columns(),
        rows: outage_rows(&own.events),
        picture: Some(Picture::Charts),
    });
    if !report.worst_hours.is_empty() {
        let row = |hour: &super::WorstHour| {
            let share = percent(Some(100.0 * hour.lost as f64 / hour.sent.max(1) as f64));
            Row {
                cells: vec![
                    local(report, hour.from),
                    hour.lost.to_string(),
                    hour.sent.to_string(),
                    share,
                ],
                details: Vec::new(),
            }
        };
        sections.push(Section {
            title: "Worst hours",
            sentences: vec![
                "The hours in which most pings were lost, over all hosts of this report.".into(),
            ],
            columns: columns(&["Hour from", "Lost", "Sent", "Share"]),
            rows: report.worst_hours.iter().map(row).collect(),
            ..Section::default()
        });
    }
    let gap = |gap: &Gap| Row {
        cells: vec![
            local(report, gap.from),
            local(report, gap.to),
            duration_of((gap.to.0 - gap.from.0) / 1000),
            gap.reason.clone(),
        ],
        details: Vec::new(),
    };
    sections.push(Section {
        title: "Not measured",
        sentences: if report.gaps.is_empty() {
            vec!["The monitor ran all the time since its first record.".into()]
        } else {
            Vec::new()
        },
        columns: columns(&["From", "To*", "Lasted", "Why"]),
        rows: report.gaps.iter().map(gap).collect(),
        ..Section::default()
    });
    if !report.planned.is_empty() {
        sections.push(Section {
            title: "Planned",
            sentences: vec!["Counted neither as outages nor in any availability.".into()],
            columns: outage_columns(),
            rows: outage_rows(&report.planned),
            ..Section::default()
        });
    }
    sections.push(Section {
        title: "Method",
        sentences: method(report),
        ..Section::default()
    });
    if report.appendix == super::Appendix::RawPings {
        sections.push(Section {
            title: raw::TITLE,
            columns: columns(&raw::COLUMNS),
            ..Section::default()
        });
    }
    sections
}

fn host_row(report: &Report, host: &HostFigures) -> Row {
    let us = |us: Option<u32>| us.map_or("-".into(), |us| ms(f64::from(us)));
    let (low, high) = (
        percent(host.availability_percent),
        percent(host.coverage_percent),
    );
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
        let share = percent(Some(100.0 * host.lost as f64 / host.sent as f64));
        details.push(format!(
            "{} of {} lost ({share})",
            host.lost,
            count(host.sent, "ping")
        ));
        details.push(format!(
            "95 % of the replies within {}, 99 % within {}",
            us(host.p95_us),
            us(host.p99_us)
        ));
    }
    if host.lossy_seconds > 0 {
        details.push(format!(
            "{} of the down time are checks with too few replies outside of outages",
            duration_of(host.lossy_seconds)
        ));
    }
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
            low,
            high,
            host.outages.to_string(),
            down,
            us(host.p50_us),
        ],
        details: vec![details.join(", ")],
    }
}

fn outage(report: &Report, episode: &GroupedOutage) -> Row {
    let event = &episode.event;
    let span = report.from..report.to;
    let end = episode
        .end()
        .map_or("goes on".into(), |end| local(report, end));
    let whole = episode.lasted_seconds(report.to);
    let cause = if event.event_type == DNS {
        Cause::Dns
    } else {
        episode.cause()
    };
    let pings = match (event.packets_lost, event.packets_sent) {
        (Some(lost), Some(sent)) => format!("{lost} of {sent}"),
        _ => "-".into(),
    };
    let mut details = Vec::new();
    if event.event_type == INTERMITTENT {
        details.push(format!(
            "It came and went: {}, down for {} in all.",
            count(episode.members.len(), "outage"),
            duration_of(episode.down_seconds)
        ));
    } else if episode.members.len() > 1 {
        let outages = count(episode.members.len(), "outage");
        details.push(format!(
            "Told as one: {outages} shortly after one another, down for {} in all.",
            duration_of(episode.down_seconds)
        ));
    } else if whole - episode.down_seconds > 1 {
        details.push(format!(
            "Down for {} of that, as far as this machine measured.",
            duration_of(episode.down_seconds)
        ));
    }
    if episode.start() < report.from || episode.end().is_some_and(|end| end > report.to) {
        details.push(format!(
            "{} of it in this period.",
            duration_of(gather::down_ms(episode, &span, &report.gaps) / 1000)
        ));
    }
    if let Some(at) = event
        .earliest()
        .filter(|at| episode.start().0 - at.0 >= 2000)
    {
        details.push(format!("Last reply before it at {}.", local(report, at)));
    }
    if let Some(seen) = meanwhile(event) {
        details.push(format!("Meanwhile {seen}."));
    }
    if let Some(notes) = event
        .notes
        .as_deref()
        .filter(|notes| event.event_type != crate::store::LINK_DOWN && !notes.is_empty())
    {
        details.push(format!("Note: {notes}"));
    }
    let cells = vec![
        local(report, episode.start()),
        end,
        duration_of(whole),
        event.host_name.clone(),
        cause_word(cause).into(),
        pings,
    ];
    Row {
        cells,
        details: vec![details.join(" ")],
    }
}

fn incident_row(report: &Report, incident: &crate::store::Incident) -> Row {
    let at = |text: &str| crate::pure::time::parse_instant(text).unwrap_or(report.from);
    let start = at(&incident.start_time);
    let end = incident.end_time.as_deref().map(at);
    let cause = Cause::from_word(incident.cause).unwrap_or(Cause::Unknown);
    Row {
        cells: vec![
            local(report, start),
            end.map_or("goes on".into(), |end| local(report, end)),
            duration_of((end.unwrap_or(report.to).0 - start.0) / 1000),
            count(incident.hosts, "host"),
            cause_word(cause).into(),
        ],
        details: vec![incident.host_names.join(", ")],
    }
}

/// How all of this was found, a paragraph each.
fn method(report: &Report) -> Vec<String> {
    let method = &report.method;
    let mut told = Vec::new();
    for manner in &method.checks {
        let CheckMethod {
            hosts,
            interval_seconds,
            ping_count,
            timeout_seconds,
            payload_bytes,
            up_percent,
            degraded_percent,
            ..
        } = manner;
        let whose = if method.checks.len() == 1 {
            "Every host".into()
        } else {
            hosts.join(", ")
        };
        let limit = manner.latency_limit_ms.map_or(String::new(), |limit| {
            format!(", or slower than {limit} ms on average")
        });
        told.push(format!(
            "{whose}: a check every {interval_seconds} s of {ping_count} ICMP echo requests (ping) with {payload_bytes} bytes of \
             payload; a reply within {timeout_seconds} s counts. A check is up from {up_percent} % of replies on, degraded below \
             that{limit}, and down below {degraded_percent} %."
        ));
    }
    let fast = method.fast_interval_seconds.map_or(String::new(), |seconds| {
        format!(" While a host is silent it is pinged every {seconds} s too, so that begin and end are exact to that.")
    });
    let checks = count(method.down_after_checks, "check");
    told.push(format!(
        "An outage is a run of {checks} or more without any reply, from the first lost ping to the first reply.{fast} Outages \
         less than {} s apart are one; {} and more that begin within {} s are one that came and went.",
        method.merge_seconds, method.intermittent_count, method.intermittent_seconds
    ));
    told.push(method.received.into());
    told.push(format!(
        "{} {} {}",
        method.availability, method.coverage, method.not_measured
    ));
    told.push(
        "The cause is judged by what else answered during the outage: the default gateway, hosts beyond it, hosts on the own \
         network, and how far packets with a rising time to live got."
            .into(),
    );
    let zone = method
        .zone
        .name
        .as_deref()
        .map_or(String::new(), |name| format!(" ({name})"));
    told.push(format!(
        "Times are those of the measuring machine's zone{zone}, each with its offset from UTC. Intervals and limits are those \
         that are configured now."
    ));
    told
}
