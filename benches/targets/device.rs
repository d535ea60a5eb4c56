//! Bytes written to the block device: a monitor with default settings on an ext4 file system of its
//! own.

use std::fs;
use std::path::Path;

use super::Row;
use super::monitor::{Bench, Program, loopback_hosts, run, sleep_seconds};

const MINUTES: u64 = 12;
/// The monitor writes at once during the first minute, so that a new installation shows results.
const START_SECONDS: u64 = 100;
const SECTOR_BYTES: u64 = 512;

pub fn measure(program: &Program) {
    let image = std::env::temp_dir().join(format!(
        "ace-connection-logger-bench-{}.img",
        std::process::id()
    ));
    let image = image.to_str().unwrap();
    run("truncate", &["--size", "256M", image]);
    // Otherwise the kernel initialises the file system in the background for minutes.
    run(
        "mkfs.ext4",
        &["-q", "-E", "lazy_itable_init=0,lazy_journal_init=0", image],
    );
    let mounted = format!("{image}.mounted");
    fs::create_dir_all(&mounted).unwrap();
    // The loop device is released with the mount, also when this program is killed and its mount
    // namespace ends.
    run("mount", &["-o", "loop", image, &mounted]);
    let device = run("findmnt", &["--noheadings", "--output", "SOURCE", &mounted]);
    let device = device.trim();

    let bench = Bench::inside(Path::new(&mounted).join("bench"), "", &loopback_hosts(3));
    let monitor = bench.monitor(program);
    sleep_seconds(START_SECONDS);
    run("sync", &["--file-system", &mounted]);
    let (bytes_before, checks_before) = (written_bytes(device), bench.recorded().checks);
    sleep_seconds(MINUTES * 60);
    let (bytes, checks) = (
        written_bytes(device) - bytes_before,
        bench.recorded().checks - checks_before,
    );
    monitor.stop();

    drop(bench);
    run("umount", &[&mounted]);
    let _ = (fs::remove_dir(&mounted), fs::remove_file(image));
    let note = format!("{checks} checks, {MINUTES} minutes");
    Row::at_most(
        "device bytes per check at defaults",
        bytes as f64 / f64::from(checks) / 1000.0,
        18.0,
        "kB",
    )
    .note(&note)
    .print();
}

/// Bytes written to a block device so far: the kernel's documentation block/stat.rst.
fn written_bytes(device: &str) -> u64 {
    let name = device.rsplit('/').next().unwrap();
    let stat = fs::read_to_string(format!("/sys/block/{name}/stat")).unwrap();
    stat.split_whitespace()
        .nth(6)
        .unwrap()
        .parse::<u64>()
        .unwrap()
        * SECTOR_BYTES
}
