//! What was sent to the writer's thread and is not written yet. Other threads see it even while
//! that thread waits for the disk.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use super::record::Record;

/// The maximum number of results kept in memory while nothing can be written: four days of three
/// hosts at one check a minute, 6 MB.
pub const MAX_KEPT: usize = 20_000;

/// Whether one more is kept beside so many.
pub fn has_room(record: &Record, kept: usize) -> bool {
    kept < if gives_way(record) {
        MAX_KEPT / 2
    } else {
        MAX_KEPT
    }
}

/// An unanswered probe: one a second for each silent host would displace checks.
pub fn gives_way(record: &Record) -> bool {
    matches!(record, Record::Probe(probe) if !probe.is_answered)
}

/// Counts that the sending threads and the writer's thread share.
#[derive(Debug, Default)]
pub struct Backlog {
    /// Orders sent and not received: grows only while the writer's thread waits for the disk.
    queued: AtomicUsize,
    /// The records among them.
    queued_records: AtomicUsize,
    /// Received and not written, and those that had to be dropped.
    unwritten: AtomicUsize,
    /// Those that had to be dropped.
    dropped: AtomicUsize,
    /// Why they cannot be written.
    failure: Mutex<Option<String>>,
}

impl Backlog {
    pub fn queued(&self) -> usize {
        self.queued.load(Ordering::Relaxed)
    }

    pub fn note_sent(&self, is_record: bool) {
        self.queued.fetch_add(1, Ordering::Relaxed);
        self.queued_records
            .fetch_add(usize::from(is_record), Ordering::Relaxed);
    }

    pub fn note_received(&self, is_record: bool) {
        self.queued.fetch_sub(1, Ordering::Relaxed);
        self.queued_records
            .fetch_sub(usize::from(is_record), Ordering::Relaxed);
    }

    /// `dropped` of the records had to be dropped.
    pub fn set_unwritten(&self, records: usize, dropped: usize) {
        self.unwritten.store(records, Ordering::Relaxed);
        self.dropped.store(dropped, Ordering::Relaxed);
    }

    /// How many records are not written yet.
    pub fn waiting(&self) -> usize {
        let dropped = self.dropped.load(Ordering::Relaxed);
        self.at_risk().saturating_sub(dropped)
    }

    /// How many records are lost if the process ends now.
    pub fn at_risk(&self) -> usize {
        self.queued_records.load(Ordering::Relaxed) + self.unwritten.load(Ordering::Relaxed)
    }

    pub fn failure(&self) -> Option<String> {
        let failure = self.failure.lock();
        failure.unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub fn set_failure(&self, failure: Option<String>) {
        *self.failure.lock().unwrap_or_else(PoisonError::into_inner) = failure;
    }
}
