//! `doctor`: whether this machine can ping, resolve, write and serve, and the command that cures
//! what it cannot.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, TcpListener, ToSocketAddrs};
use std::path::Path;
use std::time::Duration;

use serde_json::json;

use super::arguments::Doctor;
use super::dashboard::is_served;
use super::exit::{CliError, CommandStatus};
use super::print::{is_coloured, paint, print, print_json, printable};
use super::startup::{find_config, load_config};
use crate::config::Config;
use crate::net::{self, SocketError, SocketType};
use crate::pure::address::IpVersion;
use crate::pure::model::{Host, State};
use crate::pure::phrase::count;
use crate::pure::time::UtcMillis;
use crate::store::Reader;
use crate::{daemon, sys};

/// One thing that was looked at.
struct Finding {
    what: &'static str,
    status: Status,
    text: String,
    cure: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Status {
    Ok,
    /// Works, or is not needed, but should be known.
    Note,
    Failed,
}

impl Finding {
    fn ok(what: &'static str, text: impl Into<String>) -> Finding {
        Finding {
            what,
            status: Status::Ok,
            text: text.into(),
            cure: None,
        }
    }

    fn note(what: &'static str, text: impl Into<String>, cure: Option<String>) -> Finding {
        Finding {
            what,
            status: Status::Note,
            text: text.into(),
            cure,
        }
    }

