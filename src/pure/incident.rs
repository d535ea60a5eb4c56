//! Groups outages: fragments of one outage, intermittent outages, and incidents in which several
//! hosts fail together. Computed from the recorded events whenever they are read; nothing of it is
//! stored.

use std::collections::HashMap;
use std::hash::Hash;
use std::time::Duration;

use crate::pure::order::by_key;
use crate::pure::time::{UtcMillis, nanoseconds};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GroupingRules {
    /// Outages of a host that are closer than this are fragments of one.
    pub merge: Duration,
    /// This many outages of a host that begin within [`GroupingRules::intermittent_span`] are one
    /// intermittent outage; 0 disables it.
    pub intermittent_count: usize,
    pub intermittent_span: Duration,
}

impl Default for GroupingRules {
    fn default() -> Self {
        GroupingRules {
            merge: Duration::from_secs(5),
            intermittent_count: 3,
            intermittent_span: Duration::from_secs(600),
        }
    }
}

/// An outage as far as grouping needs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutageSpan<K> {
    pub host: K,
    /// The last reply before the outage.
    pub earliest_start: Option<UtcMillis>,
    /// The first lost ping.
    pub start: UtcMillis,
    /// The first reply after it; `None` while the outage is ongoing.
    pub end: Option<UtcMillis>,
    /// Whether its end is that of the checks: the host was removed from the configuration. Later
    /// outages are not grouped with it.
    pub is_last: bool,
}

/// The spans of one host that form one outage: their indexes, in the order of time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// Never empty.
    pub members: Vec<usize>,
    /// The number of outages, of which each may consist of several fragments: more than one in an
    /// intermittent outage.
    pub outages: usize,
}

fn ms(duration: Duration) -> i64 {
    nanoseconds(duration) / 1_000_000
}

/// Groups the spans of every host. Each span is in one group; groups are in the order of their
/// starts.
pub fn group<K: Copy + Eq + Hash>(spans: &[OutageSpan<K>], grouping: &GroupingRules) -> Vec<Group> {
    let mut by_host: HashMap<K, Vec<usize>> = HashMap::new();
    for (index, span) in spans.iter().enumerate() {
        by_host.entry(span.host).or_default().push(index);
    }
    let mut groups: Vec<Group> = Vec::new();
    for mut own in by_host.into_values() {
        by_key(&mut own, |index| [spans[*index].start.0, 0]);
        for own in own.chunk_by(|before, _| !spans[*before].is_last) {
            let outages = merge(spans, own, ms(grouping.merge));
            groups.extend(find_intermittent(spans, &outages, grouping));
        }
    }
    by_key(&mut groups, |group| {
        [
            spans[group.members[0]].start.0,
            i64::try_from(group.members[0]).unwrap_or(i64::MAX),
        ]
    });
    groups
}

/// Joins spans of one host that are closer than `merge_ms`.
fn merge<K>(spans: &[OutageSpan<K>], own: &[usize], merge_ms: i64) -> Vec<Vec<usize>> {
    let mut merged: Vec<Vec<usize>> = Vec::new();
    let mut end: Option<UtcMillis> = None;
    for index in own {
        let span = &spans[*index];
        let is_near = end.is_some_and(|end| span.start.0.saturating_sub(end.0) < merge_ms);
        match merged.last_mut().filter(|_| is_near) {
            Some(fragments) => fragments.push(*index),
            None => merged.push(vec![*index]),
        }
        end = end.max(span.end.or(Some(UtcMillis(i64::MAX))));
    }
    merged
}

/// Joins outages of one host that are intermittent.
fn find_intermittent<K>(
    spans: &[OutageSpan<K>],
    outages: &[Vec<usize>],
    grouping: &GroupingRules,
) -> Vec<Group> {
    let count = grouping.intermittent_count;
    let start = |outage: &[usize]| spans[outage[0]].start.0;
    let is_dense = |first: usize| {
        count > 1
            && outages.get(first + count - 1).is_some_and(|last| {
                start(last).saturating_sub(start(&outages[first])) <= ms(grouping.intermittent_span)
            })
    };
    let mut groups: Vec<Group> = Vec::new();
    // Outages with a smaller index belong to the previous group.
    let mut group_end = 0;
    for (index, outage) in outages.iter().enumerate() {
        let is_member = index < group_end;
        if is_dense(index) {
            group_end = index + count;
        }
        match groups.last_mut().filter(|_| is_member) {
            Some(group) => {
                group.members.extend(outage);
                group.outages += 1;
            }
            None => groups.push(Group {
                members: outage.clone(),
                outages: 1,
            }),
        }
    }
    groups
}

