//! When a host is out: the state machine over the checks of one host. An outage is a run of checks
//! without any reply; it is one as soon as it is long enough, and over when enough checks in a row
//! were answered. Checks that could not be made neither begin nor end one. Single pings between
//! checks make no outage, they say when one began and ended. No clock, no database: store/events.rs
//! feeds it and keeps what it says, pinger.rs asks it whether to look more often.

use crate::pure::model::CheckResult;
use crate::pure::time::UtcMillis;

/// From when on silence is an outage, and from when on it is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutageRules {
    /// So many checks in a row without any reply are an outage; at least 1.
    pub down_after: u16,
    /// So many checks in a row with a reply end it; at least 1.
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

/// What an outage needs to know of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CheckSample {
    /// When it was made.
    pub at: UtcMillis,
    /// Pings that left and could be judged; 0 when it could not be made.
    pub sent: u32,
    /// Pings that were answered.
    pub received: u32,
    /// Where in it the replies begin and end, when that is known.
    pub edges: Option<ReplySpan>,
}

/// Where in a check the replies begin and end: what lies before the first belongs to the outage
/// before, what lies behind the last to the one that follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReplySpan {
    /// When the first ping that was answered was sent.
    pub first_reply: UtcMillis,
    /// How many were lost before it.
    pub lost_before: u32,
    /// When the last ping that was answered was sent.
    pub last_reply: UtcMillis,
    /// How many were lost behind it.
    pub lost_behind: u32,
    /// From one ping to the next, in milliseconds.
    pub spacing_ms: u32,
}

impl ReplySpan {
    /// Those of a check that was made at `at` with pings `spacing_ms` apart: whether each was
    /// answered. `None` when none was, or the spacing is not known (0).
    pub fn of(
        at: UtcMillis,
        spacing_ms: u32,
        answers: impl Iterator<Item = bool>,
    ) -> Option<ReplySpan> {
        let answers: Vec<bool> = answers.collect();
        let first = answers.iter().position(|is_answered| *is_answered)?;
        let last = answers.iter().rposition(|is_answered| *is_answered)?;
        let sent_at = |index: usize| {
            UtcMillis(at.0.saturating_add(
                i64::from(spacing_ms).saturating_mul(i64::try_from(index).unwrap_or(i64::MAX)),
            ))
        };
        let count = |pings: usize| u32::try_from(pings).unwrap_or(u32::MAX);
        (spacing_ms > 0).then(|| ReplySpan {
            first_reply: sent_at(first),
            lost_before: count(first),
            last_reply: sent_at(last),
            lost_behind: count(answers.len() - 1 - last),
            spacing_ms,
        })
    }
}

impl CheckSample {
    /// What an outage needs of a result that is recorded as made at `at`.
    pub fn of(result: &CheckResult, at: UtcMillis) -> CheckSample {
        let edges = ReplySpan::of(
            at,
            result.spacing_ms,
            result.rtts_us().map(|rtt| rtt.is_some()),
        );
        CheckSample {
            at,
            sent: result.sent(),
            received: result.received(),
            edges,
        }
    }

    /// Whether it says anything about the host.
    pub fn is_measured(&self) -> bool {
        self.sent > 0
    }

    /// Whether it was made and nothing answered.
    pub fn is_silent(&self) -> bool {
        self.is_measured() && self.received == 0
    }

    /// 0 to 100.
    pub fn success_rate(&self) -> f64 {
        if self.sent == 0 {
            0.0
        } else {
            f64::from(self.received) * 100.0 / f64::from(self.sent)
        }
    }

    /// When the first ping that was answered was sent.
    fn first_reply(&self) -> UtcMillis {
        self.edges.map_or(self.at, |edges| edges.first_reply)
    }

    fn pings(&self) -> PingCounts {
        PingCounts {
            sent: i64::from(self.sent),
            lost: i64::from(self.sent.saturating_sub(self.received)),
        }
    }

    /// The reply that came last in it, and the pings that were lost behind that.
    pub fn last_reply(&self) -> LastReply {
        let at = self.edges.map_or(self.at, |edges| edges.last_reply);
        let tail = self
            .edges
            .filter(|edges| edges.lost_behind > 0)
            .map(|edges| TrailingLoss {
                since: UtcMillis(
                    edges
                        .last_reply
                        .0
                        .saturating_add(i64::from(edges.spacing_ms)),
                ),
                lost: edges.lost_behind,
            });
        LastReply { at, tail }
    }
}

/// The last sign of a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LastReply {
    /// When the ping that was answered was sent.
    pub at: UtcMillis,
    /// The pings of the same check that were lost behind it.
    pub tail: Option<TrailingLoss>,
}

/// Pings that were lost at the end of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TrailingLoss {
    /// When the first of them was sent.
    pub since: UtcMillis,
    /// How many.
    pub lost: u32,
}

/// Pings that were lost so long before a silent check are none of its outage: nobody looked in
/// between.
const TAIL_REACH_MS: i64 = 300_000;

