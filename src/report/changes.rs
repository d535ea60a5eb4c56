//! Since when hosts were slower or faster, or lost more or fewer pings.

use super::figures::Report;
use super::table::Section;
use super::wording::{local, percent};
use crate::pure::change::{ChangeKind, LevelChange, loss_percent};
use crate::pure::phrase::ms;

/// `None` without a change.
pub(super) fn section(report: &Report) -> Option<Section> {
    let changes = report.hosts.iter().flat_map(|host| {
        let of_host = host.level_changes.iter();
        of_host.map(|change| sentence(&host.host_name, change, &local(report, change.at)))
    });
    let mut sentences: Vec<String> = changes.collect();
    if sentences.is_empty() {
        return None;
    }
    sentences.insert(
        0,
        "Each change lasted for several checks; its time is that of the first of them. The levels are those of \
         the checks just before and just after it: the median of the round-trip times, or the share of lost pings. \
         Outages are no changes."
            .into(),
    );
    Some(Section {
        title: "Changes of level",
        sentences,
        ..Section::default()
    })
}

/// `at` is the time of the change in words.
fn sentence(host: &str, change: &LevelChange, at: &str) -> String {
    let LevelChange { before, after, .. } = *change;
    match change.kind {
        ChangeKind::Latency => {
            let [before, after] = [before, after].map(|us| ms(f64::from(us)));
            format!(
                "{host}: since {at} the round-trip time was {after}; before that it was {before}."
            )
        }
        ChangeKind::Loss => {
            let [before, after] = [before, after].map(|level| percent(Some(loss_percent(level))));
            format!(
                "{host}: since {at} {after} of the pings were lost; before that it was {before}."
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pure::time::UtcMillis;

    #[test]
    fn a_change_of_level_is_a_sentence_with_both_levels() {
        for (kind, before, after, expected) in [
            (
                ChangeKind::Latency,
                12_000,
                31_040,
                "A: since noon the round-trip time was 31.0 ms; before that it was 12.0 ms.",
            ),
            (
                ChangeKind::Latency,
                123_456,
                870,
                "A: since noon the round-trip time was 0.870 ms; before that it was 123 ms.",
            ),
            (
                ChangeKind::Loss,
                100,
                4_000,
                "A: since noon 4.00 % of the pings were lost; before that it was 0.10 %.",
            ),
            (
                ChangeKind::Loss,
                99_500,
                0,
                "A: since noon 0.00 % of the pings were lost; before that it was 99.500 %.",
            ),
        ] {
            let change = LevelChange {
                kind,
                at: UtcMillis(0),
                before,
                after,
                sureness: 80,
            };
            assert_eq!(sentence("A", &change, "noon"), expected);
        }
    }
}
