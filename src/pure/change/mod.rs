//! Since when a host is slower, faster, or loses more or fewer pings: changes of level, found while
//! the checks come in.
//!
//! A change of level lasts. The daily rhythm of a line is none, since it comes gradually; a single
//! slow or lost ping is none; a step of 20 % that lasts is one.
//!
//! Latency: of the last 64 answered checks the median round-trip times are kept and divided into
//! segments of one level (`segments.rs`). The first change is reported, with the time of the first
//! check of the new level, once 6 checks came after it, or 20 where the evidence is weak. A change
//! that a line explains as well is none (`slope.rs`). What is older than the last change is forgotten.
//! Weaker evidence is enough for a step of an eighth at least, once it has lasted 24 checks.
//!
//! Measured with 200 steps of 20 % each: with noise (standard deviation) of up to 3 % all were found
//! within two checks, with 5 % 194 to 198, with 7 % 145. In 600,000 checks of one level with noise
//! of 1 to 30 % nothing was found. A daily rhythm of +-50 %, checked once a minute, gave 9 changes in
//! 560 days, all with noise of 0.5 to 10 %.
//!
//! An excursion of up to three checks is no change.
//!
//! Loss: `loss.rs`. It is dated less exactly, since a loss of 20 % may begin with some checks that
//! lose nothing. Loss of less than some 5 % is hardly ever found.
//!
//! The constants were fitted to half of the labelled traces of Wenqin Shao et al. (*One-to-one
//! matching of RTT and path changes*, 2017): 25 RIPE Atlas traces with 508 labels. A change is right
//! within two samples of a label. With these constants F1 is 0.733 (precision 0.744, recall 0.722).
//! 45 combinations of three constants around them reach 0.710 to 0.735; chosen on four fifths of the
//! traces and scored on the fifth, 0.722. The labels disagree on excursions of less than an hour or
//! two, so expect no more of other traces.
//!
//! The detector does not look at how far apart checks are.

mod json;
mod latency;
mod loss;
mod segments;
mod slope;
mod window;

#[cfg(test)]
mod tests;

pub use json::loss_percent;
use latency::LatencyDetector;
use loss::LossDetector;

use serde::Serialize;

use crate::pure::time::UtcMillis;

/// The share of lost pings when none is answered, in thousandths of a percent.
pub const ALL_LOST: u32 = 100_000;
/// The state is not stored. After a start it is built by passing so many of the last recorded checks to
/// a new detector, which looks at no more of them at a time; only the count of older lost pings is
/// missing. Of each kind the caller passes those since the newest recorded change, before which the
/// detector has forgotten everything, and ignores what they make certain: it is recorded.
pub const REPLAYED: usize = window::LEN;
const MAX_SURENESS: u8 = 99;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeKind {
    Latency,
    Loss,
}

impl ChangeKind {
    /// The word in JSON and SQL.
    pub fn as_str(self) -> &'static str {
        match self {
            ChangeKind::Latency => "latency",
            ChangeKind::Loss => "loss",
        }
    }

    pub fn from_word(word: &str) -> Option<ChangeKind> {
        [ChangeKind::Latency, ChangeKind::Loss]
            .into_iter()
            .find(|kind| kind.as_str() == word)
    }
}

/// A change of level that lasted until it was certain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(into = "json::ChangeJson")]
pub struct LevelChange {
    pub kind: ChangeKind,
    /// The time of the first check of the new level.
    pub at: UtcMillis,
    /// The level before: the median of round-trip times in microseconds, or the share of lost pings in
    /// thousandths of a percent.
    pub before: u32,
    pub after: u32,
    /// 0 to 99: how many percent of the evidence, when the change was reported, go beyond what was needed.
    /// Not a probability.
    pub sureness: u8,
}

impl LevelChange {
    /// Whether every ping was lost before or after it: that is an outage, which is recorded as such.
    pub fn is_of_outage(&self) -> bool {
        self.kind == ChangeKind::Loss && [self.before, self.after].contains(&ALL_LOST)
    }
}

/// A check as far as the levels need it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CheckLevels {
    pub at: UtcMillis,
    /// 0 when the check could not be made.
    pub sent: u32,
    pub received: u32,
    /// The median round-trip time; `None` without a reply.
    pub median_us: Option<u32>,
}

/// Finds the changes of one host.
#[derive(Clone, Debug)]
pub struct ChangeDetector {
    latency: LatencyDetector,
    loss: LossDetector,
}

impl ChangeDetector {
    pub fn new() -> ChangeDetector {
        ChangeDetector {
            latency: LatencyDetector::new(),
            loss: LossDetector::new(),
        }
    }

    /// Takes the next check and returns what it made certain: of each kind at most one change.
    pub fn add(&mut self, check: CheckLevels) -> impl Iterator<Item = LevelChange> + use<> {
        let latency = check
            .median_us
            .and_then(|rtt_us| self.latency.add(check.at, rtt_us));
        let loss = (check.sent > 0)
            .then(|| self.loss.add(check.at, check.sent, check.received))
            .flatten();
        latency.into_iter().chain(loss)
    }
}

/// The indices of the pings of a trace with which a level began, in their order: each ping is a check,
/// whose time is its index, and has its round-trip time in microseconds, or was lost.
pub fn changes_of_pings(rtts_us: impl Iterator<Item = Option<u32>>) -> Vec<i64> {
    let mut detector = ChangeDetector::new();
    let mut found = Vec::new();
    for (median_us, index) in rtts_us.zip(0..) {
        let check = CheckLevels {
            at: UtcMillis(index),
            sent: 1,
            received: u32::from(median_us.is_some()),
            median_us,
        };
        found.extend(detector.add(check).map(|change| change.at.0));
    }
    found.sort_unstable();
    found.dedup();
    found
}

impl Default for ChangeDetector {
    fn default() -> ChangeDetector {
        ChangeDetector::new()
    }
}

/// How sure a change is whose evidence is `gain` when `needed` is enough.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "0 to 99 after the clamp"
)]
fn sureness(gain: f32, needed: f32) -> u8 {
    let share = 100.0 * (1.0 - needed / gain.max(needed));
    share.clamp(0.0, f32::from(MAX_SURENESS)) as u8
}

/// The median of values, which are reordered.
fn middle(values: &mut [f32]) -> f32 {
    let middle = values.len() / 2;
    *values.select_nth_unstable_by(middle, f32::total_cmp).1
}

fn median(rtts_us: &[u32]) -> u32 {
    let mut sorted = [0; window::LEN];
    let sorted = &mut sorted[..rtts_us.len()];
    sorted.copy_from_slice(rtts_us);
    *sorted.select_nth_unstable(rtts_us.len() / 2).1
}
