//! Compares what is recorded with what was true. Each tolerance has its reason.

use std::path::Path;
use std::time::Duration;

use ace_connection_logger::pure::cause::Cause;
use ace_connection_logger::pure::incident::GroupingRules;
use ace_connection_logger::pure::model::{EventKind, HostId};
use ace_connection_logger::pure::run_clock::MIN_STEP_MS;
use ace_connection_logger::pure::time::UtcMillis;
use ace_connection_logger::store::{Database, Gap, OutageEvent, OutageFilter, Reader};

use super::play::{self, Played, Run};
use super::scenario::{Place, Scenario, What};
use super::truth::{self, Class, Span};
use super::world::{BEGIN_MS, MS};

/// A ping that is sent this long before a host is silent may be lost: the longest round trip, and
/// the milliseconds that instants are rounded to.
const IN_FLIGHT: i64 = 100 * MS;
/// What the issue allows the end of an outage to be late after the first ping that could have been
/// answered, and a thread to be late.
const LATE: i64 = 1000 * MS;

/// The milliseconds that an instant is rounded to when it is recorded, and each time that a clock is
/// corrected.
const ROUNDED: i64 = 50 * MS;

/// A recorded outage, in the time of the world.
struct Recorded {
    from: i64,
    until: Option<i64>,
    cause: Option<Cause>,
}

pub fn compare(scenario: &Scenario, played: &Played, path: &Path) -> Vec<String> {
    let reader = Reader::open(path).expect("a database").expect("a file");
    let events = reader
        .outages(None, OutageFilter::All, None, i64::MAX)
        .expect("events");
    let end = UtcMillis(BEGIN_MS + scenario.length);
    let gaps = reader.gaps(&(UtcMillis(BEGIN_MS)..end)).expect("gaps");
    let hosts = reader.hosts().expect("hosts");
    let mut judge = Judge {
        scenario,
        played,
        wrong: Vec::new(),
    };
    for index in 0..scenario.hosts.len() {
        let name = format!("host {index}");
        let Some(host) = hosts.iter().find(|host| host.name == name) else {
            judge.wrong.push(format!("{name} is not recorded"));
            continue;
        };
        let own: Vec<&OutageEvent> = (events.iter().rev())
            .filter(|event| event.host_name == name && event.event_type == EventKind::Outage)
            .collect();
        judge.host(index, &own);
        judge.measured_time(&reader, index, host.id, &gaps);
    }
    judge.checks(path);
    judge.notices(path);
    // Last: it begins another run.
    judge.counters(path, end);
    judge.wrong
}

struct Judge<'s> {
    scenario: &'s Scenario,
    played: &'s Played,
    wrong: Vec<String>,
}

