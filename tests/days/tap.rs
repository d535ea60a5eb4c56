//! An independent witness: a packet socket that counts the pings that leave this machine and the
//! replies that arrive.

use std::collections::HashMap;
use std::io::Read as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use socket2::{Domain, Protocol, Socket, Type};

use super::network::Namespace;

/// Milliseconds since 1970 of everything seen with one address.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    pub requests: Vec<i64>,
    pub replies: Vec<i64>,
}

pub struct Tap(Arc<Mutex<HashMap<IpAddr, Seen>>>);

impl Tap {
    pub fn start(machine: &Namespace) -> Result<Tap, String> {
        // packet(7): packets of all interfaces, from the IP header on.
        const ETH_P_ALL: u16 = 3;
        let protocol = Protocol::from(i32::from(ETH_P_ALL.to_be()));
        let socket = machine
            .inside(|| Socket::new(Domain::PACKET, Type::DGRAM, Some(protocol)))
            .map_err(|error| format!("packet socket: {error}"))?;
        let timeout = Some(Duration::from_millis(500));
        socket
            .set_read_timeout(timeout)
            .map_err(|error| error.to_string())?;
        socket
            .set_recv_buffer_size(1 << 20)
            .map_err(|error| error.to_string())?;
        let tap = Tap(Arc::default());
        let seen = Arc::downgrade(&tap.0);
        std::thread::spawn(move || {
            let mut packet = [0; 128];
            while let Some(seen) = seen.upgrade() {
                if let Ok(length) = (&socket).read(&mut packet) {
                    add(&packet[..length], &seen);
                }
            }
        });
        Ok(tap)
    }

    /// What was seen of one address.
    pub fn seen(&self, address: IpAddr) -> Seen {
        let seen = self
            .0
            .lock()
            .expect("no thread panics while it holds the lock");
        seen.get(&address).cloned().unwrap_or_default()
    }
}

fn add(packet: &[u8], seen: &Mutex<HashMap<IpAddr, Seen>>) {
    let Some((peer, is_reply)) = parse(packet) else {
        return;
    };
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    let now = since.expect("it is later than 1970").as_millis();
    let now = i64::try_from(now).expect("it is");
    let mut seen = seen
        .lock()
        .expect("no thread panics while it holds the lock");
    let of_peer = seen.entry(peer).or_default();
    if is_reply {
        &mut of_peer.replies
    } else {
        &mut of_peer.requests
    }
    .push(now);
}

/// The other machine of an echo request or reply, and whether it is a reply.
fn parse(packet: &[u8]) -> Option<(IpAddr, bool)> {
    const ICMP: u8 = 1;
    const ICMPV6: u8 = 58;
    let octets = |from: usize| <[u8; 4]>::try_from(packet.get(from..from + 4)?).ok();
    let octets_v6 = |from: usize| <[u8; 16]>::try_from(packet.get(from..from + 16)?).ok();
    if packet.first()? >> 4 == 4 {
        let is_later_fragment = u16::from_be_bytes([packet[6], packet[7]]) & 0x1fff > 0;
        let kind = *packet.get(usize::from(packet[0] & 0x0f) * 4)?;
        let is_reply = kind == 0;
        let peer = Ipv4Addr::from(octets(if is_reply { 12 } else { 16 })?);
        let is_ping = packet[9] == ICMP && matches!(kind, 0 | 8) && !is_later_fragment;
        return is_ping.then_some((peer.into(), is_reply));
    }
    // A fragment has a header of 8 bytes more.
    let (next, at) = match *packet.get(6)? {
        44 if u16::from_be_bytes([*packet.get(42)?, *packet.get(43)?]) >> 3 == 0 => {
            (packet[40], 48)
        }
        other => (other, 40),
    };
    let kind = *packet.get(at)?;
    let is_reply = kind == 129;
    let peer = Ipv6Addr::from(octets_v6(if is_reply { 8 } else { 24 })?);
    (next == ICMPV6 && matches!(kind, 128 | 129)).then_some((peer.into(), is_reply))
}
