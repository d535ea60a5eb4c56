//! The HTTP API: one function per path, which checks its parameters, reads the database and returns
//! a [`Reply`]. It knows no socket, and its database connections can only read.

mod changes;
mod charts;
mod incident_list;
mod line;
mod lists;
mod metrics;
mod outages;
mod overview;
mod parameters;
mod readers;
mod report;
mod rows;
mod zone;

use std::io::{BufWriter, Write};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::Serialize;

use crate::config::{AlertsConfig, Config, HostConfig, PushConfig};
use crate::pure::host_key;
use crate::pure::json;
use crate::pure::model::HostId;
use crate::pure::process::ProcessFigures;
use crate::pure::time::UtcMillis;
use crate::report::ReportSettings;
use crate::store::{CheckIntervals, MonitorCounts, Reader, RecordedHost, StoreError};
use crate::sys;
use crate::web::{Body, Handler, Reply, Request, Weight};

use parameters::Parameters;
use readers::{BorrowedReader, ReaderPool};

/// An endpoint's function.
type Endpoint = fn(&Api, &Parameters<'_>) -> ApiResult;

/// How much work an answer is.
#[derive(Clone, Copy)]
enum Cost {
    Light,
    Heavy,
    /// Unless it is about one host.
    HeavyOfAll,
}

use Cost::{Heavy, HeavyOfAll, Light};

/// Every path, how much work it is, and the function that answers it. `ADDRESS` is any text, which
/// the function finds in [`Parameters::path_address`].
const ROUTES: [(&str, Cost, Endpoint); 21] = [
    ("/health", Light, lists::health),
    ("/metrics", Heavy, metrics::metrics),
    ("/api/status", Light, lists::status),
    ("/api/hosts", Light, lists::hosts),
    ("/api/hosts/all", Light, lists::all_hosts),
    (
        "/api/hosts/ADDRESS/active-outage",
        Heavy,
        outages::active_of_host,
    ),
    ("/api/ping-results", HeavyOfAll, rows::checks),
    ("/api/ping-results/latest", Light, rows::latest),
    ("/api/statistics/ADDRESS", Light, charts::statistics),
    ("/api/series", Light, charts::series),
    ("/api/distribution", Light, charts::distribution),
    ("/api/hours", Light, charts::hours),
    ("/api/overview", Heavy, overview::overview),
    ("/api/outages", Heavy, outages::outages),
    (
        "/api/outages/by-incident",
        Heavy,
        incident_list::incident_list,
    ),
    ("/api/outages/active", Heavy, outages::active),
    (
        "/api/outages/statistics/ADDRESS",
        Heavy,
        outages::statistics,
    ),
    ("/api/incidents", Heavy, outages::incidents),
    ("/api/gaps", Heavy, outages::gaps),
    ("/api/changes", HeavyOfAll, changes::changes),
    ("/api/report", Heavy, report::report),
];

/// The endpoint of a path, and the text in place of `ADDRESS`.
fn find_route(path: &str) -> Option<(Cost, Endpoint, &str)> {
    ROUTES.iter().find_map(|(route, cost, endpoint)| {
        let address = match route.split_once("ADDRESS") {
            Some((before, after)) => path.strip_prefix(before)?.strip_suffix(after)?,
            None if *route == path => "",
            None => return None,
        };
        Some((*cost, *endpoint, address))
    })
}

/// The message for a path that is not here. Where one of ours follows another path, a proxy serves
/// the page below that path and passes it on.
fn describe_unknown(path: &str) -> String {
    let is_ours = |rest: &str| {
        rest == "/"
            || rest.starts_with("/js/")
            || rest == "/style.css"
            || find_route(rest).is_some()
    };
    let splits = path.match_indices('/').skip(1);
    let found = splits
        .map(|(at, _)| path.split_at(at))
        .find(|(_, rest)| is_ours(rest));
    let base_path = match found {
        Some((base_path, _)) => Some(base_path),
        // Its last slash is missing too.
        None => Some(path).filter(|path| path.matches('/').count() == 1 && !path.contains('.')),
    };
    match base_path.filter(|base_path| !base_path.starts_with("/api")) {
        Some(base_path) => format!(
            "there is no {path}; if a proxy serves this page below {base_path}, set \
             dashboard.base_path to {base_path}"
        ),
        None => format!("there is no {path}"),
    }
}

/// The parts of the configuration that the API needs.
#[derive(Clone, Debug)]
pub struct ApiConfig {
    pub hosts: Vec<HostConfig>,
    /// The interval of hosts for which none is configured.
    pub interval: Duration,
    /// The configuration's file, where there is one.
    pub file: Option<PathBuf>,
    /// The database file.
    pub database: PathBuf,
    /// How long a result may wait in the monitor's memory.
    pub flush: Duration,
    pub report: ReportSettings,
    pub alerts: AlertsConfig,
    pub push: Option<PushConfig>,
}

impl ApiConfig {
    pub fn of(config: &Config) -> ApiConfig {
        ApiConfig {
            hosts: config.hosts.clone(),
            interval: config.unlisted.interval,
            file: config.file.clone(),
            database: config.database.path.clone(),
            flush: config.database.flush,
            report: ReportSettings::of(config),
            alerts: config.alerts.clone(),
            push: config.push.clone(),
        }
    }
}

/// The handler of the API's paths. Clones share everything.
#[derive(Clone)]
pub struct Api {
    config: Arc<Mutex<Arc<ApiConfig>>>,
    readers: Arc<ReaderPool>,
    /// Called when a client requests the newest results.
    on_viewed: Arc<dyn Fn() + Send + Sync>,
    /// Why the monitor in this process cannot write what it measures, if it cannot.
    failure: Arc<dyn Fn() -> Option<String> + Send + Sync>,
    /// What the monitor in this process has counted, if it runs in this process.
    counts: Arc<dyn Fn() -> Option<MonitorCounts> + Send + Sync>,
    reload: Arc<Mutex<ReloadResult>>,
    /// When the process began, as it was shown last.
    began_at: Arc<Mutex<Option<f64>>>,
}

/// The last attempt to read the configuration.
#[derive(Clone, Copy, Debug)]
struct ReloadResult {
    is_successful: bool,
    /// Of the one that is in force.
    succeeded_at: UtcMillis,
}

enum ApiError {
    /// 400.
    BadParameter(String),
    /// 404: there is no such path or host.
    NotFound(String),
    /// 503: the database cannot be read, or holds nothing new.
    Unavailable(String),
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        ApiError::Unavailable(error.to_string())
    }
}

