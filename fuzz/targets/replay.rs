//! The fuzz targets without a fuzzer: every file of the corpora, and changed ones for some seconds,
//! from a fixed seed and from a fresh one.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use super::TARGETS;

/// For each target and seed.
const CHANGING: Duration = Duration::from_millis(1500);
const FIXED_SEED: u64 = 0x2545_f491_4f6c_dd1d;
const MAX_LEN: usize = 4096;
/// Numbers at which a limit may be.
const LIMITS: [i64; 8] = [
    0,
    -1,
    i64::MAX,
    i64::MIN,
    1 << 32,
    1 << 43,
    1 << 48,
    1 << 31,
];

/// xorshift64.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).unwrap_or(0) % end.max(1)
    }

    fn byte(&mut self) -> u8 {
        self.below(256).to_le_bytes()[0]
    }
}

/// The files of a corpus, in the order of their names, and an empty one.
fn corpus(target: &str) -> Vec<Vec<u8>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let entries = fs::read_dir(root.join("fuzz/corpus").join(target)).expect("a corpus");
    let mut paths: Vec<_> = entries
        .map(|entry| entry.expect("an entry").path())
        .collect();
    paths.sort();
    let files = paths.iter().map(|path| fs::read(path).expect("a file"));
    files.chain([Vec::new()]).collect()
}

fn change(input: &mut Vec<u8>, other: &[u8], random: &mut Random) {
    for _ in 0..=random.below(4) {
        let at = random.below(input.len() + 1);
        match random.below(7) {
            0 => input.insert(at, random.byte()),
            1 => input.truncate(at),
            2 => drop(input.drain(at..(at + random.below(8)).min(input.len()))),
            3 => {
                let from = random.below(other.len() + 1);
                let to = (from + random.below(64)).min(other.len());
                drop(input.splice(at..at, other[from..to].iter().copied()));
            }
            4 => {
                let limit = LIMITS[random.below(LIMITS.len())].to_le_bytes();
                let end = (at + limit.len()).min(input.len());
                drop(input.splice(at..end, limit));
            }
            _ => {
                if let Some(byte) = input.get_mut(at) {
                    *byte = random.byte();
                }
            }
        }
    }
    input.truncate(MAX_LEN);
}

/// Runs a target; a panic names what led to it.
fn check(name: &str, run: fn(&[u8]), input: &[u8], what: &str) {
    if let Err(panic) = catch_unwind(AssertUnwindSafe(|| run(input))) {
        let path = std::env::temp_dir().join(format!("ace-fuzz-{name}-{}", std::process::id()));
        let kept = fs::write(&path, input).is_ok();
        eprintln!(
            "target {name}, {what}: the input is in {} ({kept})",
            path.display()
        );
        resume_unwind(panic);
    }
}

fn replay(name: &str) {
    let (_, run) = TARGETS
        .iter()
        .find(|(own, _)| *own == name)
        .expect("a target");
    let files = corpus(name);
    assert!(files.len() > 1, "the corpus of {name} is empty");
    for (index, file) in files.iter().enumerate() {
        check(name, *run, file, &format!("file {index} of its corpus"));
    }
    let since = SystemTime::UNIX_EPOCH.elapsed().expect("a clock");
    let fresh = u64::from(since.subsec_nanos()) << 32 | 1;
    for seed in [FIXED_SEED, fresh] {
        let (began, mut random) = (Instant::now(), Random(seed));
        let mut executions = 0;
        while began.elapsed() < CHANGING {
            let mut input = files[random.below(files.len())].clone();
            let other = &files[random.below(files.len())];
            change(&mut input, other, &mut random);
            check(
                name,
                *run,
                &input,
                &format!("seed {seed}, execution {executions}"),
            );
            executions += 1;
        }
        eprintln!("{name}: {executions} executions from seed {seed}");
    }
}

/// A test for each target, so that they run side by side.
macro_rules! replay_tests {
    ($($target:ident),*) => {
        $(
            #[test]
            fn $target() {
                replay(stringify!($target));
            }
        )*

        #[test]
        fn every_target_has_a_test_and_a_program() {
            let names: Vec<&str> = TARGETS.iter().map(|(name, _)| *name).collect();
            assert_eq!(names, [$(stringify!($target)),*]);
            let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz");
            let manifest = fs::read_to_string(fuzz.join("Cargo.toml")).expect("a manifest");
            for name in names {
                assert!(fuzz.join(format!("fuzz_targets/{name}.rs")).exists(), "{name}");
                assert!(manifest.contains(&format!("name = \"{name}\"")), "{name}");
            }
        }
    };
}

replay_tests!(
    packets,
    messages,
    routes,
    configuration,
    http,
    blobs,
    database,
    import,
    notices
);
