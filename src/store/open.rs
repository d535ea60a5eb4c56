//! Opens a database file for writing: creates it, upgrades its schema, or converts a file of the
//! original.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use super::connection::prepare;
use super::damage::require_not_emptied;
use super::error::StoreError;
use super::file::{FileKind, file_kind, literal};
use super::original::import::Import;
use super::original::take_over::{keep_copy, take_over};
use super::{journal, schema};

/// Opens or creates a file of ours, or converts one of the original's. `progress` is called with
/// the number of rows done and of all rows.
pub fn open_to_write(
    path: &Path,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<(Connection, Option<Import>), StoreError> {
    require_not_emptied(path)?;
    let failed = |operation| move |cause| StoreError::of_sqlite(operation, path, cause);
    require_one_name(path)?;
    let open = || -> rusqlite::Result<(Connection, FileKind)> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_CREATE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(literal(path), flags)?;
        // The log of a file that cannot be read stays as it is.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
        prepare(&connection)?;
        // A conversion ends with the deletion of its rollback journal. It is durable before its
        // blocks are used again: a journal that came back with other contents in its middle would
        // undo a part of the conversion. With a write-ahead log it is the same as `full`.
        connection.pragma_update(None, "synchronous", "extra")?;
        let file_kind = file_kind(&connection)?;
        Ok((connection, file_kind))
    };
    let opened = match open() {
        Err(error) if journal::is_log_impossible(&error) => {
            journal::replace_log(path).and_then(|()| open())
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
            create_file(&mut connection).map_err(failed("creating database"))?;
            None
        }
        FileKind::Original => take_over(&mut connection, path, progress)?,
        FileKind::Foreign => {
            return Err(StoreError::Foreign {
                path: path.to_path_buf(),
            });
        }
    };
    connection
        .set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, false)
        .map_err(failed("opening database"))?;
    keep_copy(path);
    enable_vacuum(&connection, path);
    journal::set(&connection, path).map_err(failed("opening database"))?;
    Ok((connection, import))
}

/// Refuses to write to a file with several names. SQLite's log belongs to a name: a program that
/// opens the file by the other name does not see the log, and damages the file.
pub fn require_one_name(path: &Path) -> Result<(), StoreError> {
    match std::fs::metadata(path).map_or(1, |file| file.nlink()) {
        0 | 1 => Ok(()),
        names => Err(StoreError::Linked {
            path: path.to_path_buf(),
            names,
        }),
    }
}

/// Rewrites a converted file once, so that it is compact and deletions shrink it. If that
/// fails, for lack of space or because of a reader, the next opening retries it.
fn enable_vacuum(connection: &Connection, path: &Path) {
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

fn create_file(connection: &mut Connection) -> rusqlite::Result<()> {
    connection.pragma_update(None, "auto_vacuum", "incremental")?;
    upgrade(connection)
}

/// Runs the missing migrations, unless another process has just done so.
fn upgrade(connection: &mut Connection) -> rusqlite::Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let version = match file_kind(&transaction)? {
        FileKind::Ours(version) => version,
        _ => 0,
    };
    schema::migrate(&transaction, version)?;
    transaction.commit()
}
