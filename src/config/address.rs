//! Parses the address of a host (an IP address, one with its zone, a host name or `gateway`) and the
//! source of its pings. Only the syntax is checked; whether a name resolves is known at each check.
//! Names: RFC 952, RFC 1123; zones: RFC 4007.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::pure::address::{HostAddress, Source};

const NEITHER: &str = "is neither an IP address nor a host name";

/// The address in a text; otherwise what is wrong with the text.
pub(super) fn parse_address(text: &str) -> Result<HostAddress, String> {
    if text.is_empty() {
        return Err("is empty: an IP address or a host name belongs here".into());
    }
    if text.eq_ignore_ascii_case(HostAddress::GATEWAY) {
        return Ok(HostAddress::GATEWAY.into());
    }
    let wrong = if let Ok(ip) = text.parse() {
        unusable_ip(ip)
    } else if let Some((ip, zone)) = text.split_once('%')
        && ip.parse::<Ipv6Addr>().is_ok()
        && is_interface(zone)
    {
        None
    } else if let Some(hint) = hint(text) {
        Some(format!("{NEITHER}: {hint}"))
    } else {
        wrong_name(text)
    };
    match wrong {
        Some(wrong) => Err(wrong),
        None => Ok(text.into()),
    }
}

/// What to write in place of a text that was meant as an address; `None` for an address and for a
/// text of which that is not known.
pub fn address_hint(text: &str) -> Option<String> {
    parse_address(text).err().filter(|wrong| wrong != NEITHER)
}

/// Why an IP address without a zone is not the address of one host.
fn unusable_ip(ip: IpAddr) -> Option<String> {
    match ip {
        IpAddr::V6(v6) if v6.to_ipv4_mapped().is_some() => v6
            .to_ipv4_mapped()
            .map(|v4| format!("is an IPv4 address in the form of an IPv6 one, write {v4}")),
        IpAddr::V6(v6) if v6.is_unicast_link_local() => Some(format!(
            "is known only on its link: write the interface too, {v6}%eth0"
        )),
        IpAddr::V4(v4) if v4.is_broadcast() => {
            Some("is the broadcast address, not the address of one host".into())
        }
        _ if ip.is_unspecified() => {
            let own = if ip.is_ipv4() { "127.0.0.1" } else { "::1" };
            Some(format!(
                "is not the address of a host; this machine itself is {own}"
            ))
        }
        _ if ip.is_multicast() => {
            Some("is a multicast address, not the address of one host".into())
        }
        _ => None,
    }
}

/// What is wrong with a host name.
fn wrong_name(text: &str) -> Option<String> {
    const MAX_NAME: usize = 253;
    const MAX_LABEL: usize = 63;
    let name = text.strip_suffix('.').unwrap_or(text);
    let labels: Vec<&str> = name.split('.').collect();
    let is_label = |label: &&str| {
        // RFC 1123 allows no underscore, but names in home networks have them.
        let is_plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
        let has_edge_hyphen = label.starts_with('-') || label.ends_with('-');
        !label.is_empty() && !has_edge_hyphen && label.bytes().all(is_plain)
    };
    let ends_in_number = labels
        .last()
        .is_some_and(|label| label.bytes().all(|b| b.is_ascii_digit()));
    let long_label = labels.iter().find(|label| label.len() > MAX_LABEL);
    if !labels.iter().all(is_label) || ends_in_number {
        Some(NEITHER.into())
    } else if name.len() > MAX_NAME {
        Some(format!(
            "is a name of {} characters; a host name has at most {MAX_NAME}",
            name.len()
        ))
    } else {
        long_label.map(|label| {
            format!(
                "has a part of {} characters between dots; a host name has at most {MAX_LABEL}",
                label.len()
            )
        })
    }
}

