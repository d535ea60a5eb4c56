//! Sums over checks: of an hour, a day, a bucket of a chart. Plain arithmetic; what is kept of them is in store/rollup.rs.

use crate::model::State;
use crate::stats::{self, Histogram};

/// A recorded check as far as sums need it.
#[derive(Clone, Copy, Debug)]
pub struct CheckSums<'a> {
    /// Pings sent.
    pub sent: i64,
    /// Pings answered.
    pub received: i64,
    /// Least, mean and greatest round-trip time in microseconds.
    pub latencies: [Option<u32>; 3],
    /// Every ping's, in the stored form.
    pub rtts: Option<&'a [u8]>,
}

/// The sums.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sums {
    /// Checks that found the host up.
    pub up: i64,
    /// Checks that found it degraded.
    pub degraded: i64,
    /// Checks that found it down.
    pub down: i64,
    /// Those of `down` that got no reply at all.
    pub silent: i64,
    /// Checks that could not be made.
    pub not_measured: i64,
    /// Pings sent.
    pub sent: i64,
    /// Pings answered.
    pub received: i64,
    /// Sum of the checks' success rates, in thousandths of a percent.
    pub rate_sum: i64,
    /// Least success rate, in thousandths of a percent.
    pub rate_min: Option<i64>,
    /// Greatest success rate, in thousandths of a percent.
    pub rate_max: Option<i64>,
    /// Least round-trip time in microseconds.
    pub min_us: Option<u32>,
    /// Greatest round-trip time in microseconds.
    pub max_us: Option<u32>,
    /// Sum of the replies' round-trip times in microseconds.
    pub sum_us: i64,
    /// Sum of the checks' mean round-trip times in microseconds.
    pub avg_sum_us: i64,
    /// Checks that have a mean round-trip time.
    pub latency_checks: i64,
    /// The replies' round-trip times.
    pub histogram: Histogram,
}

impl Sums {
    /// Adds one check.
    pub fn add(&mut self, check: &CheckSums<'_>) {
        let CheckSums { sent, received, latencies, rtts } = *check;
        match State::of(sent.unsigned_abs(), received.unsigned_abs()) {
            State::Up => self.up += 1,
            State::Degraded => self.degraded += 1,
            // A row of the original's that says nothing was sent is one that failed.
            State::Down | State::NotMeasured => {
                self.down += 1;
                self.silent += i64::from(received == 0);
            }
        }
        let rate = if sent > 0 { received * 100_000 / sent } else { 0 };
        self.sent += sent;
        self.received += received;
        self.rate_sum += rate;
        self.rate_min = Some(self.rate_min.map_or(rate, |least| least.min(rate)));
        self.rate_max = Some(self.rate_max.map_or(rate, |greatest| greatest.max(rate)));
        let [Some(min_us), Some(avg_us), Some(max_us)] = latencies else { return };
        self.min_us = Some(self.min_us.map_or(min_us, |least| least.min(min_us)));
        self.max_us = Some(self.max_us.map_or(max_us, |greatest| greatest.max(max_us)));
        self.avg_sum_us += i64::from(avg_us);
        self.latency_checks += 1;
        match rtts.and_then(|bytes| stats::decode_rtts(bytes, min_us)) {
            Some(rtts) => rtts.into_iter().flatten().for_each(|rtt| {
                self.sum_us = self.sum_us.saturating_add(i64::from(rtt));
                self.histogram.add(rtt);
            }),
            // Where only three numbers are known, the replies between the least and the greatest stand at the mean.
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

    /// Adds all that `other` sums up.
    pub fn merge(&mut self, other: &Sums) {
        let pick = |one: Option<i64>, two: Option<i64>, choose: fn(i64, i64) -> i64| {
            one.zip(two).map(|(a, b)| choose(a, b)).or(one).or(two)
        };
        let pick_us = |one: Option<u32>, two: Option<u32>, choose: fn(u32, u32) -> u32| {
            one.zip(two).map(|(a, b)| choose(a, b)).or(one).or(two)
        };
        self.up += other.up;
        self.degraded += other.degraded;
        self.down += other.down;
        self.silent += other.silent;
        self.not_measured += other.not_measured;
        self.sent += other.sent;
        self.received += other.received;
        self.rate_sum += other.rate_sum;
        self.rate_min = pick(self.rate_min, other.rate_min, i64::min);
        self.rate_max = pick(self.rate_max, other.rate_max, i64::max);
        self.min_us = pick_us(self.min_us, other.min_us, u32::min);
        self.max_us = pick_us(self.max_us, other.max_us, u32::max);
        self.sum_us = self.sum_us.saturating_add(other.sum_us);
        self.avg_sum_us += other.avg_sum_us;
        self.latency_checks += other.latency_checks;
        self.histogram.merge(&other.histogram);
    }

    /// Checks that were made.
    pub fn checks(&self) -> i64 {
        self.up + self.degraded + self.down
    }

    /// The worst state there was: a failure of a moment is not hidden by the length of the rest. `None` where nothing was
    /// recorded.
    pub fn worst_state(&self) -> Option<State> {
        match self {
            Sums { down: 1.., .. } => Some(State::Down),
            Sums { degraded: 1.., .. } => Some(State::Degraded),
            Sums { up: 1.., .. } => Some(State::Up),
            Sums { not_measured: 1.., .. } => Some(State::NotMeasured),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(sent: i64, received: i64, latency: Option<u32>) -> CheckSums<'static> {
        CheckSums { sent, received, latencies: [latency; 3], rtts: None }
    }

    #[test]
    fn merged_sums_are_the_sums_of_all() {
        let checks = [check(5, 5, Some(100)), check(5, 4, Some(300)), check(5, 0, None), check(0, 0, None)];
        let (mut all, mut one, mut two) = (Sums::default(), Sums::default(), Sums::default());
        checks.iter().for_each(|c| all.add(c));
        checks[..2].iter().for_each(|c| one.add(c));
        checks[2..].iter().for_each(|c| two.add(c));
        one.merge(&two);
        assert_eq!(one, all);
        assert_eq!((all.up, all.degraded, all.down, all.silent, all.checks()), (1, 1, 2, 2, 4));
        assert_eq!((all.rate_sum, all.rate_min, all.rate_max), (180_000, Some(0), Some(100_000)));
        assert_eq!((all.min_us, all.max_us, all.sum_us), (Some(100), Some(300), 5 * 100 + 4 * 300));
    }

    #[test]
    fn the_worst_state_is_kept_however_much_is_summed_up() {
        let mut sums = Sums::default();
        assert_eq!(sums.worst_state(), None);
        sums.not_measured = 9;
        assert_eq!(sums.worst_state(), Some(State::NotMeasured));
        (0..1000).for_each(|_| sums.add(&check(5, 5, None)));
        assert_eq!(sums.worst_state(), Some(State::Up));
        sums.add(&check(5, 4, None));
        assert_eq!(sums.worst_state(), Some(State::Degraded));
        sums.add(&check(5, 0, None));
        assert_eq!(sums.worst_state(), Some(State::Down));
    }
}
