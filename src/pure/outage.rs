//! Detects outages: a state machine over the checks of one host. An outage begins after
//! `down_after` checks in a row without any reply and ends after `up_after` checks in a row with
//! one. Checks that could not be made neither begin nor end an outage. Probes, the single pings
//! between checks, do not begin one either; they determine when it began and ended. One reply alone
//! ends no outage: if the next ping is lost the outage goes on, else it ended with the first reply.
//! Likewise a check whose last ping is lost is followed by probes until one is answered: whether
//! silence has begun is not left open until the next check.
//! store/write/outages.rs records the changes; pinger/ uses it to decide whether to send probes.

use crate::pure::sample::{CheckSample, LastReply, PingCounts, TrailingLoss};
use crate::pure::time::UtcMillis;
use crate::pure::time::whole_seconds;

/// When silence is an outage, and when the outage is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutageRules {
    /// Checks in a row without any reply that make an outage; at least 1.
    pub down_after: u16,
    /// Checks in a row with a reply that end it; at least 1.
    pub up_after: u16,
}

impl Default for OutageRules {
    fn default() -> Self {
        OutageRules {
            down_after: 1,
            up_after: 1,
        }
    }
}

/// Pings lost this long before a silent check do not belong to its outage: the host was not pinged
/// in between.
const MAX_TRAILING_LOSS_AGE_MS: i64 = 300_000;

/// An outage so far: from its first lost ping to its newest. Answered checks count in it once
/// silence follows them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outage {
    /// When the first lost ping was sent.
    pub start: UtcMillis,
    /// The last reply before it, after which the outage began; `None` when none is recorded.
    pub earliest_start: Option<UtcMillis>,
    /// Checks without any reply.
    pub checks_failed: i64,
    /// All checks of it in which pings were sent.
    pub checks: i64,
    /// The pings from its start on; `None` where an older version recorded it without counts.
    pub pings: Option<PingCounts>,
    /// The first reply since the last silence, while it does not end the outage yet.
    pub answered_since: Option<UtcMillis>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OutageEnd {
    /// When the first answered ping was sent; never before the start of the outage.
    pub at: UtcMillis,
    /// Rounded down.
    pub duration_seconds: i64,
    /// Success rate of the first answered check, 0 to 100; 100 where a ping between checks ended
    /// it.
    pub success_rate: f64,
}

/// What a check or probe changed in the record.
#[derive(Clone, Debug, PartialEq)]
pub enum OutageChange {
    Began(Outage),
    /// The ongoing outage has these counts now.
    Continues(Outage),
    Ended(Outage, OutageEnd),
}

impl Outage {
    fn begin(check: &CheckSample, last: Option<LastReply>) -> Outage {
        let trailing_loss = last
            .and_then(|last| last.trailing_loss)
            .filter(|trailing_loss| {
                check.at >= trailing_loss.since
                    && check.at.0.saturating_sub(trailing_loss.last.0) < MAX_TRAILING_LOSS_AGE_MS
            });
        let mut outage = Outage {
            start: trailing_loss.map_or(check.at, |trailing_loss| trailing_loss.since),
            earliest_start: last.map(|last| last.at),
            checks_failed: 0,
            checks: 0,
            pings: Some(
                trailing_loss.map_or_else(PingCounts::default, |trailing_loss| {
                    PingCounts::lost(trailing_loss.lost)
                }),
            ),
            answered_since: None,
        };
        outage.add(check);
        outage
    }

    fn add(&mut self, check: &CheckSample) {
        self.checks = self.checks.saturating_add(1);
        if check.is_silent() {
            self.checks_failed = self.checks_failed.saturating_add(1);
            // An earlier check may come later: from another process, or after the clock was set
            // back.
            self.start = self.start.min(check.at);
            self.earliest_start = self
                .earliest_start
                .filter(|earliest| *earliest <= self.start);
        }
        self.count(check.pings());
    }

    fn count(&mut self, more: PingCounts) {
        if let Some(pings) = &mut self.pings {
            pings.add(more);
        }
    }

    /// Its end, given the check with the first reply.
    pub fn end(&self, reply: &CheckSample) -> OutageEnd {
        self.end_at(reply.first_reply(), reply.success_rate())
    }

    fn end_at(&self, at: UtcMillis, success_rate: f64) -> OutageEnd {
        // A clock that was set back must not make the duration negative.
        let at = at.max(self.start);
        OutageEnd {
            at,
            duration_seconds: whole_seconds(&(self.start..at)),
            success_rate,
        }
    }
}

#[derive(Clone, Debug, PartialEq)]
enum HostCondition {
    /// The host answers, or nothing is known of it yet.
    Answers {
        last_reply: Option<LastReply>,
        /// It was silent until one reply: the next ping shows whether it still is.
        is_doubted: bool,
    },
    /// Silent, for fewer than `down_after` checks.
    Suspected(Outage),
    /// In an outage, with the replies since the last silence.
    Down {
        outage: Outage,
        answered: RepliesInOutage,
    },
}

