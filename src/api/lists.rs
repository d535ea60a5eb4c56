//! The hosts, the state of the monitor, and the health check.

use std::time::Duration;

use serde::Serialize;
use serde_json::json;

use super::parameters::Parameters;
use super::{Api, ApiError, ApiResult, json, now, present};
use crate::alerts::Queue;
use crate::pure::address::{IpVersion, Source};
use crate::pure::host_key::HostIdentity;
use crate::pure::model::HostId;
use crate::pure::time::UtcMillis;
use crate::status::{self, HostStatuses};
use crate::store::{MonitorRun, RecordedHost, damage_of};

/// A family as the configuration writes it: `4`, `6` or `any`.
fn family_text(family: Option<IpVersion>) -> String {
    family.map_or("any".into(), |version| version.number().to_string())
}

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
    let (mut monitor, mut first, mut recorded, mut notices) = (None, None, Vec::new(), None);
    if let Some(reader) = &reader {
        let run = reader.newest_run()?;
        let is_running = run.is_some_and(|run| status::is_running(&run, config.flush, now));
        notices = Queue::read(
            reader,
            &config.alerts,
            &config.report.grouping,
            is_running,
            now,
        )?;
        monitor = run.map(|run| monitor_row(&run, config.flush, now));
        recorded = reader.hosts()?;
        let ids: Vec<HostId> = recorded.iter().map(|host| host.id).collect();
        first = reader.first_recorded(&ids)?.map(UtcMillis::rfc3339);
    }
    let listed = || config.hosts.iter().map(|other| other.host.identity());
    let all = || recorded.iter().map(RecordedHost::identity).chain(listed());
    let hosts: Vec<_> = config
        .hosts
        .iter()
        .map(|configured| {
            let host = &configured.host;
            json!({
                "name": host.name,
                "address": host.address.as_str(),
                "is_name": host.address.is_name(),
                "family": family_text(host.family),
                "source": host.source.as_ref().map(Source::to_string),
                "host_key": host.identity().key(all()),
                "interval_seconds": configured.interval.as_secs_f64(),
                "ping_count": configured.ping_count,
                "role": configured.role.as_str(),
            })
        })
        .collect();
    json(&json!({
        "hosts": hosts,
        "total_hosts": config.hosts.len(),
        "monitoring_interval": config.interval.as_secs_f64(),
        "config_path": config.file,
        "database_path": config.database,
        "version": env!("CARGO_PKG_VERSION"),
        "now": now.rfc3339(),
        "flush_seconds": config.flush.as_secs_f64(),
        "monitor": monitor,
        "unwritten": api.unwritten(),
        "first_check": first,
        "notices": notices,
        "damage": damage_of(&config.database, reader.as_deref())?,
    }))
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
    let row = |(name, host): &(&str, HostIdentity<'_>)| HostRow {
        name: (*name).to_string(),
        address: host.address.to_string(),
        host_key: host.key(all.iter().map(|(_, other)| *other)),
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
