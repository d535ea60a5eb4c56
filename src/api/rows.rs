//! Checks: the newest of every host, and the recorded ones, which are sent in chunks.

use std::io::Write;

use serde::{Serialize, Serializer};

use super::parameters::Parameters;
use super::{Api, ApiError, ApiResult, not_made, now, present, write_json, written};
use crate::config::HostConfig;
use crate::status::{HostStatus, HostStatuses};
use crate::store::{CheckJson, Checks, JsonFields, Reader, RecordedCheck};
use crate::web::{Body, Chunks, Reply};

/// The newest row of a host; null where nothing was recorded or nothing could be measured.
#[derive(Serialize)]
struct LatestRow<'a> {
    host_name: &'a str,
    host_address: &'a str,
    resolved_address: Option<&'a str>,
    timestamp: Option<String>,
    success_count: Option<i64>,
    failure_count: Option<i64>,
    success_rate: Option<f64>,
    min_latency: Option<f64>,
    max_latency: Option<f64>,
    avg_latency: Option<f64>,
    state: &'static str,
    sent: Option<i64>,
    rtts_us: Option<&'a [Option<u32>]>,
    error: Option<&'a str>,
    configured: bool,
    stale: bool,
    age_seconds: Option<f64>,
    /// `None` also where the address is no name.
    name_resolves: Option<bool>,
    host_key: &'a str,
}

impl<'a> From<&'a HostStatus<'a>> for LatestRow<'a> {
    fn from(status: &'a HostStatus<'a>) -> Self {
        let measured = status.measured();
        let [min_latency, avg_latency, max_latency] =
            measured.map_or([None; 3], RecordedCheck::latencies_ms);
        LatestRow {
            host_name: status.name,
            host_address: status.address,
            resolved_address: status.resolved(),
            timestamp: status
                .latest
                .map(|latest| latest.check.checked_at.rfc3339()),
            success_count: measured.map(|check| check.received),
            failure_count: measured.map(RecordedCheck::failure_count),
            success_rate: measured.map(RecordedCheck::success_rate),
            min_latency,
            max_latency,
            avg_latency,
            state: status.state().as_str(),
            sent: measured.map(|check| check.sent),
            rtts_us: measured.and_then(|check| check.rtts_us.as_deref()),
            error: status
                .latest
                .and_then(|latest| latest.check.reason.as_deref()),
            configured: status.config.is_some(),
            stale: status.is_stale(),
            age_seconds: status.age.map(|age| age.as_millis() as f64 / 1000.0),
            name_resolves: status.name_resolves(),
            host_key: &status.key,
        }
    }
}

pub(super) fn latest(api: &Api, parameters: &Parameters<'_>) -> ApiResult {
    // A page of another origin must not make the monitor write often.
    if !parameters.flag("background")? && !parameters.is_from_other_origin {
        (api.on_viewed)();
    }
    let config = api.config();
    // Before the first check there may be no database, but there are configured hosts.
    let (etag, known) = match api.reader() {
        Ok(reader) => {
            let etag = format!("{}-{}", reader.database_id(), reader.newest_write()?);
            let mut known = HostStatuses::read(&reader, config.flush, present(&reader)?)?;
            let is_name = |configured: &HostConfig| configured.host.address.is_name();
            if config.hosts.iter().any(is_name) {
                known.outages = reader.open_outages()?;
            }
            (etag, known)
        }
        Err(_) if !config.database.exists() => ("none".to_string(), HostStatuses::empty(now(api))),
        Err(problem) => return Err(problem),
    };
    // The tag also changes when a result becomes stale.
    let stale = known.of_hosts(&config.hosts);
    let stale = stale.iter().filter(|status| status.is_stale()).count();
    let write = move |out: &mut dyn Write| {
        let statuses = known.of_hosts(&config.hosts);
        let rows = statuses.iter().map(LatestRow::from);
        serde_json::Serializer::new(out)
            .collect_seq(rows)
            .map_err(not_made)
    };
    Ok(Reply {
        etag: Some(format!("{etag}-{stale}")),
        ..written("application/json", write)
    })
}

/// A chunk is sent when it has reached this size.
const CHUNK_BYTES: usize = 32 * 1024;

pub(super) fn checks(api: &Api, parameters: &Parameters<'_>) -> ApiResult {
    let span = parameters.span(now(api), 24.0)?;
    let limit = parameters.whole("limit", 0..1_000_000_001, 1000)?;
    let limit = match u64::try_from(limit) {
        Ok(0) | Err(_) => u64::MAX,
        Ok(limit) => limit,
    };
    let reader = api.reader()?;
    let hosts = reader.hosts()?;
    let hosts: Vec<_> = match parameters.text("host_address") {
        None => hosts,
        Some(key) => {
            let ids = super::host_ids(api, &reader, key)?;
            hosts
                .into_iter()
                .filter(|host| ids.contains(&host.id))
                .collect()
        }
    };
    let mut chunks = CheckChunks {
        checks: Checks::new(hosts, &span, limit),
        has_begun: false,
        is_complete: false,
    };
    // Made here, so that a database that cannot be read still gives an error status.
    let first = chunks.next(&reader)?;
    drop(reader);
    if chunks.is_complete {
        return Ok(Reply::ok("application/json", Body::Whole(first)));
    }
    let held_bytes = chunks.checks.held_bytes() + 2 * CHUNK_BYTES;
    let mut first = Some(first);
    let api = api.clone();
    let make = move || match first.take() {
        Some(chunk) => Some(chunk),
        None if chunks.is_complete => None,
        None => match api.reader().and_then(|reader| chunks.next(&reader)) {
            Ok(chunk) => Some(chunk),
            Err(_) => {
                // The list ends without its bracket, so the client sees that it is incomplete.
                chunks.is_complete = true;
                None
            }
        },
    };
    let chunks = Chunks {
        next: Box::new(make),
        held_bytes,
    };
    Ok(Reply::ok("application/json", Body::Chunks(chunks)))
}

/// A JSON list that is made chunk by chunk.
struct CheckChunks {
    checks: Checks,
    has_begun: bool,
    is_complete: bool,
}

impl CheckChunks {
    fn next(&mut self, reader: &Reader) -> Result<Vec<u8>, ApiError> {
        let mut chunk = Vec::with_capacity(CHUNK_BYTES + 1024);
        while chunk.len() < CHUNK_BYTES {
            let Some(check) = self.checks.next(reader)? else {
                chunk.extend_from_slice(if self.has_begun { b"]" } else { b"[]" });
                self.is_complete = true;
                return Ok(chunk);
            };
            chunk.push(if self.has_begun { b',' } else { b'[' });
            self.has_begun = true;
            let row = CheckJson {
                check: &check,
                fields: JsonFields::Api,
            };
            write_json(&row, &mut chunk)?;
        }
        Ok(chunk)
    }
}
