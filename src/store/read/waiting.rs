//! The notices that wait to be sent.

use rusqlite::{OptionalExtension, Row};

use super::reader::Reader;
use crate::pure::model::AlertKind;
use crate::pure::time::UtcMillis;
use crate::store::columns::{text, value};
use crate::store::error::StoreError;
use crate::store::event::{COLUMNS, OutageEvent, read_event};

/// A notice that has not been sent.
#[derive(Clone, Debug, PartialEq)]
pub struct Notice {
    /// Ascending in the order of making.
    pub id: i64,
    pub made_at: UtcMillis,
    pub kind: AlertKind,
    /// Failed attempts to send it.
    pub tries: u32,
    /// As they are recorded now: several of an incident, none for a degraded check or loss.
    pub events: Vec<OutageEvent>,
    /// The JSON of a degraded check or of loss.
    pub facts: Option<String>,
}

impl Reader {
    /// The oldest notice that has not been sent. One about loss comes after the others, so that it
    /// delays none.
    pub fn next_notice(&self) -> Result<Option<Notice>, StoreError> {
        const NEXT: &str = "select id, made_at, kind, tries, facts from notice where told_at is null
                               and kind in ('down', 'up', 'degraded', 'incident', 'loss') order by kind = 'loss', id limit 1";
        let events = format!(
            "select {COLUMNS} from outage_events where id in (select event_id from notice_event where notice_id = ?1)
              order by start_time, id"
        );
        let read = |row: &Row<'_>| {
            Ok(Notice {
                id: row.get(0)?,
                made_at: UtcMillis(value(row, 1).unwrap_or(0)),
                kind: text(row, 2)?
                    .as_deref()
                    .and_then(AlertKind::from_word)
                    .unwrap_or(AlertKind::Down),
                tries: value(row, 3).unwrap_or(0),
                facts: text(row, 4)?,
                events: Vec::new(),
            })
        };
        self.in_transaction(|connection| {
            let Some(mut notice) = connection
                .prepare_cached(NEXT)?
                .query_row([], read)
                .optional()?
            else {
                return Ok(None);
            };
            let mut statement = connection.prepare_cached(&events)?;
            notice.events = statement
                .query_map([notice.id], read_event)?
                .collect::<rusqlite::Result<_>>()?;
            Ok(Some(notice))
        })
    }

    /// When notices were sent since an instant, in order, and whether they are about loss.
    pub fn notices_sent_since(
        &self,
        since: UtcMillis,
    ) -> Result<Vec<(UtcMillis, bool)>, StoreError> {
        const SENT: &str =
            "select told_at, kind = 'loss' from notice where told_at > ?1 order by told_at";
        self.query(SENT, [since.0], |row| {
            Ok((UtcMillis(row.get(0)?), row.get(1)?))
        })
    }
}
