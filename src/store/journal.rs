//! The journal, which makes commits atomic: a write-ahead log, or a rollback journal on file
//! systems without shared memory, which the index of the log needs (sqlite.org/wal.html). JFFS2, on
//! the flash of small routers, is one.

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use rusqlite::{Connection, ErrorCode, OpenFlags, ffi};

use super::file::literal;
use crate::sys;

/// How long a statement waits for another writer.
pub const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// The write-ahead log is truncated to this length after a slow reader made it grow.
const LOG_LIMIT_BYTES: i64 = 4 << 20;

/// Sets the journal of a file that is to be written.
pub fn set(connection: &Connection, path: &Path) -> rusqlite::Result<()> {
    if sys::shares_memory_of_files(path) {
        // A commit is one append, and readers never wait. `normal` can lose the last commits when
        // the power fails, never the file.
        use_log(connection)?;
        connection.pragma_update(None, "synchronous", "normal")?;
        return connection.pragma_update(None, "journal_size_limit", LOG_LIMIT_BYTES);
    }
    log::debug!(
        "database {}: this file system shares no memory, so readers and writer wait for each other",
        path.display()
    );
    use_rollback_journal(connection)?;
    // A lower level could damage the file on a power failure.
    connection.pragma_update(None, "synchronous", "full")
}

/// Whether a file has a write-ahead log on a file system that cannot have one, since it was copied
/// there.
pub fn is_log_impossible(error: &rusqlite::Error) -> bool {
    error
        .sqlite_error()
        .is_some_and(|error| error.extended_code == ffi::SQLITE_IOERR_SHMMAP)
}

/// Replaces the write-ahead log of such a file by a rollback journal. With an exclusive lock from
/// the start, SQLite has the log's index in its own memory.
pub fn replace_log(path: &Path) -> rusqlite::Result<()> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(literal(path), flags)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.pragma_update(None, "locking_mode", "exclusive")?;
    use_rollback_journal(&connection)
}

fn use_rollback_journal(connection: &Connection) -> rusqlite::Result<()> {
    connection.pragma_update(None, "journal_mode", "truncate")
}

/// Switches to the write-ahead log. Where two processes that open a file do so at the same moment
/// SQLite refuses one at once, whatever its busy timeout is.
fn use_log(connection: &Connection) -> rusqlite::Result<()> {
    let began = Instant::now();
    loop {
        match connection.pragma_update(None, "journal_mode", "wal") {
            Err(error)
                if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy)
                    && began.elapsed() < BUSY_TIMEOUT =>
            {
                thread::sleep(Duration::from_millis(10));
            }
            other => return other,
        }
    }
}
