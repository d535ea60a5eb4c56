//! Engines as Debian has them: Prometheus, InfluxDB and VictoriaMetrics.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::Value;

use super::*;
use common::skip;

/// A running engine with its data in a folder.
struct Server {
    child: Child,
    port: u16,
    folder: TempDir,
    start: fn(&Path, u16) -> Command,
}

impl Server {
    /// `None` where the program is not installed. Waits until it answers a request for `ready`.
    fn start(
        test: &str,
        program: &str,
        ready: &str,
        start: fn(&Path, u16) -> Command,
    ) -> Option<Server> {
        let found = Command::new("sh")
            .args(["-c", &format!("command -v {program}")])
            .stdout(Stdio::null())
            .status();
        if !found.is_ok_and(|status| status.success()) {
            skip(test, &format!("{program} is not installed"));
            return None;
        }
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let port = listener.local_addr().expect("it is bound").port();
        drop(listener);
        let folder = TempDir::new();
        let child = spawn(start(folder.path(), port));
        let server = Server {
            child,
            port,
            folder,
            start,
        };
        server.wait_until_ready(ready);
        Some(server)
    }

    /// Kills it with SIGKILL.
    fn kill(&mut self) {
        self.child.kill().expect("it runs");
        self.child.wait().expect("it is our child");
    }

    fn restart(&mut self, ready: &str) {
        self.child = spawn((self.start)(self.folder.path(), self.port));
        self.wait_until_ready(ready);
    }

    fn wait_until_ready(&self, ready: &str) {
        let deadline = Instant::now() + Duration::from_secs(30);
        while self
            .request("GET", ready)
            .is_none_or(|(status, _)| status >= 300)
        {
            assert!(Instant::now() < deadline, "it does not answer");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Status and body. By HTTP/1.0, which has no chunks.
    fn request(&self, method: &str, target: &str) -> Option<(u16, String)> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).ok()?;
        let head = format!("{method} {target} HTTP/1.0\r\nContent-Length: 0\r\n\r\n");
        stream.write_all(head.as_bytes()).ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        let (head, body) = answer.split_once("\r\n\r\n")?;
        let status = head.split(' ').nth(1)?.parse().ok()?;
        Some((status, body.to_owned()))
    }

    fn get(&self, target: &str) -> String {
        let (status, body) = self.request("GET", target).expect("it answers");
        assert!(status < 300, "{target}: {status} {body}");
        body
    }

    fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn spawn(mut command: Command) -> Child {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("it starts")
}

pub fn now_ms() -> i64 {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("after 1970");
    i64::try_from(now.as_millis()).expect("before 2262")
}

/// Characters that are not allowed in a query are written as %XX.
fn encoded(text: &str) -> String {
    let hex = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' => char::from(byte).to_string(),
        other => format!("%{other:02X}"),
    };
    text.bytes().map(hex).collect()
}

/// Name of the series with host and state, time in milliseconds, and value.
type Samples = BTreeMap<(String, i64), f64>;

/// What a database holds, as the samples of remote write.
fn samples_of(path: &Path) -> Samples {
    let mut samples = Samples::new();
    for ((measurement, tags, at), fields) in points(path, &[]) {
        let host = &tags["host"];
        let at = at / 1_000_000;
        let number = |name: &str| {
            let text = fields.get(name)?.trim_end_matches('i');
            text.parse::<f64>().ok()
        };
        let mut add = |name: &str, at: i64, value: f64| {
            samples.insert((format!("{name} {host}"), at), value);
        };
        if measurement == "ace_outage" {
            add("ace_outage_active", at, 1.0);
            if let Some(end) = number("end_time") {
                #[expect(clippy::cast_possible_truncation, reason = "a time in milliseconds")]
                let end = (end * 1000.0).round() as i64;
                add("ace_outage_active", end, 0.0);
                add(
                    "ace_outage_duration_seconds",
                    end,
                    number("duration").expect("a length"),
                );
            }
            continue;
        }
        let (sent, lost) = (number("sent").expect("sent"), number("lost").expect("lost"));
        let state = fields["state"].trim_matches('"');
        if state != "not_measured" {
            // As the program divides.
            let ratio = 100.0 * (sent - lost) / sent / 100.0;
            add("ace_check_success_ratio", at, ratio);
        }
        add("ace_check_sent_pings", at, sent);
        add("ace_check_received_pings", at, sent - lost);
        for name in ["min", "avg", "max"] {
            if let Some(seconds) = number(&format!("rtt_{name}")) {
                add(&format!("ace_check_rtt_{name}_seconds"), at, seconds);
            }
        }
        for other in ["up", "degraded", "poor", "down", "not_measured"] {
            let is_state = f64::from(u8::from(other == state));
            add(&format!("ace_host_state {other}"), at, is_state);
        }
    }
    samples
}

