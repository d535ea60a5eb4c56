//! The pages of a database file without SQLite: those of the file, and in their place the newer ones
//! of its write-ahead log (sqlite.org/fileformat2.html). Nothing is locked, written or created.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt as _};
use std::path::Path;

use crate::pure::time::UtcMillis;
use crate::store::file::with_suffix;
use crate::store::header::MAGIC;

/// Of files that this program creates.
const USUAL_PAGE_BYTES: usize = 4096;

const LOG_HEADER_BYTES: u64 = 32;
const FRAME_HEADER_BYTES: usize = 24;

/// What became of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Log {
    None,
    /// With the number of its pages.
    Read(usize),
    /// Its header or its first commit cannot be read.
    Unreadable,
}

/// What a page is, as the pointer maps of an auto-vacuum database say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    Unknown,
    Tree,
    Free,
    Overflow,
    PointerMap,
}

pub struct Pages {
    file: File,
    file_len: u64,
    pub page_bytes: usize,
    /// Without what is reserved at the end of each page.
    pub usable: usize,
    log_file: Option<File>,
    pub log: Log,
    /// Where the newest version of a page is in the log.
    frames: BTreeMap<u32, u64>,
    pub count: u32,
    /// When the file or the log was last written.
    pub written_at: UtcMillis,
    /// As the header of the file says.
    pub expected: Option<u32>,
    maps: HashMap<u32, Option<Vec<u8>>>,
}

impl Pages {
    pub fn open(path: &Path) -> io::Result<Pages> {
        let file = File::open(path)?;
        let file_len = file.metadata()?.len();
        let mut written_at = written_at(&file)?;
        let mut header = [0; 100];
        let read = read_at_most(&file, &mut header, 0)?;
        let has_header = read == header.len() && header.starts_with(MAGIC);
        let log_file = File::open(with_suffix(path, "-wal")).ok();
        if let Some(log) = &log_file {
            written_at = written_at.max(self::written_at(log)?);
        }
        let log = log_file.as_ref().map(read_log).transpose()?.flatten();
        let own = has_header
            .then(|| page_bytes(u16::from_be_bytes([header[16], header[17]]).into()))
            .flatten();
        let page_bytes = own
            .or_else(|| log.as_ref().map(|log| log.page_bytes))
            .unwrap_or(USUAL_PAGE_BYTES);
        let reserved = if own.is_some() { header[20] } else { 0 };
        let of_file = u32::try_from(file_len.div_ceil(page_bytes as u64)).unwrap_or(u32::MAX);
        let expected = own.map(|_| number(&header, 28)).filter(|pages| *pages > 0);
        let has_log = log_file.is_some();
        let (frames, in_log) = log.map_or((BTreeMap::new(), None), |log| {
            (log.frames, Some(log.pages_after))
        });
        Ok(Pages {
            file,
            file_len,
            page_bytes,
            usable: page_bytes.saturating_sub(usize::from(reserved)).max(480),
            log: match (has_log, in_log) {
                (false, _) => Log::None,
                (true, Some(_)) => Log::Read(frames.len()),
                (true, None) => Log::Unreadable,
            },
            log_file,
            count: in_log.unwrap_or(of_file),
            written_at,
            frames,
            expected: in_log.or(expected),
            maps: HashMap::new(),
        })
    }

    /// `None` where the file ends before it, or cannot be read.
    pub fn read(&self, page: u32) -> Option<Vec<u8>> {
        let mut bytes = vec![0; self.page_bytes];
        let (file, at) = match (self.frames.get(&page), &self.log_file) {
            (Some(at), Some(log)) => (log, *at),
            _ => (&self.file, u64::from(page - 1) * self.page_bytes as u64),
        };
        if std::ptr::eq(file, &self.file) && at >= self.file_len {
            return None;
        }
        let read = read_at_most(file, &mut bytes, at).ok()?;
        // The last page may be cut.
        (read > 0).then_some(bytes)
    }

    pub fn use_of(&mut self, page: u32) -> Use {
        // Each map is followed by as many pages as it has entries of 5 bytes.
        let span = u32::try_from(self.usable / 5 + 1).unwrap_or(u32::MAX);
        if page < 2 {
            return Use::Tree;
        }
        let map = (page - 2) / span * span + 2;
        let count = self.count;
        if !self.maps.contains_key(&map) {
            let bytes = self.read(map).filter(|bytes| is_map(bytes, count, span));
            // One is enough: pages are asked for in order.
            self.maps.clear();
            self.maps.insert(map, bytes);
        }
        let Some(bytes) = self.maps.get(&map).and_then(Option::as_ref) else {
            return Use::Unknown;
        };
        if page == map {
            return Use::PointerMap;
        }
        let entry = usize::try_from((page - map - 1) * 5).unwrap_or(usize::MAX);
        match bytes.get(entry) {
            Some(1 | 5) => Use::Tree,
            Some(2) => Use::Free,
            Some(3 | 4) => Use::Overflow,
            _ => Use::Unknown,
        }
    }
}

