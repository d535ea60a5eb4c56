//! The files that the program leaves: who can read them, and names that lead to the same file.

mod common;

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use ace_connection_logger::store::Database;
use common::namespace::{SocketKind, in_namespace, is_available};
use common::{Finished, TempDir, bin, run};
use rusqlite::Connection;

fn mode(path: &Path) -> u32 {
    let metadata = fs::symlink_metadata(path);
    metadata
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()))
        .mode()
        & 0o777
}

/// Runs the program with umask 0.
fn open_handed(folder: &TempDir, arguments: &[&str]) -> Finished {
    let mut command = Command::new("sh");
    command
        .args(["-c", "umask 0; exec \"$0\" \"$@\""])
        .arg(bin());
    run(command.args(arguments).current_dir(folder.path()))
}

fn private_database(folder: &TempDir) {
    let path = folder.path().join("connection_logs.db");
    drop(Database::open(&path, &mut |_, _| ()).expect("a new database"));
    fs::set_permissions(path, Permissions::from_mode(0o600)).expect("it is ours");
}

#[test]
fn a_copy_is_readable_by_nobody_who_cannot_read_the_database() {
    let folder = TempDir::new();
    private_database(&folder);
    folder.write("config.yaml", "logging: {file: my.log}\n");
    folder.write("victim", "unchanged");
    symlink("victim", folder.path().join("backup.part")).expect("the name is free");
    for arguments in [
        &["backup", "backup"][..],
        &["export", "--format", "sqlite", "-o", "export"],
    ] {
        let done = open_handed(&folder, arguments);
        assert_eq!(done.code, Some(0), "{}", done.stderr);
    }
    for name in ["backup", "export", "my.log"] {
        assert_eq!(mode(&folder.path().join(name)), 0o600, "{name}");
    }
    let victim = fs::read_to_string(folder.path().join("victim"));
    assert_eq!(victim.expect("it is there"), "unchanged");
}

#[test]
fn the_copy_of_the_originals_file_is_readable_by_nobody_else() {
    let folder = TempDir::new();
    let path = folder.path().join("connection_logs.db");
    Connection::open(&path)
        .and_then(|file| {
            file.execute_batch(
                "CREATE TABLE ping_results (
                     id INTEGER PRIMARY KEY AUTOINCREMENT, host_name TEXT NOT NULL,
                     host_address TEXT NOT NULL, timestamp TIMESTAMP NOT NULL,
                     success_count INTEGER NOT NULL, failure_count INTEGER NOT NULL,
                     success_rate REAL NOT NULL, min_latency REAL, max_latency REAL,
                     avg_latency REAL)",
            )
        })
        .expect("a file of the original");
    fs::set_permissions(&path, Permissions::from_mode(0o640)).expect("it is ours");
    let done = open_handed(&folder, &["cleanup"]);
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    assert_eq!(
        mode(&folder.path().join("connection_logs.db.original")),
        0o640
    );
}

/// A monitor with umask 0, ended with the test.
struct Monitor(Child);

impl Monitor {
    fn start(folder: &TempDir) -> Monitor {
        let mut command = Command::new("sh");
        command
            .args(["-c", "umask 0; exec \"$0\" monitor --no-dashboard"])
            .arg(bin())
            .current_dir(folder.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        Monitor(command.spawn().expect("the program starts"))
    }

    fn wait_for(what: &str, mut is_true: impl FnMut() -> bool) {
        let deadline = Instant::now() + Duration::from_secs(20);
        while !is_true() {
            assert!(Instant::now() < deadline, "{what} did not happen");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Monitor {
    fn drop(&mut self) {
        // It may have ended already.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

#[test]
fn what_lies_beside_the_database_and_a_new_one_are_readable_by_nobody_else() {
    let test = "what_lies_beside_the_database_and_a_new_one_are_readable_by_nobody_else";
    if !is_available(test) {
        return;
    }
    in_namespace(SocketKind::Datagram, |_tun| {
        let folder = TempDir::new();
        private_database(&folder);
        folder.write(
            "config.yaml",
            "hosts: [{name: one, address: 127.0.0.1}]\ndatabase: {flush_seconds: 0.2}\n",
        );
        let path = |name: &str| folder.path().join(name);
        let _monitor = Monitor::start(&folder);
        let beside =
            ["-wal", "-shm", "-monitor"].map(|suffix| path(&format!("connection_logs.db{suffix}")));
        Monitor::wait_for("the start", || beside.iter().all(|file| file.exists()));
        for file in &beside {
            assert_eq!(mode(file), 0o600, "{}", file.display());
        }
        fs::rename(path("connection_logs.db"), path("old.db")).expect("it is ours");
        Monitor::wait_for("a new database", || path("connection_logs.db").exists());
        assert_eq!(mode(&path("connection_logs.db")), 0o600);
    });
}

#[test]
fn a_database_with_two_hard_links_is_not_written_and_a_symbolic_link_has_one_log() {
    let test = "a_database_with_two_hard_links_is_not_written_and_a_symbolic_link_has_one_log";
    if !is_available(test) {
        return;
    }
    in_namespace(SocketKind::Datagram, |_tun| {
        let folder = TempDir::new();
        private_database(&folder);
        let path = |name: &str| folder.path().join(name);
        fs::hard_link(path("connection_logs.db"), path("other.db")).expect("the same file system");
        let refused = open_handed(&folder, &["monitor", "--no-dashboard"]);
        assert_eq!(refused.code, Some(74), "{}", refused.stderr);
        for words in ["has 2 names (hard links)", "cp -p connection_logs.db"] {
            assert!(refused.stderr.contains(words), "{}", refused.stderr);
        }
        assert_eq!(
            open_handed(&folder, &["status"]).code,
            Some(0),
            "it can be read"
        );
        fs::remove_file(path("other.db")).expect("it is ours");
        symlink("connection_logs.db", path("link.db")).expect("the name is free");
        folder.write("config.yaml", "database: {path: link.db}\n");
        let monitor = Monitor::start(&folder);
        Monitor::wait_for("the start", || {
            path("connection_logs.db-wal").exists() && path("connection_logs.db-monitor").exists()
        });
        assert!(!path("link.db-wal").exists() && !path("link.db-monitor").exists());
        drop(monitor);
    });
}
