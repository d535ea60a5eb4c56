//! The writing connection and the thread that owns it.

pub mod backlog;
mod carry_over;
pub mod checks;
pub mod clock;
pub mod counters;
pub mod database;
pub mod events;
pub mod hosts;
pub mod ledger;
pub mod levels;
pub mod loss;
pub mod notices;
pub mod outages;
pub mod prune;
pub mod push;
pub mod record;
pub mod runs;
pub mod scrub;
pub mod state;
pub mod surroundings;
pub mod totals;
pub mod writer;
