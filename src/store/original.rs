//! Takes over what the Python original wrote: local times to UTC, milliseconds to microseconds,
//! rows out of order put in order. A file is taken over in place, once, after a copy of it has been
//! written beside it; `import` reads another file into ours.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, Row, TransactionBehavior, params, types::ValueRef};

use super::database::{FileKind, file_kind, literal, literal_text, open_to_read};
use super::rows::{CheckRow, enter_host, insert_row, next_millisecond};
use super::{Database, StoreError, export, rollup, schema};
use crate::pure::phrase::count;
use crate::pure::time::{LATEST_MS, UtcMillis, local_to_utc, parse_naive_ms};
use crate::sys;

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

impl Import {
    /// Counts a row that could not be read; `row` starts with its id.
    fn refuse(&mut self, noun: &str, row: &Row<'_>, problem: &str) {
        self.unreadable += 1;
        let id = row.get_ref(0).map(|id| describe(&id)).unwrap_or_default();
        self.first_unreadable
            .get_or_insert_with(|| format!("{noun} id {id}, {problem}"));
    }
}

impl fmt::Display for Import {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} and {} taken over",
            count(self.checks, "check"),
            count(self.events, "outage event")
        )?;
        if self.known > 0 {
            write!(f, ", {} known already", self.known)?;
        }
        if let Some(first) = &self.first_unreadable {
            write!(
                f,
                ", {} could not be read, the first: {first}",
                count(self.unreadable, "row")
            )?;
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

const CHECK_COLUMNS: &str = "id, host_name, host_address, timestamp, success_count, failure_count, min_latency, avg_latency, max_latency";
const EVENT_COLUMNS: &str = "id, host_name, host_address, start_time, end_time, duration_seconds, checks_failed, \
                             checks_during_outage, recovery_success_rate, notes";

fn has_columns(
    connection: &Connection,
    schema: &str,
    table: &str,
    columns: &str,
) -> rusqlite::Result<bool> {
    let sql =
        format!("select count(*) from {schema}.sqlite_schema where type = 'table' and name = ?1");
    let is_table: i64 = connection.query_row(&sql, [table], |row| row.get(0))?;
    if is_table == 0 {
        return Ok(false);
    }
    match connection.prepare(&format!("select {columns} from {schema}.{table}")) {
        Ok(_) => Ok(true),
        // A column is missing.
        Err(rusqlite::Error::SqliteFailure(..) | rusqlite::Error::SqlInputError { .. }) => {
            Ok(false)
        }
        Err(other) => Err(other),
    }
}

/// Whether a file is a database of the original; otherwise the error says what it is instead.
pub fn require_original(path: &Path) -> Result<(), StoreError> {
    match open_to_read(path).and_then(|connection| file_kind(&connection)) {
        Ok(FileKind::Original) => Ok(()),
        Ok(_) => Err(StoreError::NotOriginal {
            path: path.to_path_buf(),
        }),
        Err(cause) => Err(StoreError::Sqlite {
            operation: "opening",
            path: path.to_path_buf(),
            cause,
        }),
    }
}

/// Turns a file of the original into one of ours, in one transaction; `None` when another process
/// has just done so.
pub(super) fn take_over(
    connection: &mut Connection,
    path: &Path,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Option<Import>, StoreError> {
    let failed = |cause| StoreError::Sqlite {
        operation: "taking over database",
        path: path.to_path_buf(),
        cause,
    };
    // From here on nobody else writes, so that the copy has every row.
    let transaction = connection
        .transaction_with_behavior(TransactionBehavior::Immediate)
        .map_err(failed)?;
    if !matches!(file_kind(&transaction).map_err(failed)?, FileKind::Original) {
        return Ok(None);
    }
    // Under a name of its own until the file is ours: a taking over that was broken off leaves no
    // second copy.
    let unfinished = beside(path, ".original.new");
    if let Err(cause) = fs::remove_file(&unfinished)
        && cause.kind() != std::io::ErrorKind::NotFound
    {
        return Err(StoreError::File {
            operation: "removing",
            path: unfinished,
            cause,
        });
    }
    // Another connection, since a copy cannot be made inside of a transaction.
    copy_database(&open_to_read(path).map_err(failed)?, path, &unfinished)?;
    match fill(&transaction, progress).and_then(|import| transaction.commit().map(|()| import)) {
        Ok(import) => Ok(Some(Import {
            copy: keep_copy(path),
            ..import
        })),
        Err(cause) => {
            let _ = fs::remove_file(&unfinished);
            Err(failed(cause))
        }
    }
}

/// Gives the copy of a file that was taken over its name; says which. Where this program was
/// stopped between the two, the next opening does it.
pub(super) fn keep_copy(path: &Path) -> Option<PathBuf> {
    let unfinished = beside(path, ".original.new");
    if !unfinished.exists() {
        return None;
    }
    let copy = free_name(path);
    match fs::rename(&unfinished, &copy) {
        Ok(()) => Some(copy),
        Err(error) => {
            log::warn!("{}: {error}", unfinished.display());
            Some(unfinished)
        }
    }
}

/// Puts our tables in the place of the original's, with all that these hold.
fn fill(transaction: &Connection, progress: &mut dyn FnMut(u64, u64)) -> rusqlite::Result<Import> {
    let has_events = has_columns(transaction, "main", "outage_events", EVENT_COLUMNS)?;
    let writer = writer_of(transaction, "main")?;
    transaction.execute_batch("alter table ping_results rename to original_ping_results")?;
    if has_events {
        transaction.execute_batch(
            "alter table outage_events rename to original_outage_events;
             drop index if exists idx_events_host_time;
             drop index if exists idx_events_time",
        )?;
    }
    schema::migrate(transaction, 0)?;
    let events = has_events.then_some("main.original_outage_events");
    let import = read(
        transaction,
        "main.original_ping_results",
        events,
        writer,
        progress,
    )?;
    transaction.execute_batch(
        "drop table original_ping_results; drop table if exists original_outage_events",
    )?;
    Ok(import)
}

/// `connection_logs.db.original`, or with a number behind it: never a name that is taken.
fn free_name(path: &Path) -> PathBuf {
    let mut candidate = beside(path, ".original");
    let mut number = 2;
    while candidate.exists() {
        candidate = beside(path, &format!(".original-{number}"));
        number += 1;
    }
    candidate
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_os_string();
    name.push(suffix);
    PathBuf::from(name)
}

/// Where a copy grows before it gets its name.
pub fn partial_copy(to: &Path) -> PathBuf {
    beside(to, ".part")
}

/// Writes a consistent copy of the database behind a connection to `to`, whole or not at all.
pub(super) fn copy_database(
    connection: &Connection,
    path: &Path,
    to: &Path,
) -> Result<(), StoreError> {
    write_whole(to, |partial| {
        let vacuum = connection.execute(
            "vacuum into ?1",
            [literal_text(literal(partial).as_os_str())],
        );
        vacuum.map_err(|cause| StoreError::Sqlite {
            operation: "copying database",
            path: path.to_path_buf(),
            cause,
        })?;
        Ok(())
    })
}

/// Has a database file written beside `to` and gives it that name, which must be free, when it is
/// whole.
pub(super) fn write_whole<T>(
    to: &Path,
    write: impl FnOnce(&Path) -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    let partial = partial_copy(to);
    let result = (|| {
        let file = |operation| {
            move |cause| StoreError::File {
                operation,
                path: to.to_path_buf(),
                cause,
            }
        };
        // A copy that was broken off is nobody's.
        remove_partial(&partial).map_err(file("writing a copy to"))?;
        let written = write(&partial)?;
        fs::File::open(&partial)
            .and_then(|file| file.sync_all())
            .map_err(file("writing a copy to"))?;
        // hard_link refuses a name that is taken, where rename would overwrite it.
        match fs::hard_link(&partial, to) {
            Ok(()) => fs::remove_file(&partial),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
                return Err(StoreError::Exists {
                    path: to.to_path_buf(),
                });
            }
            // A file system without links, as on many USB sticks.
            Err(_) => fs::rename(&partial, to),
        }
        .map_err(file("writing a copy to"))?;
        Ok(written)
    })();
    if result.is_err() {
        let _ = remove_partial(&partial);
    }
    result
}

/// Removes an unfinished copy, and the journal that SQLite keeps beside a large one.
fn remove_partial(partial: &Path) -> std::io::Result<()> {
    for file in [partial, &beside(partial, "-journal")] {
        match fs::remove_file(file) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

impl Database {
    /// Reads a file of the original into this database, in one transaction; what was imported
    /// before is known again.
    pub fn import(
        &mut self,
        from: &Path,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<Import, StoreError> {
        require_original(from)?;
        let not_readable = |cause| StoreError::Sqlite {
            operation: "opening",
            path: from.to_path_buf(),
            cause,
        };
        let name = literal(from);
        let attach = self.connection().execute(
            "attach database ?1 as original",
            [literal_text(name.as_os_str())],
        );
        attach.map_err(not_readable)?;
        let result = (|| {
            let transaction = self
                .connection()
                .transaction_with_behavior(TransactionBehavior::Immediate)?;
            let has_events = has_columns(&transaction, "original", "outage_events", EVENT_COLUMNS)?;
            let events = has_events.then_some("original.outage_events");
            let writer = writer_of(&transaction, "original")?;
            let import = read(
                &transaction,
                "original.ping_results",
                events,
                writer,
                progress,
            )?;
            transaction.commit()?;
            Ok(import)
        })();
        let detached = self.connection().execute_batch("detach database original");
        let import = result.map_err(|cause| self.failed("importing into", cause))?;
        detached.map_err(|cause| self.failed("importing into", cause))?;
        Ok(import)
    }

    /// Writes a consistent copy of this database, which may be in use, to a file that must not
    /// exist.
    pub fn backup(path: &Path, to: &Path) -> Result<(), StoreError> {
        if to.exists() {
            return Err(StoreError::Exists {
                path: to.to_path_buf(),
            });
        }
        let failed = |cause| StoreError::Sqlite {
            operation: "opening database",
            path: path.to_path_buf(),
            cause,
        };
        copy_database(&open_to_read(path).map_err(failed)?, path, to)
    }
}

/// Reads checks and events from tables with the original's columns into ours.
fn read(
    connection: &Connection,
    checks: &str,
    events: Option<&str>,
    writer: Writer,
    progress: &mut dyn FnMut(u64, u64),
) -> rusqlite::Result<Import> {
    let mut import = Import::default();
    let total: i64 =
        connection.query_row(&format!("select count(*) from {checks}"), [], |row| {
            row.get(0)
        })?;
    let total = u64::try_from(total).unwrap_or(0);
    // In the order of writing: it tells the two passes through the hour that autumn repeats apart.
    let mut statement = connection.prepare(&format!(
        "select {CHECK_COLUMNS}, julianday(timestamp) from {checks} order by id"
    ))?;
    let mut rows = statement.query([])?;
    let mut previous = None;
    let mut done = 0;
    while let Some(row) = rows.next()? {
        done += 1;
        if done % 4096 == 0 {
            progress(done, total);
        }
        match read_check(row, writer, previous) {
            Ok((at, address, name, check)) => {
                previous = Some(at);
                let host_id = enter_host(connection, &address, None, &name)?;
                match place(connection, host_id, at, &check)? {
                    Some(placed) => {
                        import.checks += 1;
                        rollup::mark_stale(connection, host_id, placed.hour())?;
                    }
                    None => import.known += 1,
                }
            }
            Err(problem) => import.refuse("check", row, &problem),
        }
    }
    progress(done, total);
    if let Some(events) = events {
        read_events(connection, events, writer, &mut import)?;
    }
    Ok(import)
}

/// Writes a check at its millisecond or the next one that is free; `None` when the same check
/// stands there already.
fn place(
    connection: &Connection,
    host_id: i64,
    at: UtcMillis,
    check: &CheckRow,
) -> rusqlite::Result<Option<UtcMillis>> {
    const KNOWN: &str = "select sent, received, min_us, avg_us, max_us from check_result where host_id = ?1 and checked_at = ?2";
    let first = at.0;
    let mut at = at;
    while !insert_row(connection, host_id, at.0, check)? {
        let known = connection
            .prepare_cached(KNOWN)?
            .query_row(params![host_id, at.0], |row| {
                let (sent, received) = (row.get(0)?, row.get(1)?);
                Ok(CheckRow {
                    sent,
                    received,
                    min_us: row.get(2)?,
                    avg_us: row.get(3)?,
                    max_us: row.get(4)?,
                    rtts: None,
                })
            })?;
        if known == *check {
            return Ok(None);
        }
        at.0 = next_millisecond(first, at.0)?;
    }
    Ok(Some(at))
}

type Check = (UtcMillis, String, String, CheckRow);

fn read_check(row: &Row<'_>, writer: Writer, previous: Option<UtcMillis>) -> Result<Check, String> {
    let value = |index| row.get_ref(index).map_err(|error| error.to_string());
    let text = |index| value(index).map(|value| value.as_str().ok().map(str::to_string));
    let timestamp = value(3)?;
    let at = timestamp
        .as_str()
        .ok()
        .and_then(|text| writer.instant(text, previous))
        // A text with a zone, which SQLite knows to read; the original writes none.
        .or_else(|| {
            row.get::<_, f64>(9)
                .ok()
                .filter(|_| timestamp.as_str().is_ok())
                .map(from_julian_day)
        })
        .filter(|at| (0..=LATEST_MS).contains(&at.0))
        .ok_or_else(|| format!("timestamp {}", describe(&timestamp)))?;
    let address = text(2)?
        .filter(|address| !address.trim().is_empty())
        .ok_or("no host_address")?;
    let name = text(1)?
        .filter(|name| !name.is_empty())
        .unwrap_or_else(|| address.clone());
    let count = |index, column| {
        let found = value(index)?;
        found
            .as_i64()
            .ok()
            .filter(|count| rollup::PINGS.contains(count))
            .ok_or_else(|| format!("{column} {}", describe(&found)))
    };
    let received = count(4, "success_count")?;
    let sent = received + count(5, "failure_count")?;
    // With exactly three replies the original stores them as they came, in place of least, mean and
    // greatest.
    let mut latencies = [
        latency_us(&value(6)?),
        latency_us(&value(7)?),
        latency_us(&value(8)?),
    ];
    if latencies.iter().all(Option::is_some) {
        latencies.sort_unstable();
    }
    let [min_us, avg_us, max_us] = latencies;
    Ok((
        at,
        address,
        name,
        CheckRow {
            sent,
            received,
            min_us,
            avg_us,
            max_us,
            rtts: None,
        },
    ))
}

/// Who wrote a file with the original's schema.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Writer {
    /// The original, or who imitates it.
    Original,
    /// This program's `export`.
    Export,
}

fn writer_of(connection: &Connection, schema: &str) -> rusqlite::Result<Writer> {
    let id: i64 =
        connection.pragma_query_value(Some(schema), "application_id", |row| row.get(0))?;
    Ok(if id == schema::EXPORT_ID {
        Writer::Export
    } else {
        Writer::Original
    })
}

impl Writer {
    /// The instant that a text means. In the hour that autumn repeats the original's rows are told
    /// apart by the row before, ours by themselves.
    fn instant(self, text: &str, previous: Option<UtcMillis>) -> Option<UtcMillis> {
        let previous = match self {
            Writer::Original => previous,
            Writer::Export => export::is_second_pass(text).then_some(UtcMillis(i64::MAX)),
        };
        parse_naive_ms(text).map(|naive| local_to_utc(naive, previous, sys::utc_offset_at))
    }
}

fn from_julian_day(day: f64) -> UtcMillis {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a cast from a float saturates, and the range is checked behind"
    )]
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
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the range is checked before"
    )]
    (0.0..=f64::from(u32::MAX))
        .contains(&us)
        .then_some(us as u32)
}

