//! IP packets as bytes: parses echo requests, and builds valid and invalid responses. RFC 791, RFC
//! 8200, RFC 792, RFC 4443. Written independently of the program, so that a mistake in one shows
//! against the other.

use std::fmt;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use super::Sending;

const IPV4_HEADER_LEN: usize = 20;
const IPV6_HEADER_LEN: usize = 40;
const ICMP_HEADER_LEN: usize = 8;
const PROTOCOL_ICMP: u8 = 1;
const PROTOCOL_ICMPV6: u8 = 58;
/// RFC 1812 section 4.3.2.3: an error quotes as much as fits 576 bytes.
const IPV4_ERROR_MAX: usize = 576;
/// RFC 4443 section 2.4 (c): as much as fits the minimum IPv6 MTU.
const IPV6_ERROR_MAX: usize = 1280;

/// A received echo request.
#[derive(Clone, Debug)]
pub struct Request {
    pub at: Instant,
    pub packet: Vec<u8>,
    pub source: IpAddr,
    pub destination: IpAddr,
    /// Time to live or hop limit.
    pub time_to_live: u8,
    pub identifier: u16,
    pub sequence: u16,
    pub payload: Vec<u8>,
}

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Request {
            source,
            destination,
            identifier,
            sequence,
            payload,
            ..
        } = self;
        write!(
            f,
            "request {identifier:04x}/{sequence} with {} bytes, {source} to {destination}",
            payload.len()
        )
    }
}

impl Request {
    /// Parses an IP packet; `None` unless it is a valid echo request.
    pub fn read(packet: &[u8], at: Instant) -> Option<Request> {
        let is_v6 = packet.first()? >> 4 == 6;
        let (source, destination, time_to_live, protocol, icmp);
        if is_v6 {
            source = IpAddr::from(<[u8; 16]>::try_from(packet.get(8..24)?).ok()?);
            destination = IpAddr::from(<[u8; 16]>::try_from(packet.get(24..40)?).ok()?);
            (protocol, time_to_live, icmp) = (packet[6], packet[7], packet.get(IPV6_HEADER_LEN..)?);
        } else {
            let header_len = usize::from(packet[0] & 0x0f) * 4;
            source = IpAddr::from(<[u8; 4]>::try_from(packet.get(12..16)?).ok()?);
            destination = IpAddr::from(<[u8; 4]>::try_from(packet.get(16..20)?).ok()?);
            (time_to_live, protocol, icmp) = (packet[8], packet[9], packet.get(header_len..)?);
        }
        let (kind, icmp_protocol) = if is_v6 {
            (128, PROTOCOL_ICMPV6)
        } else {
            (8, PROTOCOL_ICMP)
        };
        let pseudo = if is_v6 {
            pseudo_header(source, destination, icmp.len())
        } else {
            Vec::new()
        };
        if protocol != icmp_protocol
            || icmp.len() < ICMP_HEADER_LEN
            || icmp[..2] != [kind, 0]
            || checksum(&[&pseudo, icmp]) != 0
        {
            return None;
        }
        Some(Request {
            at,
            packet: packet.to_vec(),
            source,
            destination,
            time_to_live,
            identifier: u16::from_be_bytes([icmp[4], icmp[5]]),
            sequence: u16::from_be_bytes([icmp[6], icmp[7]]),
            payload: icmp[ICMP_HEADER_LEN..].to_vec(),
        })
    }

    /// The valid reply.
    pub fn reply(&self) -> Message {
        let kind = if self.source.is_ipv6() { 129 } else { 0 };
        self.answer(Echo::of(self).message(kind, 0))
    }

    /// An ICMP message to the sender of the request; the checksum is added later.
    pub fn answer(&self, icmp: Vec<u8>) -> Message {
        Message {
            source: self.destination,
            destination: self.source,
            time_to_live: 64,
            icmp,
            has_wrong_checksum: false,
            options: Vec::new(),
            fragment_len: None,
        }
    }