    fn failed(what: &'static str, text: impl Into<String>, cure: impl Into<String>) -> Finding {
        Finding {
            what,
            status: Status::Failed,
            text: text.into(),
            cure: Some(cure.into()),
        }
    }
}

pub fn run(arguments: &Doctor) -> Result<CommandStatus, CliError> {
    let mut findings = Vec::new();
    let config = look_at_config(arguments, &mut findings);
    look_at_sockets(&config, &mut findings);
    look_at_open_files(&config, &mut findings);
    look_at_resolver(&config, &mut findings);
    look_at_gateway(&config, &mut findings);
    look_at_database(&config, &mut findings);
    look_at_clock(&config, &mut findings);
    look_at_port(&config, &mut findings);
    let is_well = findings
        .iter()
        .all(|finding| finding.status != Status::Failed);
    if arguments.json {
        print_json(&json_of(&findings))?
    } else {
        print(&text_of(&findings))?
    }
    Ok(CommandStatus::success_if(is_well))
}

/// The commands that allow this program to ping.
pub fn permission_cure() -> String {
    let program = std::env::current_exe().map_or("/usr/bin/ace-connection-logger".into(), |path| {
        path.display().to_string()
    });
    sys::permission_cure(&program)
}

fn look_at_config(arguments: &Doctor, findings: &mut Vec<Finding>) -> Config {
    const WHAT: &str = "configuration";
    match find_config(&arguments.common()).and_then(|found| {
        found
            .map(|path| load_config(&path).map(|loaded| (path, loaded)))
            .transpose()
    }) {
        Ok(Some((path, loaded))) => {
            let problems = loaded.errors().count();
            let path = path.display();
            findings.push(match problems {
                0 => Finding::ok(
                    WHAT,
                    format!(
                        "{path}: no problems, {}",
                        count(loaded.config.hosts.len(), "host")
                    ),
                ),
                _ => Finding::failed(
                    WHAT,
                    format!("{path}: {}", count(problems, "problem")),
                    format!("ace-connection-logger check-config -c {path}"),
                ),
            });
            loaded.config
        }
        Ok(None) => {
            findings.push(Finding::note(
                WHAT,
                "none: the built-in defaults are used",
                Some("ace-connection-logger init-config".into()),
            ));
            Config::default()
        }
        Err(failure) => {
            let cure = failure
                .hint()
                .unwrap_or_else(|| "make it readable for this user".into());
            findings.push(Finding::failed(WHAT, failure.to_string(), cure));
            Config::default()
        }
    }
}

/// Whether pings of each version can be sent, and whether one to this machine itself comes back.
fn look_at_sockets(config: &Config, findings: &mut Vec<Finding>) {
    for (what, version, own) in [
        (
            "ICMP over IPv4",
            IpVersion::V4,
            IpAddr::V4(Ipv4Addr::LOCALHOST),
        ),
        (
            "ICMP over IPv6",
            IpVersion::V6,
            IpAddr::V6(Ipv6Addr::LOCALHOST),
        ),
    ] {
        let is_needed = config.hosts.iter().any(|plan| needs(&plan.host, version));
        findings.push(match net::usable_socket_type(version) {
            Ok(_) => {
                let kind = kinds(version);
                match ping_own(own, config) {
                    Ok(rtt) => Finding::ok(what, format!("{kind}; {own} answers in {rtt} us")),
                    Err(reason) if is_needed => Finding::failed(
                        what,
                        format!("{kind}, but {own} does not answer: {reason}"),
                        sys::LOOPBACK_CURE,
                    ),
                    Err(reason) => Finding::note(
                        what,
                        format!("{kind}, but {own} does not answer: {reason}"),
                        None,
                    ),
                }
            }
            Err(SocketError::Permission) => Finding::failed(
                what,
                "no permission for a datagram or a raw socket",
                permission_cure(),
            ),
            Err(fault @ SocketError::NoVersion(_)) if !is_needed => {
                Finding::note(what, fault.to_string(), None)
            }
            Err(fault) => Finding::failed(
                what,
                fault.to_string(),
                "use family: 4 or family: 6 for the version that this machine has",
            ),
        });
    }
}

/// Which kinds of socket are open to this process, in words.
fn kinds(version: IpVersion) -> String {
    let word = |kind| match net::may_open(version, kind) {
        Ok(()) => "yes".to_string(),
        Err(error) => error
            .to_string()
            .split(" (os error")
            .next()
            .unwrap_or_default()
            .to_lowercase(),
    };
    format!(
        "datagram socket: {}; raw socket: {}",
        word(SocketType::Datagram),
        word(SocketType::Raw)
    )
}

/// Whether a host is certain to be pinged over this version.
fn needs(host: &Host, version: IpVersion) -> bool {
    host.address.ip().map(IpVersion::of).or(host.family) == Some(version)
}

/// Pings an address of this machine once: its round-trip time in microseconds.
fn ping_own(own: IpAddr, config: &Config) -> Result<u32, String> {
    let mut plan = config.plan_for(Host::unlisted(&own.to_string()));
    (plan.ping_count, plan.timeout, plan.source) = (1, Duration::from_secs(1), None);
    let manner = crate::pinger::ProbeSettings {
        read_mode: crate::pure::check::ReadMode::Immediate,
        linger: Duration::ZERO,
        fast_interval: None,
        outages: crate::pure::outage::OutageRules::default(),
    };
    let stop = crate::stop::Stop::new().map_err(|error| error.to_string())?;
    let result = crate::pinger::Pinger::new(plan.into(), manner).check(&stop, &mut |_| ());
    let result = result.ok_or("interrupted")?;
    result.rtts_us().flatten().next().ok_or_else(|| {
        result
            .reason
            .clone()
            .unwrap_or_else(|| "no answer within a second".into())
    })
}

fn look_at_open_files(config: &Config, findings: &mut Vec<Finding>) {
    const WHAT: &str = "open files";
    let hosts = config.hosts.len();
    findings.push(match daemon::allow_files_for_monitoring(hosts) {
        Ok(()) => Finding::ok(
            WHAT,
            format!("the limit is enough for {}", count(hosts, "host")),
        ),
        Err(error) => {
            let failure = CliError::from(error);
            Finding::failed(
                WHAT,
                failure.to_string(),
                failure.hint().unwrap_or_default(),
            )
        }
    });
}

/// Whether the names of the configuration resolve; without names, whether the resolver knows this
/// machine.
fn look_at_resolver(config: &Config, findings: &mut Vec<Finding>) {
    const WHAT: &str = "resolver";
    let names: Vec<&str> = config
        .hosts
        .iter()
        .filter(|plan| plan.host.address.is_name())
        .map(|plan| plan.host.address.as_str())
        .collect();
    let cure = || {
        let servers = fs::read_to_string("/etc/resolv.conf").unwrap_or_default();
        let servers: Vec<&str> = servers
            .lines()
            .filter_map(|line| line.trim().strip_prefix("nameserver"))
            .map(str::trim)
            .collect();
        match servers.is_empty() {
            true => {
                "/etc/resolv.conf names no server: add a line \"nameserver ADDRESS\"".to_string()
            }
            false => format!(
                "check the spelling, and the servers of /etc/resolv.conf: {}",
                servers.join(", ")
            ),
        }
    };
    if names.is_empty() {
        findings.push(match ("localhost", 0).to_socket_addrs() {
            Ok(_) => Finding::ok(WHAT, "no host is listed by name; localhost resolves"),
            Err(error) => Finding::note(
                WHAT,
                format!("no host is listed by name; localhost does not resolve: {error}"),
                None,
            ),
        });
    }
    for name in names {
        findings.push(
            match (name, 0).to_socket_addrs().map(|found| {
                found
                    .map(|address| address.ip().to_string())
                    .collect::<Vec<_>>()
            }) {
                Ok(found) => Finding::ok(WHAT, format!("{name} is {}", found.join(", "))),
                Err(error) => Finding::failed(WHAT, format!("{name}: {error}"), cure()),
            },
        );
    }
}

fn look_at_gateway(config: &Config, findings: &mut Vec<Finding>) {
    const WHAT: &str = "default gateway";
    let found: Vec<String> = net::default_gateways()
        .iter()
        .map(|gateway| format!("{} by {}", gateway.ip, gateway.interface))
        .collect();
    let is_needed = config
        .hosts
        .iter()
        .any(|plan| plan.host.address.is_gateway());
    findings.push(match (found.is_empty(), is_needed) {
        (false, _) => Finding::ok(WHAT, found.join(", ")),
        (true, true) => Finding::failed(
            WHAT,
            "this machine has no default route",
            format!("{}, or take the host \"gateway\" out", sys::ROUTE_CURE),
        ),
        (true, false) => Finding::note(WHAT, "this machine has no default route", None),
    });
}

/// Free space below which a week of results is in doubt.
const LITTLE_SPACE_BYTES: u64 = 50 << 20;

fn look_at_database(config: &Config, findings: &mut Vec<Finding>) {
    let path = &config.database.path;
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    let shown = path.display();
    // A diagnosis changes nothing: what is not up to date stays as it is.
    findings.push(match Reader::open_current(path) {
        Ok(found) if found.is_some() || path.exists() => {
            match try_appending(path).and_then(|()| try_writing(folder)) {
                Ok(()) if found.is_some() => {
                    Finding::ok("database", format!("{shown} can be read and written"))
                }
                Ok(()) => Finding::ok(
                    "database",
                    format!("{shown} is of an older version, and is taken over by the first start"),
                ),
                Err(error) => Finding::failed(
                    "database",
                    format!("{shown}: {error}"),
                    writable_cure(folder, Some(path)),
                ),
            }
        }
        Ok(_) if !folder.is_dir() => Finding::failed(
            "database",
            format!("{}: there is no such folder", folder.display()),
            format!("mkdir -p {}", folder.display()),
        ),
        Ok(_) => match try_writing(folder) {
            Ok(()) => Finding::ok(
                "database",
                format!("{shown} does not exist yet and can be made"),
            ),
            Err(error) => Finding::failed(
                "database",
                format!("{}: {error}", folder.display()),
                writable_cure(folder, None),
            ),
        },
        Err(error) => Finding::failed(
            "database",
            error.to_string(),
            error
                .hint()
                .unwrap_or_else(|| writable_cure(folder, Some(path))),
        ),
    });
    findings.push(match sys::free_bytes(folder) {
        Ok(free) if free < LITTLE_SPACE_BYTES => Finding::failed(
            "disk space",
            format!("{} MB free in {}", free >> 20, folder.display()),
            "free some space, or set database.path to another disk",
        ),
        Ok(free) => Finding::ok(
            "disk space",
            format!("{} MB free in {}", free >> 20, folder.display()),
        ),
        Err(error) => Finding::note("disk space", format!("{}: {error}", folder.display()), None),
    });
}

fn try_appending(file: &Path) -> std::io::Result<()> {
    fs::OpenOptions::new().append(true).open(file).map(drop)
}

/// SQLite keeps its log beside the file, so the folder must be writable too.
fn try_writing(folder: &Path) -> std::io::Result<()> {
    let trial = folder.join(format!(".ace-connection-logger-{}", std::process::id()));
    fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(&trial)?;
    fs::remove_file(trial)
}

fn writable_cure(folder: &Path, file: Option<&Path>) -> String {
    let files = file
        .map(|file| format!(" {}*", file.display()))
        .unwrap_or_default();
    format!(
        "chown USER {}{files}, with the user that the monitor runs as",
        folder.display()
    )
}

/// A clock before this program was written is wrong: 2026-01-01.
const EARLIEST_CLOCK_MS: i64 = 1_767_225_600_000;

fn look_at_clock(config: &Config, findings: &mut Vec<Finding>) {
    const WHAT: &str = "clock";
    let now = sys::clocks().utc();
    let newest = Reader::open_current(&config.database.path)
        .ok()
        .flatten()
        .and_then(|reader| reader.latest_checks(UtcMillis(i64::MAX)).ok());
    let newest = newest.and_then(|checks| checks.iter().map(|check| check.checked_at).max());
    let shown = now.rfc3339();
    findings.push(match newest {
        _ if now.0 < EARLIEST_CLOCK_MS => {
            Finding::failed(WHAT, format!("it says {shown}"), sys::CLOCK_CURE)
        }
        Some(newest) if newest > now => Finding::failed(
            WHAT,
            format!(
                "it says {shown}, but the newest result is of {}",
                newest.rfc3339()
            ),
            sys::CLOCK_CURE,
        ),
        _ if !sys::is_clock_synchronised() => Finding::note(
            WHAT,
            format!("{shown}; no time service keeps it"),
            Some(sys::CLOCK_CURE.into()),
        ),
        _ => Finding::ok(WHAT, format!("{shown}, kept by a time service")),
    });
}

fn look_at_port(config: &Config, findings: &mut Vec<Finding>) {
    const WHAT: &str = "dashboard port";
    let dashboard = &config.dashboard;
    let shown = format!("{}:{}", dashboard.host, dashboard.port);
    findings.push(match TcpListener::bind((dashboard.host.as_str(), dashboard.port)) {
        Ok(_) => Finding::ok(WHAT, format!("{shown} is free")),
        Err(error) if error.kind() == std::io::ErrorKind::AddrInUse && is_served(config) => {
            Finding::ok(WHAT, format!("{shown} serves this database already"))
        }
        Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => {
            Finding::note(WHAT, format!("{shown} is taken by another program"), Some("set dashboard.port to another".into()))
        }
        Err(error) => Finding::failed(
            WHAT,
            format!("{shown}: {error}"),
            "set dashboard.host to an address of this machine, dashboard.port to one above 1023",
        ),
    });
}

fn json_of(findings: &[Finding]) -> serde_json::Value {
    let status = |status| match status {
        Status::Ok => "ok",
        Status::Note => "note",
        Status::Failed => "failed",
    };
    let one = |finding: &Finding| json!({ "what": finding.what, "status": status(finding.status), "text": finding.text, "cure": finding.cure });
    findings.iter().map(one).collect()
}

fn text_of(findings: &[Finding]) -> String {
    let is_coloured = is_coloured();
    let width = findings
        .iter()
        .map(|finding| finding.what.len())
        .max()
        .unwrap_or(0);
    let mut text = String::new();
    for finding in findings {
        let (word, state) = match finding.status {
            Status::Ok => ("ok    ", State::Up),
            Status::Note => ("note  ", State::Degraded),
            Status::Failed => ("FAILED", State::Down),
        };
        text += &format!(
            "{}  {:width$}  {}\n",
            paint(word, state, is_coloured),
            finding.what,
            printable(&finding.text)
        );
        for (index, line) in finding
            .cure
            .iter()
            .flat_map(|cure| cure.lines())
            .enumerate()
        {
            text += &format!(
                "{:8}{:width$}  {}{line}\n",
                "",
                "",
                if index == 0 { "cure: " } else { "      " }
            );
        }
    }
    text
}
