//! Plays many sites for a Prometheus that scrapes them, or for an engine that they push to, until it
//! is ended. benches/sites/measure runs it; docs/scale.md has the figures.
//!
//!     sites FOLDER FIRST COUNT HOSTS INTERVAL [FORMAT URL]
//!
//! The sites FIRST to FIRST + COUNT - 1 have HOSTS hosts each, which are checked every INTERVAL
//! seconds; FOLDER gets their databases. What Prometheus needs to find them is printed.
#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the values are small and positive"
)]

#[path = "../history/random.rs"]
mod random;

mod played;

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use ace_connection_logger::sys;

use played::{PlayedSite, Settings};

const USAGE: &str = "usage: sites FOLDER FIRST COUNT HOSTS INTERVAL [FORMAT URL]";

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (folder, numbers, push) = match &arguments[..] {
        [folder, numbers @ ..] if numbers.len() == 4 => (folder, numbers, None),
        [folder, numbers @ .., format, url] if numbers.len() == 4 => {
            (folder, numbers, Some((format.as_str(), url.as_str())))
        }
        _ => panic!("{USAGE}"),
    };
    let number = |index: usize| numbers[index].parse::<usize>().expect(USAGE);
    let (first, count) = (number(0), number(1));
    let interval = Duration::from_secs_f64(numbers[3].parse().expect(USAGE));
    let settings = Settings {
        hosts: number(2),
        interval,
        // As by default with a check each minute.
        delay: interval,
        push,
    };
    let mut sites: Vec<PlayedSite> = (first..first + count)
        .map(|number| PlayedSite::start(Path::new(folder), number, &settings))
        .collect();
    let targets: Vec<serde_json::Value> = sites.iter().map(PlayedSite::target).collect();
    println!("{}", serde_json::Value::from(targets));
    play(&mut sites, interval);
}

/// Has every site check its hosts once in each interval, one site after another.
fn play(sites: &mut [PlayedSite], interval: Duration) {
    let began = Instant::now();
    let count = u32::try_from(sites.len()).expect("few");
    let mut due = Duration::ZERO;
    loop {
        for (index, site) in (0..count).zip(&mut *sites) {
            let at = due + interval * index / count;
            thread::sleep(at.saturating_sub(began.elapsed()));
            site.check(sys::clocks().utc());
        }
        due += interval;
    }
}
