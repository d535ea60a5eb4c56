//! When the level of a host's round-trip times changes.

use super::segments::{FirstChange, LASTING, first_change, lasting_step};
use super::slope::is_slope;
use super::window::Window;
use super::{ChangeKind, LevelChange, median, sureness};
use crate::pure::time::UtcMillis;

/// A change whose evidence is less than so many times what is needed is weak.
const STRONG: f32 = 1.5;
/// So many round-trip times of the new level or after it are awaited before a change is reported, and
/// so much further than from its two levels they may be from a line that makes it a slope.
const IF_STRONG: (usize, f32) = (6, 1.0);
const IF_WEAK: (usize, f32) = (20, 1.12);
/// So many round-trip times of the old level must be known when older ones were forgotten.
const MIN_OLD: usize = 6;
/// The window is divided after so many round-trip times.
const EVERY: u8 = 2;
/// Smaller steps are not reported: in microseconds, and in ten-thousandths of the lower level.
const MIN_STEP_US: u32 = 10;
const MIN_STEP: u64 = 35;
/// A step of an eighth of the lower level is large.
const LARGE_PART: u32 = 8;

#[derive(Clone, Debug)]
pub struct LatencyDetector {
    rtts_us: Window<u32>,
    since_divided: u8,
    /// Whether older round-trip times of the oldest level were forgotten.
    is_cut: bool,
}

impl LatencyDetector {
    pub fn new() -> LatencyDetector {
        LatencyDetector {
            rtts_us: Window::new(),
            since_divided: 0,
            is_cut: false,
        }
    }

    pub fn add(&mut self, at: UtcMillis, rtt_us: u32) -> Option<LevelChange> {
        if self.rtts_us.is_full() {
            self.rtts_us.forget(1);
            self.is_cut = true;
        }
        self.rtts_us.push(at, rtt_us);
        self.since_divided += 1;
        if self.since_divided < EVERY {
            return None;
        }
        self.since_divided = 0;
        self.divide()
    }

    /// The first change that is certain by now and is a step.
    fn divide(&mut self) -> Option<LevelChange> {
        loop {
            let rtts_us = self.rtts_us.values();
            let found = first_change(rtts_us).or_else(|| large_lasting_step(rtts_us))?;
            let is_weak = found.gain < STRONG * found.needed;
            let (awaited, tolerance) = if is_weak { IF_WEAK } else { IF_STRONG };
            if rtts_us.len() - found.start < awaited {
                return None;
            }
            let (old, new) = (&rtts_us[..found.start], &rtts_us[found.start..found.end]);
            // What is left of a short excursion whose beginning was not reported.
            let is_rest = self.is_cut && old.len() < MIN_OLD;
            let is_step = !is_rest && is_step(old, new, tolerance);
            let change = LevelChange {
                kind: ChangeKind::Latency,
                at: self.rtts_us.at(found.start),
                before: median(old),
                after: median(new),
                sureness: sureness(found.gain, found.needed),
            };
            self.is_cut = false;
            self.rtts_us.forget(found.start);
            if is_step {
                // Another change in this window is found at the next round-trip time.
                self.since_divided = EVERY - 1;
                return Some(change);
            }
        }
    }
}

fn large_lasting_step(rtts_us: &[u32]) -> Option<FirstChange> {
    let (first, last) = (
        rtts_us.first_chunk::<LASTING>()?,
        rtts_us.last_chunk::<LASTING>()?,
    );
    is_large(median(first), median(last))
        .then(|| lasting_step(rtts_us))
        .flatten()
}

fn is_large(before: u32, after: u32) -> bool {
    before.abs_diff(after) >= before.min(after) / LARGE_PART
}

/// Whether the step is large enough to be noticed, and none of a slope.
fn is_step(old: &[u32], new: &[u32], tolerance: f32) -> bool {
    let (before, after) = (median(old), median(new));
    let step = before.abs_diff(after);
    step >= MIN_STEP_US
        && u64::from(step) * 10_000 >= u64::from(before.min(after)) * MIN_STEP
        && !is_slope(old, new, tolerance)
}
