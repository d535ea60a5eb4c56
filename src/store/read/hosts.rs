//! The hosts that were ever recorded.

use rusqlite::params;

use super::reader::Reader;
use crate::pure::address::IpVersion;
use crate::pure::model::{Host, HostId};
use crate::pure::time::{IMPLAUSIBLE_BEFORE, UtcMillis};
use crate::store::columns::text;
use crate::store::error::StoreError;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordedHost {
    pub id: HostId,
    /// Its newest name.
    pub name: String,
    pub address: String,
    /// `None` for either version of IP.
    pub family: Option<IpVersion>,
}

impl Reader {
    /// By name.
    pub fn hosts(&self) -> Result<Vec<RecordedHost>, StoreError> {
        const HOSTS: &str =
            "select id, name, address, family from host order by name, address, family";
        self.query(HOSTS, [], |row| {
            let (name, address) = (
                text(row, 1)?.unwrap_or_default(),
                text(row, 2)?.unwrap_or_default(),
            );
            Ok(RecordedHost {
                id: row.get(0)?,
                name,
                address,
                family: IpVersion::from_number(row.get(3)?),
            })
        })
    }

    /// The ids of a host by its key: an address, which means all its families, or an address
    /// followed by a family (see [`Host::key`]). None when it was never recorded.
    pub fn host_ids(&self, key: &str) -> Result<Vec<HostId>, StoreError> {
        const IDS: &str = "select id from host where address = ?1 collate nocase and (?2 is null or family = ?2) order by id";
        let (address, family) = Host::split_key(key);
        self.query(
            IDS,
            params![address, family.map(IpVersion::number)],
            |row| row.get(0),
        )
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
            self.with_connection(|c| {
                c.prepare_cached(FIRST)?
                    .query_row(params![host, from], |row| row.get::<_, Option<i64>>(0))
            })
        };
        let first = |host: &HostId| match since(host, IMPLAUSIBLE_BEFORE.0)? {
            None => since(host, 0),
            found => Ok(found),
        };
        let all: Result<Vec<Option<i64>>, StoreError> = hosts.iter().map(first).collect();
        Ok(all?.into_iter().flatten().min().map(UtcMillis))
    }
}
