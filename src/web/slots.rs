//! The slots for connections, and which connection has to close when all are taken. One table under
//! one lock: connection threads record there what they are doing, and acceptors decide by it.

use std::net::{Shutdown, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::Limits;
use crate::pure::time::Monotonic;
use crate::stop::Stop;
use crate::sys;

/// What a connection is doing, and since when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// No complete request has arrived.
    Receiving(Monotonic),
    /// The handler is working on the response.
    Handling,
    Sending(Monotonic),
    /// The last response has been sent; the client has not closed yet.
    Lingering(Monotonic),
}

impl Phase {
    fn is_between_requests(self) -> bool {
        matches!(self, Phase::Receiving(_) | Phase::Lingering(_))
    }
}

#[derive(Debug)]
struct Entry {
    id: u64,
    stream: Arc<TcpStream>,
    phase: Phase,
    /// When the chunked response that it is receiving began.
    chunked_since: Option<Monotonic>,
    /// What is kept of its response until it is sent, in bytes, and since when.
    held: Option<(usize, Monotonic)>,
    /// Its socket has been shut down; its thread has not noticed yet.
    is_closed: bool,
    connected: Monotonic,
}

#[derive(Debug, Default)]
struct Table {
    connections: Vec<Entry>,
    next_id: u64,
    is_stopping: bool,
    /// Since when all slots have been taken and none became free.
    full_since: Option<Monotonic>,
}

/// Why a new connection gets no slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoSlot {
    Stopping,
    /// None became free for [`MAX_WAIT`].
    Busy,
}

#[derive(Debug)]
pub(super) struct Slots {
    table: Mutex<Table>,
    freed: Condvar,
    capacity: usize,
    /// See [`Limits::stall_tolerance`].
    stall_tolerance: Duration,
    /// See [`Limits::held_bytes`].
    max_held: usize,
}

/// A chunked response is not interrupted before this.
const MIN_CHUNKED_TIME: Duration = Duration::from_millis(500);
/// Nor is one that is held, for the memory of another.
const MIN_HELD_TIME: Duration = Duration::from_secs(1);
/// How long a response waits for memory. Others are closed sooner.
const MAX_WAIT_TO_HOLD: Duration = Duration::from_secs(5);
/// A connection that is younger is not closed: its request may have arrived and not been read yet.
const MIN_HEAD_TIME: Duration = Duration::from_millis(200);
/// How often a new connection without a slot checks whether another can be closed.
const RETRY: Duration = Duration::from_millis(20);
/// While no slot becomes free for longer, new connections are refused at once: each would wait for
/// those before it, too.
const MAX_WAIT: Duration = Duration::from_secs(1);

impl Table {
    /// Closes the connection with the lowest rank; `false` when none has one.
    fn close_first(&mut self, rank: impl Fn(&Entry) -> Option<(u8, Monotonic)>) -> bool {
        let ranked = self
            .connections
            .iter_mut()
            .filter_map(|connection| Some((rank(connection)?, connection)))
            .min_by_key(|(rank, _)| *rank);
        match ranked {
            Some((_, connection)) => {
                connection.close();
                true
            }
            None => false,
        }
    }

    fn entry(&mut self, id: u64) -> Option<&mut Entry> {
        self.connections
            .iter_mut()
            .find(|connection| connection.id == id)
    }
}

