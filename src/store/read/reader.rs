//! Queries on the recorded data, one per method, on a connection that cannot write.

use std::path::{Path, PathBuf};

use rusqlite::{Connection, Row};

use crate::store::columns::ReadRows;
use crate::store::connection::open_any_to_read;
use crate::store::damage::require_not_emptied;
use crate::store::error::StoreError;
use crate::store::file::{FileKind, database_id, file_kind, identity_of};
use crate::store::frozen::Frozen;
use crate::store::open::open_to_write;
use crate::store::schema;

#[derive(Debug)]
pub struct Reader {
    connection: Connection,
    path: PathBuf,
    /// Device and inode when it was opened.
    identity: Option<(u64, u64)>,
    /// Set where it reads a medium that cannot be written.
    frozen: Option<Frozen>,
}

impl Reader {
    /// `None` if there is no file yet. A file of an older version or of the original is
    /// upgraded first, which needs to write. For processes that have no other connection.
    pub fn open(path: &Path) -> Result<Option<Reader>, StoreError> {
        if !path.exists() {
            return Ok(None);
        }
        if let Some(reader) = Reader::open_as(path, true)? {
            return Ok(Some(reader));
        }
        let opened = open_to_write(path, &mut |_, _| ())
            .map_err(|error| StoreError::of_upgrade(error, path))?;
        if let Some(import) = &opened.1 {
            log::info!("database {}: {import}", path.display());
        }
        drop(opened);
        Reader::open_current(path)
    }

    /// `None` also if the file must be upgraded first: another process does that.
    pub fn open_current(path: &Path) -> Result<Option<Reader>, StoreError> {
        Reader::open_as(path, false)
    }

    fn open_as(path: &Path, may_read_log: bool) -> Result<Option<Reader>, StoreError> {
        if !path.exists() {
            return Ok(None);
        }
        require_not_emptied(path)?;
        let failed = |cause| StoreError::of_sqlite("opening database", path, cause);
        let identity = identity_of(path);
        let (connection, frozen) = open_any_to_read(path, may_read_log).map_err(failed)?;
        match file_kind(&connection).map_err(failed)? {
            FileKind::Ours(version) if version == schema::VERSION => Ok(Some(Reader {
                connection,
                path: path.to_path_buf(),
                identity,
                frozen,
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

    /// Whether the file at its path is still the same, and it sees what is written there.
    pub fn is_current(&self) -> bool {
        self.frozen.is_none() && identity_of(&self.path) == self.identity
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
        let result = query(&self.connection);
        if self
            .frozen
            .as_ref()
            .is_some_and(|files| !files.is_unchanged())
        {
            return Err(StoreError::Changed {
                path: self.path.clone(),
            });
        }
        result.map_err(|cause| self.failed(cause))
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

    /// The rows that can be read.
    pub(in crate::store) fn query<T>(
        &self,
        sql: &str,
        values: impl rusqlite::Params,
        read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>, StoreError> {
        self.with_connection(|connection| connection.prepare_cached(sql)?.read_all(values, read))
    }

    /// The first row that can be read.
    pub(in crate::store) fn query_first<T>(
        &self,
        sql: &str,
        values: impl rusqlite::Params,
        read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Option<T>, StoreError> {
        self.with_connection(|connection| connection.prepare_cached(sql)?.read_first(values, read))
    }

    /// Unique on this machine.
    pub fn database_id(&self) -> String {
        database_id(self.path())
    }
}
