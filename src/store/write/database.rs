//! The writing connection. Used by the writer thread, and directly by commands that write once.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use super::checks::insert;
use super::clock;
use super::hosts::{HostSettings, KnownHosts, host_id};
use super::notices::{self, Notices, PendingNotices};
use super::outages::Outages;
use super::record::{Record, RunState};
use super::{ledger, runs, surroundings};
use crate::pure::model::{AlertKinds, CheckResult};
use crate::pure::outage::OutageRules;
use crate::pure::run_clock::{ClockStep, Correction, RunClock};
use crate::pure::scene::Scene;
use crate::pure::time::UtcMillis;
use crate::store::connection::prepare;
use crate::store::error::StoreError;
use crate::store::file::{identity_of, literal, with_suffix};
use crate::store::header::FileStart;
use crate::store::open::open_to_write;
use crate::store::original::import::{self, Import};
use crate::store::rollup::due::{make_due, mark_stale};
use crate::sys;

#[derive(Debug)]
pub struct Database {
    connection: Connection,
    /// Dropped after the connection.
    _closed: ClosedForGood,
    path: PathBuf,
    /// Device and inode, to notice that the file was deleted or replaced.
    identity: Option<(u64, u64)>,
    /// The same file. It stays open as long as the connection, which it follows: closing it ends all
    /// locks that this process has on the file, those of SQLite too (fcntl_locking(2); sqlite.org/howtocorrupt.html,
    /// section 2.2).
    file: Option<File>,
    /// As SQLite left it when it was last looked at; `None` if it could not be read.
    start: Option<FileStart>,
    /// As another program left it, where it wrote over the file.
    overwritten: Option<FileStart>,
    hosts: KnownHosts,
    run_id: Option<i64>,
    /// Decides by what time this run dates its records.
    pub run_clock: RunClock,
    outage_rules: OutageRules,
    pending_notices: PendingNotices,
}

/// Makes it durable that a closed connection has deleted its write-ahead log, before the file system
/// gives the log's blocks to another file. With `data=writeback` ext4 does so at once: after a power
/// failure the old log would be there again with other contents in its middle, and SQLite would
/// apply what is before them to a newer database.
#[derive(Debug)]
struct ClosedForGood(PathBuf);

impl Drop for ClosedForGood {
    fn drop(&mut self) {
        if let Err(error) = sys::sync_folder_of(&self.0) {
            log::debug!("{}: {error}", self.0.display());
        }
    }
}

/// What other programs did to the open file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileState {
    /// It is this program's, or cannot be read now.
    InUse,
    /// It was deleted or replaced: writes to it would be lost.
    Replaced,
    /// Another program wrote to it without SQLite. `is_complete` when it was found so twice.
    WrittenOver { is_complete: bool },
}

#[derive(Debug)]
pub struct Opened {
    pub database: Database,
    /// Set when the file was one of the original's and has been converted.
    pub import: Option<Import>,
}

