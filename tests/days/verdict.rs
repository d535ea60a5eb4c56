//! Compares what was recorded of a day with its script.

use std::fmt::Write as _;

use ace_connection_logger::pure::cause::Cause;
use ace_connection_logger::pure::incident::GroupingRules;
use ace_connection_logger::pure::model::{EventKind, HostId};
use ace_connection_logger::pure::time::UtcMillis;
use ace_connection_logger::store::{Gap, GroupedOutage, Reader, incidents};

use super::contradictions;
use super::line::Line;
use super::script::{Day, Expected};

/// Tolerance for a busy machine, in seconds.
const SLACK: f64 = 0.6;

/// Fails unless everything in the script was recorded, and nothing else. Returns what was recorded,
/// in sentences.
pub fn compare(day: &Day, line: &Line) -> Result<Vec<String>, String> {
    let reader = Reader::open(&line.database())
        .map_err(|error| error.to_string())?
        .ok_or("there is no database")?;
    #[allow(clippy::cast_possible_truncation, reason = "a day has some seconds")]
    let at = |seconds: f64| UtcMillis(line.began_ms + (seconds * 1000.0) as i64);
    let end = at(day.end + 5.0);
    let whole = at(-60.0)..end;
    let gaps: Vec<Gap> = reader
        .gaps(&(at(-5.0)..at(day.end - 0.5)))
        .map_err(|error| error.to_string())?
        .into_iter()
        // Nothing was to be measured before the first start and after the last stop.
        .filter(|gap| gap.from > at(-4.0))
        .collect();
    let grouping = grouping_of(day);
    let outages = reader
        .grouped_outages(&whole, &grouping, &gaps)
        .map_err(|error| error.to_string())?;
    let found = incidents(&outages);
    let second = |at: UtcMillis| (at.0 - line.began_ms) as f64 / 1000.0;
    let described = described(&outages, &found, &gaps, &second);
    let interval = day.interval();
    let mut wrong = Vec::new();
    let mut left: Vec<&GroupedOutage> = outages.iter().collect();
    let mut gaps_left: Vec<&Gap> = gaps.iter().collect();
    let mut incidents_left = found.clone();
    for expected in &day.expected {
        match expected {
            Expected::GroupedOutage {
                of,
                from,
                until,
                kind,
                cause,
            } => {
                let fits = |outage: &&GroupedOutage| {
                    let event = &outage.event;
                    let name = if kind == "link_down" {
                        event.host_address.replace(" and ", "+")
                    } else {
                        event.host_name.clone()
                    };
                    let is_end = match (until, outage.end()) {
                        (None, None) => true,
                        // Exact to the interval of the probes; for a link or a name, to that of the
                        // checks.
                        (Some(until), Some(end)) => {
                            let late = if kind == "dns" {
                                interval
                            } else {
                                day.probe_interval()
                            };
                            (until - 0.3..until + late + SLACK).contains(&second(end))
                        }
                        _ => false,
                    };
                    let start = second(outage.start());
                    let earliest = event
                        .earliest_start
                        .is_none_or(|at| second(at) <= from + 0.3);
                    name == *of
                        && event.event_type.as_str() == *kind
                        && is_one_of(cause, event.cause)
                        && (from - 0.3..from + interval + SLACK).contains(&start)
                        && earliest
                        && is_end
                };
                match left.iter().position(fits) {
                    Some(index) => drop(left.remove(index)),
                    None => wrong.push(format!("missing: {expected:?}")),
                }
            }
            Expected::Incident { hosts, cause } => {
                let mut expected_names = hosts.clone();
                expected_names.sort();
                let fits = |incident: &ace_connection_logger::store::Incident| {
                    let mut names = incident.host_names.clone();
                    names.sort();
                    names == expected_names && is_one_of(cause, Some(incident.cause))
                };
                match incidents_left.iter().position(fits) {
                    Some(index) => drop(incidents_left.remove(index)),
                    None => wrong.push(format!("missing: {expected:?}")),
                }
            }
            Expected::Gap {
                from,
                until,
                reason,
            } => {
                let fits = |gap: &&Gap| {
                    gap.reason.contains(reason)
                        && (second(gap.from) - from).abs() < interval + SLACK
                        && (second(gap.to) - until).abs() < interval + SLACK
                };
                match gaps_left.iter().position(fits) {
                    Some(index) => drop(gaps_left.remove(index)),
                    None => wrong.push(format!("missing: {expected:?}")),
                }
            }
            Expected::Coverage { of, percent } => {
                let measured = coverage(&reader, of, at(0.0), at(day.end), day);
                if !percent.contains(&measured) {
                    wrong.push(format!("{expected:?}: it is {measured:.0}"));
                }
            }
            Expected::Down { of, seconds } => {
                let down: i64 = outages
                    .iter()
                    .filter(|e| e.event.host_name == *of)
                    .map(|e| e.down_seconds)
                    .sum();
                if !seconds.contains(&(down as f64)) {
                    wrong.push(format!("{expected:?}: it is {down}"));
                }
            }
            Expected::EveryOutage { cause } => {
                if left.is_empty() {
                    wrong.push("there is no outage".into());
                }
                left.retain(|outage| !is_one_of(cause, outage.event.cause));
                incidents_left.retain(|incident| !is_one_of(cause, Some(incident.cause)));
            }
            Expected::NoOutage => {
                if !outages.is_empty() {
                    wrong.push("there are outages".into());
                }
            }
            Expected::NotMeasured {
                of,
                from,
                until,
                reason,
            } => {
                let found = unsendable_checks(line).into_iter().filter(|check| {
                    check.host == *of
                        && check.reason.contains(reason)
                        && (from - 0.3..until + 0.3).contains(&second(check.at))
                });
                let times: Vec<f64> = found.map(|check| second(check.at)).collect();
                // One check of each interval, but for the edges.
                #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
                let due = ((until - from) / interval) as usize;
                if times.len() < due.saturating_sub(1).max(1) {
                    wrong.push(format!("missing: {expected:?}, only at {times:?}"));
                }
                // The gaps of this host alone, of which one has the reason.
                let late = interval + SLACK;
                let is_own = |gap: &&Gap| {
                    gap.host.as_ref().is_some_and(|host| host.host_name == *of)
                        && (from - late..until + late).contains(&second(gap.from))
                };
                let own = gaps_left.iter().copied().filter(is_own);
                if !own.clone().any(|gap| gap.reason.contains(reason)) {
                    let own: Vec<&Gap> = own.collect();
                    wrong.push(format!("missing: the gap of {expected:?}, only {own:?}"));
                }
                gaps_left.retain(|gap| !is_own(gap));
            }
            Expected::Report { of, field, range } => {
                let value = reported(line, day, of)?[field].as_f64();
                if !value.is_some_and(|value| range.contains(&value)) {
                    wrong.push(format!("{expected:?}: it is {value:?}"));
                }
            }
            Expected::Loss { of, percent } => {
                let host = reported(line, day, of)?;
                let share = |name: &str| host[name].as_f64().unwrap_or(f64::NAN);
                let lost = 100.0 * share("lost") / share("sent");
                if !percent.contains(&lost) {
                    wrong.push(format!("{expected:?}: it is {lost:.1}"));
                }
            }
            Expected::Log { text, is_there } => {
                if line.log().contains(text) != *is_there {
                    wrong.push(format!("the log: {expected:?}"));
                }
            }
            Expected::Path { of, reached } => {
                let path = outages
                    .iter()
                    .find(|e| e.event.host_name == *of)
                    .and_then(|e| e.event.path.clone())
                    .unwrap_or_default();
                let paths: Vec<serde_json::Value> = serde_json::from_str(&path).unwrap_or_default();
                let last = paths
                    .first()
                    .and_then(|path| path["hops"].as_array()?.last()?.as_str().map(String::from));
                if last.as_deref().unwrap_or("none") != reached {
                    wrong.push(format!("{expected:?}: {path}"));
                }
            }
        }
    }
    wrong.extend(
        left.iter()
            .map(|outage| format!("unexpected: {}", sentence(outage, &second))),
    );
    wrong.extend(
        incidents_left
            .iter()
            .map(|incident| format!("unexpected: {incident:?}")),
    );
    wrong.extend(gaps_left.iter().map(|gap| {
        format!(
            "unexpected: the gap {:.1}..{:.1} {}",
            second(gap.from),
            second(gap.to),
            gap.reason
        )
    }));
    wrong.extend(unexpected_unsendable_checks(day, line, &second));
    wrong.extend(contradictions::find(day, line, end, &outages, &found));
    if wrong.is_empty() {
        return Ok(described);
    }
    Err(format!(
        "{}\n  recorded:\n    {}\n  facts: {:?}\n  the log:\n{}",
        wrong.join("\n  "),
        described.join("\n    "),
        outages
            .iter()
            .map(|e| (&e.event.host_name, &e.event.facts, &e.event.path))
            .collect::<Vec<_>>(),
        line.log()
    ))
}

