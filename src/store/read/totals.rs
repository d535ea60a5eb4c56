//! What was counted of a host before an instant, so that an export can go on from there.

use rusqlite::Row;

use super::reader::Reader;
use crate::pure::model::HostId;
use crate::pure::time::UtcMillis;
use crate::pure::totals::HostTotals;
use crate::store::columns::{ReadRows, value};
use crate::store::error::StoreError;
use crate::store::rollup::checks::each_check;
use crate::store::rows::thresholds_of;

impl Reader {
    /// The counts of measured checks before `from`: with those of the rows from then on they are what
    /// `/metrics` shows. Nothing where no monitor of this version ran yet.
    pub fn totals_before(
        &self,
        host_id: HostId,
        from: UtcMillis,
    ) -> Result<HostTotals, StoreError> {
        const STORED: &str = "select counted_until, totals from host_total where host_id = ?1";
        let read = |row: &Row<'_>| {
            let totals = row.get_ref(1)?.as_blob().ok();
            Ok(value::<UtcMillis>(row, 0).zip(totals.and_then(HostTotals::decode)))
        };
        self.in_transaction(|connection| {
            let stored = connection
                .prepare_cached(STORED)?
                .read_first([host_id], read)?;
            let Some((until, mut totals)) = stored.flatten() else {
                return Ok(HostTotals::default());
            };
            let after = until.plus(1);
            let rows = after.min(from)..after.max(from);
            let thresholds = thresholds_of(connection, host_id)?;
            let mut between = HostTotals::default();
            each_check(connection, host_id, rows, |_, check| {
                between.add_row(&check, &thresholds)
            })?;
            if from < after {
                totals.subtract_checks(&between);
            } else {
                totals.merge_checks(&between);
            }
            Ok(totals)
        })
    }
}
