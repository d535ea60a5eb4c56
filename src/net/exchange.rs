//! The pings of one check and their replies: a new socket, so that every check has an ICMP
//! identifier of its own, and the [`CheckRun`] that judges what the socket receives. The caller
//! decides when to send and when to read.

use std::io;
use std::net::IpAddr;

use super::{Machine, PingSocket, Route, SocketError, SocketOptions, Target};
use crate::pure::address::Source;
use crate::pure::check::{CheckRun, CheckSettings, link_settles};
use crate::pure::icmp;
use crate::pure::time::{ClockSample, Monotonic, nanoseconds};
use crate::stop::Stop;

pub struct Exchange<M: Machine> {
    pub run: CheckRun,
    machine: M,
    socket: M::Socket,
    batch: <M::Socket as PingSocket>::Batch,
    /// Buffer for an echo request.
    request: Vec<u8>,
}

impl<M: Machine> Exchange<M> {
    /// Opens a socket to the target; sends nothing. Boxed, so that the stack of a host's thread
    /// stays within two pages.
    pub fn open(
        machine: &M,
        target: &Target,
        options: &SocketOptions,
        settings: CheckSettings,
    ) -> Result<Box<Exchange<M>>, SocketError> {
        let cookie = machine.random();
        let socket = machine.open(target, options, cookie.rotate_left(17))?;
        if settings.payload_len > icmp::UNFRAGMENTED_LEN_V4 {
            socket.allow_fragments();
        }
        let batch = socket.batch(settings.payload_len);
        let request = vec![0; icmp::HEADER_LEN + settings.payload_len];
        let run = CheckRun::new(settings, target.version(), socket.identifier(), cookie);
        Ok(Box::new(Exchange {
            run,
            machine: machine.clone(),
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
            machine,
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
        let clock = machine.clocks();
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

    /// Waits until `until` or until a message or error can be read; `true` when `stop` was raised.
    pub fn wait_readable(&self, stop: &Stop, until: Monotonic) -> bool {
        self.machine.wait_readable(stop, &self.socket, until)
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
        for loss in self
            .machine
            .link_losses(interface, self.own_address(), since)
        {
            let until = loss
                .until
                .map_or_else(|| self.machine.monotonic(), |until| until.after(settles));
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
