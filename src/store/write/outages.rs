//! Records outages. Each check passes through its host's outage detector in the transaction
//! that writes it, so that events and checks agree. Nothing is cached between commits: the state of
//! a host is read from its ongoing event and its newest checks, also after a restart, after a
//! failed commit, and when several processes write. While every host answers, that costs a query of
//! an empty index per commit.

use crate::pure::model::{CheckResult, EventId, EventKind, Host, HostId, Probe};
use crate::pure::outage::{Outage, OutageChange, OutageDetector, OutageEnd, OutageRules};
use crate::pure::sample::{CheckSample, LastReply, PingCounts, ReplySpan, TrailingLoss};
use crate::pure::stats;
use crate::pure::time::UtcMillis;
use crate::store::columns::{ReadRows, pings, text, value};
use crate::store::event::{OutageEvent, open_events};
use rusqlite::{Connection, Row, params};
use std::collections::HashMap;
use std::sync::Arc;

/// The hosts of a transaction that did not answer lately.
pub struct Outages<'c> {
    connection: &'c Connection,
    rules: OutageRules,
    now: UtcMillis,
    /// Ongoing events of hosts that had no check in this transaction yet.
    open: HashMap<HostId, Open>,
    /// Ongoing events without a host id.
    open_by_address: HashMap<String, Open>,
    detectors: HashMap<HostId, TrackedHost>,
    /// What this transaction has changed, in order.
    pub changed: Vec<Changed>,
}

/// An event that this transaction began, continued or ended.
pub struct Changed {
    pub event_id: EventId,
    pub host_id: HostId,
    pub host: Arc<Host>,
    pub change: OutageChange,
}

impl Changed {
    pub fn is_begin_or_end(&self) -> bool {
        !matches!(self.change, OutageChange::Continues(_))
    }
}

/// An ongoing event.
struct Open {
    event_id: EventId,
    outage: Outage,
}

/// The probes to a host that has no outage yet, since it fell silent or did not answer the last ping
/// of a check.
#[derive(Clone, Copy, Default)]
struct Suspicion {
    /// When the newest of them was sent.
    noted_at: Option<UtcMillis>,
    replied_at: Option<UtcMillis>,
    /// Lost probes since then.
    lost: i64,
    /// When the first of them was sent; `None` in rows of an older version.
    silent_since: Option<UtcMillis>,
}

/// More than fit into a suspicion: a damaged database may contain any number.
const MAX_LOST_PROBES: i64 = 100_000;

/// The detector of a host and its ongoing event.
struct TrackedHost {
    detector: OutageDetector,
    event_id: Option<EventId>,
}

