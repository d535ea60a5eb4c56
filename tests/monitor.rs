//! The running monitor: its schedule, signals, messages to the service manager, and clock changes.

mod common;

use std::collections::VecDeque;
use std::fs;
use std::io::{self, Read, Write};
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use common::monitor::Monitor;
use common::namespace::{SocketKind, in_namespace, is_available, sysctl};
use common::{TempDir, bin, run, skip};
use rusqlite::Connection;

/// Runs the tests one after the other: they measure time, and some keep the machine busy.
fn in_turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A check of 127.0.0.1 every 200 ms, which takes about 50 ms.
const QUICK: &str =
    "monitoring: {interval_seconds: 0.2, ping_count: 2, ping_spacing_ms: 40, timeout_seconds: 0.1}
database: {flush_seconds: 0.2}
hosts:
- {name: one, address: 127.0.0.1}
";

/// The time from each check to the next. On a busy machine a check may be late by a part of an
/// interval, and the next gap is as much shorter; a skipped tick or a burst is a whole interval.
fn gaps(times: &[i64]) -> Vec<i64> {
    times.windows(2).map(|pair| pair[1] - pair[0]).collect()
}

#[test]
fn the_monitor_records_and_ends_within_two_seconds_with_every_finished_check() {
    let test = "the_monitor_records_and_ends_within_two_seconds_with_every_finished_check";
    if !is_available(test) {
        return;
    }
    let _turn = in_turn();
    for signal in ["TERM", "INT"] {
        in_namespace(SocketKind::Datagram, |_tun| {
            // Results wait in memory for an hour, so the recorded ones were written at the end.
            let mut monitor =
                Monitor::start(&QUICK.replace("flush_seconds: 0.2", "flush_seconds: 3600"));
            monitor.wait_for("the first check", |monitor| {
                !monitor.checks("127.0.0.1").is_empty()
            });
            std::thread::sleep(Duration::from_millis(1000));
            let (code, took) = monitor.stop(signal);
            assert_eq!(code, Some(0), "{}", monitor.log());
            assert!(took < Duration::from_secs(2), "{took:?}");
            assert!(
                !monitor
                    .folder
                    .path()
                    .join("connection_logs.db-wal")
                    .exists(),
                "the log of SQLite is folded in"
            );
            let times = monitor.checks("127.0.0.1");
            assert!(times.len() >= 5, "{times:?}");
            assert!(
                gaps(&times).iter().all(|gap| (101..=299).contains(gap)),
                "{:?}",
                gaps(&times)
            );
            assert_eq!(
                monitor.number("select count(*) from monitor_run where stopped_at >= started_at"),
                1
            );
        });
    }
}

#[test]
fn the_monitor_ends_within_two_seconds_during_a_check_a_lookup_and_a_database_lock() {
    let test = "the_monitor_ends_within_two_seconds_during_a_check_a_lookup_and_a_database_lock";
    if !is_available(test) {
        return;
    }
    let _turn = in_turn();
    in_namespace(SocketKind::Datagram, |_tun| {
        // Neither 10.9.0.2 nor the name server answers: the far end is silent.
        let mut monitor = Monitor::start(
            "monitoring: {interval_seconds: 60, ping_count: 1, timeout_seconds: 30}
hosts: [{name: silent, address: 10.9.0.2}, {name: here, address: 127.0.0.1}, {name: named, address: nobody.example}]
",
        );
        monitor.wait_for("the first check", |monitor| {
            !monitor.checks("127.0.0.1").is_empty()
        });
        let holder = Connection::open(monitor.folder.path().join("connection_logs.db"))
            .expect("the database");
        holder
            .execute_batch("begin immediate")
            .expect("no other writer is active");
        let (code, took) = monitor.stop("TERM");
        assert!(took < Duration::from_secs(2), "{took:?}: {}", monitor.log());
        assert_eq!(code, Some(0), "{}", monitor.log());
        assert_eq!(
            monitor.checks("10.9.0.2"),
            [0; 0],
            "a check in flight is dropped whole"
        );
    });
}

#[test]
fn fifty_names_with_a_dead_resolver_keep_their_ticks_and_have_a_lookup_each() {
    let test = "fifty_names_with_a_dead_resolver_keep_their_ticks_and_have_a_lookup_each";
    if !is_available(test) {
        return;
    }
    let _turn = in_turn();
    in_namespace(SocketKind::Datagram, |_tun| {
        // The name server does not answer: the far end is silent.
        common::mounts::resolve_by("10.9.0.2");
        let names: String = (0..50)
            .map(|number| format!("- {{address: n{number}.example}}\n"))
            .collect();
        let mut monitor = Monitor::start(&format!(
            "monitoring: {{interval_seconds: 2, ping_count: 1, timeout_seconds: 1}}
database: {{flush_seconds: 0.5}}
hosts:
{names}"
        ));
        let count = |monitor: &Monitor, sql: &str| -> i64 {
            let database = monitor.database();
            let counted = database.map(|file| file.query_row(sql, [], |row| row.get(0)));
            counted.and_then(Result::ok).unwrap_or(0)
        };
        let checked = "select min(checks) from (select count(*) as checks from not_measured_check \
                       group by host_id)";
        let hosts = "select count(distinct host_id) from not_measured_check";
        monitor.wait_for("six checks of each", |monitor| {
            count(monitor, hosts) == 50 && count(monitor, checked) >= 6
        });
        let lookups = monitor.count_threads("lookup");
        assert!((40..=50).contains(&lookups), "{lookups} threads");
        monitor.stop("TERM");
        // Ticks that are missed: two intervals between two checks.
        let missed = "select count(*) from (select checked_at - lag(checked_at) over
             (partition by host_id order by checked_at) as gap from not_measured_check) where gap > 3000";
        assert_eq!(count(&monitor, missed), 0, "{}", monitor.log());
        assert_eq!(count(&monitor, "select count(*) from interruption"), 0);
        assert!(!monitor.log().contains("skipped"), "{}", monitor.log());
    });
}

