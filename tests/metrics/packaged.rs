//! What packaging/prometheus and packaging/grafana have: the rules pass their own cases, and a real
//! Prometheus answers every query.

use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use crate::common::run;
use crate::sites::{Prometheus, wait_for};

pub fn folder(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("packaging")
        .join(name)
}

/// What the board asks Prometheus, with a value for each variable.
fn queries() -> Vec<String> {
    let path = folder("grafana").join("ace-connection-logger.json");
    let text = std::fs::read_to_string(path).expect("the board");
    let board: Value = serde_json::from_str(&text).expect("JSON");
    let panels = board["panels"].as_array().expect("panels");
    let targets = panels
        .iter()
        .filter_map(|panel| panel["targets"].as_array())
        .flatten();
    targets
        .map(|target| {
            let expression = target["expr"].as_str().expect("a query");
            let filled = expression
                .replace("$site", ".*")
                .replace("$host", ".*")
                .replace("$__rate_interval", "1m")
                .replace("$__range", "10m");
            assert!(!filled.contains('$'), "{expression}");
            filled
        })
        .collect()
}

/// Every query of the board has an answer, but for those about ongoing outages, and every rule can be
/// evaluated.
pub fn expect_answers(prometheus: &Prometheus) {
    let queries = queries();
    assert!(queries.len() > 25, "{}", queries.len());
    for query in queries {
        let is_of_ongoing = ["ace_outage_cause", "ace_outage_start"]
            .iter()
            .any(|name| query.starts_with(name));
        let answer = prometheus.query(&query);
        assert_eq!(answer.is_empty(), is_of_ongoing, "{query}: {answer:?}");
    }
    let rules = wait_for("each rule to be evaluated", || {
        let groups = prometheus.get("/api/v1/rules").json()["data"]["groups"].clone();
        let rules: Vec<Value> = groups
            .as_array()?
            .iter()
            .flat_map(|group| group["rules"].as_array().cloned().unwrap_or_default())
            .collect();
        let is_evaluated = |rule: &Value| rule["health"] != "unknown";
        (rules.len() == 17 && rules.iter().all(is_evaluated)).then_some(rules)
    });
    for rule in rules {
        assert_eq!(rule["health"], "ok", "{rule}");
    }
    let lost = prometheus.query("host:ace_pings_lost:ratio_increase15m{host=~\"lossy.*\"}");
    assert_eq!(lost.len(), 3, "{lost:?}");
    // One of three pings for a part of the time.
    assert!(
        lost.iter()
            .all(|(_, ratio)| *ratio > 0.0 && *ratio < 1.0 / 3.0),
        "{lost:?}"
    );
}

#[test]
fn the_rules_for_prometheus_pass_their_own_cases() {
    if !crate::has_program("the_rules_for_prometheus_pass_their_own_cases", "promtool") {
        return;
    }
    for arguments in [
        &["check", "config", "--syntax-only", "prometheus.yml"][..],
        &["check", "rules", "ace.rules.yml", "ace.alerts.yml"],
        &["test", "rules", "ace.test.yml"],
    ] {
        let said = run(Command::new("promtool")
            .args(arguments)
            .current_dir(folder("prometheus")));
        assert_eq!(said.code, Some(0), "{arguments:?}: {said:?}");
    }
}

#[test]
fn every_alert_and_every_recorded_rule_has_a_case() {
    let text = |name| std::fs::read_to_string(folder("prometheus").join(name)).expect("a file");
    let cases = text("ace.test.yml");
    let rules = text("ace.rules.yml") + &text("ace.alerts.yml");
    let names = rules.lines().filter_map(|line| {
        let (key, name) = line.trim().split_once(": ")?;
        ["- alert", "- record"].contains(&key).then_some(name)
    });
    let names: Vec<&str> = names.collect();
    assert_eq!(names.len(), 17);
    for name in names {
        let is_tested = cases.contains(&format!("alertname: {name}\n"))
            || cases.contains(&format!("expr: {name}\n"));
        assert!(is_tested, "{name}");
    }
}
