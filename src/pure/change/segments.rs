//! Divides the newest round-trip times of a host into segments of one level each.
//!
//! The division that costs least is found by dynamic programming ("optimal partitioning", Jackson et
//! al., *An algorithm for optimal partitioning of data on an interval*, 2005). Ends that cannot be best
//! any more are passed over by the bound that PELT uses: a segment never becomes cheaper by growing
//! (Killick, Fearnhead, Eckley, *Optimal detection of changepoints with a linear computational cost*,
//! 2012). The cost of a segment is the distance of its values from their median in units of the
//! noise, at most [`MAX_DISTANCE`] for one value: a bounded loss keeps a spike from being a segment
//! (Fearnhead, Rigaill, *Changepoint detection in the presence of outliers*, 2019). Each change costs
//! [`PENALTY`].
//!
//! Round-trip times are compared by the square root of their distance to the smallest, since queues
//! make them vary more the further they are above it.

use super::middle;
use super::window::LEN;

/// What one more change costs.
const PENALTY: f32 = 41.0;
/// The largest distance of one value from its level, in units of the noise.
const MAX_DISTANCE: f32 = 20.0;
/// The unit of the distance to the smallest round-trip time: this share of it and [`UNIT_US`].
const UNIT_SHARE: f32 = 0.0057;
const UNIT_US: f32 = 5.0;
/// The noise is so many times the median of the differences between neighbours, and at least
/// [`MIN_NOISE`].
const NOISE_SCALE: f32 = 1.34;
const MIN_NOISE: f32 = 0.29;

/// The penalty of a step with so many values on each side.
const LASTING_PENALTY: f32 = 24.0;
pub const LASTING: usize = 24;

/// The first change among the values of a window, which are those of one level before it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FirstChange {
    /// The index of the first value of the new level.
    pub start: usize,
    /// The index after the last value of the new level.
    pub end: usize,
    /// By how much the two levels cost less than one level would.
    pub gain: f32,
    /// The gain that is enough.
    pub needed: f32,
}

/// Round-trip times, scaled, and how much one value may be from its level.
struct Scaled {
    values: [f32; LEN],
    len: usize,
    /// The reciprocal of the noise.
    per_noise: f32,
}

impl Scaled {
    #[expect(clippy::cast_precision_loss, reason = "a seventh digit is noise")]
    fn of(rtts_us: &[u32]) -> Scaled {
        let smallest = rtts_us.iter().copied().min().unwrap_or(0);
        let unit = UNIT_SHARE * smallest as f32 + UNIT_US;
        let mut scaled = Scaled {
            values: [0.0; LEN],
            len: rtts_us.len(),
            per_noise: 0.0,
        };
        for (value, rtt) in scaled.values.iter_mut().zip(rtts_us) {
            *value = ((rtt - smallest) as f32 / unit).sqrt();
        }
        let mut differences = [0.0; LEN];
        let pairs = scaled.values[..scaled.len].windows(2);
        for (difference, pair) in differences.iter_mut().zip(pairs) {
            *difference = (pair[1] - pair[0]).abs();
        }
        let noise = NOISE_SCALE * middle(&mut differences[..scaled.len - 1]);
        scaled.per_noise = 1.0 / noise.max(MIN_NOISE);
        scaled
    }

    fn level(&self, start: usize, end: usize) -> f32 {
        let mut sorted = self.values;
        middle(&mut sorted[start..end])
    }

    /// The cost of these values as one segment.
    fn cost(&self, start: usize, end: usize) -> f32 {
        let values = &self.values[start..end];
        let level = self.level(start, end);
        let distances = values.iter().map(|value| (value - level).abs());
        distances
            .map(|distance| (distance * self.per_noise).min(MAX_DISTANCE))
            .sum()
    }
}

/// The cheapest divisions of the first 1, 2, 3 … values.
struct Divisions {
    costs: [f32; LEN + 1],
    /// The start of the last segment.
    starts: [usize; LEN + 1],
    /// The newest cost of the segment from here: no longer one costs less.
    at_least: [f32; LEN],
}

impl Divisions {
    fn of(scaled: &Scaled) -> Divisions {
        let mut divisions = Divisions {
            costs: [f32::MAX; LEN + 1],
            starts: [0; LEN + 1],
            at_least: [0.0; LEN],
        };
        divisions.costs[0] = -PENALTY;
        for end in 1..=scaled.len {
            // The most likely one first, so that the bound passes over most others.
            divisions.try_start(scaled, divisions.starts[end - 1], end);
            for start in (0..end).rev() {
                divisions.try_start(scaled, start, end);
            }
        }
        divisions
    }

    fn try_start(&mut self, scaled: &Scaled, start: usize, end: usize) {
        let before = self.costs[start] + PENALTY;
        if before + self.at_least[start] >= self.costs[end] {
            return;
        }
        self.at_least[start] = scaled.cost(start, end);
        let cost = before + self.at_least[start];
        if cost < self.costs[end] {
            (self.costs[end], self.starts[end]) = (cost, start);
        }
    }

    /// The start and end of the second segment.
    fn second(&self, len: usize) -> Option<(usize, usize)> {
        let mut second = None;
        let mut end = len;
        while self.starts[end] > 0 {
            second = Some((self.starts[end], end));
            end = self.starts[end];
        }
        second
    }
}

/// The first change of level among at most [`LEN`] round-trip times.
pub fn first_change(rtts_us: &[u32]) -> Option<FirstChange> {
    if rtts_us.len() < 2 {
        return None;
    }
    let scaled = Scaled::of(rtts_us);
    // What costs less than a change cannot become cheaper by one.
    if scaled.cost(0, scaled.len) <= PENALTY {
        return None;
    }
    let (start, end) = Divisions::of(&scaled).second(scaled.len)?;
    let gain = scaled.cost(0, end) - scaled.cost(0, start) - scaled.cost(start, end);
    Some(FirstChange {
        start,
        end,
        gain,
        needed: PENALTY,
    })
}

/// A step in the middle of a full window: what has lasted as long needs less evidence, so that a step
/// is found in noise that hides it from [`first_change`].
pub fn lasting_step(rtts_us: &[u32]) -> Option<FirstChange> {
    if rtts_us.len() < LEN {
        return None;
    }
    let scaled = Scaled::of(rtts_us);
    let one = scaled.cost(0, LEN);
    if one <= LASTING_PENALTY {
        return None;
    }
    let gain = |start| one - scaled.cost(0, start) - scaled.cost(start, LEN);
    let steps = (LASTING / 2..=LEN - LASTING / 2).map(|start| FirstChange {
        start,
        end: LEN,
        gain: gain(start),
        needed: LASTING_PENALTY,
    });
    let best = steps.max_by(|one, other| one.gain.total_cmp(&other.gain))?;
    let is_lasting = (LASTING..=LEN - LASTING).contains(&best.start);
    (is_lasting && best.gain >= LASTING_PENALTY).then_some(best)
}
