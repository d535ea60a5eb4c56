//! What the engine of the section `push` does not have yet: checks, measured or not, and events.

use rusqlite::params;

use super::hosts::RecordedHost;
use super::reader::Reader;
use crate::pure::address::{IpVersion, Source};
use crate::pure::model::{EventId, HostId, State, Thresholds};
use crate::pure::sums::CheckSums;
use crate::pure::time::{LATEST_MS, UtcMillis};
use crate::store::columns::{ReadRows, latencies, pings, source, text, value};
use crate::store::error::StoreError;
use crate::store::event::{COLUMNS, OutageEvent, read_event};
use crate::store::push_mark::{PushFailure, PushMark};
use crate::store::rows::thresholds_of;

/// A host, and how far the engine has its checks.
#[derive(Clone, Debug, PartialEq)]
pub struct HostToPush {
    pub host: RecordedHost,
    pub mark: PushMark,
}

/// A check as it is sent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CheckToPush {
    pub at: UtcMillis,
    pub sent: i64,
    pub received: i64,
    /// Minimum, mean and maximum round-trip time in microseconds.
    pub latencies: [Option<u32>; 3],
    pub state: State,
}

/// An event as it is recorded now.
#[derive(Clone, Debug, PartialEq)]
pub struct EventToPush {
    /// The number of the change that is sent.
    pub change: i64,
    pub event: OutageEvent,
    /// Of its host, where that is known.
    pub family: Option<IpVersion>,
    pub source: Option<Source>,
}

/// What is recorded of sending.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PushState {
    /// The engine that the marks are of, as a hash.
    pub engine: i64,
    /// Why nothing can be sent, and since when.
    pub failure: Option<PushFailure>,
    /// Checks and events that the engine has refused for good, and its last reason.
    pub refused: u64,
    pub refusal: Option<PushFailure>,
}

/// What the engine does not have yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Unpushed {
    /// The times of the oldest and of the newest check.
    pub oldest: Option<UtcMillis>,
    pub newest: Option<UtcMillis>,
    /// How many events.
    pub events: usize,
}

impl Reader {
    pub fn push_state(&self) -> Result<PushState, StoreError> {
        const STATE: &str =
            "select engine, failed_at, failure, output, refused, refused_at, refusal, words
                               from push_state limit 1";
        let found = self.query_first(STATE, [], |row| {
            let failure = |first: usize, words: usize| {
                let at: Option<UtcMillis> = value(row, first);
                let text_of =
                    |index| text(row, index).map(|text: Option<String>| text.unwrap_or_default());
                at.map(|at| -> rusqlite::Result<PushFailure> {
                    Ok(PushFailure {
                        at,
                        text: text_of(first + 1)?,
                        output: text_of(words)?,
                    })
                })
                .transpose()
            };
            Ok(PushState {
                engine: value(row, 0).unwrap_or(0),
                failure: failure(1, 3)?,
                refused: value::<i64>(row, 4).unwrap_or(0).max(0).unsigned_abs(),
                refusal: failure(5, 7)?,
            })
        })?;
        Ok(found.unwrap_or_default())
    }

    pub fn hosts_to_push(&self) -> Result<Vec<HostToPush>, StoreError> {
        const MARKS: &str = "select host_id, until, changes from push_mark";
        let hosts = self.hosts()?;
        let marks = self.query(MARKS, [], |row| {
            let mark = PushMark {
                until: value(row, 1).unwrap_or(-1),
                changes: value(row, 2).unwrap_or(0),
            };
            Ok((row.get::<_, HostId>(0)?, mark))
        })?;
        let marks: std::collections::HashMap<HostId, PushMark> = marks.into_iter().collect();
        // A host without a mark has been entered by other means than this program's.
        let with_mark = |host: RecordedHost| {
            let mark = *marks.get(&host.id)?;
            Some(HostToPush { host, mark })
        };
        Ok(hosts.into_iter().filter_map(with_mark).collect())
    }

