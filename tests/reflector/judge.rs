//! Compares the output of `check --json` for a host with the expectations of a scenario, and its
//! numbers with one another.

use serde_json::Value;

use super::player::{Checked, far};
use super::scenario::{Check, Expected, Family, Plan};
use crate::common::namespace::SocketKind;

/// Returns a line for every difference.
pub fn compare(
    check: &Check,
    plan: &Plan,
    stage: (Family, SocketKind),
    name: &str,
    checked: &Checked,
) -> Vec<String> {
    let (family, kind) = stage;
    let [host] = checked.hosts.as_slice() else {
        return vec![format!("hosts: expected 1, were {}", checked.hosts.len())];
    };
    let mut wrong = Vec::new();
    let mut equal = |what: &str, expected: Value, actual: &Value| {
        if expected != *actual {
            wrong.push(format!("{what}: expected {expected}, was {actual}"));
        }
    };
    let outcomes = check.outcomes(family, kind);
    let received = outcomes
        .iter()
        .filter(|outcome| **outcome != Expected::Lost)
        .count();
    let state = check.state(family, kind);
    let address = far(family).to_string();
    equal("host_name", name.into(), &host["host_name"]);
    equal(
        "host_address",
        address.clone().into(),
        &host["host_address"],
    );
    equal(
        "resolved_address",
        address.into(),
        &host["resolved_address"],
    );
    equal("sent", plan.pings.into(), &host["sent"]);
    equal("received", received.into(), &host["received"]);
    equal("state", state.into(), &host["state"]);
    equal(
        "exit code",
        i32::from(state == "down").into(),
        &checked.finished.code.into(),
    );
    for key in ["late", "duplicates", "foreign"] {
        let expected = check.count(key, family, kind);
        if !host[key]
            .as_u64()
            .is_some_and(|count| expected.contains(&count))
        {
            wrong.push(format!(
                "{key}: expected {}, was {}",
                range_text(expected),
                host[key]
            ));
        }
    }
    compare_error(check.error(family, kind), &host["error"], &mut wrong);
    match rtts(host) {
        Some(rtts) if rtts.len() == outcomes.len() => {
            for (index, (outcome, rtt)) in outcomes.iter().zip(&rtts).enumerate() {
                compare_outcome(index + 1, *outcome, *rtt, plan, &mut wrong);
            }
            wrong.extend(inconsistencies(host, &rtts));
        }
        _ => wrong.push(format!(
            "rtts_us: expected {} integers or nulls, was {}",
            outcomes.len(),
            host["rtts_us"]
        )),
    }
    wrong
}

fn range_text(range: std::ops::RangeInclusive<u64>) -> String {
    match range.into_inner() {
        (min, max) if min == max => min.to_string(),
        (min, u64::MAX) => format!("{min} or more"),
        (min, max) => format!("{min} to {max}"),
    }
}

fn compare_error(expected: Option<Vec<String>>, actual: &Value, wrong: &mut Vec<String>) {
    let reported = actual.as_str().map(str::to_lowercase);
    match (expected, reported) {
        (None, None) if actual.is_null() => {}
        (None, _) => wrong.push(format!("error: expected null, was {actual}")),
        (Some(texts), reported) => {
            for text in texts.iter().filter(|text| {
                !reported
                    .as_ref()
                    .is_some_and(|reported| reported.contains(*text))
            }) {
                wrong.push(format!(
                    "error: expected something with {text:?}, was {actual}"
                ));
            }
        }
    }
}

fn compare_outcome(
    number: usize,
    outcome: Expected,
    rtt: Option<u64>,
    plan: &Plan,
    wrong: &mut Vec<String>,
) {
    match (outcome, rtt) {
        (Expected::Lost, None) => {}
        (Expected::Lost, Some(us)) => wrong.push(format!(
            "ping {number}: expected to be lost, was answered after {us} us"
        )),
        (Expected::Answered { .. }, None) => {
            wrong.push(format!("ping {number}: expected to be answered, was lost"))
        }
        (Expected::Answered { min_us, max_us }, Some(us)) => {
            let max_us = max_us.min(plan.timeout_ms * 1000);
            if !(min_us..=max_us).contains(&us) {
                wrong.push(format!(
                    "ping {number}: expected {min_us} to {max_us} us, were {us} us"
                ));
            }
        }
    }
}

