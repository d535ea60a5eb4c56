//! Changes to recorded events that no check causes.

use rusqlite::{OptionalExtension, params};

use super::database::Database;
use crate::pure::address::IpVersion;
use crate::pure::model::{EventId, EventKind, Host};
use crate::pure::time::UtcMillis;
use crate::pure::time::whole_seconds;
use crate::store::columns::instant_of;
use crate::store::error::StoreError;
use crate::store::rows::source_column;

/// Note on an outage of a host that is no longer checked.
const LEFT: &str =
    "the host was removed from the configuration during the outage: its end is unknown";

impl Database {
    /// Ends the outage of a host that is no longer checked, with a note: at the last ping that it
    /// did not answer, or at its last check where that is not known.
    pub fn end_outage_of(
        &mut self,
        host: &Host,
        last_silence: Option<UtcMillis>,
    ) -> Result<(), StoreError> {
        const OPEN: &str = "select e.id, e.start_time, (select max(checked_at) from check_result where host_id = h.id)
              from outage_events e join host h on h.id = e.host_id
             where e.end_time is null and e.event_type = ?1 and h.address = ?2 and h.family = ?3
               and coalesce(h.source, ?4) = ?4";
        const END: &str =
            "update outage_events set end_time = ?2, duration_seconds = ?3, removed = 1,
                                  notes = coalesce(notes || char(10), '') || ?4 where id = ?1";
        let connection = self.connection();
        let write = || -> rusqlite::Result<()> {
            let read = |row: &rusqlite::Row<'_>| {
                Ok((
                    row.get(0)?,
                    row.get::<_, String>(1)?,
                    row.get::<_, Option<i64>>(2)?,
                ))
            };
            let open: Option<(EventId, String, Option<i64>)> = connection
                .query_row(
                    OPEN,
                    params![
                        EventKind::Outage.as_str(),
                        host.address.as_str(),
                        IpVersion::family_column(host.family),
                        source_column(host.source.as_ref())
                    ],
                    read,
                )
                .optional()?;
            let Some((id, start, newest)) = open else {
                return Ok(());
            };
            let start = instant_of(&start).unwrap_or(UtcMillis(0));
            let end = last_silence.or(newest.map(UtcMillis));
            let end = end.map_or(start, |end| end.max(start));
            connection
                .execute(
                    END,
                    params![id, end.sql_text(), whole_seconds(&(start..end)), LEFT],
                )
                .map(|_| ())
        };
        write().map_err(|cause| self.failed("writing", cause))
    }

    /// Adds a note to events and marks them as planned. Returns how many of the ids exist.
    pub fn annotate(
        &mut self,
        ids: &[EventId],
        note: Option<&str>,
        is_planned: bool,
    ) -> Result<usize, StoreError> {
        const ANNOTATE: &str = "update outage_events set notes = coalesce(?2, notes), planned = max(planned, ?3) where id = ?1";
        let connection = self.connection();
        let write = || -> rusqlite::Result<usize> {
            let mut changed = 0;
            for (index, id) in ids.iter().enumerate() {
                // The note is written once, on the first.
                let note = note.filter(|_| index == 0);
                changed += connection.execute(ANNOTATE, params![id, note, is_planned])?;
            }
            Ok(changed)
        };
        write().map_err(|cause| self.failed("writing", cause))
    }
}