/// `expected` is one cause, or several with `|` between them.
fn is_one_of(expected: &str, cause: Option<Cause>) -> bool {
    expected
        .split('|')
        .any(|expected| cause.is_some_and(|cause| cause.as_str() == expected))
}

fn grouping_of(day: &Day) -> GroupingRules {
    let merge = day
        .config
        .iter()
        .find_map(|line| line.strip_prefix("outages.merge_seconds: "));
    let merge = merge.map_or(GroupingRules::default().merge, |text| {
        std::time::Duration::from_secs_f64(text.parse().expect("seconds"))
    });
    GroupingRules {
        merge,
        ..GroupingRules::default()
    }
}

/// A check that could not be made.
struct UnsendableCheck {
    host: String,
    at: UtcMillis,
    reason: String,
}

fn unsendable_checks(line: &Line) -> Vec<UnsendableCheck> {
    let database = rusqlite::Connection::open(line.database()).expect("the database");
    let mut query = database
        .prepare(
            "select h.name, n.checked_at, n.reason
               from not_measured_check n join host h on h.id = n.host_id order by n.checked_at",
        )
        .expect("the tables");
    let rows = query
        .query_map([], |row| {
            Ok(UnsendableCheck {
                host: row.get(0)?,
                at: UtcMillis(row.get(1)?),
                reason: row.get(2)?,
            })
        })
        .expect("a query");
    rows.collect::<Result<_, _>>().expect("rows")
}

