use std::time::Duration;

use super::*;
use crate::alerts::queue::due;
use crate::alerts::summary::Summary;
use crate::pure::model::{EventId, EventKind};

/// Three outages that begin within ten minutes.
fn rules() -> GroupingRules {
    GroupingRules {
        merge: Duration::ZERO,
        intermittent_count: 3,
        intermittent_span: Duration::from_secs(600),
    }
}

fn event(host: &str, start: i64, end: Option<i64>) -> OutageEvent {
    let at = |seconds: i64| UtcMillis(seconds * 1000);
    event_at(host, at(start), end.map(at))
}

pub fn event_at(host: &str, start: UtcMillis, end: Option<UtcMillis>) -> OutageEvent {
    let number = host.bytes().map(i64::from).sum::<i64>();
    OutageEvent {
        id: EventId(start.0 + number),
        host_name: host.into(),
        former_name: None,
        distinction: String::new(),
        host_address: format!("address of {host}"),
        event_type: EventKind::Outage,
        start_time: Some(start),
        end_time: end,
        duration_seconds: None,
        checks_failed: None,
        checks_during_outage: None,
        recovery_success_rate: None,
        notes: None,
        earliest_start: None,
        packets_sent: None,
        packets_lost: None,
        cause: None,
        facts: None,
        path: None,
        planned: false,
        answered_since: None,
        host_id: None,
        is_removed: false,
    }
}

/// Notices in words, in the order of their ids: `KIND HOSTS BEGIN-END`, in seconds, with `sent` or
/// the number of failed attempts behind it. One of a beginning was made then, else at the end.
fn notices(texts: &[&str]) -> Vec<Notice> {
    let notice = |(id, text): (i64, &&str)| {
        let words: Vec<&str> = text.split(' ').collect();
        let (start, end) = words[2].split_once('-').expect("a span");
        let start: i64 = start.parse().expect("a time");
        let end: Option<i64> = end.parse().ok();
        let kind = AlertKind::from_word(words[0]).expect("a kind");
        let is_quality = Class::of(kind) == Class::Quality;
        let facts = serde_json::json!({
            "host_name": words[1],
            "host_address": words[1],
            "loss": { "end_time": end },
        });
        let made = match kind {
            AlertKind::Up => end.expect("an end"),
            AlertKind::Loss => end.unwrap_or(start),
            _ => start,
        };
        let event = |host: &str| event(host, start, end);
        Notice {
            id,
            made_at: UtcMillis(made * 1000),
            kind,
            tries: words.get(3).and_then(|word| word.parse().ok()).unwrap_or(0),
            events: match is_quality {
                true => Vec::new(),
                false => words[1].split('+').map(event).collect(),
            },
            facts: is_quality.then(|| facts.to_string()),
            sent_at: (words.get(3) == Some(&"sent")).then_some(UtcMillis(made * 1000 + 2000)),
        }
    };
    (1..).zip(texts).map(notice).collect()
}

/// `KIND IDS`, then the first of its notices if that is sent alone, what it counts, and until when
/// it is held.
fn shown(planned: &Planned) -> String {
    let Planned {
        alert,
        singles,
        held_until,
    } = planned;
    let ids: Vec<String> = alert.ids.iter().map(i64::to_string).collect();
    let mut text = format!("{} {}", alert.kind.as_str(), ids.join("+"));
    if let Some(first) = singles.first() {
        text += &format!(" first {} {}", first.kind.as_str(), first.ids[0]);
    }
    if let Some(repeated) = alert.repeated {
        text += &format!(" {}x since {}", repeated.times, repeated.since.0 / 1000);
        if let Some(seconds) = repeated.seconds {
            text += &format!(" {seconds} s");
        }
    }
    if let Some(until) = held_until {
        text += &format!(" held until {}", until.0 / 1000);
    }
    text
}

fn planned(texts: &[&str], now: i64) -> Vec<String> {
    plan(&notices(texts), &rules(), UtcMillis(now * 1000))
        .iter()
        .map(shown)
        .collect()
}