/// Replies that do not end the outage yet.
#[derive(Clone, Debug, Default, PartialEq)]
struct RepliesInOutage {
    checks: Vec<CheckSample>,
    /// All pings since the first of these replies.
    pings: PingCounts,
}

#[derive(Clone, Debug, PartialEq)]
pub struct OutageDetector {
    rules: OutageRules,
    condition: HostCondition,
}

impl OutageDetector {
    /// The detector of a host without an ongoing outage.
    pub fn new(rules: OutageRules, last_reply: Option<LastReply>) -> OutageDetector {
        OutageDetector {
            rules,
            condition: HostCondition::Answers {
                last_reply,
                is_doubted: false,
            },
        }
    }

    /// The detector of a host without an ongoing outage that answered only one ping, `reply`, after
    /// it was silent.
    pub fn doubting(rules: OutageRules, reply: LastReply) -> OutageDetector {
        OutageDetector {
            rules,
            condition: HostCondition::Answers {
                last_reply: Some(reply),
                is_doubted: true,
            },
        }
    }

    /// The detector of a host in a recorded outage.
    pub fn resume(rules: OutageRules, outage: Outage) -> OutageDetector {
        OutageDetector {
            rules,
            condition: HostCondition::Down {
                outage,
                answered: RepliesInOutage::default(),
            },
        }
    }

    /// Adds the next check of the host; returns what to record. `now` is the present time.
    pub fn add_check(&mut self, check: &CheckSample, now: UtcMillis) -> Option<OutageChange> {
        if !check.is_measured() {
            return None;
        }
        match &mut self.condition {
            HostCondition::Suspected(outage) | HostCondition::Down { outage, .. }
                if is_belated(check, outage, now) =>
            {
                // Made before the silence, by another process that recorded it only now.
                outage.earliest_start = outage.earliest_start.max(Some(check.at));
                let outage = outage.clone();
                self.is_in_outage()
                    .then_some(OutageChange::Continues(outage))
            }
            HostCondition::Answers {
                last_reply,
                is_doubted,
            } if !check.is_silent() => {
                *last_reply = Some(check.last_reply());
                *is_doubted &= check.has_one_reply();
                None
            }
            HostCondition::Answers { last_reply, .. } => {
                let last = *last_reply;
                self.suspect(Outage::begin(check, last))
            }
            HostCondition::Suspected(_) if !check.is_silent() => {
                self.condition = HostCondition::Answers {
                    last_reply: Some(check.last_reply()),
                    is_doubted: check.has_one_reply(),
                };
                None
            }
            HostCondition::Suspected(outage) => {
                outage.add(check);
                let outage = outage.clone();
                self.suspect(outage)
            }
            HostCondition::Down { outage, answered } if check.is_silent() => {
                answered.move_into(outage);
                outage.add(check);
                Some(OutageChange::Continues(outage.clone()))
            }
            HostCondition::Down { outage, answered } => {
                let mut pings = check.pings();
                let before =
                    PingCounts::lost(check.replies.map_or(0, |replies| replies.lost_before));
                let follows_reply = |outage: &Outage| {
                    let first = check.first_reply();
                    outage.answered_since.is_some_and(|since| since < first)
                };
                let is_one_reply = self.rules.up_after <= 1 || answered.checks.is_empty();
                if before.lost > 0 && is_one_reply && follows_reply(outage) {
                    answered.move_into(outage);
                }
                let is_doubted = check.has_one_reply() && !follows_reply(outage);
                // A check of one ping cannot show more.
                let is_lone = is_doubted && check.sent > 1;
                if is_lone && check.last_reply().trailing_loss.is_some() {
                    answered.move_into(outage);
                    outage.add(check);
                    return Some(OutageChange::Continues(outage.clone()));
                }
                if outage.answered_since.is_none() {
                    outage.answered_since = Some(check.first_reply());
                    outage.count(before);
                }
                // A check that is read again from the database: the outage counts these pings
                // already.
                if outage.answered_since == Some(check.first_reply()) {
                    pings = PingCounts {
                        sent: pings.sent - before.sent,
                        lost: pings.lost - before.lost,
                    };
                }
                answered.checks.push(*check);
                answered.pings.add(pings);
                if is_lone || answered.checks.len() < usize::from(self.rules.up_after) {
                    return Some(OutageChange::Continues(outage.clone()));
                }
                let since = outage.answered_since.unwrap_or(check.at);
                let end = outage.end_at(since, answered.checks[0].success_rate());
                Some(self.finish(end, check.last_reply(), is_doubted))
            }
        }
    }

