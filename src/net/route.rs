//! Routes of this machine: the default gateways, the interface that reaches a target, and whether
//! that interface can send. The routing table is read in sys/.

use crate::pure::address::IpVersion;
use std::io;
use std::net::{IpAddr, UdpSocket};

use super::Target;
use crate::pure::address::Source;
use crate::pure::cause::NetworkPosition;
use crate::sys::{self, Route};

/// A default route's next hop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gateway {
    /// Unspecified where the route names only an interface.
    pub ip: IpAddr,
    pub interface: String,
    /// The route's metric; the smallest is preferred.
    pub metric: u32,
}

/// The default gateways of this machine, by metric, IPv4 before IPv6.
pub fn default_gateways() -> Vec<Gateway> {
    let mut found = gateways_in(sys::routes(IpVersion::V4));
    found.append(&mut gateways_in(sys::routes(IpVersion::V6)));
    found
}

fn gateways_in(routes: Vec<Route>) -> Vec<Gateway> {
    let mut found: Vec<Gateway> = routes
        .into_iter()
        .filter(|route| route.prefix_len == 0)
        .map(|route| Gateway {
            ip: route.gateway,
            interface: route.interface,
            metric: route.metric,
        })
        .collect();
    found.sort_by_key(|gateway| gateway.metric);
    found
}

/// The gateway as a target for pings; `None` where the route names no address.
pub fn target_of(gateway: &Gateway) -> Option<Target> {
    let needs_scope = matches!(gateway.ip, IpAddr::V6(ip) if ip.is_unicast_link_local());
    let scope_id = if needs_scope {
        sys::interface_index(&gateway.interface).unwrap_or(0)
    } else {
        0
    };
    (!gateway.ip.is_unspecified()).then_some(Target {
        ip: gateway.ip,
        scope_id,
    })
}

/// The target of `address: gateway`; `Err` is the reason why there is none.
pub(super) fn gateway_target(family: Option<IpVersion>) -> Result<Target, String> {
    let routes: Vec<Gateway> = default_gateways()
        .into_iter()
        .filter(|route| IpVersion::admits(family, route.ip))
        .collect();
    routes
        .iter()
        .find_map(target_of)
        .ok_or_else(|| match routes.first() {
            Some(route) => format!(
                "the default route by {} has no gateway address",
                route.interface
            ),
            None => "no default gateway".into(),
        })
}

/// Where a target lies in the network, seen from this machine; `None` without a route to it.
pub fn position_of(target: &Target) -> Option<NetworkPosition> {
    if target.ip.is_loopback()
        || target.ip.is_unspecified()
        || source_address_for(target).is_ok_and(|own| own == target.ip)
    {
        return Some(NetworkPosition::ThisMachine);
    }
    let routes = sys::routes(target.version());
    if routes
        .iter()
        .any(|route| route.prefix_len == 0 && route.gateway == target.ip)
    {
        return Some(NetworkPosition::Gateway);
    }
    let route = best_route(&routes, target)?;
    Some(if route.gateway.is_unspecified() {
        NetworkPosition::OnLink
    } else {
        NetworkPosition::BeyondGateway
    })
}

/// The interface that packets to a target leave by.
#[derive(Clone, Debug)]
pub struct Link {
    /// `None` where the routing table does not say.
    interface: Option<String>,
}

impl Link {
    /// The interface that the routing table names now.
    pub fn to(target: &Target, source: Option<&Source>) -> Link {
        let interface = match source {
            Some(Source::Interface(name)) => Some(name.clone()),
            _ => best_route(&sys::routes(target.version()), target)
                .map(|route| route.interface.clone()),
        };
        Link { interface }
    }

    /// Why packets cannot leave by this interface: it is down or has no carrier. `None` where they
    /// can, or where the system does not say.
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

/// Whether a ping to the target could be sent now: there is a route, a source address, and the
/// interface has a carrier.
pub fn can_send(target: &Target, source: Option<&Source>) -> bool {
    source_address_for(target).is_ok() && Link::to(target, source).fault().is_none()
}

/// The source address of packets to a target; an error without one, or without a route. Connecting
/// a UDP socket finds it and sends nothing.
pub(super) fn source_address_for(target: &Target) -> io::Result<IpAddr> {
    let socket = UdpSocket::bind(if target.ip.is_ipv4() {
        "0.0.0.0:0"
    } else {
        "[::]:0"
    })?;
    let mut to = target.socket_address();
    to.set_port(9);
    socket.connect(to)?;
    socket.local_addr().map(|local| local.ip())
}

/// The route of packets to the target, by the main table: the longest prefix, then the lowest
/// metric.
fn best_route<'a>(routes: &'a [Route], target: &Target) -> Option<&'a Route> {
    let scope = target.scope_id;
    let is_in_scope =
        |route: &&Route| scope == 0 || sys::interface_index(&route.interface) == Some(scope);
    let fitting = routes
        .iter()
        .filter(|route| contains(route, target.ip))
        .filter(is_in_scope);
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

#[cfg(test)]
mod tests {
    use std::net::Ipv6Addr;

    use super::*;

    fn route(network: &str, prefix_len: u8, gateway: &str, interface: &str, metric: u32) -> Route {
        let ip = |text: &str| text.parse().expect("an address");
        Route {
            network: ip(network),
            prefix_len,
            gateway: ip(gateway),
            interface: interface.into(),
            metric,
        }
    }

    fn table() -> Vec<Route> {
        vec![
            route("0.0.0.0", 0, "192.168.2.1", "wlan0", 600),
            route("0.0.0.0", 0, "192.168.1.1", "eth0", 100),
            route("192.168.1.0", 24, "0.0.0.0", "eth0", 100),
            route("0.0.0.0", 1, "0.0.0.0", "tun0", 50),
            route("::", 0, "fe80::1", "eth0", 1024),
            route("2001:db8::", 64, "::", "eth0", 256),
        ]
    }

    #[test]
    fn only_routes_with_prefix_length_0_are_default_routes() {
        let found = gateways_in(table());
        let ips: Vec<String> = found.iter().map(|gateway| gateway.ip.to_string()).collect();
        assert_eq!(ips, ["192.168.1.1", "192.168.2.1", "fe80::1"]);
        assert_eq!(
            (found[0].interface.as_str(), found[0].metric),
            ("eth0", 100)
        );
    }

    #[test]
    fn a_packet_takes_the_longest_prefix_and_then_the_lowest_metric() {
        let routes = table();
        let route_to = |ip: IpAddr| {
            let route =
                best_route(&routes, &Target { ip, scope_id: 0 }).expect("there is a default route");
            (
                route.interface.as_str(),
                route.prefix_len,
                route.gateway.is_unspecified(),
            )
        };
        assert_eq!(
            route_to([192, 168, 1, 77].into()),
            ("eth0", 24, true),
            "on the link"
        );
        assert_eq!(
            route_to([8, 8, 8, 8].into()),
            ("tun0", 1, true),
            "half the internet"
        );
        assert_eq!(
            route_to([200, 0, 0, 1].into()),
            ("eth0", 0, false),
            "by the better of two default routes"
        );
        assert_eq!(
            route_to("2001:db8::77".parse().expect("an address")),
            ("eth0", 64, true),
            "on the link over IPv6"
        );
        assert!(
            best_route(
                &routes[..4],
                &Target {
                    ip: Ipv6Addr::LOCALHOST.into(),
                    scope_id: 0
                }
            )
            .is_none()
        );
    }
}
