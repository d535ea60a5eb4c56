//! What identifies a host, and the texts for it: several hosts may have one address and be pinged
//! over different versions of IP or from different sources.

use std::cmp::Ordering;

use crate::pure::address::{HostAddress, IpVersion, Source};

/// What identifies a host. Its name may change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct HostIdentity<'a> {
    pub address: &'a str,
    pub family: Option<IpVersion>,
    pub source: Option<&'a Source>,
}

/// Address, family and source of a host, by which it is found in a map.
pub type OwnedIdentity = (HostAddress, Option<IpVersion>, Option<Source>);

impl HostIdentity<'_> {
    /// Whether both are the same host: case does not matter in an address.
    pub fn is_same(&self, other: &HostIdentity<'_>) -> bool {
        self.address.eq_ignore_ascii_case(other.address)
            && (self.family, self.source) == (other.family, other.source)
    }

    /// Text that identifies a host among `all`: its address, followed by what distinguishes it from
    /// the others that have this address.
    pub fn key<'b>(&self, all: impl Iterator<Item = HostIdentity<'b>>) -> String {
        self.address.to_owned() + &self.distinction(all)
    }

    /// Its version of IP and its source, where others of `all` have this address and differ in it.
    pub fn distinction<'b>(&self, all: impl Iterator<Item = HostIdentity<'b>>) -> String {
        let (mut has_other_family, mut has_other_source) = (false, false);
        for other in all.filter(|other| other.address.eq_ignore_ascii_case(self.address)) {
            has_other_family |= other.family != self.family;
            has_other_source |= other.source != self.source;
        }
        let family = self.family.filter(|_| has_other_family);
        let source = self.source.filter(|_| has_other_source);
        family.map_or(String::new(), |version| format!(" ({version})"))
            + &source.map_or(String::new(), |source| format!(" via {source}"))
    }
}

/// Hosts that keys distinguish, in the order of their addresses: thousands have keys without a
/// comparison of each with all.
pub struct HostKeys<'a>(Vec<HostIdentity<'a>>);

impl<'a> HostKeys<'a> {
    pub fn of(all: impl Iterator<Item = HostIdentity<'a>>) -> HostKeys<'a> {
        let mut all: Vec<_> = all.collect();
        all.sort_by(|a, b| in_any_case(a.address, b.address));
        HostKeys(all)
    }

    /// The hosts at an address.
    pub fn at(&self, address: &str) -> &[HostIdentity<'a>] {
        let until = |end: Ordering| {
            self.0
                .partition_point(|host| in_any_case(host.address, address) <= end)
        };
        let (first, last) = (until(Ordering::Less), until(Ordering::Equal));
        self.0.get(first..last).unwrap_or_default()
    }

    /// See [`HostIdentity::key`].
    pub fn key(&self, host: &HostIdentity<'_>) -> String {
        host.key(self.at(host.address).iter().copied())
    }

    /// See [`HostIdentity::distinction`].
    pub fn distinction(&self, host: &HostIdentity<'_>) -> String {
        host.distinction(self.at(host.address).iter().copied())
    }
}

/// The order of texts in which letters of both cases are the same.
fn in_any_case(a: &str, b: &str) -> Ordering {
    let lower = |byte: u8| byte.to_ascii_lowercase();
    a.bytes().map(lower).cmp(b.bytes().map(lower))
}

/// A text that names one or several hosts by their address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostKey<'a> {
    pub address: &'a str,
    family: Option<IpVersion>,
    source: Option<Source>,
}

