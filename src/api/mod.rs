//! What each path of the API answers. Parameters are bounded before anything is asked, and every
//! question goes to a connection that can only read.

mod charts;
mod line;
mod lists;
mod metrics;
mod outages;
mod overview;
mod parameters;
mod report;
mod rows;
mod zone;

use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use serde::Serialize;

use crate::config::{Config, HostConfig};
use crate::pure::model::{Host, HostId};
use crate::pure::time::UtcMillis;
use crate::report::ReportSettings;
use crate::store::{CheckIntervals, Reader, StoreError};
use crate::sys;
use crate::web::{Body, Handler, Reply, Request};

use parameters::Parameters;

/// What the answers need to know of the configuration.
#[derive(Clone, Debug)]
pub struct ApiConfig {
    /// The configured hosts.
    pub hosts: Vec<HostConfig>,
    /// The interval of a host without one of its own.
    pub interval: Duration,
    /// The database.
    pub database: PathBuf,
    /// How long a result may wait in the monitor's memory.
    pub flush: Duration,
    /// What a report says of the configuration.
    pub report: ReportSettings,
}

impl ApiConfig {
    /// Those of a configuration.
    pub fn of(config: &Config) -> ApiConfig {
        ApiConfig {
            hosts: config.hosts.clone(),
            interval: config.unlisted.interval,
            database: config.database.path.clone(),
            flush: config.database.flush,
            report: ReportSettings::of(config),
        }
    }
}

/// Answers the paths of the API. Clones share everything.
#[derive(Clone)]
pub struct Api {
    shared: Arc<Shared>,
}

struct Shared {
    facts: Mutex<Arc<ApiConfig>>,
    readers: Mutex<Readers>,
    returned: Condvar,
    /// Told when somebody asks for the newest results.
    on_watch: Box<dyn Fn() + Send + Sync>,
}

/// The connections to the database.
#[derive(Default)]
struct Readers {
    /// Nobody uses them at the moment: opening one costs more than most questions.
    idle: Vec<Reader>,
    /// How many are at work.
    lent: usize,
}

/// How many questions are answered at the same time: more would not be answered sooner, and each
/// takes memory. None is held while an answer is sent, so that slow readers keep nobody waiting.
const MAX_READERS: usize = 3;
/// How long a question waits for its turn.
const PATIENCE: Duration = Duration::from_secs(10);

/// Why a question has no answer.
enum ApiError {
    /// A parameter is wrong: 400.
    Parameter(String),
    /// There is no such path or host: 404.
    Unknown(String),
    /// The database cannot be read, or holds nothing new: 503.
    Unavailable(String),
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        ApiError::Unavailable(error.to_string())
    }
}

type ApiResult = Result<Reply, ApiError>;

impl Api {
    /// An API over a database that may not exist yet. `on_watch` is called when somebody asks for
    /// the newest results.
    pub fn new(facts: ApiConfig, on_watch: impl Fn() + Send + Sync + 'static) -> Api {
        let facts = Mutex::new(Arc::new(facts));
        let (readers, returned) = (Mutex::default(), Condvar::new());
        Api {
            shared: Arc::new(Shared {
                facts,
                readers,
                returned,
                on_watch: Box::new(on_watch),
            }),
        }
    }

    /// From now on goes by another configuration.
    pub fn set(&self, facts: ApiConfig) {
        *lock(&self.shared.facts) = Arc::new(facts);
        lock(&self.shared.readers).idle.clear();
    }

    fn facts(&self) -> Arc<ApiConfig> {
        Arc::clone(&lock(&self.shared.facts))
    }

    /// A connection to the database; there may be no database yet.
    fn reader(&self) -> Result<Borrowed, ApiError> {
        let is_busy = |readers: &mut Readers| readers.lent >= MAX_READERS;
        let waited =
            self.shared
                .returned
                .wait_timeout_while(lock(&self.shared.readers), PATIENCE, is_busy);
        let mut readers = waited.unwrap_or_else(PoisonError::into_inner).0;
        if is_busy(&mut readers) {
            return Err(ApiError::Unavailable(
                "too many questions at once; try again".into(),
            ));
        }
        readers.lent += 1;
        let mut borrowed = Borrowed {
            reader: readers.idle.pop(),
            home: Arc::clone(&self.shared),
        };
        drop(readers);
        if borrowed.reader.is_none() {
            let path = &self.facts().database;
            let none =
                || ApiError::Unavailable(format!("{}: nothing is recorded yet", path.display()));
            borrowed.reader = Some(Reader::open_current(path)?.ok_or_else(none)?);
        }
        Ok(borrowed)
    }