#[test]
fn a_suspended_process_skips_ticks_and_loses_no_reply() {
    let test = "a_suspended_process_skips_ticks_and_loses_no_reply";
    if !is_available(test) {
        return;
    }
    let _turn = in_turn();
    in_namespace(SocketKind::Datagram, |_tun| {
        let mut monitor = Monitor::start(QUICK);
        monitor.wait_for("some checks", |monitor| {
            monitor.checks("127.0.0.1").len() >= 3
        });
        let before = monitor.checks("127.0.0.1");
        monitor.signal("STOP");
        std::thread::sleep(Duration::from_millis(1500));
        monitor.signal("CONT");
        monitor.wait_for("more checks", |monitor| {
            monitor.checks("127.0.0.1").len() >= before.len() + 8
        });
        monitor.stop("TERM");
        let times = monitor.checks("127.0.0.1");
        let gaps = gaps(&times);
        assert_eq!(
            gaps.iter().filter(|gap| **gap > 1000).count(),
            1,
            "{gaps:?}"
        );
        assert!(
            gaps.iter().all(|gap| *gap > 100),
            "no burst makes up for the ticks: {gaps:?}"
        );
        // The same ticks as before, without drift: on a busy machine some checks are late, but most
        // are not.
        let mut late: Vec<i64> = times[1..]
            .iter()
            .map(|at| (at - times[1] + 100).rem_euclid(200) - 100)
            .collect();
        late.sort_unstable();
        assert!(late[late.len() / 2].abs() < 30, "{late:?}");
        assert_eq!(
            monitor.number("select sum(sent - received) from check_result"),
            0
        );
        assert!(
            monitor.number("select max(max_us) from check_result") < 100_000,
            "standing still is in no round trip"
        );
    });
}

#[test]
fn setting_the_wall_clock_changes_neither_the_schedule_nor_round_trip_times() {
    let test = "setting_the_wall_clock_changes_neither_the_schedule_nor_round_trip_times";
    if !is_available(test) {
        return;
    }
    let _turn = in_turn();
    if !Command::new("faketime")
        .arg("--version")
        .output()
        .is_ok_and(|output| output.status.success())
    {
        return skip(test, "cannot run faketime");
    }
    in_namespace(SocketKind::Datagram, |_tun| {
        // faketime re-reads the offset from a file and applies it only to the wall clock.
        let folder = TempDir::new();
        folder.write("config.yaml", QUICK);
        let offset = folder.write("offset", "+0");
        let library = [
            "/usr/lib/x86_64-linux-gnu",
            "/usr/lib/aarch64-linux-gnu",
            "/usr/lib/arm-linux-gnueabihf",
        ]
        .map(|folder| format!("{folder}/faketime/libfaketimeMT.so.1"))
        .into_iter()
        .find(|path| Path::new(path).exists())
        .expect("faketime has its library with it");
        let mut monitor = Monitor::start_in(folder, bin(), |command| {
            command
                .env("LD_PRELOAD", &library)
                .env("FAKETIME_TIMESTAMP_FILE", &offset);
            command
                .env("FAKETIME_NO_CACHE", "1")
                .env("DONT_FAKE_MONOTONIC", "1")
                .args(["monitor", "--no-dashboard"])
        });
        monitor.wait_for("some checks", |monitor| {
            monitor.checks("127.0.0.1").len() >= 3
        });
        let began = Instant::now();
        for step in ["-3600", "+7200", "+0"] {
            fs::write(&offset, step).expect("the file is ours");
            // Several are written at once, so there may be more than the test waited for.
            let expected = monitor.checks("127.0.0.1").len() + 5;
            monitor.wait_for("checks after a step", |monitor| {
                monitor.checks("127.0.0.1").len() >= expected
            });
        }
        // Fifteen checks at 200 ms, independent of the wall clock.
        assert!(
            began.elapsed() < Duration::from_secs(8),
            "{:?}",
            began.elapsed()
        );
        monitor.stop("TERM");
        // Each clock step is recorded, and rows that it left in the future get new times.
        assert_eq!(
            monitor.number("select count(*) from clock_step"),
            3,
            "{}",
            monitor.log()
        );
        assert!(
            monitor.number("select sum(moved) from clock_step") >= 8,
            "{}",
            monitor.log()
        );
        assert_eq!(
            monitor
                .number("select count(*) from ping_results where timestamp > strftime('%Y-%m-%d %H:%M:%f', 'now', '+1 second')"),
            0
        );
        assert_eq!(
            monitor.log().matches("the clock was set ").count(),
            3,
            "{}",
            monitor.log()
        );
        assert_eq!(
            monitor.number("select sum(sent - received) from check_result"),
            0
        );
        assert!(
            monitor.number("select max(max_us) from check_result") < 100_000,
            "a step is in no round trip"
        );
        assert_eq!(monitor.number("select count(*) from not_measured_check"), 0);
    });
}

