//! More pings of one host than there are identifiers and sequence numbers of ICMP, 65,536 of each.

use std::net::IpAddr;
use std::time::Duration;

use ace_connection_logger::clock::Clock as _;
use ace_connection_logger::net::{Exchange, SocketOptions, Target, ThisMachine};
use ace_connection_logger::pure::check::{CheckSettings, JudgedPings, ReadMode};
use ace_connection_logger::pure::model::Outcome;
use ace_connection_logger::stop::Stop;

use crate::common::namespace::{SOCKET_KINDS, in_namespace, is_available};
use crate::{in_turn, number};

const SETTINGS: CheckSettings = CheckSettings {
    ping_count: 1,
    spacing: Duration::ZERO,
    timeout: Duration::from_secs(10),
    payload_len: 56,
    linger: Duration::ZERO,
    read_mode: ReadMode::Immediate,
};

/// A check of one ping, with a socket of its own.
fn check(address: IpAddr, stop: &Stop) -> JudgedPings {
    let target = Target {
        ip: address,
        scope_id: 0,
    };
    let options = SocketOptions::default();
    let mut exchange = Exchange::open(&ThisMachine, &target, &options, SETTINGS).expect("a socket");
    let until = exchange.send(1).monotonic.after(SETTINGS.timeout);
    while exchange
        .run
        .outcome_so_far(0, ThisMachine.monotonic())
        .is_none()
    {
        assert!(!exchange.wait_readable(stop, until));
        exchange.read_errors();
        exchange.read();
    }
    exchange
        .run
        .finish(&ThisMachine.clocks())
        .expect("no sleep")
}

#[test]
fn every_one_of_more_pings_than_identifiers_gets_its_own_reply() {
    let test = "pings::every_one_of_more_pings_than_identifiers_gets_its_own_reply";
    if !is_available(test) {
        return;
    }
    let _turn = in_turn();
    // ENDURE_PINGS: of each kind of socket and version of IP.
    let pings = number("ENDURE_PINGS").unwrap_or(500);
    for kind in SOCKET_KINDS {
        in_namespace(kind, |_tun| {
            let stop = Stop::new().expect("a stop");
            for address in ["127.0.0.1", "::1"] {
                let address: IpAddr = address.parse().expect("an address");
                for nth in 1..=pings {
                    let judged = check(address, &stop);
                    let is_received = matches!(judged.pings[..], [Outcome::Reply { .. }]);
                    assert!(is_received, "{kind:?}, {address}, {nth}: {judged:?}");
                    let others = judged.late + judged.duplicates + judged.foreign;
                    assert_eq!(others, 0, "{kind:?}, {address}, {nth}: {judged:?}");
                }
            }
        });
    }
    println!(
        "PROOF {pings} checks of a host with each kind of socket and version of IP: every one got its own reply"
    );
}
