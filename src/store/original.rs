//! Takes over what the Python original wrote: local times to UTC, milliseconds to microseconds, rows out of order put in
//! order. A file is taken over in place, once, after a copy of it has been written beside it; `import` reads another file
//! into ours.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags, Row, TransactionBehavior, params, types::ValueRef};

use super::database::{CheckRow, Standing, enter_host, insert_row, prepare, standing};
use super::{Database, StoreError, rollup, schema};
use crate::model::Family;
use crate::sys;
use crate::time::{LATEST_MS, UtcMillis, local_to_utc, parse_naive_ms};

/// What taking over found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Import {
    /// Checks that were written.
    pub checks: u64,
    /// Checks that were there already.
    pub known: u64,
    /// Outage events that were written.
    pub events: u64,
    /// Rows that could not be read; the first is described.
    pub unreadable: u64,
    /// What was wrong with the first of them.
    pub first_unreadable: Option<String>,
    /// Where the copy of the file was left, when it was taken over in place.
    pub copy: Option<PathBuf>,
}

impl fmt::Display for Import {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} checks and {} outage events taken over", self.checks, self.events)?;
        if self.known > 0 {
            write!(f, ", {} were there already", self.known)?;
        }
        if let Some(first) = &self.first_unreadable {
            write!(f, ", {} rows could not be read, the first: {first}", self.unreadable)?;
        }
        if let Some(copy) = &self.copy {
            write!(f, "; the file as it was is kept as {}", copy.display())?;
        }
        Ok(())
    }
}

/// Whether a schema has the original's table, with the columns that are read here.
pub(super) fn has_table(connection: &Connection, schema: &str) -> rusqlite::Result<bool> {
    has_columns(connection, schema, "ping_results", CHECK_COLUMNS)
}

const CHECK_COLUMNS: &str =
    "id, host_name, host_address, timestamp, success_count, failure_count, min_latency, avg_latency, max_latency";
const EVENT_COLUMNS: &str = "id, host_name, host_address, start_time, end_time, duration_seconds, checks_failed, \
                             checks_during_outage, recovery_success_rate, notes";

fn has_columns(connection: &Connection, schema: &str, table: &str, columns: &str) -> rusqlite::Result<bool> {
    let sql = format!("select count(*) from {schema}.sqlite_schema where type = 'table' and name = ?1");
    let is_table: i64 = connection.query_row(&sql, [table], |row| row.get(0))?;
    if is_table == 0 {
        return Ok(false);
    }
    match connection.prepare(&format!("select {columns} from {schema}.{table}")) {
        Ok(_) => Ok(true),
        // A column is missing.
        Err(rusqlite::Error::SqliteFailure(..) | rusqlite::Error::SqlInputError { .. }) => Ok(false),
        Err(other) => Err(other),
    }
}

/// Whether a file is a database of the original; otherwise the error says what it is instead.
pub fn require_original(path: &Path) -> Result<(), StoreError> {
    let standing = (|| {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags)?;
        prepare(&connection)?;
        standing(&connection)
    })();
    match standing {
        Ok(Standing::Original) => Ok(()),
        Ok(_) => Err(StoreError::NotOriginal { path: path.to_path_buf() }),
        Err(cause) => Err(StoreError::Sqlite { operation: "opening", path: path.to_path_buf(), cause }),
    }
}

