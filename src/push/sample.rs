//! An event for the tests of the formats.

use crate::pure::model::{EventId, EventKind, HostId};
use crate::pure::time::UtcMillis;
use crate::store::OutageEvent;

/// An ongoing outage.
pub fn event(host_name: &str, start: UtcMillis) -> OutageEvent {
    OutageEvent {
        id: EventId(7),
        host_name: host_name.into(),
        host_address: "192.0.2.1".into(),
        event_type: EventKind::Outage,
        start_time: Some(start),
        end_time: None,
        duration_seconds: None,
        checks_failed: None,
        checks_during_outage: None,
        recovery_success_rate: None,
        notes: None,
        cause: None,
        earliest_start: None,
        packets_sent: None,
        packets_lost: None,
        path: None,
        planned: false,
        facts: None,
        former_name: None,
        distinction: String::new(),
        answered_since: None,
        host_id: Some(HostId(1)),
        is_removed: false,
    }
}
