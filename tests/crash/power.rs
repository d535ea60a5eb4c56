//! The power fails. The script runs on a file system whose disk remembers its writes; then each
//! state in which the disk can be found is made and mounted: all writes up to each one, and, since
//! a disk writes in any order between two flushes, only some of those since the last flush, of
//! which one may be torn.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use crate::common::mounts::with_own_mounts;
use crate::common::{run, shared_memory, skip, sys};
use crate::disk::{Disk, Request};
use crate::random::Random;
use crate::script::{self, MAIN};
use crate::verdict::{Judge, Reference, has_shell};

struct FileSystem {
    name: &'static str,
    /// Its name in /proc/filesystems.
    kind: &'static str,
    make: &'static [&'static str],
    options: &'static str,
    mib: usize,
    /// What the disk writes whole.
    sector: usize,
    /// As JFFS2, so that there is a rollback journal instead of a write-ahead log.
    has_no_shared_memory: bool,
    /// Whether tests/run tries it too.
    is_quick: bool,
}

const EXT4: FileSystem = FileSystem {
    name: "ext4",
    kind: "ext4",
    make: &["mkfs.ext4", "-q", "-b", "4096", "-E", "lazy_itable_init=0"],
    options: "nodiscard",
    mib: 16,
    sector: 512,
    has_no_shared_memory: false,
    is_quick: true,
};

const FILE_SYSTEMS: [FileSystem; 10] = [
    EXT4,
    FileSystem {
        name: "ext4 without shared memory",
        has_no_shared_memory: true,
        is_quick: false,
        ..EXT4
    },
    // The file system gives the blocks of a deleted file to another at once: all the more so where
    // there are few.
    FileSystem {
        name: "ext4 data=writeback",
        make: &[
            "mkfs.ext4",
            "-q",
            "-b",
            "4096",
            "-J",
            "size=4",
            "-m",
            "0",
            "-N",
            "64",
            "-E",
            "lazy_itable_init=0",
        ],
        options: "nodiscard,data=writeback",
        mib: 9,
        ..EXT4
    },
    FileSystem {
        name: "xfs",
        kind: "xfs",
        make: &["mkfs.xfs", "-q", "-K"],
        mib: 300,
        is_quick: false,
        ..EXT4
    },
    FileSystem {
        name: "btrfs",
        kind: "btrfs",
        make: &["mkfs.btrfs", "-q", "-K"],
        mib: 110,
        // A superblock that is torn cannot be mounted.
        sector: 4096,
        is_quick: false,
        ..EXT4
    },
    FileSystem {
        name: "f2fs",
        kind: "f2fs",
        make: &["mkfs.f2fs", "-q"],
        mib: 64,
        ..EXT4
    },
    FileSystem {
        name: "vfat",
        kind: "vfat",
        make: &["mkfs.vfat"],
        options: "nodiscard",
        ..EXT4
    },
    FileSystem {
        name: "exfat",
        kind: "exfat",
        make: &["mkfs.exfat"],
        ..EXT4
    },
    // Their disks are flash without a block layer.
    FileSystem {
        name: "jffs2",
        kind: "jffs2",
        make: &[],
        ..EXT4
    },
    FileSystem {
        name: "ubifs",
        kind: "ubifs",
        make: &[],
        ..EXT4
    },
];

impl FileSystem {
    fn is_in_kernel(&self) -> bool {
        let known = fs::read_to_string("/proc/filesystems").unwrap_or_default();
        known
            .lines()
            .any(|line| line.split_whitespace().last() == Some(self.kind))
    }

    /// Why it cannot be tried although the kernel has it.
    fn missing(&self) -> Option<String> {
        let is_there = |program: &str| Command::new(program).arg("-V").output().is_ok();
        let programs = self.make.iter().take(1).chain(&["mount"]);
        let missing = programs.into_iter().find(|program| !is_there(program));
        let has_fuse = File::open("/dev/fuse").is_ok();
        match missing {
            Some(program) => Some(format!("{}: {program} is not installed", self.name)),
            None => (!has_fuse).then(|| "there is no /dev/fuse".into()),
        }
    }

    /// A disk with an empty file system.
    fn disk(&self, folder: &Path) -> Disk {
        let image = folder.join("image");
        let file = File::create(&image).expect("a file");
        file.set_len(self.mib as u64 * 1024 * 1024)
            .expect("a length");
        let made = run(Command::new(self.make[0]).args(&self.make[1..]).arg(&image));
        assert_eq!(made.code, Some(0), "{:?}: {}", self.make, made.stderr);
        let bytes = fs::read(&image).expect("it is there");
        fs::remove_file(&image).expect("it is there");
        Disk::new(&folder.join("disk"), bytes).expect("a disk")
    }

