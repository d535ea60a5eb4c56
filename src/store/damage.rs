//! A damaged database: what SQLite cannot read as it was written. The monitor sets such a file aside
//! whole and begins a new one, as long as the file is surely this program's.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::error::StoreError;
use super::file::{linked_to, with_suffix};
use super::header::{APPLICATION, MAGIC};
use super::schema::APPLICATION_ID;
use crate::pure::time::UtcMillis;

/// The end of the name of a damaged file that was set aside.
const DAMAGED: &str = "damaged";

/// The end of the name of a file that another program wrote over.
const OVERWRITTEN: &str = "overwritten";

/// Text in the schema of every file of this program, and of no other.
const MARK: &[u8] = b"stale_rollup_day(";

/// The schema is at the beginning of a file.
const MAX_SEARCHED: u64 = 16 << 20;

/// Whether opening a file failed because it is damaged, and it is this program's.
pub fn is_of_ours(error: &StoreError, path: &Path) -> bool {
    (error.is_damage() || matches!(error, StoreError::Foreign { .. }))
        && is_ours(path).unwrap_or(false)
}

/// Whether this program wrote a file: by its header, else by its schema. What is empty or has only
/// zeros belongs to nobody.
pub fn is_ours(path: &Path) -> io::Result<bool> {
    let mut file = File::open(path)?.take(MAX_SEARCHED);
    let mut block = vec![0; 64 << 10];
    // The end of the block before, since the mark may lie across two.
    let (mut kept, mut is_first, mut is_zero) = (0, true, true);
    loop {
        let read = file.read(&mut block[kept..])?;
        if read == 0 {
            return Ok(is_zero);
        }
        let found = &block[..kept + read];
        if is_first && (has_our_header(found) || is_begin_of_header(found)) {
            return Ok(true);
        }
        if found.windows(MARK.len()).any(|window| window == MARK) {
            return Ok(true);
        }
        is_zero &= found.iter().all(|byte| *byte == 0);
        is_first = false;
        let end = found.len();
        kept = end.min(MARK.len());
        block.copy_within(end - kept..end, 0);
    }
}

fn has_our_header(start: &[u8]) -> bool {
    let id = start.get(APPLICATION..APPLICATION + 4);
    start.starts_with(MAGIC)
        && id
            .and_then(|id| id.try_into().ok())
            .is_some_and(|id| i64::from(u32::from_be_bytes(id)) == APPLICATION_ID)
}

/// A file that is cut within the header shows no more than that it is SQLite's.
fn is_begin_of_header(start: &[u8]) -> bool {
    start.len() < APPLICATION + 4 && (start.starts_with(MAGIC) || MAGIC.starts_with(start))
}

/// Refuses a file that is empty while its log is not: SQLite would delete the log.
pub fn require_not_emptied(path: &Path) -> Result<(), StoreError> {
    let len = |path: &Path| fs::metadata(path).map(|found| found.len()).ok();
    let has_log = || len(&with_suffix(path, "-wal")).is_some_and(|log| log > 0);
    if len(path) == Some(0) && has_log() {
        return Err(StoreError::Damaged {
            path: path.to_path_buf(),
            what: "the file is empty, its log is not",
        });
    }
    Ok(())
}

/// Renames a damaged file with its log or journal, so that SQLite finds them together under the new
/// name too. Returns that name.
pub fn set_aside(path: &Path, now: UtcMillis) -> Result<PathBuf, StoreError> {
    let path = &linked_to(path);
    let aside = free_name(path, now, DAMAGED);
    // The log first: beside a new file it would be deleted.
    for suffix in ["-wal", "-journal"] {
        match fs::rename(with_suffix(path, suffix), with_suffix(&aside, suffix)) {
            Err(cause) if cause.kind() != io::ErrorKind::NotFound => {
                return Err(failed(path, cause));
            }
            _ => {}
        }
    }
    fs::rename(path, &aside).map_err(|cause| failed(path, cause))?;
    drop(fs::remove_file(with_suffix(path, "-shm")));
    Ok(aside)
}

/// Renames a file that another program wrote over, together with the write-ahead log of the old
/// contents. Returns its new name.
pub fn set_overwritten_aside(path: &Path, now: UtcMillis) -> Result<PathBuf, StoreError> {
    let aside = free_name(path, now, OVERWRITTEN);
    fs::rename(path, &aside).map_err(|cause| failed(path, cause))?;
    // Not `-wal`: SQLite would apply it to contents that it does not belong to.
    let log = with_suffix(path, "-wal");
    drop(fs::rename(log, with_suffix(&aside, ".wal")));
    drop(fs::remove_file(with_suffix(path, "-shm")));
    Ok(aside)
}

fn failed(path: &Path, cause: io::Error) -> StoreError {
    StoreError::File {
        operation: "setting aside",
        path: path.to_path_buf(),
        cause,
    }
}

fn free_name(path: &Path, now: UtcMillis, end: &str) -> PathBuf {
    let time = now.rfc3339()[..19].replace(':', "-");
    let name = |number: u32| match number {
        1 => with_suffix(path, &format!(".{time}.{end}")),
        _ => with_suffix(path, &format!(".{time}-{number}.{end}")),
    };
    (1..)
        .map(name)
        .find(|name| !name.exists())
        .unwrap_or_else(|| name(1))
}

/// The damaged files that were set aside and are still there, oldest first.
pub fn files_set_aside(path: &Path) -> Vec<PathBuf> {
    let path = &linked_to(path);
    let (Some(name), Some(folder)) = (path.file_name(), path.parent()) else {
        return Vec::new();
    };
    let is_here = folder.as_os_str().is_empty();
    let read = fs::read_dir(if is_here { Path::new(".") } else { folder });
    let begin = [name.as_encoded_bytes(), b"."].concat();
    let end = format!(".{DAMAGED}");
    let is_one = |file: &Path| {
        file.file_name().is_some_and(|name| {
            let name = name.as_encoded_bytes();
            name.starts_with(&begin) && name.ends_with(end.as_bytes())
        })
    };
    let mut found: Vec<PathBuf> = read
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(folder.join(entry.ok()?.file_name())))
        .filter(|file| is_one(file))
        .collect();
    found.sort();
    found
}

/// Of damage that was found in the file.
pub fn sentence_of(path: &Path, what: &str) -> String {
    let file = path.display();
    format!(
        "{file} is damaged: {what}; what is readable of it: \
         ace-connection-logger doctor --salvage {file}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_ours_by_its_header_or_its_schema_or_if_nothing_is_in_it() {
        let folder = std::env::temp_dir();
        let path = folder.join(format!("ace-damage-{}", std::process::id()));
        let mut header = vec![0; 4096];
        header[..MAGIC.len()].copy_from_slice(MAGIC);
        let mut ours = header.clone();
        ours[APPLICATION..APPLICATION + 4].copy_from_slice(b"ACLg");
        let mut late = vec![b'x'; (64 << 10) - 5];
        late.extend_from_slice(MARK);
        for (content, expected, what) in [
            (ours, true, "our header"),
            (header, false, "the header of another database"),
            (vec![0; 9000], true, "zeros"),
            (Vec::new(), true, "nothing"),
            (b"SQLite for".to_vec(), true, "the first bytes"),
            (b"SQLite format 3\0\x10\0".to_vec(), true, "half a header"),
            (b"mine".to_vec(), false, "a text"),
            (late, true, "our schema across two blocks"),
        ] {
            fs::write(&path, &content).expect("written");
            assert_eq!(is_ours(&path).expect("readable"), expected, "{what}");
        }
        fs::remove_file(&path).expect("it is there");
    }
}