/// The samples that Prometheus holds of the last five hours.
fn samples_in(prometheus: &Server) -> Samples {
    let query = encoded("{__name__=~\"ace_.*\"}[5h]");
    let answer = prometheus.get(&format!("/api/v1/query?query={query}"));
    let answer: Value = serde_json::from_str(&answer).expect("JSON");
    let mut samples = Samples::new();
    for series in answer["data"]["result"].as_array().expect("a list") {
        let label = |name: &str| {
            series["metric"][name]
                .as_str()
                .unwrap_or_default()
                .to_owned()
        };
        let name = match label("state").as_str() {
            "" => format!("{} {}", label("__name__"), label("host")),
            state => format!("{} {state} {}", label("__name__"), label("host")),
        };
        for value in series["values"].as_array().expect("a list") {
            let seconds = value[0].as_f64().expect("a time");
            #[expect(clippy::cast_possible_truncation, reason = "a time in milliseconds")]
            let at = (seconds * 1000.0).round() as i64;
            let number = value[1]
                .as_str()
                .expect("a text")
                .parse()
                .expect("a number");
            samples.insert((name.clone(), at), number);
        }
    }
    samples
}

fn assert_same_samples(engine: &Samples, database: &Samples) {
    let is_close = |a: f64, b: f64| (a - b).abs() < 1e-12;
    let differ = |(key, value): &(&(String, i64), &f64), others: &Samples| {
        !others
            .get(*key)
            .is_some_and(|other| is_close(*other, **value))
    };
    let missing: Vec<_> = database
        .iter()
        .filter(|one| differ(one, engine))
        .take(3)
        .collect();
    let unknown: Vec<_> = engine
        .iter()
        .filter(|one| differ(one, database))
        .take(3)
        .collect();
    assert!(
        missing.is_empty() && unknown.is_empty(),
        "only in the database: {missing:#?}\nonly in the engine: {unknown:#?}"
    );
}

const READY: &str = "/-/ready";

/// With a window for samples out of order, or without.
fn prometheus(test: &str, has_window: bool) -> Option<Server> {
    fn command(folder: &Path, port: u16, config: &str) -> Command {
        std::fs::write(folder.join("prometheus.yml"), config).expect("a file");
        let mut command = Command::new("prometheus");
        let folder = folder.display();
        command.args([
            format!("--config.file={folder}/prometheus.yml"),
            format!("--storage.tsdb.path={folder}/data"),
            format!("--web.listen-address=127.0.0.1:{port}"),
            "--web.enable-remote-write-receiver".into(),
        ]);
        command
    }
    let start: fn(&Path, u16) -> Command = match has_window {
        true => |folder, port| {
            let config = "storage: {tsdb: {out_of_order_time_window: 1d}}\n";
            command(folder, port, config)
        },
        false => |folder, port| command(folder, port, "{}\n"),
    };
    Server::start(test, "prometheus", READY, start)
}

