//! The state machine of one host, check by check.

use super::*;

const NOW: UtcMillis = UtcMillis(i64::MAX);
const MINUTE_MS: i64 = 60_000;

/// The check of a minute, of five pings.
fn check(minute: i64, received: u32) -> CheckSample {
    CheckSample {
        at: UtcMillis(minute * MINUTE_MS),
        sent: 5,
        received,
        replies: None,
    }
}

/// The last reply, in a check of that minute.
fn reply_at(minute: i64) -> LastReply {
    LastReply {
        at: UtcMillis(minute * MINUTE_MS),
        trailing_loss: None,
    }
}

/// The check of each minute from 0 on, by its letter: r all replies, p two of five, s silence, n
/// not measured.
fn checks(letters: &str) -> Vec<CheckSample> {
    let of = |(minute, letter)| match letter {
        'r' => check(minute, 5),
        'p' => check(minute, 2),
        's' => check(minute, 0),
        'n' => CheckSample {
            sent: 0,
            ..check(minute, 0)
        },
        other => panic!("{other}"),
    };
    (0..).zip(letters.chars()).map(of).collect()
}

fn changes(rules: OutageRules, checks: &[CheckSample]) -> Vec<Option<OutageChange>> {
    let mut watch = OutageDetector::new(rules, None);
    checks
        .iter()
        .map(|check| watch.add_check(check, NOW))
        .collect()
}

/// What the checks of these letters make, a letter a check: B began, G goes on, E ended, `.`
/// nothing.
fn told(down_after: u16, up_after: u16, letters: &str) -> String {
    let word = |change: Option<OutageChange>| match change {
        Some(OutageChange::Began(_)) => 'B',
        Some(OutageChange::Continues(_)) => 'G',
        Some(OutageChange::Ended(..)) => 'E',
        None => '.',
    };
    changes(
        OutageRules {
            down_after,
            up_after,
        },
        &checks(letters),
    )
    .into_iter()
    .map(word)
    .collect()
}

/// The outages that ended, and how.
fn ended(rules: OutageRules, checks: &[CheckSample]) -> Vec<(Outage, OutageEnd)> {
    let end = |change| match change {
        Some(OutageChange::Ended(outage, end)) => Some((outage, end)),
        _ => None,
    };
    changes(rules, checks).into_iter().filter_map(end).collect()
}

#[test]
fn one_silent_check_begins_an_outage_and_one_reply_ends_it() {
    assert_eq!(told(1, 1, "rrsrr"), "..BE.");
    assert_eq!(told(1, 1, "sssr"), "BGGE");
    assert_eq!(told(1, 1, "rppr"), "....", "a lossy check is none");
    assert_eq!(told(1, 1, "sp"), "BE", "two of five pings are replies");
}

#[test]
fn silence_is_an_outage_after_so_many_checks_and_over_after_so_many_replies() {
    assert_eq!(told(3, 1, "rssrsssr"), "......BE");
    assert_eq!(told(1, 2, "rsrsrr"), ".BGGGE");
    assert_eq!(told(2, 3, "rssrrsrrr"), "..BGGGGGE");
}

#[test]
fn what_is_not_measured_neither_begins_nor_ends_nor_counts() {
    assert_eq!(told(1, 1, "rnnr"), "....");
    assert_eq!(told(2, 2, "rsnsnrnr"), "...B.G.E");
    let (outage, end) = ended(OutageRules::default(), &checks("rsnnsr")).remove(0);
    assert_eq!((outage.checks_failed, outage.checks), (2, 2));
    assert_eq!(
        end.duration_seconds, 240,
        "the time between is in the duration"
    );
}

#[test]
fn an_outage_is_from_its_first_lost_check_to_the_first_answered_one() {
    let rules = OutageRules {
        down_after: 2,
        up_after: 2,
    };
    let all = checks("rrsspsrpr");
    let minute = |minute: i64| UtcMillis(minute * MINUTE_MS);
    let (outage, end) = ended(rules, &all).remove(0);
    assert_eq!(
        (outage.earliest_start, outage.start, end.at),
        (Some(minute(1)), minute(2), minute(6))
    );
    assert_eq!(
        (outage.checks_failed, outage.checks),
        (3, 4),
        "the answered check between is one of its checks"
    );
    assert_eq!(outage.pings, Some(PingCounts { sent: 20, lost: 18 }));
    assert_eq!((end.duration_seconds, end.success_rate), (240, 100.0));
    assert_eq!(
        ended(rules, &checks("sspr")).remove(0).1.success_rate,
        40.0,
        "of the first answered check"
    );
    assert_eq!(
        ended(rules, &checks("ssrr")).remove(0).0.earliest_start,
        None,
        "nothing was on record before"
    );
}

