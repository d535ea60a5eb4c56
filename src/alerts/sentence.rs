//! The sentence of an alert. It says no more than the event and its evidence do.

use serde_json::Value;

use super::plan::Repeated;
use super::summary::Summary;
use crate::pure::cause::Cause;
use crate::pure::model::{AlertKind, EventKind};
use crate::pure::phrase;
use crate::pure::time::UtcMillis;

const MAX_NAMES: usize = 10;

/// `shown_time` gives the local time of an instant.
pub fn sentence(
    kind: AlertKind,
    summary: &Summary,
    shown_time: &impl Fn(UtcMillis) -> String,
) -> String {
    match kind {
        AlertKind::Digest => digest_sentence(summary),
        AlertKind::Database => summary.facts["text"].as_str().unwrap_or_default().into(),
        AlertKind::Loss => loss_sentence(summary, shown_time) + &times(summary, shown_time),
        AlertKind::Degraded => degraded_sentence(summary, shown_time) + &times(summary, shown_time),
        AlertKind::Down | AlertKind::Up | AlertKind::Incident => {
            let text = match summary.repeated {
                Some(repeated) => repeated_sentence(summary, repeated, shown_time),
                None => outage_sentence(kind, summary, shown_time),
            };
            match reason(summary) {
                Some(reason) => format!("{text}; {reason}"),
                None => text,
            }
        }
    }
}

/// "; 3 times since ...", where a host loses pings or is degraded again and again.
fn times(summary: &Summary, shown_time: &impl Fn(UtcMillis) -> String) -> String {
    match summary.repeated {
        Some(Repeated { times, since, .. }) => {
            format!("; {times} times since {}", shown_time(since))
        }
        None => String::new(),
    }
}

fn digest_sentence(summary: &Summary) -> String {
    let Some(digest) = &summary.digest else {
        return String::new();
    };
    let time = match digest.minutes {
        1 => "minute".to_string(),
        minutes @ 2..120 => format!("{minutes} minutes"),
        minutes => format!("{} hours", minutes.div_ceil(60)),
    };
    let hosts = phrase::count(summary.names.len(), "host");
    let about = if digest.is_quality {
        let verbs = if summary.names.len() == 1 {
            "that lost pings or was degraded"
        } else {
            "that lost pings or were degraded"
        };
        format!("{hosts} {verbs}: {}", listed(&summary.names))
    } else {
        let still = match summary.still_down.as_slice() {
            [] => "none of them is down now".to_string(),
            names => format!("still down: {}", listed(names)),
        };
        let times = summary.repeated.map_or(0, |repeated| repeated.times);
        let most = match times {
            0 | 1 => String::new(),
            _ if summary.names.len() == 1 => format!("; {times} outages"),
            _ => format!("; up to {times} outages of one host"),
        };
        format!("{hosts}: {}; {still}{most}", listed(&summary.names))
    };
    let notices = phrase::count(digest.notices, "notice");
    format!("In the last {time}: {notices} about {about}")
}

/// A count of pings or hosts. A larger number is not one, and several could not be added.
fn number(facts: &Value, name: &str) -> u64 {
    let number = facts[name].as_u64();
    number
        .filter(|number| *number <= u64::from(u32::MAX))
        .unwrap_or(0)
}

fn loss_sentence(summary: &Summary, shown_time: &impl Fn(UtcMillis) -> String) -> String {
    let (subject, facts) = (subject(summary), &summary.facts);
    let pings = phrase::count(number(facts, "sent"), "ping");
    let percent = facts["loss_percent"].as_f64().unwrap_or(0.0);
    let lost = format!("{} of {pings} lost ({percent:.0} %)", number(facts, "lost"));
    let since = summary.start.map(shown_time).unwrap_or_default();
    let Some(end) = summary.end else {
        return format!("{subject} has been losing pings since {since}: {lost}");
    };
    let lasted = phrase::duration_of(summary.seconds().unwrap_or(0));
    format!(
        "{subject} stopped losing pings at {}, after {lasted}: {lost}",
        shown_time(end)
    )
}

