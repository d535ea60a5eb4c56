//! The pings of one check and their replies: a new socket, so that every check has an ICMP
//! identifier of its own, and the [`CheckRun`] that judges what the socket receives. The caller
//! decides when to send and when to read.

use std::io;
use std::net::IpAddr;
use std::os::fd::{AsFd, BorrowedFd};

use super::{EchoSocket, Route, SocketError, SocketOptions, Target, link_losses};
use crate::pure::address::Source;
use crate::pure::check::{CheckRun, CheckSettings, link_settles};
use crate::pure::icmp;
use crate::pure::time::{ClockSample, Monotonic, nanoseconds};
use crate::sys::{self, Batch};

pub struct Exchange {
    pub run: CheckRun,
    socket: EchoSocket,
    batch: Batch,
    /// Buffer for an echo request.
    request: Vec<u8>,
}

impl Exchange {
    /// Opens a socket to the target; sends nothing. Boxed, so that the stack of a host's thread
    /// stays within two pages.
    pub fn open(
        target: &Target,
        options: &SocketOptions,
        settings: CheckSettings,
    ) -> Result<Box<Exchange>, SocketError> {
        let cookie = sys::random_u64();
        let socket = EchoSocket::open(target, options, cookie.rotate_left(17))?;
        if settings.payload_len > icmp::UNFRAGMENTED_LEN_V4 {
            socket.allow_fragments();
        }
        let batch = socket.batch(settings.payload_len);
        let request = vec![0; icmp::HEADER_LEN + settings.payload_len];
        let run = CheckRun::new(settings, target.version(), socket.identifier(), cookie);
        Ok(Box::new(Exchange {
            run,
            socket,
            batch,
            request,
        }))
    }

    /// This machine's address, from which the pings are sent.
    pub fn own_address(&self) -> IpAddr {
        self.socket.own_address()
    }

    /// The route that the pings take now.
    pub fn route(&self, source: Option<&Source>) -> io::Result<Route> {
        self.socket.route(source)
    }

    /// Sends the ping with this sequence number, or records that it could not be sent. Returns the
    /// clocks, read just before the send.
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

    /// Passes every message queued in the socket to the check.
    pub fn read(&mut self) {
        self.socket.read(&mut self.batch, &mut self.run);
    }

    /// Passes every ICMP error and transmit timestamp to the check. Timestamps arrive in the
    /// socket's error queue, and while it holds any, poll(2) reports the socket.
    pub fn read_errors(&mut self) {
        self.socket.read_errors(&mut self.batch, &mut self.run);
    }

    /// Excludes the unanswered pings, all sent since `begin`, that waited for their reply while the
    /// interface had no carrier or this machine did not have its address, or just after. Returns the
    /// reason, which is a part of a sentence, if there are any.
    pub fn exclude_link_losses(
        &mut self,
        interface: Option<&str>,
        begin: Monotonic,
    ) -> Option<String> {
        let settles = link_settles(self.run.version());
        let since = Monotonic(begin.0 - nanoseconds(settles));
        let mut reason = None;
        for loss in link_losses(interface, self.own_address(), since) {
            let until = loss
                .until
                .map_or_else(sys::monotonic, |until| until.after(settles));
            if self.run.exclude(loss.from, until, libc::ENETDOWN) {
                reason = Some(loss.reason);
            }
        }
        reason
    }

    /// Sets the time to live (IPv4) or hop limit (IPv6) of later requests.
    pub fn set_time_to_live(&self, hops: u8) -> io::Result<()> {
        self.socket.set_time_to_live(hops)
    }
}

impl AsFd for Exchange {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}
