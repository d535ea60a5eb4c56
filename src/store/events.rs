//! Outages on record: the rows of `outage_events`. Each check that is written passes through its host's state machine
//! (outage.rs) in the same transaction, so that events and checks never disagree. Nothing is remembered from one commit to
//! the next: the open events and the newest checks say where a host stands, also after a restart, after a commit that
//! failed, and where several processes write. While every host answers that is one look at an empty index a commit.

use std::collections::HashMap;

use rusqlite::types::FromSql;
use rusqlite::{Connection, OptionalExtension, Row, params};
use serde::Serialize;

use super::reader::text;
use crate::model::{CheckResult, Host};
use crate::outage::{Change, Check, End, Outage, Pings, Rules, Watch};
use crate::time::{LATEST_MS, UtcMillis, parse_naive_ms};

/// A row of `outage_events`; times as text in UTC, `YYYY-MM-DD HH:MM:SS.sss`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[expect(missing_docs, reason = "the fields are the columns, which the contract names")]
pub struct OutageEvent {
    pub id: i64,
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
    pub earliest_start: Option<String>,
    pub packets_sent: Option<i64>,
    pub packets_lost: Option<i64>,
    /// Which of the hosts with this address; `None` for what was taken over or written with plain SQL.
    #[serde(skip)]
    pub host_id: Option<i64>,
}

impl OutageEvent {
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
pub(super) const COLUMNS: &str = "id, host_name, host_address, event_type, start_time, end_time, duration_seconds, checks_failed, \
                                  checks_during_outage, recovery_success_rate, notes, earliest_start, packets_sent, \
                                  packets_lost, host_id";

/// Reads an event. Whoever writes with plain SQL may write nonsense: it counts as nothing.
pub(super) fn read_event(row: &Row<'_>) -> rusqlite::Result<OutageEvent> {
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
    })
}

fn value<T: FromSql>(row: &Row<'_>, index: usize) -> Option<T> {
    row.get(index).unwrap_or(None)
}

/// The outages that are not over, oldest first.
pub(super) fn open_events(connection: &Connection) -> rusqlite::Result<Vec<OutageEvent>> {
    let open = format!("select {COLUMNS} from outage_events where end_time is null order by start_time, id");
    connection.prepare_cached(&open)?.query_map([], read_event)?.collect()
}

/// What `event_type` says of a host that does not answer.
const OUTAGE: &str = "outage";

/// The hosts of a transaction that are not simply well.
pub(super) struct Outages<'c> {
    connection: &'c Connection,
    rules: Rules,
    now: UtcMillis,
    /// Open events of hosts that had no check in this transaction yet.
    open: HashMap<i64, Open>,
    /// Open events that only say an address.
    open_by_address: HashMap<String, Open>,
    watches: HashMap<i64, Watched>,
}

/// An open event.
struct Open {
    event_id: i64,
    outage: Outage,
}

/// A host's state machine and the event it writes to.
struct Watched {
    watch: Watch,
    event_id: Option<i64>,
}

