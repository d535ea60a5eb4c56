//! Finds since when a host is slower, faster, or loses more or fewer pings, while its checks are
//! written, and records it in the table `level_changes` in the transaction of the check.
//!
//! The state of a host's detector is not stored. It is made at the host's first check: of its newest
//! recorded checks, of each kind those since the newest recorded change, because that is what the
//! detector knew when it had found that change. What it finds in them is not recorded again.
//!
//! A check that could not be made changes no level, and neither does one made by the command `check`.
//! An outage is no change of the loss: the change to or from no reply at all is not recorded, since
//! the outage is. The loss after an outage of ten checks or more is not compared with that before it.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use rusqlite::{Connection, Row, params};

use crate::pure::change::{ChangeDetector, ChangeKind, CheckLevels, LevelChange, REPLAYED};
use crate::pure::model::{CheckResult, HostId, State};
use crate::pure::stats;
use crate::pure::time::UtcMillis;
use crate::store::columns::{ReadRows, latencies, pings, value};

#[derive(Debug, Default)]
pub struct Levels {
    detectors: HashMap<HostId, ChangeDetector>,
}

impl Levels {
    /// Records what a check, which was recorded at `at`, has made certain.
    pub fn add_check(
        &mut self,
        connection: &Connection,
        host_id: HostId,
        result: &CheckResult,
        at: UtcMillis,
    ) -> rusqlite::Result<()> {
        if result.state() == State::NotMeasured || result.is_by_hand || result.is_beside_monitor {
            return Ok(());
        }
        let detector = match self.detectors.entry(host_id) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => new.insert(detector_before(connection, host_id, at)?),
        };
        let check = CheckLevels {
            at,
            sent: result.sent(),
            received: result.received(),
            median_us: stats::median(result.rtts_us().flatten()),
        };
        for change in detector.add(check).filter(|change| !change.is_of_outage()) {
            insert(connection, host_id, &change)?;
        }
        Ok(())
    }

    /// The detectors are made anew of what is recorded: after times were corrected, and after a
    /// transaction failed.
    pub fn forget(&mut self) {
        self.detectors.clear();
    }
}

fn insert(connection: &Connection, host_id: HostId, change: &LevelChange) -> rusqlite::Result<()> {
    const INSERT: &str =
        "insert or ignore into level_changes(host_id, kind, at, before, after, sureness)
                          values(?1, ?2, ?3, ?4, ?5, ?6)";
    let values = params![
        host_id,
        change.kind.as_str(),
        change.at,
        change.before,
        change.after,
        change.sureness
    ];
    connection.prepare_cached(INSERT)?.execute(values).map(drop)
}

/// A detector that knows the checks of a host before an instant.
fn detector_before(
    connection: &Connection,
    host_id: HostId,
    end: UtcMillis,
) -> rusqlite::Result<ChangeDetector> {
    const NEWEST: &str = "select checked_at, sent, received, min_us, avg_us, max_us, rtts from check_result
                           where host_id = ?1 and checked_at < ?2 order by checked_at desc limit ?3";
    let limit = i64::try_from(REPLAYED).expect("it is small");
    let newest = connection
        .prepare_cached(NEWEST)?
        .read_all(params![host_id, end, limit], |row| {
            Ok(check_of(row, row.get(0)?))
        })?;
    let [latency_since, loss_since] = [
        newest_change(connection, host_id, ChangeKind::Latency)?,
        newest_change(connection, host_id, ChangeKind::Loss)?,
    ];
    let mut detector = ChangeDetector::new();
    for check in newest.into_iter().rev() {
        let known = CheckLevels {
            median_us: check.median_us.filter(|_| check.at >= latency_since),
            sent: if check.at >= loss_since {
                check.sent
            } else {
                0
            },
            ..check
        };
        detector.add(known).for_each(drop);
    }
    Ok(detector)
}

fn check_of(row: &Row<'_>, at: UtcMillis) -> CheckLevels {
    let (sent, received) = pings(row, 1);
    let [min_us, avg_us, _] = latencies(row, 3);
    let rtts: Option<Vec<u8>> = value(row, 6);
    let rtts = rtts.and_then(|rtts| stats::decode_rtts(&rtts, min_us.unwrap_or(0)));
    let count = |count| u32::try_from(count).unwrap_or(0);
    CheckLevels {
        at,
        sent: count(sent),
        received: count(received),
        median_us: match rtts {
            Some(rtts) => stats::median(rtts.into_iter().flatten()),
            // An imported check has only its sums.
            None => avg_us,
        },
    }
}

/// The beginning of time without one.
fn newest_change(
    connection: &Connection,
    host_id: HostId,
    kind: ChangeKind,
) -> rusqlite::Result<UtcMillis> {
    const NEWEST: &str =
        "select at from level_changes where host_id = ?1 and kind = ?2 and typeof(at) = 'integer'
                           order by at desc limit 1";
    let found = connection
        .prepare_cached(NEWEST)?
        .read_first(params![host_id, kind.as_str()], |row| row.get(0))?;
    Ok(found.unwrap_or(UtcMillis(0)))
}
