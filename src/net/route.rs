//! This machine's routes, from the kernel's tables: /proc/self/net/route and ipv6_route, proc_pid_net(5) and the kernel's
//! net/ipv6/route.c. Says where the default gateway is, by which interface a target is reached, and whether that can work.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, UdpSocket};

use super::Target;
use crate::cause::Place;
use crate::icmp::Version;
use crate::model::{Family, Source};
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
    let mut found = gateways_in(routes(Version::V4));
    found.append(&mut gateways_in(routes(Version::V6)));
    found
}

fn gateways_in(routes: Vec<Route>) -> Vec<Gateway> {
    let mut found: Vec<Gateway> = routes
        .into_iter()
        .filter(|route| route.prefix_len == 0)
        .map(|route| Gateway { ip: route.gateway, interface: route.interface, metric: route.metric })
        .collect();
    found.sort_by_key(|gateway| gateway.metric);
    found
}

/// A gateway as something that can be pinged; `None` where the route names no address.
pub fn target_of(gateway: &Gateway) -> Option<Target> {
    let needs_scope = matches!(gateway.ip, IpAddr::V6(ip) if ip.is_unicast_link_local());
    let scope_id = if needs_scope { sys::interface_index(&gateway.interface).unwrap_or(0) } else { 0 };
    (!gateway.ip.is_unspecified()).then_some(Target { ip: gateway.ip, scope_id })
}

/// The gateway to ping for `address: gateway`; `Err` is the reason why there is none.
pub(super) fn find(family: Family) -> Result<Target, String> {
    let routes: Vec<Gateway> = default_gateways().into_iter().filter(|route| family.admits(route.ip)).collect();
    routes.iter().find_map(target_of).ok_or_else(|| match routes.first() {
        Some(route) => format!("the default route by {} has no gateway address", route.interface),
        None => "no default gateway".into(),
    })
}

/// Where a target is, seen from this machine; `None` when no route leads to it.
pub fn place_of(target: &Target) -> Option<Place> {
    if target.ip.is_loopback() || target.ip.is_unspecified() || address_towards(target) == Some(target.ip) {
        return Some(Place::Here);
    }
    let routes = routes(target.version());
    if routes.iter().any(|route| route.prefix_len == 0 && route.gateway == target.ip) {
        return Some(Place::Gateway);
    }
    let route = best(&routes, target)?;
    Some(if route.gateway.is_unspecified() { Place::Near } else { Place::Beyond })
}

/// The interface by which a target is reached.
#[derive(Clone, Debug)]
pub struct Link {
    /// `None` where nobody can tell.
    interface: Option<String>,
}

impl Link {
    /// The one that packets to a target take now.
    pub fn to(target: &Target, source: Option<&Source>) -> Link {
        let interface = match source {
            Some(Source::Interface(name)) => Some(name.clone()),
            _ => best(&routes(target.version()), target).map(|route| route.interface.clone()),
        };
        Link { interface }
    }

    /// Why nothing that is sent by it can leave this machine: it is down or has no carrier. `None` where it can, or where
    /// nobody can tell.
    pub fn fault(&self) -> Option<String> {
        let interface = self.interface.as_deref()?;
        let state = sys::interface_state(interface)?;
        match (state.is_up, state.has_carrier) {
            (false, _) => Some(format!("{interface} is down")),
            (true, false) => Some(format!("{interface} has no carrier")),
            (true, true) => None,
        }
    }
}

/// Whether something can be sent to a target: there is an address to send from, a route, and a link.
pub fn is_way_clear(target: &Target, source: Option<&Source>) -> bool {
    address_towards(target).is_some() && Link::to(target, source).fault().is_none()
}

/// The address of this machine that packets to a target are sent from; `None` where there is none, or no route. Connecting a
/// datagram socket finds it and sends nothing.
fn address_towards(target: &Target) -> Option<IpAddr> {
    let socket = UdpSocket::bind(if target.ip.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" }).ok()?;
    let mut to = target.socket_address();
    to.set_port(9);
    socket.connect(to).ok()?;
    socket.local_addr().ok().map(|local| local.ip())
}

/// A way to a network.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Route {
    network: IpAddr,
    prefix_len: u8,
    /// Unspecified where the network is at hand.
    gateway: IpAddr,
    interface: String,
    metric: u32,
}

fn routes(version: Version) -> Vec<Route> {
    let read = |path| fs::read_to_string(path).unwrap_or_default();
    match version {
        Version::V4 => parse_v4(&read("/proc/self/net/route")),
        Version::V6 => parse_v6(&read("/proc/self/net/ipv6_route")),
    }
}

/// The route that a packet to the target takes, by the main table: the longest prefix, then the least metric.
fn best<'a>(routes: &'a [Route], target: &Target) -> Option<&'a Route> {
    let scope = target.scope_id;
    let is_in_scope = |route: &&Route| scope == 0 || sys::interface_index(&route.interface) == Some(scope);
    let fitting = routes.iter().filter(|route| contains(route, target.ip)).filter(is_in_scope);
    fitting.min_by_key(|route| (std::cmp::Reverse(route.prefix_len), route.metric))
}

