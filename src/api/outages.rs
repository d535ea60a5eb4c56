//! What was down, as people are told of it: outages put together, incidents over them, and the
//! spans in which nothing was measured. What belongs together is for the store to say.

use std::ops::Range;

use serde::Serialize;
use serde_json::json;

use super::parameters::Parameters;
use super::{Api, ApiError, ApiResult, host_ids, json, now};
use crate::pure::cause::Cause;
use crate::pure::model::{Host, HostId};
use crate::pure::time::UtcMillis;
use crate::store::{DNS, GroupedOutage, Reader, incidents as incidents_of};

/// What an event of this machine's own link has for an address.
const LINKS: [&str; 3] = ["IPv4", "IPv6", "IPv4 and IPv6"];

/// From `from` to `to` where they are given, else the last `days`, else all; never beyond now,
/// until when what goes on is counted.
fn span(parameters: &Parameters<'_>) -> Result<Range<UtcMillis>, ApiError> {
    let end = UtcMillis(now().0 + 1);
    if parameters.text("from").is_some() || parameters.text("to").is_some() {
        let span = parameters.between(now())?;
        return Ok(span.start..span.end.min(end));
    }
    let since = parameters
        .span_ms("days", 24.0, None)?
        .map_or(0, |ms| (end.0 - ms).max(0));
    Ok(UtcMillis(since)..end)
}

/// How many are listed; as everywhere in the original 0 means all.
fn limit(parameters: &Parameters<'_>) -> Result<usize, ApiError> {
    let limit = parameters.whole("limit", 0..1_000_001, 50)?;
    Ok(match usize::try_from(limit) {
        Ok(0) | Err(_) => usize::MAX,
        Ok(limit) => limit,
    })
}

/// Everything within a span, newest first.
fn episodes(
    api: &Api,
    reader: &Reader,
    span: &Range<UtcMillis>,
) -> Result<Vec<GroupedOutage>, ApiError> {
    // What began before the span is counted from its own beginning.
    let gaps = reader.gaps(&(UtcMillis(0)..span.end))?;
    Ok(reader.episodes(span, &api.config().report.grouping, &gaps)?)
}

/// Everything that goes on, newest first.
fn open(api: &Api, reader: &Reader) -> Result<Vec<GroupedOutage>, ApiError> {
    let now = now();
    let mut episodes = episodes(api, reader, &(now..UtcMillis(now.0 + 1)))?;
    episodes.retain(GroupedOutage::is_open);
    Ok(episodes)
}

/// Whose events are asked for: a host's, by its key, or this machine's own link.
struct Whose<'a> {
    address: &'a str,
    /// Of one IP version of the address only.
    ids: Option<Vec<HostId>>,
}

