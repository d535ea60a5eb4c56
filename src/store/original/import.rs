//! Reads checks and events of the original's tables into ours.

use std::fmt;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, ErrorCode, Row, TransactionBehavior, params};

use super::own::OwnRows;
use super::rows::{describe, read_check, read_span};
use super::tables::{CHECK_COLUMNS, EVENT_COLUMNS, has_columns};
use super::text::{Writer, writer_of};
use super::zone;
use crate::pure::model::{Host, HostId};
use crate::pure::phrase::count;
use crate::pure::time::UtcMillis;
use crate::store::columns::{ReadRows, value};
use crate::store::connection::open_to_read;
use crate::store::error::StoreError;
use crate::store::file::{FileKind, file_kind, literal, literal_text};
use crate::store::rollup::due::mark_stale;
use crate::store::rows::{CheckRow, enter_host, insert_row, next_millisecond};
use crate::store::schema;

/// The result of an import.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Import {
    /// Written checks.
    pub checks: u64,
    /// Checks that were already recorded.
    pub known: u64,
    /// Written outage events.
    pub events: u64,
    /// The times of the first and the last check of the file.
    pub span: Option<(UtcMillis, UtcMillis)>,
    /// Whether the file has its times in UTC too, so that no zone was assumed.
    pub has_utc: bool,
    /// Unreadable rows.
    pub unreadable: u64,
    /// The problem with the first unreadable row.
    pub first_unreadable: Option<String>,
    /// The copy of a file that was converted in place.
    pub copy: Option<PathBuf>,
}

impl Import {
    /// Counts an unreadable row; `row` starts with its id.
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
        if let Some((first, last)) = self.span {
            let (first, last) = (zone::local_time(first), zone::local_time(last));
            let zone = zone::zone();
            if self.has_utc {
                write!(f, "; from {first} to {last} in the zone {zone}")?;
            } else {
                write!(f, "; times read in the zone {zone}, from {first} to {last}")?;
            }
        }
        Ok(())
    }
}

/// An error unless a file is a database of the original, or one of this program and this version.
pub fn require_importable(path: &Path) -> Result<(), StoreError> {
    importable(path).map(drop)
}

/// Whose database it is that is to be imported.
pub fn importable(path: &Path) -> Result<FileKind, StoreError> {
    const NAME_IT: &str =
        "name the database that the original wrote, connection_logs.db by default";
    let (wrong, cure) = match open_to_read(path).and_then(|connection| file_kind(&connection)) {
        Ok(kind @ (FileKind::Original | FileKind::Ours(schema::VERSION))) => return Ok(kind),
        Ok(FileKind::Ours(version)) if version > schema::VERSION => {
            return Err(StoreError::Newer {
                path: path.to_path_buf(),
                version,
            });
        }
        Ok(FileKind::Ours(_)) => (
            "it is a database of an older version of this program",
            "import what doctor --salvage writes from it",
        ),
        Ok(FileKind::Empty) => ("it is empty", NAME_IT),
        Ok(FileKind::Foreign) => (
            "it has no table ping_results with the original's columns",
            NAME_IT,
        ),
        Err(cause) if cause.sqlite_error_code() == Some(ErrorCode::NotADatabase) => {
            ("it is not a database", NAME_IT)
        }
        Err(cause) => {
            return Err(StoreError::Sqlite {
                operation: "opening",
                path: path.to_path_buf(),
                cause,
            });
        }
    };
    Err(StoreError::NotOriginal {
        path: path.to_path_buf(),
        wrong,
        cure,
    })
}

/// The name of an attached file in SQL.
pub const ATTACHED: &str = "other";

/// Does something with another file attached to the database at `path`.
pub fn with_attached<T>(
    connection: &mut Connection,
    path: &Path,
    from: &Path,
    then: impl FnOnce(&mut Connection) -> rusqlite::Result<T>,
) -> Result<T, StoreError> {
    let name = literal(from);
    let attach = format!("attach database ?1 as {ATTACHED}");
    let attached = connection.execute(&attach, [literal_text(name.as_os_str())]);
    attached.map_err(|cause| StoreError::Sqlite {
        operation: "opening",
        path: from.to_path_buf(),
        cause,
    })?;
    let result = then(connection);
    let detached = connection.execute_batch(&format!("detach database {ATTACHED}"));
    result
        .and_then(|result| detached.map(|()| result))
        .map_err(|cause| StoreError::Sqlite {
            operation: "importing into",
            path: path.to_path_buf(),
            cause,
        })
}

