//! The heading of a report and its summary in a few sentences.

use super::coverage::RecordedPeriod;
use super::figures::{HostFigures, Report};
use super::rows::lossy_times;
use super::together::{Together, count_text, together};
use super::wording::{cause_meaning, local, loss_share, percent};
use crate::pure::cause::Cause;
use crate::pure::phrase::{count, duration_of};
use crate::store::{GroupedOutage, any_down_seconds};

pub(super) struct Heading {
    pub title: &'static str,
    /// Names and values.
    pub about: Vec<(&'static str, String)>,
    pub summary: String,
}

pub(super) fn heading(report: &Report) -> Heading {
    let hosts = report.hosts.iter().take(MAX_NAMES);
    let names: Vec<&str> = hosts.map(|host| host.host_name.as_str()).collect();
    let mut hosts = names.join(", ");
    if report.hosts.len() > MAX_NAMES {
        hosts += &format!(" and {} more", report.hosts.len() - MAX_NAMES);
    }
    let method = &report.method;
    let (program, version) = (method.program, method.version);
    let period = RecordedPeriod::of(report).text(&|at| local(report, at));
    let made_at = local(report, method.made_at);
    Heading {
        title: "Connection report",
        about: vec![
            ("Period", period),
            ("Hosts", hosts),
            ("Made", format!("{made_at} by {program} {version}")),
        ],
        summary: summary(report),
    }
}

const MAX_NAMES: usize = 12;

fn summary(report: &Report) -> String {
    let mut hosts = report.hosts.iter().filter(|host| host.checks > 0);
    let Some(first) = hosts.next() else {
        // What was deleted may have been measured.
        let is_recorded = report.first_recorded.is_some_and(|first| first < report.to);
        return if is_recorded {
            "Nothing was measured in this period.".into()
        } else {
            "Nothing is recorded of this period.".into()
        };
    };
    let worst = hosts.fold(first, |worst, host| {
        if host.availability_percent < worst.availability_percent {
            host
        } else {
            worst
        }
    });
    let outages: Vec<&GroupedOutage> = report
        .outages
        .iter()
        .filter(|outage| outage.is_of_host())
        .collect();
    let mut sentences = Vec::new();
    let span = report.from..report.to;
    let within =
        |outage: &&&GroupedOutage| any_down_seconds(std::iter::once(**outage), &span, &report.gaps);
    match outages.iter().max_by_key(within) {
        None => sentences.push("No outage was recorded.".to_string()),
        Some(longest) => {
            let silent = report.hosts.iter().filter(|host| host.outages > 0).count();
            let is_of_host = |together: &&Together<'_>| {
                together.outages.iter().any(|outage| outage.is_of_host())
            };
            let together = together(report).iter().filter(is_of_host).count();
            sentences.push(count_text(together, outages.len(), silent));
            let all = duration_of(report.any_down_seconds);
            let long = duration_of(within(&longest));
            let since = local(report, longest.start().max(report.from));
            sentences.push(match outages.len() {
                1 if longest.is_open() => format!("It is ongoing and has lasted {long} so far, since {since}."),
                1 => format!("It lasted {long}, from {since}."),
                _ => format!("At least one host was silent for {all} in total, the longest for {long} from {since}."),
            });
        }
    }
    let is_known = |cause: Cause| cause != Cause::Unknown;
    for cause in report.causes.iter().filter(|time| is_known(time.cause)) {
        sentences.push(format!(
            "For {} {}.",
            duration_of(cause.seconds),
            cause_meaning(cause.cause)
        ));
    }
    sentences.extend(lossiest(report));
    let available = percent(worst.availability_percent);
    let measured =
        RecordedPeriod::of(report).measured(worst.coverage_percent, worst.first_recorded, &|at| {
            local(report, at)
        });
    sentences.push(match report.hosts.len() {
        1 => format!("Availability {available}; {measured}."),
        _ => {
            let mut shares = report.hosts.iter().filter(|host| host.checks > 0);
            let name = &worst.host_name;
            let lowest =
                if shares.all(|host| host.availability_percent == worst.availability_percent) {
                    format!("Each host has an availability of {available}; of {name}")
                } else {
                    format!("{name} has the lowest availability: {available}; of it")
                };
            format!("{lowest} {measured}.")
        }
    });
    sentences.join(" ")
}

/// The host that was poor or degraded for longest.
fn lossiest(report: &Report) -> Option<String> {
    let lossy = |host: &&HostFigures| (host.poor_seconds, host.degraded_seconds);
    let host = report.hosts.iter().max_by_key(lossy)?;
    let times: Vec<String> = lossy_times(host).collect();
    (!times.is_empty()).then(|| {
        format!(
            "{} lost {} of {} ({}): {}.",
            host.host_name,
            host.lost,
            count(host.sent, "ping"),
            loss_share(host),
            times.join(", ")
        )
    })
}
