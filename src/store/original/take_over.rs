//! Converts a file of the original in place, once, after a copy of it has been written next to it.

use std::fs;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, TransactionBehavior};

use super::import::{Import, read};
use super::own::{OwnRows, drop_tables};
use super::tables::{EVENT_COLUMNS, has_columns};
use super::text::writer_of;
use crate::store::connection::open_to_read;
use crate::store::copy::copy_database;
use crate::store::error::StoreError;
use crate::store::file::{FileKind, file_kind, with_suffix};
use crate::store::schema;

/// Converts the file in one transaction; `None` if another process has just done so.
pub fn take_over(
    connection: &mut Connection,
    path: &Path,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Option<Import>, StoreError> {
    let failed = |cause| StoreError::Sqlite {
        operation: "taking over database",
        path: path.to_path_buf(),
        cause,
    };
    // Locks out other writers, so that the copy has every row.
    let transaction = connection
        .transaction_with_behavior(TransactionBehavior::Immediate)
        .map_err(failed)?;
    if !matches!(file_kind(&transaction).map_err(failed)?, FileKind::Original) {
        return Ok(None);
    }
    // Under another name until the conversion is done: an interrupted one leaves no second copy.
    let unfinished = with_suffix(path, ".original.new");
    if let Err(cause) = fs::remove_file(&unfinished)
        && cause.kind() != std::io::ErrorKind::NotFound
    {
        return Err(StoreError::File {
            operation: "removing",
            path: unfinished,
            cause,
        });
    }
    // Another connection, since VACUUM INTO does not work inside a transaction.
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

/// Renames the copy of a converted file and returns the name. After an interruption the next
/// opening does it.
pub fn keep_copy(path: &Path) -> Option<PathBuf> {
    let unfinished = with_suffix(path, ".original.new");
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

/// Replaces the original's tables with ours and their content.
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
    let checks = "main.original_ping_results";
    let own = OwnRows::begin(transaction, "main")?;
    let import = read(transaction, checks, events, own, writer, progress)?;
    drop_tables(transaction)?;
    transaction.execute_batch(
        "drop table original_ping_results; drop table if exists original_outage_events",
    )?;
    Ok(import)
}

/// `connection_logs.db.original`, with a number if that exists.
fn free_name(path: &Path) -> PathBuf {
    let mut candidate = with_suffix(path, ".original");
    let mut number = 2;
    while candidate.exists() {
        candidate = with_suffix(path, &format!(".original-{number}"));
        number += 1;
    }
    candidate
}
