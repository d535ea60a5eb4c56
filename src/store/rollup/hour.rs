//! The roll-up of an hour: one row per host, made from the hour's checks after the hour is over,
//! and stored for years.

use std::ops::Range;

use rusqlite::{Connection, Row, params};

use super::checks::{each_check, each_not_measured};
use crate::pure::model::HostId;
use crate::pure::stats::Histogram;
use crate::pure::sums::{Counts, Latencies, Sums};
use crate::pure::time::Hour;
use crate::store::columns::{self, ReadRows, in_order, value};
use crate::store::rows::thresholds_of;

/// What is read of the sums.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detail {
    Whole,
    Counts,
}

/// The sums of an hour as far as they were read, with the encoded histogram.
#[derive(Debug)]
pub struct HourSums<'a> {
    pub counts: Counts,
    latencies: Latencies,
    histogram: &'a [u8],
}

impl<'a> HourSums<'a> {
    pub(in crate::store) fn packed(
        counts: Counts,
        latencies: Option<(Latencies, &'a [u8])>,
    ) -> HourSums<'a> {
        let (latencies, histogram) = latencies.unwrap_or_default();
        HourSums {
            counts,
            latencies,
            histogram,
        }
    }

    pub(in crate::store) fn add_to(&self, sums: &mut Sums) {
        sums.counts.merge(&self.counts);
        sums.latencies.merge(&self.latencies);
        // A damaged histogram counts as far as it can be read.
        let _ = sums.latencies.histogram.merge_stored(self.histogram);
    }
}

/// Calls `visit` with the sums of a host's hours: valid roll-ups, then stale hours from their
/// checks.
pub fn each_hour(
    connection: &Connection,
    host_id: HostId,
    hours: Range<Hour>,
    detail: Detail,
    visit: &mut dyn FnMut(Hour, &HourSums<'_>),
) -> rusqlite::Result<()> {
    const ROLLUPS: &str = "select hour, none, to_20, to_40, to_60, to_80, to_95, to_100, full, not_measured, sent, received,
                rate_sum, rate_min, rate_max, min_us, max_us, sum_us, avg_sum_us, latency_checks, histogram, down, degraded
           from rollup r
          where host_id = ?1 and hour >= ?2 and hour < ?3
            and not exists (select 1 from stale_rollup s where s.host_id = r.host_id and s.hour = r.hour) order by hour";
    const STALE: &str = "select hour from stale_rollup where host_id = ?1 and hour >= ?2 and hour < ?3 order by hour";
    if hours.is_empty() {
        return Ok(());
    }
    let mut statement = connection.prepare_cached(ROLLUPS)?;
    let mut rows = statement.query(params![host_id, hours.start, hours.end])?;
    while let Some(row) = rows.next()? {
        if let Some(hour) = value(row, 0) {
            visit(hour, &read(row, detail)?);
        }
    }
    let mut statement = connection.prepare_cached(STALE)?;
    let stale: Vec<Hour> =
        statement.read_all(params![host_id, hours.start, hours.end], |row| row.get(0))?;
    for hour in stale {
        let Sums { counts, latencies } = sum_up_hour(connection, host_id, hour)?;
        visit(
            hour,
            &HourSums {
                counts,
                latencies,
                histogram: &[],
            },
        );
    }
    Ok(())
}

fn read<'a>(row: &'a Row<'_>, detail: Detail) -> rusqlite::Result<HourSums<'a>> {
    let known = |index| columns::sum(row, index);
    let sum = |index| known(index).unwrap_or(0);
    let mut counts = Counts {
        not_measured: sum(9),
        sent: sum(10),
        received: sum(11).min(sum(10)),
        rate_sum: sum(12),
        rate_min: known(13),
        rate_max: known(14),
        ..Counts::default()
    };
    for (column, checks) in (1..).zip(&mut counts.by_rate) {
        *checks = sum(column);
    }
    match (known(21), known(22)) {
        (Some(below_degraded), Some(degraded)) => counts.set_judged(below_degraded, degraded),
        _ => counts.judge_by_rate(),
    }
    if detail == Detail::Counts {
        return Ok(HourSums::packed(counts, None));
    }
    let [min_us, max_us] = in_order([value(row, 15), value(row, 16)]);
    let latencies = Latencies {
        min_us,
        max_us,
        sum_us: sum(17),
        avg_sum_us: sum(18),
        checks: sum(19),
        histogram: Histogram::default(),
    };
    Ok(HourSums {
        counts,
        latencies,
        histogram: row.get_ref(20)?.as_blob().unwrap_or_default(),
    })
}

pub fn write(
    sums: &Sums,
    connection: &Connection,
    host_id: HostId,
    hour: Hour,
) -> rusqlite::Result<()> {
    const WRITE: &str = "insert or replace into rollup(host_id, hour, none, to_20, to_40, to_60, to_80, to_95, to_100, full,
        not_measured, sent, received, rate_sum, rate_min, rate_max, min_us, max_us, sum_us, avg_sum_us, latency_checks, histogram,
        down, degraded)
        values(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23, ?24)";
    let Sums { counts, latencies } = sums;
    let [none, to_20, to_40, to_60, to_80, to_95, to_100, full] = counts.by_rate;
    let values = params![
        host_id,
        hour,
        none,
        to_20,
        to_40,
        to_60,
        to_80,
        to_95,
        to_100,
        full,
        counts.not_measured,
        counts.sent,
        counts.received,
        counts.rate_sum,
        counts.rate_min,
        counts.rate_max,
        latencies.min_us,
        latencies.max_us,
        latencies.sum_us,
        latencies.avg_sum_us,
        latencies.checks,
        latencies.histogram.encode(),
        counts.below_degraded(),
        counts.degraded,
    ];
    connection
        .prepare_cached(WRITE)?
        .execute(values)
        .map(|_| ())
}

pub fn sum_up_hour(connection: &Connection, host_id: HostId, hour: Hour) -> rusqlite::Result<Sums> {
    let span = hour.start()..hour.next().start();
    let thresholds = thresholds_of(connection, host_id)?;
    let mut sums = Sums::default();
    each_check(connection, host_id, span.clone(), |_, check| {
        sums.add(&check, &thresholds)
    })?;
    each_not_measured(connection, host_id, span, |_| sums.counts.not_measured += 1)?;
    Ok(sums)
}
