//! The rows of `outage_events`, as they are read.

use rusqlite::{Connection, Row};
use serde::Serialize;

use super::columns::{instant_of, text, value};
use crate::pure::cause::Cause;
use crate::pure::model::{EventId, HostId};
use crate::pure::time::UtcMillis;

/// A row of `outage_events`; times as text in UTC, `YYYY-MM-DD HH:MM:SS.sss`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[expect(
    missing_docs,
    reason = "the fields are the columns, which the contract names"
)]
pub struct OutageEvent {
    pub id: EventId,
    pub host_name: String,
    pub host_address: String,
    pub event_type: String,
    pub start_time: String,
    pub end_time: Option<String>,
    pub duration_seconds: Option<i64>,
    pub checks_failed: Option<i64>,
    pub checks_during_outage: Option<i64>,
    pub recovery_success_rate: Option<f64>,
    pub notes: Option<String>,
    pub cause: Option<String>,
    pub earliest_start: Option<String>,
    pub packets_sent: Option<i64>,
    pub packets_lost: Option<i64>,
    /// How far packets got.
    #[serde(serialize_with = "as_json")]
    pub path: Option<String>,
    pub planned: bool,
    /// What the cause rests on.
    #[serde(serialize_with = "as_json")]
    pub facts: Option<String>,
    /// The first reply of a host that is not yet counted as back.
    #[serde(skip)]
    pub answered_since: Option<String>,
    /// Which of the hosts with this address; `None` for what was taken over or written with plain
    /// SQL.
    #[serde(skip)]
    pub host_id: Option<HostId>,
}

impl OutageEvent {
    /// When it began; `None` where its row says nonsense.
    pub fn start(&self) -> Option<UtcMillis> {
        instant_of(&self.start_time)
    }

    /// When it was over; `None` while it goes on, and where its row says nonsense.
    pub fn end(&self) -> Option<UtcMillis> {
        self.end_time.as_deref().and_then(instant_of)
    }

    /// The last reply before it.
    pub fn earliest(&self) -> Option<UtcMillis> {
        self.earliest_start.as_deref().and_then(instant_of)
    }

    /// Its cause, where it was judged.
    pub fn cause(&self) -> Option<Cause> {
        self.cause.as_deref().and_then(Cause::from_word)
    }

    /// Which host it is of: addresses have several, and what was taken over says none.
    pub(in crate::store) fn of_host(&self) -> (Option<HostId>, &str) {
        (self.host_id, &self.host_address)
    }

    /// The same event with its times as RFC 3339 has them.
    pub fn with_rfc3339_times(&self) -> OutageEvent {
        let rfc3339 = |text: &str| format!("{}Z", text.replacen(' ', "T", 1));
        OutageEvent {
            start_time: rfc3339(&self.start_time),
            end_time: self.end_time.as_deref().map(rfc3339),
            earliest_start: self.earliest_start.as_deref().map(rfc3339),
            ..self.clone()
        }
    }
}

/// The columns of an event in the order in which [`read_event`] takes them.
pub const COLUMNS: &str = "id, host_name, host_address, event_type, start_time, end_time, duration_seconds, checks_failed, \
                                  checks_during_outage, recovery_success_rate, notes, earliest_start, packets_sent, \
                                  packets_lost, host_id, cause, facts, path, planned, answered_since";

/// Reads an event. Whoever writes with plain SQL may write nonsense: it counts as nothing.
pub fn read_event(row: &Row<'_>) -> rusqlite::Result<OutageEvent> {
    let words = |index| text(row, index).unwrap_or(None);
    Ok(OutageEvent {
        id: row.get(0)?,
        host_name: words(1).unwrap_or_default(),
        host_address: words(2).unwrap_or_default(),
        event_type: words(3).unwrap_or_default(),
        start_time: words(4).unwrap_or_default(),
        end_time: words(5),
        duration_seconds: value(row, 6),
        checks_failed: value(row, 7),
        checks_during_outage: value(row, 8),
        recovery_success_rate: value(row, 9),
        notes: words(10),
        earliest_start: words(11),
        packets_sent: value(row, 12),
        packets_lost: value(row, 13),
        host_id: value(row, 14),
        cause: words(15),
        facts: words(16),
        path: words(17),
        planned: value(row, 18).unwrap_or(false),
        answered_since: words(19),
    })
}

/// A text that is JSON as what it says; `null` where it is none, which only plain SQL can bring
/// about.
fn as_json<S: serde::Serializer>(text: &Option<String>, serializer: S) -> Result<S::Ok, S::Error> {
    let value: Option<serde_json::Value> = text
        .as_deref()
        .and_then(|text| serde_json::from_str(text).ok());
    value.serialize(serializer)
}

/// The outages that are not over, oldest first.
pub fn open_events(connection: &Connection) -> rusqlite::Result<Vec<OutageEvent>> {
    let open = format!(
        "select {COLUMNS} from outage_events where end_time is null order by start_time, id"
    );
    connection
        .prepare_cached(&open)?
        .query_map([], read_event)?
        .collect()
}

/// What `event_type` says of a host that does not answer.
pub const OUTAGE: &str = "outage";

/// What it says where nothing can be sent.
pub const LINK_DOWN: &str = "link_down";

/// What it says of a name that does not resolve.
pub const DNS: &str = "dns";

/// What `event_type` says of several outages in a short time.
pub const INTERMITTENT: &str = "intermittent";
