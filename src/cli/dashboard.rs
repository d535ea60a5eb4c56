//! `dashboard`: the page alone, from a database that a monitor somewhere else, or none, writes.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use super::arguments::Dashboard;
use super::cleanup::stop_on_signals;
use super::monitor::listen_where_told;
use super::{Failure, Verdict, configure, output};
use crate::daemon::DaemonError;
use crate::store;
use crate::sys;
use crate::web::{Api, Facts, Web, WebError};

/// How long the program at a port that is taken has to say who it is.
const PATIENCE: Duration = Duration::from_secs(2);
/// The health of a monitor is a few hundred bytes.
const LONGEST_ANSWER: u64 = 16 * 1024;

pub fn run(arguments: &Dashboard) -> Result<Verdict, Failure> {
    let (mut config, _) = configure(&arguments.common())?;
    listen_where_told(&mut config.dashboard, arguments.host.as_deref(), arguments.port);
    let stop = stop_on_signals()?;
    let api = Api::new(Facts::of(&config), || ());
    let web = match Web::start(&config.dashboard, Arc::new(api)) {
        Ok(web) => web,
        Err(WebError::Taken { address })
            if database_served_at(&address).is_some_and(|id| id == store::database_id(&config.database.path)) =>
        {
            output::print(&format!("http://{address}{}/ is served by the running monitor\n", config.dashboard.base_path))?;
            return Ok(Verdict::Good);
        }
        Err(error) => return Err(DaemonError::from(error).into()),
    };
    for address in web.addresses() {
        log::info!("dashboard: http://{address}{}/", config.dashboard.base_path);
    }
    let day = Duration::from_secs(86_400);
    while !stop.wait_until(sys::monotonic().after(day)) {}
    web.stop();
    Ok(Verdict::Good)
}

/// Which database the program at an address serves; `None` when it is none of ours.
fn database_served_at(address: &str) -> Option<String> {
    let address: SocketAddr = address.parse().ok()?;
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    stream.write_all(b"GET /health HTTP/1.0\r\nHost: localhost\r\n\r\n").ok()?;
    let mut answer = Vec::new();
    stream.take(LONGEST_ANSWER).read_to_end(&mut answer).ok()?;
    let text = String::from_utf8_lossy(&answer);
    let (_, body) = text.split_once("\r\n\r\n")?;
    let health: serde_json::Value = serde_json::from_str(body).ok()?;
    let is_ours = health["program"] == "ace-connection-logger";
    health["database_id"].as_str().filter(|_| is_ours).map(String::from)
}