#[test]
fn each_outage_has_its_notices_until_a_host_goes_down_again_and_again() {
    let two = [
        "down A 0-60 sent",
        "up A 0-60 sent",
        "down A 200-260 sent",
        "up A 200-260 sent",
    ];
    let with =
        |more: &[&'static str]| -> Vec<&'static str> { two.iter().chain(more).copied().collect() };
    let cases: Vec<(&str, Vec<&str>, i64, Vec<&str>)> = vec![
        ("nothing waits", with(&[]), 300, vec![]),
        (
            "its cause is not known yet",
            vec!["down A 100-"],
            101,
            vec!["down 1 held until 102"],
        ),
        ("a first outage", vec!["down A 100-"], 102, vec!["down 1"]),
        (
            "its end",
            vec!["down A 0-60 sent", "up A 0-60"],
            60,
            vec!["up 2"],
        ),
        (
            "an outage of which nothing was sent begins before it ends",
            vec!["down A 0-60", "up A 0-60"],
            60,
            vec!["up 1+2 first down 1"],
        ),
        (
            "so are two",
            vec!["down A 0-60", "up A 0-60", "down A 200-260", "up A 200-260"],
            300,
            vec!["up 1+2+3+4 2x since 0 120 s"],
        ),
        (
            "and two of which the second is ongoing",
            vec!["down A 0-60", "up A 0-60", "down A 200-"],
            300,
            vec!["down 1+2+3 2x since 0"],
        ),
        (
            "the third within ten minutes is sent with a count",
            with(&["down A 400-"]),
            402,
            vec!["down 5 3x since 0"],
        ),
        (
            "then it is held, while it goes down again within ten minutes",
            with(&["down A 400-460 sent", "up A 400-460"]),
            470,
            vec!["up 6 3x since 0 180 s held until 1000"],
        ),
        (
            "and counted",
            with(&[
                "down A 400-460 sent",
                "up A 400-460",
                "down A 900-910",
                "up A 900-910",
            ]),
            1499,
            vec!["up 6+7+8 4x since 0 190 s held until 1500"],
        ),
        (
            "and sent when it did not",
            with(&[
                "down A 400-460 sent",
                "up A 400-460",
                "down A 900-910",
                "up A 900-910",
            ]),
            1500,
            vec!["up 6+7+8 4x since 0 190 s"],
        ),
        (
            "also when it stayed down",
            with(&["down A 400-460 sent", "up A 400-460", "down A 900-"]),
            1500,
            vec!["down 6+7 4x since 0"],
        ),
        (
            "the end of a long outage is not held",
            with(&["down A 400-5000 sent", "up A 400-5000"]),
            5000,
            vec!["up 6 3x since 0 4720 s"],
        ),
        (
            "a third after ten minutes is like a first",
            with(&["down A 801-"]),
            803,
            vec!["down 5"],
        ),
        (
            "another host is not held",
            with(&["down A 400-460 sent", "up A 400-460", "down B 470-"]),
            480,
            vec!["up 6 3x since 0 180 s held until 1000", "down 7"],
        ),
        (
            "nor an incident with it",
            with(&["down A 400-460 sent", "up A 400-460", "incident A+B 470-"]),
            480,
            vec!["incident 6+7 4x since 0"],
        ),
    ];
    for (what, texts, now, expected) in cases {
        assert_eq!(planned(&texts, now), expected, "{what}");
    }
}

#[test]
fn what_is_held_is_sent_after_an_hour_at_the_latest() {
    let mut texts = vec!["down A 0-1 sent", "down A 10-11 sent", "down A 20-21 sent"];
    let more: Vec<String> = (1..20)
        .map(|n| format!("down A {}-{}", n * 300, n * 300 + 10))
        .collect();
    texts.extend(more.iter().map(String::as_str));
    let ids: Vec<String> = (4..=22).map(|id| id.to_string()).collect();
    let ids = ids.join("+");
    // The oldest of them was made at 300.
    assert_eq!(
        planned(&texts, 3899),
        [format!("down {ids} 22x since 0 193 s held until 3900")]
    );
    assert_eq!(
        planned(&texts, 5703),
        [format!("down {ids} 22x since 0 193 s")]
    );
}

#[test]
fn an_incident_that_comes_back_again_and_again_is_counted_as_one() {
    let texts = [
        "incident A+B 0-60 sent",
        "up A+B 0-60 sent",
        "incident A+B 200-260 sent",
        "up A+B 200-260 sent",
        "incident A+B 400-460 sent",
        "up A+B 400-460",
        "incident A+B 500-560",
        "up A+B 500-560",
    ];
    assert_eq!(
        planned(&texts, 600),
        ["up 6+7+8 4x since 0 held until 1100"]
    );
    assert_eq!(planned(&texts, 1100), ["up 6+7+8 4x since 0"]);
}

#[test]
fn loss_and_degraded_hosts_are_counted_apart_from_outages() {
    let texts = [
        "down A 0-",
        "degraded A 10-",
        "degraded A 20-",
        "loss A 30-",
        "loss A 30-40",
    ];
    assert_eq!(
        planned(&texts, 50),
        [
            "down 1",
            "degraded 2+3 2x since 10",
            "loss 4+5 first loss 4"
        ]
    );
}

#[test]
fn without_intermittent_outages_nothing_is_held() {
    let texts = notices(&[
        "down A 0-1 sent",
        "down A 10-11 sent",
        "down A 20-21 sent",
        "up A 20-21",
    ]);
    let rules = GroupingRules {
        intermittent_count: 0,
        ..rules()
    };
    let planned = plan(&texts, &rules, UtcMillis(22_000));
    assert_eq!(planned.iter().map(shown).collect::<Vec<_>>(), ["up 4"]);
}

#[test]
fn a_digest_has_all_notices_and_hosts() {
    let texts = notices(&[
        "down A 0-60 2",
        "up A 0-60",
        "down B 70- 1",
        "degraded C 80-",
    ]);
    let planned = plan(&texts, &rules(), UtcMillis(100_000));
    let alerts: Vec<&Alert> = planned.iter().map(|planned| &planned.alert).collect();
    let digest = digest(&alerts).expect("there are some");
    assert_eq!(
        (digest.ids.clone(), digest.host_names.clone(), digest.tries),
        (
            vec![1, 2, 3, 4],
            ["A", "B", "C"].map(String::from).to_vec(),
            0
        )
    );
    assert_eq!(
        (digest.oldest_at, digest.made_at),
        (UtcMillis(0), UtcMillis(80_000))
    );
    for (now, minutes) in [(100_000, 2), (60_000, 1), (60_001, 2), (0, 1)] {
        let summary = Summary::of(&digest, UtcMillis(now));
        assert_eq!(summary.digest.map(|digest| digest.minutes), Some(minutes));
    }
}

#[test]
fn notices_that_are_held_for_counting_are_not_said_to_wait() {
    let flapping = [
        "down A 0-1 sent",
        "down A 10-11 sent",
        "down A 20-21 sent",
        "down A 30-31",
    ];
    let waiting = |texts: &[&str]| due(&notices(texts), &rules(), UtcMillis(50_000));
    assert_eq!(waiting(&flapping), None);
    let failed = [&flapping[..], &["down B 35- 3", "down C 36-"]].concat();
    assert_eq!(waiting(&failed), Some((2, UtcMillis(35_000))));
}

#[test]
fn a_name_that_did_not_resolve_is_not_counted_as_an_outage() {
    let mut texts = notices(&["down A 0-1 sent", "down A 10-11 sent", "down A 20-21"]);
    let repeated = |texts: &[Notice]| {
        plan(texts, &rules(), UtcMillis(30_000))[0]
            .alert
            .repeated
            .map(|repeated| repeated.times)
    };
    assert_eq!(repeated(&texts), Some(3));
    texts[0].events[0].event_type = EventKind::Dns;
    assert_eq!(repeated(&texts), None);
}

#[test]
fn a_digest_names_a_host_once() {
    let texts = notices(&["down A 0-60", "degraded A 70-", "down B 80-"]);
    let planned = plan(&texts, &rules(), UtcMillis(100_000));
    let alerts: Vec<&Alert> = planned.iter().map(|planned| &planned.alert).collect();
    assert_eq!(alerts.len(), 3);
    let digest = digest(&alerts).expect("there are some");
    assert_eq!(digest.host_names, ["A", "B"]);
}
