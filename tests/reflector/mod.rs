//! The far end of the tests: reads the packets of the program from a TUN device and sends the
//! responses that a closure returns, at the requested times. It has its own thread and timer, so that a
//! busy test thread cannot delay it.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::net::IpAddr;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::common::sys;

pub mod judge;
pub mod packet;
pub mod peers;
pub mod player;
pub mod scenario;

use packet::Request;

/// Packets to send.
#[derive(Clone, Debug)]
pub struct Sending {
    /// Delay after the arrival of the request.
    pub after: Duration,
    /// IP packets, sent back to back.
    pub packets: Vec<Vec<u8>>,
    /// How often all of them are sent, back to back.
    pub times: u32,
}

/// A running far end. It ends when it is dropped.
#[derive(Debug)]
pub struct FarEnd {
    seen: Arc<Mutex<Seen>>,
    /// Closing it ends the thread.
    life: Option<UnixStream>,
    thread: Option<JoinHandle<()>>,
}

/// What a far end received and sent.
#[derive(Debug)]
pub struct Seen {
    /// Every echo request, in the order of arrival.
    pub requests: Vec<Request>,
    /// One line per event, for the output of a failed test.
    pub log: Vec<String>,
    began: Instant,
}

impl Seen {
    fn note(&mut self, at: Instant, what: &str) {
        let since = at.saturating_duration_since(self.began).as_secs_f64() * 1000.0;
        self.log.push(format!("{since:9.3} ms  {what}"));
    }
}

impl FarEnd {
    /// Answers what arrives at `tun`. `respond` returns what to send for a request; its second
    /// argument holds all requests so far, this one included.
    pub fn start(
        tun: File,
        respond: impl FnMut(&Request, &[Request]) -> Vec<Sending> + Send + 'static,
    ) -> FarEnd {
        let seen = Arc::new(Mutex::new(Seen {
            requests: Vec::new(),
            log: Vec::new(),
            began: Instant::now(),
        }));
        let (life, end) = UnixStream::pair().expect("two descriptors are free");
        let thread = std::thread::spawn({
            let seen = Arc::clone(&seen);
            // Needs privileges; without them the margins of the tests must suffice.
            move || {
                drop(sys::run_before_others());
                Reflector {
                    tun,
                    seen,
                    respond,
                    queue: BTreeMap::new(),
                    queued: 0,
                }
                .run(&end);
            }
        });
        FarEnd {
            seen,
            life: Some(life),
            thread: Some(thread),
        }
    }

    /// A far end that sends a valid reply to every request at once.
    pub fn echoing(tun: File) -> FarEnd {
        FarEnd::start(tun, |request, _| vec![request.reply().at_once()])
    }

    /// The same, but silent for these addresses.
    pub fn echoing_except(tun: File, silent: &[IpAddr]) -> FarEnd {
        let silent = silent.to_vec();
        FarEnd::start(tun, move |request, _| {
            if silent.contains(&request.destination) {
                Vec::new()
            } else {
                vec![request.reply().at_once()]
            }
        })
    }

    /// What it has received and sent so far.
    pub fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The requests it has received so far.
    pub fn requests(&self) -> Vec<Request> {
        self.seen().requests.clone()
    }
}

impl Drop for FarEnd {
    fn drop(&mut self) {
        drop(self.life.take());
        let ended = self.thread.take().map(JoinHandle::join);
        if matches!(ended, Some(Err(_))) && !std::thread::panicking() {
            panic!("the far end failed, see above");
        }
    }
}

struct Reflector<R> {
    tun: File,
    seen: Arc<Mutex<Seen>>,
    respond: R,
    /// By due time, then in the order of the script.
    queue: BTreeMap<(Instant, usize), (Instant, Sending)>,
    queued: usize,
}

impl<R: FnMut(&Request, &[Request]) -> Vec<Sending>> Reflector<R> {
    fn run(mut self, end: &UnixStream) {
        loop {
            self.send_what_is_due();
            let next = self
                .queue
                .keys()
                .next()
                .map(|(due, _)| due.saturating_duration_since(Instant::now()));
            let [has_packet, has_ended] = sys::wait_readable([self.tun.as_fd(), end.as_fd()], next)
                .expect("both are open until the end");
            if has_ended {
                return;
            }
            if has_packet {
                self.read_packets();
            }
        }
    }

    fn read_packets(&mut self) {
        let mut buffer = [0u8; 65_536];
        loop {
            match self.tun.read(&mut buffer) {
                Ok(len) => self.receive(&buffer[..len]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                // The interface is down, so nothing can arrive.
                Err(error) => return self.lock().note(Instant::now(), &format!("read: {error}")),
            }
        }
    }

    fn receive(&mut self, packet: &[u8]) {
        let at = Instant::now();
        let Some(request) = Request::read(packet, at) else {
            return;
        };
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.note(at, &format!("<- {request}"));
        seen.requests.push(request.clone());
        for sending in (self.respond)(&request, &seen.requests) {
            self.queued += 1;
            self.queue
                .insert((at + sending.after, self.queued), (at, sending));
        }
    }

    fn send_what_is_due(&mut self) {
        while let Some(entry) = self.queue.first_entry() {
            if entry.key().0 > Instant::now() {
                return;
            }
            let (requested_at, sending) = entry.remove();
            let began = Instant::now();
            for packet in std::iter::repeat_n(&sending.packets, sending.times as usize).flatten() {
                if let Err(error) = self.tun.write_all(packet) {
                    // Without this packet the scenario is incomplete, so the test fails on such a
                    // line.
                    self.lock()
                        .note(Instant::now(), &format!("{WRITE_FAILED}: {error}"));
                    break;
                }
            }
            let delay = began.saturating_duration_since(requested_at).as_secs_f64() * 1000.0;
            let bytes: usize = sending.packets.iter().map(Vec::len).sum();
            let what = format!(
                "-> {} x {bytes} bytes, {delay:.3} ms after its request",
                sending.times
            );
            self.lock().note(began, &what);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The beginning of a log line about a packet that could not be sent.
pub const WRITE_FAILED: &str = "-> not sent";
