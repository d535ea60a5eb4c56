//! Tells a slope, such as the daily rhythm of a busy line, from a step: both make two levels, but a
//! slope is fitted better by a line.

use super::window::LEN;
use super::{median, middle};

/// The round-trip times on each side of a change that are looked at.
const SIDE: usize = LEN / 2;
/// With fewer a line and a step cannot be told apart.
const MIN_SIDE: usize = 6;

/// Whether the round-trip times are at most `tolerance` times as far from a line as from the two
/// levels. The line goes through the medians of the first and the last third.
pub fn is_slope(old: &[u32], new: &[u32], tolerance: f32) -> bool {
    let old = &old[old.len().saturating_sub(SIDE)..];
    let new = &new[..new.len().min(SIDE)];
    if old.len().min(new.len()) < MIN_SIDE {
        return false;
    }
    let mut both = [0; 2 * SIDE];
    let both = &mut both[..old.len() + new.len()];
    both[..old.len()].copy_from_slice(old);
    both[old.len()..].copy_from_slice(new);
    from_line(both) <= tolerance * (from_level(old) + from_level(new))
}

/// The sum of the distances to the median.
fn from_level(rtts_us: &[u32]) -> f32 {
    let level = median(rtts_us);
    rtts_us.iter().map(|rtt| above(*rtt, level).abs()).sum()
}

/// The sum of the distances to the line.
fn from_line(rtts_us: &[u32]) -> f32 {
    let third = rtts_us.len() / 3;
    let (first, last) = (&rtts_us[..third], &rtts_us[rtts_us.len() - third..]);
    let slope = above(median(last), median(first)) / count(rtts_us.len() - third);
    let mut rests = [0.0; 2 * SIDE];
    let rests = &mut rests[..rtts_us.len()];
    for (index, (rest, rtt)) in rests.iter_mut().zip(rtts_us).enumerate() {
        *rest = above(*rtt, rtts_us[0]) - slope * count(index);
    }
    let level = middle(rests);
    rests.iter().map(|rest| (rest - level).abs()).sum()
}

#[expect(clippy::cast_precision_loss, reason = "a seventh digit is noise")]
fn above(rtt_us: u32, level_us: u32) -> f32 {
    (i64::from(rtt_us) - i64::from(level_us)) as f32
}

#[expect(clippy::cast_precision_loss, reason = "at most LEN")]
fn count(count: usize) -> f32 {
    count as f32
}