#[test]
fn sighup_adds_changes_and_removes_hosts_and_leaves_the_others_undisturbed() {
    let test = "sighup_adds_changes_and_removes_hosts_and_leaves_the_others_undisturbed";
    if !is_available(test) {
        return;
    }
    let _turn = in_turn();
    in_namespace(SocketKind::Raw, |_tun| {
        let hosts = |list: &str| QUICK.replace("- {name: one, address: 127.0.0.1}\n", list);
        let mut monitor = Monitor::start(&hosts(
            "- {name: stays, address: 127.0.0.1}\n- {name: goes, address: 127.0.0.2}\n",
        ));
        monitor.wait_for("the first checks", |monitor| {
            monitor.checks("127.0.0.1").len() > 2 && monitor.checks("127.0.0.2").len() > 2
        });
        let new = hosts(
            "- {name: stays, address: 127.0.0.1}\n- {name: comes, address: 127.0.0.3, interval_seconds: 0.5}\n",
        );
        monitor.folder.write("config.yaml", &new);
        monitor.signal("HUP");
        monitor.wait_for("the new host", |monitor| {
            monitor.checks("127.0.0.3").len() > 2
        });
        assert!(
            monitor
                .log()
                .contains("configuration reloaded; hosts: 1 unchanged, 1 new or changed, 1 ended"),
            "{}",
            monitor.log()
        );
        let gone = monitor.checks("127.0.0.2").len();

        monitor.folder.write("config.yaml", "hosts: [\n");
        monitor.signal("HUP");
        monitor.wait_for("the refusal", |monitor| {
            monitor.log().contains("the running configuration stays")
        });
        monitor.folder.write(
            "config.yaml",
            &new.replace("interval_seconds: 0.2", "interval_seconds: never"),
        );
        monitor.signal("HUP");
        monitor.wait_for("the second refusal", |monitor| {
            monitor
                .log()
                .matches("the running configuration stays")
                .count()
                == 2
        });
        // The built-in hosts lie outside: they must not replace the running ones.
        for (refused, text) in [(3, ""), (4, "logging:\n  level: info\n")] {
            monitor.folder.write("config.yaml", text);
            monitor.signal("HUP");
            monitor.wait_for("a refusal of a file without hosts", |monitor| {
                let log = monitor.log();
                let said = "config.yaml: has no hosts; the running configuration stays";
                let errors = log.lines().filter(|line| line.contains("[ERROR]"));
                errors.filter(|line| line.contains(said)).count() == refused - 2
            });
        }
        let so_far = monitor.checks("127.0.0.3").len();
        monitor.wait_for("checks after the refusals", |monitor| {
            monitor.checks("127.0.0.3").len() > so_far + 1
        });

        monitor.folder.write(
            "config.yaml",
            &new.replace("flush_seconds: 0.2", "path: other.db"),
        );
        monitor.signal("HUP");
        monitor.wait_for("the warning", |monitor| {
            monitor
                .log()
                .contains("database.path has changed: that needs a restart")
        });
        monitor.stop("TERM");
        assert_eq!(
            monitor.checks("127.0.0.2").len(),
            gone,
            "a host that went is not pinged any more"
        );
        let gaps = gaps(&monitor.checks("127.0.0.1"));
        assert!(
            gaps.iter().all(|gap| (101..=299).contains(gap)),
            "the host that stayed noticed nothing: {gaps:?}"
        );
        assert!(!monitor.folder.path().join("other.db").exists());
    });
}

