//! Made-up pings: the same at every run.

use std::sync::Arc;

use ace_connection_logger::pure::model::{CheckResult, Host, Outcome};
use ace_connection_logger::pure::time::UtcMillis;

/// How many pings a made-up check has.
const PINGS_PER_CHECK: usize = 5;

/// How a host answers for a while.
#[derive(Clone, Copy)]
pub struct Manner {
    /// The least round-trip time, in microseconds.
    pub least_us: f64,
    /// The mean of what is added to it, in microseconds.
    pub spread_us: f64,
    /// The share of pings that are lost.
    pub lost: f64,
}

/// One check whose pings take the least time and something on top: mostly little, sometimes several
/// times as much.
pub fn check(host: &Arc<Host>, at: UtcMillis, manner: Manner, chance: &mut Chance) -> CheckResult {
    let mut ping = || {
        if chance.unit() < manner.lost {
            return Outcome::TimedOut;
        }
        let tail = if chance.unit() < 0.02 { 8.0 } else { 1.0 };
        Outcome::Reply {
            rtt_us: (manner.least_us + chance.exponential() * manner.spread_us * tail) as u32,
        }
    };
    let pings: Vec<Outcome> = (0..PINGS_PER_CHECK).map(|_| ping()).collect();
    CheckResult {
        resolved: host.address.ip(),
        pings,
        ..CheckResult::begin(Arc::clone(host), at)
    }
}

/// The same chance at every run: xorshift64.
pub struct Chance(pub u64);

impl Chance {
    /// Evenly from above 0 to 1.
    pub fn unit(&mut self) -> f64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        ((self.0 >> 11) + 1) as f64 / (1u64 << 53) as f64
    }

    /// Exponentially, with mean 1.
    pub fn exponential(&mut self) -> f64 {
        -self.unit().ln()
    }
}
