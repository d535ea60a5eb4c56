//! Which outages belong together: fragments that are one outage, outages so close that they are one
//! intermittent one, and hosts that failed together. Views over plain events, made when these are
//! read: nothing of it is stored. Pure.

use std::collections::HashMap;
use std::hash::Hash;
use std::time::Duration;

use crate::pure::order::by_key;
use crate::pure::time::{UtcMillis, nanoseconds};

/// What is taken for one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GroupingRules {
    /// Outages of a host with less than this between them are fragments of one.
    pub merge: Duration,
    /// So many outages of a host that begin within [`GroupingRules::intermittent_span`] are one,
    /// intermittent; 0 never.
    pub intermittent_count: usize,
    /// See [`GroupingRules::intermittent_count`].
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

/// An outage as far as it must be known to tell what it belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutageSpan<K> {
    /// Whose it is.
    pub host: K,
    /// The last reply before it.
    pub earliest_start: Option<UtcMillis>,
    /// Its first lost ping.
    pub start: UtcMillis,
    /// The first reply behind it; `None` while it goes on.
    pub end: Option<UtcMillis>,
}

/// Spells of one host that are one outage, by their index, in the order of time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// Never empty.
    pub members: Vec<usize>,
    /// Whether they are several outages in a short time, and not fragments of one.
    pub is_intermittent: bool,
}

fn ms(duration: Duration) -> i64 {
    nanoseconds(duration) / 1_000_000
}

/// The outages that spells make, each spell in one of them, in the order of their starts.
pub fn group<K: Copy + Eq + Hash>(
    spells: &[OutageSpan<K>],
    grouping: &GroupingRules,
) -> Vec<Group> {
    let mut by_host: HashMap<K, Vec<usize>> = HashMap::new();
    for (index, spell) in spells.iter().enumerate() {
        by_host.entry(spell.host).or_default().push(index);
    }
    let mut groups: Vec<Group> = Vec::new();
    for mut own in by_host.into_values() {
        by_key(&mut own, |index| [spells[*index].start.0, 0]);
        groups.extend(find_intermittent(
            spells,
            merge(spells, &own, ms(grouping.merge)),
            grouping,
        ));
    }
    by_key(&mut groups, |group| {
        [
            spells[group.members[0]].start.0,
            i64::try_from(group.members[0]).unwrap_or(i64::MAX),
        ]
    });
    groups
}

/// Fragments that lie closer than `merge_ms`, one behind the other.
fn merge<K>(spells: &[OutageSpan<K>], own: &[usize], merge_ms: i64) -> Vec<Vec<usize>> {
    let mut merged: Vec<Vec<usize>> = Vec::new();
    let mut end: Option<UtcMillis> = None;
    for index in own {
        let spell = &spells[*index];
        let is_near = end.is_some_and(|end| spell.start.0.saturating_sub(end.0) < merge_ms);
        match merged.last_mut().filter(|_| is_near) {
            Some(fragments) => fragments.push(*index),
            None => merged.push(vec![*index]),
        }
        end = end.max(spell.end.or(Some(UtcMillis(i64::MAX))));
    }
    merged
}

/// Outages so many of which begin within the span are one group.
fn find_intermittent<K>(
    spells: &[OutageSpan<K>],
    outages: Vec<Vec<usize>>,
    grouping: &GroupingRules,
) -> Vec<Group> {
    let count = grouping.intermittent_count;
    let start = |outage: &[usize]| spells[outage[0]].start.0;
    let is_dense = |first: usize| {
        count > 1
            && outages.get(first + count - 1).is_some_and(|last| {
                start(last).saturating_sub(start(&outages[first])) <= ms(grouping.intermittent_span)
            })
    };
    let mut groups: Vec<Group> = Vec::new();
    // Up to here outages belong to the group before.
    let mut belongs_until = 0;
    for (index, outage) in outages.iter().enumerate() {
        let is_member = index < belongs_until;
        if is_dense(index) {
            belongs_until = index + count;
        }
        match groups.last_mut().filter(|_| is_member) {
            Some(group) => group.members.extend(outage),
            None => groups.push(Group {
                members: outage.clone(),
                is_intermittent: is_dense(index),
            }),
        }
    }
    groups
}

/// Failures this close in time are one, though nobody could have seen them as the same instant:
/// hosts notice a dead line with their own next ping.
const TOGETHER_MS: i64 = 5_000;
/// How far before its first lost ping an outage may have begun, whatever the last reply was: the
/// monitor may have been off.
const MAX_DOUBT_MS: i64 = 3_600_000;

