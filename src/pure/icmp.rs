//! ICMP echo as bytes: builds requests, parses replies and the packets that errors quote. RFC 792
//! (IPv4), RFC 4443 (IPv6); checksum RFC 1071.

use std::net::IpAddr;

use crate::pure::address::IpVersion;
use crate::pure::model::IcmpError;

/// Bytes of an echo header.
pub const HEADER_LEN: usize = 8;
/// Bytes of the longest IPv4 header.
pub const IPV4_HEADER_MAX: usize = 60;
const IPV4_HEADER_MIN: usize = 20;
const PROTOCOL_ICMP: u8 = 1;
const IPV6_HEADER_LEN: usize = 40;
const NEXT_HEADER_ICMP6: u8 = 58;
/// Bytes of the longest ICMP error: RFC 1812 section 4.3.2.3, RFC 4443 section 2.4 (c).
pub const ERROR_LEN_MAX: usize = 1280;

impl IpVersion {
    /// ICMP type of an echo request.
    pub fn request_type(self) -> u8 {
        match self {
            IpVersion::V4 => 8,
            IpVersion::V6 => 128,
        }
    }

    /// ICMP type of an echo reply.
    pub fn reply_type(self) -> u8 {
        match self {
            IpVersion::V4 => 0,
            IpVersion::V6 => 129,
        }
    }
}

/// An echo request or reply in a received packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Echo<'a> {
    /// The ICMP type.
    pub kind: u8,
    /// The ICMP code; 0 in every echo message.
    pub code: u8,
    pub identifier: u16,
    pub sequence: u16,
    pub payload: &'a [u8],
}

/// Parses an echo message. `None` when it is shorter than an echo header.
pub fn parse_echo(bytes: &[u8]) -> Option<Echo<'_>> {
    let (header, payload) = bytes.split_at_checked(HEADER_LEN)?;
    Some(Echo {
        kind: header[0],
        code: header[1],
        identifier: u16::from_be_bytes([header[4], header[5]]),
        sequence: u16::from_be_bytes([header[6], header[7]]),
        payload,
    })
}

/// The ICMP message inside an IPv4 packet, without options and without bytes beyond its total
/// length. `None` when the packet is truncated or holds no ICMP.
pub fn strip_ipv4_header(packet: &[u8]) -> Option<&[u8]> {
    let header = packet.get(..IPV4_HEADER_MIN)?;
    let header_len = usize::from(header[0] & 0x0f) * 4;
    let total_len = usize::from(u16::from_be_bytes([header[2], header[3]]));
    if header[0] >> 4 != 4 || header_len < IPV4_HEADER_MIN || header[9] != PROTOCOL_ICMP {
        return None;
    }
    packet.get(header_len..total_len)
}

/// An ICMP error that the kernel has not assigned to a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ErrorMessage<'a> {
    /// The ICMP type.
    pub kind: u8,
    pub code: u8,
    /// Destination of the quoted packet.
    pub destination: IpAddr,
    /// The beginning of the quoted ICMP message.
    pub quote: &'a [u8],
}

/// Parses an ICMP error that quotes an ICMP message. `None` for any other message, or when less
/// than an IP header is quoted. The length in the quoted header is ignored: some kernels have
/// changed its byte order.
pub fn parse_error(message: &[u8], version: IpVersion) -> Option<ErrorMessage<'_>> {
    let (header, quoted) = message.split_at_checked(HEADER_LEN)?;
    let (kind, code) = (header[0], header[1]);
    let (destination, quote) = match version {
        IpVersion::V4 if matches!(kind, 3 | 11 | 12) => {
            let ip = quoted.get(..IPV4_HEADER_MIN)?;
            let header_len = usize::from(ip[0] & 0x0f) * 4;
            if ip[0] >> 4 != 4 || header_len < IPV4_HEADER_MIN || ip[9] != PROTOCOL_ICMP {
                return None;
            }
            (
                IpAddr::from(<[u8; 4]>::try_from(&ip[16..20]).ok()?),
                quoted.get(header_len..)?,
            )
        }
        IpVersion::V6 if kind < 128 => {
            let (ip, quote) = quoted.split_at_checked(IPV6_HEADER_LEN)?;
            if ip[0] >> 4 != 6 || ip[6] != NEXT_HEADER_ICMP6 {
                return None;
            }
            (IpAddr::from(<[u8; 16]>::try_from(&ip[24..40]).ok()?), quote)
        }
        _ => return None,
    };
    Some(ErrorMessage {
        kind,
        code,
        destination,
        quote,
    })
}

