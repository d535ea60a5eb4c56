//! Which alerts the waiting notices make. Those about several outages of the same hosts make one; those of a host
//! that goes down and up again and again are held and counted; more than may be sent within the
//! hour make a digest.

use std::collections::HashMap;

use serde_json::Value;

use crate::pure::incident::GroupingRules;
use crate::pure::model::{AlertKind, EventKind, HostId};
use crate::pure::time::{HOUR_MS, UtcMillis, nanoseconds, whole_seconds};
use crate::store::{Notice, OutageEvent};

/// How long after its beginning an outage is reported: by then its cause is known.
const CAUSE_KNOWN_AFTER_MS: i64 = 2000;
/// The longest time that notices are held for counting.
const MAX_HELD_MS: i64 = HOUR_MS;
/// A notice that failed so often no longer delays others.
pub const TRIES_BEFORE_OTHERS: u32 = 5;

/// Notices of each class have a limit per hour of their own, and no class delays another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Class {
    Outages,
    /// Loss and degraded hosts. Sent after the others.
    Quality,
    /// The monitor's own trouble.
    Monitor,
}

impl Class {
    pub const ALL: [Class; 3] = [Class::Monitor, Class::Outages, Class::Quality];

    pub fn of(kind: AlertKind) -> Class {
        match kind {
            AlertKind::Degraded | AlertKind::Loss => Class::Quality,
            AlertKind::Database => Class::Monitor,
            AlertKind::Down | AlertKind::Up | AlertKind::Incident | AlertKind::Digest => {
                Class::Outages
            }
        }
    }
}

/// What one run of the command reports.
#[derive(Clone, Debug, PartialEq)]
pub struct Alert {
    pub kind: AlertKind,
    pub class: Class,
    /// When the newest of its notices was made, and the oldest.
    pub made_at: UtcMillis,
    pub oldest_at: UtcMillis,
    /// The notices that it reports.
    pub ids: Vec<i64>,
    /// Failed attempts.
    pub tries: u32,
    /// The newest of each host; none for a degraded check, loss or the database.
    pub events: Vec<OutageEvent>,
    /// The JSON of a degraded check, of loss or of the database.
    pub facts: Option<String>,
    /// Where it counts.
    pub repeated: Option<Repeated>,
    /// The hosts of a digest.
    pub host_names: Vec<String>,
}

impl Alert {
    /// The alert for a single notice.
    pub fn of(notice: &Notice) -> Alert {
        alert_of(&[notice])
    }

    /// Whether this notice, which waits, is one of those that it reports. A database that was
    /// replaced uses ids again.
    pub fn has_waiting(&self, notice: &Notice) -> bool {
        notice.sent_at.is_none()
            && self.ids.contains(&notice.id)
            && (self.oldest_at..=self.made_at).contains(&notice.made_at)
    }

    /// The names of its hosts.
    fn names(&self) -> Vec<String> {
        let facts = self.facts.as_deref().unwrap_or_default();
        let facts: Value = serde_json::from_str(facts).unwrap_or_default();
        let of_facts = facts["host_name"].as_str().map(String::from);
        self.events
            .iter()
            .map(OutageEvent::name)
            .chain(of_facts)
            .collect()
    }
}

/// How often a host went down, or began to be degraded or to lose pings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Repeated {
    /// Of several hosts that of the most.
    pub times: usize,
    pub since: UtcMillis,
    /// How long all of them lasted, of one host.
    pub seconds: Option<i64>,
}

/// An alert, and until when it is held.
#[derive(Clone, Debug, PartialEq)]
pub struct Planned {
    pub alert: Alert,
    /// Each of its notices alone, in order, which are sent instead where there is nothing to count:
    /// those of a single outage. Empty otherwise.
    pub singles: Vec<Alert>,
    pub held_until: Option<UtcMillis>,
}

/// A host, and the kind of its notices: an outage and loss of the same host are not counted
/// together.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Subject {
    /// `None` for outages.
    kind: Option<AlertKind>,
    id: Option<HostId>,
    address: String,
    name: String,
}

/// How old sent notices are needed for [`plan`].
pub fn history_ms(rules: &GroupingRules) -> i64 {
    span_ms(rules) + 2 * MAX_HELD_MS
}

fn span_ms(rules: &GroupingRules) -> i64 {
    nanoseconds(rules.intermittent_span) / 1_000_000
}

/// The alerts that the waiting notices make, in the order of their oldest. `notices` also has those
/// that were sent within [`history_ms`].
pub fn plan(notices: &[Notice], rules: &GroupingRules, now: UtcMillis) -> Vec<Planned> {
    let beginnings = beginnings(notices);
    let plan_one = |together: Vec<&Notice>| {
        let (counts, held) = count(&together, &beginnings, rules);
        let mut alert = alert_of(&together);
        alert.repeated = counts.filter(|counts| counts.times > 1);
        let is_single = alert.repeated.is_none() && together.len() > 1;
        let until_known = together
            .iter()
            .filter(|notice| is_beginning(notice) && Class::of(notice.kind) == Class::Outages)
            .filter(|notice| notice.made_at <= now)
            .map(|notice| notice.made_at.plus(CAUSE_KNOWN_AFTER_MS))
            .max();
        let latest = alert.oldest_at.plus(MAX_HELD_MS);
        let held_until = held.map(|until| until.min(latest)).max(until_known);
        Planned {
            alert,
            singles: together
                .iter()
                .filter(|_| is_single)
                .map(|notice| Alert::of(notice))
                .collect(),
            held_until: held_until.filter(|until| *until > now),
        }
    };
    together(notices).into_iter().map(plan_one).collect()
}

