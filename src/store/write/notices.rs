//! Writes notices, which src/alerts/ sends, in the transaction that records what they are
//! about, so that none is lost and none is wrong. A notice has only the ids of its events: the
//! alert describes them as they are recorded when it is sent.

use super::loss;
use super::outages::Changed;
use crate::pure::incident::{self, OutageSpan};
use crate::pure::model::{AlertKind, AlertKinds, CheckResult, EventId, EventKind, HostId, State};
use crate::pure::outage::OutageChange;
use crate::pure::stats;
use crate::pure::time::{DAY_MS, UtcMillis};
use crate::store::columns::{ReadRows, flag, instant_of, pings, text, value};
use crate::store::event::{COLUMNS, OutageEvent, read_event};
use rusqlite::{Connection, Row, ToSql, params};
use serde_json::json;
use std::path::Path;

/// More than an unstable line causes in a month without a successful alert.
const MAX_WAITING: i64 = 10_000;

/// Dropped together, so that one log line reports all of them.
const DROPPED_AT_ONCE: i64 = 1000;

const SENT_RETENTION_MS: i64 = 30 * DAY_MS;

/// How much earlier an event of the same incident may have begun: the limit of incident.rs, and
/// a margin.
const MAX_INCIDENT_MS: i64 = 3_700_000;

/// The configured kinds of notices, and whether a notice was written since this was last read.
#[derive(Clone, Copy, Debug, Default)]
pub struct PendingNotices {
    pub kinds: AlertKinds,
    pub is_new: bool,
}

impl PendingNotices {
    pub fn note(&mut self, has_notices: bool) {
        self.is_new |= has_notices;
    }
}

/// What may need a notice, collected during a transaction.
pub struct Notices<'c> {
    connection: &'c Connection,
    kinds: AlertKinds,
    now: UtcMillis,
    changes: Vec<Change>,
    pub log_lines: Vec<String>,
}

enum Change {
    Began(EventId),
    Ended(EventId),
    /// With the JSON of the check.
    Degraded(String),
    /// With its JSON.
    Loss(String),
    /// With its JSON.
    Database(String),
}

impl<'c> Notices<'c> {
    /// Within the caller's transaction.
    pub fn new(connection: &'c Connection, pending: PendingNotices, now: UtcMillis) -> Notices<'c> {
        Notices {
            connection,
            kinds: pending.kinds,
            now,
            changes: Vec::new(),
            log_lines: Vec::new(),
        }
    }

    pub fn add_changes(&mut self, changed: &[Changed]) {
        for Changed {
            event_id, change, ..
        } in changed
        {
            match change {
                OutageChange::Began(_) => self.began(*event_id),
                OutageChange::Ended(..) => self.ended(*event_id),
                OutageChange::Continues(_) => {}
            }
        }
    }

    pub fn began(&mut self, event_id: EventId) {
        self.changes.push(Change::Began(event_id));
    }

    pub fn ended(&mut self, event_id: EventId) {
        self.changes.push(Change::Ended(event_id));
    }

    /// Adds a change if a check that was recorded at `at` is degraded and its host was up before.
    /// After silence a degraded check is part of the recovery.
    pub fn check_degraded(
        &mut self,
        host_id: HostId,
        result: &CheckResult,
        at: UtcMillis,
    ) -> rusqlite::Result<()> {
        const BEFORE: &str =
            "select sent, received, avg_us from check_result where host_id = ?1 and checked_at < ?2
                               order by checked_at desc limit 1";
        if !self.kinds.contains(AlertKind::Degraded)
            || result.received() == 0
            || result.state() == State::Up
        {
            return Ok(());
        }
        let judge = |row: &Row<'_>| {
            let (sent, received) = pings(row, 0);
            let (sent, received) = (sent.unsigned_abs(), received.unsigned_abs());
            Ok(result.thresholds.judge(sent, received, value(row, 2)))
        };
        let before = self
            .connection
            .prepare_cached(BEFORE)?
            .read_first(params![host_id, at.0], judge)?;
        if before == Some(State::Up) {
            let (sent, received) = (result.sent(), result.received());
            let check = json!({
                "timestamp": at.rfc3339(),
                "state": result.state().as_str(),
                "sent": sent,
                "received": received,
                "success_rate": stats::success_rate(i64::from(sent), i64::from(received)),
                "avg_us": result.avg_us(),
            });
            let facts = json!({ "host_name": result.host.name, "host_address": result.host.address.as_str(), "check": check });
            self.changes.push(Change::Degraded(facts.to_string()));
        }
        Ok(())
    }

