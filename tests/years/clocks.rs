//! What the clocks of the simulated machine show. Instants are nanoseconds since the scenario began.

use super::random::mix;
use super::scenario::{Scenario, What};
use super::world::{BEGIN_MS, MS};

/// The clocks from an instant on.
#[derive(Clone, Copy, Debug)]
struct ClockPart {
    from: i64,
    monotonic: i64,
    boottime: i64,
    /// The wall clock minus the truth, apart from the slew.
    ahead: i64,
    is_asleep: bool,
}

/// From an instant on the wall clock runs too fast or too slow.
#[derive(Clone, Copy, Debug)]
struct Slew {
    from: i64,
    /// By so much it is wrong then.
    ahead: i64,
    /// Millionths.
    rate: i64,
}

impl Slew {
    fn ahead(&self, at: i64) -> i64 {
        self.ahead + (at - self.from) / 1000 * self.rate / 1000
    }
}

#[derive(Debug)]
pub struct Clocks {
    parts: Vec<ClockPart>,
    slews: Vec<Slew>,
    /// When no time service has set the clock.
    unsynchronised: Vec<(i64, i64)>,
}

impl Clocks {
    pub fn new(scenario: &Scenario) -> Clocks {
        Clocks {
            parts: clock_parts(scenario),
            slews: slews(scenario),
            unsynchronised: unsynchronised(scenario),
        }
    }

    fn part(&self, at: i64) -> &ClockPart {
        let index = self.parts.partition_point(|part| part.from <= at);
        &self.parts[index.saturating_sub(1)]
    }

    fn slew(&self, at: i64) -> i64 {
        let index = self.slews.partition_point(|slew| slew.from <= at);
        (index.checked_sub(1)).map_or(0, |index| self.slews[index].ahead(at))
    }

    pub fn monotonic(&self, at: i64) -> i64 {
        let part = self.part(at);
        part.monotonic + if part.is_asleep { 0 } else { at - part.from }
    }

    pub fn boottime(&self, at: i64) -> i64 {
        let part = self.part(at);
        part.boottime + at - part.from
    }

    /// Nanoseconds since 1970.
    pub fn wall(&self, at: i64) -> i64 {
        BEGIN_MS * MS + at + self.part(at).ahead + self.slew(at)
    }

    /// By how much the wall clock was set ahead of the truth.
    pub fn ahead(&self, at: i64) -> i64 {
        self.part(at).ahead
    }

    /// From when the wall clock was last right before `at` until it is right again it was wrong by these
    /// and by nothing: the largest difference between two of them that is below `limit`.
    pub fn difference_below(&self, at: i64, limit: i64) -> i64 {
        let index = self.parts.partition_point(|part| part.from <= at);
        let (before, after) = self.parts.split_at(index);
        let is_wrong = |part: &&ClockPart| part.ahead != 0;
        let mut wrong: Vec<i64> = before
            .iter()
            .rev()
            .take_while(is_wrong)
            .map(|part| part.ahead)
            .collect();
        if wrong.is_empty() {
            return 0;
        }
        wrong.extend(after.iter().take_while(is_wrong).map(|part| part.ahead));
        wrong.push(0);
        wrong.sort_unstable();
        let differences = wrong.windows(2).map(|pair| pair[1] - pair[0]);
        differences.filter(|by| *by < limit).max().unwrap_or(0)
    }

    /// The instant of which the record should have this time, in milliseconds since 1970: a clock that
    /// was set is corrected, one that is slewed is not.
    pub fn instant_of(&self, recorded_ms: i64) -> i64 {
        let recorded = (recorded_ms - BEGIN_MS).saturating_mul(MS);
        let mut at = recorded;
        // The slew changes by less than a thousandth of what `at` does.
        for _ in 0..4 {
            at = recorded - self.slew(at);
        }
        at
    }

