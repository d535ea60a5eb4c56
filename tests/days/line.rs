//! The networks of a day: this machine, a router and the far ends, each in a network namespace of
//! its own.
//!
//! ```text
//! this machine   10.20.0.2/24  fd20::2/64   eth0
//! router, lan    10.20.0.1/24  fd20::1/64   the default gateway; 10.20.0.9 is a neighbour that the router also answers for
//! router, wan    10.30.0.1/24  fd30::1/64
//! far ends       10.30.0.11 and .12, fd30::11 and ::12; the names far.test and far6.test are the first of each
//! ```

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::common::{TempDir, bin, sys};
use super::script::{Action, Day};

/// A network namespace, held by a process that sleeps until it is killed.
struct Network {
    holder: Child,
}

impl Network {
    fn new() -> Result<Network, String> {
        // It has mounts of its own too: the monitor resolves names by files of the day.
        let mut command = Command::new("unshare");
        command.args(["--net", "--mount", "sh", "-c", "echo ready; exec cat"]);
        let mut holder = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("unshare: {error}"))?;
        let mut ready = [0; 6];
        let output = holder.stdout.as_mut().expect("it is a pipe");
        std::io::Read::read_exact(output, &mut ready)
            .map_err(|error| format!("unshare: {error}"))?;
        Ok(Network { holder })
    }

    fn pid(&self) -> u32 {
        self.holder.id()
    }

    fn command(&self, program: &Path) -> Command {
        let mut command = Command::new("nsenter");
        command
            .args([
                "--net",
                "--mount",
                "--target",
                &self.pid().to_string(),
                "--",
            ])
            .arg(program);
        command
    }

    /// Runs a shell script in the namespace.
    fn run(&self, script: &str) -> Result<(), String> {
        let output = self
            .command(Path::new("sh"))
            .args(["-ec", script])
            .output()
            .map_err(|error| format!("nsenter: {error}"))?;
        if output.status.success() {
            Ok(())
        } else {
            Err(format!(
                "{script}: {}",
                String::from_utf8_lossy(&output.stderr)
            ))
        }
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        drop(self.holder.stdin.take());
        drop(self.holder.kill());
        drop(self.holder.wait());
    }
}

/// Why days cannot be run here.
pub fn probe() -> Result<(), String> {
    for program in ["nft", "nsenter", "ip", "unshare", "faketime"] {
        let found = Command::new(program)
            .arg("--version")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        found.map_err(|error| format!("cannot run {program}: {error}"))?;
    }
    let network =
        Network::new().map_err(|error| format!("cannot make a network namespace: {error}"))?;
    network
        .run("nft add table inet t && ip link add v0 type veth peer name v1")
        .map_err(|error| format!("no veth or nft: {error}"))
}

pub struct Line {
    me: Network,
    router: Network,
    far: Network,
    pub folder: TempDir,
    began: Instant,
    pub began_ms: i64,
    monitor: Option<Child>,
    has_faked_clock: bool,
}

fn address_of(host: &str) -> &'static str {
    match host {
        "far1" => "10.30.0.11",
        "far2" => "10.30.0.12",
        "far1v6" => "fd30::11",
        "far2v6" => "fd30::12",
        "near" => "10.20.0.9",
        "name" => "far.test",
        "name6" => "far6.test",
        _ => "gateway",
    }
}

pub const INTERVAL_SECONDS: f64 = 2.0;
pub const FAST_SECONDS: f64 = 0.5;

fn config(day: &Day, folder: &Path) -> String {
    // The family distinguishes the two gateways.
    let entry = |host: &String| {
        let family = match host.as_str() {
            "gateway" => "\n  family: 4",
            "gateway6" => "\n  family: 6",
            _ => "",
        };
        format!("- name: {host}\n  address: {}{family}\n", address_of(host))
    };
    let hosts: String = day.hosts.iter().map(entry).collect();
    let own = |section: &str| -> String {
        let lines = day.config.iter().filter_map(|line| {
            line.strip_prefix(section)
                .and_then(|rest| rest.strip_prefix('.'))
        });
        lines.map(|line| format!("  {line}\n")).collect()
    };
    format!(
        "monitoring:\n  interval_seconds: {INTERVAL_SECONDS}\n  ping_count: 2\n  ping_spacing_ms: 200\n  timeout_seconds: 0.4\n{}\
         hosts:\n{hosts}database:\n  path: {}/connection_logs.db\n  flush_seconds: 1\noutages:\n  fast_interval_seconds: {FAST_SECONDS}\n{}",
        own("monitoring"),
        // A process that enters another mount namespace starts at its root.
        folder.display(),
        own("outages"),
    )
}

