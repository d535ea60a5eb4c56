//! The writing connection. Used by the writer thread, and directly by commands that write once.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use super::checks::insert;
use super::clock;
use super::counters::MonitorCounts;
use super::hosts::{HostSettings, KnownHosts, host_id};
use super::levels::Levels;
use super::notices::{self, Notices, PendingNotices};
use super::outages::{Changed, Outages};
use super::push::{self, PushProgress};
use super::record::{Record, RunState};
use super::totals::{Added, Totals};
use super::{ledger, runs, surroundings};
use crate::clock::{Clock, SystemClock};
use crate::pure::model::{AlertKinds, CheckResult};
use crate::pure::outage::OutageRules;
use crate::pure::run_clock::{ClockBefore, RunClock};
use crate::pure::scene::Scene;
use crate::pure::time::UtcMillis;
use crate::store::connection::prepare;
use crate::store::error::StoreError;
use crate::store::file::{FileKind, identity_of, literal, with_suffix};
use crate::store::header::FileStart;
use crate::store::open::{open_to_write, require_one_name};
use crate::store::original::import::{self, Import};
use crate::store::original::merge::merge;
use crate::store::rollup::due::{make_due, mark_stale};
use crate::sys;

/// The log says that the last run ended this long ago: the clock may be wrong.
const LONG_ABSENCE_MS: i64 = 30 * 86_400_000;

mod correct;
mod open_file;

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
    /// The error of the last attempt, until the monitor's run begins.
    why_unopened: Option<StoreError>,
    /// As SQLite left it when it was last looked at; `None` if it could not be read.
    start: Option<FileStart>,
    /// As another program left it, where it wrote over the file.
    overwritten: Option<FileStart>,
    hosts: KnownHosts,
    levels: Levels,
    run_id: Option<i64>,
    clock: Arc<dyn Clock>,
    /// Decides by what time this run dates its records.
    pub run_clock: RunClock,
    outage_rules: OutageRules,
    pending_notices: PendingNotices,
    /// Whether an event began or ended, a notice was sent, or times were corrected, since
    /// [`Database::take_urgent`].
    has_urgent: bool,
    pub(super) totals: Totals,
    /// A sentence about damage and the file that was set aside, until its notice is written.
    damage: Option<(String, Option<PathBuf>)>,
    /// What the engine of the section `push` has acknowledged, until that is written.
    pushed: PushProgress,
}

impl Opened {
    /// Reads what a run begins with, so that damage there is noticed before.
    fn read_runs(mut self) -> Result<Opened, StoreError> {
        let now = self.database.clock.clocks().utc();
        self.database.proven_time(now).map(|_| self)
    }
}

