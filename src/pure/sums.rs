//! Sums over checks: of an hour, a day, a bucket of a chart, and their stored form. store/rollup/
//! decides which are stored.

use std::ops::Range;

use crate::pure::model::{State, Thresholds};
use crate::pure::stats::{self, Histogram};
use crate::pure::varint;

/// A recorded check as far as sums need it.
#[derive(Clone, Copy, Debug)]
pub struct CheckSums<'a> {
    pub sent: i64,
    pub received: i64,
    /// Minimum, mean and maximum round-trip time in microseconds.
    pub latencies: [Option<u32>; 3],
    /// The round-trip time of every ping, in the stored form of [`stats::encode_rtts`].
    pub rtts: Option<&'a [u8]>,
}

impl CheckSums<'_> {
    /// Its state. A row of the original with no sent ping is a failed check.
    pub fn state(&self, thresholds: &Thresholds) -> State {
        match thresholds.judge(
            self.sent.unsigned_abs(),
            self.received.unsigned_abs(),
            self.latencies[1],
        ) {
            State::NotMeasured => State::Down,
            state => state,
        }
    }
}

/// Classes of success rates: minimum and maximum in thousandths of a percent, both included. One
/// class without a reply (down), four that are poor, one that is degraded, and two that are up.
pub const RATE_CLASSES: [(i64, i64); 8] = [
    (0, 0),
    (1, 20_000),
    (20_001, 40_000),
    (40_001, 60_000),
    (60_001, 79_999),
    (80_000, 94_999),
    (95_000, 99_999),
    (100_000, 100_000),
];
const FULL_RATE: i64 = 100_000;
/// The first class that is poor, and by the default thresholds the first that is degraded and the
/// first that is up.
const POOR_CLASS: usize = 1;
const DEGRADED_CLASS: usize = 5;
const UP_CLASS: usize = 6;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Checks per class of [`RATE_CLASSES`].
    pub by_rate: [i64; RATE_CLASSES.len()],
    /// Checks that found the host poor, by its own thresholds.
    pub poor: i64,
    /// Checks that found it degraded, by its own thresholds.
    pub degraded: i64,
    /// Checks that could not be made.
    pub not_measured: i64,
    pub sent: i64,
    pub received: i64,
    /// Sum of the success rates of the checks, in thousandths of a percent.
    pub rate_sum: i64,
    /// In thousandths of a percent.
    pub rate_min: Option<i64>,
    /// In thousandths of a percent.
    pub rate_max: Option<i64>,
}

/// The round-trip times of the replies.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Latencies {
    pub min_us: Option<u32>,
    pub max_us: Option<u32>,
    pub sum_us: i64,
    /// Sum of the mean of each check.
    pub avg_sum_us: i64,
    /// Checks with at least one reply.
    pub checks: i64,
    pub histogram: Histogram,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sums {
    pub counts: Counts,
    pub latencies: Latencies,
}

/// Larger sums cannot result from measurements and are treated as damage of the database.
/// Thousands of sums below it can be added without overflow.
pub const MAX_SUM: i64 = 1 << 48;

impl Sums {
    /// Adds one check, judged by `thresholds`.
    pub fn add(&mut self, check: &CheckSums<'_>, thresholds: &Thresholds) {
        self.counts.add(check.sent, check.received);
        match check.state(thresholds) {
            State::Poor => self.counts.poor += 1,
            State::Degraded => self.counts.degraded += 1,
            State::Up | State::Down | State::NotMeasured => {}
        }
        self.latencies.add(check);
    }

    /// The share of a part of the time `0..whole`, where nothing more is known. The histogram stays
    /// whole: only its proportions are read.
    pub fn share(&self, part: &Range<i64>, whole: i64) -> Sums {
        let Latencies {
            sum_us,
            avg_sum_us,
            checks,
            ..
        } = self.latencies;
        Sums {
            counts: self.counts.share(part, whole),
            latencies: Latencies {
                sum_us: share(sum_us, part, whole),
                avg_sum_us: share(avg_sum_us, part, whole),
                checks: share(checks, part, whole),
                ..self.latencies.clone()
            },
        }
    }

    pub fn merge(&mut self, other: &Sums) {
        self.counts.merge(&other.counts);
        self.latencies.merge(&other.latencies);
    }
}