#[test]
fn sighup_reopens_the_log_file_and_applies_the_level() {
    let test = "sighup_reopens_the_log_file_and_applies_the_level";
    if !is_available(test) {
        return;
    }
    let _turn = in_turn();
    in_namespace(SocketKind::Datagram, |_tun| {
        let mut monitor = Monitor::start(&format!("{QUICK}logging: {{file: my.log}}\n"));
        let text = |monitor: &Monitor, name: &str| {
            fs::read_to_string(monitor.folder.path().join(name)).unwrap_or_default()
        };
        monitor.wait_for("the first line", |monitor| {
            text(monitor, "my.log").contains("monitoring 1 host")
        });
        fs::rename(
            monitor.folder.path().join("my.log"),
            monitor.folder.path().join("my.log.1"),
        )
        .expect("rotated");
        monitor.signal("HUP");
        monitor.wait_for("a line in the new file", |monitor| {
            text(monitor, "my.log").contains("configuration reloaded")
        });
        assert!(!text(&monitor, "my.log.1").contains("configuration reloaded"));
        // Its name is taken by a folder: the log continues in the file that is open, and says so.
        let path = |name: &str| monitor.folder.path().join(name);
        fs::rename(path("my.log"), path("my.log.2")).expect("rotated");
        fs::create_dir(path("my.log")).expect("a folder");
        monitor.signal("HUP");
        monitor.wait_for("the error in the old file", |monitor| {
            let log = text(monitor, "my.log.2");
            log.contains("[ERROR] logging.file: cannot open my.log: Is a directory")
                && log.matches("configuration reloaded").count() == 2
        });
        fs::remove_dir(path("my.log")).expect("an empty folder");
        let quieter = format!(
            "{QUICK}- {{name: two, address: 127.0.0.2}}\nlogging: {{file: my.log, level: error}}\n"
        );
        monitor.folder.write("config.yaml", &quieter);
        monitor.signal("HUP");
        monitor.wait_for("the second host", |monitor| {
            !monitor.checks("127.0.0.2").is_empty()
        });
        monitor.stop("TERM");
        assert!(
            !text(&monitor, "my.log").contains("stopping on"),
            "an info line at level error"
        );
        assert_eq!(
            monitor.log(),
            "",
            "nothing goes to standard error when there is a file"
        );
    });
}

/// What is written to a pipe, of which nothing is read until [`Reading::begin`]. It is full.
struct Reading {
    reader: Option<io::PipeReader>,
    read: Arc<Mutex<String>>,
}

impl Reading {
    const CAPACITY: usize = 65_536;

    fn of_a_full_pipe() -> (Reading, io::PipeWriter) {
        let (reader, mut writer) = io::pipe().expect("a pipe");
        (writer.write_all(&[b'.'; Reading::CAPACITY])).expect("as much as a pipe takes");
        let read = Arc::default();
        let reader = Some(reader);
        (Reading { reader, read }, writer)
    }

    fn begin(&mut self) {
        let (mut reader, read) = (self.reader.take().expect("once"), Arc::clone(&self.read));
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(count @ 1..) = reader.read(&mut bytes) {
                let text = String::from_utf8_lossy(&bytes[..count]);
                read.lock().expect("no panic").push_str(&text);
            }
        });
    }

    fn has(&self, text: &str) -> bool {
        self.read.lock().expect("no panic").contains(text)
    }
}

#[test]
fn a_log_that_nobody_reads_keeps_neither_checks_nor_the_stop_waiting() {
    let test = "a_log_that_nobody_reads_keeps_neither_checks_nor_the_stop_waiting";
    if !is_available(test) {
        return;
    }
    let _turn = in_turn();
    for is_read_later in [false, true] {
        in_namespace(SocketKind::Datagram, |_tun| {
            let (mut reading, writer) = Reading::of_a_full_pipe();
            let mut monitor = Monitor::start_with(QUICK, |command| {
                command.args(["monitor", "--no-dashboard"]).stderr(writer)
            });
            monitor.wait_for("checks", |monitor| monitor.checks("127.0.0.1").len() > 5);
            // More lines than are kept.
            let unknown: String = (0..600).map(|i| format!("unknown_{i}: 1\n")).collect();
            let second = "- {name: two, address: 127.0.0.2}\n";
            monitor
                .folder
                .write("config.yaml", &format!("{QUICK}{second}{unknown}"));
            monitor.signal("HUP");
            monitor.wait_for("the second host", |monitor| {
                monitor.checks("127.0.0.2").len() > 5
            });
            let times = monitor.checks("127.0.0.1");
            assert!(gaps(&times).iter().all(|gap| *gap < 400), "{times:?}");
            if is_read_later {
                reading.begin();
                monitor.wait_for("the number of lost lines", |_| {
                    reading.has(" lines of this log were lost, since it could not be written")
                });
            }
            let (code, took) = monitor.stop("TERM");
            assert_eq!(code, Some(0));
            assert!(took < Duration::from_secs(4), "{took:?}");
            if is_read_later {
                monitor.wait_for("the last line", |_| reading.has("stopping on SIGTERM"));
            }
        });
    }
}

/// Replaces a file of the monitor by a link.
fn link(monitor: &Monitor, name: &str, to: &Path) {
    let path = monitor.folder.path().join(name);
    let _ = fs::remove_file(&path);
    std::os::unix::fs::symlink(to, path).expect("the name is free");
}

