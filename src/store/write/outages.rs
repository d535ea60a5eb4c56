//! Recording outages. Each check that is written passes through its host's state machine
//! (outage.rs) in the same transaction, so that events and checks never disagree. Nothing is
//! remembered from one commit to the next: the open events and the newest checks say where a host
//! stands, also after a restart, after a commit that failed, and where several processes write.
//! While every host answers that is one look at an empty index a commit.

use crate::pure::model::{CheckResult, EventId, EventKind, Host, HostId, Probe};
use crate::pure::outage::{
    CheckSample, LastReply, Outage, OutageChange, OutageDetector, OutageEnd, OutageRules,
    PingCounts, ReplySpan,
};
use crate::pure::stats;
use crate::pure::time::UtcMillis;
use crate::store::columns::value;
use crate::store::event::{OutageEvent, open_events};
use rusqlite::{Connection, OptionalExtension, Row, params};
use std::collections::HashMap;
use std::sync::Arc;

/// The hosts of a transaction that are not simply well.
pub struct Outages<'c> {
    connection: &'c Connection,
    rules: OutageRules,
    now: UtcMillis,
    /// Open events of hosts that had no check in this transaction yet.
    open: HashMap<HostId, Open>,
    /// Open events that only say an address.
    open_by_address: HashMap<String, Open>,
    watches: HashMap<HostId, Watched>,
    /// What this transaction has changed, in the order of the changes.
    pub changed: Vec<Changed>,
}

/// An event that this transaction began, ended or went on with.
pub struct Changed {
    pub event_id: EventId,
    pub host: Arc<Host>,
    pub change: OutageChange,
}

/// An open event.
struct Open {
    event_id: EventId,
    outage: Outage,
}

/// What single pings have said of a host that is silent, but is not out yet.
#[derive(Clone, Copy, Default)]
struct Doubt {
    replied_at: Option<UtcMillis>,
    /// Pings since that nothing answered.
    lost: i64,
}

/// More than fit into the longest doubt: a damaged database may hold any number.
const MAX_DOUBTED_PINGS: i64 = 100_000;

/// A host's state machine and the event it writes to.
struct Watched {
    watch: OutageDetector,
    event_id: Option<EventId>,
}