/// What to write instead, for mistakes that are easy to recognise.
fn hint(text: &str) -> Option<String> {
    let is_address = |text: &str| parse_address(text).is_ok();
    if let Some((_, rest)) = text.split_once("//") {
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let host = authority.rsplit('@').next().unwrap_or_default();
        let end = if host.starts_with('[') { ']' } else { ':' };
        let host = match host.trim_start_matches('[') {
            host if host.parse::<Ipv6Addr>().is_ok() => host,
            host => host.split(end).next().unwrap_or_default(),
        };
        let example = if is_address(host) {
            format!(", {host}")
        } else {
            String::new()
        };
        return Some(format!("write only the host of this URL{example}"));
    }
    if let Some((_, host)) = text.rsplit_once('@') {
        return is_address(host).then(|| format!("write it without the user, {host}"));
    }
    if let Some((ip, length)) = text.split_once('/') {
        return prefix_hint(ip.parse().ok()?, length.parse().ok()?);
    }
    if let Some((ip, zone)) = text.split_once('%')
        && ip.parse::<Ipv4Addr>().is_ok()
    {
        return Some(format!("write {ip}, and the interface as source: {zone}"));
    }
    if let Some(ip) = inet_aton(text.trim_end_matches('.')) {
        return Some(format!("write it as four decimal numbers, {ip}"));
    }
    if let Some(rest) = text.strip_prefix('[') {
        let inner = rest.split(']').next().unwrap_or_default();
        return is_address(inner).then(|| format!("write it without brackets, {inner}"));
    }
    if let Some((host, port)) = text.split_once(':') {
        let is_port = !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit());
        return (is_port && is_address(host)).then(|| format!("write it without the port, {host}"));
    }
    let trimmed = text.trim();
    if trimmed != text && is_address(trimmed) {
        return Some(format!("write it without spaces around it, {trimmed}"));
    }
    let is_international = !text.is_ascii()
        && text
            .chars()
            .all(|c| c.is_alphanumeric() || matches!(c, '.' | '-'));
    if is_international {
        return Some("write the name in its xn-- form".into());
    }
    let bare = text.trim_matches(|c: char| !c.is_alphanumeric());
    let is_mistaken = bare != text && wrong_name(text).is_some();
    (is_mistaken && is_address(bare)).then(|| format!("write only {bare}"))
}

/// For an address with the length of its prefix, as `ip address` prints it.
fn prefix_hint(ip: IpAddr, length: u32) -> Option<String> {
    let (bits, all) = match ip {
        IpAddr::V4(ip) => (u128::from(ip.to_bits()) << 96, 32),
        IpAddr::V6(ip) => (ip.to_bits(), 128),
    };
    let host_bits = bits.checked_shl(length).unwrap_or(0);
    if length > all {
        None
    } else if length < all && host_bits == 0 {
        Some("this is a network, write the address of one host in it".into())
    } else {
        Some(format!("write it without the length of its prefix, {ip}"))
    }
}

/// The address that inet_aton(3) reads in a text with hexadecimal numbers, with leading zeros, or
/// with fewer than four numbers. `None` for three decimal ones, of which one was probably forgotten,
/// and for a small number. A leading zero is read as decimal: nobody writes octal addresses.
fn inet_aton(text: &str) -> Option<Ipv4Addr> {
    let numbers: Vec<u32> = text
        .split('.')
        .map(
            |part| match part.strip_prefix("0x").or(part.strip_prefix("0X")) {
                Some(hex) => u32::from_str_radix(hex, 16).ok(),
                None => part
                    .bytes()
                    .all(|b| b.is_ascii_digit())
                    .then_some(part)?
                    .parse()
                    .ok(),
            },
        )
        .collect::<Option<_>>()?;
    let (last, first) = numbers.split_last()?;
    let is_hexadecimal = text.contains(['x', 'X']);
    let is_plausible =
        is_hexadecimal || numbers.len() == 4 || numbers.len() == 2 || *last > 1 << 24;
    if !is_plausible || numbers.len() > 4 || first.iter().any(|number| *number > 255) {
        return None;
    }
    let first_bits = first
        .iter()
        .fold(0_u64, |bits, number| bits << 8 | u64::from(*number));
    let last_bits = 8 * (4 - first.len());
    let is_fitting = u64::from(*last) < 1 << last_bits;
    is_fitting
        .then(|| u32::try_from(first_bits << last_bits | u64::from(*last)).ok())?
        .map(Ipv4Addr::from_bits)
}

/// The source in a text; otherwise what is wrong with the text.
pub(super) fn parse_source(text: &str) -> Result<Source, String> {
    if let Ok(ip) = text.parse() {
        return Ok(Source::Address(ip));
    }
    if let Some((ip, zone)) = text.split_once('%')
        && ip.parse::<Ipv6Addr>().is_ok()
    {
        return Err(format!(
            "is an address with a zone: write the interface, {zone}"
        ));
    }
    if is_interface(text) {
        return Ok(Source::Interface(text.to_owned()));
    }
    Err("is neither an IP address nor an interface's name".into())
}

