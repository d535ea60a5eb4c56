//! What is sent next.

use super::*;
use crate::pure::model::AlertKind;
use crate::store::Notice;
use crate::store::OutageEvent;

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
            singles: Vec::new(),
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
        earlier_tries: HashMap::new(),
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
    (state.classes[0].failed_at, state.classes[0].failures) = (Some(NOW), 4);
    assert_eq!(next(&mut state, &["down 1", "up"]), "after 8 s");
    assert_eq!(next(&mut state, &["down 1", "loss"]), "loss 2");
    state.classes[0].failed_at = None;
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
    assert_eq!(next(&mut state, &["down 5", "up 4"]), "up 2");
    assert_eq!(next(&mut state, &["down 4", "up 4"]), "digest 1+2");
}

/// A command that refuses some alerts, over simulated time.
struct Refusing {
    refuses: fn(&Alert) -> bool,
    /// How long a run that is refused takes.
    seconds: i64,
    notices: Vec<Notice>,
    state: AlertsState<fn(NoticeResult) -> bool>,
    /// Ids that were sent, with seconds after the beginning.
    sent: Vec<(i64, i64)>,
    /// Of the alerts that were refused, in seconds after the beginning.
    refused: Vec<i64>,
    now: i64,
}

impl Refusing {
    fn new(refuses: fn(&Alert) -> bool, seconds: i64, max_per_hour: u16) -> Refusing {
        let mut state = state([0, 0]);
        state.config.max_per_hour = max_per_hour;
        Refusing {
            refuses,
            seconds,
            notices: Vec::new(),
            state,
            sent: Vec::new(),
            refused: Vec::new(),
            now: 0,
        }
    }

    fn monotonic(&self) -> Monotonic {
        NOW.after(Duration::from_secs(self.now.unsigned_abs()))
    }

    fn clock(&self) -> UtcMillis {
        CLOCK.plus(self.now * 1000)
    }

    /// Until so many seconds after the beginning.
    fn run_until(&mut self, end: i64) {
        while self.now < end {
            let (now, clock) = (self.monotonic(), self.clock());
            let rules = self.state.grouping;
            let planned = plan(&self.notices, &rules, clock);
            match self.state.next(&planned, now, clock) {
                // A second at the least, since only whole ones are counted.
                Next::At(at) => {
                    let wait = i64::try_from(at.since(now).as_secs()).unwrap_or(0);
                    self.now = end.min(self.now + wait.max(1));
                }
                Next::Send(alert) if (self.refuses)(&alert) => {
                    self.now += self.seconds;
                    self.state.count_failure(&alert, self.monotonic());
                    self.refused.push(self.now);
                    for notice in self.waiting_of(&alert) {
                        notice.tries += 1;
                    }
                }
                Next::Send(alert) => {
                    self.state.count_success(alert.class, now);
                    let now = self.now;
                    self.sent.extend(alert.ids.iter().map(|id| (*id, now)));
                    for notice in self.waiting_of(&alert) {
                        notice.sent_at = Some(clock);
                    }
                }
            }
        }
    }

    fn waiting_of(&mut self, alert: &Alert) -> impl Iterator<Item = &mut Notice> {
        let ids = alert.ids.clone();
        let is_waiting = move |notice: &&mut Notice| ids.contains(&notice.id);
        self.notices.iter_mut().filter(is_waiting)
    }

    /// A host goes down and up 40 s later; both are noticed.
    fn outage_of(&mut self, host: &str) {
        let start = self.clock();
        self.add(AlertKind::Down, plan::tests::event_at(host, start, None));
        self.run_until(self.now + 40);
        let end = Some(self.clock());
        let over = plan::tests::event_at(host, start, end);
        // A notice describes its event as it is recorded now.
        for event in self
            .notices
            .iter_mut()
            .flat_map(|notice| &mut notice.events)
        {
            if event.id == over.id {
                event.end_time = end;
            }
        }
        self.add(AlertKind::Up, over);
    }

    fn add(&mut self, kind: AlertKind, event: OutageEvent) {
        self.notices.push(Notice {
            id: self.notices.len() as i64 + 1,
            made_at: self.clock(),
            kind,
            tries: 0,
            events: vec![event],
            facts: None,
            sent_at: None,
        });
    }

    /// How long the slowest of these notices waited; one that still waits, until now.
    fn longest_wait(&self, is_meant: impl Fn(&Notice) -> bool) -> i64 {
        let wait = |notice: &Notice| {
            let sent = self.sent.iter().find(|(id, _)| *id == notice.id);
            sent.map_or(self.now, |(_, at)| *at) - (notice.made_at.0 - CLOCK.0) / 1000
        };
        let meant = self.notices.iter().filter(|notice| is_meant(notice));
        meant.map(wait).max().unwrap_or(0)
    }
}

fn is_about(alert: &Alert, host: &str) -> bool {
    alert.events.iter().any(|event| event.host_name == host)
}

#[test]
fn what_a_command_refuses_delays_others_by_minutes_and_is_always_tried_again() {
    type Refuses = fn(&Alert) -> bool;
    let begins = |alert: &Alert| alert.kind == AlertKind::Down;
    let is_bad = |alert: &Alert| is_about(alert, "bad");
    let is_bad_beginning = |alert: &Alert| is_about(alert, "bad") && alert.kind == AlertKind::Down;
    // What is refused, how long such a run takes, and how long other notices wait at most: five
    // tries in order take 31 s, and later the next try is at most a minute away.
    let cases: [(&str, Refuses, i64, i64); 5] = [
        ("one host", is_bad, 0, 100),
        ("one host, whose runs hang", is_bad, 30, 100 + 6 * 30),
        // An end is sent once its beginning has failed twice again.
        ("the beginning of one outage", is_bad_beginning, 0, 200),
        ("every beginning", begins, 0, 600),
        ("every beginning, which hangs", begins, 30, 900),
    ];
    for (what, refuses, seconds, max_wait) in cases {
        let mut world = Refusing::new(refuses, seconds, 3600);
        world.outage_of("bad");
        for host in 0..40 {
            world.run_until(world.now + 200 + host * 7);
            world.outage_of(&format!("host {host}"));
        }
        world.run_until(world.now + 600);
        let longest = world.longest_wait(|notice| !refuses(&Alert::of(notice)));
        assert!(longest <= max_wait, "{what}: {longest} s");
        let tries = &world.refused;
        let pause = tries.windows(2).map(|pair| pair[1] - pair[0]).max();
        assert!(pause <= Some(661 + seconds), "{what}: {pause:?} s");
    }
}

#[test]
fn a_command_that_refuses_digests_sends_as_many_single_notices_as_are_allowed() {
    let is_digest = |alert: &Alert| alert.kind == AlertKind::Digest;
    let mut world = Refusing::new(is_digest, 0, 6);
    // More than are allowed, and always new ones, which no digest has failed with.
    for host in 0..250 {
        world.outage_of(&format!("host {host}"));
    }
    let hours = usize::try_from(world.now / 3600).expect("a positive time");
    let sent = world.sent.len();
    assert!(sent >= 6 * hours, "{sent} in {hours} hours");
}
