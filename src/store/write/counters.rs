//! What `/metrics` counts: the totals of each host as far as they are safe from a power cut, and what
//! no row has, since the process began. Other threads read it while the writer's thread waits for the
//! disk.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::notices::NoticeResult;
use crate::pure::host_key::OwnedIdentity;
use crate::pure::model::Host;
use crate::pure::totals::HostTotals;

/// Shared by the writer's thread and those that send to it and that answer.
#[derive(Debug, Default)]
pub struct Counters {
    /// `None` until they were read: zeros in their place would be taken for counters that begin again.
    totals: Mutex<Option<HashMap<OwnedIdentity, HostTotals>>>,
    skipped: Mutex<HashMap<OwnedIdentity, u64>>,
    write_failures: AtomicUsize,
    lost: AtomicUsize,
    alerts_sent: AtomicUsize,
    alerts_failed: AtomicUsize,
}

/// The counts at one moment.
#[derive(Clone, Debug, Default)]
pub struct MonitorCounts {
    /// `None` while the database could not be opened yet.
    pub totals: Option<HashMap<OwnedIdentity, HostTotals>>,
    /// Checks that were due while the one before was still being made.
    pub skipped: HashMap<OwnedIdentity, u64>,
    /// Attempts to write results that failed.
    pub write_failures: usize,
    /// Results that are not in the database yet.
    pub waiting: usize,
    /// Results that were dropped since too many waited.
    pub lost: usize,
    pub alerts_sent: usize,
    pub alerts_failed: usize,
}

impl Counters {
    /// `waiting` is known elsewhere.
    pub fn counts(&self, waiting: usize) -> MonitorCounts {
        let read = |number: &AtomicUsize| number.load(Ordering::Relaxed);
        MonitorCounts {
            totals: lock(&self.totals).clone(),
            skipped: lock(&self.skipped).clone(),
            write_failures: read(&self.write_failures),
            waiting,
            lost: read(&self.lost),
            alerts_sent: read(&self.alerts_sent),
            alerts_failed: read(&self.alerts_failed),
        }
    }

    /// Shows the totals of the hosts that have changed; of another database, those of all hosts in
    /// place of what was shown.
    pub fn publish<'t>(
        &self,
        totals: impl Iterator<Item = (&'t OwnedIdentity, &'t HostTotals)>,
        is_all: bool,
    ) {
        let mut published = lock(&self.totals);
        let known = published.get_or_insert_default();
        if is_all {
            known.clear();
        }
        for (host, totals) in totals {
            match known.get_mut(host) {
                Some(known) => known.clone_from(totals),
                None => drop(known.insert(host.clone(), totals.clone())),
            }
        }
    }

    pub fn note_skipped(&self, host: &Host, ticks: u64) {
        let mut skipped = lock(&self.skipped);
        let count = skipped.entry(host.owned_identity()).or_default();
        *count = count.saturating_add(ticks);
    }

    pub fn note_write_failure(&self) {
        self.write_failures.fetch_add(1, Ordering::Relaxed);
    }

    pub fn note_lost(&self) {
        self.lost.fetch_add(1, Ordering::Relaxed);
    }

    pub fn note_alert(&self, result: &NoticeResult) {
        let count = match result.failure {
            None => &self.alerts_sent,
            Some(_) => &self.alerts_failed,
        };
        count.fetch_add(1, Ordering::Relaxed);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
