//! Writes the tables of an exported file that the original does not read: own.rs.

use std::ops::Range;

use rusqlite::types::Value;
use rusqlite::{Connection, params, params_from_iter};

use super::own::TABLES;
use crate::pure::address::IpVersion;
use crate::pure::model::HostId;
use crate::pure::time::UtcMillis;
use crate::store::error::StoreError;
use crate::store::read::hosts::RecordedHost;
use crate::store::read::reader::Reader;
use crate::store::rows::source_column;

/// ace_check, ace_outage: the host of a row of the original's tables, and its times in UTC, since
/// the original's are local times of a zone that it does not name.
const HOST_TABLES: &str = "
create table ace_host(id integer primary key, address text, family integer, source text, name text);
create table ace_check(check_id integer primary key, host_id integer, checked_at integer);
create table ace_outage(event_id integer primary key, started_at integer, ended_at integer);";

/// Creates the tables, and names the hosts.
pub fn begin_export(file: &Connection, hosts: &[RecordedHost]) -> rusqlite::Result<()> {
    file.execute_batch(HOST_TABLES)?;
    for table in &TABLES {
        let host = if table.has_host { "host_id, " } else { "" };
        file.execute_batch(&format!(
            "create table {}({host}{})",
            table.name, table.columns
        ))?;
    }
    for host in hosts {
        let (family, source) = (
            IpVersion::family_column(host.family),
            source_column(host.source.as_ref()),
        );
        file.execute(
            "insert into ace_host values(?1, ?2, ?3, ?4, ?5)",
            params![host.id, host.address, family, source, host.name],
        )?;
    }
    Ok(())
}

/// Notes the host and the time of the check that was inserted last.
pub fn note_check(file: &Connection, host: &RecordedHost, at: UtcMillis) -> rusqlite::Result<()> {
    let id = file.last_insert_rowid();
    file.prepare_cached("insert into ace_check values(?1, ?2, ?3)")?
        .execute(params![id, host.id, at.0])
        .map(drop)
}

/// Notes the times of the outage that was inserted last.
pub fn note_outage(
    file: &Connection,
    start: UtcMillis,
    end: Option<UtcMillis>,
) -> rusqlite::Result<()> {
    let id = file.last_insert_rowid();
    file.prepare_cached("insert into ace_outage values(?1, ?2, ?3)")?
        .execute(params![id, start.0, end.map(|end| end.0)])
        .map(drop)
}

impl Reader {
    /// Fills the tables of an exported file.
    pub fn export_own(
        &self,
        file: &Connection,
        hosts: &[RecordedHost],
        span: &Range<UtcMillis>,
        failed: &dyn Fn(rusqlite::Error) -> StoreError,
    ) -> Result<(), StoreError> {
        for table in &TABLES {
            let owners: Vec<Option<HostId>> = if table.has_host {
                hosts.iter().map(|host| Some(host.id)).collect()
            } else {
                vec![None]
            };
            let columns = table.columns.split(',').count();
            let places = vec!["?"; columns + usize::from(table.has_host)].join(", ");
            let insert = format!("insert into {} values({places})", table.name);
            for owner in owners {
                let select = format!(
                    "select {} from {} where {} and ?3 is ?3",
                    table.columns, table.ours, table.exported
                );
                let values = params![span.start.0, span.end.0, owner];
                let rows = self.query(&select, values, |row| {
                    (0..columns)
                        .map(|index| row.get(index))
                        .collect::<rusqlite::Result<Vec<Value>>>()
                })?;
                for row in rows {
                    let host = owner.map(|id| Value::from(id.0));
                    file.prepare_cached(&insert)
                        .and_then(|mut insert| {
                            insert.execute(params_from_iter(host.into_iter().chain(row)))
                        })
                        .map_err(failed)?;
                }
            }
        }
        Ok(())
    }
}
