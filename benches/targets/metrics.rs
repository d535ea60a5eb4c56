//! `/metrics` of a monitor with a thousand hosts: time and size, plain and compressed.

use super::answers::Client;
use super::monitor::{Bench, Program, loopback_hosts, sleep_seconds};
use super::{Row, median};

const HOSTS: usize = 1000;
const ROUNDS: usize = 21;

pub fn measure(program: &Program) {
    let bench = Bench::new("metrics", "", &loopback_hosts(HOSTS));
    let monitor = bench.start(program, &["monitor"]);
    // Until the first checks are written.
    sleep_seconds(20);
    let mut client = Client::connect();
    for (what, headers) in [("plain", ""), ("gzip", "Accept-Encoding: gzip\r\n")] {
        let mut bytes = 0;
        let times = (0..ROUNDS)
            .map(|_| client.time_with("/metrics", headers, &mut bytes))
            .collect();
        let row = format!("/metrics of 1000 hosts, {what}: time");
        Row::at_most(row, median(times), 20.0, "ms").print();
        let each = bytes as f64 / HOSTS as f64 / 1000.0;
        let row = format!("/metrics of 1000 hosts, {what}: size for each host");
        Row::at_most(row, each, 3.0, "kB").print();
    }
    drop(client);
    monitor.stop();
}
