//! Addresses of hosts: the version of IP, what a configured address means, and the source of pings.
//! Parsed once, so that no caller has to decide again whether a text is a literal address or a name.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

/// A version of IP. Where a host may use either, it is `None`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum IpVersion {
    V4,
    V6,
}

impl IpVersion {
    pub const ALL: [IpVersion; 2] = [IpVersion::V4, IpVersion::V6];

    pub fn of(ip: IpAddr) -> IpVersion {
        if ip.is_ipv4() {
            IpVersion::V4
        } else {
            IpVersion::V6
        }
    }

    /// 4 or 6; `None` for any other number.
    pub fn from_number(number: i64) -> Option<IpVersion> {
        IpVersion::ALL
            .into_iter()
            .find(|version| version.number() == number)
    }

    pub fn number(self) -> i64 {
        match self {
            IpVersion::V4 => 4,
            IpVersion::V6 => 6,
        }
    }

    /// Whether a host of this family may be pinged at an address.
    pub fn admits(family: Option<IpVersion>, ip: IpAddr) -> bool {
        family.is_none_or(|version| version == IpVersion::of(ip))
    }

    /// A family as the configuration writes it.
    pub fn family_word(family: Option<IpVersion>) -> &'static str {
        match family {
            Some(IpVersion::V4) => "4",
            Some(IpVersion::V6) => "6",
            None => "any",
        }
    }

    /// The column `host.family`: 4, 6, or 0 where a host may use either version.
    pub fn family_column(family: Option<IpVersion>) -> i64 {
        family.map_or(0, IpVersion::number)
    }
}

impl fmt::Display for IpVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "IPv{}", self.number())
    }
}

/// The address of a host as the user wrote it or the database recorded it, and what it means. Two
/// addresses are equal when their texts are: the text is part of a host's identity in the database.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct HostAddress {
    text: String,
    kind: AddressKind,
}

/// What an address means.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum AddressKind {
    /// This machine's default gateway, looked up at each check.
    Gateway,
    Ip(IpAddr),
    /// An IPv6 address with its zone, the name or index of an interface (RFC 4007).
    Scoped(Ipv6Addr, String),
    /// A name for the resolver.
    Name,
}

impl HostAddress {
    /// The text that means this machine's default gateway.
    pub const GATEWAY: &str = "gateway";

    pub fn as_str(&self) -> &str {
        &self.text
    }

    pub fn kind(&self) -> &AddressKind {
        &self.kind
    }

    /// The literal address, without its zone.
    pub fn ip(&self) -> Option<IpAddr> {
        match &self.kind {
            AddressKind::Ip(ip) => Some(*ip),
            AddressKind::Scoped(ip, _) => Some(IpAddr::V6(*ip)),
            AddressKind::Gateway | AddressKind::Name => None,
        }
    }

    /// Equal for the addresses of one host: for `0:0::1` and `::1`, and for a name in any case, with
    /// and without its last dot.
    pub fn identity(&self) -> (AddressKind, Option<String>) {
        let name = self.text.strip_suffix('.').unwrap_or(&self.text);
        let name = self.is_name().then(|| name.to_ascii_lowercase());
        (self.kind.clone(), name)
    }

    pub fn is_gateway(&self) -> bool {
        self.kind == AddressKind::Gateway
    }

    pub fn is_name(&self) -> bool {
        self.kind == AddressKind::Name
    }
}

impl From<&str> for HostAddress {
    /// Whatever is neither `gateway` nor an IP address is a name; config/ checks
    /// whether the name is valid.
    fn from(text: &str) -> HostAddress {
        let kind = if text == HostAddress::GATEWAY {
            AddressKind::Gateway
        } else if let Ok(ip) = text.parse() {
            AddressKind::Ip(ip)
        } else {
            text.split_once('%')
                .and_then(|(ip, zone)| Some(AddressKind::Scoped(ip.parse().ok()?, zone.into())))
                .unwrap_or(AddressKind::Name)
        };
        HostAddress {
            text: text.to_owned(),
            kind,
        }
    }
}

impl fmt::Display for HostAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

/// The source of a host's pings: an address or an interface of this machine.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Source {
    Address(IpAddr),
    Interface(String),
}

impl From<&str> for Source {
    /// Whatever is no IP address is an interface; config/ checks whether it is a valid name.
    fn from(text: &str) -> Source {
        match text.parse() {
            Ok(address) => Source::Address(address),
            Err(_) => Source::Interface(text.to_owned()),
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::Address(address) => address.fmt(f),
            Source::Interface(name) => f.write_str(name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_literal_the_gateway_or_a_name() {
        let kind = |text: &str| HostAddress::from(text).kind;
        assert_eq!(kind("gateway"), AddressKind::Gateway);
        assert_eq!(kind("8.8.8.8"), AddressKind::Ip([8, 8, 8, 8].into()));
        assert_eq!(kind("::1"), AddressKind::Ip(Ipv6Addr::LOCALHOST.into()));
        assert_eq!(
            kind("fe80::1%eth0"),
            AddressKind::Scoped("fe80::1".parse().expect("an address"), "eth0".into())
        );
        for name in ["localhost", "Gateway", "1.2.3.4%eth0", "a%b", ""] {
            assert_eq!(kind(name), AddressKind::Name, "{name}");
        }
    }

    #[test]
    fn only_a_literal_has_an_ip_address() {
        for (text, ip, is_gateway, is_name) in [
            ("gateway", None, true, false),
            ("8.8.8.8", Some("8.8.8.8"), false, false),
            ("fe80::1%eth0", Some("fe80::1"), false, false),
            ("localhost", None, false, true),
        ] {
            let address = HostAddress::from(text);
            let ip = ip.map(|ip| ip.parse().expect("an address"));
            assert_eq!(address.ip(), ip, "{text}");
            assert_eq!(address.is_gateway(), is_gateway, "{text}");
            assert_eq!(address.is_name(), is_name, "{text}");
        }
    }

    #[test]
    fn a_family_is_stored_as_4_6_or_0() {
        for family in [None, Some(IpVersion::V4), Some(IpVersion::V6)] {
            let column = IpVersion::family_column(family);
            assert_eq!(IpVersion::from_number(column), family);
        }
        assert_eq!(IpVersion::from_number(5), None);
        assert_eq!(IpVersion::V6.to_string(), "IPv6");
    }
}