    fn mount(&self, disk: &Disk, at: &Path) -> Result<Mounted, String> {
        let mut options = String::from("loop,noatime");
        for option in self.options.split(',').filter(|option| !option.is_empty()) {
            options = format!("{options},{option}");
        }
        let mut mount = Command::new("mount");
        mount.args(["-t", self.kind, "-o", &options]);
        let mounted = run(mount.arg(disk.file()).arg(at));
        match mounted.code {
            Some(0) => Ok(Mounted(at.to_path_buf())),
            _ => Err(format!("mount: {}", mounted.stderr)),
        }
    }
}

struct Mounted(PathBuf);

impl Drop for Mounted {
    fn drop(&mut self) {
        let unmounted = run(Command::new("umount").arg(&self.0));
        if unmounted.code != Some(0) && !std::thread::panicking() {
            panic!("{}", unmounted.stderr);
        }
    }
}

/// A run as the disk saw it.
struct Recording {
    requests: Vec<Request>,
    /// How many requests there were when each step had returned.
    returned: Vec<usize>,
}

/// Performs the script on a disk, which afterwards is as before. At some moments the kernel writes
/// what it has kept back, as it does after some seconds.
fn record(
    system: &FileSystem,
    disk: &Disk,
    at: &Path,
    library: Option<&Path>,
    random: &mut Random,
) -> Recording {
    disk.settle();
    disk.take_log();
    let mounted = system.mount(disk, at).expect("it is empty");
    let mut process = script::process(at, library);
    let mut process = process
        .env(script::IN_STEP, "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .expect("this program runs");
    let mut go_on = process.stdin.take().expect("a pipe");
    let output = BufReader::new(process.stdout.take().expect("a pipe"));
    let mut returned = Vec::new();
    for line in output.lines() {
        if !line.expect("text").starts_with(script::DONE) {
            continue;
        }
        returned.push(disk.position());
        match random.below(6) {
            0 => write_back(at, &|name| name.ends_with("-wal")),
            1 => write_back(at, &|_| true),
            2 => drop(run(Command::new("sync").arg("-f").arg(at))),
            _ => {}
        }
        // The process may have ended.
        drop(go_on.write_all(b"\n"));
    }
    assert!(process.wait().expect("it ends").success());
    assert_eq!(returned.len(), script::steps().len(), "all steps");
    let requests = disk.take_log();
    drop(mounted);
    disk.set_back();
    Recording { requests, returned }
}

fn write_back(folder: &Path, is_chosen: &dyn Fn(&str) -> bool) {
    for entry in fs::read_dir(folder).expect("a folder").flatten() {
        let is_file = entry.file_type().is_ok_and(|kind| kind.is_file());
        if is_file
            && is_chosen(&entry.file_name().to_string_lossy())
            && let Ok(file) = File::open(entry.path())
        {
            sys::write_back(&file).expect("it is written");
        }
    }
}

/// Makes the states of a disk, and judges them.
struct Trial<'r> {
    system: &'static FileSystem,
    disk: Disk,
    at: PathBuf,
    recording: Recording,
    reference: &'r Reference,
    judge: Judge<'r>,
    states: usize,
}

impl Trial<'_> {
    /// Judges what is on the disk, when the power fails just before the request `until`.
    fn judge(&mut self, until: usize) -> Result<(), String> {
        self.states += 1;
        let mounted = self.system.mount(&self.disk, &self.at)?;
        let found = self.judge.files(&self.at);
        drop(mounted);
        let count = |position| {
            let returned = &self.recording.returned;
            returned.partition_point(|at| *at <= position)
        };
        let are_all_durable = self.system.has_no_shared_memory;
        self.reference
            .accept(&found?, count(until), are_all_durable)
    }

    /// The index of the next flush after a request.
    fn next_flush(&self, from: usize) -> usize {
        let requests = &self.recording.requests;
        let flush = requests[from..]
            .iter()
            .position(|request| matches!(request, Request::Flush));
        flush.map_or(requests.len(), |flush| from + flush)
    }

    fn write(&self, index: usize, torn: Option<&mut Random>) {
        if let Request::Write { offset, bytes } = &self.recording.requests[index] {
            let sectors = bytes.len() / self.system.sector;
            let length = match torn {
                Some(random) => random.below(sectors) * self.system.sector,
                None => bytes.len(),
            };
            self.disk.write(*offset, &bytes[..length]);
        }
    }

    /// All writes up to each one.
    fn every_boundary(&mut self) -> Result<usize, String> {
        let all = self.recording.requests.len();
        let mut boundaries = 0;
        for index in 0..=all {
            let is_flush = matches!(
                self.recording.requests.get(index.wrapping_sub(1)),
                Some(Request::Flush)
            );
            // A flush changes nothing on the disk.
            if !is_flush {
                boundaries += 1;
                let verdict = self.judge(self.next_flush(index));
                self.disk.set_back();
                verdict.map_err(|error| {
                    let steps = self.recording.returned.partition_point(|at| *at <= index);
                    format!(
                        "after {index} of {all} requests, in {:?}: {error}",
                        self.reference.steps().get(steps)
                    )
                })?;
            }
            if index < all {
                self.write(index, None);
                self.disk.settle();
            }
        }
        Ok(boundaries)
    }

    /// Some of the writes between two flushes, in any order, each of which may be torn.
    fn some_of_each_epoch(&mut self, rounds: usize, random: &mut Random) -> Result<usize, String> {
        let all = self.recording.requests.len();
        let mut subsets = 0;
        let mut first = 0;
        while first < all {
            let flush = self.next_flush(first);
            // One write is there or is not: these are boundaries.
            for round in 0..if flush - first > 1 { rounds } else { 0 } {
                let mut chosen: Vec<usize> =
                    (first..flush).filter(|_| random.below(2) == 0).collect();
                random.shuffle(&mut chosen);
                for index in &chosen {
                    let is_torn = random.below(8) == 0;
                    self.write(*index, is_torn.then_some(&mut *random));
                }
                subsets += 1;
                let verdict = self.judge(flush);
                self.disk.set_back();
                verdict.map_err(|error| {
                    format!("with {chosen:?} of {first}..{flush} of {all} requests, round {round}: {error}")
                })?;
            }
            for index in first..flush {
                self.write(index, None);
            }
            self.disk.settle();
            first = flush + 1;
        }
        Ok(subsets)
    }
}

