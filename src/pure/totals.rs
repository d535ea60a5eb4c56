//! The totals of a host over the life of the database, from which the counters of `/metrics` are made,
//! and their stored form. store/write/totals.rs decides when they are stored.

use crate::pure::cause::Cause;
use crate::pure::model::{CheckResult, Outcome, State, Thresholds};
use crate::pure::stats;
use crate::pure::sums::{CheckSums, MAX_SUM, Sums};
use crate::pure::varint;

/// Upper limits of the histogram of round-trip times, both of a bucket and of those below it.
pub const RTT_LIMITS_US: [u32; 13] = [
    500, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000, 200_000, 500_000, 1_000_000,
    2_000_000, 5_000_000,
];

/// Counts by what happened, of one host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HostTotals {
    pub sent: u64,
    pub lost: u64,
    /// Checks by [`State::ALL`].
    pub checks: [u64; State::ALL.len()],
    pub late: u64,
    pub duplicates: u64,
    pub foreign: u64,
    /// Replies up to each of [`RTT_LIMITS_US`] and above the one before, then those above the last.
    pub rtts: [u64; RTT_LIMITS_US.len() + 1],
    pub rtt_sum_us: u64,
    /// Outages that have ended, by [`Cause::ALL`].
    pub outages: [OutageTotals; Cause::ALL.len()],
    /// Pings that could not be sent since the process began: no row has them, and they are not stored.
    pub send_errors: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OutageTotals {
    pub count: u64,
    pub seconds: u64,
}

/// The first number of the stored form.
const FORM: u64 = 1;

impl HostTotals {
    /// Adds a check as it was made.
    pub fn add_check(&mut self, check: &CheckResult) {
        let (sent, received) = (u64::from(check.sent()), u64::from(check.received()));
        self.add_pings(sent, received, check.state());
        self.add_discarded(
            check.late.into(),
            check.duplicates.into(),
            check.foreign.into(),
        );
        check
            .rtts_us()
            .flatten()
            .for_each(|us| self.add_rtts(us, 1));
        let failed = |outcome: &&Outcome| matches!(outcome, Outcome::SendFailed { .. });
        let failed = check.pings.iter().filter(failed).count() as u64;
        add(&mut self.send_errors, failed);
    }

    /// Adds the row of a check.
    pub fn add_row(&mut self, check: &CheckSums<'_>, thresholds: &Thresholds) {
        let [min_us, avg_us, _] = check.latencies;
        let rtts = check
            .rtts
            .zip(min_us)
            .and_then(|(bytes, min_us)| stats::decode_rtts(bytes, min_us));
        self.add_measured(
            check.sent.unsigned_abs(),
            check.received.unsigned_abs(),
            check.state(thresholds),
            rtts.as_deref(),
            avg_us,
        );
    }

    /// Adds a check that was measured. Where its single round-trip times are not known, all its replies
    /// count at the mean.
    pub fn add_measured(
        &mut self,
        sent: u64,
        received: u64,
        state: State,
        rtts_us: Option<&[Option<u32>]>,
        avg_us: Option<u32>,
    ) {
        self.add_pings(sent, received, state);
        match (rtts_us, avg_us) {
            (Some(rtts), _) => rtts.iter().flatten().for_each(|us| self.add_rtts(*us, 1)),
            (None, Some(avg_us)) => self.add_rtts(avg_us, received),
            (None, None) => {}
        }
    }

    pub fn add_not_measured(&mut self, checks: u64) {
        self.add_state(State::NotMeasured, checks);
    }

    pub fn add_discarded(&mut self, late: u64, duplicates: u64, foreign: u64) {
        add(&mut self.late, late);
        add(&mut self.duplicates, duplicates);
        add(&mut self.foreign, foreign);
    }

    /// Adds what the roll-ups of hours have. The buckets of their histogram are narrower than those
    /// here, and each counts where its middle is.
    pub fn add_sums(&mut self, sums: &Sums) {
        let counts = &sums.counts;
        let number = |sum: i64| u64::try_from(sum).unwrap_or(0);
        add(&mut self.sent, number(counts.sent));
        add(&mut self.lost, number(counts.lost()));
        for (state, checks) in [
            (State::Up, counts.up()),
            (State::Degraded, counts.degraded),
            (State::Poor, counts.poor),
            (State::Down, counts.down()),
            (State::NotMeasured, counts.not_measured),
        ] {
            self.add_state(state, number(checks));
        }
        for (from, to, count) in sums.latencies.histogram.buckets() {
            let width = to.saturating_sub(from.into()).saturating_sub(1);
            let middle = u64::from(from).saturating_add(width / 2);
            self.add_to_bucket(u32::try_from(middle).unwrap_or(u32::MAX), count);
        }
        add(&mut self.rtt_sum_us, number(sums.latencies.sum_us));
    }