#[test]
fn a_fifo_as_configuration_or_log_is_an_error_and_keeps_no_signal_waiting() {
    let test = "a_fifo_as_configuration_or_log_is_an_error_and_keeps_no_signal_waiting";
    if !is_available(test) {
        return;
    }
    let _turn = in_turn();
    in_namespace(SocketKind::Datagram, |_tun| {
        let config = format!("{QUICK}logging: {{file: my.log}}\n");
        let mut monitor = Monitor::start(&config);
        let text = |monitor: &Monitor| {
            fs::read_to_string(monitor.folder.path().join("my.log.1")).unwrap_or_default()
        };
        monitor.wait_for("the start", |monitor| {
            monitor.folder.path().join("my.log").exists() && !monitor.checks("127.0.0.1").is_empty()
        });
        let folder = monitor.folder.path().to_path_buf();
        fs::rename(folder.join("my.log"), folder.join("my.log.1")).expect("rotated");
        fs::remove_file(folder.join("config.yaml")).expect("it was read");
        let made = run(Command::new("mkfifo")
            .args(["config.yaml", "my.log"])
            .current_dir(&folder));
        assert_eq!(made.code, Some(0), "{}", made.stderr);
        monitor.signal("HUP");
        monitor.wait_for("both errors", |monitor| {
            let log = text(monitor);
            log.contains("[ERROR] logging.file: cannot open my.log: is a FIFO, not a file")
                && log.contains("[ERROR] config.yaml: is a FIFO, not a file; the running")
        });
        let (code, took) = monitor.stop("TERM");
        assert_eq!(code, Some(0), "{}", text(&monitor));
        assert!(took < Duration::from_secs(2), "{took:?}");
        // The same at the start, where nobody writes to the FIFO either.
        for (name, words) in [
            ("config.yaml", "config.yaml: is a FIFO, not a file"),
            ("my.log", "my.log: is a FIFO, not a file"),
        ] {
            if name == "my.log" {
                fs::remove_file(folder.join("config.yaml")).expect("the FIFO");
                fs::write(folder.join("config.yaml"), &config).expect("a file");
            }
            let failed = run(Command::new(bin()).arg("monitor").current_dir(&folder));
            assert!(failed.stderr.contains(words), "{}", failed.stderr);
        }
    });
}

/// A file system whose server never answers. Every access waits until the server has ended.
struct DeadMount {
    server: Option<fs::File>,
    folder: TempDir,
}

impl DeadMount {
    /// In this thread's mount namespace.
    fn new(server: fs::File) -> DeadMount {
        let folder = TempDir::new();
        let mounted = Command::new("mount")
            .args(["-i", "-t", "fuse", "-o"])
            .arg("fd=0,rootmode=40000,user_id=0,group_id=0")
            .arg("dead")
            .arg(folder.path())
            .stdin(server.try_clone().expect("a descriptor"))
            .status();
        assert!(mounted.is_ok_and(|status| status.success()));
        DeadMount {
            server: Some(server),
            folder,
        }
    }
}

impl Drop for DeadMount {
    fn drop(&mut self) {
        // Before anything looks into the folder.
        self.server = None;
        let unmounted = Command::new("umount")
            .arg("-l")
            .arg(self.folder.path())
            .status();
        assert!(unmounted.is_ok_and(|status| status.success()));
    }
}

#[test]
fn a_dead_mount_with_the_configuration_keeps_no_signal_waiting() {
    let test = "a_dead_mount_with_the_configuration_keeps_no_signal_waiting";
    let fuse = fs::File::options().read(true).write(true).open("/dev/fuse");
    let fuse = match fuse {
        Ok(fuse) if is_available(test) => fuse,
        Ok(_) => return,
        Err(error) => return skip(test, &format!("/dev/fuse: {error}")),
    };
    let _turn = in_turn();
    in_namespace(SocketKind::Datagram, |_tun| {
        common::sys::unshare_mounts().expect("permitted");
        let private = run(Command::new("mount").args(["--make-rprivate", "/"]));
        assert_eq!(private.code, Some(0), "{}", private.stderr);
        let dead = DeadMount::new(fuse);
        let mut monitor = Monitor::start(QUICK);
        monitor.wait_for("the first check", |monitor| {
            !monitor.checks("127.0.0.1").is_empty()
        });
        link(
            &monitor,
            "config.yaml",
            &dead.folder.path().join("config.yaml"),
        );
        monitor.signal("HUP");
        monitor.wait_for("the thread that waits", |monitor| {
            monitor.has_thread("reload")
        });
        let before = monitor.checks("127.0.0.1").len();
        monitor.wait_for("the error", |monitor| {
            monitor.log().contains("does not answer; the running")
        });
        monitor.wait_for("further checks", |monitor| {
            monitor.checks("127.0.0.1").len() > before
        });
        let (code, took) = monitor.stop("TERM");
        assert_eq!(code, Some(0), "{}", monitor.log());
        assert!(took < Duration::from_secs(2), "{took:?}");
    });
}

