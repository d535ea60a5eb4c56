//! Statistics of round-trip times: the summary of a check, the logarithmic histogram that roll-ups
//! store, and its quantiles.

use crate::pure::varint;

/// 0 to 100 percent; 0 when nothing was sent.
pub fn success_rate(sent: i64, received: i64) -> f64 {
    if sent > 0 {
        received as f64 * 100.0 / sent as f64
    } else {
        0.0
    }
}

/// Between which shares, in percent, the loss of a line is that lost so many of the sent pings: the
/// score interval (E. B. Wilson, 1927) at 95 %. Pings that are lost together say less than as many that
/// are lost one by one, so it is the least uncertainty. `None` when nothing was sent.
pub fn loss_interval_percent(sent: i64, lost: i64) -> Option<[f64; 2]> {
    /// The normal distribution's quantile of 97.5 %.
    const Z: f64 = 1.959_964;
    if sent <= 0 {
        return None;
    }
    let lost = lost.clamp(0, sent);
    let (count, share) = (sent as f64, lost as f64 / sent as f64);
    let centre = share + Z * Z / (2.0 * count);
    let half = Z * (share * (1.0 - share) / count + Z * Z / (4.0 * count * count)).sqrt();
    let [low, high] = [centre - half, centre + half].map(|end| 100.0 * end / (1.0 + Z * Z / count));
    // At the ends it is exact, and rounding must not move it.
    let low = if lost == 0 { 0.0 } else { low };
    let high = if lost == sent { 100.0 } else { high };
    Some([low, high])
}

/// With as many pings the interval is a percentage point at most to each side.
pub const MANY_PINGS: i64 = 10_000;

/// Summary of the round-trip times of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Summary {
    pub min_us: u32,
    /// Rounded.
    pub avg_us: u32,
    pub max_us: u32,
    /// Standard deviation as ping(8) of iputils prints it: the root of the mean square minus the
    /// squared mean.
    pub mdev_us: u32,
}

/// The upper median; `None` without a reply.
pub fn median(rtts_us: impl IntoIterator<Item = u32>) -> Option<u32> {
    let mut rtts_us: Vec<u32> = rtts_us.into_iter().collect();
    let middle = rtts_us.len() / 2;
    (!rtts_us.is_empty()).then(|| *rtts_us.select_nth_unstable(middle).1)
}

/// `None` without a reply.
pub fn summarize(rtts_us: impl IntoIterator<Item = u32>) -> Option<Summary> {
    let (mut count, mut sum, mut squares) = (0u64, 0u64, 0u128);
    let (mut min_us, mut max_us) = (u32::MAX, 0);
    for rtt in rtts_us {
        count += 1;
        sum += u64::from(rtt);
        squares += u128::from(rtt) * u128::from(rtt);
        min_us = min_us.min(rtt);
        max_us = max_us.max(rtt);
    }
    if count == 0 {
        return None;
    }
    // In integers: (n * squares - sum^2) / n^2 is the variance, exact up to the root.
    let variance = (u128::from(count) * squares - u128::from(sum) * u128::from(sum))
        / (u128::from(count) * u128::from(count));
    let within_u32 = |value: u128| {
        u32::try_from(value).expect("neither mean nor deviation is above the maximum")
    };
    Some(Summary {
        min_us,
        avg_us: within_u32(u128::from((sum + count / 2) / count)),
        max_us,
        mdev_us: within_u32(variance.isqrt()),
    })
}

/// Buckets per octave: each is at most 1/16 of its value wide, so that a quantile is wrong by at
/// most 3.2 %.
const BUCKETS_PER_OCTAVE: u32 = 16;
const OCTAVE_BITS: u32 = BUCKETS_PER_OCTAVE.ilog2();

/// The bucket of a round-trip time: one per microsecond up to 31 us, then sixteen per octave.
pub fn bucket_of(rtt_us: u32) -> u32 {
    let octave = rtt_us.max(1).ilog2().saturating_sub(OCTAVE_BITS);
    octave * BUCKETS_PER_OCTAVE + (rtt_us >> octave)
}

/// The lowest round-trip time of a bucket and that of the next bucket.
pub fn bucket_range(bucket: u32) -> (u32, u64) {
    let octave = (bucket / BUCKETS_PER_OCTAVE).saturating_sub(1).min(27);
    let mantissa = u64::from(bucket - octave * BUCKETS_PER_OCTAVE).min(31);
    (
        u32::try_from(mantissa << octave).unwrap_or(u32::MAX),
        (mantissa + 1) << octave,
    )
}

