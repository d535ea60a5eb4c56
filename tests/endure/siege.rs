//! Under siege: a neighbour that forges replies and errors, and clients that ask the dashboard for
//! too much, all at once. No ping of a host that answers is lost, no reply of one that does not is
//! invented, no check is late, and memory stays near what it was.

use std::fs::File;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::common::http;
use crate::common::monitor::Monitor;
use crate::common::namespace::{SocketKind, in_namespace, is_available};
use crate::far_end::{Raise, changed, destination, each_request, packet, reply};
use crate::figures::{Figures, median};
use crate::{in_turn, number};

/// One of so many hosts answers nothing.
const SILENT_EVERY: u64 = 50;
/// What memory may take more than at rest, in kB, with up to 100 hosts.
const MAX_MEMORY_KB: u64 = 8 << 10;
/// A plain request is answered or refused within this time.
const MAX_ANSWER: Duration = Duration::from_secs(5);
/// Errors and replies a second that belong to no ping.
const FLOOD: u64 = 1000;

fn address(n: u64) -> [u8; 4] {
    let [.., high, low] = n.to_be_bytes();
    [10, 10, high, low]
}

fn text([a, b, c, d]: [u8; 4]) -> String {
    format!("{a}.{b}.{c}.{d}")
}

fn is_silent(n: u64) -> bool {
    n % SILENT_EVERY == 7
}

/// An error of type and code that quotes a request.
fn error(kind: u8, code: u8, request: &[u8]) -> Vec<u8> {
    let mut message = vec![kind, code, 0, 0, 0, 0, 0, 0];
    message.extend_from_slice(request);
    message
}

/// What the neighbour sends on a request: all that is forged first, then the reply, twice, of a host
/// that answers.
fn answers(request: &[u8]) -> Vec<Vec<u8>> {
    let to = destination(request);
    let reply = changed(&request[20..], |message| message[0] = 0);
    let last = request.len() - 1;
    let other_number = changed(request, |packet| packet[27] ^= 0x55);
    let other_payload = changed(request, |packet| packet[last] ^= 1);
    let mut packets = vec![
        packet(to, &changed(&reply, |message| message[last - 20] ^= 1)),
        packet(
            to,
            &changed(&reply, |message| message[7] = message[7].wrapping_add(1)),
        ),
        packet(to, &changed(&reply, |message| message[5] ^= 0x10)),
        packet([10, 10, 255, 1], &reply),
        packet([10, 9, 0, 254], &error(3, 1, &other_number)),
        packet([10, 9, 0, 254], &error(11, 0, &other_payload)),
    ];
    let n = u64::from(u16::from_be_bytes([to[2], to[3]]));
    if !is_silent(n) {
        packets.extend([self::reply(request), self::reply(request)]);
    }
    packets
}

/// The far end and the neighbour, until the end; counts the packets that it sends.
fn forge(tun: &mut File, is_over: &AtomicBool, sent: &AtomicU64) {
    each_request(tun, is_over, |tun, request| {
        for packet in answers(request) {
            tun.write_all(&packet).expect("it takes a packet");
            sent.fetch_add(1, Ordering::Relaxed);
        }
    });
}

