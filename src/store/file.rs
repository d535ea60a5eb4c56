//! A database file: its name as SQLite reads it, its identity, and which program wrote it.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Write as _};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rusqlite::Connection;
use rusqlite::types::{ToSqlOutput, ValueRef};

use super::original::tables::has_table;
use super::schema;
use crate::sys;

/// By how much SQLite lets a file grow at once: the index of its log, sqlite.org/walformat.html.
const MAX_GROWTH: u64 = 32 << 10;

/// A path that SQLite always reads as the name of a file, even `file:x` and `:memory:`.
pub fn literal(path: &Path) -> PathBuf {
    if path.is_absolute() || path.as_os_str().is_empty() {
        path.to_path_buf()
    } else {
        Path::new(".").join(path)
    }
}

/// A path as a value in SQL. It need not be UTF-8.
pub fn literal_text(path: &OsStr) -> ToSqlOutput<'_> {
    ToSqlOutput::Borrowed(ValueRef::Text(path.as_bytes()))
}

pub fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_os_string();
    name.push(suffix);
    PathBuf::from(name)
}

/// The file that a symbolic link names, beside which SQLite keeps the log; else the path itself.
pub fn linked_to(path: &Path) -> PathBuf {
    let linked = path.is_symlink().then(|| std::fs::canonicalize(path).ok());
    linked.flatten().unwrap_or_else(|| path.to_path_buf())
}

pub fn identity_of(path: &Path) -> Option<(u64, u64)> {
    std::fs::metadata(path)
        .ok()
        .map(|meta| (meta.dev(), meta.ino()))
}

/// What prevents writing to a database file, its growth, or creating SQLite's files beside it. The
/// file itself is not opened, since closing it would end the locks of this process.
pub fn obstacle(path: &Path) -> Option<io::Error> {
    // Always the same name, so that the next process removes one that was left by a crash.
    let beside = with_suffix(path, ".try");
    drop(std::fs::remove_file(&beside));
    let lengths = ["", "-wal", "-journal", "-shm"]
        .map(|suffix| std::fs::metadata(with_suffix(path, suffix)).map_or(0, |meta| meta.len()));
    let longest = lengths.into_iter().max().unwrap_or_default();
    let attempt = || {
        match sys::may_write(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ if path.is_dir() => return Err(io::ErrorKind::IsADirectory.into()),
            _ => {}
        }
        let mut file = File::options().write(true).create_new(true).open(&beside)?;
        // Without taking space.
        file.set_len(longest + MAX_GROWTH)?;
        file.write_all(&[1; 4096])
    };
    // Another process may try at the same moment.
    let obstacle = attempt()
        .err()
        .filter(|error| error.kind() != io::ErrorKind::AlreadyExists);
    drop(std::fs::remove_file(beside));
    obstacle
}

/// The sizes of a database and its write-ahead log, as far as there are any.
pub fn database_sizes(path: &Path) -> Vec<(&'static str, u64)> {
    let size = |(name, suffix)| {
        let file = with_suffix(&linked_to(path), suffix);
        Some((name, std::fs::metadata(file).ok()?.len()))
    };
    [("main", ""), ("wal", "-wal")]
        .into_iter()
        .filter_map(size)
        .collect()
}

/// Unique on this machine.
pub fn database_id(path: &Path) -> String {
    std::fs::metadata(path).map_or_else(
        |_| "gone".into(),
        |meta| format!("{:x}-{:x}", meta.dev(), meta.ino()),
    )
}

/// Which program wrote a file.
pub enum FileKind {
    /// With the schema version.
    Ours(i64),
    Empty,
    Original,
    Foreign,
}

/// Classifies the file in one transaction, since another process may initialise it between two
/// reads.
pub fn file_kind(connection: &Connection) -> rusqlite::Result<FileKind> {
    if !connection.is_autocommit() {
        return classify(connection);
    }
    let transaction = connection.unchecked_transaction()?;
    classify(&transaction)
}

fn classify(connection: &Connection) -> rusqlite::Result<FileKind> {
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
        _ if number("user_version")? == 0 && has_table(connection, "main")? => FileKind::Original,
        _ => FileKind::Foreign,
    })
}
