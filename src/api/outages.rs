//! Outages, incidents, and the gaps in which nothing was measured. The store groups the recorded
//! events into outages.

use std::collections::HashMap;
use std::ops::Range;

use serde::Serialize;
use serde_json::json;

use super::parameters::Parameters;
use super::{Api, ApiError, ApiResult, hosts_named, json, now, present};
use crate::pure::cause::Cause;
use crate::pure::host_key::{HostKey, HostKeys};
use crate::pure::model::{EventKind, HostId};
use crate::pure::time::UtcMillis;
use crate::store::{GroupedOutage, OutageEvent, Reader, RecordedHost, incidents as incidents_of};

/// The `host_address` of events of this machine's own link.
const LINKS: [&str; 3] = ["IPv4", "IPv6", "IPv4 and IPv6"];

/// From `from` to `to` if one of them is given, else the last `days`, else all. It ends now at the
/// latest, since an ongoing outage counts until its end.
pub(super) fn span(api: &Api, parameters: &Parameters<'_>) -> Result<Range<UtcMillis>, ApiError> {
    let now = now(api);
    let end = UtcMillis(now.0 + 1);
    if parameters.text("from").is_some() || parameters.text("to").is_some() {
        let span = parameters.between(now)?;
        return Ok(span.start..span.end.min(end));
    }
    let since = parameters
        .span_ms("days", 24.0, None)?
        .map_or(0, |ms| (end.0 - ms).max(0));
    Ok(UtcMillis(since)..end)
}

/// 0 means all, as in the original.
pub(super) fn limit(parameters: &Parameters<'_>) -> Result<usize, ApiError> {
    let limit = parameters.whole("limit", 0..1_000_001, 50)?;
    Ok(match usize::try_from(limit) {
        Ok(0) | Err(_) => usize::MAX,
        Ok(limit) => limit,
    })
}

/// The outages within a span, newest first.
fn grouped_outages(
    api: &Api,
    reader: &Reader,
    span: &Range<UtcMillis>,
) -> Result<Vec<GroupedOutage>, ApiError> {
    // From the beginning, since an outage within the span may have begun before it.
    let gaps = reader.gaps(&(UtcMillis(0)..span.end))?;
    Ok(reader.grouped_outages(span, &api.config().report.grouping, &gaps)?)
}

/// The ongoing outages, newest first.
fn ongoing(api: &Api, reader: &Reader) -> Result<Vec<GroupedOutage>, ApiError> {
    let now = present(reader)?;
    let mut outages = grouped_outages(api, reader, &(now..UtcMillis(now.0 + 1)))?;
    outages.retain(GroupedOutage::is_open);
    Ok(outages)
}

/// Selects the outages of the hosts that a text names, or of this machine's own link.
pub(super) struct HostFilter<'a> {
    text: &'a str,
    hosts: Vec<RecordedHost>,
}

impl<'a> HostFilter<'a> {
    pub fn of(reader: &Reader, text: &'a str) -> Result<HostFilter<'a>, ApiError> {
        let hosts = reader.hosts_named(text)?;
        Ok(HostFilter { text, hosts })
    }

    /// `hosts`: those that the text names.
    pub fn of_hosts(text: &'a str, hosts: Vec<RecordedHost>) -> HostFilter<'a> {
        HostFilter { text, hosts }
    }

    /// An error when the host was never recorded and is not configured.
    pub fn known(api: &Api, reader: &Reader, text: &'a str) -> Result<HostFilter<'a>, ApiError> {
        if !LINKS.iter().any(|link| link.eq_ignore_ascii_case(text)) {
            hosts_named(api, reader, text)?;
        }
        HostFilter::of(reader, text)
    }

    /// In order.
    pub fn ids(&self) -> Vec<HostId> {
        let mut ids: Vec<HostId> = self.hosts.iter().map(|host| host.id).collect();
        ids.sort_unstable();
        ids
    }

    pub fn matches(&self, event: &OutageEvent) -> bool {
        self.is_of(event.host_id, &event.host_address)
    }

    /// An event without an id, of a link or of the original, is found by its address alone.
    pub fn is_of(&self, host_id: Option<HostId>, host_address: &str) -> bool {
        let is_at = |address: &str| address.eq_ignore_ascii_case(host_address);
        match host_id {
            Some(id) => self.hosts.iter().any(|host| host.id == id),
            None if !HostKey::parse(self.text).is_address() => false,
            None => is_at(self.text) || self.hosts.iter().any(|host| is_at(&host.address)),
        }
    }
}

/// Selects outages by the parameters `host_address`, `cause` and `active_only`.
pub(super) struct OutageFilter<'a> {
    host: Option<HostFilter<'a>>,
    cause: Option<Cause>,
    is_active_only: bool,
}

impl<'a> OutageFilter<'a> {
    /// Without the host, which needs a reader: a parameter is refused without a database too.
    pub fn of(parameters: &Parameters<'a>) -> Result<OutageFilter<'a>, ApiError> {
        Ok(OutageFilter {
            is_active_only: parameters.flag("active_only")?,
            cause: cause_of(parameters)?,
            host: None,
        })
    }

    pub fn with_host(
        self,
        api: &Api,
        reader: &Reader,
        parameters: &Parameters<'a>,
    ) -> Result<OutageFilter<'a>, ApiError> {
        let host = parameters.text("host_address");
        let host = host.map(|key| HostFilter::known(api, reader, key));
        Ok(OutageFilter {
            host: host.transpose()?,
            ..self
        })
    }

    pub fn matches(&self, outage: &GroupedOutage) -> bool {
        let of_host = |filter: &HostFilter<'_>| filter.matches(&outage.event);
        self.host.as_ref().is_none_or(of_host)
            && self.cause.is_none_or(|cause| outage.cause() == cause)
            && (!self.is_active_only || outage.is_open())
    }
}

#[derive(Serialize)]
pub(super) struct OutageRow<'a> {
    #[serde(flatten)]
    outage: &'a GroupedOutage,
    host_key: String,
}

pub(super) fn outage_rows<'a>(
    reader: &Reader,
    outages: impl Iterator<Item = &'a GroupedOutage>,
) -> Result<Vec<OutageRow<'a>>, ApiError> {
    let hosts = reader.hosts()?;
    let keys = HostKeys::of(hosts.iter().map(RecordedHost::identity));
    let by_id: HashMap<HostId, &RecordedHost> = hosts.iter().map(|host| (host.id, host)).collect();
    let key = |outage: &GroupedOutage| {
        let host = outage.event.host_id.and_then(|id| by_id.get(&id));
        host.map_or(outage.event.host_address.clone(), |host| {
            keys.key(&host.identity())
        })
    };
    Ok(outages
        .map(|outage| OutageRow {
            host_key: key(outage),
            outage,
        })
        .collect())
}

