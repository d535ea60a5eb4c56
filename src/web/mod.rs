//! The dashboard's HTTP server: accepts connections, enforces its limits, sends the page's files
//! and what a [`Handler`] returns. It owns sockets, deadlines and headers; it does not know what the
//! responses contain.
//!
//! Status codes and headers are tiny_http's. Its server is not used (0.12.0, as tested): one request
//! with `Content-Length: 1e15`, or a reset after a GET, aborts the process; an error of accept ends
//! its loop for good; heads have no limit and reads no timeout; and clients that never read block
//! all of its workers.
//!
//! Each connection has a small thread and one of [`Limits::connections`] slots. No byte is trusted:
//! a panic would end the monitor.

mod allowed_hosts;
mod assets;
mod bind;
mod connection;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod gzip;
mod packed;
mod reply;
mod request;
mod response;
mod slots;
mod turns;

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::config::DashboardConfig;
use crate::pure::phrase::count;
use crate::pure::time::Monotonic;
use crate::stop::Stop;
use crate::sys;

pub use bind::WebError;
pub use reply::{Body, Chunks, Reply, WriteBody};
pub use request::Request;
pub use turns::{TurnLimits, Weight};

use allowed_hosts::AllowedHosts;
use gzip::Compressor;
use request::Refusal;
use response::{Content, Response};
use slots::{NoSlot, Slots};
use turns::{Turn, Turns};

/// Handles the requests for all paths but those of the page's files.
pub trait Handler: Send + Sync {
    /// Runs in a thread of its own where it has a weight, else in that of the connection.
    fn handle(&self, request: &Request) -> Reply;

    /// How much work the reply is; `None` where any number may be made at the same time.
    fn weight(&self, _: &Request) -> Option<Weight> {
        None
    }

    /// The last connection has closed: frees what is kept for the next request.
    fn release_idle(&self) {}
}

/// What clients may use of this process.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections at the same time.
    pub connections: usize,
    pub head_bytes: usize,
    /// From the first byte of a request's head to its last. Bytes that arrive do not extend it.
    pub head_timeout: Duration,
    /// Without a byte of the next request.
    pub idle_timeout: Duration,
    /// For sending a response, or one chunk of it.
    pub write_timeout: Duration,
    /// For sending all chunks of a response.
    pub chunks_timeout: Duration,
    /// How long the server reads on after the last response of a connection.
    pub linger: Duration,
    /// While all slots are taken, or all memory for responses, a client that has read nothing for
    /// this long loses its slot.
    pub stall_tolerance: Duration,
    pub light_turns: TurnLimits,
    pub heavy_turns: TurnLimits,
    /// What the connections keep of their responses until it is sent, all together; or one response,
    /// where one is larger.
    pub held_bytes: usize,
}

impl Limits {
    pub const DEFAULT: Limits = Limits {
        connections: 64,
        head_bytes: 8 * 1024,
        head_timeout: Duration::from_secs(10),
        idle_timeout: Duration::from_secs(15),
        write_timeout: Duration::from_secs(30),
        // A year of one host is 50 MB as CSV, a tenth of that compressed, which takes five minutes
        // at 150 kbit/s. Reading slowly to keep a slot does not help: see stall_tolerance.
        chunks_timeout: Duration::from_secs(300),
        linger: Duration::from_secs(1),
        stall_tolerance: Duration::from_millis(250),
        // A page requests up to six things at once. Together fewer wait than there are slots.
        light_turns: TurnLimits {
            at_once: 2,
            waiting: 32,
            max_wait: Duration::from_secs(3),
        },
        heavy_turns: TurnLimits {
            at_once: 1,
            waiting: 16,
            max_wait: Duration::from_secs(10),
        },
        held_bytes: 1024 * 1024,
    };
}

/// File descriptors that the server uses at most, without those of its [`Handler`].
pub const MAX_FILES: u64 = Limits::DEFAULT.connections as u64 + MAX_REFUSED as u64 + 8;

/// Refused connections that are kept open.
const MAX_REFUSED: usize = 32;

