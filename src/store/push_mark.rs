//! How far the engine of the section `push` has what is recorded.

use crate::pure::time::UtcMillis;

/// How far it has the checks of a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PushMark {
    /// The newest check that was acknowledged, in milliseconds; -1 for none.
    pub until: i64,
    /// How often a check was entered before others or moved: what was read before such a change is
    /// not what there is now.
    pub changes: i64,
}

/// Why something cannot be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PushFailure {
    /// Since when, or when.
    pub at: UtcMillis,
    pub text: String,
    /// What the engine or the command said, which may contain what is secret.
    pub output: String,
}
