//! `status`: the newest result of every host, from the database alone.

use std::collections::HashSet;
use std::time::Duration;

use serde::Serialize;

use super::arguments::Status;
use super::output::{align, cut, is_coloured, ms, paint, print, print_json, printable};
use super::{Failure, Verdict, configure};
use crate::config::{Config, HostPlan};
use crate::model::State;
use crate::store::{LatestCheck, OutageEvent, Reader};
use crate::sys;
use crate::time::{Spoken, UtcMillis};

/// One host, configured or not any more.
struct Line<'a> {
    name: &'a str,
    address: &'a str,
    plan: Option<&'a HostPlan>,
    latest: Option<&'a LatestCheck>,
    outage: Option<&'a OutageEvent>,
    age: Option<Duration>,
    /// How long a result may still be in the monitor's memory.
    delay: Duration,
}

/// After so many intervals without a check a result says nothing about now.
const STALE_INTERVALS: u32 = 3;
/// A result that is dated further ahead was dated by a clock that was wrong.
const AHEAD_MS: i64 = 60_000;

impl Line<'_> {
    fn is_stale(&self) -> bool {
        match (self.plan, self.age) {
            (Some(plan), Some(age)) => age > plan.interval * STALE_INTERVALS + self.delay,
            _ => true,
        }
    }

    fn state(&self) -> State {
        self.latest.map_or(State::NotMeasured, LatestCheck::state)
    }
}

pub fn run(arguments: &Status) -> Result<Verdict, Failure> {
    let (config, _) = configure(&arguments.common())?;
    let now = sys::clocks().utc();
    let (latest, outages, alive) = match Reader::open(&config.database.path)? {
        Some(reader) => (
            reader.latest_checks(UtcMillis(now.0.saturating_add(AHEAD_MS)))?,
            reader.open_outages()?,
            reader.last_sign_of_life()?,
        ),
        None => (Vec::new(), Vec::new(), None),
    };
    let delay = delay(&config, alive, now);
    let lines = lines(&config.hosts, &latest, &outages, now, delay);
    if arguments.json {
        print_json(&lines.iter().map(Row::from).collect::<Vec<_>>())?;
    } else if latest.is_empty() {
        let path = config.database.path.display();
        print(&format!("nothing recorded yet in {path}; start recording with: ace-connection-logger monitor\n"))?;
    } else {
        print(&text_of(&lines))?;
    }
    Ok(Verdict::Good)
}

/// A monitor that runs keeps results in memory for up to a flush; its sign of life comes with every flush, at least once
/// a minute.
fn delay(config: &Config, alive: Option<UtcMillis>, now: UtcMillis) -> Duration {
    let flush = config.database.flush;
    let silence = alive.map(|alive| Duration::from_millis(now.0.abs_diff(alive.0)));
    let is_running = silence.is_some_and(|silence| silence < flush.max(Duration::from_secs(60)) * 2);
    if is_running { flush } else { Duration::ZERO }
}

/// The configured hosts in their order, then those that are only recorded.
fn lines<'a>(
    plans: &'a [HostPlan],
    latest: &'a [LatestCheck],
    outages: &'a [OutageEvent],
    now: UtcMillis,
    delay: Duration,
) -> Vec<Line<'a>> {
    let line = |name, address, plan, latest: Option<&'a LatestCheck>| Line {
        name,
        address,
        plan,
        latest,
        outage: outages.iter().find(|event| event.host_address == address),
        age: latest
            .map(|check| now.0.saturating_sub(check.checked_at.0))
            .filter(|age_ms| *age_ms >= -AHEAD_MS)
            .map(|age_ms| Duration::from_millis(u64::try_from(age_ms).unwrap_or(0))),
        delay,
    };
    let mut shown = HashSet::new();
    let mut lines = Vec::new();
    for plan in plans {
        let family = plan.host.family.number();
        // What was written with plain SQL or taken over has no family; it is the host's unless another is listed without.
        let is_listed_without =
            plans.iter().any(|other| other.host.address == plan.host.address && other.host.family.number() == 0);
        let is_own = |check: &&LatestCheck| check.family == family || (check.family == 0 && !is_listed_without);
        let found = latest.iter().filter(|check| check.address == plan.host.address).filter(is_own);
        let newest = found.max_by_key(|check| check.checked_at);
        shown.insert((plan.host.address.as_str(), family));
        shown.insert((plan.host.address.as_str(), 0));
        lines.push(line(plan.host.name.as_str(), plan.host.address.as_str(), Some(plan), newest));
    }
    let others = latest.iter().filter(|check| !shown.contains(&(check.address.as_str(), check.family)));
    lines.extend(others.map(|check| line(check.name.as_str(), check.address.as_str(), None, Some(check))));
    lines
}

