//! A machine as the workers see it: its clocks, sockets, routes, links, resolver and threads. The
//! monitor runs on [`ThisMachine`]; the simulation of tests/years runs the same workers on another.

use std::fmt::Debug;
use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::link_watch::link_losses;
use super::{EchoSocket, Gateway, PingSocket, Route, SocketError, SocketOptions, Target, route};
use crate::clock::{Clock, SystemClock};
use crate::pure::address::{IpVersion, Source};
use crate::pure::link_history::LinkLoss;
use crate::pure::time::{ClockSample, Monotonic};
use crate::stop::Stop;
use crate::sys;

/// The addresses of a name, in the resolver's order.
pub type LookupResult = io::Result<Vec<SocketAddr>>;

pub trait Machine: Clock + Clone + 'static {
    type Socket: PingSocket;
    /// Where the answer of a lookup arrives.
    type Answers: Debug;
    /// A thread that returns a `T`.
    type Task<T: Send + 'static>;

    /// Sleeps until `until`; `true` when `stop` was raised before.
    fn wait_until(&self, stop: &Stop, until: Monotonic) -> bool;

    /// Waits until `until` or until the socket is readable; `true` when `stop` was raised.
    fn wait_readable(&self, stop: &Stop, socket: &Self::Socket, until: Monotonic) -> bool;

    fn random(&self) -> u64;

    /// A raw socket takes its identifier from `random`.
    fn open(
        &self,
        target: &Target,
        options: &SocketOptions,
        random: u64,
    ) -> Result<Self::Socket, SocketError>;

    /// The route of packets to the target. The error is that of a send: without a source address or
    /// a route, or for a route that forbids it.
    fn route_to(&self, target: &Target, source: Option<&Source>) -> io::Result<Route>;

    /// The default gateway of packets from this source. The error is NetworkUnreachable without a
    /// default route.
    fn default_gateway(&self, version: IpVersion, source: Option<&Source>) -> io::Result<Gateway>;

    /// Whether the target is the broadcast address of a network of this machine.
    fn is_broadcast(&self, target: &Target) -> bool;

    /// Why packets cannot leave by this interface: it is down or has no carrier. `None` where they
    /// can, or where the system does not say.
    fn interface_fault(&self, interface: &str) -> Option<String>;

    /// What was lost since an instant of what packets by an interface, from this machine's address
    /// `own`, need.
    fn link_losses(&self, interface: Option<&str>, own: IpAddr, since: Monotonic) -> Vec<LinkLoss>;

    /// Starts looking a name up.
    fn look_up(&self, name: &str) -> io::Result<Self::Answers>;

    /// Waits for the answer of a lookup.
    fn answer(
        &self,
        answers: &Self::Answers,
        wait: Duration,
    ) -> Result<LookupResult, RecvTimeoutError>;

    /// Runs `work` in a thread of its own, for which it gets the machine.
    fn start<T: Send + 'static>(
        &self,
        name: &str,
        stack_bytes: usize,
        work: impl FnOnce(&Self) -> T + Send + 'static,
    ) -> io::Result<Self::Task<T>>;

    fn is_finished<T: Send + 'static>(&self, task: &Self::Task<T>) -> bool;

    /// Waits for the end of a thread; `None` if it panicked.
    fn join<T: Send + 'static>(&self, task: Self::Task<T>) -> Option<T>;

    /// Whether a ping to the target could be sent now: there is a route, a source address, and the
    /// interface has a carrier.
    fn can_send(&self, target: &Target, source: Option<&Source>) -> bool {
        self.route_to(target, source).is_ok_and(|route| {
            route
                .link
                .is_none_or(|link| self.interface_fault(&link.interface).is_none())
        })
    }
}

/// The machine that this program runs on.
#[derive(Clone, Copy, Debug)]
pub struct ThisMachine;

impl Clock for ThisMachine {
    fn clocks(&self) -> ClockSample {
        SystemClock.clocks()
    }

    fn monotonic(&self) -> Monotonic {
        SystemClock.monotonic()
    }

    fn is_synchronised(&self) -> bool {
        SystemClock.is_synchronised()
    }

    fn boot_id(&self) -> Option<String> {
        SystemClock.boot_id()
    }
}

/// The C library's resolver puts large buffers on the stack.
const LOOKUP_STACK_BYTES: usize = 512 * 1024;

impl Machine for ThisMachine {
    type Socket = EchoSocket;
    type Answers = Receiver<LookupResult>;
    type Task<T: Send + 'static> = JoinHandle<T>;

    fn wait_until(&self, stop: &Stop, until: Monotonic) -> bool {
        stop.wait_until(until)
    }

    fn wait_readable(&self, stop: &Stop, socket: &EchoSocket, until: Monotonic) -> bool {
        use std::os::fd::AsFd;
        stop.wait_readable(socket.as_fd(), until)
    }

    fn random(&self) -> u64 {
        sys::random_u64()
    }

    fn open(
        &self,
        target: &Target,
        options: &SocketOptions,
        random: u64,
    ) -> Result<EchoSocket, SocketError> {
        EchoSocket::open(target, options, random)
    }

    fn route_to(&self, target: &Target, source: Option<&Source>) -> io::Result<Route> {
        route::route_to(target, source)
    }

    fn default_gateway(&self, version: IpVersion, source: Option<&Source>) -> io::Result<Gateway> {
        route::default_gateway(version, source)
    }

    fn is_broadcast(&self, target: &Target) -> bool {
        route::is_broadcast(target)
    }

    fn interface_fault(&self, interface: &str) -> Option<String> {
        route::interface_fault(interface)
    }

    fn link_losses(&self, interface: Option<&str>, own: IpAddr, since: Monotonic) -> Vec<LinkLoss> {
        link_losses(interface, own, since)
    }

    fn look_up(&self, name: &str) -> io::Result<Receiver<LookupResult>> {
        let (sender, answers) = sync_channel(1);
        let name = name.to_owned();
        let look_up = move |_: &ThisMachine| {
            // The receiver is gone when its host was removed or the program ends.
            let _ = sender.send((name.as_str(), 0).to_socket_addrs().map(Iterator::collect));
        };
        self.start("lookup", LOOKUP_STACK_BYTES, look_up)
            .map(|_| answers)
    }

    fn answer(
        &self,
        answers: &Receiver<LookupResult>,
        wait: Duration,
    ) -> Result<LookupResult, RecvTimeoutError> {
        answers.recv_timeout(wait)
    }

    fn start<T: Send + 'static>(
        &self,
        name: &str,
        stack_bytes: usize,
        work: impl FnOnce(&Self) -> T + Send + 'static,
    ) -> io::Result<JoinHandle<T>> {
        let thread = thread::Builder::new().name(name.into());
        thread
            .stack_size(stack_bytes)
            .spawn(move || work(&ThisMachine))
    }

    fn is_finished<T: Send + 'static>(&self, task: &JoinHandle<T>) -> bool {
        task.is_finished()
    }

    fn join<T: Send + 'static>(&self, task: JoinHandle<T>) -> Option<T> {
        task.join().ok()
    }
}
