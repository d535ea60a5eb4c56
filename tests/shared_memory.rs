//! A file system without shared memory mappings, such as JFFS2 on the flash of small routers: SQLite
//! cannot use its write-ahead log there. A preloaded library simulates it: mmap(2) fails with
//! JFFS2's error.

mod common;

use std::collections::BTreeSet;
use std::io::Read;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use common::namespace::{SocketKind, in_namespace, is_available};
use common::{TempDir, bin, http, run, shared_memory, skip};
use rusqlite::Connection;

const CONFIG: &str = "monitoring: {interval_seconds: 0.2, ping_count: 1, timeout_seconds: 0.1}
hosts: [{name: me, address: 127.0.0.1}]
database: {flush_seconds: 0}
";

/// Runs `then` in a network namespace, with a folder that has the configuration and with the path
/// of the library. Skips the test if the machine cannot provide that.
fn with_folder(test: &str, then: impl FnOnce(&TempDir, &Path) + Send) {
    if !is_available(test) {
        return;
    }
    let folder = TempDir::new();
    folder.write("config.yaml", CONFIG);
    let Some(library) = shared_memory::library_without(test, folder.path()) else {
        return;
    };
    if Command::new("sqlite3").arg("--version").output().is_err() {
        skip(test, "sqlite3 is not installed");
        return;
    }
    in_namespace(SocketKind::Raw, |_| then(&folder, &library));
}

/// The program, with the library preloaded if there is one.
fn program(folder: &TempDir, library: Option<&Path>, arguments: &[&str]) -> Command {
    let mut command = Command::new(bin());
    command
        .args(arguments)
        .current_dir(folder.path())
        .stdin(Stdio::null());
    if let Some(library) = library {
        command.env("LD_PRELOAD", library);
    }
    command
}

/// A monitor that is killed when the test ends.
struct Monitor(Child);