    /// The first checks of a host after an instant in milliseconds, measured or not, at most
    /// `limit`, oldest first.
    pub fn checks_to_push(
        &self,
        host: HostId,
        after: i64,
        limit: usize,
    ) -> Result<Vec<CheckToPush>, StoreError> {
        const MEASURED: &str = "select checked_at, sent, received, min_us, avg_us, max_us from check_result
            where host_id = ?1 and checked_at > ?2 and checked_at <= ?4 and typeof(checked_at) = 'integer'
            order by checked_at limit ?3";
        // One of a moment at which there is a measured one as well would be the same point.
        const NOT_MEASURED: &str = "select checked_at from not_measured_check n
            where host_id = ?1 and checked_at > ?2 and checked_at <= ?4 and typeof(checked_at) = 'integer'
              and not exists (select 1 from check_result c where c.host_id = ?1 and c.checked_at = n.checked_at)
            order by checked_at limit ?3";
        let rows = i64::try_from(limit).unwrap_or(i64::MAX);
        let values = || (host, after, rows, LATEST_MS);
        self.in_transaction(|connection| {
            let thresholds: Thresholds = thresholds_of(connection, host)?;
            let mut checks = connection
                .prepare_cached(MEASURED)?
                .read_all(values(), |row| {
                    let (sent, received) = pings(row, 1);
                    let latencies = latencies(row, 3);
                    let sums = CheckSums {
                        sent,
                        received,
                        latencies,
                        rtts: None,
                    };
                    Ok(CheckToPush {
                        at: row.get(0)?,
                        sent,
                        received,
                        latencies,
                        state: sums.state(&thresholds),
                    })
                })?;
            let not_measured =
                connection
                    .prepare_cached(NOT_MEASURED)?
                    .read_all(values(), |row| {
                        Ok(CheckToPush {
                            at: row.get(0)?,
                            sent: 0,
                            received: 0,
                            latencies: [None; 3],
                            state: State::NotMeasured,
                        })
                    })?;
            if !not_measured.is_empty() {
                checks.extend(not_measured);
                checks.sort_by_key(|check| check.at);
                checks.truncate(limit);
            }
            Ok(checks)
        })
    }

    /// The changes of events after a change, at most `limit`, in their order.
    pub fn events_to_push(&self, after: i64, limit: usize) -> Result<Vec<EventToPush>, StoreError> {
        const CHANGES: &str = "select change, event_id from push_event where change > ?1 and change <= 4611686018427387904 order by change limit ?2";
        const HOST: &str = "select h.family, h.source from outage_events e join host h on h.id = e.host_id where e.id = ?1";
        let event = format!("select {COLUMNS} from outage_events where id = ?1");
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        self.in_transaction(|connection| {
            let changes: Vec<(i64, EventId)> = connection
                .prepare_cached(CHANGES)?
                .read_all(params![after, limit], |row| Ok((row.get(0)?, row.get(1)?)))?;
            let mut events = Vec::new();
            for (change, id) in changes {
                let found = connection
                    .prepare_cached(&event)?
                    .read_first([id], read_event)?;
                let host = connection.prepare_cached(HOST)?.read_first([id], |row| {
                    let family = value(row, 0).and_then(IpVersion::from_number);
                    Ok((family, source(row, 1)?))
                })?;
                let (family, source) = host.unwrap_or_default();
                events.extend(found.map(|event| EventToPush {
                    change,
                    event,
                    family,
                    source,
                }));
            }
            Ok(events)
        })
    }

    pub fn unpushed(&self) -> Result<Unpushed, StoreError> {
        const CHECKS: &str = "select min(oldest), max(newest) from (
            select (select min(checked_at) from check_result where host_id = m.host_id and checked_at > m.until and checked_at <= ?1) as oldest,
                   (select max(checked_at) from check_result where host_id = m.host_id and checked_at > m.until and checked_at <= ?1) as newest
              from push_mark m
            union all
            select (select min(checked_at) from not_measured_check where host_id = m.host_id and checked_at > m.until and checked_at <= ?1),
                   (select max(checked_at) from not_measured_check where host_id = m.host_id and checked_at > m.until and checked_at <= ?1)
              from push_mark m)";
        const EVENTS: &str = "select count(*) from push_event";
        let times = self.query_first(CHECKS, [LATEST_MS], |row| {
            Ok((value(row, 0), value(row, 1)))
        })?;
        let (oldest, newest) = times.unwrap_or_default();
        let events = self.query_first(EVENTS, [], |row| row.get::<_, i64>(0))?;
        Ok(Unpushed {
            oldest,
            newest,
            events: usize::try_from(events.unwrap_or(0)).unwrap_or(0),
        })
    }
}
