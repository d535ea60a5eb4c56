//! The writing connection: opening a file, making it ours, and writing checks into it. Used by the
//! writer thread, and directly by commands that write once.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, TransactionBehavior, params};

use super::checks::insert;
use super::clock::{self, ClockStep};
use super::hosts::{CachedHost, HostSettings, host_id};
use super::notices::{self, Notices, Spool};
use super::outages::Outages;
use super::record::{Record, RunStart};
use super::{ledger, surroundings};
use crate::pure::address::{HostAddress, IpVersion};
use crate::pure::model::{AlertKinds, CheckResult};
use crate::pure::outage::OutageRules;
use crate::pure::scene::Scene;
use crate::pure::time::UtcMillis;
use crate::store::connection::prepare;
use crate::store::error::StoreError;
use crate::store::file::{identity_of, literal};
use crate::store::open::open_to_write;
use crate::store::original::import::{self, Import};
use crate::store::rollup::due::{make_due, mark_stale};

/// An open database that may be written.
#[derive(Debug)]
pub struct Database {
    connection: Connection,
    path: PathBuf,
    /// Device and inode, to notice that the file was taken away.
    identity: Option<(u64, u64)>,
    hosts: HashMap<(HostAddress, Option<IpVersion>), CachedHost>,
    run_id: Option<i64>,
    outage_rules: OutageRules,
    /// What is told of what is written.
    spool: Spool,
}

/// A database, and what was done to open it.
#[derive(Debug)]
pub struct Opened {
    /// The database.
    pub database: Database,
    /// Set when the file was the original's and has been taken over.
    pub import: Option<Import>,
}

