//! `check-config`: prints every problem of the configuration.

use std::fmt::Write;

use super::arguments::CheckConfig;
use super::{CliError, Verdict, find_config, load, output};

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
    let (noun, host) = (
        if problems == 1 { "problem" } else { "problems" },
        if hosts == 1 { "host" } else { "hosts" },
    );
    let _ = match problems {
        0 => writeln!(text, "{}: no problems, {hosts} {host}", path.display()),
        _ => writeln!(text, "{}: {problems} {noun}", path.display()),
    };
    output::print(&text)?;
    Ok(if problems == 0 {
        Verdict::Good
    } else {
        Verdict::Bad
    })
}