/// Counts of round-trip times. Stores the buckets from the first to the last that is not empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Histogram {
    first: u32,
    counts: Vec<u32>,
}

impl Histogram {
    pub fn add(&mut self, rtt_us: u32) {
        self.count(bucket_of(rtt_us), 1);
    }

    fn count(&mut self, bucket: u32, count: u32) {
        if count == 0 {
            return;
        }
        if self.counts.is_empty() {
            self.first = bucket;
        }
        if bucket < self.first {
            self.counts
                .splice(0..0, std::iter::repeat_n(0, (self.first - bucket) as usize));
            self.first = bucket;
        }
        let index = (bucket - self.first) as usize;
        if index >= self.counts.len() {
            self.counts.resize(index + 1, 0);
        }
        self.counts[index] = self.counts[index].saturating_add(count);
    }

    pub fn merge(&mut self, other: &Histogram) {
        for (bucket, count) in other.filled() {
            self.count(bucket, count);
        }
    }

    /// Adds a stored histogram. `None` when it is damaged; the counts before the damage have been
    /// added then.
    pub fn merge_stored(&mut self, mut bytes: &[u8]) -> Option<()> {
        let mut bucket = 0u32;
        while !bytes.is_empty() {
            bucket = bucket.checked_add(u32::try_from(varint::read(&mut bytes)?).ok()?)?;
            if bucket > bucket_of(u32::MAX) {
                return None;
            }
            self.count(
                bucket,
                u32::try_from(varint::read(&mut bytes)?).unwrap_or(u32::MAX),
            );
        }
        Some(())
    }

    pub fn total(&self) -> u64 {
        self.counts.iter().map(|count| u64::from(*count)).sum()
    }

    /// The buckets that are not empty, ascending, with their counts.
    fn filled(&self) -> impl Iterator<Item = (u32, u32)> + '_ {
        (self.first..)
            .zip(self.counts.iter().copied())
            .filter(|(_, count)| *count > 0)
    }

    /// The buckets that are not empty, ascending: lowest round-trip time, that of the next bucket,
    /// count.
    pub fn buckets(&self) -> impl Iterator<Item = (u32, u64, u64)> + '_ {
        self.filled().map(|(bucket, count)| {
            let (from, to) = bucket_range(bucket);
            (from, to, u64::from(count))
        })
    }

    /// The quantile `share` (0 to 1) in microseconds, interpolated within its bucket. `None` when
    /// nothing was counted.
    pub fn quantile_us(&self, share: f64) -> Option<f64> {
        let total = self.total();
        // The rank of the value, as the median of three is the second.
        let rank = share.clamp(0.0, 1.0) * (total.checked_sub(1)? as f64);
        let mut before = 0.0;
        for (from, to, count) in self.buckets() {
            let count = count as f64;
            if rank < before + count {
                let width = to as f64 - f64::from(from) - 1.0;
                let inside = if count > 1.0 {
                    (rank - before) / (count - 1.0)
                } else {
                    0.5
                };
                return Some(f64::from(from) + width * inside.min(1.0));
            }
            before += count;
        }
        None
    }

    /// The stored form: for every bucket that is not empty the distance from the previous one and
    /// the count, as varints.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.counts.len() * 2);
        let mut previous = 0;
        for (bucket, count) in self.filled() {
            varint::write(&mut out, u64::from(bucket - previous));
            varint::write(&mut out, u64::from(count));
            previous = bucket;
        }
        out
    }

    /// Parses the stored form. `None` when it is damaged.
    pub fn decode(bytes: &[u8]) -> Option<Histogram> {
        let mut histogram = Histogram::default();
        histogram.merge_stored(bytes).map(|()| histogram)
    }
}

/// The stored form of the round-trip times of a check: a varint per ping, 0 when it was lost, else
/// its time minus the minimum plus 1.
pub fn encode_rtts(rtts_us: impl Iterator<Item = Option<u32>>, min_us: u32) -> Vec<u8> {
    let mut out = Vec::with_capacity(16);
    for rtt in rtts_us {
        varint::write(
            &mut out,
            rtt.map_or(0, |rtt| u64::from(rtt.saturating_sub(min_us)) + 1),
        );
    }
    out
}

