//! Which address of a name is pinged. The address in use is kept as long as the name still has it,
//! and while the name does not resolve or leads to addresses that cannot be the host's.

use std::net::{IpAddr, SocketAddr};

use crate::pure::address::{HostAddress, IpVersion};

/// Why a name leads to no address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NameFault {
    /// The lookup failed, or its addresses cannot be the host's.
    Unresolved(String),
    /// The name has no address of the host's family.
    NoAddress(String),
}

impl NameFault {
    pub fn reason(&self) -> &str {
        match self {
            NameFault::Unresolved(reason) | NameFault::NoAddress(reason) => reason,
        }
    }
}

/// The addresses of a name, by the answers of the resolver. A socket address has the scope of a
/// link-local address; its port means nothing.
#[derive(Clone, Debug)]
pub struct NameAddresses {
    name: HostAddress,
    family: Option<IpVersion>,
    /// The last good address.
    in_use: Option<SocketAddr>,
    /// The other addresses of the newest good answer.
    others: Vec<SocketAddr>,
    fault: Option<NameFault>,
}

/// A name has more addresses only by mistake.
const MAX_OTHERS: usize = 7;

impl NameAddresses {
    pub fn new(name: HostAddress, family: Option<IpVersion>) -> NameAddresses {
        NameAddresses {
            name,
            family,
            in_use: None,
            others: Vec::new(),
            fault: None,
        }
    }

    /// Takes the resolver's answer, or why there is none. `unfit` says why an address cannot be
    /// that of a host, as far as this depends on this machine.
    pub fn answer(
        &mut self,
        answer: Result<Vec<SocketAddr>, String>,
        unfit: impl Fn(SocketAddr) -> Option<&'static str>,
    ) {
        let addresses = match answer {
            Ok(addresses) => addresses,
            Err(reason) => return self.fault = Some(NameFault::Unresolved(reason)),
        };
        let mut admitted: Vec<SocketAddr> = Vec::new();
        for address in addresses.into_iter().map(canonical) {
            if IpVersion::admits(self.family, address.ip()) && !admitted.contains(&address) {
                admitted.push(address);
            }
        }
        if admitted.is_empty() {
            let version = self
                .family
                .map_or(String::new(), |version| format!("{version} "));
            let reason = format!("{} has no {version}address", self.name);
            (self.in_use, self.others) = (None, Vec::new());
            return self.fault = Some(NameFault::NoAddress(reason));
        }
        let wrong = |address: SocketAddr| {
            let fault = self.unfit(address).or_else(|| unfit(address))?;
            Some(format!("{} resolves to {}{fault}", self.name, address.ip()))
        };
        let first_wrong = wrong(admitted[0]);
        admitted.retain(|address| wrong(*address).is_none());
        let Some(first) = admitted.first().copied() else {
            return self.fault = first_wrong.map(NameFault::Unresolved);
        };
        let in_use = self.in_use.filter(|address| admitted.contains(address));
        let in_use = in_use.unwrap_or(first);
        admitted.retain(|address| *address != in_use);
        admitted.truncate(MAX_OTHERS);
        (self.in_use, self.others, self.fault) = (Some(in_use), admitted, None);
    }

    /// What is said of an address that is no host's on any machine.
    fn unfit(&self, address: SocketAddr) -> Option<&'static str> {
        let ip = address.ip();
        let is_this_network = match ip {
            IpAddr::V4(ip) => ip.octets()[0] == 0,
            IpAddr::V6(ip) => ip.is_unspecified(),
        };
        if is_this_network || (ip.is_loopback() && !names_loopback(self.name.as_str())) {
            Some("")
        } else if ip.is_multicast() {
            Some(", a multicast address")
        } else if ip == IpAddr::from([255; 4]) {
            Some(", a broadcast address")
        } else if matches!(address, SocketAddr::V6(v6) if v6.ip().is_unicast_link_local() && v6.scope_id() == 0)
        {
            Some(", a link-local address without its interface")
        } else {
            None
        }
    }

    pub fn in_use(&self) -> Option<SocketAddr> {
        self.in_use
    }

    pub fn others(&self) -> &[SocketAddr] {
        &self.others
    }

    /// Uses another address of the name from now on.
    pub fn switch_to(&mut self, address: SocketAddr) {
        if let Some(other) = self.others.iter_mut().find(|other| **other == address)
            && let Some(in_use) = &mut self.in_use
        {
            std::mem::swap(other, in_use);
        }
    }

    /// Why the newest answer led to no address.
    pub fn fault(&self) -> Option<&NameFault> {
        self.fault.as_ref()
    }
}

/// `::ffff:192.0.2.1` is the IPv4 address (RFC 4291, section 2.5.5.2).
fn canonical(address: SocketAddr) -> SocketAddr {
    match address.ip().to_canonical() {
        IpAddr::V4(ip) => SocketAddr::new(ip.into(), 0),
        IpAddr::V6(_) => address,
    }
}

