//! Changes to recorded events that no check causes.

use std::sync::Arc;

use rusqlite::{Connection, TransactionBehavior, params};

use super::database::Database;
use crate::pure::address::IpVersion;
use crate::pure::model::{EventId, EventKind, Host};
use crate::pure::time::{LATEST_MS, UtcMillis, whole_seconds};
use crate::store::columns::{ReadRows, instant_of, text, value};
use crate::store::error::StoreError;
use crate::store::presence::SILENT_RUN_MS;
use crate::store::rows::source_column;

/// Note on an outage of a host that is no longer checked.
const LEFT: &str =
    "the host was removed from the configuration during the outage: its end is unknown";

/// An ongoing outage of a host.
struct OpenOutage {
    id: EventId,
    start: UtcMillis,
    newest_check: Option<UtcMillis>,
    address: String,
    family: i64,
    /// `None` of an older database.
    source: Option<String>,
}

impl OpenOutage {
    fn all(connection: &Connection) -> rusqlite::Result<Vec<OpenOutage>> {
        const OPEN: &str = "select e.id, e.start_time, (select max(checked_at) from check_result where host_id = h.id and checked_at <= ?2),
                   h.address, h.family, h.source
              from outage_events e join host h on h.id = e.host_id where e.end_time is null and e.event_type = ?1";
        let outage = EventKind::Outage.as_str();
        connection
            .prepare_cached(OPEN)?
            .read_all(params![outage, LATEST_MS], |row| {
                Ok(OpenOutage {
                    id: row.get(0)?,
                    start: text(row, 1)?
                        .as_deref()
                        .and_then(instant_of)
                        .unwrap_or(UtcMillis(0)),
                    newest_check: value(row, 2),
                    address: text(row, 3)?.unwrap_or_default(),
                    family: value(row, 4).unwrap_or_default(),
                    source: text(row, 5)?,
                })
            })
    }

    fn is_of(&self, host: &Host) -> bool {
        let is_source = |source: &String| *source == source_column(host.source.as_ref());
        self.address == host.address.as_str()
            && self.family == IpVersion::family_column(host.family)
            && self.source.as_ref().is_none_or(is_source)
    }

    /// Ends it since its host is no longer checked, with a note: at the last ping that the host did
    /// not answer, or at its last check where that is not known.
    fn end(
        &self,
        connection: &Connection,
        last_silence: Option<UtcMillis>,
    ) -> rusqlite::Result<()> {
        const END: &str =
            "update outage_events set end_time = ?2, duration_seconds = ?3, removed = 1,
                                  notes = coalesce(notes || char(10), '') || ?4 where id = ?1";
        let (id, start) = (self.id, self.start);
        let end = last_silence.or(self.newest_check);
        let end = end.map_or(start, |end| end.max(start));
        let seconds = whole_seconds(&(start..end));
        connection
            .execute(END, params![id, end.sql_text(), seconds, LEFT])
            .map(|_| ())
    }
}

impl Database {
    /// Ends the outages of hosts that are no longer checked, given with their last silence.
    pub fn end_outages_of(
        &mut self,
        removed: &[(Arc<Host>, Option<UtcMillis>)],
    ) -> Result<(), StoreError> {
        self.end_outages(|outage| {
            let of = removed.iter().find(|(host, _)| outage.is_of(host));
            of.map(|(_, last_silence)| *last_silence)
        })
    }

    /// Ends the outages of hosts other than these, which were removed while no monitor ran. `false`
    /// while another monitor may run, which may check them.
    pub fn end_outages_of_others(
        &mut self,
        hosts: &[Arc<Host>],
        now: UtcMillis,
    ) -> Result<bool, StoreError> {
        const OTHER: &str = "select exists(select 1 from monitor_run where id is not ?1 and stopped_at is null and alive_at > ?2)";
        let values = (self.run_id(), now.plus(-SILENT_RUN_MS).0);
        let other = self
            .connection()
            .query_row(OTHER, values, |row| row.get::<_, bool>(0));
        if other.map_err(|cause| self.failed("reading", cause))? {
            return Ok(false);
        }
        self.end_outages(|outage| {
            let is_listed = hosts.iter().any(|host| outage.is_of(host));
            (!is_listed).then_some(None)
        })?;
        Ok(true)
    }

