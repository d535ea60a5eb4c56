//! The writing connection: opening a file, making it ours, and writing checks into it. Used by the
//! writer thread, and directly by commands that write once.

use crate::pure::address::{HostAddress, IpVersion};
use std::collections::HashMap;
use std::ffi::OsStr;
use std::ops::RangeInclusive;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, OpenFlags, TransactionBehavior, ffi, params};

use super::notices::{self, NoticeResult, Notices, Spool};
use super::outages::Outages;
use super::rows::{CachedHost, HostSettings, host_id, insert};
use super::{
    ClockStep, Import, StoreError, clock, journal, ledger, original, rollup, schema, surroundings,
};
use crate::pure::model::{CheckResult, Interruption, Probe};
use crate::pure::outage::OutageRules;
use crate::pure::scene::Scene;
use crate::pure::time::UtcMillis;

/// How long a statement waits for another writer.
pub(super) const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// What SQLite may keep in memory of a file, in KiB: a few hundred pages serve a commit.
const CACHE_KIB: i64 = 512;
/// The same for who only reads: there may be several, and they read most pages once.
const READER_CACHE_KIB: i64 = 128;

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
    pub(super) spool: Spool,
}

/// What is to be written.
#[derive(Clone, Debug, PartialEq)]
pub enum Record {
    /// A check, as a row.
    Check(CheckResult),
    /// A ping between two checks, which moves an outage.
    Probe(Probe),
    /// A time in which nothing was measured.
    Interruption(Interruption),
    /// What came of telling a notice.
    Notice(NoticeResult),
}

impl Record {
    /// Dates it anew where it lies within times that have turned out to be wrong.
    pub(super) fn redate(&mut self, times: &RangeInclusive<i64>, by_ms: i64) {
        let mend = |at: &mut UtcMillis| {
            if times.contains(&at.0) {
                at.0 = at.0.saturating_add(by_ms);
            }
        };
        match self {
            Record::Check(result) => mend(&mut result.checked_at),
            Record::Probe(probe) => mend(&mut probe.at),
            Record::Interruption(interruption) => {
                mend(&mut interruption.from);
                mend(&mut interruption.to);
            }
            Record::Notice(fate) => fate.told_at.iter_mut().for_each(mend),
        }
    }
}

impl From<CheckResult> for Record {
    fn from(result: CheckResult) -> Self {
        Record::Check(result)
    }
}

/// What the ledger is to say of the daemon that writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunStart {
    /// It goes on.
    GoesOn,
    /// This is its last word.
    Ends,
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
        let failed = |operation| {
            move |cause| StoreError::Sqlite {
                operation,
                path: path.to_path_buf(),
                cause,
            }
        };
        let open = || -> rusqlite::Result<(Connection, FileKind)> {
            let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
                | OpenFlags::SQLITE_OPEN_CREATE
                | OpenFlags::SQLITE_OPEN_NO_MUTEX;
            let connection = Connection::open_with_flags(literal(path), flags)?;
            prepare(&connection)?;
            let file_kind = file_kind(&connection)?;
            Ok((connection, file_kind))
        };
        let opened = match open() {
            Err(error) if journal::is_misplaced(&error) => {
                journal::take_log_away(path).and_then(|()| open())
            }
            other => other,
        };
        let (mut connection, file_kind) = opened.map_err(failed("opening database"))?;
        let import = match file_kind {
            FileKind::Ours(schema::VERSION) => None,
            FileKind::Ours(version) if version > schema::VERSION => {
                return Err(StoreError::Newer {
                    path: path.to_path_buf(),
                    version,
                });
            }
            FileKind::Ours(_) => {
                upgrade(&mut connection).map_err(failed("upgrading database"))?;
                None
            }
            FileKind::Empty => {
                begin_file(&mut connection).map_err(failed("beginning database"))?;
                None
            }
            FileKind::Original => original::take_over(&mut connection, path, progress)?,
            FileKind::Foreign => {
                return Err(StoreError::Foreign {
                    path: path.to_path_buf(),
                });
            }
        };
        original::keep_copy(path);
        give_back_pages(&connection, path);
        journal::set(&connection, path).map_err(failed("opening database"))?;
        let identity = identity_of(path);
        let path = path.to_path_buf();
        let database = Database {
            connection,
            path,
            identity,
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
                    rollup::mark_stale(&transaction, host_id, written_at.hour())?;
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
        rollup::make_due(&transaction, now.hour())?;
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

    /// The connection, for the other files of this folder.
    pub(super) fn connection(&mut self) -> &mut Connection {
        &mut self.connection
    }

    /// An error about this database.
    pub(super) fn failed(&self, operation: &'static str, cause: rusqlite::Error) -> StoreError {
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
}

/// A file's name such that SQLite takes it for nothing else: `file:x` and `:memory:` are files,
/// too.
pub(super) fn literal(path: &Path) -> PathBuf {
    if path.is_absolute() || path.as_os_str().is_empty() {
        path.to_path_buf()
    } else {
        Path::new(".").join(path)
    }
}

/// The same as a value in SQL; a name need not be UTF-8.
pub(super) fn literal_text(path: &OsStr) -> ToSqlOutput<'_> {
    ToSqlOutput::Borrowed(ValueRef::Text(path.as_bytes()))
}

