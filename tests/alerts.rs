//! Alerts of a running monitor, with commands that work and with commands that misbehave.

mod common;

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use common::namespace::{SocketKind, in_namespace, is_available, sysctl};
use common::{Finished, TempDir, bin, run, skip};
use rusqlite::{Connection, OpenFlags};
use serde_json::Value;

/// A monitor and its alert command in a folder of their own.
struct Monitor {
    child: Child,
    folder: TempDir,
}

/// A check every 200 ms, which takes about 50 ms.
const QUICK: &str =
    "monitoring: {interval_seconds: 0.2, ping_count: 2, ping_spacing_ms: 40, timeout_seconds: 0.1}
database: {flush_seconds: 0.2}
";
const ONE: &str = "hosts: [{name: one, address: 127.0.0.1}]\n";
const NOTIFY: &str = "alerts: {command: [sh, notify]}\n";

impl Monitor {
    /// Starts it with this configuration, and with this script as the file `notify`.
    fn start(config: &str, script: &str) -> Monitor {
        Monitor::start_by(Command::new(bin()), config, script)
    }

    fn start_by(command: Command, config: &str, script: &str) -> Monitor {
        let folder = TempDir::new();
        folder.write("config.yaml", &format!("{QUICK}{config}"));
        folder.write("notify", script);
        folder.write("log", "");
        let child = Monitor::spawn(command, &folder);
        Monitor { child, folder }
    }

    fn spawn(mut command: Command, folder: &TempDir) -> Child {
        let log = fs::OpenOptions::new()
            .append(true)
            .open(folder.path().join("log"))
            .expect("a log file");
        command
            .args(["monitor", "--no-dashboard"])
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        command.stderr(log).spawn().expect("the program starts")
    }

    /// Kills it with SIGKILL and starts it again.
    fn restart(&mut self) {
        self.restart_with("");
    }

    /// The same, with a change of the database in between.
    fn restart_with(&mut self, sql: &str) {
        self.child.kill().expect("it runs");
        self.child.wait().expect("it is our child");
        Connection::open(self.folder.path().join("connection_logs.db"))
            .and_then(|database| database.execute_batch(sql))
            .expect("SQL");
        self.child = Monitor::spawn(Command::new(bin()), &self.folder);
    }

    fn signal(&self, name: &str) {
        let sent = Command::new("kill")
            .args(["-s", name, &self.child.id().to_string()])
            .status();
        assert!(sent.is_ok_and(|status| status.success()), "kill -s {name}");
    }

    fn file(&self, name: &str) -> String {
        fs::read_to_string(self.folder.path().join(name)).unwrap_or_default()
    }

    fn sent(&self) -> Vec<String> {
        self.file("sent").lines().map(String::from).collect()
    }