/// Turns a file of the original into one of ours, in one transaction.
pub(super) fn take_over(
    connection: &mut Connection,
    path: &Path,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Import, StoreError> {
    let failed = |cause| StoreError::Sqlite { operation: "taking over database", path: path.to_path_buf(), cause };
    let copy = free_name(path);
    // The original may be running and write between the copy and the lock: then the copy is made again.
    let data_version = |connection: &Connection| connection.pragma_query_value(None, "data_version", |row| row.get::<_, i64>(0));
    let transaction = loop {
        let before = data_version(connection).map_err(failed)?;
        copy_database(connection, path, &copy)?;
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Exclusive).map_err(failed)?;
        if data_version(&transaction).map_err(failed)? == before {
            break transaction;
        }
    };
    let import = (|| {
        // Another process of ours may have been quicker.
        if !matches!(standing(&transaction)?, Standing::Original) {
            return Ok(None);
        }
        let has_events = has_columns(&transaction, "main", "outage_events", EVENT_COLUMNS)?;
        transaction.execute_batch("alter table ping_results rename to original_ping_results")?;
        if has_events {
            transaction.execute_batch(
                "alter table outage_events rename to original_outage_events;
                 drop index if exists idx_events_host_time;
                 drop index if exists idx_events_time",
            )?;
        }
        schema::migrate(&transaction, 0)?;
        let events = has_events.then_some("main.original_outage_events");
        let import = read(&transaction, "main.original_ping_results", events, progress)?;
        transaction.execute_batch("drop table original_ping_results; drop table if exists original_outage_events")?;
        Ok(Some(import))
    })()
    .map_err(failed)?;
    let Some(mut import) = import else {
        drop(transaction);
        let _ = fs::remove_file(&copy);
        return Ok(Import::default());
    };
    transaction.commit().map_err(failed)?;
    // The file keeps the original's size and settings until it is written anew.
    connection.pragma_update(None, "auto_vacuum", "incremental").map_err(failed)?;
    connection.execute_batch("vacuum").map_err(failed)?;
    import.copy = Some(copy);
    Ok(import)
}

/// `connection_logs.db.original`, or with a number behind it: never a name that is taken.
fn free_name(path: &Path) -> PathBuf {
    let name = |suffix: &str| {
        let mut name = path.as_os_str().to_os_string();
        name.push(".original");
        name.push(suffix);
        PathBuf::from(name)
    };
    let mut candidate = name("");
    let mut number = 2;
    while candidate.exists() {
        candidate = name(&format!("-{number}"));
        number += 1;
    }
    candidate
}

/// Writes a consistent copy of the database behind a connection to `to`, whole or not at all.
pub(super) fn copy_database(connection: &Connection, path: &Path, to: &Path) -> Result<(), StoreError> {
    let mut partial = to.as_os_str().to_os_string();
    partial.push(".part");
    let partial = PathBuf::from(partial);
    let result = (|| {
        let file = |operation| move |cause| StoreError::File { operation, path: to.to_path_buf(), cause };
        // A copy that was broken off is nobody's.
        if let Err(error) = fs::remove_file(&partial)
            && error.kind() != std::io::ErrorKind::NotFound
        {
            return Err(file("writing a copy to")(error));
        }
        let target = partial.to_string_lossy();
        let vacuum = connection.execute("vacuum into ?1", [&target]);
        vacuum.map_err(|cause| StoreError::Sqlite { operation: "copying database", path: path.to_path_buf(), cause })?;
        fs::File::open(&partial).and_then(|file| file.sync_all()).map_err(file("writing a copy to"))?;
        // hard_link refuses a name that is taken, where rename would overwrite it.
        match fs::hard_link(&partial, to) {
            Ok(()) => fs::remove_file(&partial),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
                return Err(StoreError::Exists { path: to.to_path_buf() });
            }
            // A file system without links, as on many USB sticks.
            Err(_) => fs::rename(&partial, to),
        }
        .map_err(file("writing a copy to"))
    })();
    if result.is_err() {
        let _ = fs::remove_file(&partial);
    }
    result
}

impl Database {
    /// Reads a file of the original into this database, in one transaction; what was imported before is known again.
    pub fn import(&mut self, from: &Path, progress: &mut dyn FnMut(u64, u64)) -> Result<Import, StoreError> {
        require_original(from)?;
        let not_readable = |cause| StoreError::Sqlite { operation: "opening", path: from.to_path_buf(), cause };
        let attach = self.connection().execute("attach database ?1 as original", [from.to_string_lossy()]);
        attach.map_err(not_readable)?;
        let result = (|| {
            let transaction = self.connection().transaction_with_behavior(TransactionBehavior::Immediate)?;
            let has_events = has_columns(&transaction, "original", "outage_events", EVENT_COLUMNS)?;
            let events = has_events.then_some("original.outage_events");
            let import = read(&transaction, "original.ping_results", events, progress)?;
            transaction.commit()?;
            Ok(import)
        })();
        let detached = self.connection().execute_batch("detach database original");
        let import = result.map_err(|cause| self.failed("importing into", cause))?;
        detached.map_err(|cause| self.failed("importing into", cause))?;
        Ok(import)
    }

