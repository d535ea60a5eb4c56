//! Years of internet lines, simulated: see tests/years/README.md.

mod clocks;
mod faults;
mod machine;
mod play;
mod random;
mod scenario;
mod shrink;
mod text;
mod truth;
mod verdict;
mod world;

#[path = "../common/mod.rs"]
mod common;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Instant;

use scenario::{Scenario, What, YEAR};

/// In memory where this system has such a folder: a year is written within a second.
fn folder() -> PathBuf {
    let memory = PathBuf::from("/dev/shm");
    let parent = if memory.is_dir() {
        memory
    } else {
        std::env::temp_dir()
    };
    let (process, thread) = (std::process::id(), std::thread::current().id());
    parent.join(format!("ace-connection-logger-years-{process}-{thread:?}"))
}

/// Plays a scenario; returns what the record says wrongly.
fn judge(scenario: &Scenario) -> Vec<String> {
    let folder = folder();
    drop(std::fs::remove_dir_all(&folder));
    std::fs::create_dir_all(&folder).expect("a folder");
    let path = folder.join("connection.db");
    let played = play::play(scenario, &path);
    let wrong = verdict::compare(scenario, &played, &path);
    if std::env::var_os("YEARS_FILE").is_none() {
        drop(std::fs::remove_dir_all(&folder));
    }
    wrong
}

/// The seeds that tests/run plays with the profile `years`. Without optimisation a year takes half a
/// minute: one seed is played, and two weeks of it.
fn fixed_seeds() -> Vec<u64> {
    let count = if cfg!(debug_assertions) { 1 } else { 20 };
    (10..30).take(count).collect()
}

/// The kinds of faults and of hosts, by their words in the text.
fn kinds(scenario: &Scenario) -> BTreeSet<String> {
    let word = |what: &What| {
        what.to_string()
            .split(' ')
            .next()
            .unwrap_or_default()
            .to_owned()
    };
    let places = scenario.hosts.iter().map(|place| format!("host {place:?}"));
    let faults = scenario.faults.iter().map(|fault| word(&fault.what));
    faults.chain(places).collect()
}

const LENGTH: i64 = if cfg!(debug_assertions) {
    YEAR / 26
} else {
    YEAR
};

fn seeds() -> Vec<u64> {
    match number("YEARS_SEED") {
        Some(first) => (first..first + number("YEARS").unwrap_or(1)).collect(),
        None => fixed_seeds(),
    }
}

/// A number from the environment.
fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

#[test]
fn a_year_of_every_seed_is_recorded_as_it_was() {
    let began = Instant::now();
    let mut failed = Vec::new();
    let seeds = seeds();
    for &seed in &seeds {
        let scenario = Scenario::random(seed, LENGTH);
        let wrong = judge(&scenario);
        if let Some(first) = wrong.first() {
            println!("seed {seed}:\n  {}", wrong.join("\n  "));
            if number("YEARS_SHRINK") == Some(0) {
                failed.push(seed);
                continue;
            }
            println!("around it:\n{}", shrink::around(&scenario, first));
            let short = shrink::shrink(&scenario, first, &judge);
            println!("  shrunk, {:?}:\n{short}", judge(&short));
            failed.push(seed);
        }
    }
    let seconds = began.elapsed().as_secs_f64();
    if LENGTH == YEAR {
        println!("PROOF {} line-years in {seconds:.1} s", seeds.len());
    }
    assert!(failed.is_empty(), "seeds that fail: {failed:?}");
}

#[test]
fn the_fixed_seeds_contain_every_kind_of_fault_and_host() {
    let scenarios = (10..30).map(|seed| Scenario::random(seed, YEAR));
    let played: BTreeSet<String> = scenarios.flat_map(|scenario| kinds(&scenario)).collect();
    let every = [
        "cable",
        "clock",
        "disk",
        "host",
        "host Far",
        "host Far6",
        "host Gateway",
        "host Named",
        "host Near",
        "killed",
        "late",
        "loss",
        "misled",
        "moved",
        "names",
        "no-such-name",
        "power",
        "provider",
        "reload",
        "restart",
        "route",
        "router",
        "sleep",
        "slew",
        "stopped",
        "twice",
        "unreachable",
        "unset",
        "wrong",
    ];
    let every: BTreeSet<String> = every.map(String::from).into();
    assert_eq!(played, every);
}

#[test]
fn a_scenario_is_read_as_it_was_written() {
    for seed in 10..30 {
        let scenario = Scenario::random(seed, YEAR);
        assert_eq!(Scenario::read(&scenario.to_string()), scenario);
    }
}

/// Scenarios that once failed, in files of this folder. `YEARS_FILE` plays one alone, and leaves its
/// database.
#[test]
fn a_scenario_that_failed_once_is_recorded_as_it_was() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/years");
    let chosen = std::env::var("YEARS_FILE").ok();
    let files = std::fs::read_dir(folder).expect("the folder of the scenarios");
    for file in files.map(|entry| entry.expect("an entry").path()) {
        let name = file
            .file_stem()
            .expect("a name")
            .to_string_lossy()
            .into_owned();
        let is_scenario = file
            .extension()
            .is_some_and(|extension| extension == "year");
        if !is_scenario || chosen.as_ref().is_some_and(|chosen| *chosen != name) {
            continue;
        }
        let text = std::fs::read_to_string(&file).expect("a text");
        assert_eq!(
            judge(&Scenario::read(&text)),
            Vec::<String>::new(),
            "{name}"
        );
    }
}
