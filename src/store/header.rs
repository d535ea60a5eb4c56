//! The first 100 bytes of a database file, by which the writer notices that another program wrote
//! over the file without SQLite: sqlite.org/fileformat2.html, section 1.3.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::time::SystemTime;

use super::schema::APPLICATION_ID;

const LEN: usize = 100;
pub const MAGIC: &[u8] = b"SQLite format 3\0";
/// Offsets of big-endian numbers of four bytes.
const CHANGE_COUNTER: usize = 24;
const PAGE_COUNT: usize = 28;
pub const APPLICATION: usize = 68;
/// The counter at which the number of pages was valid.
const PAGE_COUNT_VALID_FOR: usize = 92;

/// A file as it is found: its header, and what changes while a program writes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileStart {
    header: Header,
    len: u64,
    modified: Option<SystemTime>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Header([u8; LEN]);

impl FileStart {
    pub fn read(file: &File) -> io::Result<FileStart> {
        let metadata = file.metadata()?;
        // A shorter file has no magic number or too few pages.
        let mut bytes = [0; LEN];
        let mut read = 0;
        while let Some(rest) = bytes.get_mut(read..).filter(|rest| !rest.is_empty()) {
            match file.read_at(rest, read as u64)? {
                0 => break,
                more => read += more,
            }
        }
        Ok(FileStart {
            header: Header(bytes),
            len: metadata.len(),
            modified: metadata.modified().ok(),
        })
    }

    /// Whether SQLite alone can have written the file since `self` was read. Its change counter
    /// never decreases; with a write-ahead log it may stay the same over several changes. A file
    /// without some of its last pages has grown less than its header says: a checkpoint that a
    /// reader held up has left them in the log. It never shrinks to such a length.
    pub fn is_continued_by(&self, later: &FileStart) -> bool {
        let (old, new) = (&self.header, &later.header);
        let steps = new
            .number(CHANGE_COUNTER)
            .wrapping_sub(old.number(CHANGE_COUNTER));
        new.is_ours()
            && new.journal() == old.journal()
            && new.page_bytes() == old.page_bytes()
            && steps < u32::MAX / 2
            && later.len >= new.min_len().min(self.len)
    }

    pub fn is_ours(&self) -> bool {
        self.header.is_ours()
    }

    /// Whether the end of the file is missing since `self` was read, or all of it, and nothing else
    /// was written instead.
    pub fn is_cut_short_in(&self, later: &FileStart) -> bool {
        later.len == 0
            || later.header == self.header && later.len < self.header.min_len().min(self.len)
    }
}

impl Header {
    fn number(&self, at: usize) -> u32 {
        let bytes = self
            .0
            .get(at..at + 4)
            .and_then(|bytes| bytes.try_into().ok());
        u32::from_be_bytes(bytes.unwrap_or_default())
    }

    fn is_ours(&self) -> bool {
        self.0.starts_with(MAGIC) && i64::from(self.number(APPLICATION)) == APPLICATION_ID
    }

    /// Write and read version: 2 with a write-ahead log. No program can change them while the
    /// writer has the file open.
    fn journal(&self) -> [u8; 2] {
        [self.0[18], self.0[19]]
    }

    fn page_bytes(&self) -> u64 {
        match u16::from_be_bytes([self.0[16], self.0[17]]) {
            1 => 65_536,
            bytes => bytes.into(),
        }
    }

    /// The length of a file with all its pages.
    fn min_len(&self) -> u64 {
        if self.number(PAGE_COUNT_VALID_FOR) == self.number(CHANGE_COUNTER) {
            self.page_bytes() * u64::from(self.number(PAGE_COUNT))
        } else {
            LEN as u64
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    fn start(counter: u32, pages: u32, len: u64) -> FileStart {
        let mut bytes = [0; LEN];
        bytes[..16].copy_from_slice(MAGIC);
        bytes[16..20].copy_from_slice(&[16, 0, 2, 2]);
        let mut set =
            |at: usize, value: u32| bytes[at..at + 4].copy_from_slice(&value.to_be_bytes());
        set(CHANGE_COUNTER, counter);
        set(PAGE_COUNT, pages);
        set(PAGE_COUNT_VALID_FOR, counter);
        set(APPLICATION, u32::try_from(APPLICATION_ID).unwrap());
        FileStart {
            header: Header(bytes),
            len,
            modified: None,
        }
    }

    #[test]
    fn only_a_file_that_sqlite_wrote_on_continues_another() {
        let before = start(7, 10, 40_960);
        let with = |at: usize, value: u8| {
            let mut changed = start(8, 10, 40_960);
            changed.header.0[at] = value;
            changed
        };
        for (later, expected, what) in [
            (before.clone(), true, "unchanged"),
            (
                start(8, 12, 49_152),
                true,
                "a checkpoint that grew the file",
            ),
            (start(8, 4, 16_384), true, "a vacuum"),
            (
                start(7, 12, 49_152),
                true,
                "a checkpoint that did not count",
            ),
            (start(6, 10, 40_960), false, "an older copy"),
            (
                start(8, 12, 45_056),
                true,
                "a checkpoint that a reader held up",
            ),
            (start(8, 12, 36_864), false, "a copy that is cut short"),
            (with(0, 0), false, "no database"),
            (with(18, 1), false, "a copy without a write-ahead log"),
            (with(16, 8), false, "another size of pages"),
            (with(68, 0), false, "a database of another program"),
        ] {
            assert_eq!(before.is_continued_by(&later), expected, "{what}");
        }
        let highest = start(u32::MAX, 10, 40_960);
        assert!(
            highest.is_continued_by(&start(0, 10, 40_960)),
            "the counter wraps"
        );
    }
}