/// Checks that could not be made in no gap that the script expects.
fn unexpected_unsendable_checks(
    day: &Day,
    line: &Line,
    second: &impl Fn(UtcMillis) -> f64,
) -> Vec<String> {
    let is_expected = |check: &UnsendableCheck| {
        day.expected.iter().any(|expected| {
            let (from, until) = match expected {
                Expected::NotMeasured {
                    of, from, until, ..
                } if *of == check.host => (from, until),
                Expected::Gap { from, until, .. } => (from, until),
                _ => return false,
            };
            (from - 0.3..until + day.interval() + SLACK).contains(&second(check.at))
        })
    };
    unsendable_checks(line)
        .iter()
        .filter(|check| second(check.at) > 0.0 && !is_expected(check))
        .map(|check| {
            format!(
                "unexpected: {} was not measured at {:.1}: {}",
                check.host,
                second(check.at),
                check.reason
            )
        })
        .collect()
}

/// A host's part of the report about the time of the day.
fn reported(line: &Line, day: &Day, host: &str) -> Result<serde_json::Value, String> {
    let from = line.began_ms as f64 / 1000.0;
    let arguments = [
        "report".into(),
        "--format=json".into(),
        format!("--from={from:.0}"),
        format!("--to={:.0}", from + day.end),
    ];
    let text = line.output(&arguments)?;
    let start = text.find('{').unwrap_or(0);
    let report: serde_json::Value = serde_json::Deserializer::from_str(&text[start..])
        .into_iter()
        .next()
        .and_then(Result::ok)
        .ok_or(format!("no report: {text}"))?;
    let hosts = report["hosts"].as_array().cloned().unwrap_or_default();
    hosts
        .into_iter()
        .find(|entry| entry["host_name"] == host)
        .ok_or(format!("{host} is not in the report"))
}

/// Checks that were made, in percent of those that were due.
fn coverage(reader: &Reader, host: &str, from: UtcMillis, to: UtcMillis, day: &Day) -> f64 {
    let ids: Vec<HostId> = reader
        .hosts()
        .expect("hosts")
        .into_iter()
        .filter(|known| known.name == host)
        .map(|known| known.id)
        .collect();
    let checks = reader
        .sums(&ids, &(from..to))
        .expect("sums")
        .counts
        .checks();
    100.0 * checks as f64 * day.interval() / day.end
}

fn sentence(outage: &GroupedOutage, second: &impl Fn(UtcMillis) -> f64) -> String {
    let event = &outage.event;
    let whose = if event.event_type == EventKind::LinkDown {
        "link"
    } else {
        event.host_name.as_str()
    };
    let until = outage.end().map_or(", ongoing".into(), |end| {
        format!(" to {:.1} s", second(end))
    });
    format!(
        "{whose}: {} from {:.1} s{until}, cause {}",
        event.event_type,
        second(outage.start()),
        event.cause.map_or("none", Cause::as_str)
    )
}

fn described(
    outages: &[GroupedOutage],
    found: &[ace_connection_logger::store::Incident],
    gaps: &[Gap],
    second: &impl Fn(UtcMillis) -> f64,
) -> Vec<String> {
    let mut described: Vec<String> = outages
        .iter()
        .rev()
        .map(|outage| sentence(outage, second))
        .collect();
    described.extend(found.iter().rev().map(|incident| {
        format!(
            "incident: {}, cause {}",
            incident.host_names.join(", "),
            incident.cause.as_str()
        )
    }));
    for gap in gaps {
        let mut text = String::new();
        let _ = write!(
            text,
            "not measured from {:.1} s to {:.1} s: {}",
            second(gap.from),
            second(gap.to),
            gap.reason
        );
        described.push(text);
    }
    described
}