    fn route(&self, request: &Request) -> ApiResult {
        let parameters = Parameters::new(&request.query);
        let path = request.path.as_str();
        if let Some(address) = path.strip_prefix("/api/statistics/") {
            return charts::statistics(self, address, &parameters);
        }
        if let Some(address) = path.strip_prefix("/api/outages/statistics/") {
            return outages::statistics(self, address, &parameters);
        }
        if let Some(address) = path
            .strip_prefix("/api/hosts/")
            .and_then(|rest| rest.strip_suffix("/active-outage"))
        {
            return outages::active_of(self, address);
        }
        match path {
            "/api/status" => lists::status(self),
            "/api/ping-results/latest" => rows::latest(self),
            "/api/ping-results" => rows::checks(self, &parameters),
            "/api/series" => charts::series(self, &parameters),
            "/api/distribution" => charts::distribution(self, &parameters),
            "/api/overview" => overview::overview(self, &parameters),
            "/api/hours" => charts::hours(self, &parameters),
            "/api/outages" => outages::outages(self, &parameters),
            "/api/outages/active" => outages::active(self),
            "/api/incidents" => outages::incidents(self, &parameters),
            "/api/gaps" => outages::gaps(self, &parameters),
            "/api/hosts" => lists::hosts(self),
            "/api/hosts/all" => lists::all_hosts(self),
            "/api/report" => report::report(self, &parameters),
            "/health" => lists::health(self),
            "/metrics" => metrics::metrics(self),
            _ => Err(ApiError::Unknown(format!("there is no {path}"))),
        }
    }
}

impl Handler for Api {
    fn handle(&self, request: &Request) -> Reply {
        self.route(request).unwrap_or_else(|problem| match problem {
            ApiError::Parameter(detail) => Reply::error(400, detail),
            ApiError::Unknown(detail) => Reply::error(404, detail),
            ApiError::Unavailable(detail) => Reply::error(503, detail),
        })
    }

    fn release_idle(&self) {
        lock(&self.shared.readers).idle.clear();
    }
}

/// A connection that is lent to one question.
struct Borrowed {
    reader: Option<Reader>,
    home: Arc<Shared>,
}

impl std::ops::Deref for Borrowed {
    type Target = Reader;

    fn deref(&self) -> &Reader {
        self.reader
            .as_ref()
            .expect("it is opened before it is lent")
    }
}

impl Drop for Borrowed {
    fn drop(&mut self) {
        // One whose file was deleted or replaced is of no use to the next.
        let reader = self.reader.take().filter(Reader::is_current);
        let mut readers = lock(&self.home.readers);
        readers.lent -= 1;
        readers.idle.extend(reader);
        drop(readers);
        self.home.returned.notify_one();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn json(value: &impl Serialize) -> ApiResult {
    let body =
        serde_json::to_vec(value).map_err(|error| ApiError::Unavailable(error.to_string()))?;
    Ok(Reply::ok("application/json", Body::Whole(body)))
}

fn now() -> UtcMillis {
    sys::clocks().utc()
}

/// The ids of a host that was recorded, or is configured and not recorded yet, by its key.
fn host_ids(api: &Api, reader: &Reader, key: &str) -> Result<Vec<HostId>, ApiError> {
    let ids = reader.host_ids(key)?;
    let (address, _) = Host::split_key(key);
    let is_configured = || {
        api.facts()
            .hosts
            .iter()
            .any(|plan| plan.host.address.as_str().eq_ignore_ascii_case(address))
    };
    if ids.is_empty() && !is_configured() {
        return Err(ApiError::Unknown(format!(
            "host_address: {key:?} was never recorded and is not configured"
        )));
    }
    Ok(ids)
}

/// For how long a host's checks stand, by its key: as it was noted with them, else as configured,
/// else as recorded.
fn check_intervals(
    api: &Api,
    reader: &Reader,
    key: &str,
    ids: &[HostId],
) -> Result<CheckIntervals, ApiError> {
    let facts = api.facts();
    let (address, family) = Host::split_key(key);
    let is_own = |plan: &&HostConfig| {
        plan.host.address.as_str().eq_ignore_ascii_case(address)
            && family.is_none_or(|version| plan.host.family == Some(version))
    };
    let configured = facts.hosts.iter().find(is_own).map(|plan| plan.interval);
    Ok(reader.check_intervals(ids, configured, facts.interval)?)
}
