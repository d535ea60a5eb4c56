//! Days in the life of a line, scripted: what is switched off and on, and which outages, causes,
//! incidents, gaps and coverage must come out; nothing else may. One file a day, see
//! tests/days/README.md. Each day has networks of its own, with a real router between this machine
//! and the far ends, and time is compressed by short intervals.

#[path = "../common/mod.rs"]
mod common;

mod line;
mod script;
mod verdict;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use common::skip;
use line::Line;
use script::Day;

/// How many days are played side by side: they wait most of the time, and what they measure is some
/// tenths of a second.
const SIDE_BY_SIDE: usize = 6;

#[test]
fn every_day_ends_with_what_its_script_says_and_nothing_else() {
    let test = "every_day_ends_with_what_its_script_says_and_nothing_else";
    if let Err(reason) = line::probe() {
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
    // The longest first, so that the last ones end together.
    days.sort_by(|a, b| b.end.total_cmp(&a.end));
    let next = AtomicUsize::new(0);
    let told: Mutex<BTreeMap<String, Result<Vec<String>, String>>> = Mutex::default();
    std::thread::scope(|scope| {
        for _ in 0..SIDE_BY_SIDE {
            scope.spawn(|| {
                while let Some(day) = days.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let outcome = std::panic::catch_unwind(|| play(day))
                        .unwrap_or_else(|_| Err("it broke off".into()));
                    told.lock()
                        .expect("nobody panics with it")
                        .insert(day.name.clone(), outcome);
                }
            });
        }
    });
    let told = told.into_inner().expect("nobody panics with it");
    write_table(&days, &told);
    let failed: Vec<String> = told
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
        "{} of {} days went otherwise:\n{}",
        failed.len(),
        told.len(),
        failed.join("\n")
    );
}

/// Plays a day and compares; says what came out.
fn play(day: &Day) -> Result<Vec<String>, String> {
    let mut line = Line::lay(day)?;
    for (at, action) in &day.actions {
        line.wait_until(*at);
        line.perform(action)
            .map_err(|error| format!("{action:?}: {error}"))?;
    }
    line.wait_until(day.end);
    line.end()?;
    verdict::compare(day, &line)
}

/// What is recognised and how exactly, as it came out: target/days.md.
fn write_table(days: &[Day], told: &BTreeMap<String, Result<Vec<String>, String>>) {
    let mut text = String::from("| what happens | what is recorded |\n| --- | --- |\n");
    let mut days: Vec<&Day> = days.iter().collect();
    days.sort_by(|a, b| a.name.cmp(&b.name));
    for day in days {
        let recorded = match told.get(&day.name) {
            Some(Ok(lines)) if lines.is_empty() => "nothing: no outage".to_string(),
            Some(Ok(lines)) => lines.join("<br>"),
            _ => continue,
        };
        text += &format!("| {} | {recorded} |\n", day.title);
    }
    let target = bin_folder().join("days.md");
    fs::write(&target, text).unwrap_or_else(|error| panic!("{}: {error}", target.display()));
}

fn bin_folder() -> std::path::PathBuf {
    common::bin()
        .parent()
        .and_then(Path::parent)
        .expect("target/debug")
        .to_path_buf()
}

mod tests {
    use super::*;

    #[test]
    fn a_script_that_is_not_understood_is_an_error_with_its_line() {
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