/// A host as `--json` prints it; latencies are milliseconds, `success_rate` is 0 to 100.
#[derive(Serialize)]
struct Row<'a> {
    host_name: &'a str,
    host_address: &'a str,
    timestamp: Option<String>,
    age_seconds: Option<f64>,
    stale: bool,
    state: &'static str,
    success_rate: Option<f64>,
    success_count: Option<i64>,
    failure_count: Option<i64>,
    min_latency: Option<f64>,
    avg_latency: Option<f64>,
    max_latency: Option<f64>,
    error: Option<&'a str>,
    configured: bool,
    outage: Option<OutageEvent>,
}

impl<'a> From<&'a Line<'a>> for Row<'a> {
    fn from(line: &'a Line<'a>) -> Self {
        let measured = line.latest.filter(|check| check.is_measured);
        let latency = |us: Option<i64>| us.map(|us| us as f64 / 1000.0);
        Row {
            host_name: line.name,
            host_address: line.address,
            timestamp: line.latest.map(|check| check.checked_at.rfc3339()),
            age_seconds: line.age.map(|age| age.as_millis() as f64 / 1000.0),
            stale: line.is_stale(),
            state: line.state().word(),
            success_rate: measured.map(LatestCheck::success_rate),
            success_count: measured.map(|check| check.received),
            failure_count: measured.map(|check| check.sent.saturating_sub(check.received)),
            min_latency: measured.and_then(|check| latency(check.min_us)),
            avg_latency: measured.and_then(|check| latency(check.avg_us)),
            max_latency: measured.and_then(|check| latency(check.max_us)),
            error: line.latest.and_then(|check| check.reason.as_deref()),
            configured: line.plan.is_some(),
            outage: line.outage.map(OutageEvent::with_rfc3339_times),
        }
    }
}

fn text_of(lines: &[Line<'_>]) -> String {
    let mut rows = vec![["STATE", "HOST", "ADDRESS", "REPLIES", "LATENCY", "LAST CHECK"].map(String::from).to_vec()];
    for line in lines {
        let mut row = vec![line.state().text().to_string(), cut(&printable(line.name), 32), cut(&printable(line.address), 40)];
        match line.latest {
            None => row.extend(["-".into(), "-".into(), "nothing recorded yet".into()]),
            Some(check) => {
                let replies = if check.is_measured { format!("{}/{}", check.received, check.sent) } else { "-".into() };
                row.extend([replies, latency(check), last_check(line, check)]);
            }
        }
        rows.push(row);
    }
    let is_coloured = is_coloured();
    align(&rows, |row, column, cell| match row.checked_sub(1).map(|index| &lines[index]) {
        Some(line) if column == 0 => {
            let state = if line.is_stale() { State::NotMeasured } else { line.state() };
            paint(&cell, state, is_coloured)
        }
        _ => cell,
    })
}

fn latency(check: &LatestCheck) -> String {
    match (check.avg_us, check.min_us, check.max_us) {
        (Some(avg), Some(min), Some(max)) if max > min => {
            format!(
                "{} ({} to {})",
                ms(avg as f64),
                ms(min as f64).trim_end_matches(" ms"),
                ms(max as f64).trim_end_matches(" ms")
            )
        }
        (Some(avg), ..) => ms(avg as f64),
        _ => "-".into(),
    }
}

fn last_check(line: &Line<'_>, check: &LatestCheck) -> String {
    let mut text = match line.age {
        Some(age) => format!("{} ago", Spoken(age)),
        None => format!("dated {} by a clock that was wrong", check.checked_at.rfc3339()),
    };
    let since =
        line.outage.map(|outage| format!("outage since {} UTC", outage.start_time.get(..19).unwrap_or(&outage.start_time)));
    let remark = match line.plan {
        None => Some("not monitored any more".to_string()),
        Some(_) if line.is_stale() => Some("STALE: is the monitor running?".to_string()),
        Some(_) => check.reason.as_deref().map(|reason| cut(&printable(reason), 80)),
    };
    for part in [remark, since].into_iter().flatten() {
        text += ", ";
        text += &part;
    }
    text
}
