//! The newest check of every host.

use rusqlite::Row;

use super::reader::Reader;
use crate::pure::address::IpVersion;
use crate::pure::model::{HostId, State, Thresholds};
use crate::pure::stats;
use crate::pure::time::UtcMillis;
use crate::store::columns::{read_thresholds, text};
use crate::store::error::StoreError;

/// The newest check of a host.
#[derive(Clone, Debug, PartialEq)]
pub struct LatestCheck {
    /// The host's id.
    pub host_id: HostId,
    /// The host's newest name.
    pub name: String,
    /// Its address.
    pub address: String,
    /// `None` for either version of IP.
    pub family: Option<IpVersion>,
    /// When it was checked.
    pub checked_at: UtcMillis,
    /// Pings sent; 0 when it could not be measured.
    pub sent: i64,
    /// Pings answered.
    pub received: i64,
    /// Least round-trip time in microseconds.
    pub min_us: Option<i64>,
    /// Mean round-trip time in microseconds.
    pub avg_us: Option<i64>,
    /// Greatest round-trip time in microseconds.
    pub max_us: Option<i64>,
    /// Each ping's round-trip time in microseconds, `None` a lost one; `None` where only the sums
    /// are known.
    pub rtts_us: Option<Vec<Option<u32>>>,
    /// Why pings were lost or nothing could be measured.
    pub reason: Option<String>,
    /// Whether the check could be made at all.
    pub is_measured: bool,
    /// By what its state is judged.
    pub thresholds: Thresholds,
}

impl LatestCheck {
    /// 0 to 100.
    pub fn success_rate(&self) -> f64 {
        if self.sent == 0 {
            0.0
        } else {
            self.received as f64 * 100.0 / self.sent as f64
        }
    }

    /// Pings that were not answered.
    pub fn failure_count(&self) -> i64 {
        self.sent.saturating_sub(self.received)
    }

    /// Least, mean and greatest round-trip time in milliseconds.
    pub fn latencies_ms(&self) -> [Option<f64>; 3] {
        [self.min_us, self.avg_us, self.max_us].map(|us| us.map(|us| us as f64 / 1000.0))
    }

    /// Its state.
    pub fn state(&self) -> State {
        match (
            self.is_measured,
            u64::try_from(self.sent),
            u64::try_from(self.received),
        ) {
            (true, Ok(0) | Err(_), _) | (true, _, Err(_)) => State::Down,
            (true, Ok(sent), Ok(received)) => self.thresholds.judge(
                sent,
                received,
                self.avg_us.and_then(|us| u32::try_from(us).ok()),
            ),
            (false, ..) => State::NotMeasured,
        }
    }
}

impl Reader {
    /// The newest check of every host that was ever recorded, by name. What a clock that was wrong
    /// has dated behind `now` stands only for a host that has nothing else.
    pub fn latest_checks(&self, now: UtcMillis) -> Result<Vec<LatestCheck>, StoreError> {
        const LATEST: &str = "
            select h.name, h.address, h.family, c.checked_at, c.sent, c.received, c.min_us, c.avg_us, c.max_us, n.reason,
                   m.checked_at, m.reason, h.id, c.rtts, h.up_rate, h.degraded_rate, h.latency_limit_us
              from host h
              left join check_result c on c.host_id = h.id
                   and c.checked_at = coalesce((select max(checked_at) from check_result where host_id = h.id and checked_at <= ?1),
                                               (select max(checked_at) from check_result where host_id = h.id
                                                 and not exists (select 1 from not_measured_check
                                                                  where host_id = h.id and checked_at <= ?1)))
              left join check_note n on n.host_id = h.id and n.checked_at = c.checked_at
              left join not_measured_check m on m.host_id = h.id
                   and m.checked_at = coalesce((select max(checked_at) from not_measured_check where host_id = h.id and checked_at <= ?1),
                                               (select max(checked_at) from not_measured_check where host_id = h.id
                                                 and not exists (select 1 from check_result
                                                                  where host_id = h.id and checked_at <= ?1)))
             where c.checked_at is not null or m.checked_at is not null
             order by h.name, h.address, h.family";
        let read = |row: &Row<'_>| {
            let measured_at: Option<i64> = row.get(3)?;
            let not_measured_at: Option<i64> = row.get(10)?;
            let is_measured = measured_at > not_measured_at || not_measured_at.is_none();
            let if_measured = |index| {
                if is_measured {
                    row.get::<_, Option<i64>>(index)
                } else {
                    Ok(None)
                }
            };
            let min_us = if_measured(6)?;
            let rtts = row
                .get_ref(13)?
                .as_blob_or_null()
                .unwrap_or(None)
                .filter(|_| is_measured);
            let least = min_us.and_then(|us| u32::try_from(us).ok()).unwrap_or(0);
            Ok(LatestCheck {
                host_id: row.get(12)?,
                name: text(row, 0)?.unwrap_or_default(),
                address: text(row, 1)?.unwrap_or_default(),
                family: IpVersion::from_number(row.get(2)?),
                checked_at: UtcMillis(measured_at.max(not_measured_at).unwrap_or(0)),
                sent: if_measured(4)?.unwrap_or(0),
                received: if_measured(5)?.unwrap_or(0),
                min_us,
                avg_us: if_measured(7)?,
                max_us: if_measured(8)?,
                rtts_us: rtts.and_then(|bytes| stats::decode_rtts(bytes, least)),
                reason: text(row, if is_measured { 9 } else { 11 })?,
                is_measured,
                thresholds: read_thresholds(row, 14),
            })
        };
        self.query(LATEST, [now.0], read)
    }
}
