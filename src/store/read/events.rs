//! Recorded outages and other events, row by row.

use std::ops::Range;

use rusqlite::params;

use super::reader::Reader;
use crate::pure::model::{EventKind, HostId};
use crate::pure::time::{LATEST_MS, UtcMillis};
use crate::store::error::StoreError;
use crate::store::event::{COLUMNS, OutageEvent, open_events, read_event};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutageFilter {
    All,
    OpenOnly,
}

impl Reader {
    /// Outages, newest first. `None` stands for every address and for all time.
    pub fn outages(
        &self,
        address: Option<&str>,
        filter: OutageFilter,
        since: Option<UtcMillis>,
        limit: i64,
    ) -> Result<Vec<OutageEvent>, StoreError> {
        let outages = format!(
            "select {} from outage_events where (?1 is null or host_address = ?1) and (?2 = 0 or end_time is null)
                and (?3 is null or start_time >= ?3) order by start_time desc, id desc limit ?4",
            COLUMNS
        );
        let since = since.map(UtcMillis::sql_text);
        let open = i64::from(filter == OutageFilter::OpenOnly);
        self.query(&outages, params![address, open, since, limit], read_event)
    }
}

impl Reader {
    /// The outages that have not ended, oldest first.
    pub fn open_outages(&self) -> Result<Vec<OutageEvent>, StoreError> {
        self.with_connection(open_events)
    }
}

impl Reader {
    /// The rows of a span, of one type or of all, oldest first: those of all hosts, or of `hosts`
    /// and without a host.
    pub(in crate::store) fn events_within(
        &self,
        span: &Range<UtcMillis>,
        only: Option<EventKind>,
        hosts: Option<&[HostId]>,
    ) -> Result<Vec<OutageEvent>, StoreError> {
        let events = rows_within(hosts.is_some());
        // A host has one id; of several a few more rows are read, and left out below.
        let ids = hosts.map(|hosts| {
            let first = hosts.iter().min().map_or(1, |id| id.0);
            (first, hosts.iter().max().map_or(0, |id| id.0))
        });
        let text = |at: UtcMillis| UtcMillis(at.0.clamp(0, LATEST_MS)).sql_text();
        let mut found = self.query(
            &events,
            params![
                text(span.start),
                text(span.end),
                only.map(EventKind::as_str),
                ids.map(|ids| ids.0),
                ids.map(|ids| ids.1)
            ],
            read_event,
        )?;
        found.retain(|event| match (event.host_id, hosts) {
            (Some(id), Some(hosts)) => hosts.contains(&id),
            _ => true,
        });
        Ok(found)
    }
}

/// The statement of `events_within`, for the rows of some hosts or of all.
fn rows_within(is_of_hosts: bool) -> String {
    // The plus sign keeps SQLite from reading the rows of all hosts by an index of the times.
    let (start, of_hosts) = if is_of_hosts {
        (
            "+start_time",
            "(host_id is null or host_id between ?4 and ?5)",
        )
    } else {
        ("start_time", "?4 is null and ?5 is null")
    };
    format!(
        "select {COLUMNS} from outage_events where {of_hosts} and {start} < ?2 and (end_time is null or end_time >= ?1)
            and (?3 is null or event_type = ?3) order by {start}, id"
    )
}

#[cfg(test)]
mod tests {
    use rusqlite::{Connection, types::Null};

    use super::*;
    use crate::store::schema;

    #[test]
    fn the_rows_of_a_host_are_read_without_those_of_others() {
        let connection = Connection::open_in_memory().expect("a database");
        schema::migrate(&connection, 0).expect("a schema");
        let sql = format!("explain query plan {}", rows_within(true));
        let mut statement = connection.prepare(&sql).expect("a statement");
        let values = params![Null, Null, Null, Null, Null];
        let steps = statement.query_map(values, |row| row.get::<_, String>(3));
        let steps: Result<Vec<String>, _> = steps.expect("a plan").collect();
        let by_host = steps.expect("the steps").join("; ");
        assert!(
            by_host.contains("outage_events_by_host_id (host_id=?)"),
            "{by_host}"
        );
        assert!(!by_host.contains("SCAN outage_events"), "{by_host}");
        assert!(!by_host.contains("by_time"), "{by_host}");
    }
}
