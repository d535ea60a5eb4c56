//! What is known of damage, for those who look after the monitor.

use std::path::Path;

use super::reader::Reader;
use crate::pure::time::Hour;
use crate::store::damage::{files_set_aside, sentence_of};
use crate::store::error::StoreError;
use crate::store::rollup::missing::missing_checks;

/// What is known of damage, a sentence each: files that were set aside, as long as they are there,
/// and what was found in the file itself.
pub fn damage_of(path: &Path, reader: Option<&Reader>) -> Result<Vec<String>, StoreError> {
    const FOUND: &str = "select what from damage order by id";
    let file = path.display();
    let mut all: Vec<String> = files_set_aside(path)
        .iter()
        .map(|aside| {
            let aside = aside.display();
            format!(
                "{file} was damaged and is set aside as {aside}; what is readable of it: \
                 ace-connection-logger doctor --salvage {aside}; this is said until it is moved away"
            )
        })
        .collect();
    if let Some(reader) = reader {
        let found = reader.query(FOUND, [], |row| row.get::<_, String>(0))?;
        all.extend(found.iter().map(|what| sentence_of(path, what)));
    }
    Ok(all)
}

/// Lines of SQLite that are kept.
const MAX_LINES: usize = 20;

impl Reader {
    /// Reads the whole file as SQLite checks it, and compares the checks with the sums of their
    /// hours. What is wrong, a line each.
    pub fn integrity(&self) -> Result<Vec<String>, StoreError> {
        let check = format!("pragma integrity_check({MAX_LINES})");
        let mut wrong = match self.query(&check, [], |row| row.get::<_, String>(0)) {
            Err(error) if error.is_damage() => vec![error.to_string()],
            lines => lines?,
        };
        wrong.retain(|line| line != "ok");
        if !wrong.is_empty() {
            return Ok(wrong);
        }
        for host in self.hosts()? {
            let (missing, spans) =
                self.with_connection(|c| missing_checks(c, host.id, &(Hour(0)..Hour(i64::MAX))))?;
            if let (Some(first), Some(last)) = (spans.first(), spans.last()) {
                let (from, to) = (first.start.rfc3339(), last.end.rfc3339());
                wrong.push(format!(
                    "{missing} checks of {} are missing from {from} to {to}",
                    host.name
                ));
            }
        }
        Ok(wrong)
    }
}