impl Counts {
    fn add(&mut self, sent: i64, received: i64) {
        // A row of the original with no sent ping is a failed check.
        let rate = if sent > 0 {
            // A check with any reply is not in the class without one.
            (received * FULL_RATE / sent).clamp(received.min(1), FULL_RATE)
        } else {
            0
        };
        let class = RATE_CLASSES
            .iter()
            .position(|(_, max)| rate <= *max)
            .unwrap_or(UP_CLASS);
        self.by_rate[class] += 1;
        self.sent += sent;
        self.received += received;
        self.rate_sum += rate;
        self.rate_min = Some(self.rate_min.map_or(rate, |min| min.min(rate)));
        self.rate_max = Some(self.rate_max.map_or(rate, |max| max.max(rate)));
    }

    pub fn merge(&mut self, other: &Counts) {
        for (own, other) in self.by_rate.iter_mut().zip(&other.by_rate) {
            *own = own.saturating_add(*other);
        }
        self.poor = self.poor.saturating_add(other.poor);
        self.degraded = self.degraded.saturating_add(other.degraded);
        self.not_measured = self.not_measured.saturating_add(other.not_measured);
        self.sent = self.sent.saturating_add(other.sent);
        self.received = self.received.saturating_add(other.received);
        self.rate_sum = self.rate_sum.saturating_add(other.rate_sum);
        self.rate_min = combine(self.rate_min, other.rate_min, i64::min);
        self.rate_max = combine(self.rate_max, other.rate_max, i64::max);
    }

    /// The share of a part of the time `0..whole`, where nothing more is known. The shares of
    /// adjacent parts add up to the whole.
    pub fn share(&self, part: &Range<i64>, whole: i64) -> Counts {
        let of = |number: i64| share(number, part, whole);
        let sent = of(self.sent);
        // Their sum is rounded once, so in a short part one of two classes may be -1.
        let (mut all, mut before) = (0_i64, 0);
        let by_rate = self.by_rate.map(|checks| {
            all = all.saturating_add(checks);
            let until = of(all);
            until - std::mem::replace(&mut before, until)
        });
        Counts {
            by_rate,
            poor: of(self.poor),
            degraded: of(self.degraded),
            not_measured: of(self.not_measured),
            sent,
            received: (sent - of(self.lost())).max(0),
            rate_sum: of(self.rate_sum),
            ..*self
        }
    }

    /// What remains without a part.
    pub fn without(&self, part: &Counts) -> Counts {
        let minus = |all: i64, part: i64| all.saturating_sub(part).max(0);
        let mut by_rate = self.by_rate;
        for (own, part) in by_rate.iter_mut().zip(&part.by_rate) {
            *own = minus(*own, *part);
        }
        Counts {
            by_rate,
            poor: minus(self.poor, part.poor),
            degraded: minus(self.degraded, part.degraded),
            not_measured: minus(self.not_measured, part.not_measured),
            sent: minus(self.sent, part.sent),
            received: minus(self.received, part.received),
            rate_sum: minus(self.rate_sum, part.rate_sum),
            ..*self
        }
    }

    /// Whether every check was made and lost nothing: then each part is like the whole.
    pub fn is_even(&self) -> bool {
        self.not_measured == 0 && self.lost() == 0 && self.up() == self.checks()
    }

    fn sum(classes: &[i64]) -> i64 {
        classes
            .iter()
            .fold(0, |sum, checks| sum.saturating_add(*checks))
    }

    /// Checks without any reply.
    pub fn down(&self) -> i64 {
        self.by_rate[0]
    }

    /// Poor and down checks together: the number that is stored. Earlier versions of this program
    /// called all of them down, so their sums need no migration.
    pub fn below_degraded(&self) -> i64 {
        self.poor.saturating_add(self.down())
    }

    /// Sets the judged checks from stored numbers.
    pub fn set_judged(&mut self, below_degraded: i64, degraded: i64) {
        self.poor = below_degraded.saturating_sub(self.down()).max(0);
        self.degraded = degraded;
    }

    /// Derives the poor and degraded checks from the success rates, by the default thresholds: for
    /// old rows that were not judged.
    pub fn judge_by_rate(&mut self) {
        self.poor = Counts::sum(&self.by_rate[POOR_CLASS..DEGRADED_CLASS]);
        self.degraded = self.by_rate[DEGRADED_CLASS];
    }

    /// Checks in which pings were sent.
    pub fn checks(&self) -> i64 {
        Counts::sum(&self.by_rate)
    }

    /// Checks that found the host up.
    pub fn up(&self) -> i64 {
        let others = self.below_degraded().saturating_add(self.degraded);
        self.checks().saturating_sub(others).max(0)
    }

