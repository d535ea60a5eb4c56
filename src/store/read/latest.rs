//! The newest check of every host.

use rusqlite::Row;

use super::checks::RecordedCheck;
use super::reader::Reader;
use crate::pure::address::{IpVersion, Source};
use crate::pure::host_key::HostIdentity;
use crate::pure::model::{HostId, State, Thresholds};
use crate::pure::stats;
use crate::pure::time::{LATEST_MS, UtcMillis};
use crate::store::columns::{latencies, pings, read_thresholds, source, text, value};
use crate::store::error::StoreError;

/// The newest check of a host.
#[derive(Clone, Debug, PartialEq)]
pub struct LatestCheck {
    pub host_id: HostId,
    /// `None` for either version of IP.
    pub family: Option<IpVersion>,
    /// `None` where routing chooses.
    pub source: Option<Source>,
    /// The address that a name or the gateway was last pinged at.
    pub resolved: Option<String>,
    /// Without any pings where it could not be measured.
    pub check: RecordedCheck,
}

impl LatestCheck {
    pub fn identity(&self) -> HostIdentity<'_> {
        HostIdentity {
            address: &self.check.address,
            family: self.family,
            source: self.source.as_ref(),
        }
    }

    pub fn is_measured(&self) -> bool {
        self.check.state != State::NotMeasured
    }
}

fn state(thresholds: &Thresholds, sent: i64, received: i64, avg_us: Option<u32>) -> State {
    match (u64::try_from(sent), u64::try_from(received)) {
        (Ok(sent @ 1..), Ok(received)) => thresholds.judge(sent, received, avg_us),
        _ => State::Down,
    }
}

impl Reader {
    /// The newest check of every host that was ever recorded, by name. A check that a
    /// wrong clock dated after `now` is returned only for a host without any other.
    pub fn latest_checks(&self, now: UtcMillis) -> Result<Vec<LatestCheck>, StoreError> {
        const LATEST: &str = "
            select h.name, h.address, h.family, c.checked_at, c.sent, c.received, c.min_us, c.avg_us, c.max_us, n.reason,
                   m.checked_at, m.reason, h.id, c.rtts, h.up_rate, h.degraded_rate, h.latency_limit_us,
                   n.late, n.duplicates, n.foreigners, h.source, h.resolved_address
              from host h
              left join check_result c on c.host_id = h.id
                   and c.checked_at = coalesce((select max(checked_at) from check_result where host_id = h.id and checked_at <= ?1),
                                               (select max(checked_at) from check_result where host_id = h.id and checked_at <= ?2
                                                 and not exists (select 1 from not_measured_check
                                                                  where host_id = h.id and checked_at <= ?1)))
              left join check_note n on n.host_id = h.id and n.checked_at = c.checked_at
              left join not_measured_check m on m.host_id = h.id
                   and m.checked_at = coalesce((select max(checked_at) from not_measured_check where host_id = h.id and checked_at <= ?1),
                                               (select max(checked_at) from not_measured_check where host_id = h.id and checked_at <= ?2
                                                 and not exists (select 1 from check_result
                                                                  where host_id = h.id and checked_at <= ?1)))
             where c.checked_at is not null or m.checked_at is not null
             order by h.name, h.address, h.family, h.source";
        let read = |row: &Row<'_>| {
            let measured_at: Option<UtcMillis> = row.get(3)?;
            let not_measured_at: Option<UtcMillis> = row.get(10)?;
            let is_measured = measured_at > not_measured_at || not_measured_at.is_none();
            let (sent, received) = if is_measured { pings(row, 4) } else { (0, 0) };
            let [min_us, avg_us, max_us] = latencies(row, 6).map(|us| us.filter(|_| is_measured));
            let rtts = row
                .get_ref(13)?
                .as_blob_or_null()
                .unwrap_or(None)
                .filter(|_| is_measured);
            let note = |index| {
                let count = value::<u32>(row, index).filter(|_| is_measured);
                i64::from(count.unwrap_or(0))
            };
            let state = if is_measured {
                state(&read_thresholds(row, 14), sent, received, avg_us)
            } else {
                State::NotMeasured
            };
            let check = RecordedCheck {
                name: text(row, 0)?.unwrap_or_default(),
                address: text(row, 1)?.unwrap_or_default(),
                checked_at: measured_at.max(not_measured_at).unwrap_or(UtcMillis(0)),
                sent,
                received,
                min_us,
                avg_us,
                max_us,
                rtts_us: rtts.and_then(|bytes| stats::decode_rtts(bytes, min_us.unwrap_or(0))),
                late: note(17),
                duplicates: note(18),
                foreign: note(19),
                reason: text(row, if is_measured { 9 } else { 11 })?,
                state,
            };
            Ok(LatestCheck {
                host_id: row.get(12)?,
                family: value(row, 2).and_then(IpVersion::from_number),
                source: source(row, 20)?,
                resolved: text(row, 21)?,
                check,
            })
        };
        self.query(LATEST, [now.0, LATEST_MS], read)
    }
}