/// The error that a kernel generates itself when a neighbour does not answer ARP or NDP: host
/// unreachable, or address unreachable.
pub fn silent_neighbour(version: IpVersion) -> IcmpError {
    let (kind, code) = match version {
        IpVersion::V4 => (3, 1),
        IpVersion::V6 => (1, 3),
    };
    IcmpError {
        kind,
        code,
        version,
        from: None,
    }
}

/// Writes an echo request into `out`: header, then payload. `out` has the length of the message, at
/// least [`HEADER_LEN`]. The checksum is that of IPv4; for ICMPv6 the kernel writes it (RFC 3542
/// section 3.1).
pub fn write_request(
    out: &mut [u8],
    version: IpVersion,
    identifier: u16,
    sequence: u16,
    cookie: u64,
) {
    out[0] = version.request_type();
    out[1..4].fill(0);
    out[4..6].copy_from_slice(&identifier.to_be_bytes());
    out[6..8].copy_from_slice(&sequence.to_be_bytes());
    fill_payload(&mut out[HEADER_LEN..], cookie, sequence);
    let checksum = checksum(out);
    out[2..4].copy_from_slice(&checksum.to_be_bytes());
}

/// Whether `payload` is the complete payload that [`write_request`] wrote for this ping.
pub fn is_own_payload(payload: &[u8], len: usize, cookie: u64, sequence: u16) -> bool {
    payload.len() == len && has_own_payload_start(payload, cookie, sequence)
}

/// Whether `payload` is the beginning of this ping's payload. A router may quote no payload at all.
pub fn has_own_payload_start(payload: &[u8], cookie: u64, sequence: u16) -> bool {
    payload
        .chunks(8)
        .zip(words(cookie, sequence))
        .all(|(chunk, word)| *chunk == word[..chunk.len()])
}

fn fill_payload(out: &mut [u8], cookie: u64, sequence: u16) {
    for (chunk, word) in out.chunks_mut(8).zip(words(cookie, sequence)) {
        chunk.copy_from_slice(&word[..chunk.len()]);
    }
}

/// Generates the payload of one ping, eight bytes at a time: SplitMix64 (Steele, Lea and Flood
/// 2014), seeded with the random cookie of the check. The sequence number is in the upper bits of
/// the seed, so that no two pings share part of the stream.
fn words(cookie: u64, sequence: u16) -> impl Iterator<Item = [u8; 8]> {
    let mut state = cookie ^ (u64::from(sequence) << 48);
    std::iter::repeat_with(move || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)).to_be_bytes()
    })
}

/// The Internet checksum (RFC 1071). Zero over a message with a correct checksum.
pub fn checksum(bytes: &[u8]) -> u16 {
    let mut chunks = bytes.chunks_exact(2);
    let mut sum: u64 = chunks
        .by_ref()
        .map(|pair| u64::from(u16::from_be_bytes([pair[0], pair[1]])))
        .sum();
    if let [last] = chunks.remainder() {
        sum += u64::from(u16::from_be_bytes([*last, 0]));
    }
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !u16::try_from(sum).expect("folded to sixteen bits")
}

/// Whether an error explains why a ping was lost: destination unreachable, time exceeded and
/// parameter problem (RFC 792), and the errors of ICMPv6, whose types are below 128 (RFC 4443
/// section 2.1). A redirect concerns the route, and a source quench is to be ignored (RFC 6633).
pub fn explains_loss(error: IcmpError) -> bool {
    match error.version {
        IpVersion::V4 => matches!(error.kind, 3 | 11 | 12),
        IpVersion::V6 => error.kind < 128,
    }
}

/// The longest payload of an echo request that every host receives unfragmented: the packet has 576
/// bytes over IPv4 (RFC 791 section 3.1) and 1280 over IPv6 (RFC 8200 section 5).
pub const UNFRAGMENTED_LEN_V4: usize = 576 - 20 - HEADER_LEN;
const UNFRAGMENTED_LEN_V6: usize = 1280 - 40 - HEADER_LEN;

