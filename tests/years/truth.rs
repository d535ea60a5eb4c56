//! What a monitor can find out about a host, by what is true: when it answers, when it is silent,
//! and when neither can be demanded of the record.

use super::play::{Played, spans_of};
use super::scenario::{Place, Scenario, What};
use super::world::MS;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    Answers,
    Silent,
    /// Some packets are lost at random: any check may be silent.
    Lossy,
    /// Nothing can be sent, or the monitor does not run, or what it found was lost with it.
    Unknown,
}

#[derive(Clone, Copy, Debug)]
pub struct Span {
    pub from: i64,
    pub until: i64,
    pub class: Class,
}

impl Span {
    pub fn length(&self) -> i64 {
        self.until - self.from
    }
}

/// What the network does to a host's pings, whether the monitor runs or not.
pub fn network(scenario: &Scenario, played: &Played, index: usize) -> Vec<Span> {
    let place = scenario.hosts[index];
    let is_beyond = place.is_beyond();
    let mut spans = Vec::new();
    for (from, until, state) in played.world.spans(scenario.length * MS) {
        let class = if !state.can_send(place) {
            Class::Unknown
        } else if !state.reaches(place, state.pinged(place, index)) {
            Class::Silent
        } else if state.loss > 0 && is_beyond {
            Class::Lossy
        } else {
            Class::Answers
        };
        spans.push(Span { from, until, class });
    }
    spans
}

/// The spans of a host, in order and without gaps; two that follow each other differ.
pub fn spans(scenario: &Scenario, played: &Played, index: usize) -> Vec<Span> {
    let unknown = unknown_spans(scenario, played, index);
    let mut spans: Vec<Span> = Vec::new();
    let mut add = |from: i64, until: i64, class: Class| {
        if from >= until {
            return;
        }
        match spans.last_mut() {
            Some(last) if last.class == class => last.until = until,
            _ => spans.push(Span { from, until, class }),
        }
    };
    let mut next = unknown.iter().peekable();
    for Span { from, until, class } in network(scenario, played, index) {
        let mut at = from;
        while let Some(&&(begin, stop)) = next.peek() {
            if begin >= until {
                break;
            }
            add(at, begin.max(at), class);
            add(begin.max(at), stop.min(until), Class::Unknown);
            at = at.max(stop.min(until));
            if stop > until {
                break;
            }
            next.next();
        }
        add(at, until, class);
    }
    spans
}

/// When the monitor cannot know of a host apart from the network, joined.
fn unknown_spans(scenario: &Scenario, played: &Played, index: usize) -> Vec<(i64, i64)> {
    let end = scenario.length * MS;
    let mut unknown = Vec::new();
    let mut at = 0;
    for run in &played.runs {
        for (from, until) in spans_of(run, index, scenario.hosts.len()) {
            unknown.push((at, from));
            at = until;
            if scenario.hosts[index] == Place::Named {
                unknown.push((from, resolves_at(scenario, from)));
            }
        }
        at = run.unwritten_since.unwrap_or(at);
    }
    unknown.push((at, end));
    for fault in &scenario.faults {
        let span = (fault.from * MS, fault.until * MS);
        let is_named = scenario.hosts[index] == Place::Named;
        match fault.what {
            What::Stopped => unknown.push(span),
            What::Moved | What::Misled if is_named => {
                for at in [span.0, span.1] {
                    unknown.push((at, followed_at(scenario, at)));
                }
            }
            _ => {}
        }
    }
    unknown.retain(|(from, until)| from < until);
    unknown.sort_unstable();
    let mut joined: Vec<(i64, i64)> = Vec::new();
    for (from, until) in unknown {
        match joined.last_mut() {
            Some(last) if from <= last.1 => last.1 = last.1.max(until),
            _ => joined.push((from, until)),
        }
    }
    joined
}

/// Whether names do not resolve meanwhile.
fn hinders(what: What) -> bool {
    matches!(
        what,
        What::Names
            | What::NoSuchName
            | What::Provider
            | What::ProviderOf(4)
            | What::Router
            | What::Cable
            | What::Route
            | What::RouteOf(4)
    )
}

/// Until a name whose lookup begins at `at` is known: the monitor has no address before.
fn resolves_at(scenario: &Scenario, at: i64) -> i64 {
    let mut until = at;
    for fault in (scenario.faults.iter()).filter(|fault| hinders(fault.what)) {
        if fault.from * MS <= until + 60_000 * MS && fault.until * MS > until {
            until = fault.until * MS;
        }
    }
    if until > at { until + 60_000 * MS } else { at }
}

/// Until the address is pinged to which a name leads since `at`: each check looks it up, and its
/// first pings may be under way then.
fn followed_at(scenario: &Scenario, at: i64) -> i64 {
    let between = scenario.spacing * i64::from(scenario.ping_count);
    let check_takes = (between + scenario.timeout + 2000) * MS;
    let next_check = scenario.interval * MS + check_takes;
    let mut until = at;
    for fault in &scenario.faults {
        let is_in_the_way = hinders(fault.what) || fault.what.is_of_monitor();
        let ended = fault.until * MS + 60_000 * MS;
        if is_in_the_way && fault.from * MS <= until + next_check && ended > until {
            until = ended;
        }
    }
    if until > at {
        until + next_check
    } else {
        at + check_takes
    }
}

/// The class at an instant.
pub fn at(spans: &[Span], at: i64) -> Class {
    let index = spans.partition_point(|span| span.from <= at);
    spans[index.saturating_sub(1)].class
}