impl<'c> Outages<'c> {
    /// Looks at what is on record, inside the caller's transaction.
    pub fn look(connection: &'c Connection, rules: Rules, now: UtcMillis) -> rusqlite::Result<Outages<'c>> {
        let (mut open, mut open_by_address) = (HashMap::new(), HashMap::new());
        for event in open_events(connection)? {
            let Some(outage) = outage_of(&event) else { continue };
            let found = Open { event_id: event.id, outage };
            // Of several the newest: the others come in later transactions.
            match event.host_id {
                Some(host_id) => open.insert(host_id, found),
                None => open_by_address.insert(event.host_address, found),
            };
        }
        Ok(Outages { connection, rules, now, open, open_by_address, watches: HashMap::new() })
    }

    /// Takes a check that has just been written as made at `at`; writes what it changes.
    pub fn take(&mut self, host_id: i64, result: &CheckResult, at: UtcMillis) -> rusqlite::Result<()> {
        let check = Check { at, sent: result.sent(), received: result.received() };
        if !check.is_measured() {
            return Ok(());
        }
        let known = match self.watches.remove(&host_id) {
            Some(watched) => Some(watched),
            None => self.resume(host_id, &result.host, at)?,
        };
        let mut watched = match known {
            Some(watched) => watched,
            None if check.is_silent() => Watched { watch: self.look_back(host_id, at)?, event_id: None },
            // All is well: nothing is asked, written or kept.
            None => return Ok(()),
        };
        if let Some(change) = watched.watch.take(&check, self.now) {
            watched.event_id = self.record(host_id, &result.host, watched.event_id, &change)?;
        }
        self.watches.insert(host_id, watched);
        Ok(())
    }

    /// The state machine of a host that an open event is about.
    fn resume(&mut self, host_id: i64, host: &Host, at: UtcMillis) -> rusqlite::Result<Option<Watched>> {
        let own = self.open.remove(&host_id);
        let is_own = own.is_some();
        let Some(Open { event_id, outage }) = own.or_else(|| self.open_by_address.remove(&host.address)) else {
            return Ok(None);
        };
        // What was taken over may have ended long ago, as far as what was here already tells.
        if !is_own && let Some(reply) = self.first_reply(host_id, outage.start, at)? {
            let end = outage.end(&reply);
            self.record(host_id, host, Some(event_id), &Change::Ended(outage, end))?;
            return Ok(None);
        }
        let mut watch = Watch::resume(self.rules, outage);
        let answered = self.newest_checks(host_id, at, self.rules.up_after.saturating_sub(1))?;
        for check in answered.iter().take_while(|check| !check.is_silent()).collect::<Vec<_>>().into_iter().rev() {
            watch.take(check, self.now);
        }
        Ok(Some(Watched { watch, event_id: Some(event_id) }))
    }

    /// The state machine of a host without an open event, as its newest checks before `at` leave it.
    fn look_back(&self, host_id: i64, at: UtcMillis) -> rusqlite::Result<Watch> {
        let newest = self.newest_checks(host_id, at, self.rules.down_after)?;
        let silent = newest.iter().take_while(|check| check.is_silent()).count();
        let mut watch = Watch::new(self.rules, newest.get(silent).map(|check| check.at));
        // More silence than that is of an event that somebody has deleted.
        let counted = silent.min(usize::from(self.rules.down_after.saturating_sub(1)));
        for check in newest[..counted].iter().rev() {
            watch.take(check, self.now);
        }
        Ok(watch)
    }

    /// At most so many checks of a host before an instant, newest first.
    fn newest_checks(&self, host_id: i64, before: UtcMillis, limit: u16) -> rusqlite::Result<Vec<Check>> {
        const NEWEST: &str = "select checked_at, sent, received from check_result where host_id = ?1 and checked_at < ?2
                               order by checked_at desc limit ?3";
        if limit == 0 {
            return Ok(Vec::new());
        }
        self.connection.prepare_cached(NEWEST)?.query_map(params![host_id, before.0, limit], read_check)?.collect()
    }

    /// The first check with a reply between two instants.
    fn first_reply(&self, host_id: i64, after: UtcMillis, before: UtcMillis) -> rusqlite::Result<Option<Check>> {
        const FIRST: &str = "select checked_at, sent, received from check_result
                              where host_id = ?1 and checked_at > ?2 and checked_at < ?3 and received > 0
                              order by checked_at limit 1";
        self.connection.prepare_cached(FIRST)?.query_row(params![host_id, after.0, before.0], read_check).optional()
    }

    /// Writes a change into the host's event; says which that is while it is open.
    fn record(&self, host_id: i64, host: &Host, event_id: Option<i64>, change: &Change) -> rusqlite::Result<Option<i64>> {
        const BEGIN: &str = "insert into outage_events(host_name, host_address, event_type, start_time) values(?1, ?2, ?3, ?4)";
        const WRITE: &str = "update outage_events set host_id = ?2, start_time = ?3, earliest_start = ?4, checks_failed = ?5,
                checks_during_outage = ?6, packets_sent = ?7, packets_lost = ?8, end_time = ?9, duration_seconds = ?10,
                recovery_success_rate = ?11 where id = ?1";
        let (outage, end): (&Outage, Option<&End>) = match change {
            Change::Began(outage) | Change::GoesOn(outage) => (outage, None),
            Change::Ended(outage, end) => (outage, Some(end)),
        };
        let start = outage.start.sql_text();
        let event_id = match event_id {
            Some(event_id) => event_id,
            None => {
                self.connection.prepare_cached(BEGIN)?.execute(params![host.name, host.address, OUTAGE, start])?;
                self.connection.last_insert_rowid()
            }
        };
        self.connection.prepare_cached(WRITE)?.execute(params![
            event_id,
            host_id,
            start,
            outage.earliest_start.map(UtcMillis::sql_text),
            outage.checks_failed,
            outage.checks,
            outage.pings.map(|pings| pings.sent),
            outage.pings.map(|pings| pings.lost),
            end.map(|end| end.at.sql_text()),
            end.map(|end| end.duration_seconds),
            end.map(|end| end.success_rate),
        ])?;
        Ok(end.is_none().then_some(event_id))
    }
}

/// A check as a row has it. What the original noted as sent to nobody had failed; nonsense is silence too.
fn read_check(row: &Row<'_>) -> rusqlite::Result<Check> {
    let count = |index| value::<u32>(row, index).unwrap_or(0);
    Ok(Check { at: UtcMillis(row.get(0)?), sent: count(1).max(1), received: count(2) })
}

/// An open event as the state machine has it; `None` where it is no outage, or nobody can tell since when.
fn outage_of(event: &OutageEvent) -> Option<Outage> {
    let instant = |text: &str| parse_naive_ms(text).filter(|ms| (0..=LATEST_MS).contains(ms)).map(UtcMillis);
    let pings = event.packets_sent.zip(event.packets_lost).map(|(sent, lost)| Pings { sent, lost });
    let outage = Outage {
        start: instant(&event.start_time)?,
        earliest_start: event.earliest_start.as_deref().and_then(instant),
        checks_failed: event.checks_failed.unwrap_or(0),
        checks: event.checks_during_outage.unwrap_or(0),
        pings,
    };
    (event.event_type == OUTAGE).then_some(outage)
}
