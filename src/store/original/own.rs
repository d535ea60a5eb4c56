//! What an exported file has beyond the original's tables: hosts with their version of IP and
//! source, causes, planned outages, links and names that failed, and when nothing was measured. It
//! is in tables that the original does not read, and an import brings it back. export_own.rs writes
//! them.

use rusqlite::{Connection, params};

use super::tables::has_columns;
use crate::pure::address::{IpVersion, Source};
use crate::pure::model::{Host, HostId};
use crate::pure::time::{Hour, LATEST_MS, UtcMillis};
use crate::store::columns::{ReadRows, text};
use crate::store::rollup::due::mark_stale;
use crate::store::rows::enter_host;

/// A table of an exported file, and where its rows come from and go to.
pub struct OwnTable {
    pub name: &'static str,
    /// The table here.
    pub ours: &'static str,
    /// Without the host; the same in both tables.
    pub columns: &'static str,
    /// Whether each row belongs to a host, which `host_id` then names.
    pub has_host: bool,
    /// Which rows lie in the time from ?1 to ?2, of the host ?3 where they have one.
    pub exported: &'static str,
    /// Which rows `e` of the file are imported: those that are right and not here yet.
    imported: &'static str,
}

const EVENT_COLUMNS: &str = "host_name, host_address, event_type, start_time, end_time, duration_seconds, \
     checks_failed, checks_during_outage, recovery_success_rate, notes, earliest_start, packets_sent, packets_lost, cause, facts, \
     path, planned, answered_since";

pub const TABLES: [OwnTable; 10] = [
    OwnTable {
        name: "ace_event",
        ours: "outage_events",
        columns: EVENT_COLUMNS,
        has_host: true,
        exported: "host_id = ?3 and start_time < strftime('%Y-%m-%d %H:%M:%f', ?2 / 1000.0, 'unixepoch')
            and coalesce(end_time, '9') > strftime('%Y-%m-%d %H:%M:%f', ?1 / 1000.0, 'unixepoch')",
        imported: "not exists (select 1 from main.outage_events o where o.start_time = e.start_time
            and o.event_type = e.event_type and o.host_address = e.host_address and coalesce(o.host_id, m.new) is m.new)",
    },
    // Of links, and of outages that were imported.
    OwnTable {
        name: "ace_event_without_host",
        ours: "outage_events",
        columns: EVENT_COLUMNS,
        has_host: false,
        exported: "host_id is null and start_time < strftime('%Y-%m-%d %H:%M:%f', ?2 / 1000.0, 'unixepoch')
            and coalesce(end_time, '9') > strftime('%Y-%m-%d %H:%M:%f', ?1 / 1000.0, 'unixepoch')",
        imported: "not exists (select 1 from main.outage_events o where o.start_time = e.start_time
            and o.event_type = e.event_type and o.host_address = e.host_address)",
    },
    OwnTable {
        name: "ace_interval",
        ours: "host_interval",
        columns: "since, interval_ms, by_hand",
        has_host: true,
        exported: "host_id = ?3 and ?1 is not null and ?2 is not null",
        imported: "typeof(e.since) = 'integer' and typeof(e.interval_ms) = 'integer'",
    },
    OwnTable {
        name: "ace_check_note",
        ours: "check_note",
        columns: "checked_at, late, duplicates, foreigners, reason",
        has_host: true,
        exported: "host_id = ?3 and checked_at >= ?1 and checked_at < ?2",
        imported: "exists (select 1 from main.check_result c where c.host_id = m.new and c.checked_at = e.checked_at)",
    },
    OwnTable {
        name: "ace_not_measured",
        ours: "not_measured_check",
        columns: "checked_at, reason",
        has_host: true,
        exported: "host_id = ?3 and checked_at >= ?1 and checked_at < ?2",
        imported: "typeof(e.checked_at) = 'integer'",
    },
    OwnTable {
        name: "ace_run",
        ours: "monitor_run",
        columns: "started_at, alive_at, stopped_at, version",
        has_host: false,
        exported: "started_at < ?2 and max(alive_at, coalesce(stopped_at, 0)) >= ?1",
        imported: "typeof(e.started_at) = 'integer' and typeof(e.alive_at) = 'integer'
            and typeof(e.stopped_at) in ('integer', 'null')
            and not exists (select 1 from main.monitor_run r where r.started_at = e.started_at)",
    },
    OwnTable {
        name: "ace_interruption",
        ours: "interruption",
        columns: "started_at, ended_at, kind",
        has_host: false,
        exported: "started_at < ?2 and ended_at > ?1",
        imported: "typeof(e.started_at) = 'integer' and typeof(e.ended_at) = 'integer'
            and not exists (select 1 from main.interruption i
                where i.started_at = e.started_at and i.ended_at = e.ended_at and i.kind = e.kind)",
    },
    OwnTable {
        name: "ace_unsent",
        ours: "unsent",
        columns: "started_at, ended_at, reason",
        has_host: true,
        exported: "host_id = ?3 and started_at < ?2 and ended_at > ?1",
        imported: "typeof(e.started_at) = 'integer' and typeof(e.ended_at) = 'integer' and typeof(e.reason) = 'text'
            and not exists (select 1 from main.unsent u where u.host_id = m.new and u.started_at = e.started_at
                and u.ended_at = e.ended_at)",
    },
    OwnTable {
        name: "ace_level_change",
        ours: "level_changes",
        columns: "kind, at, before, after, sureness",
        has_host: true,
        exported: "host_id = ?3 and at >= ?1 and at < ?2",
        imported: "e.kind in ('latency', 'loss') and typeof(e.at) = 'integer' and typeof(e.before) = 'integer'
            and typeof(e.after) = 'integer' and typeof(e.sureness) = 'integer'",
    },
    OwnTable {
        name: "ace_clock_step",
        ours: "clock_step",
        columns: "at, step_ms, moved",
        has_host: false,
        exported: "at >= ?1 and at < ?2",
        imported: "typeof(e.at) = 'integer' and typeof(e.step_ms) = 'integer' and typeof(e.moved) = 'integer'
            and not exists (select 1 from main.clock_step s where s.at = e.at and s.step_ms = e.step_ms)",
    },
];

