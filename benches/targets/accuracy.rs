//! The round-trip times that `check --json` reports, ping by ping, against the kernel's own stamps
//! of the same packets on the interface.

use std::collections::HashMap;
use std::os::fd::AsFd;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use ace_connection_logger::pure::icmp;
use ace_connection_logger::sys::{Batch, Queue, request_stamps};
use socket2::{Domain, Protocol, Socket, Type};

use super::Row;
use super::far_end::{FarEnd, LIVE};
use super::monitor::{Bench, Program};

const PINGS: usize = 100;
const LIMIT_US: f64 = 5.0;
/// The processor that is loaded; the far end and what watches the interface keep off it when they
/// can.
const PROCESSOR: &str = "0";

pub fn measure(program: &Program) {
    for delay_ms in [1, 10, 100] {
        let _far_end = FarEnd::start(delay_ms);
        measure_beside(program, &format!("{delay_ms} ms, idle"));
        let mut busy = BusyLoop::start();
        measure_beside(program, &format!("{delay_ms} ms, beside a busy loop"));
        busy.stop();
    }
}

fn measure_beside(program: &Program, name: &str) {
    let pace = format!("ping_count: {PINGS}, ping_spacing_ms: 20, timeout_seconds: 1");
    let bench = Bench::new("accuracy", &pace, &[LIVE[0].into()]);
    let watch = Watch::start();
    let found = bench.check(program, &["taskset", "-c", PROCESSOR], &[]);
    let true_ns = watch.round_trips_ns();
    let reported = found[0]["rtts_us"].as_array().unwrap();
    let errors_us: Vec<f64> = (1..=PINGS as u16)
        .filter_map(|sequence| {
            let reported_us = reported[usize::from(sequence) - 1].as_f64()?;
            Some((reported_us - *true_ns.get(&sequence)? as f64 / 1000.0).abs())
        })
        .collect();
    assert!(
        errors_us.len() > PINGS / 2,
        "too few pings were answered and seen: {}",
        errors_us.len()
    );
    let mean = errors_us.iter().sum::<f64>() / errors_us.len() as f64;
    let largest = errors_us.iter().copied().fold(0.0, f64::max);
    let note = format!("largest {largest:.1}, {} pings", errors_us.len());
    Row::at_most(
        format!("mean error of an RTT, {name}"),
        mean,
        LIMIT_US,
        "us",
    )
    .noting(&note)
    .print();
}

/// Watches the interface with a packet socket, packet(7), as tcpdump does.
struct Watch {
    thread: JoinHandle<HashMap<u16, i64>>,
    stop: Sender<()>,
}

impl Watch {
    fn start() -> Watch {
        let every_protocol = Protocol::from(i32::from((libc::ETH_P_ALL as u16).to_be()));
        let socket = Socket::new(Domain::PACKET, Type::DGRAM, Some(every_protocol)).unwrap();
        request_stamps(socket.as_fd()).unwrap();
        let (stop, stopped) = channel();
        Watch {
            thread: thread::spawn(move || watch(&socket, &stopped)),
            stop,
        }
    }

    /// Reply in less request out, by sequence number.
    fn round_trips_ns(self) -> HashMap<u16, i64> {
        self.stop.send(()).unwrap();
        self.thread.join().unwrap()
    }
}

fn watch(socket: &Socket, stopped: &Receiver<()>) -> HashMap<u16, i64> {
    let (mut sent, mut round_trips) = (HashMap::new(), HashMap::new());
    let mut batch = Batch::new(2000);
    let mut is_over = false;
    while !is_over {
        // The packets are stamped when they pass, so looking every few milliseconds is enough.
        is_over = stopped.recv_timeout(Duration::from_millis(5)).is_ok();
        let take = |message: ace_connection_logger::sys::Message<'_>| {
            let Some(echo) = icmp::strip_ipv4_header(message.bytes).and_then(icmp::parse_echo)
            else {
                return;
            };
            let stamp = message.stamp_ns.unwrap();
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