    /// Writes a consistent copy of this database, which may be in use, to a file that must not exist.
    pub fn backup(path: &Path, to: &Path) -> Result<(), StoreError> {
        if to.exists() {
            return Err(StoreError::Exists { path: to.to_path_buf() });
        }
        let failed = |cause| StoreError::Sqlite { operation: "opening database", path: path.to_path_buf(), cause };
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags).map_err(failed)?;
        prepare(&connection).map_err(failed)?;
        copy_database(&connection, path, to)
    }
}

/// Reads checks and events from tables with the original's columns into ours.
fn read(
    connection: &Connection,
    checks: &str,
    events: Option<&str>,
    progress: &mut dyn FnMut(u64, u64),
) -> rusqlite::Result<Import> {
    let mut import = Import::default();
    let total: i64 = connection.query_row(&format!("select count(*) from {checks}"), [], |row| row.get(0))?;
    let total = u64::try_from(total).unwrap_or(0);
    // In the order of writing: it tells the two passes through the hour that autumn repeats apart.
    let mut statement = connection.prepare(&format!("select {CHECK_COLUMNS}, julianday(timestamp) from {checks} order by id"))?;
    let mut rows = statement.query([])?;
    let mut previous = None;
    let mut done = 0;
    while let Some(row) = rows.next()? {
        done += 1;
        if done % 4096 == 0 {
            progress(done, total);
        }
        match read_check(row, previous) {
            Ok((at, address, name, check)) => {
                previous = Some(at);
                let host_id = enter_host(connection, &address, Family::Any, &name)?;
                match place(connection, host_id, at, &check)? {
                    Some(placed) => {
                        import.checks += 1;
                        rollup::mark_stale(connection, host_id, placed.hour())?;
                    }
                    None => import.known += 1,
                }
            }
            Err(problem) => {
                import.unreadable += 1;
                let id = row.get_ref(0).map(|id| describe(&id)).unwrap_or_default();
                import.first_unreadable.get_or_insert_with(|| format!("id {id}, {problem}"));
            }
        }
    }
    progress(done, total);
    if let Some(events) = events {
        import.events = read_events(connection, events)?;
    }
    Ok(import)
}

/// Writes a check at its millisecond or the next one that is free; `None` when the same check stands there already.
fn place(connection: &Connection, host_id: i64, at: UtcMillis, check: &CheckRow) -> rusqlite::Result<Option<UtcMillis>> {
    const KNOWN: &str = "select sent, received, min_us, avg_us, max_us from check_result where host_id = ?1 and checked_at = ?2";
    let mut at = at;
    while !insert_row(connection, host_id, at.0, check)? {
        let known = connection.prepare_cached(KNOWN)?.query_row(params![host_id, at.0], |row| {
            let (sent, received) = (row.get(0)?, row.get(1)?);
            Ok(CheckRow { sent, received, min_us: row.get(2)?, avg_us: row.get(3)?, max_us: row.get(4)?, rtts: None })
        })?;
        if known == *check {
            return Ok(None);
        }
        at.0 += 1;
    }
    Ok(Some(at))
}

type Check = (UtcMillis, String, String, CheckRow);

