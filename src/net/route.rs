//! Routes of this machine: by which interface and gateway packets to a target leave, where the
//! target lies, and whether the interface can send. The kernel is asked in sys/; nothing here reads
//! its tables.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddrV6, UdpSocket};
use std::os::fd::AsFd;
use std::sync::Arc;

use super::Target;
use crate::pure::address::{IpVersion, Source};
use crate::pure::cause::NetworkPosition;
use crate::pure::link::Link;
use crate::sys::{self, Packet, Routes};

/// The kernel's choice for packets to a target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    pub position: NetworkPosition,
    /// `None` for an address of this machine, which packets do not leave.
    pub link: Option<Arc<Link>>,
}

/// The route of packets to the target. The error is that of a send: without a source address or a
/// route, or for a route that forbids it.
pub fn route_to(target: &Target, source: Option<&Source>) -> io::Result<Route> {
    let own = source_address_for(target, source)?;
    route_of(&packet_to(target, source, own, true), target)
}

/// The route of a packet to the target.
pub(super) fn route_of(packet: &Packet, target: &Target) -> io::Result<Route> {
    let this_machine = Route {
        position: NetworkPosition::ThisMachine,
        link: None,
    };
    if target.ip.is_loopback() || target.ip.is_unspecified() || target.ip == packet.from {
        return Ok(this_machine);
    }
    let mut routes = Routes::open()?;
    let found = routes.find(packet)?;
    if found.is_local {
        return Ok(this_machine);
    }
    if is_assumed_on_link(packet, &found) && has_neighbours(&routes, found.interface) {
        check_leads_there(&mut routes, packet)?;
    }
    // Routers do not forward packets from a link-local address: RFC 4291 section 2.5.6.
    if found.gateway.is_some() && is_link_local(packet.from) && !is_link_local(packet.to) {
        return Err(io::Error::from_raw_os_error(libc::EADDRNOTAVAIL));
    }
    let (position, gateway) = if found.gateway == Some(target.ip) {
        (NetworkPosition::Gateway, found.gateway)
    } else if found.gateway.is_some() {
        (NetworkPosition::BeyondGateway, found.gateway)
    } else {
        let far = Packet {
            to: far_address(target.version()),
            interface: Some(found.interface),
            ..*packet
        };
        let gateway = routes.find(&far).ok().and_then(|route| route.gateway);
        if gateway == Some(target.ip) {
            (NetworkPosition::Gateway, gateway)
        } else if is_on_link(&mut routes, packet) {
            (NetworkPosition::OnLink, gateway)
        } else {
            // By an interface without a gateway address, such as ppp0.
            (NetworkPosition::BeyondGateway, None)
        }
    };
    let link = routes.interface_name(found.interface).map(|interface| {
        Arc::new(Link {
            version: target.version(),
            interface,
            gateway,
        })
    });
    Ok(Route { position, link })
}

/// Without a route by the interface that a socket is bound to, Linux assumes that every IPv4 address
/// is on its link, and looks for a neighbour with it.
fn is_assumed_on_link(packet: &Packet, found: &sys::Route) -> bool {
    found.gateway.is_none() && packet.to.is_ipv4() && packet.interface.is_some()
}

/// Not a tunnel or a point-to-point line, which send everything to their end.
fn has_neighbours(routes: &Routes, interface: u32) -> bool {
    let name = routes.interface_name(interface);
    let state = name.and_then(|name| sys::interface_state(&name));
    state.is_none_or(|state| state.has_neighbours)
}

/// Fails where no route leads to the destination.
fn check_leads_there(routes: &mut Routes, packet: &Packet) -> io::Result<()> {
    let unreachable = |_| io::Error::from_raw_os_error(libc::ENETUNREACH);
    routes.entry(packet).map_err(unreachable).map(|_| ())
}

/// For a route without a gateway.
fn is_on_link(routes: &mut Routes, packet: &Packet) -> bool {
    routes
        .entry(packet)
        .is_ok_and(|entry| entry.is_none_or(|entry| entry.is_own_network(packet)))
}

/// `keeps_route`: whether the socket keeps the route that it found when it was connected.
pub(super) fn packet_to(
    target: &Target,
    source: Option<&Source>,
    own: IpAddr,
    keeps_route: bool,
) -> Packet {
    let bound = match source {
        Some(Source::Interface(name)) => sys::interface_index(name),
        _ => None,
    };
    Packet {
        to: target.ip,
        from: own,
        is_source_chosen: keeps_route && !matches!(source, Some(Source::Address(_))),
        interface: bound.or((target.scope_id != 0).then_some(target.scope_id)),
    }
}

/// An address that only a default route leads to: that of a.root-servers.net. Nothing is sent to
/// it.
fn far_address(version: IpVersion) -> IpAddr {
    match version {
        IpVersion::V4 => Ipv4Addr::new(198, 41, 0, 4).into(),
        IpVersion::V6 => Ipv6Addr::new(0x2001, 0x503, 0xba3e, 0, 0, 0, 2, 0x30).into(),
    }
}

