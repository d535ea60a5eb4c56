//! Asks the store for all that a report says. Every figure is made here, and nothing is put into
//! words.

use crate::pure::address::IpVersion;
use std::ops::Range;

use super::hours::{self, Cells};
use super::{
    Appendix, CauseTime, CheckMethod, HostFigures, Method, OwnLine, Report, ReportError,
    ReportSettings, Zone,
};
use crate::config::HostConfig;
use crate::pure::cause::Cause;
use crate::pure::model::{Host, State};
use crate::pure::order::by_key;
use crate::pure::phrase;
use crate::pure::sums::{Counts, Sums};
use crate::pure::time::{HOUR_MS, UtcMillis};
use crate::store::{
    Checks, Gap, GroupedOutage, LINK_DOWN, Reader, RecordedHost, StoreError, incidents, missing_ms,
};
use crate::sys;

/// What a report is asked for.
#[derive(Clone, Debug)]
pub struct ReportQuery<'a> {
    /// What it is about; it ends now at the latest.
    pub span: Range<UtcMillis>,
    /// The present time.
    pub now: UtcMillis,
    /// The host's name or address; `None` asks for all.
    pub only: Option<&'a str>,
    /// The configuration.
    pub settings: &'a ReportSettings,
    /// The machine's zone: how far east of UTC it is at an instant, both in seconds.
    pub offset_at: fn(i64) -> i64,
    /// Whether raw pings are to follow.
    pub appendix: Appendix,
}

/// Makes the report. `progress` is told how many hosts of how many are done.
pub fn gather(
    reader: &Reader,
    question: &ReportQuery<'_>,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Report, ReportError> {
    let span = question.span.clone();
    // What began before the span was down less while nobody measured before the span.
    let all_gaps = reader.gaps(&(UtcMillis(0)..span.end))?;
    let gaps: Vec<Gap> = all_gaps
        .iter()
        .filter_map(|gap| cut_gap(gap, &span))
        .collect();
    let mut episodes = reader.episodes(&span, &question.settings.grouping, &all_gaps)?;
    let mut incidents = incidents(&episodes);
    incidents.reverse();
    episodes.reverse();
    let subjects = subjects(reader, question, &episodes)?;
    episodes
        .retain(|episode| is_link(episode) || subjects.iter().any(|subject| subject.has(episode)));
    incidents.retain(|incident| {
        incident
            .event_ids
            .iter()
            .any(|id| episodes.iter().any(|episode| episode.event.id == *id))
    });
    let cells = Cells::of(&span, question.offset_at);
    let mut lost = hours::Losses::of(&span);
    let mut hosts = Vec::with_capacity(subjects.len());
    // Hosts that are checked alike are told together.
    let mut manners: Vec<CheckMethod> = Vec::new();
    for (index, subject) in subjects.iter().enumerate() {
        progress(index as u64, subjects.len() as u64);
        let own: Vec<&GroupedOutage> = episodes
            .iter()
            .filter(|episode| episode.is_of_host() && subject.has(episode))
            .collect();
        let (figures, manner) = Asked {
            reader,
            span: &span,
            gaps: &gaps,
            cells: &cells,
        }
        .figures(subject, &own, &mut lost)?;
        hosts.push(figures);
        match manners.iter_mut().find(|other| {
            CheckMethod {
                hosts: Vec::new(),
                ..(*other).clone()
            } == manner
        }) {
            Some(other) => other.hosts.push(subject.name.clone()),
            None => manners.push(CheckMethod {
                hosts: vec![subject.name.clone()],
                ..manner
            }),
        }
    }
    let (links, others): (Vec<GroupedOutage>, Vec<GroupedOutage>) =
        episodes.into_iter().partition(is_link);
    let (planned_links, links): (Vec<GroupedOutage>, Vec<GroupedOutage>) =
        links.into_iter().partition(|episode| episode.event.planned);
    let (mut planned, outages): (Vec<GroupedOutage>, Vec<GroupedOutage>) = others
        .into_iter()
        .partition(|episode| episode.event.planned);
    planned.extend(planned_links);
    by_key(&mut planned, |episode| [episode.start().0, 0]);
    Ok(Report {
        causes: causes(outages.iter().chain(&links), &span, &gaps),
        own_line: OwnLine {
            down_seconds: together_ms(links.iter(), &span, &gaps) / 1000,
            events: links,
        },
        worst_hours: lost.worst(),
        any_down_seconds: together_ms(
            outages.iter().filter(|episode| episode.is_of_host()),
            &span,
            &gaps,
        ) / 1000,
        method: method(question, manners),
        appendix: question.appendix,
        from: span.start,
        to: span.end,
        hosts,
        outages,
        gaps,
        incidents,
        planned,
        cells,
    })
}