/// A connection that cannot write. What a writer that was killed in the middle left behind is
/// undone first.
pub(super) fn open_to_read(path: &Path) -> rusqlite::Result<Connection> {
    let open = |flags| -> rusqlite::Result<Connection> {
        let connection =
            Connection::open_with_flags(literal(path), flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
        prepare(&connection)?;
        connection.pragma_update(None, "cache_size", -READER_CACHE_KIB)?;
        // The first look at the content.
        connection.pragma_query_value(None, "schema_version", |_| Ok(()))?;
        Ok(connection)
    };
    match open(OpenFlags::SQLITE_OPEN_READ_ONLY) {
        Err(error)
            if error
                .sqlite_error()
                .is_some_and(|e| e.extended_code == ffi::SQLITE_READONLY_ROLLBACK) =>
        {
            drop(open(OpenFlags::SQLITE_OPEN_READ_WRITE)?);
            open(OpenFlags::SQLITE_OPEN_READ_ONLY)
        }
        Err(error) if journal::is_misplaced(&error) => {
            journal::take_log_away(path)?;
            open(OpenFlags::SQLITE_OPEN_READ_ONLY)
        }
        other => other,
    }
}

/// What every connection is set to, whatever is in the file: nothing that a file's schema says may
/// do more than read.
pub(super) fn prepare(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.pragma_update(None, "trusted_schema", false)?;
    connection.pragma_update(None, "cache_size", -CACHE_KIB)?;
    // Or statements that are kept are planned anew for other values: a fifth of the time of an
    // overview (SQLite 3.54, as tried).
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.set_prepared_statement_cache_capacity(32);
    Ok(())
}

/// Whose a file is.
pub(super) enum FileKind {
    /// This program's, of this schema version.
    Ours(i64),
    /// Nobody's yet.
    Empty,
    /// The original's.
    Original,
    /// Somebody else's.
    Foreign,
}

/// Whose the file is, by one look at it: between two another process may make it its own.
pub(super) fn file_kind(connection: &Connection) -> rusqlite::Result<FileKind> {
    if !connection.is_autocommit() {
        return look(connection);
    }
    let look_once = connection.unchecked_transaction()?;
    look(&look_once)
}

fn look(connection: &Connection) -> rusqlite::Result<FileKind> {
    let number = |name: &str| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    match number("application_id")? {
        0 | schema::EXPORT_ID => {}
        schema::APPLICATION_ID => return number("user_version").map(FileKind::Ours),
        _ => return Ok(FileKind::Foreign),
    }
    let tables: i64 =
        connection.query_row("select count(*) from sqlite_schema", [], |row| row.get(0))?;
    Ok(match tables {
        0 => FileKind::Empty,
        _ if number("user_version")? == 0 && original::has_table(connection, "main")? => {
            FileKind::Original
        }
        _ => FileKind::Foreign,
    })
}

/// A file that was taken over is written anew once, so that it is no larger than it must be and
/// gives back what pruning frees. Where that fails, for want of room or because somebody reads, it
/// is tried again at the next opening.
fn give_back_pages(connection: &Connection, path: &Path) {
    const INCREMENTAL: i64 = 2;
    let mode = || connection.pragma_query_value(None, "auto_vacuum", |row| row.get::<_, i64>(0));
    let result = mode().and_then(|mode| match mode {
        INCREMENTAL => Ok(()),
        _ => connection.execute_batch("pragma auto_vacuum = incremental; vacuum"),
    });
    if let Err(error) = result {
        log::debug!("vacuum of {}: {error}", path.display());
    }
}

fn begin_file(connection: &mut Connection) -> rusqlite::Result<()> {
    connection.pragma_update(None, "auto_vacuum", "incremental")?;
    upgrade(connection)
}

/// Runs the missing migrations. Another process may do the same at the same moment: whoever comes
/// second finds it done.
fn upgrade(connection: &mut Connection) -> rusqlite::Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let version = match file_kind(&transaction)? {
        FileKind::Ours(version) => version,
        _ => 0,
    };
    schema::migrate(&transaction, version)?;
    transaction.commit()
}

pub(super) fn identity_of(path: &Path) -> Option<(u64, u64)> {
    std::fs::metadata(path)
        .ok()
        .map(|meta| (meta.dev(), meta.ino()))
}
