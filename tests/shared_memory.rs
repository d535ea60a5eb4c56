//! A file system on which processes cannot share memory by a file, as JFFS2 is, on the flash of
//! small routers: SQLite's write-ahead log cannot be had there. It is stood for by a library that
//! is loaded before the program and refuses such mappings with JFFS2's answer.

mod common;

use std::collections::BTreeSet;
use std::io::Read;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use common::namespace::{SocketKind, in_namespace, is_available};
use common::{TempDir, bin, http, run, skip};
use rusqlite::Connection;

const REFUSES: &str = "#define _GNU_SOURCE
#include <errno.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>
void *mmap(void *at, size_t length, int access, int flags, int file, off_t offset) {
    if (file >= 0 && (flags & MAP_SHARED) && (access & PROT_WRITE)) { errno = EINVAL; return MAP_FAILED; }
    return (void *)syscall(SYS_mmap, at, length, access, flags, file, offset);
}
void *mmap64(void *at, size_t length, int access, int flags, int file, off_t offset) {
    return mmap(at, length, access, flags, file, offset);
}
";

const CONFIG: &str = "monitoring: {interval_seconds: 0.2, ping_count: 1, timeout_seconds: 0.1}
hosts: [{name: me, address: 127.0.0.1}]
database: {flush_seconds: 0}
";

/// A folder with the configuration and the library, and a network of the test's own to ping in;
/// `None` where that cannot be.
fn with_folder(test: &str, then: impl FnOnce(&TempDir, &Path) + Send) {
    if !is_available(test) {
        return;
    }
    let folder = TempDir::new();
    folder.write("config.yaml", CONFIG);
    let source = folder.write("refuses.c", REFUSES);
    let library = folder.path().join("refuses.so");
    let compiled = Command::new("cc")
        .args(["-shared", "-fPIC", "-o"])
        .arg(&library)
        .arg(source)
        .status();
    if !compiled.is_ok_and(|status| status.success()) {
        skip(test, "there is no C compiler here");
        return;
    }
    if Command::new("sqlite3").arg("--version").output().is_err() {
        skip(test, "sqlite3 is not here");
        return;
    }
    in_namespace(SocketKind::Raw, |_| then(&folder, &library));
}

/// The program, on the file system that shares nothing where there is a library, else on the one it
/// really is.
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

/// A monitor that ends with the test.
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

fn answer<T: rusqlite::types::FromSql>(connection: &Connection, question: &str) -> T {
    connection
        .query_row(question, [], |row| row.get(0))
        .expect(question)
}

/// What the shell says of the file: our own SQLite has no check for that.
fn wholeness(folder: &TempDir) -> String {
    let mut shell = Command::new("sqlite3");
    run(shell
        .arg(folder.path().join("connection_logs.db"))
        .arg("pragma integrity_check"))
    .stdout
}

#[test]
fn where_no_memory_is_shared_checks_are_written_and_read_all_the_same() {
    let test = "where_no_memory_is_shared_checks_are_written_and_read_all_the_same";
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
            answer::<String>(&connection, "pragma journal_mode"),
            "delete",
            "the file says that it has no log"
        );
        let left: Vec<_> = std::fs::read_dir(folder.path())
            .expect("a folder")
            .map(|entry| entry.expect("an entry").file_name())
            .collect();
        assert!(
            !left
                .iter()
                .any(|name| name.to_string_lossy().contains("-map-")),
            "{left:?}"
        );
    });
}

#[test]
fn where_no_memory_is_shared_the_page_is_served_while_the_monitor_writes() {
    let test = "where_no_memory_is_shared_the_page_is_served_while_the_monitor_writes";
    with_folder(test, |folder, library| {
        let mut command = program(folder, Some(library), &["monitor"]);
        let mut monitor = Monitor(command.stderr(Stdio::piped()).spawn().expect("it starts"));
        let page = SocketAddr::from((Ipv4Addr::LOCALHOST, 8501));
        let until = Instant::now() + Duration::from_secs(20);
        let (mut answered, mut checks) = (0, BTreeSet::new());
        while answered < 200 || checks.len() < 5 {
            assert!(
                Instant::now() < until,
                "{answered} answers with {} checks",
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
                // Nothing is there to be read until the first check is written.
                None => assert_eq!(answered, 0, "{}: {}", latest.status, latest.body),
            }
        }
        let ended = Command::new("kill")
            .args(["-s", "TERM", &monitor.0.id().to_string()])
            .status();
        assert!(ended.expect("kill").success());
        let mut said = String::new();
        monitor
            .0
            .stderr
            .take()
            .expect("a pipe")
            .read_to_string(&mut said)
            .expect("text");
        assert_eq!(monitor.0.wait().expect("it ends").code(), Some(0), "{said}");
        assert!(
            !said.contains("[WARN]") && !said.contains("[ERROR]"),
            "{said}"
        );
        let connection = database(folder);
        assert!(
            answer::<i64>(
                &connection,
                "select count(*) from ping_results where success_count = 1"
            ) >= 5
        );
        assert_eq!(wholeness(folder), "ok\n");
    });
}

#[test]
fn a_database_with_a_log_is_taken_over_where_none_can_be_with_all_that_is_in_the_log() {
    let test = "a_database_with_a_log_is_taken_over_where_none_can_be_with_all_that_is_in_the_log";
    with_folder(test, |folder, library| {
        // Killed, so that what it wrote last is in the log only.
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
        monitor.0.wait().expect("it is our child");
        let log = folder.path().join("connection_logs.db-wal");
        assert!(
            std::fs::metadata(&log).is_ok_and(|log| log.len() > 0),
            "there is a log"
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
                answer::<String>(&connection, "pragma journal_mode"),
                "delete",
                "{first}"
            );
            assert!(
                answer::<i64>(&connection, "select count(*) from ping_results") >= before,
                "{first}"
            );
            assert_eq!(wholeness(folder), "ok\n", "{first}");
        }
    });
}
