//! The error type of the store.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use super::file::obstacle;
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
    /// The file has several names: hard links.
    Linked {
        path: PathBuf,
        names: u64,
    },
    /// It was written while it was read without locks.
    Changed {
        path: PathBuf,
    },
    /// Of an older version or of the original, where nothing can be written.
    NotUpgraded {
        path: PathBuf,
        cause: io::Error,
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
    /// The error of SQLite, or the system's where that says more: SQLite only tells that it could
    /// not open or write the file.
    pub(in crate::store) fn of_sqlite(
        operation: &'static str,
        path: &Path,
        cause: rusqlite::Error,
    ) -> StoreError {
        use rusqlite::ErrorCode as Code;
        let path = path.to_path_buf();
        let is_unclear = matches!(
            cause.sqlite_error_code(),
            Some(Code::CannotOpen | Code::ReadOnly | Code::SystemIoFailure)
        );
        let obstacle = is_unclear.then(|| obstacle(&path)).flatten();
        match obstacle.filter(is_passing) {
            Some(cause) => StoreError::File {
                operation,
                path,
                cause,
            },
            None => StoreError::Sqlite {
                operation,
                path,
                cause,
            },
        }
    }

    /// The error of a copy to `to` that was written as `partial`: SQLite does not tell what prevents
    /// that.
    pub(in crate::store) fn of_copy(self, partial: &Path, to: &Path) -> StoreError {
        let StoreError::Sqlite {
            operation,
            path,
            cause,
        } = self
        else {
            return self;
        };
        match StoreError::of_sqlite(operation, partial, cause) {
            StoreError::Sqlite { cause, .. } => StoreError::Sqlite {
                operation,
                path,
                cause,
            },
            StoreError::File { cause, .. } => StoreError::File {
                operation: "writing",
                path: to.to_path_buf(),
                cause,
            },
            other => other,
        }
    }

    /// The error of an upgrade before reading: a medium that cannot be written is said.
    pub(in crate::store) fn of_upgrade(error: StoreError, path: &Path) -> StoreError {
        match obstacle(path) {
            Some(cause) if !error.is_busy() => StoreError::NotUpgraded {
                path: path.to_path_buf(),
                cause,
            },
            _ => error,
        }
    }

    /// Whether another program has locked the database.
    pub fn is_busy(&self) -> bool {
        matches!(self, StoreError::Sqlite { cause, .. } if matches!(cause.sqlite_error_code(),
            Some(rusqlite::ErrorCode::DatabaseBusy | rusqlite::ErrorCode::DatabaseLocked)))
    }

    /// Whether the same may succeed later without another configuration: when the disk has room, is
    /// mounted for writing or works again, or another program has ended. A folder that does not
    /// exist, a missing permission and another program's file do not change by themselves.
    pub fn may_pass(&self) -> bool {
        use rusqlite::ErrorCode as Code;
        match self {
            StoreError::Sqlite { cause, path, .. } => match cause.sqlite_error_code() {
                Some(
                    Code::DatabaseBusy
                    | Code::DatabaseLocked
                    | Code::FileLockingProtocolFailed
                    | Code::DiskFull
                    | Code::SystemIoFailure
                    | Code::OutOfMemory,
                ) => true,
                Some(Code::CannotOpen | Code::ReadOnly | Code::PermissionDenied) => {
                    obstacle(path).is_none_or(|cause| is_passing(&cause))
                }
                _ => false,
            },
            StoreError::File { cause, .. } => is_passing(cause),
            StoreError::WrittenOver { .. } => true,
            _ => false,
        }
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
            StoreError::Linked { path, .. } => {
                let path = path.display();
                Some(format!(
                    "stop every program that uses it and make this name a file of its own: \
                     cp -p {path} {path}.new && mv {path}.new {path}"
                ))
            }
            StoreError::Damaged { path, .. } | StoreError::Short { path, .. } => Some(format!(
                "what is readable of it: ace-connection-logger doctor --salvage {}",
                path.display()
            )),
            StoreError::InUse { .. } => Some("stop the monitor first".into()),
            StoreError::Exists { .. } => Some("name another file, or move that one away".into()),
            StoreError::NotOriginal { cure, .. } => Some((*cure).into()),
            StoreError::Changed { .. } => Some("try again".into()),
            StoreError::NotUpgraded { .. } => Some(
                "copy it to where it can be written (ace-connection-logger backup FILE), and name the copy in database.path"
                    .into(),
            ),
            StoreError::File { cause, .. } if cause.kind() == io::ErrorKind::ReadOnlyFilesystem => {
                Some("mount the file system for writing, or name a file elsewhere".into())
            }
            StoreError::File { .. } | StoreError::WrittenOver { .. } => None,
        }
    }
}

/// Why a file could not be written, also in other words where the system's say little.
pub fn reason(cause: &io::Error) -> String {
    match cause.kind() {
        io::ErrorKind::FileTooLarge => {
            "the file has the largest size that is allowed (ulimit -f, LimitFSIZE=)".into()
        }
        _ => cause.to_string(),
    }
}

fn is_passing(cause: &io::Error) -> bool {
    use io::ErrorKind as Kind;
    !matches!(
        cause.kind(),
        Kind::NotFound
            | Kind::PermissionDenied
            | Kind::NotADirectory
            | Kind::IsADirectory
            | Kind::InvalidFilename
            | Kind::InvalidInput
    )
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
            } => write!(f, "{operation} {}: {}", path.display(), reason(cause)),
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
            StoreError::Linked { path, names } => write!(
                f,
                "database {}: the file has {names} names (hard links), and SQLite's log belongs to \
                 one of them: writing by two names would damage it",
                path.display()
            ),
            StoreError::Damaged { path, what } => write!(f, "{}: {what}", path.display()),
            StoreError::Short { path, what } => {
                write!(f, "{} is damaged: {what}", path.display())
            }
            StoreError::InUse { path } => {
                write!(f, "{}: a monitor is writing to it", path.display())
            }
            StoreError::Exists { path } => write!(f, "{} exists already", path.display()),
            StoreError::Changed { path } => {
                write!(f, "{}: it was written while it was read", path.display())
            }
            StoreError::NotUpgraded { path, cause } => write!(
                f,
                "{}: a file of an older version must be converted first, which is impossible here: {}",
                path.display(),
                reason(cause)
            ),
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