/// Matches no file: opening is tried again until there is one.
const NO_FILE: Option<(u64, u64)> = Some((0, 0));

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
    /// Another program wrote to it without SQLite. `is_complete` when it was found so twice;
    /// `damage` where it is what SQLite wrote but for this.
    WrittenOver {
        is_complete: bool,
        damage: Option<&'static str>,
    },
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
        let mut database = Database::of(connection, path);
        database.identity = identity_of(path);
        database.file = File::open(path).ok();
        database.start = (database.file.as_ref()).and_then(|file| FileStart::read(file).ok());
        Ok(Opened { database, import })
    }

    /// Stands for a file that cannot be opened yet. Nothing can be written to it until
    /// [`Database::reopen`] has opened the file.
    pub fn unopened(path: &Path, why: StoreError) -> Result<Database, StoreError> {
        let connection = Connection::open_in_memory().map_err(|cause| StoreError::Sqlite {
            operation: "opening database",
            path: path.to_path_buf(),
            cause,
        })?;
        let mut database = Database::of(connection, path);
        database.why_unopened = Some(why);
        Ok(database)
    }

    fn of(connection: Connection, path: &Path) -> Database {
        Database {
            connection,
            _closed: ClosedForGood(path.to_path_buf()),
            path: path.to_path_buf(),
            identity: NO_FILE,
            start: None,
            file: None,
            why_unopened: None,
            overwritten: None,
            hosts: KnownHosts::new(),
            levels: Levels::default(),
            run_id: None,
            clock: Arc::new(SystemClock),
            run_clock: RunClock::start(UtcMillis(i64::MAX), None, true),
            outage_rules: OutageRules::default(),
            pending_notices: PendingNotices::default(),
            has_urgent: false,
            totals: Totals::default(),
            damage: None,
            pushed: PushProgress::default(),
        }
    }

    pub fn clock(&self) -> Arc<dyn Clock> {
        Arc::clone(&self.clock)
    }

    /// Uses other clocks than those of this machine: for a simulation.
    pub fn set_clock(&mut self, clock: Arc<dyn Clock>) {
        self.clock = clock;
    }

    /// What `/metrics` counts of each host.
    pub fn counts(&self) -> MonitorCounts {
        self.totals.counters.counts(0)
    }

    pub(super) fn run_id(&self) -> Option<i64> {
        self.run_id
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Records that this monitor runs, since the wall clock shows `now`. `is_synchronised`: whether
    /// a time service has set it.
    pub fn begin_run(&mut self, now: UtcMillis, is_synchronised: bool) -> Result<(), StoreError> {
        self.begin_run_of(now, now, is_synchronised)
    }

    fn begin_run_of(
        &mut self,
        started: UtcMillis,
        now: UtcMillis,
        is_synchronised: bool,
    ) -> Result<(), StoreError> {
        let clock = Arc::clone(&self.clock);
        let mut begin = || -> rusqlite::Result<(i64, RunClock)> {
            let transaction = self
                .connection
                .transaction_with_behavior(TransactionBehavior::Immediate)?;
            // Before times are corrected: what is stored names the times of before.
            self.totals.read(&transaction);
            runs::correct_before(&transaction, &*clock, now)?;
            let mut newest = clock::newest_on_record(&transaction, None)?;
            let mut before = runs::clock_before(&transaction, &*clock, now)?;
            let back_ms = before.as_ref().and_then(ClockBefore::set_back_ms);
            if (newest > Some(now) || back_ms.is_some())
                && clock::take_back_lead(&transaction, &*clock, now, back_ms, None)? > 0
            {
                newest = clock::newest_on_record(&transaction, None)?;
                before = None;
            }
            let run_clock = match before {
                Some(before) => RunClock::start_after(&before, started, newest, is_synchronised),
                None => RunClock::start(started, newest, is_synchronised),
            };
            let run_id = runs::insert(&transaction, &*clock, &run_clock, started, now)?;
            self.totals.store_all(&transaction)?;
            transaction.commit()?;
            self.totals.note_stored();
            Ok((run_id, run_clock))
        };
        let (run_id, run_clock) = begin().map_err(|cause| self.failed("writing", cause))?;
        (self.run_id, self.run_clock) = (Some(run_id), run_clock);
        // What a killed run committed is on the disk, too.
        if let Err(error) = self.sync() {
            log::debug!("{}: {error}", self.path.display());
        }
        self.totals.publish();
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
            self.levels.forget();
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
        let mut added = Added::default();
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
                    added.check(host_id, result);
                    self.levels
                        .add_check(&transaction, host_id, result, written_at)?;
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
        // After the causes were judged.
        added.outages(&transaction, &outages.changed)?;
        if let Some((sentence, aside)) = &self.damage {
            notices.database(sentence, aside.as_deref());
        }
        let log_lines = std::mem::take(&mut notices.log_lines);
        let has_events = !log_lines.is_empty()
            || outages.changed.iter().any(Changed::is_begin_or_end)
            || records
                .iter()
                .any(|record| matches!(record, Record::Notice(_)));
        let has_notices = notices.write()?;
        push::record(&transaction, &self.pushed)?;
        make_due(&transaction, now.hour())?;
        let is_stopped = run == RunState::Stopped;
        let totals = &self.totals;
        totals.store_if_due(&transaction, &mut added, now.hour(), is_stopped)?;
        if let Some(run_id) = self.run_id {
            runs::note_alive(
                &transaction,
                &*self.clock,
                run_id,
                &self.run_clock,
                now,
                is_stopped,
            )?;
        }
        transaction.commit()?;
        self.totals.add(added);
        self.damage = None;
        self.pushed = PushProgress::default();
        self.pending_notices.note(has_notices);
        self.has_urgent |= has_events;
        Ok(log_lines)
    }

    /// Notes for the monitor, which is another process, that a user views the newest results.
    pub fn note_viewer(path: &Path, now: UtcMillis) -> Result<(), StoreError> {
        require_one_name(path)?;
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
        viewed_at.ok().flatten()
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

    /// Imports a file of the original, or another of this program, in one transaction; what was
    /// imported before is recognised.
    pub fn import(
        &mut self,
        from: &Path,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<Import, StoreError> {
        let connection = &mut self.connection;
        match import::importable(from)? {
            FileKind::Ours(_) if identity_of(from) == identity_of(&self.path) => {
                Err(StoreError::NotOriginal {
                    path: from.to_path_buf(),
                    wrong: "it is the database that it would be imported into",
                    cure: "name another file",
                })
            }
            FileKind::Ours(_) => merge(connection, &self.path, from, progress),
            _ => import::import(connection, &self.path, from, progress),
        }
    }

    pub(in crate::store) fn connection(&mut self) -> &mut Connection {
        &mut self.connection
    }

    pub(super) fn connection_and_totals(&mut self) -> (&mut Connection, &mut Totals) {
        (&mut self.connection, &mut self.totals)
    }

    pub(in crate::store) fn failed(
        &self,
        operation: &'static str,
        cause: rusqlite::Error,
    ) -> StoreError {
        StoreError::of_sqlite(operation, &self.path, cause)
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

    /// Makes what was committed safe from a power cut: with `synchronous=normal` a commit only hands
    /// it to the system, which may write it half a minute later. SQLite has no locks on the log that
    /// closing it would end. A rollback journal needs none of this.
    pub fn sync(&self) -> io::Result<()> {
        match File::open(with_suffix(&self.path, "-wal")) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            log => log?.sync_data(),
        }
    }

    /// Whether something was committed since the last call that must soon be safe from a power cut: an event
    /// that began or ended, a sent notice, corrected times.
    pub fn take_urgent(&mut self) -> bool {
        std::mem::take(&mut self.has_urgent)
    }

    /// Has it written with the next records.
    pub fn note_pushed(&mut self, progress: PushProgress) {
        self.pushed.add(progress);
    }

    pub fn set_alerts(&mut self, kinds: AlertKinds) {
        self.pending_notices.kinds = kinds;
    }

    /// Whether a notice was written since the last call.
    pub fn take_new_notices(&mut self) -> bool {
        std::mem::take(&mut self.pending_notices.is_new)
    }
}
