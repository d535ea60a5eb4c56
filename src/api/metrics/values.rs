//! Adds the values of hosts to families, as far as they are known.

use super::figures::{CurrentFigures, HostFigures, OngoingOutage};
use super::text::{Number, Samples};
use crate::pure::address::IpVersion;
use crate::pure::cause::Cause;
use crate::pure::model::State;
use crate::pure::series::buckets;
use crate::pure::totals::{HostTotals, OutageTotals};

/// Causes of an outage of a host: that a name does not resolve is none.
const CAUSES: [Cause; 5] = [
    Cause::Link,
    Cause::Gateway,
    Cause::Provider,
    Cause::Host,
    Cause::Unknown,
];

/// What the newest check says, if it was made and is not stale.
pub(super) fn measured(host: &HostFigures) -> Option<&CurrentFigures> {
    let current = host.current.as_ref();
    current.filter(|current| current.state != State::NotMeasured)
}

pub(super) fn outage(host: &HostFigures) -> Option<&OngoingOutage> {
    host.current.as_ref()?.outage.as_ref()
}

pub(super) fn add_some(out: &mut Samples<'_>, value: Option<impl Number>) {
    if let Some(value) = value {
        out.add(value);
    }
}

pub(super) fn add_flag(out: &mut Samples<'_>, flag: Option<bool>) {
    add_some(out, flag.map(u8::from));
}

pub(super) fn add_flag_with(out: &mut Samples<'_>, label: &str, flag: Option<bool>) {
    if let Some(flag) = flag {
        out.add_with(label, u8::from(flag));
    }
}

pub(super) fn add_rtt(
    host: &HostFigures,
    out: &mut Samples<'_>,
    which: fn([Option<f64>; 3]) -> Option<f64>,
) {
    add_some(
        out,
        measured(host).and_then(|current| which(current.rtt_seconds)),
    );
}

pub(super) fn add_total(host: &HostFigures, out: &mut Samples<'_>, total: fn(&HostTotals) -> u64) {
    add_some(out, host.totals.as_ref().map(total));
}

pub(super) fn add_outages(
    host: &HostFigures,
    out: &mut Samples<'_>,
    number: fn(&OutageTotals) -> u64,
) {
    let Some(totals) = &host.totals else { return };
    for (cause, outages) in Cause::ALL.into_iter().zip(&totals.outages) {
        if CAUSES.contains(&cause) {
            out.add_with(cause_label(cause), number(outages));
        }
    }
}

pub(super) fn add_histogram(host: &HostFigures, out: &mut Samples<'_>) {
    let Some(totals) = &host.totals else { return };
    let mut count = 0;
    for (limit, up_to) in buckets(&totals.rtts) {
        out.add_suffixed("_bucket", limit, up_to);
        count = up_to;
    }
    out.add_suffixed("_sum", "", totals.rtt_sum_us as f64 / 1e6);
    out.add_suffixed("_count", "", count);
}

pub(super) fn cause_label(cause: Cause) -> &'static str {
    match cause {
        Cause::Link => "cause=\"link\"",
        Cause::Gateway => "cause=\"gateway\"",
        Cause::Provider => "cause=\"provider\"",
        Cause::Dns => "cause=\"dns\"",
        Cause::Host => "cause=\"host\"",
        Cause::Unknown => "cause=\"unknown\"",
    }
}

pub(super) fn version_label(version: IpVersion) -> &'static str {
    match version {
        IpVersion::V4 => "ip_version=\"4\"",
        IpVersion::V6 => "ip_version=\"6\"",
    }
}
