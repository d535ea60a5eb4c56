//! The other end of the device in a network namespace: reads the requests of pings, and makes IPv4
//! packets to this machine.

use std::fs::File;
use std::io::Read;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ace_connection_logger::pure::icmp::checksum;

/// Raises a flag at its end, also at that of a test that fails.
pub struct Raise<'f>(pub &'f AtomicBool);

impl Drop for Raise<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Calls a function with each request of a ping over IPv4, until the flag is raised.
pub fn each_request(
    tun: &mut File,
    is_over: &AtomicBool,
    mut answer: impl FnMut(&mut File, &[u8]),
) {
    let mut packet = [0_u8; 2000];
    while !is_over.load(Ordering::Relaxed) {
        let Ok(len) = tun.read(&mut packet) else {
            std::thread::sleep(Duration::from_millis(1));
            continue;
        };
        if len > 28 && packet[0] == 0x45 && packet[9] == 1 && packet[20] == 8 {
            answer(tun, &packet[..len]);
        }
    }
}

/// The address that a request goes to.
pub fn destination(request: &[u8]) -> [u8; 4] {
    request[16..20].try_into().expect("four bytes")
}

/// The reply to a request.
pub fn reply(request: &[u8]) -> Vec<u8> {
    packet(
        destination(request),
        &changed(&request[20..], |message| message[0] = 0),
    )
}

/// A packet from an address to this machine, with an ICMP message whose checksum is made here.
pub fn packet(from: [u8; 4], message: &[u8]) -> Vec<u8> {
    let len = u16::try_from(20 + message.len()).expect("a small packet");
    let mut packet = vec![0x45, 0, 0, 0, 0, 0, 0, 0, 64, 1, 0, 0];
    packet[2..4].copy_from_slice(&len.to_be_bytes());
    packet.extend_from_slice(&from);
    packet.extend_from_slice(&[10, 9, 0, 1]);
    let header = checksum(&packet);
    packet[10..12].copy_from_slice(&header.to_be_bytes());
    packet.extend_from_slice(message);
    packet[22..24].copy_from_slice(&[0, 0]);
    let checksum = checksum(&packet[20..]);
    packet[22..24].copy_from_slice(&checksum.to_be_bytes());
    packet
}

/// An ICMP message with some bytes changed.
pub fn changed(message: &[u8], change: impl FnOnce(&mut [u8])) -> Vec<u8> {
    let mut message = message.to_vec();
    change(&mut message);
    message
}