fn degraded_sentence(summary: &Summary, shown_time: &impl Fn(UtcMillis) -> String) -> String {
    let facts = &summary.facts;
    let ms = facts["avg_us"]
        .as_f64()
        .map(|us| format!(", {} on average", phrase::ms(us)))
        .unwrap_or_default();
    // Of the check that the notice is about: with fewer replies it is poor.
    let state = facts["state"].as_str().unwrap_or("degraded");
    format!(
        "{} has been {state} since {}: {} of {} answered{ms}",
        subject(summary),
        summary.start.map(shown_time).unwrap_or_default(),
        number(facts, "received"),
        phrase::count(number(facts, "sent"), "ping")
    )
}

fn outage_sentence(
    kind: AlertKind,
    summary: &Summary,
    shown_time: &impl Fn(UtcMillis) -> String,
) -> String {
    let Words {
        subject,
        is_one,
        names,
        down,
        up,
    } = words(summary);
    let since = summary.start.map(shown_time).unwrap_or_default();
    let (has, was) = if is_one {
        ("has", "was")
    } else {
        ("have", "were")
    };
    let lasted = summary
        .seconds()
        .map(|seconds| format!(", after {}", phrase::duration_of(seconds)))
        .unwrap_or_default();
    match (kind, summary.end) {
        (AlertKind::Up, Some(end)) => {
            format!("{subject} {up} at {}{lasted}{names}", shown_time(end))
        }
        (_, Some(end)) => format!(
            "{subject} {was} {down} from {since} to {}{names}",
            shown_time(end)
        ),
        (_, None) if summary.still_down.len() < summary.names.len() => {
            let still = match summary.still_down.as_slice() {
                [name] => format!("1 of them is still down: {name}"),
                names => format!("{} of them are still down: {}", names.len(), listed(names)),
            };
            format!("{subject} went down at {since}; {still}")
        }
        (_, None) => format!("{subject} {has} been {down} since {since}{names}"),
    }
}

/// Of hosts that went down again and again.
fn repeated_sentence(
    summary: &Summary,
    repeated: Repeated,
    shown_time: &impl Fn(UtcMillis) -> String,
) -> String {
    let Words {
        subject,
        is_one,
        names,
        down,
        up,
    } = words(summary);
    let most = if is_one { "" } else { "up to " };
    let times = format!(
        "{most}{} times since {}",
        repeated.times,
        shown_time(repeated.since)
    );
    let since = summary.start.map(shown_time).unwrap_or_default();
    match (summary.end, summary.still_down.len()) {
        (Some(end), _) => {
            let was = if is_one { "it was" } else { "they were" };
            let total = repeated
                .seconds
                .map(|seconds| format!(", {} in all", phrase::duration_of(seconds)))
                .unwrap_or_default();
            let end = shown_time(end);
            format!("{subject} {up} at {end}{names}; {was} {down} {times}{total}")
        }
        (None, _) if is_one => format!("{subject} is {down} again since {since}; {times}"),
        (None, still) if still == summary.names.len() => {
            format!("{subject} are down again since {since}{names}; {times}")
        }
        (None, still) => format!(
            "{still} of {subject} {} still down: {}; {times}",
            if still == 1 { "is" } else { "are" },
            listed(&summary.still_down)
        ),
    }
}

struct Words {
    subject: String,
    is_one: bool,
    /// `: A, B` of several hosts.
    names: String,
    down: &'static str,
    up: &'static str,
}

fn words(summary: &Summary) -> Words {
    let is_one = summary.names.len() == 1;
    let (down, up) = match summary.event_type {
        Some(EventKind::Dns) if is_one => ("unresolvable", "resolved again"),
        _ => ("down", "came up again"),
    };
    Words {
        subject: subject(summary),
        is_one,
        names: if is_one {
            String::new()
        } else {
            format!(": {}", listed(&summary.full_names))
        },
        down,
        up,
    }
}

fn subject(summary: &Summary) -> String {
    match summary.names.as_slice() {
        [name] if summary.event_type == Some(EventKind::LinkDown) => {
            format!("this machine's {name} ({})", summary.address)
        }
        [name] => match summary.full_names.as_slice() {
            [full] if full != name => format!("{full}, {},", summary.address),
            _ => name.clone(),
        },
        names => phrase::count(names.len(), "host"),
    }
}

fn listed(names: &[String]) -> String {
    let more = names.len().saturating_sub(MAX_NAMES);
    let listed = names[..names.len() - more].join(", ");
    if more > 0 {
        format!("{listed} and {more} more")
    } else {
        listed
    }
}

