//! The detector of one host, check by check.

use super::*;

const NOW: UtcMillis = UtcMillis(i64::MAX);
const MINUTE_MS: i64 = 60_000;

/// A check of five pings in that minute.
fn check(minute: i64, received: u32) -> CheckSample {
    CheckSample {
        at: UtcMillis(minute * MINUTE_MS),
        sent: 5,
        received,
        replies: None,
    }
}

/// A last reply in the check of that minute.
fn reply_at(minute: i64) -> LastReply {
    LastReply {
        at: UtcMillis(minute * MINUTE_MS),
        trailing_loss: None,
    }
}

/// One check per minute from 0 on, given by its letter: r all replies, p two of five, s silence, n
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

/// The change after each check: B began, G continues, E ended, `.` none.
fn change_letters(down_after: u16, up_after: u16, letters: &str) -> String {
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

/// The outages that ended, with their ends.
fn ended(rules: OutageRules, checks: &[CheckSample]) -> Vec<(Outage, OutageEnd)> {
    let end = |change| match change {
        Some(OutageChange::Ended(outage, end)) => Some((outage, end)),
        _ => None,
    };
    changes(rules, checks).into_iter().filter_map(end).collect()
}

#[test]
fn one_silent_check_begins_an_outage_and_one_reply_ends_it() {
    assert_eq!(change_letters(1, 1, "rrsrr"), "..BE.");
    assert_eq!(change_letters(1, 1, "sssr"), "BGGE");
    assert_eq!(
        change_letters(1, 1, "rppr"),
        "....",
        "a lossy check is none"
    );
    assert_eq!(
        change_letters(1, 1, "sp"),
        "BE",
        "two of five pings are replies"
    );
}

#[test]
fn an_outage_begins_after_down_after_checks_and_ends_after_up_after_checks() {
    assert_eq!(change_letters(3, 1, "rssrsssr"), "......BE");
    assert_eq!(change_letters(1, 2, "rsrsrr"), ".BGGGE");
    assert_eq!(change_letters(2, 3, "rssrrsrrr"), "..BGGGGGE");
}

#[test]
fn checks_that_are_not_measured_neither_begin_nor_end_an_outage_nor_count() {
    assert_eq!(change_letters(1, 1, "rnnr"), "....");
    assert_eq!(change_letters(2, 2, "rsnsnrnr"), "...B.G.E");
    let (outage, end) = ended(OutageRules::default(), &checks("rsnnsr")).remove(0);
    assert_eq!((outage.checks_failed, outage.checks), (2, 2));
    assert_eq!(
        end.duration_seconds, 240,
        "the time between is in the duration"
    );
}

#[test]
fn an_outage_lasts_from_its_first_silent_check_to_the_first_answered_one() {
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
fn an_outage_that_begins_counts_every_silent_check_before() {
    let change_letters = changes(
        OutageRules {
            down_after: 3,
            up_after: 1,
        },
        &checks("rsss"),
    );
    let Some(OutageChange::Began(outage)) = &change_letters[3] else {
        panic!("{change_letters:?}")
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
fn a_recorded_outage_continues() {
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
fn a_late_recorded_reply_from_before_the_outage_does_not_end_it() {
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
fn a_clock_set_back_makes_no_duration_negative_and_keeps_no_outage_open() {
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
    // A silent check by the new clock begins the outage again.
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
    // The last reply is dated after the silence: how long before the silence it was is unknown.
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
        // A damaged row may hold more replies than pings.
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

/// Deterministic pseudo-random numbers below a bound.
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
fn random_checks_make_consecutive_outages_without_negative_durations() {
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

/// The check of a minute with one ping per second: r a reply, s silence.
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
fn an_outage_lasts_from_its_first_lost_ping_to_the_first_answered_one() {
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
        "two lost after the last reply, five in the silent check, two lost before the first reply"
    );
    // Losses long before do not belong to this outage, but the last reply was then.
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

/// As `change_letters`, with probes between the checks: + answered, - lost.
fn change_letters_with_probes(
    down_after: u16,
    up_after: u16,
    letters: &str,
) -> (String, Vec<OutageChange>) {
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
    let change_letters = (0..)
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
    (change_letters, all)
}

#[test]
fn an_answered_probe_ends_an_outage_unless_up_after_is_above_1() {
    let (change_letters, all) = change_letters_with_probes(1, 1, "rs--+r");
    assert_eq!(change_letters, ".BGGE.");
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

    let (change_letters, all) = change_letters_with_probes(1, 2, "rs-+r+r");
    assert_eq!(change_letters, ".BGGGGE");
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

    // A reply followed by silence did not end it.
    let (change_letters, all) = change_letters_with_probes(1, 2, "rs+-rs+rr");
    assert_eq!(change_letters, ".BGGGGGGE");
    let Some(OutageChange::Ended(outage, end)) = all.last() else {
        panic!("{all:?}")
    };
    assert_eq!((outage.start, end.at), (UtcMillis(1000), UtcMillis(6000)));
    assert_eq!((outage.checks, outage.checks_failed), (3, 2));
    assert_eq!(outage.pings, Some(PingCounts { sent: 17, lost: 12 }));
}

#[test]
fn an_answered_probe_interrupts_silence_and_a_lost_probe_begins_no_outage() {
    assert_eq!(change_letters_with_probes(2, 1, "rs--s").0, "....B");
    let (change_letters, all) = change_letters_with_probes(2, 1, "rs+-s-s");
    assert_eq!(change_letters, "......B");
    let Some(OutageChange::Began(outage)) = all.last() else {
        panic!("{all:?}")
    };
    assert_eq!(
        (outage.earliest_start, outage.start),
        (Some(UtcMillis(2000)), UtcMillis(4000))
    );
    assert_eq!(outage.pings, Some(PingCounts { sent: 11, lost: 11 }));
    assert_eq!(
        change_letters_with_probes(1, 1, "r---").0,
        "....",
        "lost pings alone are no outage"
    );
}
