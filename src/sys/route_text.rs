//! Parses the routing table of Linux: /proc/self/net/route and ipv6_route, proc_pid_net(5) and the
//! kernel's net/ipv6/route.c.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::Route;

const FLAG_UP: u32 = 0x1;
const FLAG_REJECT: u32 = 0x200;
/// A route to an address of this machine: RTF_LOCAL in linux/ipv6_route.h.
const FLAG_LOCAL: u32 = 0x8000_0000;

/// Columns: interface, destination, gateway, flags, references, use, metric, mask; addresses are
/// hexadecimal words in host byte order.
pub(super) fn parse_v4(text: &str) -> Vec<Route> {
    let parse = |line: &str| {
        let columns: Vec<&str> = line.split_ascii_whitespace().collect();
        let hex = |index: usize| {
            columns
                .get(index)
                .and_then(|text| u32::from_str_radix(text, 16).ok())
        };
        let address =
            |index: usize| hex(index).map(|word| IpAddr::V4(Ipv4Addr::from(word.to_ne_bytes())));
        let mask = u32::from_be_bytes(hex(7)?.to_ne_bytes());
        let is_usable = hex(3)? & (FLAG_UP | FLAG_REJECT) == FLAG_UP;
        let route = Route {
            network: address(1)?,
            prefix_len: u8::try_from(mask.leading_ones()).ok()?,
            gateway: address(2)?,
            interface: columns[0].into(),
            metric: columns.get(6)?.parse().ok()?,
        };
        is_usable.then_some(route)
    };
    text.lines().skip(1).filter_map(parse).collect()
}

/// Columns: destination, its length, source, its length, gateway, metric, references, use, flags,
/// interface; all in hexadecimal, addresses in network byte order.
pub(super) fn parse_v6(text: &str) -> Vec<Route> {
    let parse = |line: &str| {
        let columns: Vec<&str> = line.split_ascii_whitespace().collect();
        let address = |index: usize| {
            columns
                .get(index)
                .and_then(|text| u128::from_str_radix(text, 16).ok())
                .map(|bits| IpAddr::V6(Ipv6Addr::from(bits)))
        };
        let hex = |index: usize| {
            columns
                .get(index)
                .and_then(|text| u32::from_str_radix(text, 16).ok())
        };
        let is_usable = hex(8)? & (FLAG_UP | FLAG_REJECT | FLAG_LOCAL) == FLAG_UP;
        let route = Route {
            network: address(0)?,
            prefix_len: u8::try_from(hex(1)?).ok().filter(|len| *len <= 128)?,
            gateway: address(4)?,
            interface: (*columns.get(9)?).into(),
            metric: hex(5).unwrap_or(0),
        };
        (is_usable && route.interface != "lo").then_some(route)
    };
    text.lines().filter_map(parse).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_endian = "little")]
    fn routes_over_ipv4_are_read_without_those_that_are_down_or_rejecting() {
        let text = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n\
            wlan0\t00000000\t0102A8C0\t0003\t0\t0\t600\t00000000\t0\t0\t0\n\
            eth0\t0001A8C0\t00000000\t0001\t0\t0\t100\t00FFFFFF\t0\t0\t0\n\
            eth1\t00000000\t0101A8C0\t0002\t0\t0\t0\t00000000\t0\t0\t0\n\
            *\t0000000A\t00000000\t0201\t0\t0\t0\t000000FF\t0\t0\t0\n\
            tun0\t00000000\t00000000\t0003\t0\t0\t50\t00000080\t0\t0\t0\n";
        let route =
            |network: [u8; 4], prefix_len, gateway: [u8; 4], interface: &str, metric| Route {
                network: network.into(),
                prefix_len,
                gateway: gateway.into(),
                interface: interface.into(),
                metric,
            };
        let none = [0; 4];
        assert_eq!(
            parse_v4(text),
            [
                route(none, 0, [192, 168, 2, 1], "wlan0", 600),
                route([192, 168, 1, 0], 24, none, "eth0", 100),
                route(none, 1, none, "tun0", 50)
            ]
        );
    }

    #[test]
    fn an_ipv6_default_route_has_a_gateway_and_a_rejecting_one_is_left_out() {
        let zeros = "0".repeat(32);
        let text = format!(
            "{zeros} 00 {zeros} 00 fe800000000000000000000000000001 00000400 00000001 00000000 00000003     eth0\n\
             {zeros} 00 {zeros} 00 {zeros} ffffffff 00000001 00000000 00200200       lo\n\
             20010db8000000000000000000000000 40 {zeros} 00 {zeros} 00000100 00000001 00000000 00000001     eth0\n"
        );
        let routes = parse_v6(&text);
        assert_eq!(routes.len(), 2);
        assert_eq!(
            (routes[0].prefix_len, routes[0].gateway.to_string()),
            (0, "fe80::1".to_string())
        );
        assert_eq!(
            (routes[0].interface.as_str(), routes[0].metric),
            ("eth0", 1024)
        );
        assert_eq!(
            (routes[1].prefix_len, routes[1].network.to_string()),
            (64, "2001:db8::".to_string())
        );
        assert!(routes[1].gateway.is_unspecified());
    }

    #[test]
    fn a_truncated_routing_table_is_read_up_to_its_end() {
        let text =
            "Iface\tDestination\neth0\t00000000\t0101A8C0\t0003\t0\t0\t100\t00000000\t0\t0\t0\n";
        for len in 0..text.len() {
            assert!(parse_v4(&text[..len]).len() <= 1);
            assert!(parse_v6(&text[..len]).is_empty());
        }
    }
}
