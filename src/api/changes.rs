//! Since when hosts are slower or faster, or lose more or fewer pings.

use serde::Serialize;

use super::outages::{limit, span};
use super::parameters::Parameters;
use super::{Api, ApiResult, hosts_named, json};
use crate::pure::change::{ChangeKind, LevelChange};
use crate::pure::host_key::HostKeys;
use crate::pure::time::UtcMillis;
use crate::store::RecordedHost;

#[derive(Serialize)]
struct ChangeRow<'a> {
    host_name: &'a str,
    host_address: &'a str,
    host_key: String,
    kind: &'static str,
    at: UtcMillis,
    before_us: Option<u32>,
    after_us: Option<u32>,
    before_loss_percent: Option<f64>,
    after_loss_percent: Option<f64>,
    sureness: u8,
}

impl<'a> ChangeRow<'a> {
    fn of(host: &'a RecordedHost, host_key: String, change: &LevelChange) -> ChangeRow<'a> {
        let of_kind = |kind, level| (change.kind == kind).then_some(level);
        let us = |level: u32| of_kind(ChangeKind::Latency, level);
        let percent =
            |level: u32| of_kind(ChangeKind::Loss, level).map(|rate| f64::from(rate) / 1000.0);
        ChangeRow {
            host_name: &host.name,
            host_address: &host.address,
            host_key,
            kind: change.kind.as_str(),
            at: change.at,
            before_us: us(change.before),
            after_us: us(change.after),
            before_loss_percent: percent(change.before),
            after_loss_percent: percent(change.after),
            sureness: change.sureness,
        }
    }
}

/// Newest first.
pub(super) fn changes(api: &Api, parameters: &Parameters<'_>) -> ApiResult {
    let (span, limit) = (span(api, parameters)?, limit(parameters)?);
    let reader = api.reader()?;
    let all = reader.hosts()?;
    let keys = HostKeys::of(all.iter().map(RecordedHost::identity));
    let wanted = match parameters.text("host_address") {
        Some(text) => hosts_named(api, &reader, text)?,
        None => all.clone(),
    };
    let mut rows = Vec::new();
    for host in &wanted {
        let found = reader.level_changes(host.id, &span)?;
        let row = |change| ChangeRow::of(host, keys.key(&host.identity()), change);
        rows.extend(found.iter().take(limit).map(row));
    }
    rows.sort_by_key(|row| std::cmp::Reverse(row.at));
    rows.truncate(limit);
    json(&rows)
}