impl<'a> Whose<'a> {
    fn of(reader: &Reader, key: &'a str) -> Result<Whose<'a>, ApiError> {
        let (address, family) = Host::split_key(key);
        let ids = family.map(|_| reader.host_ids(key)).transpose()?;
        Ok(Whose { address, ids })
    }

    /// The same, and nobody whom nobody knows.
    fn known(api: &Api, reader: &Reader, key: &'a str) -> Result<Whose<'a>, ApiError> {
        if !LINKS.iter().any(|link| link.eq_ignore_ascii_case(key)) {
            host_ids(api, reader, key)?;
        }
        Whose::of(reader, key)
    }

    fn has(&self, episode: &GroupedOutage) -> bool {
        let is_of_version =
            |ids: &Vec<HostId>| episode.event.host_id.is_some_and(|id| ids.contains(&id));
        episode
            .event
            .host_address
            .eq_ignore_ascii_case(self.address)
            && self.ids.as_ref().is_none_or(is_of_version)
    }
}

/// An episode as it is answered.
#[derive(Serialize)]
struct Told {
    #[serde(flatten)]
    episode: GroupedOutage,
    /// What tells its host from all others.
    host_key: String,
}

/// Puts the key of its host to each.
fn told<'a>(
    reader: &Reader,
    episodes: impl Iterator<Item = &'a GroupedOutage>,
) -> Result<Vec<Told>, ApiError> {
    let hosts = reader.hosts()?;
    let key = |episode: &GroupedOutage| {
        let address = episode.event.host_address.as_str();
        let family = hosts
            .iter()
            .find(|host| Some(host.id) == episode.event.host_id)
            .and_then(|host| host.family);
        Host::key(
            address,
            family,
            hosts.iter().filter(|host| host.address == address).count() > 1,
        )
    };
    Ok(episodes
        .map(|episode| Told {
            host_key: key(episode),
            episode: episode.with_rfc3339_times(),
        })
        .collect())
}

pub(super) fn outages(api: &Api, parameters: &Parameters<'_>) -> ApiResult {
    let is_active_only = parameters.flag("active_only")?;
    let (span, limit) = (span(parameters)?, limit(parameters)?);
    let word = |text: &str| {
        let words = Cause::ALL.map(Cause::as_str).join(", ");
        Cause::from_word(text)
            .ok_or_else(|| ApiError::BadParameter(format!("cause: {text:?} is none of {words}")))
    };
    let cause = parameters.text("cause").map(word).transpose()?;
    let reader = api.reader()?;
    let whose = parameters
        .text("host_address")
        .map(|key| Whose::known(api, &reader, key))
        .transpose()?;
    let episodes = episodes(api, &reader, &span)?;
    let is_wanted = |episode: &&GroupedOutage| {
        whose.as_ref().is_none_or(|whose| whose.has(episode))
            && cause.is_none_or(|cause| episode.cause() == cause)
            && (!is_active_only || episode.is_open())
    };
    json(&told(
        &reader,
        episodes.iter().filter(is_wanted).take(limit),
    )?)
}

pub(super) fn active(api: &Api, _: &Parameters<'_>) -> ApiResult {
    let reader = api.reader()?;
    json(&told(&reader, open(api, &reader)?.iter())?)
}

pub(super) fn active_of_host(api: &Api, parameters: &Parameters<'_>) -> ApiResult {
    let address = parameters.path_address;
    let reader = api.reader()?;
    let whose = Whose::known(api, &reader, address)?;
    let open = open(api, &reader)?;
    json(
        &told(
            &reader,
            open.iter().filter(|episode| whose.has(episode)).take(1),
        )?
        .pop(),
    )
}

/// Planned ones do not count, and neither does a name that did not resolve while the pings went on.
pub(super) fn statistics(api: &Api, parameters: &Parameters<'_>) -> ApiResult {
    let address = parameters.path_address;
    let span = span(parameters)?;
    let reader = api.reader()?;
    let whose = Whose::of(&reader, address)?;
    let mut episodes = episodes(api, &reader, &span)?;
    episodes.retain(|episode| {
        whose.has(episode) && !episode.event.planned && episode.event.event_type != DNS
    });
    let durations: Vec<i64> = episodes
        .iter()
        .map(|episode| episode.lasted_seconds(span.end))
        .collect();
    let total: i64 = durations.iter().sum();
    json(&json!({
        "total_outages": episodes.len(),
        "active_outages": episodes.iter().filter(|episode| episode.is_open()).count(),
        "avg_duration_seconds": if durations.is_empty() { 0.0 } else { total as f64 / durations.len() as f64 },
        "max_duration_seconds": durations.iter().max().copied().unwrap_or(0),
        "total_downtime_seconds": episodes.iter().map(|episode| episode.down_seconds).sum::<i64>(),
    }))
}

pub(super) fn incidents(api: &Api, parameters: &Parameters<'_>) -> ApiResult {
    let (span, limit) = (span(parameters)?, limit(parameters)?);
    let mut found = incidents_of(&episodes(api, &*api.reader()?, &span)?);
    found.truncate(limit);
    json(&found)
}

pub(super) fn gaps(api: &Api, parameters: &Parameters<'_>) -> ApiResult {
    let span = parameters.between(now())?;
    json(
        &api.reader()?
            .gaps(&(span.start..span.end.min(UtcMillis(now().0 + 1))))?,
    )
}
