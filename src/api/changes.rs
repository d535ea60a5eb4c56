//! Since when hosts are slower or faster, or lose more or fewer pings.

use serde::Serialize;

use super::outages::{limit, span};
use super::parameters::Parameters;
use super::{Api, ApiResult, hosts_named, json};
use crate::pure::change::LevelChange;
use crate::pure::host_key::HostKeys;
use crate::store::RecordedHost;

#[derive(Serialize)]
struct ChangeRow<'a> {
    host_name: &'a str,
    host_address: &'a str,
    host_key: String,
    #[serde(flatten)]
    change: LevelChange,
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
        let row = |change| ChangeRow {
            host_name: &host.name,
            host_address: &host.address,
            host_key: keys.key(&host.identity()),
            change,
        };
        rows.extend(found.into_iter().take(limit).map(row));
    }
    rows.sort_by_key(|row| std::cmp::Reverse(row.change.at));
    rows.truncate(limit);
    json(&rows)
}