type ApiResult = Result<Reply, ApiError>;

impl Api {
    /// The database need not exist yet. `on_viewed` is called whenever a client requests the newest
    /// results.
    pub fn new(config: ApiConfig, on_viewed: impl Fn() + Send + Sync + 'static) -> Api {
        Api {
            config: Arc::new(Mutex::new(Arc::new(config))),
            readers: Arc::default(),
            on_viewed: Arc::new(on_viewed),
            failure: Arc::new(|| None),
            counts: Arc::new(|| None),
            reload: Arc::new(Mutex::new(ReloadResult {
                is_successful: true,
                succeeded_at: sys::clocks().utc(),
            })),
            began_at: Arc::default(),
        }
    }

    /// `failure` says why the monitor in this process cannot write what it measures.
    pub fn with_failure(self, failure: impl Fn() -> Option<String> + Send + Sync + 'static) -> Api {
        Api {
            failure: Arc::new(failure),
            ..self
        }
    }

    /// `counts` returns what the monitor in this process has counted.
    pub fn with_counts(
        self,
        counts: impl Fn() -> Option<MonitorCounts> + Send + Sync + 'static,
    ) -> Api {
        Api {
            counts: Arc::new(counts),
            ..self
        }
    }

    /// The configuration could not be read again, and the one in force stays.
    pub fn note_failed_reload(&self) {
        lock(&self.reload).is_successful = false;
    }

    fn last_reload(&self) -> ReloadResult {
        *lock(&self.reload)
    }

    /// When the process began, in seconds since 1970. It stays the same unless the clock was set.
    fn process_began_at(&self, process: &ProcessFigures) -> f64 {
        let now = sys::clocks();
        let booted = (now.realtime_ns.saturating_sub(now.boottime_ns)) as f64 / 1e9;
        let began = booted + process.started_after_boot;
        let mut shown = lock(&self.began_at);
        let kept = shown.filter(|shown| (began - shown).abs() < 1.0);
        *shown.insert(kept.unwrap_or(began))
    }

    pub fn set_config(&self, config: ApiConfig) {
        *lock(&self.reload) = ReloadResult {
            is_successful: true,
            succeeded_at: sys::clocks().utc(),
        };
        *lock(&self.config) = Arc::new(config);
        self.readers.close_idle();
    }

    fn config(&self) -> Arc<ApiConfig> {
        Arc::clone(&lock(&self.config))
    }

    /// A database connection, for as long as it is held. Fails while there is no database.
    fn reader(&self) -> Result<BorrowedReader, ApiError> {
        let borrowed = self.readers.borrow(&self.config().database);
        borrowed.map_err(|error| self.unwritten().map_or(error, ApiError::Unavailable))
    }

