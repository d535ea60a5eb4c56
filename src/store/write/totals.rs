//! The totals of every host over the life of the database. They are kept in memory and stored in the
//! table `host_total` once an hour, in a commit that is made anyway, at a stop, before a deletion, and
//! when times are corrected. At the start they are read, and the checks after the stored ones are added
//! from their rows: what a kill did not take is counted once.
//!
//! Retention lowers no total. What cannot be read is left out: a count that is wrong is not worth a
//! monitor that does not start.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use rusqlite::{Connection, Row, params};

use super::clock::NEVER_MEASURED;
use super::counters::Counters;
use super::outages::Changed;
use crate::pure::address::IpVersion;
use crate::pure::cause::Cause;
use crate::pure::host_key::OwnedIdentity;
use crate::pure::model::{CheckResult, EventKind, HostId};
use crate::pure::outage::OutageChange;
use crate::pure::sums::Sums;
use crate::pure::time::{Hour, UtcMillis};
use crate::pure::totals::{HostTotals, OutageTotals};
use crate::store::columns::{ReadRows, source, sum, text, value};
use crate::store::rollup::checks::{each_check, each_not_measured};
use crate::store::rollup::day::sum_up;
use crate::store::rows::thresholds_of;

#[derive(Debug, Default)]
pub struct Totals {
    hosts: HashMap<HostId, CountedHost>,
    /// Whether they were read from the database. Without that nothing is counted or stored.
    is_read: bool,
    /// Hosts whose totals in the file are older.
    unstored: HashSet<HostId>,
    /// The hour in which they were stored last.
    stored_in: Option<Hour>,
    /// Hosts of which something was committed since the totals were published.
    unpublished: HashSet<HostId>,
    /// Whether they were read since then.
    is_anew: bool,
    pub counters: Arc<Counters>,
}

#[derive(Debug)]
struct CountedHost {
    identity: OwnedIdentity,
    totals: HostTotals,
}

/// What a transaction adds: it counts when it is committed.
#[derive(Debug, Default)]
pub struct Added {
    checks: HashMap<HostId, CountedHost>,
    outages: HashMap<HostId, [OutageTotals; Cause::ALL.len()]>,
    /// The hour, if they are stored by this transaction.
    stored_in: Option<Hour>,
}

impl Added {
    pub fn check(&mut self, host_id: HostId, result: &CheckResult) {
        let host = self.checks.entry(host_id).or_insert_with(|| CountedHost {
            identity: result.host.owned_identity(),
            totals: HostTotals::default(),
        });
        host.totals.add_check(result);
    }

    /// Counts the outages of hosts of which one has ended.
    pub fn outages(
        &mut self,
        connection: &Connection,
        changed: &[Changed],
    ) -> rusqlite::Result<()> {
        let is_end = |changed: &&Changed| matches!(changed.change, OutageChange::Ended(..));
        for Changed { host_id, .. } in changed.iter().filter(is_end) {
            let recorded = recorded_outages(connection, Some(*host_id))?;
            self.outages.extend(recorded);
        }
        Ok(())
    }
}

impl Totals {
    /// Those that another connection to the same or another file begins with.
    pub fn with_counters(counters: Arc<Counters>) -> Totals {
        Totals {
            counters,
            ..Totals::default()
        }
    }

    /// Reads what is stored and adds what was recorded since then. All of it is to be stored again.
    pub fn read(&mut self, connection: &Connection) {
        let hosts = hosts_of(connection).unwrap_or_else(|error| {
            log::debug!("totals of hosts: {error}");
            Vec::new()
        });
        let mut outages = recorded_outages(connection, None).unwrap_or_else(|error| {
            log::debug!("outages of hosts: {error}");
            HashMap::new()
        });
        self.hosts = hosts
            .into_iter()
            .map(|host| {
                let mut totals = HostTotals::default();
                if let Err(error) = host.count(connection, &mut totals) {
                    log::debug!("totals of {}: {error}", host.identity.0.as_str());
                }
                if let Some(outages) = outages.remove(&host.id) {
                    totals.raise_outages(&outages);
                }
                let identity = host.identity;
                (host.id, CountedHost { identity, totals })
            })
            .collect();
        self.unstored = self.hosts.keys().copied().collect();
        self.unpublished.clone_from(&self.unstored);
        (self.is_read, self.is_anew, self.stored_in) = (true, true, None);
    }

    pub fn is_read(&self) -> bool {
        self.is_read
    }

