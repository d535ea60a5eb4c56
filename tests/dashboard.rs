//! The dashboard of the running program: in the monitor, alone, and when its port is taken. Its
//! answers are tested in api.rs, its server in web_server.rs.

mod common;

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use ace_connection_logger::store::Database;
use common::http::{Answer, get};
use common::namespace::{SocketKind, in_namespace, is_available};
use common::{TempDir, bin, run};
use rusqlite::Connection;
use serde_json::Value;

const DEFAULT: ([u8; 4], u16) = ([127, 0, 0, 1], 8501);

/// Far longer than anything here takes.
const MAX_WAIT: Duration = Duration::from_secs(20);

/// The running program in a folder, which several programs may share.
struct Program<'a> {
    child: Child,
    folder: &'a TempDir,
}

impl Program<'_> {
    /// Starts it; its log goes to the file `log`.
    fn start<'a>(folder: &'a TempDir, arguments: &[&str]) -> Program<'a> {
        let log = fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(folder.path().join("log"))
            .expect("a log file");
        let mut command = Command::new(bin());
        command
            .args(arguments)
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log);
        Program {
            child: command.spawn().expect("the program starts"),
            folder,
        }
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).expect("the log file")
    }

    fn wait_for<T>(&self, what: &str, mut find: impl FnMut() -> Option<T>) -> T {
        let deadline = Instant::now() + MAX_WAIT;
        loop {
            if let Some(found) = find() {
                return found;
            }
            assert!(
                Instant::now() < deadline,
                "{what}: waited in vain; the log:\n{}",
                self.log()
            );
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Waits until the log says where the dashboard is.
    fn wait_until_served(&self) {
        self.wait_for("the dashboard", || {
            self.log().contains("dashboard: http://").then_some(())
        });
    }

    /// Resident memory: `VmRSS` in proc(5).
    fn resident_kib(&self) -> u64 {
        let status =
            fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("it runs");
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:"))
            .expect("proc(5)");
        line.split_whitespace()
            .next()
            .and_then(|number| number.parse().ok())
            .expect("a number")
    }

    fn signal(&self, name: &str) {
        let sent = Command::new("kill")
            .args(["-s", name, &self.child.id().to_string()])
            .status();
        assert!(sent.is_ok_and(|status| status.success()), "kill -s {name}");
    }

    /// Stops it; returns the exit code and how long that took.
    fn stop(&mut self) -> (Option<i32>, Duration) {
        let began = Instant::now();
        self.signal("TERM");
        let code = self.child.wait().expect("it ends").code();
        (code, began.elapsed())
    }
}

impl Drop for Program<'_> {
    fn drop(&mut self) {
        // It has ended already unless its test failed.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn request(address: ([u8; 4], u16), path: &str) -> Answer {
    get(SocketAddr::from(address), path, "")
}

fn json(path: &str) -> Value {
    let answer = request(DEFAULT, path);
    assert_eq!(answer.status, 200, "{path}: {}", answer.body);
    answer.json()
}

/// Runs the program in a folder to its end.
fn finish(folder: &TempDir, arguments: &[&str]) -> common::Finished {
    run(Command::new(bin())
        .args(arguments)
        .current_dir(folder.path()))
}

const ONE_HOST: &str = "monitoring: {interval_seconds: 2, ping_count: 2, ping_spacing_ms: 20, timeout_seconds: 1}\nhosts: [{name: here, address: 127.0.0.1}]\n";

#[test]
fn the_monitor_serves_its_page_and_writes_results_soon_while_it_is_open() {
    let test = "the_monitor_serves_its_page_and_writes_results_soon_while_it_is_open";
    if !is_available(test) {
        return;
    }
    in_namespace(SocketKind::Datagram, |_tun| {
        let folder = TempDir::new();
        // While nobody views the page, results would be written once an hour.
        folder.write(
            "config.yaml",
            &format!("{ONE_HOST}database: {{flush_seconds: 3600}}\n"),
        );
        let mut monitor = Program::start(&folder, &["monitor"]);
        monitor.wait_until_served();
        // The dashboard answers before the database is created; a query in between gets a 503.
        monitor.wait_for("an open database", || {
            monitor.log().contains("; recording to ").then_some(())
        });
        assert!(
            monitor
                .log()
                .contains("dashboard: http://localhost:8501/\n"),
            "{}",
            monitor.log()
        );
        for address in ["127.0.0.1:8501", "[::1]:8501"] {
            let page = get(address.parse().expect("an address"), "/", "");
            assert!(
                page.status == 200 && page.body.starts_with("<!doctype html>"),
                "{address}: {}",
                page.head
            );
        }
        let newest = || {
            json("/api/ping-results/latest")[0]["timestamp"]
                .as_str()
                .map(str::to_string)
        };
        let first = monitor.wait_for("a first result", newest);
        // A check takes 20 ms, one begins every two seconds, and a result appears within 3 s.
        let began = Instant::now();
        monitor.wait_for("another one", || newest().filter(|at| *at != first));
        assert!(
            began.elapsed() < Duration::from_millis(5100),
            "it took {:?}",
            began.elapsed()
        );
        assert_eq!(json("/health")["status"], "healthy");
        let (code, took) = monitor.stop();
        assert!(
            code == Some(0) && took < Duration::from_secs(2),
            "{code:?} after {took:?}:\n{}",
            monitor.log()
        );
    });
}

#[test]
fn the_page_says_why_a_running_monitor_cannot_open_its_database() {
    let test = "the_page_says_why_a_running_monitor_cannot_open_its_database";
    if !is_available(test) {
        return;
    }
    in_namespace(SocketKind::Datagram, |_tun| {
        let folder = TempDir::new();
        folder.write("config.yaml", ONE_HOST);
        let path = folder.path().join("connection_logs.db");
        drop(Database::open(&path, &mut |_, _| ()).expect("a new database"));
        let other = Connection::open(&path).expect("it opens");
        other
            .execute_batch("begin immediate")
            .expect("no other program writes");
        let mut monitor = Program::start(&folder, &["monitor"]);
        monitor.wait_for("the monitor", || {
            monitor.log().contains("; recording to ").then_some(())
        });
        let reason =
            "database is locked; results are kept in the monitor's memory until it can be written";
        let health = request(DEFAULT, "/health");
        assert_eq!(health.status, 503, "{}", health.body);
        assert!(health.body.contains(reason), "{}", health.body);
        let unwritten = json("/api/status")["unwritten"].clone();
        assert!(
            unwritten.as_str().is_some_and(|text| text.contains(reason)),
            "{unwritten}"
        );
        // What was counted before is not known yet, and zeros would be taken for a counter that begins
        // again.
        let has_counters = || {
            let metrics = request(DEFAULT, "/metrics");
            assert_eq!(metrics.status, 200, "{}", metrics.body);
            for there in [
                "ace_monitor_running 1",
                "ace_database_write_failures_total ",
            ] {
                assert!(metrics.body.contains(there), "{}", metrics.body);
            }
            metrics.body.contains("ace_pings_sent_total")
        };
        assert!(!has_counters());
        other.execute_batch("rollback").expect("it is given back");
        monitor.wait_for("the record", || {
            (request(DEFAULT, "/health").status == 200).then_some(())
        });
        assert!(has_counters());
        assert!(json("/api/status")["unwritten"].is_null());
        assert_eq!(monitor.stop().0, Some(0), "{}", monitor.log());
    });
}

#[test]
fn a_port_that_is_taken_is_named_and_no_database_is_created() {
    let test = "a_port_that_is_taken_is_named_and_no_database_is_created";
    if !is_available(test) {
        return;
    }
    in_namespace(SocketKind::Datagram, |_tun| {
        let folder = TempDir::new();
        folder.write("config.yaml", ONE_HOST);
        let taken = TcpListener::bind("127.0.0.1:8501").expect("the network namespace is new");
        // Another program has the port: it accepts connections and sends nothing.
        for command in ["monitor", "dashboard"] {
            let finished = finish(&folder, &[command]);
            assert_eq!(finished.code, Some(69), "{command}: {}", finished.stderr);
            assert!(
                finished
                    .stderr
                    .contains("127.0.0.1:8501: the port is taken"),
                "{}",
                finished.stderr
            );
            assert!(
                finished
                    .stderr
                    .contains("\nhint: choose another with --port"),
                "{}",
                finished.stderr
            );
        }
        assert!(!folder.path().join("connection_logs.db").exists());
        // The monitor starts without a dashboard, and with one at another port.
        for (arguments, port) in [
            (&["monitor", "--no-dashboard"][..], None),
            (&["monitor", "-p", "8502"], Some(8502)),
        ] {
            let mut monitor = Program::start(&folder, arguments);
            monitor.wait_for("the monitor", || {
                monitor.log().contains("monitoring 1 host").then_some(())
            });
            if let Some(port) = port {
                monitor.wait_until_served();
                assert_eq!(request(([127, 0, 0, 1], port), "/api/hosts").status, 200);
            }
            assert_eq!(monitor.stop().0, Some(0), "{}", monitor.log());
            fs::remove_file(folder.path().join("log")).expect("the log");
        }
        drop(taken);
    });
}

#[test]
fn the_dashboard_alone_finds_the_monitor_that_serves_its_database() {
    let test = "the_dashboard_alone_finds_the_monitor_that_serves_its_database";
    if !is_available(test) {
        return;
    }
    in_namespace(SocketKind::Datagram, |_tun| {
        let folder = TempDir::new();
        folder.write("config.yaml", ONE_HOST);
        folder.write("other.yaml", "database: {path: other.db}\n");
        let mut monitor = Program::start(&folder, &["monitor"]);
        monitor.wait_until_served();
        monitor.wait_for("the database", || {
            (request(DEFAULT, "/health").status == 200).then_some(())
        });
        let here = finish(&folder, &["dashboard"]);
        assert_eq!(
            (here.code, here.stdout.as_str()),
            (
                Some(0),
                "this database is served already: http://127.0.0.1:8501/\n"
            )
        );
        let other = finish(&folder, &["dashboard", "-c", "other.yaml"]);
        assert_eq!(other.code, Some(69), "{}", other.stderr);
        let mut alone = Program::start(
            &folder,
            &["dashboard", "--host", "127.0.0.1", "--port=8600"],
        );
        alone.wait_for("the second dashboard", || {
            alone.log().contains("http://127.0.0.1:8600/").then_some(())
        });
        let both = [8501, 8600]
            .map(|port| request(([127, 0, 0, 1], port), "/health").json()["database_id"].clone());
        assert!(both[0].is_string() && both[0] == both[1], "{both:?}");
        assert_eq!(alone.stop().0, Some(0));
        assert_eq!(monitor.stop().0, Some(0));
    });
}

#[test]
fn a_monitor_that_was_killed_is_known_not_to_run_at_once() {
    let test = "a_monitor_that_was_killed_is_known_not_to_run_at_once";
    if !is_available(test) {
        return;
    }
    in_namespace(SocketKind::Datagram, |_tun| {
        let folder = TempDir::new();
        folder.write("config.yaml", ONE_HOST);
        let mut monitor = Program::start(&folder, &["monitor", "--no-dashboard"]);
        let mut alone = Program::start(&folder, &["dashboard"]);
        alone.wait_until_served();
        let is_running = || json("/api/status")["monitor"]["running"].as_bool();
        alone.wait_for("a running monitor", || {
            (is_running() == Some(true)).then_some(())
        });
        let result = || json("/api/ping-results/latest")[0]["stale"] == false;
        alone.wait_for("a result", || result().then_some(()));
        monitor.child.kill().expect("it runs");
        monitor.child.wait().expect("it ends");
        assert_eq!(is_running(), Some(false));
        assert_eq!(json("/api/status")["monitor"]["stopped_at"], Value::Null);
        // The next monitor takes the lock, and leaves no file behind.
        let mut next = Program::start(&folder, &["monitor", "--no-dashboard"]);
        alone.wait_for("the next monitor", || {
            (is_running() == Some(true)).then_some(())
        });
        assert_eq!(next.stop().0, Some(0), "{}", next.log());
        assert_eq!(is_running(), Some(false));
        assert!(!folder.path().join("connection_logs.db-monitor").exists());
        assert_eq!(alone.stop().0, Some(0));
    });
}

#[test]
fn the_dashboard_alone_waits_for_a_database_and_creates_none() {
    let test = "the_dashboard_alone_waits_for_a_database_and_creates_none";
    if !is_available(test) {
        return;
    }
    in_namespace(SocketKind::Datagram, |_tun| {
        let folder = TempDir::new();
        folder.write("config.yaml", ONE_HOST);
        let mut alone = Program::start(&folder, &["dashboard"]);
        alone.wait_until_served();
        let health = request(DEFAULT, "/health");
        assert_eq!(health.status, 503);
        assert!(
            health.body.contains("nothing is recorded yet"),
            "{}",
            health.body
        );
        assert_eq!(json("/api/status")["monitor"], Value::Null);
        assert_eq!(json("/api/hosts")[0]["name"], "here");
        assert!(!folder.path().join("connection_logs.db").exists());
        assert_eq!(finish(&folder, &["check", "-q"]).code, Some(0));
        assert_eq!(json("/api/ping-results/latest")[0]["state"], "up");
        // A SIGHUP is ignored.
        alone.signal("HUP");
        assert_eq!(json("/api/ping-results/latest")[0]["state"], "up");
        assert_eq!(alone.stop().0, Some(0));
    });
}

#[test]
fn a_reload_changes_the_hosts_and_not_the_address() {
    let test = "a_reload_changes_the_hosts_and_not_the_address";
    if !is_available(test) {
        return;
    }
    in_namespace(SocketKind::Datagram, |_tun| {
        let folder = TempDir::new();
        folder.write("config.yaml", ONE_HOST);
        let mut monitor = Program::start(&folder, &["monitor", "--port", "8700"]);
        monitor.wait_until_served();
        let names = || request(([127, 0, 0, 1], 8700), "/api/hosts").json()[0]["name"].clone();
        monitor.wait_for("the monitor", || {
            monitor.log().contains("monitoring 1 host").then_some(())
        });
        assert_eq!(names(), "here");
        folder.write("config.yaml", &ONE_HOST.replace("here", "there"));
        monitor.signal("HUP");
        monitor.wait_for("the new name", || (names() == "there").then_some(()));
        assert!(
            !monitor.log().contains("needs a restart"),
            "--port stays in force: {}",
            monitor.log()
        );
        folder.write(
            "config.yaml",
            &format!(
                "{}dashboard: {{port: 9000, base_path: /x}}\n",
                ONE_HOST.replace("here", "third")
            ),
        );
        monitor.signal("HUP");
        monitor.wait_for("the new name", || (names() == "third").then_some(()));
        assert!(
            monitor
                .log()
                .contains("dashboard has changed: that needs a restart"),
            "{}",
            monitor.log()
        );
        assert_eq!(monitor.stop().0, Some(0));
    });
}

#[test]
fn one_line_warns_when_other_machines_can_connect() {
    let test = "one_line_warns_when_other_machines_can_connect";
    if !is_available(test) {
        return;
    }
    in_namespace(SocketKind::Datagram, |_tun| {
        let folder = TempDir::new();
        folder.write(
            "config.yaml",
            &format!("{ONE_HOST}dashboard: {{base_path: /lines}}\n"),
        );
        let mut alone = Program::start(&folder, &["dashboard", "--host=0.0.0.0"]);
        alone.wait_until_served();
        let log = alone.log();
        let warnings: Vec<&str> = log.lines().filter(|line| line.contains("[WARN]")).collect();
        assert_eq!(warnings.len(), 1, "{log}");
        assert!(
            warnings[0].contains("without password")
                && warnings[0].contains("docs/reverse-proxy.md"),
            "{log}"
        );
        // At the address of the interface, below the configured base path.
        assert_eq!(
            request(([10, 9, 0, 1], 8501), "/lines/api/hosts").status,
            200
        );
        // A proxy may remove the base path.
        assert_eq!(request(([10, 9, 0, 1], 8501), "/api/hosts").status, 200);
        assert_eq!(alone.stop().0, Some(0));
        let nowhere = finish(&folder, &["dashboard", "--host", "203.0.113.7"]);
        assert_eq!(nowhere.code, Some(69), "{}", nowhere.stderr);
        assert!(
            nowhere.stderr.contains("203.0.113.7:8501") && nowhere.stderr.contains("hint: "),
            "{}",
            nowhere.stderr
        );
    });
}

#[test]
fn many_slow_readers_of_long_responses_take_little_memory() {
    let test = "many_slow_readers_of_long_responses_take_little_memory";
    if !is_available(test) {
        return;
    }
    const HISTORY: &str = "
        insert into host(id, address, family, name) select value, '192.0.2.' || value, 0, 'host ' || value from
            (with recursive n(value) as (select 1 union all select value + 1 from n where value < 50) select value from n);
        insert into check_result
            select id, at * 1000, 5, 5, 9000, 9500, 9900, x'01807f8101907f83ff01' from host,
            (with recursive n(at) as (select 1 union all select at + 1 from n where at < 2000) select at from n)";
    in_namespace(SocketKind::Datagram, |_tun| {
        let folder = TempDir::new();
        folder.write("config.yaml", ONE_HOST);
        let path = folder.path().join("connection_logs.db");
        drop(Database::open(&path, &mut |_, _| ()).expect("a new database"));
        Connection::open(&path)
            .and_then(|database| database.execute_batch(HISTORY))
            .expect("plain SQL");
        let mut alone = Program::start(&folder, &["dashboard"]);
        alone.wait_until_served();
        let before = alone.resident_kib();
        let readers: Vec<TcpStream> = (0..60)
            .map(|_| {
                let mut stream = TcpStream::connect(SocketAddr::from(DEFAULT)).expect("it listens");
                let request =
                    b"GET /api/ping-results?hours=0&limit=0 HTTP/1.1\r\nHost: localhost\r\n\r\n";
                stream.write_all(request).expect("it reads");
                stream.read_exact(&mut [0; 12]).expect("it answers");
                stream
            })
            .collect();
        let each = (alone.resident_kib() - before) / 60;
        assert!(each < 500, "{each} KiB per reader");
        // Other requests are answered meanwhile.
        let began = Instant::now();
        assert_eq!(
            request(
                DEFAULT,
                "/api/ping-results?host_address=192.0.2.7&hours=0&limit=1"
            )
            .json()[0]["sent"],
            5
        );
        assert!(
            began.elapsed() < Duration::from_secs(1),
            "{:?}",
            began.elapsed()
        );
        drop(readers);
        assert_eq!(alone.stop().0, Some(0));
    });
}
