//! The notices that wait to be sent, and those that were sent recently.

use rusqlite::Row;

use super::reader::Reader;
use crate::pure::model::AlertKind;
use crate::pure::time::UtcMillis;
use crate::store::columns::{ReadRows, flag, text, value};
use crate::store::error::StoreError;
use crate::store::event::{COLUMNS, OutageEvent, read_event};

/// A notice.
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
    /// When it was sent; `None` while it waits.
    pub sent_at: Option<UtcMillis>,
}

/// What is known of the notices that wait.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WaitingNotices {
    pub count: usize,
    /// When the oldest was made.
    pub since: UtcMillis,
    pub last_failure: Option<LastFailure>,
    /// Whether the oldest failed and a later one was sent.
    pub others_pass: bool,
}

/// The newest failed attempt to send one of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastFailure {
    pub at: UtcMillis,
    /// Program and exit status, or why it did not run.
    pub end: String,
    /// The last line of output, which may contain what is secret.
    pub output: String,
}

impl Reader {
    /// The notices that wait, and those that were made since an instant, in the order of making.
    pub fn notices(&self, made_since: UtcMillis) -> Result<Vec<Notice>, StoreError> {
        const NOTICES: &str = "select id, made_at, kind, tries, facts, told_at from notice
            where (told_at is null or made_at >= ?1) and kind in ('down', 'up', 'degraded', 'incident', 'loss', 'database') order by id";
        let events = format!(
            "select {COLUMNS} from outage_events where id in (select event_id from notice_event where notice_id = ?1)
              order by start_time, id"
        );
        let read = |row: &Row<'_>| {
            Ok(Notice {
                id: row.get(0)?,
                made_at: value(row, 1).unwrap_or(UtcMillis(0)),
                kind: text(row, 2)?
                    .as_deref()
                    .and_then(AlertKind::from_word)
                    .unwrap_or(AlertKind::Down),
                tries: value(row, 3).unwrap_or(0),
                facts: text(row, 4)?,
                events: Vec::new(),
                sent_at: value(row, 5),
            })
        };
        self.in_transaction(|connection| {
            let mut notices: Vec<Notice> = connection
                .prepare_cached(NOTICES)?
                .read_all([made_since.0], read)?;
            let mut statement = connection.prepare_cached(&events)?;
            for notice in notices.iter_mut().filter(|notice| notice.facts.is_none()) {
                notice.events = statement.read_all([notice.id], read_event)?;
            }
            Ok(notices)
        })
    }

    /// `None` when none waits.
    pub fn waiting_notices(&self) -> Result<Option<WaitingNotices>, StoreError> {
        const OLDEST: &str =
            "select id, made_at, (select count(*) from notice where told_at is null),
                    failed_at is not null and exists(select 1 from notice o where o.id > n.id and o.told_at is not null)
               from notice n where told_at is null order by id limit 1";
        const FAILED: &str = "select failed_at, failure, output from notice
                               where told_at is null and failed_at is not null order by failed_at desc limit 1";
        self.in_transaction(|connection| {
            let oldest = connection.prepare_cached(OLDEST)?.read_first([], |row| {
                let count: i64 = row.get(2)?;
                Ok(WaitingNotices {
                    count: usize::try_from(count).unwrap_or(0),
                    since: value(row, 1).unwrap_or(UtcMillis(0)),
                    last_failure: None,
                    others_pass: flag(row, 3),
                })
            })?;
            let Some(mut waiting) = oldest else {
                return Ok(None);
            };
            waiting.last_failure = connection.prepare_cached(FAILED)?.read_first([], |row| {
                Ok(LastFailure {
                    at: value(row, 0).unwrap_or(UtcMillis(0)),
                    end: text(row, 1)?.unwrap_or_default(),
                    output: text(row, 2)?.unwrap_or_default(),
                })
            })?;
            Ok(Some(waiting))
        })
    }

    /// When alerts were sent since an instant, in order, and whether they were about quality: loss
    /// or a degraded host.
    pub fn alerts_sent_since(
        &self,
        since: UtcMillis,
    ) -> Result<Vec<(UtcMillis, bool)>, StoreError> {
        const SENT: &str = "select distinct told_at, kind in ('loss', 'degraded') from notice
                             where told_at > ?1 order by told_at";
        self.query(SENT, [since.0], |row| Ok((row.get(0)?, flag(row, 1))))
    }
}