/// Whether a page is a whole pointer map: the kind of each page of its part of the file, and a page
/// that points to it.
fn is_map(bytes: &[u8], pages: u32, span: u32) -> bool {
    let entries = usize::try_from(span - 1).unwrap_or(0);
    let mut is_ended = false;
    let mut found = 0;
    for entry in bytes.chunks_exact(5).take(entries) {
        let parent = number(entry, 1);
        match entry[0] {
            1..=5 if !is_ended && parent <= pages => found += 1,
            0 if parent == 0 => is_ended = true,
            _ => return false,
        }
    }
    found > 0
}

struct ReadLog {
    page_bytes: usize,
    frames: BTreeMap<u32, u64>,
    pages_after: u32,
}

/// The frames up to the last commit whose checksums are right; `None` if there is no commit.
fn read_log(file: &File) -> io::Result<Option<ReadLog>> {
    let mut header = [0; 32];
    if read_at_most(file, &mut header, 0)? < header.len() {
        return Ok(None);
    }
    let is_big_endian = match number(&header, 0) {
        0x377f_0682 => false,
        0x377f_0683 => true,
        _ => return Ok(None),
    };
    let Some(page_bytes) = page_bytes(number(&header, 8)) else {
        return Ok(None);
    };
    let mut sums = checksum(&header[..24], is_big_endian, (0, 0));
    if sums != (number(&header, 24), number(&header, 28)) {
        return Ok(None);
    }
    let (mut committed, mut pages_after) = (BTreeMap::new(), None);
    let mut pending = BTreeMap::new();
    let mut frame = vec![0; FRAME_HEADER_BYTES + page_bytes];
    let mut at = LOG_HEADER_BYTES;
    while read_at_most(file, &mut frame, at)? == frame.len() {
        sums = checksum(&frame[..8], is_big_endian, sums);
        sums = checksum(&frame[FRAME_HEADER_BYTES..], is_big_endian, sums);
        let is_right =
            frame[8..16] == header[16..24] && sums == (number(&frame, 16), number(&frame, 20));
        if !is_right {
            break;
        }
        pending.insert(number(&frame, 0), at + FRAME_HEADER_BYTES as u64);
        let pages = number(&frame, 4);
        if pages > 0 {
            committed.append(&mut pending);
            pages_after = Some(pages);
        }
        at += frame.len() as u64;
    }
    Ok(pages_after.map(|pages_after| ReadLog {
        page_bytes,
        frames: committed,
        pages_after,
    }))
}

/// Fibonacci-weighted sums of words of four bytes, as the log has them.
fn checksum(bytes: &[u8], is_big_endian: bool, (mut a, mut b): (u32, u32)) -> (u32, u32) {
    let word = |bytes: &[u8]| {
        let bytes = [bytes[0], bytes[1], bytes[2], bytes[3]];
        if is_big_endian {
            u32::from_be_bytes(bytes)
        } else {
            u32::from_le_bytes(bytes)
        }
    };
    for pair in bytes.chunks_exact(8) {
        a = a.wrapping_add(word(&pair[..4])).wrapping_add(b);
        b = b.wrapping_add(word(&pair[4..])).wrapping_add(a);
    }
    (a, b)
}

fn written_at(file: &File) -> io::Result<UtcMillis> {
    let data = file.metadata()?;
    Ok(UtcMillis(
        data.mtime() * 1000 + data.mtime_nsec() / 1_000_000,
    ))
}

fn page_bytes(stored: u32) -> Option<usize> {
    let bytes = if stored == 1 { 65_536 } else { stored };
    (bytes.is_power_of_two() && (512..=65_536).contains(&bytes)).then_some(bytes as usize)
}

/// A big-endian number of four bytes; 0 beyond the end.
pub fn number(bytes: &[u8], at: usize) -> u32 {
    let bytes = bytes
        .get(at..at + 4)
        .and_then(|bytes| bytes.try_into().ok());
    u32::from_be_bytes(bytes.unwrap_or_default())
}

fn read_at_most(file: &File, bytes: &mut [u8], at: u64) -> io::Result<usize> {
    let mut read = 0;
    while read < bytes.len() {
        match file.read_at(&mut bytes[read..], at + read as u64)? {
            0 => break,
            more => read += more,
        }
    }
    Ok(read)
}
