//! Measures the release binary against its targets and prints a table, which benches/README.md
//! explains. benches/run builds the binary and runs this program in its own network namespace.
#![allow(clippy::unwrap_used, reason = "any failure ends the measurement")]
#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the values are small and positive"
)]

mod accuracy;
mod answers;
mod database;
mod dead_host;
mod device;
mod far_end;
mod memory;
mod metrics;
mod monitor;
mod processor;
#[path = "../history/random.rs"]
mod random;
mod sys;

use std::path::PathBuf;

/// One line of the table.
struct Row {
    what: String,
    measured: String,
    target: String,
    is_met: bool,
}

impl Row {
    /// A row whose target is at most `limit`.
    fn at_most(what: impl Into<String>, measured: f64, limit: f64, unit: &str) -> Row {
        let text = |value: f64| format!("{value:.*} {unit}", if value < 10.0 { 2 } else { 1 });
        Row {
            what: what.into(),
            measured: text(measured),
            target: format!("at most {}", text(limit)),
            is_met: measured <= limit,
        }
    }

    fn note(mut self, note: &str) -> Row {
        self.measured = format!("{} ({note})", self.measured);
        self
    }

    fn print(self) {
        let verdict = if self.is_met { "" } else { "MISSED" };
        println!(
            "| {:<52} | {:<58} | {:<22} | {verdict:<6} |",
            self.what, self.measured, self.target
        );
    }
}

/// A name, the function that measures and prints the rows, and whether it takes so long that it runs
/// only on request.
type Measurement = (&'static str, fn(&monitor::Program), bool);

const MEASUREMENTS: &[Measurement] = &[
    ("size", size, false),
    ("dead-host", dead_host::measure, false),
    ("memory", memory::measure, false),
    ("database", database::measure, false),
    ("answers", answers::measure, false),
    ("metrics", metrics::measure, false),
    ("accuracy", accuracy::measure, false),
    ("processor", processor::measure, false),
    ("peers", processor::measure_with_null_arms, false),
    ("device", device::measure, true),
];

fn main() {
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments
        .first()
        .is_some_and(|argument| argument == far_end::ARGUMENT)
    {
        return far_end::run(&arguments[1]);
    }
    if arguments.is_empty() {
        eprintln!("run benches/run");
        return;
    }
    let program = monitor::Program {
        path: PathBuf::from(arguments.remove(0)),
    };
    let is_all = arguments.iter().any(|argument| argument == "--all");
    monitor::run("ip", &["link", "set", "lo", "up"]);
    monitor::allow_datagram_sockets();
    println!(
        "| {:<52} | {:<58} | {:<22} | {:<6} |",
        "what", "measured", "target", ""
    );
    println!("| {:-<52} | {:-<58} | {:-<22} | {:-<6} |", "", "", "", "");
    for (name, measure, is_slow) in MEASUREMENTS {
        let is_named = arguments.iter().any(|argument| argument == name);
        if is_named || is_all || (!is_slow && arguments.is_empty()) {
            measure(&program);
        }
    }
}

fn size(program: &monitor::Program) {
    let bytes = std::fs::metadata(&program.path).unwrap().len();
    Row::at_most("release binary, stripped", bytes as f64 / 1e6, 2.0, "MB").print();
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
