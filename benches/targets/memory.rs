//! Resident memory of a monitor between two checks.

use super::Row;
use super::monitor::{Bench, Program, loopback_hosts, sleep_seconds};

/// The first check ends after six seconds and is written two seconds later.
const IDLE_AFTER_SECONDS: u64 = 15;

pub fn measure(program: &Program) {
    for (hosts, limit_mib) in [(3, 5.0), (1000, 20.0)] {
        let bench = Bench::new("memory", "", &loopback_hosts(hosts));
        let monitor = bench.monitor(program);
        sleep_seconds(IDLE_AFTER_SECONDS);
        let bytes = monitor.resident_bytes();
        monitor.stop();
        let what = format!("resident memory, idle, {hosts} hosts");
        Row::at_most(what, bytes as f64 / f64::from(1 << 20), limit_mib, "MiB").print();
    }
}
