//! The rows of `outage_events`, as they are read.

use rusqlite::types::ValueRef;
use rusqlite::{Connection, Row};
use serde::Serialize;

use super::columns::{ReadRows, flag, instant_of, sum, text, value};
use crate::pure::cause::Cause;
use crate::pure::model::{EventId, EventKind, HostId};
use crate::pure::time::{LATEST_MS, UtcMillis, whole_seconds};

/// A row of `outage_events`. Its JSON has these fields, and times in RFC 3339.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct OutageEvent {
    pub id: EventId,
    /// The host's present name.
    pub host_name: String,
    pub host_address: String,
    pub event_type: EventKind,
    /// `None` where another program has written something that is not a time.
    pub start_time: Option<UtcMillis>,
    /// `None` while it is ongoing.
    pub end_time: Option<UtcMillis>,
    pub duration_seconds: Option<i64>,
    pub checks_failed: Option<i64>,
    pub checks_during_outage: Option<i64>,
    pub recovery_success_rate: Option<f64>,
    pub notes: Option<String>,
    pub cause: Option<Cause>,
    /// The last reply before it.
    pub earliest_start: Option<UtcMillis>,
    pub packets_sent: Option<i64>,
    pub packets_lost: Option<i64>,
    /// How far packets got.
    #[serde(serialize_with = "as_json")]
    pub path: Option<String>,
    pub planned: bool,
    /// The evidence for the cause.
    #[serde(serialize_with = "as_json")]
    pub facts: Option<String>,
    /// The host's name when the event was recorded, where that is another.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub former_name: Option<String>,
    /// ` (IPv4) via eth0`: what distinguishes the host from another one with its address and name.
    #[serde(skip)]
    pub distinction: String,
    /// The first reply of a host that does not count as up yet.
    #[serde(skip)]
    pub answered_since: Option<UtcMillis>,
    /// `None` in imported events and those of other programs.
    #[serde(skip)]
    pub host_id: Option<HostId>,
    /// Whether it ended because the host was removed from the configuration.
    #[serde(skip)]
    pub is_removed: bool,
}

impl OutageEvent {
    /// The host's id and address: several hosts have the same address, and some events no id.
    pub(in crate::store) fn host(&self) -> (Option<HostId>, &str) {
        (self.host_id, &self.host_address)
    }

    /// Whether the evidence is that the gateway answered and nothing beyond it did. Also without any
    /// evidence.
    pub fn only_gateway_answered(&self) -> bool {
        let facts: Option<serde_json::Value> = self
            .facts
            .as_deref()
            .and_then(|facts| serde_json::from_str(facts).ok());
        facts.is_none_or(|facts| {
            facts["gateway"] == "answers" && facts["on_path_answering"].as_u64().unwrap_or(0) == 0
        })
    }

    /// The name for people: `NEW (was OLD)` for a host that was renamed since.
    pub fn name(&self) -> String {
        match &self.former_name {
            Some(former) => format!("{} (was {former})", self.distinct_name()),
            None => self.distinct_name(),
        }
    }

    /// The present name.
    pub fn distinct_name(&self) -> String {
        format!("{}{}", self.host_name, self.distinction)
    }
}

/// The columns of an event in the order in which [`read_event`] reads them.
pub const COLUMNS: &str = "id, host_name, host_address, event_type, start_time, end_time, duration_seconds, checks_failed, \
                                  checks_during_outage, recovery_success_rate, notes, earliest_start, packets_sent, \
                                  packets_lost, host_id, cause, facts, path, planned, answered_since, removed, \
                                  (select h.name from former_name f join host h on h.id = f.host_id \
                                    where f.host_id = outage_events.host_id and f.name = outage_events.host_name), \
                                  (select case when h.family and max(o.family <> h.family) then ' (IPv' || h.family || ')' \
                                                    else '' end \
                                            || case when h.source <> '' and max(coalesce(o.source, '') <> h.source) \
                                                    then ' via ' || h.source else '' end \
                                     from host h join host o on o.address = h.address and o.name = h.name \
                                    where h.id = outage_events.host_id)";

/// Other programs may have written anything; what cannot be read counts as missing.
pub fn read_event(row: &Row<'_>) -> rusqlite::Result<OutageEvent> {
    let words = |index| text(row, index).unwrap_or(None);
    let word = |index| {
        row.get_ref(index)
            .ok()
            .and_then(|value| value.as_str().ok())
    };
    let instant = |index| word(index).and_then(instant_of);
    let sum = |index| sum(row, index);
    let start_time = instant(4);
    // Even an unreadable end means that the event is over.
    let end_time = match row.get_ref(5)? {
        ValueRef::Null => None,
        _ => instant(5).or(start_time).or(Some(UtcMillis(0))),
    };
    let recorded = words(1).unwrap_or_default();
    let present = words(21).unwrap_or_else(|| recorded.clone());
    Ok(OutageEvent {
        id: row.get(0)?,
        host_name: present.clone(),
        host_address: words(2).unwrap_or_default(),
        event_type: word(3).map_or(EventKind::Unknown, EventKind::from_word),
        start_time,
        end_time,
        // Recorded ones of earlier versions were cut, not rounded.
        duration_seconds: match (start_time, end_time) {
            (Some(start), Some(end)) if end >= start => Some(whole_seconds(&(start..end))),
            _ => sum(6).filter(|seconds| *seconds <= LATEST_MS / 1000),
        },
        checks_failed: sum(7),
        checks_during_outage: sum(8),
        recovery_success_rate: value(row, 9).filter(|rate| (0.0..=100.0).contains(rate)),
        notes: words(10),
        earliest_start: instant(11),
        packets_sent: sum(12),
        packets_lost: sum(13),
        host_id: value(row, 14),
        cause: word(15).and_then(Cause::from_word),
        facts: words(16),
        path: words(17),
        planned: flag(row, 18),
        former_name: (present != recorded).then_some(recorded),
        distinction: words(22).unwrap_or_default(),
        answered_since: instant(19),
        is_removed: flag(row, 20),
    })
}

/// Serialises a text that contains JSON as that JSON, and as `null` if it is not valid, which only
/// plain SQL can cause.
fn as_json<S: serde::Serializer>(text: &Option<String>, serializer: S) -> Result<S::Ok, S::Error> {
    let value: Option<serde_json::Value> = text
        .as_deref()
        .and_then(|text| serde_json::from_str(text).ok());
    value.serialize(serializer)
}

/// Oldest first.
pub fn open_events(connection: &Connection) -> rusqlite::Result<Vec<OutageEvent>> {
    let open = format!(
        "select {COLUMNS} from outage_events where end_time is null order by start_time, id"
    );
    connection.prepare_cached(&open)?.read_all([], read_event)
}
