//! What was seen meanwhile, in a sentence: an event's facts and paths, as the record keeps them,
//! for a person to read.

use serde_json::Value;

use super::figures::Report;
use crate::pure::cause::Cause;
use crate::pure::phrase::{count, offset};
use crate::pure::time::UtcMillis;
use crate::store::OutageEvent;

/// A local time with its zone's offset: `2026-11-02 14:03:22 +01:00`.
pub(super) fn local(report: &Report, at: UtcMillis) -> String {
    let seconds = (report.method.zone.offset_at)(at.0.div_euclid(1000));
    format!("{} {}", at.local_text(seconds), offset(seconds))
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

/// A cause in a word or two.
pub(super) fn cause_word(cause: Cause) -> &'static str {
    match cause {
        Cause::Link => "own link",
        Cause::Gateway => "gateway",
        Cause::Provider => "provider",
        Cause::Dns => "names",
        Cause::Host => "host alone",
        Cause::Unknown => "unknown",
    }
}

/// What a cause means.
pub(super) fn cause_meaning(cause: Cause) -> &'static str {
    match cause {
        Cause::Link => "this machine's own link was down: nothing could be sent",
        Cause::Gateway => "the default gateway itself was silent, and everything beyond it",
        Cause::Provider => "the gateway answered and nothing beyond it did: the provider's side",
        Cause::Dns => "names did not resolve while addresses answered",
        Cause::Host => "single hosts were silent while others answered",
        Cause::Unknown => "too little was seen to tell the cause",
    }
}

/// What the gateway and others did during an event, and how far packets got. `None` where nobody
/// noted it.
pub(super) fn meanwhile(event: &OutageEvent) -> Option<String> {
    let read = |text: &Option<String>| {
        text.as_deref()
            .and_then(|text| serde_json::from_str::<Value>(text).ok())
    };
    let facts = read(&event.facts).unwrap_or_default();
    let words = |key: &str| facts[key].as_str();
    let mut parts = Vec::new();
    if let Some(fault) = words("link_fault") {
        parts.push(format!("nothing could be sent: {fault}"));
    }
    if let Some(fault) = words("resolver") {
        parts.push(format!("the resolver said: {fault}"));
    }
    if let Some(sign) = words("gateway") {
        let gateway = words("gateway_address").map_or("the gateway".to_string(), |address| {
            format!("the gateway {address}")
        });
        parts.push(match sign {
            "answers" => format!("{gateway} answered"),
            "silent" => format!("{gateway} did not answer"),
            _ => format!("whether {gateway} answered is not known"),
        });
    }
    for (key, place) in [
        ("beyond", "beyond it"),
        ("near", "on this machine's own networks"),
    ] {
        let number = |what: &str| {
            facts[format!("{key}_{what}").as_str()]
                .as_u64()
                .and_then(|number| usize::try_from(number).ok())
        };
        for (what, did) in [("answering", "answered"), ("silent", "did not")] {
            if let Some(number) = number(what).filter(|number| *number > 0) {
                parts.push(format!("{} {place} {did}", count(number, "other host")));
            }
        }
    }
    parts.extend(reached(
        &read(&event.path).unwrap_or_default(),
        words("path_reached"),
    ));
    (!parts.is_empty()).then(|| parts.join("; "))
}

/// How far packets got when that was last tried: before the host was back, where there is such a
/// try.
fn reached(paths: &Value, by_facts: Option<&str>) -> Option<String> {
    let paths = paths.as_array().map_or(&[][..], Vec::as_slice);
    let last = paths
        .iter()
        .rev()
        .find(|path| path["reached"] == false)
        .or(paths.last());
    let Some(last) = last else {
        return by_facts.map(|address| format!("packets got as far as {address}"));
    };
    let hop = last["hops"]
        .as_array()
        .and_then(|hops| hops.iter().rev().find_map(Value::as_str));
    Some(match (last["reached"].as_bool(), hop) {
        (Some(true), _) => "packets that were followed reached the host".into(),
        (_, Some(address)) => format!("packets got as far as {address}"),
        (_, None) => "no machine on the way answered".into(),
    })
}
