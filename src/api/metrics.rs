//! `/metrics`: the newest check of every host in Prometheus' text format 0.0.4. Base units:
//! seconds, ratios from 0 to 1.

use std::fmt::Write;

use super::parameters::Parameters;
use super::{Api, ApiResult, present};
use crate::pure::model::State;
use crate::status::{HostStatus, HostStatuses};
use crate::web::{Body, Reply};

/// The value of one metric for a host; `None` leaves the sample out.
type Gauge<'a> = dyn Fn(&HostStatus<'_>) -> Option<f64> + 'a;

pub(super) fn metrics(api: &Api, _: &Parameters<'_>) -> ApiResult {
    let config = api.config();
    let reader = api.reader()?;
    let known = HostStatuses::read(&reader, config.flush, present(&reader)?)?;
    let mut statuses = known.of_hosts(&config.hosts);
    statuses.retain(|status| status.config.is_some());
    let mut text = String::new();
    let seconds = |us: Option<u32>| us.map(|us| f64::from(us) / 1e6);
    let measured =
        |status: &HostStatus<'_>| status.measured().filter(|_| !status.is_stale()).cloned();
    let families: [(&str, &str, &Gauge<'_>); 8] = [
        (
            "ace_host_up",
            "1 when any ping of the newest check was answered, 0 when none was; absent when stale or not measured.",
            &|status| match status.current()?.check.state {
                State::Up | State::Degraded | State::Poor => Some(1.0),
                State::Down => Some(0.0),
                State::NotMeasured => None,
            },
        ),
        (
            "ace_host_not_measured",
            "1 when the newest check could not be made.",
            &|status| {
                status
                    .current()
                    .map(|check| f64::from(u8::from(!check.is_measured())))
            },
        ),
        (
            "ace_check_success_ratio",
            "Share of the newest check's pings that were answered.",
            &|status| measured(status).map(|check| check.success_rate() / 100.0),
        ),
        (
            "ace_check_rtt_min_seconds",
            "Minimum round-trip time of the newest check.",
            &|status| seconds(measured(status)?.min_us),
        ),
        (
            "ace_check_rtt_avg_seconds",
            "Mean round-trip time of the newest check.",
            &|status| seconds(measured(status)?.avg_us),
        ),
        (
            "ace_check_rtt_max_seconds",
            "Maximum round-trip time of the newest check.",
            &|status| seconds(measured(status)?.max_us),
        ),
        (
            "ace_check_timestamp_seconds",
            "When the newest check was made.",
            &|status| Some(status.latest?.check.checked_at.0 as f64 / 1000.0),
        ),
        (
            "ace_host_stale",
            "1 when no check came within three intervals.",
            &|status| Some(f64::from(u8::from(status.is_stale()))),
        ),
    ];
    for (name, help, value) in families {
        let _ = write!(text, "# HELP {name} {help}\n# TYPE {name} gauge\n");
        for status in &statuses {
            if let Some(value) = value(status) {
                let _ = writeln!(
                    text,
                    "{name}{{host=\"{}\",address=\"{}\"}} {value}",
                    escape(status.name),
                    escape(&status.key)
                );
            }
        }
    }
    let _ = write!(
        text,
        "# HELP ace_build_info The program's version.\n# TYPE ace_build_info gauge\n"
    );
    let _ = writeln!(
        text,
        "ace_build_info{{version=\"{}\"}} 1",
        env!("CARGO_PKG_VERSION")
    );
    Ok(Reply::ok(
        "text/plain; version=0.0.4; charset=utf-8",
        Body::Whole(text.into_bytes()),
    ))
}

/// A label's value: backslash, quote and line feed are escaped.
fn escape(text: &str) -> String {
    text.replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}