    /// Adds a probe; returns what to record. A probe cannot begin an outage and does not count as a
    /// check of it; it determines its start and end. With `up_after` 1, two answered in a row end
    /// it.
    pub fn add_probe(&mut self, at: UtcMillis, is_answered: bool) -> Option<OutageChange> {
        let reply = LastReply {
            at,
            trailing_loss: None,
        };
        match &mut self.condition {
            HostCondition::Answers {
                last_reply,
                is_doubted,
            } => {
                if is_answered {
                    *is_doubted &= last_reply.is_some_and(|last| last.trailing_loss.is_some());
                    *last_reply = Some(reply);
                } else if let Some(last_reply) = last_reply
                    && (*is_doubted || last_reply.trailing_loss.is_some())
                {
                    TrailingLoss::add(&mut last_reply.trailing_loss, at);
                }
                None
            }
            HostCondition::Suspected(outage) if !is_answered => {
                outage.count(PingCounts::lost(1));
                None
            }
            // One reply is enough: the host is not silent.
            HostCondition::Suspected(_) => {
                self.condition = HostCondition::Answers {
                    last_reply: Some(reply),
                    is_doubted: true,
                };
                None
            }
            HostCondition::Down { outage, answered } if self.rules.up_after <= 1 => {
                match outage.answered_since {
                    Some(since) if is_answered => {
                        let rate = answered.checks.first().map(CheckSample::success_rate);
                        let end = outage.end_at(since, rate.unwrap_or(100.0));
                        return Some(self.finish(end, reply, false));
                    }
                    _ if is_answered => {
                        outage.answered_since = Some(at);
                        answered.pings.add(PingCounts { sent: 1, lost: 0 });
                    }
                    _ => {
                        answered.move_into(outage);
                        outage.count(PingCounts::lost(1));
                    }
                }
                Some(OutageChange::Continues(outage.clone()))
            }
            HostCondition::Down { outage, answered } => {
                if is_answered {
                    outage.answered_since.get_or_insert(at);
                    answered.pings.add(PingCounts { sent: 1, lost: 0 });
                } else if answered.checks.is_empty() {
                    answered.move_into(outage);
                    outage.count(PingCounts::lost(1));
                } else {
                    answered.pings.add(PingCounts::lost(1));
                }
                Some(OutageChange::Continues(outage.clone()))
            }
        }
    }

    pub fn is_in_outage(&self) -> bool {
        matches!(self.condition, HostCondition::Down { .. })
    }

    /// Whether the host is silent, or answered only one ping since.
    pub fn is_silent(&self) -> bool {
        !matches!(
            self.condition,
            HostCondition::Answers {
                is_doubted: false,
                ..
            }
        )
    }

    /// Whether the host is to be probed between checks: it is silent, or did not answer the newest
    /// ping.
    pub fn needs_probing(&self) -> bool {
        let lost_the_newest = matches!(
            self.condition,
            HostCondition::Answers {
                last_reply: Some(LastReply {
                    trailing_loss: Some(_),
                    ..
                }),
                ..
            }
        );
        self.is_silent() || lost_the_newest
    }

    fn finish(&mut self, end: OutageEnd, last_reply: LastReply, is_doubted: bool) -> OutageChange {
        let ended = std::mem::replace(
            &mut self.condition,
            HostCondition::Answers {
                last_reply: Some(last_reply),
                is_doubted,
            },
        );
        let HostCondition::Down { mut outage, .. } = ended else {
            unreachable!("called in an outage only")
        };
        outage.answered_since = None;
        OutageChange::Ended(outage, end)
    }

    /// Silence becomes an outage after `down_after` checks.
    fn suspect(&mut self, outage: Outage) -> Option<OutageChange> {
        if outage.checks_failed < i64::from(self.rules.down_after) {
            self.condition = HostCondition::Suspected(outage);
            return None;
        }
        self.condition = HostCondition::Down {
            outage: outage.clone(),
            answered: RepliesInOutage::default(),
        };
        Some(OutageChange::Began(outage))
    }
}

impl RepliesInOutage {
    /// Counts these replies in the outage after all, since silence followed them.
    fn move_into(&mut self, outage: &mut Outage) {
        let was_answered = outage.answered_since.take().is_some();
        // The reply to a probe, if the outage was read from the database since.
        if was_answered && self.pings.sent == 0 {
            self.pings.sent = 1;
        }
        outage.checks = outage
            .checks
            .saturating_add(i64::try_from(self.checks.len()).unwrap_or(i64::MAX));
        outage.count(self.pings);
        *self = RepliesInOutage::default();
    }
}

/// Whether an answered check was made before the silence and was only recorded later. An outage
/// that starts after `now` was dated by a clock that has been set back since; then the order of
/// arrival is right.
fn is_belated(check: &CheckSample, outage: &Outage, now: UtcMillis) -> bool {
    !check.is_silent() && check.at < outage.start && outage.start <= now
}

#[cfg(test)]
#[path = "outage_tests.rs"]
mod tests;
