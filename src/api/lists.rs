//! The hosts, the state of the monitor, and the health check.

use std::path::Path;
use std::time::Duration;

use serde::Serialize;
use serde_json::json;

use super::parameters::Parameters;
use super::{Api, ApiConfig, ApiError, ApiResult, json, now, present};
use crate::alerts::Queue;
use crate::config::HostConfig;
use crate::pure::address::{IpVersion, Source};
use crate::pure::host_key::{HostIdentity, HostKeys};
use crate::pure::model::HostId;
use crate::pure::time::UtcMillis;
use crate::push::PushStatus;
use crate::status::{self, HostStatuses};
use crate::store::{MonitorRun, Reader, RecordedHost, damage_of};

#[derive(Serialize)]
struct MonitorRow {
    running: bool,
    started_at: String,
    alive_at: String,
    stopped_at: Option<String>,
}

pub(super) fn status(api: &Api, _: &Parameters<'_>) -> ApiResult {
    let config = api.config();
    let now = now(api);
    // Before the first check there may be no database, but there is a configuration.
    let reader = api.reader().ok();
    let recorded = match &reader {
        Some(reader) => reader.in_one_state(|| Recorded::read(reader, &config, now))?,
        None => Recorded::default(),
    };
    let listed = || config.hosts.iter().map(|other| other.host.identity());
    let keys = HostKeys::of(
        recorded
            .hosts
            .iter()
            .map(RecordedHost::identity)
            .chain(listed()),
    );
    let row = |configured| ConfiguredRow::of(configured, &keys);
    json(&StatusAnswer {
        hosts: config.hosts.iter().map(row).collect(),
        total_hosts: config.hosts.len(),
        monitoring_interval: config.interval.as_secs_f64(),
        config_path: config.file.as_deref(),
        database_path: &config.database,
        version: env!("CARGO_PKG_VERSION"),
        now: now.rfc3339(),
        flush_seconds: config.flush.as_secs_f64(),
        monitor: recorded.monitor,
        unwritten: api.unwritten(),
        first_check: recorded.first,
        notices: recorded.notices,
        push: recorded.push,
        damage: damage_of(&config.database, reader.as_deref())?,
    })
}

/// What of the status is recorded.
#[derive(Default)]
struct Recorded {
    monitor: Option<MonitorRow>,
    first: Option<String>,
    hosts: Vec<RecordedHost>,
    notices: Option<Queue>,
    push: Option<PushStatus>,
}

impl Recorded {
    fn read(reader: &Reader, config: &ApiConfig, now: UtcMillis) -> Result<Recorded, ApiError> {
        let run = reader.newest_run()?;
        let is_running = run.is_some_and(|run| status::is_running(&run, config.flush, now));
        let notices = Queue::read(
            reader,
            &config.alerts,
            &config.report.grouping,
            is_running,
            now,
        )?;
        let push = config.push.as_ref();
        let push = PushStatus::read(reader, push, config.flush, is_running, now)?;
        let hosts = reader.hosts()?;
        let ids: Vec<HostId> = hosts.iter().map(|host| host.id).collect();
        Ok(Recorded {
            monitor: run.map(|run| monitor_row(&run, config.flush, now)),
            first: reader.first_recorded(&ids)?.map(UtcMillis::rfc3339),
            hosts,
            notices,
            push,
        })
    }
}

#[derive(Serialize)]
struct StatusAnswer<'a> {
    hosts: Vec<ConfiguredRow<'a>>,
    total_hosts: usize,
    monitoring_interval: f64,
    config_path: Option<&'a Path>,
    database_path: &'a Path,
    version: &'static str,
    now: String,
    flush_seconds: f64,
    monitor: Option<MonitorRow>,
    unwritten: Option<String>,
    first_check: Option<String>,
    notices: Option<Queue>,
    push: Option<PushStatus>,
    damage: Vec<String>,
}

#[derive(Serialize)]
struct ConfiguredRow<'a> {
    name: &'a str,
    address: &'a str,
    is_name: bool,
    family: &'static str,
    source: Option<String>,
    host_key: String,
    interval_seconds: f64,
    ping_count: u16,
    role: &'static str,
}

impl<'a> ConfiguredRow<'a> {
    fn of(configured: &'a HostConfig, keys: &HostKeys<'_>) -> ConfiguredRow<'a> {
        let host = &configured.host;
        ConfiguredRow {
            name: &host.name,
            address: host.address.as_str(),
            is_name: host.address.is_name(),
            family: IpVersion::family_word(host.family),
            source: host.source.as_ref().map(Source::to_string),
            host_key: keys.key(&host.identity()),
            interval_seconds: configured.interval.as_secs_f64(),
            ping_count: configured.ping_count,
            role: configured.role.as_str(),
        }
    }
}

fn monitor_row(run: &MonitorRun, flush: Duration, now: UtcMillis) -> MonitorRow {
    MonitorRow {
        running: status::is_running(run, flush, now),
        started_at: run.started_at.rfc3339(),
        alive_at: run.alive_at.rfc3339(),
        stopped_at: run.stopped_at.map(UtcMillis::rfc3339),
    }
}

#[derive(Serialize)]
struct HostRow {
    name: String,
    address: String,
    host_key: String,
}

fn host_rows<'a>(hosts: impl Iterator<Item = (&'a str, HostIdentity<'a>)>) -> Vec<HostRow> {
    let all: Vec<(&str, HostIdentity<'_>)> = hosts.collect();
    let keys = HostKeys::of(all.iter().map(|(_, host)| *host));
    let row = |(name, host): &(&str, HostIdentity<'_>)| HostRow {
        name: (*name).to_string(),
        address: host.address.to_string(),
        host_key: keys.key(host),
    };
    all.iter().map(row).collect()
}

pub(super) fn hosts(api: &Api, _: &Parameters<'_>) -> ApiResult {
    let config = api.config();
    let hosts = config.hosts.iter().map(|configured| &configured.host);
    json(&host_rows(
        hosts.map(|host| (host.name.as_str(), host.identity())),
    ))
}

pub(super) fn all_hosts(api: &Api, _: &Parameters<'_>) -> ApiResult {
    let hosts = api.reader()?.hosts()?;
    json(&host_rows(
        hosts
            .iter()
            .map(|host| (host.name.as_str(), host.identity())),
    ))
}

pub(super) fn health(api: &Api, _: &Parameters<'_>) -> ApiResult {
    let config = api.config();
    if let Some(unwritten) = api.unwritten() {
        return Err(ApiError::Unavailable(unwritten));
    }
    let reader = api.reader()?;
    let now = present(&reader)?;
    let statuses = HostStatuses::read(&reader, config.flush, now)?;
    let is_fresh = config.hosts.is_empty()
        || statuses
            .of_hosts(&config.hosts)
            .iter()
            .any(|status| status.config.is_some() && !status.is_stale());
    let is_starting = statuses.latest.is_empty()
        && reader
            .newest_run()?
            .is_some_and(|run| status::is_starting(&run, now));
    if !is_fresh && !is_starting {
        return Err(ApiError::Unavailable(
            "no check of any host came within three intervals: is the monitor running?".into(),
        ));
    }
    json(&json!({
        "status": "healthy",
        "program": "ace-connection-logger",
        "version": env!("CARGO_PKG_VERSION"),
        "database_id": reader.database_id(),
        "timestamp": now.rfc3339(),
    }))
}