    /// Adds what was counted elsewhere; the outages stay.
    pub fn merge_checks(&mut self, other: &HostTotals) {
        add(&mut self.sent, other.sent);
        add(&mut self.lost, other.lost);
        self.add_discarded(other.late, other.duplicates, other.foreign);
        add_each(&mut self.checks, &other.checks);
        add_each(&mut self.rtts, &other.rtts);
        add(&mut self.rtt_sum_us, other.rtt_sum_us);
        add(&mut self.send_errors, other.send_errors);
    }

    /// Takes away measured checks that are in it; nothing becomes less than 0.
    pub fn subtract_checks(&mut self, part: &HostTotals) {
        let minus = |count: &mut u64, part: u64| *count = count.saturating_sub(part);
        minus(&mut self.sent, part.sent);
        minus(&mut self.lost, part.lost);
        minus(&mut self.rtt_sum_us, part.rtt_sum_us);
        let checks = self.checks.iter_mut().zip(part.checks);
        let rtts = self.rtts.iter_mut().zip(part.rtts);
        checks
            .chain(rtts)
            .for_each(|(count, part)| minus(count, part));
    }

    /// Takes over the outages that the database has. None becomes less: an event that was deleted, or
    /// shortened when the clock was corrected, was counted.
    pub fn raise_outages(&mut self, recorded: &[OutageTotals; Cause::ALL.len()]) {
        for (own, recorded) in self.outages.iter_mut().zip(recorded) {
            own.count = own.count.max(recorded.count);
            own.seconds = own.seconds.max(recorded.seconds);
        }
    }

    fn add_pings(&mut self, sent: u64, received: u64, state: State) {
        add(&mut self.sent, sent);
        add(&mut self.lost, sent.saturating_sub(received));
        self.add_state(state, 1);
    }

    fn add_state(&mut self, state: State, checks: u64) {
        let of_states = State::ALL.into_iter().zip(&mut self.checks);
        of_states
            .filter(|(other, _)| *other == state)
            .for_each(|(_, count)| add(count, checks));
    }

    fn add_rtts(&mut self, us: u32, replies: u64) {
        self.add_to_bucket(us, replies);
        let sum = u64::from(us).saturating_mul(replies);
        add(&mut self.rtt_sum_us, sum);
    }

    fn add_to_bucket(&mut self, us: u32, replies: u64) {
        let bucket = RTT_LIMITS_US.partition_point(|limit| *limit < us);
        self.rtts
            .get_mut(bucket)
            .into_iter()
            .for_each(|count| add(count, replies));
    }

    /// The stored form: its number, then every count as a varint.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(96);
        varint::write(&mut out, FORM);
        let counts = [
            self.sent,
            self.lost,
            self.late,
            self.duplicates,
            self.foreign,
            self.rtt_sum_us,
        ];
        let outages = (self.outages.iter()).flat_map(|outages| [outages.count, outages.seconds]);
        counts
            .into_iter()
            .chain(self.checks)
            .chain(self.rtts)
            .chain(outages)
            .for_each(|count| varint::write(&mut out, count));
        out
    }

    /// Reads the stored form. `None` when it is damaged or of another form.
    pub fn decode(mut bytes: &[u8]) -> Option<HostTotals> {
        if varint::read(&mut bytes)? != FORM {
            return None;
        }
        let mut totals = HostTotals::default();
        let HostTotals {
            sent,
            lost,
            checks,
            late,
            duplicates,
            foreign,
            rtts,
            rtt_sum_us,
            outages,
            ..
        } = &mut totals;
        let counts = [sent, lost, late, duplicates, foreign, rtt_sum_us];
        let outages =
            (outages.iter_mut()).flat_map(|OutageTotals { count, seconds }| [count, seconds]);
        for count in counts.into_iter().chain(checks).chain(rtts).chain(outages) {
            *count = varint::read(&mut bytes).filter(|count| *count <= MAX_SUM.unsigned_abs())?;
        }
        bytes.is_empty().then_some(totals)
    }
}

/// Counts stay at the largest that the stored form may have.
fn add(count: &mut u64, more: u64) {
    *count = count.saturating_add(more).min(MAX_SUM.unsigned_abs());
}