/// One alert for all of these.
pub fn digest(alerts: &[&Alert]) -> Option<Alert> {
    let [first, ..] = alerts else {
        return None;
    };
    let repeated = alerts.iter().filter_map(|alert| alert.repeated);
    let mut host_names: Vec<String> = alerts.iter().flat_map(|alert| alert.names()).collect();
    host_names.sort();
    host_names.dedup();
    Some(Alert {
        kind: AlertKind::Digest,
        class: first.class,
        made_at: alerts.iter().map(|alert| alert.made_at).max()?,
        oldest_at: alerts.iter().map(|alert| alert.oldest_at).min()?,
        ids: alerts.iter().flat_map(|alert| alert.ids.clone()).collect(),
        tries: alerts.iter().map(|alert| alert.tries).min()?,
        events: alerts
            .iter()
            .flat_map(|alert| alert.events.clone())
            .collect(),
        facts: None,
        repeated: repeated.max_by_key(|repeated| repeated.times),
        host_names,
    })
}

fn is_beginning(notice: &Notice) -> bool {
    match notice.kind {
        AlertKind::Up | AlertKind::Digest | AlertKind::Database => false,
        AlertKind::Down | AlertKind::Incident | AlertKind::Degraded => true,
        AlertKind::Loss => facts_of(notice)["loss"]["end_time"].is_null(),
    }
}

fn facts_of(notice: &Notice) -> Value {
    let facts = notice.facts.as_deref().unwrap_or_default();
    serde_json::from_str(facts).unwrap_or_default()
}

fn subjects(notice: &Notice) -> Vec<Subject> {
    if Class::of(notice.kind) == Class::Quality {
        let facts = facts_of(notice);
        let word = |name: &str| facts[name].as_str().unwrap_or_default().to_string();
        return vec![Subject {
            kind: Some(notice.kind),
            id: None,
            address: word("host_address"),
            name: word("host_name"),
        }];
    }
    notice.events.iter().map(subject_of).collect()
}

fn subject_of(event: &OutageEvent) -> Subject {
    Subject {
        kind: None,
        id: event.host_id,
        address: event.host_address.clone(),
        name: match event.host_id {
            Some(_) => String::new(),
            None => event.host_name.clone(),
        },
    }
}

/// The waiting notices; those that are about the same host are together.
fn together(notices: &[Notice]) -> Vec<Vec<&Notice>> {
    let mut groups: Vec<Vec<&Notice>> = Vec::new();
    let mut group_of: HashMap<Subject, usize> = HashMap::new();
    for notice in notices.iter().filter(|notice| notice.sent_at.is_none()) {
        let subjects = subjects(notice);
        let mut found: Vec<usize> = subjects
            .iter()
            .filter_map(|subject| group_of.get(subject).copied())
            .collect();
        found.sort_unstable();
        found.dedup();
        let index = found.first().copied().unwrap_or(groups.len());
        if index == groups.len() {
            groups.push(Vec::new());
        }
        for other in found.iter().skip(1) {
            let moved = std::mem::take(&mut groups[*other]);
            groups[index].extend(moved);
            for group in group_of.values_mut().filter(|group| *group == other) {
                *group = index;
            }
        }
        groups[index].push(notice);
        group_of.extend(subjects.into_iter().map(|subject| (subject, index)));
    }
    groups.retain(|group| !group.is_empty());
    for group in &mut groups {
        group.sort_by_key(|notice| notice.id);
    }
    groups.sort_by_key(|group| group[0].id);
    groups
}

struct Beginning {
    at: UtcMillis,
    is_sent: bool,
    /// How long it lasted; `None` while it is ongoing, or where that is not recorded.
    seconds: Option<i64>,
}

/// Of each host in the order of time.
fn beginnings(notices: &[Notice]) -> HashMap<Subject, Vec<Beginning>> {
    let mut all: HashMap<Subject, Vec<Beginning>> = HashMap::new();
    for notice in notices.iter().filter(|notice| is_beginning(notice)) {
        let is_sent = notice.sent_at.is_some();
        if Class::of(notice.kind) == Class::Quality {
            for subject in subjects(notice) {
                all.entry(subject).or_default().push(Beginning {
                    at: notice.made_at,
                    is_sent,
                    seconds: None,
                });
            }
        }
        // A name that did not resolve is no outage of its host.
        let of_hosts = notice.events.iter();
        for event in of_hosts.filter(|event| event.event_type != EventKind::Dns) {
            let (Some(at), end) = (event.start_time, event.end_time) else {
                continue;
            };
            all.entry(subject_of(event)).or_default().push(Beginning {
                at,
                is_sent,
                seconds: end.map(|end| whole_seconds(&(at..end))),
            });
        }
    }
    for of_host in all.values_mut() {
        of_host.sort_by_key(|beginning| beginning.at);
    }
    all
}

