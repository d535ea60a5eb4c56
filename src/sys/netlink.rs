//! Asks the kernel of Linux how it would send a packet: RTM_GETROUTE, rtnetlink(7). One question
//! costs the same with any number of routes. What policy rules, metrics, several next hops and
//! interfaces without a carrier decide is in the answer.

use std::io;
use std::mem;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use libc::c_int;

use super::{Packet, Route, check};

/// Sizes of `struct nlmsghdr` and `struct rtmsg`.
pub(super) const HEADER_LEN: usize = 16;
const ROUTE_LEN: usize = 12;
/// Requests the entry of the routing table instead of the route made from it. Kernels before 4.13
/// ignore that.
const FIB_MATCH: u32 = 0x2000;
/// The answer is not an entry of the table.
const CLONED: u32 = 0x200;
/// RTPROT_KERNEL: the kernel made the route when an address was added to the interface.
const BY_KERNEL: u8 = 2;
/// linux/rtnetlink.h.
const RTA_VIA: u16 = 18;
const RTA_IP_PROTO: u16 = 27;
/// Enough for the header and the attributes that are read; the rest of an answer is cut off.
const ANSWER_LEN: usize = 512;

/// A netlink socket that is asked for routes.
#[derive(Debug)]
pub struct Routes {
    socket: OwnedFd,
    sequence: u32,
}

/// A socket of rtnetlink(7), with further flags of its type.
pub(super) fn open_socket(flags: c_int) -> io::Result<OwnedFd> {
    let kind = libc::SOCK_RAW | libc::SOCK_CLOEXEC | flags;
    // SAFETY: a system call without pointers.
    let fd = check(unsafe { libc::socket(libc::AF_NETLINK, kind, libc::NETLINK_ROUTE) })?;
    // SAFETY: a new descriptor without another owner.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

impl Routes {
    pub fn open() -> io::Result<Routes> {
        Ok(Routes {
            socket: open_socket(0)?,
            sequence: 0,
        })
    }

    /// The route of a packet. The error is that of a send: ENETUNREACH without a route, EHOSTUNREACH,
    /// EACCES or EINVAL for a route of type unreachable, prohibit or blackhole.
    pub fn find(&mut self, packet: &Packet) -> io::Result<Route> {
        self.ask_as_sent(packet, 0).map(|(route, _)| route)
    }

    /// The entry of the routing tables from which the route is made; `None` from a kernel that does
    /// not return it.
    pub fn entry(&mut self, packet: &Packet) -> io::Result<Option<Route>> {
        let (route, flags) = self.ask_as_sent(packet, FIB_MATCH)?;
        Ok(Some(route).filter(|_| flags & CLONED == 0))
    }

    /// The name of an interface: SIOCGIFNAME in netdevice(7).
    pub fn interface_name(&self, index: u32) -> Option<String> {
        // SAFETY: zeroes are a valid ifreq.
        let mut request: libc::ifreq = unsafe { mem::zeroed() };
        request.ifr_ifru.ifru_ifindex = c_int::try_from(index).ok()?;
        // SAFETY: the pointer is to a whole ifreq, which the call fills in.
        check(unsafe {
            libc::ioctl(
                self.socket.as_raw_fd(),
                libc::SIOCGIFNAME as _,
                &raw mut request,
            )
        })
        .ok()?;
        let bytes = request.ifr_name.iter().map(|byte| byte.to_ne_bytes()[0]);
        String::from_utf8(bytes.take_while(|byte| *byte != 0).collect()).ok()
    }

    fn ask_as_sent(&mut self, packet: &Packet, flags: u32) -> io::Result<(Route, u32)> {
        if packet.to.is_ipv4() {
            return self.ask(packet, Some(packet.from), flags);
        }
        // With a source address the kernel takes the interface of an IPv6 packet for a preference
        // (ip6_route_output_flags_noref in net/ipv6/route.c), which that of a bound socket is not.
        if (packet.is_source_chosen || packet.interface.is_some())
            && let Ok(found) = self.ask(packet, None, flags)
        {
            return Ok(found);
        }
        let found = self.ask(packet, Some(packet.from), flags)?;
        match packet.interface {
            Some(index) if index != found.0.interface => {
                Err(io::Error::from_raw_os_error(libc::ENETUNREACH))
            }
            _ => Ok(found),
        }
    }

    /// Returns the flags of the answer too.
    fn ask(
        &mut self,
        packet: &Packet,
        from: Option<IpAddr>,
        flags: u32,
    ) -> io::Result<(Route, u32)> {
        match self.exchange(packet, from, flags, true) {
            // Linux 4.17 to 5.0 know no ICMPv6 there.
            Err(error) if error.raw_os_error() == Some(libc::EOPNOTSUPP) => {
                self.exchange(packet, from, flags, false)
            }
            result => result,
        }
    }

    fn exchange(
        &mut self,
        packet: &Packet,
        from: Option<IpAddr>,
        flags: u32,
        names_protocol: bool,
    ) -> io::Result<(Route, u32)> {
        self.sequence = self.sequence.wrapping_add(1);
        let request = request(packet, from, flags, self.sequence, names_protocol);
        // SAFETY: the pointer and the length describe `request`. Without an address it goes to the
        // kernel.
        let sent = unsafe {
            libc::send(
                self.socket.as_raw_fd(),
                request.as_ptr().cast(),
                request.len(),
                0,
            )
        };
        if sent < 0 {
            return Err(io::Error::last_os_error());
        }
        // The kernel has answered when send returns. Earlier answers may be left.
        for _ in 0..8 {
            let mut bytes = [0; ANSWER_LEN];
            let message = self.receive(&mut bytes)?;
            if let Some(answer) = answer(message, self.sequence) {
                return answer;
            }
        }
        Err(io::ErrorKind::InvalidData.into())
    }

    /// A message from the kernel; empty when it is from another program.
    fn receive<'a>(&self, bytes: &'a mut [u8]) -> io::Result<&'a [u8]> {
        // SAFETY: zeroes are a valid address.
        let mut sender: libc::sockaddr_nl = unsafe { mem::zeroed() };
        let mut sender_len = size_of::<libc::sockaddr_nl>() as libc::socklen_t;
        // SAFETY: the pointers and lengths describe `bytes` and `sender`.
        let len = unsafe {
            libc::recvfrom(
                self.socket.as_raw_fd(),
                bytes.as_mut_ptr().cast(),
                bytes.len(),
                libc::MSG_DONTWAIT,
                (&raw mut sender).cast(),
                &raw mut sender_len,
            )
        };
        let len = usize::try_from(len).map_err(|_| io::Error::last_os_error())?;
        let is_kernel = sender.nl_pid == 0;
        Ok(bytes.get(..len).filter(|_| is_kernel).unwrap_or_default())
    }
}

