//! The stop flag: raised once, never lowered, and every wait of a worker ends with it. The only
//! mutable state that threads share.

use std::io;
use std::os::fd::BorrowedFd;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use crate::pure::time::Monotonic;
use crate::sys::{self, Event, WaitResult};

/// A flag that tells a worker to stop; clones are the same flag.
#[derive(Clone, Debug)]
pub struct Stop {
    flag: Arc<Flag>,
}

/// The flag twice: a sleeper waits for the condition, which costs the processor least, and who
/// listens to a socket waits for the event beside it.
#[derive(Debug)]
struct Flag {
    is_raised: Mutex<bool>,
    raised: Condvar,
    event: Event,
}

impl Stop {
    /// A flag that is not raised. Fails when the process has no file descriptor left.
    pub fn new() -> io::Result<Stop> {
        let flag = Flag {
            is_raised: Mutex::new(false),
            raised: Condvar::new(),
            event: Event::new()?,
        };
        Ok(Stop {
            flag: Arc::new(flag),
        })
    }

    /// Raises it: every wait on it ends, now and later.
    pub fn raise(&self) {
        *self.lock() = true;
        self.flag.raised.notify_all();
        self.flag.event.throw();
    }

    /// Whether it is raised.
    pub fn is_raised(&self) -> bool {
        *self.lock()
    }

    /// Waits until an instant; `true` when the flag was raised before it.
    pub fn wait_until(&self, until: Monotonic) -> bool {
        let mut is_raised = self.lock();
        loop {
            let left = until.since(sys::monotonic());
            if *is_raised || left.is_zero() {
                return *is_raised;
            }
            let waited = self.flag.raised.wait_timeout(is_raised, left);
            is_raised = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Waits until an instant or until the socket has something to read; `true` when the flag was
    /// raised.
    pub fn wait_readable(&self, socket: BorrowedFd<'_>, until: Monotonic) -> bool {
        self.is_raised() || sys::wait(&self.flag.event, socket, until) == WaitResult::Event
    }

    fn lock(&self) -> MutexGuard<'_, bool> {
        self.flag
            .is_raised
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;
    use std::os::fd::AsFd;
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_flag_ends_every_wait_at_once_and_stays_raised() {
        let stop = Stop::new().expect("a descriptor is free");
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a port is free");
        let soon = || sys::monotonic().after(Duration::from_millis(5));
        let far = sys::monotonic().after(Duration::from_secs(3600));
        assert!(!stop.wait_until(soon()) && !stop.wait_readable(socket.as_fd(), soon()));
        std::thread::scope(|scope| {
            let sleeper = scope.spawn(|| stop.wait_until(far));
            let listener = scope.spawn(|| stop.wait_readable(socket.as_fd(), far));
            stop.clone().raise();
            assert!(sleeper.join().expect("no panic") && listener.join().expect("no panic"));
        });
        assert!(
            stop.is_raised() && stop.wait_until(far) && stop.wait_readable(socket.as_fd(), far)
        );
    }

    #[test]
    fn a_message_ends_the_wait_of_a_listener() {
        let stop = Stop::new().expect("a descriptor is free");
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a port is free");
        socket
            .send_to(b"x", socket.local_addr().expect("bound"))
            .expect("loopback takes it");
        assert!(!stop.wait_readable(
            socket.as_fd(),
            sys::monotonic().after(Duration::from_secs(3600))
        ));
    }
}
