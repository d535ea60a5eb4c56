//! Reads the recorded data, on connections that cannot write.

pub mod changes;
pub mod check_json;
pub mod checks;
pub mod damage;
pub mod events;
pub mod gaps;
pub mod grouped;
pub mod history;
pub mod hosts;
pub mod incidents;
pub mod intervals;
pub mod latest;
pub mod measured;
pub mod push;
pub mod reader;
pub mod runs;
pub mod totals;
pub mod unreadable;
pub mod waiting;