fn contains(route: &Route, ip: IpAddr) -> bool {
    let differs = match (route.network, ip) {
        (IpAddr::V4(a), IpAddr::V4(b)) => u128::from(a.to_bits() ^ b.to_bits()) << 96,
        (IpAddr::V6(a), IpAddr::V6(b)) => a.to_bits() ^ b.to_bits(),
        _ => return false,
    };
    differs.leading_zeros() >= u32::from(route.prefix_len)
}

const FLAG_UP: u32 = 0x1;
const FLAG_REJECT: u32 = 0x200;
/// Of a route to an address of this machine: linux/ipv6_route.h, RTF_LOCAL.
const FLAG_LOCAL: u32 = 0x8000_0000;

/// Columns: interface, destination, gateway, flags, references, use, metric, mask; addresses as hexadecimal words in
/// this machine's byte order.
fn parse_v4(text: &str) -> Vec<Route> {
    let parse = |line: &str| {
        let columns: Vec<&str> = line.split_ascii_whitespace().collect();
        let hex = |index: usize| columns.get(index).and_then(|text| u32::from_str_radix(text, 16).ok());
        let address = |index: usize| hex(index).map(|word| IpAddr::V4(Ipv4Addr::from(word.to_ne_bytes())));
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

/// Columns: destination, its length, source, its length, gateway, metric, references, use, flags, interface; all in
/// hexadecimal, addresses in network byte order.
fn parse_v6(text: &str) -> Vec<Route> {
    let parse = |line: &str| {
        let columns: Vec<&str> = line.split_ascii_whitespace().collect();
        let address = |index: usize| {
            columns.get(index).and_then(|text| u128::from_str_radix(text, 16).ok()).map(|bits| IpAddr::V6(Ipv6Addr::from(bits)))
        };
        let hex = |index: usize| columns.get(index).and_then(|text| u32::from_str_radix(text, 16).ok());
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

    #[cfg(target_endian = "little")]
    const ROUTE: &str = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n\
        wlan0\t00000000\t0102A8C0\t0003\t0\t0\t600\t00000000\t0\t0\t0\n\
        eth0\t00000000\t0101A8C0\t0003\t0\t0\t100\t00000000\t0\t0\t0\n\
        eth0\t0001A8C0\t00000000\t0001\t0\t0\t100\t00FFFFFF\t0\t0\t0\n\
        tun0\t00000000\t00000000\t0003\t0\t0\t50\t00000080\t0\t0\t0\n";

    #[test]
    #[cfg(target_endian = "little")]
    fn default_routes_are_told_from_half_the_internet_and_from_the_local_net() {
        let found = gateways_in(parse_v4(ROUTE));
        assert_eq!(found.iter().map(|g| g.ip).collect::<Vec<_>>(), [IpAddr::from([192, 168, 1, 1]), [192, 168, 2, 1].into()]);
        assert_eq!((found[0].interface.as_str(), found[0].metric), ("eth0", 100));
    }

    #[test]
    #[cfg(target_endian = "little")]
    fn a_packet_takes_the_longest_prefix_and_then_the_least_metric() {
        let routes = parse_v4(ROUTE);
        let way = |ip: [u8; 4]| {
            let route = best(&routes, &Target { ip: ip.into(), scope_id: 0 }).expect("there is a default route");
            (route.interface.as_str(), route.gateway.is_unspecified())
        };
        assert_eq!(way([192, 168, 1, 77]), ("eth0", true), "at hand");
        assert_eq!(way([8, 8, 8, 8]), ("tun0", true), "half the internet");
        assert_eq!(way([200, 0, 0, 1]), ("eth0", false), "by the better of two default routes");
        assert!(best(&routes, &Target { ip: Ipv6Addr::LOCALHOST.into(), scope_id: 0 }).is_none());
    }

    #[test]
    fn an_ipv6_default_route_has_a_gateway_and_a_rejecting_one_is_none() {
        let zeros = "0".repeat(32);
        let text = format!(
            "{zeros} 00 {zeros} 00 fe800000000000000000000000000001 00000400 00000001 00000000 00000003     eth0\n\
             {zeros} 00 {zeros} 00 {zeros} ffffffff 00000001 00000000 00200200       lo\n\
             20010db8000000000000000000000000 40 {zeros} 00 {zeros} 00000100 00000001 00000000 00000001     eth0\n"
        );
        let routes = parse_v6(&text);
        assert_eq!(routes.len(), 2);
        let inside = Target { ip: "2001:db8::77".parse().expect("an address"), scope_id: 0 };
        assert_eq!(best(&routes, &inside).map(|route| route.prefix_len), Some(64));
        let found = gateways_in(routes);
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
