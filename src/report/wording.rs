//! Wording that several parts of a report share: times, shares, causes, and what was observed
//! during an outage.

use serde_json::Value;

use super::figures::{HostFigures, Report};
use crate::pure::cause::Cause;
use crate::pure::phrase::{count, offset};
use crate::pure::stats::MANY_PINGS;
use crate::pure::time::UtcMillis;
use crate::store::OutageEvent;

/// Local time with its offset from UTC: `2026-11-02 14:03:22 +01:00`.
pub(super) fn local(report: &Report, at: UtcMillis) -> String {
    let seconds = (report.method.zone.offset_at)(at.0.div_euclid(1000));
    format!("{} {}", at.local_text(seconds), offset(seconds))
}

/// With enough decimals to distinguish a share from 100 %.
pub(super) fn percent(share: Option<f64>) -> String {
    match share {
        None => "-".into(),
        Some(share) if share > 99.999 && share < 100.0 => "> 99.999 %".into(),
        Some(share) if share > 99.0 && share < 100.0 => format!("{share:.3} %"),
        Some(share) => format!("{share:.2} %"),
    }
}

/// The share of a host's pings that were lost: "17.42 %, 95 % interval 15.12 to 19.99 %". The interval
/// is left out where many pings were sent.
pub(super) fn loss_share(host: &HostFigures) -> String {
    let share = percent(host.loss_percent);
    match host.loss_interval_percent {
        Some([low, high]) if host.sent < MANY_PINGS => {
            format!("{share}, 95 % interval {low:.2} to {high:.2} %")
        }
        _ => share,
    }
}

/// "162 of 930 pings lost", with the share.
pub(super) fn lost_pings(host: &HostFigures) -> String {
    format!(
        "{} of {} lost ({})",
        host.lost,
        count(host.sent, "ping"),
        loss_share(host)
    )
}

pub(super) fn cause_word(cause: Cause) -> &'static str {
    match cause {
        Cause::Link => "own link",
        Cause::Gateway => "gateway",
        Cause::Provider => "provider",
        Cause::Dns => "DNS",
        Cause::Host => "host alone",
        Cause::Unknown => "unknown",
    }
}

/// A sentence without its full stop.
pub(super) fn cause_meaning(cause: Cause) -> &'static str {
    match cause {
        Cause::Link => "this machine's own link was down: nothing could be sent",
        Cause::Gateway => {
            "the default gateway was silent, and so was everything beyond it: this network's router, or the provider's where this machine is connected to it directly"
        }
        Cause::Provider => {
            "packets got past this machine's own network and were lost beyond it: the provider's side"
        }
        Cause::Dns => "names did not resolve while addresses answered",
        Cause::Host => "single hosts were silent while others answered over the same link",
        Cause::Unknown => "too little was observed to determine the cause",
    }
}

/// What the gateway and other hosts did during an event, and how far packets got. `None` where
/// nothing was recorded of it.
pub(super) fn observations(event: &OutageEvent) -> Option<String> {
    let read = |text: &Option<String>| {
        text.as_deref()
            .and_then(|text| serde_json::from_str::<Value>(text).ok())
    };
    let facts = read(&event.facts).unwrap_or_default();
    let text_of = |key: &str| facts[key].as_str();
    let mut parts = Vec::new();
    if let Some(fault) = text_of("link_fault") {
        parts.push(format!("nothing could be sent: {fault}"));
    }
    if let Some(fault) = text_of("resolver") {
        parts.push(format!("the resolver reported: {fault}"));
    }
    if let Some(reachability) = text_of("gateway") {
        let by = text_of("interface").map_or(String::new(), |name| format!(" by {name}"));
        let gateway = text_of("gateway_address").map_or("the gateway".to_string(), |address| {
            format!("the gateway {address}{by}")
        });
        parts.push(
            match (reachability, facts["gateway_answered_before"].as_bool()) {
                ("answers", _) => format!("{gateway} answered"),
                ("silent", Some(false)) => {
                    format!("{gateway} answered no pings, nor did it before")
                }
                ("silent", _) => format!("{gateway} did not answer"),
                _ if facts.get("gateway_address") == Some(&Value::Null) => {
                    if by.is_empty() {
                        "no gateway address is known".into()
                    } else {
                        format!("the route{by} has no gateway address")
                    }
                }
                _ => format!("whether {gateway} answered is not known"),
            },
        );
    }
    let beyond = if facts.get("gateway_address") == Some(&Value::Null) {
        "beyond this machine's networks"
    } else {
        "beyond it"
    };
    let near = "on this machine's own networks";
    for (key, place, did) in [
        ("beyond_answering", beyond, "answered"),
        ("on_path_answering", "on the path to the host", "answered"),
        ("beyond_silent", beyond, "did not"),
        ("near_answering", near, "answered"),
        ("near_silent", near, "did not"),
    ] {
        let number = facts[key].as_u64().unwrap_or(0);
        if number > 0 {
            parts.push(format!("{} {place} {did}", count(number, "other host")));
        }
    }
    let path = path_end(
        &read(&event.path).unwrap_or_default(),
        text_of("path_reached"),
        text_of("gateway_address"),
    );
    let is_whole = facts["path_is_whole"] == true;
    parts.extend(path.map(|path| {
        path + if is_whole {
            ", as before the outage"
        } else {
            ""
        }
    }));
    if let Some(address) = text_of("link_reached") {
        parts.push(format!("packets to another host got as far as {address}"));
    }
    (!parts.is_empty()).then(|| parts.join("; "))
}

/// How far packets got: by the evidence for the cause, else by the traces.
fn path_end(paths: &Value, by_facts: Option<&str>, gateway: Option<&str>) -> Option<String> {
    if let Some(address) = by_facts {
        return Some(if Some(address) == gateway {
            "packets got no further than the gateway".into()
        } else {
            format!("packets got as far as {address}")
        });
    }
    let paths = paths.as_array().map_or(&[][..], Vec::as_slice);
    let silent = |path: &&Value| path["reached"] == false;
    let last = paths.iter().rev().find(silent).or(paths.last())?;
    let hop = last["hops"]
        .as_array()
        .and_then(|hops| hops.iter().rev().find_map(Value::as_str));
    Some(match (last["reached"].as_bool(), hop) {
        (Some(true), _) => "traced packets reached the host".into(),
        (_, Some(address)) => format!("packets got as far as {address}"),
        (_, None) => "no router on the path answered".into(),
    })
}