fn cut_gap(gap: &Gap, span: &Range<UtcMillis>) -> Option<Gap> {
    let (from, to) = (gap.from.max(span.start), gap.to.min(span.end));
    (from < to).then(|| Gap {
        from,
        to,
        reason: gap.reason.clone(),
    })
}

fn is_link(episode: &GroupedOutage) -> bool {
    episode.event.event_type == LINK_DOWN
}

/// A host that the report is about.
struct Subject<'a> {
    name: String,
    address: String,
    recorded: Option<RecordedHost>,
    plan: &'a HostConfig,
    /// Of several IP versions of an address the first answers for what does not say which it is.
    is_first: bool,
}

impl Subject<'_> {
    fn has(&self, episode: &GroupedOutage) -> bool {
        match episode.event.host_id {
            Some(id) => self.recorded.as_ref().is_some_and(|host| host.id == id),
            None => {
                self.is_first
                    && self
                        .address
                        .eq_ignore_ascii_case(&episode.event.host_address)
            }
        }
    }
}

/// The hosts that are asked for: the configured ones in their order, then those that were only
/// recorded, if something of them is in the span.
fn subjects<'a>(
    reader: &Reader,
    question: &ReportQuery<'a>,
    episodes: &[GroupedOutage],
) -> Result<Vec<Subject<'a>>, ReportError> {
    let mut recorded = reader.hosts()?;
    let mut found: Vec<Subject<'a>> = Vec::new();
    for plan in &question.settings.plans {
        let (name, address) = (plan.host.name.clone(), plan.host.address.to_string());
        let is_same = |host: &RecordedHost, family: Option<IpVersion>| {
            host.address.eq_ignore_ascii_case(&address) && host.family == family
        };
        let own = recorded
            .iter()
            .position(|host| is_same(host, plan.host.family));
        let own = own.map(|index| recorded.remove(index));
        found.push(Subject {
            name,
            address,
            recorded: own,
            plan,
            is_first: false,
        });
    }
    let is_listed = found.len();
    found.extend(recorded.into_iter().map(|host| {
        let of_address = |plan: &&HostConfig| {
            plan.host
                .address
                .as_str()
                .eq_ignore_ascii_case(&host.address)
        };
        let plan = question
            .settings
            .plans
            .iter()
            .find(of_address)
            .unwrap_or(&question.settings.unlisted);
        Subject {
            name: host.name.clone(),
            address: host.address.clone(),
            recorded: Some(host),
            plan,
            is_first: false,
        }
    }));
    for index in 0..found.len() {
        let is_other =
            |other: &Subject<'_>| !other.address.eq_ignore_ascii_case(&found[index].address);
        let is_first = found[..index].iter().all(is_other);
        if !is_first || !found[index + 1..].iter().all(is_other) {
            let family = found[index].recorded.as_ref().and_then(|host| host.family);
            if let Some(version) = family {
                found[index].name += &format!(" ({version})");
            }
        }
        found[index].is_first = is_first;
    }
    if let Some(asked) = question.only {
        let known = found.iter().map(|subject| subject.name.clone()).collect();
        let is_asked = |subject: &Subject<'_>| {
            let name = subject
                .recorded
                .as_ref()
                .map_or("", |host| host.name.as_str());
            let (address, family) = Host::split_key(asked);
            let is_of_family = |version: IpVersion| {
                let recorded = subject.recorded.as_ref();
                recorded.map_or(subject.plan.host.family, |host| host.family) == Some(version)
            };
            [subject.name.as_str(), &subject.plan.host.name, name].contains(&asked)
                || subject.address.eq_ignore_ascii_case(address) && family.is_none_or(is_of_family)
        };
        found.retain(is_asked);
        return if found.is_empty() {
            Err(ReportError::UnknownHost {
                asked: asked.into(),
                known,
            })
        } else {
            Ok(found)
        };
    }
    let mut index = 0;
    while index < found.len() {
        let subject = &found[index];
        let is_within = index < is_listed || {
            let mut is_recorded = episodes.iter().any(|episode| subject.has(episode));
            if let Some(host) = &subject.recorded {
                let hours = question.span.start.hour()..question.span.end.hour() + 1;
                reader.each_hour(host.id, hours, |_, counts| {
                    is_recorded |= counts.checks() + counts.not_measured > 0
                })?;
            }
            is_recorded
        };
        if is_within {
            index += 1;
        } else {
            found.remove(index);
        }
    }
    Ok(found)
}

