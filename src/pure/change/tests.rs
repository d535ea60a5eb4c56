//! What is a change of level and what is none.

use super::*;
use crate::pure::time::DAY_MS;

const MINUTE_MS: i64 = 60_000;
/// Before most steps of these tests: longer than the window.
const STEP_AT: usize = 200;

/// Reproducible noise.
struct Random(u64);

impl Random {
    /// 0 to 1.
    fn uniform(&mut self) -> f64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        f64::from(u32::try_from(self.0 >> 32).expect("32 bits")) / f64::from(u32::MAX)
    }

    /// About a normal distribution with the standard deviation 1.
    fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.uniform()).sum::<f64>() - 6.0
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "round-trip times of the tests"
)]
fn us(rtt: f64) -> u32 {
    rtt as u32
}

fn check(index: usize, sent: u32, received: u32, median_us: Option<u32>) -> CheckLevels {
    CheckLevels {
        at: UtcMillis(i64::try_from(index).expect("small") * MINUTE_MS),
        sent,
        received,
        median_us,
    }
}

/// The changes over checks, one a minute.
fn of_checks(checks: impl IntoIterator<Item = CheckLevels>) -> Vec<LevelChange> {
    let mut detector = ChangeDetector::new();
    let checks = checks.into_iter();
    checks.flat_map(|check| detector.add(check)).collect()
}

/// The changes over checks with these median round-trip times; `None` is a check without a reply.
fn of_rtts(rtts_us: impl IntoIterator<Item = Option<u32>>) -> Vec<LevelChange> {
    let checks = rtts_us.into_iter().enumerate();
    of_checks(checks.map(|(index, rtt)| check(index, 5, if rtt.is_some() { 5 } else { 0 }, rtt)))
}

fn index(change: &LevelChange) -> usize {
    usize::try_from(change.at.0 / MINUTE_MS).expect("not before the first check")
}

/// `count` round-trip times of this level and relative noise.
fn noisy(random: &mut Random, level: f64, noise: f64, count: usize) -> Vec<Option<u32>> {
    let mut rtt = || us(level * (1.0 + noise * random.normal()).max(0.1));
    (0..count).map(|_| Some(rtt())).collect()
}

#[test]
fn the_state_of_a_host_is_at_most_1_kb() {
    // No field is a pointer: what the type takes is all.
    assert!(
        size_of::<ChangeDetector>() <= 1024,
        "{}",
        size_of::<ChangeDetector>()
    );
}

#[test]
fn a_step_of_20_percent_that_lasts_is_found_and_dated_within_two_checks() {
    let mut random = Random(1);
    for level in [300.0, 2_000.0, 20_000.0, 180_000.0] {
        for noise in [0.0, 0.001, 0.01, 0.03, 0.05] {
            for factor in [1.2, 1.0 / 1.2, 3.0, 1.0 / 3.0] {
                let mut rtts = noisy(&mut random, level, noise, STEP_AT);
                rtts.extend(noisy(&mut random, level * factor, noise, 100));
                let found = of_rtts(rtts);
                let of = format!("{level} {noise} {factor}: {found:?}");
                let [change] = found.as_slice() else {
                    panic!("{of}")
                };
                assert_eq!(change.kind, ChangeKind::Latency);
                assert!(index(change).abs_diff(STEP_AT) <= 2, "{of}");
                for (measured, expected) in [(change.before, level), (change.after, level * factor)]
                {
                    let off = f64::from(measured) / expected - 1.0;
                    assert!(off.abs() < 0.03 + 2.0 * noise, "{of}");
                }
            }
        }
    }
}

#[test]
fn a_lasting_step_of_20_percent_is_found_in_noise_of_5_percent() {
    let mut random = Random(10);
    let found = (0..40).filter(|_| {
        let mut rtts = noisy(&mut random, 20_000.0, 0.05, 100);
        rtts.extend(noisy(&mut random, 24_000.0, 0.05, 60));
        let found = of_rtts(rtts);
        assert!(found.len() <= 1, "{found:?}");
        found
            .first()
            .is_some_and(|change| index(change).abs_diff(100) <= 2)
    });
    let found = found.count();
    assert!(found >= 38, "{found} of 40");
}

#[test]
fn a_step_is_reported_once_six_checks_show_it() {
    let mut detector = ChangeDetector::new();
    let rtts = (0..300).map(|index| if index < STEP_AT { 20_000 } else { 24_000 });
    let reported = rtts.enumerate().find_map(|(index, rtt)| {
        detector
            .add(check(index, 5, 5, Some(rtt)))
            .next()
            .map(|_| index)
    });
    assert_eq!(reported, Some(STEP_AT + 5));
}

#[test]
fn single_slow_or_fast_checks_are_no_change() {
    let mut random = Random(2);
    for noise in [0.0, 0.002, 0.05] {
        for spike in [1, 1_000, 60_000, 2_000_000, u32::MAX] {
            for length in 1..=3 {
                let mut rtts = noisy(&mut random, 20_000.0, noise, 2_000);
                for start in (100..1_900).step_by(97) {
                    rtts[start..start + length].fill(Some(spike));
                }
                let found = of_rtts(rtts);
                assert!(found.is_empty(), "{noise} {spike} {length}: {found:?}");
            }
        }
    }
}

