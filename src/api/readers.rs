//! The API's connections to the database, a few that requests use in turn.

use std::ops::Deref;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use super::{ApiError, lock};
use crate::store::Reader;

/// More queries at the same time would not finish sooner, and each takes memory. No connection is
/// held while a response is sent, so clients that read slowly do not block others.
const MAX_IN_USE: usize = 3;
/// How long a request waits for a connection.
const MAX_WAIT: Duration = Duration::from_secs(10);

#[derive(Default)]
pub(super) struct ReaderPool {
    connections: Mutex<Connections>,
    returned: Condvar,
}

#[derive(Default)]
struct Connections {
    /// Kept because opening a connection costs more than most queries.
    idle: Vec<Reader>,
    in_use: usize,
}

impl ReaderPool {
    pub(super) fn borrow(self: &Arc<Self>, database: &Path) -> Result<BorrowedReader, ApiError> {
        let are_all_in_use = |connections: &mut Connections| connections.in_use >= MAX_IN_USE;
        let waited =
            self.returned
                .wait_timeout_while(lock(&self.connections), MAX_WAIT, are_all_in_use);
        let mut connections = waited.unwrap_or_else(PoisonError::into_inner).0;
        if are_all_in_use(&mut connections) {
            return Err(ApiError::Unavailable(
                "too many requests at once; try again".into(),
            ));
        }
        connections.in_use += 1;
        let mut borrowed = BorrowedReader {
            reader: connections.idle.pop(),
            pool: Arc::clone(self),
        };
        drop(connections);
        if borrowed.reader.is_none() {
            let opened = Reader::open_current(database)?.ok_or_else(|| {
                ApiError::Unavailable(format!("{}: nothing is recorded yet", database.display()))
            })?;
            borrowed.reader = Some(opened);
        }
        Ok(borrowed)
    }

    pub(super) fn close_idle(&self) {
        lock(&self.connections).idle.clear();
    }
}

/// A connection that goes back to the pool when this is dropped.
pub(super) struct BorrowedReader {
    reader: Option<Reader>,
    pool: Arc<ReaderPool>,
}

impl Deref for BorrowedReader {
    type Target = Reader;

    fn deref(&self) -> &Reader {
        self.reader.as_ref().expect("opened by borrow")
    }
}

impl Drop for BorrowedReader {
    fn drop(&mut self) {
        // A connection to a file that was deleted or replaced is not used again.
        let reader = self.reader.take().filter(Reader::is_current);
        let mut connections = lock(&self.pool.connections);
        connections.in_use -= 1;
        connections.idle.extend(reader);
        drop(connections);
        self.pool.returned.notify_one();
    }
}
