//! The far end of the tests: reads what the program sends into a TUN device and answers as a
//! closure says, at the time it says. Time is kept here, on the monotonic clock, so that a busy
//! test thread cannot shift it.

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
pub mod player;
pub mod scenario;

use packet::Request;

/// Something to put on the wire.
#[derive(Clone, Debug)]
pub struct Sending {
    /// From the arrival of the request.
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

/// What a far end saw and did.
#[derive(Debug)]
pub struct Seen {
    /// Every echo request in the order of arrival.
    pub requests: Vec<Request>,
    /// A line an event, for the reader of a failed test.
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
    /// Starts answering what arrives at `tun`. `respond` says what is to be sent for a request; the
    /// requests so far, this one included, are its second argument.
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
            // Not granted to ordinary users; there the tests' margins have to do.
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

    /// A far end that answers every request at once and rightly.
    pub fn echoing(tun: File) -> FarEnd {
        FarEnd::start(tun, |request, _| vec![request.reply().at_once()])
    }

    /// A far end that answers rightly for all addresses but these, and is silent for them.
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

    /// What it saw until now.
    pub fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The requests it saw until now.
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
                Ok(len) => self.take(&buffer[..len]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                // The interface was taken down, and nothing can arrive.
                Err(error) => return self.lock().note(Instant::now(), &format!("read: {error}")),
            }
        }
    }

    fn take(&mut self, packet: &[u8]) {
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
            let (asked_at, sending) = entry.remove();
            let began = Instant::now();
            for packet in std::iter::repeat_n(&sending.packets, sending.times as usize).flatten() {
                if let Err(error) = self.tun.write_all(packet) {
                    // Without it the scenario is not what it says, so the runner treats a failed
                    // write as a failure.
                    self.lock()
                        .note(Instant::now(), &format!("{WRITE_FAILED}: {error}"));
                    break;
                }
            }
            let delay = began.saturating_duration_since(asked_at).as_secs_f64() * 1000.0;
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

/// How a line of the log begins that says that a packet did not get onto the wire.
pub const WRITE_FAILED: &str = "-> not sent";
