//! How well changes of level are found in traces that a human labelled: `tests/changes/README.md`.
//! `cargo test --test changes -- --nocapture` prints the figures.

use std::fs;
use std::path::Path;

use ace_connection_logger::pure::change::changes_of_pings;

/// A change is right when it is so many samples from a label at most.
const NEAR: u64 = 2;

#[derive(Default)]
struct Score {
    labels: usize,
    found: usize,
    right: usize,
}

impl Score {
    fn add(&mut self, labels: &[i64], found: &[i64]) {
        self.labels += labels.len();
        self.found += found.len();
        let mut free = labels;
        for at in found {
            while free
                .first()
                .is_some_and(|label| *label < *at && label.abs_diff(*at) > NEAR)
            {
                free = &free[1..];
            }
            if free
                .first()
                .is_some_and(|label| label.abs_diff(*at) <= NEAR)
            {
                (self.right, free) = (self.right + 1, &free[1..]);
            }
        }
    }

    fn f1(&self) -> f64 {
        2.0 * self.right as f64 / (self.labels + self.found) as f64
    }
}

/// The indices of the labels and of the changes that the detector finds.
fn labels_and_changes(trace: &str) -> (Vec<i64>, Vec<i64>) {
    let labelled = trace
        .lines()
        .zip(0..)
        .filter(|(line, _)| line.ends_with('*'));
    let rtts_us = trace
        .lines()
        .map(|line| line.trim_end_matches('*').parse().ok());
    (
        labelled.map(|(_, index)| index).collect(),
        changes_of_pings(rtts_us),
    )
}

#[test]
fn of_the_changes_that_a_human_labelled_most_are_found_and_few_others() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/changes");
    let mut score = Score::default();
    for name in ["11241", "13746", "16154", "17603", "17783"] {
        let trace = fs::read_to_string(folder.join(name).with_extension("txt")).expect("a trace");
        let (labels, found) = labels_and_changes(&trace);
        score.add(&labels, &found);
    }
    let Score {
        labels,
        found,
        right,
    } = &score;
    println!(
        "{right} of {labels} labels, {found} found, F1 {:.3}",
        score.f1()
    );
    assert_eq!(*labels, 83);
    assert!(score.f1() >= FLOOR, "{:.3}", score.f1());
}

/// Slightly less than what was reached.
const FLOOR: f64 = 0.83;