/// Hosts that fail within this time fail together: each is found silent by its own next ping.
const TOGETHER_MS: i64 = 5_000;
/// An outage may have begun at most this long before its first lost ping, however old the last
/// reply is: the monitor may have been off.
const MAX_START_UNCERTAINTY_MS: i64 = 3_600_000;

/// Finds incidents: spans of at least two hosts that may have begun at the same instant, each
/// between its last reply and its first lost ping. In the order of their starts.
pub fn incidents<K: Copy + Eq + Hash>(spans: &[OutageSpan<K>]) -> Vec<Vec<usize>> {
    let mut order: Vec<usize> = (0..spans.len()).collect();
    by_key(&mut order, |index| [spans[*index].start.0, 0]);
    let mut found: Vec<Incident<K>> = Vec::new();
    // Those that a span of now or later may still belong to. Of a record of years these are few.
    let mut recent: Vec<usize> = Vec::new();
    for index in order {
        let span = &spans[index];
        let earliest = span.earliest_start.unwrap_or(span.start).min(span.start);
        recent.retain(|index| {
            found[*index].latest >= span.start.0 - MAX_START_UNCERTAINTY_MS - TOGETHER_MS
        });
        // The newest match: older ones may match too where the last reply is long ago.
        let matching = recent.iter().rev().copied().find(|index| {
            let incident = &found[*index];
            earliest.plus(-TOGETHER_MS).0 <= incident.latest && !incident.hosts.contains(&span.host)
        });
        match matching {
            Some(incident) => found[incident].add(index, span.host, earliest),
            None => {
                recent.push(found.len());
                found.push(Incident {
                    members: vec![index],
                    hosts: vec![span.host],
                    latest: span.start.0,
                });
            }
        }
    }
    found
        .into_iter()
        .map(|incident| incident.members)
        .filter(|members| members.len() > 1)
        .collect()
}

/// An incident so far.
struct Incident<K> {
    members: Vec<usize>,
    hosts: Vec<K>,
    /// The latest instant at which it may have begun.
    latest: i64,
}