impl Drop for Monitor {
    fn drop(&mut self) {
        // It may have ended already.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

fn database(folder: &TempDir) -> Connection {
    Connection::open(folder.path().join("connection_logs.db")).expect("a database")
}

fn query<T: rusqlite::types::FromSql>(connection: &Connection, sql: &str) -> T {
    connection.query_row(sql, [], |row| row.get(0)).expect(sql)
}

/// `pragma integrity_check`, by the sqlite3 shell, since the program's SQLite is built without it.
fn integrity(folder: &TempDir) -> String {
    let mut shell = Command::new("sqlite3");
    run(shell
        .arg(folder.path().join("connection_logs.db"))
        .arg("pragma integrity_check"))
    .stdout
}

#[test]
fn without_shared_memory_checks_are_written_and_read() {
    let test = "without_shared_memory_checks_are_written_and_read";
    with_folder(test, |folder, library| {
        let checked = run(&mut program(folder, Some(library), &["check"]));
        assert_eq!(checked.code, Some(0), "{}", checked.stderr);
        let status = run(&mut program(folder, Some(library), &["status", "--json"]));
        assert!(
            status.code == Some(0) && status.stdout.contains("\"up\""),
            "{}{}",
            status.stdout,
            status.stderr
        );
        let connection = database(folder);
        assert_eq!(
            query::<String>(&connection, "pragma journal_mode"),
            "delete",
            "no write-ahead log"
        );
        let file_names: Vec<_> = std::fs::read_dir(folder.path())
            .expect("a folder")
            .map(|entry| entry.expect("an entry").file_name())
            .collect();
        assert!(
            !file_names
                .iter()
                .any(|name| name.to_string_lossy().ends_with("-map")),
            "{file_names:?}"
        );
    });
}

#[test]
fn without_shared_memory_the_page_is_served_while_the_monitor_writes() {
    let test = "without_shared_memory_the_page_is_served_while_the_monitor_writes";
    with_folder(test, |folder, library| {
        let mut command = program(folder, Some(library), &["monitor"]);
        let mut monitor = Monitor(command.stderr(Stdio::piped()).spawn().expect("it starts"));
        let page = SocketAddr::from((Ipv4Addr::LOCALHOST, 8501));
        let until = Instant::now() + Duration::from_secs(20);
        let (mut answered, mut checks) = (0, BTreeSet::new());
        while answered < 200 || checks.len() < 5 {
            assert!(
                Instant::now() < until,
                "{answered} responses with {} checks",
                checks.len()
            );
            if std::net::TcpStream::connect(page).is_err() {
                std::thread::yield_now();
                continue;
            }
            let latest = http::get(page, "/api/ping-results/latest", "");
            match (latest.status == 200)
                .then(|| latest.json()[0]["timestamp"].as_str().map(String::from))
                .flatten()
            {
                Some(timestamp) => {
                    answered += 1;
                    checks.insert(timestamp);
                }
                // There is no result before the first check is written.
                None => assert_eq!(answered, 0, "{}: {}", latest.status, latest.body),
            }
        }
        let killed = Command::new("kill")
            .args(["-s", "TERM", &monitor.0.id().to_string()])
            .status();
        assert!(killed.expect("kill").success());
        let mut stderr = String::new();
        monitor
            .0
            .stderr
            .take()
            .expect("a pipe")
            .read_to_string(&mut stderr)
            .expect("text");
        assert_eq!(
            monitor.0.wait().expect("it ends").code(),
            Some(0),
            "{stderr}"
        );
        assert!(
            !stderr.contains("[WARN]") && !stderr.contains("[ERROR]"),
            "{stderr}"
        );
        let connection = database(folder);
        assert!(
            query::<i64>(
                &connection,
                "select count(*) from ping_results where success_count = 1"
            ) >= 5
        );
        assert_eq!(integrity(folder), "ok\n");
    });
}

#[test]
fn without_shared_memory_a_database_is_opened_with_everything_in_its_write_ahead_log() {
    let test = "without_shared_memory_a_database_is_opened_with_everything_in_its_write_ahead_log";
    with_folder(test, |folder, library| {
        // Killed, so that its last writes are in the write-ahead log only.
        let mut monitor = Monitor(
            program(folder, None, &["monitor", "-q", "--no-dashboard"])
                .spawn()
                .expect("it starts"),
        );
        let until = Instant::now() + Duration::from_secs(20);
        let path = folder.path().join("connection_logs.db");
        let rows = || -> i64 {
            let connection = Connection::open(&path).expect("a database");
            connection
                .query_row("select count(*) from ping_results", [], |row| row.get(0))
                .unwrap_or(0)
        };
        while rows() < 3 {
            assert!(Instant::now() < until, "no three checks");
            std::thread::yield_now();
        }
        monitor.0.kill().expect("it runs");
        monitor.0.wait().expect("it is a child of this process");
        let log = folder.path().join("connection_logs.db-wal");
        assert!(
            std::fs::metadata(&log).is_ok_and(|log| log.len() > 0),
            "there is a write-ahead log"
        );
        let copies = ["connection_logs.db", "connection_logs.db-wal"];
        for name in copies {
            std::fs::copy(
                folder.path().join(name),
                folder.path().join(format!("{name}.kept")),
            )
            .expect("a copy");
        }
        let before = rows();
        for first in ["status", "check"] {
            for name in copies {
                std::fs::copy(
                    folder.path().join(format!("{name}.kept")),
                    folder.path().join(name),
                )
                .expect("a copy");
            }
            drop(std::fs::remove_file(
                folder.path().join("connection_logs.db-shm"),
            ));
            let finished = run(&mut program(folder, Some(library), &[first]));
            assert_eq!(finished.code, Some(0), "{first}: {}", finished.stderr);
            let connection = database(folder);
            assert_eq!(
                query::<String>(&connection, "pragma journal_mode"),
                "delete",
                "{first}"
            );
            assert!(
                query::<i64>(&connection, "select count(*) from ping_results") >= before,
                "{first}"
            );
            assert_eq!(integrity(folder), "ok\n", "{first}");
        }
    });
}
