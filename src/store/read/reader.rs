//! Questions about what is recorded, one method a question, on a connection that cannot write.

use std::path::{Path, PathBuf};

use rusqlite::{Connection, Row};

use crate::store::connection::open_to_read;
use crate::store::error::StoreError;
use crate::store::file::{FileKind, database_id, file_kind, identity_of};
use crate::store::open::open_to_write;
use crate::store::schema;

/// An open database that can only be read.
#[derive(Debug)]
pub struct Reader {
    connection: Connection,
    path: PathBuf,
    /// Device and inode when it was opened.
    identity: Option<(u64, u64)>,
}

impl Reader {
    /// Opens a database; `None` where there is no file yet. A file that an older version or the
    /// original wrote is brought up to date first, which needs to write.
    pub fn open(path: &Path) -> Result<Option<Reader>, StoreError> {
        if !path.exists() {
            return Ok(None);
        }
        if let Some(reader) = Reader::open_current(path)? {
            return Ok(Some(reader));
        }
        if let Some(import) = open_to_write(path, &mut |_, _| ())?.1 {
            log::info!("database {}: {import}", path.display());
        }
        Reader::open_current(path)
    }

    /// The same, but `None` too where the file must be brought up to date first: somebody else does
    /// that.
    pub fn open_current(path: &Path) -> Result<Option<Reader>, StoreError> {
        if !path.exists() {
            return Ok(None);
        }
        let failed = |cause| StoreError::Sqlite {
            operation: "opening database",
            path: path.to_path_buf(),
            cause,
        };
        let identity = identity_of(path);
        let connection = open_to_read(path).map_err(failed)?;
        match file_kind(&connection).map_err(failed)? {
            FileKind::Ours(version) if version == schema::VERSION => Ok(Some(Reader {
                connection,
                path: path.to_path_buf(),
                identity,
            })),
            FileKind::Ours(version) if version > schema::VERSION => Err(StoreError::Newer {
                path: path.to_path_buf(),
                version,
            }),
            FileKind::Foreign => Err(StoreError::Foreign {
                path: path.to_path_buf(),
            }),
            FileKind::Ours(_) | FileKind::Original | FileKind::Empty => Ok(None),
        }
    }

    /// Whether its file is still the one at its path.
    pub fn is_current(&self) -> bool {
        identity_of(&self.path) == self.identity
    }

    /// The file.
    pub(in crate::store) fn path(&self) -> &Path {
        &self.path
    }

    /// Asks something; an error names the file.
    pub(in crate::store) fn ask<T>(
        &self,
        question: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        let failed = |cause| StoreError::Sqlite {
            operation: "reading database",
            path: self.path.clone(),
            cause,
        };
        question(&self.connection).map_err(failed)
    }

    /// Asks several things of one moment: what is written meanwhile is not seen. An error names the
    /// file.
    pub(in crate::store) fn ask_together<T>(
        &self,
        question: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        // Ended when it is dropped, with the answer in memory and nothing sent yet.
        self.ask(|connection| question(&*connection.unchecked_transaction()?))
    }

    pub(in crate::store) fn query<T>(
        &self,
        sql: &str,
        values: impl rusqlite::Params,
        read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>, StoreError> {
        self.ask(|connection| {
            connection
                .prepare_cached(sql)?
                .query_map(values, read)?
                .collect()
        })
    }

    /// What tells this file from every other on this machine.
    pub fn database_id(&self) -> String {
        database_id(self.path())
    }
}