    pub fn lost(&self) -> i64 {
        self.sent.saturating_sub(self.received)
    }

    /// Lost pings in checks without any reply, if every check sent as many pings.
    pub fn lost_while_down(&self) -> i64 {
        let pings = i128::from(self.sent) * i128::from(self.down());
        let lost = pings / i128::from(self.checks().max(1));
        i64::try_from(lost).unwrap_or(i64::MAX).min(self.lost())
    }

    /// The worst state of any check, so that long good times cannot hide a short failure. `None`
    /// where nothing was recorded.
    pub fn worst_state(&self) -> Option<State> {
        if self.down() > 0 {
            Some(State::Down)
        } else if self.poor > 0 {
            Some(State::Poor)
        } else if self.degraded > 0 {
            Some(State::Degraded)
        } else if self.checks() > 0 {
            Some(State::Up)
        } else {
            (self.not_measured > 0).then_some(State::NotMeasured)
        }
    }

    /// Appends the stored form: every number as a varint. Most hours lose nothing, so losses and
    /// the distance of rates from 100 % are stored; an absent rate is 0, others are increased by 1.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let missing = |rate: i64| FULL_RATE.saturating_sub(rate);
        let missing_in_all = self
            .checks()
            .saturating_mul(FULL_RATE)
            .saturating_sub(self.rate_sum);
        let others = [
            self.below_degraded(),
            self.degraded,
            self.not_measured,
            self.sent,
            self.lost(),
            missing_in_all,
        ];
        let ends = [self.rate_min, self.rate_max].map(|rate| encode_optional(rate.map(missing)));
        for number in self.by_rate.into_iter().chain(others).chain(ends) {
            write(out, number);
        }
    }

    /// Reads a stored form from the front of the bytes and removes it. `None` when it is damaged.
    pub fn decode(bytes: &mut &[u8]) -> Option<Counts> {
        let mut counts = Counts::default();
        for checks in &mut counts.by_rate {
            *checks = read(bytes)?;
        }
        let (below_degraded, degraded) = (read(bytes)?, read(bytes)?);
        counts.set_judged(below_degraded, degraded);
        counts.not_measured = read(bytes)?;
        counts.sent = read(bytes)?;
        counts.received = (counts.sent - read(bytes)?).max(0);
        let full = counts.checks().saturating_mul(FULL_RATE);
        counts.rate_sum = full.saturating_sub(read(bytes)?).max(0);
        let mut rate = || Some(decode_optional(read(bytes)?).map(|missing| FULL_RATE - missing));
        (counts.rate_min, counts.rate_max) = (rate()?, rate()?);
        Some(counts)
    }
}

impl Latencies {
    fn add(&mut self, check: &CheckSums<'_>) {
        let CheckSums {
            received,
            latencies,
            rtts,
            ..
        } = *check;
        let [Some(min_us), Some(avg_us), Some(max_us)] = latencies else {
            return;
        };
        self.min_us = combine(self.min_us, Some(min_us), u32::min);
        self.max_us = combine(self.max_us, Some(max_us), u32::max);
        self.avg_sum_us += i64::from(avg_us);
        self.checks += 1;
        match rtts.and_then(|bytes| stats::decode_rtts(bytes, min_us)) {
            Some(rtts) => rtts.into_iter().flatten().for_each(|rtt| {
                self.sum_us = self.sum_us.saturating_add(i64::from(rtt));
                self.histogram.add(rtt);
            }),
            // Where only minimum, mean and maximum are known, the other replies count at the mean.
            None => {
                self.sum_us = self.sum_us.saturating_add(i64::from(avg_us) * received);
                for index in 0..received.min(1000) {
                    self.histogram.add(match index {
                        _ if received == 1 => avg_us,
                        0 => min_us,
                        1 => max_us,
                        _ => avg_us,
                    });
                }
            }
        }
    }

