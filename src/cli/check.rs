//! `check`: one check of every host, all at the same time. A terminal shows the replies as they
//! arrive.

use std::fmt::Write as _;
use std::io::Write as _;
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::time::Duration;

use serde::Serialize;
use unicode_width::UnicodeWidthStr;

use super::arguments::Check;
use super::exit::{CliError, CommandStatus};
use super::print::{
    align, cut, is_coloured, is_dumb, is_terminal, ms, pad, paint, print, print_json, printable,
};
use super::startup::{configure, open_database};
use crate::config::{Config, HostConfig, address_hint};
use crate::daemon::stop_on_signals;
use crate::daemon::{self, DaemonError};
use crate::net::{LinkWatch, ThisMachine, TimestampSwitch};
use crate::pinger::{CheckProgress, Pinger, ProbeSettings};
use crate::pure::check::ReadMode;
use crate::pure::host_key;
use crate::pure::model::{CheckResult, Host, Outcome, State};
use crate::pure::outage::OutageRules;
use crate::pure::stats;
use crate::status::is_running;
use crate::store::{Reader, RunState};
use crate::sys;

/// How long a check waits for duplicates after its last reply.
const LINGER: Duration = Duration::from_millis(100);
const STACK_BYTES: usize = 128 * 1024;

/// What the thread of a host reports, with the index of the host.
enum Report {
    Ping(usize, Outcome),
    /// `None` where the check was interrupted.
    Finished(usize, Option<Box<CheckResult>>),
}

pub fn run(arguments: &Check) -> Result<CommandStatus, CliError> {
    let (config, _) = configure(&arguments.common())?;
    let hosts = select(&config, &arguments.hosts)?;
    if hosts.is_empty() {
        return Err(CliError::Config {
            text: "hosts: the list is empty, there is nothing to check".into(),
            hint: None,
        });
    }
    daemon::prepare_for_one_check(hosts.len())?;
    let is_live = !arguments.json
        && is_terminal()
        && !is_dumb()
        && sys::terminal_size().is_some_and(|(rows, _)| hosts.len() + 2 < rows);
    let Some(results) = check_all(&hosts, is_live)? else {
        return Err(CliError::Refused {
            text: "check: interrupted".into(),
            hint: "nothing is recorded".into(),
        });
    };
    // Printed first, because the user waits for it; recorded even if printing fails.
    let printed = if arguments.json {
        print_json(&results.iter().map(Row::from).collect::<Vec<_>>())
    } else {
        print(&text_of(&results))
    };
    if !arguments.no_store {
        let configured =
            |result: &&CheckResult| config.hosts.iter().any(|host| host.host == result.host);
        let mut recorded: Vec<CheckResult> = results.iter().filter(configured).cloned().collect();
        if recorded.len() < results.len() {
            log::info!("hosts that are not in the configuration are not recorded");
        }
        record(&config, &mut recorded)?;
    }
    printed?;
    let is_bad = results
        .iter()
        .any(|result| matches!(result.state(), State::Down | State::NotMeasured));
    Ok(CommandStatus::success_if(!is_bad))
}

/// For a check outside monitoring: `linger` is how long it waits for duplicates.
pub fn settings_of_one_check(linger: Duration) -> ProbeSettings {
    ProbeSettings {
        read_mode: ReadMode::Immediate,
        linger,
        fast_interval: None,
        outages: OutageRules::default(),
    }
}

/// A check stands for the time of its pings, not for an interval. With a monitor, whose checks cover
/// the time, that is recorded only of one that adds lossy time.
fn record(config: &Config, results: &mut [CheckResult]) -> Result<(), CliError> {
    if results.is_empty() {
        return Ok(());
    }
    let now = sys::clocks().utc();
    let mut database = open_database(config)?;
    let (newest_run, present) = match Reader::open_current(&config.database.path)? {
        Some(reader) => (reader.newest_run()?, reader.present(now)?),
        None => (None, now),
    };
    let is_monitored =
        newest_run.is_some_and(|run| is_running(&run, config.database.flush, present));
    for result in &mut *results {
        // As the monitor dates its own.
        result.checked_at = result.checked_at.plus(present.0 - now.0);
        let pings = u32::try_from(result.pings.len()).unwrap_or(u32::MAX);
        let pings_ms = pings.saturating_mul(result.spacing_ms).max(1000);
        let is_lossy = matches!(result.state(), State::Degraded | State::Poor);
        result.is_beside_monitor = is_monitored;
        result.is_by_hand = is_lossy || !is_monitored;
        result.interval_ms = if result.is_by_hand {
            pings_ms.min(result.interval_ms)
        } else {
            0
        };
    }
    Ok(database.write(results, present, RunState::Running)?)
}

