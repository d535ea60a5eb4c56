//! The stop flag: raised once, never lowered, and every wait of a worker ends with it. The only mutable state that
//! threads share.

use std::io;
use std::os::fd::BorrowedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::sys::{self, Event, Woken};
use crate::time::Monotonic;

/// A flag that tells a worker to stop; clones are the same flag.
#[derive(Clone, Debug)]
pub struct Stop {
    flag: Arc<Flag>,
}

#[derive(Debug)]
struct Flag {
    is_raised: AtomicBool,
    event: Event,
}

impl Stop {
    /// A flag that is not raised. Fails when the process has no file descriptor left.
    pub fn new() -> io::Result<Stop> {
        Ok(Stop { flag: Arc::new(Flag { is_raised: AtomicBool::new(false), event: Event::new()? }) })
    }

    /// Raises it: every wait on it ends, now and later.
    pub fn raise(&self) {
        self.flag.is_raised.store(true, Ordering::Release);
        self.flag.event.throw();
    }

    /// Whether it is raised.
    pub fn is_raised(&self) -> bool {
        self.flag.is_raised.load(Ordering::Acquire)
    }

    /// Waits until an instant; `true` when the flag was raised before it.
    pub fn wait_until(&self, until: Monotonic) -> bool {
        self.is_raised() || sys::wait(&self.flag.event, None, until) == Woken::Event
    }

    /// Waits until an instant or until the socket has something to read; `true` when the flag was raised.
    pub fn wait_readable(&self, socket: BorrowedFd<'_>, until: Monotonic) -> bool {
        self.is_raised() || sys::wait(&self.flag.event, Some(socket), until) == Woken::Event
    }
}
