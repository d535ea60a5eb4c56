//! The hosts that were ever recorded.

use std::collections::HashMap;

use rusqlite::params;

use super::reader::Reader;
use crate::pure::address::{IpVersion, Source};
use crate::pure::host_key::{self, HostIdentity, HostKey};
use crate::pure::model::HostId;
use crate::pure::time::{IMPLAUSIBLE_BEFORE, UtcMillis};
use crate::store::columns::{source, text, value};
use crate::store::error::StoreError;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordedHost {
    pub id: HostId,
    /// Its newest name.
    pub name: String,
    pub former_names: Vec<String>,
    pub address: String,
    /// `None` for either version of IP.
    pub family: Option<IpVersion>,
    /// `None` where routing chooses.
    pub source: Option<Source>,
}

impl RecordedHost {
    pub fn identity(&self) -> HostIdentity<'_> {
        HostIdentity {
            address: &self.address,
            family: self.family,
            source: self.source.as_ref(),
        }
    }

    pub fn names(&self) -> impl Iterator<Item = &str> {
        std::iter::once(&self.name)
            .chain(&self.former_names)
            .map(String::as_str)
    }
}

/// The recorded hosts by their address in lower case.
pub struct HostIndex(HashMap<String, Vec<RecordedHost>>);

impl HostIndex {
    /// The hosts that are at the address of a host's key and fit it.
    pub fn with_key(&self, key: &str) -> Vec<RecordedHost> {
        let address = HostKey::parse(key).address.to_ascii_lowercase();
        let at_address = self.0.get(&address).cloned().unwrap_or_default();
        host_key::named(key, at_address, RecordedHost::identity, |_| Vec::new())
    }
}

impl Reader {
    /// By name.
    pub fn hosts(&self) -> Result<Vec<RecordedHost>, StoreError> {
        self.hosts_at(None)
    }

    /// The hosts with an address, or all, by name.
    fn hosts_at(&self, address: Option<&str>) -> Result<Vec<RecordedHost>, StoreError> {
        const HOSTS: &str = "select id, name, address, family, source,
                (select group_concat(name, char(10)) from former_name where host_id = host.id) from host
              where ?1 is null or address = ?1 collate nocase order by name, address, family, source";
        self.query(HOSTS, [address], |row| {
            let (name, address) = (
                text(row, 1)?.unwrap_or_default(),
                text(row, 2)?.unwrap_or_default(),
            );
            Ok(RecordedHost {
                id: row.get(0)?,
                name,
                former_names: text(row, 5)?
                    .map(|names| names.lines().map(String::from).collect())
                    .unwrap_or_default(),
                address,
                family: value(row, 3).and_then(IpVersion::from_number),
                source: source(row, 4)?,
            })
        })
    }

    /// The hosts that a text names: by their [`HostKey`], else by their name. None when none of them
    /// was ever recorded.
    pub fn hosts_named(&self, text: &str) -> Result<Vec<RecordedHost>, StoreError> {
        let at_address = self.hosts_at(Some(HostKey::parse(text).address))?;
        let all = if at_address.is_empty() {
            self.hosts()?
        } else {
            at_address
        };
        Ok(host_key::named(text, all, RecordedHost::identity, |host| {
            host.names().collect()
        }))
    }

    /// All hosts, to be found as by [`Reader::hosts_named`], but without a query for each.
    pub fn host_index(&self) -> Result<HostIndex, StoreError> {
        let mut by_address: HashMap<String, Vec<RecordedHost>> = HashMap::new();
        for host in self.hosts()? {
            let address = host.address.to_ascii_lowercase();
            by_address.entry(address).or_default().push(host);
        }
        Ok(HostIndex(by_address))
    }

    /// The ids of the hosts at an address.
    pub(super) fn ids_at(&self, address: &str) -> Result<Vec<HostId>, StoreError> {
        const IDS: &str = "select id from host where address = ?1 collate nocase";
        self.query(IDS, [address], |row| row.get(0))
    }

    /// The newest check of any of these hosts until an instant.
    pub(super) fn newest_check(
        &self,
        hosts: &[HostId],
        until: UtcMillis,
    ) -> Result<Option<(HostId, UtcMillis)>, StoreError> {
        const NEWEST: &str =
            "select max(checked_at) from check_result where host_id = ?1 and checked_at <= ?2";
        let mut newest = None;
        for host in hosts {
            let found = self.query_first(NEWEST, params![host, until], |row| Ok(value(row, 0)))?;
            newest = newest.max(found.flatten().map(|at: UtcMillis| (at, *host)));
        }
        Ok(newest.map(|(at, host)| (host, at)))
    }

    /// Their ids.
    pub fn host_ids(&self, text: &str) -> Result<Vec<HostId>, StoreError> {
        let hosts = self.hosts_named(text)?;
        let mut ids: Vec<HostId> = hosts.iter().map(|host| host.id).collect();
        ids.sort_unstable();
        Ok(ids)
    }

    /// The first record of any of the hosts, roll-ups included. Times near 1970, of a computer
    /// without a clock, count only if there are no others.
    pub fn first_recorded(&self, hosts: &[HostId]) -> Result<Option<UtcMillis>, StoreError> {
        // An hour that contains the first check begins before it, so the check is more exact.
        const FIRST: &str = "with raw(at) as (select min(at) from (
            select (select min(checked_at) from check_result where host_id = ?1 and checked_at >= ?2) as at
            union all select (select min(checked_at) from not_measured_check where host_id = ?1 and checked_at >= ?2)))
            select iif(hour < at / 3600000 or at is null, hour * 3600000, at)
              from raw, (select (select min(hour) from rollup where host_id = ?1 and hour >= ?2 / 3600000) as hour)";
        let since = |host: &HostId, from: i64| {
            self.query_first(FIRST, params![host, from], |row| {
                Ok(value::<UtcMillis>(row, 0))
            })
            .map(Option::flatten)
        };
        let first = |host: &HostId| match since(host, IMPLAUSIBLE_BEFORE.0)? {
            None => since(host, 0),
            found => Ok(found),
        };
        let all: Result<Vec<Option<UtcMillis>>, StoreError> = hosts.iter().map(first).collect();
        Ok(all?.into_iter().flatten().min())
    }
}