/// Whether an ICMPv6 error says that a request with so much payload exceeds the path's MTU. This
/// machine fragments the next one.
pub fn is_too_big(error: IcmpError, payload_len: usize) -> bool {
    payload_len > UNFRAGMENTED_LEN_V6 && error.version == IpVersion::V6 && error.kind == 2
}

/// Whether the time to live or hop limit of a packet was exceeded.
pub fn is_time_exceeded(error: IcmpError) -> bool {
    let time_exceeded = match error.version {
        IpVersion::V4 => (11, 0),
        IpVersion::V6 => (3, 0),
    };
    (error.kind, error.code) == time_exceeded
}

/// Describes an ICMP error: RFC 792 and its successors (RFC 1122 section 3.2.2, RFC 1812 section
/// 5.2.7) for IPv4, RFC 4443 section 3 for IPv6. Unknown codes are shown as numbers.
pub fn describe(error: IcmpError) -> String {
    let text = match error.version {
        IpVersion::V6 => match (error.kind, error.code) {
            (1, 0) => "no route to the destination",
            (1, 1) => "communication administratively prohibited",
            (1, 2) => "beyond the scope of the source address",
            (1, 3) => "address unreachable",
            (1, 4) => "port unreachable",
            (1, 5) => "source address failed the policy",
            (1, 6) => "route to the destination rejected",
            (2, _) => "packet too big",
            (3, 0) => "hop limit exceeded",
            (3, 1) => "fragment reassembly time exceeded",
            (4, _) => "parameter problem",
            _ => "",
        },
        IpVersion::V4 => match (error.kind, error.code) {
            (3, 0) => "network unreachable",
            (3, 1) => "host unreachable",
            (3, 2) => "protocol unreachable",
            (3, 3) => "port unreachable",
            (3, 4) => "fragmentation needed",
            (3, 5) => "source route failed",
            (3, 6) => "destination network unknown",
            (3, 7) => "destination host unknown",
            (3, 8) => "source host isolated",
            (3, 9) => "network administratively prohibited",
            (3, 10) => "host administratively prohibited",
            (3, 11) => "network unreachable for this type of service",
            (3, 12) => "host unreachable for this type of service",
            (3, 13) => "communication administratively prohibited",
            (3, 14) => "host precedence violation",
            (3, 15) => "precedence cutoff in effect",
            (11, 0) => "time to live exceeded",
            (11, 1) => "fragment reassembly time exceeded",
            (12, _) => "parameter problem",
            _ => "",
        },
    };
    let what = if text.is_empty() {
        format!("ICMP type {} code {}", error.kind, error.code)
    } else {
        text.to_string()
    };
    match error.from {
        Some(from) => format!("{what}, says {from}"),
        None => what,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COOKIE: u64 = 0x0123_4567_89ab_cdef;

    fn request(version: IpVersion, payload_len: usize) -> Vec<u8> {
        let mut bytes = vec![0; HEADER_LEN + payload_len];
        write_request(&mut bytes, version, 0xbeef, 7, COOKIE);
        bytes
    }

    #[test]
    fn the_checksum_is_that_of_rfc_1071_section_3() {
        assert_eq!(
            checksum(&[0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7]),
            !0xddf2
        );
    }

    #[test]
    fn an_odd_last_byte_counts_as_the_upper_half_of_a_word() {
        assert_eq!(checksum(&[0x12]), !0x1200);
        assert_eq!(checksum(&[]), 0xffff);
    }

    #[test]
    fn the_checksum_of_the_longest_message_does_not_overflow() {
        assert_eq!(checksum(&[0xff; 65_535]), !0xff00u16);
    }

    #[test]
    fn a_request_is_parsed_as_it_was_written() {
        for version in [IpVersion::V4, IpVersion::V6] {
            let bytes = request(version, 56);
            let echo = parse_echo(&bytes).expect("long enough");
            assert_eq!((echo.kind, echo.code), (version.request_type(), 0));
            assert_eq!((echo.identifier, echo.sequence), (0xbeef, 7));
            assert!(is_own_payload(echo.payload, 56, COOKIE, 7));
            assert_eq!(checksum(&bytes), 0);
        }
    }

    #[test]
    fn every_ping_of_a_check_has_a_different_payload() {
        let payloads: std::collections::HashSet<Vec<u8>> = (0..=u16::MAX)
            .map(|sequence| {
                let mut payload = vec![0; 16];
                fill_payload(&mut payload, COOKIE, sequence);
                payload
            })
            .collect();
        assert_eq!(payloads.len(), 65_536);
    }

    #[test]
    fn the_types_of_echo_are_those_of_rfc_792_and_rfc_4443() {
        let types = |version: IpVersion| (version.request_type(), version.reply_type());
        assert_eq!(types(IpVersion::V4), (8, 0));
        assert_eq!(types(IpVersion::V6), (128, 129));
    }

    #[test]
    fn the_payload_is_that_of_splitmix64_from_the_cookie_and_the_sequence_number() {
        // The first numbers of the reference implementation from the seed 1234567.
        let numbers: Vec<u64> = words(1_234_567, 0)
            .take(3)
            .map(u64::from_be_bytes)
            .collect();
        assert_eq!(
            numbers,
            [
                6_457_827_717_110_365_317,
                3_203_168_211_198_807_973,
                9_817_491_932_198_370_423
            ]
        );
        assert!(words(5, 3).take(3).eq(words(5 | 3 << 48, 0).take(3)));
    }

    #[test]
    fn a_payload_with_any_single_bit_changed_is_not_ours() {
        let bytes = request(IpVersion::V4, 61);
        for bit in 0..61 * 8 {
            let mut payload = bytes[HEADER_LEN..].to_vec();
            payload[bit / 8] ^= 1 << (bit % 8);
            assert!(!is_own_payload(&payload, 61, COOKIE, 7), "bit {bit}");
        }
    }

    #[test]
    fn a_truncated_or_extended_payload_or_that_of_another_ping_is_not_ours() {
        let payload = &request(IpVersion::V4, 56)[HEADER_LEN..];
        assert!(!is_own_payload(&payload[..55], 56, COOKIE, 7));
        assert!(!is_own_payload(&[payload, &[0]].concat(), 56, COOKIE, 7));
        assert!(!is_own_payload(payload, 56, COOKIE, 8));
        assert!(!is_own_payload(payload, 56, COOKIE + 1, 7));
        assert!(!is_own_payload(&[], 56, COOKIE, 7));
    }

    #[test]
    fn a_quote_may_end_anywhere_but_its_bytes_must_be_ours() {
        let payload = &request(IpVersion::V4, 56)[HEADER_LEN..];
        for len in 0..=56 {
            assert!(has_own_payload_start(&payload[..len], COOKIE, 7));
        }
        assert!(!has_own_payload_start(&payload[..12], COOKIE, 9));
    }

    /// A reply recorded on a loopback interface: 20 bytes of IPv4 header, 8 of ICMP, 8 of payload.
    const REPLY_PACKET: [u8; 36] = [
        0x45, 0x00, 0x00, 0x24, 0x1c, 0x46, 0x00, 0x00, 0x40, 0x01, 0x60, 0x91, 0x7f, 0x00, 0x00,
        0x01, 0x7f, 0x00, 0x00, 0x01, 0x00, 0x00, 0x4c, 0x1f, 0x12, 0x34, 0x00, 0x01, 0x61, 0x62,
        0x63, 0x64, 0x65, 0x66, 0x67, 0x68,
    ];

    #[test]
    fn the_message_inside_an_ipv4_packet_is_found_after_options() {
        let message = strip_ipv4_header(&REPLY_PACKET).expect("a whole packet");
        assert_eq!(message.len(), 16);
        let mut with_options = REPLY_PACKET.to_vec();
        with_options[0] = 0x47;
        with_options[3] = 0x2c;
        with_options.splice(20..20, [1, 1, 1, 1, 1, 1, 1, 0]);
        assert_eq!(strip_ipv4_header(&with_options), Some(message));
        with_options.extend_from_slice(b"padding");
        assert_eq!(strip_ipv4_header(&with_options), Some(message));
    }

    #[test]
    fn a_packet_of_another_version_or_protocol_or_with_a_short_header_is_refused() {
        for (position, value) in [(0, 0x55), (0, 0x44), (9, 17)] {
            let mut packet = REPLY_PACKET;
            packet[position] = value;
            assert_eq!(strip_ipv4_header(&packet), None, "byte {position}: {value}");
        }
    }

    #[test]
    fn no_truncated_or_changed_packet_makes_the_parser_panic() {
        for len in 0..REPLY_PACKET.len() {
            let message = strip_ipv4_header(&REPLY_PACKET[..len]);
            assert_eq!(message, None, "{len} bytes are not the whole packet");
        }
        let mut read = 0;
        for position in 0..REPLY_PACKET.len() {
            for value in 0..=u8::MAX {
                let mut packet = REPLY_PACKET;
                packet[position] = value;
                if let Some(message) = strip_ipv4_header(&packet) {
                    read += usize::from(parse_echo(message).is_some());
                }
            }
        }
        assert!(read > 30 * 256, "only {read} were read");
        for len in 0..HEADER_LEN {
            assert_eq!(parse_echo(&REPLY_PACKET[20..20 + len]), None);
        }
    }

    #[test]
    fn an_error_is_parsed_with_its_quote_and_a_truncated_one_is_refused() {
        let ping = request(IpVersion::V4, 16);
        // As macOS delivers it: the quoted length in host byte order and without the header. Four
        // bytes of options.
        let ip4 = [
            &[
                0x46, 0, 24, 0, 0, 0, 0, 0, 1, 1, 0, 0, 192, 0, 2, 1, 192, 0, 2, 9,
            ][..],
            &[1, 1, 1, 1],
        ]
        .concat();
        let message = [&[11, 0, 0, 0, 0, 0, 0, 0][..], &ip4, &ping].concat();
        let error = parse_error(&message, IpVersion::V4).expect("whole");
        assert_eq!(
            (error.kind, error.code, error.destination),
            (11, 0, IpAddr::from([192, 0, 2, 9]))
        );
        assert_eq!(error.quote, ping);
        for len in 0..32 {
            assert_eq!(parse_error(&message[..len], IpVersion::V4), None);
        }
        assert!(
            parse_error(&message[..36], IpVersion::V4)
                .is_some_and(|error| error.quote == &ping[..4])
        );
        for (position, value) in [(0, 5), (0, 0), (8, 0x66), (8, 0x44), (17, 17)] {
            let mut changed = message.clone();
            changed[position] = value;
            assert_eq!(parse_error(&changed, IpVersion::V4), None);
        }
        let without_options = [&[3, 1, 0, 0, 0, 0, 0, 0, 0x45][..], &ip4[1..20], &ping].concat();
        let error = parse_error(&without_options, IpVersion::V4).expect("whole");
        assert_eq!((error.kind, error.quote), (3, &ping[..]));

        let ping = request(IpVersion::V6, 16);
        let to: std::net::Ipv6Addr = "2001:db8::9".parse().expect("an address");
        let ip6 = [&[0x60, 0, 0, 0, 0, 24, 58, 1][..], &[0; 16], &to.octets()].concat();
        let message = [&[1, 3, 0, 0, 0, 0, 0, 0][..], &ip6, &ping].concat();
        let error = parse_error(&message, IpVersion::V6).expect("whole");
        assert_eq!(
            (error.kind, error.code, error.destination, error.quote),
            (1, 3, to.into(), &ping[..])
        );
        for len in 0..48 {
            assert_eq!(parse_error(&message[..len], IpVersion::V6), None);
        }
        for (position, value) in [(0, 128), (0, 129), (8, 0x40), (14, 17)] {
            let mut changed = message.clone();
            changed[position] = value;
            assert_eq!(parse_error(&changed, IpVersion::V6), None);
        }
        assert_eq!(parse_error(&message, IpVersion::V4), None);
    }

    #[test]
    fn errors_are_told_apart_by_type_code_and_version() {
        use IpVersion::{V4, V6};
        // Whether it explains a loss, says that the hop limit was exceeded, that a packet was too big.
        for (version, kind, code, explains, is_exceeded, is_big) in [
            (V4, 3, 4, true, false, false),
            (V4, 4, 0, false, false, false),
            (V4, 5, 1, false, false, false),
            (V4, 11, 0, true, true, false),
            (V4, 11, 1, true, false, false),
            (V4, 12, 0, true, false, false),
            (V4, 2, 0, false, false, false),
            (V6, 1, 0, true, false, false),
            (V6, 2, 0, true, false, true),
            (V6, 3, 0, true, true, false),
            (V6, 3, 1, true, false, false),
            (V6, 11, 0, true, false, false),
            (V6, 127, 0, true, false, false),
            (V6, 128, 0, false, false, false),
        ] {
            let error = IcmpError {
                kind,
                code,
                version,
                from: None,
            };
            assert_eq!(explains_loss(error), explains, "{error:?}");
            assert_eq!(is_time_exceeded(error), is_exceeded, "{error:?}");
            assert_eq!(is_too_big(error, 1233), is_big, "{error:?}");
            assert!(!is_too_big(error, 1232), "{error:?}");
        }
        assert_eq!((UNFRAGMENTED_LEN_V4, UNFRAGMENTED_LEN_V6), (548, 1232));
    }

    #[test]
    fn known_errors_are_described_in_words_and_unknown_ones_in_numbers() {
        let error = |version, kind, code| IcmpError {
            kind,
            code,
            version,
            from: None,
        };
        for (version, kind, code, text) in [
            (IpVersion::V6, 1, 0, "no route to the destination"),
            (
                IpVersion::V6,
                1,
                1,
                "communication administratively prohibited",
            ),
            (
                IpVersion::V6,
                1,
                2,
                "beyond the scope of the source address",
            ),
            (IpVersion::V6, 1, 3, "address unreachable"),
            (IpVersion::V6, 1, 4, "port unreachable"),
            (IpVersion::V6, 1, 5, "source address failed the policy"),
            (IpVersion::V6, 1, 6, "route to the destination rejected"),
            (IpVersion::V6, 2, 0, "packet too big"),
            (IpVersion::V6, 2, 9, "packet too big"),
            (IpVersion::V6, 3, 0, "hop limit exceeded"),
            (IpVersion::V6, 3, 1, "fragment reassembly time exceeded"),
            (IpVersion::V6, 4, 0, "parameter problem"),
            (IpVersion::V6, 4, 9, "parameter problem"),
            (IpVersion::V4, 3, 0, "network unreachable"),
            (IpVersion::V4, 3, 1, "host unreachable"),
            (IpVersion::V4, 3, 2, "protocol unreachable"),
            (IpVersion::V4, 3, 3, "port unreachable"),
            (IpVersion::V4, 3, 4, "fragmentation needed"),
            (IpVersion::V4, 3, 5, "source route failed"),
            (IpVersion::V4, 3, 6, "destination network unknown"),
            (IpVersion::V4, 3, 7, "destination host unknown"),
            (IpVersion::V4, 3, 8, "source host isolated"),
            (IpVersion::V4, 3, 9, "network administratively prohibited"),
            (IpVersion::V4, 3, 10, "host administratively prohibited"),
            (
                IpVersion::V4,
                3,
                11,
                "network unreachable for this type of service",
            ),
            (
                IpVersion::V4,
                3,
                12,
                "host unreachable for this type of service",
            ),
            (
                IpVersion::V4,
                3,
                13,
                "communication administratively prohibited",
            ),
            (IpVersion::V4, 3, 14, "host precedence violation"),
            (IpVersion::V4, 3, 15, "precedence cutoff in effect"),
            (IpVersion::V4, 11, 0, "time to live exceeded"),
            (IpVersion::V4, 11, 1, "fragment reassembly time exceeded"),
            (IpVersion::V4, 12, 0, "parameter problem"),
            (IpVersion::V4, 12, 9, "parameter problem"),
            (IpVersion::V6, 1, 7, "ICMP type 1 code 7"),
            (IpVersion::V4, 3, 77, "ICMP type 3 code 77"),
        ] {
            assert_eq!(describe(error(version, kind, code)), text);
        }
        let reported = IcmpError {
            from: Some([10, 0, 0, 1].into()),
            ..error(IpVersion::V4, 11, 0)
        };
        assert_eq!(describe(reported), "time to live exceeded, says 10.0.0.1");
    }
}
