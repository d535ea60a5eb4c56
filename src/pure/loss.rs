//! When a host begins and ceases to lose pings, for the notice `loss`. The rule has hysteresis, so
//! that one bad check neither begins nor ends anything. Checks without any reply do not count: they
//! are outages.
//!
//! It begins when at least [`MIN_LOSSY`] of the last [`WINDOW`] answered checks lost so much that
//! they were not up, and no more than `degraded_percent` of the pings of all of them were answered.
//! It ends when none of the last [`WINDOW`] answered checks lost so much.

use crate::pure::model::{State, Thresholds};

/// Answered checks that are looked at.
pub const WINDOW: usize = 5;
const MIN_LOSSY: usize = 3;

/// The pings of one check that was answered at least in part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AnsweredCheck {
    pub sent: u32,
    pub received: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LossChange {
    Began,
    Ended,
}

/// Whether a check lost so many pings that the host was not up, however fast the replies were.
pub fn is_lossy(check: AnsweredCheck, thresholds: &Thresholds) -> bool {
    thresholds.judge(check.sent.into(), check.received.into(), None) != State::Up
}

/// `newest` are the last answered checks, at most [`WINDOW`].
pub fn change(
    is_losing: bool,
    newest: &[AnsweredCheck],
    thresholds: &Thresholds,
) -> Option<LossChange> {
    let lossy = newest.iter().filter(|check| is_lossy(**check, thresholds));
    let lossy = lossy.count();
    if is_losing {
        return (lossy == 0 && newest.len() == WINDOW).then_some(LossChange::Ended);
    }
    // In thousandths of a percent.
    let answered: u64 = newest
        .iter()
        .map(|check| u64::from(check.received) * 100_000)
        .sum();
    let degraded = u64::from(thresholds.degraded_rate);
    let tolerated: u64 = newest
        .iter()
        .map(|check| u64::from(check.sent) * degraded)
        .sum();
    (lossy >= MIN_LOSSY && answered <= tolerated).then_some(LossChange::Began)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The changes over checks of five pings, each given by its replies: `+` after the check with
    /// which the loss began, `-` after the one with which it ended.
    fn changes(replies: &str) -> String {
        let (mut all, mut is_losing, mut out) = (Vec::new(), false, String::new());
        for received in replies.chars() {
            out.push(received);
            let received = received.to_digit(10).expect("a digit");
            if received == 0 {
                continue;
            }
            all.insert(0, AnsweredCheck { sent: 5, received });
            let newest = &all[..all.len().min(WINDOW)];
            match change(is_losing, newest, &Thresholds::default()) {
                Some(LossChange::Began) => (is_losing, out) = (true, out + "+"),
                Some(LossChange::Ended) => (is_losing, out) = (false, out + "-"),
                None => {}
            }
        }
        out
    }

    #[test]
    fn loss_begins_and_ends_after_several_checks() {
        for expected in [
            // Two of five lost in every check, from the start or after good ones.
            "333+333",
            "55555333+33",
            // One of five lost in every check is a fifth.
            "5555544444+4",
            // A bad check, or two, are not enough; nor is one ping in every second check.
            "555515555515155555",
            "5454545454545",
            // It ends after five good checks, and a lossy one among them begins the count anew.
            "333+5555455555-",
            "333+55555-55555333+",
            // An outage is no loss: neither its silence nor the checks in which it began and ended.
            "5555500000000005555",
            "5555520000000003555",
            // Loss around an outage goes on.
            "333+0000003355555-",
        ] {
            let replies = expected.replace(['+', '-'], "");
            assert_eq!(changes(&replies), expected);
        }
    }

    #[test]
    fn the_limits_are_those_of_the_host() {
        let check = |received| AnsweredCheck {
            sent: 100,
            received,
        };
        let own = Thresholds {
            up_rate: 99_000,
            degraded_rate: 97_000,
            latency_limit_us: Some(1),
        };
        let began = Some(LossChange::Began);
        assert_eq!(change(false, &[check(97); 5], &own), began);
        assert_eq!(change(false, &[check(98); 5], &own), None);
        assert_eq!(change(false, &[check(97); 5], &Thresholds::default()), None);
        assert_eq!(change(true, &[check(99); 5], &own), Some(LossChange::Ended));
    }
}