/// Three times what a database query and its response use.
const STACK_BYTES: usize = 128 * 1024;
/// Between two attempts to accept a connection after an error.
const ACCEPT_RETRY: Duration = Duration::from_millis(100);
/// How long a stop lets responses finish that are being sent.
const STOP_GRACE: Duration = Duration::from_millis(150);
/// A wait must have a deadline. Waking up once an hour costs nothing.
const LONG_WAIT: Duration = Duration::from_secs(3600);

/// What all connections share.
struct Shared {
    limits: Limits,
    allowed_hosts: AllowedHosts,
    /// Empty, or a path that begins with `/` and does not end with one.
    base_path: String,
    handler: Arc<dyn Handler>,
    compressor: Compressor,
    slots: Arc<Slots>,
    light_turns: Arc<Turns>,
    heavy_turns: Arc<Turns>,
    stop: Stop,
}

/// The running server. Dropping it stops it.
pub struct WebServer {
    addresses: Vec<SocketAddr>,
    shared: Arc<Shared>,
    acceptors: Vec<JoinHandle<()>>,
}

impl WebServer {
    /// Fails when it cannot listen where the configuration says.
    pub fn start(
        config: &DashboardConfig,
        handler: Arc<dyn Handler>,
    ) -> Result<WebServer, WebError> {
        WebServer::start_with(config, handler, Limits::DEFAULT)
    }

    /// Port 0 is any free port.
    pub fn start_with(
        config: &DashboardConfig,
        handler: Arc<dyn Handler>,
        limits: Limits,
    ) -> Result<WebServer, WebError> {
        let listeners = bind::bind(&config.host, config.port)?;
        let failed = |what| move |cause| WebError::Resources { what, cause };
        let addresses: Vec<SocketAddr> = listeners
            .iter()
            .filter_map(|listener| listener.local_addr().ok())
            .collect();
        if let Some(open) = addresses
            .iter()
            .find(|address| !address.ip().to_canonical().is_loopback())
        {
            log::warn!(
                "dashboard: {open} is reachable from other machines, without password and without encryption; \
                 docs/reverse-proxy.md describes how to add both"
            );
        }
        let shared = Arc::new(Shared {
            limits,
            allowed_hosts: AllowedHosts::new(config, &sys::host_name()),
            base_path: config.base_path.clone(),
            handler,
            compressor: Compressor::new(),
            slots: Arc::new(Slots::new(&limits)),
            light_turns: Turns::new(limits.light_turns),
            heavy_turns: Turns::new(limits.heavy_turns),
            stop: Stop::new().map_err(failed("the server's stop flag"))?,
        });
        let mut server = WebServer {
            addresses,
            shared,
            acceptors: Vec::new(),
        };
        for listener in listeners {
            let shared = Arc::clone(&server.shared);
            let thread = thread::Builder::new()
                .name("web-accept".into())
                .stack_size(STACK_BYTES);
            let acceptor = thread
                .spawn(move || shared.accept(&listener))
                .map_err(failed("a thread that accepts connections"))?;
            server.acceptors.push(acceptor);
        }
        Ok(server)
    }

    /// Where it listens.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.addresses.clone()
    }

    /// Closes all connections and returns within a fraction of a second. A [`Handler`] that is still
    /// busy then is not waited for, and its thread finds its connection closed.
    pub fn stop(self) {
        drop(self);
    }
}

impl Drop for WebServer {
    fn drop(&mut self) {
        self.shared.stop.raise();
        for acceptor in self.acceptors.drain(..) {
            if acceptor.join().is_err() {
                log::error!("dashboard: a thread that accepts connections panicked");
            }
        }
        self.shared.slots.close_all(STOP_GRACE);
    }
}

impl Shared {
    /// A turn to make a response; an error where the client has to come again.
    fn take_turn(&self, weight: Option<Weight>) -> Result<Option<Turn>, Refusal> {
        let turns = match weight {
            None => return Ok(None),
            Some(Weight::Light) => &self.light_turns,
            Some(Weight::Heavy) => &self.heavy_turns,
        };
        turns.take().map(Some).ok_or(Refusal::NoTurn)
    }

