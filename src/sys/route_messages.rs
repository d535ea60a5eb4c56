//! Parses the routing table of macOS and FreeBSD: a sequence of messages, each followed by
//! addresses, route(4) and net/route.h. bsd.rs reads the bytes. Finds the route of a packet in it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{Packet, Route};

/// An entry of the routing table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    network: IpAddr,
    prefix_len: u8,
    /// `None` for a network that an interface belongs to.
    gateway: Option<IpAddr>,
    /// The index of its interface.
    interface: u32,
    /// The smallest is preferred.
    metric: u32,
}

/// The route of a packet: the longest prefix, then the lowest metric.
pub(super) fn route_of(packet: &Packet, entries: &[Entry]) -> Option<Route> {
    let fits = |entry: &&Entry| {
        contains(entry, packet.to)
            && packet
                .interface
                .is_none_or(|interface| interface == entry.interface)
    };
    let entry = entries
        .iter()
        .filter(fits)
        .min_by_key(|entry| (std::cmp::Reverse(entry.prefix_len), entry.metric))?;
    Some(Route {
        is_local: false,
        interface: entry.interface,
        gateway: entry.gateway,
        prefix_len: entry.prefix_len,
        is_by_kernel: false,
    })
}

fn contains(entry: &Entry, ip: IpAddr) -> bool {
    let differs = match (entry.network, ip) {
        (IpAddr::V4(a), IpAddr::V4(b)) => u128::from(a.to_bits() ^ b.to_bits()) << 96,
        (IpAddr::V6(a), IpAddr::V6(b)) => a.to_bits() ^ b.to_bits(),
        _ => return false,
    };
    differs.leading_zeros() >= u32::from(entry.prefix_len)
}

/// What differs between the two systems.
#[derive(Clone, Copy, Debug)]
pub(super) struct Layout {
    /// Bytes of a `struct rt_msghdr`, after which addresses begin.
    pub header_len: usize,
    /// Addresses begin at multiples of this.
    pub alignment: usize,
    /// AF_INET6.
    pub inet6: u8,
}

const INET: u8 = 2;
/// The expected `rtm_version`; messages of another version have another layout.
const VERSION: u8 = 5;
const FLAG_UP: u32 = 0x1;
const FLAG_GATEWAY: u32 = 0x2;
const FLAG_HOST: u32 = 0x4;
const FLAG_REJECT: u32 = 0x8;
const FLAG_BLACKHOLE: u32 = 0x1000;
/// A route to an address of this machine.
const FLAG_LOCAL: u32 = 0x20_0000;
/// macOS has a default route per interface; all but one apply only to sockets bound to that
/// interface.
const FLAG_SCOPED: u32 = 0x100_0000;
/// Bit numbers in `rtm_addrs`, and the order of the addresses.
const DESTINATION: usize = 0;
const GATEWAY: usize = 1;
const NETMASK: usize = 2;

/// The usable routes in the messages; a truncated message ends the list.
pub(super) fn parse(mut bytes: &[u8], layout: Layout) -> Vec<Entry> {
    let mut found = Vec::new();
    while let Some(len) = bytes
        .get(..2)
        .map(|b| usize::from(u16::from_ne_bytes([b[0], b[1]])))
    {
        let Some((message, rest)) = bytes
            .split_at_checked(len)
            .filter(|_| len >= layout.header_len)
        else {
            break;
        };
        found.extend(entry_in(message, layout));
        bytes = rest;
    }
    found
}

