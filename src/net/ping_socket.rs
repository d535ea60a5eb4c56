//! What a check needs of a socket. The kernel's is in socket.rs; the simulation of tests/years has
//! another.

use std::io;
use std::net::IpAddr;

use super::Route;
use crate::pure::address::Source;
use crate::pure::check::CheckRun;

/// A socket that pings one address.
pub trait PingSocket {
    /// Buffers for received messages.
    type Batch;

    fn identifier(&self) -> u16;

    /// This machine's address, from which requests are sent.
    fn own_address(&self) -> IpAddr;

    /// The route that requests take now.
    fn route(&self, source: Option<&Source>) -> io::Result<Route>;

    /// For requests that may exceed the MTU of a path.
    fn allow_fragments(&self);

    fn set_time_to_live(&self, hops: u8) -> io::Result<()>;

    /// A receive buffer for the replies to requests with `payload_len` bytes of payload.
    fn batch(&self, payload_len: usize) -> Self::Batch;

    /// Whether a send failed for lack of an answer from ARP or NDP although a route exists. Such a
    /// ping is lost, not unsent.
    fn is_unresolved_neighbour(&self, error: &io::Error) -> bool;

    /// Sends one request.
    fn send(
        &mut self,
        request: &[u8],
        batch: &mut Self::Batch,
        run: &mut CheckRun,
    ) -> io::Result<()>;

    /// Passes every queued message to the check, and the error queue too where the kernel reports
    /// an error.
    fn read(&mut self, batch: &mut Self::Batch, run: &mut CheckRun);

    /// Passes every ICMP error and transmit timestamp to the check. Returns the number of errors.
    fn read_errors(&self, batch: &mut Self::Batch, run: &mut CheckRun) -> usize;
}
