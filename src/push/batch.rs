//! Collects what is sent together: changes of events, and checks of all hosts in the order of time.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, VecDeque};

use crate::pure::model::HostId;
use crate::pure::time::UtcMillis;
use crate::store::{
    CheckToPush, EventToPush, HostToPush, PushMark, PushProgress, Reader, StoreError,
};

/// Checks and events of one batch.
pub const MAX_SAMPLES: usize = 5000;
/// Events of one batch: the others follow.
const MAX_EVENTS: usize = 500;

/// One check or one event.
#[derive(Clone, Debug, PartialEq)]
pub enum Sample {
    Event(Box<EventToPush>),
    /// With the place of its host in [`Batch::hosts`].
    Check(usize, CheckToPush),
}

#[derive(Debug)]
pub struct Batch {
    pub hosts: Vec<HostToPush>,
    /// Events first, then checks, oldest first.
    pub samples: Vec<Sample>,
    /// Whether there may be more.
    pub is_cut: bool,
}

/// What the engine has acknowledged and the database may not say yet.
#[derive(Clone, Debug, Default)]
pub struct Acknowledged {
    /// Which file the rest is of.
    database: String,
    marks: HashMap<HostId, PushMark>,
    /// The last change of an event.
    event: i64,
}

impl Acknowledged {
    /// Forgets what is of another file.
    pub fn begin(&mut self, database: String) {
        if self.database != database {
            *self = Acknowledged {
                database,
                ..Acknowledged::default()
            };
        }
    }

    /// After which time the checks of a host are to be sent.
    fn after(&self, host: &HostToPush) -> i64 {
        let known = self.marks.get(&host.host.id);
        // Where the database has changed before it, what is known here is void.
        let known = known.filter(|known| known.changes == host.mark.changes);
        known.map_or(host.mark.until, |known| known.until.max(host.mark.until))
    }

    /// Adds samples of a batch; returns what to tell the writer.
    pub fn add(&mut self, batch: &Batch, samples: &[Sample]) -> PushProgress {
        let mut progress = PushProgress::default();
        for sample in samples {
            match sample {
                Sample::Event(event) => progress.events = Some(event.change),
                Sample::Check(index, check) => {
                    if let Some(host) = batch.hosts.get(*index) {
                        let mark = PushMark {
                            until: check.at.0,
                            changes: host.mark.changes,
                        };
                        progress.marks.insert(host.host.id, mark);
                    }
                }
            }
        }
        self.marks.extend(&progress.marks);
        self.event = self.event.max(progress.events.unwrap_or(0));
        progress
    }
}

/// What the engine does not have yet, at most `max_samples`. Each query is a transaction of its own.
pub fn collect(
    reader: &Reader,
    acknowledged: &Acknowledged,
    max_samples: usize,
) -> Result<Batch, StoreError> {
    let hosts = reader.hosts_to_push()?;
    let max_events = MAX_EVENTS.min(max_samples);
    let events = reader.events_to_push(acknowledged.event, max_events)?;
    let mut batch = Batch {
        is_cut: events.len() == max_events,
        samples: (events.into_iter().map(Box::new).map(Sample::Event)).collect(),
        hosts,
    };
    let rows = (max_samples / batch.hosts.len().max(1)).max(1);
    let mut waiting = Vec::new();
    for host in &batch.hosts {
        let after = acknowledged.after(host);
        let checks = reader.checks_to_push(host.host.id, after, rows)?;
        waiting.push(HostChecks {
            is_cut: checks.len() == rows,
            checks: checks.into(),
        });
    }
    merge(&mut batch, waiting, max_samples);
    Ok(batch)
}

/// The next checks of a host.
struct HostChecks {
    checks: VecDeque<CheckToPush>,
    /// Whether there may be more.
    is_cut: bool,
}

/// Adds checks in the order of time, up to where not all of a host's are known.
fn merge(batch: &mut Batch, mut waiting: Vec<HostChecks>, max_samples: usize) {
    let next_at = |checks: &HostChecks| checks.checks.front().map(|check| check.at);
    let mut due: BinaryHeap<Reverse<(UtcMillis, usize)>> = BinaryHeap::new();
    for (index, checks) in waiting.iter().enumerate() {
        due.extend(next_at(checks).map(|at| Reverse((at, index))));
    }
    while let Some(Reverse((_, index))) = due.pop() {
        if batch.samples.len() >= max_samples {
            batch.is_cut = true;
            return;
        }
        let Some(checks) = waiting.get_mut(index) else {
            return;
        };
        let check = checks.checks.pop_front();
        batch
            .samples
            .extend(check.map(|check| Sample::Check(index, check)));
        match next_at(checks) {
            Some(at) => due.push(Reverse((at, index))),
            None if checks.is_cut => {
                batch.is_cut = true;
                return;
            }
            None => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pure::model::State;

    fn checks(times: &[i64], is_cut: bool) -> HostChecks {
        let check = |at: &i64| CheckToPush {
            at: UtcMillis(*at),
            sent: 1,
            received: 1,
            latencies: [None; 3],
            state: State::Up,
        };
        HostChecks {
            checks: times.iter().map(check).collect(),
            is_cut,
        }
    }

    #[test]
    fn checks_are_in_order_up_to_where_a_host_may_have_more() {
        for (hosts, max, expected, is_cut) in [
            (
                vec![checks(&[1, 4, 9], false), checks(&[2, 3, 10], false)],
                9,
                vec![(0, 1), (1, 2), (1, 3), (0, 4), (0, 9), (1, 10)],
                false,
            ),
            // The first host may have a check at 5.
            (
                vec![checks(&[1, 4], true), checks(&[2, 3, 10], false)],
                9,
                vec![(0, 1), (1, 2), (1, 3), (0, 4)],
                true,
            ),
            (
                vec![checks(&[1, 4], false), checks(&[2, 3, 10], false)],
                2,
                vec![(0, 1), (1, 2)],
                true,
            ),
            (vec![], 2, vec![], false),
        ] {
            let mut batch = Batch {
                hosts: Vec::new(),
                samples: Vec::new(),
                is_cut: false,
            };
            merge(&mut batch, hosts, max);
            let merged: Vec<(usize, i64)> = batch
                .samples
                .iter()
                .filter_map(|sample| match sample {
                    Sample::Check(index, check) => Some((*index, check.at.0)),
                    Sample::Event(_) => None,
                })
                .collect();
            assert_eq!((merged, batch.is_cut), (expected, is_cut));
        }
    }
}
