//! Changes to recorded events that no check causes.

use rusqlite::{TransactionBehavior, params};

use super::database::Database;
use crate::pure::address::IpVersion;
use crate::pure::model::{EventId, EventKind, Host};
use crate::pure::time::{LATEST_MS, UtcMillis, whole_seconds};
use crate::store::columns::{ReadRows, instant_of, text, value};
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
        const OPEN: &str = "select e.id, e.start_time, (select max(checked_at) from check_result where host_id = h.id and checked_at <= ?5)
              from outage_events e join host h on h.id = e.host_id
             where e.end_time is null and e.event_type = ?1 and h.address = ?2 and h.family = ?3
               and coalesce(h.source, ?4) = ?4";
        const END: &str =
            "update outage_events set end_time = ?2, duration_seconds = ?3, removed = 1,
                                  notes = coalesce(notes || char(10), '') || ?4 where id = ?1";
        let connection = self.connection();
        let write = || -> rusqlite::Result<()> {
            let read = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, text(row, 1)?, value(row, 2)));
            let open: Option<(EventId, Option<String>, Option<UtcMillis>)> =
                connection.prepare_cached(OPEN)?.read_first(
                    params![
                        EventKind::Outage.as_str(),
                        host.address.as_str(),
                        IpVersion::family_column(host.family),
                        source_column(host.source.as_ref()),
                        LATEST_MS
                    ],
                    read,
                )?;
            let Some((id, start, newest)) = open else {
                return Ok(());
            };
            let start = start.as_deref().and_then(instant_of);
            let start = start.unwrap_or(UtcMillis(0));
            let end = last_silence.or(newest);
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