    /// Whether a time service says that the wall clock is right.
    pub fn is_synchronised(&self, at: i64) -> bool {
        let known = |(from, until): &(i64, i64)| (*from..*until).contains(&at);
        !self.unsynchronised.iter().any(known)
    }

    /// Which boot of the machine it is.
    pub fn boot(&self, at: i64) -> usize {
        let index = self.parts.partition_point(|part| part.from <= at);
        self.parts[..index]
            .iter()
            .filter(|part| part.monotonic == 0)
            .count()
    }

    /// The first instant at or after `at` at which the monotonic clock shows that.
    pub fn when_monotonic(&self, at: i64, monotonic: i64) -> i64 {
        let mut index = self
            .parts
            .partition_point(|part| part.from <= at)
            .saturating_sub(1);
        loop {
            let part = &self.parts[index];
            let next = self.parts.get(index + 1);
            if !part.is_asleep {
                let found = part.from + monotonic.saturating_sub(part.monotonic);
                if next.is_none_or(|next| found <= next.from) {
                    return found.max(at);
                }
            }
            index += 1;
            if index == self.parts.len() {
                return i64::MAX;
            }
        }
    }
}

fn clock_parts(scenario: &Scenario) -> Vec<ClockPart> {
    let mut changes: Vec<(i64, What, bool)> = Vec::new();
    for fault in &scenario.faults {
        let what = match fault.what {
            What::Unset => What::Clock(-BEGIN_MS - fault.from),
            what @ (What::PowerCut | What::Sleep | What::Clock(_)) => what,
            _ => continue,
        };
        changes.push((fault.from * MS, what, true));
        changes.push((fault.until * MS, what, false));
    }
    changes.sort_by_key(|(at, ..)| *at);
    let mut parts = vec![ClockPart {
        from: 0,
        // The machine was booted a while ago.
        monotonic: 100_000 * MS,
        boottime: 100_000 * MS,
        ahead: 0,
        is_asleep: false,
    }];
    for (at, what, is_begin) in changes {
        let last = parts.last().expect("there is a first");
        let passed = at - last.from;
        let mut part = ClockPart {
            from: at,
            monotonic: last.monotonic + if last.is_asleep { 0 } else { passed },
            boottime: last.boottime + passed,
            ..*last
        };
        match (what, is_begin) {
            (What::PowerCut, true) => continue,
            (What::PowerCut, false) => (part.monotonic, part.boottime) = (0, 0),
            (What::Sleep, is_asleep) => part.is_asleep = is_asleep,
            (What::Clock(by), true) => part.ahead += by * MS,
            (What::Clock(by), false) => part.ahead -= by * MS,
            _ => {}
        }
        parts.push(part);
    }
    parts
}

fn slews(scenario: &Scenario) -> Vec<Slew> {
    let mut slews = Vec::new();
    for fault in &scenario.faults {
        let What::Slew(rate) = fault.what else {
            continue;
        };
        let from = fault.from * MS;
        let half = (fault.until - fault.from) * MS / 2;
        let first = Slew {
            from,
            ahead: 0,
            rate,
        };
        let second = Slew {
            from: from + half,
            ahead: first.ahead(from + half),
            rate: -rate,
        };
        let end = Slew {
            from: from + 2 * half,
            ahead: 0,
            rate: 0,
        };
        slews.extend([first, second, end]);
    }
    slews
}

/// After a boot and after each time that the clock is set a time service needs a while, and it does
/// not say that a wrong clock is right.
fn unsynchronised(scenario: &Scenario) -> Vec<(i64, i64)> {
    let spans = scenario.faults.iter().filter_map(|fault| {
        let from = match fault.what {
            What::PowerCut => fault.until,
            What::Clock(_) | What::Unset => fault.from,
            _ => return None,
        };
        let takes = mix(scenario.seed ^ fault.until.unsigned_abs()) % 300;
        let takes = i64::try_from(takes).expect("it is small") * 1000 * MS;
        Some((from * MS, fault.until * MS + takes))
    });
    spans.collect()
}
