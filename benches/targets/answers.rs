//! The dashboard's responses: time and size with 90 days of a hundred hosts, and memory.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant, SystemTime};

use super::monitor::{Bench, Program, loopback_hosts, sleep_seconds};
use super::{Row, median};

const HOSTS: usize = 100;
const DAYS: u64 = 90;
/// Requests for each figure.
const ROUNDS: usize = 101;

pub fn measure(program: &Program) {
    let bench = Bench::new("answers", "", &loopback_hosts(HOSTS));
    history(&bench, HOSTS);
    let dashboard = bench.start(program, &["dashboard"]);
    let mut client = Client::connect();
    let end = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap()
        .as_secs();
    let begin = end - DAYS * 86_400;
    let series = |host: &str| format!("/api/series?host_address={host}&from={begin}&to={end}");
    let hosts = loopback_hosts(HOSTS);
    let mut bytes = 0;
    // Another host each time, so that no response is cached.
    let charts = (0..ROUNDS)
        .map(|round| client.time(&series(&hosts[round % HOSTS]), &mut bytes))
        .collect();
    Row::at_most(
        "a chart of 90 days, one host of 100: time",
        median(charts),
        2.0,
        "ms",
    )
    .print();
    Row::at_most(
        "a chart of 90 days: size, compressed",
        bytes as f64 / 1000.0,
        40.0,
        "kB",
    )
    .print();
    let statistics = (0..7).map(|_| {
        let each = hosts.iter().map(|host| {
            client.time(
                &format!("/api/statistics/{host}?hours={}", DAYS * 24),
                &mut bytes,
            )
        });
        each.sum()
    });
    Row::at_most(
        "statistics over 90 days, all of 100 hosts: time",
        median(statistics.collect()),
        60.0,
        "ms",
    )
    .print();
    let overviews = (0..7)
        .map(|_| client.time("/api/overview?offset_minutes=60", &mut bytes))
        .collect();
    let note = format!("size, compressed: {:.1} kB", bytes as f64 / 1000.0);
    // The whole page has to load within 300 ms.
    Row::at_most(
        "the overview of 100 hosts: time",
        median(overviews),
        200.0,
        "ms",
    )
    .note(&note)
    .print();
    drop(client);
    dashboard.stop();
    measure_memory(program);
}

/// Resident memory with the dashboard less that without, before and after a browser has used it.
fn measure_memory(program: &Program) {
    let resident = |arguments: &[&str], use_page: fn()| {
        let bench = Bench::new("dashboard", "", &loopback_hosts(3));
        history(&bench, 3);
        let monitor = bench.start(program, arguments);
        sleep_seconds(10);
        use_page();
        sleep_seconds(5);
        let bytes = monitor.resident_bytes();
        monitor.stop();
        bytes as f64 / f64::from(1 << 20)
    };
    let without = resident(&["monitor", "--no-dashboard"], || ());
    let unused = resident(&["monitor"], || ());
    let used = resident(&["monitor"], request_all);
    let note = format!("{unused:.2} - {without:.2} MiB");
    Row::at_most(
        "memory of the dashboard, never used",
        unused - without,
        1.0,
        "MiB",
    )
    .note(&note)
    .print();
    let note = format!("{used:.2} - {without:.2} MiB");
    Row::at_most(
        "memory of the dashboard, after use",
        used - without,
        1.0,
        "MiB",
    )
    .note(&note)
    .print();
}

/// Requests everything that the page does, over six connections as a browser does.
fn request_all() {
    let host = &loopback_hosts(1)[0];
    let from = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap()
        .as_secs()
        - DAYS * 86_400;
    let paths = [
        "/".to_string(),
        "/api/status".into(),
        "/api/overview?offset_minutes=60".into(),
        "/api/ping-results/latest".into(),
        format!("/api/series?host_address={host}&from={from}"),
        format!("/api/series?host_address={host}"),
        format!("/api/hours?host_address={host}&from={from}"),
        format!("/api/distribution?host_address={host}&from={from}"),
        format!("/api/ping-results?host_address={host}&limit=100"),
    ];
    std::thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| {
                let mut client = Client::connect();
                for path in paths.iter().cycle().take(paths.len() * 5) {
                    client.time(path, &mut 0);
                }
            });
        }
    });
}

/// Writes 90 days of synthetic history.
fn history(bench: &Bench, hosts: usize) {
    let program: PathBuf = std::env::current_exe().unwrap().with_file_name("history");
    let written = Command::new(program)
        .arg(bench.database())
        .args([hosts.to_string(), DAYS.to_string()])
        .status();
    assert!(written.unwrap().success());
}

/// A persistent connection.
pub struct Client(BufReader<TcpStream>);

impl Client {
    /// Waits until the dashboard listens.
    pub fn connect() -> Client {
        let deadline = Instant::now() + Duration::from_secs(10);
        loop {
            match TcpStream::connect("127.0.0.1:8501") {
                Ok(stream) => {
                    stream.set_nodelay(true).unwrap();
                    return Client(BufReader::new(stream));
                }
                Err(error) => assert!(Instant::now() < deadline, "{error}"),
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// From the first byte of the request to the last of the response, in milliseconds; sets
    /// `bytes` to the length of the body.
    fn time(&mut self, path: &str, bytes: &mut usize) -> f64 {
        self.time_with(path, "Accept-Encoding: gzip\r\n", bytes)
    }

    /// The same with other headers.
    pub fn time_with(&mut self, path: &str, headers: &str, bytes: &mut usize) -> f64 {
        let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n");
        let began = Instant::now();
        self.0.get_mut().write_all(request.as_bytes()).unwrap();
        let (mut line, mut length) = (String::new(), 0);
        self.0.read_line(&mut line).unwrap();
        assert!(line.contains(" 200 "), "{path}: {line}");
        while line != "\r\n" {
            line.clear();
            assert!(self.0.read_line(&mut line).unwrap() > 0, "{path}");
            if let Some(number) = line.strip_prefix("Content-Length: ") {
                length = number.trim().parse().unwrap();
            }
        }
        assert!(length > 0, "{path}: a response with Content-Length");
        let mut body = vec![0; length];
        self.0.read_exact(&mut body).unwrap();
        *bytes = length;
        began.elapsed().as_secs_f64() * 1000.0
    }
}
