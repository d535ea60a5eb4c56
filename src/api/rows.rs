//! Checks as rows: the newest of every host, and the recorded ones page by page.

use serde::Serialize;

use super::parameters::Parameters;
use super::{Api, ApiError, ApiResult, json, now};
use crate::status::{HostStatus, HostStatuses};
use crate::store::{CheckJson, Checks, JsonFields, LatestCheck, Reader};
use crate::web::{Body, Reply};

/// The newest row of a host; null where nothing was recorded or nothing could be measured.
#[derive(Serialize)]
struct LatestRow<'a> {
    host_name: &'a str,
    host_address: &'a str,
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
    host_key: &'a str,
}

impl<'a> From<&'a HostStatus<'a>> for LatestRow<'a> {
    fn from(status: &'a HostStatus<'a>) -> Self {
        let measured = status.measured();
        let [min_latency, avg_latency, max_latency] =
            measured.map_or([None; 3], LatestCheck::latencies_ms);
        LatestRow {
            host_name: status.name,
            host_address: status.address,
            timestamp: status.latest.map(|check| check.checked_at.rfc3339()),
            success_count: measured.map(|check| check.received),
            failure_count: measured.map(LatestCheck::failure_count),
            success_rate: measured.map(LatestCheck::success_rate),
            min_latency,
            max_latency,
            avg_latency,
            state: status.state().as_str(),
            sent: measured.map(|check| check.sent),
            rtts_us: measured.and_then(|check| check.rtts_us.as_deref()),
            error: status.latest.and_then(|check| check.reason.as_deref()),
            configured: status.config.is_some(),
            stale: status.is_stale(),
            age_seconds: status.age.map(|age| age.as_millis() as f64 / 1000.0),
            host_key: &status.key,
        }
    }
}

pub(super) fn latest(api: &Api, _: &Parameters<'_>) -> ApiResult {
    (api.on_watched)();
    let config = api.config();
    // Before the first check there may be no database; the hosts are told all the same.
    let (etag, known) = match api.reader() {
        Ok(reader) => {
            let etag = format!("{}-{}", reader.database_id(), reader.newest_write()?);
            (etag, HostStatuses::read(&reader, config.flush, now())?)
        }
        Err(_) if !config.database.exists() => ("none".to_string(), HostStatuses::empty(now())),
        Err(problem) => return Err(problem),
    };
    let lines = known.of_hosts(&config.hosts);
    let rows: Vec<LatestRow> = lines.iter().map(LatestRow::from).collect();
    // Whether a result has become stale is news too.
    let stale = rows.iter().filter(|row| row.stale).count();
    Ok(Reply {
        etag: Some(format!("{etag}-{stale}")),
        ..json(&rows)?
    })
}

/// How many bytes a page gathers before it is sent.
const PAGE_BYTES: usize = 32 * 1024;

pub(super) fn checks(api: &Api, parameters: &Parameters<'_>) -> ApiResult {
    let span = parameters.span(now(), 24.0)?;
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
    let mut pages = Pages {
        checks: Checks::new(hosts, &span, limit),
        is_begun: false,
        is_over: false,
    };
    // The first page is made here, so that a database that cannot be read is still said as an
    // error.
    let first = pages.make(&reader)?;
    drop(reader);
    if pages.is_over {
        return Ok(Reply::ok("application/json", Body::Whole(first)));
    }
    let mut first = Some(first);
    let api = api.clone();
    let make = move || match first.take() {
        Some(page) => Some(page),
        None if pages.is_over => None,
        None => match api.reader().and_then(|reader| pages.make(&reader)) {
            Ok(page) => Some(page),
            Err(_) => {
                // The answer ends without its bracket: whoever reads it sees that it is not whole.
                pages.is_over = true;
                None
            }
        },
    };
    Ok(Reply::ok("application/json", Body::Chunks(Box::new(make))))
}

/// A list of rows that is made piece by piece.
struct Pages {
    checks: Checks,
    is_begun: bool,
    is_over: bool,
}

impl Pages {
    fn make(&mut self, reader: &Reader) -> Result<Vec<u8>, ApiError> {
        let mut page = Vec::with_capacity(PAGE_BYTES + 1024);
        while page.len() < PAGE_BYTES {
            let Some(check) = self.checks.next(reader)? else {
                page.extend_from_slice(if self.is_begun { b"]" } else { b"[]" });
                self.is_over = true;
                return Ok(page);
            };
            page.push(if self.is_begun { b',' } else { b'[' });
            self.is_begun = true;
            let row = CheckJson {
                check: &check,
                fields: JsonFields::Api,
            };
            serde_json::to_writer(&mut page, &row)
                .map_err(|error| ApiError::Unavailable(error.to_string()))?;
        }
        Ok(page)
    }
}
