//! Short lists: hosts, what the monitor is doing, and whether all is well.

use crate::pure::address::IpVersion;
use serde::Serialize;
use serde_json::json;

use super::{Api, ApiError, ApiResult, json, now};
use crate::pure::model::{Host, HostId};
use crate::pure::time::UtcMillis;
use crate::status::HostStatuses;
use crate::store::MonitorRun;

/// A family as the configuration writes it: `4`, `6` or `any`.
fn family_text(family: Option<IpVersion>) -> String {
    family.map_or("any".into(), |version| version.number().to_string())
}

/// What the ledger says of the newest daemon.
#[derive(Serialize)]
struct RunRow {
    running: bool,
    started_at: String,
    alive_at: String,
    stopped_at: Option<String>,
}

pub(super) fn status(api: &Api) -> ApiResult {
    let facts = api.facts();
    let now = now();
    // Before the first check there may be no database; the configuration is told all the same.
    let reader = api.reader().ok();
    let (mut run, mut first) = (None, None);
    if let Some(reader) = &reader {
        run = reader
            .newest_run()?
            .map(|run| run_row(&run, facts.flush.as_secs_f64(), now));
        let ids: Vec<HostId> = reader.hosts()?.iter().map(|host| host.id).collect();
        first = reader.first_recorded(&ids)?.map(UtcMillis::rfc3339);
    }
    let is_shared = |address: &str| {
        facts
            .hosts
            .iter()
            .filter(|plan| plan.host.address.as_str() == address)
            .count()
            > 1
    };
    let hosts: Vec<_> = facts
        .hosts
        .iter()
        .map(|plan| {
            let address = plan.host.address.as_str();
            json!({
                "name": plan.host.name,
                "address": address,
                "family": family_text(plan.host.family),
                "host_key": Host::key(address, plan.host.family, is_shared(address)),
                "interval_seconds": plan.interval.as_secs_f64(),
                "ping_count": plan.ping_count,
                "role": plan.role.as_str(),
            })
        })
        .collect();
    json(&json!({
        "hosts": hosts,
        "total_hosts": facts.hosts.len(),
        "monitoring_interval": facts.interval.as_secs_f64(),
        "database_path": facts.database,
        "version": env!("CARGO_PKG_VERSION"),
        "now": now.rfc3339(),
        "flush_seconds": facts.flush.as_secs_f64(),
        "monitor": run,
        "first_check": first,
    }))
}

/// A daemon runs when it did not end and has given a sign of life within two of its flushes.
fn run_row(run: &MonitorRun, flush_seconds: f64, now: UtcMillis) -> RunRow {
    let silence = (now.0 - run.alive_at.0) as f64 / 1000.0;
    RunRow {
        running: run.stopped_at.is_none() && silence.abs() < 2.0 * flush_seconds.max(60.0),
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

/// Hosts by name, address and family; each with its key among them.
fn host_rows<'a>(
    hosts: impl Iterator<Item = (&'a str, &'a str, Option<IpVersion>)>,
) -> Vec<HostRow> {
    let all: Vec<(&str, &str, Option<IpVersion>)> = hosts.collect();
    let is_shared =
        |address: &str| all.iter().filter(|(_, other, _)| *other == address).count() > 1;
    let row = |(name, address, family): &(&str, &str, Option<IpVersion>)| HostRow {
        name: (*name).to_string(),
        address: (*address).to_string(),
        host_key: Host::key(address, *family, is_shared(address)),
    };
    all.iter().map(row).collect()
}

pub(super) fn hosts(api: &Api) -> ApiResult {
    let facts = api.facts();
    json(&host_rows(facts.hosts.iter().map(|plan| {
        (
            plan.host.name.as_str(),
            plan.host.address.as_str(),
            plan.host.family,
        )
    })))
}

pub(super) fn all_hosts(api: &Api) -> ApiResult {
    let hosts = api.reader()?.hosts()?;
    json(&host_rows(hosts.iter().map(|host| {
        (host.name.as_str(), host.address.as_str(), host.family)
    })))
}

pub(super) fn health(api: &Api) -> ApiResult {
    let facts = api.facts();
    let reader = api.reader()?;
    let known = HostStatuses::read(&reader, facts.flush, now())?;
    let lines = known.lines(&facts.hosts);
    let is_fresh = facts.hosts.is_empty()
        || lines
            .iter()
            .any(|line| line.plan.is_some() && !line.is_stale());
    // In its first moments a monitor has nothing to show yet.
    let is_starting = known.latest.is_empty()
        && reader
            .newest_run()?
            .is_some_and(|run| run.stopped_at.is_none() && now().0 - run.started_at.0 < 180_000);
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
        "timestamp": now().rfc3339(),
    }))
}