impl Slots {
    pub(super) fn new(limits: &Limits) -> Slots {
        Slots {
            table: Mutex::default(),
            freed: Condvar::new(),
            capacity: limits.connections,
            stall_tolerance: limits.stall_tolerance,
            max_held: limits.held_bytes,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for a slot for a new connection. When all are taken, the connection that has waited
    /// longest without a complete request is closed, unless it has just connected; if there is none,
    /// the one that has read nothing for longest; if there is none either, the one whose chunked
    /// response began first.
    pub(super) fn admit(
        self: &Arc<Self>,
        stream: &Arc<TcpStream>,
        stop: &Stop,
    ) -> Result<Slot, NoSlot> {
        let mut table = self.lock();
        while table.connections.len() >= self.capacity {
            if table.is_stopping || stop.is_raised() {
                return Err(NoSlot::Stopping);
            }
            let is_closing = |connection: &Entry| connection.is_closed;
            if !table.connections.iter().any(is_closing) && self.evict(&mut table) {
                table.full_since = None;
            } else {
                let now = sys::monotonic();
                if now.since(*table.full_since.get_or_insert(now)) >= MAX_WAIT {
                    return Err(NoSlot::Busy);
                }
            }
            table = self
                .freed
                .wait_timeout(table, RETRY)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
        if table.is_stopping {
            return Err(NoSlot::Stopping);
        }
        table.full_since = None;
        let id = table.next_id;
        table.next_id += 1;
        let connected = sys::monotonic();
        let phase = Phase::Receiving(connected);
        table.connections.push(Entry {
            id,
            stream: Arc::clone(stream),
            phase,
            chunked_since: None,
            held: None,
            is_closed: false,
            connected,
        });
        Ok(Slot {
            id,
            slots: Arc::clone(self),
        })
    }

    /// Closes a connection to free its file descriptor and waits for that; `false` when none may be
    /// closed or it takes longer than `max_wait`.
    pub(super) fn evict_one(&self, max_wait: Duration) -> bool {
        let mut table = self.lock();
        let count = table.connections.len();
        if !self.evict(&mut table) {
            return false;
        }
        let is_there = |table: &mut Table| table.connections.len() >= count;
        let waited = self
            .freed
            .wait_timeout_while(table, max_wait, is_there)
            .unwrap_or_else(PoisonError::into_inner);
        !waited.1.timed_out()
    }

    fn evict(&self, table: &mut Table) -> bool {
        let now = sys::monotonic();
        let rank = |connection: &Entry| match connection.phase {
            _ if connection.is_closed => None,
            Phase::Lingering(since) => Some((0, since)),
            Phase::Receiving(_) if now.since(connection.connected) < MIN_HEAD_TIME => None,
            Phase::Receiving(since) => Some((1, since)),
            Phase::Sending(since) if now.since(since) >= self.stall_tolerance => Some((2, since)),
            // Even when the client reads as fast as it can.
            Phase::Sending(_) | Phase::Handling => connection
                .chunked_since
                .filter(|since| now.since(*since) >= MIN_CHUNKED_TIME)
                .map(|since| (3, since)),
        };
        table.close_first(rank)
    }

    /// Closes a connection for the memory that its response takes: the one that has read nothing for
    /// longest, or else the one whose response was made first.
    fn evict_holder(&self, table: &mut Table) -> bool {
        let now = sys::monotonic();
        table.close_first(|connection| match (connection.held, connection.phase) {
            (None, _) => None,
            _ if connection.is_closed => None,
            (_, Phase::Sending(since)) if now.since(since) >= self.stall_tolerance => {
                Some((0, since))
            }
            (Some((_, since)), _) => (now.since(since) >= MIN_HELD_TIME).then_some((1, since)),
        })
    }

    /// For the stop: closes the connections between two requests, lets the others finish their
    /// response within `grace`, closes them too and waits for their threads as long again. Threads
    /// that are still busy then are not waited for.
    pub(super) fn close_all(&self, grace: Duration) {
        self.lock().is_stopping = true;
        self.close_where(|connection| connection.phase.is_between_requests());
        self.wait_until_empty(grace);
        self.close_where(|_| true);
        self.wait_until_empty(grace);
    }

    pub(super) fn are_free(&self) -> bool {
        self.lock().connections.is_empty()
    }

    fn close_where(&self, which: impl Fn(&Entry) -> bool) {
        self.lock()
            .connections
            .iter_mut()
            .filter(|connection| which(connection))
            .for_each(Entry::close);
    }

    fn wait_until_empty(&self, max_wait: Duration) {
        let is_busy = |table: &mut Table| !table.connections.is_empty();
        // The caller continues in either case.
        drop(
            self.freed
                .wait_timeout_while(self.lock(), max_wait, is_busy),
        );
    }
}

impl Entry {
    fn close(&mut self) {
        self.is_closed = true;
        // Ends the read or write that its thread is in. Fails only when the client has closed.
        drop(self.stream.shutdown(Shutdown::Both));
    }
}

/// Dropping it frees the slot.
#[derive(Debug)]
pub(super) struct Slot {
    id: u64,
    slots: Arc<Slots>,
}

impl Slot {
    pub(super) fn begin_chunked_response(&self) {
        if let Some(connection) = self.slots.lock().entry(self.id) {
            connection.chunked_since = Some(sys::monotonic());
        }
    }

    /// Has bytes counted that its response keeps in memory. Waits while those of all connections would
    /// be too many, for which others are closed. `false` when this one has to close.
    pub(super) fn hold(&self, bytes: usize) -> bool {
        let slots = &self.slots;
        let until = sys::monotonic().after(MAX_WAIT_TO_HOLD);
        let mut table = slots.lock();
        loop {
            let others: usize = table
                .connections
                .iter()
                .filter(|connection| connection.id != self.id)
                .filter_map(|connection| connection.held)
                .map(|(bytes, _)| bytes)
                .sum();
            let (now, is_stopping) = (sys::monotonic(), table.is_stopping);
            let Some(own) = table.entry(self.id).filter(|own| !own.is_closed) else {
                return false;
            };
            if others == 0 || others.saturating_add(bytes) <= slots.max_held {
                own.held = Some((bytes, now));
                return true;
            }
            if is_stopping || until.since(now).is_zero() {
                return false;
            }
            let is_closing = |other: &Entry| other.is_closed && other.held.is_some();
            if !table.connections.iter().any(is_closing) {
                slots.evict_holder(&mut table);
            }
            table = slots
                .freed
                .wait_timeout(table, RETRY)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }

    /// All that was held is sent.
    pub(super) fn release(&self) {
        if let Some(connection) = self.slots.lock().entry(self.id) {
            connection.held = None;
        }
        self.slots.freed.notify_all();
    }

    /// Records what the connection does from now on; `false` when it has to close.
    pub(super) fn enter(&self, phase: Phase) -> bool {
        let mut table = self.slots.lock();
        // close_all has already closed the connections between two requests.
        let is_too_late = table.is_stopping && phase.is_between_requests();
        let Some(connection) = table.entry(self.id) else {
            return false;
        };
        connection.phase = phase;
        if phase.is_between_requests() {
            connection.chunked_since = None;
        }
        !connection.is_closed && !is_too_late
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.slots
            .lock()
            .connections
            .retain(|connection| connection.id != self.id);
        self.slots.freed.notify_all();
    }
}
