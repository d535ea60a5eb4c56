//! `monitor`: the daemon.

use std::sync::Arc;

use super::arguments::{CommonOptions, Monitor};
use super::dashboard::override_listener;
use super::exit::{CliError, CommandStatus};
use super::startup::{configure, find_config, load_config, open_or_begin_database};
use crate::config::{Config, Problem, ProblemKind};
use crate::daemon::DaemonError;
use crate::dashboard::Dashboard;
use crate::pure::phrase::count;
use crate::store::Database;
use crate::{daemon, logging};

pub fn run(arguments: &Monitor) -> Result<CommandStatus, CliError> {
    // First, because a SIGHUP would end the program. It needs no reload: the configuration is not
    // read yet.
    daemon::ignore_sighup()?;
    let common = arguments.common();
    let (mut config, log) = configure(&common)?;
    let _background = log.write_in_background();
    let (host, port) = (arguments.host.clone(), arguments.port);
    let override_listener = move |config: &mut Config| {
        override_listener(config, host.as_deref(), port);
    };
    override_listener(&mut config);
    // Before the database is created, so that a monitor that cannot ping or listen leaves none.
    daemon::prepare_to_monitor(config.hosts.len())?;
    let dashboard = if arguments.no_dashboard {
        None
    } else {
        Some(Dashboard::start(&config).map_err(DaemonError::Web)?)
    };
    let database = match open_or_begin_database(&config) {
        // It measures, and the writer opens the file as soon as it can.
        Err(CliError::Store(error)) if error.may_pass() => {
            Database::unopened(&config.database.path, error)?
        }
        opened => opened?,
    };
    let reload = move || {
        let mut config = reload(&common)?;
        override_listener(&mut config);
        Ok(config)
    };
    match daemon::run(config, database, dashboard, Arc::new(reload), log)? {
        0 => Ok(CommandStatus::Success),
        lost => Err(CliError::ResultsLost(lost)),
    }
}

/// Reads the configuration again. Any problem but an unknown key keeps the running one: a default
/// must not replace a value that works.
fn reload(common: &CommonOptions) -> Result<Config, String> {
    let path = match find_config(common) {
        Ok(Some(path)) => path,
        Ok(None) => return Err("config.yaml does not exist any more".into()),
        Err(error) => return Err(error.to_string()),
    };
    let loaded = load_config(&path).map_err(|error| error.to_string())?;
    // The built-in hosts must not replace those of a file that an editor or a full disk emptied.
    let lacks_hosts = |problem: &Problem| problem.kind == ProblemKind::NoHosts;
    if loaded.problems.iter().any(lacks_hosts) {
        return Err(format!("{}: has no hosts", path.display()));
    }
    for problem in &loaded.problems {
        log::warn!("{problem}");
    }
    let is_harmless = |kind| match kind {
        ProblemKind::UnknownKey => !common.strict,
        // It may be repaired later.
        ProblemKind::File => true,
        _ => false,
    };
    let problems = loaded
        .errors(common.strict)
        .filter(|problem| !is_harmless(problem.kind))
        .count();
    if problems > 0 {
        return Err(format!(
            "{}: {}",
            path.display(),
            count(problems, "problem")
        ));
    }
    logging::set_level(common.level(loaded.config.logging.level));
    Ok(loaded.config)
}