#[test]
fn prometheus_holds_what_the_database_holds_also_after_it_was_killed() {
    let test = "prometheus_holds_what_the_database_holds_also_after_it_was_killed";
    let Some(mut engine) = prometheus(test, true) else {
        return;
    };
    let from = now_ms() - 4 * 3_600_000;
    let site = Site::beginning(2, 1500, from);
    let section = format!(
        "{{url: '{}', format: remote-write, batch_seconds: 1}}",
        engine.url("/api/v1/write")
    );
    site.send_all(&section);
    assert_same_samples(&samples_in(&engine), &samples_of(&site.path()));
    engine.kill();
    for check in checks(2, 100, from + 2_000_000) {
        assert!(site.writer().handle().record(check));
    }
    // One behind the others has all since then sent again.
    let early = Duration::from_millis((from - 60_000).unsigned_abs());
    database::connect(&site.path())
        .execute(
            "insert into ping_results(host_name, host_address, timestamp, success_count, failure_count)
             values('host 0, \"0\"', '192.0.2.1', strftime('%Y-%m-%d %H:%M:%f', ?1, 'unixepoch'), 0, 3)",
            [early.as_secs_f64()],
        )
        .expect("SQL");
    site.send_until(&section, "the failure", |site| {
        site.state().failure.is_some()
    });
    engine.restart(READY);
    site.send_all(&section);
    assert_same_samples(&samples_in(&engine), &samples_of(&site.path()));
    assert_eq!(site.state().refused, 0);
}

#[test]
fn prometheus_without_a_window_refuses_what_it_has_and_takes_the_rest() {
    let test = "prometheus_without_a_window_refuses_what_it_has_and_takes_the_rest";
    let Some(engine) = prometheus(test, false) else {
        return;
    };
    let from = now_ms() - 3_600_000;
    let site = Site::beginning(1, 200, from);
    let section = |number: u8| {
        format!(
            "{{url: '{}?{number}', format: remote-write, batch_seconds: 1}}",
            engine.url("/api/v1/write")
        )
    };
    site.send_all(&section(1));
    assert_same_samples(&samples_in(&engine), &samples_of(&site.path()));
    for check in checks(1, 20, from + 300_000) {
        assert!(site.writer().handle().record(check));
    }
    // As if it were another, everything is sent again.
    site.send_until(&section(2), "the end", |site| {
        site.state().refused > 0 && site.unpushed() == Unpushed::default()
    });
    assert_same_samples(&samples_in(&engine), &samples_of(&site.path()));
}