    /// Adds a change if a host began or ceased to lose pings with a check that was recorded at `at`.
    pub fn check_loss(
        &mut self,
        host_id: HostId,
        result: &CheckResult,
        at: UtcMillis,
    ) -> rusqlite::Result<()> {
        if self.kinds.contains(AlertKind::Loss) {
            let facts = loss::record_check(self.connection, host_id, result, at)?;
            self.changes.extend(facts.map(Change::Loss));
        }
        Ok(())
    }

    /// The database is damaged; `aside` is where the file is now, if it was set aside.
    pub fn database(&mut self, text: &str, aside: Option<&Path>) {
        let aside = aside.map(|path| path.to_string_lossy());
        let found_at = self.now.rfc3339();
        let facts =
            json!({ "database": { "text": text, "found_at": found_at, "set_aside": aside } });
        self.changes.push(Change::Database(facts.to_string()));
    }

    /// Writes the notices; returns whether there are any.
    pub fn write(self) -> rusqlite::Result<bool> {
        if self.kinds.is_empty() || self.changes.is_empty() {
            return Ok(false);
        }
        let incidents = if self.kinds.contains(AlertKind::Incident) {
            self.incidents()?
        } else {
            Vec::new()
        };
        for change in &self.changes {
            match change {
                Change::Began(event_id) => {
                    match incidents.iter().find(|members| members.contains(event_id)) {
                        Some(members) => self.join(*event_id, members)?,
                        None => self.add(AlertKind::Down, &[*event_id], None)?,
                    }
                }
                Change::Ended(event_id) => self.end(*event_id)?,
                Change::Degraded(facts) => self.add(AlertKind::Degraded, &[], Some(facts))?,
                Change::Loss(facts) => self.add(AlertKind::Loss, &[], Some(facts))?,
                Change::Database(facts) => self.add(AlertKind::Database, &[], Some(facts))?,
            }
        }
        self.drop_oldest()?;
        Ok(true)
    }

    /// Ids of the events of each incident that has a new event.
    fn incidents(&self) -> rusqlite::Result<Vec<Vec<EventId>>> {
        let began: Vec<EventId> = self
            .changes
            .iter()
            .filter_map(|change| {
                if let Change::Began(id) = change {
                    Some(*id)
                } else {
                    None
                }
            })
            .collect();
        let events = format!(
            "select {COLUMNS} from outage_events where start_time >= ?1 and event_type <> ?2 and not planned"
        );
        let first = "select min(start_time) from outage_events where id >= ?1 and id <= ?2";
        let (Some(low), Some(high)) = (began.iter().min(), began.iter().max()) else {
            return Ok(Vec::new());
        };
        let first = self
            .connection
            .prepare_cached(first)?
            .read_first(params![low, high], |row| text(row, 0))?
            .flatten();
        let Some(first) = first.as_deref().and_then(instant_of) else {
            return Ok(Vec::new());
        };
        let since = UtcMillis((first.0 - MAX_INCIDENT_MS).max(0)).sql_text();
        let events: Vec<OutageEvent> = self
            .connection
            .prepare_cached(&events)?
            .read_all(params![since, EventKind::LinkDown.as_str()], read_event)?;
        let (mut dated, mut spans) = (Vec::new(), Vec::new());
        for event in &events {
            let Some(start) = event.start_time else {
                continue;
            };
            spans.push(OutageSpan {
                host: event.host(),
                earliest_start: event.earliest_start,
                start,
                end: event.end_time,
                is_last: false,
            });
            dated.push(event);
        }
        let is_current =
            |event: &OutageEvent| event.end_time.is_none() || began.contains(&event.id);
        let current_of = |members: Vec<usize>| {
            members
                .iter()
                .map(|index| dated[*index])
                .filter(|e| is_current(e))
                .map(|e| e.id)
                .collect()
        };
        let current = incident::incidents(&spans).into_iter().map(current_of);
        Ok(current
            .filter(|members: &Vec<EventId>| members.len() > 1)
            .collect())
    }

    /// An event that began together with others. The first makes the notice of the incident,
    /// which replaces the unsent notices of its events; later ones are reported when it ends.
    fn join(&self, event_id: EventId, members: &[EventId]) -> rusqlite::Result<()> {
        const JOIN: &str = "insert into notice_event(event_id, notice_id) values(?1, ?2)";
        const WITHDRAW: &str = "delete from notice where kind = 'down' and told_at is null
                                   and id in (select notice_id from notice_event where event_id = ?1)";
        if self.incident_of(event_id)?.is_some() {
            return Ok(());
        }
        for member in members {
            if let Some(notice_id) = self.incident_of(*member)? {
                return self
                    .connection
                    .prepare_cached(JOIN)?
                    .execute(params![event_id, notice_id])
                    .map(|_| ());
            }
        }
        for member in members {
            self.connection
                .prepare_cached(WITHDRAW)?
                .execute([member])?;
        }
        self.add(AlertKind::Incident, members, None)
    }