fn entry_in(message: &[u8], layout: Layout) -> Option<Entry> {
    let word = |at: usize| {
        message
            .get(at..at + 4)
            .and_then(|b| b.try_into().ok())
            .map(u32::from_ne_bytes)
    };
    let index = u32::from(u16::from_ne_bytes([*message.get(4)?, *message.get(5)?]));
    let (flags, present) = (word(8)?, word(12)?);
    let is_usable = flags & (FLAG_UP | FLAG_REJECT | FLAG_BLACKHOLE | FLAG_LOCAL) == FLAG_UP;
    if message[2] != VERSION || !is_usable {
        return None;
    }
    let addresses = addresses(message.get(layout.header_len..)?, present, layout.alignment);
    let network = ip_in(addresses[DESTINATION]?, layout)?;
    let (offset, bits) = if network.is_ipv4() { (4, 32) } else { (8, 128) };
    let prefix_len = match addresses[NETMASK] {
        Some(mask) if flags & FLAG_HOST == 0 => ones(mask, offset, bits),
        None if network.is_unspecified() => 0,
        _ => bits,
    };
    // Without the flag the gateway is the interface of the network.
    let gateway = addresses[GATEWAY]
        .filter(|_| flags & FLAG_GATEWAY != 0)
        .and_then(|bytes| ip_in(bytes, layout));
    Some(Entry {
        network,
        prefix_len,
        gateway,
        interface: index,
        metric: u32::from(flags & FLAG_SCOPED != 0),
    })
}

/// The first three addresses after a header. Each begins with its own length; an absent one has
/// length 0 and occupies the minimum size.
fn addresses(mut bytes: &[u8], present: u32, alignment: usize) -> [Option<&[u8]>; 3] {
    let mut found = [None; 3];
    for (place, slot) in found
        .iter_mut()
        .enumerate()
        .filter(|(place, _)| present & (1 << place) != 0)
    {
        let Some(len) = bytes.first().map(|len| usize::from(*len)) else {
            break;
        };
        let Some(address) = bytes.get(..len) else {
            break;
        };
        *slot = Some(address);
        // The last may lack its padding.
        bytes = bytes
            .get(len.max(1).next_multiple_of(alignment)..)
            .unwrap_or_default();
        debug_assert!(place <= NETMASK);
    }
    found
}

/// The IP address in a `sockaddr_in` or `sockaddr_in6`; truncated bytes are zero.
fn ip_in(address: &[u8], layout: Layout) -> Option<IpAddr> {
    let family = *address.get(1)?;
    if family == INET {
        Some(Ipv4Addr::from(part::<4>(address, 4)).into())
    } else if family == layout.inet6 {
        let mut octets = part::<16>(address, 8);
        // The kernels store the interface of a link-local address inside it (KAME), and macOS
        // returns it so.
        if octets[0] == 0xfe && octets[1] & 0xc0 == 0x80 {
            octets[2..4].fill(0);
        }
        Some(Ipv6Addr::from(octets).into())
    } else {
        None
    }
}

/// `LEN` bytes of an address from `offset` on; truncated bytes are zero.
fn part<const LEN: usize>(address: &[u8], offset: usize) -> [u8; LEN] {
    let mut part = [0; LEN];
    for (to, from) in part.iter_mut().zip(address.iter().skip(offset)) {
        *to = *from;
    }
    part
}

