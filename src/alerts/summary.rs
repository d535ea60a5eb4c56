//! What an alert says, taken from its events.

use serde_json::Value;

use super::plan::{Alert, Class, Repeated};
use crate::pure::cause::Cause;
use crate::pure::model::{AlertKind, EventId, EventKind};
use crate::pure::time::{UtcMillis, parse_instant, whole_seconds};
use crate::store::OutageEvent;

/// What a digest stands for.
pub struct Digest {
    pub notices: usize,
    /// Since the oldest of them.
    pub minutes: u64,
    pub is_quality: bool,
}

/// What the events of an alert have in common.
pub struct Summary {
    pub names: Vec<String>,
    /// The names with the former ones.
    pub full_names: Vec<String>,
    /// Those of the hosts whose outage is ongoing.
    pub still_down: Vec<String>,
    pub address: String,
    pub event_type: Option<EventKind>,
    pub ids: Vec<EventId>,
    pub start: Option<UtcMillis>,
    /// When the last event ended; `None` while one is ongoing.
    pub end: Option<UtcMillis>,
    /// The cause that is nearest to this machine.
    pub cause: Cause,
    /// The evidence for that cause, as JSON.
    pub evidence: Value,
    /// A degraded check, or a loss.
    pub facts: Value,
    pub repeated: Option<Repeated>,
    pub digest: Option<Digest>,
}

impl Summary {
    pub fn of(alert: &Alert, now: UtcMillis) -> Summary {
        let events = &alert.events;
        let ends: Option<Vec<UtcMillis>> = events.iter().map(|event| event.end_time).collect();
        let judged = events
            .iter()
            .filter_map(|event| event.cause.map(|cause| (cause, event)))
            .min_by_key(|(cause, _)| *cause);
        let evidence = judged
            .and_then(|(_, event)| event.facts.as_deref())
            .and_then(|facts| serde_json::from_str(facts).ok());
        let mut summary = Summary {
            still_down: events
                .iter()
                .filter(|event| event.end_time.is_none())
                .map(OutageEvent::name)
                .collect(),
            cause: judged.map_or(Cause::Unknown, |(cause, _)| cause),
            evidence: evidence.unwrap_or(Value::Null),
            names: events.iter().map(|event| event.host_name.clone()).collect(),
            full_names: events.iter().map(OutageEvent::name).collect(),
            address: events
                .first()
                .map(|event| event.host_address.clone())
                .unwrap_or_default(),
            event_type: events.first().map(|event| event.event_type),
            ids: events.iter().map(|event| event.id).collect(),
            start: events.iter().filter_map(|event| event.start_time).min(),
            end: ends.and_then(|ends| ends.into_iter().max()),
            facts: Value::Null,
            repeated: alert.repeated,
            digest: None,
        };
        if alert.kind == AlertKind::Digest {
            summary.names = alert.host_names.clone();
            summary.full_names = alert.host_names.clone();
            (summary.start, summary.end) = (Some(alert.oldest_at), None);
            summary.cause = Cause::Unknown;
            summary.ids.clear();
            summary.digest = Some(Digest {
                notices: alert.ids.len(),
                minutes: (now.0 - alert.oldest_at.0)
                    .max(1)
                    .unsigned_abs()
                    .div_ceil(60_000),
                is_quality: alert.class == Class::Quality,
            });
            return summary;
        }
        if events.is_empty()
            && let Some(facts) = alert
                .facts
                .as_deref()
                .and_then(|facts| serde_json::from_str::<Value>(facts).ok())
        {
            let word = |name: &str| facts[name].as_str().unwrap_or_default().to_string();
            (summary.names, summary.address) = (vec![word("host_name")], word("host_address"));
            let (of, start) = match alert.kind {
                AlertKind::Loss => (&facts["loss"], "start_time"),
                AlertKind::Database => (&facts["database"], "found_at"),
                _ => (&facts["check"], "timestamp"),
            };
            let instant = |name: &str| of[name].as_str().and_then(parse_instant);
            (summary.start, summary.end) = (instant(start), instant("end_time"));
            summary.facts = of.clone();
        }
        summary
    }

    pub fn seconds(&self) -> Option<i64> {
        self.end
            .zip(self.start)
            .map(|(end, start)| whole_seconds(&(start..end)))
    }
}
