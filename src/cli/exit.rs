//! The end of a command: its exit code, or the error that is printed with a hint.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use crate::daemon::DaemonError;
use crate::pure::phrase::count;
use crate::store::{StoreError, reason};
use crate::sys;

/// The result of a command that did its work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommandStatus {
    /// Exit code 0.
    Success,
    /// Exit code 1: a host is down, the configuration has problems, and so on.
    ProblemFound,
}

impl CommandStatus {
    pub fn success_if(is_success: bool) -> CommandStatus {
        if is_success {
            CommandStatus::Success
        } else {
            CommandStatus::ProblemFound
        }
    }
}

impl From<CommandStatus> for ExitCode {
    fn from(status: CommandStatus) -> ExitCode {
        match status {
            CommandStatus::Success => ExitCode::SUCCESS,
            CommandStatus::ProblemFound => ExitCode::from(1),
        }
    }
}

/// Why a command failed. [`super::run`] prints it once and exits with its code.
#[derive(Debug)]
pub enum CliError {
    /// The command line is wrong: 2.
    Usage(String),
    /// The monitor could not start: 69, 74, 77 or 78.
    Daemon(DaemonError),
    /// 74, or 1 where a file would have been overwritten or its times are in another zone.
    Store(StoreError),
    /// A file could not be read or written: 74.
    File {
        operation: &'static str,
        path: PathBuf,
        cause: io::Error,
    },
    /// The configuration cannot be read, or has problems and `--strict` is given: 78.
    Config { text: String, hint: Option<String> },
    /// The command would overwrite a file, was interrupted, or has nothing to work on: 1.
    Refused { text: String, hint: String },
    /// This many results could not be written: 74.
    ResultsLost(u64),
    /// The reader of standard output has closed it (`| head`): 0, and nothing is printed.
    OutputClosed,
}

impl CliError {
    pub fn exit_code(&self) -> u8 {
        match self {
            CliError::Refused { .. }
            | CliError::Store(StoreError::Exists { .. } | StoreError::WrongZone { .. }) => 1,
            CliError::Usage(_) => 2,
            CliError::OutputClosed => 0,
            CliError::Store(_)
            | CliError::File { .. }
            | CliError::ResultsLost(_)
            | CliError::Daemon(DaemonError::Store(_)) => 74,
            CliError::Daemon(DaemonError::Web(_)) => 69,
            CliError::Daemon(DaemonError::Permission) => 77,
            CliError::Config { .. }
            | CliError::Daemon(DaemonError::OpenFiles { .. } | DaemonError::Resources { .. }) => 78,
        }
    }

    /// What the user can do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            CliError::Daemon(DaemonError::Permission) => Some(permission_cure()),
            CliError::Daemon(DaemonError::OpenFiles { needed, .. }) => Some(format!(
                "raise the hard limit: LimitNOFILE={needed} in the service unit, or ulimit -Hn {needed} as root"
            )),
            CliError::Daemon(DaemonError::Web(error)) => Some(error.hint().into()),
            CliError::Daemon(DaemonError::Resources { .. }) => Some(
                "fewer hosts, or higher limits: TasksMax= and LimitNPROC= in the service unit, ulimit -u"
                    .into(),
            ),
            CliError::Daemon(DaemonError::Store(error)) | CliError::Store(error) => error.hint(),
            CliError::Config { hint, .. } => hint.clone(),
            CliError::Refused { hint, .. } => Some(hint.clone()),
            // It depends on the command: see command_line::help_command.
            CliError::Usage(_)
            | CliError::File { .. } | CliError::ResultsLost(_) | CliError::OutputClosed => None,
        }
    }
}

/// The commands that allow this program to ping.
pub fn permission_cure() -> String {
    let program = std::env::current_exe().map_or("/usr/bin/ace-connection-logger".into(), |path| {
        path.display().to_string()
    });
    sys::permission_cure(&program)
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
            } => write!(f, "{operation} {}: {}", path.display(), reason(cause)),
            CliError::ResultsLost(lost) => {
                write!(
                    f,
                    "{} could not be written and had to be discarded",
                    count(lost, "result")
                )
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
