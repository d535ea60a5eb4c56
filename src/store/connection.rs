//! Connections to a database file: what every one of them is set to, and those that only read.

use std::path::Path;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, ffi};

use super::file::literal;
use super::journal::{self, BUSY_TIMEOUT};

/// What SQLite may keep in memory of a file, in KiB: a few hundred pages serve a commit.
const CACHE_KIB: i64 = 512;

/// The same for who only reads: there may be several, and they read most pages once.
const READER_CACHE_KIB: i64 = 128;

/// A connection that cannot write. What a writer that was killed in the middle left behind is
/// undone first.
pub fn open_to_read(path: &Path) -> rusqlite::Result<Connection> {
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
pub fn prepare(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.pragma_update(None, "trusted_schema", false)?;
    connection.pragma_update(None, "cache_size", -CACHE_KIB)?;
    // Or statements that are kept are planned anew for other values: a fifth of the time of an
    // overview (SQLite 3.54, as tried).
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.set_prepared_statement_cache_capacity(32);
    Ok(())
}
