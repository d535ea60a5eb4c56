//! What the writer is given.

use std::ops::RangeInclusive;

use super::notices::NoticeResult;
use crate::pure::model::{CheckResult, Interruption, Probe};
use crate::pure::time::UtcMillis;

/// What is to be written.
#[derive(Clone, Debug, PartialEq)]
pub enum Record {
    /// A check, as a row.
    Check(CheckResult),
    /// A ping between two checks, which moves an outage.
    Probe(Probe),
    /// A time in which nothing was measured.
    Interruption(Interruption),
    /// What came of telling a notice.
    Notice(NoticeResult),
}

impl Record {
    /// Dates it anew where it lies within times that have turned out to be wrong.
    pub(in crate::store) fn redate(&mut self, times: &RangeInclusive<i64>, by_ms: i64) {
        let mend = |at: &mut UtcMillis| {
            if times.contains(&at.0) {
                at.0 = at.0.saturating_add(by_ms);
            }
        };
        match self {
            Record::Check(result) => mend(&mut result.checked_at),
            Record::Probe(probe) => mend(&mut probe.at),
            Record::Interruption(interruption) => {
                mend(&mut interruption.from);
                mend(&mut interruption.to);
            }
            Record::Notice(fate) => fate.told_at.iter_mut().for_each(mend),
        }
    }
}

impl From<CheckResult> for Record {
    fn from(result: CheckResult) -> Self {
        Record::Check(result)
    }
}

/// What the ledger is to say of the daemon that writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunStart {
    /// It goes on.
    GoesOn,
    /// This is its last word.
    Ends,
}