/// Maximum bytes of the stored form: a ping takes at most five, and a check has at most a hundred.
pub const MAX_RTTS_BYTES: usize = 1024;

/// Parses the stored form. `None` when it is damaged.
pub fn decode_rtts(mut bytes: &[u8], min_us: u32) -> Option<Vec<Option<u32>>> {
    // Damaged data must not allocate more.
    if bytes.len() > MAX_RTTS_BYTES {
        return None;
    }
    let mut rtts = Vec::with_capacity(bytes.len());
    while !bytes.is_empty() {
        rtts.push(match varint::read(&mut bytes)? {
            0 => None,
            above => Some(u32::try_from(above - 1).ok()?.checked_add(min_us)?),
        });
    }
    Some(rtts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_of_an_even_number_is_the_upper_one() {
        for (rtts_us, expected) in [
            (&[][..], None),
            (&[7], Some(7)),
            (&[9, 5], Some(9)),
            (&[9, 1, 5], Some(5)),
            (&[4, 1, 3, 2], Some(3)),
        ] {
            assert_eq!(median(rtts_us.iter().copied()), expected, "{rtts_us:?}");
        }
    }

    #[test]
    fn the_interval_of_a_loss_is_that_of_wilson() {
        assert_eq!(loss_interval_percent(0, 0), None);
        for (sent, lost, low, high) in [
            (1, 0, 0.0, 79.345),
            (1, 1, 20.655, 100.0),
            (10, 1, 1.788, 40.415),
            (20, 0, 0.0, 16.113),
            (20, 20, 83.887, 100.0),
            (100, 50, 40.383, 59.617),
            (10_000, 5_000, 49.020, 50.980),
            (10, 11, 72.247, 100.0),
        ] {
            let interval = loss_interval_percent(sent, lost).expect("an interval");
            for (found, expected) in interval.into_iter().zip([low, high]) {
                assert!(
                    (found - expected).abs() < 0.001,
                    "{sent} {lost}: {interval:?}"
                );
            }
        }
    }

    #[test]
    fn the_summary_matches_a_calculation_by_hand() {
        // Mean 20, squared deviations 100, 0, 100: variance 200/3, root 8.16.
        let summary = summarize([10, 20, 30]).expect("three replies");
        assert_eq!(
            summary,
            Summary {
                min_us: 10,
                avg_us: 20,
                max_us: 30,
                mdev_us: 8
            }
        );
        assert_eq!(
            summarize([7]),
            Some(Summary {
                min_us: 7,
                avg_us: 7,
                max_us: 7,
                mdev_us: 0
            })
        );
        assert_eq!(
            summarize([1, 2]).map(|s| s.avg_us),
            Some(2),
            "half a microsecond is rounded up"
        );
        assert_eq!(summarize([]), None);
        assert_eq!(
            summarize([u32::MAX; 100]).map(|s| (s.avg_us, s.mdev_us)),
            Some((u32::MAX, 0))
        );
    }

    #[test]
    fn the_success_rate_is_in_percent_and_zero_without_pings() {
        assert_eq!(
            [(4, 3), (5, 0), (0, 0)].map(|(sent, received)| success_rate(sent, received)),
            [75.0, 0.0, 0.0]
        );
    }

    #[test]
    fn a_histogram_is_the_same_in_any_order_of_its_values() {
        let of = |values: [u32; 3]| {
            let mut histogram = Histogram::default();
            values.into_iter().for_each(|us| histogram.add(us));
            histogram
        };
        assert_eq!(of([1000, 10, 500]), of([10, 500, 1000]));
        assert_eq!(of([1000, 10, 500]).total(), 3);
    }

    #[test]
    fn values_of_one_bucket_are_spread_over_it_and_a_single_one_is_in_its_middle() {
        let (from, to) = bucket_range(bucket_of(1_000_000));
        let (first, last) = (f64::from(from), to as f64 - 1.0);
        let mut histogram = Histogram::default();
        histogram.add(1_000_000);
        assert_eq!(histogram.quantile_us(0.5), Some((first + last) / 2.0));
        histogram.add(1_000_000);
        assert_eq!(histogram.quantile_us(0.0), Some(first));
        assert_eq!(histogram.quantile_us(1.0), Some(last));
    }

    #[test]
    fn damaged_times_of_a_check_allocate_no_more_than_those_of_the_longest() {
        let decoded = |length| decode_rtts(&vec![0; length], 1).map(|rtts| rtts.len());
        assert_eq!(decoded(MAX_RTTS_BYTES), Some(MAX_RTTS_BYTES));
        assert_eq!(decoded(MAX_RTTS_BYTES + 1), None);
    }

    #[test]
    fn buckets_are_adjacent_without_gap_or_overlap() {
        let last = bucket_of(u32::MAX);
        let mut next = 0u64;
        for bucket in 0..=last {
            let (from, to) = bucket_range(bucket);
            assert_eq!(u64::from(from), next, "bucket {bucket}");
            assert_eq!(bucket_of(from), bucket);
            assert_eq!(
                bucket_of(u32::try_from(to - 1).expect("within range")),
                bucket
            );
            assert!(
                (to - u64::from(from)) * 16 <= u64::from(from).max(16),
                "bucket {bucket} is too wide"
            );
            next = to;
        }
        assert_eq!(next, 1 << 32);
    }

    #[test]
    fn quantiles_of_small_values_are_exact() {
        let mut histogram = Histogram::default();
        for rtt in 1..=9 {
            histogram.add(rtt);
        }
        assert_eq!(histogram.quantile_us(0.5), Some(5.0));
        assert_eq!(histogram.quantile_us(0.0), Some(1.0));
        assert_eq!(histogram.quantile_us(1.0), Some(9.0));
        assert_eq!(Histogram::default().quantile_us(0.5), None);
    }

    #[test]
    fn quantiles_of_any_values_are_within_the_width_of_a_bucket() {
        let mut histogram = Histogram::default();
        let mut values: Vec<u32> = (0..2000u32)
            .map(|i| 500 + i.wrapping_mul(2_654_435_761) % 90_000)
            .collect();
        values.iter().for_each(|v| histogram.add(*v));
        values.sort_unstable();
        for (share, rank) in [
            (0.05, 99),
            (0.25, 499),
            (0.5, 999),
            (0.75, 1499),
            (0.95, 1899),
            (0.99, 1979),
        ] {
            let exact = f64::from(values[rank]);
            let found = histogram.quantile_us(share).expect("values");
            assert!(
                (found - exact).abs() / exact < 0.0325,
                "{share}: {found} for {exact}"
            );
        }
    }

    #[test]
    fn a_histogram_is_decoded_as_encoded_and_damage_is_refused() {
        let mut histogram = Histogram::default();
        for rtt in [1, 1, 31, 32, 12_000, 12_100, 60_000_000, u32::MAX] {
            histogram.add(rtt);
        }
        let stored = histogram.encode();
        assert_eq!(Histogram::decode(&stored), Some(histogram));
        assert_eq!(Histogram::decode(&stored[..stored.len() - 1]), None);
        assert_eq!(Histogram::decode(&[0xff; 30]), None);
        assert_eq!(
            Histogram::decode(&[0xff, 0xff, 0xff, 0x0f, 1]),
            None,
            "a bucket beyond the last"
        );
    }

    #[test]
    fn merging_histograms_adds_their_counts() {
        let (mut one, mut two) = (Histogram::default(), Histogram::default());
        one.add(10);
        two.add(10);
        two.add(1000);
        one.merge(&two);
        assert_eq!(one.total(), 3);
        assert_eq!(
            one.buckets().map(|(_, _, count)| count).collect::<Vec<_>>(),
            [2, 1]
        );
    }

    #[test]
    fn round_trip_times_are_decoded_as_encoded_and_damage_is_refused() {
        let rtts = [
            Some(12_345),
            None,
            Some(12_345),
            Some(60_000_000),
            Some(u32::MAX),
        ];
        let stored = encode_rtts(rtts.into_iter(), 12_345);
        assert_eq!(decode_rtts(&stored, 12_345).as_deref(), Some(&rtts[..]));
        assert_eq!(decode_rtts(&stored[..stored.len() - 1], 12_345), None);
        assert_eq!(decode_rtts(&[0xff; 11], 0), None);
        assert_eq!(
            decode_rtts(&stored, u32::MAX),
            None,
            "more than a u32 holds"
        );
        assert_eq!(
            decode_rtts(&vec![1; 100_000], 0),
            None,
            "more pings than any check has"
        );
        assert_eq!(
            encode_rtts([Some(5), Some(104), None].into_iter(), 5),
            [1, 100, 0],
            "one byte per ping where the times are close"
        );
    }
}
