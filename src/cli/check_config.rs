//! `check-config`: prints every problem of the configuration.

use std::fmt::Write;

use super::arguments::CheckConfig;
use super::exit::{CliError, CommandStatus};
use super::print;
use super::startup::{find_config, load_config};
use crate::pure::phrase::count;

pub fn run(arguments: &CheckConfig) -> Result<CommandStatus, CliError> {
    let Some(path) = find_config(&arguments.common())? else {
        print::print(
            "no config.yaml here and none in /etc/ace-connection-logger: the built-in defaults are used\n",
        )?;
        return Ok(CommandStatus::Success);
    };
    let loaded = load_config(&path)?;
    let mut text = String::new();
    for problem in &loaded.problems {
        let _ = writeln!(text, "{problem}");
    }
    let problems = loaded.errors(arguments.common().strict).count();
    let hosts = loaded.config.hosts.len();
    let summary = match problems {
        0 => format!("no problems, {}", count(hosts, "host")),
        _ => count(problems, "problem"),
    };
    let _ = writeln!(text, "{}: {summary}", path.display());
    print::print(&text)?;
    Ok(CommandStatus::success_if(problems == 0))
}