/// A message that asks for the route of a packet: `struct nlmsghdr`, `struct rtmsg`, attributes. The
/// protocol is part of policy rules and of the choice among several next hops.
fn request(
    packet: &Packet,
    from: Option<IpAddr>,
    flags: u32,
    sequence: u32,
    names_protocol: bool,
) -> Vec<u8> {
    let (family, bits, protocol) = if packet.to.is_ipv4() {
        (libc::AF_INET, 32, libc::IPPROTO_ICMP)
    } else {
        (libc::AF_INET6, 128, libc::IPPROTO_ICMPV6)
    };
    let mut message = vec![0; HEADER_LEN];
    message[4..6].copy_from_slice(&libc::RTM_GETROUTE.to_ne_bytes());
    message[6..8].copy_from_slice(&(libc::NLM_F_REQUEST as u16).to_ne_bytes());
    message[8..12].copy_from_slice(&sequence.to_ne_bytes());
    let source_bits = from.map_or(0, |_| bits);
    message.extend([
        family.unsigned_abs() as u8,
        bits,
        source_bits,
        0,
        0,
        0,
        0,
        0,
    ]);
    message.extend(flags.to_ne_bytes());
    let mut add = |kind: u16, value: &[u8]| {
        message.extend((value.len() as u16 + 4).to_ne_bytes());
        message.extend(kind.to_ne_bytes());
        message.extend(value);
    };
    add(libc::RTA_DST, &octets(packet.to));
    if let Some(from) = from {
        add(libc::RTA_SRC, &octets(from));
    }
    if let Some(interface) = packet.interface {
        add(libc::RTA_OIF, &interface.to_ne_bytes());
    }
    if names_protocol {
        add(RTA_IP_PROTO, &[protocol.unsigned_abs() as u8]);
    }
    let len = message.len() as u32;
    message[..4].copy_from_slice(&len.to_ne_bytes());
    message
}

