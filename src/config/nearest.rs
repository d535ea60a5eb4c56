//! The known key that a user probably meant by an unknown one.

use super::key::SectionKeys;
use crate::pure::spelling::nearest_word;

/// A similar key of the same section (`known`), or the same key of another one.
pub(super) fn nearest(unknown: &str, known: &[&str], sections: &[SectionKeys]) -> Option<String> {
    let plain = unknown.to_lowercase().replace(['-', ' '], "_");
    let similar = nearest_word(&plain, known.iter().copied());
    // The beginning of a long name is a likely mistake too: `interval` for `interval_seconds`.
    let beginning = || {
        known
            .iter()
            .find(|key| plain.len() >= 4 && key.starts_with(&plain))
            .map(|key| (*key).to_owned())
    };
    let elsewhere = || {
        let section = sections
            .iter()
            .find(|section| section.keys.contains(&plain.as_str()))?;
        Some(format!("{}.{plain}", section.path))
    };
    similar
        .map(str::to_owned)
        .or_else(beginning)
        .or_else(elsewhere)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_key_is_suggested_but_not_for_an_unrelated_word() {
        const MONITORING: &[&str] = &["interval_seconds", "ping_count", "timeout_seconds"];
        const DATABASE: SectionKeys = SectionKeys {
            path: "database",
            keys: &["path", "retention_days"],
        };
        let nearest = |unknown: &str, known: &[&str]| nearest(unknown, known, &[DATABASE]);
        let host = ["name", "address"];
        assert_eq!(nearest("adress", &host).as_deref(), Some("address"));
        assert_eq!(
            nearest("Ping-Count", MONITORING).as_deref(),
            Some("ping_count")
        );
        assert_eq!(
            nearest("interval", MONITORING).as_deref(),
            Some("interval_seconds")
        );
        assert_eq!(
            nearest("retention_days", MONITORING).as_deref(),
            Some("database.retention_days")
        );
        let root = [
            "monitoring",
            "hosts",
            "database",
            "outages",
            "alerts",
            "dashboard",
            "logging",
        ];
        assert_eq!(nearest("webhook", &root), None);
        assert_eq!(nearest("", &root), None);
        assert_eq!(nearest(&"x".repeat(100_000), &root), None);
    }
}
