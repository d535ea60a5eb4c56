//! What the fuzz targets call: the parsers of what the kernel sends, which no other module needs.

use std::net::IpAddr;

use super::{Batch, Packet, link_events, netlink, route_messages};

/// Reads a message of the frame's bytes with control messages; returns the length of what is read.
/// The first byte of each control message selects its kind.
pub fn read_controls(frame: &[u8], source: &[u8; 28], controls: &[(u8, &[u8])]) -> usize {
    Batch::received(frame, source, controls, |message| message.bytes.len())
}

/// An answer of rtnetlink(7) about a route.
pub fn read_route_answer(bytes: &[u8]) {
    let sequence = netlink::part(bytes, 8).map_or(0, u32::from_ne_bytes);
    drop(netlink::answer(bytes, sequence));
    drop(netlink::answer(bytes, sequence.wrapping_add(1)));
}

/// Messages of rtnetlink(7) about links and addresses.
pub fn read_link_messages(bytes: &[u8]) {
    link_events::changes(bytes, &mut |change| drop(format!("{change:?}")));
}

/// The routing table of macOS or FreeBSD, and the route of a packet in it.
pub fn read_routing_table(bytes: &[u8], to: [u8; 16], is_freebsd: bool) {
    let layout = if is_freebsd {
        route_messages::Layout {
            header_len: 152,
            alignment: 8,
            inet6: 28,
        }
    } else {
        route_messages::Layout {
            header_len: 92,
            alignment: 4,
            inet6: 30,
        }
    };
    let entries = route_messages::parse(bytes, layout);
    let packet = |to: IpAddr| Packet {
        to,
        from: to,
        is_source_chosen: false,
        interface: None,
    };
    let [a, b, c, d, ..] = to;
    for to in [IpAddr::from(to), IpAddr::from([a, b, c, d])] {
        route_messages::route_of(&packet(to), &entries);
    }
}