    /// That the monitor in this process cannot write what it measures, and why.
    fn unwritten(&self) -> Option<String> {
        (self.failure)().map(|why| {
            format!("{why}; results are kept in the monitor's memory until it can be written")
        })
    }

    fn route(&self, request: &Request) -> ApiResult {
        let path = request.path.as_str();
        let (_, endpoint, path_address) =
            find_route(path).ok_or_else(|| ApiError::NotFound(describe_unknown(path)))?;
        endpoint(self, &Parameters::new(path_address, request))
    }
}

impl From<ApiError> for Reply {
    fn from(error: ApiError) -> Reply {
        match error {
            ApiError::BadParameter(detail) => Reply::error(400, detail),
            ApiError::NotFound(detail) => Reply::error(404, detail),
            ApiError::Unavailable(detail) => Reply::error(503, detail),
        }
    }
}

impl Handler for Api {
    fn handle(&self, request: &Request) -> Reply {
        self.route(request).unwrap_or_else(Reply::from)
    }

    fn weight(&self, request: &Request) -> Option<Weight> {
        let (cost, _, path_address) = find_route(&request.path)?;
        let is_of_one = || {
            let parameters = Parameters::new(path_address, request);
            parameters.text("host_address").is_some()
        };
        Some(match cost {
            Light => Weight::Light,
            HeavyOfAll if is_of_one() => Weight::Light,
            Heavy | HeavyOfAll => Weight::Heavy,
        })
    }

    fn release_idle(&self) {
        self.readers.close_idle();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// An answer that could not be made.
fn not_made(error: impl std::fmt::Display) -> ApiError {
    ApiError::Unavailable(error.to_string())
}

/// An answer that may be long.
fn written(
    content_type: &'static str,
    write: impl FnOnce(&mut dyn Write) -> Result<(), ApiError> + Send + 'static,
) -> Reply {
    let write = |out: &mut dyn Write| {
        // Gathers the many small writes of a serializer.
        let mut out = BufWriter::new(out);
        write(&mut out)?;
        out.flush().map_err(not_made)?;
        Ok(())
    };
    Reply::ok(content_type, Body::Written(Box::new(write)))
}

fn write_json(value: &impl Serialize, out: &mut dyn Write) -> Result<(), ApiError> {
    json::write(value, out).map_err(not_made)
}

fn json(value: &impl Serialize) -> ApiResult {
    let mut body = Vec::new();
    write_json(value, &mut body)?;
    Ok(Reply::ok("application/json", Body::Whole(body)))
}

/// The present time as the monitor dates it, for what is answered from a connection.
fn present(reader: &Reader) -> Result<UtcMillis, ApiError> {
    Ok(reader.present(sys::clocks().utc())?)
}

/// The same where no connection is held yet: holding one while waiting for another would block.
fn now(api: &Api) -> UtcMillis {
    let present = api.reader().and_then(|reader| present(&reader));
    present.unwrap_or_else(|_| sys::clocks().utc())
}

/// The recorded hosts that a text names; none when they are configured and not recorded yet.
fn hosts_named(api: &Api, reader: &Reader, text: &str) -> Result<Vec<RecordedHost>, ApiError> {
    let found = reader.hosts_named(text)?;
    if found.is_empty() && configured(&api.config(), text).is_empty() {
        return Err(ApiError::NotFound(format!(
            "host_address: {text:?} was never recorded and is not configured"
        )));
    }
    Ok(found)
}

fn host_ids(api: &Api, reader: &Reader, text: &str) -> Result<Vec<HostId>, ApiError> {
    let hosts = hosts_named(api, reader, text)?;
    Ok(hosts.iter().map(|host| host.id).collect())
}

/// The configured hosts that a text names.
fn configured<'a>(config: &'a ApiConfig, text: &str) -> Vec<&'a HostConfig> {
    let all = config.hosts.iter().collect();
    host_key::named(
        text,
        all,
        |config| config.host.identity(),
        |config| vec![config.host.name.as_str()],
    )
}

/// The intervals at which the host with this key was checked: as recorded, else as configured, else
/// as the times of its checks suggest.
fn check_intervals(
    api: &Api,
    reader: &Reader,
    key: &str,
    ids: &[HostId],
) -> Result<CheckIntervals, ApiError> {
    let config = api.config();
    let interval = configured(&config, key).first().map(|host| host.interval);
    Ok(reader.check_intervals(ids, interval, config.interval)?)
}
