//! What a running monitor occupies, and whether it grows.

use std::fmt;
use std::fs;
use std::path::Path;

use crate::common::monitor::Monitor;

/// What a monitor occupies at one time.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Figures {
    /// Resident memory without what is mapped from files, in kB: RssAnon in proc_pid_status(5).
    pub memory_kb: u64,
    pub descriptors: u64,
    pub threads: u64,
    /// The length of the database in bytes, with what is in its log alone.
    pub database: u64,
    /// The length of its write-ahead log.
    pub wal: u64,
}

impl Figures {
    pub fn of(monitor: &Monitor) -> Figures {
        let process = format!("/proc/{}", monitor.child.id());
        let status = fs::read_to_string(format!("{process}/status")).expect("it runs");
        let number = |key: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(key));
            let number = line.and_then(|rest| rest.split_whitespace().next());
            number
                .and_then(|number| number.parse().ok())
                .unwrap_or_else(|| panic!("{key} in {status}"))
        };
        let descriptors = fs::read_dir(format!("{process}/fd")).expect("it is ours");
        let log = monitor.folder.path().join("connection_logs.db-wal");
        let pages = "select page_count * page_size from pragma_page_count, pragma_page_size";
        Figures {
            memory_kb: number("RssAnon:"),
            descriptors: descriptors.count() as u64,
            threads: number("Threads:"),
            database: monitor.number(pages).unsigned_abs(),
            wal: fs::metadata(log).map_or(0, |metadata| metadata.len()),
        }
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} kB of memory, {} descriptors, {} threads",
            self.memory_kb, self.descriptors, self.threads
        )
    }
}

/// The median of each figure: what comes and goes, such as a connection, is in few samples.
pub fn median(samples: &[Figures]) -> Figures {
    let of = |figure: fn(&Figures) -> u64| {
        let mut values: Vec<u64> = samples.iter().map(figure).collect();
        values.sort_unstable();
        values.get(values.len() / 2).copied().expect("some samples")
    };
    Figures {
        memory_kb: of(|figures| figures.memory_kb),
        descriptors: of(|figures| figures.descriptors),
        threads: of(|figures| figures.threads),
        database: of(|figures| figures.database),
        wal: of(|figures| figures.wal),
    }
}

/// What an allocator may keep more of, though nothing more is in use: seen on both sides of zero.
const MEMORY_NOISE_KB: u64 = 256;
/// A check opens a socket, and not as many are made at each moment.
const DESCRIPTORS_NOISE: u64 = 8;
/// A thread of a connection or of an alert may still be ending.
const THREADS_NOISE: u64 = 2;

/// Fails where memory, descriptors or threads have become more.
pub fn assert_flat(before: &Figures, after: &Figures, log: &Path) {
    let log = || fs::read_to_string(log).unwrap_or_default();
    assert!(
        after.memory_kb <= before.memory_kb + MEMORY_NOISE_KB,
        "memory: {before} before, {after} after\n{}",
        log()
    );
    assert!(
        after.descriptors <= before.descriptors + DESCRIPTORS_NOISE,
        "descriptors: {before} before, {after} after\n{}",
        log()
    );
    assert!(
        after.threads <= before.threads + THREADS_NOISE,
        "threads: {before} before, {after} after\n{}",
        log()
    );
}