impl<'c> Outages<'c> {
    /// Reads the ongoing events, inside the caller's transaction.
    pub fn read(
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
            // The newest of several: the others follow in later transactions.
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
            detectors: HashMap::new(),
            changed: Vec::new(),
        })
    }

    /// Adds a check that was recorded at `at`, and writes what it changes.
    pub fn add_check(
        &mut self,
        host_id: HostId,
        result: &CheckResult,
        at: UtcMillis,
    ) -> rusqlite::Result<()> {
        let check = CheckSample::of(result, at);
        if !check.is_measured() {
            return Ok(());
        }
        let tracked = self.tracked(host_id, &result.host, at)?;
        let mut tracked = match tracked {
            Some(tracked) => tracked,
            None if check.is_silent() => TrackedHost {
                detector: self.detector_without_event(host_id, at)?.0,
                event_id: None,
            },
            // An answered check of a host without an outage changes nothing.
            None => return Ok(()),
        };
        let change = tracked.detector.add_check(&check, self.now);
        self.store(host_id, &result.host, tracked, change)
    }

    pub fn add_probe(&mut self, host_id: HostId, probe: &Probe) -> rusqlite::Result<()> {
        let mut tracked = match self.tracked(host_id, &probe.host, probe.at)? {
            Some(tracked) => tracked,
            // No ongoing outage, but one may begin.
            None => {
                let (detector, suspicion) = self.detector_without_event(host_id, probe.at)?;
                if !detector.needs_probing() {
                    return Ok(());
                }
                return self.record_suspicion(host_id, probe, suspicion);
            }
        };
        let change = tracked.detector.add_probe(probe.at, probe.is_answered);
        if matches!(change, Some(OutageChange::Ended(..))) {
            // No check shows that the silence of those before is over.
            self.record_suspicion(host_id, probe, Suspicion::default())?;
        }
        self.store(host_id, &probe.host, tracked, change)
    }

    fn store(
        &mut self,
        host_id: HostId,
        host: &Arc<Host>,
        mut tracked: TrackedHost,
        change: Option<OutageChange>,
    ) -> rusqlite::Result<()> {
        if let Some(change) = change {
            let (event_id, open) = self.record(host_id, host, tracked.event_id, &change)?;
            tracked.event_id = open;
            self.changed.push(Changed {
                event_id,
                host_id,
                host: Arc::clone(host),
                change,
            });
        }
        // Without an ongoing event, what is recorded suffices, as in a later transaction.
        if tracked.event_id.is_some() {
            self.detectors.insert(host_id, tracked);
        }
        Ok(())
    }

    /// The detector of a host with an ongoing event.
    fn tracked(
        &mut self,
        host_id: HostId,
        host: &Host,
        at: UtcMillis,
    ) -> rusqlite::Result<Option<TrackedHost>> {
        match self.detectors.remove(&host_id) {
            Some(tracked) => Ok(Some(tracked)),
            None => self.resume(host_id, host, at),
        }
    }

    /// Records a probe to a silent host that has no outage yet, or whose outage it ends.
    fn record_suspicion(
        &self,
        host_id: HostId,
        probe: &Probe,
        before: Suspicion,
    ) -> rusqlite::Result<()> {
        const NOTE: &str = "insert or replace into doubt(host_id, noted_at, replied_at, lost, silent_since) values(?1, ?2, ?3, ?4, ?5)";
        let after = if probe.is_answered {
            Suspicion {
                replied_at: Some(probe.at),
                ..Suspicion::default()
            }
        } else {
            Suspicion {
                lost: before.lost + 1,
                silent_since: before.silent_since.or(Some(probe.at)),
                ..before
            }
        };
        self.connection
            .prepare_cached(NOTE)?
            .execute(params![
                host_id,
                probe.at,
                after.replied_at,
                after.lost,
                after.silent_since
            ])
            .map(|_| ())
    }

    /// The probes to a host before `at` and after its newest answered check.
    fn suspicion(
        &self,
        host_id: HostId,
        at: UtcMillis,
        newest: &[CheckSample],
    ) -> rusqlite::Result<Suspicion> {
        const SUSPICION: &str = "select replied_at, lost, silent_since, noted_at from doubt where host_id = ?1 and noted_at > ?2 and noted_at < ?3";
        let answered_at = newest
            .iter()
            .find(|check| !check.is_silent())
            .map_or(0, |check| check.at.0);
        let read = |row: &Row<'_>| {
            Ok(Suspicion {
                replied_at: value(row, 0),
                lost: value(row, 1).unwrap_or(0).clamp(0, MAX_LOST_PROBES),
                silent_since: value(row, 2),
                noted_at: value(row, 3),
            })
        };
        let found = self
            .connection
            .prepare_cached(SUSPICION)?
            .read_first(params![host_id, answered_at, at.0], read);
        Ok(found?.unwrap_or_default())
    }

    /// The detector of a host with an ongoing event.
    fn resume(
        &mut self,
        host_id: HostId,
        host: &Host,
        at: UtcMillis,
    ) -> rusqlite::Result<Option<TrackedHost>> {
        let own = self.open.remove(&host_id);
        let is_own = own.is_some();
        let Some(Open { event_id, outage }) =
            own.or_else(|| self.open_by_address.remove(host.address.as_str()))
        else {
            return Ok(None);
        };
        // A check that was recorded before the import may show that an imported event ended.
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
        let answered_since = outage.answered_since;
        let mut detector = OutageDetector::resume(self.rules, outage);
        // The checks since the first reply, which does not end the outage yet.
        if let Some(since) = answered_since {
            let answered = self.newest_checks(host_id, at, self.rules.up_after)?;
            let answered: Vec<&CheckSample> = answered
                .iter()
                .take_while(|check| !check.is_silent() && check.first_reply() >= since)
                .collect();
            for check in answered.into_iter().rev() {
                detector.add_check(check, self.now);
            }
        }
        Ok(Some(TrackedHost {
            detector,
            event_id: Some(event_id),
        }))
    }

    /// The detector of a host without an ongoing event, after its newest checks and probes
    /// before `at`; and these probes.
    fn detector_without_event(
        &self,
        host_id: HostId,
        at: UtcMillis,
    ) -> rusqlite::Result<(OutageDetector, Suspicion)> {
        let mut newest = self.newest_checks(host_id, at, self.rules.down_after)?;
        let suspicion = self.suspicion(host_id, at, &newest)?;
        // A probe after these checks was answered: their silence is over.
        if let Some(replied) = suspicion.replied_at {
            newest.retain(|check| check.at > replied);
        }
        let silent = newest.iter().take_while(|check| check.is_silent()).count();
        // More silent checks belong to an event that was deleted.
        let counted = silent.min(usize::from(self.rules.down_after.saturating_sub(1)));
        let counted = &newest[..counted];
        // Probes that were lost before these checks, after the last reply.
        let lost_before = suspicion
            .silent_since
            .filter(|since| counted.last().is_none_or(|check| *since < check.at))
            .map(|since| TrailingLoss {
                since,
                last: suspicion.noted_at.map_or(since, |last| last.max(since)),
                lost: u32::try_from(suspicion.lost).unwrap_or(u32::MAX),
            });
        let before = newest.get(silent);
        let is_doubted = before.is_none_or(CheckSample::has_one_reply);
        let at_probe = |at| LastReply {
            at,
            trailing_loss: None,
        };
        let last = before
            .map(CheckSample::last_reply)
            .or(suspicion.replied_at.map(at_probe))
            .map(|last| LastReply {
                trailing_loss: match (last.trailing_loss, lost_before) {
                    (Some(of_check), Some(of_probes)) => Some(of_check.and(of_probes)),
                    (of_check, of_probes) => of_check.or(of_probes),
                },
                ..last
            });
        let mut detector = match last {
            Some(last) if is_doubted => OutageDetector::doubting(self.rules, last),
            last => OutageDetector::new(self.rules, last),
        };
        for check in counted.iter().rev() {
            detector.add_check(check, self.now);
        }
        if lost_before.is_none() {
            for _ in 0..suspicion.lost {
                detector.add_probe(at, false);
            }
        }
        Ok((detector, suspicion))
    }

    /// Newest first.
    fn newest_checks(
        &self,
        host_id: HostId,
        before: UtcMillis,
        limit: u16,
    ) -> rusqlite::Result<Vec<CheckSample>> {
        const NEWEST: &str = "select c.checked_at, sent, received, min_us, rtts, ping_spacing_ms, sent_after_ms
                                from check_result c join host h on h.id = c.host_id
                                left join check_note n on n.host_id = c.host_id and n.checked_at = c.checked_at
                               where c.host_id = ?1 and c.checked_at < ?2 order by c.checked_at desc limit ?3";
        if limit == 0 {
            return Ok(Vec::new());
        }
        self.connection
            .prepare_cached(NEWEST)?
            .read_all(params![host_id, before.0, limit], read_check)
    }

    /// The first check with a reply between two instants.
    fn first_reply(
        &self,
        host_id: HostId,
        after: UtcMillis,
        before: UtcMillis,
    ) -> rusqlite::Result<Option<CheckSample>> {
        const FIRST: &str = "select checked_at, sent, received, null, null, null, null from check_result
                              where host_id = ?1 and checked_at > ?2 and checked_at < ?3 and received > 0
                              order by checked_at limit 1";
        self.connection
            .prepare_cached(FIRST)?
            .read_first(params![host_id, after.0, before.0], read_check)
    }

    /// Writes a change to the host's event; returns its id, and once more if it is ongoing.
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

