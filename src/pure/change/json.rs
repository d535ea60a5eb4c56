//! A change of level in JSON: each kind has its own fields, those of the other kind are null.

use serde::Serialize;

use super::{ChangeKind, LevelChange};
use crate::pure::time::UtcMillis;

#[derive(Serialize)]
pub(super) struct ChangeJson {
    kind: &'static str,
    at: UtcMillis,
    before_us: Option<u32>,
    after_us: Option<u32>,
    before_loss_percent: Option<f64>,
    after_loss_percent: Option<f64>,
    sureness: u8,
}

impl From<LevelChange> for ChangeJson {
    fn from(change: LevelChange) -> ChangeJson {
        let us = |level: u32| (change.kind == ChangeKind::Latency).then_some(level);
        let percent = |level: u32| (change.kind == ChangeKind::Loss).then(|| loss_percent(level));
        ChangeJson {
            kind: change.kind.as_str(),
            at: change.at,
            before_us: us(change.before),
            after_us: us(change.after),
            before_loss_percent: percent(change.before),
            after_loss_percent: percent(change.after),
            sureness: change.sureness,
        }
    }
}

/// A level of the loss in percent.
pub fn loss_percent(level: u32) -> f64 {
    f64::from(level) / 1000.0
}
