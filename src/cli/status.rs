//! `status`: the newest result of every host, from the database alone.

use std::time::Duration;

use serde::Serialize;
use unicode_width::UnicodeWidthStr;

use super::arguments::Status;
use super::exit::{CliError, CommandStatus};
use super::print::{align, cut_middle, is_coloured, ms, paint, print, print_json, printable};
use super::recorded;
use super::startup::configure;
use crate::alerts::{Queue, shown_time};
use crate::config::Config;
use crate::pure::model::State;
use crate::pure::phrase;
use crate::pure::time::UtcMillis;
use crate::push::PushStatus;
use crate::status::{self, HostStatus, HostStatuses};
use crate::store::{OutageEvent, Reader, RecordedCheck, StoreError, damage_of};
use crate::sys;

pub fn run(arguments: &Status) -> Result<CommandStatus, CliError> {
    let (config, _) = configure(&arguments.common())?;
    let reader = Reader::open(&config.database.path)?;
    let wall = sys::clocks().utc();
    let now = match &reader {
        Some(reader) => reader.present(wall)?,
        None => wall,
    };
    let has_database = reader.is_some();
    let damage = damage_of(&config.database.path, reader.as_ref())?;
    let mut waiting = Vec::new();
    let known = match reader {
        Some(reader) => {
            waiting = what_waits(&reader, &config, now)?;
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
        let columns = sys::terminal_size().map_or(0, |(_, columns)| columns);
        let columns = columns.max(MIN_COLUMNS);
        let mut remarks: String = (waiting.iter())
            .map(|text| phrase::wrap(text, columns, ""))
            .collect();
        for text in &damage {
            // As it is: the command in it is to be copied.
            remarks += &format!("{}\n", printable(text));
        }
        print(&format!("{}{remarks}", text_of(&lines, columns)))?;
    }
    if !has_database {
        return Err(recorded::nothing_recorded(&config.database.path));
    }
    let is_fresh = lines
        .iter()
        .all(|line| line.config.is_none() || !line.is_stale());
    Ok(CommandStatus::success_if(!arguments.fresh || is_fresh))
}

/// Why notices wait, and what is not sent to the engine, in local time.
fn what_waits(reader: &Reader, config: &Config, now: UtcMillis) -> Result<Vec<String>, StoreError> {
    let flush = config.database.flush;
    let is_running = status::is_monitor_running(reader, flush, now)?;
    let queue = Queue::read(reader, &config.alerts, &config.grouping, is_running, now)?;
    let push = PushStatus::read(reader, config.push.as_ref(), flush, is_running, now)?;
    let shown_time = shown_time(now, sys::utc_offset_at);
    let queue = queue.map(|queue| printable(&queue.sentence(&shown_time)));
    let push = push.map(|push| printable(&push.sentence(&shown_time)));
    Ok(queue.into_iter().chain(push).collect())
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

/// The narrowest terminal that a table is made for, and the width of one in a file or a pipe.
const MIN_COLUMNS: usize = 80;

/// One line a host, no wider than `columns`, and below it what else is to be said about the host.
fn text_of(lines: &[HostStatus<'_>], columns: usize) -> String {
    // What does not fit is left out or said on a line of its own, in this order.
    let forms = [(true, true), (true, false), (false, false)];
    let mut tables =
        forms.map(|(has_range, has_resolved)| Table::new(lines, has_range, has_resolved));
    let index = tables
        .iter()
        .position(|table| table.width() <= columns)
        .unwrap_or(2);
    let table = &mut tables[index];
    table.shorten(columns);
    let is_coloured = is_coloured();
    let aligned = align(&table.rows, |row, column, cell| {
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
    });
    let mut text = String::new();
    for (index, row) in aligned.lines().enumerate() {
        text += row;
        text.push('\n');
        let Some(line) = index.checked_sub(1).map(|index| &lines[index]) else {
            continue;
        };
        for remark in remarks(line, table.has_resolved) {
            text += &phrase::wrap(&remark, columns, "  ");
        }
    }
    text
}

struct Table {
    rows: Vec<Vec<String>>,
    /// Whether the address that a name is pinged at is in the column of the address.
    has_resolved: bool,
}

/// Columns of a [`Table`].
const HOST: usize = 1;
const ADDRESS: usize = 2;

impl Table {
    /// `has_range`: with the lowest and the highest latency.
    fn new(lines: &[HostStatus<'_>], has_range: bool, has_resolved: bool) -> Table {
        let heads = [
            "STATE",
            "HOST",
            "ADDRESS",
            "REPLIES",
            "LATENCY",
            "LAST CHECK",
        ];
        let mut rows = vec![heads.map(String::from).to_vec()];
        for line in lines {
            let check = line.latest.map(|latest| &latest.check);
            let address = match line.resolved() {
                Some(resolved) if has_resolved => format!("{} ({resolved})", line.address),
                _ => line.address.to_owned(),
            };
            rows.push(vec![
                line.state().text().to_string(),
                printable(line.name),
                printable(&address),
                line.measured().map_or("-".into(), |check| {
                    format!("{}/{}", check.received, check.sent)
                }),
                check.map_or("-".into(), |check| latency(check, has_range)),
                match (check, line.age) {
                    (None, _) => "never".into(),
                    (_, None) => "in the future".into(),
                    (_, Some(age)) => format!("{} ago", rough(age)),
                },
            ]);
        }
        Table { rows, has_resolved }
    }

    fn width_of(&self, column: usize) -> usize {
        let widths = self.rows.iter().map(|row| row[column].width());
        widths.max().unwrap_or(0)
    }

    /// Columns are two blanks apart.
    fn width(&self) -> usize {
        (0..6)
            .map(|column| self.width_of(column) + 2)
            .sum::<usize>()
            - 2
    }

    /// Shortens names and addresses until a line fits into `columns`.
    fn shorten(&mut self, columns: usize) {
        let (host, address) = (self.width_of(HOST), self.width_of(ADDRESS));
        let room = (columns + host + address).saturating_sub(self.width());
        let host_room = host.min((room / 2).max(room.saturating_sub(address)));
        for row in &mut self.rows {
            row[HOST] = cut_middle(&row[HOST], host_room);
            row[ADDRESS] = cut_middle(&row[ADDRESS], room - host_room);
        }
    }
}

/// The two largest units of a length of time, such as `2 d 4 h`.
fn rough(length: Duration) -> String {
    let text = phrase::duration(length);
    let words: Vec<&str> = text.split(' ').take(4).collect();
    words.join(" ")
}

fn latency(check: &RecordedCheck, has_range: bool) -> String {
    match (check.avg_us, check.min_us, check.max_us) {
        (Some(avg), Some(min), Some(max)) if has_range && max > min => {
            format!(
                "{} ({} to {})",
                ms(f64::from(avg)),
                ms(f64::from(min)).trim_end_matches(" ms"),
                ms(f64::from(max)).trim_end_matches(" ms")
            )
        }
        (Some(avg), ..) => ms(f64::from(avg)),
        _ => "-".into(),
    }
}

fn remarks(line: &HostStatus<'_>, has_resolved: bool) -> Vec<String> {
    let resolved = line.resolved().filter(|_| !has_resolved);
    let resolved = resolved.map(|resolved| format!("pinged at {}", printable(resolved)));
    let check = line.latest.map(|latest| &latest.check);
    let reason = match (line.config, check) {
        (None, _) => Some("not monitored any more".to_string()),
        (_, None) => Some("nothing recorded yet".to_string()),
        (_, Some(check)) if line.age.is_none() => Some(format!(
            "STALE: the last check is dated {} by a clock that was wrong",
            check.checked_at.rfc3339()
        )),
        _ if line.is_stale() => Some("STALE: is the monitor running?".to_string()),
        (_, Some(check)) => check.reason.as_deref().map(printable),
    };
    let outage = line.outage.map(|outage| {
        let cause = outage
            .cause
            .map(|cause| format!(", cause {}", cause.as_str()))
            .unwrap_or_default();
        let since = outage
            .start_time
            .map_or("an unreadable time".into(), |at| at.local_text(0) + " UTC");
        format!("outage since {since}{cause}")
    });
    [resolved, reason, outage].into_iter().flatten().collect()
}
