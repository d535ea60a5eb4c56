//! The detector of one host, check by check.

use super::*;
use crate::pure::model::CheckResult;
use crate::pure::sample::ReplySpan;

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
fn the_ends_of_a_duration_are_rounded_to_seconds() {
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
        2
    );
    assert_eq!(
        ended(OutageRules::default(), &[at(1, 0), at(499, 1)])[0]
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
        duration_seconds: 120,
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

/// A check whose first ping is answered and whose other two, a second and two later, are lost.
fn last_pings_lost(at_ms: i64) -> CheckSample {
    CheckSample {
        at: UtcMillis(at_ms),
        sent: 3,
        received: 1,
        replies: ReplySpan::of(
            [(0, true), (1000, false), (2000, false)]
                .map(|(after, is_answered)| (UtcMillis(at_ms + after), is_answered))
                .into_iter(),
        ),
    }
}

#[test]
fn whether_silence_has_begun_with_the_last_ping_of_a_check_is_found_out_by_probes() {
    let interval = 600_000;
    for (probes, start, earliest, lost, why) in [
        (
            &[(3_000, false), (4_000, true)][..],
            interval,
            4_000,
            5,
            "it answered in between",
        ),
        (
            &[(3_000, false), (599_000, false)],
            1_000,
            0,
            9,
            "it was silent all the time",
        ),
        (
            &[],
            interval,
            0,
            5,
            "not pinged for ten minutes: silence is known since the check",
        ),
    ] {
        let mut detector = OutageDetector::new(OutageRules::default(), None);
        assert_eq!(detector.add_check(&check(0, 5), NOW), None);
        assert!(!detector.needs_probing(), "all pings were answered");
        assert_eq!(detector.add_check(&last_pings_lost(0), NOW), None);
        assert!(detector.needs_probing() && !detector.is_silent(), "{why}");
        for (at, is_answered) in probes {
            assert_eq!(detector.add_probe(UtcMillis(*at), *is_answered), None);
            assert_eq!(detector.needs_probing(), !is_answered, "{why}");
        }
        let silent = CheckSample {
            at: UtcMillis(interval),
            ..check(0, 0)
        };
        let Some(OutageChange::Began(outage)) = detector.add_check(&silent, NOW) else {
            panic!("{why}")
        };
        assert_eq!(
            (outage.start, outage.earliest_start),
            (UtcMillis(start), Some(UtcMillis(earliest))),
            "{why}"
        );
        assert_eq!(outage.pings.map(|pings| pings.lost), Some(lost), "{why}");
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
        replies: ReplySpan::of(
            (0..)
                .map(|second| UtcMillis(at.0 + second * 1000))
                .zip(answers()),
        ),
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

#[test]
fn pings_lost_after_the_last_reply_belong_to_the_outage_for_five_minutes() {
    // Far from 1970, as real times are.
    let first = 1_000_000;
    for (ms, is_from_lost_ping) in [(60_000, true), (300_999, true), (301_000, false)] {
        let all = [
            pings(first, "rs"),
            CheckSample {
                at: UtcMillis(first * MINUTE_MS + ms),
                ..pings(0, "ss")
            },
            pings(first + 9, "rr"),
        ];
        let (outage, _) = ended(OutageRules::default(), &all).remove(0);
        let begin = if is_from_lost_ping {
            all[0].at.0 + 1000
        } else {
            all[1].at.0
        };
        assert_eq!(outage.start, UtcMillis(begin), "{ms}");
    }
}

#[test]
fn a_check_that_is_read_again_from_the_database_counts_once() {
    let counts = Some(PingCounts { sent: 7, lost: 7 });
    let outage = Outage {
        start: UtcMillis(60_000),
        earliest_start: None,
        checks_failed: 1,
        checks: 1,
        pings: counts,
        // Its first reply, after two lost pings that are counted already.
        answered_since: Some(UtcMillis(122_000)),
    };
    let mut detector = OutageDetector::resume(OutageRules::default(), outage);
    let Some(OutageChange::Ended(outage, end)) = detector.add_check(&pings(2, "ssrrr"), NOW) else {
        panic!("{detector:?}")
    };
    assert_eq!((outage.pings, end.at), (counts, UtcMillis(122_000)));
}

#[test]
fn a_single_ping_that_is_answered_ends_an_outage() {
    let all = [pings(1, "s"), pings(2, "r")];
    assert_eq!(ended(OutageRules::default(), &all).len(), 1);
}

#[test]
fn a_reply_at_the_instant_of_the_silent_check_ends_its_outage() {
    let all = [check(5, 0), check(5, 5)];
    assert_eq!(ended(OutageRules::default(), &all).len(), 1);
}

#[test]
fn a_host_is_probed_after_a_check_without_a_reply_to_its_last_ping() {
    let mut detector = OutageDetector::new(OutageRules::default(), None);
    for (check, needs_probing) in [
        (pings(1, "rrrrr"), false),
        (pings(2, "srssr"), false),
        (pings(3, "srsss"), true),
        (pings(4, "ssrrr"), false),
        (pings(5, "sssss"), true),
    ] {
        detector.add_check(&check, NOW);
        assert_eq!(detector.needs_probing(), needs_probing, "{check:?}");
    }
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
fn two_answered_probes_end_an_outage_with_the_first_unless_up_after_is_above_1() {
    for letters in ["rs--+r", "rs--++"] {
        let (change_letters, all) = change_letters_with_probes(1, 1, letters);
        assert_eq!(change_letters, ".BGGGE");
        let Some(OutageChange::Ended(outage, end)) = all.last() else {
            panic!("{all:?}")
        };
        assert_eq!((outage.start, end.at), (UtcMillis(1000), UtcMillis(4000)));
        assert_eq!(
            (outage.checks, outage.pings),
            (1, Some(PingCounts { sent: 7, lost: 7 }))
        );
    }
    let (_, all) = change_letters_with_probes(1, 1, "rs--++");
    let Some(OutageChange::Ended(outage, end)) = all.last() else {
        panic!("{all:?}")
    };
    assert_eq!(end.success_rate, 100.0);
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
        (Some(UtcMillis(2000)), UtcMillis(3000)),
        "from the first probe that was lost after the reply"
    );
    assert_eq!(outage.pings, Some(PingCounts { sent: 12, lost: 12 }));
    assert_eq!(
        change_letters_with_probes(1, 1, "r---").0,
        "....",
        "lost pings alone are no outage"
    );
}

#[test]
fn an_outage_goes_on_from_a_lone_reply_after_which_the_next_ping_is_lost() {
    // A reply to a probe, and after it a lost probe or a silent check.
    for letters in ["rs--+-s--++", "rs--+s---++", "rs---s+s-++"] {
        let (change_letters, all) = change_letters_with_probes(1, 1, letters);
        assert_eq!(change_letters, ".BGGGGGGGGE", "{letters}");
        let Some(OutageChange::Ended(outage, end)) = all.last() else {
            panic!("{all:?}")
        };
        assert_eq!((outage.start, end.at), (UtcMillis(1000), UtcMillis(9000)));
        let silent = letters.matches('s').count() as i64;
        let lost = 5 * silent + letters.matches('-').count() as i64;
        assert_eq!(
            (outage.checks, outage.pings),
            (
                silent,
                Some(PingCounts {
                    sent: lost + 1,
                    lost
                })
            )
        );
    }
}

#[test]
fn a_lone_reply_in_a_check_ends_no_outage_before_the_next_ping_confirms_it() {
    let rules = OutageRules::default();
    let ends = |second: &str, third: &str| {
        let all = [pings(1, "sssss"), pings(2, second), pings(3, third)];
        ended(rules, &all)
            .pop()
            .map(|(outage, end)| (outage.checks, outage.pings, end.at.0))
    };
    let counts = |sent, lost| Some(PingCounts { sent, lost });
    assert_eq!(ends("ssrss", "sssss"), None);
    assert_eq!(ends("ssrss", "ssrrr"), Some((2, counts(12, 11), 182_000)));
    assert_eq!(ends("ssssr", "rrrrr"), Some((1, counts(9, 9), 124_000)));
    assert_eq!(ends("ssssr", "srrrr"), Some((2, counts(11, 10), 181_000)));
    assert_eq!(ends("ssrsr", "sssss"), Some((1, counts(7, 7), 122_000)));
    // The reply to a probe, confirmed by the first ping of a check.
    let mut detector = OutageDetector::new(rules, None);
    detector.add_check(&pings(1, "sssss"), NOW);
    detector.add_probe(UtcMillis(119_000), true);
    let Some(OutageChange::Ended(_, end)) = detector.add_check(&pings(2, "rssss"), NOW) else {
        panic!("{detector:?}")
    };
    assert_eq!(end.at, UtcMillis(119_000));
}

#[test]
fn a_host_is_probed_until_a_second_reply_confirms_the_first() {
    for down_after in [1, 2] {
        let rules = OutageRules {
            down_after,
            up_after: 1,
        };
        let mut detector = OutageDetector::new(rules, None);
        detector.add_check(&pings(1, "sssss"), NOW);
        for (second, is_answered, needs_probing) in [
            (70, false, true),
            (71, true, true),
            (72, false, true),
            (73, true, true),
            (74, true, false),
        ] {
            detector.add_probe(UtcMillis(second * 1000), is_answered);
            assert_eq!(detector.needs_probing(), needs_probing, "{second}");
        }
    }
}

#[test]
fn a_ping_that_was_sent_after_a_pause_is_dated_after_it() {
    let host = std::sync::Arc::new(crate::pure::model::Host::unlisted("192.0.2.1"));
    let lost = crate::pure::model::Outcome::TimedOut;
    let unsent = crate::pure::model::Outcome::SendFailed { errno: 1 };
    let reply = crate::pure::model::Outcome::Reply { rtt_us: 7 };
    let mut result = CheckResult {
        pings: vec![lost, unsent, reply, reply],
        spacing_ms: 1000,
        ..CheckResult::begin(host, UtcMillis(5000))
    };
    let end = |result: &CheckResult| {
        let mut detector = OutageDetector::new(OutageRules::default(), None);
        detector.add_check(&pings(0, "sssss"), NOW);
        match detector.add_check(&CheckSample::of(result, result.checked_at), NOW) {
            Some(OutageChange::Ended(_, end)) => end.at.0,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(end(&result), 7000, "a ping that was not sent has its place");
    result.sent_after_ms = vec![0, 1000, 12_000, 13_000];
    assert_eq!(end(&result), 17_000);
}
