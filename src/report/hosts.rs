//! The hosts of a report.

use std::collections::HashSet;

use super::query::{ReportError, ReportQuery};
use crate::config::HostConfig;
use crate::pure::host_key::{self, HostIdentity, HostKeys};
use crate::store::{GroupedOutage, Reader, RecordedHost, StoreError};

pub(super) struct ReportedHost<'a> {
    /// With its version of IP and source where hosts of the report with its address differ in them.
    pub name: String,
    pub address: String,
    pub recorded: Option<RecordedHost>,
    pub config: &'a HostConfig,
    /// Whether it is the first host with its address. An outage that was recorded without a version
    /// of IP belongs to that one.
    is_first: bool,
}

impl ReportedHost<'_> {
    pub fn has(&self, outage: &GroupedOutage) -> bool {
        match outage.event.host_id {
            Some(id) => self.recorded.as_ref().is_some_and(|host| host.id == id),
            None => self.is_first && self.is_at(&outage.event.host_address),
        }
    }

    fn is_at(&self, address: &str) -> bool {
        self.address.eq_ignore_ascii_case(address)
    }

    fn identity(&self) -> HostIdentity<'_> {
        let recorded = self.recorded.as_ref();
        recorded.map_or(self.config.host.identity(), RecordedHost::identity)
    }

    /// With those that it has in the configuration and in the database.
    fn names(&self) -> Vec<&str> {
        let recorded = self.recorded.iter().flat_map(RecordedHost::names);
        let own = [self.name.as_str(), &self.config.host.name];
        own.into_iter().chain(recorded).collect()
    }
}

/// The configured hosts in their order, then those that were recorded within the span and are no
/// longer configured; or only the one that the query names.
pub(super) fn reported_hosts<'a>(
    reader: &Reader,
    query: &ReportQuery<'a>,
    outages: &[GroupedOutage],
) -> Result<Vec<ReportedHost<'a>>, ReportError> {
    let mut hosts = configured_hosts(reader.hosts()?, query);
    distinguish_hosts_of_one_address(&mut hosts);
    if let Some(wanted) = query.only {
        let known = hosts.iter().map(|host| host.name.clone()).collect();
        hosts = host_key::named(wanted, hosts, ReportedHost::identity, ReportedHost::names);
        if hosts.is_empty() {
            return Err(ReportError::UnknownHost {
                requested: wanted.into(),
                known,
            });
        }
        return Ok(hosts);
    }
    let unlisted = hosts.split_off(query.settings.hosts.len());
    for host in unlisted {
        if was_recorded(reader, query, outages, &host)? {
            hosts.push(host);
        }
    }
    Ok(hosts)
}

/// The configured hosts, then all others that are recorded.
fn configured_hosts<'a>(
    mut recorded: Vec<RecordedHost>,
    query: &ReportQuery<'a>,
) -> Vec<ReportedHost<'a>> {
    let settings = query.settings;
    let mut hosts = Vec::new();
    for config in &settings.hosts {
        let host = &config.host;
        let is_same = |recorded: &RecordedHost| recorded.identity().is_same(&host.identity());
        hosts.push(ReportedHost {
            name: host.name.clone(),
            address: host.address.to_string(),
            recorded: recorded
                .iter()
                .position(is_same)
                .map(|index| recorded.remove(index)),
            config,
            is_first: false,
        });
    }
    for host in recorded {
        let has_address = |config: &&HostConfig| {
            let address = config.host.address.as_str();
            address.eq_ignore_ascii_case(&host.address)
        };
        let config = settings.hosts.iter().find(has_address);
        hosts.push(ReportedHost {
            name: host.name.clone(),
            address: host.address.clone(),
            config: config.unwrap_or(&settings.unlisted),
            recorded: Some(host),
            is_first: false,
        });
    }
    hosts
}

fn distinguish_hosts_of_one_address(hosts: &mut [ReportedHost<'_>]) {
    let keys = HostKeys::of(hosts.iter().map(ReportedHost::identity));
    let distinctions: Vec<String> = hosts
        .iter()
        .map(|host| keys.distinction(&host.identity()))
        .collect();
    let mut known = HashSet::new();
    for (host, distinction) in hosts.iter_mut().zip(distinctions) {
        host.is_first = known.insert(host.address.to_ascii_lowercase());
        host.name += &distinction;
    }
}

fn was_recorded(
    reader: &Reader,
    query: &ReportQuery<'_>,
    outages: &[GroupedOutage],
    host: &ReportedHost<'_>,
) -> Result<bool, StoreError> {
    let mut is_recorded = outages.iter().any(|outage| host.has(outage));
    if let Some(host) = &host.recorded {
        let hours = query.span.start.hour()..query.span.end.hour().next();
        reader.each_hour(host.id, hours, |_, counts| {
            is_recorded |= counts.checks() + counts.not_measured > 0
        })?;
    }
    Ok(is_recorded)
}
