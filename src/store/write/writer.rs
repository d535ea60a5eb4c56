//! The thread that owns the writing connection. It gathers results and commits them together: every
//! commit costs the same journal, whatever is in it. While the disk is full or the database held by
//! somebody else it keeps results in memory, up to a bound, and tries again; nobody waits for the
//! disk but this thread.

use std::sync::Arc;
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::thread::{self, JoinHandle};

use super::clock::clock_doubt;
use super::database::Database;
use super::record::Record;
use super::state::{Order, PATIENCE, StoreSettings, WriterState};
use crate::pure::model::Host;
use crate::pure::scene::Observation;
use crate::store::error::StoreError;
use crate::sys;

/// How many results wait in the channel for the writer while it is in the middle of a slow commit:
/// so many, or so many a host where that is more.
const QUEUE_LEN: usize = 1024;

const QUEUE_LEN_PER_HOST: usize = 4;

/// The way to the writer; clones lead to the same.
#[derive(Clone, Debug)]
pub struct WriterHandle {
    orders: SyncSender<Order>,
}

impl WriterHandle {
    /// Hands a result over without waiting; `false` when the writer is so far behind that it is
    /// lost.
    pub fn deliver(&self, entry: impl Into<Record>) -> bool {
        !matches!(
            self.orders.try_send(Order::Record(entry.into())),
            Err(TrySendError::Full(_))
        )
    }

    /// Tells it what is going on around this machine; where it is far behind that is lost.
    pub fn tell(&self, fact: Observation) {
        let _ = self.orders.try_send(Order::Observation(fact));
    }

    /// From now on only these hosts are checked.
    pub fn set_hosts(&self, hosts: Vec<Arc<Host>>) {
        let _ = self.orders.send(Order::Hosts(hosts));
    }

    /// Somebody looks at the newest results: for the next minute they are written soon.
    pub fn watched(&self) {
        // When the queue is full there are more urgent things.
        let _ = self.orders.try_send(Order::Watched);
    }

    /// Has it ring when there is something to tell.
    pub fn ring(&self, bell: SyncSender<()>) {
        let _ = self.orders.send(Order::Bell(bell));
    }

    /// Makes it go by new settings.
    pub fn set(&self, settings: StoreSettings) {
        let _ = self.orders.send(Order::StoreSettings(settings));
    }
}

/// The running thread.
#[derive(Debug)]
pub struct Writer {
    handle: WriterHandle,
    thread: JoinHandle<u64>,
}

impl Writer {
    /// Enters the daemon into the ledger and starts the thread, with room for the results of so
    /// many hosts.
    pub fn start(
        mut database: Database,
        settings: StoreSettings,
        hosts: usize,
    ) -> Result<Writer, StoreError> {
        let start = sys::clocks();
        let doubt = clock_doubt(&database.runs()?, start.utc());
        database.begin_run(start.utc())?;
        let (orders, received) = sync_channel(QUEUE_LEN.max(hosts * QUEUE_LEN_PER_HOST));
        let path = database.path().to_path_buf();
        // Whoever holds the file longer is tried again later: meanwhile the queue must be emptied.
        database.set_patience(PATIENCE);
        database.set_outage_rules(settings.outages);
        database.set_alerts(settings.alerts);
        let desk = WriterState::new(database, settings, start, doubt);
        let thread = thread::Builder::new()
            .name("store".into())
            .spawn(move || desk.work(&received));
        let thread = thread.map_err(|cause| StoreError::File {
            operation: "starting the thread for",
            path,
            cause,
        })?;
        Ok(Writer {
            handle: WriterHandle { orders },
            thread,
        })
    }

    /// The way to it.
    pub fn handle(&self) -> WriterHandle {
        self.handle.clone()
    }

    /// Whether the thread still runs.
    pub fn is_alive(&self) -> bool {
        !self.thread.is_finished()
    }

    /// Has everything that was delivered written and the file closed; says how many results could
    /// not be written.
    pub fn finish(self) -> u64 {
        let _ = self.handle.orders.send(Order::Finish);
        self.thread.join().unwrap_or(0)
    }
}