fn cause_of(parameters: &Parameters<'_>) -> Result<Option<Cause>, ApiError> {
    let word = |text: &str| {
        let words = Cause::ALL.map(Cause::as_str).join(", ");
        Cause::from_word(text)
            .ok_or_else(|| ApiError::BadParameter(format!("cause: {text:?} is none of {words}")))
    };
    parameters.text("cause").map(word).transpose()
}

pub(super) fn outages(api: &Api, parameters: &Parameters<'_>) -> ApiResult {
    let wanted = OutageFilter::of(parameters)?;
    let (span, limit) = (span(api, parameters)?, limit(parameters)?);
    let reader = api.reader()?;
    let wanted = wanted.with_host(api, &reader, parameters)?;
    let found = grouped_outages(api, &reader, &span)?;
    let selected = found.iter().filter(|outage| wanted.matches(outage));
    json(&outage_rows(&reader, selected.take(limit))?)
}

pub(super) fn active(api: &Api, _: &Parameters<'_>) -> ApiResult {
    let reader = api.reader()?;
    json(&outage_rows(&reader, ongoing(api, &reader)?.iter())?)
}

pub(super) fn active_of_host(api: &Api, parameters: &Parameters<'_>) -> ApiResult {
    let address = parameters.path_address;
    let reader = api.reader()?;
    let filter = HostFilter::known(api, &reader, address)?;
    let ongoing = ongoing(api, &reader)?;
    json(
        &outage_rows(
            &reader,
            ongoing
                .iter()
                .filter(|outage| filter.matches(&outage.event))
                .take(1),
        )?
        .pop(),
    )
}

/// Without planned outages, and without events in which only a name did not resolve.
pub(super) fn statistics(api: &Api, parameters: &Parameters<'_>) -> ApiResult {
    let address = parameters.path_address;
    let span = span(api, parameters)?;
    let reader = api.reader()?;
    let filter = HostFilter::of(&reader, address)?;
    let mut found = grouped_outages(api, &reader, &span)?;
    found.retain(|outage| {
        filter.matches(&outage.event)
            && !outage.event.planned
            && outage.event.event_type != EventKind::Dns
    });
    let durations: Vec<i64> = found
        .iter()
        .map(|outage| outage.lasted_seconds(span.end))
        .collect();
    let total: i64 = durations.iter().sum();
    json(&json!({
        "total_outages": found.len(),
        "active_outages": found.iter().filter(|outage| outage.is_open()).count(),
        "avg_duration_seconds": if durations.is_empty() { 0.0 } else { total as f64 / durations.len() as f64 },
        "max_duration_seconds": durations.iter().max().copied().unwrap_or(0),
        "total_downtime_seconds": found.iter().map(|outage| outage.down_seconds).sum::<i64>(),
    }))
}

pub(super) fn incidents(api: &Api, parameters: &Parameters<'_>) -> ApiResult {
    let (span, limit) = (span(api, parameters)?, limit(parameters)?);
    let mut found = incidents_of(&grouped_outages(api, &*api.reader()?, &span)?);
    found.truncate(limit);
    json(&found)
}

pub(super) fn gaps(api: &Api, parameters: &Parameters<'_>) -> ApiResult {
    let now = now(api);
    let span = parameters.between(now)?;
    let end = span.end.min(UtcMillis(now.0 + 1));
    json(&api.reader()?.gaps(&(span.start..end))?)
}