impl Judge<'_> {
    fn interval(&self) -> i64 {
        self.scenario.interval * MS
    }

    /// From the first ping of a check to its last. A name is waited for a second at most.
    fn check_takes(&self) -> i64 {
        let between = self.scenario.spacing * (i64::from(self.scenario.ping_count) - 1);
        between * MS + LATE
    }

    /// The longest time between two pings to a silent host: between two probes, or from the last
    /// ping of a check, which waits for its timeout, to the first probe.
    fn between_pings(&self) -> i64 {
        let Scenario {
            probes,
            timeout,
            spacing,
            ..
        } = *self.scenario;
        if probes == 0 {
            return self.interval() + self.check_takes();
        }
        // The probe that is due just before a check is left out, as are those within the check.
        (spacing.max(timeout).max(probes) + probes) * MS
    }

    /// How long a host must answer until its outage has ended.
    fn ends_after(&self) -> i64 {
        let checks = i64::from(self.scenario.up_after);
        if self.scenario.up_after > 1 || self.scenario.probes == 0 {
            // The first answered check may be one of which only a part was answered, and one reply
            // alone ends no outage.
            return (checks + 1) * self.interval() + self.check_takes();
        }
        2 * self.between_pings() + LATE
    }

    /// How long a host must be silent until an outage has begun.
    fn begins_after(&self) -> i64 {
        i64::from(self.scenario.down_after) * self.interval() + self.check_takes()
    }

    fn say(&mut self, index: usize, what: &str, at: i64) {
        let seconds = at as f64 / 1e9;
        self.wrong
            .push(format!("host {index}: {what} at {seconds:.3}"));
    }

    fn host(&mut self, index: usize, events: &[&OutageEvent]) {
        let spans = truth::spans(self.scenario, self.played, index);
        let world_time = |at: UtcMillis| self.played.world.clocks.instant_of(at.0);
        let ended = |event: &OutageEvent| {
            let until = event.end_time.map(world_time)?;
            // It was ongoing until then: the recorded end is that of the last check before.
            if event.is_removed {
                self.removed_at(index, until)
            } else {
                Some(until)
            }
        };
        let recorded: Vec<Recorded> = (events.iter())
            .filter_map(|event| {
                Some(Recorded {
                    from: world_time(event.start_time?),
                    until: ended(event),
                    cause: event.cause,
                })
            })
            .collect();
        for pair in recorded.windows(2) {
            if pair[0].until.is_none_or(|until| until > pair[1].from) {
                self.say(index, "two outages overlap", pair[1].from);
            }
        }
        let network = truth::network(self.scenario, self.played, index);
        for outage in &recorded {
            // Apart from this machine's own link: its losses are no outage of a host.
            let is_silent = |span: &Span| {
                matches!(span.class, Class::Silent | Class::Lossy)
                    && span.from <= outage.until.unwrap_or(i64::MAX)
                    && span.until > outage.from - IN_FLIGHT
            };
            if !network.iter().any(is_silent) {
                self.say(index, "an outage without any silence begins", outage.from);
            }
            self.is_true(index, outage, &spans);
        }
        for span in spans.iter().filter(|span| span.class == Class::Silent) {
            if span.length() > self.begins_after() {
                self.is_recorded(index, span, &recorded);
            }
        }
    }

    /// By how much the time between two pings may be longer at an instant: the second check of a host
    /// waits for the tick of the host, up to half an interval more.
    fn first_is_longer(&self, index: usize, at: i64) -> i64 {
        let hosts = self.scenario.hosts.len();
        let runs = self.played.runs.iter();
        let mut began = runs.flat_map(|run| play::spans_of(run, index, hosts));
        let is_second = began.any(|(from, _)| (from..from + self.interval()).contains(&at));
        if is_second && self.scenario.probes == 0 {
            self.interval() / 2
        } else {
            0
        }
    }

    /// When the host was taken off the list, after an instant.
    fn removed_at(&self, index: usize, after: i64) -> Option<i64> {
        if index + 1 != self.scenario.hosts.len() {
            return None;
        }
        let runs = self.played.runs.iter();
        let removals = runs.flat_map(|run| run.without_last.iter().map(|(from, _)| *from));
        removals.filter(|from| *from >= after).min()
    }

    /// Nothing is recorded as an outage that was none.
    fn is_true(&mut self, index: usize, outage: &Recorded, spans: &[Span]) {
        let begins = [outage.from - MS, outage.from + IN_FLIGHT];
        if begins
            .iter()
            .all(|at| truth::at(spans, *at) == Class::Answers)
        {
            self.say(index, "an outage that was none begins", outage.from);
        }
        let until = outage.until.unwrap_or(self.scenario.length * MS);
        if outage.until.is_some() {
            let ends = [until - 2 * MS, until + IN_FLIGHT];
            if ends.iter().all(|at| truth::at(spans, *at) == Class::Silent) {
                self.say(index, "an outage ends while the host is silent", until);
            }
        }
        let ends_after = self.ends_after();
        for (number, span) in spans.iter().enumerate() {
            let from = span.from.max(outage.from + IN_FLIGHT);
            let answered = span.until.min(until) - from;
            if span.class != Class::Answers || answered <= 0 {
                continue;
            }
            let before = number.checked_sub(1).map(|before| spans[before].class);
            let is_end = until <= span.until && outage.until.is_some();
            let may_last = match before {
                // It may not be probed: after a restart, or while its link is looked at.
                Some(Class::Unknown | Class::Lossy) => self.interval().max(ends_after) + ends_after,
                _ if is_end => self.between_pings() + LATE + self.first_is_longer(index, from),
                _ => ends_after,
            };
            if answered > may_last {
                let late = answered as f64 / 1e9;
                let what = format!("an outage goes on for {late:.3} s while the host answers");
                self.say(index, &what, from);
            }
        }
    }

    /// A silence is recorded as an outage.
    fn is_recorded(&mut self, index: usize, span: &Span, recorded: &[Recorded]) {
        let covers = |outage: &&Recorded| {
            outage.from < span.until && outage.until.is_none_or(|until| until > span.from)
        };
        let Some(outage) = recorded.iter().find(covers) else {
            let what = format!("a silence of {:.3} s is missed", span.length() as f64 / 1e9);
            return self.say(index, &what, span.from);
        };
        if outage.from > span.from + self.interval() + LATE {
            let late = (outage.from - span.from) as f64 / 1e9;
            self.say(
                index,
                &format!("an outage begins {late:.3} s late"),
                span.from,
            );
        }
        if outage
            .until
            .is_some_and(|until| until < span.until - IN_FLIGHT)
        {
            self.say(index, "an outage ends early", span.from);
        }
        self.cause(index, span, outage);
    }

    /// The cause is not wrong where one thing alone was wrong.
    fn cause(&mut self, index: usize, span: &Span, outage: &Recorded) {
        let apart = 600_000;
        let (from, until) = (span.from / MS - apart, span.until / MS + apart);
        let mut active =
            (self.scenario.faults.iter()).filter(|fault| fault.from < until && fault.until > from);
        let (Some(fault), None) = (active.next(), active.next()) else {
            return;
        };
        let right = match (fault.what, self.scenario.hosts[index]) {
            (What::Provider, Place::Far | Place::Named | Place::Far6) => Cause::Provider,
            (What::Router, _) => Cause::Gateway,
            (What::Host(_), _) => Cause::Host,
            _ => return,
        };
        let is_right = outage
            .cause
            .is_none_or(|cause| cause == right || cause == Cause::Unknown);
        if !is_right {
            let what = format!("the cause is {:?}, not {right:?},", outage.cause);
            self.say(index, &what, outage.from);
        }
    }

    /// What is measured and what is not are the true ones, and so are the time of outages and the
    /// availability.
    fn measured_time(&mut self, reader: &Reader, index: usize, id: HostId, gaps: &[Gap]) {
        let span = UtcMillis(BEGIN_MS)..UtcMillis(BEGIN_MS + self.scenario.length);
        let rules = GroupingRules::default();
        let grouped = reader
            .grouped_outages(&span, &rules, gaps)
            .expect("outages");
        let own: Vec<_> = (grouped.iter())
            .filter(|outage| outage.event.host_id == Some(id) && outage.is_of_host())
            .collect();
        let otherwise = Duration::from_secs(60);
        let intervals = reader
            .check_intervals(&[id], None, otherwise)
            .expect("intervals");
        let (_, time) = reader
            .measured_time(&[id], &span, &intervals, &own, gaps)
            .expect("the time of the host");
        let spans = truth::spans(self.scenario, self.played, index);
        let found_after = (self.interval() + LATE) / MS;
        let silences = || spans.iter().filter(|span| span.class == Class::Silent);
        let long = silences().filter(|span| span.length() > self.begins_after());
        // A silence is found within an interval.
        let down_at_least: i64 = long.map(|span| span.length() / MS - found_after).sum();
        let recorded: i64 = (own.iter().flat_map(|outage| &outage.spans))
            .map(|span| span.end.0 - span.start.0)
            .sum();
        if !(down_at_least..=recorded).contains(&time.down) {
            let (down, measured) = (time.down, time.measured);
            self.wrong.push(format!(
                "host {index}: {down} ms of {measured} are down, not {down_at_least} to {recorded}"
            ));
        }
        // A check stands for its interval: at each edge one more or less may be made, and after it a
        // link is tested every two seconds.
        let edge = 2 * self.interval() / MS + 10_000;
        let unknown = || spans.iter().filter(|span| span.class == Class::Unknown);
        let most: i64 = unknown().map(|span| span.length() / MS + edge).sum();
        let runs = self.played.runs.windows(2);
        let stopped = runs.map(|pair| (pair[1].start - pair[0].end) / MS);
        let least: i64 = stopped.map(|length| (length - edge).max(0)).sum();
        let not_measured = time.not_measured();
        if !(least..=most + edge).contains(&not_measured) {
            self.wrong.push(format!(
                "host {index}: {not_measured} ms are not measured, not {least} to {most}"
            ));
        }
        // Outages and availability are of the same time.
        let availability = time.availability_percent().unwrap_or(100.0);
        let least = 100.0 * (1.0 - recorded as f64 / time.measured.max(1) as f64);
        let most = 100.0 * (1.0 - down_at_least as f64 / time.whole.max(1) as f64);
        if availability < least - 1e-9 || availability > most + 1e-9 {
            self.wrong.push(format!(
                "host {index}: the availability is {availability}, not {least} to {most}"
            ));
        }
    }

    /// Every check that was made is recorded once and with its time, apart from those that a kill or
    /// a disk took.
    fn checks(&mut self, path: &Path) {
        let database = rusqlite::Connection::open(path).expect("the database");
        for (index, recorded) in self.check_times(&database).into_iter().enumerate() {
            let mut recorded = recorded.into_iter().peekable();
            for (number, run) in self.played.runs.iter().enumerate() {
                // An instant is rounded to a millisecond, and again when a clock is corrected.
                let next = self.played.runs.get(number + 1);
                let until = next.map_or(i64::MAX, |next| next.start - ROUNDED);
                let mut own = Vec::new();
                while let Some(at) = recorded.next_if(|at| *at < until) {
                    own.push(at);
                }
                self.checks_of_run(index, run, &own);
            }
        }
    }

    /// The instants of the recorded checks of each host, in order.
    fn check_times(&self, database: &rusqlite::Connection) -> Vec<Vec<i64>> {
        const TIMES: &str = "select checked_at from
            (select host_id, checked_at from check_result union all select host_id, checked_at from not_measured_check)
            where host_id = (select id from host where name = ?1) order by checked_at";
        let clocks = &self.played.world.clocks;
        let mut query = database.prepare(TIMES).expect("the tables");
        let mut times = |index: usize| -> Vec<i64> {
            let name = format!("host {index}");
            let rows = query.query_map([name], |row| row.get(0)).expect("a query");
            rows.map(|at| clocks.instant_of(at.expect("a row")))
                .collect()
        };
        (0..self.scenario.hosts.len()).map(&mut times).collect()
    }

    fn checks_of_run(&mut self, index: usize, run: &Run, recorded: &[i64]) {
        let made = &run.checks[index];
        let is_written = |at: &&i64| run.unwritten_since.is_none_or(|since| **at < since);
        let mut at_least = made.iter().filter(is_written).count();
        if !run.is_killed {
            let lost = usize::try_from(run.lost).expect("a count");
            at_least = at_least.max(made.len().saturating_sub(lost));
        }
        if !(at_least..=made.len()).contains(&recorded.len()) {
            let (count, made) = (recorded.len(), made.len());
            let what = format!("{count} of {made} checks are recorded in the run");
            self.say(index, &what, run.start);
        }
        // From its first ping until it is delivered.
        let takes = self.check_takes() + (self.scenario.timeout + 100) * MS;
        let wrong = recorded.iter().zip(made).find(|(at, made)| {
            let is_held_up = || {
                let mut faults = self.scenario.faults.iter();
                faults.any(|fault| {
                    matches!(fault.what, What::Stopped | What::Sleep)
                        && fault.from * MS <= **made
                        && fault.until * MS >= **at
                })
            };
            let [behind, ahead] = self.not_noticed(run, **made);
            **at > **made + ROUNDED + ahead || (**at < **made - takes - behind && !is_held_up())
        });
        if let Some((at, made)) = wrong {
            let by = (at - made) as f64 / 1e9;
            self.say(
                index,
                &format!("a check is dated {by:.3} s after its end,"),
                *made,
            );
        }
    }

    /// By how much a check may be dated too early and too late since its clock was wrong and nothing
    /// could tell: it was ahead at the last check before the power was cut, and until there was power
    /// again it was longer than it was ahead; or it showed times that differ by less than a step, which
    /// count as one.
    fn not_noticed(&self, run: &Run, made: i64) -> [i64; 2] {
        let clocks = &self.played.world.clocks;
        let ahead = clocks.ahead(made);
        let next = self.played.runs.iter().find(|next| next.start >= run.end);
        let unwritten = run.unwritten_since.unwrap_or(i64::MAX);
        let checks = run.checks.iter().flatten().copied();
        let last = checks.filter(|at| *at < unwritten).max().unwrap_or(made);
        let is_hidden = next.is_some_and(|next| {
            (1..next.start - last).contains(&ahead)
                && clocks.ahead(last) == ahead
                && clocks.boot(next.start) != clocks.boot(run.end)
        });
        let alike = clocks.difference_below(made, MIN_STEP_MS * MS);
        [alike, if is_hidden { ahead } else { alike }]
    }

    /// What `/metrics` counts when the next run begins is what the rows have.
    fn counters(&mut self, path: &Path, end: UtcMillis) {
        const COUNTS: &str = "select (select coalesce(sum(sent), 0) from check_result where host_id = h.id),
               (select coalesce(sum(sent - received), 0) from check_result where host_id = h.id),
               (select count(*) from check_result where host_id = h.id),
               (select count(*) from not_measured_check where host_id = h.id),
               (select count(*) from outage_events where host_id = h.id and event_type = 'outage' and end_time is not null)
          from host h where name = ?1";
        let opened = Database::open(path, &mut |_, _| ()).expect("a database");
        let mut database = opened.database;
        database.begin_run(end, true).expect("a run");
        let counts = database.counts();
        drop(database);
        let database = rusqlite::Connection::open(path).expect("the database");
        for (identity, totals) in &counts.totals.expect("they were read") {
            let index = (0..self.scenario.hosts.len()).find(|index| {
                let config = &play::host_configs(self.scenario, &self.played.world)[*index];
                config.host.owned_identity() == *identity
            });
            let index = index.expect("a host of the scenario");
            let recorded: [u64; 5] = database
                .query_row(COUNTS, [format!("host {index}")], |row| {
                    let number = |column| row.get::<_, i64>(column).map(i64::unsigned_abs);
                    Ok([number(0)?, number(1)?, number(2)?, number(3)?, number(4)?])
                })
                .expect("a host");
            let [measured @ .., not_measured] = totals.checks;
            let outages = totals.outages.iter().map(|outages| outages.count);
            let counted = [
                totals.sent,
                totals.lost,
                measured.iter().sum(),
                not_measured,
                outages.sum(),
            ];
            if counted != recorded {
                let what = format!("{counted:?} is counted, and {recorded:?} recorded,");
                self.say(index, &what, self.scenario.length * MS);
            }
        }
    }

    /// Each event has one notice of its beginning, and one of its end, unless it was ongoing when its
    /// host was removed.
    fn notices(&mut self, path: &Path) {
        let database = rusqlite::Connection::open(path).expect("the database");
        const COUNTS: &str = "select e.id,
               (select count(*) from notice_event ne join notice n on n.id = ne.notice_id where ne.event_id = e.id and n.kind = 'down'),
               (select count(*) from notice_event ne join notice n on n.id = ne.notice_id where ne.event_id = e.id and n.kind = 'up'),
               e.end_time is not null and not e.removed from outage_events e";
        let mut query = database.prepare(COUNTS).expect("the tables");
        let rows = query
            .query_map([], |row| {
                Ok((
                    row.get::<_, i64>(0)?,
                    row.get::<_, i64>(1)?,
                    row.get::<_, i64>(2)?,
                    row.get::<_, i64>(3)?,
                ))
            })
            .expect("a query");
        for row in rows {
            let (id, down, up, is_ended) = row.expect("a row");
            if down != 1 || up != is_ended {
                self.wrong.push(format!(
                    "event {id} has {down} notices of its beginning and {up} of its end"
                ));
            }
        }
    }
}
