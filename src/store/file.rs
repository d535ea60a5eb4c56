//! A database file: its name as SQLite takes it, its identity, and which program wrote it.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rusqlite::Connection;
use rusqlite::types::{ToSqlOutput, ValueRef};

use super::original::tables::has_table;
use super::schema;

/// A file's name such that SQLite takes it for nothing else: `file:x` and `:memory:` are files,
/// too.
pub fn literal(path: &Path) -> PathBuf {
    if path.is_absolute() || path.as_os_str().is_empty() {
        path.to_path_buf()
    } else {
        Path::new(".").join(path)
    }
}

/// The same as a value in SQL; a name need not be UTF-8.
pub fn literal_text(path: &OsStr) -> ToSqlOutput<'_> {
    ToSqlOutput::Borrowed(ValueRef::Text(path.as_bytes()))
}

pub fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_os_string();
    name.push(suffix);
    PathBuf::from(name)
}

pub fn identity_of(path: &Path) -> Option<(u64, u64)> {
    std::fs::metadata(path)
        .ok()
        .map(|meta| (meta.dev(), meta.ino()))
}

/// What tells a database file from every other on this machine.
pub fn database_id(path: &Path) -> String {
    std::fs::metadata(path).map_or_else(
        |_| "gone".into(),
        |meta| format!("{:x}-{:x}", meta.dev(), meta.ino()),
    )
}

/// Whose a file is.
pub enum FileKind {
    /// This program's, of this schema version.
    Ours(i64),
    /// Nobody's yet.
    Empty,
    /// The original's.
    Original,
    /// Somebody else's.
    Foreign,
}

/// Whose the file is, by one look at it: between two another process may make it its own.
pub fn file_kind(connection: &Connection) -> rusqlite::Result<FileKind> {
    if !connection.is_autocommit() {
        return look(connection);
    }
    let look_once = connection.unchecked_transaction()?;
    look(&look_once)
}

fn look(connection: &Connection) -> rusqlite::Result<FileKind> {
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
