//! Pinging, resolving names, the default gateway, and the port of the dashboard.

use std::fs;
use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, TcpListener, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;

use super::diagnosis::Diagnosis;
use crate::cli::check::settings_of_one_check;
use crate::cli::dashboard::is_served;
use crate::cli::exit::permission_cure;
use crate::config::{Config, HostConfig};
use crate::net::{self, Resolver, SocketError, SocketType, ThisMachine};
use crate::pinger::Pinger;
use crate::pure::address::{IpVersion, Source};
use crate::pure::model::Host;
use crate::stop::Stop;
use crate::sys;

/// Whether pings of each IP version can be sent, and whether this machine answers its own.
pub fn sockets(config: &Config) -> [Diagnosis; 2] {
    [
        (IpVersion::V4, Ipv4Addr::LOCALHOST.into()),
        (IpVersion::V6, Ipv6Addr::LOCALHOST.into()),
    ]
    .map(|(version, loopback)| socket(config, version, loopback))
}

fn socket(config: &Config, version: IpVersion, loopback: IpAddr) -> Diagnosis {
    let subject = match version {
        IpVersion::V4 => "ICMP over IPv4",
        IpVersion::V6 => "ICMP over IPv6",
    };
    let is_needed = config
        .hosts
        .iter()
        .any(|config| is_pinged_over(version, &config.host));
    match net::usable_socket_type(version) {
        Ok(_) => {
            let sockets = permitted_sockets(version);
            match ping(loopback, config) {
                Ok(rtt_us) => Diagnosis::ok(
                    subject,
                    format!("{sockets}; {loopback} answers in {rtt_us} us"),
                ),
                Err(reason) => {
                    let text = format!("{sockets}, but {loopback} does not answer: {reason}");
                    if is_needed {
                        Diagnosis::failed(subject, text, sys::LOOPBACK_CURE)
                    } else {
                        Diagnosis::note(subject, text)
                    }
                }
            }
        }
        Err(SocketError::Permission) => Diagnosis::failed(
            subject,
            "no permission for a datagram or a raw socket",
            permission_cure(),
        ),
        Err(error @ SocketError::NoVersion(_)) if !is_needed => {
            Diagnosis::note(subject, error.to_string())
        }
        Err(error) => Diagnosis::failed(
            subject,
            error.to_string(),
            "use family: 4 or family: 6 for the version that this machine has",
        ),
    }
}

