//! A monitor that works as hard as it can for a while: memory, descriptors, threads and the size of
//! the file for each check stay as they are.

use std::fs::File;
use std::io::Write;
use std::net::SocketAddr;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use crate::common::http;
use crate::common::monitor::Monitor;
use crate::common::namespace::{SocketKind, in_namespace, is_available};
use crate::far_end::{Raise, each_request, reply};
use crate::figures::{Figures, assert_flat, median};
use crate::{in_turn, number};

const HOSTS: u64 = 100;

/// What a check adds to the file, with its share of outages, roll-ups and indexes.
const MAX_CHECK_BYTES: u64 = 60;
/// Of all connections to the database: PRAGMA cache_size.
const SQLITE_CACHE: u64 = 1 << 20;

/// SQLite begins it anew after a thousand pages: PRAGMA wal_autocheckpoint.
const MAX_LOG: u64 = 5 << 20;

/// Of a host that comes and goes: so long it answers, and so long it does not.
const ANSWERS: Duration = Duration::from_secs(6);
const IS_SILENT: Duration = Duration::from_secs(2);

/// Answers pings at the other end of the device, but for the silences.
fn come_and_go(tun: &mut File, is_over: &AtomicBool) {
    let began = Instant::now();
    each_request(tun, is_over, |tun, request| {
        let into = began.elapsed().as_millis() % (ANSWERS + IS_SILENT).as_millis();
        if into < ANSWERS.as_millis() {
            tun.write_all(&reply(request)).expect("it takes a packet");
        }
    });
}

/// Hosts on loopback, and one that comes and goes and has the witness, traces and alerts at work.
fn config(interval: f64) -> String {
    let mut config = format!(
        "monitoring: {{interval_seconds: {interval}, ping_count: 2, ping_spacing_ms: {}, timeout_seconds: {}}}
database: {{flush_seconds: 0.5}}
dashboard: {{port: 8501}}
alerts: {{command: [\"true\"], most_per_hour: 1000}}
hosts:
- {{name: comes and goes, address: 10.9.0.2}}
",
        interval * 200.0,
        interval * 0.4
    );
    for n in 1..HOSTS {
        config += &format!("- {{name: host {n}, address: 127.0.0.{n}}}\n");
    }
    config
}

/// A part of a run: what was occupied in it, and how much was recorded when it ended.
struct Window {
    figures: Figures,
    checks: u64,
    database: u64,
}

/// Watches the monitor for a while, as a page that is open does.
fn watch(monitor: &Monitor, length: Duration) -> Window {
    let page: SocketAddr = "127.0.0.1:8501".parse().expect("an address");
    let until = Instant::now() + length;
    let pause = (length / 40).clamp(Duration::from_millis(100), Duration::from_secs(2));
    let mut samples = Vec::new();
    while Instant::now() < until {
        for path in ["/", "/api/status", "/api/ping-results/latest", "/metrics"] {
            assert_eq!(http::get(page, path, "").status, 200, "{path}");
        }
        std::thread::sleep(pause);
        samples.push(Figures::of(monitor));
    }
    let checks = monitor.number("select count(*) from check_result");
    let window = Window {
        figures: median(&samples),
        checks: u64::try_from(checks).expect("a count"),
        database: samples.last().expect("some samples").database,
    };
    println!(
        "{} s, {} checks: {}, {} bytes and a log of {}",
        length.as_secs(),
        window.checks,
        window.figures,
        window.database,
        window.figures.wal
    );
    window
}

/// ENDURE_SECONDS is the length of the run, at an interval of a second; without it 24 seconds are
/// played at a fifth of a second.
#[test]
fn a_hundred_hosts_at_the_pace_of_a_second_leave_memory_descriptors_threads_and_rows_flat() {
    let test = "hours::a_hundred_hosts_at_the_pace_of_a_second_leave_memory_descriptors_threads_and_rows_flat";
    if !is_available(test) {
        return;
    }
    let _turn = in_turn();
    let (seconds, interval) = match number("ENDURE_SECONDS") {
        Some(seconds) => (seconds, 1.0),
        None => (24, 0.2),
    };
    in_namespace(SocketKind::Datagram, |mut tun| {
        let is_over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| come_and_go(&mut tun, &is_over));
            let _at_the_end = Raise(&is_over);
            run(seconds, interval);
        });
    });
}

fn run(seconds: u64, interval: f64) {
    let mut monitor = Monitor::start_with(&config(interval), |command| command.arg("monitor"));
    monitor.wait_for("the first checks", |monitor| {
        monitor.checks("127.0.0.1").len() > 2
    });
    let part = |of: u64, parts: u64| Duration::from_millis(seconds * 1000 * of / parts);
    // A sixth each: two to warm up, the next is compared with the last.
    let windows: Vec<Window> = (0..6).map(|_| watch(&monitor, part(1, 6))).collect();
    let [_, warm, first, _, middle, last] = &windows[..] else {
        panic!("six windows")
    };
    let growth = |from: &Window, to: &Window| {
        (to.database - from.database) as f64 / (to.checks - from.checks) as f64
    };
    let (early, late) = (growth(warm, middle), growth(middle, last));
    let (code, _) = monitor.stop("TERM");
    println!(
        "PROOF {HOSTS} hosts each {interval} s for {seconds} s, {} checks and {} outages: {} after half of it, {} at its end; \
         the file grew by {early:.1} bytes a check, then by {late:.1}",
        last.checks,
        monitor.number("select count(*) from outage_events"),
        first.figures,
        last.figures,
    );
    let log = monitor.folder.path().join("log");
    assert_eq!(code, Some(0), "{}", monitor.log());
    // SQLite keeps the pages that it wrote last, until its cache is full.
    let cached = if last.database < SQLITE_CACHE {
        (last.checks - first.checks) * MAX_CHECK_BYTES
    } else {
        0
    };
    let mut before = first.figures;
    before.memory_kb += cached / 1024;
    assert_flat(&before, &last.figures, &log);
    // The hosts fill their pages at the same pace, a page in some 150 checks: over fewer, the file grows
    // by leaps.
    let is_long = last.checks > 1000 * HOSTS;
    assert!(
        (late <= early * 1.2 || !is_long) && late < MAX_CHECK_BYTES as f64,
        "the file grows by {early:.1} bytes a check, then by {late:.1}"
    );
    assert!(
        last.figures.wal <= first.figures.wal.max(MAX_LOG),
        "the log of SQLite: {} bytes, then {}",
        first.figures.wal,
        last.figures.wal
    );
    let expected = (seconds * HOSTS) as f64 / interval;
    let checks = monitor.number("select count(*) from check_result") as f64;
    assert!(checks >= expected * 0.98, "{checks} of {expected} checks");
    let lost = "select sum(sent - received) from check_result c join host h on h.id = c.host_id where h.address != '10.9.0.2'";
    assert_eq!(monitor.number(lost), 0, "{}", monitor.log());
    assert!(monitor.number("select count(*) from outage_events") > 0);
}