#[test]
fn the_service_manager_gets_ready_reloading_watchdog_and_stopping_messages() {
    let test = "the_service_manager_gets_ready_reloading_watchdog_and_stopping_messages";
    if !is_available(test) {
        return;
    }
    let _turn = in_turn();
    in_namespace(SocketKind::Datagram, |_tun| {
        let folder = TempDir::new();
        folder.write("config.yaml", QUICK);
        let path = folder.path().join("notify");
        let socket = UnixDatagram::bind(&path).expect("a new socket");
        socket
            .set_read_timeout(Some(Duration::from_secs(20)))
            .expect("a time-out");
        let hear = || {
            let mut bytes = [0; 500];
            let len = socket.recv(&mut bytes).expect("a message comes");
            String::from_utf8_lossy(&bytes[..len]).into_owned()
        };
        let mut monitor = Monitor::start_in(folder, bin(), |command| {
            command
                .args(["monitor", "--no-dashboard"])
                .env("NOTIFY_SOCKET", &path)
                .env("WATCHDOG_USEC", "200000")
                .env_remove("WATCHDOG_PID")
        });
        assert_eq!(hear(), "READY=1\nSTATUS=monitoring 1 host");
        let began = Instant::now();
        assert_eq!((hear(), hear()), ("WATCHDOG=1".into(), "WATCHDOG=1".into()));
        assert!(
            began.elapsed() < Duration::from_millis(400),
            "twice in the time that the manager waits: {:?}",
            began.elapsed()
        );
        monitor.signal("HUP");
        let mut heard = hear();
        while heard == "WATCHDOG=1" {
            heard = hear();
        }
        assert!(heard.starts_with("RELOADING=1\nMONOTONIC_USEC="), "{heard}");
        assert_eq!(hear(), "READY=1\nSTATUS=monitoring 1 host");
        monitor.stop("TERM");
        let mut heard = hear();
        while heard == "WATCHDOG=1" {
            heard = hear();
        }
        assert_eq!(heard, "STOPPING=1");
    });
}

#[test]
fn hosts_are_checked_at_the_same_time_and_a_dead_one_delays_no_other() {
    let test = "hosts_are_checked_at_the_same_time_and_a_dead_one_delays_no_other";
    if !is_available(test) {
        return;
    }
    let _turn = in_turn();
    in_namespace(SocketKind::Datagram, |_tun| {
        let mut monitor = Monitor::start(
            "monitoring: {interval_seconds: 1, ping_count: 2, ping_spacing_ms: 50, timeout_seconds: 0.5}
database: {flush_seconds: 0.1}
hosts:
- {name: a, address: 127.0.0.1}
- {name: dead, address: 10.9.0.2}
- {name: b, address: 127.0.0.2}
- {name: c, address: 127.0.0.3}
",
        );
        monitor.wait_for("four rounds", |monitor| {
            monitor.checks("10.9.0.2").len() >= 4
        });
        monitor.stop("TERM");
        for address in ["127.0.0.1", "127.0.0.2", "127.0.0.3", "10.9.0.2"] {
            let gaps = gaps(&monitor.checks(address));
            assert!(
                gaps.iter().all(|gap| (701..=1299).contains(gap)),
                "{address}: {gaps:?}"
            );
        }
        let starts: Vec<i64> = ["127.0.0.1", "10.9.0.2", "127.0.0.2", "127.0.0.3"]
            .iter()
            .map(|a| monitor.checks(a)[0])
            .collect();
        assert!(
            starts[3] - starts[0] < 1000,
            "spread over a second: {starts:?}"
        );
        assert!(
            gaps(&starts).iter().all(|gap| (51..=449).contains(gap)),
            "{starts:?}"
        );
        let log = monitor.log();
        assert_eq!(
            log.matches("dead (10.9.0.2) is down: 0 of 2 pings answered")
                .count(),
            1,
            "said once: {log}"
        );
    });
}

#[test]
fn a_check_that_overruns_its_interval_skips_ticks_and_is_logged_once() {
    let test = "a_check_that_overruns_its_interval_skips_ticks_and_is_logged_once";
    if !is_available(test) {
        return;
    }
    let _turn = in_turn();
    in_namespace(SocketKind::Datagram, |_tun| {
        let mut monitor = Monitor::start(
            "monitoring: {interval_seconds: 0.2, ping_count: 1, timeout_seconds: 0.5}
database: {flush_seconds: 0.1}
hosts: [{name: silent, address: 10.9.0.2}, {name: here, address: 127.0.0.1}]
",
        );
        monitor.wait_for("some checks", |monitor| {
            monitor.checks("10.9.0.2").len() >= 4
        });
        monitor.stop("TERM");
        let gaps = gaps(&monitor.checks("10.9.0.2"));
        assert!(
            gaps[1..].iter().all(|gap| *gap > 500),
            "no check begins before the one before is over: {gaps:?}"
        );
        let log = monitor.log();
        assert_eq!(
            log.matches("a check had not finished").count(),
            1,
            "said once: {log}"
        );
        assert!(
            log.contains("a check that overruns skips the ticks it covers"),
            "and before it happens: {log}"
        );
    });
}

#[test]
fn starting_a_thousand_hosts_at_a_one_second_interval_loses_nothing() {
    let test = "starting_a_thousand_hosts_at_a_one_second_interval_loses_nothing";
    if !is_available(test) {
        return;
    }
    let _turn = in_turn();
    in_namespace(SocketKind::Datagram, |_tun| {
        let mut config = String::from(
            "monitoring: {interval_seconds: 1, ping_count: 1, timeout_seconds: 0.9}\nhosts:\n",
        );
        for n in 0..1000 {
            config += &format!(
                "- {{name: h{n}, address: 127.0.{}.{}}}\n",
                n / 250,
                n % 250 + 1
            );
        }
        let mut monitor = Monitor::start(&config);
        std::thread::sleep(Duration::from_secs(7));
        let (code, took) = monitor.stop("TERM");
        assert_eq!(code, Some(0), "{}", monitor.log());
        assert!(took < Duration::from_secs(2), "{took:?}");
        assert_eq!(
            monitor.number("select sum(sent - received) from check_result"),
            0,
            "{}",
            monitor.log()
        );
        assert_eq!(monitor.number("select count(*) from host"), 1000);
        let least = monitor
            .number("select min(n) from (select count(*) n from check_result group by host_id)");
        assert!(
            least >= 6,
            "a host was checked only {least} times in seven seconds"
        );
        assert!(
            !monitor.log().contains("[WARN]") && !monitor.log().contains("[ERROR]"),
            "{}",
            monitor.log()
        );
    });
}

