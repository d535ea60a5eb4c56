//! When the share of a host's lost pings changes.
//!
//! The newest checks are cut in two where the likelihood of two shares exceeds that of one share the
//! most: the generalised likelihood ratio of a binomial distribution (Lai, *Sequential changepoint
//! detection in quality control and dynamical systems*, 1995). Losses of one check often have one
//! reason, so a single check with many of them is no change, and of the checks in a row without any
//! reply, which are an outage, only the first counts. When there are [`LASTING_SILENCE`] of them, the
//! silence is a change itself.

use super::window::{LEN, Window};
use super::{ALL_LOST, ChangeKind, LevelChange, sureness};
use crate::pure::time::UtcMillis;

/// So many checks of the new share are awaited.
const AWAITED: usize = 16;
/// The logarithm of the likelihood ratio that makes a change.
const MIN_GAIN: f32 = 12.0;
/// So many checks on the worse side must have lost a ping.
const MIN_LOSSY: u32 = 3;
/// Checks in a row without any reply that are a change.
pub const LASTING_SILENCE: u32 = 10;
/// Older checks of the same share are counted up to so many pings.
const MAX_OLDER: u32 = 4096;

#[derive(Clone, Copy, Debug, Default)]
struct Pings {
    sent: u32,
    lost: u32,
    /// Checks that lost a ping.
    lossy: u32,
}

impl Pings {
    fn plus(self, check: CheckPings) -> Pings {
        Pings {
            sent: self.sent + u32::from(check.sent),
            lost: self.lost + u32::from(check.lost),
            lossy: self.lossy + u32::from(check.lost > 0),
        }
    }

    fn minus(self, part: Pings) -> Pings {
        Pings {
            sent: self.sent - part.sent,
            lost: self.lost - part.lost,
            lossy: self.lossy - part.lossy,
        }
    }

    /// In thousandths of a percent.
    fn lost_rate(self) -> u32 {
        let rate = u64::from(self.lost) * u64::from(ALL_LOST) / u64::from(self.sent.max(1));
        u32::try_from(rate).unwrap_or(ALL_LOST)
    }

    /// The logarithm of the likelihood of this share.
    #[expect(clippy::cast_precision_loss, reason = "at most some thousand pings")]
    fn likelihood(self) -> f32 {
        let (sent, lost) = (self.sent as f32, self.lost as f32);
        let of = |count: f32| {
            if count > 0.0 {
                count * (count / sent).ln()
            } else {
                0.0
            }
        };
        of(lost) + of(sent - lost)
    }
}

/// The pings of a check; of more than 255 the proportion.
#[derive(Clone, Copy, Debug, Default)]
struct CheckPings {
    sent: u8,
    lost: u8,
}

impl CheckPings {
    fn of(sent: u32, lost: u32) -> CheckPings {
        let most = sent.max(u32::from(u8::MAX));
        let part = |count: u32| {
            let part = u64::from(count) * u64::from(u8::MAX) / u64::from(most);
            u8::try_from(if most == u32::from(u8::MAX) {
                u64::from(count)
            } else {
                part
            })
            .unwrap_or(u8::MAX)
        };
        CheckPings {
            sent: part(sent),
            lost: part(lost.min(sent)),
        }
    }
}

/// Checks in a row without any reply.
#[derive(Clone, Copy, Debug)]
struct Silence {
    since: UtcMillis,
    checks: u32,
}

#[derive(Clone, Debug)]
pub struct LossDetector {
    checks: Window<CheckPings>,
    /// Checks of the same share that are no longer in the window.
    older: Pings,
    silence: Option<Silence>,
}

impl LossDetector {
    pub fn new() -> LossDetector {
        LossDetector {
            checks: Window::new(),
            older: Pings::default(),
            silence: None,
        }
    }

    pub fn add(&mut self, at: UtcMillis, sent: u32, received: u32) -> Option<LevelChange> {
        let pings = CheckPings::of(sent, sent.saturating_sub(received));
        if received == 0 {
            return self.add_silent(at, pings);
        }
        let silence = self.silence.take();
        self.push(at, pings);
        if silence.is_some_and(|silence| silence.checks >= LASTING_SILENCE) {
            let after = Pings::default().plus(pings).lost_rate();
            return Some(of_silence(at, ALL_LOST, after));
        }
        self.divide()
    }

    fn add_silent(&mut self, at: UtcMillis, pings: CheckPings) -> Option<LevelChange> {
        let Some(silence) = &mut self.silence else {
            self.silence = Some(Silence {
                since: at,
                checks: 1,
            });
            self.push(at, pings);
            return self.divide();
        };
        silence.checks = silence.checks.saturating_add(1);
        let silence = *silence;
        if silence.checks != LASTING_SILENCE {
            return None;
        }
        let before = self.all().lost_rate();
        self.checks.forget(LEN);
        self.older = Pings::default();
        Some(of_silence(silence.since, before, ALL_LOST))
    }

    fn push(&mut self, at: UtcMillis, pings: CheckPings) {
        if self.checks.is_full() {
            self.older = self.older.plus(self.checks.values()[0]);
            if self.older.sent > MAX_OLDER {
                self.older = Pings {
                    sent: self.older.sent / 2,
                    lost: self.older.lost / 2,
                    lossy: self.older.lossy / 2,
                };
            }
            self.checks.forget(1);
        }
        self.checks.push(at, pings);
    }

    fn all(&self) -> Pings {
        let checks = self.checks.values().iter();
        checks.fold(self.older, |all, check| all.plus(*check))
    }

    fn divide(&mut self) -> Option<LevelChange> {
        let all = self.all();
        // Also the fast path of a host that loses nothing.
        if all.lossy < MIN_LOSSY {
            return None;
        }
        let checks = self.checks.values();
        let mut before = self.older;
        let mut best: Option<(usize, Pings, f32)> = None;
        for index in 1..checks.len() {
            before = before.plus(checks[index - 1]);
            let after = all.minus(before);
            let gain = before.likelihood() + after.likelihood() - all.likelihood();
            let is_old_enough = index >= AWAITED || self.older.sent > 0;
            if is_old_enough && gain > best.map_or(MIN_GAIN, |(_, _, best)| best) {
                best = Some((index, before, gain));
            }
        }
        let (index, before, gain) = best?;
        if checks.len() - index < AWAITED {
            return None;
        }
        let after = all.minus(before);
        let is_worse = after.lost_rate() > before.lost_rate();
        let worse = if is_worse { after } else { before };
        if worse.lossy < MIN_LOSSY {
            return None;
        }
        let at = self.checks.at(index);
        self.checks.forget(index);
        self.older = Pings::default();
        Some(LevelChange {
            kind: ChangeKind::Loss,
            at,
            before: before.lost_rate(),
            after: after.lost_rate(),
            sureness: sureness(gain, MIN_GAIN),
        })
    }
}

fn of_silence(at: UtcMillis, before: u32, after: u32) -> LevelChange {
    LevelChange {
        kind: ChangeKind::Loss,
        at,
        before,
        after,
        sureness: super::MAX_SURENESS,
    }
}