/// Whether a name is one of the loopback addresses (RFC 6761, section 6.3, and the names of
/// /etc/hosts in common distributions).
fn names_loopback(name: &str) -> bool {
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    let is_localhost = |label: &str| matches!(label, "localhost" | "localhost4" | "localhost6");
    name.rsplit('.').next().is_some_and(is_localhost)
        || name.split('.').next().is_some_and(is_localhost)
        || matches!(name.as_str(), "ip6-localhost" | "ip6-loopback")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(texts: &[&str]) -> Vec<SocketAddr> {
        let address = |text: &&str| SocketAddr::new(text.parse().expect("an address"), 0);
        texts.iter().map(address).collect()
    }

    fn name(text: &str, family: Option<IpVersion>) -> NameAddresses {
        NameAddresses::new(text.into(), family)
    }

    /// The address in use and the reason of the fault after an answer.
    fn after(name: &mut NameAddresses, answer: &[&str]) -> (Option<String>, String) {
        name.answer(Ok(addresses(answer)), |_| None);
        let in_use = name.in_use().map(|address| address.ip().to_string());
        (
            in_use,
            name.fault()
                .map_or(String::new(), |fault| fault.reason().to_owned()),
        )
    }

    #[test]
    fn an_answer_that_cannot_be_the_hosts_address_is_a_fault_and_the_last_good_one_is_kept() {
        for (wrong, said) in [
            ("0.0.0.0", "0.0.0.0"),
            ("0.1.2.3", "0.1.2.3"),
            ("::", "::"),
            ("127.0.0.1", "127.0.0.1"),
            ("127.0.1.1", "127.0.1.1"),
            ("::1", "::1"),
            ("224.0.0.1", "224.0.0.1, a multicast address"),
            ("ff02::1", "ff02::1, a multicast address"),
            (
                "fe80::1",
                "fe80::1, a link-local address without its interface",
            ),
            ("255.255.255.255", "255.255.255.255, a broadcast address"),
            ("::ffff:0.0.0.0", "0.0.0.0"),
            ("::ffff:127.0.0.1", "127.0.0.1"),
            ("::ffff:224.0.0.1", "224.0.0.1, a multicast address"),
        ] {
            let reason = format!("a.test resolves to {said}");
            let mut fresh = name("a.test", None);
            assert_eq!(after(&mut fresh, &[wrong]), (None, reason.clone()));
            let good = (Some("192.0.2.1".to_owned()), String::new());
            assert_eq!(after(&mut fresh, &["192.0.2.1"]), good);
            assert_eq!(after(&mut fresh, &[wrong]), (good.0.clone(), reason));
            assert_eq!(
                after(&mut fresh, &[wrong, "192.0.2.1"]),
                good,
                "one of two is good"
            );
        }
    }

    #[test]
    fn a_link_local_address_with_its_interface_is_the_hosts() {
        let address: SocketAddr = "[fe80::1%2]:0".parse().expect("an address");
        let mut name = name("a.local", None);
        name.answer(Ok(vec![address]), |_| None);
        assert_eq!((name.in_use(), name.fault()), (Some(address), None));
    }

    #[test]
    fn names_of_loopback_lead_to_it() {
        for text in [
            "localhost",
            "LOCALHOST.",
            "a.localhost",
            "localhost.localdomain",
            "ip6-loopback",
        ] {
            let expected = (Some("127.0.0.1".to_owned()), String::new());
            assert_eq!(
                after(&mut name(text, None), &["127.0.0.1"]),
                expected,
                "{text}"
            );
        }
        for text in ["localhoster.test", "my-localhost", "a.test"] {
            assert_eq!(
                after(&mut name(text, None), &["127.0.0.1"]).0,
                None,
                "{text}"
            );
        }
    }

    #[test]
    fn what_only_this_machine_can_know_of_an_address_is_asked() {
        let mut name = name("a.test", None);
        let own = |address: SocketAddr| {
            (address.ip() == IpAddr::from([10, 0, 0, 1])).then_some(", an address of this machine")
        };
        name.answer(Ok(addresses(&["10.0.0.1"])), own);
        let reason = "a.test resolves to 10.0.0.1, an address of this machine";
        assert_eq!(name.fault().map(NameFault::reason), Some(reason));
        name.answer(Ok(addresses(&["10.0.0.1", "10.0.0.2"])), own);
        assert_eq!(name.in_use(), addresses(&["10.0.0.2"]).first().copied());
    }

    #[test]
    fn the_address_in_use_is_kept_while_the_name_has_it() {
        let mut name = name("a.test", None);
        let in_use = |name: &mut NameAddresses, answer| after(name, answer).0.expect("an address");
        assert_eq!(in_use(&mut name, &["192.0.2.1", "192.0.2.2"]), "192.0.2.1");
        assert_eq!(in_use(&mut name, &["192.0.2.2", "192.0.2.1"]), "192.0.2.1");
        assert_eq!(name.others(), addresses(&["192.0.2.2"]));
        name.switch_to(name.others()[0]);
        assert_eq!(in_use(&mut name, &["192.0.2.1", "192.0.2.2"]), "192.0.2.2");
        name.switch_to(addresses(&["192.0.2.9"])[0]);
        assert_eq!(in_use(&mut name, &["192.0.2.3", "192.0.2.4"]), "192.0.2.3");
        let text = "the resolver failed".to_owned();
        name.answer(Err(text.clone()), |_| None);
        assert_eq!(name.fault(), Some(&NameFault::Unresolved(text)));
        assert_eq!(name.in_use(), addresses(&["192.0.2.3"]).first().copied());
    }

    #[test]
    fn a_name_without_an_address_of_the_family_has_none_to_keep() {
        let mut name = name("a.test", Some(IpVersion::V6));
        let reason = "a.test has no IPv6 address".to_owned();
        assert_eq!(
            after(&mut name, &["2001:db8::1", "192.0.2.1"]).0.as_deref(),
            Some("2001:db8::1")
        );
        // An IPv4 address that is written as one of IPv6 is none.
        for answer in [&["192.0.2.1"][..], &["::ffff:192.0.2.1"], &[]] {
            assert_eq!(after(&mut name, answer), (None, reason.clone()));
            assert_eq!(name.fault(), Some(&NameFault::NoAddress(reason.clone())));
        }
    }
}
