//! The command line: one file a command, and what several commands share.

mod alert_test;
mod arguments;
mod check;
mod check_config;
mod cleanup;
mod command_line;
#[cfg(test)]
mod completions;
mod dashboard;
mod doctor;
mod exit;
mod export;
mod files;
mod init_config;
mod instant;
mod monitor;
mod outage_table;
mod outages;
mod output;
mod print;
mod progress;
mod recorded;
mod report;
mod startup;
mod status;
mod values;

use std::ffi::OsString;
use std::process::ExitCode;

use arguments::Command;
use command_line::Parsed;
use exit::CommandStatus;

use crate::{daemon, sys};

pub use exit::CliError;

/// Runs the command that the arguments name. The first argument is the program's own name.
pub fn run(arguments: impl Iterator<Item = OsString>) -> ExitCode {
    sys::share_memory();
    let words: Vec<OsString> = arguments.collect();
    match run_command(words.iter().cloned()) {
        Ok(status) => status.into(),
        Err(CliError::OutputClosed) => ExitCode::SUCCESS,
        Err(error) => {
            let hint = match &error {
                CliError::Usage(_) => Some(command_line::help_command(&words)),
                other => other.hint(),
            };
            print::print_error(&error.to_string(), hint.as_deref());
            ExitCode::from(error.exit_code())
        }
    }
}

fn run_command(arguments: impl Iterator<Item = OsString>) -> Result<CommandStatus, CliError> {
    let command = match command_line::parse(arguments)? {
        Parsed::Text(text) => return print::print(&text).map(|()| CommandStatus::Success),
        Parsed::Command(command) => command,
    };
    daemon::ignore_sigxfsz()?;
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