    /// The quantile `share` (0 to 1) of the round-trip times in whole microseconds, within the
    /// measured minimum and maximum.
    pub fn quantile_us(&self, share: f64) -> Option<u32> {
        let us = self.histogram.quantile_us(share)?;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "quantiles lie between two u32"
        )]
        let us = us.round() as u32;
        // Not `clamp`, which panics: a damaged database may have them in the wrong order.
        Some(
            us.max(self.min_us.unwrap_or(us))
                .min(self.max_us.unwrap_or(us)),
        )
    }

    pub fn merge(&mut self, other: &Latencies) {
        self.min_us = combine(self.min_us, other.min_us, u32::min);
        self.max_us = combine(self.max_us, other.max_us, u32::max);
        self.sum_us = self.sum_us.saturating_add(other.sum_us);
        self.avg_sum_us = self.avg_sum_us.saturating_add(other.avg_sum_us);
        self.checks = self.checks.saturating_add(other.checks);
        self.histogram.merge(&other.histogram);
    }

    /// Appends the stored form: numbers as in [`Counts::encode`], then the length of the histogram
    /// and the histogram.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let ends = [self.min_us, self.max_us].map(|us| encode_optional(us.map(i64::from)));
        for number in ends
            .into_iter()
            .chain([self.sum_us, self.avg_sum_us, self.checks])
        {
            write(out, number);
        }
        let histogram = self.histogram.encode();
        varint::write(out, histogram.len() as u64);
        out.extend_from_slice(&histogram);
    }

    /// Reads a stored form from the front of the bytes and removes it. The histogram is returned as
    /// its stored bytes. `None` when it is damaged.
    pub fn decode<'a>(bytes: &mut &'a [u8]) -> Option<(Latencies, &'a [u8])> {
        let mut us = || Some(decode_optional(read(bytes)?).and_then(|us| u32::try_from(us).ok()));
        let (min_us, max_us) = (us()?, us()?);
        let (sum_us, avg_sum_us, checks) = (read(bytes)?, read(bytes)?, read(bytes)?);
        let length = usize::try_from(varint::read(bytes)?).ok()?;
        let (histogram, rest) = bytes.split_at_checked(length)?;
        *bytes = rest;
        Some((
            Latencies {
                min_us,
                max_us,
                sum_us,
                avg_sum_us,
                checks,
                histogram: Histogram::default(),
            },
            histogram,
        ))
    }
}

fn share(number: i64, part: &Range<i64>, whole: i64) -> i64 {
    let until = |at: i64| {
        let scaled = i128::from(number) * i128::from(at) + i128::from(whole / 2);
        i64::try_from(scaled / i128::from(whole.max(1))).unwrap_or(number)
    };
    until(part.end) - until(part.start)
}

fn combine<T: Copy>(one: Option<T>, two: Option<T>, choose: fn(T, T) -> T) -> Option<T> {
    one.zip(two).map(|(a, b)| choose(a, b)).or(one).or(two)
}

fn encode_optional(number: Option<i64>) -> i64 {
    number.map_or(0, |number| number.saturating_add(1))
}

fn decode_optional(number: i64) -> Option<i64> {
    number.checked_sub(1).filter(|number| *number >= 0)
}

fn write(out: &mut Vec<u8>, number: i64) {
    varint::write(out, u64::try_from(number).unwrap_or(0));
}