/// All configured hosts, or the named ones. An IP address that is not configured is checked with
/// the default settings.
fn select(config: &Config, wanted: &[String]) -> Result<Vec<HostConfig>, CliError> {
    if wanted.is_empty() {
        return Ok(config.hosts.clone());
    }
    let mut hosts: Vec<HostConfig> = Vec::new();
    for word in wanted {
        let found: Vec<&HostConfig> = host_key::named(
            word,
            config.hosts.iter().collect(),
            |config| config.host.identity(),
            |config| vec![config.host.name.as_str()],
        );
        if found.is_empty() {
            if let Some(wrong) = address_hint(word) {
                return Err(CliError::Usage(format!("host {word:?} {wrong}")));
            }
            let host = Host::unlisted(word);
            if host.address.ip().is_none() {
                let known: Vec<&str> = config
                    .hosts
                    .iter()
                    .map(|config| config.host.name.as_str())
                    .take(20)
                    .collect();
                return Err(CliError::Usage(format!(
                    "host {word:?} is not in the configuration, which has: {}",
                    known.join(", ")
                )));
            }
            hosts.push(config.unlisted_host(host));
        }
        hosts.extend(found.into_iter().cloned());
    }
    let mut seen = std::collections::HashSet::new();
    hosts.retain(|config| seen.insert(Arc::clone(&config.host)));
    Ok(hosts)
}

/// `None` when a signal interrupted it.
fn check_all(hosts: &[HostConfig], is_live: bool) -> Result<Option<Vec<CheckResult>>, CliError> {
    let stop = stop_on_signals()?;
    let _stamps = TimestampSwitch::start();
    let _links = LinkWatch::start();
    let (sender, reports) = channel();
    for (index, config) in hosts.iter().enumerate() {
        let (stop, sender, config) = (stop.clone(), sender.clone(), config.clone());
        let failed = DaemonError::starting(format!("the thread of {}", config.host));
        let mut pinger = Pinger::new(
            ThisMachine,
            Arc::new(config),
            settings_of_one_check(LINGER),
            None,
        );
        let work = move || {
            let result = pinger.check(&stop, &mut |progress| {
                if let CheckProgress::Ping(_, outcome) = progress {
                    let _ = sender.send(Report::Ping(index, outcome));
                }
            });
            let _ = sender.send(Report::Finished(index, result));
        };
        std::thread::Builder::new()
            .name(format!("ping-{index}"))
            .stack_size(STACK_BYTES)
            .spawn(work)
            .map_err(failed)?;
    }
    drop(sender);
    let mut view = LiveView::start(hosts, is_live);
    let mut results: Vec<Option<CheckResult>> = vec![None; hosts.len()];
    for report in reports {
        match report {
            Report::Ping(index, outcome) => view.show(index, outcome),
            Report::Finished(index, result) => results[index] = result.map(|result| *result),
        }
    }
    view.finish();
    Ok(results.into_iter().collect())
}

/// The lines that show each host's replies as they arrive, redrawn for every reply.
struct LiveView {
    names: Vec<String>,
    pings: Vec<String>,
    is_shown: bool,
}

impl LiveView {
    fn start(hosts: &[HostConfig], is_shown: bool) -> LiveView {
        let names: Vec<String> = hosts
            .iter()
            .map(|config| cut(&printable(&config.host.name), 32))
            .collect();
        let width = names.iter().map(|name| name.width()).max().unwrap_or(0);
        let names = names
            .into_iter()
            .map(|name| pad(&name, width))
            .collect::<Vec<_>>();
        let view = LiveView {
            pings: vec![String::new(); names.len()],
            names,
            is_shown,
        };
        if is_shown {
            view.draw();
        }
        view
    }

    fn show(&mut self, index: usize, outcome: Outcome) {
        let text = match outcome {
            Outcome::Reply { rtt_us } => ms(f64::from(rtt_us)),
            Outcome::TimedOut => "lost".into(),
            Outcome::Unreachable(_) => "unreachable".into(),
            Outcome::SendFailed { .. } => "not sent".into(),
            Outcome::Untimed => "not timed".into(),
        };
        self.pings[index] += "  ";
        self.pings[index] += &text;
        if self.is_shown {
            self.erase();
            self.draw();
        }
    }

