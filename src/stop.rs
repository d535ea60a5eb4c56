//! The stop flag: raised once and never lowered. It ends every wait of a worker at once.

use std::io;
use std::os::fd::BorrowedFd;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use crate::pure::time::Monotonic;
use crate::sys::{self, Event, WaitResult};

/// A flag that makes a worker stop; clones are the same flag.
#[derive(Clone, Debug)]
pub struct Stop {
    flag: Arc<Flag>,
}

/// The flag exists twice: a thread that only sleeps waits on the condition variable, which is
/// cheaper; a thread that waits for a socket polls the event together with it.
#[derive(Debug)]
struct Flag {
    is_raised: Mutex<bool>,
    raised: Condvar,
    event: Event,
}

impl Stop {
    /// A flag that is not raised. Fails when the process has no file descriptors left.
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

    /// Ends all current and future waits on this flag.
    pub fn raise(&self) {
        *self.lock() = true;
        self.flag.raised.notify_all();
        self.flag.event.set();
    }

    /// Whether the flag is raised.
    pub fn is_raised(&self) -> bool {
        *self.lock()
    }

    /// Sleeps until `until`; `true` when the flag was raised before.
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

    /// Waits until `until` or until the socket is readable; `true` when the flag was raised.
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
    fn raising_the_flag_ends_every_current_and_later_wait() {
        let stop = Stop::new().expect("a descriptor is free");
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a port is free");
        let soon = || sys::monotonic().after(Duration::from_millis(5));
        let far = sys::monotonic().after(Duration::from_secs(3600));
        assert!(!stop.wait_until(soon()) && !stop.wait_readable(socket.as_fd(), soon()));
        std::thread::scope(|scope| {
            let sleeping = scope.spawn(|| stop.wait_until(far));
            let polling = scope.spawn(|| stop.wait_readable(socket.as_fd(), far));
            stop.clone().raise();
            assert!(sleeping.join().expect("no panic") && polling.join().expect("no panic"));
        });
        assert!(
            stop.is_raised() && stop.wait_until(far) && stop.wait_readable(socket.as_fd(), far)
        );
    }

    #[test]
    fn a_readable_socket_ends_the_wait_without_the_flag() {
        let stop = Stop::new().expect("a descriptor is free");
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a port is free");
        socket
            .send_to(b"x", socket.local_addr().expect("bound"))
            .expect("loopback accepts it");
        assert!(!stop.wait_readable(
            socket.as_fd(),
            sys::monotonic().after(Duration::from_secs(3600))
        ));
    }
}