fn add_each<const LEN: usize>(counts: &mut [u64; LEN], more: &[u64; LEN]) {
    for (count, more) in counts.iter_mut().zip(more) {
        add(count, *more);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::pure::model::Host;
    use crate::pure::stats::encode_rtts;
    use crate::pure::time::UtcMillis;

    fn check(pings: Vec<Outcome>) -> CheckResult {
        CheckResult {
            pings,
            late: 1,
            duplicates: 2,
            foreign: 3,
            ..CheckResult::begin(Arc::new(Host::unlisted("a")), UtcMillis(0))
        }
    }

    /// As the row of a check has it.
    fn row_totals(check: &CheckResult) -> HostTotals {
        let summary = stats::summarize(check.rtts_us().flatten());
        let min_us = summary.map(|summary| summary.min_us);
        let rtts = encode_rtts(check.rtts_us(), min_us.unwrap_or(0));
        let sums = CheckSums {
            sent: check.sent().into(),
            received: check.received().into(),
            latencies: [
                min_us,
                summary.map(|summary| summary.avg_us),
                summary.map(|summary| summary.max_us),
            ],
            rtts: Some(&rtts),
        };
        let mut totals = HostTotals::default();
        totals.add_row(&sums, &check.thresholds);
        totals
    }

    #[test]
    fn a_check_counts_the_same_whether_it_was_just_made_or_is_read_from_its_row() {
        let reply = |rtt_us| Outcome::Reply { rtt_us };
        for pings in [
            vec![reply(500), reply(501), Outcome::TimedOut],
            vec![reply(6_000_000); 3],
            vec![Outcome::TimedOut; 5],
            vec![reply(20_000), reply(20_001), reply(19_999), reply(1)],
        ] {
            let check = check(pings);
            let mut made = HostTotals::default();
            made.add_check(&check);
            let mut row = row_totals(&check);
            assert_ne!(made, row);
            row.add_discarded(1, 2, 3);
            assert_eq!(made, row, "{:?}", check.pings);
        }
    }

    #[test]
    fn a_reply_at_a_limit_is_in_the_bucket_of_that_limit_and_one_above_in_the_next() {
        let mut totals = HostTotals::default();
        for us in [1, 500, 501, 1_000, 5_000_000, 5_000_001, u32::MAX] {
            totals.add_rtts(us, 1);
        }
        let filled: Vec<(usize, u64)> = (0..)
            .zip(totals.rtts)
            .filter(|(_, count)| *count > 0)
            .collect();
        assert_eq!(filled, [(0, 2), (1, 2), (12, 1), (13, 2)]);
    }

    #[test]
    fn a_ping_that_could_not_be_sent_is_a_send_error_and_neither_sent_nor_lost() {
        let mut totals = HostTotals::default();
        totals.add_check(&check(vec![
            Outcome::SendFailed { errno: 1 },
            Outcome::Untimed,
            Outcome::TimedOut,
        ]));
        assert_eq!((totals.sent, totals.lost, totals.send_errors), (1, 1, 1));
        totals.add_check(&check(vec![Outcome::SendFailed { errno: 1 }]));
        assert_eq!(totals.checks, [0, 0, 0, 1, 1], "down, then not measured");
    }

    #[test]
    fn sums_of_hours_count_as_their_checks_but_for_replies_near_the_limits() {
        let mut sums = Sums::default();
        let mut rows = HostTotals::default();
        for (sent, received, us) in [(5, 5, 700), (5, 4, 20_000), (4, 1, 3_000_000), (5, 0, 0)] {
            let known = (received > 0).then_some(us);
            let bytes = encode_rtts(
                (0..sent).map(|index| known.filter(|_| index < received)),
                known.unwrap_or(0),
            );
            let check = CheckSums {
                sent,
                received,
                latencies: [known; 3],
                rtts: Some(&bytes),
            };
            sums.add(&check, &Thresholds::default());
            rows.add_row(&check, &Thresholds::default());
        }
        sums.counts.not_measured = 7;
        rows.add_not_measured(7);
        let mut totals = HostTotals::default();
        totals.add_sums(&sums);
        // 20 ms lies in a bucket of roll-ups from 19,456 to 20,479 us, whose middle is below it.
        assert_eq!(totals, rows);
        assert_eq!(totals.checks, [1, 1, 1, 1, 7]);
    }

    #[test]
    fn totals_are_decoded_as_encoded_and_damage_is_refused() {
        let mut totals = HostTotals::default();
        totals.add_check(&check(vec![Outcome::Reply { rtt_us: 77 }; 3]));
        totals.raise_outages(
            &[OutageTotals {
                count: 3,
                seconds: 4_000,
            }; 6],
        );
        let bytes = totals.encode();
        assert_eq!(HostTotals::decode(&bytes), Some(totals.clone()));
        for damaged in [
            &bytes[..bytes.len() - 1],
            &[bytes.as_slice(), &[0]].concat(),
            &[&[2][..], &bytes[1..]].concat(),
            &[0xff; 60],
            &[],
        ] {
            assert_eq!(HostTotals::decode(damaged), None, "{damaged:?}");
        }
        let mut full = HostTotals::default();
        full.add_rtts(u32::MAX, u64::MAX);
        full.merge_checks(&full.clone());
        assert_eq!(full.rtt_sum_us, MAX_SUM.unsigned_abs());
        assert_eq!(HostTotals::decode(&full.encode()), Some(full));
    }

    #[test]
    fn outages_that_the_database_has_raise_the_totals_and_never_lower_them() {
        let of = |count, seconds| [OutageTotals { count, seconds }; 6];
        let mut totals = HostTotals::default();
        for (recorded, expected) in [
            (of(2, 9), of(2, 9)),
            (of(1, 10), of(2, 10)),
            (of(3, 4), of(3, 10)),
        ] {
            totals.raise_outages(&recorded);
            assert_eq!(totals.outages, expected);
        }
    }
}
