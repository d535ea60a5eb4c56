//! What is stored in an encoding of its own: round-trip times, histograms, sums, days.

use super::Bytes;
use crate::pure::model::Thresholds;
use crate::pure::stats::{Histogram, decode_rtts, encode_rtts, summarize};
use crate::pure::sums::{CheckSums, Counts, Latencies, Sums};
use crate::pure::time::HOUR_MS;
use crate::pure::varint;

pub fn run(data: &[u8]) {
    let mut bytes = Bytes(data);
    let min_us = u32::from_le_bytes(bytes.array());
    let rest = bytes.0;
    round_trip_times(rest, min_us);
    histogram(rest);
    sums(rest);
    check(rest);
    numbers(rest);
}

/// What can be decoded is the same again once it was encoded.
fn round_trip_times(stored: &[u8], min_us: u32) {
    let Some(rtts) = decode_rtts(stored, min_us) else {
        return;
    };
    let again = encode_rtts(rtts.iter().copied(), min_us);
    assert_eq!(decode_rtts(&again, min_us), Some(rtts.clone()));
    if let Some(summary) = summarize(rtts.iter().flatten().copied()) {
        assert!(summary.min_us <= summary.avg_us && summary.avg_us <= summary.max_us);
    }
}

fn histogram(stored: &[u8]) {
    let mut merged = Histogram::default();
    // As far as it can be read.
    let _ = merged.merge_stored(stored);
    let Some(one) = Histogram::decode(stored) else {
        return;
    };
    assert_eq!(one, merged);
    assert_eq!(Histogram::decode(&one.encode()), Some(one.clone()));
    for share in [-1.0, 0.0, 0.5, 0.99, 1.0, 2.0, f64::NAN] {
        let quantile = one.quantile_us(share);
        assert!(share.is_nan() || quantile.is_some() == (one.total() > 0));
    }
    merged.merge(&one);
}

fn sums(stored: &[u8]) {
    let mut rest = stored;
    let mut total = Sums::default();
    while let Some(counts) = Counts::decode(&mut rest) {
        let mut again = Vec::new();
        counts.encode(&mut again);
        assert_eq!(
            Counts::decode(&mut &again[..]).map(|again| again.sent),
            Some(counts.sent)
        );
        let share = counts.share(&(600_000..1_200_000), HOUR_MS);
        counts.without(&share);
        assert!(counts.lost() >= 0 && counts.lost_while_down() >= 0 && counts.up() >= 0);
        counts.worst_state();
        total.counts.merge(&counts);
        total.counts.share(&(0..HOUR_MS / 3), HOUR_MS);
    }
    let mut rest = stored;
    while let Some((latencies, histogram)) = Latencies::decode(&mut rest) {
        total.latencies.merge(&latencies);
        let _ = total.latencies.histogram.merge_stored(histogram);
        total.latencies.quantile_us(0.5);
    }
    total.merge(&total.clone());
    total.share(&(0..HOUR_MS), HOUR_MS);
    let mut encoded = Vec::new();
    total.counts.encode(&mut encoded);
    total.latencies.encode(&mut encoded);
}

/// A check as the store reads it, with any numbers within the limits that it keeps.
fn check(data: &[u8]) {
    let mut bytes = Bytes(data);
    let mut sums = Sums::default();
    for _ in 0..4 {
        let sent = bytes.number().rem_euclid(1_000_001);
        let received = bytes.number().rem_euclid(sent + 1);
        let latencies = [(); 3].map(|()| Some(u32::from_le_bytes(bytes.array())));
        let len = usize::from(bytes.byte());
        let rtts = Some(bytes.take(len)).filter(|rtts| rtts.len() % 3 != 0);
        let check = CheckSums {
            sent,
            received,
            latencies,
            rtts,
        };
        sums.add(&check, &Thresholds::default());
        sums.latencies.quantile_us(0.95);
    }
    assert_eq!(sums.counts.checks(), 4);
}

fn numbers(mut stored: &[u8]) {
    while let Some(number) = varint::read(&mut stored) {
        let mut again = Vec::new();
        varint::write(&mut again, number);
        assert_eq!(varint::read(&mut &again[..]), Some(number));
    }
}
