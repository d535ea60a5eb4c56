//! The notices that wait until somebody has heard them. They are written in the transaction that
//! records what they are about, so that none is lost and none is invented; of events they hold only
//! the ids, and what is told is what is on record of them by then. Who tells them: src/alerts/.

use super::outages::Changed;
use crate::pure::incident::{self, OutageSpan};
use crate::pure::model::{AlertKind, AlertKinds, CheckResult, EventId, EventKind, HostId, State};
use crate::pure::outage::OutageChange;
use crate::pure::time::UtcMillis;
use crate::store::columns::{instant_of, value};
use crate::store::event::{COLUMNS, OutageEvent, read_event};
use rusqlite::{Connection, OptionalExtension, Row, ToSql, params};
use serde_json::json;

/// More than wait when a line that comes and goes is told to nobody for a month.
const MAX_WAITING: i64 = 10_000;

/// How many are given up together, so that it is said once for all of them.
const GIVEN_UP: i64 = 1000;

/// How long it is kept what was told.
const TOLD_KEPT_MS: i64 = 30 * 86_400_000;

/// How far back events may have begun together with one that begins now: what incident.rs takes for
/// possible, and some more.
const TOGETHER_MS: i64 = 3_700_000;

/// What is told, and whether there is something new to tell.
#[derive(Clone, Copy, Debug, Default)]
pub struct Spool {
    pub kinds: AlertKinds,
    pub is_new: bool,
}

impl Spool {
    /// A transaction with or without something to tell was committed.
    pub fn note(&mut self, has_spooled: bool) {
        self.is_new |= has_spooled;
    }
}

/// What happened in a transaction that somebody may want to be told.
pub struct Notices<'c> {
    connection: &'c Connection,
    kinds: AlertKinds,
    now: UtcMillis,
    moments: Vec<Moment>,
    /// What is worth a line in the log.
    pub news: Vec<String>,
}

enum Moment {
    Began(EventId),
    Ended(EventId),
    /// With the JSON of what is told.
    Degraded(String),
}

