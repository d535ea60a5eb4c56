//! What commands begin with: the configuration, the log and the database.

use std::io;
use std::path::{Path, PathBuf};

use super::arguments::CommonOptions;
use super::exit::CliError;
use super::progress::ProgressLine;
use crate::config::{self, Config, Loaded};
use crate::logging::{self, LogHandle};
use crate::pure::phrase::count;
use crate::store::{Database, Opened, StoreError};
use crate::sys;

/// Reads the configuration, starts logging, and logs the problems of the configuration. Fails on
/// a problem where `--strict` is given.
pub fn configure(options: &CommonOptions) -> Result<(Config, LogHandle), CliError> {
    let found = find_config(options)?;
    let loaded = match &found {
        Some(path) => load_config(path)?,
        None => Loaded {
            config: Config::default(),
            problems: Vec::new(),
        },
    };
    let log_file = loaded.config.logging.file.as_deref();
    let level = options.level(loaded.config.logging.level);
    let database = &loaded.config.database.path;
    let log = logging::start(level, log_file, database).map_err(|cause| CliError::File {
        operation: "opening the log file",
        path: log_file.unwrap_or(Path::new("")).to_path_buf(),
        cause,
    })?;
    if found.is_none() {
        log::info!(
            "no config.yaml here and none in /etc/ace-connection-logger: using the built-in defaults"
        );
    }
    if let Some(set) = sys::unknown_zone() {
        log::warn!("{}; {ZONE_CURE}", unknown_zone(&set));
    }
    for problem in &loaded.problems {
        log::warn!("{problem}");
    }
    let problems = loaded.refused_by_strict().count();
    if let Some(path) = &found
        && options.strict
        && problems > 0
    {
        let path = path.display();
        return Err(CliError::Config {
            text: format!(
                "{path}: {}, and --strict allows none",
                count(problems, "problem")
            ),
            hint: Some(format!("ace-connection-logger check-config -c {path}")),
        });
    }
    Ok((loaded.config, log))
}

pub fn unknown_zone(set: &str) -> String {
    format!("{set}: this machine does not know that time zone, so local times are in UTC")
}

pub const ZONE_CURE: &str =
    "install tzdata, or set TZ to a name below /usr/share/zoneinfo, such as TZ=Europe/Berlin";

/// Opens the configured database for writing. A database of the original is converted, which the
/// log says.
pub fn open_database(config: &Config) -> Result<Database, CliError> {
    open_by(config, Database::open)
}

/// The same, for the monitor: a damaged one does not stop it.
pub fn open_or_begin_database(config: &Config) -> Result<Database, CliError> {
    open_by(config, |path, progress| {
        Database::open_or_begin(path, sys::clocks().utc(), progress)
    })
}

fn open_by(
    config: &Config,
    open: impl FnOnce(&Path, &mut dyn FnMut(u64, u64)) -> Result<Opened, StoreError>,
) -> Result<Database, CliError> {
    let path = &config.database.path;
    let mut progress = ProgressLine::new("converting the original's database");
    let opened = open(path, &mut |done, total| progress.show(done, total))?;
    drop(progress);
    if let Some(import) = &opened.import {
        log::info!("{}: {import}", path.display());
    }
    let mut database = opened.database;
    database.set_outage_rules(config.outages);
    database.set_alerts(config.alerts.kinds());
    Ok(database)
}

/// The configuration file: the one given on the command line, else the first that exists.
pub fn find_config(options: &CommonOptions) -> Result<Option<PathBuf>, CliError> {
    match &options.config {
        Some(path) if exists(path) => Ok(Some(path.clone())),
        Some(path) => {
            let path = path.display();
            Err(CliError::Config {
                text: format!("{path}: there is no such file"),
                hint: Some(format!(
                    "write one with: ace-connection-logger init-config -c {path}"
                )),
            })
        }
        None => Ok(["config.yaml", "/etc/ace-connection-logger/config.yaml"]
            .map(PathBuf::from)
            .into_iter()
            .find(|path| exists(path))),
    }
}

/// Also `true` for a file that cannot be read: reading it then reports the reason.
fn exists(path: &Path) -> bool {
    !matches!(path.symlink_metadata(), Err(error) if error.kind() == io::ErrorKind::NotFound)
}

pub fn load_config(path: &Path) -> Result<Loaded, CliError> {
    config::load(path).map_err(|error| CliError::Config {
        text: error.to_string(),
        hint: None,
    })
}