/// Reads a file of the original into this database, in one transaction; what was imported
/// before is recognised.
pub fn import(
    connection: &mut Connection,
    path: &Path,
    from: &Path,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Import, StoreError> {
    let import = with_attached(connection, path, from, |connection| {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let has_events = has_columns(&transaction, ATTACHED, "outage_events", EVENT_COLUMNS)?;
        let events = has_events.then_some("other.outage_events");
        let writer = writer_of(&transaction, ATTACHED)?;
        let checks = "other.ping_results";
        let own = OwnRows::begin(&transaction, ATTACHED)?;
        if own.is_none()
            && let Some(why) = zone::known_in_another_zone(&transaction, checks, writer)?
        {
            return Ok(Err(why));
        }
        let import = read(&transaction, checks, events, own, writer, progress)?;
        if let Some(why) = import.span.and_then(|(_, last)| zone::in_the_future(last)) {
            return Ok(Err(why));
        }
        transaction.commit()?;
        Ok(Ok(import))
    })?;
    import.map_err(|why| StoreError::WrongZone {
        path: from.to_path_buf(),
        why,
    })
}

/// Reads checks and events from tables with the original's columns into ours.
pub fn read(
    connection: &Connection,
    checks: &str,
    events: Option<&str>,
    own: Option<OwnRows<'_>>,
    writer: Writer,
    progress: &mut dyn FnMut(u64, u64),
) -> rusqlite::Result<Import> {
    let mut import = Import {
        has_utc: own.is_some(),
        ..Import::default()
    };
    let total: i64 =
        connection.query_row(&format!("select count(*) from {checks}"), [], |row| {
            row.get(0)
        })?;
    let total = u64::try_from(total).unwrap_or(0);
    // In the order of writing, which distinguishes the two passes through the hour that autumn
    // repeats.
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
            Ok((local, address, name, check)) => {
                previous = Some(local);
                let noted = match &own {
                    Some(own) => own.check(connection, value(row, 0))?,
                    None => None,
                };
                let at = noted.map_or(local, |(_, at)| at);
                let (first, last) = import.span.unwrap_or((at, at));
                import.span = Some((first.min(at), last.max(at)));
                let host_id = match noted {
                    Some((id, _)) => id,
                    None => enter_host(
                        connection,
                        &Host {
                            name,
                            ..Host::unlisted(&address)
                        },
                    )?,
                };
                match place(connection, host_id, at, &check)? {
                    Some(placed) => {
                        import.checks += 1;
                        mark_stale(connection, host_id, placed.hour())?;
                    }
                    None => import.known += 1,
                }
            }
            Err(problem) => import.refuse("check", row, &problem),
        }
    }
    progress(done, total);
    // First, because they say more of an outage than the original's rows.
    if let Some(own) = &own {
        import.events += own.finish(connection)?;
    }
    if let Some(events) = events {
        read_events(connection, events, own.as_ref(), writer, &mut import)?;
    }
    Ok(import)
}

/// Writes a check at its millisecond or the next free one; `None` if the same check is already
/// there.
fn place(
    connection: &Connection,
    host_id: HostId,
    at: UtcMillis,
    check: &CheckRow,
) -> rusqlite::Result<Option<UtcMillis>> {
    const KNOWN: &str = "select sent, received, min_us, avg_us, max_us from check_result where host_id = ?1 and checked_at = ?2";
    let first = at.0;
    let mut at = at;
    while !insert_row(connection, host_id, at.0, check)? {
        let known =
            connection
                .prepare_cached(KNOWN)?
                .read_first(params![host_id, at.0], |row| {
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
        if known.as_ref() == Some(check) {
            return Ok(None);
        }
        at.0 = next_millisecond(first, at.0)?;
    }
    Ok(Some(at))
}

/// An event whose host and start are already recorded only adds a missing end.
fn read_events(
    connection: &Connection,
    table: &str,
    own: Option<&OwnRows<'_>>,
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
        let noted = match own {
            Some(own) => own.outage(connection, value(row, 0))?,
            None => None,
        };
        let (start, end) = noted.map_or((start, end), |(start, noted_end)| {
            (start, noted_end.or(end))
        });
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