#[test]
fn the_daily_rhythm_is_no_change() {
    let mut random = Random(3);
    for (interval_ms, days, noises) in [
        (MINUTE_MS, 4, [0.0, 0.002, 0.02, 0.1].as_slice()),
        (5_000, 1, &[0.02]),
    ] {
        for noise in noises {
            let checks = days * DAY_MS / interval_ms;
            let rtts = (0..checks).map(|index| {
                let time = (index * interval_ms % DAY_MS) as f64 / DAY_MS as f64;
                let rhythm = 1.0 + 0.5 * (time * std::f64::consts::TAU).sin();
                Some(us(20_000.0 * rhythm * (1.0 + noise * random.normal())))
            });
            let found = of_rtts(rtts);
            assert!(
                found.is_empty(),
                "{interval_ms} {noise}: {} {:?}",
                found.len(),
                &found[..found.len().min(5)]
            );
        }
    }
}

#[test]
fn a_step_within_the_daily_rhythm_is_found() {
    let day = 1_440;
    for step_at in (day..2 * day).step_by(311) {
        let rtts = (0..3 * day).map(|index| {
            let days = f64::from(u32::try_from(index).expect("small")) / 1440.0;
            let rhythm = 1.0 + 0.5 * (days * std::f64::consts::TAU).sin();
            Some(us(20_000.0
                * rhythm
                * if index < step_at { 1.0 } else { 1.2 }))
        });
        let found = of_rtts(rtts);
        let [change] = found.as_slice() else {
            panic!("{step_at}: {found:?}")
        };
        assert!(index(change).abs_diff(step_at) <= 2, "{step_at}: {found:?}");
    }
}

#[test]
fn noise_alone_is_no_change() {
    let mut random = Random(4);
    for level in [80.0, 500.0, 20_000.0] {
        for noise in [0.01, 0.1, 0.3] {
            let found = of_rtts(noisy(&mut random, level, noise, 2_000));
            assert!(found.is_empty(), "{level} {noise}: {found:?}");
        }
    }
}

#[test]
fn equal_and_extreme_round_trip_times_are_no_change_and_no_panic() {
    for rtt in [0, 1, 20_000, u32::MAX - 1, u32::MAX] {
        assert_eq!(of_rtts(vec![Some(rtt); 500]), [], "{rtt}");
    }
    let mut rtts = vec![Some(0); STEP_AT];
    rtts.extend(vec![Some(u32::MAX); 100]);
    let found = of_rtts(rtts);
    let [change] = found.as_slice() else {
        panic!("{found:?}")
    };
    assert_eq!((change.before, change.after), (0, u32::MAX));
    assert_eq!(index(change), STEP_AT);

    let mut random = Random(5);
    let any = [0, 1, 255, 65_536, u32::MAX - 1, u32::MAX];
    let mut pick = || any[us(random.uniform() * 5.999) as usize];
    let checks: Vec<CheckLevels> = (0..5_000)
        .map(|_| CheckLevels {
            at: UtcMillis(i64::from(pick()).wrapping_mul(i64::from(pick()))),
            sent: pick(),
            received: pick(),
            median_us: (pick() > 0).then(&mut pick),
        })
        .chain([i64::MIN, i64::MAX, i64::MIN].map(|at| CheckLevels {
            at: UtcMillis(at),
            ..check(0, 5, 5, Some(1))
        }))
        .collect();
    for change in of_checks(checks) {
        assert!(change.sureness <= MAX_SURENESS);
    }
}

#[test]
fn lost_pings_and_missing_checks_do_not_hide_a_step() {
    let mut random = Random(6);
    // Every fourth check has no reply, and so have those around the step.
    let checks = (0..500).map(|index| {
        let level = if index < STEP_AT { 20_000.0 } else { 26_000.0 };
        let rtt = us(level * (1.0 + 0.01 * random.normal()));
        let is_silent = index % 4 == 0 || index.abs_diff(STEP_AT - 3) < 3;
        let sent = if index % 7 == 0 { 0 } else { 5 };
        let is_answered = sent > 0 && !is_silent;
        check(
            index,
            sent,
            if is_answered { 5 } else { 0 },
            is_answered.then_some(rtt),
        )
    });
    let found = of_checks(checks);
    let latency = found
        .iter()
        .filter(|change| change.kind == ChangeKind::Latency);
    let latency: Vec<usize> = latency.map(index).collect();
    assert_eq!(latency.len(), 1, "{found:?}");
    assert!(latency[0].abs_diff(STEP_AT) <= 2, "{found:?}");
}

