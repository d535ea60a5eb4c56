//! Imports another database of this program: what was recorded before a damaged file was replaced
//! joins what was recorded since.

use std::path::Path;

use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};

use super::import::{ATTACHED, Import, with_attached};
use super::own::import_rows;
use crate::pure::model::HostId;
use crate::pure::time::UtcMillis;
use crate::store::error::StoreError;

/// Hosts are the same if their identity is. Their newer name is the one here.
const ENTER_HOSTS: &str = "
create temp table ace_host_here(old integer primary key, new integer);
insert into main.host(address, family, source, name, up_rate, degraded_rate, latency_limit_us, ping_spacing_ms, resolved_address)
select address, family, source, name, up_rate, degraded_rate, latency_limit_us, ping_spacing_ms, resolved_address
  from other.host o where not exists (select 1 from main.host h where h.address = o.address and h.family = o.family
                                         and coalesce(h.source, '') = coalesce(o.source, ''));
insert into temp.ace_host_here select o.id, min(h.id) from other.host o
  join main.host h on h.address = o.address and h.family = o.family and coalesce(h.source, '') = coalesce(o.source, '')
 group by o.id;
insert or ignore into main.former_name select new, f.name from other.former_name f
  join temp.ace_host_here on old = f.host_id join main.host h on h.id = new and h.name <> f.name;";

const MERGE_CHECKS: &str = "
insert or ignore into main.check_result
select m.new, checked_at, sent, received, min_us, avg_us, max_us, rtts from other.check_result e
  join temp.ace_host_here m on m.old = e.host_id where e.host_id = ?1";

/// Sums of hours in which both have checks are made again, and those of all days that are touched.
const MERGE_SUMS: &str = "
insert or ignore into main.stale_rollup
select m.new, e.hour from other.rollup e join temp.ace_host_here m on m.old = e.host_id
 where exists (select 1 from main.rollup r where r.host_id = m.new and r.hour = e.hour)
    or exists (select 1 from main.stale_rollup s where s.host_id = m.new and s.hour = e.hour);
insert or ignore into main.stale_rollup
select m.new, e.hour from other.stale_rollup e join temp.ace_host_here m on m.old = e.host_id;
insert or ignore into main.rollup(host_id, hour, none, to_20, to_40, to_60, to_80, to_95, to_100, full, not_measured, sent,
       received, rate_sum, rate_min, rate_max, min_us, max_us, sum_us, avg_sum_us, latency_checks, histogram, down, degraded)
select m.new, hour, none, to_20, to_40, to_60, to_80, to_95, to_100, full, not_measured, sent,
       received, rate_sum, rate_min, rate_max, min_us, max_us, sum_us, avg_sum_us, latency_checks, histogram, down, degraded
  from other.rollup e join temp.ace_host_here m on m.old = e.host_id;
insert or ignore into main.stale_rollup_day
select distinct m.new, e.hour / 24 from other.rollup e join temp.ace_host_here m on m.old = e.host_id;
delete from main.rollup_day where exists
    (select 1 from main.stale_rollup_day s where s.host_id = rollup_day.host_id and s.day = rollup_day.day);";

/// An outage that was ongoing there, and not here, ended nobody knows when: it counts up to the last
/// check there.
const END_OUTAGES: &str = "
update main.outage_events set removed = 1,
       end_time = max(start_time, coalesce((select strftime('%Y-%m-%d %H:%M:%f', max(c.checked_at) / 1000.0, 'unixepoch')
           from temp.ace_host_here m join other.check_result c on c.host_id = m.old
          where m.new = outage_events.host_id), start_time)),
       notes = coalesce(notes || '; ', '') || 'the database was damaged during the outage: its end is unknown'
 where id > ?1 and end_time is null";

/// In one transaction; what is recorded here already is recognised.
pub fn merge(
    connection: &mut Connection,
    path: &Path,
    from: &Path,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Import, StoreError> {
    with_attached(connection, path, from, |connection| {
        let merged = merge_attached(connection, progress);
        let dropped = connection.execute_batch("drop table if exists temp.ace_host_here");
        merged.and_then(|import| dropped.map(|()| import))
    })
}

fn merge_attached(
    connection: &mut Connection,
    progress: &mut dyn FnMut(u64, u64),
) -> rusqlite::Result<Import> {
    const SPAN: &str = "select min(checked_at), max(checked_at), count(*) from other.check_result";
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let events_before: Option<i64> = transaction
        .query_row("select max(id) from main.outage_events", [], |row| {
            row.get(0)
        })
        .optional()?
        .flatten();
    transaction.execute_batch(ENTER_HOSTS)?;
    let (first, last, total): (Option<i64>, Option<i64>, i64) =
        transaction.query_row(SPAN, [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    let total = total.unsigned_abs();
    let hosts: Vec<HostId> = transaction
        .prepare("select old from temp.ace_host_here order by old")?
        .query_map([], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    let mut import = Import {
        has_utc: true,
        span: first
            .zip(last)
            .map(|(first, last)| (UtcMillis(first), UtcMillis(last))),
        ..Import::default()
    };
    for (index, host) in (1..).zip(&hosts) {
        import.checks += transaction.execute(MERGE_CHECKS, params![host])? as u64;
        progress(total * index / hosts.len() as u64, total);
    }
    import.known = total.saturating_sub(import.checks);
    import.events = import_rows(&transaction, ATTACHED, |table| table.ours)?;
    transaction.execute(END_OUTAGES, [events_before.unwrap_or(0)])?;
    transaction.execute_batch(MERGE_SUMS)?;
    transaction.commit()?;
    Ok(import)
}
