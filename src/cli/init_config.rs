//! `init-config`: writes the commented default configuration.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};
use std::path::PathBuf;

use super::arguments::InitConfig;
use super::exit::{CliError, CommandStatus};
use super::print;
use crate::config;

pub fn run(arguments: &InitConfig) -> Result<CommandStatus, CliError> {
    let path = arguments
        .common()
        .config
        .unwrap_or_else(|| PathBuf::from("config.yaml"));
    let mut options = OpenOptions::new();
    if arguments.force {
        options.create(true).truncate(true)
    } else {
        options.create_new(true)
    };
    let failed = |cause| CliError::File {
        operation: "writing",
        path: path.clone(),
        cause,
    };
    let mut file = match options.write(true).open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            return Err(CliError::Refused {
                text: format!("{}: the file exists and is left as it is", path.display()),
                hint: "--force overwrites it".into(),
            });
        }
        Err(cause) => return Err(failed(cause)),
    };
    file.write_all(config::DEFAULT_TEXT.as_bytes())
        .map_err(failed)?;
    print::print(&format!(
        "{} written; edit its hosts, then: ace-connection-logger monitor\n",
        path.display()
    ))?;
    Ok(CommandStatus::Success)
}