#[test]
fn the_time_is_that_of_the_check_however_irregular_the_checks_are() {
    let mut random = Random(7);
    let mut at = 1_700_000_000_000;
    let times: Vec<i64> = (0..400)
        .map(|_| {
            at += i64::from(us(random.uniform() * 1_000.0)).pow(2) + 1;
            at
        })
        .collect();
    let checks = times.iter().zip(0..).map(|(at, index)| CheckLevels {
        at: UtcMillis(*at),
        ..check(0, 5, 5, Some(if index < STEP_AT { 20_000 } else { 24_000 }))
    });
    let found: Vec<i64> = of_checks(checks).iter().map(|change| change.at.0).collect();
    assert_eq!(found, [times[STEP_AT]]);
}

#[test]
fn after_a_clock_set_back_or_a_year_without_checks_the_levels_are_learnt_anew() {
    for jump in [-DAY_MS, 366 * DAY_MS] {
        let checks = (0..400).map(|index| {
            let check = check(
                index,
                5,
                5,
                Some(if index < STEP_AT { 20_000 } else { 24_000 }),
            );
            let moved = if index < STEP_AT { 0 } else { jump };
            CheckLevels {
                at: check.at.plus(moved),
                ..check
            }
        });
        assert_eq!(of_checks(checks), [], "{jump}");
    }
}

/// Checks of five pings that lose this share, one independent of another.
fn losing(random: &mut Random, share: f64, count: usize) -> Vec<u32> {
    let mut received = || (0..5).map(|_| u32::from(random.uniform() >= share)).sum();
    (0..count).map(|_| received()).collect()
}

/// The changes of the loss over checks of five pings.
fn of_received(received: &[u32]) -> Vec<LevelChange> {
    let checks = received.iter().enumerate();
    of_checks(
        checks
            .map(|(index, received)| check(index, 5, *received, (*received > 0).then_some(20_000))),
    )
}

#[test]
fn loss_that_begins_and_ends_is_found_with_its_shares() {
    for seed in 1..=20 {
        let mut random = Random(seed * 7919);
        let mut received = losing(&mut random, 0.0, STEP_AT);
        received.extend(losing(&mut random, 0.2, 200));
        received.extend(losing(&mut random, 0.0, 200));
        let found = of_received(&received);
        let [began, ended] = found.as_slice() else {
            panic!("{seed}: {found:?}")
        };
        assert_eq!((began.kind, began.before), (ChangeKind::Loss, 0));
        assert!(began.after.abs_diff(20_000) < 20_000, "{found:?}");
        assert!(index(began).abs_diff(STEP_AT) <= 12, "{found:?}");
        assert!(index(ended).abs_diff(STEP_AT + 200) <= 12, "{found:?}");
        assert!(ended.before.abs_diff(20_000) < 6_000, "{found:?}");
    }
}

#[test]
fn steady_loss_and_single_lossy_checks_are_no_change() {
    let mut random = Random(8);
    for share in [0.0, 0.01, 0.1, 0.5] {
        let found = of_received(&losing(&mut random, share, 10_000));
        assert_eq!(found, [], "{share}");
    }
    let mut received = vec![5; 2_000];
    for index in (0..2_000).step_by(61) {
        received[index] = (index % 5).try_into().expect("small");
    }
    assert_eq!(of_received(&received), []);
}

#[test]
fn an_outage_is_no_change_until_it_has_lasted_ten_checks() {
    for silent in [1, 2, 5, 9] {
        let mut received = vec![5; 1_000];
        received[STEP_AT..STEP_AT + silent].fill(0);
        assert_eq!(of_received(&received), [], "{silent}");
    }
    let mut received = vec![5; 1_000];
    received[STEP_AT..STEP_AT + 10].fill(0);
    let found = of_received(&received);
    let [began, ended] = found.as_slice() else {
        panic!("{found:?}")
    };
    assert_eq!((index(began), index(ended)), (STEP_AT, STEP_AT + 10));
    assert_eq!(
        (began.after, ended.before, ended.after),
        (ALL_LOST, ALL_LOST, 0)
    );
}

#[test]
fn a_larger_step_is_surer() {
    let sureness = |after: u32| {
        let rtts = (0..300).map(|index| Some(if index < STEP_AT { 20_000 } else { after }));
        of_rtts(rtts)[0].sureness
    };
    let all = [20_600, 22_000, 24_000].map(sureness);
    assert!(all.is_sorted() && all[0] < all[2], "{all:?}");
}

#[test]
fn the_state_after_the_last_checks_is_that_of_a_detector_that_saw_only_them() {
    let mut random = Random(9);
    let mut rtts = noisy(&mut random, 20_000.0, 0.02, STEP_AT);
    rtts.extend(noisy(&mut random, 24_000.0, 0.02, 4));
    let from = rtts.len() - REPLAYED;
    let checks = rtts.iter().enumerate();
    let mut detector = ChangeDetector::new();
    for (index, rtt) in checks.skip(from) {
        assert_eq!(detector.add(check(index, 5, 5, *rtt)).count(), 0);
    }
    let more = noisy(&mut random, 24_000.0, 0.02, 50);
    let found: Vec<LevelChange> = more
        .iter()
        .enumerate()
        .flat_map(|(index, rtt)| detector.add(check(STEP_AT + 4 + index, 5, 5, *rtt)))
        .collect();
    rtts.extend(more);
    assert_eq!(found, of_rtts(rtts));
}
