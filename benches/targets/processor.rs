//! Processor time of the whole program per 10,000 pings compared with fping, and how often a host's
//! thread wakes up.

use std::cell::RefCell;
use std::process::{Command, Stdio};

use super::monitor::{Bench, Program, loopback_hosts, sleep_seconds};
use super::{Row, median, sys};

/// With six, the same program first in every pair has a chance of 3 % if neither is faster.
const PAIRS: usize = 6;
const PINGS_PER_CHECK: u64 = 5;

pub fn measure(program: &Program) {
    for (hosts, seconds) in [(3, 25), (1000, 8)] {
        measure_hosts(program, hosts, seconds);
    }
}

/// A hundred hosts, and each program against itself: what a difference must exceed to mean
/// anything.
pub fn measure_with_null_arms(program: &Program) {
    const SECONDS: u64 = 8;
    measure_hosts(program, 100, SECONDS);
    let hosts = loopback_hosts(100);
    let own = || measure_monitor(program, &hosts, SECONDS).cpu_seconds;
    let fping = || measure_fping(&hosts, SECONDS * PINGS_PER_CHECK);
    for (name, pairs) in [
        ("this program", Pairs::measure(&own, &own)),
        ("fping", Pairs::measure(&fping, &fping)),
    ] {
        Row {
            what: format!("null: {name} against itself, 100 hosts"),
            measured: pairs.text(),
            target: "the resolution".into(),
            is_met: true,
        }
        .print();
    }
}

fn measure_hosts(program: &Program, hosts: usize, seconds: u64) {
    let hosts = loopback_hosts(hosts);
    let monitors = RefCell::new(Vec::new());
    let own = || {
        let monitor = measure_monitor(program, &hosts, seconds);
        let cpu_seconds = monitor.cpu_seconds;
        monitors.borrow_mut().push(monitor);
        cpu_seconds
    };
    let pairs = Pairs::measure(&own, &|| measure_fping(&hosts, seconds * PINGS_PER_CHECK));
    let monitors = monitors.into_inner();
    let sum = |count: fn(&Measured) -> u32| monitors.iter().map(count).sum::<u32>();
    let (sent, received) = (sum(|one| one.sent), sum(|one| one.received));
    let median_of =
        |values: &[(f64, f64)], of: fn(&(f64, f64)) -> f64| median(values.iter().map(of).collect());
    let name = format!("{} hosts", hosts.len());
    Row {
        what: format!("processor seconds per 10,000 pings, {name}"),
        measured: format!(
            "{:.2}, {}; {received} of {sent} counted",
            median_of(&pairs.0, |pair| pair.0),
            pairs.text()
        ),
        target: format!("fping's, {:.2}; all", median_of(&pairs.0, |pair| pair.1)),
        is_met: pairs.ratio() <= 1.0 && received == sent,
    }
    .print();
    let wake_ups = monitors.iter().map(|one| one.wake_ups_per_check).collect();
    Row::at_most(
        format!("wake-ups per check, {name}"),
        median(wake_ups),
        PINGS_PER_CHECK as f64 + 1.0,
        "",
    )
    .print();
}

/// What two programs took in turn, so that other load on the machine affects both.
struct Pairs(Vec<(f64, f64)>);

impl Pairs {
    /// Each goes first in every second pair.
    fn measure(one: &dyn Fn() -> f64, another: &dyn Fn() -> f64) -> Pairs {
        let pair = |index: usize| {
            if index.is_multiple_of(2) {
                let first = one();
                (first, another())
            } else {
                let first = another();
                (one(), first)
            }
        };
        Pairs((0..PAIRS).map(pair).collect())
    }

    fn ratios(&self) -> impl Iterator<Item = f64> {
        self.0.iter().map(|(one, another)| one / another)
    }

    /// The median of the pairs' ratios.
    fn ratio(&self) -> f64 {
        median(self.ratios().collect())
    }

    fn text(&self) -> String {
        let (min, max) = self.ratios().fold((f64::MAX, 0f64), |(low, high), ratio| {
            (low.min(ratio), high.max(ratio))
        });
        let more = self.ratios().filter(|ratio| *ratio > 1.0).count();
        format!(
            "{:.2} times ({min:.2} to {max:.2}; more in {more} of {PAIRS} pairs, p = {:.2})",
            self.ratio(),
            sign_test(more, PAIRS)
        )
    }
}

/// The chance of so uneven a split of `count` pairs, if neither of two programs takes more: the
/// two-sided sign test.
fn sign_test(more: usize, count: usize) -> f64 {
    let ways = |taken: usize| {
        (0..taken).fold(1.0, |ways, at| ways * (count - at) as f64 / (at + 1) as f64)
    };
    let uneven: f64 = (0..=more.min(count - more)).map(ways).sum();
    (2.0 * uneven / 2f64.powi(count as i32)).min(1.0)
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
