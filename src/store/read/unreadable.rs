//! What damage takes from the checks of a host, in words.

use std::fmt;
use std::ops::Range;

use crate::pure::time::{LATEST_MS, UtcMillis};

/// What cannot be read of the checks of a host, since the file is damaged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreadable {
    pub host: String,
    pub part: UnreadablePart,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UnreadablePart {
    Checks(Range<UtcMillis>),
    /// Their late, duplicate and foreign replies, and their reasons.
    Notes(Range<UtcMillis>),
    /// All of them were read, but not the sums that tell whether some are missing.
    Sums,
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Unreadable { host, part } = self;
        match part {
            UnreadablePart::Checks(span) => {
                write!(f, "checks of {host}{} cannot be read", within(span))
            }
            UnreadablePart::Notes(span) => write!(
                f,
                "reasons and wrong replies of checks of {host}{} cannot be read",
                within(span)
            ),
            UnreadablePart::Sums => write!(
                f,
                "the sums that tell whether checks of {host} are missing cannot be read"
            ),
        }
    }
}

/// A span in words. An end that nobody asked for is left out.
fn within(span: &Range<UtcMillis>) -> String {
    let is_asked = (span.start.0 > 0, span.end.0 <= LATEST_MS);
    let (from, to) = (span.start.rfc3339(), span.end.rfc3339());
    match is_asked {
        (true, true) => format!(" from {from} to {to}"),
        (true, false) => format!(" from {from} on"),
        (false, true) => format!(" before {to}"),
        (false, false) => String::new(),
    }
}
