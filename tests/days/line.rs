//! One day as it runs: its networks, its monitor and what happens to them.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::actions::Action;
use super::common::{TempDir, bin};
use super::config::Config;
use super::names::NameServers;
use super::network::{Network, Place};
use super::script::Day;
use super::tap::Tap;

pub struct Line<'a> {
    day: &'a Day,
    network: Network,
    names: NameServers,
    pub tap: Tap,
    config: Config,
    pub folder: TempDir,
    began: Instant,
    pub began_ms: i64,
    monitor: Option<Child>,
    pub has_faked_clock: bool,
}

impl Line<'_> {
    /// Creates the networks and starts the monitor.
    pub fn create(day: &Day) -> Result<Line<'_>, String> {
        let network = Network::create(day.network)?;
        let folder = TempDir::new();
        folder.write("hosts", NAMES);
        folder.write("resolv.conf", resolver(day));
        folder.write("nsswitch.conf", "hosts: files dns\n");
        folder.write("offset", "+0");
        let at = folder.path().display();
        let me = network.at(Place::Me)?;
        me.run(&format!(
            "echo '0 2147483647' >/proc/sys/net/ipv4/ping_group_range
             mount --make-rprivate /
             for f in hosts resolv.conf nsswitch.conf; do mount --bind {at}/$f /etc/$f; done"
        ))?;
        let mut line = Line {
            day,
            names: NameServers::start(me)?,
            tap: Tap::start(me)?,
            network,
            config: Config::of(day, folder.path()),
            folder,
            began: Instant::now(),
            began_ms: 0,
            monitor: None,
            has_faked_clock: (day.actions.iter().map(|(_, action)| action))
                .chain(&day.before)
                .any(|action| matches!(action, Action::Clock(_))),
        };
        line.write_config();
        for action in &day.before {
            line.perform(action)?;
        }
        line.start()?;
        line.wait_for_first_checks(day.hosts.len() - day.unanswered.len())?;
        (line.began, line.began_ms) = (Instant::now(), now_ms());
        Ok(line)
    }

    fn write_config(&self) {
        self.folder.write("config.yaml", &self.config.text());
    }

    /// A command of the program in the day's network.
    pub fn program(&self, arguments: &[String]) -> Result<Command, String> {
        let mut command = self.network.at(Place::Me)?.command(bin());
        if self.has_faked_clock {
            command
                .env("LD_PRELOAD", faketime_library())
                .env("FAKETIME_TIMESTAMP_FILE", self.folder.path().join("offset"));
            command
                .env("FAKETIME_NO_CACHE", "1")
                .env("DONT_FAKE_MONOTONIC", "1");
        }
        command
            .args(arguments)
            .arg("-c")
            .arg(self.folder.path().join("config.yaml"))
            .current_dir(self.folder.path())
            .stdin(Stdio::null());
        Ok(command)
    }

    fn start(&mut self) -> Result<(), String> {
        let log = fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.folder.path().join("log"))
            .map_err(|e| e.to_string())?;
        let started = self
            .program(&["monitor", "--no-dashboard"].map(String::from))?
            .stdout(Stdio::null())
            .stderr(log)
            .spawn();
        self.monitor = Some(started.map_err(|error| format!("{}: {error}", bin().display()))?);
        Ok(())
    }

    /// The day begins when every host has been checked.
    fn wait_for_first_checks(&self, hosts: usize) -> Result<(), String> {
        let deadline = Instant::now() + Duration::from_secs_f64(20.0 + self.day.interval());
        while self.hosts_checked() < hosts {
            if Instant::now() > deadline {
                return Err(format!(
                    "{} of {hosts} hosts are checked; the log:\n{}",
                    self.hosts_checked(),
                    self.log()
                ));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    fn hosts_checked(&self) -> usize {
        let read = || -> rusqlite::Result<usize> {
            let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY;
            let database = rusqlite::Connection::open_with_flags(self.database(), flags)?;
            database
                .query_row(
                    "select count(distinct host_id) from check_result where received > 0",
                    [],
                    |row| row.get::<_, u32>(0),
                )
                .map(|count| count as usize)
        };
        read().unwrap_or(0)
    }

    pub fn database(&self) -> PathBuf {
        self.folder.path().join("connection_logs.db")
    }

    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// Waits until this second of the day.
    pub fn wait_until(&self, at: f64) {
        let due = self.began + Duration::from_secs_f64(at);
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
    }

    pub fn perform(&mut self, action: &Action) -> Result<(), String> {
        match action {
            Action::Run { place, script } => self.network.run(*place, script),
            // Written in place: the mount refers to this very file.
            Action::Names { resolve } => {
                let mut file = fs::OpenOptions::new()
                    .write(true)
                    .truncate(true)
                    .open(self.folder.path().join("hosts"))
                    .map_err(|e| e.to_string())?;
                let text = if *resolve { NAMES } else { "# nothing\n" };
                file.write_all(text.as_bytes())
                    .map_err(|error| error.to_string())
            }
            Action::Server(change) => {
                self.names.change(change);
                Ok(())
            }
            Action::Signal(name) => {
                self.signal(name)?;
                if matches!(name.as_str(), "KILL" | "TERM") {
                    self.reap()
                } else {
                    Ok(())
                }
            }
            Action::Start => self.start(),
            Action::Clock(offset) => {
                fs::write(self.folder.path().join("offset"), format!("{offset:+}"))
                    .map_err(|error| error.to_string())
            }
            Action::Reload(edit) => {
                self.config.edit(edit, self.day);
                self.write_config();
                self.signal("HUP")
            }
            Action::Shows { arguments, text } => {
                let shown = self.output(arguments)?;
                if shown.contains(text) {
                    Ok(())
                } else {
                    Err(format!("it is not in the output:\n{shown}"))
                }
            }
        }
    }

    /// What a command of the program prints.
    pub fn output(&self, arguments: &[String]) -> Result<String, String> {
        let output = self.program(arguments)?.output();
        let output = output.map_err(|error| format!("{}: {error}", bin().display()))?;
        let text = [output.stdout, output.stderr].concat();
        Ok(String::from_utf8_lossy(&text).into_owned())
    }

    fn signal(&self, name: &str) -> Result<(), String> {
        let monitor = self.monitor.as_ref().ok_or("no monitor runs")?;
        let sent = Command::new("kill")
            .args(["-s", name, &monitor.id().to_string()])
            .status();
        if sent.is_ok_and(|status| status.success()) {
            Ok(())
        } else {
            Err(format!("kill -s {name}"))
        }
    }

    fn reap(&mut self) -> Result<(), String> {
        let mut monitor = self.monitor.take().ok_or("no monitor runs")?;
        let deadline = Instant::now() + Duration::from_secs(10);
        while monitor
            .try_wait()
            .map_err(|error| error.to_string())?
            .is_none()
        {
            if Instant::now() > deadline {
                drop(monitor.kill());
                drop(monitor.wait());
                return Err(format!("it does not end; the log:\n{}", self.log()));
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }

    /// Ends the monitor, if it still runs.
    pub fn end(&mut self) -> Result<(), String> {
        if self.monitor.is_none() {
            return Ok(());
        }
        self.signal("TERM")?;
        self.reap()
    }
}

impl Drop for Line<'_> {
    fn drop(&mut self) {
        if let Some(mut monitor) = self.monitor.take() {
            drop(monitor.kill());
            drop(monitor.wait());
        }
    }
}

const NAMES: &str = "10.30.0.11 far.test\nfd30::11 far6.test\n";

/// Without the day's own name servers a name that is in no file fails at once.
fn resolver(day: &Day) -> &'static str {
    let mut addresses = day.own_hosts.iter().map(|(_, address, _)| address.as_str());
    let has_own = addresses.any(|address| address.ends_with(".test"));
    if has_own || day.hosts.iter().any(|host| host.starts_with("dns")) {
        "nameserver 127.0.0.1\nnameserver 127.0.0.2\n"
    } else {
        "nameserver 127.0.0.3\noptions timeout:1 attempts:1\n"
    }
}

fn now_ms() -> i64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("it is later than 1970");
    i64::try_from(since.as_millis()).expect("it is")
}

fn faketime_library() -> String {
    [
        "/usr/lib/x86_64-linux-gnu",
        "/usr/lib/aarch64-linux-gnu",
        "/usr/lib/arm-linux-gnueabihf",
    ]
    .map(|folder| format!("{folder}/faketime/libfaketimeMT.so.1"))
    .into_iter()
    .find(|path| Path::new(path).exists())
    .expect("faketime comes with its library")
}