/// Whether Linux accepts this as the name of an interface (dev_valid_name in net/core/dev.c).
fn is_interface(name: &str) -> bool {
    const MAX_BYTES: usize = 15;
    let has_bad = name
        .contains(|c: char| c.is_whitespace() || c.is_control() || matches!(c, '/' | ':' | '%'));
    !name.is_empty() && name.len() <= MAX_BYTES && !matches!(name, "." | "..") && !has_bad
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_every_kind_are_parsed() {
        for text in [
            "8.8.8.8",
            "::1",
            "2001:db8::1",
            "fe80::1%eth0",
            "2001:db8::1%wg0",
            "localhost",
            "a.example.",
            "xn--mnchen-3ya.de",
            "my_nas",
            "1.one",
        ] {
            assert!(parse_address(text).is_ok(), "{text}");
        }
        let is_same = |a, b| {
            let read = |text| parse_address(text).expect("an address");
            read(a).identity() == read(b).identity()
        };
        assert!(parse_address("Gateway").is_ok_and(|address| address.is_gateway()));
        assert!(is_same("0:0:0:0:0:0:0:1", "::1"));
        assert!(is_same("Example.COM", "example.com"));
        assert!(is_same("example.com.", "example.com"));
        assert!(!is_same("fe80::1%eth0", "fe80::1%eth1"));
    }

    #[test]
    fn the_longest_name_has_253_characters_and_the_longest_part_63() {
        let part = "a".repeat(63);
        let name = format!("{part}.{part}.{part}.{}", "a".repeat(61));
        assert_eq!(name.len(), 253);
        assert!(parse_address(&name).is_ok());
        assert!(parse_address(&format!("{name}.")).is_ok());
        assert!(parse_address(&format!("{name}a")).is_err_and(|wrong| wrong.contains("254")));
        assert!(
            parse_address(&format!("a{part}.example")).is_err_and(|wrong| wrong.contains("64"))
        );
    }

    #[test]
    fn a_text_that_is_no_address_is_refused_with_a_hint_where_possible() {
        for text in [
            "8.8.8",
            "8",
            "999.1.1.1",
            "1.2.3.4.5",
            "a b",
            "a..b",
            ".",
            "fe80::1%",
            "fe80::1%a b",
            "::g",
            ":",
            "%",
            "[",
            "[]",
            "10.0.0.0/33",
            "a/24",
            "@",
            "1.2.3.256",
            "é b",
        ] {
            assert_eq!(
                parse_address(text),
                Err("is neither an IP address nor a host name".to_owned()),
                "{text}"
            );
        }
        for (text, hint) in [
            (
                "http://example.com:80/a",
                "the host of this URL, example.com",
            ),
            ("[::1]", "without brackets, ::1"),
            ("http://fd53::2/", "the host of this URL, fd53::2"),
            ("//8.8.8.8", "the host of this URL, 8.8.8.8"),
            ("8.8.8.8.", "four decimal numbers, 8.8.8.8"),
            ("8.8.8.8%eth0", "8.8.8.8, and the interface as source: eth0"),
            ("\u{200f}8.8.8.8;", "only 8.8.8.8"),
            ("-a", "only a"),
            ("[::1]:80", "without brackets, ::1"),
            ("example.com:80", "without the port, example.com"),
            (" 8.8.8.8", "spaces around it, 8.8.8.8"),
            ("münchen.de", "xn-- form"),
            ("http://[fd53::2]/", "the host of this URL, fd53::2"),
            (
                "https://me:secret@[fd53::2]:8/",
                "the host of this URL, fd53::2",
            ),
            ("ssh://root@a.example", "the host of this URL, a.example"),
            ("root@8.8.8.8", "without the user, 8.8.8.8"),
            ("8.8.8.8/32", "without the length of its prefix, 8.8.8.8"),
            (
                "192.168.1.7/24",
                "without the length of its prefix, 192.168.1.7",
            ),
            ("fd53::2/64", "without the length of its prefix, fd53::2"),
            ("10.0.0.0/8", "this is a network"),
            ("fd53::/64", "this is a network"),
            ("0.0.0.0/0", "this is a network"),
            ("127.1", "four decimal numbers, 127.0.0.1"),
            ("0x08080808", "four decimal numbers, 8.8.8.8"),
            ("0x7f.1", "four decimal numbers, 127.0.0.1"),
            ("0x8.0x8.0X8.0x8", "four decimal numbers, 8.8.8.8"),
            ("192.168.001.010", "four decimal numbers, 192.168.1.10"),
            ("134744072", "four decimal numbers, 8.8.8.8"),
            ("", "is empty"),
        ] {
            assert!(
                parse_address(text).is_err_and(|wrong| wrong.contains(hint)),
                "{text}"
            );
        }
    }

    #[test]
    fn a_source_is_an_address_or_an_interface() {
        assert_eq!(
            parse_source("::1"),
            Ok(Source::Address(Ipv6Addr::LOCALHOST.into()))
        );
        assert_eq!(
            parse_source("eth0.5"),
            Ok(Source::Interface("eth0.5".into()))
        );
        for text in ["", "a b", "a/b", "sixteen-letters-", ".", "999:1"] {
            assert!(parse_source(text).is_err(), "{text}");
        }
        assert!(
            parse_source("fe80::1%eth0")
                .is_err_and(|wrong| wrong.contains("write the interface, eth0"))
        );
    }
}
