//! `dashboard`: the page of a database without measuring anything, beside a running monitor or
//! without one.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, ToSocketAddrs};
use std::time::Duration;

use serde_json::Value;

use super::arguments::{CommonOptions, Dashboard as Arguments};
use super::exit::{CliError, CommandStatus};
use super::print;
use super::startup::{configure, open_database};
use crate::config::{Config, DashboardConfig};
use crate::daemon::stop_on_signals;
use crate::daemon::{self, DaemonError};
use crate::dashboard::Dashboard;
use crate::store;
use crate::sys;
use crate::web::WebError;

/// The stop flag is looked up this often for no reason but that it must be some time.
const LONG: Duration = Duration::from_secs(3600);
/// How long whoever has the port may take to say who it is.
const PATIENCE: Duration = Duration::from_secs(2);

pub fn run(arguments: &Arguments) -> Result<CommandStatus, CliError> {
    let common: CommonOptions = arguments.common();
    let (mut config, _) = configure(&common)?;
    place(&mut config, arguments.host.as_deref(), arguments.port);
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
    // What an older version or the original wrote is brought up to date; a file that is not there
    // yet is waited for.
    if config.database.path.exists() {
        drop(open_database(&config)?);
    } else {
        log::info!(
            "{}: nothing is recorded yet; the monitor begins it",
            config.database.path.display()
        );
    }
    while !stop.wait_until(sys::monotonic().after(LONG)) {}
    dashboard.stop();
    Ok(CommandStatus::Success)
}

/// What the command line says of where to listen goes before the configuration.
pub(super) fn place(config: &mut Config, host: Option<&str>, port: Option<u16>) {
    if let Some(host) = host {
        config.dashboard.host = host.to_string();
    }
    config.dashboard.port = port.unwrap_or(config.dashboard.port);
}

/// Whether what listens where the configuration says is a dashboard of the same database.
pub(super) fn is_served(config: &Config) -> bool {
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
        .filter_map(|address| ask(address, &format!("{base_path}/health")))
        .next();
    health.is_some_and(|health| {
        health["program"] == env!("CARGO_PKG_NAME")
            && health["database_id"] == store::database_id(&config.database.path)
    })
}

/// The JSON that is found at a path of a server of this machine.
fn ask(mut address: SocketAddr, path: &str) -> Option<Value> {
    if address.ip().is_unspecified() {
        address.set_ip(if address.is_ipv4() {
            Ipv4Addr::LOCALHOST.into()
        } else {
            Ipv6Addr::LOCALHOST.into()
        });
    }
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).ok()?;
    let mut answer = Vec::new();
    // Whatever listens there may send what it likes, for as long as it likes.
    let until = sys::monotonic().after(PATIENCE);
    let mut part = [0; 4096];
    while answer.len() < 64 * 1024 && sys::monotonic() < until {
        match stream.read(&mut part) {
            Ok(0) | Err(_) => break,
            Ok(length) => answer.extend_from_slice(&part[..length]),
        }
    }
    let body = answer.windows(4).position(|end| end == b"\r\n\r\n")? + 4;
    serde_json::from_slice(&answer[body..]).ok()
}
