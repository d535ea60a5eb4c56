//! What a new file takes over from the damaged one before it: hosts, outages that are ongoing, and
//! notices that wait, as far as they can be read.

use std::path::Path;

use rusqlite::types::Value;
use rusqlite::{Connection, Transaction, params_from_iter};

use crate::store::connection::open_to_read;
use crate::store::damage::require_not_emptied;
use crate::store::file::with_suffix;

const WAITING: &str = "select id from notice where told_at is null";

/// Tables, and which rows of them. The ids stay the same.
const TABLES: [(&str, &str); 8] = [
    ("host", "1"),
    ("former_name", "1"),
    ("host_interval", "1"),
    ("doubt", "1"),
    ("loss", "1"),
    (
        "outage_events",
        "end_time is null or id in (select event_id from notice_event where notice_id in (WAITING))",
    ),
    ("notice", "id in (WAITING)"),
    ("notice_event", "notice_id in (WAITING)"),
];

/// Copies what is readable of each table into the new file; what is not is left.
pub fn carry_over(damaged: &Path, new: &mut Connection) {
    // SQLite would delete the log of an empty file.
    let old = require_not_emptied(damaged)
        .ok()
        .and_then(|()| open_to_read(damaged).ok());
    let lost: Vec<&str> = match old {
        Some(old) => TABLES
            .into_iter()
            .filter(|(table, rows)| {
                let rows = rows.replace("WAITING", WAITING);
                copy(&old, new, table, &rows).is_err()
            })
            .map(|(table, _)| table)
            .collect(),
        None => TABLES.map(|(table, _)| table).to_vec(),
    };
    // Made for reading the log, which keeps what it needs.
    drop(std::fs::remove_file(with_suffix(damaged, "-shm")));
    if !lost.is_empty() {
        log::warn!(
            "{}: what these tables say is not known in the new file: {}; outages that are ongoing \
             begin anew",
            damaged.display(),
            lost.join(", ")
        );
    }
}

/// All of these rows, or none.
fn copy(old: &Connection, new: &mut Connection, table: &str, rows: &str) -> rusqlite::Result<()> {
    let mut found = old.prepare(&format!("select * from {table} where {rows}"))?;
    let columns = found.column_names().collect::<Vec<_>>().join(", ");
    let places = vec!["?"; found.column_count()].join(", ");
    let transaction: Transaction<'_> = new.transaction()?;
    {
        let insert = format!("insert or ignore into {table}({columns}) values({places})");
        let mut insert = transaction.prepare(&insert)?;
        let count = found.column_count();
        let mut rows = found.query([])?;
        while let Some(row) = rows.next()? {
            let values: Vec<Value> = (0..count)
                .map(|index| row.get(index))
                .collect::<rusqlite::Result<_>>()?;
            insert.execute(params_from_iter(values))?;
        }
    }
    transaction.commit()
}
