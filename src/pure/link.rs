//! The link of a host: the interface and gateway by which its packets leave this machine. Hosts
//! with the same link fail together when it fails.

use std::net::IpAddr;

use crate::pure::address::IpVersion;

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Link {
    pub version: IpVersion,
    pub interface: String,
    /// The next hop of packets to the host. For a host on the interface's own network, and for the
    /// gateway itself, the default gateway by that interface. `None` where there is no such address
    /// (PPP, WireGuard). IPv4 packets may have an IPv6 gateway.
    pub gateway: Option<IpAddr>,
}
