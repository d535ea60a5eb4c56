//! It runs for years: what must not grow while the monitor runs. Each test is short here; the
//! script `tests/run_for_hours` plays the long forms, by the variables of the environment that the
//! tests name.

mod calendar;
#[path = "../common/mod.rs"]
mod common;
mod far_end;
mod figures;
mod hours;
mod pings;
mod reloads;
mod resolver;
mod siege;

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Runs the tests one after the other: they measure time, memory and threads.
fn in_turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A number from the environment, for the long form of a test.
fn number(name: &str) -> Option<u64> {
    std::env::var(name)
        .ok()
        .map(|text| text.parse().unwrap_or_else(|_| panic!("{name}={text}")))
}