/// For how much of a span an episode says that nothing answered while somebody looked.
pub(super) fn down_ms(episode: &GroupedOutage, span: &Range<UtcMillis>, gaps: &[Gap]) -> i64 {
    episode
        .spells
        .iter()
        .map(|spell| spell.start.max(span.start)..spell.end.min(span.end))
        .filter(|part| part.start < part.end)
        .map(|part| {
            part.end.0
                - part.start.0
                - if episode.is_of_host() {
                    missing_ms(gaps, &part)
                } else {
                    0
                }
        })
        .sum()
}

/// For how much of a span at least one of several episodes was on.
fn together_ms<'e>(
    episodes: impl Iterator<Item = &'e GroupedOutage>,
    span: &Range<UtcMillis>,
    gaps: &[Gap],
) -> i64 {
    let mut spells: Vec<(Range<UtcMillis>, bool)> = episodes
        .flat_map(|episode| {
            episode
                .spells
                .iter()
                .map(|spell| (spell.clone(), episode.is_of_host()))
        })
        .map(|(spell, is_of_host)| {
            (
                spell.start.max(span.start)..spell.end.min(span.end),
                is_of_host,
            )
        })
        .collect();
    by_key(&mut spells, |(spell, _)| [spell.start.0, 0]);
    let (mut sum, mut until) = (0, span.start);
    for (spell, is_of_host) in spells {
        let part = spell.start.max(until)..spell.end;
        if part.start < part.end {
            sum += part.end.0
                - part.start.0
                - if is_of_host {
                    missing_ms(gaps, &part)
                } else {
                    0
                };
            until = part.end;
        }
    }
    sum
}

fn causes<'e>(
    episodes: impl Iterator<Item = &'e GroupedOutage> + Clone,
    span: &Range<UtcMillis>,
    gaps: &[Gap],
) -> Vec<CauseTime> {
    let of = |cause| {
        let own: Vec<GroupedOutage> = episodes
            .clone()
            .filter_map(|episode| episode.part_of(cause))
            .collect();
        CauseTime {
            cause,
            seconds: together_ms(own.iter(), span, gaps) / 1000,
            events: own.len(),
        }
    };
    Cause::ALL
        .into_iter()
        .map(of)
        .filter(|time| time.events > 0)
        .collect()
}

/// The store and the span it is asked about.
struct Asked<'a> {
    reader: &'a Reader,
    span: &'a Range<UtcMillis>,
    gaps: &'a [Gap],
    cells: &'a Cells,
}