/// An outage so far: from its first lost ping to its newest. Answered checks count in it once
/// silence follows them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outage {
    /// When the first of the pings that nothing answered was sent.
    pub start: UtcMillis,
    /// The last reply before it: the outage began after this. `None` when there is none on record.
    pub earliest_start: Option<UtcMillis>,
    /// Checks without any reply.
    pub checks_failed: i64,
    /// All checks that could be made.
    pub checks: i64,
    /// Every ping from its start to its end; `None` where the record began without counting them.
    pub pings: Option<PingCounts>,
    /// The first reply since it was last silent, where that does not end it yet.
    pub answered_since: Option<UtcMillis>,
}

/// A count of pings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PingCounts {
    /// Sent.
    pub sent: i64,
    /// Of these not answered.
    pub lost: i64,
}

impl PingCounts {
    fn add(&mut self, more: PingCounts) {
        // Saturating, since a database may hold any number.
        self.sent = self.sent.saturating_add(more.sent);
        self.lost = self.lost.saturating_add(more.lost);
    }

    fn lost(count: u32) -> PingCounts {
        PingCounts {
            sent: i64::from(count),
            lost: i64::from(count),
        }
    }
}

/// How an outage ended.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OutageEnd {
    /// When the first ping that was answered was sent, never before the outage's start.
    pub at: UtcMillis,
    /// From the start, rounded down.
    pub duration_seconds: i64,
    /// Success rate of the first answered check, 0 to 100; 100 where a ping between checks ended
    /// it.
    pub success_rate: f64,
}

/// What a check changed in the record.
#[derive(Clone, Debug, PartialEq)]
pub enum OutageChange {
    /// An outage is on.
    Began(Outage),
    /// It is still on, with these counts.
    GoesOn(Outage),
    /// It is over.
    Ended(Outage, OutageEnd),
}

impl Outage {
    fn begin(check: &CheckSample, last: Option<LastReply>) -> Outage {
        let tail = last
            .and_then(|last| last.tail)
            .filter(|tail| (0..TAIL_REACH_MS).contains(&(check.at.0 - tail.since.0)));
        let mut outage = Outage {
            start: tail.map_or(check.at, |tail| tail.since),
            earliest_start: last.map(|last| last.at),
            checks_failed: 0,
            checks: 0,
            pings: Some(tail.map_or_else(PingCounts::default, |tail| PingCounts::lost(tail.lost))),
            answered_since: None,
        };
        outage.add(check);
        outage
    }