/// The prefix length of a network mask, whose family is not set and whose trailing zeroes are left
/// out.
fn ones(mask: &[u8], offset: usize, bits: u8) -> u8 {
    let mask = u128::from_be_bytes(part::<16>(mask, offset));
    u8::try_from(mask.leading_ones()).map_or(bits, |ones| ones.min(bits))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MACOS: Layout = Layout {
        header_len: 92,
        alignment: 4,
        inet6: 30,
    };
    const FREEBSD: Layout = Layout {
        header_len: 152,
        alignment: 8,
        inet6: 28,
    };

    fn message(
        layout: Layout,
        index: u16,
        flags: u32,
        present: u32,
        addresses: &[&[u8]],
    ) -> Vec<u8> {
        let mut bytes = vec![0; layout.header_len];
        for address in addresses {
            bytes.extend_from_slice(address);
            bytes.resize(
                bytes.len() + address.len().max(1).next_multiple_of(layout.alignment)
                    - address.len(),
                0,
            );
        }
        let len = u16::try_from(bytes.len()).expect("short");
        bytes[..2].copy_from_slice(&len.to_ne_bytes());
        (bytes[2], bytes[3]) = (5, 4);
        bytes[4..6].copy_from_slice(&index.to_ne_bytes());
        bytes[8..12].copy_from_slice(&flags.to_ne_bytes());
        bytes[12..16].copy_from_slice(&present.to_ne_bytes());
        bytes
    }

    fn inet(ip: [u8; 4]) -> Vec<u8> {
        [&[16, 2, 0, 0][..], &ip, &[0; 8]].concat()
    }

    fn inet6(layout: Layout, ip: &str) -> Vec<u8> {
        let ip: Ipv6Addr = ip.parse().expect("an address");
        [
            &[28, layout.inet6, 0, 0, 0, 0, 0, 0][..],
            &ip.octets(),
            &[0; 4],
        ]
        .concat()
    }

    /// sockaddr_dl: 20 bytes and family 18 on both.
    fn link(index: u8) -> Vec<u8> {
        let mut bytes = vec![0; 20];
        (bytes[0], bytes[1], bytes[2]) = (20, 18, index);
        bytes
    }

    fn texts(routes: &[Entry]) -> Vec<String> {
        routes
            .iter()
            .map(|r| {
                format!(
                    "{}/{} by {} at {} metric {}",
                    r.network,
                    r.prefix_len,
                    r.gateway.map_or("none".into(), |ip| ip.to_string()),
                    r.interface,
                    r.metric
                )
            })
            .collect()
    }

    #[test]
    fn a_table_of_either_system_is_read_with_truncated_masks_and_scoped_routes() {
        for layout in [MACOS, FREEBSD] {
            let default6 = [&[28, layout.inet6][..], &[0; 26]].concat();
            // As macOS returns it: with the index of its interface inside.
            let router6 = inet6(layout, "fe80:2::1");
            let table = [
                // The mask of a default route has length 0.
                message(
                    layout,
                    2,
                    0x803,
                    7,
                    &[&inet([0; 4]), &inet([192, 168, 1, 1]), &[]],
                ),
                message(
                    layout,
                    3,
                    0x100_0803,
                    7,
                    &[&inet([0; 4]), &inet([192, 168, 2, 1]), &[]],
                ),
                // 255.255.255 in seven bytes, without a family.
                message(
                    layout,
                    2,
                    0x1,
                    7,
                    &[
                        &inet([192, 168, 1, 0]),
                        &link(2),
                        &[7, 0, 0, 0, 255, 255, 255],
                    ],
                ),
                message(
                    layout,
                    2,
                    0x7,
                    3,
                    &[&inet([10, 1, 2, 3]), &inet([192, 168, 1, 7])],
                ),
                message(layout, 2, 0x803, 7, &[&default6, &router6, &[]]),
                message(
                    layout,
                    2,
                    0x1,
                    7,
                    &[
                        &inet6(layout, "2001:db8::"),
                        &link(2),
                        &[
                            16, 0, 0, 0, 0, 0, 0, 0, 255, 255, 255, 255, 255, 255, 255, 255,
                        ],
                    ],
                ),
                // Rejecting, down, to this machine itself, of another family.
                message(
                    layout,
                    1,
                    0x809,
                    7,
                    &[
                        &inet([10, 0, 0, 0]),
                        &inet([127, 0, 0, 1]),
                        &[5, 0, 0, 0, 255],
                    ],
                ),
                message(
                    layout,
                    2,
                    0x802,
                    7,
                    &[&inet([0; 4]), &inet([192, 168, 9, 9]), &[]],
                ),
                message(
                    layout,
                    1,
                    0x20_0005,
                    3,
                    &[&inet([192, 168, 1, 5]), &link(1)],
                ),
                message(layout, 2, 0x803, 3, &[&link(2), &link(2)]),
            ]
            .concat();
            assert_eq!(
                texts(&parse(&table, layout)),
                [
                    "0.0.0.0/0 by 192.168.1.1 at 2 metric 0",
                    "0.0.0.0/0 by 192.168.2.1 at 3 metric 1",
                    "192.168.1.0/24 by none at 2 metric 0",
                    "10.1.2.3/32 by 192.168.1.7 at 2 metric 0",
                    "::/0 by fe80::1 at 2 metric 0",
                    "2001:db8::/64 by none at 2 metric 0",
                ]
            );
            for len in 0..table.len() {
                assert!(parse(&table[..len], layout).len() <= 6);
            }
        }
    }

    #[test]
    fn arbitrary_bytes_never_make_the_parser_panic() {
        let table = message(
            MACOS,
            2,
            0x803,
            7,
            &[&inet([0; 4]), &inet([192, 168, 1, 1]), &[]],
        );
        for position in 0..table.len() {
            for value in 0..=u8::MAX {
                let mut changed = table.clone();
                changed[position] = value;
                assert!(parse(&changed, MACOS).len() <= 1);
            }
        }
        let other_version = [&table[..2], &[6], &table[3..]].concat();
        assert!(parse(&other_version, MACOS).is_empty());
    }

    fn entry(network: &str, prefix_len: u8, gateway: &str, interface: u32, metric: u32) -> Entry {
        Entry {
            network: network.parse().expect("an address"),
            prefix_len,
            gateway: gateway.parse().ok(),
            interface,
            metric,
        }
    }

    #[test]
    fn a_packet_takes_the_longest_prefix_and_then_the_lowest_metric() {
        let (en0, en1, tun0) = (2, 3, 4);
        let entries = [
            entry("0.0.0.0", 0, "192.168.2.1", en1, 600),
            entry("0.0.0.0", 0, "192.168.1.1", en0, 100),
            entry("192.168.1.0", 24, "", en0, 100),
            entry("0.0.0.0", 1, "", tun0, 50),
            entry("::", 0, "fe80::1", en0, 1024),
            entry("2001:db8::", 64, "", en0, 256),
        ];
        let packet = |to: &str, interface| Packet {
            to: to.parse().expect("an address"),
            from: Ipv4Addr::UNSPECIFIED.into(),
            is_source_chosen: true,
            interface,
        };
        let found = |to: &str, interface| {
            let route = route_of(&packet(to, interface), &entries).expect("a default route");
            let gateway = route.gateway.map_or(String::new(), |ip| ip.to_string());
            (route.interface, route.prefix_len, gateway)
        };
        let none = String::new;
        assert_eq!(
            found("192.168.1.77", None),
            (en0, 24, none()),
            "on the link"
        );
        assert_eq!(
            found("8.8.8.8", None),
            (tun0, 1, none()),
            "half the internet"
        );
        assert_eq!(found("200.0.0.1", None), (en0, 0, "192.168.1.1".into()));
        assert_eq!(found("8.8.8.8", Some(en1)), (en1, 0, "192.168.2.1".into()));
        assert_eq!(found("2001:db8::77", None), (en0, 64, none()));
        assert!(route_of(&packet("::1", None), &entries[..4]).is_none());
    }

    #[test]
    fn a_network_is_an_interfaces_own_when_it_contains_the_source_of_packets() {
        let is_own = |network: &str, prefix_len, to: &str, own: &str| {
            let entries = [entry(network, prefix_len, "", 2, 0)];
            let packet = Packet {
                to: to.parse().expect("an address"),
                from: own.parse().expect("an address"),
                is_source_chosen: true,
                interface: None,
            };
            let route = route_of(&packet, &entries).expect("it fits");
            route.is_own_network(&packet)
        };
        assert!(is_own("10.0.0.0", 8, "10.9.9.9", "10.1.1.1"));
        assert!(
            !is_own("0.0.0.0", 0, "8.8.8.8", "10.1.1.1"),
            "a default route"
        );
        assert!(!is_own("0.0.0.0", 1, "8.8.8.8", "10.1.1.1"), "half of one");
        assert!(
            !is_own("203.0.113.0", 24, "203.0.113.9", "10.1.1.1"),
            "routed"
        );
        assert!(is_own("2001:db8::", 64, "2001:db8::77", "2001:db8::1"));
        assert!(!is_own("2000::", 3, "2a00::1", "2001:db8::1"));
    }
}
