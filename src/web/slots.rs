//! The places for connections, and who has to leave when all are taken. One table under one lock;
//! the threads of the connections say in it what they are doing, the acceptors decide by it.

use std::net::{Shutdown, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::pure::time::Monotonic;
use crate::stop::Stop;
use crate::sys;

/// What a connection is doing, and since when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// No complete request has come.
    Waiting(Monotonic),
    /// Its answer is being made.
    Working,
    /// Bytes are on their way out.
    Writing(Monotonic),
    /// It has had its last answer.
    Lingering(Monotonic),
}

#[derive(Debug)]
struct Entry {
    id: u64,
    stream: Arc<TcpStream>,
    phase: Phase,
    /// Since when it has been taking an answer of many pages.
    paging_since: Option<Monotonic>,
    /// Told to end; its thread has not got that far yet.
    is_closed: bool,
}

#[derive(Debug, Default)]
struct Table {
    entries: Vec<Entry>,
    next_id: u64,
    is_ended: bool,
}

/// All places.
#[derive(Debug)]
pub(super) struct Slots {
    table: Mutex<Table>,
    freed: Condvar,
    capacity: usize,
    /// Who has read nothing for so long may be closed for somebody new.
    patience: Duration,
}

/// For so long nobody who takes a long answer has to leave.
const LONG_ANSWER: Duration = Duration::from_millis(500);
/// How often somebody who waits for a place looks again whether one can be made.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

impl Slots {
    pub(super) fn new(capacity: usize, patience: Duration) -> Slots {
        Slots {
            table: Mutex::default(),
            freed: Condvar::new(),
            capacity,
            patience,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place for a new connection. When there is none, the connection that has waited longest
    /// without a complete request is closed for it, else the one that has read nothing for longest,
    /// else the one that has been taking a long answer for longest; while there is no such one
    /// either, this waits. `None` when the flag is raised.
    pub(super) fn admit(self: &Arc<Self>, stream: &Arc<TcpStream>, stop: &Stop) -> Option<Slot> {
        let mut table = self.lock();
        while table.entries.len() >= self.capacity {
            if table.is_ended || stop.is_raised() {
                return None;
            }
            if !table.entries.iter().any(|entry| entry.is_closed) {
                self.close_one(&mut table);
            }
            table = self
                .freed
                .wait_timeout(table, LOOK_AGAIN)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
        if table.is_ended {
            return None;
        }
        let id = table.next_id;
        table.next_id += 1;
        let phase = Phase::Waiting(sys::monotonic());
        table.entries.push(Entry {
            id,
            stream: Arc::clone(stream),
            phase,
            paging_since: None,
            is_closed: false,
        });
        Some(Slot {
            id,
            slots: Arc::clone(self),
        })
    }

    /// Closes a connection that can be spared and waits until its descriptor is free; `false` when
    /// there is none, or when it takes longer than `longest`.
    pub(super) fn spare_one(&self, longest: Duration) -> bool {
        let mut table = self.lock();
        let count = table.entries.len();
        if !self.close_one(&mut table) {
            return false;
        }
        let is_there = |table: &mut Table| table.entries.len() >= count;
        let waited = self
            .freed
            .wait_timeout_while(table, longest, is_there)
            .unwrap_or_else(PoisonError::into_inner);
        !waited.1.timed_out()
    }

    fn close_one(&self, table: &mut Table) -> bool {
        let now = sys::monotonic();
        let rank = |entry: &Entry| match entry.phase {
            _ if entry.is_closed => None,
            Phase::Lingering(since) => Some((0, since)),
            Phase::Waiting(since) => Some((1, since)),
            Phase::Writing(since) if now.since(since) >= self.patience => Some((2, since)),
            // However well it reads: others want to be answered too.
            Phase::Writing(_) | Phase::Working => entry
                .paging_since
                .filter(|since| now.since(*since) >= LONG_ANSWER)
                .map(|since| (3, since)),
        };
        let spared = table
            .entries
            .iter_mut()
            .filter_map(|entry| Some((rank(entry)?, entry)))
            .min_by_key(|(rank, _)| *rank);
        match spared {
            Some((_, entry)) => {
                entry.close();
                true
            }
            None => false,
        }
    }

    /// Closes those that wait, lets the others come to the end of their answer within `grace`,
    /// closes them too and gives their threads as long again. What is busy in the database even
    /// then is left behind.
    pub(super) fn end(&self, grace: Duration) {
        self.lock().is_ended = true;
        self.close_all(|entry| matches!(entry.phase, Phase::Waiting(_) | Phase::Lingering(_)));
        self.wait_until_empty(grace);
        self.close_all(|_| true);
        self.wait_until_empty(grace);
    }

    /// Whether nobody is connected.
    pub(super) fn are_free(&self) -> bool {
        self.lock().entries.is_empty()
    }

    fn close_all(&self, which: impl Fn(&Entry) -> bool) {
        self.lock()
            .entries
            .iter_mut()
            .filter(|entry| which(entry))
            .for_each(Entry::close);
    }

    fn wait_until_empty(&self, longest: Duration) {
        let is_busy = |table: &mut Table| !table.entries.is_empty();
        // A time that runs out says the same as a look at the table.
        drop(self.freed.wait_timeout_while(self.lock(), longest, is_busy));
    }
}

impl Entry {
    fn close(&mut self) {
        self.is_closed = true;
        // Ends the read or write that its thread is in. It fails only when the other end has gone
        // already.
        drop(self.stream.shutdown(Shutdown::Both));
    }
}

/// One place; it comes free when this is dropped.
#[derive(Debug)]
pub(super) struct Slot {
    id: u64,
    slots: Arc<Slots>,
}

impl Slot {
    /// The answer that begins has many pages.
    pub(super) fn begin_pages(&self) {
        if let Some(entry) = self
            .slots
            .lock()
            .entries
            .iter_mut()
            .find(|entry| entry.id == self.id)
        {
            entry.paging_since = Some(sys::monotonic());
        }
    }

    /// Says what the connection does from now on; `false` when it has been told to end.
    pub(super) fn enter(&self, phase: Phase) -> bool {
        let mut table = self.slots.lock();
        // Whoever begins to wait while the server ends would not be closed before the grace is
        // over.
        let is_ending = table.is_ended && matches!(phase, Phase::Waiting(_) | Phase::Lingering(_));
        let Some(entry) = table.entries.iter_mut().find(|entry| entry.id == self.id) else {
            return false;
        };
        entry.phase = phase;
        if matches!(phase, Phase::Waiting(_) | Phase::Lingering(_)) {
            entry.paging_since = None;
        }
        !entry.is_closed && !is_ending
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.slots
            .lock()
            .entries
            .retain(|entry| entry.id != self.id);
        self.slots.freed.notify_all();
    }
}
