//! Scripted days of an internet line: each file lists what is switched off and on, and exactly
//! which outages, causes, incidents, gaps and coverage must be recorded: see tests/days/README.md. Each day has network namespaces of its own, with a real router between
//! this machine and the far ends. Short intervals compress the time.

#[path = "../common/mod.rs"]
mod common;

mod actions;
mod config;
mod contradictions;
mod line;
mod names;
mod network;
mod script;
mod tap;
mod tunnel;
mod verdict;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use common::skip;
use line::Line;
use script::Day;

/// Days that run at the same time: they mostly wait, and they measure tenths of a second.
const CONCURRENT_DAYS: usize = 12;

#[test]
fn every_day_records_what_its_script_expects_and_nothing_else() {
    let test = "every_day_records_what_its_script_expects_and_nothing_else";
    if let Err(reason) = network::probe() {
        return skip(test, &reason);
    }
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/days");
    let mut days: Vec<Day> = fs::read_dir(&folder)
        .expect("the folder of the days")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "day"))
        .map(|path| Day::read(&path))
        .collect();
    assert!(days.len() >= 20, "{} days were found", days.len());
    // For work on one of them: names of days with commas between them.
    let chosen = std::env::var("DAYS").unwrap_or_default();
    if !chosen.is_empty() {
        days.retain(|day| chosen.split(',').any(|name| name == day.name));
    }
    // The longest first, so that the last ones end at about the same time.
    days.sort_by(|a, b| b.lasts().total_cmp(&a.lasts()));
    let next = AtomicUsize::new(0);
    let results: Mutex<BTreeMap<String, Result<Vec<String>, String>>> = Mutex::default();
    std::thread::scope(|scope| {
        for _ in 0..CONCURRENT_DAYS {
            scope.spawn(|| {
                while let Some(day) = days.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let outcome = std::panic::catch_unwind(|| play(day))
                        .unwrap_or_else(|_| Err("it panicked".into()));
                    results
                        .lock()
                        .expect("no thread panics while it holds the lock")
                        .insert(day.name.clone(), outcome);
                }
            });
        }
    });
    let results = results
        .into_inner()
        .expect("no thread panics while it holds the lock");
    if chosen.is_empty() {
        write_table(&days, &results);
    }
    let failed: Vec<String> = results
        .iter()
        .filter_map(|(name, outcome)| {
            outcome
                .as_ref()
                .err()
                .map(|error| format!("{name}: {error}"))
        })
        .collect();
    assert!(
        failed.is_empty(),
        "{} of {} days recorded something else:\n{}",
        failed.len(),
        results.len(),
        failed.join("\n")
    );
}

/// Runs a day; returns what was recorded.
fn play(day: &Day) -> Result<Vec<String>, String> {
    let mut line = Line::create(day)?;
    for (at, action) in &day.actions {
        line.wait_until(*at);
        line.perform(action)
            .map_err(|error| format!("{action:?}: {error}"))?;
    }
    line.wait_until(day.end);
    line.end()?;
    verdict::compare(day, &line)
}

/// Writes what was recorded, and how exactly, to target/days.md.
fn write_table(days: &[Day], results: &BTreeMap<String, Result<Vec<String>, String>>) {
    let mut text = String::from("| what happens | what is recorded |\n| --- | --- |\n");
    let mut days: Vec<&Day> = days.iter().collect();
    days.sort_by(|a, b| a.name.cmp(&b.name));
    for day in days {
        let recorded = match results.get(&day.name) {
            Some(Ok(lines)) if lines.is_empty() => "nothing: no outage".to_string(),
            Some(Ok(lines)) => lines.join("<br>"),
            _ => continue,
        };
        text += &format!("| {} | {recorded} |\n", day.title);
    }
    let target = target_folder().join("days.md");
    fs::write(&target, text).unwrap_or_else(|error| panic!("{}: {error}", target.display()));
}

fn target_folder() -> std::path::PathBuf {
    common::bin()
        .parent()
        .and_then(Path::parent)
        .expect("target/debug")
        .to_path_buf()
}

mod tests {
    use super::*;

    #[test]
    fn a_script_that_cannot_be_parsed_is_an_error_with_its_line() {
        for (text, wrong) in [
            ("# Title\nhosts far1\nat x cut provider\nend 5\n", "line 3"),
            ("# Title\nhosts nobody\nend 5\n", "line 2"),
            ("# Title\nhosts far1\nat 1 dance\nend 5\n", "line 3"),
            (
                "# Title\nhosts far1\noutage far1 1..2 weather\nend 5\n",
                "line 3",
            ),
            ("# Title\nhosts far1\n", "end"),
            ("hosts far1\nend 4\n", "title"),
        ] {
            let error = Day::parse("x", text).expect_err(text);
            assert!(error.contains(wrong), "{text:?}: {error}");
        }
    }
}
