//! Connections to a database file: the settings of every connection, and connections that only
//! read.

use std::path::Path;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, ffi};

use super::file::literal;
use super::frozen::{self, Frozen};
use super::journal::{self, BUSY_TIMEOUT};

/// Page cache in KiB: a commit needs a few hundred pages.
const CACHE_KIB: i64 = 512;

/// Smaller for readers: there may be several, and they read most pages once.
const READER_CACHE_KIB: i64 = 128;

/// A connection that cannot write. An unfinished transaction of a killed writer is rolled back
/// first.
pub fn open_to_read(path: &Path) -> rusqlite::Result<Connection> {
    let open = |flags| -> rusqlite::Result<Connection> {
        let connection =
            Connection::open_with_flags(literal(path), flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
        prepare_reader(&connection)?;
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
        Err(error) if journal::is_log_impossible(&error) => {
            journal::replace_log(path)?;
            open(OpenFlags::SQLITE_OPEN_READ_ONLY)
        }
        other => other,
    }
}

/// As [`open_to_read`]; where only a medium that cannot be written prevents that, as [`frozen::open`]
/// does.
pub fn open_any_to_read(
    path: &Path,
    may_read_log: bool,
) -> rusqlite::Result<(Connection, Option<Frozen>)> {
    let error = match open_to_read(path) {
        Err(error) if frozen::is_needed(&error) => error,
        other => return Ok((other?, None)),
    };
    let frozen = Frozen::of(path);
    let Some(connection) = frozen::open(path, may_read_log)? else {
        return Err(error);
    };
    prepare_reader(&connection)?;
    Ok((connection, Some(frozen)))
}

fn prepare_reader(connection: &Connection) -> rusqlite::Result<()> {
    prepare(connection)?;
    connection.pragma_update(None, "cache_size", -READER_CACHE_KIB)?;
    // Reads the content for the first time.
    connection.pragma_query_value(None, "schema_version", |_| Ok(()))
}

/// Sets up every connection. A file's schema must not call functions with side effects.
pub fn prepare(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.pragma_update(None, "trusted_schema", false)?;
    connection.pragma_update(None, "cache_size", -CACHE_KIB)?;
    // Otherwise SQLite plans cached statements again for new values, which takes a fifth of the
    // time of an overview (SQLite 3.54, measured).
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.set_prepared_statement_cache_capacity(32);
    Ok(())
}