fn read(bytes: &mut &[u8]) -> Option<i64> {
    i64::try_from(varint::read(bytes)?)
        .ok()
        .filter(|number| *number <= MAX_SUM)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(sent: i64, received: i64, latency: Option<u32>) -> CheckSums<'static> {
        CheckSums {
            sent,
            received,
            latencies: [latency; 3],
            rtts: None,
        }
    }

    #[test]
    fn merged_sums_are_the_sums_of_all() {
        let checks = [
            check(5, 5, Some(100)),
            check(5, 4, Some(300)),
            check(5, 0, None),
            check(0, 0, None),
        ];
        let (mut all, mut one, mut two) = (Sums::default(), Sums::default(), Sums::default());
        let own = Thresholds::default();
        checks.iter().for_each(|c| all.add(c, &own));
        checks[..2].iter().for_each(|c| one.add(c, &own));
        checks[2..].iter().for_each(|c| two.add(c, &own));
        two.merge(&one.clone());
        assert_eq!(two, all);
        let mut two = Sums::default();
        checks[2..].iter().for_each(|c| two.add(c, &own));
        one.merge(&two);
        assert_eq!(one, all);
        let Sums { counts, latencies } = all;
        assert_eq!(
            (counts.by_rate, counts.down(), counts.checks()),
            ([2, 0, 0, 0, 0, 1, 0, 1], 2, 4)
        );
        assert_eq!(
            (counts.rate_sum, counts.rate_min, counts.rate_max),
            (180_000, Some(0), Some(100_000))
        );
        assert_eq!(
            (latencies.min_us, latencies.max_us, latencies.sum_us),
            (Some(100), Some(300), 5 * 100 + 4 * 300)
        );
        assert_eq!((counts.sent, counts.received), (15, 9));
        assert_eq!((latencies.avg_sum_us, latencies.checks), (400, 2));
    }

    #[test]
    fn where_no_single_times_are_known_the_ends_count_once_and_the_rest_at_the_mean() {
        for (received, expected) in [
            (1, &[(20, 1)][..]),
            (2, &[(10, 1), (30, 1)]),
            (4, &[(10, 1), (20, 2), (30, 1)]),
        ] {
            let mut sums = Sums::default();
            let check = CheckSums {
                latencies: [Some(10), Some(20), Some(30)],
                ..check(5, received, None)
            };
            sums.add(&check, &Thresholds::default());
            let buckets = sums.latencies.histogram.buckets();
            let found: Vec<(u32, u64)> = buckets.map(|(from, _, count)| (from, count)).collect();
            assert_eq!(found, expected, "{received}");
            assert_eq!(sums.latencies.sum_us, 20 * received);
        }
    }

    /// Every number differs.
    fn hour() -> Sums {
        let mut histogram = Histogram::default();
        histogram.add(77);
        Sums {
            counts: Counts {
                by_rate: [3, 0, 5, 0, 0, 7, 11, 13],
                poor: 6,
                degraded: 8,
                not_measured: 9,
                sent: 195,
                received: 101,
                rate_sum: 2_500_001,
                rate_min: Some(0),
                rate_max: Some(100_000),
            },
            latencies: Latencies {
                min_us: Some(5),
                max_us: Some(90),
                sum_us: 1234,
                avg_sum_us: 567,
                checks: 36,
                histogram,
            },
        }
    }

    #[test]
    fn a_share_is_rounded_so_that_the_parts_add_up() {
        let thirds = [0..1, 1..2, 2..3].map(|part| share(10, &part, 3));
        assert_eq!(thirds, [3, 4, 3]);
        assert_eq!([0..5, 5..10].map(|part| share(1, &part, 10)), [1, 0]);
        assert_eq!(share(7, &(0..0), 0), 0);
    }

    #[test]
    fn parts_of_an_hour_merge_to_the_whole_hour_and_leave_the_rest() {
        let hour = hour();
        let mut parts = [0..3, 3..7, 7..10]
            .map(|part| hour.share(&part, 10))
            .to_vec();
        assert_eq!((parts[0].counts.sent, parts[0].latencies.checks), (59, 11));
        assert_eq!((parts[0].counts.poor, parts[0].latencies.sum_us), (2, 370));
        let rest = hour.counts.without(&parts[0].counts);
        let mut merged = parts.remove(0);
        parts.iter().for_each(|part| merged.merge(part));
        // A share keeps the whole histogram, whose proportions alone are read.
        assert_eq!(merged.latencies.histogram.total(), 3);
        merged.latencies.histogram = hour.latencies.histogram.clone();
        assert_eq!(merged, hour);
        let mut after = parts.remove(0).counts;
        after.merge(&parts[0].counts);
        assert_eq!(rest, after);
        assert_eq!(after.without(&hour.counts).sent, 0);
    }

    #[test]
    fn an_hour_is_even_if_every_check_was_made_and_lost_nothing() {
        let even = Counts {
            by_rate: [0, 0, 0, 0, 0, 0, 0, 3],
            sent: 15,
            received: 15,
            ..Counts::default()
        };
        assert!(even.is_even());
        for uneven in [
            Counts {
                not_measured: 1,
                ..even
            },
            Counts {
                received: 14,
                ..even
            },
            Counts {
                degraded: 1,
                ..even
            },
        ] {
            assert!(!uneven.is_even(), "{uneven:?}");
        }
    }

    #[test]
    fn every_success_rate_has_one_class_and_the_state_of_the_check() {
        for (sent, received) in
            (1..=101).flat_map(|sent| (0..=sent).map(move |received| (sent, received)))
        {
            let mut sums = Sums::default();
            sums.add(&check(sent, received, None), &Thresholds::default());
            assert_eq!(sums.counts.by_rate.iter().sum::<i64>(), 1);
            let class = sums
                .counts
                .by_rate
                .iter()
                .position(|checks| *checks == 1)
                .expect("one");
            let (min, max) = RATE_CLASSES[class];
            assert!(
                (min..=max).contains(&sums.counts.rate_sum),
                "{received} of {sent}"
            );
            let state =
                Thresholds::default().judge(sent.unsigned_abs(), received.unsigned_abs(), None);
            assert_eq!(
                sums.counts.worst_state(),
                Some(state),
                "{received} of {sent}"
            );
            let mut by_rate = Counts {
                poor: 9,
                degraded: 9,
                ..sums.counts
            };
            by_rate.judge_by_rate();
            assert_eq!(by_rate, sums.counts, "{received} of {sent}");
        }
    }

    #[test]
    fn sums_are_decoded_as_encoded_and_damage_is_refused() {
        let mut sums = Sums::default();
        sums.counts.not_measured = 3;
        for latency in [Some(100), Some(70_000), None] {
            sums.add(
                &check(5, latency.map_or(0, |_| 4), latency),
                &Thresholds::default(),
            );
        }
        let (mut counts, mut latencies) = (Vec::new(), Vec::new());
        Counts::default().encode(&mut counts);
        sums.counts.encode(&mut counts);
        Latencies::default().encode(&mut latencies);
        sums.latencies.encode(&mut latencies);
        let mut bytes = &counts[..];
        assert_eq!(Counts::decode(&mut bytes), Some(Counts::default()));
        assert_eq!(
            (Counts::decode(&mut bytes), bytes.len()),
            (Some(sums.counts), 0)
        );
        let mut bytes = &latencies[..];
        assert_eq!(
            Latencies::decode(&mut bytes),
            Some((Latencies::default(), &[][..]))
        );
        let (mut again, histogram) = Latencies::decode(&mut bytes).expect("whole");
        assert_eq!(again.histogram.merge_stored(histogram), Some(()));
        assert_eq!((again, bytes.len()), (sums.latencies, 0));
        for cut in 0..counts.len() {
            let mut bytes = &counts[..cut];
            assert!(
                [Counts::decode(&mut bytes), Counts::decode(&mut bytes)].contains(&None),
                "cut at {cut}"
            );
        }
        for cut in 0..latencies.len() {
            let mut bytes = &latencies[..cut];
            assert!(
                [Latencies::decode(&mut bytes), Latencies::decode(&mut bytes)].contains(&None),
                "cut at {cut}"
            );
        }
        assert_eq!(Counts::decode(&mut &[0xff; 200][..]), None);
        assert_eq!(Latencies::decode(&mut &[0xff; 200][..]), None);
    }

    #[test]
    fn a_quantile_is_found_where_the_stored_minimum_is_above_the_maximum() {
        let mut latencies = Latencies {
            min_us: Some(900),
            max_us: Some(100),
            ..Latencies::default()
        };
        latencies.histogram.add(500);
        assert_eq!(latencies.quantile_us(0.5), Some(100));
    }

    #[test]
    fn sums_of_the_second_version_tell_poor_checks_from_silent_ones() {
        // Two checks without a reply, three with 2 of 5, one with 4 of 5, four with all: as the
        // second version stored them, with 5 checks that it called down.
        let by_rate = [2, 0, 3, 0, 0, 1, 0, 4];
        let others = [5, 1, 0, 50, 20, 400_000, 100_001, 1];
        let mut stored = Vec::new();
        for number in by_rate.into_iter().chain(others) {
            varint::write(&mut stored, number);
        }
        let counts = Counts::decode(&mut &stored[..]).expect("whole");
        let states = [counts.down(), counts.poor, counts.degraded, counts.up()];
        assert_eq!(states, [2, 3, 1, 4]);
        assert_eq!(counts.lost_while_down(), 10);
        let mut again = Vec::new();
        counts.encode(&mut again);
        assert_eq!(again, stored, "and they are stored as before");
    }

    #[test]
    fn the_worst_state_survives_any_number_of_sums() {
        let mut sums = Sums::default();
        assert_eq!(sums.counts.worst_state(), None);
        sums.counts.not_measured = 9;
        assert_eq!(sums.counts.worst_state(), Some(State::NotMeasured));
        let own = Thresholds::default();
        (0..1000).for_each(|_| sums.add(&check(5, 5, None), &own));
        assert_eq!(sums.counts.worst_state(), Some(State::Up));
        sums.add(&check(5, 4, None), &own);
        assert_eq!(sums.counts.worst_state(), Some(State::Degraded));
        sums.add(&check(5, 1, None), &own);
        assert_eq!(sums.counts.worst_state(), Some(State::Poor));
        sums.add(&check(5, 0, None), &own);
        assert_eq!(sums.counts.worst_state(), Some(State::Down));
    }
}