/// The next hop of packets to the internet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gateway {
    /// `None` where the interface itself is all that the route names.
    pub ip: Option<IpAddr>,
    pub interface: String,
    /// The index of the interface.
    pub scope_id: u32,
}

impl Gateway {
    /// `None` without an address.
    pub fn target(&self) -> Option<Target> {
        let ip = self.ip?;
        Some(Target {
            ip,
            scope_id: if is_link_local(ip) { self.scope_id } else { 0 },
        })
    }
}

/// The default gateway of packets from this source. The error is NetworkUnreachable without a
/// default route.
pub fn default_gateway(version: IpVersion, source: Option<&Source>) -> io::Result<Gateway> {
    let far = Target {
        ip: far_address(version),
        scope_id: 0,
    };
    let own = source_address_for(&far, source)?;
    let mut routes = Routes::open()?;
    let packet = packet_to(&far, source, own, true);
    let found = routes.find(&packet)?;
    if is_assumed_on_link(&packet, &found) {
        check_leads_there(&mut routes, &packet)?;
    }
    let interface = routes
        .interface_name(found.interface)
        .ok_or_else(|| io::Error::from_raw_os_error(libc::ENODEV))?;
    Ok(Gateway {
        ip: found.gateway,
        interface,
        scope_id: found.interface,
    })
}

/// The gateway of a link as a target for pings; `None` where it has no address.
pub fn gateway_of(link: &Link) -> Option<Target> {
    let ip = link.gateway?;
    let scope_id = if is_link_local(ip) {
        sys::interface_index(&link.interface)?
    } else {
        0
    };
    Some(Target { ip, scope_id })
}

fn is_link_local(ip: IpAddr) -> bool {
    matches!(ip, IpAddr::V6(ip) if ip.is_unicast_link_local())
}

/// Why packets cannot leave by this interface: it is down or has no carrier. `None` where they can,
/// or where the system does not say.
pub fn interface_fault(interface: &str) -> Option<String> {
    let state = sys::interface_state(interface)?;
    match (state.is_up, state.has_carrier) {
        (false, _) => Some(format!("{interface} is down")),
        (true, false) => Some(format!("{interface} has no carrier")),
        (true, true) => None,
    }
}

/// The source address of packets to a target; an error without one, or without a route. Connecting
/// a UDP socket finds it and sends nothing.
pub(super) fn source_address_for(target: &Target, source: Option<&Source>) -> io::Result<IpAddr> {
    let unspecified: IpAddr = match target.version() {
        IpVersion::V4 => Ipv4Addr::UNSPECIFIED.into(),
        IpVersion::V6 => Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = match source {
        Some(Source::Address(IpAddr::V6(ip))) => {
            UdpSocket::bind(SocketAddrV6::new(*ip, 0, 0, target.scope_id))?
        }
        Some(Source::Address(ip)) => UdpSocket::bind((*ip, 0))?,
        _ => UdpSocket::bind((unspecified, 0))?,
    };
    if let Some(Source::Interface(name)) = source {
        sys::bind_to_interface(socket.as_fd(), name, target.version())?;
    }
    let mut to = target.socket_address();
    to.set_port(9);
    socket.connect(to)?;
    socket.local_addr().map(|local| local.ip())
}

/// Whether the target is the broadcast address of a network of this machine: connecting a socket to
/// it needs its permission (ip(7), EACCES).
pub(super) fn is_broadcast(target: &Target) -> bool {
    let mut to = target.socket_address();
    to.set_port(9);
    let may_connect = |is_permitted| -> io::Result<()> {
        let socket = UdpSocket::bind("0.0.0.0:0")?;
        socket.set_broadcast(is_permitted)?;
        socket.connect(to)
    };
    target.ip.is_ipv4()
        && may_connect(false).is_err_and(|error| error.kind() == io::ErrorKind::PermissionDenied)
        && may_connect(true).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_this_machine_have_no_link() {
        for ip in [Ipv4Addr::LOCALHOST.into(), Ipv4Addr::UNSPECIFIED.into()] {
            let target = Target { ip, scope_id: 0 };
            let route = route_to(&target, None).expect("loopback is up");
            assert_eq!(
                (route.position, route.link),
                (NetworkPosition::ThisMachine, None)
            );
            assert!(route_to(&target, None).is_ok());
        }
    }

    #[test]
    fn the_gateway_of_a_link_has_a_scope_only_where_it_is_link_local() {
        let link = |gateway: Option<&str>| Link {
            version: IpVersion::V6,
            interface: "lo".into(),
            gateway: gateway.map(|ip| ip.parse().expect("an address")),
        };
        let scope = |gateway| gateway_of(&link(gateway)).map(|target| target.scope_id);
        assert_eq!(scope(Some("fe80::1")), Some(1));
        assert_eq!(scope(Some("2001:db8::1")), Some(0));
        assert_eq!(scope(None), None);
    }
}
