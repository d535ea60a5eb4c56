//! How the figures of a report were determined.

use std::ops::Range;

use super::figures::{CheckMethod, Method, Zone};
use super::query::{ReportQuery, ReportSettings};
use crate::config::HostConfig;
use crate::pure::phrase;
use crate::pure::time::UtcMillis;
use crate::store::Interval;
use crate::sys;

pub(super) fn check_method(host: &HostConfig, interval: Interval) -> CheckMethod {
    let thresholds = &host.thresholds;
    CheckMethod {
        hosts: Vec::new(),
        interval_seconds: (!interval.is_by_hand).then_some(interval.ms as f64 / 1000.0),
        ping_count: host.ping_count,
        timeout_seconds: host.timeout.as_secs_f64(),
        payload_bytes: host.payload_bytes,
        up_percent: f64::from(thresholds.up_rate) / 1000.0,
        degraded_percent: f64::from(thresholds.degraded_rate) / 1000.0,
        latency_limit_ms: thresholds.latency_limit_us.map(|us| f64::from(us) / 1000.0),
    }
}

/// Adds a host to the method of its checks. Hosts that are checked alike share one.
pub(super) fn add_host(methods: &mut Vec<CheckMethod>, name: &str, method: CheckMethod) {
    let is_same = |other: &&mut CheckMethod| {
        let without_hosts = CheckMethod {
            hosts: Vec::new(),
            ..(**other).clone()
        };
        without_hosts == method
    };
    match methods.iter_mut().find(is_same) {
        Some(same) => same.hosts.push(name.into()),
        None => methods.push(CheckMethod {
            hosts: vec![name.into()],
            ..method
        }),
    }
}

pub(super) fn method(
    query: &ReportQuery<'_>,
    span: &Range<UtcMillis>,
    checks: Vec<CheckMethod>,
    pruned_before: UtcMillis,
) -> Method {
    let ReportSettings {
        grouping,
        rules,
        fast_interval,
        ..
    } = query.settings;
    let offset = |at: UtcMillis| phrase::offset((query.offset_at)(at.0.div_euclid(1000)));
    Method {
        program: "ace-connection-logger",
        version: env!("CARGO_PKG_VERSION"),
        made_at: query.now,
        zone: Zone {
            name: sys::zone_name(),
            offset_at: query.offset_at,
            offset_from: offset(span.start),
            offset_to: offset(span.end),
        },
        checks,
        fast_interval_seconds: fast_interval.map(|interval| interval.as_secs_f64()),
        down_after_checks: rules.down_after,
        up_after_checks: rules.up_after,
        merge_seconds: grouping.merge.as_secs_f64(),
        intermittent_count: grouping.intermittent_count,
        intermittent_seconds: grouping.intermittent_span.as_secs_f64(),
        availability: "Availability is 1 - outage time / measured time. Outage time (down) is the time within the period in \
                       which an outage lasted and this machine measured; planned outages are not counted. Lost pings \
                       alone take nothing from it: degraded and poor time is one interval for each such check, except \
                       for the checks in which an outage began or ended, and loss is the lost of all sent pings.",
        checks_since: Some(pruned_before).filter(|at| *at > span.start),
        coverage: "Measured is the share of the period that is covered by checks, one interval each; the period begins no \
                   earlier than the host's first record.",
        not_measured: "What this machine could not measure (switched off, asleep, no link, no route, a name that never \
                       resolved) is neither up nor down and is reported separately.",
        received: "A ping is received if, before its timeout, an echo reply comes from the address it was sent to, with a correct \
                   checksum and the ping's own identifier, sequence number and whole payload.",
    }
}