    /// Stores them with what a transaction adds, where an hour has begun since that was done or the
    /// monitor stops.
    pub fn store_if_due(
        &self,
        connection: &Connection,
        added: &mut Added,
        hour: Hour,
        is_stopped: bool,
    ) -> rusqlite::Result<()> {
        if !self.is_read || (self.stored_in == Some(hour) && !is_stopped) {
            return Ok(());
        }
        for (host_id, host) in &self.hosts {
            let is_added =
                added.checks.contains_key(host_id) || added.outages.contains_key(host_id);
            if is_added || self.unstored.contains(host_id) {
                let mut totals = host.totals.clone();
                if let Some(more) = added.checks.get(host_id) {
                    totals.merge_checks(&more.totals);
                }
                if let Some(recorded) = added.outages.get(host_id) {
                    totals.raise_outages(recorded);
                }
                store(connection, *host_id, &totals)?;
            }
        }
        let new = added
            .checks
            .iter()
            .filter(|(id, _)| !self.hosts.contains_key(id));
        for (host_id, host) in new {
            store(connection, *host_id, &host.totals)?;
        }
        added.stored_in = Some(hour);
        Ok(())
    }

    /// Stores those of all hosts, whose rows were moved or are to be deleted. `unstored` stays as it is:
    /// the transaction may fail.
    pub fn store_all(&self, connection: &Connection) -> rusqlite::Result<()> {
        self.store_of(connection, self.hosts.keys())
    }

    /// The same of the hosts whose totals in the file are older.
    pub fn store_unstored(&self, connection: &Connection) -> rusqlite::Result<()> {
        self.store_of(connection, self.unstored.iter())
    }

    fn store_of<'h>(
        &self,
        connection: &Connection,
        hosts: impl Iterator<Item = &'h HostId>,
    ) -> rusqlite::Result<()> {
        for host_id in hosts {
            if let Some(host) = self.hosts.get(host_id) {
                store(connection, *host_id, &host.totals)?;
            }
        }
        Ok(())
    }

    /// A transaction that stored all was committed.
    pub fn note_stored(&mut self) {
        self.unstored.clear();
    }

    /// A transaction was committed.
    pub fn add(&mut self, added: Added) {
        if !self.is_read {
            return;
        }
        let is_stored = added.stored_in.is_some();
        if is_stored {
            self.unstored.clear();
            self.stored_in = added.stored_in;
        }
        for (host_id, more) in added.checks {
            match self.hosts.get_mut(&host_id) {
                Some(host) => {
                    // The source of a host of an older database is known from now on.
                    host.identity = more.identity;
                    host.totals.merge_checks(&more.totals);
                }
                None => drop(self.hosts.insert(host_id, more)),
            }
            self.note_changed(host_id, is_stored);
        }
        for (host_id, recorded) in added.outages {
            if let Some(host) = self.hosts.get_mut(&host_id) {
                host.totals.raise_outages(&recorded);
                self.note_changed(host_id, is_stored);
            }
        }
    }

    fn note_changed(&mut self, host_id: HostId, is_stored: bool) {
        self.unpublished.insert(host_id);
        if !is_stored {
            self.unstored.insert(host_id);
        }
    }

    /// Counts outages that ended otherwise than by a check.
    pub fn recount_outages(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        let outages = recorded_outages(connection, None)?;
        self.add(Added {
            outages,
            ..Added::default()
        });
        Ok(())
    }

    /// What was committed is safe from a power cut: `/metrics` may show it. Counters that showed it
    /// before might fall, which Prometheus takes for a counter that began again at 0.
    pub fn publish(&mut self) {
        if !self.is_read {
            return;
        }
        let changed = self.unpublished.drain();
        let changed = changed.filter_map(|host_id| self.hosts.get(&host_id));
        self.counters.publish(
            changed.map(|host| (&host.identity, &host.totals)),
            self.is_anew,
        );
        self.is_anew = false;
    }
}

/// A host as it is stored.
struct StoredHost {
    id: HostId,
    identity: OwnedIdentity,
    /// The newest check that the totals have, and the totals.
    stored: Option<(UtcMillis, HostTotals)>,
}

fn hosts_of(connection: &Connection) -> rusqlite::Result<Vec<StoredHost>> {
    const HOSTS: &str = "select h.id, h.address, h.family, h.source, t.counted_until, t.totals
                           from host h left join host_total t on t.host_id = h.id";
    let read = |row: &Row<'_>| {
        let address = text(row, 1)?.unwrap_or_default();
        let family = value(row, 2).and_then(IpVersion::from_number);
        let totals = row.get_ref(5)?.as_blob().ok();
        let totals = totals.and_then(HostTotals::decode);
        Ok(StoredHost {
            id: row.get(0)?,
            identity: (address.as_str().into(), family, source(row, 3)?),
            stored: value(row, 4).zip(totals),
        })
    };
    connection.prepare(HOSTS)?.read_all([], read)
}

