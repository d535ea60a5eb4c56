//! When a host is out: the state machine over the checks of one host. An outage is a run of checks without any reply; it
//! is one as soon as it is long enough, and over when enough checks in a row were answered. Checks that could not be made
//! neither begin nor end one. No clock, no database: store/events.rs feeds it and keeps what it says.

use crate::time::UtcMillis;

/// From when on silence is an outage, and from when on it is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// So many checks in a row without any reply are an outage; at least 1.
    pub down_after: u16,
    /// So many checks in a row with a reply end it; at least 1.
    pub up_after: u16,
}

impl Default for Rules {
    fn default() -> Self {
        Rules { down_after: 1, up_after: 1 }
    }
}

/// What an outage needs to know of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Check {
    /// When it was made.
    pub at: UtcMillis,
    /// Pings that left and could be judged; 0 when it could not be made.
    pub sent: u32,
    /// Pings that were answered.
    pub received: u32,
}

impl Check {
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
        if self.sent == 0 { 0.0 } else { f64::from(self.received) * 100.0 / f64::from(self.sent) }
    }
}

/// An outage so far: from its first lost check to its newest. Answered checks count in it once silence follows them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outage {
    /// The first check without a reply.
    pub start: UtcMillis,
    /// The last check with a reply before it: the outage began after this. `None` when there is none on record.
    pub earliest_start: Option<UtcMillis>,
    /// Checks without any reply.
    pub checks_failed: i64,
    /// All checks that could be made.
    pub checks: i64,
    /// Their pings; `None` where the record began without counting them.
    pub pings: Option<Pings>,
}

/// A count of pings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pings {
    /// Sent.
    pub sent: i64,
    /// Of these not answered.
    pub lost: i64,
}

/// How an outage ended.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct End {
    /// The first answered check, never before the outage's start.
    pub at: UtcMillis,
    /// From the start, rounded down.
    pub duration_seconds: i64,
    /// Success rate of that check, 0 to 100.
    pub success_rate: f64,
}

/// What a check changed in the record.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// An outage is on.
    Began(Outage),
    /// It is still on, with these counts.
    GoesOn(Outage),
    /// It is over.
    Ended(Outage, End),
}

impl Outage {
    fn begin(check: &Check, earliest_start: Option<UtcMillis>) -> Outage {
        let mut outage = Outage { start: check.at, earliest_start, checks_failed: 0, checks: 0, pings: Some(Pings::default()) };
        outage.add(check);
        outage
    }

    fn add(&mut self, check: &Check) {
        // Saturating, since a database may hold any number.
        self.checks = self.checks.saturating_add(1);
        if check.is_silent() {
            self.checks_failed = self.checks_failed.saturating_add(1);
            // One that another process made earlier, or a clock that was set back.
            self.start = self.start.min(check.at);
            self.earliest_start = self.earliest_start.filter(|earliest| *earliest <= self.start);
        }
        if let Some(pings) = &mut self.pings {
            pings.sent = pings.sent.saturating_add(i64::from(check.sent));
            pings.lost = pings.lost.saturating_add(i64::from(check.sent.saturating_sub(check.received)));
        }
    }

    /// The end that a check with a reply makes of it.
    pub fn end(&self, reply: &Check) -> End {
        // A clock that was set back makes no time negative.
        let at = reply.at.max(self.start);
        End { at, duration_seconds: at.0.saturating_sub(self.start.0) / 1000, success_rate: reply.success_rate() }
    }
}

/// Where a host stands.
#[derive(Clone, Debug, PartialEq)]
enum Standing {
    /// It answers, or nothing is known of it.
    Answers { last_reply: Option<UtcMillis> },
    /// It is silent, for too few checks to call it an outage.
    Doubtful(Outage),
    /// An outage is on; these checks in a row were answered since it was last silent.
    Out { outage: Outage, answered: Vec<Check> },
}

/// The state machine of one host.
#[derive(Clone, Debug, PartialEq)]
pub struct Watch {
    rules: Rules,
    standing: Standing,
}

impl Watch {
    /// A host without an outage; the newest check with a reply, where there is one.
    pub fn new(rules: Rules, last_reply: Option<UtcMillis>) -> Watch {
        Watch { rules, standing: Standing::Answers { last_reply } }
    }

    /// A host in an outage that is on record.
    pub fn resume(rules: Rules, outage: Outage) -> Watch {
        Watch { rules, standing: Standing::Out { outage, answered: Vec::new() } }
    }

    /// Takes the next check of the host; says what is to be recorded. `now` is the present time.
    pub fn take(&mut self, check: &Check, now: UtcMillis) -> Option<Change> {
        if !check.is_measured() {
            return None;
        }
        match &mut self.standing {
            Standing::Doubtful(outage) | Standing::Out { outage, .. } if is_belated(check, outage, now) => {
                // Made before it all began, by another process that wrote it only now.
                outage.earliest_start = outage.earliest_start.max(Some(check.at));
                let outage = outage.clone();
                self.is_out().then_some(Change::GoesOn(outage))
            }
            Standing::Answers { last_reply } if !check.is_silent() => {
                *last_reply = Some(check.at);
                None
            }
            Standing::Answers { last_reply } => {
                let earliest = *last_reply;
                self.doubt(Outage::begin(check, earliest))
            }
            Standing::Doubtful(_) if !check.is_silent() => {
                self.standing = Standing::Answers { last_reply: Some(check.at) };
                None
            }
            Standing::Doubtful(outage) => {
                outage.add(check);
                let outage = outage.clone();
                self.doubt(outage)
            }
            Standing::Out { outage, answered } if check.is_silent() => {
                answered.drain(..).for_each(|check| outage.add(&check));
                outage.add(check);
                Some(Change::GoesOn(outage.clone()))
            }
            Standing::Out { outage, answered } => {
                answered.push(*check);
                if answered.len() < usize::from(self.rules.up_after) {
                    return None;
                }
                let change = Change::Ended(outage.clone(), outage.end(&answered[0]));
                self.standing = Standing::Answers { last_reply: Some(check.at) };
                Some(change)
            }
        }
    }

    /// Whether an outage is on.
    pub fn is_out(&self) -> bool {
        matches!(self.standing, Standing::Out { .. })
    }

    /// Silence is an outage once it is long enough.
    fn doubt(&mut self, outage: Outage) -> Option<Change> {
        if outage.checks_failed < i64::from(self.rules.down_after) {
            self.standing = Standing::Doubtful(outage);
            return None;
        }
        self.standing = Standing::Out { outage: outage.clone(), answered: Vec::new() };
        Some(Change::Began(outage))
    }
}

/// Whether an answered check was made before the silence, and only came later. What lies behind the present was dated by
/// a clock that has been set back since: then the order in which checks come is right.
fn is_belated(check: &Check, outage: &Outage, now: UtcMillis) -> bool {
    !check.is_silent() && check.at < outage.start && outage.start <= now
}

#[cfg(test)]
#[path = "outage_tests.rs"]
mod tests;