impl Database {
    /// Opens or creates a file of ours, or converts one of the original's. `progress` is called
    /// with the number of rows done and of all rows.
    pub fn open(path: &Path, progress: &mut dyn FnMut(u64, u64)) -> Result<Opened, StoreError> {
        let (connection, import) = open_to_write(path, progress)?;
        let file = File::open(path).ok();
        let database = Database {
            connection,
            _closed: ClosedForGood(path.to_path_buf()),
            path: path.to_path_buf(),
            identity: identity_of(path),
            start: file.as_ref().and_then(|file| FileStart::read(file).ok()),
            file,
            overwritten: None,
            hosts: KnownHosts::new(),
            run_id: None,
            run_clock: RunClock::start(UtcMillis(i64::MAX), None, true),
            outage_rules: OutageRules::default(),
            pending_notices: PendingNotices::default(),
        };
        Ok(Opened { database, import })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What other programs did to the file since it was opened.
    pub fn file_state(&mut self) -> FileState {
        if self.identity.is_some() && identity_of(&self.path) != self.identity {
            return FileState::Replaced;
        }
        let found = self.file.as_ref().map(FileStart::read);
        let (Some(known), Some(Ok(found))) = (&self.start, found) else {
            return FileState::InUse;
        };
        if known.is_continued_by(&found) {
            self.start = Some(found);
            if self.overwritten.take().is_some() {
                self.checkpoint_on_close(true);
            }
            return FileState::InUse;
        }
        // What is in the log belongs to the old contents.
        self.checkpoint_on_close(false);
        let is_complete = self.overwritten.as_ref() == Some(&found);
        self.overwritten = Some(found);
        FileState::WrittenOver { is_complete }
    }

    /// Whether closing the connection moves the write-ahead log into the file.
    fn checkpoint_on_close(&self, is_wanted: bool) {
        let option = DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE;
        if let Err(error) = self.connection.set_db_config(option, !is_wanted) {
            log::debug!("{}: {error}", self.path.display());
        }
    }

    /// Renames a file that another program wrote over, together with the write-ahead log of the
    /// old contents, so that [`Database::reopen`] begins a new one. Returns its new name.
    pub fn set_aside(&mut self, now: UtcMillis) -> Result<PathBuf, StoreError> {
        let time = now.rfc3339()[..19].replace(':', "-");
        let aside = with_suffix(&self.path, &format!(".{time}.overwritten"));
        let renamed = std::fs::rename(&self.path, &aside);
        renamed.map_err(|cause| StoreError::File {
            operation: "setting aside",
            path: self.path.clone(),
            cause,
        })?;
        // Not `-wal`: SQLite would apply it to contents that it does not belong to.
        let log = with_suffix(&self.path, "-wal");
        drop(std::fs::rename(log, with_suffix(&aside, ".wal")));
        drop(std::fs::remove_file(with_suffix(&self.path, "-shm")));
        Ok(aside)
    }

    /// Closes a file that was deleted, replaced or set aside, and opens or creates the one at its path.
    pub fn reopen(&mut self, now: UtcMillis, is_synchronised: bool) -> Result<(), StoreError> {
        // The log belongs to the old file. Both files use the same names for log and index, so
        // the old one is closed before the new one is opened.
        if self.overwritten.is_none() {
            self.checkpoint();
        }
        let nothing =
            Connection::open_in_memory().map_err(|cause| self.failed("closing", cause))?;
        drop(std::mem::replace(&mut self.connection, nothing));
        // Matches no file: this is retried until a file can be opened.
        self.identity = Some((0, 0));
        let mut database = Database::open(&self.path, &mut |_, _| ())?.database;
        database.begin_run(now, is_synchronised)?;
        database.set_outage_rules(self.outage_rules);
        database.pending_notices = self.pending_notices;
        *self = database;
        Ok(())
    }

    /// Start and last activity of each recorded run of a monitor, in the order in which they
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

    /// Records that this monitor runs, since the wall clock shows `now`. `is_synchronised`: whether
    /// a time service has set it.
    pub fn begin_run(&mut self, now: UtcMillis, is_synchronised: bool) -> Result<(), StoreError> {
        let mut begin = || -> rusqlite::Result<(i64, RunClock)> {
            let transaction = self
                .connection
                .transaction_with_behavior(TransactionBehavior::Immediate)?;
            runs::correct_before(&transaction, now)?;
            let mut newest = clock::newest_on_record(&transaction)?;
            if newest > Some(now) && clock::take_back_lead(&transaction, now, None)? > 0 {
                newest = clock::newest_on_record(&transaction)?;
            }
            let run_clock = RunClock::start(now, newest, is_synchronised);
            let run_id = runs::insert(&transaction, &run_clock, now)?;
            transaction.commit()?;
            Ok((run_id, run_clock))
        };
        let (run_id, run_clock) = begin().map_err(|cause| self.failed("writing", cause))?;
        (self.run_id, self.run_clock) = (Some(run_id), run_clock);
        Ok(())
    }

    /// Begins another run after a step that may be wrong: see [`clock::pruning_delay`].
    pub fn continue_run(&mut self, now: UtcMillis) -> Result<(), StoreError> {
        let run_id = runs::insert(&self.connection, &self.run_clock, now)
            .map_err(|cause| self.failed("writing", cause))?;
        self.run_id = Some(run_id);
        Ok(())
    }

    /// As [`Database::write_records`], with a scene of these checks only.
    pub fn write(
        &mut self,
        results: &[CheckResult],
        now: UtcMillis,
        run: RunState,
    ) -> Result<(), StoreError> {
        let records: Vec<Record> = results.iter().cloned().map(Record::Check).collect();
        let mut scene = Scene::default();
        results.iter().for_each(|result| scene.add_check(result));
        self.write_records(&records, &scene, now, run).map(|_| ())
    }

    /// Writes records, the outages that they begin and end with the causes that `scene` shows,
    /// the state of this run, and the roll-ups that are due, in one transaction. Returns lines for
    /// the log: outages that ended, links that went down or were restored.
    pub fn write_records(
        &mut self,
        records: &[Record],
        scene: &Scene,
        now: UtcMillis,
        run: RunState,
    ) -> Result<Vec<String>, StoreError> {
        self.write_all(records, scene, now, run).map_err(|cause| {
            // Hosts that the transaction had inserted were rolled back.
            self.hosts.clear();
            self.failed("writing", cause)
        })
    }

    fn write_all(
        &mut self,
        records: &[Record],
        scene: &Scene,
        now: UtcMillis,
        run: RunState,
    ) -> rusqlite::Result<Vec<String>> {
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut outages = Outages::read(&transaction, self.outage_rules, now)?;
        let mut notices = Notices::new(&transaction, self.pending_notices, now);
        for record in records {
            match record {
                Record::Check(result) => {
                    let CheckResult {
                        thresholds,
                        spacing_ms,
                        interval_ms,
                        is_by_hand,
                        is_beside_monitor,
                        ..
                    } = *result;
                    let is_literal = result.host.address.ip().is_some();
                    let settings = HostSettings {
                        thresholds,
                        spacing_ms,
                        interval_ms,
                        resolved: result.pinged_address().filter(|_| !is_literal),
                        is_by_hand,
                        is_beside_monitor,
                    };
                    let host_id = host_id(
                        &transaction,
                        &mut self.hosts,
                        &result.host,
                        result.checked_at,
                        Some(settings),
                    )?;
                    let written_at = insert(&transaction, host_id, result)?;
                    // Not cached between commits: another process may have made the roll-up
                    // meanwhile.
                    mark_stale(&transaction, host_id, written_at.hour())?;
                    outages.add_check(host_id, result, written_at)?;
                    notices.check_degraded(host_id, result, written_at)?;
                    notices.check_loss(host_id, result, written_at)?;
                }
                Record::Probe(probe) => {
                    let host_id =
                        host_id(&transaction, &mut self.hosts, &probe.host, probe.at, None)?;
                    outages.add_probe(host_id, probe)?;
                }
                Record::Interruption(interruption) => ledger::record(&transaction, interruption)?,
                Record::Unsent(unsent) => {
                    let host_id = host_id(
                        &transaction,
                        &mut self.hosts,
                        &unsent.host,
                        unsent.from,
                        None,
                    )?;
                    ledger::record_unsent(&transaction, host_id, unsent)?;
                }
                Record::Notice(result) => notices::record_result(&transaction, result)?,
            }
        }
        notices.add_changes(&outages.changed);
        surroundings::record(&transaction, scene, &outages, &mut notices, now)?;
        let log_lines = std::mem::take(&mut notices.log_lines);
        let has_notices = notices.write()?;
        make_due(&transaction, now.hour())?;
        if let Some(run_id) = self.run_id {
            let is_stopped = run == RunState::Stopped;
            runs::note_alive(&transaction, run_id, &self.run_clock, now, is_stopped)?;
        }
        transaction.commit()?;
        self.pending_notices.note(has_notices);
        Ok(log_lines)
    }

    /// Corrects the times of what was recorded while the clock was wrong, as [`RunClock::step`]
    /// decided; returns how many checks.
    pub fn correct(
        &mut self,
        step: &ClockStep,
        correction: &Correction,
    ) -> Result<usize, StoreError> {
        let run_id = self.run_id;
        let mut write = || -> rusqlite::Result<usize> {
            let transaction = self
                .connection
                .transaction_with_behavior(TransactionBehavior::Immediate)?;
            let moved = clock::apply(&transaction, step, correction, run_id)?;
            if let (true, Some(run_id)) = (correction.is_of_whole_run(), run_id) {
                runs::correct_others(&transaction, step, run_id)?;
            }
            transaction.commit()?;
            Ok(moved)
        };
        write().map_err(|cause| self.failed("writing", cause))
    }

    /// Notes for the monitor, which is another process, that a user views the newest results.
    pub fn note_viewer(path: &Path, now: UtcMillis) -> Result<(), StoreError> {
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

    /// When a user last viewed the newest results through another process.
    pub fn viewed_at(&self) -> Option<UtcMillis> {
        const VIEWED: &str = "select max(looked_at) from watcher";
        let viewed_at = self
            .connection
            .prepare_cached(VIEWED)
            .and_then(|mut statement| statement.query_row([], |row| row.get(0)));
        viewed_at.ok().flatten().map(UtcMillis)
    }

    pub fn set_outage_rules(&mut self, rules: OutageRules) {
        self.outage_rules = rules;
    }

    /// The longest time to wait for another writer.
    pub fn set_busy_timeout(&mut self, timeout: Duration) {
        if let Err(error) = self.connection.busy_timeout(timeout) {
            log::debug!("{}: {error}", self.path.display());
        }
    }

    /// Imports a file of the original in one transaction; what was imported before is
    /// recognised.
    pub fn import(
        &mut self,
        from: &Path,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<Import, StoreError> {
        import::import(&mut self.connection, &self.path, from, progress)
    }

    pub(in crate::store) fn connection(&mut self) -> &mut Connection {
        &mut self.connection
    }

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

    /// Moves the write-ahead log into the file, except what active readers still need. That the log
    /// is empty is durable before more is written, for the reason that [`ClosedForGood`] gives.
    pub fn checkpoint(&self) {
        let log = with_suffix(&self.path, "-wal");
        let emptied = self
            .connection
            .query_row("pragma wal_checkpoint(truncate)", [], |_| Ok(()));
        // No lock is on the log, so that closing it ends none.
        match (emptied, File::open(&log).and_then(|log| log.sync_all())) {
            (Err(error), _) => log::debug!("checkpoint of {}: {error}", self.path.display()),
            (_, Err(error)) => log::debug!("{}: {error}", log.display()),
            (Ok(()), Ok(())) => {}
        }
    }

    pub fn set_alerts(&mut self, kinds: AlertKinds) {
        self.pending_notices.kinds = kinds;
    }

    /// Whether a notice was written since the last call.
    pub fn take_new_notices(&mut self) -> bool {
        std::mem::take(&mut self.pending_notices.is_new)
    }
}