/// What an import reads beyond the original's tables.
pub struct OwnRows<'a> {
    schema: &'a str,
}

impl<'a> OwnRows<'a> {
    /// `None` for a file without these tables. Hosts are entered here; temp.ace_host_here has their
    /// ids in both files.
    pub fn begin(
        connection: &Connection,
        schema: &'a str,
    ) -> rusqlite::Result<Option<OwnRows<'a>>> {
        for (table, columns) in [
            ("ace_host", "id, address, family, source, name"),
            ("ace_check", "check_id, host_id, checked_at"),
            ("ace_outage", "event_id, started_at, ended_at"),
        ] {
            if !has_columns(connection, schema, table, columns)? {
                return Ok(None);
            }
        }
        connection.execute_batch(
            "drop table if exists temp.ace_host_here;
             create temp table ace_host_here(old integer primary key, new integer)",
        )?;
        let mut hosts = connection.prepare(&format!(
            "select id, address, family, source, name from {schema}.ace_host
              where typeof(address) = 'text' and typeof(name) = 'text'"
        ))?;
        let mut rows = hosts.query([])?;
        while let Some(row) = rows.next()? {
            let (Some(address), Some(name)) = (text(row, 1)?, text(row, 4)?) else {
                continue;
            };
            let family: Option<i64> = row.get_ref(2)?.as_i64().ok();
            let source = row.get_ref(3)?.as_str().unwrap_or_default().to_string();
            let host = Host {
                name,
                family: family.and_then(IpVersion::from_number),
                source: (!source.is_empty()).then(|| Source::from(source.as_str())),
                ..Host::unlisted(&address)
            };
            let id = enter_host(connection, &host)?;
            connection
                .prepare_cached("insert into temp.ace_host_here values(?1, ?2)")?
                .execute(params![row.get::<_, i64>(0)?, id])?;
        }
        Ok(Some(OwnRows { schema }))
    }

    /// The host and the time of a check that this program exported; `None` for one that the
    /// original has added since.
    pub fn check(
        &self,
        connection: &Connection,
        check_id: Option<i64>,
    ) -> rusqlite::Result<Option<(HostId, UtcMillis)>> {
        let find = format!(
            "select new, checked_at from {}.ace_check c join temp.ace_host_here on old = c.host_id
              where check_id = ?1 and typeof(checked_at) = 'integer' and checked_at between 0 and ?2",
            self.schema
        );
        connection
            .prepare_cached(&find)?
            .read_first(params![check_id, LATEST_MS], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })
    }

    /// The begin and the end of an outage that this program exported.
    pub fn outage(
        &self,
        connection: &Connection,
        event_id: Option<i64>,
    ) -> rusqlite::Result<Option<(UtcMillis, Option<UtcMillis>)>> {
        let find = format!(
            "select started_at, ended_at from {}.ace_outage
              where event_id = ?1 and typeof(started_at) = 'integer' and started_at between 0 and ?2
                and (ended_at is null or typeof(ended_at) = 'integer' and ended_at between 0 and ?2)",
            self.schema
        );
        connection
            .prepare_cached(&find)?
            .read_first(params![event_id, LATEST_MS], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })
    }

    /// Imports the rows after the checks; returns the number of events.
    pub fn finish(&self, connection: &Connection) -> rusqlite::Result<u64> {
        let events = import_rows(connection, self.schema, |table| table.name)?;
        connection.execute_batch("drop table temp.ace_host_here")?;
        Ok(events)
    }
}

