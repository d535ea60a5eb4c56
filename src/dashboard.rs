//! The dashboard: the web server with the API as its handler. While a client polls the newest
//! results, the monitor writes results without delay.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use crate::api::{Api, ApiConfig};
use crate::config::{Config, DashboardConfig};
use crate::pure::time::Monotonic;
use crate::store::{Database, WriterHandle};
use crate::sys;
use crate::web::{WebError, WebServer};

/// How often the database records that the page is open. The monitor treats the page as open for a
/// minute after that.
const NOTE_INTERVAL: Duration = Duration::from_secs(20);

/// A running dashboard. Dropping it stops it.
pub struct Dashboard {
    server: WebServer,
    api: Api,
    writer: Arc<OnceLock<WriterHandle>>,
}

impl Dashboard {
    /// Serves the configured database, which need not exist yet. Fails when it cannot listen.
    pub fn start(config: &Config) -> Result<Dashboard, WebError> {
        let writer: Arc<OnceLock<WriterHandle>> = Arc::default();
        let [writer_of_monitor, failing_writer, counting_writer] =
            [(); 3].map(|()| Arc::clone(&writer));
        let (path, noted) = (config.database.path.clone(), Mutex::new(None::<Monotonic>));
        let on_viewed = move || match writer_of_monitor.get() {
            Some(writer) => writer.note_viewer(),
            // The monitor, if there is one, is another process and reads it from the database.
            None => {
                let now = sys::clocks();
                let mut noted = noted.lock().unwrap_or_else(PoisonError::into_inner);
                if noted.is_none_or(|at| now.monotonic.since(at) >= NOTE_INTERVAL) {
                    *noted = Some(now.monotonic);
                    if let Err(error) = Database::note_viewer(&path, now.utc()) {
                        log::debug!("{error}");
                    }
                }
            }
        };
        let api = Api::new(ApiConfig::of(config), on_viewed)
            .with_failure(move || failing_writer.get().and_then(WriterHandle::failure))
            .with_counts(move || counting_writer.get().map(WriterHandle::counts));
        let server = WebServer::start(&config.dashboard, Arc::new(api.clone()))?;
        log::info!("dashboard: {}", url(&config.dashboard, &server.addresses()));
        Ok(Dashboard {
            server,
            api,
            writer,
        })
    }

    /// The writer of a monitor in this process.
    pub fn set_writer(&self, writer: WriterHandle) {
        // A second call has no effect: there is one monitor.
        let _ = self.writer.set(writer);
    }

    /// Applies a reloaded configuration. The address and port stay as they are.
    pub fn set_config(&self, config: &Config) {
        self.api.set_config(ApiConfig::of(config));
    }

    /// The configuration could not be read again, and the one in force stays.
    pub fn note_failed_reload(&self) {
        self.api.note_failed_reload();
    }

    /// Closes all connections and returns within a fraction of a second.
    pub fn stop(self) {
        self.server.stop();
    }
}

fn url(config: &DashboardConfig, addresses: &[SocketAddr]) -> String {
    let port = addresses.first().map_or(config.port, SocketAddr::port);
    let is_any = addresses
        .first()
        .is_some_and(|address| address.ip().is_unspecified());
    let host = match config.host.as_str() {
        // It listens at every address; the host name also works from other machines.
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
    fn the_url_works_in_a_browser() {
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
