//! A check as far as the detection of outages needs it: how many pings were answered, and when the
//! first and last reply and the losses around them were.

use crate::pure::model::CheckResult;
use crate::pure::stats;
use crate::pure::time::UtcMillis;

/// A check as far as the detector needs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CheckSample {
    /// When it was made.
    pub at: UtcMillis,
    /// Pings that were sent and judged; 0 when the check could not be made.
    pub sent: u32,
    pub received: u32,
    /// `None` without a reply, or when the spacing of the pings is unknown.
    pub replies: Option<ReplySpan>,
}

/// The first and last answered ping of a check. Pings lost before the first belong to the outage
/// before the check, pings lost after the last to the one after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReplySpan {
    /// When the first ping that was answered was sent.
    pub first_reply: UtcMillis,
    pub lost_before: u32,
    /// When the last ping that was answered was sent.
    pub last_reply: UtcMillis,
    /// The pings lost after it.
    pub trailing_loss: Option<TrailingLoss>,
}

impl ReplySpan {
    /// The span of a check whose pings were sent at these times, and whether each was answered.
    /// `None` when none was.
    pub fn of(pings: impl Iterator<Item = (UtcMillis, bool)>) -> Option<ReplySpan> {
        let mut span: Option<ReplySpan> = None;
        let mut lost_before = 0;
        for (at, is_answered) in pings {
            match &mut span {
                Some(span) if is_answered => (span.last_reply, span.trailing_loss) = (at, None),
                Some(span) => TrailingLoss::add(&mut span.trailing_loss, at),
                None if is_answered => {
                    span = Some(ReplySpan {
                        first_reply: at,
                        lost_before,
                        last_reply: at,
                        trailing_loss: None,
                    });
                }
                None => lost_before += 1,
            }
        }
        span
    }
}

impl CheckSample {
    /// The sample of a result that is recorded with the time `at`.
    pub fn of(result: &CheckResult, at: UtcMillis) -> CheckSample {
        let replies = result.has_ping_times().then(|| {
            let moved = at.0 - result.checked_at.0;
            ReplySpan::of(
                result
                    .timed_rtts()
                    .map(|(sent, rtt)| (UtcMillis(sent.0.saturating_add(moved)), rtt.is_some())),
            )
        });
        CheckSample {
            at,
            sent: result.sent(),
            received: result.received(),
            replies: replies.flatten(),
        }
    }

    pub fn is_measured(&self) -> bool {
        self.sent > 0
    }

    /// Whether pings were sent and none was answered.
    pub fn is_silent(&self) -> bool {
        self.is_measured() && self.received == 0
    }

    /// 0 to 100.
    pub fn success_rate(&self) -> f64 {
        stats::success_rate(i64::from(self.sent), i64::from(self.received))
    }

    /// Whether the host answered only one ping: the next shows whether it answers again.
    pub fn has_one_reply(&self) -> bool {
        self.received == 1 && self.replies.is_some()
    }

    /// When the first ping that was answered was sent.
    pub fn first_reply(&self) -> UtcMillis {
        self.replies.map_or(self.at, |replies| replies.first_reply)
    }

    pub fn pings(&self) -> PingCounts {
        PingCounts {
            sent: i64::from(self.sent),
            lost: i64::from(self.sent.saturating_sub(self.received)),
        }
    }

    /// The last answered ping, and the pings lost after it.
    pub fn last_reply(&self) -> LastReply {
        let at = self.replies.map_or(self.at, |replies| replies.last_reply);
        let trailing_loss = self.replies.and_then(|replies| replies.trailing_loss);
        LastReply { at, trailing_loss }
    }
}

/// The last reply of a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LastReply {
    /// When the answered ping was sent.
    pub at: UtcMillis,
    pub trailing_loss: Option<TrailingLoss>,
}

/// Pings that were lost after the last reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TrailingLoss {
    /// When the first of them was sent.
    pub since: UtcMillis,
    /// When the last of them was sent.
    pub last: UtcMillis,
    pub lost: u32,
}

impl TrailingLoss {
    fn of(at: UtcMillis) -> TrailingLoss {
        TrailingLoss {
            since: at,
            last: at,
            lost: 1,
        }
    }

    /// Adds a ping that was lost after these.
    pub fn add(loss: &mut Option<TrailingLoss>, at: UtcMillis) {
        *loss = Some(loss.map_or(TrailingLoss::of(at), |loss| loss.and(TrailingLoss::of(at))));
    }

    /// These and those that were lost after them.
    pub fn and(self, more: TrailingLoss) -> TrailingLoss {
        TrailingLoss {
            since: self.since,
            last: more.last,
            lost: self.lost.saturating_add(more.lost),
        }
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PingCounts {
    pub sent: i64,
    /// Of these not answered.
    pub lost: i64,
}

impl PingCounts {
    pub fn add(&mut self, more: PingCounts) {
        // Saturating, since a damaged database may hold any number.
        self.sent = self.sent.saturating_add(more.sent);
        self.lost = self.lost.saturating_add(more.lost);
    }

    pub fn lost(count: u32) -> PingCounts {
        PingCounts {
            sent: i64::from(count),
            lost: i64::from(count),
        }
    }
}
