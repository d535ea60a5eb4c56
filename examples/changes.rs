//! `changes DIR OUT` runs the detector of changes over each `DIR/NAME.csv` (`epoch;rtt;cp`: the
//! round-trip time in milliseconds, below 0 or empty when the ping was lost) and writes the index of
//! the first sample of each new level, one a line, to `OUT/NAME.txt`.
//!
//! A sample is a check of one ping.

use std::error::Error;
use std::path::Path;
use std::{env, fs};

use ace_connection_logger::pure::change::changes_of_pings;

/// The round-trip time of a line in microseconds; `None` when the ping was lost.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a cast of a float stops at the limits"
)]
fn rtt_us(line: &str) -> Option<u32> {
    let ms: f64 = line.split(';').nth(1)?.trim().parse().ok()?;
    (ms >= 0.0).then(|| (ms * 1000.0).round() as u32)
}

fn write_changes(from: &Path, to: &Path) -> Result<(), Box<dyn Error>> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let path = entry?.path();
        if path.extension().is_none_or(|extension| extension != "csv") {
            continue;
        }
        let trace = fs::read_to_string(&path)?;
        let found = changes_of_pings(trace.lines().skip(1).map(rtt_us));
        let lines: String = found.iter().map(|index| format!("{index}\n")).collect();
        let name = Path::new(path.file_stem().unwrap_or_default()).with_extension("txt");
        fs::write(to.join(name), lines)?;
    }
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [from, to] = arguments.as_slice() else {
        return Err("usage: changes DIR OUT".into());
    };
    write_changes(from.as_ref(), to.as_ref())
}