impl StoredHost {
    /// Adds what is stored and the rows after that, or all that is recorded.
    fn count(&self, connection: &Connection, totals: &mut HostTotals) -> rusqlite::Result<()> {
        let after = match &self.stored {
            Some((until, stored)) => {
                totals.clone_from(stored);
                until.plus(1)
            }
            None => {
                let mut sums = Sums::default();
                let summed = sum_up(connection, self.id, Hour(0)..Hour::LATEST, &mut sums);
                totals.add_sums(&sums);
                summed?;
                return self.count_discarded(connection, UtcMillis(0), totals);
            }
        };
        let thresholds = thresholds_of(connection, self.id)?;
        let rows = after..NEVER_MEASURED;
        each_check(connection, self.id, rows.clone(), |_, check| {
            totals.add_row(&check, &thresholds)
        })?;
        each_not_measured(connection, self.id, rows, |_| totals.add_not_measured(1))?;
        self.count_discarded(connection, after, totals)
    }

    fn count_discarded(
        &self,
        connection: &Connection,
        after: UtcMillis,
        totals: &mut HostTotals,
    ) -> rusqlite::Result<()> {
        const NOTES: &str = "select late, duplicates, foreigners from check_note
                              where host_id = ?1 and checked_at >= ?2 and checked_at < ?3";
        let mut statement = connection.prepare_cached(NOTES)?;
        let notes = statement.query_map(params![self.id, after, NEVER_MEASURED], |row| {
            Ok([0, 1, 2].map(|index| value::<u32>(row, index).unwrap_or(0)))
        })?;
        for note in notes {
            let [late, duplicates, foreign] = note?;
            totals.add_discarded(late.into(), duplicates.into(), foreign.into());
        }
        Ok(())
    }
}

fn store(connection: &Connection, host_id: HostId, totals: &HostTotals) -> rusqlite::Result<()> {
    const STORE: &str = "insert or replace into host_total(host_id, counted_until, totals) values(?1,
        max(coalesce((select max(checked_at) from check_result where host_id = ?1 and checked_at < ?3), 0),
            coalesce((select max(checked_at) from not_measured_check where host_id = ?1 and checked_at < ?3), 0)), ?2)";
    connection
        .prepare_cached(STORE)?
        .execute(params![host_id, totals.encode(), NEVER_MEASURED])
        .map(|_| ())
}

/// The outages that have ended, of one host or of all. An event of a link or a name is none.
fn recorded_outages(
    connection: &Connection,
    host_id: Option<HostId>,
) -> rusqlite::Result<HashMap<HostId, [OutageTotals; Cause::ALL.len()]>> {
    const COLUMNS: &str = "select host_id, cause, count(*),
            sum(case when typeof(duration_seconds) = 'integer' then min(max(duration_seconds, 0), 10000000000) else 0 end)
       from outage_events where event_type = ?1 and end_time is not null";
    let outages = match host_id {
        Some(_) => format!("{COLUMNS} and host_id = ?2 group by host_id, cause"),
        // The plus sign keeps SQLite from looking each row up by an index.
        None => {
            format!("{COLUMNS} and ?2 is null and +host_id is not null group by host_id, cause")
        }
    };
    let mut statement = connection.prepare_cached(&outages)?;
    let rows = statement.read_all(params![EventKind::Outage.as_str(), host_id], |row| {
        let cause = text(row, 1)?.as_deref().and_then(Cause::from_word);
        let number = |index| u64::try_from(sum(row, index).unwrap_or(0)).unwrap_or(0);
        let outages = OutageTotals {
            count: number(2),
            seconds: number(3),
        };
        Ok((
            row.get::<_, HostId>(0)?,
            cause.unwrap_or(Cause::Unknown),
            outages,
        ))
    })?;
    let mut found: HashMap<HostId, [OutageTotals; Cause::ALL.len()]> = HashMap::new();
    for (host_id, cause, more) in rows {
        let of_host = found.entry(host_id).or_default();
        let of_cause = Cause::ALL.into_iter().zip(of_host);
        of_cause
            .filter(|(other, _)| *other == cause)
            .for_each(|(_, outages)| {
                outages.count = outages.count.saturating_add(more.count);
                outages.seconds = outages.seconds.saturating_add(more.seconds);
            });
    }
    Ok(found)
}