/// Tries the states of one file system; prints how many. The file system's disk is kept in memory.
fn try_all(system: &'static FileSystem, rounds: usize, seed: u64, folder: &Path) {
    let began = Instant::now();
    let mut library = None;
    if system.has_no_shared_memory {
        library = shared_memory::library_without(TEST, folder);
        if library.is_none() {
            return;
        }
    }
    let mut random = Random::new(seed);
    let at = folder.join("mounted");
    let disk = system.disk(folder);
    fs::create_dir(&at).expect("a folder");
    let initial = folder.join("reference");
    fs::create_dir(&initial).expect("a folder");
    script::prepare(&initial);
    let mounted = system.mount(&disk, &at).expect("it is empty");
    script::copy_files(&initial, &at);
    drop(mounted);
    let reference = Reference::read(&initial);
    let recording = record(system, &disk, &at, library.as_deref(), &mut random);
    let flushes = recording
        .requests
        .iter()
        .filter(|request| matches!(request, Request::Flush))
        .count();
    let writes = recording.requests.len() - flushes;
    let base = disk.bytes();
    let mut trial = Trial {
        system,
        disk,
        at,
        recording,
        reference: &reference,
        judge: Judge::new(&reference, &folder.join("judged"), &initial.join(MAIN)),
        states: 0,
    };
    let boundaries = trial
        .every_boundary()
        .unwrap_or_else(|error| panic!("{}: {error}", system.name));
    trial.disk.write(0, &base);
    trial.disk.settle();
    let subsets = trial
        .some_of_each_epoch(rounds, &mut random)
        .unwrap_or_else(|error| panic!("{}, seed {seed}: {error}", system.name));
    println!(
        "PROOF {}: {writes} writes and {flushes} flushes of {} steps; {boundaries} write boundaries and \
         {subsets} reordered subsets with torn writes (seed {seed}) tried, {} different files \
         judged, none lost or damaged, in {:.0?}",
        system.name,
        reference.steps().len(),
        trial.judge.judged(),
        began.elapsed()
    );
}

const TEST: &str = "power::a_power_cut_at_any_write_loses_nothing_durable";

/// CRASH_ROUNDS: how many subsets of each epoch are tried, on all file systems that this kernel has,
/// with a new seed. CRASH_SEED: this one. CRASH_ONLY: on this file system alone.
#[test]
fn a_power_cut_at_any_write_loses_nothing_durable() {
    if !has_shell(TEST) {
        return;
    }
    let number = |name| {
        let value = std::env::var(name).ok()?;
        Some(value.parse::<u32>().expect("a number"))
    };
    let rounds = number("CRASH_ROUNDS");
    let seed = number("CRASH_SEED").unwrap_or_else(|| match rounds {
        Some(_) => std::process::id(),
        None => 14,
    });
    let _turn = crate::in_turn();
    let only = std::env::var("CRASH_ONLY").ok();
    for system in &FILE_SYSTEMS {
        let is_chosen = match &only {
            Some(only) => only == system.name,
            None => rounds.is_some() || system.is_quick,
        };
        if !is_chosen {
            continue;
        }
        if !system.is_in_kernel() {
            println!("PROOF {}: not in this kernel", system.name);
        } else if let Some(reason) = system.missing() {
            skip(TEST, &reason);
        } else {
            let rounds = rounds.unwrap_or(1) as usize;
            with_own_mounts(TEST, |folder| try_all(system, rounds, seed.into(), folder));
        }
    }
}
