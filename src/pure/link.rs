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

impl Link {
    /// The text of an address that is reached over this link: with its interface where the address
    /// is link-local (RFC 4007 section 11).
    pub fn text_of(&self, ip: IpAddr) -> String {
        match ip {
            IpAddr::V6(v6) if v6.is_unicast_link_local() => format!("{ip}%{}", self.interface),
            _ => ip.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_local_address_is_shown_with_its_interface() {
        let link = Link {
            version: IpVersion::V6,
            interface: "eth0".into(),
            gateway: None,
        };
        let text = |ip: &str| link.text_of(ip.parse().expect("an address"));
        assert_eq!(text("fe80::1"), "fe80::1%eth0");
        assert_eq!(text("2001:db8::1"), "2001:db8::1");
        assert_eq!(text("169.254.0.1"), "169.254.0.1");
    }
}