impl Database {
    /// Opens a file of ours, begins one where there is none, or takes over one of the original's.
    /// `progress` hears the rows done and the rows in all.
    pub fn open(path: &Path, progress: &mut dyn FnMut(u64, u64)) -> Result<Opened, StoreError> {
        let (connection, import) = open_to_write(path, progress)?;
        let database = Database {
            connection,
            path: path.to_path_buf(),
            identity: identity_of(path),
            hosts: HashMap::new(),
            run_id: None,
            outage_rules: OutageRules::default(),
            spool: Spool::default(),
        };
        Ok(Opened { database, import })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether the file was deleted or replaced under us: what is written then nobody will read.
    pub fn is_taken_away(&self) -> bool {
        self.identity.is_some() && identity_of(&self.path) != self.identity
    }

    /// Lets go of a file that was taken away, opens what is there now or begins it, and enters the
    /// daemon there.
    pub fn reopen(&mut self, now: UtcMillis) -> Result<(), StoreError> {
        // What the log still holds belongs to the file that is gone, not to the one in its place.
        // Both use the same names for log and index, so the old one is closed before the new one is
        // opened.
        self.checkpoint();
        let nothing =
            Connection::open_in_memory().map_err(|cause| self.failed("closing", cause))?;
        drop(std::mem::replace(&mut self.connection, nothing));
        // No file is this one: until there is one to write to, this is to be tried again.
        self.identity = Some((0, 0));
        let mut database = Database::open(&self.path, &mut |_, _| ())?.database;
        database.begin_run(now)?;
        database.set_outage_rules(self.outage_rules);
        database.spool = self.spool;
        *self = database;
        Ok(())
    }

    /// When each daemon that ever wrote here started and was last alive, in the order in which they
    /// ran.
    pub fn runs(&self) -> Result<Vec<(UtcMillis, UtcMillis)>, StoreError> {
        const RUNS: &str = "select started_at, alive_at from monitor_run order by id";
        let read = || -> rusqlite::Result<Vec<_>> {
            let mut statement = self.connection.prepare(RUNS)?;
            statement
                .query_map([], |row| {
                    Ok((UtcMillis(row.get(0)?), UtcMillis(row.get(1)?)))
                })?
                .collect()
        };
        read().map_err(|cause| self.failed("reading", cause))
    }

    /// Enters this daemon into the ledger.
    pub fn begin_run(&mut self, now: UtcMillis) -> Result<(), StoreError> {
        const BEGIN: &str =
            "insert into monitor_run(started_at, alive_at, version) values(?1, ?1, ?2)";
        let result = self
            .connection
            .execute(BEGIN, params![now.0, env!("CARGO_PKG_VERSION")]);
        result.map_err(|cause| self.failed("writing", cause))?;
        self.run_id = Some(self.connection.last_insert_rowid());
        Ok(())
    }

    /// Writes checks and the outages that they begin and end, as [`Database::write_entries`] does
    /// with nothing else known.
    pub fn write(
        &mut self,
        results: &[CheckResult],
        now: UtcMillis,
        life: RunStart,
    ) -> Result<(), StoreError> {
        let entries: Vec<Record> = results.iter().cloned().map(Record::Check).collect();
        let mut scene = Scene::default();
        results.iter().for_each(|result| scene.add_check(result));
        self.write_entries(&entries, &scene, now, life).map(|_| ())
    }

    /// Writes checks, the outages that they begin and end with their causes as far as `scene`
    /// tells, what the ledger says of this daemon, and the roll-ups that are due, in one
    /// transaction: all or nothing. Returns what is worth a line in the log: outages that are over,
    /// links that went down or came back.
    pub fn write_entries(
        &mut self,
        entries: &[Record],
        scene: &Scene,
        now: UtcMillis,
        life: RunStart,
    ) -> Result<Vec<String>, StoreError> {
        self.write_all(entries, scene, now, life).map_err(|cause| {
            // What the rolled-back transaction had entered is not there.
            self.hosts.clear();
            self.failed("writing", cause)
        })
    }

    fn write_all(
        &mut self,
        entries: &[Record],
        scene: &Scene,
        now: UtcMillis,
        life: RunStart,
    ) -> rusqlite::Result<Vec<String>> {
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut outages = Outages::look(&transaction, self.outage_rules, now)?;
        let mut notices = Notices::new(&transaction, self.spool, now);
        for entry in entries {
            match entry {
                Record::Check(result) => {
                    let CheckResult {
                        thresholds,
                        spacing_ms,
                        interval_ms,
                        ..
                    } = *result;
                    let manner = HostSettings {
                        thresholds,
                        spacing_ms,
                        interval_ms,
                    };
                    let host_id = host_id(
                        &transaction,
                        &mut self.hosts,
                        &result.host,
                        result.checked_at,
                        Some(manner),
                    )?;
                    let written_at = insert(&transaction, host_id, result)?;
                    // Not remembered from one commit to the next: another process may have made the
                    // roll-up meanwhile.
                    mark_stale(&transaction, host_id, written_at.hour())?;
                    outages.take(host_id, result, written_at)?;
                    notices.look_at(host_id, result, written_at)?;
                }
                Record::Probe(probe) => {
                    let host_id =
                        host_id(&transaction, &mut self.hosts, &probe.host, probe.at, None)?;
                    outages.probe(host_id, probe)?;
                }
                Record::Interruption(interruption) => ledger::record(&transaction, interruption)?,
                Record::Notice(fate) => notices::settle(&transaction, fate)?,
            }
        }
        notices.take(&outages.changed);
        surroundings::record(&transaction, scene, &outages, &mut notices, now)?;
        let news = std::mem::take(&mut notices.news);
        let has_spooled = notices.spool()?;
        make_due(&transaction, now.hour())?;
        if let Some(run_id) = self.run_id {
            // A clock that was set back does not shorten what was lived.
            const ALIVE: &str = "update monitor_run set alive_at = max(alive_at, ?1), stopped_at = ?2 where id = ?3";
            let stopped_at = (life == RunStart::Ends).then_some(now.0);
            transaction
                .prepare_cached(ALIVE)?
                .execute(params![now.0, stopped_at, run_id])?;
        }
        transaction.commit()?;
        self.spool.note(has_spooled);
        Ok(news)
    }

    /// Takes over that the wall clock was set: what it had dated wrongly is dated anew. Says how
    /// many checks that are.
    pub fn clock_was_set(&mut self, step: &ClockStep) -> Result<usize, StoreError> {
        let run_id = self.run_id;
        let mut write = || -> rusqlite::Result<usize> {
            let transaction = self
                .connection
                .transaction_with_behavior(TransactionBehavior::Immediate)?;
            let moved = clock::record(&transaction, step, run_id)?;
            transaction.commit()?;
            Ok(moved)
        };
        write().map_err(|cause| self.failed("writing", cause))
    }

    /// Notes for the monitor of this file, which is another process, that somebody looks at the
    /// newest results.
    pub fn note_watcher(path: &Path, now: UtcMillis) -> Result<(), StoreError> {
        let write = || -> rusqlite::Result<()> {
            let connection =
                Connection::open_with_flags(literal(path), OpenFlags::SQLITE_OPEN_READ_WRITE)?;
            prepare(&connection)?;
            connection.busy_timeout(Duration::from_millis(100))?;
            connection.pragma_update(None, "synchronous", "normal")?;
            connection
                .execute("update watcher set looked_at = ?1", [now.0])
                .map(|_| ())
        };
        write().map_err(|cause| StoreError::Sqlite {
            operation: "writing",
            path: path.to_path_buf(),
            cause,
        })
    }

    /// When somebody last looked at the newest results through another process.
    pub fn watched_at(&self) -> Option<UtcMillis> {
        const LOOKED: &str = "select max(looked_at) from watcher";
        let looked = self
            .connection
            .prepare_cached(LOOKED)
            .and_then(|mut looked| looked.query_row([], |row| row.get(0)));
        looked.ok().flatten().map(UtcMillis)
    }

    /// Goes by these from now on: which silence is an outage.
    pub fn set_outage_rules(&mut self, rules: OutageRules) {
        self.outage_rules = rules;
    }

    /// Waits at most this long for another writer from now on.
    pub fn set_patience(&mut self, patience: Duration) {
        if let Err(error) = self.connection.busy_timeout(patience) {
            log::debug!("{}: {error}", self.path.display());
        }
    }

    /// Reads a file of the original into this database, in one transaction; what was imported
    /// before is known again.
    pub fn import(
        &mut self,
        from: &Path,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<Import, StoreError> {
        import::import(&mut self.connection, &self.path, from, progress)
    }

    /// The connection, for the other files of this folder.
    pub(in crate::store) fn connection(&mut self) -> &mut Connection {
        &mut self.connection
    }

    /// An error about this database.
    pub(in crate::store) fn failed(
        &self,
        operation: &'static str,
        cause: rusqlite::Error,
    ) -> StoreError {
        StoreError::Sqlite {
            operation,
            path: self.path.clone(),
            cause,
        }
    }

    /// Moves the write-ahead log into the file. Readers that are in the middle of an answer keep it
    /// from doing all.
    pub fn checkpoint(&self) {
        if let Err(error) = self
            .connection
            .query_row("pragma wal_checkpoint(truncate)", [], |_| Ok(()))
        {
            log::debug!("checkpoint of {}: {error}", self.path.display());
        }
    }

    /// From now on this is told.
    pub fn set_alerts(&mut self, kinds: AlertKinds) {
        self.spool.kinds = kinds;
    }

    /// Whether there is something to tell that was not there when this was last asked.
    pub fn take_spooled(&mut self) -> bool {
        std::mem::take(&mut self.spool.is_new)
    }
}
