//! `cleanup` and `cleanup-continuous`: delete results older than the retention period, with or
//! without a running monitor.

use std::time::Duration;

use serde_json::json;

use super::arguments::{Cleanup, CleanupContinuous};
use super::exit::{CliError, CommandStatus};
use super::print;
use super::startup::{configure, open_database};
use crate::config::Config;
use crate::daemon::stop_on_signals;
use crate::pure::phrase::count;
use crate::pure::time::UtcMillis;
use crate::stop::Stop;
use crate::store::{Database, Pruned, StoreError};
use crate::sys;

/// Rows that are deleted in one step. Between two steps the monitor can write.
const STEP_ROWS: u32 = 5000;
const STEP_PAUSE: Duration = Duration::from_millis(5);

pub fn run_once(arguments: &Cleanup) -> Result<CommandStatus, CliError> {
    let (config, _) = configure(&arguments.common())?;
    let stop = stop_on_signals()?;
    let now = |_: &mut Database| Ok(sys::clocks().utc());
    let deleted = clean(&config, &stop, now)?.unwrap_or_default();
    if arguments.json {
        print::print_json(
            &json!({ "deleted_checks": deleted.checks, "deleted_rollups": deleted.rollups }),
        )?;
    } else {
        print::print(&sentence(&config, &deleted))?;
    }
    Ok(CommandStatus::Success)
}

pub fn run_continuously(arguments: &CleanupContinuous) -> Result<CommandStatus, CliError> {
    let (config, _) = configure(&arguments.common())?;
    let stop = stop_on_signals()?;
    let interval = Duration::from_secs_f64(arguments.interval * 3600.0);
    let mut due = sys::monotonic();
    while !stop.wait_until(due) {
        // Unattended, hence never by a clock that may have leapt.
        let now = |database: &mut Database| database.proven_time(sys::clocks().utc());
        match clean(&config, &stop, now) {
            Ok(Some(deleted)) => print::print(&sentence(&config, &deleted))?,
            Ok(None) => {}
            // The disk may be full or the database locked now, but not the next time.
            Err(CliError::Store(error)) => log::error!("{error}"),
            Err(error) => return Err(error),
        }
        due = due.after(interval);
    }
    Ok(CommandStatus::Success)
}

fn sentence(config: &Config, deleted: &Pruned) -> String {
    let days = config.database.retention.as_secs_f64() / 86_400.0;
    let text = format!(
        "{} older than {} deleted",
        count(deleted.checks, "check"),
        count(days, "day")
    );
    match deleted.rollups {
        0 => format!("{text}\n"),
        rollups => format!("{text}, and {}\n", count(rollups, "old roll-up")),
    }
}

/// Deletes what is too old at the time that `now` gives. `None` where there is no database.
fn clean(
    config: &Config,
    stop: &Stop,
    now: impl FnOnce(&mut Database) -> Result<UtcMillis, StoreError>,
) -> Result<Option<Pruned>, CliError> {
    let settings = &config.database;
    if !settings.path.exists() {
        log::info!("{}: there is no database yet", settings.path.display());
        return Ok(None);
    }
    let mut database = open_database(config)?;
    let now = now(&mut database)?;
    let mut sum = Pruned::default();
    loop {
        let step = database.prune(
            now,
            settings.retention,
            settings.rollup_retention,
            STEP_ROWS,
        )?;
        sum.checks += step.checks;
        sum.rollups += step.rollups;
        if !step.is_more || stop.wait_until(sys::monotonic().after(STEP_PAUSE)) {
            return Ok(Some(sum));
        }
    }
}
