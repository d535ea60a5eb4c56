//! Which columns of the original's tables are read.

use rusqlite::Connection;

pub const CHECK_COLUMNS: &str = "id, host_name, host_address, timestamp, success_count, failure_count, min_latency, avg_latency, max_latency";

pub const EVENT_COLUMNS: &str = "id, host_name, host_address, start_time, end_time, duration_seconds, checks_failed, \
                             checks_during_outage, recovery_success_rate, notes";

/// Whether a schema has the original's table, with the columns that are read here.
pub fn has_table(connection: &Connection, schema: &str) -> rusqlite::Result<bool> {
    has_columns(connection, schema, "ping_results", CHECK_COLUMNS)
}

pub fn has_columns(
    connection: &Connection,
    schema: &str,
    table: &str,
    columns: &str,
) -> rusqlite::Result<bool> {
    let sql =
        format!("select count(*) from {schema}.sqlite_schema where type = 'table' and name = ?1");
    let is_table: i64 = connection.query_row(&sql, [table], |row| row.get(0))?;
    if is_table == 0 {
        return Ok(false);
    }
    match connection.prepare(&format!("select {columns} from {schema}.{table}")) {
        Ok(_) => Ok(true),
        // A column is missing.
        Err(rusqlite::Error::SqliteFailure(..) | rusqlite::Error::SqlInputError { .. }) => {
            Ok(false)
        }
        Err(other) => Err(other),
    }
}
