//! `monitor`: the daemon.

use super::arguments::{CommonOptions, Monitor};
use super::dashboard::place;
use super::exit::{CliError, CommandStatus};
use super::startup::{configure, find_config, load_config, open_database};
use crate::config::{Config, ProblemKind};
use crate::daemon::DaemonError;
use crate::dashboard::Dashboard;
use crate::pure::phrase::count;
use crate::{daemon, logging};

pub fn run(arguments: &Monitor) -> Result<CommandStatus, CliError> {
    // From the first moment on: without a handler a SIGHUP would end the program. The configuration
    // is about to be read in any case, so that nothing else need come of it.
    daemon::ignore_sighup()?;
    let common = arguments.common();
    let (mut config, log_file) = configure(&common)?;
    let place = |config: &mut Config| place(config, arguments.host.as_deref(), arguments.port);
    place(&mut config);
    // A database begun by a program that cannot ping, or whose place is taken by another, helps
    // nobody.
    daemon::prepare_to_monitor(config.hosts.len())?;
    let dashboard = if arguments.no_dashboard {
        None
    } else {
        Some(Dashboard::start(&config).map_err(DaemonError::Web)?)
    };
    let database = open_database(&config)?;
    let mut reload = || {
        let mut config = reload(&common)?;
        place(&mut config);
        Ok(config)
    };
    match daemon::run(config, database, dashboard, &mut reload, &log_file)? {
        0 => Ok(CommandStatus::Success),
        lost => Err(CliError::ResultsLost(lost)),
    }
}

/// Reads the configuration again. Anything wrong in it but an unknown key keeps the running one: a
/// value that falls back to its default must not take the place of one that works.
fn reload(common: &CommonOptions) -> Result<Config, String> {
    let path = match find_config(common) {
        Ok(Some(path)) => path,
        Ok(None) => return Err("config.yaml is gone".into()),
        Err(failure) => return Err(failure.to_string()),
    };
    let loaded = load_config(&path).map_err(|failure| failure.to_string())?;
    for problem in &loaded.problems {
        log::warn!("{problem}");
    }
    let is_harmless = |kind| !common.strict && kind == ProblemKind::UnknownKey;
    let problems = loaded
        .errors()
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