impl<'c> Outages<'c> {
    /// Looks at what is on record, inside the caller's transaction.
    pub fn look(
        connection: &'c Connection,
        rules: OutageRules,
        now: UtcMillis,
    ) -> rusqlite::Result<Outages<'c>> {
        let (mut open, mut open_by_address) = (HashMap::new(), HashMap::new());
        for event in open_events(connection)? {
            let Some(outage) = outage_of(&event) else {
                continue;
            };
            let found = Open {
                event_id: event.id,
                outage,
            };
            // Of several the newest: the others come in later transactions.
            match event.host_id {
                Some(host_id) => open.insert(host_id, found),
                None => open_by_address.insert(event.host_address, found),
            };
        }
        Ok(Outages {
            connection,
            rules,
            now,
            open,
            open_by_address,
            watches: HashMap::new(),
            changed: Vec::new(),
        })
    }

    /// Takes a check that has just been written as made at `at`; writes what it changes.
    pub fn take(
        &mut self,
        host_id: HostId,
        result: &CheckResult,
        at: UtcMillis,
    ) -> rusqlite::Result<()> {
        let check = CheckSample::of(result, at);
        if !check.is_measured() {
            return Ok(());
        }
        let watched = self.watched(host_id, &result.host, at)?;
        let mut watched = match watched {
            Some(watched) => watched,
            None if check.is_silent() => Watched {
                watch: self.look_back(host_id, at)?.0,
                event_id: None,
            },
            // All is well: nothing is asked, written or kept.
            None => return Ok(()),
        };
        let change = watched.watch.add_check(&check, self.now);
        self.note(host_id, &result.host, watched, change)
    }

    /// Takes a ping between two checks.
    pub fn probe(&mut self, host_id: HostId, probe: &Probe) -> rusqlite::Result<()> {
        let mut watched = match self.watched(host_id, &probe.host, probe.at)? {
            Some(watched) => watched,
            // No outage is on, but one may be about to begin.
            None if self.rules.down_after > 1 => {
                let (watch, doubt) = self.look_back(host_id, probe.at)?;
                if !watch.needs_probing() {
                    return Ok(());
                }
                self.note_doubt(host_id, probe, doubt)?;
                // Not kept: what is noted says it all.
                return Ok(());
            }
            None => return Ok(()),
        };
        let change = watched.watch.add_probe(probe.at, probe.is_answered);
        self.note(host_id, &probe.host, watched, change)
    }

    fn note(
        &mut self,
        host_id: HostId,
        host: &Arc<Host>,
        mut watched: Watched,
        change: Option<OutageChange>,
    ) -> rusqlite::Result<()> {
        if let Some(change) = change {
            let (event_id, open) = self.record(host_id, host, watched.event_id, &change)?;
            watched.event_id = open;
            self.changed.push(Changed {
                event_id,
                host: Arc::clone(host),
                change,
            });
        }
        self.watches.insert(host_id, watched);
        Ok(())
    }

    /// The state machine of a host that is known not to be simply well.
    fn watched(
        &mut self,
        host_id: HostId,
        host: &Host,
        at: UtcMillis,
    ) -> rusqlite::Result<Option<Watched>> {
        match self.watches.remove(&host_id) {
            Some(watched) => Ok(Some(watched)),
            None => self.resume(host_id, host, at),
        }
    }

    /// Remembers what a single ping said of a host that is silent, but is not out yet.
    fn note_doubt(&self, host_id: HostId, probe: &Probe, before: Doubt) -> rusqlite::Result<()> {
        const NOTE: &str = "insert or replace into doubt(host_id, noted_at, replied_at, lost) values(?1, ?2, ?3, ?4)";
        let (replied_at, lost) = if probe.is_answered {
            (Some(probe.at.0), 0)
        } else {
            (before.replied_at.map(|at| at.0), before.lost + 1)
        };
        self.connection
            .prepare_cached(NOTE)?
            .execute(params![host_id, probe.at.0, replied_at, lost])
            .map(|_| ())
    }

    /// What single pings before `at` have said of a host since its newest answered check.
    fn doubt(
        &self,
        host_id: HostId,
        at: UtcMillis,
        newest: &[CheckSample],
    ) -> rusqlite::Result<Doubt> {
        const DOUBT: &str = "select replied_at, lost from doubt where host_id = ?1 and noted_at > ?2 and noted_at < ?3";
        if self.rules.down_after <= 1 {
            return Ok(Doubt::default());
        }
        let answered_at = newest
            .iter()
            .find(|check| !check.is_silent())
            .map_or(0, |check| check.at.0);
        let read = |row: &Row<'_>| {
            Ok(Doubt {
                replied_at: value(row, 0).map(UtcMillis),
                lost: value(row, 1).unwrap_or(0).clamp(0, MAX_DOUBTED_PINGS),
            })
        };
        let found = self
            .connection
            .prepare_cached(DOUBT)?
            .query_row(params![host_id, answered_at, at.0], read)
            .optional();
        Ok(found?.unwrap_or_default())
    }

    /// The state machine of a host that an open event is about.
    fn resume(
        &mut self,
        host_id: HostId,
        host: &Host,
        at: UtcMillis,
    ) -> rusqlite::Result<Option<Watched>> {
        let own = self.open.remove(&host_id);
        let is_own = own.is_some();
        let Some(Open { event_id, outage }) =
            own.or_else(|| self.open_by_address.remove(host.address.as_str()))
        else {
            return Ok(None);
        };
        // What was taken over may have ended long ago, as far as what was here already tells.
        if !is_own && let Some(reply) = self.first_reply(host_id, outage.start, at)? {
            let end = outage.end(&reply);
            self.record(
                host_id,
                host,
                Some(event_id),
                &OutageChange::Ended(outage, end),
            )?;
            return Ok(None);
        }
        let mut watch = OutageDetector::resume(self.rules, outage);
        let answered = self.newest_checks(host_id, at, self.rules.up_after.saturating_sub(1))?;
        for check in answered
            .iter()
            .take_while(|check| !check.is_silent())
            .collect::<Vec<_>>()
            .into_iter()
            .rev()
        {
            watch.add_check(check, self.now);
        }
        Ok(Some(Watched {
            watch,
            event_id: Some(event_id),
        }))
    }

    /// The state machine of a host without an open event, as its newest checks before `at` and the
    /// pings between them leave it; and these pings.
    fn look_back(
        &self,
        host_id: HostId,
        at: UtcMillis,
    ) -> rusqlite::Result<(OutageDetector, Doubt)> {
        let mut newest = self.newest_checks(host_id, at, self.rules.down_after)?;
        let doubt = self.doubt(host_id, at, &newest)?;
        // A single ping was answered behind these checks: their silence is over.
        if let Some(replied) = doubt.replied_at {
            newest.retain(|check| check.at > replied);
        }
        let silent = newest.iter().take_while(|check| check.is_silent()).count();
        let last = newest
            .get(silent)
            .map(CheckSample::last_reply)
            .or(doubt.replied_at.map(|at| LastReply {
                at,
                trailing_loss: None,
            }));
        let mut watch = OutageDetector::new(self.rules, last);
        // More silence than that is of an event that somebody has deleted.
        let counted = silent.min(usize::from(self.rules.down_after.saturating_sub(1)));
        for check in newest[..counted].iter().rev() {
            watch.add_check(check, self.now);
        }
        for _ in 0..doubt.lost {
            watch.add_probe(at, false);
        }
        Ok((watch, doubt))
    }

    /// At most so many checks of a host before an instant, newest first.
    fn newest_checks(
        &self,
        host_id: HostId,
        before: UtcMillis,
        limit: u16,
    ) -> rusqlite::Result<Vec<CheckSample>> {
        const NEWEST: &str = "select checked_at, sent, received, min_us, rtts, ping_spacing_ms
                                from check_result c join host h on h.id = c.host_id
                               where host_id = ?1 and checked_at < ?2 order by checked_at desc limit ?3";
        if limit == 0 {
            return Ok(Vec::new());
        }
        self.connection
            .prepare_cached(NEWEST)?
            .query_map(params![host_id, before.0, limit], read_check)?
            .collect()
    }

    /// The first check with a reply between two instants.
    fn first_reply(
        &self,
        host_id: HostId,
        after: UtcMillis,
        before: UtcMillis,
    ) -> rusqlite::Result<Option<CheckSample>> {
        const FIRST: &str = "select checked_at, sent, received, null, null, null from check_result
                              where host_id = ?1 and checked_at > ?2 and checked_at < ?3 and received > 0
                              order by checked_at limit 1";
        self.connection
            .prepare_cached(FIRST)?
            .query_row(params![host_id, after.0, before.0], read_check)
            .optional()
    }

    /// Writes a change into the host's event; says which that is, and again while it is open.
    fn record(
        &self,
        host_id: HostId,
        host: &Host,
        event_id: Option<EventId>,
        change: &OutageChange,
    ) -> rusqlite::Result<(EventId, Option<EventId>)> {
        const BEGIN: &str = "insert into outage_events(host_name, host_address, event_type, start_time) values(?1, ?2, ?3, ?4)";
        const WRITE: &str = "update outage_events set host_id = ?2, start_time = ?3, earliest_start = ?4, checks_failed = ?5,
                checks_during_outage = ?6, packets_sent = ?7, packets_lost = ?8, end_time = ?9, duration_seconds = ?10,
                recovery_success_rate = ?11, answered_since = ?12 where id = ?1";
        let (outage, end): (&Outage, Option<&OutageEnd>) = match change {
            OutageChange::Began(outage) | OutageChange::Continues(outage) => (outage, None),
            OutageChange::Ended(outage, end) => (outage, Some(end)),
        };
        let start = outage.start.sql_text();
        let event_id = match event_id {
            Some(event_id) => event_id,
            None => {
                self.connection.prepare_cached(BEGIN)?.execute(params![
                    host.name,
                    host.address.as_str(),
                    EventKind::Outage.as_str(),
                    start
                ])?;
                EventId(self.connection.last_insert_rowid())
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
            outage.answered_since.map(UtcMillis::sql_text),
        ])?;
        Ok((event_id, end.is_none().then_some(event_id)))
    }
}