fn permitted_sockets(version: IpVersion) -> String {
    let word = |socket_type| match net::may_open(version, socket_type) {
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
fn is_pinged_over(version: IpVersion, host: &Host) -> bool {
    host.address.ip().map(IpVersion::of).or(host.family) == Some(version)
}

/// The round-trip time of one ping in microseconds.
fn ping(address: IpAddr, config: &Config) -> Result<u32, String> {
    let mut host = config.unlisted_host(Host::unlisted(&address.to_string()));
    (host.ping_count, host.timeout) = (1, Duration::from_secs(1));
    let stop = Stop::new().map_err(|error| error.to_string())?;
    let result = Pinger::new(
        ThisMachine,
        host.into(),
        settings_of_one_check(Duration::ZERO),
        None,
    )
    .check(&stop, &mut |_| ())
    .ok_or("interrupted")?;
    let rtt_us = result.rtts_us().flatten().next();
    rtt_us.ok_or_else(|| {
        result
            .reason
            .unwrap_or_else(|| "no answer within a second".into())
    })
}

/// Whether the configured names resolve; without any, whether localhost does.
pub fn resolver(config: &Config) -> Vec<Diagnosis> {
    const SUBJECT: &str = "resolver";
    let names: Vec<&HostConfig> = config
        .hosts
        .iter()
        .filter(|config| config.host.address.is_name())
        .collect();
    if names.is_empty() {
        let text = "no host is listed by name; localhost";
        return vec![match ("localhost", 0).to_socket_addrs() {
            Ok(_) => Diagnosis::ok(SUBJECT, format!("{text} resolves")),
            Err(error) => Diagnosis::note(SUBJECT, format!("{text} does not resolve: {error}")),
        }];
    }
    let stop = Stop::new();
    let resolve = |config: &HostConfig| {
        let stop = stop
            .as_ref()
            .map_err(|error| Diagnosis::failed(SUBJECT, error.to_string(), ""))?;
        let host = Arc::clone(&config.host);
        let mut resolver = Resolver::new(ThisMachine, host, config.interval, true, None);
        let target = resolver
            .resolve(stop)
            .map_err(|reason| Diagnosis::failed(SUBJECT, reason, resolver_cure()))?;
        let mut addresses = vec![target.ip.to_string()];
        addresses.extend(
            resolver
                .other_targets()
                .iter()
                .map(|other| other.ip.to_string()),
        );
        let name = &config.host.address;
        Ok(Diagnosis::ok(
            SUBJECT,
            format!("{name} is {}", addresses.join(", ")),
        ))
    };
    let outcome = |config| resolve(config).unwrap_or_else(|failed| failed);
    names.into_iter().map(outcome).collect()
}

fn resolver_cure() -> String {
    let file = fs::read_to_string("/etc/resolv.conf").unwrap_or_default();
    let servers: Vec<&str> = file
        .lines()
        .filter_map(|line| line.trim().strip_prefix("nameserver"))
        .map(str::trim)
        .collect();
    if servers.is_empty() {
        "/etc/resolv.conf names no server: add a line \"nameserver ADDRESS\"".into()
    } else {
        format!(
            "check the spelling, and the servers of /etc/resolv.conf: {}",
            servers.join(", ")
        )
    }
}

/// The default gateways, also of each configured source, and whether `address: gateway` has one.
pub fn gateway(config: &Config) -> Diagnosis {
    const SUBJECT: &str = "default gateway";
    let mut sources: Vec<Option<&Source>> = vec![None];
    for config in &config.hosts {
        if !sources.contains(&config.host.source.as_ref()) {
            sources.push(config.host.source.as_ref());
        }
    }
    let (mut texts, mut has_address) = (Vec::new(), false);
    for source in sources {
        let suffix = source.map(|source| format!(" for source {source}"));
        for version in IpVersion::ALL {
            let Ok(gateway) = net::default_gateway(version, source) else {
                continue;
            };
            has_address |= gateway.ip.is_some();
            let suffix = suffix.as_deref().unwrap_or_default();
            let by = format!("by {}{suffix}", gateway.interface);
            texts.push(match gateway.ip {
                Some(ip) => format!("{ip} {by}"),
                None => format!("no gateway address: the {version} default route is {by}"),
            });
        }
    }
    let text = if texts.is_empty() {
        "this machine has no default route".to_string()
    } else {
        texts.join(", ")
    };
    let reason = |config: &HostConfig| {
        let host = &config.host;
        let found = net::default_gateway_target(&ThisMachine, host.family, host.source.as_ref());
        let reason = found.err().filter(|_| host.address.is_gateway())?;
        Some((host.name.clone(), reason))
    };
    match config.hosts.iter().find_map(reason) {
        Some((name, _)) if texts.is_empty() => {
            let cure = format!("{}, or remove the host {name:?}", sys::ROUTE_CURE);
            Diagnosis::failed(SUBJECT, text, cure)
        }
        Some((name, reason)) => {
            let cure = format!("list the provider's first router in place of the host {name:?}");
            Diagnosis::failed(SUBJECT, format!("{text}; {name} has none: {reason}"), cure)
        }
        None if has_address => Diagnosis::ok(SUBJECT, text),
        None => Diagnosis::note(SUBJECT, text),
    }
}

pub fn port(config: &Config) -> Diagnosis {
    const SUBJECT: &str = "dashboard port";
    let dashboard = &config.dashboard;
    let address = format!("{}:{}", dashboard.host, dashboard.port);
    match TcpListener::bind((dashboard.host.as_str(), dashboard.port)) {
        Ok(_) => Diagnosis::ok(SUBJECT, format!("{address} is free")),
        Err(error) if error.kind() == ErrorKind::AddrInUse => {
            if is_served(config) {
                Diagnosis::ok(SUBJECT, format!("{address} serves this database already"))
            } else {
                Diagnosis::note(SUBJECT, format!("{address} is taken by another program"))
                    .with_cure("set dashboard.port to another")
            }
        }
        Err(error) => Diagnosis::failed(
            SUBJECT,
            format!("{address}: {error}"),
            "set dashboard.host to an address of this machine, dashboard.port to one above 1023",
        ),
    }
}
