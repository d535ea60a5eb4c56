//! The core: what is judged and computed. Times and bytes come as arguments, so nothing in here
//! opens a socket, reads a clock, touches a file or starts a thread, and everything is tested
//! without mocks.

pub mod address;
pub mod cause;
pub mod change;
pub mod check;
pub mod csv;
pub mod host_key;
pub mod icmp;
pub mod incident;
pub mod json;
pub mod link;
pub mod link_history;
pub mod loss;
pub mod model;
pub mod names;
pub mod order;
pub mod outage;
pub mod own_link;
pub mod path;
pub mod phrase;
pub mod process;
pub mod replies;
pub mod run_clock;
pub mod sample;
pub mod scene;
pub mod series;
pub mod spelling;
pub mod stats;
pub mod sums;
pub mod time;
pub mod totals;
pub mod varint;
