//! What is known of damage, for those who look after the monitor.

use std::path::Path;

use super::reader::Reader;
use crate::store::damage::{files_set_aside, sentence_of};
use crate::store::error::StoreError;

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