/// A check without any sent ping had failed in the original. Values that are not numbers count
/// as silence.
fn read_check(row: &Row<'_>) -> rusqlite::Result<CheckSample> {
    let at: UtcMillis = row.get(0)?;
    let (sent, received) = pings(row, 1);
    let rtts = row
        .get_ref(4)?
        .as_blob_or_null()
        .unwrap_or(None)
        .filter(|bytes| bytes.len() <= stats::MAX_RTTS_BYTES);
    let rtts = rtts.and_then(|bytes| stats::decode_rtts(bytes, value(row, 3).unwrap_or(0)));
    let spacing_ms = value::<u32>(row, 5).filter(|spacing| *spacing > 0);
    let own_times: Option<Vec<i64>> = text(row, 6)?.and_then(|times| {
        let ms = |after: &str| after.parse::<u32>().ok().map(i64::from);
        times.split(',').map(ms).collect()
    });
    let regular = |index: i64| spacing_ms.map(|spacing| i64::from(spacing).saturating_mul(index));
    let sent_after = |index: usize| match &own_times {
        Some(times) => times.get(index).copied(),
        None => i64::try_from(index).ok().and_then(regular),
    };
    let pings = rtts.and_then(|rtts| {
        let ping = |(index, rtt): (usize, &Option<u32>)| {
            Some((
                UtcMillis(at.0.saturating_add(sent_after(index)?)),
                rtt.is_some(),
            ))
        };
        rtts.iter()
            .enumerate()
            .map(ping)
            .collect::<Option<Vec<_>>>()
    });
    let replies = pings.and_then(|pings| ReplySpan::of(pings.into_iter()));
    Ok(CheckSample {
        at,
        sent: u32::try_from(sent).unwrap_or(u32::MAX).max(1),
        received: u32::try_from(received).unwrap_or(u32::MAX),
        replies,
    })
}

/// `None` for other events than outages, and without a readable start.
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