    /// An ICMP error that quotes the request, with another echo message inside when one is given,
    /// truncated to `quote_len` bytes after the quoted IP header. `rest` is the field between
    /// checksum and quote.
    pub fn error(
        &self,
        kind: u8,
        code: u8,
        rest: [u8; 4],
        echo: &Echo,
        quote_len: Option<usize>,
    ) -> Message {
        let (header_len, icmp_kind, longest) = match self.source {
            IpAddr::V4(_) => (
                IPV4_HEADER_LEN,
                8,
                IPV4_ERROR_MAX - IPV4_HEADER_LEN - ICMP_HEADER_LEN,
            ),
            IpAddr::V6(_) => (
                IPV6_HEADER_LEN,
                128,
                IPV6_ERROR_MAX - IPV6_HEADER_LEN - ICMP_HEADER_LEN,
            ),
        };
        let mut quote = self.packet[..header_len].to_vec();
        let mut quoted = echo.message(icmp_kind, 0);
        let pseudo = match self.source {
            IpAddr::V4(_) => Vec::new(),
            IpAddr::V6(_) => pseudo_header(self.source, self.destination, quoted.len()),
        };
        let sum = checksum(&[&pseudo, &quoted]);
        quoted[2..4].copy_from_slice(&sum.to_be_bytes());
        quote.extend(quoted);
        quote.truncate(quote_len.map_or(longest, |len| header_len + len));
        let mut icmp = vec![kind, code, 0, 0];
        icmp.extend(rest);
        icmp.extend(quote);
        self.answer(icmp)
    }
}

/// The contents of an echo message.
#[derive(Clone, Debug)]
pub struct Echo {
    pub identifier: u16,
    pub sequence: u16,
    pub payload: Vec<u8>,
}

impl Echo {
    /// The contents of the request.
    pub fn of(request: &Request) -> Echo {
        Echo {
            identifier: request.identifier,
            sequence: request.sequence,
            payload: request.payload.clone(),
        }
    }

    /// An ICMP message of this type and code, without its checksum.
    pub fn message(&self, kind: u8, code: u8) -> Vec<u8> {
        let mut icmp = vec![kind, code, 0, 0];
        icmp.extend(self.identifier.to_be_bytes());
        icmp.extend(self.sequence.to_be_bytes());
        icmp.extend(&self.payload);
        icmp
    }
}

/// An option between IP header and message.
#[derive(Clone, Debug)]
pub struct IpOption {
    /// IPv6: number of the extension header. Unused for IPv4.
    pub header: u8,
    /// IPv4: a multiple of four bytes. IPv6: six bytes after next header and length.
    pub bytes: Vec<u8>,
}

/// An ICMP message to be sent in one or several IP packets.
#[derive(Clone, Debug)]
pub struct Message {
    /// The claimed sender.
    pub source: IpAddr,
    pub destination: IpAddr,
    /// Time to live or hop limit.
    pub time_to_live: u8,
    /// The message; its checksum is filled in.
    pub icmp: Vec<u8>,
    /// Whether its checksum is wrong.
    pub has_wrong_checksum: bool,
    /// IPv4 options or IPv6 extension headers.
    pub options: Vec<IpOption>,
    /// Bytes per fragment, a multiple of eight; `None` sends one packet.
    pub fragment_len: Option<usize>,
}

impl Message {
    /// Sent at the arrival of the request.
    pub fn at_once(&self) -> Sending {
        Sending {
            after: Duration::ZERO,
            packets: self.packets(),
            times: 1,
        }
    }

    /// Its packets.
    pub fn packets(&self) -> Vec<Vec<u8>> {
        let mut icmp = self.icmp.clone();
        let pseudo = match self.source {
            IpAddr::V4(_) => Vec::new(),
            IpAddr::V6(_) => pseudo_header(self.source, self.destination, icmp.len()),
        };
        let sum = checksum(&[&pseudo, &icmp]) ^ if self.has_wrong_checksum { 0x0101 } else { 0 };
        icmp[2..4].copy_from_slice(&sum.to_be_bytes());
        // The fragments of a message share an identification; two messages of a test hardly ever
        // do.
        let number = sum;
        let fragment_len = self.fragment_len.unwrap_or(icmp.len().max(1));
        let mut offset = 0;
        let mut packets = Vec::new();
        for part in icmp.chunks(fragment_len) {
            let has_more = offset + part.len() < icmp.len();
            packets.push(match (self.source, self.destination) {
                (IpAddr::V4(source), IpAddr::V4(destination)) => self.ipv4_packet(
                    (source.octets(), destination.octets()),
                    number,
                    part,
                    offset,
                    has_more,
                ),
                (IpAddr::V6(source), IpAddr::V6(destination)) => self.ipv6_packet(
                    (source.octets(), destination.octets()),
                    number,
                    part,
                    offset,
                    has_more,
                ),
                _ => panic!(
                    "{} and {} do not speak the same IP",
                    self.source, self.destination
                ),
            });
            offset += part.len();
        }
        packets
    }

