//! The error type of the store.

use std::fmt;
use std::io;
use std::path::PathBuf;

use super::schema;

/// Why the store could not do its work.
#[derive(Debug)]
pub enum StoreError {
    Sqlite {
        operation: &'static str,
        path: PathBuf,
        cause: rusqlite::Error,
    },
    File {
        operation: &'static str,
        path: PathBuf,
        cause: io::Error,
    },
    /// A database of another program.
    Foreign {
        path: PathBuf,
    },
    /// Written by a newer version of this program.
    Newer {
        path: PathBuf,
        version: i64,
    },
    /// Not a database of the original.
    NotOriginal {
        path: PathBuf,
        wrong: &'static str,
        cure: &'static str,
    },
    /// The times of a file that is imported were written in another zone.
    WrongZone {
        path: PathBuf,
        why: String,
    },
    Exists {
        path: PathBuf,
    },
    /// The open file is no longer what SQLite wrote.
    Damaged {
        path: PathBuf,
        what: &'static str,
    },
    /// Not all of it can be read, since it is damaged.
    Short {
        path: PathBuf,
        what: String,
    },
    /// A monitor is writing to it.
    InUse {
        path: PathBuf,
    },
    /// Another program has begun to write over the open file, without SQLite.
    WrittenOver {
        path: PathBuf,
    },
}

impl StoreError {
    /// Whether another program has locked the database.
    pub fn is_busy(&self) -> bool {
        matches!(self, StoreError::Sqlite { cause, .. } if matches!(cause.sqlite_error_code(),
            Some(rusqlite::ErrorCode::DatabaseBusy | rusqlite::ErrorCode::DatabaseLocked)))
    }

    /// Whether the file is damaged.
    pub fn is_damage(&self) -> bool {
        matches!(self, StoreError::Sqlite { cause, .. } if is_damage(cause))
            || matches!(self, StoreError::Damaged { .. })
    }

    /// A remedy, if there is one.
    pub fn hint(&self) -> Option<String> {
        use rusqlite::ErrorCode;
        match self {
            StoreError::Sqlite { cause, path, .. } => match cause.sqlite_error_code()? {
                ErrorCode::CannotOpen => {
                    let folder = path.parent().filter(|parent| !parent.as_os_str().is_empty());
                    Some(match folder.filter(|folder| !folder.is_dir()) {
                        Some(folder) => format!("the folder does not exist: mkdir -p {}", folder.display()),
                        None if path.is_dir() => "it is a folder: name a file in it".into(),
                        None => {
                            "the file and its folder must be readable and writable: SQLite keeps its log beside the file".into()
                        }
                    })
                }
                ErrorCode::ReadOnly | ErrorCode::PermissionDenied => {
                    Some("the file and its folder must be writable: SQLite keeps its log beside the file".into())
                }
                ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => Some(format!(
                    "the file is damaged; what is readable of it: ace-connection-logger doctor --salvage {}",
                    path.display()
                )),
                ErrorCode::DiskFull => Some("the disk is full".into()),
                ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => {
                    Some("another program holds the database: try again".into())
                }
                _ => None,
            },
            StoreError::Foreign { .. } => Some("database.path must name a new file or one of this program's".into()),
            StoreError::Newer { .. } => Some("install the newer version of ace-connection-logger".into()),
            StoreError::WrongZone { path, .. } => Some(format!(
                "nothing is imported; name the zone of the machine that wrote the file, as in \
                 TZ=Europe/Berlin ace-connection-logger import {}; rows that a wrong clock dated are to be deleted from it first",
                path.display()
            )),
            StoreError::Damaged { path, .. } | StoreError::Short { path, .. } => Some(format!(
                "what is readable of it: ace-connection-logger doctor --salvage {}",
                path.display()
            )),
            StoreError::InUse { .. } => Some("stop the monitor first".into()),
            StoreError::Exists { .. } => Some("name another file, or move that one away".into()),
            StoreError::NotOriginal { cure, .. } => Some((*cure).into()),
            StoreError::File { .. } | StoreError::WrittenOver { .. } => None,
        }
    }
}

/// Whether SQLite reports that the content of a file is not what it wrote. A full disk, an error of
/// the device or a lock is none.
pub fn is_damage(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(rusqlite::ErrorCode::DatabaseCorrupt | rusqlite::ErrorCode::NotADatabase)
    )
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StoreError::Sqlite {
                operation,
                path,
                cause,
            } => write!(f, "{operation} {}: {cause}", path.display()),
            StoreError::File {
                operation,
                path,
                cause,
            } => write!(f, "{operation} {}: {cause}", path.display()),
            StoreError::Foreign { path } => {
                write!(f, "database {}: it is another program's", path.display())
            }
            StoreError::Newer { path, version } => {
                write!(
                    f,
                    "database {}: its schema is version {version}, this program knows {}",
                    path.display(),
                    schema::VERSION
                )
            }
            StoreError::NotOriginal { path, wrong, .. } => {
                write!(f, "import {}: {wrong}", path.display())
            }
            StoreError::WrongZone { path, why } => write!(f, "import {}: {why}", path.display()),
            StoreError::Damaged { path, what } => write!(f, "{}: {what}", path.display()),
            StoreError::Short { path, what } => {
                write!(f, "{} is damaged: {what}", path.display())
            }
            StoreError::InUse { path } => {
                write!(f, "{}: a monitor is writing to it", path.display())
            }
            StoreError::Exists { path } => write!(f, "{} exists already", path.display()),
            StoreError::WrittenOver { path } => {
                write!(
                    f,
                    "{}: another program is writing over this file",
                    path.display()
                )
            }
        }
    }
}
