//! What a network can send to a check: any bytes, replies that are almost ours, errors that quote
//! our pings. A ping counts as answered only if a message with all of its bytes came.

use std::net::IpAddr;
use std::time::Duration;

use super::Bytes;
use crate::pure::address::IpVersion;
use crate::pure::check::{Action, CheckRun, CheckSettings, ReadMode, ReceiveTime};
use crate::pure::icmp;
use crate::pure::model::{IcmpError, Outcome};
use crate::pure::time::{ClockSample, Monotonic};

const PAYLOAD_LEN: usize = 24;
const IDENTIFIER: u16 = 0x1234;
const COOKIE: u64 = 0x0123_4567_89ab_cdef;

/// Our reply to the ping with a sequence number.
fn reply(version: IpVersion, sequence: u16) -> Vec<u8> {
    let mut reply = request(version, sequence);
    reply[0] = version.reply_type();
    reply[2..4].fill(0);
    let checksum = icmp::checksum(&reply);
    reply[2..4].copy_from_slice(&checksum.to_be_bytes());
    reply
}

fn request(version: IpVersion, sequence: u16) -> Vec<u8> {
    let mut request = vec![0; icmp::HEADER_LEN + PAYLOAD_LEN];
    icmp::write_request(&mut request, version, IDENTIFIER, sequence, COOKIE);
    request
}

/// Changes some bytes, or the length.
fn change(mut message: Vec<u8>, bytes: &mut Bytes<'_>) -> Vec<u8> {
    for _ in 0..bytes.byte() % 4 {
        let at = usize::from(bytes.byte());
        match message.get_mut(at) {
            Some(byte) => *byte ^= bytes.byte(),
            None => message.resize(at, 0),
        }
    }
    let cut = usize::from(bytes.byte());
    message.truncate(cut.max(1) * 2);
    message
}

pub fn run(data: &[u8]) {
    let mut bytes = Bytes(data);
    let flags = bytes.byte();
    let version = IpVersion::ALL[usize::from(flags & 1)];
    let is_raw = flags & 2 != 0;
    let settings = CheckSettings {
        ping_count: u16::from(flags >> 2 & 7) + 1,
        spacing: Duration::from_millis(u64::from(bytes.byte()) * 10),
        timeout: Duration::from_millis(u64::from(bytes.byte()) * 20 + 1),
        payload_len: PAYLOAD_LEN,
        linger: Duration::from_millis(10),
        read_mode: if flags & 32 == 0 {
            ReadMode::Deferred
        } else {
            ReadMode::Immediate
        },
    };
    let mut check = CheckRun::new(settings, version, IDENTIFIER, COOKIE);
    let mut clock = ClockSample {
        monotonic: Monotonic(1_000_000_000),
        realtime_ns: 1_700_000_000_000_000_000,
        boottime_ns: 1_000_000_000,
    };
    let (mut sent, mut came) = (0_u16, [false; 16]);
    while !bytes.is_empty() {
        let step = i64::from(bytes.byte()) * 1_000_000;
        clock.monotonic.0 += step;
        clock.boottime_ns += step;
        clock.realtime_ns = clock.realtime_ns.saturating_add(step);
        match bytes.byte() % 8 {
            0 | 1 => {
                if let Action::Send(sequence) = check.next_action(clock.monotonic) {
                    sent = sequence;
                    match bytes.byte() % 8 {
                        0 => check.send_failed(clock, 101),
                        _ => check.sent(clock),
                    }
                }
            }
            2 => {
                // The clock is set, within a year of what it shows.
                let by_ns = bytes.number() % (365 * 86_400 * 1_000_000_000);
                clock.realtime_ns = clock.realtime_ns.saturating_add(by_ns);
            }
            3 => check.transmitted(usize::from(bytes.byte()), bytes.number()),
            4 => {
                let sequence = u16::from(bytes.byte() % 16);
                let quote = change(request(version, sequence), &mut bytes);
                receive_error(&mut check, version, &quote, &mut bytes);
            }
            5 => {
                let len = usize::from(bytes.byte());
                let message = bytes.take(len).to_vec();
                receive(
                    &mut check, version, is_raw, &message, clock, &mut bytes, &mut came,
                );
            }
            _ => {
                let sequence = u16::from(bytes.byte() % 16);
                let message = change(reply(version, sequence), &mut bytes);
                receive(
                    &mut check, version, is_raw, &message, clock, &mut bytes, &mut came,
                );
            }
        }
        check.outcome_so_far(usize::from(flags % 9), clock.monotonic);
    }
    let Ok(judged) = check.finish(&clock) else {
        return;
    };
    assert_eq!(judged.pings.len(), usize::from(sent));
    for (ping, has_reply) in judged.pings.iter().zip(came.iter().skip(1)) {
        let is_reply = matches!(ping, Outcome::Reply { .. });
        assert!(!is_reply || *has_reply, "a reply that never came");
    }
}

/// Passes a message as `EchoSocket::read` does.
fn receive(
    check: &mut CheckRun,
    version: IpVersion,
    is_raw: bool,
    message: &[u8],
    clock: ClockSample,
    bytes: &mut Bytes<'_>,
    came: &mut [bool; 16],
) {
    for (sequence, came) in (0..).zip(came.iter_mut()) {
        let own = reply(version, sequence);
        // The checksum is the socket's matter.
        *came |= message.len() == own.len() && message[..2] == own[..2] && message[4..] == own[4..];
    }
    let kernel_ns = match bytes.byte() % 3 {
        0 => None,
        1 => Some(clock.realtime_ns),
        _ => Some(bytes.number()),
    };
    let arrival = ReceiveTime {
        kernel_ns,
        read: clock,
    };
    if let Some(error) = icmp::parse_error(message, version) {
        assert!(error.quote.len() <= message.len());
    }
    if is_raw {
        let mut packet = bytes.take(20).to_vec();
        packet.extend(message);
        if let Some(inner) = icmp::strip_ipv4_header(&packet) {
            icmp::parse_echo(inner);
            icmp::parse_error(inner, version);
        }
    }
    check.received(icmp::parse_echo(message), arrival);
}

fn receive_error(check: &mut CheckRun, version: IpVersion, quote: &[u8], bytes: &mut Bytes<'_>) {
    let error = IcmpError {
        kind: bytes.byte(),
        code: bytes.byte(),
        version,
        from: Some(IpAddr::from(bytes.array::<4>())),
    };
    icmp::describe(error);
    check.received_error(quote, error);
}