/// Errors and replies about pings that nobody sent, to every identifier in turn.
fn flood(tun: &mut File, is_over: &AtomicBool, sent: &AtomicU64) {
    let began = Instant::now();
    let mut n = 0_u64;
    while !is_over.load(Ordering::Relaxed) {
        while n < u64::try_from(began.elapsed().as_millis()).expect("short") * FLOOD / 1000 {
            n += 1;
            let [.., high, low] = n.wrapping_mul(40_503).to_be_bytes();
            let echo = [8, 0, 0, 0, high, low, 0, 1, 1, 2, 3, 4, 5, 6, 7, 8];
            let mut request = packet(address(n % 5000), &echo);
            request[12..20].rotate_left(4);
            let forged = match n % 3 {
                0 => error(3, 1, &request),
                1 => error(3, 4, &request),
                _ => changed(&echo, |message| message[0] = 0),
            };
            tun.write_all(&packet(address(n % 5000), &forged))
                .expect("it takes a packet");
            sent.fetch_add(1, Ordering::Relaxed);
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

const PAGE: ([u8; 4], u16) = ([127, 0, 0, 1], 8501);

/// Questions at the extremes of what is answered, which is asserted: a question that is refused is no
/// burden.
const HEAVY: &[&str] = &[
    "/api/series?host_address=10.10.0.1&points=5000&from=0&to=8796000000",
    "/api/ping-results?limit=1000000000&from=0&to=8796000000",
    "/api/ping-results?host_address=10.10.0.7&hours=0&limit=0",
    "/api/statistics/10.10.0.2?from=0&to=8796000000",
    "/api/outages?limit=0&from=0&to=8796000000",
    "/api/outages/by-incident?limit=0&from=0&to=8796000000",
    "/api/distribution?host_address=10.10.0.3&from=0&to=8796000000",
    "/api/series?host_address=10.10.0.7&points=5000",
    "/api/report?from=0&to=8796000000",
    "/api/report?from=0&to=8796000000&format=json",
    "/api/overview?days=400",
    "/api/ping-results/latest",
    "/api/status",
    "/metrics",
];
/// Questions beyond the extremes, which are refused.
const REFUSED: &[&str] = &[
    "/api/series?host_address=10.10.0.1&points=1000000&from=0",
    "/api/ping-results?from=-9223372036854775808&to=9223372036854775807",
    "/api/outages?limit=18446744073709551615",
    "/api/hours?host_address=10.10.0.1&from=0",
];

fn connect() -> Option<TcpStream> {
    let stream = TcpStream::connect(SocketAddr::from(PAGE)).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(2))).ok()?;
    stream
        .set_write_timeout(Some(Duration::from_secs(2)))
        .ok()?;
    Some(stream)
}

/// One client of the kind `n`, until the end; errors are what it came for.
fn abuse(n: usize, is_over: &AtomicBool, asked: &AtomicU64) {
    let mut idle = Vec::new();
    let mut bytes = [0_u8; 64 << 10];
    let mut turn = n;
    while !is_over.load(Ordering::Relaxed) {
        turn += 1;
        let Some(mut stream) = connect() else {
            std::thread::sleep(Duration::from_millis(5));
            continue;
        };
        asked.fetch_add(1, Ordering::Relaxed);
        let request = format!(
            "GET {} HTTP/1.1\r\nHost: localhost\r\n\r\n",
            HEAVY
                .iter()
                .chain(REFUSED)
                .nth(turn % (HEAVY.len() + REFUSED.len()))
                .expect("one of them")
        );
        match n % 5 {
            // Reads all of a heavy answer.
            0 => {
                drop(stream.write_all(request.replace("1.1", "1.0").as_bytes()));
                while stream.read(&mut bytes).is_ok_and(|len| len > 0) {}
            }
            // Reads nothing of it, and holds on.
            1 => {
                drop(stream.write_all(request.as_bytes()));
                idle.push(stream);
            }
            // Is idle.
            2 => idle.push(stream),
            // Sends what is no request.
            3 => {
                for (at, byte) in bytes.iter_mut().enumerate() {
                    *byte = u8::try_from((at * turn + at / 7) % 251).expect("a byte");
                }
                drop(stream.write_all(&bytes));
            }
            // Resets after its request.
            _ => {
                drop(stream.write_all(request.as_bytes()));
                drop(stream.shutdown(Shutdown::Both));
            }
        }
        if idle.len() > 100 {
            idle.clear();
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Until the end: what the monitor occupies, and that a plain request is answered or refused in time.
fn watch(monitor: &Monitor, length: Duration, statuses: &mut Vec<u16>) -> Vec<Figures> {
    let until = Instant::now() + length;
    let mut samples = Vec::new();
    while Instant::now() < until {
        let asked = Instant::now();
        statuses.push(http::get(SocketAddr::from(PAGE), "/api/status", "").status);
        assert!(
            asked.elapsed() < MAX_ANSWER,
            "{:?} for a plain request",
            asked.elapsed()
        );
        samples.push(Figures::of(monitor));
        std::thread::sleep(Duration::from_millis(200));
    }
    samples
}

/// SIEGE_HOSTS and SIEGE_SECONDS are the hosts and the length of the long form, at an interval of ten
/// seconds; without them 100 hosts are checked each second for 12 seconds.
#[test]
fn forged_packets_and_greedy_clients_at_once_change_no_result_and_delay_no_check() {
    let test =
        "siege::forged_packets_and_greedy_clients_at_once_change_no_result_and_delay_no_check";
    if !is_available(test) {
        return;
    }
    let _turn = in_turn();
    let (hosts, seconds, interval) = match (number("SIEGE_HOSTS"), number("SIEGE_SECONDS")) {
        (Some(hosts), Some(seconds)) => (hosts, seconds, 10),
        _ => (100, 12, 1),
    };
    in_namespace(SocketKind::Datagram, |mut tun| {
        let (is_over, sent, asked) = (AtomicBool::new(false), AtomicU64::new(0), AtomicU64::new(0));
        let (is_over, sent, asked) = (&is_over, &sent, &asked);
        let mut flooding = tun.try_clone().expect("another descriptor");
        std::thread::scope(|scope| {
            scope.spawn(move || forge(&mut tun, is_over, sent));
            scope.spawn(move || flood(&mut flooding, is_over, sent));
            let _at_the_end = Raise(is_over);
            let mut config = format!(
                "monitoring: {{interval_seconds: {interval}, ping_count: 2, ping_spacing_ms: 100, timeout_seconds: 0.8}}
outages: {{fast_interval_seconds: 1}}
database: {{flush_seconds: 1}}
dashboard: {{port: {}}}
hosts:
",
                PAGE.1
            );
            for n in 0..hosts {
                config += &format!("- {{name: host {n}, address: {}}}\n", text(address(n)));
            }
            let mut monitor = Monitor::start_with(&config, |command| command.arg("monitor"));
            monitor.wait_for("the first checks", |monitor| {
                monitor.checks(&text(address(hosts - 1))).len() > 1
            });
            let rest = median(&watch(
                &monitor,
                Duration::from_secs(seconds / 4),
                &mut Vec::new(),
            ));
            for (questions, status) in [(HEAVY, 200), (REFUSED, 400)] {
                for question in questions {
                    let answer = http::get(SocketAddr::from(PAGE), question, "");
                    assert_eq!(answer.status, status, "{question}");
                }
            }
            for n in 0..20 {
                scope.spawn(move || abuse(n, is_over, asked));
            }
            let mut statuses = Vec::new();
            let samples = watch(&monitor, Duration::from_secs(seconds), &mut statuses);
            is_over.store(true, Ordering::Relaxed);
            let most = samples
                .iter()
                .map(|sample| sample.memory_kb)
                .max()
                .expect("some");
            let (code, _) = monitor.stop("TERM");
            assert_eq!(code, Some(0), "{}", monitor.log());
            let refused = statuses.iter().filter(|status| **status == 503).count();
            println!(
                "PROOF siege: {hosts} hosts each {interval} s for {seconds} s, {} forged or true packets, {} requests of 20 greedy clients, \
                 {} plain requests of which {refused} were refused; memory {} kB at rest, {most} kB at most",
                sent.load(Ordering::Relaxed),
                asked.load(Ordering::Relaxed),
                statuses.len(),
                rest.memory_kb,
            );
            judge(&monitor, interval, (rest.memory_kb, most));
            assert!(
                statuses.iter().all(|status| [200, 503].contains(status)),
                "{statuses:?}"
            );
        });
    });
}

fn judge(monitor: &Monitor, interval: u64, (rest, most): (u64, u64)) {
    let silent = format!(
        "(h.id in (select id from host where cast(substr(name, 6) as integer) % {SILENT_EVERY} = 7))"
    );
    let sum = |what: &str, filter: &str| {
        monitor.number(&format!(
            "select coalesce(sum({what}), 0) from check_result c join host h on h.id = c.host_id where {filter}"
        ))
    };
    assert_eq!(
        sum("received", &silent),
        0,
        "replies of hosts that sent none"
    );
    assert!(sum("sent", &silent) > 0, "there are silent hosts");
    assert_eq!(
        sum("sent - received", &format!("not {silent}")),
        0,
        "lost pings of hosts that answer\n{}",
        monitor.log()
    );
    // The second check of a host is up to half an interval late: each then gets its share of the interval.
    let late = monitor.number(
        "select coalesce(max(gap), 0) from (select checked_at - lag(checked_at) over checks as gap, row_number() over checks as n
         from check_result window checks as (partition by host_id order by checked_at)) where n > 2",
    );
    let allowed = i64::try_from(interval * 1000 + interval.min(2) * 250).expect("short");
    assert!(
        late <= allowed,
        "{late} ms between two checks at an interval of {interval} s\n{}",
        monitor.log()
    );
    assert!(
        most <= rest + MAX_MEMORY_KB,
        "{rest} kB of memory at rest, {most} kB under siege"
    );
}