#[test]
fn what_is_told_when_it_begins_holds_every_check_of_the_run() {
    let told = changes(
        OutageRules {
            down_after: 3,
            up_after: 1,
        },
        &checks("rsss"),
    );
    let Some(OutageChange::Began(outage)) = &told[3] else {
        panic!("{told:?}")
    };
    assert_eq!(
        (outage.start, outage.checks_failed),
        (UtcMillis(MINUTE_MS), 3)
    );
    assert_eq!(outage.pings, Some(PingCounts { sent: 15, lost: 15 }));
}

#[test]
fn a_duration_is_rounded_down() {
    let at = |ms, received| CheckSample {
        at: UtcMillis(ms),
        sent: 1,
        received,
        replies: None,
    };
    assert_eq!(
        ended(OutageRules::default(), &[at(1, 0), at(2000, 1)])[0]
            .1
            .duration_seconds,
        1
    );
    assert_eq!(
        ended(OutageRules::default(), &[at(1, 0), at(1000, 1)])[0]
            .1
            .duration_seconds,
        0
    );
}

#[test]
fn an_outage_on_record_goes_on_where_it_was() {
    let outage = Outage {
        start: UtcMillis(7),
        earliest_start: Some(UtcMillis(3)),
        checks_failed: 4,
        checks: 6,
        pings: None,
        answered_since: None,
    };
    let mut watch = OutageDetector::resume(OutageRules::default(), outage.clone());
    let more = Outage {
        checks_failed: 5,
        checks: 7,
        ..outage
    };
    assert_eq!(
        watch.add_check(&check(1, 0), NOW),
        Some(OutageChange::Continues(more.clone()))
    );
    let end = OutageEnd {
        at: UtcMillis(2 * MINUTE_MS),
        duration_seconds: 119,
        success_rate: 100.0,
    };
    assert_eq!(
        watch.add_check(&check(2, 5), NOW),
        Some(OutageChange::Ended(more, end))
    );
    assert!(!watch.is_in_outage());
}

#[test]
fn a_reply_from_before_the_outage_that_comes_late_does_not_end_it() {
    for down_after in [1, 2] {
        let mut watch = OutageDetector::new(
            OutageRules {
                down_after,
                up_after: 1,
            },
            Some(reply_at(0)),
        );
        watch.add_check(&check(10, 0), check(10, 0).at);
        watch.add_check(&check(9, 5), check(10, 0).at);
        watch.add_check(&check(11, 0), check(11, 0).at);
        let Some(OutageChange::Ended(outage, _)) = watch.add_check(&check(12, 5), check(12, 0).at)
        else {
            panic!("{watch:?}")
        };
        assert_eq!(
            (outage.earliest_start, outage.start),
            (Some(check(9, 0).at), check(10, 0).at)
        );
        assert_eq!(outage.checks, 2);
    }
}

#[test]
fn a_clock_that_is_set_back_makes_no_time_negative_and_keeps_no_outage_open() {
    let mut watch = OutageDetector::new(OutageRules::default(), Some(reply_at(99)));
    watch.add_check(&check(100, 0), check(100, 0).at);
    let Some(OutageChange::Ended(outage, end)) = watch.add_check(&check(40, 5), check(40, 0).at)
    else {
        panic!("{watch:?}")
    };
    assert_eq!(
        (outage.start, end.at, end.duration_seconds),
        (check(100, 0).at, check(100, 0).at, 0)
    );
    // A silent check by the new clock begins the outage anew.
    watch.add_check(&check(100, 0), check(100, 0).at);
    watch.add_check(&check(50, 0), check(50, 0).at);
    let Some(OutageChange::Ended(outage, end)) = watch.add_check(&check(52, 5), check(52, 0).at)
    else {
        panic!("{watch:?}")
    };
    assert_eq!(
        (
            outage.start,
            outage.earliest_start.is_some_and(|at| at > outage.start)
        ),
        (check(50, 0).at, false)
    );
    assert_eq!(end.duration_seconds, 120);
    // The last reply is dated behind the silence: nobody can tell how long before it was.
    let mut watch = OutageDetector::new(OutageRules::default(), Some(reply_at(100)));
    let Some(OutageChange::Began(outage)) = watch.add_check(&check(50, 0), check(50, 0).at) else {
        panic!("{watch:?}")
    };
    assert_eq!(outage.earliest_start, None);
}