    fn add(&mut self, check: &CheckSample) {
        self.checks = self.checks.saturating_add(1);
        if check.is_silent() {
            self.checks_failed = self.checks_failed.saturating_add(1);
            // One that another process made earlier, or a clock that was set back.
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

    /// The end that a check with a reply makes of it.
    pub fn end(&self, reply: &CheckSample) -> OutageEnd {
        self.end_at(reply.first_reply(), reply.success_rate())
    }

    fn end_at(&self, at: UtcMillis, success_rate: f64) -> OutageEnd {
        // A clock that was set back makes no time negative.
        let at = at.max(self.start);
        OutageEnd {
            at,
            duration_seconds: at.0.saturating_sub(self.start.0) / 1000,
            success_rate,
        }
    }
}

/// Where a host stands.
#[derive(Clone, Debug, PartialEq)]
enum HostCondition {
    /// It answers, or nothing is known of it.
    Answers { last_reply: Option<LastReply> },
    /// It is silent, for too few checks to call it an outage.
    Suspected(Outage),
    /// An outage is on; since it was last silent it was answered like this.
    Out {
        outage: Outage,
        answered: RepliesInOutage,
    },
}

/// Answers that do not end an outage yet.
#[derive(Clone, Debug, Default, PartialEq)]
struct RepliesInOutage {
    checks: Vec<CheckSample>,
    /// Pings since the first of the answers.
    pings: PingCounts,
}

/// The state machine of one host.
#[derive(Clone, Debug, PartialEq)]
pub struct OutageDetector {
    rules: OutageRules,
    standing: HostCondition,
}

impl OutageDetector {
    /// A host without an outage; its last reply, where there is one.
    pub fn new(rules: OutageRules, last_reply: Option<LastReply>) -> OutageDetector {
        OutageDetector {
            rules,
            standing: HostCondition::Answers { last_reply },
        }
    }

    /// A host in an outage that is on record.
    pub fn resume(rules: OutageRules, outage: Outage) -> OutageDetector {
        OutageDetector {
            rules,
            standing: HostCondition::Out {
                outage,
                answered: RepliesInOutage::default(),
            },
        }
    }

    /// Takes the next check of the host; says what is to be recorded. `now` is the present time.
    pub fn take(&mut self, check: &CheckSample, now: UtcMillis) -> Option<OutageChange> {
        if !check.is_measured() {
            return None;
        }
        match &mut self.standing {
            HostCondition::Suspected(outage) | HostCondition::Out { outage, .. }
                if is_belated(check, outage, now) =>
            {
                // Made before it all began, by another process that wrote it only now.
                outage.earliest_start = outage.earliest_start.max(Some(check.at));
                let outage = outage.clone();
                self.is_out().then_some(OutageChange::GoesOn(outage))
            }
            HostCondition::Answers { last_reply } if !check.is_silent() => {
                *last_reply = Some(check.last_reply());
                None
            }
            HostCondition::Answers { last_reply } => {
                let last = *last_reply;
                self.doubt(Outage::begin(check, last))
            }
            HostCondition::Suspected(_) if !check.is_silent() => {
                self.standing = HostCondition::Answers {
                    last_reply: Some(check.last_reply()),
                };
                None
            }
            HostCondition::Suspected(outage) => {
                outage.add(check);
                let outage = outage.clone();
                self.doubt(outage)
            }
            HostCondition::Out { outage, answered } if check.is_silent() => {
                answered.give_back_to(outage);
                outage.add(check);
                Some(OutageChange::GoesOn(outage.clone()))
            }
            HostCondition::Out { outage, answered } => {
                let mut pings = check.pings();
                let before = PingCounts::lost(check.edges.map_or(0, |edges| edges.lost_before));
                if outage.answered_since.is_none() {
                    outage.answered_since = Some(check.first_reply());
                    outage.count(before);
                }
                // Of this very check, also where it is read again from the record, which counts
                // these pings already.
                if outage.answered_since == Some(check.first_reply()) {
                    pings = PingCounts {
                        sent: pings.sent - before.sent,
                        lost: pings.lost - before.lost,
                    };
                }
                answered.checks.push(*check);
                answered.pings.add(pings);
                if answered.checks.len() < usize::from(self.rules.up_after) {
                    return Some(OutageChange::GoesOn(outage.clone()));
                }
                let since = outage.answered_since.unwrap_or(check.at);
                let end = outage.end_at(since, answered.checks[0].success_rate());
                Some(self.over(end, check.last_reply()))
            }
        }
    }

    /// Takes a single ping between two checks. It makes no outage and is no check of one: it moves
    /// the start and the end.
    pub fn probe(&mut self, at: UtcMillis, is_answered: bool) -> Option<OutageChange> {
        let reply = LastReply { at, tail: None };
        match &mut self.standing {
            HostCondition::Answers { last_reply } => {
                if is_answered {
                    *last_reply = Some(reply);
                }
                None
            }
            HostCondition::Suspected(outage) if !is_answered => {
                outage.count(PingCounts::lost(1));
                None
            }
            // Whatever the checks around it: silence without any reply it is not.
            HostCondition::Suspected(_) => {
                self.standing = HostCondition::Answers {
                    last_reply: Some(reply),
                };
                None
            }
            HostCondition::Out { outage, .. } if is_answered && self.rules.up_after <= 1 => {
                let end = outage.end_at(outage.answered_since.unwrap_or(at), 100.0);
                Some(self.over(end, reply))
            }
            HostCondition::Out { outage, answered } => {
                if is_answered {
                    outage.answered_since.get_or_insert(at);
                    answered.pings.add(PingCounts { sent: 1, lost: 0 });
                } else if answered.checks.is_empty() {
                    answered.give_back_to(outage);
                    outage.count(PingCounts::lost(1));
                } else {
                    answered.pings.add(PingCounts::lost(1));
                }
                Some(OutageChange::GoesOn(outage.clone()))
            }
        }
    }

    /// Whether an outage is on.
    pub fn is_out(&self) -> bool {
        matches!(self.standing, HostCondition::Out { .. })
    }

    /// Whether it is silent, or was and may be again: worth looking more often.
    pub fn needs_probing(&self) -> bool {
        !matches!(self.standing, HostCondition::Answers { .. })
    }

    fn over(&mut self, end: OutageEnd, last_reply: LastReply) -> OutageChange {
        let over = std::mem::replace(
            &mut self.standing,
            HostCondition::Answers {
                last_reply: Some(last_reply),
            },
        );
        let HostCondition::Out { mut outage, .. } = over else {
            unreachable!("only an outage is over")
        };
        outage.answered_since = None;
        OutageChange::Ended(outage, end)
    }

    /// Silence is an outage once it is long enough.
    fn doubt(&mut self, outage: Outage) -> Option<OutageChange> {
        if outage.checks_failed < i64::from(self.rules.down_after) {
            self.standing = HostCondition::Suspected(outage);
            return None;
        }
        self.standing = HostCondition::Out {
            outage: outage.clone(),
            answered: RepliesInOutage::default(),
        };
        Some(OutageChange::Began(outage))
    }
}

impl RepliesInOutage {
    /// Silence has followed: what was answered in between counts in the outage after all.
    fn give_back_to(&mut self, outage: &mut Outage) {
        outage.answered_since = None;
        outage.checks = outage
            .checks
            .saturating_add(i64::try_from(self.checks.len()).unwrap_or(i64::MAX));
        outage.count(self.pings);
        *self = RepliesInOutage::default();
    }
}

/// Whether an answered check was made before the silence, and only came later. What lies behind the
/// present was dated by a clock that has been set back since: then the order in which checks come
/// is right.
fn is_belated(check: &CheckSample, outage: &Outage, now: UtcMillis) -> bool {
    !check.is_silent() && check.at < outage.start && outage.start <= now
}

#[cfg(test)]
#[path = "outage_tests.rs"]
mod tests;