#[test]
fn many_reload_requests_delay_neither_the_stop_nor_the_watchdog_messages() {
    let folder = TempDir::new();
    folder.write("config.yaml", QUICK);
    let socket = UnixDatagram::bind(folder.path().join("notify")).expect("a socket");
    socket
        .set_read_timeout(Some(Duration::from_secs(10)))
        .expect("a time");
    let notify = folder.path().join("notify");
    let mut monitor = Monitor::start_in(folder, bin(), |command| {
        command
            .arg("monitor")
            .arg("--no-dashboard")
            .env("NOTIFY_SOCKET", &notify)
            .env("WATCHDOG_USEC", "60000000")
    });
    let hear = || {
        let mut bytes = [0; 500];
        let length = socket.recv(&mut bytes).expect("a message");
        String::from_utf8_lossy(&bytes[..length]).into_owned()
    };
    assert!(hear().starts_with("READY=1"));
    monitor.signal("HUP");
    while hear() != "WATCHDOG=1" {}
    for _ in 0..50 {
        monitor.signal("HUP");
    }
    let (code, took) = monitor.stop("TERM");
    assert!(
        code == Some(0) && took < Duration::from_secs(2),
        "{code:?} {took:?}: {}",
        monitor.log()
    );
}

#[test]
fn a_sighup_during_the_start_does_not_end_the_monitor() {
    let test = "a_sighup_during_the_start_does_not_end_the_monitor";
    if !is_available(test) {
        return;
    }
    let _turn = in_turn();
    in_namespace(SocketKind::Datagram, |_tun| {
        // The database is locked, so that the start waits until it is unlocked.
        let folder = TempDir::new();
        folder.write("config.yaml", QUICK);
        let path = folder.path().join("connection_logs.db");
        ace_connection_logger::store::Database::open(&path, &mut |_, _| ())
            .expect("a new database");
        let holder = Connection::open(&path).expect("the same");
        holder
            .execute_batch("begin exclusive")
            .expect("no other writer is active");
        let mut monitor = Monitor::start_in(folder, bin(), |command| {
            command.args(["monitor", "--no-dashboard", "-v"])
        });
        monitor.wait_for("the handler", |monitor| {
            // SigCgt: bit 0 is SIGHUP.
            let status = fs::read_to_string(format!("/proc/{}/status", monitor.child.id()))
                .unwrap_or_default();
            let caught = status
                .lines()
                .find_map(|line| line.strip_prefix("SigCgt:"))
                .map(|hex| u64::from_str_radix(hex.trim(), 16));
            caught.is_some_and(|bits| bits.is_ok_and(|bits| bits & 1 == 1))
        });
        monitor.signal("HUP");
        holder.execute_batch("rollback").expect("given back");
        monitor.wait_for("the first check", |monitor| {
            !monitor.checks("127.0.0.1").is_empty()
        });
        assert_eq!(monitor.stop("TERM").0, Some(0));
    });
}

