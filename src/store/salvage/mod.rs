//! Reads what is readable of a damaged database of this program into a new one, page by page and
//! without SQLite, so that damage in one place costs only what lay there. The hourly sums, which lie
//! elsewhere, tell how many checks are missing. Of hours that have none yet, the tree of the table
//! tells where.

mod cells;
mod pages;
mod tables;
mod tree;

use std::collections::BTreeMap;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, params_from_iter};
use serde::Serialize;

use super::copy::write_whole;
use super::error::StoreError;
use super::open::open_to_write;
use super::presence::is_held;
use super::rollup::missing::missing_checks;
use crate::pure::model::HostId;
use crate::pure::time::{Hour, UtcMillis};
use pages::{Log, Pages, Use};
use tree::Span;

/// More memory than a monitor has for it: rows come in the order of pages.
const CACHE_KIB: i64 = 64 << 10;

/// What was readable and what was not.
#[derive(Debug, Serialize)]
pub struct Salvage {
    pub file: PathBuf,
    pub pages: u32,
    /// Pages whose rows cannot be read.
    pub damaged_pages: u32,
    /// Pages that the file should have.
    pub missing_pages: u32,
    /// Rows that cannot be read on pages that can.
    pub damaged_rows: usize,
    /// Whether there is a write-ahead log that cannot be read.
    pub is_log_unreadable: bool,
    /// Written rows of each table.
    pub tables: BTreeMap<&'static str, u64>,
    pub hosts: Vec<SalvagedHost>,
}

#[derive(Debug, Serialize)]
pub struct SalvagedHost {
    pub name: String,
    pub checks: u64,
    /// Checks that the hourly sums have and that are not there. Their sums are.
    pub lost: u64,
    /// The hours that these lie in.
    pub lost_in: Vec<Range<UtcMillis>>,
    /// When checks may be missing that no hourly sums count.
    pub uncounted_in: Vec<Range<UtcMillis>>,
}

impl Salvage {
    pub fn is_whole(&self) -> bool {
        let is_host_whole = |host: &SalvagedHost| host.lost == 0 && host.uncounted_in.is_empty();
        self.damaged_pages == 0
            && self.missing_pages == 0
            && self.damaged_rows == 0
            && !self.is_log_unreadable
            && self.hosts.iter().all(is_host_whole)
    }
}