#[test]
fn influxdb_holds_what_the_database_holds_once_it_has_a_database() {
    let test = "influxdb_holds_what_the_database_holds_once_it_has_a_database";
    let started = Server::start(test, "influxd", "/ping", |folder, port| {
        let mut command = Command::new("influxd");
        let shown = folder.display();
        for (name, value) in [
            ("META_DIR", format!("{shown}/meta")),
            ("DATA_DIR", format!("{shown}/data")),
            ("DATA_WAL_DIR", format!("{shown}/wal")),
            ("HTTP_BIND_ADDRESS", format!("127.0.0.1:{port}")),
            ("BIND_ADDRESS", "127.0.0.1:0".into()),
            ("REPORTING_DISABLED", "true".into()),
            ("MONITOR_STORE_ENABLED", "false".into()),
        ] {
            command.env(format!("INFLUXDB_{name}"), value);
        }
        command
    });
    let Some(mut engine) = started else {
        return;
    };
    let site = Site::new(3, 1000);
    let section = format!(
        "{{url: '{}', batch_seconds: 1}}",
        engine.url("/write?db=ace")
    );
    site.send_until(&section, "the failure", |site| {
        site.state().failure.is_some_and(|failure| {
            failure.text == "404 Not Found" && failure.output.contains("database not found")
        })
    });
    let create = format!("/query?q={}", encoded("create database ace"));
    assert_eq!(
        engine.request("POST", &create).map(|(status, _)| status),
        Some(200)
    );
    site.send_all(&section);
    let same = |engine: &Server| {
        let mut held = engine::Points::new();
        for (measurement, tags) in [
            ("ace_check", &["address", "family", "host"][..]),
            ("ace_outage", &["address", "family", "host", "type"][..]),
        ] {
            let query = encoded(&format!("select * from {measurement}"));
            let answer = engine.get(&format!("/query?db=ace&epoch=ns&q={query}"));
            let answer: Value = serde_json::from_str(&answer).expect("JSON");
            let series = &answer["results"][0]["series"][0];
            let columns: Vec<&str> = (series["columns"].as_array().expect("columns").iter())
                .filter_map(Value::as_str)
                .collect();
            for row in series["values"].as_array().expect("rows") {
                let cell = |name: &str| {
                    let index = columns.iter().position(|column| *column == name)?;
                    Some(row[index].clone()).filter(|cell| !cell.is_null())
                };
                let named = |name: &&str| {
                    let value = cell(name)?.as_str()?.to_owned();
                    Some(((*name).to_owned(), value))
                };
                let fields = columns[1..].iter().filter(|name| !tags.contains(*name));
                let fields = fields.filter_map(|name| {
                    let text = match (cell(name)?, *name) {
                        (Value::Number(number), "id" | "sent" | "lost") => format!("{number}i"),
                        (Value::Number(number), "duration" | "end_time") => {
                            format!("{:.3}", number.as_f64()?)
                        }
                        (Value::Number(number), _) => format!("{:.6}", number.as_f64()?),
                        (other, _) => other.to_string(),
                    };
                    Some(((*name).to_owned(), text))
                });
                let at = cell("time").and_then(|at| at.as_i64()).expect("a time");
                let key = (
                    measurement.to_owned(),
                    tags.iter().filter_map(named).collect(),
                    at,
                );
                held.insert(key, fields.collect());
            }
        }
        assert_same(&held, &points(&site.path(), &[]));
    };
    same(&engine);
    engine.kill();
    for check in checks(3, 100, START + 2_000_000) {
        assert!(site.writer().handle().record(check));
    }
    engine.restart("/ping");
    site.send_until(&section, "the rest", |site| {
        reader(&site.path()).unpushed().expect("an answer") == Unpushed::default()
            && site.writer().handle().at_risk() == 0
    });
    same(&engine);
}

#[test]
fn victoriametrics_holds_the_numbers_that_the_database_holds() {
    let test = "victoriametrics_holds_the_numbers_that_the_database_holds";
    let started = Server::start(test, "victoria-metrics", "/health", |folder, port| {
        let mut command = Command::new("victoria-metrics");
        command.args([
            format!("-storageDataPath={}", folder.display()),
            format!("-httpListenAddr=127.0.0.1:{port}"),
            "-retentionPeriod=100y".into(),
        ]);
        command
    });
    let Some(engine) = started else {
        return;
    };
    let site = Site::new(2, 1000);
    site.send_all(&format!(
        "{{url: '{}', batch_seconds: 1}}",
        engine.url("/write")
    ));
    engine.get("/internal/force_flush");
    let lines = engine.get(&format!(
        "/api/v1/export?match[]={}",
        encoded("{__name__=~\"ace_check.*\"}")
    ));
    let mut held = BTreeMap::new();
    for line in lines.lines() {
        let series: Value = serde_json::from_str(line).expect("JSON");
        let label = |name: &str| series["metric"][name].as_str().expect("a label").to_owned();
        let (values, times) = (series["values"].as_array(), series["timestamps"].as_array());
        for (value, at) in values.expect("values").iter().zip(times.expect("times")) {
            let key = (
                label("__name__"),
                label("host"),
                at.as_i64().expect("a time"),
            );
            held.insert(key, value.as_f64().expect("a number"));
        }
    }
    let mut expected = BTreeMap::new();
    for ((measurement, tags, at), fields) in points(&site.path(), &[]) {
        for (name, text) in fields.iter().filter(|(name, _)| *name != "state") {
            if measurement == "ace_check" {
                let number: f64 = text.trim_end_matches('i').parse().expect("a number");
                let key = (
                    format!("ace_check_{name}"),
                    tags["host"].clone(),
                    at / 1_000_000,
                );
                expected.insert(key, number);
            }
        }
    }
    held.retain(|(name, ..), _| name != "ace_check_state");
    assert_eq!(held.len(), expected.len());
    assert!(held == expected, "the values differ");
}
