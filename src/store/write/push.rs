//! Records how far the engine of the section `push` has what is recorded, in the transaction of the
//! next records: a kill before that only has a little sent again.

use std::collections::HashMap;

use rusqlite::{Connection, params};

use crate::pure::model::HostId;
use crate::store::push_mark::{PushFailure, PushMark};

/// What the sender has achieved since it last told the writer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PushProgress {
    /// The engine that is sent to from now on: it has nothing yet, if it is another than before.
    pub engine: Option<i64>,
    /// The newest check of each host that the engine has acknowledged.
    pub marks: HashMap<HostId, PushMark>,
    /// The last of the changes of events that it has acknowledged, all earlier ones included.
    pub events: Option<i64>,
    /// Whether nothing can be sent, where that has changed.
    pub failure: Option<Option<PushFailure>>,
    /// How many checks and events it has refused for good, and its last reason.
    pub refused: u64,
    pub refusal: Option<PushFailure>,
}

impl PushProgress {
    /// Adds what came later.
    pub fn add(&mut self, later: PushProgress) {
        if later.engine.is_some() {
            // What another engine has does not count.
            *self = PushProgress::default();
        }
        self.engine = later.engine.or(self.engine);
        self.marks.extend(later.marks);
        self.events = self.events.max(later.events);
        self.failure = later.failure.or(self.failure.take());
        self.refused = self.refused.saturating_add(later.refused);
        self.refusal = later.refusal.or(self.refusal.take());
    }

    pub fn is_empty(&self) -> bool {
        *self == PushProgress::default()
    }
}

/// Within the caller's transaction.
pub fn record(connection: &Connection, progress: &PushProgress) -> rusqlite::Result<()> {
    // Nothing that was read before a change counts.
    const MARK: &str =
        "update push_mark set until = ?2 where host_id = ?1 and changes = ?3 and until < ?2";
    const SENT: &str = "delete from push_event where change <= ?1";
    const FAILURE: &str = "update push_state set failed_at = ?1, failure = ?2, output = ?3";
    const REFUSED: &str = "update push_state set refused = refused + ?1, refused_at = coalesce(?2, refused_at),
                                                 refusal = coalesce(?3, refusal), words = coalesce(?4, words)";
    if let Some(engine) = progress.engine {
        begin_anew(connection, engine)?;
    }
    for (host_id, mark) in &progress.marks {
        let values = params![host_id, mark.until, mark.changes];
        connection.prepare_cached(MARK)?.execute(values)?;
    }
    if let Some(last) = progress.events {
        connection.execute(SENT, [last])?;
    }
    if let Some(failure) = &progress.failure {
        let (at, text, output) = parts(failure.as_ref());
        connection.execute(FAILURE, params![at, text, output])?;
    }
    if progress.refused > 0 {
        let refused = i64::try_from(progress.refused).unwrap_or(i64::MAX);
        let (at, text, words) = parts(progress.refusal.as_ref());
        connection.execute(REFUSED, params![refused, at, text, words])?;
    }
    Ok(())
}

/// Its columns.
fn parts(failure: Option<&PushFailure>) -> (Option<i64>, Option<&str>, Option<&str>) {
    failure.map_or((None, None, None), |PushFailure { at, text, output }| {
        (Some(at.0), Some(text.as_str()), Some(output.as_str()))
    })
}

/// Another engine has nothing of what is recorded.
fn begin_anew(connection: &Connection, engine: i64) -> rusqlite::Result<()> {
    const IS_KNOWN: &str = "select exists(select 1 from push_state where engine = ?1)";
    const ANEW: &str = "update push_mark set until = -1, changes = changes + 1;
        delete from push_event;
        update push_number set last = 0 where typeof(last) <> 'integer' or last not between 0 and 4611686018427387903;
        insert into push_event(change, event_id)
        select (select max(last) from push_number) + row_number() over (order by start_time), id from outage_events;
        update push_number set last = coalesce((select max(change) from push_event), last);
        delete from push_state;";
    let is_known: bool = connection.query_row(IS_KNOWN, [engine], |row| row.get(0))?;
    if is_known {
        return Ok(());
    }
    connection.execute_batch(ANEW)?;
    connection
        .execute("insert into push_state(engine) values(?1)", [engine])
        .map(|_| ())
}
