//! `alert-test`: runs alerts.command once with a test notice.

use std::fmt::Write;

use super::arguments::AlertTest;
use super::exit::{CliError, CommandStatus};
use super::print::{print, printable};
use super::startup::configure;
use crate::alerts::{Alert, alert_text, digest};
use crate::command::{Capture, CommandEnd, run_command};
use crate::config::{Config, HostConfig};
use crate::daemon::stop_on_signals;
use crate::pure::cause::Cause;
use crate::pure::model::{AlertKind, EventId, EventKind, Host};
use crate::pure::phrase::count;
use crate::pure::time::UtcMillis;
use crate::store::{Notice, OutageEvent};
use crate::sys;

/// How long ago the outage of the test notice began, and its duration where it has ended.
const AGE_MS: i64 = 90_000;
const DURATION_MS: i64 = 85_000;

pub fn run(arguments: &AlertTest) -> Result<CommandStatus, CliError> {
    let (config, _) = configure(&arguments.common())?;
    if config.alerts.command.is_empty() {
        let hint = "name a program in the configuration, as a list: alerts: {command: [/usr/local/bin/notify]}".to_string();
        return Err(CliError::Config {
            text: "alerts.command: there is none, so no alert is sent".into(),
            hint: Some(hint),
        });
    }
    let now = sys::clocks().utc();
    let mut alert = alert_text(
        &test_alert(&config, arguments.event, now),
        now,
        sys::utc_offset_at,
    );
    alert.environment.push(("ACE_TEST", "1".into()));
    let stop = stop_on_signals()?;
    let words = config.alerts.command.iter().map(|word| format!("{word:?}"));
    print(&format!(
        "running {}\nsending {}\n",
        words.collect::<Vec<_>>().join(" "),
        printable(&alert.text)
    ))?;
    let run = run_command(
        &config.alerts.command,
        alert.input(),
        config.alerts.timeout,
        &stop,
        Capture::Both,
    )
    .map_err(|cause| CliError::Refused {
        text: format!("running {}: {cause}", config.alerts.command[0]),
        hint: "correct alerts.command in the configuration, or the program".into(),
    })?;
    let end = match run.end {
        CommandEnd::Exited(status) => status.to_string(),
        CommandEnd::TimedOut => "killed because it ran longer than alerts.timeout_seconds".into(),
        CommandEnd::Stopped => "killed on a signal".into(),
    };
    let mut text = format!("{end}, after {:.3} s\n", run.duration.as_secs_f64());
    let missing = run.output_bytes - run.output.len() as u64;
    if missing > 0 {
        let _ = writeln!(
            text,
            "output, without its first {}:",
            count(missing, "byte")
        );
    } else if run.output_bytes > 0 {
        text.push_str("output:\n");
    }
    for line in String::from_utf8_lossy(&run.output).lines() {
        let _ = writeln!(text, "  {}", printable(line));
    }
    print(&text)?;
    Ok(CommandStatus::success_if(run.is_success()))
}

fn test_alert(config: &Config, kind: AlertKind, now: UtcMillis) -> Alert {
    let of = |kind| Alert::of(&test_notice(config, kind, now));
    match kind {
        AlertKind::Digest => {
            let [outages, loss] = [AlertKind::Incident, AlertKind::Loss].map(of);
            digest(&[&outages, &loss]).unwrap_or(outages)
        }
        kind => of(kind),
    }
}

/// A notice about the first configured hosts.
fn test_notice(config: &Config, kind: AlertKind, now: UtcMillis) -> Notice {
    let example = |n: u8| Host {
        name: format!("Example {n}"),
        address: format!("192.0.2.{n}").as_str().into(),
        family: None,
        source: None,
    };
    let host_of = |configured: &HostConfig| Host::clone(&configured.host);
    let hosts: Vec<Host> = config
        .hosts
        .iter()
        .map(host_of)
        .chain([example(1), example(2)])
        .take(2)
        .collect();
    let start = UtcMillis(now.0 - AGE_MS);
    let end = (kind == AlertKind::Up).then_some(UtcMillis(start.0 + DURATION_MS));
    let event = |(id, host): (i64, &Host)| OutageEvent {
        id: EventId(id),
        host_name: host.name.clone(),
        former_name: None,
        distinction: String::new(),
        host_address: host.address.to_string(),
        event_type: EventKind::Outage,
        start_time: Some(start),
        end_time: end,
        duration_seconds: end.map(|end| (end.0 - start.0) / 1000),
        checks_failed: Some(2),
        checks_during_outage: Some(2),
        recovery_success_rate: end.map(|_| 100.0),
        notes: Some("test by alert-test".into()),
        earliest_start: Some(start),
        packets_sent: Some(10),
        packets_lost: Some(10),
        cause: Some(Cause::Provider),
        facts: None,
        path: None,
        planned: false,
        answered_since: None,
        host_id: None,
        is_removed: false,
    };
    let count = match kind {
        AlertKind::Degraded | AlertKind::Loss | AlertKind::Database => 0,
        AlertKind::Incident => 2,
        AlertKind::Down | AlertKind::Up | AlertKind::Digest => 1,
    };
    let loss = serde_json::json!({
        "host_name": hosts[0].name,
        "host_address": hosts[0].address.as_str(),
        "loss": { "start_time": start.rfc3339(), "end_time": null, "sent": 25, "lost": 10, "loss_percent": 40.0 },
    });
    let degraded = serde_json::json!({
        "host_name": hosts[0].name,
        "host_address": hosts[0].address.as_str(),
        "check": { "timestamp": start.rfc3339(), "state": "degraded", "sent": 5, "received": 4, "success_rate": 80.0, "avg_us": 23_400 },
    });
    let file = config.database.path.display();
    let database = serde_json::json!({
        "database": {
            "text": format!("{file} was damaged: it is set aside as {file}.damaged, and a new file is begun"),
            "found_at": start.rfc3339(),
            "set_aside": format!("{file}.damaged"),
        },
    });
    let facts = match kind {
        AlertKind::Loss => Some(loss),
        AlertKind::Degraded => Some(degraded),
        AlertKind::Database => Some(database),
        _ => None,
    };
    Notice {
        id: 0,
        made_at: now,
        kind,
        tries: 0,
        events: (1..).zip(&hosts).take(count).map(event).collect(),
        facts: facts.map(|facts| facts.to_string()),
        sent_at: None,
    }
}
