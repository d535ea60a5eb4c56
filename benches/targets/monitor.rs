//! The measured program: its configuration, a running monitor, its figures in /proc, and what it
//! recorded.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use serde_json::Value;

/// The release binary.
pub struct Program {
    pub path: PathBuf,
}

/// A folder for one measurement, with a configuration; removed when dropped.
pub struct Bench {
    pub folder: PathBuf,
}

/// A running monitor or dashboard.
pub struct Monitor {
    child: Child,
}

/// Totals over all hosts in the database.
pub struct Recorded {
    pub checks: u32,
    pub sent: u32,
    pub received: u32,
}

impl Bench {
    /// `monitoring` is the content of that section of the configuration, in YAML's flow style.
    pub fn new(name: &str, monitoring: &str, hosts: &[String]) -> Bench {
        let folder = std::env::temp_dir().join(format!(
            "ace-connection-logger-bench-{}-{name}",
            std::process::id()
        ));
        Bench::inside(folder, monitoring, hosts)
    }

    /// As [`Bench::new`], in a given folder.
    pub fn inside(folder: PathBuf, monitoring: &str, hosts: &[String]) -> Bench {
        fs::create_dir_all(&folder).unwrap();
        let hosts: String = hosts
            .iter()
            .map(|address| format!("  - {{name: host {address}, address: {address}}}\n"))
            .collect();
        let database = folder.join("bench.db");
        let text = format!(
            "monitoring: {{{monitoring}}}\nhosts:\n{hosts}database: {{path: {}}}\nlogging: {{level: error}}\n",
            database.display()
        );
        fs::write(folder.join("config.yaml"), text).unwrap();
        Bench { folder }
    }

    pub fn database(&self) -> PathBuf {
        self.folder.join("bench.db")
    }

    /// The output of `check --json`, run by the command `prefix`, such as taskset.
    pub fn check(&self, program: &Program, prefix: &[&str], hosts: &[&str]) -> Vec<Value> {
        let config = self.folder.join("config.yaml");
        let mut command_line: Vec<&str> = prefix.to_vec();
        command_line.extend([
            path_text(&program.path),
            "check",
            "--json",
            "--no-store",
            "-c",
            path_text(&config),
        ]);
        command_line.extend(hosts);
        let output = Command::new(command_line[0])
            .args(&command_line[1..])
            .stderr(Stdio::inherit())
            .output()
            .unwrap();
        serde_json::from_slice::<Vec<Value>>(&output.stdout).unwrap()
    }

    pub fn monitor(&self, program: &Program) -> Monitor {
        self.start(program, &["monitor", "--no-dashboard"])
    }

    pub fn start(&self, program: &Program, arguments: &[&str]) -> Monitor {
        let mut command = Command::new(&program.path);
        command
            .args(arguments)
            .arg("-c")
            .arg(self.folder.join("config.yaml"));
        Monitor {
            child: command.spawn().unwrap(),
        }
    }

    pub fn recorded(&self) -> Recorded {
        let connection = rusqlite::Connection::open(self.database()).unwrap();
        let sums =
            "select count(*), coalesce(sum(sent), 0), coalesce(sum(received), 0) from check_result";
        let read = |row: &rusqlite::Row<'_>| {
            Ok(Recorded {
                checks: row.get(0)?,
                sent: row.get(1)?,
                received: row.get(2)?,
            })
        };
        connection.query_row(sums, [], read).unwrap()
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

impl Monitor {
    /// `VmRSS`, in bytes.
    pub fn resident_bytes(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        field(&status, "VmRSS:") * 1024
    }

    /// How often the threads that ping have gone to sleep so far.
    pub fn pinger_sleeps(&self) -> u64 {
        let tasks = fs::read_dir(format!("/proc/{}/task", self.child.id())).unwrap();
        let statuses =
            tasks.filter_map(|task| fs::read_to_string(task.ok()?.path().join("status")).ok());
        let pingers = statuses.filter(|status| status.starts_with("Name:\tping-"));
        pingers
            .map(|status| field(&status, "voluntary_ctxt_switches:"))
            .sum()
    }

    /// Stops it with SIGTERM and waits for its end.
    pub fn stop(mut self) {
        run("kill", &["-TERM", &self.child.id().to_string()]);
        assert!(self.child.wait().unwrap().success(), "the monitor failed");
    }
}

/// The number that follows `name` in /proc/PID/status.
fn field(status: &str, name: &str) -> u64 {
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix(name))
        .unwrap();
    line.split_whitespace().next().unwrap().parse().unwrap()
}

fn path_text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Different loopback addresses.
pub fn loopback_hosts(count: usize) -> Vec<String> {
    (0..count)
        .map(|index| format!("127.0.{}.{}", index / 250 + 1, index % 250 + 1))
        .collect()
}

/// Allows ICMP datagram sockets in this network namespace, as most distributions do.
pub fn allow_datagram_sockets() {
    fs::write("/proc/sys/net/ipv4/ping_group_range", "0 2147483647").unwrap();
}

pub fn sleep_seconds(seconds: u64) {
    thread::sleep(Duration::from_secs(seconds));
}

/// The standard output of a command, which must succeed.
pub fn run(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program)
        .args(arguments)
        .output()
        .unwrap_or_else(|error| panic!("{program}: {error}"));
    assert!(
        output.status.success(),
        "{program} {arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).into_owned()
}