impl Line {
    /// Creates the networks and starts the monitor.
    pub fn create(day: &Day) -> Result<Line, String> {
        let (me, router, far) = (Network::new()?, Network::new()?, Network::new()?);
        me.run(&format!(
            "ip link add eth0 type veth peer name lan netns {}",
            router.pid()
        ))?;
        router.run(&format!(
            "ip link add wan type veth peer name eth0 netns {}",
            far.pid()
        ))?;
        let setup =
            "for f in /proc/sys/net/ipv6/conf/*/accept_dad; do echo 0 >$f; done; ip link set lo up";
        router.run(&format!(
            "{setup}; ip addr add 10.20.0.1/24 dev lan; ip addr add 10.20.0.9/24 dev lan; ip addr add fd20::1/64 dev lan nodad
             ip addr add 10.30.0.1/24 dev wan; ip addr add fd30::1/64 dev wan nodad; ip link set lan up; ip link set wan up
             echo 1 >/proc/sys/net/ipv4/ip_forward; echo 1 >/proc/sys/net/ipv6/conf/all/forwarding
             echo 0 >/proc/sys/net/ipv4/icmp_ratelimit; echo 0 >/proc/sys/net/ipv6/icmp/ratelimit
             nft add table inet t; nft 'add chain inet t inn {{ type filter hook input priority 0; }}'
             nft 'add chain inet t through {{ type filter hook forward priority 0; }}'"
        ))?;
        far.run(&format!(
            "{setup}; ip addr add 10.30.0.11/24 dev eth0; ip addr add 10.30.0.12/24 dev eth0
             ip addr add fd30::11/64 dev eth0 nodad; ip addr add fd30::12/64 dev eth0 nodad; ip link set eth0 up
             ip route add default via 10.30.0.1; ip route add default via fd30::1
             nft add table inet t; nft 'add chain inet t inn {{ type filter hook input priority 0; }}'"
        ))?;
        let folder = TempDir::new();
        folder.write("config.yaml", &config(day, folder.path()));
        folder.write("hosts", NAMES);
        folder.write(
            "resolv.conf",
            "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n",
        );
        folder.write("nsswitch.conf", "hosts: files dns\n");
        folder.write("offset", "+0");
        let at = folder.path().display();
        me.run(&format!(
            "{setup}; echo '0 2147483647' >/proc/sys/net/ipv4/ping_group_range
             ip addr add 10.20.0.2/24 dev eth0; ip addr add fd20::2/64 dev eth0 nodad; ip link set eth0 up
             {ADD_ROUTES}
             mount --make-rprivate /
             for f in hosts resolv.conf nsswitch.conf; do mount --bind {at}/$f /etc/$f; done"
        ))?;
        // Fills the neighbour tables, so that the first check does not wait for ARP and NDP.
        me.run("for a in 10.20.0.1 10.30.0.11 10.30.0.12 fd20::1 fd30::11 fd30::12; do ip route get $a >/dev/null; done")?;
        let has_faked_clock = day
            .actions
            .iter()
            .any(|(_, action)| matches!(action, Action::Clock(_)));
        let mut line = Line {
            me,
            router,
            far,
            folder,
            began: Instant::now(),
            began_ms: 0,
            monitor: None,
            has_faked_clock,
        };
        line.start()?;
        line.wait_for_first_checks(day.hosts.len())?;
        (line.began, line.began_ms) = (Instant::now(), now_ms());
        Ok(line)
    }