    /// An event that ended: it has a notice of its own, or one for its whole incident when that
    /// ended.
    fn end(&self, event_id: EventId) -> rusqlite::Result<()> {
        const IS_SENT: &str =
            "select exists(select 1 from notice_event e join notice n on n.id = e.notice_id
                                              where e.event_id = ?1 and n.kind = 'up')";
        const IS_ONGOING: &str =
            "select exists(select 1 from notice_event e join outage_events o on o.id = e.event_id
                                              where e.notice_id = ?1 and o.end_time is null)";
        const MEMBERS: &str =
            "select event_id from notice_event where notice_id = ?1 order by event_id";
        let Some(notice_id) = self.incident_of(event_id)? else {
            return self.add(AlertKind::Up, &[event_id], None);
        };
        if self.exists(IS_SENT, event_id)? || self.exists(IS_ONGOING, notice_id)? {
            return Ok(());
        }
        let members: Vec<EventId> = self
            .connection
            .prepare_cached(MEMBERS)?
            .read_all([notice_id], |row| row.get(0))?;
        self.add(AlertKind::Up, &members, None)
    }

    fn exists(&self, query: &str, id: impl ToSql) -> rusqlite::Result<bool> {
        self.connection
            .prepare_cached(query)?
            .read_first([id], |row| Ok(flag(row, 0)))
            .map(|found| found == Some(true))
    }

    /// The notice of the incident that an event is part of.
    fn incident_of(&self, event_id: EventId) -> rusqlite::Result<Option<i64>> {
        const INCIDENT: &str = "select n.id from notice_event e join notice n on n.id = e.notice_id
                                 where e.event_id = ?1 and n.kind = 'incident'";
        self.connection
            .prepare_cached(INCIDENT)?
            .read_first([event_id], |row| row.get(0))
    }

    fn add(
        &self,
        kind: AlertKind,
        events: &[EventId],
        facts: Option<&str>,
    ) -> rusqlite::Result<()> {
        const ADD: &str = "insert into notice(made_at, kind, facts) values(?1, ?2, ?3)";
        const ABOUT: &str = "insert into notice_event(event_id, notice_id) values(?1, ?2)";
        if !self.kinds.contains(kind) {
            return Ok(());
        }
        self.connection
            .prepare_cached(ADD)?
            .execute(params![self.now.0, kind.as_str(), facts])?;
        let notice_id = self.connection.last_insert_rowid();
        let mut about = self.connection.prepare_cached(ABOUT)?;
        events
            .iter()
            .try_for_each(|event_id| about.execute(params![event_id, notice_id]).map(|_| ()))
    }

    fn drop_oldest(&self) -> rusqlite::Result<()> {
        const WAITING: &str = "select count(*) from notice where told_at is null";
        const DROP: &str = "delete from notice where id in (select id from notice where told_at is null order by id limit ?1)";
        let waiting: i64 = self
            .connection
            .prepare_cached(WAITING)?
            .query_row([], |row| row.get(0))?;
        if waiting > MAX_WAITING {
            let dropped = self
                .connection
                .execute(DROP, [waiting - MAX_WAITING + DROPPED_AT_ONCE])?;
            log::error!(
                "alerts: {waiting} notices wait to be sent; the {dropped} oldest are dropped"
            );
        }
        Ok(())
    }
}

/// The result of one run of the command, which may report several notices.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoticeResult {
    pub ids: Vec<i64>,
    pub at: UtcMillis,
    /// `None` when they were sent.
    pub failure: Option<SendFailure>,
}

/// How an attempt failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SendFailure {
    /// Program and exit status, or why it did not run.
    pub end: String,
    /// Its last line of output.
    pub output: String,
}

/// Records the result of sending notices, and deletes notices that were sent long ago.
pub fn record_result(connection: &Connection, result: &NoticeResult) -> rusqlite::Result<()> {
    const SENT: &str = "update notice set tries = tries + 1, told_at = ?2 where id = ?1";
    const FAILED: &str = "update notice set tries = tries + 1, failed_at = ?2, failure = ?3, output = ?4 where id = ?1";
    const DELETE: &str = "delete from notice where told_at < ?1";
    let at = result.at.0;
    let Some(failure) = &result.failure else {
        let mut sent = connection.prepare_cached(SENT)?;
        for id in &result.ids {
            sent.execute(params![id, at])?;
        }
        return connection
            .prepare_cached(DELETE)?
            .execute([at - SENT_RETENTION_MS])
            .map(|_| ());
    };
    let mut failed = connection.prepare_cached(FAILED)?;
    result.ids.iter().try_for_each(|id| {
        failed
            .execute(params![id, at, failure.end, failure.output])
            .map(|_| ())
    })
}