fn rtts(host: &Value) -> Option<Vec<Option<u64>>> {
    let rtt = |value: &Value| {
        if value.is_null() {
            Some(None)
        } else {
            value.as_u64().map(Some)
        }
    };
    host["rtts_us"].as_array()?.iter().map(rtt).collect()
}

/// Contradictions between the numbers of a result: there must be none.
fn inconsistencies(host: &Value, rtts: &[Option<u64>]) -> Vec<String> {
    let answered: Vec<u64> = rtts.iter().flatten().copied().collect();
    let mut wrong = Vec::new();
    let mut near = |key: &str, expected: Option<f64>, by: f64| {
        let is_near = match (expected, host[key].as_f64()) {
            (None, _) => host[key].is_null(),
            (Some(expected), actual) => {
                actual.is_some_and(|actual| (actual - expected).abs() <= by)
            }
        };
        if !is_near {
            wrong.push(format!(
                "{key}: expected {expected:?} from the round-trip times, was {}",
                host[key]
            ));
        }
    };
    let count = answered.len() as f64;
    let any = |value: f64| (!answered.is_empty()).then_some(value);
    let mean = answered.iter().sum::<u64>() as f64 / count;
    // ping(8) of iputils computes with integers, truncated before the square root; its value and
    // the exact one are both accepted.
    let exact = (answered
        .iter()
        .map(|us| (*us as f64 - mean).powi(2))
        .sum::<f64>()
        / count)
        .max(0.0)
        .sqrt();
    let squares = (answered.iter().map(|us| us * us).sum::<u64>() as f64 / count).floor();
    let iputils = (squares - mean.floor().powi(2)).max(0.0).sqrt();
    near(
        "success_rate",
        Some(100.0 * count / rtts.len() as f64),
        0.01,
    );
    near("min_us", answered.iter().min().map(|us| *us as f64), 0.0);
    near("max_us", answered.iter().max().map(|us| *us as f64), 0.0);
    near("avg_us", any(mean), 1.0);
    near(
        "mdev_us",
        any(f64::midpoint(exact, iputils)),
        (exact - iputils).abs() / 2.0 + 1.0,
    );
    wrong
}

#[test]
fn every_wrong_field_is_reported() {
    let text = "# Why.\npings: 2\nping 1: reply\nping 2: unreachable\nrtts: answered lost\nstate: poor\nerror: says \"host unreachable\"\n";
    let scenario = super::scenario::Scenario::parse(text).expect("it is of the form");
    let right = r#"{"host_name": "x", "host_address": "10.9.0.2", "resolved_address": "10.9.0.2", "sent": 2, "received": 1,
        "state": "poor", "late": 0, "duplicates": 0, "foreign": 0, "success_rate": 50.0, "min_us": 90, "avg_us": 90,
        "max_us": 90, "mdev_us": 0, "rtts_us": [90, null], "error": "Host unreachable, says 10.9.0.2"}"#;
    let judge = |text: &str, code: i32| {
        let finished = crate::common::Finished {
            code: Some(code),
            stdout: String::new(),
            stderr: String::new(),
            took: std::time::Duration::ZERO,
        };
        let checked = Checked {
            finished,
            hosts: vec![serde_json::from_str(text).expect("it is JSON")],
        };
        compare(
            &scenario.checks[0],
            &scenario.plan,
            (Family::V4, SocketKind::Raw),
            "x",
            &checked,
        )
    };
    assert_eq!(judge(right, 0), [""; 0]);
    assert_eq!(judge(right, 1), ["exit code: expected 0, was 1"]);
    let broken = [
        ("\"sent\": 2", "\"sent\": 1"),
        ("\"received\": 1", "\"received\": 2"),
        ("\"poor\"", "\"up\""),
        ("\"late\": 0", "\"late\": 1"),
        ("\"foreign\": 0", "\"foreign\": null"),
        ("50.0", "51"),
        ("\"min_us\": 90", "\"min_us\": 89"),
        ("\"avg_us\": 90", "\"avg_us\": null"),
        ("\"mdev_us\": 0", "\"mdev_us\": 5"),
        ("[90, null]", "[null, 90]"),
        ("[90, null]", "[90]"),
        ("[90, null]", "[90000, null]"),
        ("\"Host unreachable, says 10.9.0.2\"", "null"),
        (
            "\"resolved_address\": \"10.9.0.2\"",
            "\"resolved_address\": null",
        ),
    ];
    for (from, to) in broken {
        assert_ne!(
            judge(&right.replacen(from, to, 1), 0),
            [""; 0],
            "{from} became {to}"
        );
    }
}
