//! `status`: the newest result of every host, from the database alone.

use serde::Serialize;

use super::arguments::Status;
use super::exit::{CliError, CommandStatus};
use super::print::{align, cut, is_coloured, ms, paint, print, print_json, printable};
use super::recorded;
use super::startup::configure;
use crate::pure::model::State;
use crate::pure::phrase;
use crate::status::{HostStatus, HostStatuses};
use crate::store::{OutageEvent, Reader, RecordedCheck};
use crate::sys;

pub fn run(arguments: &Status) -> Result<CommandStatus, CliError> {
    let (config, _) = configure(&arguments.common())?;
    let now = sys::clocks().utc();
    let reader = Reader::open(&config.database.path)?;
    let has_database = reader.is_some();
    let known = match reader {
        Some(reader) => {
            let mut known = HostStatuses::read(&reader, config.database.flush, now)?;
            known.outages = reader.open_outages()?;
            known
        }
        None => HostStatuses::empty(now),
    };
    let lines = known.of_hosts(&config.hosts);
    if arguments.json {
        print_json(&lines.iter().map(Row::from).collect::<Vec<_>>())?;
    } else if has_database {
        print(&text_of(&lines))?;
    }
    if !has_database {
        return Err(recorded::nothing_recorded(&config.database.path));
    }
    let is_fresh = lines
        .iter()
        .all(|line| line.config.is_none() || !line.is_stale());
    Ok(CommandStatus::success_if(!arguments.fresh || is_fresh))
}

/// A host as `--json` prints it; latencies are milliseconds, `success_rate` is 0 to 100.
#[derive(Serialize)]
struct Row<'a> {
    host_name: &'a str,
    host_address: &'a str,
    resolved_address: Option<&'a str>,
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
    outage: Option<&'a OutageEvent>,
}

impl<'a> From<&'a HostStatus<'a>> for Row<'a> {
    fn from(line: &'a HostStatus<'a>) -> Self {
        let measured = line.measured();
        let [min_latency, avg_latency, max_latency] =
            measured.map_or([None; 3], RecordedCheck::latencies_ms);
        Row {
            host_name: line.name,
            host_address: line.address,
            resolved_address: line.resolved(),
            timestamp: line.latest.map(|latest| latest.check.checked_at.rfc3339()),
            age_seconds: line.age.map(|age| age.as_millis() as f64 / 1000.0),
            stale: line.is_stale(),
            state: line.state().as_str(),
            success_rate: measured.map(RecordedCheck::success_rate),
            success_count: measured.map(|check| check.received),
            failure_count: measured.map(RecordedCheck::failure_count),
            min_latency,
            avg_latency,
            max_latency,
            error: line
                .latest
                .and_then(|latest| latest.check.reason.as_deref()),
            configured: line.config.is_some(),
            outage: line.outage,
        }
    }
}

fn text_of(lines: &[HostStatus<'_>]) -> String {
    let mut rows = vec![
        [
            "STATE",
            "HOST",
            "ADDRESS",
            "REPLIES",
            "LATENCY",
            "LAST CHECK",
        ]
        .map(String::from)
        .to_vec(),
    ];
    for line in lines {
        let mut row = vec![
            line.state().text().to_string(),
            cut(&printable(line.name), 32),
            cut(&printable(&address_of(line)), 56),
        ];
        match line.latest.map(|latest| &latest.check) {
            None => row.extend(["-".into(), "-".into(), "nothing recorded yet".into()]),
            Some(check) => {
                let replies = if line.measured().is_some() {
                    format!("{}/{}", check.received, check.sent)
                } else {
                    "-".into()
                };
                row.extend([replies, latency(check), last_check(line, check)]);
            }
        }
        rows.push(row);
    }
    let is_coloured = is_coloured();
    align(&rows, |row, column, cell| {
        match row.checked_sub(1).map(|index| &lines[index]) {
            Some(line) if column == 0 => {
                let state = if line.is_stale() {
                    State::NotMeasured
                } else {
                    line.state()
                };
                paint(&cell, state, is_coloured)
            }
            _ => cell,
        }
    })
}

/// With the address that a name or the gateway is pinged at.
fn address_of(line: &HostStatus<'_>) -> String {
    match line.resolved() {
        Some(resolved) => format!("{} ({resolved})", line.address),
        None => line.address.to_owned(),
    }
}

fn latency(check: &RecordedCheck) -> String {
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

fn last_check(line: &HostStatus<'_>, check: &RecordedCheck) -> String {
    let mut text = match line.age {
        Some(age) => format!("{} ago", phrase::duration(age)),
        None => format!(
            "dated {} by a clock that was wrong",
            check.checked_at.rfc3339()
        ),
    };
    let since = line.outage.map(|outage| {
        let cause = outage
            .cause
            .map(|cause| format!(", cause {}", cause.as_str()))
            .unwrap_or_default();
        let since = outage
            .start_time
            .map_or("an unreadable time".into(), |at| at.local_text(0) + " UTC");
        format!("outage since {since}{cause}")
    });
    let remark = match line.config {
        None => Some("not monitored any more".to_string()),
        Some(_) if line.is_stale() => Some("STALE: is the monitor running?".to_string()),
        Some(_) => check
            .reason
            .as_deref()
            .map(|reason| cut(&printable(reason), 80)),
    };
    for part in [remark, since].into_iter().flatten() {
        text += ", ";
        text += &part;
    }
    text
}