    fn ipv4_packet(
        &self,
        addresses: ([u8; 4], [u8; 4]),
        number: u16,
        part: &[u8],
        offset: usize,
        has_more: bool,
    ) -> Vec<u8> {
        let options: Vec<u8> = self
            .options
            .iter()
            .flat_map(|option| option.bytes.clone())
            .collect();
        let header_len = IPV4_HEADER_LEN + options.len();
        let mut packet = vec![0x40 | low_byte(header_len / 4), 0];
        packet.extend(low_word(header_len + part.len()).to_be_bytes());
        packet.extend(number.to_be_bytes());
        packet.extend((low_word(offset / 8) | if has_more { 0x2000 } else { 0 }).to_be_bytes());
        packet.extend([self.time_to_live, PROTOCOL_ICMP, 0, 0]);
        packet.extend(addresses.0);
        packet.extend(addresses.1);
        packet.extend(options);
        let sum = checksum(&[&packet]);
        packet[10..12].copy_from_slice(&sum.to_be_bytes());
        packet.extend(part);
        packet
    }

    fn ipv6_packet(
        &self,
        addresses: ([u8; 16], [u8; 16]),
        number: u16,
        part: &[u8],
        offset: usize,
        has_more: bool,
    ) -> Vec<u8> {
        // The first byte of each header names the next one, so the packet is built from its end.
        let (mut next, mut body) = (PROTOCOL_ICMPV6, part.to_vec());
        if self.fragment_len.is_some() {
            let mut header = vec![next, 0];
            header.extend((low_word(offset) & 0xfff8 | u16::from(has_more)).to_be_bytes());
            header.extend(u32::from(number).to_be_bytes());
            (next, body) = (44, [header, body].concat());
        }
        for option in self.options.iter().rev() {
            let mut header = vec![next, 0];
            header.extend(&option.bytes);
            (next, body) = (option.header, [header, body].concat());
        }
        let mut packet = vec![0x60, 0, 0, 0];
        packet.extend(low_word(body.len()).to_be_bytes());
        packet.extend([next, self.time_to_live]);
        packet.extend(addresses.0);
        packet.extend(addresses.1);
        packet.extend(body);
        packet
    }
}

/// The Internet checksum over the parts, of which only the last may have an odd length: RFC 1071.
fn checksum(parts: &[&[u8]]) -> u16 {
    let words = parts.iter().flat_map(|part| part.chunks(2));
    let sum: u64 = words
        .map(|word| u64::from(word[0]) << 8 | u64::from(word.get(1).copied().unwrap_or(0)))
        .sum();
    // The sum with the carries added back is the remainder by 0xffff, except that it is 0xffff
    // itself for every sum but zero.
    let folded = if sum == 0 { 0 } else { (sum - 1) % 0xffff + 1 };
    !low_word(usize::try_from(folded).expect("sixteen bits"))
}

/// The pseudo-header of ICMPv6 checksums: RFC 8200 section 8.1.
fn pseudo_header(source: IpAddr, destination: IpAddr, len: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    for address in [source, destination] {
        if let IpAddr::V6(address) = address {
            bytes.extend(address.octets());
        }
    }
    bytes.extend(
        u32::try_from(len)
            .expect("a message is shorter than that")
            .to_be_bytes(),
    );
    bytes.extend([0, 0, 0, PROTOCOL_ICMPV6]);
    bytes
}

fn low_word(value: usize) -> u16 {
    u16::try_from(value & 0xffff).expect("masked")
}

fn low_byte(value: usize) -> u8 {
    u8::try_from(value & 0xff).expect("masked")
}

#[test]
fn the_checksum_matches_the_example_of_rfc_1071_section_3() {
    assert_eq!(
        checksum(&[&[0x00, 0x01, 0xf2, 0x03], &[0xf4, 0xf5, 0xf6, 0xf7]]),
        !0xddf2
    );
    assert_eq!(checksum(&[&[0xff; 65_534]]), 0);
    assert_eq!(checksum(&[&[0; 4]]), 0xffff);
}

#[test]
fn a_reply_is_not_parsed_as_a_request() {
    let icmp = Echo {
        identifier: 7,
        sequence: 1,
        payload: vec![1, 2, 3],
    }
    .message(8, 0);
    let (source, destination) = (IpAddr::from([10, 9, 0, 1]), IpAddr::from([10, 9, 0, 2]));
    let message = Message {
        source,
        destination,
        time_to_live: 64,
        icmp,
        has_wrong_checksum: false,
        options: Vec::new(),
        fragment_len: None,
    };
    let request = Request::read(&message.packets()[0], Instant::now()).expect("it is one");
    assert_eq!(
        (
            request.identifier,
            request.sequence,
            request.payload.as_slice()
        ),
        (7, 1, [1, 2, 3].as_slice())
    );
    assert!(Request::read(&request.reply().packets()[0], Instant::now()).is_none());
    let damaged = Message {
        has_wrong_checksum: true,
        ..message
    };
    assert!(Request::read(&damaged.packets()[0], Instant::now()).is_none());
}
