//! The command line: what a person types and reads. Each command is a file of its own; this one
//! runs them and owns the exit codes.

mod alert_test;
mod arguments;
mod check;
mod check_config;
mod cleanup;
#[cfg(test)]
mod completions;
mod dashboard;
mod doctor;
mod export;
mod files;
mod init_config;
mod monitor;
mod outages;
mod output;
mod recorded;
mod report;
mod sink;
mod status;
mod when;

use std::ffi::OsString;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use arguments::{Command, Common, Parsed};
use output::ProgressLine;

use crate::config::{Config, Loaded};
use crate::daemon::DaemonError;
use crate::logging::{self, Reopen};
use crate::pure::phrase::count;
use crate::store::{Database, StoreError};
use crate::sys;

/// Why a command failed. It is printed once and gives the exit code.
#[derive(Debug)]
pub enum CliError {
    /// The command line is wrong: 2.
    Usage(String),
    /// The monitor could not start: 69, 74, 77 or 78.
    Daemon(DaemonError),
    /// The database: 74, or 1 where a file would have been overwritten.
    Store(StoreError),
    /// A file could not be read or written: 74.
    File {
        /// What was being done.
        operation: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        cause: io::Error,
    },
    /// The configuration cannot be read, or has problems and `--strict` is given: 78.
    Config {
        /// What is wrong.
        text: String,
        /// What helps.
        hint: Option<String>,
    },
    /// A file exists that would have been overwritten: 1.
    Refused {
        /// What is refused.
        text: String,
        /// What helps.
        hint: String,
    },
    /// Results were lost because they could not be written: 74.
    Lost(u64),
    /// Nobody reads the output any more: said to nobody.
    OutputClosed,
}

/// How a command that did its work ends: 0, or 1 where the answer is bad.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// All is well.
    Good,
    /// A host is down, the configuration has problems.
    Bad,
}

impl CliError {
    fn exit_code(&self) -> u8 {
        match self {
            CliError::Refused { .. } | CliError::Store(StoreError::Exists { .. }) => 1,
            CliError::Usage(_) => 2,
            CliError::OutputClosed => 0,
            CliError::Store(_)
            | CliError::File { .. }
            | CliError::Lost(_)
            | CliError::Daemon(DaemonError::Store(_)) => 74,
            CliError::Daemon(DaemonError::Web(_)) => 69,
            CliError::Daemon(DaemonError::Permission) => 77,
            CliError::Config { .. }
            | CliError::Daemon(DaemonError::OpenFiles { .. } | DaemonError::Resources { .. }) => 78,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            CliError::Daemon(DaemonError::Permission) => Some(doctor::permission_cure()),
            CliError::Daemon(DaemonError::OpenFiles { needed, .. }) => {
                Some(format!("raise the hard limit: LimitNOFILE={needed} in the service unit, or ulimit -Hn {needed} as root"))
            }
            CliError::Daemon(DaemonError::Web(error)) => Some(error.hint().into()),
            CliError::Daemon(DaemonError::Resources { .. }) => {
                Some("fewer hosts, or higher limits: TasksMax= and LimitNPROC= in the service unit, ulimit -u".into())
            }
            CliError::Daemon(DaemonError::Store(error)) | CliError::Store(error) => error.hint(),
            CliError::Config { hint, .. } => hint.clone(),
            CliError::Refused { hint, .. } => Some(hint.clone()),
            CliError::Usage(_) => Some("ace-connection-logger --help".into()),
            CliError::File { .. } | CliError::Lost(_) | CliError::OutputClosed => None,
        }
    }
}

impl fmt::Display for CliError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CliError::Usage(text)
            | CliError::Config { text, .. }
            | CliError::Refused { text, .. } => f.write_str(text),
            CliError::Daemon(error) => error.fmt(f),
            CliError::Store(error) => error.fmt(f),
            CliError::File {
                operation,
                path,
                cause,
            } => write!(f, "{operation} {}: {cause}", path.display()),
            CliError::Lost(lost) => {
                write!(f, "{} could not be written: lost", count(lost, "result"))
            }
            CliError::OutputClosed => f.write_str("standard output is closed"),
        }
    }
}

impl From<StoreError> for CliError {
    fn from(error: StoreError) -> Self {
        CliError::Store(error)
    }
}

impl From<DaemonError> for CliError {
    fn from(error: DaemonError) -> Self {
        CliError::Daemon(error)
    }
}

