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
    let is_beyond = matches!(place, Place::Far | Place::Named);
    let mut spans = Vec::new();
    for (from, until, state) in played.world.spans(scenario.length * MS) {
        let class = if !state.can_send(place) {
            Class::Unknown
        } else if !state.reaches(place, index) {
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
        if run.is_killed {
            // What was not written yet.
            at = run.start.max(run.end - (scenario.flush + 3000) * MS);
        }
    }
    unknown.push((at, end));
    for fault in &scenario.faults {
        if fault.what == What::Stopped {
            unknown.push((fault.from * MS, fault.until * MS));
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

/// Until a name whose lookup begins at `at` is known: the monitor has no address before.
fn resolves_at(scenario: &Scenario, at: i64) -> i64 {
    let hinders = |what: What| {
        matches!(
            what,
            What::Names | What::Provider | What::Router | What::Cable | What::Route
        )
    };
    let mut until = at;
    for fault in scenario.faults.iter().filter(|fault| hinders(fault.what)) {
        if fault.from * MS <= until + 60_000 * MS && fault.until * MS > until {
            until = fault.until * MS;
        }
    }
    if until > at { until + 60_000 * MS } else { at }
}

/// The class at an instant.
pub fn at(spans: &[Span], at: i64) -> Class {
    let index = spans.partition_point(|span| span.from <= at);
    spans[index.saturating_sub(1)].class
}
