//! The thread that owns the writing connection. It collects records and commits them together,
//! since every commit writes the same amount of journal. While the disk is full or another program
//! has locked the database it keeps a bounded number of records in memory and retries, also before
//! the file was ever opened. No other thread waits for the disk: while it stalls, as many records
//! wait in the queue.

use std::sync::Arc;
use std::sync::mpsc::{Sender, SyncSender, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::backlog::{Backlog, MAX_KEPT, gives_way, has_room};
use super::counters::{Counters, MonitorCounts};
use super::database::Database;
use super::push::PushProgress;
use super::record::Record;
use super::state::{COMMIT_BUSY_TIMEOUT, Order, StoreSettings, WriterState};
use crate::pure::model::Host;
use crate::pure::scene::Observation;
use crate::store::error::StoreError;
use crate::sys;

/// How long the last commit waits for another program that holds the database. Service managers
/// allow 30 seconds for the whole stop: TimeoutStopSec= in the systemd unit, `retry` of OpenRC,
/// `term_timeout` of procd.
pub const MAX_LAST_COMMIT: Duration = Duration::from_secs(25);

/// Sends to the writer thread. The queue has no slots that take memory while it is empty; its bound
/// is that of results which cannot be written.
#[derive(Clone, Debug)]
pub struct WriterHandle {
    orders: Sender<Order>,
    backlog: Arc<Backlog>,
    counters: Arc<Counters>,
}

impl WriterHandle {
    /// Does not wait; `false` when the queue is full and the record is lost.
    pub fn record(&self, record: impl Into<Record>) -> bool {
        let record = record.into();
        if let Record::Notice(result) = &record {
            self.counters.note_alert(result);
        }
        // A few more than the bound, if threads send at the same moment.
        if has_room(&record, self.backlog.queued()) {
            self.send(Order::Record(record, sys::clocks()));
            return true;
        }
        let is_given_up = gives_way(&record);
        if !is_given_up {
            self.counters.note_lost();
        }
        is_given_up
    }

    /// Checks of a host were due while the one before was still being made.
    pub fn note_skipped(&self, host: &Host, ticks: u64) {
        self.counters.note_skipped(host, ticks);
    }

    /// What `/metrics` counts.
    pub fn counts(&self) -> MonitorCounts {
        self.counters.counts(self.backlog.waiting())
    }

    /// Does not wait; an observation is lost when the queue is full.
    pub fn observe(&self, observation: Observation) {
        if self.backlog.queued() < MAX_KEPT {
            self.send(Order::Observation(observation));
        }
    }

    /// Only these hosts are checked from now on.
    pub fn set_hosts(&self, hosts: Vec<Arc<Host>>) {
        self.send(Order::Hosts(hosts));
    }

    /// A user is viewing the newest results: they are written sooner for a minute.
    pub fn note_viewer(&self) {
        // While the thread waits for the disk, results are more urgent.
        if self.backlog.queued() < MAX_KEPT / 2 {
            self.send(Order::Viewed);
        }
    }

    /// Has `wake` signalled when a notice was written.
    pub fn wake_for_notices(&self, wake: SyncSender<()>) {
        self.send(Order::Wake(wake));
    }

    /// Does not wait; `false` when the queue is full and it is to be told again.
    pub fn note_pushed(&self, progress: PushProgress) -> bool {
        let has_room = self.backlog.queued() < MAX_KEPT / 2;
        if has_room {
            self.send(Order::Pushed(progress));
        }
        has_room
    }

    pub fn set_settings(&self, settings: StoreSettings) {
        self.send(Order::StoreSettings(settings));
    }

    /// How many records are lost if the process ends now.
    pub fn at_risk(&self) -> u64 {
        self.backlog.at_risk() as u64
    }

    /// Why results cannot be written now and are kept in memory.
    pub fn failure(&self) -> Option<String> {
        self.backlog.failure()
    }

    /// The thread ends after all handles, or by a panic that [`Writer::is_alive`] shows.
    fn send(&self, order: Order) {
        self.backlog.note_sent(order.is_record());
        let _ = self.orders.send(order);
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
        let is_synchronised = clock.is_synchronised();
        let failure = match database.begin(start.utc(), start.utc(), is_synchronised) {
            Ok(()) => None,
            Err(error) if error.may_pass() => {
                database.close_file(start.utc(), is_synchronised);
                Some(error)
            }
            Err(error) => return Err(error),
        };
        // A commit that another program blocks for longer is retried: meanwhile the queue is
        // emptied.
        database.set_busy_timeout(COMMIT_BUSY_TIMEOUT);
        database.set_outage_rules(settings.outages);
        database.set_alerts(settings.alerts);
        let mut state = WriterState::new(database, settings, start);
        if let Some(failure) = failure {
            state.fail(&failure);
        }
        Ok(state)
    }
}

/// The running thread.
#[derive(Debug)]
pub struct Writer {
    handle: WriterHandle,
    thread: JoinHandle<u64>,
}

impl Writer {
    /// Records that the monitor runs and starts the thread. Where that fails for a reason that may
    /// pass, results are kept in memory until it succeeds.
    pub fn start(database: Database, settings: StoreSettings) -> Result<Writer, StoreError> {
        let path = database.path().to_path_buf();
        let state = WriterState::begin(database, settings)?;
        let (backlog, counters) = (Arc::clone(&state.backlog), state.counters());
        let (orders, received) = channel();
        let thread = thread::Builder::new()
            .name("store".into())
            .spawn(move || state.run(&received));
        let thread = thread.map_err(|cause| StoreError::File {
            operation: "starting the thread for",
            path,
            cause,
        })?;
        Ok(Writer {
            handle: WriterHandle {
                orders,
                backlog,
                counters,
            },
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
    /// written. Waits for another program that holds the database, and for a disk that stalls.
    pub fn finish(self) -> u64 {
        let until = sys::monotonic().after(MAX_LAST_COMMIT);
        self.handle.send(Order::Finish { until });
        self.thread.join().unwrap_or(0)
    }
}
