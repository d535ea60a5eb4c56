//! Processor time of the whole program per 10,000 pings compared with fping, and how often a host's
//! thread wakes up.

use std::process::{Command, Stdio};

use super::monitor::{Bench, Program, loopback_hosts, sleep_seconds};
use super::{Row, median, sys};

const PAIRS: usize = 3;
const PINGS_PER_CHECK: u64 = 5;

pub fn measure(program: &Program) {
    for (hosts, seconds) in [(3, 60), (100, 30), (1000, 12)] {
        measure_hosts(program, hosts, seconds);
    }
}

fn measure_hosts(program: &Program, hosts: usize, seconds: u64) {
    let hosts = loopback_hosts(hosts);
    let (mut own, mut fping, mut ratios, mut wake_ups) =
        (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let (mut sent, mut received) = (0, 0);
    // In turn, so that other load on the machine affects both.
    for _ in 0..PAIRS {
        let monitor = measure_monitor(program, &hosts, seconds);
        let fping_seconds = measure_fping(&hosts, seconds * PINGS_PER_CHECK);
        own.push(monitor.cpu_seconds);
        fping.push(fping_seconds);
        ratios.push(monitor.cpu_seconds / fping_seconds);
        wake_ups.push(monitor.wake_ups_per_check);
        sent += monitor.sent;
        received += monitor.received;
    }
    let name = format!("{} hosts", hosts.len());
    let range = range_text(&ratios);
    let ratio = median(ratios);
    Row {
        what: format!("processor seconds per 10,000 pings, {name}"),
        measured: format!(
            "{:.2}, {ratio:.2} times ({range}); {received} of {sent} counted",
            median(own)
        ),
        target: format!("fping's, {:.2}; all", median(fping)),
        is_met: ratio <= 1.0 && received == sent,
    }
    .print();
    Row::at_most(
        format!("wake-ups per check, {name}"),
        median(wake_ups),
        PINGS_PER_CHECK as f64 + 1.0,
        "",
    )
    .print();
}

fn range_text(values: &[f64]) -> String {
    let (min, max) = values.iter().fold((f64::MAX, 0f64), |(low, high), value| {
        (low.min(*value), high.max(*value))
    });
    format!("{min:.2} to {max:.2}")
}

struct Measured {
    cpu_seconds: f64,
    wake_ups_per_check: f64,
    sent: u32,
    received: u32,
}

/// Each host is checked once a second; measured from the program's start to its end.
fn measure_monitor(program: &Program, hosts: &[String], seconds: u64) -> Measured {
    let monitoring = format!(
        "interval_seconds: 1, ping_count: {PINGS_PER_CHECK}, ping_spacing_ms: 180, timeout_seconds: 0.2"
    );
    let bench = Bench::new("processor", &monitoring, hosts);
    let before = sys::children_cpu();
    let monitor = bench.monitor(program);
    sleep_seconds(seconds);
    let sleeps = monitor.pinger_sleeps();
    monitor.stop();
    let cpu = sys::children_cpu() - before;
    let recorded = bench.recorded();
    Measured {
        cpu_seconds: cpu.as_secs_f64() / f64::from(recorded.sent) * 10_000.0,
        wake_ups_per_check: sleeps as f64 / f64::from(recorded.checks),
        sent: recorded.sent,
        received: recorded.received,
    }
}

/// Seconds per 10,000 pings, of the same hosts at the same rate.
fn measure_fping(hosts: &[String], pings_each: u64) -> f64 {
    let count = pings_each.to_string();
    // Between two hosts: fping's default of 10 ms, or less where the hosts would not fit into the period.
    let gap_ms = format!("{:.2}", (200.0 / hosts.len() as f64).min(10.0));
    let mut command = Command::new("fping");
    command
        .args(["-q", "-b", "56", "-p", "200", "-i", &gap_ms, "-C", &count])
        .args(hosts);
    let before = sys::children_cpu();
    let status = command
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .unwrap();
    let cpu = sys::children_cpu() - before;
    assert!(status.success(), "fping lost pings");
    cpu.as_secs_f64() / (hosts.len() as u64 * pings_each) as f64 * 10_000.0
}
