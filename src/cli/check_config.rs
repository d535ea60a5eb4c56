//! `check-config`: prints every problem of the configuration.

use std::fmt::Write;

use super::arguments::CheckConfig;
use super::{CliError, Verdict, find_config, load, output};
use crate::pure::phrase::count;

pub fn run(arguments: &CheckConfig) -> Result<Verdict, CliError> {
    let Some(path) = find_config(&arguments.common())? else {
        output::print(
            "no config.yaml here and none in /etc/ace-connection-logger: the built-in defaults are used\n",
        )?;
        return Ok(Verdict::Good);
    };
    let loaded = load(&path)?;
    let mut text = String::new();
    for problem in &loaded.problems {
        let _ = writeln!(text, "{problem}");
    }
    let problems = loaded.errors().count();
    let hosts = loaded.config.hosts.len();
    let summary = match problems {
        0 => format!("no problems, {}", count(hosts, "host")),
        _ => count(problems, "problem"),
    };
    let _ = writeln!(text, "{}: {summary}", path.display());
    output::print(&text)?;
    Ok(if problems == 0 {
        Verdict::Good
    } else {
        Verdict::Bad
    })
}
