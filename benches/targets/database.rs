//! Database bytes a check: 90 days of three hosts, written as the running program writes them, in the order they come.

use std::fs;
use std::sync::Arc;

use ace_connection_logger::model::{CheckResult, Family, Host, Outcome};
use ace_connection_logger::store::{Database, Life};
use ace_connection_logger::time::UtcMillis;

use super::Row;
use super::monitor::{Bench, Program};

const DAYS: i64 = 90;
const MINUTE_MS: i64 = 60_000;
const PINGS_PER_CHECK: usize = 5;
const START: UtcMillis = UtcMillis(1_780_000_000_000);

/// Address, least round-trip time in microseconds, how widely times are spread above it (the mean of what is added).
const HOSTS: [(&str, f64, f64); 3] = [("192.168.1.1", 450.0, 250.0), ("1.1.1.1", 9_800.0, 900.0), ("8.8.8.8", 13_500.0, 1_600.0)];

pub fn measure(_: &Program) {
    let bench = Bench::new("database", "", &[]);
    let mut database = Database::open(&bench.database(), &mut |_, _| ()).unwrap().database;
    database.begin_run(START).unwrap();
    let hosts = HOSTS.map(|(address, ..)| Arc::new(Host { name: address.into(), address: address.into(), family: Family::Any }));
    let mut chance = Chance(1);
    let minutes = DAYS * 24 * 60;
    for minute in 0..minutes {
        let results: Vec<CheckResult> = hosts
            .iter()
            .zip(HOSTS)
            .enumerate()
            .map(|(index, (host, (_, least_us, spread_us)))| {
                // The hosts are phased over the minute, and a thread wakes a little after its tick.
                let at = START.0 + minute * MINUTE_MS + index as i64 * 20_000 + (chance.exponential() * 0.5) as i64;
                check(host, UtcMillis(at), least_us, spread_us, &mut chance)
            })
            .collect();
        database.write(&results, UtcMillis(START.0 + (minute + 1) * MINUTE_MS), Life::GoesOn).unwrap();
    }
    database.checkpoint();
    let bytes = fs::metadata(bench.database()).unwrap().len();
    let checks = bench.recorded().checks;
    let note = format!("{checks} checks, {:.1} MB", bytes as f64 / 1e6);
    let per_check = bytes as f64 / f64::from(checks);
    Row::at_most("database bytes a check, every RTT and roll-ups", per_check, 46.0, "B").noting(&note).print();
}

/// One check whose pings take the least time and something on top: mostly little, sometimes several times as much. Two
/// pings in a thousand are lost.
fn check(host: &Arc<Host>, at: UtcMillis, least_us: f64, spread_us: f64, chance: &mut Chance) -> CheckResult {
    let mut ping = || {
        if chance.unit() < 0.002 {
            return Outcome::TimedOut;
        }
        let tail = if chance.unit() < 0.02 { 8.0 } else { 1.0 };
        Outcome::Reply { rtt_us: (least_us + chance.exponential() * spread_us * tail) as u32 }
    };
    let pings: Vec<Outcome> = (0..PINGS_PER_CHECK).map(|_| ping()).collect();
    CheckResult {
        host: Arc::clone(host),
        resolved: host.address.parse().ok(),
        checked_at: at,
        pings,
        late: 0,
        duplicates: 0,
        foreign: 0,
        reason: None,
    }
}

/// The same chance at every run: xorshift64.
struct Chance(u64);

impl Chance {
    /// Evenly from above 0 to 1.
    fn unit(&mut self) -> f64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        ((self.0 >> 11) + 1) as f64 / (1u64 << 53) as f64
    }

    /// Exponentially, with mean 1.
    fn exponential(&mut self) -> f64 {
        -self.unit().ln()
    }
}