/// Spells of different hosts that may have begun at the same instant: between its last reply and
/// its first lost ping each. Only those of two hosts and more, in the order of their starts.
pub fn incidents<K: Copy + Eq + Hash>(spells: &[OutageSpan<K>]) -> Vec<Vec<usize>> {
    let mut order: Vec<usize> = (0..spells.len()).collect();
    by_key(&mut order, |index| [spells[*index].start.0, 0]);
    let mut found: Vec<Incident<K>> = Vec::new();
    for index in order {
        let spell = &spells[index];
        let earliest = spell.earliest_start.map_or(spell.start.0, |at| {
            at.0.clamp(spell.start.0 - MAX_DOUBT_MS, spell.start.0)
        });
        // The newest that fits: an older one may fit too where the last reply is long ago.
        let fitting = found.iter_mut().rev().find(|incident| {
            earliest - TOGETHER_MS <= incident.latest
                && spell.start.0 + TOGETHER_MS >= incident.earliest
                && !incident.hosts.contains(&spell.host)
        });
        match fitting {
            Some(incident) => incident.add(index, spell.host, earliest, spell.start.0),
            None => found.push(Incident {
                members: vec![index],
                hosts: vec![spell.host],
                earliest,
                latest: spell.start.0,
            }),
        }
    }
    found
        .into_iter()
        .map(|incident| incident.members)
        .filter(|members| members.len() > 1)
        .collect()
}

/// What is known of an incident so far: when it began, at the earliest and at the latest.
struct Incident<K> {
    members: Vec<usize>,
    hosts: Vec<K>,
    earliest: i64,
    latest: i64,
}

impl<K> Incident<K> {
    fn add(&mut self, index: usize, host: K, earliest: i64, latest: i64) {
        self.members.push(index);
        self.hosts.push(host);
        let (from, to) = (self.earliest.max(earliest), self.latest.min(latest));
        // Where the two lie a moment apart, it was in that moment.
        (self.earliest, self.latest) = (from.min(to), from.max(to));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Host, last reply, start and end in seconds; an end of 0 is none yet.
    fn spell((host, earliest, start, end): (u8, i64, i64, i64)) -> OutageSpan<u8> {
        let at = |seconds: i64| UtcMillis(seconds * 1000);
        OutageSpan {
            host,
            earliest_start: Some(at(earliest)),
            start: at(start),
            end: (end > 0).then(|| at(end)),
        }
    }

    fn grouped(spells: &[(u8, i64, i64, i64)], grouping: GroupingRules) -> Vec<(Vec<usize>, bool)> {
        let spells: Vec<OutageSpan<u8>> = spells.iter().copied().map(spell).collect();
        group(&spells, &grouping)
            .into_iter()
            .map(|group| (group.members, group.is_intermittent))
            .collect()
    }

    const MERGE_10: GroupingRules = GroupingRules {
        merge: Duration::from_secs(10),
        intermittent_count: 3,
        intermittent_span: Duration::from_secs(100),
    };

    #[test]
    fn fragments_closer_than_that_are_one_outage_and_those_of_another_host_are_not() {
        let spells = [
            (1, 99, 100, 200),
            (2, 199, 201, 202),
            (1, 199, 209, 300),
            (1, 300, 310, 0),
        ];
        assert_eq!(
            grouped(&spells, MERGE_10),
            [(vec![0, 2], false), (vec![1], false), (vec![3], false)]
        );
        assert_eq!(
            grouped(
                &spells[..3],
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
    fn several_outages_in_a_short_time_are_one_intermittent_one() {
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
            [
                (vec![0, 1, 2], true),
                (vec![3], false),
                (vec![4], false),
                (vec![5], false)
            ]
        );
        let longer = GroupingRules {
            intermittent_span: Duration::from_secs(140),
            ..MERGE_10
        };
        assert_eq!(
            grouped(&flapping, longer)[0],
            (vec![0, 1, 2, 3], true),
            "runs that overlap are one"
        );
        let never = GroupingRules {
            intermittent_count: 0,
            ..MERGE_10
        };
        assert!(
            grouped(&flapping, never)
                .iter()
                .all(|(members, is_intermittent)| members.len() == 1 && !is_intermittent)
        );
        // Fragments of one outage are not several.
        assert_eq!(
            grouped(
                &[(1, 0, 100, 110), (1, 0, 111, 120), (1, 0, 121, 130)],
                MERGE_10
            ),
            [(vec![0, 1, 2], false)]
        );
    }

    fn together(spells: &[(u8, i64, i64, i64)]) -> Vec<Vec<usize>> {
        incidents(&spells.iter().copied().map(spell).collect::<Vec<_>>())
    }

    #[test]
    fn hosts_that_may_have_failed_at_the_same_instant_are_one_incident() {
        // Checked once a minute, out of step: the line died between 44 and 60.
        assert_eq!(
            together(&[(1, 4, 60, 300), (2, 24, 80, 300), (3, 44, 100, 300)]),
            [vec![0, 1, 2]]
        );
        // The third one failed later: it still answered when the first was out.
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
    fn an_outage_found_after_a_long_pause_is_not_of_an_incident_before_the_pause() {
        assert_eq!(
            together(&[(1, 9, 10, 11), (2, 9, 90_000, 90_100)]),
            Vec::<Vec<usize>>::new()
        );
    }
}
