//! The dashboard put together: the server, its API, and the monitor's writer, which is told when
//! somebody watches.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use crate::api::{Api, ApiConfig};
use crate::config::{Config, DashboardConfig};
use crate::pure::time::Monotonic;
use crate::store::{Database, WriterHandle};
use crate::sys;
use crate::web::{WebError, WebServer};

/// How often the database is told that somebody watches: the monitor takes it for a minute.
const NOTE_EVERY: Duration = Duration::from_secs(20);

/// A running dashboard. Dropping it stops it.
pub struct Dashboard {
    web: WebServer,
    api: Api,
    writer: Arc<OnceLock<WriterHandle>>,
}

impl Dashboard {
    /// Serves what the configured database holds from now on, also while there is none yet. Fails
    /// when it cannot listen.
    pub fn start(config: &Config) -> Result<Dashboard, WebError> {
        let writer: Arc<OnceLock<WriterHandle>> = Arc::default();
        let told = Arc::clone(&writer);
        let (path, noted) = (config.database.path.clone(), Mutex::new(None::<Monotonic>));
        let on_watch = move || match told.get() {
            Some(writer) => writer.watched(),
            // The monitor is another process, if there is one: the database tells it.
            None => {
                let now = sys::clocks();
                let mut noted = noted.lock().unwrap_or_else(PoisonError::into_inner);
                if noted.is_none_or(|at| now.monotonic.since(at) >= NOTE_EVERY) {
                    *noted = Some(now.monotonic);
                    if let Err(error) = Database::note_watcher(&path, now.utc()) {
                        log::debug!("{error}");
                    }
                }
            }
        };
        let api = Api::new(ApiConfig::of(config), on_watch);
        let web = WebServer::start(&config.dashboard, Arc::new(api.clone()))?;
        log::info!("dashboard: {}", url(&config.dashboard, &web.addresses()));
        Ok(Dashboard { web, api, writer })
    }

    /// From now on this writer is told when somebody watches.
    pub fn tell(&self, writer: WriterHandle) {
        // It is told once; a second would be a second monitor.
        let _ = self.writer.set(writer);
    }

    /// From now on answers go by another configuration. Where it listens stays.
    pub fn follow(&self, config: &Config) {
        self.api.set(ApiConfig::of(config));
    }

    /// Stops within a fraction of a second, open connections included.
    pub fn stop(self) {
        self.web.stop();
    }
}

/// What to type into a browser.
fn url(config: &DashboardConfig, addresses: &[SocketAddr]) -> String {
    let port = addresses.first().map_or(config.port, SocketAddr::port);
    let is_any = addresses
        .first()
        .is_some_and(|address| address.ip().is_unspecified());
    let host = match config.host.as_str() {
        // Every address of this machine: by its name it can be found from elsewhere.
        _ if is_any => sys::host_name(),
        host if host.contains(':') => format!("[{host}]"),
        host => host.to_string(),
    };
    format!("http://{host}:{port}{}/", config.base_path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_url_is_one_that_a_browser_understands() {
        let shown = |host: &str, base_path: &str, address: &str| {
            let config = DashboardConfig {
                port: 1,
                host: host.into(),
                base_path: base_path.into(),
                allowed_hosts: Vec::new(),
            };
            url(&config, &[address.parse().expect("an address")])
        };
        assert_eq!(
            shown("localhost", "", "127.0.0.1:8501"),
            "http://localhost:8501/"
        );
        assert_eq!(shown("::1", "/ping", "[::1]:80"), "http://[::1]:80/ping/");
        assert_eq!(
            shown("0.0.0.0", "", "0.0.0.0:8501"),
            format!("http://{}:8501/", sys::host_name())
        );
    }
}