/// Imports the rows of a file's tables, which `name` gives; temp.ace_host_here has the ids of the
/// hosts. Returns the number of events.
pub fn import_rows(
    connection: &Connection,
    schema: &str,
    name: fn(&OwnTable) -> &'static str,
) -> rusqlite::Result<u64> {
    let mut events = 0;
    for table in &TABLES {
        let OwnTable {
            ours,
            columns,
            has_host,
            imported,
            ..
        } = table;
        let name = name(table);
        if !has_columns(connection, schema, name, columns)? {
            continue;
        }
        let (host, joined) = if *has_host {
            (
                "host_id, ",
                "join temp.ace_host_here m on m.old = e.host_id",
            )
        } else {
            ("", "")
        };
        // The events of this program are all in one table.
        let of_none = if *ours == "outage_events" && name == *ours && !has_host {
            "e.host_id is null and "
        } else {
            ""
        };
        let own_host = if *has_host { "m.new, " } else { "" };
        // Older runs come before those that are recorded: `id` is the order of runs.
        let (id, own_id) = if *ours == "monitor_run" {
            (
                "id, ",
                "(select coalesce(min(id), 1) from main.monitor_run) - row_number() over (order by e.started_at desc), ",
            )
        } else {
            ("", "")
        };
        let values: Vec<String> = columns
            .split(',')
            .map(|column| format!("e.{}", column.trim()))
            .collect();
        let written = connection.execute(
            &format!(
                "insert or ignore into main.{ours}({id}{host}{columns})
                 select {own_id}{own_host}{} from {schema}.{name} e {joined} where {of_none}{imported}",
                values.join(", ")
            ),
            [],
        )?;
        if *ours == "outage_events" {
            events += written as u64;
        }
    }
    let mut hours = connection.prepare(
        "select distinct n.host_id, n.checked_at / 3600000 from main.not_measured_check n
           join temp.ace_host_here on new = n.host_id",
    )?;
    let hours: Vec<(HostId, Hour)> = hours.read_all([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    for (host_id, hour) in hours {
        mark_stale(connection, host_id, hour)?;
    }
    Ok(events)
}

/// Drops the tables of a file that is converted in place.
pub fn drop_tables(connection: &Connection) -> rusqlite::Result<()> {
    for name in TABLES
        .iter()
        .map(|table| table.name)
        .chain(["ace_host", "ace_check", "ace_outage"])
    {
        connection.execute_batch(&format!("drop table if exists main.{name}"))?;
    }
    Ok(())
}