impl Asked<'_> {
    fn figures(
        &self,
        subject: &Subject<'_>,
        own: &[&GroupedOutage],
        lost: &mut hours::Losses,
    ) -> Result<(HostFigures, CheckMethod), StoreError> {
        let Asked {
            reader,
            span,
            gaps,
            cells,
        } = *self;
        let ids: Vec<i64> = subject.recorded.iter().map(|host| host.id).collect();
        let is_listed = !subject.plan.host.address.as_str().is_empty();
        let configured = Some(subject.plan.interval).filter(|_| is_listed);
        let check_intervals = reader.check_intervals(&ids, configured, subject.plan.interval)?;
        // Of the whole span, and for how long its checks stand.
        let (mut sums, mut stood_ms) = (Sums::default(), 0_i64);
        for (part, interval_ms) in check_intervals.parts(span) {
            let of_part = reader.sums(&ids, &part)?;
            stood_ms = stood_ms.saturating_add(of_part.counts.checks().saturating_mul(interval_ms));
            sums.merge(&of_part);
        }
        let first = reader.first_recorded(&ids)?;
        let interval_ms = check_intervals.at(span.end.0 - 1);
        let manner = manner(subject.plan, interval_ms);
        let since = first.unwrap_or(span.end).clamp(span.start, span.end);
        let whole_ms = span.end.0 - since.0;
        let measured_ms = stood_ms.min(whole_ms);
        let counted = || own.iter().copied().filter(|episode| !episode.event.planned);
        let told_ms: i64 = counted().map(|episode| down_ms(episode, span, gaps)).sum();
        let inside = self.checks_inside(&ids, own, interval_ms)?;
        let outside = (sums.counts.down - inside).max(0);
        let down_ms_sum = (told_ms + outside.saturating_mul(interval_ms)).min(measured_ms);
        let share = |part: i64, of: i64| (of > 0).then(|| 100.0 * part as f64 / of as f64);
        let hours = hours::Hours {
            reader,
            span,
            check_intervals: &check_intervals,
            first,
        };
        let (bars, points) = hours.tell(&ids, own, cells, gaps, lost)?;
        let quantile = |part| sums.latencies.quantile_us(part);
        let figures = HostFigures {
            host_name: subject.name.clone(),
            host_address: subject.address.clone(),
            availability_percent: share(measured_ms - down_ms_sum, measured_ms),
            coverage_percent: share(measured_ms, whole_ms),
            outages: counted().count(),
            down_seconds: (down_ms_sum + 500) / 1000,
            not_measured_seconds: (whole_ms - measured_ms + 500) / 1000,
            p50_us: quantile(0.5),
            p95_us: quantile(0.95),
            p99_us: quantile(0.99),
            measured_seconds: (measured_ms + 500) / 1000,
            longest_outage_seconds: counted()
                .map(|episode| episode.down_seconds)
                .max()
                .unwrap_or(0),
            checks: sums.counts.checks(),
            not_measured_checks: sums.counts.not_measured,
            sent: sums.counts.sent,
            lost: sums.counts.lost(),
            first_recorded: first,
            lossy_seconds: ((down_ms_sum - told_ms).max(0) + 500) / 1000,
            recorded: subject.recorded.clone(),
            bars,
            points,
        };
        Ok((figures, manner))
    }

    /// How many of the checks that found a host down the outages tell already: those without any
    /// reply, and the ones in which an outage began or ended, of which only a part was answered.
    fn checks_inside(
        &self,
        ids: &[i64],
        own: &[&GroupedOutage],
        interval_ms: i64,
    ) -> Result<i64, StoreError> {
        let mut inside = 0;
        // In the order of time, so that the same check twice stands side by side.
        let mut edges: Vec<UtcMillis> = Vec::new();
        for episode in own {
            let failed = episode.event.checks_failed.unwrap_or(0).max(0);
            let all_ms = episode
                .spells
                .iter()
                .map(|spell| spell.end.0 - spell.start.0)
                .sum::<i64>();
            let within = |spell: &Range<UtcMillis>| {
                (spell.end.min(self.span.end).0 - spell.start.max(self.span.start).0).max(0)
            };
            let within_ms = episode.spells.iter().map(within).sum::<i64>();
            inside += if within_ms < all_ms {
                i64::try_from(i128::from(failed) * i128::from(within_ms) / i128::from(all_ms))
                    .unwrap_or(failed)
            } else {
                failed
            };
            for at in episode
                .spells
                .iter()
                .flat_map(|spell| [spell.start, spell.end])
                .filter(|at| self.span.contains(at))
            {
                // The newest check that had begun by then.
                let before =
                    UtcMillis(at.0 - interval_ms).max(self.span.start)..UtcMillis(at.0 + 1);
                let hosts = ids.iter().map(|id| RecordedHost {
                    id: *id,
                    name: String::new(),
                    address: String::new(),
                    family: None,
                });
                let check = Checks::new(hosts.collect(), &before, 1).next(self.reader)?;
                if let Some(check) =
                    check.filter(|check| check.state == State::Down && check.received > 0)
                {
                    edges.push(check.checked_at);
                }
            }
        }
        edges.dedup();
        Ok(inside + i64::try_from(edges.len()).unwrap_or(0))
    }
}