impl<'c> Notices<'c> {
    /// Nothing yet, inside the caller's transaction.
    pub fn new(connection: &'c Connection, spool: Spool, now: UtcMillis) -> Notices<'c> {
        Notices {
            connection,
            kinds: spool.kinds,
            now,
            moments: Vec::new(),
            news: Vec::new(),
        }
    }

    /// What became of outages.
    pub fn take(&mut self, changed: &[Changed]) {
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

    /// An event began.
    pub fn began(&mut self, event_id: EventId) {
        self.moments.push(Moment::Began(event_id));
    }

    /// An event is over.
    pub fn ended(&mut self, event_id: EventId) {
        self.moments.push(Moment::Ended(event_id));
    }

    /// Looks at a check that has just been written as made at `at`: whether its host answers badly
    /// and was up before. A host that was silent is on its way back.
    pub fn look_at(
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
            let count = |index| u64::from(value::<u32>(row, index).unwrap_or(0));
            Ok(result.thresholds.judge(count(0), count(1), value(row, 2)))
        };
        let before = self
            .connection
            .prepare_cached(BEFORE)?
            .query_row(params![host_id, at.0], judge)
            .optional()?;
        if before == Some(State::Up) {
            let (sent, received) = (result.sent(), result.received());
            let check = json!({
                "timestamp": at.rfc3339(),
                "state": result.state().as_str(),
                "sent": sent,
                "received": received,
                "success_rate": f64::from(received) * 100.0 / f64::from(sent),
                "avg_us": result.avg_us(),
            });
            let facts = json!({ "host_name": result.host.name, "host_address": result.host.address.as_str(), "check": check });
            self.moments.push(Moment::Degraded(facts.to_string()));
        }
        Ok(())
    }

    /// Writes what is to be told of it; says whether there is anything.
    pub fn spool(self) -> rusqlite::Result<bool> {
        if self.kinds.is_empty() || self.moments.is_empty() {
            return Ok(false);
        }
        let incidents = if self.kinds.contains(AlertKind::Incident) {
            self.incidents()?
        } else {
            Vec::new()
        };
        for moment in &self.moments {
            match moment {
                Moment::Began(event_id) => {
                    match incidents.iter().find(|members| members.contains(event_id)) {
                        Some(members) => self.join(*event_id, members)?,
                        None => self.add(AlertKind::Down, &[*event_id], None)?,
                    }
                }
                Moment::Ended(event_id) => self.end(*event_id)?,
                Moment::Degraded(facts) => self.add(AlertKind::Degraded, &[], Some(facts))?,
            }
        }
        self.give_up_oldest()?;
        Ok(true)
    }

    /// Events that began together and are not over, of those that begin now; by their ids.
    fn incidents(&self) -> rusqlite::Result<Vec<Vec<EventId>>> {
        let began: Vec<EventId> = self
            .moments
            .iter()
            .filter_map(|moment| {
                if let Moment::Began(id) = moment {
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
        let first: Option<String> = self
            .connection
            .prepare_cached(first)?
            .query_row(params![low, high], |row| row.get(0))?;
        let Some(first) = first.as_deref().and_then(instant_of) else {
            return Ok(Vec::new());
        };
        let since = UtcMillis((first.0 - TOGETHER_MS).max(0)).sql_text();
        let events: Vec<OutageEvent> = self
            .connection
            .prepare_cached(&events)?
            .query_map(params![since, EventKind::LinkDown.as_str()], read_event)?
            .collect::<rusqlite::Result<_>>()?;
        let (mut dated, mut spells) = (Vec::new(), Vec::new());
        for event in &events {
            let Some(start) = event.start_time else {
                continue;
            };
            spells.push(OutageSpan {
                host: event.host(),
                earliest_start: event.earliest_start,
                start,
                end: event.end_time,
            });
            dated.push(event);
        }
        let is_live = |event: &OutageEvent| event.end_time.is_none() || began.contains(&event.id);
        let live_of = |members: Vec<usize>| {
            members
                .iter()
                .map(|index| dated[*index])
                .filter(|e| is_live(e))
                .map(|e| e.id)
                .collect()
        };
        let live = incident::incidents(&spells).into_iter().map(live_of);
        Ok(live
            .filter(|members: &Vec<EventId>| members.len() > 1)
            .collect())
    }

    /// An event that began together with others: the first of them makes the incident, and takes
    /// the place of what was to be told of each; the later ones are told at its end.
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

    /// An event that is over: told by itself, or with the incident that it is part of when that is
    /// over.
    fn end(&self, event_id: EventId) -> rusqlite::Result<()> {
        const IS_TOLD: &str =
            "select exists(select 1 from notice_event e join notice n on n.id = e.notice_id
                                              where e.event_id = ?1 and n.kind = 'up')";
        const GOES_ON: &str =
            "select exists(select 1 from notice_event e join outage_events o on o.id = e.event_id
                                              where e.notice_id = ?1 and o.end_time is null)";
        const MEMBERS: &str =
            "select event_id from notice_event where notice_id = ?1 order by event_id";
        let Some(notice_id) = self.incident_of(event_id)? else {
            return self.add(AlertKind::Up, &[event_id], None);
        };
        if self.ask(IS_TOLD, event_id)? || self.ask(GOES_ON, notice_id)? {
            return Ok(());
        }
        let mut members = self.connection.prepare_cached(MEMBERS)?;
        let members: Vec<EventId> = members
            .query_map([notice_id], |row| row.get(0))?
            .collect::<rusqlite::Result<_>>()?;
        self.add(AlertKind::Up, &members, None)
    }

    fn ask(&self, question: &str, id: impl ToSql) -> rusqlite::Result<bool> {
        self.connection
            .prepare_cached(question)?
            .query_row([id], |row| row.get(0))
    }

    /// The notice of the incident that an event is part of.
    fn incident_of(&self, event_id: EventId) -> rusqlite::Result<Option<i64>> {
        const INCIDENT: &str = "select n.id from notice_event e join notice n on n.id = e.notice_id
                                 where e.event_id = ?1 and n.kind = 'incident'";
        self.connection
            .prepare_cached(INCIDENT)?
            .query_row([event_id], |row| row.get(0))
            .optional()
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

    fn give_up_oldest(&self) -> rusqlite::Result<()> {
        const WAITING: &str = "select count(*) from notice where told_at is null";
        const GIVE_UP: &str = "delete from notice where id in (select id from notice where told_at is null order by id limit ?1)";
        let waiting: i64 = self
            .connection
            .prepare_cached(WAITING)?
            .query_row([], |row| row.get(0))?;
        if waiting > MAX_WAITING {
            let given_up = self
                .connection
                .execute(GIVE_UP, [waiting - MAX_WAITING + GIVEN_UP])?;
            log::error!(
                "alerts: {waiting} notices wait to be told; the {given_up} oldest are given up"
            );
        }
        Ok(())
    }
}

/// What came of telling a notice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoticeResult {
    /// Its id.
    pub id: i64,
    /// When it was heard; `None` when it was not, this time.
    pub told_at: Option<UtcMillis>,
}

/// Writes what came of telling a notice, and forgets what was told long ago.
pub fn settle(connection: &Connection, fate: &NoticeResult) -> rusqlite::Result<()> {
    const SETTLE: &str = "update notice set tries = tries + 1, told_at = ?2 where id = ?1";
    const FORGET: &str = "delete from notice where told_at < ?1";
    connection
        .prepare_cached(SETTLE)?
        .execute(params![fate.id, fate.told_at.map(|at| at.0)])?;
    match fate.told_at {
        Some(at) => connection
            .prepare_cached(FORGET)?
            .execute([at.0 - TOLD_KEPT_MS])
            .map(|_| ()),
        None => Ok(()),
    }
}