fn octets(ip: IpAddr) -> Vec<u8> {
    match ip {
        IpAddr::V4(ip) => ip.octets().to_vec(),
        IpAddr::V6(ip) => ip.octets().to_vec(),
    }
}

/// The route in an answer to the request with this sequence number, and its flags; `None` for any
/// other message. A truncated answer is read up to its last whole attribute.
pub(super) fn answer(message: &[u8], sequence: u32) -> Option<io::Result<(Route, u32)>> {
    let kind = u16::from_ne_bytes(part(message, 4)?);
    if u32::from_ne_bytes(part(message, 8)?) != sequence {
        return None;
    }
    if c_int::from(kind) == libc::NLMSG_ERROR {
        let errno = i32::from_ne_bytes(part(message, HEADER_LEN)?);
        return Some(Err(io::Error::from_raw_os_error(errno.wrapping_neg())));
    }
    let fixed = message.get(HEADER_LEN..HEADER_LEN + ROUTE_LEN)?;
    if kind != libc::RTM_NEWROUTE {
        return None;
    }
    let flags = u32::from_ne_bytes(part(fixed, 8)?);
    let mut route = Route {
        is_local: fixed[7] == libc::RTN_LOCAL,
        interface: 0,
        gateway: None,
        prefix_len: fixed[1],
        is_by_kernel: fixed[5] == BY_KERNEL,
    };
    let mut rest = message.get(HEADER_LEN + ROUTE_LEN..).unwrap_or_default();
    while let Some((kind, value, after)) = attribute(rest) {
        match kind {
            libc::RTA_OIF => route.interface = part(value, 0).map_or(0, u32::from_ne_bytes),
            libc::RTA_GATEWAY => route.gateway = ip_in(value),
            // `struct rtvia`: a family, then the address.
            RTA_VIA => route.gateway = value.get(2..).and_then(ip_in),
            _ => {}
        }
        rest = after;
    }
    // A next hop of zeroes is none.
    route.gateway = route.gateway.filter(|ip| !ip.is_unspecified());
    Some(Ok((route, flags)))
}

/// Splits off the first attribute, `struct rtattr`: its type and its value.
pub(super) fn attribute(bytes: &[u8]) -> Option<(u16, &[u8], &[u8])> {
    let len = usize::from(u16::from_ne_bytes(part(bytes, 0)?));
    // The upper bits are flags: NLA_TYPE_MASK.
    let kind = u16::from_ne_bytes(part(bytes, 2)?) & 0x3fff;
    let value = bytes.get(4..len)?;
    let after = bytes.get(len.next_multiple_of(4)..).unwrap_or_default();
    Some((kind, value, after))
}

pub(super) fn part<const LEN: usize>(bytes: &[u8], at: usize) -> Option<[u8; LEN]> {
    bytes.get(at..at + LEN)?.try_into().ok()
}

