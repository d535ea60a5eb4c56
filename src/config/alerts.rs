//! The section `alerts`.

use std::time::Duration;

use super::key::{Key, SectionKeys, Without};
use super::kind::{List, Range, Time, Whole};
use super::problem::{Problems, shorten};
use super::section::Section;
use crate::pure::model::{AlertKind, AlertKinds};

const COMMAND: Key<List, Without> = Key {
    name: "command",
    kind: List {
        what: "a list of words",
        detail: ": the program and its arguments",
    },
    default: Without("no alerts are sent"),
};
const EVENTS: Key<List, [AlertKind; 5]> = Key {
    name: "events",
    kind: List {
        what: "a list",
        detail: "",
    },
    default: [
        AlertKind::Down,
        AlertKind::Up,
        AlertKind::Incident,
        AlertKind::Loss,
        AlertKind::Database,
    ],
};
const TIMEOUT: Key<Time, Duration> = Key {
    name: "timeout_seconds",
    kind: Range::new(0.1, 3600.0).seconds(),
    default: Duration::from_secs(30),
};
const MAX_PER_HOUR: Key<Whole, u16> = Key {
    name: "most_per_hour",
    kind: Whole::new(1, 3600).of("notices"),
    default: 60,
};

pub(super) const KEYS: SectionKeys = SectionKeys {
    path: "alerts",
    keys: &[COMMAND.name, EVENTS.name, TIMEOUT.name, MAX_PER_HOUR.name],
};

#[derive(Clone, Debug, PartialEq)]
pub struct AlertsConfig {
    /// The program and its arguments; empty for no alerts.
    pub command: Vec<String>,
    pub events: Vec<AlertKind>,
    /// How long the command may run.
    pub timeout: Duration,
    /// Limit of notices per hour.
    pub max_per_hour: u16,
}

impl AlertsConfig {
    /// The kinds of events that are reported: none without a command.
    pub fn kinds(&self) -> AlertKinds {
        if self.command.is_empty() {
            AlertKinds::default()
        } else {
            self.events.iter().copied().collect()
        }
    }
}

pub(super) fn read(problems: &mut Problems, section: &Section<'_>) -> AlertsConfig {
    AlertsConfig {
        command: section
            .words(problems, &COMMAND, COMMAND.default.0)
            .unwrap_or_default(),
        events: read_events(problems, section),
        timeout: section.value(problems, &TIMEOUT),
        max_per_hour: section.value(problems, &MAX_PER_HOUR),
    }
}

fn read_events(problems: &mut Problems, section: &Section<'_>) -> Vec<AlertKind> {
    let [first @ .., last] = EVENTS.default.map(AlertKind::as_str);
    let otherwise = format!("{} and {last} used", first.join(", "));
    let Some(words) = section.words(problems, &EVENTS, &otherwise) else {
        return EVENTS.default.to_vec();
    };
    let mut events = Vec::new();
    for word in words {
        match AlertKind::from_word(&word) {
            Some(kind) => events.push(kind),
            None => {
                let known = AlertKind::ALL.map(AlertKind::as_str).join(", ");
                let wrong = format!("\"{}\" is none of {known}", shorten(&word));
                section.report(problems, EVENTS.name, &wrong, "left out");
            }
        }
    }
    events
}
