//! What is sent next.

use super::*;
use crate::pure::model::AlertKind;

#[test]
fn attempts_are_further_and_further_apart_up_to_ten_minutes() {
    let waits: Vec<u64> = [0, 1, 2, 9, 10, 1000]
        .into_iter()
        .map(|tries| backoff(tries).as_secs())
        .collect();
    assert_eq!(waits, [1, 2, 4, 512, 600, 600]);
}

const NOW: Monotonic = Monotonic(10_000_000_000_000);
const CLOCK: UtcMillis = UtcMillis(1_000_000);

/// `KIND`, the failed attempts, and for how many seconds it is held.
fn planned(texts: &[&str]) -> Vec<Planned> {
    let one = |(id, text): (i64, &&str)| {
        let mut words = text.split(' ');
        let kind = words.next().and_then(AlertKind::from_word).expect("a kind");
        let mut number = || words.next().and_then(|word| word.parse::<i64>().ok());
        let alert = Alert {
            kind,
            class: Class::of(kind),
            made_at: UtcMillis(id),
            oldest_at: UtcMillis(id),
            ids: vec![id],
            tries: number().and_then(|n| u32::try_from(n).ok()).unwrap_or(0),
            events: Vec::new(),
            facts: None,
            repeated: None,
            host_names: Vec::new(),
        };
        Planned {
            alert,
            first: None,
            held_until: number().map(|seconds| CLOCK.plus(seconds * 1000)),
        }
    };
    (1..).zip(texts).map(one).collect()
}

/// At most three alerts an hour; `sent` were sent half an hour ago, of outages and of quality.
fn state(sent: [usize; 2]) -> AlertsState<fn(NoticeResult) -> bool> {
    let half_an_hour_ago = Monotonic(NOW.0 - 1_800_000_000_000);
    let class = |sent: usize| ClassState {
        sent_at: vec![half_an_hour_ago; sent].into(),
        ..ClassState::default()
    };
    let config = crate::config::Config::default().alerts;
    AlertsState {
        config: AlertsConfig {
            max_per_hour: 3,
            ..config
        },
        grouping: GroupingRules::default(),
        database: PathBuf::new(),
        deliver: |_| true,
        stop: Stop::new().expect("a stop"),
        history: AlertHistory::default(),
        classes: [class(sent[0]), class(sent[1]), ClassState::default()],
        due: HashMap::new(),
        logged_failures: 0,
        cannot_read: false,
    }
}

/// `KIND IDS`, or the seconds until then.
fn next(state: &mut AlertsState<fn(NoticeResult) -> bool>, texts: &[&str]) -> String {
    match state.next(&planned(texts), NOW, CLOCK) {
        Next::At(at) => format!("after {} s", at.since(NOW).as_secs()),
        Next::Send(alert) => {
            let ids: Vec<String> = alert.ids.iter().map(i64::to_string).collect();
            format!("{} {}", alert.kind.as_str(), ids.join("+"))
        }
    }
}

#[test]
fn outages_are_sent_first_and_what_exceeds_the_limit_is_a_digest() {
    let cases: [(&str, [usize; 2], &[&str], &str); 13] = [
        ("nothing", [0, 0], &[], "after 60 s"),
        ("in order", [0, 0], &["down", "up"], "down 1"),
        (
            "loss later",
            [0, 0],
            &["loss", "degraded", "down"],
            "down 3",
        ),
        (
            "loss after what is held",
            [0, 0],
            &["loss", "down 0 5"],
            "loss 1",
        ),
        ("held", [0, 0], &["down 0 5"], "after 5 s"),
        ("the last of the hour", [2, 0], &["down"], "down 1"),
        ("more than the last", [2, 0], &["down", "up"], "digest 1+2"),
        (
            "more than all",
            [0, 0],
            &["up", "up", "up", "up"],
            "digest 1+2+3+4",
        ),
        ("none is left", [3, 0], &["down", "up"], "after 60 s"),
        ("none of loss is left", [0, 3], &["loss", "down"], "down 2"),
        (
            "loss when no outage may be sent",
            [3, 0],
            &["down", "loss"],
            "loss 2",
        ),
        (
            "a digest of loss alone",
            [0, 2],
            &["loss", "loss", "down 0 5"],
            "digest 1+2",
        ),
        (
            "after five tries others pass",
            [0, 0],
            &["down 5", "up 4"],
            "up 2",
        ),
    ];
    for (what, sent, texts, expected) in cases {
        assert_eq!(next(&mut state(sent), texts), expected, "{what}");
    }
}

#[test]
fn a_limit_ends_an_hour_after_the_first_of_its_alerts() {
    let mut state = state([3, 0]);
    state.classes[0].sent_at[0] = Monotonic(NOW.0 - 3_590_000_000_000);
    assert_eq!(next(&mut state, &["down"]), "after 10 s");
    state.classes[0].sent_at[0] = Monotonic(NOW.0 - 3_600_000_000_000);
    assert_eq!(next(&mut state, &["down"]), "down 1");
}

#[test]
fn a_failure_delays_its_class_and_what_failed_five_times_only_itself() {
    let mut state = state([0, 0]);
    state.classes[0].retry_at = Some(NOW.after(Duration::from_secs(7)));
    assert_eq!(next(&mut state, &["down 1", "up"]), "after 7 s");
    assert_eq!(next(&mut state, &["down 1", "loss"]), "loss 2");
    state.classes[0].retry_at = None;
    state.due.insert(1, NOW.after(Duration::from_secs(16)));
    assert_eq!(next(&mut state, &["down 5"]), "after 16 s");
    assert_eq!(next(&mut state, &["down 5", "up"]), "up 2");
    // Of several that failed so often the one that is due.
    assert_eq!(next(&mut state, &["down 5", "up 9"]), "up 2");
}

#[test]
fn a_command_that_refuses_digests_gets_single_notices_too() {
    let mut state = state([2, 0]);
    assert_eq!(next(&mut state, &["down 5", "up 5"]), "digest 1+2");
    state.classes[0].failures = 1;
    assert_eq!(next(&mut state, &["down 5", "up 5"]), "down 1");
    assert_eq!(next(&mut state, &["down 5", "up 4"]), "digest 1+2");
}