    fn wait_for(&self, what: &str, mut is_true: impl FnMut(&Monitor) -> bool) {
        let deadline = Instant::now() + Duration::from_secs(30);
        while !is_true(self) {
            assert!(
                Instant::now() < deadline,
                "{what} did not happen; sent: {:?}; the log:\n{}",
                self.sent(),
                self.file("log")
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Waits until the file `sent` has so many lines.
    fn wait_sent(&self, count: usize) {
        self.wait_for("the notice", |monitor| monitor.sent().len() >= count);
    }

    /// Waits for checks: no alert is sent for a host that never answered.
    fn wait_checked(&self) {
        self.wait_for("the first checks", |monitor| {
            monitor.number("select count(*) from check_result where received > 0") > 2
        });
    }

    fn wait_down(&self) {
        self.wait_for("the outage", |monitor| {
            monitor.number("select count(*) from outage_events where end_time is null") > 0
        });
    }

    fn wait_over(&self) {
        self.wait_for("the end of the outage", |monitor| {
            monitor.number("select count(*) > 0 and count(*) = count(end_time) from outage_events")
                == 1
        });
    }

    /// Stops it, which must succeed, and returns how long that took.
    fn stop(&mut self) -> Duration {
        let began = Instant::now();
        self.signal("TERM");
        let status = self.child.wait().expect("it is our child");
        assert!(status.success(), "{status}: {}", self.file("log"));
        began.elapsed()
    }

    fn query<T: rusqlite::types::FromSql>(&self, sql: &str) -> Option<T> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY;
        let database =
            Connection::open_with_flags(self.folder.path().join("connection_logs.db"), flags)
                .ok()?;
        database.busy_timeout(Duration::from_secs(5)).ok()?;
        database.query_row(sql, [], |row| row.get(0)).ok()
    }

    fn number(&self, sql: &str) -> i64 {
        self.query(sql).unwrap_or(0)
    }

    /// A value of /proc/PID/status: a number of kilobytes, or a word.
    fn status(&self, name: &str) -> String {
        let status =
            fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("it runs");
        let line = status
            .lines()
            .find(|line| line.starts_with(name))
            .expect("the kernel reports it");
        line.split_whitespace().nth(1).expect("a value").to_string()
    }

    fn has_thread(&self, name: &str) -> bool {
        let tasks = fs::read_dir(format!("/proc/{}/task", self.child.id())).expect("it runs");
        tasks.flatten().any(|task| {
            fs::read_to_string(task.path().join("comm")).is_ok_and(|comm| comm.trim() == name)
        })
    }
}

impl Drop for Monitor {
    fn drop(&mut self) {
        // It may have ended already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Switches the replies of this network off or on.
fn silence(is_silent: bool) {
    sysctl(
        "ipv4/icmp_echo_ignore_all",
        if is_silent { "1" } else { "0" },
    )
    .expect("the network is ours");
}

/// Whether a process runs; a zombie does not.
fn runs(pid: &str) -> bool {
    let state = fs::read_to_string(format!("/proc/{}/stat", pid.trim())).unwrap_or_default();
    state
        .rsplit_once(") ")
        .is_some_and(|(_, state)| !state.starts_with(['Z', 'X']))
}

/// Runs in a network namespace in which everything answers at first.
fn in_network(test: &str, then: impl FnOnce(File) + Send) {
    if is_available(test) {
        in_namespace(SocketKind::Datagram, then);
    }
}

#[test]
fn the_beginning_and_the_end_of_an_outage_are_sent_with_their_recorded_event() {
    in_network(
        "the_beginning_and_the_end_of_an_outage_are_sent_with_their_recorded_event",
        |_tun| {
            let mut command = Command::new(bin());
            command
                .env("LISTEN_FDS", "3")
                .env("ACE_END_TIME", "inherited");
            let script = "cat > json.$ACE_KIND; env > env.$ACE_KIND; ls -l /proc/self/fd > files
            grep Sig /proc/self/status > signals; echo $ACE_KIND >> sent";
            let mut monitor = Monitor::start_by(command, &format!("{ONE}{NOTIFY}"), script);
            monitor.wait_checked();
            silence(true);
            monitor.wait_sent(1);
            silence(false);
            monitor.wait_sent(2);
            assert_eq!(monitor.sent(), ["down", "up"]);
            monitor.stop();
            assert_eq!(
                monitor.number("select count(*) from notice where told_at is null"),
                0
            );
            assert!(
                monitor.number("select min(told_at - made_at) from notice where kind = 'down'")
                    >= 2000,
                "it is sent once its cause is known"
            );
            let columns = ["start_time", "end_time", "duration_seconds", "cause"];
            let [start, end, seconds, cause] = columns.map(|column| {
                monitor
                    .query::<String>(&format!("select cast({column} as text) from outage_events"))
                    .expect("an event")
            });
            for kind in ["down", "up"] {
                let json: Value =
                    serde_json::from_str(&monitor.file(&format!("json.{kind}"))).expect("JSON");
                let text = monitor.file(&format!("env.{kind}"));
                let env: HashMap<&str, &str> = text
                    .lines()
                    .filter_map(|line| line.split_once('='))
                    .collect();
                let rfc3339 = |text: &str| format!("{}Z", text.replace(' ', "T"));
                let is_up = kind == "up";
                let end = if is_up { rfc3339(&end) } else { String::new() };
                assert_eq!((json["kind"].as_str(), env["ACE_KIND"]), (Some(kind), kind));
                assert_eq!(
                    (json["program"].as_str(), json["host_name"].as_str()),
                    (Some("ace-connection-logger"), Some("one"))
                );
                assert_eq!(
                    (json["host_address"].as_str(), env["ACE_HOST_ADDRESS"]),
                    (Some("127.0.0.1"), "127.0.0.1")
                );
                assert_eq!(
                    (
                        env["ACE_HOST_NAME"],
                        env["ACE_HOST_NAMES"],
                        env["ACE_EVENT_ID"]
                    ),
                    ("one", "one", "1")
                );
                assert_eq!(
                    (json["time"].as_str(), json["text"].as_str()),
                    (Some(env["ACE_TIME"]), Some(env["ACE_TEXT"]))
                );
                let event = &json["event"];
                assert_eq!(
                    (event["id"].as_i64(), event["event_type"].as_str()),
                    (Some(1), Some("outage"))
                );
                assert_eq!(
                    (event["start_time"].as_str(), env["ACE_START_TIME"]),
                    (Some(rfc3339(&start).as_str()), rfc3339(&start).as_str())
                );
                assert_eq!(
                    (
                        event["end_time"].as_str().unwrap_or(""),
                        env["ACE_END_TIME"]
                    ),
                    (end.as_str(), end.as_str())
                );
                assert_eq!(
                    env["ACE_DURATION_SECONDS"],
                    if is_up { seconds.as_str() } else { "" }
                );
                assert_eq!(
                    (event["cause"].as_str(), env["ACE_CAUSE"]),
                    (Some(cause.as_str()), cause.as_str())
                );
                let begins = if is_up {
                    "one came up again at "
                } else {
                    "one has been down since "
                };
                assert!(env["ACE_TEXT"].starts_with(begins), "{text}");
                assert!(!env.contains_key("LISTEN_FDS"), "{text}");
            }
            let files = monitor.file("files");
            assert!(files.contains(" 0 -> /memfd:notice"), "{files}");
            assert!(
                !["connection_logs", "socket:", "anon_inode:"]
                    .iter()
                    .any(|ours| files.contains(ours)),
                "{files}"
            );
            let mask = |name: &str| {
                let signals = monitor.file("signals");
                let mask = signals
                    .lines()
                    .find(|line| line.starts_with(name))
                    .and_then(|line| line.split_whitespace().nth(1));
                mask.and_then(|mask| u64::from_str_radix(mask, 16).ok())
                    .unwrap_or_else(|| panic!("{signals}"))
            };
            const SIGPIPE: u64 = 1 << 12;
            assert_eq!(
                (mask("SigBlk"), mask("SigIgn") & SIGPIPE),
                (0, 0),
                "it neither blocks signals nor ignores SIGPIPE"
            );
        },
    );
}

#[test]
fn a_failed_notice_is_sent_again_in_order_even_after_a_kill_and_a_restart() {
    in_network(
        "a_failed_notice_is_sent_again_in_order_even_after_a_kill_and_a_restart",
        |_tun| {
            let script = "echo $ACE_KIND >> tries; echo 'no line' >&2; [ $(wc -l < tries) -gt 5 ] || exit 3; echo $ACE_KIND >> sent";
            let mut monitor = Monitor::start(&format!("{ONE}{NOTIFY}"), script);
            monitor.wait_checked();
            silence(true);
            monitor.wait_down();
            silence(false);
            monitor.wait_over();
            let tries = |monitor: &Monitor| monitor.number("select tries from notice where id = 1");
            monitor.wait_for("three tries", |monitor| tries(monitor) == 3);
            let log = monitor.file("log");
            assert_eq!(
                log.matches("alerts.command: sh: exit status: 3: no line; notices wait")
                    .count(),
                1,
                "{log}"
            );
            for expected in [4, 5] {
                monitor.restart();
                monitor.wait_for("a try after the restart", |monitor| {
                    tries(monitor) == expected
                });
            }
            assert_eq!(monitor.sent(), [""; 0]);
            monitor.restart();
            monitor.wait_sent(2);
            assert_eq!(monitor.sent(), ["down", "up"]);
            assert_eq!(
                monitor.file("tries").lines().collect::<Vec<_>>(),
                ["down", "down", "down", "down", "down", "down", "up"]
            );
            monitor.wait_for("the record", |monitor| {
                monitor.number("select count(*) from notice where told_at > 0") == 2
            });
            monitor.restart();
            monitor.wait_for("checks", |monitor| {
                monitor.number("select count(*) from monitor_run") == 5
            });
            std::thread::sleep(Duration::from_millis(1000));
            assert_eq!(monitor.sent(), ["down", "up"], "a notice is sent once");
        },
    );
}

#[test]
fn a_command_that_fails_and_works_again_is_logged_once_each() {
    in_network(
        "a_command_that_fails_and_works_again_is_logged_once_each",
        |_tun| {
            let script = "[ -e works ] || exit 1; echo $ACE_KIND >> sent";
            let mut monitor = Monitor::start(&format!("{ONE}{NOTIFY}"), script);
            monitor.wait_checked();
            silence(true);
            monitor.wait_for("two tries", |monitor| {
                monitor.number("select tries from notice where id = 1") == 2
            });
            monitor.folder.write("works", "");
            silence(false);
            monitor.wait_sent(2);
            monitor.stop();
            let log = monitor.file("log");
            assert_eq!(
                log.matches("alerts.command: sh: exit status: 1; notices wait")
                    .count(),
                1,
                "{log}"
            );
            assert_eq!(
                log.matches("alerts.command: works again").count(),
                1,
                "{log}"
            );
        },
    );
}

#[test]
fn a_command_that_hangs_is_killed_with_its_children_and_delays_nothing() {
    in_network(
        "a_command_that_hangs_is_killed_with_its_children_and_delays_nothing",
        |_tun| {
            let script =
                "[ -e pid ] || { sleep 1000 & echo $! > pid; wait; }; echo $ACE_KIND >> sent";
            let alerts = "alerts: {command: [sh, notify], timeout_seconds: 1.5}\n";
            let mut monitor = Monitor::start(&format!("{ONE}{alerts}"), script);
            monitor.wait_checked();
            silence(true);
            monitor.wait_for("the hanging program", |monitor| {
                !monitor.file("pid").is_empty()
            });
            let checks = monitor.number("select count(*) from check_result");
            silence(false);
            monitor.wait_for("checks meanwhile", |monitor| {
                monitor.number("select count(*) from check_result") > checks + 2
            });
            assert!(runs(&monitor.file("pid")), "it still hangs");
            monitor.wait_sent(2);
            assert_eq!(monitor.sent(), ["down", "up"]);
            assert!(
                !runs(&monitor.file("pid")),
                "its child process is killed too"
            );
            let log = monitor.file("log");
            assert_eq!(
                log.matches("alerts.command: sh: killed after ").count(),
                1,
                "{log}"
            );

            // A stop does not wait for the command; its notice is sent after the start.
            fs::remove_file(monitor.folder.path().join("pid")).expect("it is there");
            monitor.folder.write(
                "config.yaml",
                &format!("{QUICK}{ONE}{}", alerts.replace("1.5", "3600")),
            );
            monitor.signal("HUP");
            monitor.wait_for("the new configuration", |monitor| {
                monitor.file("log").contains("configuration reloaded")
            });
            silence(true);
            monitor.wait_for("the hanging program", |monitor| {
                !monitor.file("pid").is_empty()
            });
            let took = monitor.stop();
            assert!(took < Duration::from_secs(2), "{took:?}");
            assert!(
                !runs(&monitor.file("pid")),
                "its child process is killed too"
            );
            let waits =
                "select group_concat(kind || ' ' || tries || ' ' || (told_at is null)) from notice";
            assert_eq!(
                monitor.query::<String>(waits).as_deref(),
                Some("down 2 0,up 1 0,down 0 1"),
                "{}",
                monitor.file("log")
            );
            monitor.child = Monitor::spawn(Command::new(bin()), &monitor.folder);
            monitor.wait_sent(3);
            assert_eq!(monitor.sent(), ["down", "up", "down"]);
        },
    );
}

#[test]
fn a_command_that_reads_nothing_and_prints_a_gigabyte_does_no_harm() {
    in_network(
        "a_command_that_reads_nothing_and_prints_a_gigabyte_does_no_harm",
        |_tun| {
            let script = "exec <&-; yes | head -c 1G; yes | head -c 1G >&2; echo $ACE_KIND >> sent; [ $ACE_KIND = up ]";
            let mut monitor = Monitor::start(&format!("{ONE}{NOTIFY}"), script);
            monitor.wait_checked();
            let before: i64 = monitor.status("VmHWM").parse().expect("a number");
            silence(true);
            monitor.wait_sent(1);
            monitor.wait_for("the failure", |monitor| {
                monitor
                    .file("log")
                    .contains("exit status: 1: y; notices wait")
            });
            let after: i64 = monitor.status("VmHWM").parse().expect("a number");
            assert!(after - before < 3000, "{before} kB, then {after} kB");
            monitor.stop();
        },
    );
}

#[test]
fn a_command_that_leaves_processes_behind_has_finished_when_it_exits() {
    in_network(
        "a_command_that_leaves_processes_behind_has_finished_when_it_exits",
        |_tun| {
            let script = "sleep 1000 & echo $! >> pids; echo $ACE_KIND >> sent";
            let monitor = Monitor::start(&format!("{ONE}{NOTIFY}"), script);
            monitor.wait_checked();
            silence(true);
            monitor.wait_sent(1);
            silence(false);
            monitor.wait_sent(2);
            let pids = monitor.file("pids");
            for pid in pids.lines() {
                assert!(runs(pid), "a process in the background keeps running");
                assert!(
                    Command::new("kill")
                        .arg(pid)
                        .status()
                        .is_ok_and(|status| status.success())
                );
            }
        },
    );
}

#[test]
fn a_missing_command_is_logged_once_with_the_cure_and_sighup_retries_it() {
    in_network(
        "a_missing_command_is_logged_once_with_the_cure_and_sighup_retries_it",
        |_tun| {
            let monitor = Monitor::start(ONE, "echo $ACE_KIND >> sent");
            monitor.wait_checked();
            assert!(!monitor.has_thread("alerts"), "no alerts are configured");
            silence(true);
            monitor.wait_down();
            silence(false);
            monitor.wait_over();
            monitor.folder.write(
                "config.yaml",
                &format!("{QUICK}{ONE}alerts: {{command: [/nowhere/notify]}}\n"),
            );
            monitor.signal("HUP");
            monitor.wait_for("the thread", |monitor| monitor.has_thread("alerts"));
            assert_eq!(
                monitor.number("select count(*) from notice"),
                0,
                "no alerts were configured at its beginning"
            );
            silence(true);
            monitor.wait_for("two tries", |monitor| {
                monitor.number("select coalesce(max(tries), 0) from notice") >= 2
            });
            let log = monitor.file("log");
            let line = "alerts.command: /nowhere/notify: No such file or directory (os error 2); correct it and send SIGHUP";
            assert_eq!(log.matches(line).count(), 1, "{log}");
            monitor
                .folder
                .write("config.yaml", &format!("{QUICK}{ONE}{NOTIFY}"));
            monitor.signal("HUP");
            monitor.wait_sent(1);
            monitor
                .folder
                .write("config.yaml", &format!("{QUICK}{ONE}"));
            monitor.signal("HUP");
            monitor.wait_for("the end of the thread", |monitor| {
                !monitor.has_thread("alerts")
            });
        },
    );
}

#[test]
fn notices_above_the_limit_per_hour_wait_even_after_a_restart() {
    in_network(
        "notices_above_the_limit_per_hour_wait_even_after_a_restart",
        |_tun| {
            let alerts = "alerts: {command: [sh, notify], most_per_hour: 1}\n";
            let mut monitor = Monitor::start(&format!("{ONE}{alerts}"), "echo $ACE_KIND >> sent");
            monitor.wait_checked();
            silence(true);
            monitor.wait_sent(1);
            silence(false);
            let waits = |monitor: &Monitor| {
                monitor
                    .file("log")
                    .matches("(alerts.most_per_hour)")
                    .count()
            };
            monitor.wait_for("the limit", |monitor| waits(monitor) == 1);
            monitor.restart();
            monitor.wait_for("the limit after the restart", |monitor| waits(monitor) == 2);
            assert_eq!(monitor.sent(), ["down"]);
            assert_eq!(
                monitor.number("select count(*) from notice where told_at is null"),
                1
            );
        },
    );
}

#[test]
fn more_notices_than_the_hour_has_room_for_are_one_digest() {
    let test = "more_notices_than_the_hour_has_room_for_are_one_digest";
    in_network(test, |_tun| {
        let hosts: String = (1..=3)
            .map(|n| format!("- {{name: host {n}, address: 127.0.0.{n}}}\n"))
            .collect();
        let alerts = "alerts: {command: [sh, notify], events: [down, up], most_per_hour: 1}\n";
        let script = "cat > json; echo \"$ACE_KIND $ACE_COUNT $ACE_TEXT\" >> sent";
        let mut monitor = Monitor::start(&format!("hosts:\n{hosts}{alerts}"), script);
        monitor.wait_for("checks of all", |monitor| {
            monitor.number("select count(distinct host_id) from check_result") == 3
        });
        silence(true);
        monitor.wait_for("the outages", |monitor| {
            monitor.number("select count(*) from outage_events where end_time is null") == 3
        });
        monitor.wait_sent(1);
        silence(false);
        monitor.wait_over();
        monitor.wait_for("the limit", |monitor| {
            monitor.file("log").contains("(alerts.most_per_hour)")
                && monitor.number("select count(*) from notice where told_at > 0") > 0
        });
        assert_eq!(monitor.sent().len(), 1, "{:?}", monitor.sent());
        let waiting = monitor.number("select count(*) from notice where told_at is null");
        monitor.restart_with("update notice set told_at = told_at - 3600000");
        monitor.wait_sent(2);
        monitor.wait_for("the record", |monitor| {
            monitor.number("select count(*) from notice where told_at is null") == 0
        });
        let sent = monitor.sent();
        assert_eq!(sent.len(), 2, "{sent:?}");
        let notices = format!(" {waiting} notices about 3 hosts: host 1, host 2, host 3;");
        assert!(
            sent[1].starts_with(&format!("digest {waiting} In the last "))
                && sent[1].contains(&notices)
                && sent[1].contains("; none of them is down now"),
            "{sent:?}"
        );
        let json: Value = serde_json::from_str(&monitor.file("json")).expect("JSON");
        assert_eq!(
            (json["notices"].as_i64(), json["hosts"].as_i64()),
            (Some(waiting), Some(3)),
            "{json}"
        );
    });
}

#[test]
fn a_host_that_goes_down_again_and_again_is_counted_after_the_third_time() {
    let test = "a_host_that_goes_down_again_and_again_is_counted_after_the_third_time";
    in_network(test, |_tun| {
        let script = "echo \"$ACE_KIND $ACE_COUNT $ACE_TEXT\" >> sent";
        let alerts = "alerts: {command: [sh, notify], events: [down, up]}\n";
        let monitor = Monitor::start(&format!("{ONE}{alerts}"), script);
        monitor.wait_checked();
        for sent in [1, 3] {
            silence(true);
            monitor.wait_sent(sent);
            silence(false);
            monitor.wait_sent(sent + 1);
        }
        silence(true);
        monitor.wait_sent(5);
        let sent = monitor.sent();
        assert!(
            sent[4].starts_with("down 3 one is down again since ")
                && sent[4].contains("; 3 times since "),
            "{sent:?}"
        );
        for outages in [3, 4, 5] {
            silence(true);
            monitor.wait_down();
            silence(false);
            monitor.wait_over();
            let count = monitor.number("select count(*) from outage_events");
            assert_eq!(count, outages);
        }
        assert_eq!(monitor.sent().len(), 5, "{:?}", monitor.sent());
        assert_eq!(
            monitor.number("select count(*) from notice where told_at is null"),
            5
        );
        // What was held is sent when nothing is to be held any more.
        let rules = "outages: {intermittent_count: 0}\n";
        monitor
            .folder
            .write("config.yaml", &format!("{QUICK}{ONE}{alerts}{rules}"));
        monitor.signal("HUP");
        monitor.wait_sent(6);
        let sent = monitor.sent();
        assert!(
            sent[5].starts_with("up 2 one came up again at ")
                && sent[5].contains("; it was down 2 times since "),
            "{sent:?}"
        );
    });
}

#[test]
fn a_notice_that_its_command_refuses_delays_others_for_five_tries() {
    let test = "a_notice_that_its_command_refuses_delays_others_for_five_tries";
    in_network(test, |_tun| {
        let hosts: String = (1..=2)
            .map(|n| format!("- {{name: host {n}, address: 127.0.0.{n}}}\n"))
            .collect();
        let alerts = "alerts: {command: [sh, notify], events: [down]}\n";
        let script = "echo $ACE_EVENT_ID >> tries; [ $ACE_EVENT_ID != 1 ] || { echo no such topic >&2; exit 3; }; echo $ACE_EVENT_ID >> sent";
        let mut monitor = Monitor::start(&format!("hosts:\n{hosts}{alerts}"), script);
        monitor.wait_for("checks of both", |monitor| {
            monitor.number("select count(distinct host_id) from check_result") == 2
        });
        silence(true);
        let tries = "select tries from notice where id = 1";
        monitor.wait_for("a try", |monitor| {
            monitor.number("select count(*) from notice") == 2 && monitor.number(tries) > 0
        });
        assert!(monitor.sent().is_empty(), "{}", monitor.file("tries"));
        monitor.restart_with("update notice set tries = 4 where id = 1");
        monitor.wait_sent(1);
        assert_eq!(monitor.sent(), ["2"]);
        let log = monitor.file("log");
        assert!(
            log.contains("alerts: a notice failed 5 times; others are sent before it"),
            "{log}"
        );
        let shown = |command: &str| {
            run(Command::new(bin())
                .arg(command)
                .current_dir(monitor.folder.path()))
        };
        let sentence =
            ": the command failed: sh: exit status: 3: no such topic; later ones were sent";
        monitor.wait_for("the status", |_| {
            let status = shown("status").stdout.replace('\n', " ");
            status.contains("1 notice has been waiting since ") && status.contains(sentence)
        });
        let doctor = shown("doctor");
        let line = doctor
            .stdout
            .lines()
            .find(|line| line.contains("notices  "));
        assert!(
            line.is_some_and(|line| line.starts_with("FAILED") && line.contains(sentence)),
            "{}",
            doctor.stdout
        );
        assert!(
            doctor
                .stdout
                .contains("cure: ace-connection-logger alert-test"),
            "{}",
            doctor.stdout
        );
        // It is tried again all the same.
        monitor.wait_for("another try", |monitor| monitor.number(tries) > 5);
    });
}

#[test]
fn hosts_that_fail_together_are_one_incident_with_one_end() {
    in_network(
        "hosts_that_fail_together_are_one_incident_with_one_end",
        |_tun| {
            let hosts: String = (1..=5)
                .map(|n| format!("- {{name: host {n}, address: 127.0.0.{n}}}\n"))
                .collect();
            let script = "cat > json.$ACE_KIND; echo \"$ACE_KIND $ACE_HOST_NAMES;$ACE_HOST_NAME;$ACE_EVENT_IDS\" >> sent";
            let monitor = Monitor::start(&format!("hosts:\n{hosts}{NOTIFY}"), script);
            monitor.wait_for("checks of all", |monitor| {
                monitor.number("select count(distinct host_id) from check_result") == 5
            });
            silence(true);
            monitor.wait_sent(1);
            silence(false);
            monitor.wait_sent(2);
            monitor.wait_over();
            std::thread::sleep(Duration::from_millis(500));
            let sent = monitor.sent();
            assert_eq!(sent.len(), 2, "{sent:?}");
            for (line, kind) in sent.iter().zip(["incident", "up"]) {
                assert!(
                    line.starts_with(&format!("{kind} host ")) && line.contains(";;"),
                    "{line}"
                );
                assert!(
                    (1..=5).all(|n| line.contains(&format!("host {n}"))),
                    "{line}"
                );
                let json: Value =
                    serde_json::from_str(&monitor.file(&format!("json.{kind}"))).expect("JSON");
                assert_eq!(
                    (
                        json["hosts"].as_i64(),
                        json["event_ids"].as_array().map(Vec::len)
                    ),
                    (Some(5), Some(5)),
                    "{json}"
                );
                assert_eq!(
                    (
                        json["host_names"].as_array().map(Vec::len),
                        json["end_time"].is_null()
                    ),
                    (Some(5), kind == "incident"),
                    "{json}"
                );
                let begins = match kind {
                    "up" => "5 hosts came up again at ",
                    _ => "5 hosts have been down since ",
                };
                assert!(
                    json["text"]
                        .as_str()
                        .is_some_and(|text| text.starts_with(begins)),
                    "{json}"
                );
                assert!(
                    json["cause"].is_string() && json["event"].is_null(),
                    "{json}"
                );
            }
        },
    );
}

/// Answers pings at the other end of the device until `is_over`; those with an odd number only
/// while `is_well`.
fn answer(tun: &mut File, is_well: &AtomicBool, is_over: &AtomicBool) {
    let mut packet = [0u8; 2000];
    while !is_over.load(Ordering::Relaxed) {
        let Ok(len) = tun.read(&mut packet) else {
            std::thread::sleep(Duration::from_millis(1));
            continue;
        };
        let is_request = len >= 28 && packet[0] == 0x45 && packet[9] == 1 && packet[20] == 8;
        if !is_request || (packet[27] % 2 == 1 && !is_well.load(Ordering::Relaxed)) {
            continue;
        }
        let (source, target) = (packet[12..16].to_vec(), packet[16..20].to_vec());
        packet[12..16].copy_from_slice(&target);
        packet[16..20].copy_from_slice(&source);
        // From 8 to 0: the checksum, a sum of complements, grows by as much.
        packet[20] = 0;
        let sum = u32::from(u16::from_be_bytes([packet[22], packet[23]])) + 0x0800;
        let sum = u16::try_from((sum & 0xffff) + (sum >> 16)).expect("sixteen bits");
        packet[22..24].copy_from_slice(&sum.to_be_bytes());
        tun.write_all(&packet[..len]).expect("it takes a packet");
    }
}

#[test]
fn a_host_that_loses_pings_is_reported_by_default_at_the_beginning_and_the_end() {
    let test = "a_host_that_loses_pings_is_reported_by_default_at_the_beginning_and_the_end";
    in_network(test, |mut tun| {
        let (is_well, is_over) = (AtomicBool::new(true), AtomicBool::new(false));
        std::thread::scope(|scope| {
            scope.spawn(|| answer(&mut tun, &is_well, &is_over));
            let config = "hosts: [{name: far, address: 10.9.0.2}]
alerts: {command: [sh, notify]}\n";
            let script = "echo \"$ACE_KIND,$ACE_HOST_NAME,$ACE_END_TIME,$ACE_TEXT\" >> sent";
            let mut monitor = Monitor::start(config, script);
            monitor.wait_checked();
            is_well.store(false, Ordering::Relaxed);
            monitor.wait_sent(1);
            is_well.store(true, Ordering::Relaxed);
            monitor.wait_sent(2);
            monitor.stop();
            is_over.store(true, Ordering::Relaxed);
            let sent = monitor.sent();
            assert_eq!(sent.len(), 2, "{sent:?}");
            assert!(
                sent[0].starts_with("loss,far,,far has been losing pings since "),
                "{sent:?}"
            );
            assert!(
                sent[1].starts_with("loss,far,20")
                    && sent[1].contains("far stopped losing pings at "),
                "{sent:?}"
            );
            assert_eq!(monitor.number("select count(*) from outage_events"), 0);
        });
    });
}

#[test]
fn a_degraded_host_is_reported_once() {
    in_network("a_degraded_host_is_reported_once", |mut tun| {
        let (is_well, is_over) = (AtomicBool::new(true), AtomicBool::new(false));
        std::thread::scope(|scope| {
            scope.spawn(|| answer(&mut tun, &is_well, &is_over));
            let config = "hosts: [{name: far, address: 10.9.0.2}]
alerts: {command: [sh, notify], events: [degraded, down, up]}\n";
            let script = "cat > json; echo \"$ACE_KIND $ACE_HOST_NAME $ACE_TEXT\" >> sent";
            let mut monitor = Monitor::start(config, script);
            monitor.wait_checked();
            is_well.store(false, Ordering::Relaxed);
            monitor.wait_sent(1);
            let checks = monitor.number("select count(*) from check_result");
            monitor.wait_for("more checks", |monitor| {
                monitor.number("select count(*) from check_result") > checks + 5
            });
            monitor.stop();
            is_over.store(true, Ordering::Relaxed);
            let sent = monitor.sent();
            assert_eq!(sent.len(), 1, "{sent:?}");
            assert!(
                sent[0].starts_with("degraded far far has been poor since ")
                    && sent[0].contains(": 1 of 2 pings answered, "),
                "{sent:?}"
            );
            let json: Value = serde_json::from_str(&monitor.file("json")).expect("JSON");
            assert_eq!(
                (
                    json["host_address"].as_str(),
                    json["check"]["sent"].as_i64()
                ),
                (Some("10.9.0.2"), Some(2)),
                "{json}"
            );
        });
    });
}

#[test]
fn a_degraded_host_takes_nothing_from_the_limit_of_outages() {
    let test = "a_degraded_host_takes_nothing_from_the_limit_of_outages";
    in_network(test, |mut tun| {
        let (is_well, is_over) = (AtomicBool::new(true), AtomicBool::new(false));
        std::thread::scope(|scope| {
            scope.spawn(|| answer(&mut tun, &is_well, &is_over));
            let config = "hosts: [{name: far, address: 10.9.0.2}]
alerts: {command: [sh, notify], events: [degraded, down], most_per_hour: 1}\n";
            let monitor = Monitor::start(config, "echo \"$ACE_KIND\" >> sent");
            monitor.wait_checked();
            is_well.store(false, Ordering::Relaxed);
            monitor.wait_sent(1);
            is_over.store(true, Ordering::Relaxed);
            monitor.wait_sent(2);
            assert_eq!(monitor.sent(), ["degraded", "down"]);
        });
    });
}

#[test]
fn the_command_gets_no_capability_of_the_monitor() {
    let test = "the_command_gets_no_capability_of_the_monitor";
    in_network(test, |_tun| {
        let mut command = Command::new("setpriv");
        let caps = ["--inh-caps", "+net_raw", "--ambient-caps", "+net_raw"];
        if !Command::new("setpriv")
            .args(caps)
            .arg("true")
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success())
        {
            return skip(test, "cannot give ambient capabilities by setpriv");
        }
        command.args(caps).arg(bin());
        let monitor = Monitor::start_by(
            command,
            &format!("{ONE}{NOTIFY}"),
            "grep CapAmb /proc/self/status >> sent",
        );
        monitor.wait_checked();
        let none = "0000000000000000";
        assert_ne!(monitor.status("CapAmb"), none);
        silence(true);
        monitor.wait_sent(1);
        assert_eq!(monitor.sent(), [format!("CapAmb:\t{none}")]);
    });
}

fn alert_test(folder: &TempDir, alerts: &str, arguments: &[&str]) -> Finished {
    folder.write("config.yaml", &format!("{ONE}{alerts}"));
    run(Command::new(bin())
        .arg("alert-test")
        .args(arguments)
        .current_dir(folder.path()))
}

#[test]
fn alert_test_runs_the_command_once_and_prints_the_result() {
    let folder = TempDir::new();
    for (kind, text) in [
        ("down", "one has been down since "),
        ("up", "one came up again at "),
        ("degraded", "one has been degraded since "),
        ("loss", "one has been losing pings since "),
        ("incident", "2 hosts have been down since "),
        (
            "digest",
            "In the last minute: 2 notices about 2 hosts: Example 1, one; still down: one, Example 1",
        ),
    ] {
        folder.write(
            "notify",
            "echo \"received $ACE_KIND, $ACE_TEST\"; grep -c \"$ACE_KIND\"; echo oh >&2; exit 0",
        );
        let done = alert_test(&folder, NOTIFY, &["--event", kind]);
        assert_eq!(
            (done.code, done.stderr.as_str()),
            (Some(0), ""),
            "{}",
            done.stdout
        );
        assert!(
            done.stdout
                .starts_with(&format!("running \"sh\" \"notify\"\nsending {text}")),
            "{}",
            done.stdout
        );
        assert!(
            done.stdout.contains("exit status: 0, after 0."),
            "{}",
            done.stdout
        );
        assert!(
            done.stdout
                .ends_with(&format!("output:\n  received {kind}, 1\n  1\n  oh\n")),
            "{}",
            done.stdout
        );
    }
    folder.write("notify", "echo no; exit 7");
    let done = alert_test(&folder, NOTIFY, &[]);
    assert_eq!(done.code, Some(1));
    assert!(
        done.stdout.contains("exit status: 7") && done.stdout.ends_with("output:\n  no\n"),
        "{}",
        done.stdout
    );
    folder.write("notify", "yes | head -c 100000; sleep 100");
    let done = alert_test(
        &folder,
        "alerts: {command: [sh, notify], timeout_seconds: 0.5}\n",
        &[],
    );
    assert_eq!(done.code, Some(1));
    assert!(
        done.stdout
            .contains("killed because it ran longer than alerts.timeout_seconds, after 0.5"),
        "{}",
        done.stdout
    );
    assert!(
        done.stdout
            .contains("output, without its first 83616 bytes:\n"),
        "{}",
        done.stdout
    );
    let done = alert_test(&folder, "alerts: {command: [/nowhere/notify]}\n", &[]);
    assert_eq!(done.code, Some(1));
    assert!(
        done.stderr
            .contains("running /nowhere/notify: No such file or directory"),
        "{}",
        done.stderr
    );
    for (name, text, mode, wrong) in [
        (
            "crlf",
            "#!/bin/sh\r\ntrue\r\n",
            0o755,
            "its lines end as in Windows, save it with Unix line ends",
        ),
        (
            "gone",
            "#!/nowhere/sh -e\n",
            0o755,
            "its first line names /nowhere/sh -e, which does not exist",
        ),
        (
            "plain",
            "#!/bin/sh\n",
            0o644,
            "make it executable: chmod +x ",
        ),
    ] {
        let path = folder.write_program(name, text);
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("a file");
        let config = format!("alerts: {{command: [{}]}}\n", path.display());
        let done = alert_test(&folder, &config, &[]);
        assert_eq!(done.code, Some(1), "{name}: {}", done.stderr);
        assert!(done.stderr.contains(wrong), "{name}: {}", done.stderr);
    }
    let done = alert_test(&folder, "", &[]);
    assert_eq!(done.code, Some(78));
    assert!(
        done.stderr.contains("hint: name a program"),
        "{}",
        done.stderr
    );
}

/// Runs the example script `name` with `alert-test`; a fake program stands in for `replaced`.
/// Returns what the fake program was given: its arguments, one per line, and its input.
fn example(
    name: &str,
    replaced: &str,
    kind: &str,
    environment: &[(&str, &str)],
    code: i32,
) -> (Finished, String) {
    let folder = TempDir::new();
    let script = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("packaging/alerts")
        .join(name);
    let fake = folder.write(
        replaced,
        &format!(
            "#!/bin/sh\nprintf '%s\\n' \"$@\" > \"{0}/given\"\ncase \" $* \" in *' @- '* | *' -i '*) cat >> \"{0}/given\" ;; esac\nexit {code}\n",
            folder.path().display()
        ),
    );
    let mode = Command::new("chmod").arg("+x").arg(&fake).status();
    assert!(mode.is_ok_and(|status| status.success()));
    folder.write(
        "config.yaml",
        &format!("{ONE}alerts: {{command: [{}]}}\n", script.display()),
    );
    let path = format!("{}:/usr/bin:/bin", folder.path().display());
    let mut command = Command::new(bin());
    command
        .args(["alert-test", "--event", kind])
        .current_dir(folder.path())
        .env("PATH", path);
    let done = run(command.envs(environment.iter().copied()));
    let given = fs::read_to_string(folder.path().join("given")).unwrap_or_default();
    (done, given)
}

#[test]
fn the_example_scripts_forward_the_alert_and_fail_when_that_fails() {
    let mail = [("ACE_MAIL_TO", "me@example.org")];
    let ntfy = [("ACE_NTFY_URL", "https://ntfy.example.org/lines")];
    let webhook = [("ACE_WEBHOOK_URL", "https://example.org/hook")];
    for (name, replaced, environment) in [
        ("mail", "sendmail", &mail),
        ("ntfy", "curl", &ntfy),
        ("webhook", "curl", &webhook),
    ] {
        for kind in ["down", "up", "degraded", "incident", "loss", "digest"] {
            let (done, given) = example(name, replaced, kind, environment, 0);
            assert_eq!(done.code, Some(0), "{name}: {}{}", done.stdout, done.stderr);
            assert!(given.contains("one"), "{name}: {given}");
            let is_there = match name {
                "mail" => {
                    given.contains("To: me@example.org\n")
                        && given.contains("\nSubject: ")
                        && given.contains("\n\n")
                }
                "ntfy" => given.contains("https://ntfy.example.org/lines"),
                _ => {
                    given.contains("https://example.org/hook")
                        && given.contains(&format!("\"kind\":\"{kind}\""))
                }
            };
            assert!(is_there, "{name}: {given}");
        }
        let (done, _) = example(name, replaced, "down", environment, 22);
        assert_eq!(
            done.code,
            Some(1),
            "{name}: its failure makes the monitor try again"
        );
        let (done, given) = example(name, replaced, "down", &[], 0);
        assert_eq!((done.code, given.as_str()), (Some(1), ""), "{name}");
        assert!(
            done.stdout.contains(environment[0].0),
            "{name} names the missing variable: {}",
            done.stdout
        );
    }
}
