//! What the writer receives.

use std::ops::RangeInclusive;

use super::notices::NoticeResult;
use crate::pure::model::{CheckResult, Interruption, Probe, Unsent};
use crate::pure::time::UtcMillis;

/// What is written to the database.
#[derive(Clone, Debug, PartialEq)]
pub enum Record {
    Check(CheckResult),
    Probe(Probe),
    Interruption(Interruption),
    Unsent(Unsent),
    Notice(NoticeResult),
}

impl Record {
    /// Moves its times that lie within `times`.
    pub(in crate::store) fn redate(&mut self, times: &RangeInclusive<i64>, by_ms: i64) {
        let correct = |at: &mut UtcMillis| {
            if times.contains(&at.0) {
                *at = at.plus(by_ms);
            }
        };
        match self {
            Record::Check(result) => correct(&mut result.checked_at),
            Record::Probe(probe) => correct(&mut probe.at),
            Record::Interruption(interruption) => {
                correct(&mut interruption.from);
                correct(&mut interruption.to);
            }
            Record::Unsent(unsent) => {
                correct(&mut unsent.from);
                correct(&mut unsent.to);
            }
            Record::Notice(result) => correct(&mut result.at),
        }
    }

    /// Moves all its times.
    pub(in crate::store) fn shift(&mut self, by_ms: i64) {
        self.redate(&(i64::MIN..=i64::MAX), by_ms);
    }
}

impl From<CheckResult> for Record {
    fn from(result: CheckResult) -> Self {
        Record::Check(result)
    }
}

/// What is recorded of the running monitor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunState {
    Running,
    Stopped,
}
