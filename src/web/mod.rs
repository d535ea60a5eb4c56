//! The dashboard's server: accepts connections, keeps to its limits whatever comes, hands questions
//! to an [`Answer`] and sends what that says. Owns sockets, deadlines, headers and the page's
//! files; what an answer says is decided by others.
//!
//! Status codes and headers are tiny_http's. Its server is not used (0.12.0, as tried): one request with `Content-Length: 1e15` or a reset behind a GET aborts the process,
//! an error of accept ends its loop for good, heads have no limit and reads no timeout, and clients
//! that never read block all of its workers.
//!
//! One connection, one small thread, one of [`Limits::connections`] slots. Nothing here trusts a
//! byte: a panic would end the monitor.

mod assets;
mod bind;
mod connection;
mod gate;
mod gzip;
mod reply;
mod request;
mod response;
mod slots;

use std::io::{self, ErrorKind};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::config::DashboardConfig;
use crate::pure::phrase::count;
use crate::stop::Stop;
use crate::sys;

pub use bind::WebError;
pub use reply::{Body, NextChunk, Reply};
pub use request::Request;

use gate::Names;
use gzip::Compressor;
use slots::Slots;

/// Says what a path holds.
pub trait Answer: Send + Sync {
    /// The answer to a question; asked on the connection's own thread, for every path that is no
    /// file of the page.
    fn answer(&self, request: &Request) -> Reply;

    /// Nobody is connected any more: what was kept for the next question may go.
    fn rest(&self) {}
}

/// What a client may take of this process.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections at a time.
    pub connections: usize,
    /// The longest head of a request.
    pub head_bytes: usize,
    /// From the first byte of a head to its last; bytes that come do not extend it.
    pub head: Duration,
    /// How long a connection may stand without a byte.
    pub idle: Duration,
    /// For sending an answer, or one page of a long one.
    pub answer: Duration,
    /// For sending all pages of an answer.
    pub pages: Duration,
    /// How long a connection is listened to behind its last answer.
    pub linger: Duration,
    /// When all places are taken: who has read nothing for so long makes room.
    pub patience: Duration,
}

impl Limits {
    /// As the monitor serves.
    pub const DEFAULT: Limits = Limits {
        connections: 64,
        head_bytes: 8 * 1024,
        head: Duration::from_secs(10),
        idle: Duration::from_secs(15),
        answer: Duration::from_secs(30),
        // A year of one host is 50 MB as CSV and a tenth of it compressed: five minutes carry it
        // over 150 kbit/s. Reading slowly gains nothing by it: with all places taken, `patience`
        // counts.
        pages: Duration::from_secs(300),
        linger: Duration::from_secs(1),
        patience: Duration::from_millis(250),
    };
}

/// Descriptors that the server may use at a time, those of its [`Answer`] not counted.
pub const MAX_FILES: u64 = Limits::DEFAULT.connections as u64 + 8;

/// A connection's stack: what a query and its answer touch is a third of it.
const STACK_BYTES: usize = 128 * 1024;
/// When a connection cannot be accepted, the next try comes so much later.
const PAUSE: Duration = Duration::from_millis(100);
/// How long answers that are on their way may take at the stop.
const GRACE: Duration = Duration::from_millis(150);
/// An acceptor waits for a connection or the stop; that it looks up every hour has no meaning.
const LONG: Duration = Duration::from_secs(3600);

/// What all connections share. Nothing of it changes but the table of slots.
struct Site {
    limits: Limits,
    names: Names,
    answer: Arc<dyn Answer>,
    press: Compressor,
    slots: Arc<Slots>,
    stop: Stop,
}

/// The running server. Dropping it stops it.
pub struct Web {
    addresses: Vec<SocketAddr>,
    site: Arc<Site>,
    acceptors: Vec<JoinHandle<()>>,
}

impl Web {
    /// Listens where the configuration says and answers from now on. Fails when it cannot listen.
    pub fn start(config: &DashboardConfig, answer: Arc<dyn Answer>) -> Result<Web, WebError> {
        Web::start_with(config, answer, Limits::DEFAULT)
    }

    /// The same with other limits. Port 0 is any that is free.
    pub fn start_with(
        config: &DashboardConfig,
        answer: Arc<dyn Answer>,
        limits: Limits,
    ) -> Result<Web, WebError> {
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
                 the README's section on reverse proxies says how to add both"
            );
        }
        let site = Arc::new(Site {
            limits,
            names: Names::new(config, &sys::host_name()),
            answer,
            press: Compressor::new(),
            slots: Arc::new(Slots::new(limits.connections, limits.patience)),
            stop: Stop::new().map_err(failed("the server's stop flag"))?,
        });
        let mut web = Web {
            addresses,
            site,
            acceptors: Vec::new(),
        };
        for listener in listeners {
            let site = Arc::clone(&web.site);
            let thread = thread::Builder::new()
                .name("web-accept".into())
                .stack_size(STACK_BYTES);
            let acceptor = thread
                .spawn(move || site.accept(&listener))
                .map_err(failed("a thread that accepts connections"))?;
            web.acceptors.push(acceptor);
        }
        Ok(web)
    }

    /// Where it listens.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.addresses.clone()
    }

    /// Stops within a fraction of a second, open connections included. What is in the middle of an
    /// [`Answer`] then is left behind and finds its connection closed.
    pub fn stop(self) {
        drop(self);
    }
}

impl Drop for Web {
    fn drop(&mut self) {
        self.site.stop.raise();
        for acceptor in self.acceptors.drain(..) {
            if acceptor.join().is_err() {
                log::error!("dashboard: a thread that accepts connections broke off");
            }
        }
        self.site.slots.end(GRACE);
    }
}

impl Site {
    /// Accepts connections until the stop. An error is survived: it is said once, and so is its
    /// end.
    fn accept(self: &Arc<Self>, listener: &TcpListener) {
        let mut failures = 0u64;
        while !self
            .stop
            .wait_readable(listener.as_fd(), sys::monotonic().after(LONG))
        {
            match listener.accept().and_then(|(stream, _)| self.take(stream)) {
                Ok(()) if failures > 0 => {
                    log::warn!(
                        "dashboard: connections are accepted again, after {}",
                        count(failures, "failure")
                    );
                    failures = 0;
                }
                Ok(()) => {}
                // Whoever came has gone again; accept(2).
                Err(error) if is_of_the_client(&error) => {}
                Err(error) => {
                    if failures == 0 {
                        log::warn!("dashboard: accepting a connection: {error}; trying again");
                    }
                    failures += 1;
                    if !self.slots.spare_one(PAUSE)
                        && self.stop.wait_until(sys::monotonic().after(PAUSE))
                    {
                        return;
                    }
                }
            }
        }
    }

    fn take(self: &Arc<Self>, stream: TcpStream) -> io::Result<()> {
        let stream = Arc::new(stream);
        let Some(slot) = self.slots.admit(&stream, &self.stop) else {
            return Ok(());
        };
        let site = Arc::clone(self);
        let work = move || {
            connection::serve(&stream, &slot, &site);
            drop(slot);
            if site.slots.are_free() {
                site.press.rest();
                site.answer.rest();
                sys::release_memory();
            }
        };
        thread::Builder::new()
            .name("web".into())
            .stack_size(STACK_BYTES)
            .spawn(work)
            .map(|_| ())
    }
}

fn is_of_the_client(error: &io::Error) -> bool {
    use ErrorKind::{ConnectionAborted, ConnectionReset, Interrupted, WouldBlock};
    matches!(
        error.kind(),
        WouldBlock | Interrupted | ConnectionAborted | ConnectionReset
    )
}
