//! Finds a shorter scenario that fails in the same way.

use super::random::whole;
use super::scenario::{DAY, Fault, HOUR, MINUTE, Place, SECOND, Scenario};

/// The faults of the hours before and after what is wrong, with their times.
pub fn around(scenario: &Scenario, wrong: &str) -> Scenario {
    let mut part = scenario.clone();
    let at = instant_of(wrong).unwrap_or(0);
    (part.faults).retain(|fault| fault.from < at + 6 * HOUR && fault.until > at - 6 * HOUR);
    part
}

/// What is wrong, without the numbers: a shorter scenario has others.
fn kind(wrong: &str) -> String {
    let letters = |c: &char| !c.is_ascii_digit() && *c != '.';
    wrong.chars().filter(letters).collect()
}

/// `judge` returns what is wrong with a scenario; `first` is what was wrong with this one.
pub fn shrink(
    scenario: &Scenario,
    first: &str,
    judge: &dyn Fn(&Scenario) -> Vec<String>,
) -> Scenario {
    let wanted = kind(first);
    let fails = |candidate: &Scenario| judge(candidate).iter().any(|wrong| kind(wrong) == wanted);
    let mut best = scenario.clone();
    let attempt = |best: &mut Scenario, change: &dyn Fn(&mut Scenario)| {
        let mut candidate = best.clone();
        change(&mut candidate);
        candidate.settle();
        let is_better = candidate != *best && fails(&candidate);
        if is_better {
            *best = candidate;
        }
        is_better
    };
    // What comes long before it and after it, in one step where a short time is enough.
    let at = instant_of(first);
    for margin in [2 * HOUR, 8 * HOUR, 2 * DAY, 14 * DAY, 90 * DAY] {
        let is_short =
            at.is_some_and(|at| attempt(&mut best, &|candidate| crop(candidate, at, margin)));
        if is_short {
            break;
        }
    }
    let mut size = best.faults.len().div_ceil(2).max(1);
    loop {
        let mut index = 0;
        while index < best.faults.len() {
            let removed = attempt(&mut best, &|candidate| {
                let until = (index + size).min(candidate.faults.len());
                candidate.faults.drain(index..until);
            });
            if !removed {
                index += size;
            }
        }
        if size == 1 {
            break;
        }
        size = size.div_ceil(2);
    }
    attempt(&mut best, &|candidate| {
        let first = candidate.faults.first().map_or(0, |fault| fault.from);
        let by = (first - candidate.interval).max(0) / candidate.interval * candidate.interval;
        move_by(&mut candidate.faults, by);
        candidate.length -= by;
    });
    attempt(&mut best, &|candidate| {
        let last = candidate.faults.iter().map(|fault| fault.until).max();
        candidate.length = last.unwrap_or(0) + 3 * candidate.interval + 10 * MINUTE;
    });
    for number in (1..best.hosts.len()).rev() {
        attempt(&mut best, &|candidate| {
            candidate.hosts.remove(number);
        });
    }
    for index in 0..best.hosts.len() {
        attempt(&mut best, &|candidate| candidate.hosts[index] = Place::Far);
    }
    attempt(&mut best, &|candidate| candidate.down_after = 1);
    attempt(&mut best, &|candidate| candidate.up_after = 1);
    attempt(&mut best, &|candidate| candidate.probes = SECOND);
    for index in 0..best.faults.len() {
        while attempt(&mut best, &|candidate| {
            let last = candidate.faults.len() - 1;
            let fault = &mut candidate.faults[index.min(last)];
            fault.until = fault.from + (fault.until - fault.from) / 2;
        }) {}
    }
    best
}

/// Leaves a part of the scenario. It begins whole intervals later, so that the faults hit the same
/// pings.
fn crop(scenario: &mut Scenario, at: i64, margin: i64) {
    let by = (at - margin).max(0) / scenario.interval * scenario.interval;
    let kept = by..at + margin;
    (scenario.faults).retain(|fault| kept.contains(&fault.from) && kept.contains(&fault.until));
    move_by(&mut scenario.faults, by);
    scenario.length = (scenario.length - by).min(kept.end - by);
}

fn move_by(faults: &mut [Fault], by: i64) {
    for fault in faults {
        fault.from -= by;
        fault.until -= by;
    }
}

/// The instant that a message ends with, in milliseconds.
fn instant_of(wrong: &str) -> Option<i64> {
    let seconds: f64 = wrong.rsplit(" at ").next()?.parse().ok()?;
    Some(whole(seconds * 1000.0))
}
