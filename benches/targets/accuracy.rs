//! The round-trip times that `check --json` reports, compared ping by ping with the kernel's time
//! stamps of the same packets on the interface.

use std::collections::HashMap;
use std::os::fd::AsFd;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use ace_connection_logger::pure::icmp;
use ace_connection_logger::sys::{Batch, Queue, request_timestamps};
use socket2::{Domain, Protocol, Socket, Type};

use super::Row;
use super::far_end::{ANSWERING, FarEnd};
use super::monitor::{Bench, Program};

const PINGS: usize = 100;
const LIMIT_US: f64 = 5.0;
/// The processor that runs the program and the busy loop; the scheduler runs the far end and the
/// capture on others if there are any.
const PROCESSOR: &str = "0";

pub fn measure(program: &Program) {
    for delay_ms in [1, 10, 100] {
        let _far_end = FarEnd::start(delay_ms);
        measure_one(program, &format!("{delay_ms} ms, idle"));
        let mut busy = BusyLoop::start();
        measure_one(program, &format!("{delay_ms} ms, with a busy loop"));
        busy.stop();
    }
}

fn measure_one(program: &Program, name: &str) {
    let monitoring = format!("ping_count: {PINGS}, ping_spacing_ms: 20, timeout_seconds: 1");
    let bench = Bench::new("accuracy", &monitoring, &[ANSWERING[0].into()]);
    let capture = Capture::start();
    let rows = bench.check(program, &["taskset", "-c", PROCESSOR], &[]);
    let true_ns = capture.round_trips_ns();
    let reported = rows[0]["rtts_us"].as_array().unwrap();
    let errors_us: Vec<f64> = (1..=PINGS as u16)
        .filter_map(|sequence| {
            let reported_us = reported[usize::from(sequence) - 1].as_f64()?;
            Some((reported_us - *true_ns.get(&sequence)? as f64 / 1000.0).abs())
        })
        .collect();
    assert!(
        errors_us.len() > PINGS / 2,
        "too few pings were answered and captured: {}",
        errors_us.len()
    );
    let mean = errors_us.iter().sum::<f64>() / errors_us.len() as f64;
    let max = errors_us.iter().copied().fold(0.0, f64::max);
    let note = format!("max {max:.1}, {} pings", errors_us.len());
    Row::at_most(
        format!("mean error of an RTT, {name}"),
        mean,
        LIMIT_US,
        "us",
    )
    .note(&note)
    .print();
}

/// Captures on the interface with a packet socket, packet(7), as tcpdump does.
struct Capture {
    thread: JoinHandle<HashMap<u16, i64>>,
    stop: Sender<()>,
}

impl Capture {
    fn start() -> Capture {
        let every_protocol = Protocol::from(i32::from((libc::ETH_P_ALL as u16).to_be()));
        let socket = Socket::new(Domain::PACKET, Type::DGRAM, Some(every_protocol)).unwrap();
        request_timestamps(socket.as_fd()).unwrap();
        let (stop, stopped) = channel();
        Capture {
            thread: thread::spawn(move || capture(&socket, &stopped)),
            stop,
        }
    }

    /// From the request's time stamp to the reply's, by sequence number.
    fn round_trips_ns(self) -> HashMap<u16, i64> {
        self.stop.send(()).unwrap();
        self.thread.join().unwrap()
    }
}

fn capture(socket: &Socket, stopped: &Receiver<()>) -> HashMap<u16, i64> {
    let (mut sent, mut round_trips) = (HashMap::new(), HashMap::new());
    let mut batch = Batch::new(2000);
    let mut is_over = false;
    while !is_over {
        // The kernel stamps the packets, so the time of reading does not matter.
        is_over = stopped.recv_timeout(Duration::from_millis(5)).is_ok();
        let take = |message: ace_connection_logger::sys::Message<'_>| {
            let Some(echo) = icmp::strip_ipv4_header(message.bytes).and_then(icmp::parse_echo)
            else {
                return;
            };
            let stamp = message.timestamp_ns.unwrap();
            match (echo.kind, sent.get(&echo.sequence)) {
                (8, _) => drop(sent.insert(echo.sequence, stamp)),
                (0, Some(request)) => drop(round_trips.insert(echo.sequence, stamp - request)),
                _ => {}
            }
        };
        batch.drain(socket.as_fd(), Queue::Messages, take).unwrap();
    }
    round_trips
}

struct BusyLoop {
    child: Child,
}

impl BusyLoop {
    fn start() -> BusyLoop {
        let mut command = Command::new("taskset");
        command
            .args(["-c", PROCESSOR, "sh", "-c", "while :; do :; done"])
            .stdin(Stdio::null());
        BusyLoop {
            child: command.spawn().unwrap(),
        }
    }

    fn stop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}
