//! `dashboard`: serves the dashboard without measuring, with or without a running monitor.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, ToSocketAddrs};
use std::time::Duration;

use serde_json::Value;

use super::arguments::Dashboard as Arguments;
use super::exit::{CliError, CommandStatus};
use super::print;
use super::startup::{configure, open_database};
use crate::config::{Config, DashboardConfig};
use crate::daemon::stop_on_signals;
use crate::daemon::{self, DaemonError};
use crate::dashboard::Dashboard;
use crate::store::{self, Reader};
use crate::sys;
use crate::web::WebError;

/// A wait needs some limit; this one has no meaning.
const LONG_WAIT: Duration = Duration::from_secs(3600);
/// How long the program that has the port may take to answer.
const HEALTH_TIMEOUT: Duration = Duration::from_secs(2);

pub fn run(arguments: &Arguments) -> Result<CommandStatus, CliError> {
    let (mut config, _) = configure(&arguments.common())?;
    override_listener(&mut config, arguments.host.as_deref(), arguments.port);
    let stop = stop_on_signals()?;
    daemon::ignore_sighup()?;
    daemon::allow_files_for_dashboard()?;
    let dashboard = match Dashboard::start(&config) {
        Ok(dashboard) => dashboard,
        Err(WebError::Taken { address }) if is_served(&config) => {
            let path = &config.dashboard.base_path;
            print::print(&format!(
                "this database is served already: http://{address}{path}/\n"
            ))?;
            return Ok(CommandStatus::Success);
        }
        Err(error) => return Err(DaemonError::Web(error).into()),
    };
    let path = &config.database.path;
    if path.exists() {
        match Reader::open_current(path) {
            Ok(Some(_)) => {}
            // Upgrades a database of an older version or of the original.
            Ok(None) => drop(open_database(&config)?),
            // The page says it.
            Err(error) if error.may_pass() => {}
            Err(error) => return Err(error.into()),
        }
    } else {
        log::info!(
            "{}: nothing is recorded yet; the monitor creates it",
            config.database.path.display()
        );
    }
    while !stop.wait_until(sys::monotonic().after(LONG_WAIT)) {}
    dashboard.stop();
    Ok(CommandStatus::Success)
}

/// `--host` and `--port` override the configuration.
pub fn override_listener(config: &mut Config, host: Option<&str>, port: Option<u16>) {
    if let Some(host) = host {
        config.dashboard.host = host.to_string();
    }
    config.dashboard.port = port.unwrap_or(config.dashboard.port);
}

/// Whether a dashboard of the same database listens at the configured address.
pub fn is_served(config: &Config) -> bool {
    let DashboardConfig {
        host,
        port,
        base_path,
        ..
    } = &config.dashboard;
    let addresses = (host.as_str(), *port)
        .to_socket_addrs()
        .into_iter()
        .flatten();
    let health = addresses
        .filter_map(|address| get_json(address, &format!("{base_path}/health")))
        .next();
    health.is_some_and(|health| {
        health["program"] == env!("CARGO_PKG_NAME")
            && health["database_id"] == store::database_id(&config.database.path)
    })
}

/// The body of a response as JSON, from a server on this machine.
fn get_json(mut address: SocketAddr, path: &str) -> Option<Value> {
    if address.ip().is_unspecified() {
        address.set_ip(if address.is_ipv4() {
            Ipv4Addr::LOCALHOST.into()
        } else {
            Ipv6Addr::LOCALHOST.into()
        });
    }
    let mut stream = TcpStream::connect_timeout(&address, HEALTH_TIMEOUT).ok()?;
    stream.set_read_timeout(Some(HEALTH_TIMEOUT)).ok()?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).ok()?;
    let mut response = Vec::new();
    // An unknown server may send anything, without end.
    let deadline = sys::monotonic().after(HEALTH_TIMEOUT);
    let mut part = [0; 4096];
    while response.len() < 64 * 1024 && sys::monotonic() < deadline {
        match stream.read(&mut part) {
            Ok(0) | Err(_) => break,
            Ok(length) => response.extend_from_slice(&part[..length]),
        }
    }
    let body = response.windows(4).position(|end| end == b"\r\n\r\n")? + 4;
    serde_json::from_slice(&response[body..]).ok()
}
