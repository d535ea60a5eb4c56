//! Database bytes per check: 90 days of three hosts, in the order in which the monitor writes them.

use std::fs;
use std::sync::Arc;

use ace_connection_logger::pure::model::{CheckResult, Host};
use ace_connection_logger::pure::time::UtcMillis;
use ace_connection_logger::store::{Database, RunState};

use super::Row;

use super::monitor::{Bench, Program};
use super::random::{Random, ReplyModel, check};

const DAYS: i64 = 90;
const MINUTE_MS: i64 = 60_000;
const START: UtcMillis = UtcMillis(1_780_000_000_000);

/// Address, and the two figures of [`ReplyModel`] in microseconds.
const HOSTS: [(&str, f64, f64); 3] = [
    ("192.168.1.1", 450.0, 250.0),
    ("1.1.1.1", 9_800.0, 900.0),
    ("8.8.8.8", 13_500.0, 1_600.0),
];

pub fn measure(_: &Program) {
    let bench = Bench::new("database", "", &[]);
    let mut database = Database::open(&bench.database(), &mut |_, _| ())
        .unwrap()
        .database;
    database.begin_run(START, true).unwrap();
    let hosts = HOSTS.map(|(address, ..)| {
        Arc::new(Host {
            name: address.into(),
            address: address.into(),
            family: None,
            source: None,
        })
    });
    let mut random = Random(1);
    let minutes = DAYS * 24 * 60;
    for minute in 0..minutes {
        let results: Vec<CheckResult> = hosts
            .iter()
            .zip(HOSTS)
            .enumerate()
            .map(|(index, (host, (_, min_rtt_us, mean_excess_us)))| {
                // The monitor spreads the hosts over the minute, and a thread wakes up slightly
                // late.
                let at = START.0
                    + minute * MINUTE_MS
                    + index as i64 * 20_000
                    + (random.exponential() * 0.5) as i64;
                check(
                    host,
                    UtcMillis(at),
                    ReplyModel {
                        min_rtt_us,
                        mean_excess_us,
                        loss_rate: 0.002,
                    },
                    &mut random,
                )
            })
            .collect();
        database
            .write(
                &results,
                UtcMillis(START.0 + (minute + 1) * MINUTE_MS),
                RunState::Running,
            )
            .unwrap();
    }
    database.checkpoint();
    let bytes = fs::metadata(bench.database()).unwrap().len();
    let checks = bench.recorded().checks;
    let note = format!("{checks} checks, {:.1} MB", bytes as f64 / 1e6);
    let per_check = bytes as f64 / f64::from(checks);
    Row::at_most(
        "database bytes per check, every RTT and roll-ups",
        per_check,
        46.0,
        "B",
    )
    .note(&note)
    .print();
}
