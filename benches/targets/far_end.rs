//! A host at the other end of a veth pair, in its own network namespace, that answers pings after a
//! delay. It is this program again; the kernel's own replies are disabled there.

use std::io::{BufRead, Read};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

use ace_connection_logger::pure::icmp;
use socket2::{Domain, Protocol, Socket, Type};

use super::monitor::{run as run_command, sleep_seconds};

/// The argument that makes this program the far end; the delay in milliseconds follows.
pub const ARGUMENT: &str = "far-end";
pub const ANSWERING: [&str; 3] = ["10.9.0.2", "10.9.0.3", "10.9.0.4"];
/// Exists, and never answers.
pub const SILENT: &str = "10.9.0.9";

/// The running far end; its network namespace ends with it.
pub struct FarEnd {
    child: Child,
}

impl FarEnd {
    /// Creates the veth pair; the interface on this side is `near`, with 10.9.0.1.
    pub fn start(delay_ms: u64) -> FarEnd {
        let this = std::env::current_exe().unwrap();
        let mut command = Command::new("unshare");
        command
            .arg("--net")
            .arg(this)
            .args([ARGUMENT, &delay_ms.to_string()]);
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = std::io::BufReader::new(child.stdout.take().unwrap()).lines();
        // It prints a line in its namespace, waits for the end of its standard input, and prints
        // another when it listens.
        assert!(lines.next().is_some(), "the far end does not start");
        let id = child.id().to_string();
        run_command(
            "ip",
            &[
                "link", "add", "near", "type", "veth", "peer", "name", "far", "netns", &id,
            ],
        );
        run_command("ip", &["address", "add", "10.9.0.1/24", "dev", "near"]);
        run_command("ip", &["link", "set", "near", "up"]);
        drop(child.stdin.take());
        assert!(lines.next().is_some(), "the far end does not listen");
        // Until both interfaces have a carrier and each knows the other's link address.
        sleep_seconds(1);
        FarEnd { child }
    }
}

impl Drop for FarEnd {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        // The kernel removes the pair with the far end's namespace, but not at once.
        let _ = Command::new("ip")
            .args(["link", "delete", "near"])
            .stderr(Stdio::null())
            .status();
    }
}

/// Runs the far end.
pub fn run(delay_ms: &str) {
    let delay = Duration::from_millis(delay_ms.parse().unwrap());
    println!("in its namespace");
    let _ = std::io::stdin().read_to_end(&mut Vec::new());
    std::fs::write("/proc/sys/net/ipv4/icmp_echo_ignore_all", "1").unwrap();
    for address in ANSWERING.iter().chain([&SILENT]) {
        run_command(
            "ip",
            &["address", "add", &format!("{address}/24"), "dev", "far"],
        );
    }
    run_command("ip", &["link", "set", "far", "up"]);
    let mut requests = Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::ICMPV4)).unwrap();
    println!("listening");
    let (sender, due) = channel::<(Instant, Ipv4Addr, Ipv4Addr, Vec<u8>)>();
    thread::spawn(move || {
        for (at, from, to, reply) in due {
            thread::sleep(at.saturating_duration_since(Instant::now()));
            let socket = Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::ICMPV4)).unwrap();
            socket.bind(&SocketAddrV4::new(from, 0).into()).unwrap();
            let _ = socket.send_to(&reply, &SocketAddrV4::new(to, 0).into());
        }
    });
    let mut packet = [0; 2000];
    loop {
        let len = requests.read(&mut packet).unwrap();
        let address =
            |at: usize| Ipv4Addr::new(packet[at], packet[at + 1], packet[at + 2], packet[at + 3]);
        let (peer, own) = (address(12), address(16));
        let Some(request) = icmp::strip_ipv4_header(&packet[..len]) else {
            continue;
        };
        if request.first() != Some(&8) || own.to_string() == SILENT {
            continue;
        }
        let mut reply = request.to_vec();
        reply[0] = 0;
        reply[2..4].fill(0);
        let checksum = icmp::checksum(&reply);
        reply[2..4].copy_from_slice(&checksum.to_be_bytes());
        sender
            .send((Instant::now() + delay, own, peer, reply))
            .unwrap();
    }
}
