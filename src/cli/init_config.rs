//! `init-config`: writes the commented default configuration.

use std::io::Write;
use std::path::PathBuf;

use super::arguments::InitConfig;
use super::exit::{CliError, CommandStatus};
use super::output::Output;
use super::print;
use crate::config;

pub fn run(arguments: &InitConfig) -> Result<CommandStatus, CliError> {
    let path = arguments
        .common()
        .config
        .unwrap_or_else(|| PathBuf::from("config.yaml"));
    if !arguments.force && path.symlink_metadata().is_ok() {
        return Err(CliError::Refused {
            text: format!("{}: the file exists and is left as it is", path.display()),
            hint: "--force overwrites it".into(),
        });
    }
    let mut output = Output::open(Some(&path))?;
    output
        .write_all(config::DEFAULT_TEXT.as_bytes())
        .map_err(|cause| output.write_error(cause))?;
    output.finish()?;
    print::print(&format!(
        "{} written; edit its hosts, then: ace-connection-logger monitor\n",
        path.display()
    ))?;
    Ok(CommandStatus::Success)
}