    /// Accepts connections until the stop. Errors do not end it; the first of a series and the end
    /// of the series are logged.
    fn accept(self: &Arc<Self>, listener: &TcpListener) {
        let mut failures = 0u64;
        let mut refused = Refused::default();
        while !self
            .stop
            .wait_readable(listener.as_fd(), sys::monotonic().after(refused.wait()))
        {
            refused.close_old(self.limits.linger);
            let accepted = match listener.accept() {
                Err(error) if error.kind() == ErrorKind::WouldBlock => continue,
                accepted => accepted,
            };
            match accepted.and_then(|(stream, _)| self.serve(stream, &mut refused)) {
                Ok(()) if failures > 0 => {
                    log::warn!(
                        "dashboard: accepting connections again, after {}",
                        count(failures, "failure")
                    );
                    failures = 0;
                }
                Ok(()) => {}
                Err(error) if is_caused_by_client(&error) => {}
                Err(error) => {
                    if failures == 0 {
                        log::warn!("dashboard: accepting a connection: {error}; trying again");
                    }
                    failures += 1;
                    if !self.slots.evict_one(ACCEPT_RETRY)
                        && self.stop.wait_until(sys::monotonic().after(ACCEPT_RETRY))
                    {
                        return;
                    }
                }
            }
        }
    }

    /// Starts the thread of a connection, once there is a slot for it.
    fn serve(self: &Arc<Self>, stream: TcpStream, refused: &mut Refused) -> io::Result<()> {
        let stream = Arc::new(stream);
        let slot = match self.slots.admit(&stream, &self.stop) {
            Ok(slot) => slot,
            Err(NoSlot::Stopping) => return Ok(()),
            Err(NoSlot::Busy) => return refused.refuse(stream),
        };
        let shared = Arc::clone(self);
        let run = move || {
            connection::serve(&stream, &slot, &shared);
            drop(slot);
            if shared.slots.are_free() {
                shared.compressor.release_idle();
                shared.handler.release_idle();
                sys::release_memory();
            }
        };
        thread::Builder::new()
            .name("web".into())
            .stack_size(STACK_BYTES)
            .spawn(run)
            .map(|_| ())
    }
}

/// Connections that got a 503, until they are closed: closing a socket that holds unread bytes resets
/// the connection, and the client may see the reset before the response.
#[derive(Default)]
struct Refused(VecDeque<(Monotonic, Arc<TcpStream>)>);

impl Refused {
    /// Sends the refusal, which fits every socket's buffer, without waiting.
    fn refuse(&mut self, stream: Arc<TcpStream>) -> io::Result<()> {
        stream.set_nonblocking(true)?;
        let response = Response::refusal(&Refusal::Busy);
        let mut bytes = response.head(sys::clocks().utc(), false, true).into_bytes();
        if let Content::Whole(body) = response.content {
            bytes.extend(body);
        }
        (&*stream).write_all(&bytes)?;
        stream.shutdown(Shutdown::Write)?;
        if self.0.len() >= MAX_REFUSED {
            self.close_first();
        }
        self.0.push_back((sys::monotonic(), stream));
        Ok(())
    }

    fn close_old(&mut self, linger: Duration) {
        let now = sys::monotonic();
        let is_old = |(since, _): &(Monotonic, _)| now.since(*since) >= linger;
        while self.0.front().is_some_and(is_old) {
            self.close_first();
        }
    }

    fn close_first(&mut self) {
        if let Some((_, stream)) = self.0.pop_front() {
            // What the client sent is read once, as far as it is there.
            let _ = (&*stream).read(&mut [0; 1024]);
        }
    }

    /// How soon to look for old ones again.
    fn wait(&self) -> Duration {
        if self.0.is_empty() {
            LONG_WAIT
        } else {
            ACCEPT_RETRY
        }
    }
}

/// Whether the client has closed the connection before it was accepted: accept(2).
fn is_caused_by_client(error: &io::Error) -> bool {
    use ErrorKind::{ConnectionAborted, ConnectionReset, Interrupted, WouldBlock};
    matches!(
        error.kind(),
        WouldBlock | Interrupted | ConnectionAborted | ConnectionReset
    )
}
