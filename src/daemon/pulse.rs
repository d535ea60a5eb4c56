//! Notices that this process stood still: it was stopped, or got no processor. Between two checks no
//! host's thread would.

use std::time::Duration;

use crate::pure::model::{Interruption, InterruptionKind};
use crate::pure::time::{ClockSample, nanoseconds};

/// How often the main thread wakes to notice it.
pub const INTERVAL: Duration = Duration::from_secs(1);

/// A shorter delay is that of a busy machine.
const MIN_DELAY: Duration = Duration::from_secs(2);

pub struct Pulse {
    last: ClockSample,
}

impl Pulse {
    pub fn new(now: ClockSample) -> Pulse {
        Pulse { last: now }
    }

    /// What the time since the last call shows, if the main thread wanted to wake after
    /// [`INTERVAL`]. The process stopped at some time within that interval: half of it is taken.
    pub fn beat(&mut self, now: ClockSample) -> Option<Interruption> {
        let last = std::mem::replace(&mut self.last, now);
        let delay = now.monotonic.since(last.monotonic.after(INTERVAL));
        let stood_ms = nanoseconds(delay + INTERVAL / 2) / 1_000_000;
        let is_awake = now.slept_since(&last).is_zero();
        (is_awake && delay >= MIN_DELAY).then(|| Interruption {
            kind: InterruptionKind::HeldUp,
            from: now.utc().plus(-stood_ms),
            to: now.utc(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pure::time::{Monotonic, UtcMillis};

    #[test]
    fn a_process_that_runs_4_s_and_stands_6_stood_for_three_fifths() {
        let at = |ms: i64| ClockSample {
            monotonic: Monotonic(ms * 1_000_000),
            realtime_ns: ms * 1_000_000,
            boottime_ns: ms * 1_000_000,
        };
        let mut pulse = Pulse::new(at(0));
        let mut stood = 0;
        for round in 0..10 {
            // It stops shortly after its fourth second.
            for ms in [300, 1300, 2300, 3300, 9800] {
                if let Some(Interruption { from, to, .. }) = pulse.beat(at(round * 10_000 + ms)) {
                    assert_eq!(to, UtcMillis(round * 10_000 + 9800));
                    stood += to.0 - from.0;
                }
            }
        }
        assert_eq!(stood, 60_000);
        let mut asleep = at(200_000);
        asleep.monotonic = at(100_000).monotonic;
        assert_eq!(pulse.beat(asleep), None, "the pingers report sleep");
    }
}