#[test]
fn numbers_of_any_size_do_not_overflow() {
    let outage = |start| Outage {
        start: UtcMillis(start),
        earliest_start: None,
        checks_failed: i64::MAX,
        checks: i64::MAX,
        pings: Some(PingCounts {
            sent: i64::MAX,
            lost: i64::MAX,
        }),
        answered_since: None,
    };
    for start in [i64::MIN, 0, i64::MAX] {
        let mut watch = OutageDetector::resume(OutageRules::default(), outage(start));
        let silent = CheckSample {
            at: UtcMillis(i64::MAX),
            sent: u32::MAX,
            received: 0,
            replies: None,
        };
        watch.add_check(&silent, UtcMillis(0));
        // More replies than pings is nonsense that a row may hold.
        let reply = CheckSample {
            at: UtcMillis(i64::MAX),
            sent: 1,
            received: u32::MAX,
            replies: None,
        };
        let Some(OutageChange::Ended(_, end)) = watch.add_check(&reply, UtcMillis(0)) else {
            panic!("{watch:?}")
        };
        assert!(end.duration_seconds >= 0, "{end:?}");
    }
}

/// Whole numbers below a bound, the same at every run.
fn random(seed: u64) -> impl FnMut(u64) -> u64 {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    move |below| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state % below
    }
}

#[test]
fn any_checks_make_outages_one_after_another_that_never_last_less_than_nothing() {
    for seed in 1..3000 {
        let mut random = random(seed);
        let [down_after, up_after] = [0; 2].map(|_| u16::try_from(random(4) + 1).expect("small"));
        let has_wrong_clock = seed % 2 == 0;
        let mut watch = OutageDetector::new(
            OutageRules {
                down_after,
                up_after,
            },
            None,
        );
        let (mut at, mut is_open, mut over, mut silent) = (1_000_000, false, UtcMillis(0), 0);
        for _ in 0..60 {
            at += i64::try_from(random(100_000)).expect("small");
            if has_wrong_clock && random(8) == 0 {
                at -= i64::try_from(random(1_000_000)).expect("small");
            }
            let sent = u32::try_from(random(3)).expect("small") * 2;
            let received = u32::try_from(random(3))
                .expect("small")
                .saturating_sub(1)
                .min(sent);
            let check = CheckSample {
                at: UtcMillis(at),
                sent,
                received,
                replies: None,
            };
            silent += i64::from(check.is_silent());
            let now = UtcMillis(at + i64::try_from(random(1000)).expect("small"));
            match watch.add_check(&check, now) {
                None => {}
                Some(OutageChange::Began(outage)) => {
                    assert!(!is_open, "seed {seed}: two are open");
                    assert_eq!(outage.checks_failed, i64::from(down_after), "seed {seed}");
                    assert!(
                        has_wrong_clock || outage.start >= over,
                        "seed {seed}: one begins before the other is over"
                    );
                    assert!(
                        outage
                            .earliest_start
                            .is_none_or(|earliest| earliest <= outage.start),
                        "seed {seed}"
                    );
                    is_open = true;
                }
                Some(OutageChange::Continues(outage)) => {
                    assert!(
                        is_open && outage.checks >= outage.checks_failed,
                        "seed {seed}"
                    );
                    assert!(
                        outage.pings.is_some_and(|pings| pings.sent >= pings.lost),
                        "seed {seed}"
                    );
                }
                Some(OutageChange::Ended(outage, end)) => {
                    assert!(is_open && !check.is_silent(), "seed {seed}");
                    assert!(
                        end.at >= outage.start && end.duration_seconds >= 0,
                        "seed {seed}: {outage:?} {end:?}"
                    );
                    assert!(
                        outage.checks_failed <= silent,
                        "seed {seed}: a check counts once"
                    );
                    (is_open, over, silent) = (false, end.at, 0);
                }
            }
            assert_eq!(is_open, watch.is_in_outage(), "seed {seed}");
        }
    }
}

/// The check of a minute with a ping a second: r a reply, s silence.
fn pings(minute: i64, letters: &str) -> CheckSample {
    let at = UtcMillis(minute * MINUTE_MS);
    let answers = || letters.chars().map(|letter| letter == 'r');
    let count = |is_meant: fn(&bool) -> bool| {
        u32::try_from(answers().filter(is_meant).count()).expect("few")
    };
    CheckSample {
        at,
        sent: count(|_| true),
        received: count(|answered| *answered),
        replies: ReplySpan::of(at, 1000, answers()),
    }
}

