//! The section `outages`.

use std::time::Duration;

use super::key::{Key, SectionKeys};
use super::kind::{Range, Time, Whole};
use super::problem::Problems;
use super::section::Section;
use crate::pure::incident::GroupingRules;
use crate::pure::outage::OutageRules;

const DOWN_AFTER: Key<Whole, u16> = Key {
    name: "down_after",
    kind: Whole::new(1, 100).of("checks"),
    default: 1,
};
const UP_AFTER: Key<Whole, u16> = Key {
    name: "up_after",
    kind: Whole::new(1, 100).of("checks"),
    default: 1,
};
const FAST_INTERVAL: Key<Time, Duration> = Key {
    name: "fast_interval_seconds",
    kind: Range::new(0.0, 60.0).seconds(),
    default: Duration::from_secs(1),
};
const MERGE: Key<Time, Duration> = Key {
    name: "merge_seconds",
    kind: Range::new(0.0, 3600.0).seconds(),
    default: Duration::from_secs(5),
};
const INTERMITTENT_COUNT: Key<Whole, u16> = Key {
    name: "intermittent_count",
    kind: Whole::new(0, 1000).of("outages"),
    default: 3,
};
const INTERMITTENT_SPAN: Key<Time, Duration> = Key {
    name: "intermittent_minutes",
    kind: Range::above(0.0, 1440.0).minutes(),
    default: Duration::from_secs(10 * 60),
};

pub(super) const KEYS: SectionKeys = SectionKeys {
    path: "outages",
    keys: &[
        DOWN_AFTER.name,
        UP_AFTER.name,
        FAST_INTERVAL.name,
        MERGE.name,
        INTERMITTENT_COUNT.name,
        INTERMITTENT_SPAN.name,
    ],
};

/// With a shorter interval, most lines would not return a reply before the next ping.
const MIN_FAST_INTERVAL: Duration = Duration::from_millis(50);

/// The time between two pings while a host is silent; `None` for no pings between checks.
pub(super) fn read_fast_interval(
    problems: &mut Problems,
    section: &Section<'_>,
) -> Option<Duration> {
    let interval = section.value(problems, &FAST_INTERVAL);
    (!interval.is_zero()).then(|| interval.max(MIN_FAST_INTERVAL))
}

pub(super) fn read_rules(problems: &mut Problems, section: &Section<'_>) -> OutageRules {
    OutageRules {
        down_after: section.value(problems, &DOWN_AFTER),
        up_after: section.value(problems, &UP_AFTER),
    }
}

pub(super) fn read_grouping(problems: &mut Problems, section: &Section<'_>) -> GroupingRules {
    GroupingRules {
        merge: section.value(problems, &MERGE),
        intermittent_count: section.value(problems, &INTERMITTENT_COUNT).into(),
        intermittent_span: section.value(problems, &INTERMITTENT_SPAN),
    }
}
