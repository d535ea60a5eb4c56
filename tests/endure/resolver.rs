//! A name server that takes every question and answers none.

use std::net::UdpSocket;
use std::time::Duration;

use crate::common::monitor::Monitor;
use crate::common::mounts::resolve_by;
use crate::common::namespace::{SocketKind, in_namespace, is_available};
use crate::in_turn;

const NAMES: usize = 50;

fn config(addresses: usize) -> String {
    let mut config = String::from(
        "monitoring: {interval_seconds: 0.2, ping_count: 1, timeout_seconds: 0.1}
database: {flush_seconds: 0.2}
hosts:
",
    );
    for n in 1..=addresses {
        config += &format!("- {{name: address {n}, address: 127.0.0.{n}}}\n");
    }
    for n in 1..=NAMES {
        config += &format!("- {{name: name {n}, address: n{n}.example, interval_seconds: 2}}\n");
    }
    config
}

#[test]
fn a_resolver_that_hangs_for_fifty_names_makes_no_other_check_late_and_holds_up_no_signal() {
    let test = "resolver::a_resolver_that_hangs_for_fifty_names_makes_no_other_check_late_and_holds_up_no_signal";
    if !is_available(test) {
        return;
    }
    let _turn = in_turn();
    in_namespace(SocketKind::Datagram, |_tun| {
        let _silent = UdpSocket::bind("127.0.0.53:53").expect("the namespace is ours");
        resolve_by("127.0.0.53");
        let mut monitor = Monitor::start(&config(5));
        let mut most = 0;
        let mut wait = |monitor: &Monitor, what: &str, address: &str, checks: usize| {
            monitor.wait_for(what, |monitor| {
                most = most.max(monitor.count_all_threads());
                monitor.checks(address).len() >= checks
            });
        };
        wait(&monitor, "two seconds of checks", "127.0.0.1", 10);
        let lookups = monitor.count_threads("lookup");
        assert_eq!(lookups, NAMES, "{}", monitor.log());
        monitor.folder.write("config.yaml", &config(6));
        monitor.signal("HUP");
        wait(&monitor, "a new host", "127.0.0.6", 1);
        // Longer than the C library waits for an answer, so that lookups end and begin.
        wait(&monitor, "twelve seconds of checks", "127.0.0.1", 70);
        let (code, took) = monitor.stop("TERM");
        let mut gaps = Vec::new();
        for n in 1..=5 {
            let checks = monitor.checks(&format!("127.0.0.{n}"));
            gaps.extend(checks.windows(2).map(|pair| pair[1] - pair[0]));
        }
        let unmeasured = monitor.number("select count(distinct host_id) from not_measured_check");
        println!(
            "PROOF {NAMES} names with a resolver that hangs: {} checks of 5 other hosts {} to {} ms apart at an interval of 200 ms; \
             at most {most} threads; stopped in {} ms",
            gaps.len() + 5,
            gaps.iter().min().expect("some"),
            gaps.iter().max().expect("some"),
            took.as_millis()
        );
        assert_eq!(code, Some(0), "{}", monitor.log());
        assert!(took < Duration::from_secs(2), "{took:?}: {}", monitor.log());
        assert!(
            gaps.iter().all(|gap| (101..=299).contains(gap)),
            "a check is late, missing or doubled: {gaps:?}"
        );
        assert_eq!(unmeasured, 50, "{}", monitor.log());
        // A pinger and a lookup for each name, a pinger for each address, and twelve others at most.
        assert!(most <= NAMES * 2 + 6 + 12, "{most} threads");
    });
}