fn manner(plan: &HostConfig, interval_ms: i64) -> CheckMethod {
    CheckMethod {
        hosts: Vec::new(),
        interval_seconds: interval_ms as f64 / 1000.0,
        ping_count: plan.ping_count,
        timeout_seconds: plan.timeout.as_secs_f64(),
        payload_bytes: plan.payload_bytes,
        up_percent: f64::from(plan.thresholds.up_rate) / 1000.0,
        degraded_percent: f64::from(plan.thresholds.degraded_rate) / 1000.0,
        latency_limit_ms: plan
            .thresholds
            .latency_limit_us
            .map(|us| f64::from(us) / 1000.0),
    }
}

fn method(question: &ReportQuery<'_>, checks: Vec<CheckMethod>) -> Method {
    let ReportSettings {
        grouping,
        rules,
        fast_interval,
        ..
    } = question.settings;
    let offset = |at: UtcMillis| phrase::offset((question.offset_at)(at.0.div_euclid(1000)));
    Method {
        program: "ace-connection-logger",
        version: env!("CARGO_PKG_VERSION"),
        made_at: question.now,
        zone: Zone {
            name: sys::zone_name(),
            offset_at: question.offset_at,
            offset_from: offset(question.span.start),
            offset_to: offset(question.span.end),
        },
        checks,
        fast_interval_seconds: fast_interval.map(|interval| interval.as_secs_f64()),
        down_after_checks: rules.down_after,
        up_after_checks: rules.up_after,
        merge_seconds: grouping.merge.as_secs_f64(),
        intermittent_count: grouping.intermittent_count,
        intermittent_seconds: grouping.intermittent_span.as_secs_f64(),
        availability: "Availability is 1 - down / measured time. Down is the time of the outages in the period while this \
                       machine measured, plus one interval for each other check that found the host below the limit of \
                       degraded. Planned events are not counted.",
        coverage: "Measured is the checks that were made, one interval each, as a share of the period since the host's first \
                   record.",
        not_measured: "What this machine could not measure (switched off, asleep, no link, no route, a name that never \
                       resolved) is neither up nor down and is told apart.",
        received: "A ping is received if, before its timeout, an echo reply comes from the address it was sent to, with a right \
                   checksum and the ping's own identifier, sequence number and whole payload.",
    }
}

/// Counts of an hour that a planned event does not excuse.
pub(super) fn is_excused(own: &[&GroupedOutage], hour: i64) -> bool {
    let span = UtcMillis(hour * HOUR_MS)..UtcMillis((hour + 1) * HOUR_MS);
    let touches = |spell: &Range<UtcMillis>| spell.start < span.end && spell.end > span.start;
    own.iter()
        .any(|episode| episode.event.planned && episode.spells.iter().any(touches))
}

/// Whether anything was recorded.
pub(super) fn is_told(counts: &Counts) -> bool {
    counts.checks() + counts.not_measured > 0
}
