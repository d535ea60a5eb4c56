//! Reads a database whose medium cannot be written: a file system mounted read-only, a folder of
//! another user, a full disk. There SQLite cannot create the index of the write-ahead log, which it
//! shares with other processes, and does not open the file (sqlite.org/wal.html, section 7).

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::file::{literal, with_suffix};

/// A connection that takes no locks, and how the files were when it was opened: without locks the
/// content is that of one moment only if nobody writes.
#[derive(Debug)]
pub struct Frozen {
    path: PathBuf,
    seen: [Option<(u64, SystemTime)>; 2],
}

impl Frozen {
    pub fn of(path: &Path) -> Frozen {
        Frozen {
            path: path.to_path_buf(),
            seen: look(path),
        }
    }

    /// Whether nobody has written since it was opened.
    pub fn is_unchanged(&self) -> bool {
        look(&self.path) == self.seen
    }
}

/// Length and time of the database and of its log.
fn look(path: &Path) -> [Option<(u64, SystemTime)>; 2] {
    [path.to_path_buf(), with_suffix(path, "-wal")].map(|file| {
        let metadata = fs::metadata(file).ok()?;
        Some((metadata.len(), metadata.modified().ok()?))
    })
}

/// Whether a file may be readable without what SQLite writes to read it.
pub fn is_needed(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(
            ErrorCode::CannotOpen
                | ErrorCode::ReadOnly
                | ErrorCode::PermissionDenied
                | ErrorCode::SystemIoFailure
                | ErrorCode::DiskFull
        )
    )
}

/// Opens a file as it is. `None` where that would leave out what its journal or its log holds:
/// `may_read_log` allows to read the log without any lock, which a process that has other
/// connections to the file must not do. Closing this one would end their locks (fcntl_locking(2)).
pub fn open(path: &Path, may_read_log: bool) -> rusqlite::Result<Option<Connection>> {
    let has = |suffix| fs::metadata(with_suffix(path, suffix)).is_ok_and(|meta| meta.len() > 0);
    let has_log = has("-wal");
    if has("-journal") || has_log && !may_read_log {
        return Ok(None);
    }
    let options = if has_log {
        "vfs=unix-none"
    } else {
        "immutable=1"
    };
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
        | OpenFlags::SQLITE_OPEN_URI
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(uri(path, options), flags)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    if has_log {
        // The index of the log is in this connection's memory.
        connection.pragma_update(None, "locking_mode", "exclusive")?;
    }
    Ok(Some(connection))
}

/// sqlite.org/uri.html
fn uri(path: &Path, options: &str) -> String {
    let mut uri = String::from("file:");
    for byte in literal(path).as_os_str().as_bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'.' | b'-' | b'_' => {
                uri.push(char::from(*byte));
            }
            _ => uri += &format!("%{byte:02X}"),
        }
    }
    uri + "?" + options
}