impl<'a> HostKey<'a> {
    /// Reads what [`HostIdentity::key`] writes. No address ends like that.
    pub fn parse(text: &'a str) -> HostKey<'a> {
        let (text, source) = match text.rsplit_once(" via ") {
            Some((before, source)) => (before, Some(Source::from(source))),
            None => (text, None),
        };
        let address_for = |version: IpVersion| text.strip_suffix(&format!(" ({version})"));
        let (address, family) = IpVersion::ALL
            .into_iter()
            .find_map(|version| Some((address_for(version)?, Some(version))))
            .unwrap_or((text, None));
        HostKey {
            address,
            family,
            source,
        }
    }

    /// Whether it is an address alone.
    pub fn is_address(&self) -> bool {
        self.family.is_none() && self.source.is_none()
    }

    /// The hosts that it names: without a version of IP all of them, without a source those that
    /// have none, or all if each has one.
    pub fn select<T>(
        &self,
        all: impl IntoIterator<Item = T>,
        identity: impl Fn(&T) -> HostIdentity<'_>,
    ) -> Vec<T> {
        let mut found: Vec<T> = all
            .into_iter()
            .filter(|host| {
                let own = identity(host);
                own.address.eq_ignore_ascii_case(self.address)
                    && self.family.is_none_or(|family| own.family == Some(family))
                    && self
                        .source
                        .as_ref()
                        .is_none_or(|source| own.source == Some(source))
            })
            .collect();
        let is_plain = |host: &T| identity(host).source.is_none();
        if self.source.is_none() && found.iter().any(is_plain) {
            found.retain(is_plain);
        }
        found
    }
}

/// The hosts that a user's text names, ignoring case: by their key, else by one of their `names`.
pub fn named<T>(
    text: &str,
    all: Vec<T>,
    identity: impl Fn(&T) -> HostIdentity<'_>,
    names: impl Fn(&T) -> Vec<&str>,
) -> Vec<T> {
    let key = HostKey::parse(text);
    let by_key: Vec<usize> = key
        .select(all.iter().enumerate(), |(_, host)| identity(host))
        .iter()
        .map(|(index, _)| *index)
        .collect();
    let lower = text.to_lowercase();
    let has_name = |host: &T| names(host).iter().any(|name| name.to_lowercase() == lower);
    let is_named = |(index, host): &(usize, T)| {
        by_key.contains(index) || (by_key.is_empty() && has_name(host))
    };
    let found = all.into_iter().enumerate().filter(is_named);
    found.map(|(_, host)| host).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `address family source`; `-` for none.
    fn hosts(texts: &[&'static str]) -> Vec<(&'static str, Option<IpVersion>, Option<Source>)> {
        let host = |text: &&'static str| {
            let words: Vec<&str> = text.split(' ').collect();
            let family = words[1].parse().ok().and_then(IpVersion::from_number);
            let source = Some(words[2]).filter(|word| *word != "-").map(Source::from);
            (words[0], family, source)
        };
        texts.iter().map(host).collect()
    }

    fn identity<'a>(
        host: &'a (&'static str, Option<IpVersion>, Option<Source>),
    ) -> HostIdentity<'a> {
        HostIdentity {
            address: host.0,
            family: host.1,
            source: host.2.as_ref(),
        }
    }

    #[test]
    fn a_key_names_what_distinguishes_hosts_of_one_address_and_finds_each_again() {
        for (texts, keys) in [
            (&["a - -", "b 4 -", "c - wg0"][..], &["a", "b", "c"][..]),
            (&["a 4 -", "a 6 -"], &["a (IPv4)", "a (IPv6)"]),
            (&["a - -", "a - wg0"], &["a", "a via wg0"]),
            (
                &["a - wg0", "a - 192.0.2.1"],
                &["a via wg0", "a via 192.0.2.1"],
            ),
            (
                &["a 4 -", "a 4 wg0", "A 6 wg0"],
                &["a (IPv4)", "a (IPv4) via wg0", "A (IPv6) via wg0"],
            ),
        ] {
            let all = hosts(texts);
            for (host, key) in all.iter().zip(keys) {
                assert_eq!(
                    identity(host).key(all.iter().map(identity)),
                    *key,
                    "{texts:?}"
                );
                let others = hosts(&["0 - -", "aa 4 wg9", "bb - -", "C: 6 -"]);
                let index = HostKeys::of(all.iter().chain(&others).map(identity));
                assert_eq!(index.key(&identity(host)), *key, "{texts:?}");
                let found = HostKey::parse(key).select(&all, |host| identity(host));
                assert_eq!(found, [host], "{key}");
            }
        }
    }

    #[test]
    fn an_address_alone_names_both_versions_of_ip_but_no_other_source() {
        let all = hosts(&["a 4 -", "a 6 -", "a 4 wg0", "b - -"]);
        let count = |key: &'static str| {
            HostKey::parse(key)
                .select(&all, |host| identity(host))
                .len()
        };
        assert_eq!(
            ["A", "a via wg0", "a via eth0", "b", "c"].map(count),
            [2, 1, 0, 1, 0]
        );
        let all = hosts(&["a - wg0", "a - wg1"]);
        assert_eq!(
            HostKey::parse("a")
                .select(&all, |host| identity(host))
                .len(),
            2
        );
        assert!(HostKey::parse("a b").is_address() && !HostKey::parse("a (IPv4)").is_address());
        assert!(!HostKey::parse("a via wg0").is_address());
    }

    #[test]
    fn a_host_is_the_same_with_its_address_in_any_case_but_not_with_another_family_or_source() {
        let all = hosts(&["a - -", "A - -", "b - -", "a 4 -", "a - wg0"]);
        let is_same = |other| identity(&all[0]).is_same(&identity(other));
        let same: Vec<bool> = all.iter().map(is_same).collect();
        assert_eq!(same, [true, true, false, false, false]);
    }

    #[test]
    fn a_text_names_hosts_by_their_key_and_else_by_any_of_their_names() {
        let all = [
            ("a", "b - -", "Home"),
            ("b", "c - -", "office"),
            ("c", "d 4 -", "HOME"),
        ];
        let all = all.map(|(letter, host, name)| (letter, hosts(&[host]).remove(0), name));
        for (text, found) in [
            ("B", "a"),
            ("b", "a"),
            ("home", "ac"),
            ("OFFICE", "b"),
            ("d (IPv4)", "c"),
            ("d (IPv6)", ""),
            ("", ""),
        ] {
            let by_text = named(
                text,
                all.to_vec(),
                |(_, host, _)| identity(host),
                |(letter, _, name)| vec![letter, name],
            );
            let letters: String = by_text.iter().map(|(letter, ..)| *letter).collect();
            assert_eq!(letters, found, "{text}");
        }
    }
}
