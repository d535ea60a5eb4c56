//! Notifications of Linux about interfaces and their addresses: the groups RTMGRP_LINK and
//! RTMGRP_*_IFADDR of rtnetlink(7).

use std::io;
use std::mem;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use libc::c_int;

use super::check;
use super::netlink::{HEADER_LEN, attribute, ip_in, open_socket, part};
use crate::pure::link_history::LinkChange;

/// Sizes of `struct ifinfomsg` and `struct ifaddrmsg`.
const LINK_LEN: usize = 16;
const ADDRESS_LEN: usize = 8;
/// Linux 3.15: how often the interface has lost or got its carrier.
const IFLA_CARRIER_CHANGES: u16 = 35;
/// The most that the kernel puts into one message of a dump, unless the reader offers more:
/// NLMSG_GOODSIZE.
const MESSAGE_LEN: usize = 8192;

/// A socket that receives a message for every change.
#[derive(Debug)]
pub struct LinkEvents(OwnedFd);

impl LinkEvents {
    /// The present state of every interface arrives first.
    pub fn open() -> io::Result<LinkEvents> {
        let socket = open_socket(libc::SOCK_NONBLOCK)?;
        let fd = socket.as_raw_fd();
        // SAFETY: zeroes are a valid address.
        let mut address: libc::sockaddr_nl = unsafe { mem::zeroed() };
        address.nl_family = libc::AF_NETLINK as _;
        address.nl_groups =
            (libc::RTMGRP_LINK | libc::RTMGRP_IPV4_IFADDR | libc::RTMGRP_IPV6_IFADDR) as u32;
        let address_len = size_of::<libc::sockaddr_nl>() as libc::socklen_t;
        // SAFETY: the pointer and the length describe `address`.
        check(unsafe { libc::bind(fd, (&raw const address).cast(), address_len) })?;
        let mut request = [0_u8; HEADER_LEN + LINK_LEN];
        request[..4].copy_from_slice(&((HEADER_LEN + LINK_LEN) as u32).to_ne_bytes());
        request[4..6].copy_from_slice(&libc::RTM_GETLINK.to_ne_bytes());
        let flags = (libc::NLM_F_REQUEST | libc::NLM_F_DUMP) as u16;
        request[6..8].copy_from_slice(&flags.to_ne_bytes());
        // SAFETY: the pointer and the length describe `request`.
        let sent = unsafe { libc::send(fd, request.as_ptr().cast(), request.len(), 0) };
        if sent < 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(LinkEvents(socket))
    }

    /// Passes every queued change to `take`. The error ENOBUFS says that some were lost.
    pub fn read(&self, mut take: impl FnMut(LinkChange)) -> io::Result<()> {
        let mut bytes = vec![0; MESSAGE_LEN];
        loop {
            // SAFETY: the pointer and the length describe `bytes`.
            let len = unsafe {
                libc::recv(
                    self.0.as_raw_fd(),
                    bytes.as_mut_ptr().cast(),
                    bytes.len(),
                    0,
                )
            };
            let Ok(len) = usize::try_from(len) else {
                let error = io::Error::last_os_error();
                return match error.kind() {
                    io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted => Ok(()),
                    _ => Err(error),
                };
            };
            changes(bytes.get(..len).unwrap_or_default(), &mut take);
        }
    }
}

