//! Recorded changes of level.

use std::ops::Range;

use super::reader::Reader;
use crate::pure::change::{ChangeKind, LevelChange};
use crate::pure::model::HostId;
use crate::pure::time::UtcMillis;
use crate::store::columns::{ReadRows, text};
use crate::store::error::StoreError;

impl Reader {
    /// The changes of a host within a span, newest first.
    pub fn level_changes(
        &self,
        host: HostId,
        span: &Range<UtcMillis>,
    ) -> Result<Vec<LevelChange>, StoreError> {
        const CHANGES: &str = "select kind, at, before, after, sureness from level_changes
                                where host_id = ?1 and at >= ?2 and at < ?3 order by at desc, kind";
        let found = self.with_connection(|connection| {
            let values = rusqlite::params![host, span.start, span.end];
            connection.prepare_cached(CHANGES)?.read_all(values, |row| {
                let kind = text(row, 0)?.as_deref().and_then(ChangeKind::from_word);
                let change = |kind| -> rusqlite::Result<LevelChange> {
                    Ok(LevelChange {
                        kind,
                        at: row.get(1)?,
                        before: row.get(2)?,
                        after: row.get(3)?,
                        sureness: row.get(4)?,
                    })
                };
                kind.map(change).transpose()
            })
        })?;
        // Another program may have written another kind.
        Ok(found.into_iter().flatten().collect())
    }
}
