//! Pings to one target and what comes of them: a socket of its own, so that it has an identifier of
//! its own, and the check that is judged by what the socket receives. Whoever drives it says when
//! to send and when to read.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use super::{EchoSocket, SocketError, SocketOptions, Target};
use crate::pure::check::{CheckRun, CheckSettings};
use crate::pure::icmp;
use crate::pure::time::ClockSample;
use crate::sys::{self, Batch};

/// See the module.
pub struct Exchange {
    /// What was sent, what came, and what is to be done next.
    pub run: CheckRun,
    socket: EchoSocket,
    batch: Batch,
    /// Room for a request.
    request: Vec<u8>,
}

impl Exchange {
    /// Opens a socket to the target; sends nothing. In a box, since a host's thread has two pages
    /// of stack for everything.
    pub fn open(
        target: &Target,
        options: &SocketOptions,
        plan: CheckSettings,
    ) -> Result<Box<Exchange>, SocketError> {
        let cookie = sys::random_u64();
        let socket = EchoSocket::open(target, options, cookie.rotate_left(17))?;
        let batch = socket.batch(plan.payload_len);
        let request = vec![0; icmp::HEADER_LEN + plan.payload_len];
        let run = CheckRun::new(plan, target.version(), socket.identifier(), cookie);
        Ok(Box::new(Exchange {
            run,
            socket,
            batch,
            request,
        }))
    }

    /// Sends the ping with this sequence number, or notes that it could not be sent. Returns the
    /// clocks just before.
    pub fn send(&mut self, sequence: u16) -> ClockSample {
        let Exchange {
            run,
            socket,
            batch,
            request,
        } = self;
        icmp::write_request(
            request,
            run.version(),
            socket.identifier(),
            sequence,
            run.cookie(),
        );
        let clock = sys::clocks();
        match socket.send(request, batch, run) {
            Ok(()) => run.sent(clock),
            Err(error) if socket.is_unresolved_neighbour(&error) => {
                run.sent(clock);
                run.received_error(request, icmp::silent_neighbour(run.version()));
            }
            Err(error) => run.send_failed(clock, error.raw_os_error().unwrap_or(0)),
        }
        clock
    }

    /// Hands every message that lies in the socket to the check.
    pub fn read(&mut self) {
        self.socket.read(&mut self.batch, &mut self.run);
    }

    /// Hands every ICMP error and transmit stamp to the check. Stamps lie in the error queue, and
    /// while they do the socket counts as readable.
    pub fn read_errors(&mut self) {
        self.socket.read_errors(&mut self.batch, &mut self.run);
    }

    /// From now on its requests may pass so many routers.
    pub fn set_time_to_live(&self, hops: u8) -> io::Result<()> {
        self.socket.set_time_to_live(hops)
    }
}

impl AsFd for Exchange {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}
