//! The known key that a user probably meant by an unknown one.

use super::key::SectionKeys;

/// A similar key of the same section (`known`), or the same key of another one.
pub(super) fn nearest(unknown: &str, known: &[&str], sections: &[SectionKeys]) -> Option<String> {
    const MAX_BYTES: usize = 64;
    if unknown.len() > MAX_BYTES {
        return None;
    }
    let plain = unknown.to_lowercase().replace(['-', ' '], "_");
    let similar = known
        .iter()
        .map(|key| (distance(&plain, key), *key))
        .min()
        .filter(|(distance, key)| *distance * 3 <= key.len());
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
        .map(|(_, key)| key.to_owned())
        .or_else(beginning)
        .or_else(elsewhere)
}

/// Edit distance: how many characters must be inserted, removed, replaced or swapped with their
/// neighbour (Damerau-Levenshtein).
fn distance(from: &str, to: &str) -> usize {
    let from: Vec<char> = from.chars().collect();
    let to: Vec<char> = to.chars().collect();
    let mut before: Vec<usize> = Vec::new();
    let mut previous: Vec<usize> = (0..=to.len()).collect();
    for (row, a) in from.iter().enumerate() {
        let mut current = vec![row + 1];
        for (column, b) in to.iter().enumerate() {
            let replaced = previous[column] + usize::from(a != b);
            let mut min = replaced
                .min(previous[column + 1] + 1)
                .min(current[column] + 1);
            if row > 0 && column > 0 && *a == to[column - 1] && from[row - 1] == *b {
                min = min.min(before[column - 1] + 1);
            }
            current.push(min);
        }
        before = std::mem::replace(&mut previous, current);
    }
    previous[to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_common_typing_mistake_has_the_distance_one() {
        for slip in ["adress", "addresss", "addrezs", "adrdess"] {
            assert_eq!(distance(slip, "address"), 1, "{slip}");
        }
        assert_eq!(distance("", "role"), 4);
        assert_eq!(distance("role", "role"), 0);
    }

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