impl<K> Incident<K> {
    fn add(&mut self, index: usize, host: K, earliest: UtcMillis) {
        self.members.push(index);
        self.hosts.push(host);
        self.latest = self.latest.max(earliest.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Host, last reply, start and end in seconds; an end of 0 is none yet.
    fn span((host, earliest, start, end): (u8, i64, i64, i64)) -> OutageSpan<u8> {
        let at = |seconds: i64| UtcMillis(seconds * 1000);
        OutageSpan {
            host,
            earliest_start: Some(at(earliest)),
            start: at(start),
            end: (end > 0).then(|| at(end)),
            is_last: false,
        }
    }

    fn grouped(spans: &[(u8, i64, i64, i64)], grouping: GroupingRules) -> Vec<(Vec<usize>, usize)> {
        let spans: Vec<OutageSpan<u8>> = spans.iter().copied().map(span).collect();
        group(&spans, &grouping)
            .into_iter()
            .map(|group| (group.members, group.outages))
            .collect()
    }

    const MERGE_10: GroupingRules = GroupingRules {
        merge: Duration::from_secs(10),
        intermittent_count: 3,
        intermittent_span: Duration::from_secs(100),
    };

    #[test]
    fn close_fragments_of_one_host_are_one_outage() {
        let spans = [
            (1, 99, 100, 200),
            (2, 199, 201, 202),
            (1, 199, 209, 300),
            (1, 300, 310, 0),
        ];
        assert_eq!(
            grouped(&spans, MERGE_10),
            [(vec![0, 2], 1), (vec![1], 1), (vec![3], 1)]
        );
        assert_eq!(
            grouped(
                &spans[..3],
                GroupingRules {
                    merge: Duration::ZERO,
                    ..MERGE_10
                }
            )
            .len(),
            3
        );
    }

    #[test]
    fn several_outages_in_a_short_time_are_one_intermittent_outage() {
        let flapping = [
            (1, 0, 100, 110),
            (1, 0, 140, 150),
            (1, 0, 180, 190),
            (1, 0, 270, 280),
            (1, 0, 500, 510),
            (1, 0, 590, 600),
        ];
        assert_eq!(
            grouped(&flapping, MERGE_10),
            [(vec![0, 1, 2], 3), (vec![3], 1), (vec![4], 1), (vec![5], 1)]
        );
        let longer = GroupingRules {
            intermittent_span: Duration::from_secs(140),
            ..MERGE_10
        };
        assert_eq!(
            grouped(&flapping, longer)[0],
            (vec![0, 1, 2, 3], 4),
            "runs that overlap are one"
        );
        let never = GroupingRules {
            intermittent_count: 0,
            ..MERGE_10
        };
        assert!(
            grouped(&flapping, never)
                .iter()
                .all(|(members, outages)| members.len() == 1 && *outages == 1)
        );
        // Fragments of one outage are not several outages.
        assert_eq!(
            grouped(
                &[(1, 0, 100, 110), (1, 0, 111, 120), (1, 0, 121, 130)],
                MERGE_10
            ),
            [(vec![0, 1, 2], 1)]
        );
        let three = [
            (1, 0, 100, 110),
            (1, 0, 111, 120),
            (1, 0, 150, 160),
            (1, 0, 180, 190),
        ];
        assert_eq!(
            grouped(&three, MERGE_10),
            [(vec![0, 1, 2, 3], 3)],
            "three times, one of them in two fragments"
        );
    }

    #[test]
    fn outages_before_and_after_a_change_of_the_host_list_are_not_grouped() {
        let mut spans: Vec<OutageSpan<u8>> = [
            (1, 0, 100, 110),
            (1, 0, 111, 120),
            (1, 0, 130, 140),
            (1, 0, 145, 150),
        ]
        .map(span)
        .to_vec();
        spans[1].is_last = true;
        let members: Vec<Vec<usize>> = group(&spans, &MERGE_10)
            .into_iter()
            .map(|group| group.members)
            .collect();
        assert_eq!(members, [vec![0, 1], vec![2, 3]]);
    }

    fn together(spans: &[(u8, i64, i64, i64)]) -> Vec<Vec<usize>> {
        incidents(&spans.iter().copied().map(span).collect::<Vec<_>>())
    }

    #[test]
    fn hosts_that_may_have_failed_at_the_same_instant_are_one_incident() {
        // Checked once a minute at different seconds: the line failed between 44 and 60.
        assert_eq!(
            together(&[(1, 4, 60, 300), (2, 24, 80, 300), (3, 44, 100, 300)]),
            [vec![0, 1, 2]]
        );
        // The third failed later: it still answered when the first did not.
        assert_eq!(
            together(&[(1, 4, 60, 300), (2, 24, 80, 300), (3, 90, 100, 300)]),
            [vec![0, 1]]
        );
        assert_eq!(
            together(&[(1, 9, 10, 20), (2, 10, 11, 20)]),
            [vec![0, 1]],
            "a second apart"
        );
        assert_eq!(
            together(&[(1, 9, 10, 20), (2, 30, 31, 40)]),
            Vec::<Vec<usize>>::new()
        );
        assert_eq!(
            together(&[(1, 9, 10, 11), (1, 11, 12, 13)]),
            Vec::<Vec<usize>>::new(),
            "a host fails with others, not with itself"
        );
        assert_eq!(together(&[(1, 9, 10, 0)]), Vec::<Vec<usize>>::new());
    }

    #[test]
    fn an_outage_may_have_begun_up_to_an_hour_before_its_first_lost_ping() {
        // And with five seconds between the failures of two hosts.
        for (start, is_together) in [(4605, true), (4606, false)] {
            let found = together(&[(1, 999, 1000, 1100), (2, 500, start, 0)]);
            assert_eq!(found.is_empty(), !is_together, "{start}");
        }
    }

    #[test]
    fn an_outage_after_a_long_pause_does_not_join_an_incident_before_it() {
        assert_eq!(
            together(&[(1, 9, 10, 11), (2, 9, 90_000, 90_100)]),
            Vec::<Vec<usize>>::new()
        );
    }
}