impl AsFd for LinkEvents {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Reads messages one after another, up to the first that is not whole.
pub(super) fn changes(mut bytes: &[u8], take: &mut impl FnMut(LinkChange)) {
    while let Some(len) = part(bytes, 0).map(u32::from_ne_bytes) {
        let len = len as usize;
        let Some(message) = bytes.get(..len).filter(|_| len >= HEADER_LEN) else {
            return;
        };
        if let Some(change) = change(message) {
            take(change);
        }
        bytes = bytes.get(len.next_multiple_of(4)..).unwrap_or_default();
    }
}

fn change(message: &[u8]) -> Option<LinkChange> {
    let kind = u16::from_ne_bytes(part(message, 4)?);
    let body = &message[HEADER_LEN..];
    match kind {
        libc::RTM_NEWLINK | libc::RTM_DELLINK => {
            // Others are about the ports of a bridge.
            if c_int::from(*body.first()?) != libc::AF_UNSPEC {
                return None;
            }
            let index = u32::from_ne_bytes(part(body, 4)?);
            let flags = i32::from_ne_bytes(part(body, 8)?);
            let needed = libc::IFF_UP | libc::IFF_RUNNING;
            let rest = body.get(LINK_LEN..)?;
            let name = value(rest, libc::IFLA_IFNAME)?;
            let name = name.split(|byte| *byte == 0).next().unwrap_or_default();
            let name = String::from_utf8_lossy(name).into_owned();
            if kind == libc::RTM_DELLINK {
                return Some(LinkChange::InterfaceGone { index, name });
            }
            Some(LinkChange::Interface {
                index,
                name,
                has_carrier: flags & needed == needed,
                carrier_changes: value(rest, IFLA_CARRIER_CHANGES)
                    .and_then(|bytes| part(bytes, 0))
                    .map_or(0, u32::from_ne_bytes),
            })
        }
        libc::RTM_NEWADDR | libc::RTM_DELADDR => {
            let rest = body.get(ADDRESS_LEN..)?;
            // On a link between two machines IFA_ADDRESS is the other's.
            let own = value(rest, libc::IFA_LOCAL).or_else(|| value(rest, libc::IFA_ADDRESS))?;
            let flags = value(rest, libc::IFA_FLAGS)
                .and_then(|bytes| part(bytes, 0))
                .map_or(u32::from(*body.get(2)?), u32::from_ne_bytes);
            // An IPv6 address cannot be used until it is known to be unique: RFC 4862 section 5.4.
            let is_tentative = flags & libc::IFA_F_TENTATIVE != 0;
            Some(LinkChange::Address {
                ip: ip_in(own)?,
                is_usable: kind == libc::RTM_NEWADDR && !is_tentative,
            })
        }
        _ => None,
    }
}

/// The value of the first attribute of a type.
fn value(mut bytes: &[u8], wanted: u16) -> Option<&[u8]> {
    loop {
        let (kind, value, after) = attribute(bytes)?;
        if kind == wanted {
            return Some(value);
        }
        bytes = after;
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv6Addr};

    use super::*;

    fn message(kind: u16, fixed: &[u8], attributes: &[(u16, &[u8])]) -> Vec<u8> {
        let mut bytes = vec![0; HEADER_LEN];
        bytes[4..6].copy_from_slice(&kind.to_ne_bytes());
        bytes.extend(fixed);
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

    fn link(kind: u16, family: u8, flags: i32) -> Vec<u8> {
        let mut fixed = [0; LINK_LEN];
        fixed[0] = family;
        fixed[4..8].copy_from_slice(&3_u32.to_ne_bytes());
        fixed[8..12].copy_from_slice(&flags.to_ne_bytes());
        let changes = 7_u32.to_ne_bytes();
        let attributes = [
            (libc::IFLA_IFNAME, &b"eth0\0"[..]),
            (IFLA_CARRIER_CHANGES, &changes),
        ];
        message(kind, &fixed, &attributes)
    }

    fn read(bytes: &[u8]) -> Vec<LinkChange> {
        let mut found = Vec::new();
        changes(bytes, &mut |change| found.push(change));
        found
    }

    fn interface(has_carrier: bool) -> LinkChange {
        LinkChange::Interface {
            index: 3,
            name: "eth0".into(),
            has_carrier,
            carrier_changes: 7,
        }
    }

    #[test]
    fn interfaces_and_addresses_are_read_from_several_messages() {
        let running = libc::IFF_UP | libc::IFF_RUNNING;
        let tentative = libc::IFA_F_TENTATIVE.to_ne_bytes();
        let (own, peer) = ([10, 0, 0, 2], [10, 0, 0, 1]);
        let own6: Ipv6Addr = "fd20::2".parse().expect("an address");
        let address = |family: u8| [family, 24, 0, 0, 3, 0, 0, 0];
        let all = [
            link(libc::RTM_NEWLINK, 0, running),
            link(libc::RTM_NEWLINK, 0, libc::IFF_UP),
            link(libc::RTM_DELLINK, 7, running),
            link(libc::RTM_DELLINK, 0, running),
            message(
                libc::RTM_DELADDR,
                &address(2),
                &[(libc::IFA_ADDRESS, &peer), (libc::IFA_LOCAL, &own)],
            ),
            message(
                libc::RTM_NEWADDR,
                &address(10),
                &[
                    (libc::IFA_ADDRESS, &own6.octets()),
                    (libc::IFA_FLAGS, &tentative),
                ],
            ),
            message(
                libc::RTM_NEWADDR,
                &address(10),
                &[(libc::IFA_ADDRESS, &own6.octets())],
            ),
        ]
        .concat();
        let address = |ip: IpAddr, is_usable| LinkChange::Address { ip, is_usable };
        assert_eq!(
            read(&all),
            [
                interface(true),
                interface(false),
                LinkChange::InterfaceGone {
                    index: 3,
                    name: "eth0".into()
                },
                address(own.into(), false),
                address(own6.into(), false),
                address(own6.into(), true),
            ]
        );
    }

    #[test]
    fn a_message_that_is_cut_or_changed_never_makes_the_parser_panic() {
        let whole = link(libc::RTM_NEWLINK, 0, libc::IFF_UP);
        for len in 0..whole.len() {
            assert_eq!(read(&whole[..len]), [], "cut at {len}");
        }
        for position in 0..whole.len() {
            for value in 0..=u8::MAX {
                let mut changed = whole.clone();
                changed[position] = value;
                drop(read(&changed));
            }
        }
    }

    #[test]
    fn the_state_of_every_interface_arrives_first() {
        let events = LinkEvents::open().expect("a netlink socket");
        let mut names = Vec::new();
        // The kernel has answered when send returns; a long dump comes in parts.
        events
            .read(|change| {
                if let LinkChange::Interface { name, .. } = change {
                    names.push(name);
                }
            })
            .expect("it can be read");
        assert!(names.contains(&"lo".to_string()), "{names:?}");
    }
}