#[test]
fn a_host_that_is_silent_for_a_while_leaves_one_outage_that_agrees_with_its_checks() {
    let test = "a_host_that_is_silent_for_a_while_leaves_one_outage_that_agrees_with_its_checks";
    if !is_available(test) {
        return;
    }
    let _turn = in_turn();
    in_namespace(SocketKind::Datagram, |_tun| {
        let silence =
            |value| sysctl("ipv4/icmp_echo_ignore_all", value).expect("the namespace is ours");
        // One ping a check, so that an outage begins and ends with a check and not within one.
        let quick = QUICK.replace("ping_count: 2", "ping_count: 1");
        assert_ne!(quick, QUICK);
        let mut monitor = Monitor::start(&quick);
        let open = |monitor: &Monitor| {
            monitor
                .outages()
                .iter()
                .any(|outage| outage.contains(" to now"))
        };
        monitor.wait_for("some checks", |monitor| {
            monitor.checks("127.0.0.1").len() >= 3
        });
        assert_eq!(monitor.outages(), [""; 0]);
        silence("1");
        monitor.wait_for("an outage", open);
        let began = monitor.number("select count(*) from check_result");
        monitor.wait_for("more of it", |monitor| {
            open(monitor) && monitor.number("select count(*) from check_result") >= began + 3
        });
        // It outlives the monitor, and a manual check counts.
        monitor.restart();
        monitor.wait_for("its next checks", |monitor| {
            open(monitor) && monitor.number("select count(*) from check_result") >= began + 8
        });
        assert_eq!(monitor.check_by_hand(), Some(1));
        assert_eq!(monitor.outages().len(), 1);
        silence("0");
        monitor.wait_for("its end", |monitor| !open(monitor));
        monitor.stop("TERM");
        let outages = monitor.outages();
        assert_eq!(outages.len(), 1, "{outages:?}");
        // From whole second to whole second, each rounded.
        let second = |column| {
            monitor.number(&format!("select (cast(round((julianday({column}) - 2440587.5) * 86400000) as integer) + 500) / 1000 from outage_events"))
        };
        assert_eq!(
            monitor.number("select duration_seconds from outage_events"),
            second("end_time") - second("start_time")
        );
        // Manual checks alone: an outage begins after two, as configured, and ends.
        monitor.folder.write(
            "config.yaml",
            &format!("{quick}outages: {{down_after: 2}}\n"),
        );
        silence("1");
        assert_eq!(monitor.check_by_hand(), Some(1));
        assert_eq!(monitor.number("select count(*) from outage_events"), 1);
        assert_eq!(monitor.check_by_hand(), Some(1));
        assert!(open(&monitor));
        silence("0");
        assert_eq!(monitor.check_by_hand(), Some(0));
        assert_eq!((monitor.outages().len(), open(&monitor)), (2, false));
        // The monitor applies the configuration, too.
        monitor.folder.write(
            "config.yaml",
            &format!("{quick}outages: {{down_after: 100}}\n"),
        );
        silence("1");
        monitor.restart();
        monitor.wait_for("silence", |monitor| monitor.number("select count(*) from check_result where checked_at > (select max(checked_at) from check_result where received > 0)") >= 4);
        monitor.stop("TERM");
        assert_eq!(monitor.number("select count(*) from outage_events"), 2);
    });
}

/// Answers each ping at the other end of the device, some time later, and sends two wrong replies a
/// millisecond until then: with one damaged byte and a right checksum.
fn flood(tun: &mut fs::File, is_over: &AtomicBool) {
    const DELAY: Duration = Duration::from_millis(250);
    let mut pending: VecDeque<(Instant, Vec<u8>, Vec<u8>)> = VecDeque::new();
    let mut packet = [0u8; 2000];
    while !is_over.load(Ordering::Relaxed) {
        while let Ok(len) = tun.read(&mut packet) {
            let is_request = len >= 84 && packet[0] == 0x45 && packet[9] == 1 && packet[20] == 8;
            if !is_request {
                continue;
            }
            let mut reply = packet[..len].to_vec();
            reply[12..20].rotate_left(4);
            // From 8 to 0: the checksum, a sum of complements, grows by as much.
            reply[20] = 0;
            let sum = u32::from(u16::from_be_bytes([reply[22], reply[23]])) + 0x0800;
            let sum = u16::try_from((sum & 0xffff) + (sum >> 16)).expect("sixteen bits");
            reply[22..24].copy_from_slice(&sum.to_be_bytes());
            let mut wrong = reply.clone();
            // Two words that change places have the same sum.
            wrong[40..44].rotate_left(2);
            wrong[44..48].rotate_left(2);
            pending.push_back((Instant::now() + DELAY, reply, wrong));
        }
        let Some((due, reply, wrong)) = pending.front() else {
            std::thread::sleep(Duration::from_millis(1));
            continue;
        };
        if Instant::now() >= *due {
            tun.write_all(reply).expect("it takes a packet");
            pending.pop_front();
            continue;
        }
        for _ in 0..2 {
            tun.write_all(wrong).expect("it takes a packet");
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn a_flood_of_wrong_replies_takes_no_true_reply_after_the_first() {
    let test = "a_flood_of_wrong_replies_takes_no_true_reply_after_the_first";
    if !is_available(test) {
        return;
    }
    let _turn = in_turn();
    in_namespace(SocketKind::Datagram, |mut tun| {
        let is_over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| flood(&mut tun, &is_over));
            let config = "monitoring: {interval_seconds: 2, ping_count: 4, ping_spacing_ms: 300, \
                          timeout_seconds: 0.4}
database: {flush_seconds: 0.2}
hosts: [{name: far, address: 10.9.0.2}]\n";
            let mut monitor = Monitor::start(config);
            let deadline = Instant::now() + Duration::from_secs(60);
            while monitor.checks("10.9.0.2").len() < 6 && Instant::now() < deadline {
                std::thread::sleep(Duration::from_millis(100));
            }
            monitor.stop("TERM");
            is_over.store(true, Ordering::Relaxed);
            let count = |sql: &str| -> i64 {
                let database = monitor.database().expect("it is there");
                database.query_row(sql, [], |row| row.get(0)).expect("SQL")
            };
            // The first ping of the first check cannot know.
            let lost = count("select sum(sent - received) from check_result");
            let checks = count("select count(*) from check_result");
            assert!(
                checks >= 6 && lost <= 1,
                "{lost} lost in {checks} checks: {}",
                monitor.log()
            );
            let foreign = count("select sum(foreigners) from check_note");
            assert!(
                foreign > 500 * checks,
                "{foreign} wrong replies in {checks} checks"
            );
        });
    });
}
