//! Sums of checks by the hour and by the day (UTC), so that years are read quickly.

pub mod checks;
pub mod day;
pub mod due;
pub mod hour;
pub mod missing;