/// What the cause was judged by, as far as it was observed.
fn reason(summary: &Summary) -> Option<String> {
    let (evidence, is_over) = (&summary.evidence, summary.end.is_some());
    let of = |names: &[&str]| names.iter().map(|name| number(evidence, name)).sum::<u64>();
    let answering = of(&["beyond_answering", "on_path_answering", "near_answering"]);
    let silent = of(&["beyond_silent", "near_silent"]);
    let is_one = summary.names.len() == 1;
    let tense = |present: &str, past: &str| if is_over { past } else { present }.to_string();
    let found = |fault: &str| {
        if is_over {
            format!("the reason was: {fault}")
        } else {
            fault.to_string()
        }
    };
    let gateway = evidence["gateway_address"].as_str();
    Some(match summary.cause {
        Cause::Unknown => return None,
        Cause::Link => match evidence["link_fault"].as_str() {
            Some(fault) if summary.event_type == Some(EventKind::LinkDown) => found(fault),
            Some(fault) => {
                let cannot = tense("cannot send", "could not send");
                format!("this machine {cannot}: {fault}")
            }
            None => "the cause is this machine's link".into(),
        },
        Cause::Gateway if is_one && gateway == Some(summary.address.as_str()) => {
            tense("it is the gateway", "it was the gateway")
        }
        Cause::Gateway => match (evidence["gateway"].as_str(), gateway) {
            (Some("silent"), Some(address)) => {
                let silence = tense("does not answer", "did not answer");
                format!("the gateway {address} {silence} either")
            }
            _ => "the cause is the gateway".into(),
        },
        Cause::Provider => {
            let beyond = of(&["beyond_answering", "on_path_answering"]);
            if evidence["gateway"] == "answers" && beyond == 0 {
                tense(
                    "the gateway answers, no host beyond it does",
                    "the gateway answered, no host beyond it did",
                )
            } else {
                "the cause is the provider".into()
            }
        }
        Cause::Dns => match evidence["resolver"].as_str() {
            Some(reason) => found(reason),
            None => "the cause is DNS".into(),
        },
        Cause::Host if answering == 0 => "the cause is the host itself".into(),
        Cause::Host if is_one && silent == 0 => tense(
            "only this host, others answer",
            "only this host, others answered",
        ),
        Cause::Host => tense("other hosts answer", "other hosts answered"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alerts::summary::Digest;

    /// An event in words: the name, its begin, its end or `-`, the cause, and its evidence as JSON.
    fn summary(events: &[&str]) -> Summary {
        let (mut names, mut still_down, mut ends) = (Vec::new(), Vec::new(), Vec::new());
        let (mut start, mut causes) = (i64::MAX, Vec::new());
        for event in events {
            let words: Vec<&str> = event.splitn(5, ' ').collect();
            let [name, begin, end, cause, evidence] = words[..] else {
                panic!("{event}");
            };
            names.push(name.to_string());
            start = start.min(begin.parse().expect("a time"));
            match end.parse::<i64>() {
                Ok(end) => ends.push(end),
                Err(_) => still_down.push(name.to_string()),
            }
            let evidence: Value = serde_json::from_str(evidence).expect("JSON");
            causes.push((Cause::from_word(cause).expect("a cause"), evidence));
        }
        causes.sort_by_key(|(cause, _)| *cause);
        let (cause, evidence) = causes.swap_remove(0);
        Summary {
            full_names: names.clone(),
            names,
            address: "192.0.2.1".into(),
            event_type: Some(EventKind::Outage),
            ids: Vec::new(),
            start: Some(UtcMillis(start)),
            end: ends
                .iter()
                .max()
                .filter(|_| still_down.is_empty())
                .map(|end| UtcMillis(*end)),
            still_down,
            cause,
            evidence,
            facts: Value::Null,
            repeated: None,
            digest: None,
        }
    }

    fn said(kind: AlertKind, summary: &Summary) -> String {
        sentence(kind, summary, &|at| format!("T{}", at.0 / 1000))
    }

    const ALONE: &str = r#"{"gateway":"answers","beyond_answering":2}"#;
    const SILENT: &str =
        r#"{"gateway":"silent","gateway_address":"192.0.2.1","beyond_silent":2,"near_silent":1}"#;
    const BEYOND: &str = r#"{"gateway":"answers","gateway_address":"192.0.2.9","beyond_silent":2}"#;

    #[test]
    fn every_outage_has_its_sentence() {
        use AlertKind::{Down, Incident, Up};
        let alone = |end: &str| format!("X 4000 {end} host {ALONE}");
        let gateway = r#"{"gateway":"silent","gateway_address":"192.0.2.254"}"#;
        let cases: Vec<(AlertKind, Vec<String>, &str)> = vec![
            (
                Down,
                vec![alone("-")],
                "X has been down since T4; only this host, others answer",
            ),
            (
                Up,
                vec![alone("64000")],
                "X came up again at T64, after 1 min 0 s; only this host, others answered",
            ),
            (
                Down,
                vec![alone("64000")],
                "X was down from T4 to T64; only this host, others answered",
            ),
            // One other host failed too.
            (
                Down,
                vec![r#"X 4000 - host {"beyond_answering":2,"beyond_silent":1}"#.into()],
                "X has been down since T4; other hosts answer",
            ),
            (
                Down,
                vec!["X 4000 - host {}".into()],
                "X has been down since T4; the cause is the host itself",
            ),
            (
                Down,
                vec!["X 4000 - unknown {}".into()],
                "X has been down since T4",
            ),
            (
                Down,
                vec![format!("Router 4000 - gateway {SILENT}")],
                "Router has been down since T4; it is the gateway",
            ),
            (
                Down,
                vec![format!("X 4000 - gateway {gateway}")],
                "X has been down since T4; the gateway 192.0.2.254 does not answer either",
            ),
            (
                Down,
                vec!["X 4000 - gateway {}".into()],
                "X has been down since T4; the cause is the gateway",
            ),
            (
                Down,
                vec![r#"X 4000 - link {"link_fault":"eth0 has no carrier"}"#.into()],
                "X has been down since T4; this machine cannot send: eth0 has no carrier",
            ),
            (
                Up,
                vec![r#"X 4000 5000 link {"link_fault":"eth0 has no carrier"}"#.into()],
                "X came up again at T5, after 1 s; this machine could not send: eth0 has no carrier",
            ),
            (
                Down,
                vec![r#"X 4000 - provider {"gateway":"answers","on_path_answering":1}"#.into()],
                "X has been down since T4; the cause is the provider",
            ),
            (
                Incident,
                ["A", "B"]
                    .map(|name| format!("{name} 4000 - provider {BEYOND}"))
                    .to_vec(),
                "2 hosts have been down since T4: A, B; the gateway answers, no host beyond it does",
            ),
            (
                Incident,
                vec![
                    format!("A 4000 9000 provider {BEYOND}"),
                    format!("B 5000 - provider {BEYOND}"),
                    format!("C 5000 - provider {BEYOND}"),
                ],
                "3 hosts went down at T4; 2 of them are still down: B, C; the gateway answers, no host beyond it does",
            ),
            (
                Incident,
                vec![
                    "A 4000 9000 unknown {}".into(),
                    "B 5000 - unknown {}".into(),
                ],
                "2 hosts went down at T4; 1 of them is still down: B",
            ),
            (
                Up,
                vec![
                    format!("A 4000 9000 host {ALONE}"),
                    format!("B 5000 10000 host {ALONE}"),
                ],
                "2 hosts came up again at T10, after 6 s: A, B; other hosts answered",
            ),
        ];
        for (kind, events, expected) in cases {
            let events: Vec<&str> = events.iter().map(String::as_str).collect();
            assert_eq!(said(kind, &summary(&events)), expected, "{events:?}");
        }
    }

    #[test]
    fn what_was_counted_is_one_sentence() {
        let counted = |events: &[&str], times, seconds| Summary {
            repeated: Some(Repeated {
                times,
                since: UtcMillis(1000),
                seconds,
            }),
            ..summary(events)
        };
        let cases = [
            (
                counted(&["X 4000 - unknown {}"], 3, None),
                "X is down again since T4; 3 times since T1",
            ),
            (
                counted(&["X 4000 5000 unknown {}"], 14, Some(363)),
                "X came up again at T5; it was down 14 times since T1, 6 min 3 s in all",
            ),
            (
                counted(&["A 4000 - unknown {}", "B 4000 - unknown {}"], 3, None),
                "2 hosts are down again since T4: A, B; up to 3 times since T1",
            ),
            (
                counted(&["A 4000 - unknown {}", "B 4000 9000 unknown {}"], 3, None),
                "1 of 2 hosts is still down: A; up to 3 times since T1",
            ),
            (
                counted(
                    &["A 4000 8000 unknown {}", "B 4000 9000 unknown {}"],
                    3,
                    None,
                ),
                "2 hosts came up again at T9: A, B; they were down up to 3 times since T1",
            ),
        ];
        for (summary, expected) in cases {
            assert_eq!(said(AlertKind::Down, &summary), expected);
        }
        let facts = |text: &str| serde_json::from_str(text).expect("JSON");
        let mut loss = counted(&["X 4000 - unknown {}"], 3, None);
        loss.facts = facts(r#"{"sent":25,"lost":10,"loss_percent":40.0}"#);
        assert_eq!(
            said(AlertKind::Loss, &loss),
            "X has been losing pings since T4: 10 of 25 pings lost (40 %); 3 times since T1"
        );
        loss.facts = facts(r#"{"sent":5,"received":4,"avg_us":23400}"#);
        loss.repeated = None;
        assert_eq!(
            said(AlertKind::Degraded, &loss),
            "X has been degraded since T4: 4 of 5 pings answered, 23.4 ms on average"
        );
        loss.facts = facts(r#"{"sent":5,"received":3,"avg_us":20,"state":"poor"}"#);
        assert_eq!(
            said(AlertKind::Degraded, &loss),
            "X has been poor since T4: 3 of 5 pings answered, 0.020 ms on average"
        );
    }

    #[test]
    fn a_digest_counts_notices_and_hosts_and_says_which_are_still_down() {
        let events = ["A 4000 - unknown {}", "B 4000 9000 unknown {}"];
        for (minutes, is_quality, times, still_down, expected) in [
            (
                40,
                false,
                30,
                true,
                "In the last 40 minutes: 143 notices about 2 hosts: A, B; still down: A; up to 30 outages of one host",
            ),
            (
                1,
                false,
                1,
                false,
                "In the last minute: 143 notices about 2 hosts: A, B; none of them is down now",
            ),
            (
                121,
                true,
                1,
                true,
                "In the last 3 hours: 143 notices about 2 hosts that lost pings or were degraded: A, B",
            ),
        ] {
            let mut digest = summary(&events);
            digest.digest = Some(Digest {
                notices: 143,
                minutes,
                is_quality,
            });
            digest.repeated = (times > 1).then_some(Repeated {
                times,
                since: UtcMillis(1000),
                seconds: None,
            });
            if !still_down {
                digest.still_down.clear();
            }
            assert_eq!(said(AlertKind::Digest, &digest), expected);
        }
    }

    #[test]
    fn a_name_and_a_link_have_words_of_their_own() {
        let mut name = summary(&["X 4000 - dns {\"resolver\":\"no server answered\"}"]);
        name.event_type = Some(EventKind::Dns);
        assert_eq!(
            said(AlertKind::Down, &name),
            "X has been unresolvable since T4; no server answered"
        );
        name.end = Some(UtcMillis(9000));
        name.still_down.clear();
        assert_eq!(
            said(AlertKind::Up, &name),
            "X resolved again at T9, after 5 s; the reason was: no server answered"
        );
        let mut link = summary(&["link 4000 - link {\"link_fault\":\"eth0 has no carrier\"}"]);
        link.event_type = Some(EventKind::LinkDown);
        link.address = "IPv4".into();
        assert_eq!(
            said(AlertKind::Down, &link),
            "this machine's link (IPv4) has been down since T4; eth0 has no carrier"
        );
    }

    #[test]
    fn a_long_list_of_names_is_cut() {
        let events: Vec<String> = (1..=12)
            .map(|n| format!("h{n} 4000 - unknown {{}}"))
            .collect();
        let events: Vec<&str> = events.iter().map(String::as_str).collect();
        assert_eq!(
            said(AlertKind::Incident, &summary(&events)),
            "12 hosts have been down since T4: h1, h2, h3, h4, h5, h6, h7, h8, h9, h10 and 2 more"
        );
    }
}