    /// `last_silence` returns that of the host, if the outage is to end.
    fn end_outages(
        &mut self,
        last_silence: impl Fn(&OpenOutage) -> Option<Option<UtcMillis>>,
    ) -> Result<(), StoreError> {
        let (connection, totals) = self.connection_and_totals();
        let ended = OpenOutage::all(connection).and_then(|open| {
            let ended = open
                .iter()
                .filter_map(|outage| Some((outage, last_silence(outage)?)));
            let ended: Vec<_> = ended.collect();
            if ended.is_empty() {
                return Ok(());
            }
            ended
                .into_iter()
                .try_for_each(|(outage, last_silence)| outage.end(connection, last_silence))?;
            totals.recount_outages(connection)
        });
        ended.map_err(|cause| self.failed("writing", cause))
    }

    /// Writes the note of events of one outage, in place of the earlier one; an empty note removes
    /// it. `is_planned` marks them as planned or takes that back. `None` changes nothing. Returns how
    /// many of the ids exist.
    pub fn annotate(
        &mut self,
        ids: &[EventId],
        note: Option<&str>,
        is_planned: Option<bool>,
    ) -> Result<usize, StoreError> {
        const READ: &str = "select event_type, notes from outage_events where id = ?1";
        const ANNOTATE: &str =
            "update outage_events set notes = ?2, planned = coalesce(?3, planned) where id = ?1";
        let connection = self.connection();
        let mut write = || -> rusqlite::Result<usize> {
            let transaction =
                connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let mut changed = 0;
            for (index, id) in ids.iter().enumerate() {
                let read = |row: &rusqlite::Row<'_>| Ok((text(row, 0)?, text(row, 1)?));
                let found = transaction.prepare_cached(READ)?.read_first([id], read)?;
                let Some((kind, old)) = found else {
                    continue;
                };
                // The note is written once, on the first.
                let notes = match note {
                    None => old,
                    Some(_) if index > 0 => with_note(kind.as_deref(), old.as_deref(), ""),
                    Some(note) => with_note(kind.as_deref(), old.as_deref(), note),
                };
                changed += transaction.execute(ANNOTATE, params![id, notes, is_planned])?;
            }
            transaction.commit()?;
            Ok(changed)
        };
        write().map_err(|cause| self.failed("writing", cause))
    }
}

/// The column of an event with another note. What this program wrote into it stays: the reason of a
/// link that was down and of a name that did not resolve, and [`LEFT`].
fn with_note(event_type: Option<&str>, column: Option<&str>, note: &str) -> Option<String> {
    let has_reason = [EventKind::LinkDown, EventKind::Dns]
        .iter()
        .any(|kind| Some(kind.as_str()) == event_type);
    let lines = column.unwrap_or_default().lines().enumerate();
    let own = lines.filter(|(index, line)| (has_reason && *index == 0) || *line == LEFT);
    let own = own.map(|(_, line)| line);
    let lines: Vec<&str> = own
        .chain([note].into_iter().filter(|note| !note.is_empty()))
        .collect();
    (!lines.is_empty()).then(|| lines.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_replaces_the_earlier_one_and_nothing_that_the_program_wrote() {
        let left = |before: &str| format!("{before}{LEFT}");
        for (kind, column, note, expected) in [
            ("outage", None, "new router", Some("new router".into())),
            (
                "outage",
                Some("old\nlines".into()),
                "new",
                Some("new".into()),
            ),
            ("outage", Some("old".into()), "", None),
            ("outage", None, "", None),
            ("outage", Some(left("old\n")), "", Some(left(""))),
            ("outage", Some(left("")), "new", Some(left("") + "\nnew")),
            (
                "link_down",
                Some("no carrier".into()),
                "cable",
                Some("no carrier\ncable".into()),
            ),
            (
                "link_down",
                Some("no carrier\ncable".into()),
                "",
                Some("no carrier".into()),
            ),
            (
                "dns",
                Some("no such name\nold".into()),
                "new",
                Some("no such name\nnew".into()),
            ),
        ] {
            let column: Option<String> = column;
            assert_eq!(
                with_note(Some(kind), column.as_deref(), note),
                expected,
                "{kind} {column:?} {note:?}"
            );
        }
    }
}