#[test]
fn an_outage_is_from_its_first_lost_ping_to_the_first_answered_one_within_checks_too() {
    let all = [
        pings(1, "rrrss"),
        pings(2, "sssss"),
        pings(3, "ssrrs"),
        pings(4, "rrrrr"),
    ];
    let (outage, end) = ended(OutageRules::default(), &all).remove(0);
    assert_eq!(
        (outage.earliest_start, outage.start),
        (Some(UtcMillis(62_000)), UtcMillis(63_000))
    );
    assert_eq!((end.at, end.duration_seconds), (UtcMillis(182_000), 119));
    assert_eq!((outage.checks_failed, outage.checks), (1, 1));
    assert_eq!(
        outage.pings,
        Some(PingCounts { sent: 9, lost: 9 }),
        "two behind the last reply, five, two before the first"
    );
    // What was lost long before is not of this outage, but the last reply was then.
    let (outage, _) = ended(
        OutageRules::default(),
        &[pings(1, "rs"), pings(10, "ss"), pings(11, "rr")],
    )
    .remove(0);
    assert_eq!(
        (outage.earliest_start, outage.start),
        (Some(UtcMillis(60_000)), UtcMillis(600_000))
    );
    assert_eq!(outage.pings, Some(PingCounts { sent: 2, lost: 2 }));
}

/// What the letters make, checks as in `told`, and single pings between them: + answered, - lost.
fn told_with_probes(down_after: u16, up_after: u16, letters: &str) -> (String, Vec<OutageChange>) {
    let mut watch = OutageDetector::new(
        OutageRules {
            down_after,
            up_after,
        },
        None,
    );
    let mut all = Vec::new();
    let mut word = |change: Option<OutageChange>| {
        let word = match &change {
            Some(OutageChange::Began(_)) => 'B',
            Some(OutageChange::Continues(_)) => 'G',
            Some(OutageChange::Ended(..)) => 'E',
            None => '.',
        };
        all.extend(change);
        word
    };
    let told = (0..)
        .zip(letters.chars())
        .map(|(second, letter)| {
            let at = UtcMillis(second * 1000);
            word(match letter {
                '+' | '-' => watch.add_probe(at, letter == '+'),
                's' => watch.add_check(
                    &CheckSample {
                        at,
                        sent: 5,
                        received: 0,
                        replies: None,
                    },
                    NOW,
                ),
                _ => watch.add_check(
                    &CheckSample {
                        at,
                        sent: 5,
                        received: 4,
                        replies: None,
                    },
                    NOW,
                ),
            })
        })
        .collect();
    (told, all)
}

#[test]
fn a_reply_between_two_checks_ends_an_outage_at_once_unless_more_are_asked_for() {
    let (told, all) = told_with_probes(1, 1, "rs--+r");
    assert_eq!(told, ".BGGE.");
    let Some(OutageChange::Ended(outage, end)) = all.last() else {
        panic!("{all:?}")
    };
    assert_eq!(
        (outage.start, end.at, end.success_rate),
        (UtcMillis(1000), UtcMillis(4000), 100.0)
    );
    assert_eq!(
        (outage.checks, outage.pings),
        (1, Some(PingCounts { sent: 7, lost: 7 }))
    );

    let (told, all) = told_with_probes(1, 2, "rs-+r+r");
    assert_eq!(told, ".BGGGGE");
    let Some(OutageChange::Ended(outage, end)) = all.last() else {
        panic!("{all:?}")
    };
    assert_eq!(
        (end.at, end.success_rate),
        (UtcMillis(3000), 80.0),
        "at the first reply, with the rate of the first check"
    );
    assert_eq!(
        (outage.checks, outage.pings),
        (1, Some(PingCounts { sent: 6, lost: 6 }))
    );

    // A reply that silence follows was none of an end.
    let (told, all) = told_with_probes(1, 2, "rs+-rs+rr");
    assert_eq!(told, ".BGGGGGGE");
    let Some(OutageChange::Ended(outage, end)) = all.last() else {
        panic!("{all:?}")
    };
    assert_eq!((outage.start, end.at), (UtcMillis(1000), UtcMillis(6000)));
    assert_eq!((outage.checks, outage.checks_failed), (3, 2));
    assert_eq!(outage.pings, Some(PingCounts { sent: 17, lost: 12 }));
}

#[test]
fn a_reply_between_two_silent_checks_breaks_their_run_and_a_lost_ping_makes_none() {
    assert_eq!(told_with_probes(2, 1, "rs--s").0, "....B");
    let (told, all) = told_with_probes(2, 1, "rs+-s-s");
    assert_eq!(told, "......B");
    let Some(OutageChange::Began(outage)) = all.last() else {
        panic!("{all:?}")
    };
    assert_eq!(
        (outage.earliest_start, outage.start),
        (Some(UtcMillis(2000)), UtcMillis(4000))
    );
    assert_eq!(outage.pings, Some(PingCounts { sent: 11, lost: 11 }));
    assert_eq!(
        told_with_probes(1, 1, "r---").0,
        "....",
        "lost pings alone are no outage"
    );
}
