//! One network namespace for each test thread, with a TUN device `tun0` as its only link. It
//! disappears with its thread, and nothing outside is affected.
//!
//! ```text
//! this machine   10.9.0.1/24  fd09::1/64  fe80::1   on tun0
//! far ends       10.9.0.2...  fd09::2...  fe80::2   simulated by the reader of the device
//! beyond them    10.10.0.0/16 fd10::/64             routed through 10.9.0.2 and fd09::2
//! ```

use std::fs::File;
use std::io::{self, Write};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use super::{run, skip, sys};

/// How a program sends ICMP: with a datagram socket, which the system permits to groups, or with a
/// raw socket, which it permits to privileged programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SocketKind {
    /// `net.ipv4.ping_group_range` is open.
    Datagram,
    /// `net.ipv4.ping_group_range` is empty, the kernel's default.
    Raw,
}

pub const SOCKET_KINDS: [SocketKind; 2] = [SocketKind::Datagram, SocketKind::Raw];

/// Environment variable of a test that runs again inside a user namespace.
pub const INSIDE: &str = "ACE_CONNECTION_LOGGER_TEST_INSIDE";

/// Whether `test` can make network namespaces in this process. For an ordinary user whose system
/// offers user namespaces it runs the test again inside one, fails where that fails, and returns
/// `false`. Otherwise it prints the reason.
pub fn is_available(test: &str) -> bool {
    static HERE: OnceLock<Result<(), String>> = OnceLock::new();
    let here = HERE.get_or_init(|| in_own_thread(probe));
    let Err(reason) = here else { return true };
    if std::env::var_os(INSIDE).is_some() {
        skip(test, reason);
        return false;
    }
    let unshare = |program: &std::ffi::OsStr| {
        let mut command = Command::new("unshare");
        command
            .args(["--map-root-user", "--net", "--"])
            .arg(program)
            .env(INSIDE, "1");
        command
    };
    let can_unshare = unshare("true".as_ref())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success());
    if !can_unshare {
        skip(test, &format!("{reason}, and there are no user namespaces"));
        return false;
    }
    let this = std::env::current_exe().expect("the tests know their own file");
    let inner = run(unshare(this.as_os_str()).args(["--exact", test, "--nocapture"]));
    assert_eq!(
        inner.code,
        Some(0),
        "inside a user namespace:\n{}{}",
        inner.stdout,
        inner.stderr
    );
    // With a name that matches no test, nothing would have run.
    assert!(
        inner.stdout.contains("running 1 test"),
        "{test} is no test of {}",
        this.display()
    );
    if let Some((_, skipped)) = inner.stderr.split_once("SKIP ") {
        let reason = skipped
            .lines()
            .next()
            .and_then(|line| line.split_once(": "))
            .map_or("", |(_, reason)| reason);
        skip(test, &format!("inside a user namespace: {reason}"));
    }
    false
}

fn probe() -> Result<(), String> {
    sys::unshare_network().map_err(|error| format!("cannot make a network namespace: {error}"))?;
    sys::open_tun("tun0").map_err(|error| format!("cannot make a TUN device: {error}"))?;
    match Command::new("ip")
        .arg("-Version")
        .stdout(Stdio::null())
        .status()
    {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("ip -Version: {status}")),
        Err(error) => Err(format!("cannot run ip: {error}")),
    }
}

/// Runs a function in a new network namespace as drawn above, and gives it the other end of `tun0`.
/// Programs that it starts are in the same namespace.
pub fn in_namespace<T: Send>(kind: SocketKind, then: impl FnOnce(File) -> T + Send) -> T {
    in_own_thread(|| {
        sys::unshare_network().expect("probed before");
        let tun = sys::open_tun("tun0").expect("probed before");
        set_up(kind).expect("the namespace is ours to configure");
        then(tun)
    })
}

fn in_own_thread<T: Send>(run: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| scope.spawn(run).join())
        .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

fn set_up(kind: SocketKind) -> io::Result<()> {
    // Addresses are usable at once, and the kernel sends nothing by itself.
    for interface in ["default", "tun0"] {
        sysctl(&format!("ipv6/conf/{interface}/disable_ipv6"), "0")?;
        sysctl(&format!("ipv6/conf/{interface}/accept_dad"), "0")?;
        sysctl(&format!("ipv6/conf/{interface}/router_solicitations"), "0")?;
    }
    // A new namespace has an empty range. Inside a user namespace an empty range cannot be written,
    // because its limits are no groups there.
    if kind == SocketKind::Datagram {
        let group = sys::effective_group();
        sysctl("ipv4/ping_group_range", &format!("{group} {group}"))?;
    }
    ip("link set lo up
        link set tun0 mtu 1500 up
        addr add 10.9.0.1/24 dev tun0
        addr add fd09::1/64 dev tun0 nodad
        addr add fe80::1/64 dev tun0 nodad
        route add 10.10.0.0/16 via 10.9.0.2
        route add fd10::/64 via fd09::2")
}

/// Sets a `net.` sysctl in this thread's network namespace.
pub fn sysctl(name: &str, value: &str) -> io::Result<()> {
    std::fs::write(format!("/proc/sys/net/{name}"), value)
        .map_err(|error| io::Error::new(error.kind(), format!("{name}={value}: {error}")))
}

/// Runs `ip` with these commands, one a line, in this thread's namespace. Addresses that they add
/// are usable when it returns.
pub fn ip(commands: &str) -> io::Result<()> {
    let mut child = Command::new("ip")
        .args(["-batch", "-"])
        .stdin(Stdio::piped())
        .spawn()?;
    child
        .stdin
        .take()
        .expect("it is a pipe")
        .write_all(commands.as_bytes())?;
    let status = child.wait()?;
    if !status.success() {
        return Err(io::Error::other(format!("ip: {status}: {commands}")));
    }
    wait_for_own_ipv6_routes()
}

/// The kernel adds the local route of a new IPv6 address in a work queue, some time after the
/// address is visible. Packets that arrive before are dropped.
fn wait_for_own_ipv6_routes() -> io::Result<()> {
    const LOCAL_ROUTE_FLAG: &str = "8";
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        let addresses = std::fs::read_to_string("/proc/thread-self/net/if_inet6")?;
        let routes = std::fs::read_to_string("/proc/thread-self/net/ipv6_route")?;
        let is_routed = |address: &str| {
            routes
                .lines()
                .map(|line| line.split_whitespace().collect::<Vec<_>>())
                .any(|columns| {
                    columns[0] == address
                        && columns[1] == "80"
                        && columns[8].starts_with(LOCAL_ROUTE_FLAG)
                })
        };
        match addresses
            .lines()
            .filter_map(|line| line.split_whitespace().next())
            .find(|address| !is_routed(address))
        {
            None => return Ok(()),
            Some(address) if Instant::now() > deadline => {
                return Err(io::Error::other(format!("{address} has no local route")));
            }
            Some(_) => std::thread::sleep(Duration::from_millis(1)),
        }
    }
}