fn describe(value: &ValueRef<'_>) -> String {
    match value {
        ValueRef::Null => "NULL".into(),
        ValueRef::Integer(number) => number.to_string(),
        ValueRef::Real(number) => number.to_string(),
        ValueRef::Text(text) => {
            format!("{:?}", String::from_utf8_lossy(&text[..text.len().min(60)]))
        }
        ValueRef::Blob(_) => "a blob".into(),
    }
}

/// Takes the events over, times to UTC. An event that is known by host and start is left alone, but
/// for its end.
fn read_events(
    connection: &Connection,
    table: &str,
    writer: Writer,
    import: &mut Import,
) -> rusqlite::Result<()> {
    const CLOSE: &str =
        "update outage_events set end_time = ?3, duration_seconds = ?4, checks_failed = ?5,
            checks_during_outage = ?6, recovery_success_rate = ?7, notes = ?8
        where host_address = ?1 and start_time = ?2 and end_time is null and ?3 is not null";
    const WRITE: &str = "insert into outage_events(host_name, host_address, event_type, start_time, end_time, duration_seconds,
            checks_failed, checks_during_outage, recovery_success_rate, notes)
        select ?9, ?1, 'outage', ?2, ?3, ?4, ?5, ?6, ?7, ?8
         where not exists (select 1 from outage_events where host_address = ?1 and start_time = ?2)";
    let mut statement =
        connection.prepare(&format!("select {EVENT_COLUMNS} from {table} order by id"))?;
    let mut rows = statement.query([])?;
    let mut previous = None;
    while let Some(row) = rows.next()? {
        let (start, end, address) = match read_span(row, writer, previous) {
            Ok(span) => span,
            Err(problem) => {
                import.refuse("outage event", row, &problem);
                continue;
            }
        };
        previous = Some(start);
        let text = |index| {
            row.get_ref(index)
                .map(|value| value.as_str().ok().map(str::to_string))
        };
        let name = text(1)?
            .filter(|name| !name.is_empty())
            .unwrap_or_else(|| address.clone());
        let duration = end.map(|end| (end.0 - start.0).div_euclid(1000));
        let number = |index| row.get_ref(index).map(|value| value.as_i64().ok());
        let rate = row.get_ref(8)?.as_f64().ok();
        let (start, end) = (start.sql_text(), end.map(UtcMillis::sql_text));
        let (failed, during) = (number(6)?, number(7)?);
        let closed = params![
            address,
            start,
            end,
            duration,
            failed,
            during,
            rate,
            text(9)?
        ];
        connection.prepare_cached(CLOSE)?.execute(closed)?;
        let written = params![
            address,
            start,
            end,
            duration,
            failed,
            during,
            rate,
            text(9)?,
            name
        ];
        import.events += connection.prepare_cached(WRITE)?.execute(written)? as u64;
    }
    Ok(())
}

/// Start, end and address of an event.
fn read_span(
    row: &Row<'_>,
    writer: Writer,
    previous: Option<UtcMillis>,
) -> Result<(UtcMillis, Option<UtcMillis>, String), String> {
    let value = |index| row.get_ref(index).map_err(|error| error.to_string());
    let instant = |column, value: &ValueRef<'_>, previous| {
        let at = value
            .as_str()
            .ok()
            .and_then(|text| writer.instant(text, previous));
        at.filter(|at| (0..=LATEST_MS).contains(&at.0))
            .ok_or_else(|| format!("{column} {}", describe(value)))
    };
    let address = value(2)?
        .as_str()
        .ok()
        .filter(|address| !address.is_empty())
        .ok_or("no host_address")?
        .to_string();
    let start = instant("start_time", &value(3)?, previous)?;
    let end = match value(4)? {
        ValueRef::Null => None,
        // One that can be read, or an outage that ended would go on for ever. None ends before it
        // began: then the hour that autumn repeats lies between.
        end => match instant("end_time", &end, Some(start))? {
            early if early < start => Some(instant("end_time", &end, Some(UtcMillis(i64::MAX)))?),
            end => Some(end),
        },
    };
    Ok((start, end, address))
}
