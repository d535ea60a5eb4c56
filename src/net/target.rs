//! A target of pings: a resolved address.

use std::net::{IpAddr, SocketAddr, SocketAddrV6};

use crate::pure::address::IpVersion;

/// An IP address that can be pinged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target {
    pub ip: IpAddr,
    /// Interface index of a link-local IPv6 address, else 0.
    pub scope_id: u32,
}

impl Target {
    pub fn version(&self) -> IpVersion {
        IpVersion::of(self.ip)
    }

    /// With port 0.
    pub fn socket_address(&self) -> SocketAddr {
        match self.ip {
            IpAddr::V4(_) => SocketAddr::new(self.ip, 0),
            IpAddr::V6(ip) => SocketAddrV6::new(ip, 0, 0, self.scope_id).into(),
        }
    }
}

impl From<SocketAddr> for Target {
    fn from(address: SocketAddr) -> Target {
        let scope_id = if let SocketAddr::V6(v6) = address {
            v6.scope_id()
        } else {
            0
        };
        Target {
            ip: address.ip(),
            scope_id,
        }
    }
}
