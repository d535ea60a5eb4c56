//! The labels of time series, the same in `/metrics`, in `export --format openmetrics` and in remote
//! write, so that what is exported or pushed joins what is scraped; and the series of single checks.

use crate::pure::address::{IpVersion, Source};
use crate::pure::model::State;
use crate::pure::stats;
use crate::pure::totals::RTT_LIMITS_US;

/// Escapes backslash and line feed, and quotes where the text stands in quotes.
pub fn escape(text: &str, has_quotes: bool) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '\\' => escaped.push_str("\\\\"),
            '\n' => escaped.push_str("\\n"),
            '"' if has_quotes => escaped.push_str("\\\""),
            other => escaped.push(other),
        }
    }
    escaped
}

/// `name="value"`.
pub fn label(name: &str, value: &str) -> String {
    format!("{name}=\"{}\"", escape(value, true))
}

/// The labels of a host; `source` is one where it has one.
pub fn host_labels(
    name: &str,
    address: &str,
    family: Option<IpVersion>,
    source: Option<&Source>,
) -> String {
    let mut labels = [
        label("host", name),
        label("address", address),
        label("family", IpVersion::family_word(family)),
    ]
    .join(",");
    if let Some(source) = source {
        labels.push(',');
        labels.push_str(&label("source", &source.to_string()));
    }
    labels
}

/// The limits of the histogram of round-trip times as OpenMetrics writes them. The text format allows
/// it, and so a series is the same in both.
pub const LIMIT_LABELS: [&str; RTT_LIMITS_US.len() + 1] = [
    "le=\"0.0005\"",
    "le=\"0.001\"",
    "le=\"0.002\"",
    "le=\"0.005\"",
    "le=\"0.01\"",
    "le=\"0.02\"",
    "le=\"0.05\"",
    "le=\"0.1\"",
    "le=\"0.2\"",
    "le=\"0.5\"",
    "le=\"1.0\"",
    "le=\"2.0\"",
    "le=\"5.0\"",
    "le=\"+Inf\"",
];

/// The buckets of a histogram: the label of each limit, and how many replies came within it.
pub fn buckets(replies: &[u64; LIMIT_LABELS.len()]) -> impl Iterator<Item = (&'static str, u64)> {
    let up_to = replies.iter().scan(0u64, |up_to, replies| {
        *up_to = up_to.saturating_add(*replies);
        Some(*up_to)
    });
    LIMIT_LABELS.into_iter().zip(up_to)
}

/// Base units: times are seconds.
pub fn seconds(us: Option<u32>) -> Option<f64> {
    us.map(|us| f64::from(us) / 1e6)
}

/// A check as its series have it.
pub struct CheckFigures {
    pub state: State,
    pub sent: i64,
    pub received: i64,
    /// Minimum, mean and maximum round-trip time in microseconds.
    pub latencies: [Option<u32>; 3],
}

/// A series with a sample for each check, where it has a value.
pub struct CheckSeries {
    pub name: &'static str,
    /// The last word of the name.
    pub unit: &'static str,
    pub help: &'static str,
    pub value: fn(&CheckFigures) -> Option<f64>,
}

pub const CHECK_SERIES: [CheckSeries; 6] = [
    CheckSeries {
        name: "ace_check_success_ratio",
        unit: "ratio",
        help: "Share of the check's pings that were answered.",
        value: |check| {
            let rate = stats::success_rate(check.sent, check.received);
            (check.state != State::NotMeasured).then_some(rate / 100.0)
        },
    },
    CheckSeries {
        name: "ace_check_rtt_min_seconds",
        unit: "seconds",
        help: "Minimum round-trip time of the check.",
        value: |check| seconds(check.latencies[0]),
    },
    CheckSeries {
        name: "ace_check_rtt_avg_seconds",
        unit: "seconds",
        help: "Mean round-trip time of the check.",
        value: |check| seconds(check.latencies[1]),
    },
    CheckSeries {
        name: "ace_check_rtt_max_seconds",
        unit: "seconds",
        help: "Maximum round-trip time of the check.",
        value: |check| seconds(check.latencies[2]),
    },
    CheckSeries {
        name: "ace_check_sent_pings",
        unit: "pings",
        help: "Pings that were sent.",
        value: |check| Some(check.sent as f64),
    },
    CheckSeries {
        name: "ace_check_received_pings",
        unit: "pings",
        help: "Pings that were answered in time.",
        value: |check| Some(check.received as f64),
    },
];

pub fn state_label(state: State) -> &'static str {
    match state {
        State::Up => "state=\"up\"",
        State::Degraded => "state=\"degraded\"",
        State::Poor => "state=\"poor\"",
        State::Down => "state=\"down\"",
        State::NotMeasured => "state=\"not_measured\"",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_labels_of_a_host_are_escaped_and_its_source_is_there_only_where_it_is_given() {
        let source = Source::from("wg0");
        assert_eq!(
            host_labels("a\\b \"c\"\nd{}=,é", "x", None, Some(&source)),
            "host=\"a\\\\b \\\"c\\\"\\nd{}=,é\",address=\"x\",family=\"any\",source=\"wg0\""
        );
        assert_eq!(
            host_labels("a", "x", Some(IpVersion::V6), None),
            "host=\"a\",address=\"x\",family=\"6\""
        );
        assert_eq!(escape("\"", false), "\"");
    }

    #[test]
    fn the_labels_of_limits_and_states_are_those_that_are_counted() {
        for (limit, label) in RTT_LIMITS_US.iter().zip(LIMIT_LABELS) {
            assert_eq!(label, format!("le=\"{:?}\"", f64::from(*limit) / 1e6));
        }
        for state in State::ALL {
            assert_eq!(state_label(state), label("state", state.as_str()));
        }
    }
}