    fn draw(&self) {
        let columns = sys::terminal_size().map_or(80, |(_, columns)| columns);
        let mut text = String::new();
        for (name, pings) in self.names.iter().zip(&self.pings) {
            let _ = writeln!(
                text,
                "{}",
                cut(&format!("{name}{pings} ..."), columns.saturating_sub(1))
            );
        }
        let _ = std::io::stdout().write_all(text.as_bytes());
    }

    fn erase(&self) {
        let _ = write!(std::io::stdout(), "\x1b[{}A\x1b[J", self.names.len());
    }

    fn finish(self) {
        if self.is_shown {
            self.erase();
        }
    }
}

/// A result in the form of `--json`. `success_rate` is 0 to 100.
#[derive(Serialize)]
struct Row<'a> {
    host_name: &'a str,
    host_address: &'a str,
    resolved_address: Option<String>,
    timestamp: String,
    state: &'static str,
    sent: u32,
    received: u32,
    late: u32,
    duplicates: u32,
    foreign: u32,
    success_rate: Option<f64>,
    min_us: Option<u32>,
    avg_us: Option<u32>,
    max_us: Option<u32>,
    mdev_us: Option<u32>,
    rtts_us: Vec<Option<u32>>,
    error: Option<&'a str>,
}

impl<'a> From<&'a CheckResult> for Row<'a> {
    fn from(result: &'a CheckResult) -> Self {
        let summary = stats::summarize(result.rtts_us().flatten());
        let (sent, received) = (result.sent(), result.received());
        Row {
            host_name: &result.host.name,
            host_address: result.host.address.as_str(),
            resolved_address: result.pinged_address(),
            timestamp: result.checked_at.rfc3339(),
            state: result.state().as_str(),
            sent,
            received,
            late: result.late,
            duplicates: result.duplicates,
            foreign: result.foreign,
            success_rate: (sent > 0)
                .then(|| stats::success_rate(i64::from(sent), i64::from(received))),
            min_us: summary.map(|s| s.min_us),
            avg_us: summary.map(|s| s.avg_us),
            max_us: summary.map(|s| s.max_us),
            mdev_us: summary.map(|s| s.mdev_us),
            rtts_us: result.rtts_us().collect(),
            error: result.reason.as_deref(),
        }
    }
}

fn text_of(results: &[CheckResult]) -> String {
    let mut rows = vec![
        ["STATE", "HOST", "ADDRESS", "REPLIES", "LATENCY"]
            .map(String::from)
            .to_vec(),
    ];
    for result in results {
        let address = match result.pinged_address() {
            Some(ip) if ip != result.host.address.as_str() => {
                format!("{} ({ip})", result.host.address)
            }
            _ => result.host.address.to_string(),
        };
        let mut latency = match stats::summarize(result.rtts_us().flatten()) {
            Some(s) if s.max_us > s.min_us => {
                let number = |us| ms(f64::from(us)).trim_end_matches(" ms").to_string();
                format!(
                    "{} ({} to {})",
                    ms(f64::from(s.avg_us)),
                    number(s.min_us),
                    number(s.max_us)
                )
            }
            Some(s) => ms(f64::from(s.avg_us)),
            None => "-".into(),
        };
        for (count, what) in [
            (result.late, "late"),
            (result.duplicates, "duplicate"),
            (result.foreign, "foreign"),
        ] {
            if count > 0 {
                let _ = write!(latency, ", {count} {what}");
            }
        }
        if let Some(reason) = &result.reason {
            let _ = write!(latency, "  {}", printable(reason));
        }
        let replies = if result.sent() > 0 {
            format!("{}/{}", result.received(), result.sent())
        } else {
            "-".into()
        };
        rows.push(vec![
            result.state().text().to_string(),
            cut(&printable(&result.host.name), 32),
            cut(&printable(&address), 56),
            replies,
            latency,
        ]);
    }
    let is_coloured = is_coloured();
    align(&rows, |row, column, cell| {
        match row.checked_sub(1).map(|index| results[index].state()) {
            Some(state) if column == 0 => paint(&cell, state, is_coloured),
            _ => cell,
        }
    })
}