/// Writes `to`, which must not exist. `from` and its log are only read. `progress` is called with the
/// number of pages done and of all.
pub fn salvage(
    from: &Path,
    to: &Path,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Salvage, StoreError> {
    if is_held(from) == Some(true) {
        return Err(StoreError::InUse {
            path: from.to_path_buf(),
        });
    }
    if to.exists() {
        return Err(StoreError::Exists {
            path: to.to_path_buf(),
        });
    }
    let not_readable = |cause: io::Error| StoreError::File {
        operation: "reading",
        path: from.to_path_buf(),
        cause,
    };
    let mut pages = Pages::open(from).map_err(not_readable)?;
    write_whole(to, from, |partial| {
        let mut connection = open_to_write(partial, &mut |_, _| ())?.0;
        let written = fill(&mut connection, &mut pages, progress);
        let counts = written.map_err(|cause| StoreError::Sqlite {
            operation: "writing",
            path: to.to_path_buf(),
            cause,
        })?;
        Ok(Salvage {
            file: to.to_path_buf(),
            ..counts
        })
    })
}

fn fill(
    connection: &mut Connection,
    pages: &mut Pages,
    progress: &mut dyn FnMut(u64, u64),
) -> rusqlite::Result<Salvage> {
    connection.pragma_update(None, "cache_size", -CACHE_KIB)?;
    connection.pragma_update(None, "journal_mode", "off")?;
    let transaction = connection.transaction()?;
    let mut salvage = Salvage {
        file: PathBuf::new(),
        pages: pages.count,
        damaged_pages: 0,
        missing_pages: pages
            .expected
            .map_or(0, |all| all.saturating_sub(pages.count)),
        damaged_rows: 0,
        is_log_unreadable: pages.log == Log::Unreadable,
        tables: BTreeMap::new(),
        hosts: Vec::new(),
    };
    let mut root = None;
    for page in 1..=pages.count {
        if page % 256 == 0 {
            progress(page.into(), pages.count.into());
        }
        read_page(&transaction, pages, page, &mut salvage, &mut root)?;
    }
    complete(&transaction)?;
    let unreadable = tree::unreadable_spans(pages, root);
    salvage.hosts = hosts(&transaction, &unreadable, pages.written_at)?;
    transaction.commit()?;
    Ok(salvage)
}

fn read_page(
    connection: &Connection,
    pages: &mut Pages,
    page: u32,
    salvage: &mut Salvage,
    root_of_checks: &mut Option<u32>,
) -> rusqlite::Result<()> {
    let used = pages.use_of(page);
    if matches!(used, Use::Free | Use::Overflow | Use::PointerMap) {
        return Ok(());
    }
    let Some(bytes) = pages.read(page) else {
        salvage.missing_pages += 1;
        return Ok(());
    };
    let Some((rows, unreadable)) = cells::rows(pages, page, &bytes) else {
        // Of a page of unknown use nothing is known; a map has no rows.
        let is_damaged = used == Use::Tree || bytes.iter().all(|byte| *byte == 0);
        salvage.damaged_pages += u32::from(is_damaged);
        return Ok(());
    };
    salvage.damaged_rows += unreadable;
    for row in rows {
        let Some(table) = tables::table_of(&row) else {
            *root_of_checks = root_of_checks.or(tree::root_of_checks(&row));
            continue;
        };
        let columns = table.columns_of(row.values.len());
        let places = vec!["?"; row.values.len()].join(", ");
        let insert = format!(
            "insert or ignore into {}({columns}) values({places})",
            table.name
        );
        let mut values = row.values;
        if let (Some(id), Some(first)) = (row.id, values.first_mut()) {
            *first = id.into();
        }
        let written = connection
            .prepare_cached(&insert)?
            .execute(params_from_iter(values))?;
        *salvage.tables.entry(table.name).or_default() += written as u64;
    }
    Ok(())
}

/// What follows from the rows: hosts whose own row is lost, which sums are to be made, and before
/// when the checks were deleted.
fn complete(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch(
        "insert into host(id, address, source, name)
         select host_id, coalesce(host_address, 'unknown-' || host_id), '', coalesce(host_name, 'unknown host ' || host_id)
           from (select distinct host_id from check_result union select distinct host_id from rollup) lost
           left join (select host_id as id, host_address, host_name, max(start_time) from outage_events
                       where event_type <> 'link_down' group by host_id) told on told.id = lost.host_id
          where host_id not in (select id from host);
         insert or ignore into stale_rollup(host_id, hour)
         select host_id, checked_at / 3600000 from
             (select host_id, checked_at from check_result union all select host_id, checked_at from not_measured_check) c
          where not exists (select 1 from rollup r where r.host_id = c.host_id and r.hour = c.checked_at / 3600000);
         insert into stale_rollup_day(host_id, day) select distinct host_id, hour / 24 from rollup;
         update pruning set pruned_before = coalesce((select min(checked_at) / 3600000 * 3600000 from check_result), 0)",
    )
}

fn hosts(
    connection: &Connection,
    unreadable: &[Span],
    written_at: UtcMillis,
) -> rusqlite::Result<Vec<SalvagedHost>> {
    const HOSTS: &str = "select id, name from host order by id";
    const CHECKS: &str = "select count(*) from check_result where host_id = ?1";
    let hosts: Vec<(HostId, String)> = connection
        .prepare(HOSTS)?
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<rusqlite::Result<_>>()?;
    let one = |(id, name): (HostId, String)| {
        let checks: i64 = connection.query_row(CHECKS, [id], |row| row.get(0))?;
        let (lost, lost_in) = missing_checks(connection, id, &(Hour(0)..Hour(i64::MAX)))?;
        Ok(SalvagedHost {
            name,
            checks: checks.unsigned_abs(),
            lost,
            lost_in,
            uncounted_in: tree::uncounted(connection, id, unreadable, written_at)?,
        })
    };
    hosts.into_iter().map(one).collect()
}
