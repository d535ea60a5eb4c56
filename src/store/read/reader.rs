//! Queries on the recorded data, one per method, on a connection that cannot write.

use std::path::{Path, PathBuf};

use rusqlite::{Connection, Row};

use crate::store::connection::open_to_read;
use crate::store::damage::is_emptied;
use crate::store::error::StoreError;
use crate::store::file::{FileKind, database_id, file_kind, identity_of};
use crate::store::open::open_to_write;
use crate::store::schema;

#[derive(Debug)]
pub struct Reader {
    connection: Connection,
    path: PathBuf,
    /// Device and inode when it was opened.
    identity: Option<(u64, u64)>,
}

impl Reader {
    /// `None` if there is no file yet. A file of an older version or of the original is
    /// upgraded first, which needs to write.
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

    /// `None` also if the file must be upgraded first: another process does that.
    pub fn open_current(path: &Path) -> Result<Option<Reader>, StoreError> {
        if !path.exists() {
            return Ok(None);
        }
        if is_emptied(path) {
            return Err(StoreError::Damaged {
                path: path.to_path_buf(),
                what: "the file is empty, its log is not",
            });
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

    /// Whether the file at its path is still the same.
    pub fn is_current(&self) -> bool {
        identity_of(&self.path) == self.identity
    }

    /// The file.
    pub(in crate::store) fn path(&self) -> &Path {
        &self.path
    }

    fn failed(&self, cause: rusqlite::Error) -> StoreError {
        StoreError::Sqlite {
            operation: "reading database",
            path: self.path.clone(),
            cause,
        }
    }

    /// An error names the file.
    pub(in crate::store) fn with_connection<T>(
        &self,
        query: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        query(&self.connection).map_err(|cause| self.failed(cause))
    }

    /// Runs several methods of this reader on the same state of the database. One transaction also
    /// takes less time than many: the pages that were read stay valid.
    pub fn in_one_state<T, E: From<StoreError>>(
        &self,
        read: impl FnOnce() -> Result<T, E>,
    ) -> Result<T, E> {
        // It ends before anything is sent to a client.
        let _transaction = self
            .connection
            .unchecked_transaction()
            .map_err(|cause| self.failed(cause))?;
        read()
    }

    /// Runs several queries on the same state of the database. An error names the file.
    pub(in crate::store) fn in_transaction<T>(
        &self,
        query: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        if self.connection.is_autocommit() {
            self.in_one_state(|| self.with_connection(query))
        } else {
            self.with_connection(query)
        }
    }

    pub(in crate::store) fn query<T>(
        &self,
        sql: &str,
        values: impl rusqlite::Params,
        read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>, StoreError> {
        self.with_connection(|connection| {
            connection
                .prepare_cached(sql)?
                .query_map(values, read)?
                .collect()
        })
    }

    /// Unique on this machine.
    pub fn database_id(&self) -> String {
        database_id(self.path())
    }
}
