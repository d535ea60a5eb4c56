//! A host at the other end of a virtual cable, in a network namespace of its own, which answers
//! every ping after a delay: this program, started again. Its kernel does not answer by itself.

use std::io::{BufRead, Read};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

use ace_connection_logger::pure::icmp;
use socket2::{Domain, Protocol, Socket, Type};

use super::monitor::{run as run_command, sleep_seconds};

/// What this program is started with to be the far end; the delay in milliseconds follows.
pub const ARGUMENT: &str = "far-end";
/// Answers.
pub const LIVE: [&str; 3] = ["10.9.0.2", "10.9.0.3", "10.9.0.4"];
/// Is there, and never answers.
pub const DEAD: &str = "10.9.0.9";

/// The running far end; its network goes away with it.
pub struct FarEnd {
    child: Child,
}

impl FarEnd {
    /// Lays the cable. Near it is `near` with 10.9.0.1.
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
        let mut said = std::io::BufReader::new(child.stdout.take().unwrap()).lines();
        // It says a line when it is in its namespace, reads on once the cable is there, and says
        // one when it listens.
        assert!(said.next().is_some(), "the far end does not start");
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
        assert!(said.next().is_some(), "the far end does not listen");
        // Until the cable carries and both ends know each other's link address.
        sleep_seconds(1);
        FarEnd { child }
    }
}

impl Drop for FarEnd {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        // The kernel takes the cable away with the far end's network, some time later.
        let _ = Command::new("ip")
            .args(["link", "delete", "near"])
            .stderr(Stdio::null())
            .status();
    }
}

/// The far end's own work.
pub fn run(delay_ms: &str) {
    let delay = Duration::from_millis(delay_ms.parse().unwrap());
    println!("in its namespace");
    let _ = std::io::stdin().read_to_end(&mut Vec::new());
    std::fs::write("/proc/sys/net/ipv4/icmp_echo_ignore_all", "1").unwrap();
    for address in LIVE.iter().chain([&DEAD]) {
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
        if request.first() != Some(&8) || own.to_string() == DEAD {
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