/// Runs the command that the arguments name, the program's own name first among them.
pub fn run(arguments: impl Iterator<Item = OsString>) -> ExitCode {
    sys::share_memory();
    match run_command(arguments) {
        Ok(Verdict::Good) | Err(CliError::OutputClosed) => ExitCode::SUCCESS,
        Ok(Verdict::Bad) => ExitCode::from(1),
        Err(failure) => {
            output::complain(&failure.to_string(), failure.hint().as_deref());
            ExitCode::from(failure.exit_code())
        }
    }
}

fn run_command(arguments: impl Iterator<Item = OsString>) -> Result<Verdict, CliError> {
    let command = match arguments::parse(arguments)? {
        Parsed::Text(text) => return output::print(&text).map(|()| Verdict::Good),
        Parsed::Command(command) => command,
    };
    match command {
        Command::InitConfig(arguments) => init_config::run(&arguments),
        Command::CheckConfig(arguments) => check_config::run(&arguments),
        Command::Monitor(arguments) => monitor::run(&arguments),
        Command::Dashboard(arguments) => dashboard::run(&arguments),
        Command::Check(arguments) => check::run(&arguments),
        Command::Status(arguments) => status::run(&arguments),
        Command::Cleanup(arguments) => cleanup::run_once(&arguments),
        Command::CleanupContinuous(arguments) => cleanup::run_continuously(&arguments),
        Command::Outages(arguments) => outages::run(&arguments),
        Command::Export(arguments) => export::run(&arguments),
        Command::Import(arguments) => files::import(&arguments),
        Command::Backup(arguments) => files::backup(&arguments),
        Command::Report(arguments) => report::run(&arguments),
        Command::Doctor(arguments) => doctor::run(&arguments),
        Command::AlertTest(arguments) => alert_test::run(&arguments),
    }
}

/// Reads the configuration and starts logging. Its problems are said in the log; with `--strict`
/// they are fatal.
fn configure(common: &Common) -> Result<(Config, Reopen), CliError> {
    let found = find_config(common)?;
    let (loaded, origin) = match &found {
        Some(path) => (load(path)?, path.display().to_string()),
        None => (
            Loaded {
                config: Config::default(),
                problems: Vec::new(),
            },
            String::new(),
        ),
    };
    let log_file = loaded.config.logging.file.as_deref();
    let reopen =
        logging::start(common.level(loaded.config.logging.level), log_file).map_err(|cause| {
            CliError::File {
                operation: "opening the log file",
                path: log_file.unwrap_or(Path::new("")).to_path_buf(),
                cause,
            }
        })?;
    if found.is_none() {
        log::info!(
            "no config.yaml here and none in /etc/ace-connection-logger: using the built-in defaults"
        );
    }
    for problem in &loaded.problems {
        log::warn!("{problem}");
    }
    let problems = loaded.errors().count();
    if common.strict && problems > 0 {
        let hint = Some(format!("ace-connection-logger check-config -c {origin}"));
        return Err(CliError::Config {
            text: format!(
                "{origin}: {}, and --strict allows none",
                count(problems, "problem")
            ),
            hint,
        });
    }
    Ok((loaded.config, reopen))
}

/// Opens the configured database to write to it; says what was done to a file of the original's.
fn open_database(config: &Config) -> Result<Database, CliError> {
    let path = &config.database.path;
    let mut progress = ProgressLine::new("taking over the original's database");
    let opened = Database::open(path, &mut |done, total| progress.show(done, total))?;
    drop(progress);
    if let Some(import) = &opened.import {
        log::info!("{}: {import}", path.display());
    }
    let mut database = opened.database;
    database.set_outage_rules(config.outages);
    database.set_alerts(config.alerts.kinds());
    Ok(database)
}

/// The configuration file: the one that is named, else the first that exists.
fn find_config(common: &Common) -> Result<Option<PathBuf>, CliError> {
    match &common.config {
        Some(path) if is_there(path) => Ok(Some(path.clone())),
        Some(path) => {
            let hint = Some(format!(
                "write one with: ace-connection-logger init-config -c {}",
                path.display()
            ));
            Err(CliError::Config {
                text: format!("{}: there is no such file", path.display()),
                hint,
            })
        }
        None => Ok(["config.yaml", "/etc/ace-connection-logger/config.yaml"]
            .map(PathBuf::from)
            .into_iter()
            .find(|path| is_there(path))),
    }
}

/// Whether a path is taken, be it by what cannot be read: then reading it says why.
fn is_there(path: &Path) -> bool {
    !matches!(path.symlink_metadata(), Err(error) if error.kind() == io::ErrorKind::NotFound)
}

fn load(path: &Path) -> Result<Loaded, CliError> {
    crate::config::load(path).map_err(|error| CliError::Config {
        text: error.to_string(),
        hint: None,
    })
}
