//! This machine's default gateway, from the kernel's routing tables: /proc/self/net/route and ipv6_route, proc_pid_net(5)
//! and the kernel's net/ipv6/route.c.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::Target;
use crate::model::Family;
use crate::sys;

/// A default route's next hop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gateway {
    /// Its address; unspecified where the route leads straight into an interface.
    pub ip: IpAddr,
    /// The interface it is reached by.
    pub interface: String,
    /// The route's metric: the smaller, the better.
    pub metric: u32,
}

/// The default gateways of this machine, best first, IPv4 before IPv6.
pub fn default_gateways() -> Vec<Gateway> {
    let read = |path| fs::read_to_string(path).unwrap_or_default();
    let mut found = parse_v4(&read("/proc/self/net/route"));
    found.sort_by_key(|gateway| gateway.metric);
    let mut found_v6 = parse_v6(&read("/proc/self/net/ipv6_route"));
    found_v6.sort_by_key(|gateway| gateway.metric);
    found.append(&mut found_v6);
    found
}

/// The gateway to ping for `address: gateway`; `Err` is the reason why there is none.
pub(super) fn find(family: Family) -> Result<Target, String> {
    let routes: Vec<Gateway> = default_gateways().into_iter().filter(|route| family.admits(route.ip)).collect();
    match routes.iter().find(|route| !route.ip.is_unspecified()) {
        Some(route) => {
            let needs_scope = matches!(route.ip, IpAddr::V6(ip) if ip.is_unicast_link_local());
            let scope_id = if needs_scope { sys::interface_index(&route.interface).unwrap_or(0) } else { 0 };
            Ok(Target { ip: route.ip, scope_id })
        }
        None => Err(match routes.first() {
            Some(route) => format!("the default route by {} has no gateway address", route.interface),
            None => "no default gateway".into(),
        }),
    }
}

const FLAG_UP: u32 = 0x1;
const FLAG_REJECT: u32 = 0x200;

/// Columns: interface, destination, gateway, flags, references, use, metric, mask; addresses as hexadecimal words in
/// this machine's byte order.
fn parse_v4(text: &str) -> Vec<Gateway> {
    let parse = |line: &str| {
        let columns: Vec<&str> = line.split_ascii_whitespace().collect();
        let hex = |index: usize| columns.get(index).and_then(|text| u32::from_str_radix(text, 16).ok());
        let is_default = hex(1)? == 0 && hex(7)? == 0;
        let is_usable = hex(3)? & (FLAG_UP | FLAG_REJECT) == FLAG_UP;
        let ip = IpAddr::V4(Ipv4Addr::from(hex(2)?.to_ne_bytes()));
        let metric = columns.get(6)?.parse().ok()?;
        (is_default && is_usable).then(|| Gateway { ip, interface: columns[0].into(), metric })
    };
    text.lines().skip(1).filter_map(parse).collect()
}

/// Columns: destination, its length, source, its length, gateway, metric, references, use, flags, interface; all in
/// hexadecimal, addresses in network byte order.
fn parse_v6(text: &str) -> Vec<Gateway> {
    let parse = |line: &str| {
        let columns: Vec<&str> = line.split_ascii_whitespace().collect();
        let address = |index: usize| columns.get(index).and_then(|text| u128::from_str_radix(text, 16).ok());
        let hex = |index: usize| columns.get(index).and_then(|text| u32::from_str_radix(text, 16).ok());
        let is_default = address(0)? == 0 && hex(1)? == 0;
        let is_usable = hex(8)? & (FLAG_UP | FLAG_REJECT) == FLAG_UP;
        let interface = *columns.get(9)?;
        let ip = IpAddr::V6(Ipv6Addr::from(address(4)?));
        (is_default && is_usable && interface != "lo").then(|| Gateway {
            ip,
            interface: interface.into(),
            metric: hex(5).unwrap_or(0),
        })
    };
    text.lines().filter_map(parse).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(target_endian = "little")]
    const ROUTE: &str = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n\
        wlan0\t00000000\t0102A8C0\t0003\t0\t0\t600\t00000000\t0\t0\t0\n\
        eth0\t00000000\t0101A8C0\t0003\t0\t0\t100\t00000000\t0\t0\t0\n\
        eth0\t0001A8C0\t00000000\t0001\t0\t0\t100\t00FFFFFF\t0\t0\t0\n\
        tun0\t00000000\t00000000\t0003\t0\t0\t50\t00000080\t0\t0\t0\n";

    #[test]
    #[cfg(target_endian = "little")]
    fn default_routes_are_told_from_half_the_internet_and_from_the_local_net() {
        let found = parse_v4(ROUTE);
        assert_eq!(found.iter().map(|g| g.ip).collect::<Vec<_>>(), [IpAddr::from([192, 168, 2, 1]), [192, 168, 1, 1].into()]);
        assert_eq!((found[1].interface.as_str(), found[1].metric), ("eth0", 100));
    }

    #[test]
    fn an_ipv6_default_route_has_a_gateway_and_a_rejecting_one_is_none() {
        let zeros = "0".repeat(32);
        let text = format!(
            "{zeros} 00 {zeros} 00 fe800000000000000000000000000001 00000400 00000001 00000000 00000003     eth0\n\
             {zeros} 00 {zeros} 00 {zeros} ffffffff 00000001 00000000 00200200       lo\n\
             20010db8000000000000000000000000 40 {zeros} 00 {zeros} 00000100 00000001 00000000 00000001     eth0\n"
        );
        let found = parse_v6(&text);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].ip, "fe80::1".parse::<IpAddr>().expect("an address"));
        assert_eq!((found[0].interface.as_str(), found[0].metric), ("eth0", 1024));
    }

    #[test]
    fn a_routing_table_cut_anywhere_is_read_as_far_as_it_goes() {
        let text = "Iface\tDestination\neth0\t00000000\t0101A8C0\t0003\t0\t0\t100\t00000000\t0\t0\t0\n";
        for len in 0..text.len() {
            assert!(parse_v4(&text[..len]).len() <= 1);
            assert!(parse_v6(&text[..len]).is_empty());
        }
    }
}
