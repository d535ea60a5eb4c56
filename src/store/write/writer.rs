//! The thread that owns the writing connection. It collects records and commits them together,
//! since every commit writes the same amount of journal. While the disk is full or another program
//! has locked the database it keeps a bounded number of records in memory and retries. No other
//! thread waits for the disk.

use std::sync::Arc;
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::database::Database;
use super::record::Record;
use super::state::{COMMIT_BUSY_TIMEOUT, Order, StoreSettings, WriterState};
use crate::pure::model::Host;
use crate::pure::phrase;
use crate::pure::scene::Observation;
use crate::store::error::StoreError;
use crate::sys;

/// Capacity of the channel to the writer, for the time of a slow commit: at least this many
/// results.
const QUEUE_LEN: usize = 1024;

/// The log says that the last run ended this long ago: the clock may be wrong.
const LONG_ABSENCE_MS: i64 = 30 * 86_400_000;

/// With many hosts, this many per host.
const QUEUE_LEN_PER_HOST: usize = 4;

/// Sends to the writer thread.
#[derive(Clone, Debug)]
pub struct WriterHandle {
    orders: SyncSender<Order>,
}

impl WriterHandle {
    /// Does not wait; `false` when the queue is full and the record is lost.
    pub fn record(&self, record: impl Into<Record>) -> bool {
        !matches!(
            self.orders
                .try_send(Order::Record(record.into(), sys::clocks())),
            Err(TrySendError::Full(_))
        )
    }

    /// Does not wait; an observation is lost when the queue is full.
    pub fn observe(&self, observation: Observation) {
        let _ = self.orders.try_send(Order::Observation(observation));
    }

    /// Only these hosts are checked from now on.
    pub fn set_hosts(&self, hosts: Vec<Arc<Host>>) {
        let _ = self.orders.send(Order::Hosts(hosts));
    }

    /// A user is viewing the newest results: they are written sooner for a minute.
    pub fn note_viewer(&self) {
        // When the queue is full, results are more urgent.
        let _ = self.orders.try_send(Order::Viewed);
    }

    /// Has `wake` signalled when a notice was written.
    pub fn wake_for_notices(&self, wake: SyncSender<()>) {
        let _ = self.orders.send(Order::Wake(wake));
    }

    pub fn set_settings(&self, settings: StoreSettings) {
        let _ = self.orders.send(Order::StoreSettings(settings));
    }
}

impl WriterState {
    /// Records that the monitor runs. The state is what the thread works on.
    pub fn begin(
        mut database: Database,
        settings: StoreSettings,
    ) -> Result<WriterState, StoreError> {
        let clock = database.clock();
        let start = clock.clocks();
        database.begin_run(start.utc(), clock.is_synchronised())?;
        let dated = database.run_clock.dated(start.utc());
        if dated != start.utc() {
            log::warn!(
                "the clock shows {}, but the newest result is from {}: results are dated after it until the clock is set forward",
                start.utc().rfc3339(),
                dated.rfc3339()
            );
        }
        let proven = database.proven_time(dated)?;
        if dated.0.saturating_sub(proven.0) >= LONG_ABSENCE_MS {
            log::warn!(
                "the last run ended {} ago by this clock; in case it is wrong nothing is deleted for a day",
                phrase::duration(Duration::from_millis(dated.0.abs_diff(proven.0)))
            );
        }
        // A commit that another program blocks for longer is retried: meanwhile the queue is
        // emptied.
        database.set_busy_timeout(COMMIT_BUSY_TIMEOUT);
        database.set_outage_rules(settings.outages);
        database.set_alerts(settings.alerts);
        Ok(WriterState::new(database, settings, start))
    }
}

/// The running thread.
#[derive(Debug)]
pub struct Writer {
    handle: WriterHandle,
    thread: JoinHandle<u64>,
}

impl Writer {
    /// Records that the monitor runs and starts the thread. `hosts` is the number of hosts.
    pub fn start(
        database: Database,
        settings: StoreSettings,
        hosts: usize,
    ) -> Result<Writer, StoreError> {
        let path = database.path().to_path_buf();
        let state = WriterState::begin(database, settings)?;
        let (orders, received) = sync_channel(QUEUE_LEN.max(hosts * QUEUE_LEN_PER_HOST));
        let thread = thread::Builder::new()
            .name("store".into())
            .spawn(move || state.run(&received));
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

    pub fn handle(&self) -> WriterHandle {
        self.handle.clone()
    }

    pub fn is_alive(&self) -> bool {
        !self.thread.is_finished()
    }

    /// Writes all received records and closes the file; returns how many records could not be
    /// written.
    pub fn finish(self) -> u64 {
        let _ = self.handle.orders.send(Order::Finish);
        self.thread.join().unwrap_or(0)
    }
}
