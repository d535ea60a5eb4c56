//! What is said of notices whose evidence is any JSON: a sentence, JSON and variables for each.

use super::Bytes;
use super::readers::word;
use crate::pure::cause::Cause;
use crate::pure::incident::GroupingRules;
use crate::pure::model::{AlertKind, EventId, EventKind, HostId};
use crate::pure::time::UtcMillis;
use crate::store::{Notice, OutageEvent};

const NOW: UtcMillis = UtcMillis(1_762_086_896_007);

fn instant(bytes: &mut Bytes<'_>) -> UtcMillis {
    UtcMillis(NOW.0 - i64::from(u32::from_le_bytes(bytes.array())))
}

fn optional<T>(bytes: &mut Bytes<'_>, read: impl Fn(&mut Bytes<'_>) -> T) -> Option<T> {
    let is_there = bytes.byte() & 1 == 1;
    is_there.then(|| read(bytes))
}

fn words(bytes: &mut Bytes<'_>) -> String {
    let len = usize::from(bytes.byte());
    String::from_utf8_lossy(bytes.take(len)).into_owned()
}

fn event(bytes: &mut Bytes<'_>) -> OutageEvent {
    let kinds = ["outage", "dns", "link_down", "intermittent", "?"];
    let causes = ["link", "gateway", "provider", "dns", "host", "unknown"];
    let kind = kinds[usize::from(bytes.byte()) % kinds.len()];
    let cause = causes[usize::from(bytes.byte()) % causes.len()];
    OutageEvent {
        id: EventId(i64::from(bytes.byte())),
        host_name: words(bytes),
        host_address: words(bytes),
        event_type: EventKind::from_word(kind),
        start_time: optional(bytes, instant),
        end_time: optional(bytes, instant),
        duration_seconds: optional(bytes, |bytes| i64::from(bytes.byte())),
        checks_failed: None,
        checks_during_outage: None,
        recovery_success_rate: None,
        notes: optional(bytes, words),
        cause: optional(bytes, |_| cause).and_then(Cause::from_word),
        earliest_start: optional(bytes, instant),
        packets_sent: None,
        packets_lost: None,
        path: optional(bytes, words),
        planned: false,
        facts: optional(bytes, words),
        former_name: optional(bytes, words),
        distinction: String::new(),
        answered_since: None,
        host_id: optional(bytes, |bytes| HostId(i64::from(bytes.byte() % 4))),
        is_removed: bytes.byte() & 1 == 1,
    }
}

pub fn run(data: &[u8]) {
    let mut bytes = Bytes(data);
    let mut notices = Vec::new();
    while !bytes.is_empty() && notices.len() < 20 {
        let kind = AlertKind::ALL[usize::from(bytes.byte()) % AlertKind::ALL.len()];
        let facts = optional(&mut bytes, words);
        let events = usize::from(bytes.byte() % 4);
        notices.push(Notice {
            id: i64::try_from(notices.len()).unwrap_or(0),
            made_at: instant(&mut bytes),
            kind,
            tries: u32::from(bytes.byte()),
            events: (0..events).map(|_| event(&mut bytes)).collect(),
            facts,
            sent_at: optional(&mut bytes, instant),
        });
    }
    word(&notices, &GroupingRules::default(), NOW);
}