/// What the notices count, and until when they are held: while each of their hosts goes down again
/// and again, and that was reported.
fn count(
    notices: &[&Notice],
    beginnings: &HashMap<Subject, Vec<Beginning>>,
    rules: &GroupingRules,
) -> (Option<Repeated>, Option<UtcMillis>) {
    let mut all: Vec<Subject> = notices.iter().flat_map(|n| subjects(n)).collect();
    all.sort_by(|a, b| (&a.address, a.id, &a.name).cmp(&(&b.address, b.id, &b.name)));
    all.dedup();
    let is_one = all.len() == 1;
    let (mut counts, mut held): (Option<Repeated>, Option<UtcMillis>) = (None, None);
    let mut are_all_held = !all.is_empty();
    for subject in &all {
        let of_host = beginnings.get(subject).map_or(&[][..], Vec::as_slice);
        let (counted, held_until) = count_host(of_host, rules);
        are_all_held &= held_until.is_some();
        held = held.max(held_until);
        let Some(first) = counted.first() else {
            continue;
        };
        let since = counts.map_or(first.at, |counts| counts.since.min(first.at));
        let lengths: Option<Vec<i64>> = counted.iter().map(|b| b.seconds).collect();
        counts = Some(Repeated {
            times: counted.len().max(counts.map_or(0, |counts| counts.times)),
            since,
            seconds: lengths.filter(|_| is_one).map(|all| all.iter().sum()),
        });
    }
    (counts, held.filter(|_| are_all_held))
}

/// The beginnings of a host that count together, and until when further notices are held.
fn count_host<'b>(
    beginnings: &'b [Beginning],
    rules: &GroupingRules,
) -> (Vec<&'b Beginning>, Option<UtcMillis>) {
    let span = span_ms(rules);
    let is_near = |a: &Beginning, b: &Beginning| b.at.0 - a.at.0 <= span;
    let first = beginnings
        .windows(2)
        .rposition(|pair| !is_near(&pair[0], &pair[1]))
        .map_or(0, |index| index + 1);
    let chain = &beginnings[first..];
    // Of one outage there is nothing to count.
    let least = rules.intermittent_count;
    let reported = (least > 1)
        .then(|| {
            chain
                .windows(least)
                .position(|window| is_near(&window[0], &window[least - 1]))
        })
        .flatten()
        .map(|index| &chain[index + least - 1]);
    match (reported, chain.last()) {
        (Some(reported), Some(last)) => {
            let held_until = reported.is_sent.then(|| last.at.plus(span));
            (chain.iter().collect(), held_until)
        }
        _ => {
            let waiting = beginnings.iter().filter(|beginning| !beginning.is_sent);
            (waiting.collect(), None)
        }
    }
}

/// The alert for notices about the same hosts, which are in the order of making.
fn alert_of(notices: &[&Notice]) -> Alert {
    let last = notices[notices.len() - 1];
    let mut newest: Vec<&OutageEvent> = Vec::new();
    for event in notices.iter().flat_map(|notice| &notice.events) {
        let key = |event: &OutageEvent| (event.end_time.is_none(), event.start_time, event.id);
        let subject = subject_of(event);
        match newest.iter_mut().find(|known| subject_of(known) == subject) {
            Some(known) if key(known) < key(event) => *known = event,
            Some(_) => {}
            None => newest.push(event),
        }
    }
    newest.sort_by_key(|event| (event.start_time, event.id));
    let down = newest
        .iter()
        .filter(|event| event.end_time.is_none())
        .count();
    let is_one = notices.len() == 1;
    let kind = match Class::of(last.kind) {
        _ if is_one => last.kind,
        Class::Quality | Class::Monitor => last.kind,
        Class::Outages if down > 1 => AlertKind::Incident,
        Class::Outages if down == 1 => AlertKind::Down,
        Class::Outages if notices.iter().any(|n| n.kind == AlertKind::Up) => AlertKind::Up,
        Class::Outages => last.kind,
    };
    Alert {
        kind,
        class: Class::of(kind),
        made_at: notices
            .iter()
            .map(|n| n.made_at)
            .max()
            .unwrap_or(last.made_at),
        oldest_at: notices
            .iter()
            .map(|n| n.made_at)
            .min()
            .unwrap_or(last.made_at),
        ids: notices.iter().map(|notice| notice.id).collect(),
        tries: notices.iter().map(|notice| notice.tries).max().unwrap_or(0),
        events: newest.into_iter().cloned().collect(),
        facts: last.facts.clone(),
        repeated: None,
        host_names: Vec::new(),
    }
}

#[cfg(test)]
#[path = "plan_tests.rs"]
pub(super) mod tests;