    fn start(&mut self) -> Result<(), String> {
        let log = fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.folder.path().join("log"))
            .map_err(|e| e.to_string())?;
        let mut command = self.me.command(bin());
        if self.has_faked_clock {
            command
                .env("LD_PRELOAD", faketime_library())
                .env("FAKETIME_TIMESTAMP_FILE", self.folder.path().join("offset"));
            command
                .env("FAKETIME_NO_CACHE", "1")
                .env("DONT_FAKE_MONOTONIC", "1");
        }
        command
            .args(["monitor", "--no-dashboard", "-c"])
            .arg(self.folder.path().join("config.yaml"));
        let started = command
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn();
        self.monitor = Some(started.map_err(|error| format!("{}: {error}", bin().display()))?);
        Ok(())
    }

    /// The day begins when every host has been checked.
    fn wait_for_first_checks(&self, hosts: usize) -> Result<(), String> {
        let deadline = Instant::now() + Duration::from_secs(20);
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
        let rule = |chain: &str, what: &str, is_on: bool| match is_on {
            false => format!("nft add rule inet t {chain} {what} drop"),
            true => format!("nft flush chain inet t {chain}"),
        };
        match action {
            Action::Host { name, is_on } => match name.as_str() {
                "near" => self.router.run(&rule("inn", "ip daddr 10.20.0.9", *is_on)),
                "gateway" | "gateway6" | "name" | "name6" => Err("that is no machine of its own".into()),
                host if *is_on => self.far.run(&format!(
                    "nft delete rule inet t inn handle $(nft -a list chain inet t inn | sed -n 's/.*daddr {} .*handle //p')",
                    address_of(host)
                )),
                host => {
                    let version = if host.ends_with("v6") { "ip6" } else { "ip" };
                    self.far.run(&format!("nft add rule inet t inn {version} daddr {} drop", address_of(host)))
                }
            },
            Action::Gateway { is_on } => {
                let own = "iifname lan ip protocol icmp ip daddr 10.20.0.1";
                self.router.run(&rule("inn", own, *is_on))?;
                if *is_on { Ok(()) } else { self.router.run("nft add rule inet t inn iifname lan icmpv6 type echo-request drop") }
            }
            Action::Provider { is_on } => self.router.run(&rule("through", "iifname lan", *is_on)),
            Action::ProviderOf { is_v6, is_on } => {
                let version = if *is_v6 { "ipv6" } else { "ipv4" };
                self.router.run(&rule("through", &format!("iifname lan meta nfproto {version}"), *is_on))
            }
            Action::Cable { is_in: false } => self.router.run("ip link set lan down"),
            Action::Cable { is_in: true } => {
                self.router.run("ip link set lan up; ip addr add fd20::1/64 dev lan nodad 2>/dev/null || true")
            }
            Action::Interface { is_up: false } => self.me.run("ip link set eth0 down"),
            Action::Interface { is_up: true } => self
                .me
                .run(&format!("ip link set eth0 up; ip addr add fd20::2/64 dev eth0 nodad 2>/dev/null || true; {ADD_ROUTES}")),
            Action::Route { is_there: false } => self.me.run("ip route del default; ip -6 route del default"),
            Action::NarrowRoute => self.me.run(NARROW_ROUTES),
            Action::Route { is_there: true } => self.me.run(ADD_ROUTES),
            // Written in place: the mount refers to this very file.
            Action::Names { resolve } => {
                let mut file = fs::OpenOptions::new()
                    .write(true)
                    .truncate(true)
                    .open(self.folder.path().join("hosts"))
                    .map_err(|e| e.to_string())?;
                let text = if *resolve { NAMES } else { "# nothing\n" };
                file.write_all(text.as_bytes()).map_err(|error| error.to_string())
            }
            Action::Signal(name) => {
                self.signal(name)?;
                if matches!(name.as_str(), "KILL" | "TERM") { self.reap() } else { Ok(()) }
            }
            Action::Start => self.start(),
            Action::Clock(offset) => {
                fs::write(self.folder.path().join("offset"), format!("{offset:+}")).map_err(|error| error.to_string())
            }
        }
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

impl Drop for Line {
    fn drop(&mut self) {
        if let Some(mut monitor) = self.monitor.take() {
            drop(monitor.kill());
            drop(monitor.wait());
        }
    }
}

const NAMES: &str = "10.30.0.11 far.test\nfd30::11 far6.test\n";
/// Routes to the far ends alone, so that there is no default gateway.
const NARROW_ROUTES: &str =
    "ip route add 10.30.0.0/24 via 10.20.0.1; ip route add fd30::/64 via fd20::1
    ip route del default; ip -6 route del default";
const ADD_ROUTES: &str =
    "ip route replace default via 10.20.0.1; ip -6 route replace default via fd20::1";

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

#[allow(
    unused_imports,
    reason = "the module of system calls is shared by all test files"
)]
use sys as _;