fn read_check(row: &Row<'_>, previous: Option<UtcMillis>) -> Result<Check, String> {
    let value = |index| row.get_ref(index).map_err(|error| error.to_string());
    let text = |index| value(index).map(|value| value.as_str().ok().map(str::to_string));
    let timestamp = value(3)?;
    let at = timestamp
        .as_str()
        .ok()
        .and_then(|text| parse_naive_ms(text).map(|naive| local_to_utc(naive, previous, sys::utc_offset_at)))
        // A text with a zone, which SQLite knows to read; the original writes none.
        .or_else(|| row.get::<_, f64>(9).ok().filter(|_| timestamp.as_str().is_ok()).map(from_julian_day))
        .filter(|at| (0..=LATEST_MS).contains(&at.0))
        .ok_or_else(|| format!("timestamp {}", describe(&timestamp)))?;
    let address = text(2)?.filter(|address| !address.trim().is_empty()).ok_or("no host_address")?;
    let name = text(1)?.filter(|name| !name.is_empty()).unwrap_or_else(|| address.clone());
    let count = |index, column| {
        let found = value(index)?;
        found.as_i64().ok().filter(|count| rollup::PINGS.contains(count)).ok_or_else(|| format!("{column} {}", describe(&found)))
    };
    let received = count(4, "success_count")?;
    let sent = received + count(5, "failure_count")?;
    // With exactly three replies the original stores them as they came, in place of least, mean and greatest.
    let mut latencies = [latency_us(&value(6)?), latency_us(&value(7)?), latency_us(&value(8)?)];
    if latencies.iter().all(Option::is_some) {
        latencies.sort_unstable();
    }
    let [min_us, avg_us, max_us] = latencies;
    Ok((at, address, name, CheckRow { sent, received, min_us, avg_us, max_us, rtts: None }))
}

fn from_julian_day(day: f64) -> UtcMillis {
    #[expect(clippy::cast_possible_truncation, reason = "a cast from a float saturates, and the range is checked behind")]
    UtcMillis(((day - 2_440_587.5) * 86_400_000.0).round() as i64)
}

/// Milliseconds as a number to whole microseconds; `None` when it is nothing of the kind.
fn latency_us(value: &ValueRef<'_>) -> Option<u32> {
    let ms = match value {
        ValueRef::Real(ms) => *ms,
        ValueRef::Integer(ms) => *ms as f64,
        _ => return None,
    };
    let us = (ms * 1000.0).round();
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the range is checked before")]
    (0.0..=f64::from(u32::MAX)).contains(&us).then_some(us as u32)
}

fn describe(value: &ValueRef<'_>) -> String {
    match value {
        ValueRef::Null => "NULL".into(),
        ValueRef::Integer(number) => number.to_string(),
        ValueRef::Real(number) => number.to_string(),
        ValueRef::Text(text) => format!("{:?}", String::from_utf8_lossy(&text[..text.len().min(60)])),
        ValueRef::Blob(_) => "a blob".into(),
    }
}

/// Takes the events over, times to UTC; an event that is known by host and start is left alone.
fn read_events(connection: &Connection, table: &str) -> rusqlite::Result<u64> {
    const WRITE: &str = "insert into outage_events(host_name, host_address, event_type, start_time, end_time, duration_seconds,
            checks_failed, checks_during_outage, recovery_success_rate, notes)
        select ?1, ?2, 'outage', ?3, ?4, ?5, ?6, ?7, ?8, ?9
         where not exists (select 1 from outage_events where host_address = ?2 and start_time = ?3)";
    let mut statement = connection.prepare(&format!("select {EVENT_COLUMNS} from {table} order by id"))?;
    let mut rows = statement.query([])?;
    let mut previous = None;
    let mut written = 0;
    while let Some(row) = rows.next()? {
        let instant = |index, previous| {
            let naive = row.get_ref(index).ok().and_then(|value| value.as_str().ok().and_then(parse_naive_ms));
            naive.map(|naive| local_to_utc(naive, previous, sys::utc_offset_at))
        };
        let address: Option<String> = row.get(2).unwrap_or(None);
        let (Some(start), Some(address)) = (instant(3, previous), address) else { continue };
        let end = instant(4, Some(start));
        previous = Some(start);
        let name = row.get::<_, Option<String>>(1).unwrap_or(None).unwrap_or_else(|| address.clone());
        let duration = end.map(|end| (end.0 - start.0).div_euclid(1000));
        let number = |index| row.get::<_, Option<i64>>(index).unwrap_or(None);
        let rate: Option<f64> = row.get(8).unwrap_or(None);
        let notes: Option<String> = row.get(9).unwrap_or(None);
        let values =
            params![name, address, start.sql_text(), end.map(UtcMillis::sql_text), duration, number(6), number(7), rate, notes];
        written += connection.prepare_cached(WRITE)?.execute(values)? as u64;
    }
    Ok(written)
}