/// A check as a row has it. What the original noted as sent to nobody had failed; nonsense is
/// silence too.
fn read_check(row: &Row<'_>) -> rusqlite::Result<CheckSample> {
    let count = |index| value::<u32>(row, index).unwrap_or(0);
    let at = UtcMillis(row.get(0)?);
    let rtts = row
        .get_ref(4)?
        .as_blob_or_null()
        .unwrap_or(None)
        .filter(|bytes| bytes.len() <= stats::MAX_RTTS_BYTES);
    let rtts = rtts.and_then(|bytes| stats::decode_rtts(bytes, count(3)));
    let replies = rtts
        .and_then(|rtts| ReplySpan::of(at, count(5), rtts.into_iter().map(|rtt| rtt.is_some())));
    Ok(CheckSample {
        at,
        sent: count(1).max(1),
        received: count(2),
        replies,
    })
}

/// An open event as the state machine has it; `None` where it is no outage, or nobody can tell
/// since when.
fn outage_of(event: &OutageEvent) -> Option<Outage> {
    let pings = event
        .packets_sent
        .zip(event.packets_lost)
        .map(|(sent, lost)| PingCounts { sent, lost });
    let outage = Outage {
        start: event.start_time?,
        earliest_start: event.earliest_start,
        checks_failed: event.checks_failed.unwrap_or(0),
        checks: event.checks_during_outage.unwrap_or(0),
        pings,
        answered_since: event.answered_since,
    };
    (event.event_type == EventKind::Outage).then_some(outage)
}
