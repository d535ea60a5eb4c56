//! The keys there are, and the one that somebody may have meant by another.

/// The sections of the file.
pub(super) const ROOT: &[&str] = &[
    "monitoring",
    "hosts",
    "database",
    "outages",
    "alerts",
    "dashboard",
    "logging",
];
/// `monitoring:`.
pub(super) const MONITORING: &[&str] = &[
    "interval_seconds",
    "ping_count",
    "timeout_seconds",
    "ping_spacing_ms",
    "payload_bytes",
    "time_to_live",
    "up_percent",
    "degraded_percent",
    "latency_limit_ms",
];
/// Each of `hosts:`.
pub(super) const HOST: &[&str] = &[
    "name",
    "address",
    "interval_seconds",
    "ping_count",
    "timeout_seconds",
    "ping_spacing_ms",
    "payload_bytes",
    "time_to_live",
    "up_percent",
    "degraded_percent",
    "latency_limit_ms",
    "family",
    "source",
    "role",
];
/// `database:`.
pub(super) const DATABASE: &[&str] = &[
    "path",
    "retention_days",
    "rollup_retention_days",
    "flush_seconds",
];
/// `outages:`.
pub(super) const OUTAGES: &[&str] = &[
    "down_after",
    "up_after",
    "fast_interval_seconds",
    "merge_seconds",
    "intermittent_count",
    "intermittent_minutes",
];
/// `alerts:`.
pub(super) const ALERTS: &[&str] = &["command", "events", "timeout_seconds", "most_per_hour"];
/// `dashboard:`.
pub(super) const DASHBOARD: &[&str] = &["port", "host", "base_path", "allowed_hosts"];
/// `logging:`.
pub(super) const LOGGING: &[&str] = &["level", "file"];

/// Every section with its keys.
pub(super) const SECTIONS: &[(&str, &[&str])] = &[
    ("monitoring", MONITORING),
    ("hosts[]", HOST),
    ("database", DATABASE),
    ("outages", OUTAGES),
    ("alerts", ALERTS),
    ("dashboard", DASHBOARD),
    ("logging", LOGGING),
];

/// What an unknown key was probably meant to be: a similar one of its own section, or the same one
/// of another.
pub(super) fn nearest(unknown: &str, known: &[&str]) -> Option<String> {
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
    // Half of a long name is a likely slip too: `interval` for `interval_seconds`.
    let beginning = || {
        known
            .iter()
            .find(|key| plain.len() >= 4 && key.starts_with(&plain))
            .map(|key| (*key).to_owned())
    };
    let elsewhere = || {
        let section = SECTIONS
            .iter()
            .find(|(_, keys)| keys.contains(&plain.as_str()));
        section.map(|(section, _)| format!("{section}.{plain}"))
    };
    similar
        .map(|(_, key)| key.to_owned())
        .or_else(beginning)
        .or_else(elsewhere)
}

/// How many characters must be put in, taken out, replaced or swapped with their neighbour (Damerau
/// and Levenshtein).
pub(super) fn distance(from: &str, to: &str) -> usize {
    let from: Vec<char> = from.chars().collect();
    let to: Vec<char> = to.chars().collect();
    let mut before: Vec<usize> = Vec::new();
    let mut previous: Vec<usize> = (0..=to.len()).collect();
    for (row, a) in from.iter().enumerate() {
        let mut current = vec![row + 1];
        for (column, b) in to.iter().enumerate() {
            let replaced = previous[column] + usize::from(a != b);
            let mut least = replaced
                .min(previous[column + 1] + 1)
                .min(current[column] + 1);
            if row > 0 && column > 0 && *a == to[column - 1] && from[row - 1] == *b {
                least = least.min(before[column - 1] + 1);
            }
            current.push(least);
        }
        before = std::mem::replace(&mut previous, current);
    }
    previous[to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_finger_is_one_step() {
        for slip in ["adress", "addresss", "addrezs", "adrdess"] {
            assert_eq!(distance(slip, "address"), 1, "{slip}");
        }
        assert_eq!(distance("", "role"), 4);
        assert_eq!(distance("role", "role"), 0);
    }

    #[test]
    fn the_nearest_key_is_suggested_and_a_stranger_is_not() {
        assert_eq!(nearest("adress", HOST).as_deref(), Some("address"));
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
        assert_eq!(nearest("webhook", ROOT), None);
        assert_eq!(nearest("", ROOT), None);
        assert_eq!(nearest(&"x".repeat(100_000), ROOT), None);
    }
}