pub(super) fn ip_in(bytes: &[u8]) -> Option<IpAddr> {
    match bytes.len() {
        4 => part::<4>(bytes, 0).map(|octets| Ipv4Addr::from(octets).into()),
        16 => part::<16>(bytes, 0).map(|octets| Ipv6Addr::from(octets).into()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An answer with the attributes given as type and value.
    fn message(route: [u8; ROUTE_LEN], attributes: &[(u16, &[u8])]) -> Vec<u8> {
        let mut bytes = vec![0; HEADER_LEN];
        bytes[4..6].copy_from_slice(&libc::RTM_NEWROUTE.to_ne_bytes());
        bytes[8..12].copy_from_slice(&7u32.to_ne_bytes());
        bytes.extend(route);
        for (kind, value) in attributes {
            bytes.extend((value.len() as u16 + 4).to_ne_bytes());
            bytes.extend(kind.to_ne_bytes());
            bytes.extend_from_slice(value);
            bytes.resize(bytes.len().next_multiple_of(4), 0);
        }
        let len = bytes.len() as u32;
        bytes[..4].copy_from_slice(&len.to_ne_bytes());
        bytes
    }

    fn fixed(fixed: [u8; 8], flags: u32) -> [u8; ROUTE_LEN] {
        let mut bytes = [0; ROUTE_LEN];
        bytes[..8].copy_from_slice(&fixed);
        bytes[8..].copy_from_slice(&flags.to_ne_bytes());
        bytes
    }

    fn over_ipv6_gateway() -> Vec<u8> {
        let mut via = (libc::AF_INET6 as u16).to_ne_bytes().to_vec();
        via.extend("fe80::1".parse::<Ipv6Addr>().expect("an address").octets());
        message(
            fixed([2, 32, 0, 0, 254, 0, 0, 1], CLONED),
            &[
                (libc::RTA_DST, &[8, 8, 8, 8]),
                (libc::RTA_OIF, &3u32.to_ne_bytes()),
                (libc::RTA_PREFSRC, &[10, 0, 0, 2]),
                (RTA_VIA, &via),
            ],
        )
    }

    #[test]
    fn the_next_hop_of_an_ipv4_route_may_be_an_ipv6_address() {
        let (route, flags) = answer(&over_ipv6_gateway(), 7)
            .expect("the answer")
            .expect("a route");
        assert_eq!(
            (route.interface, route.gateway.map(|ip| ip.to_string())),
            (3, Some("fe80::1".to_string()))
        );
        assert!(!route.is_local && flags & CLONED != 0);
        let unspecified = message(
            fixed([2, 0, 0, 0, 254, 3, 0, 1], 0),
            &[(libc::RTA_GATEWAY, &[0; 4])],
        );
        let (route, _) = answer(&unspecified, 7)
            .expect("the answer")
            .expect("a route");
        assert_eq!((route.prefix_len, route.gateway), (0, None));
    }

    #[test]
    fn an_answer_that_is_cut_changed_or_anothers_never_makes_the_parser_panic() {
        let whole = over_ipv6_gateway();
        // The last two bytes are padding.
        for len in 0..whole.len() - 2 {
            if let Some(Ok((route, _))) = answer(&whole[..len], 7) {
                assert!(route.gateway.is_none(), "cut at {len}");
            }
        }
        for position in 0..whole.len() {
            for value in 0..=u8::MAX {
                let mut changed = whole.clone();
                changed[position] = value;
                drop(answer(&changed, 7));
            }
        }
        assert!(answer(&whole, 8).is_none(), "the answer to another request");
        let mut refused = whole;
        refused[4..6].copy_from_slice(&(libc::NLMSG_ERROR as u16).to_ne_bytes());
        refused[16..20].copy_from_slice(&(-libc::ENETUNREACH).to_ne_bytes());
        let error = answer(&refused, 7).expect("the answer").err();
        assert_eq!(
            error.and_then(|error| error.raw_os_error()),
            Some(libc::ENETUNREACH)
        );
        refused[16..20].copy_from_slice(&i32::MIN.to_ne_bytes());
        assert!(answer(&refused, 7).is_some_and(|answer| answer.is_err()));
    }

    #[test]
    fn the_kernel_names_loopback_for_an_address_of_this_machine() {
        let mut routes = Routes::open().expect("a netlink socket");
        let packet = Packet {
            to: Ipv4Addr::LOCALHOST.into(),
            from: Ipv4Addr::LOCALHOST.into(),
            is_source_chosen: true,
            interface: None,
        };
        let route = routes.find(&packet).expect("a route");
        assert!(route.is_local && route.gateway.is_none());
        assert_eq!(
            routes.interface_name(route.interface).as_deref(),
            Some("lo")
        );
        assert_eq!(routes.interface_name(u32::MAX), None);
    }
}
