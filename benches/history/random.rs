//! Random checks, the same in every run.

use std::sync::Arc;

use ace_connection_logger::pure::model::{CheckResult, Host, Outcome};
use ace_connection_logger::pure::time::UtcMillis;

const PINGS_PER_CHECK: usize = 5;

/// How a host responds.
#[derive(Clone, Copy)]
pub struct ReplyModel {
    pub min_rtt_us: f64,
    /// The mean of the exponential distribution above the minimum.
    pub mean_excess_us: f64,
    /// From 0 to 1.
    pub loss_rate: f64,
}

/// A check whose round-trip times are exponentially distributed above the minimum; every 50th is
/// drawn from a distribution eight times as wide.
pub fn check(
    host: &Arc<Host>,
    at: UtcMillis,
    model: ReplyModel,
    random: &mut Random,
) -> CheckResult {
    let mut ping = || {
        if random.uniform() < model.loss_rate {
            return Outcome::TimedOut;
        }
        let factor = if random.uniform() < 0.02 { 8.0 } else { 1.0 };
        Outcome::Reply {
            rtt_us: (model.min_rtt_us + random.exponential() * model.mean_excess_us * factor)
                as u32,
        }
    };
    let pings: Vec<Outcome> = (0..PINGS_PER_CHECK).map(|_| ping()).collect();
    CheckResult {
        resolved: host.address.ip(),
        pings,
        ..CheckResult::begin(Arc::clone(host), at)
    }
}

/// The xorshift64 generator, with its seed, which must not be 0.
pub struct Random(pub u64);

impl Random {
    /// Uniform in (0, 1].
    pub fn uniform(&mut self) -> f64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        ((self.0 >> 11) + 1) as f64 / (1u64 << 53) as f64
    }

    /// Exponential, with mean 1.
    pub fn exponential(&mut self) -> f64 {
        -self.uniform().ln()
    }
}
