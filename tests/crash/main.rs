//! Crashes at every point: the power fails at each write to the disk (power.rs), and the process is
//! killed at each system call that writes (kills.rs), of a run that does all that the store can do
//! (script.rs). Afterwards the same is demanded (verdict.rs). The commands are killed so too
//! (commands.rs).
//!
//! In tests/run all write boundaries of one run are tried, and some of the system calls. With
//! CRASH_ROUNDS=n there are n random subsets of writes between two flushes, all file systems and all
//! system calls.

#[path = "../common/mod.rs"]
mod common;

mod commands;
mod disk;
mod kills;
mod power;
mod random;
mod script;
mod verdict;

use std::sync::{Mutex, MutexGuard, PoisonError};

/// One test after the other: a child of another test has all open files of this process until it runs its
/// program, and a file system with open files is busy.
fn in_turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}
