//! `doctor`: tests whether this machine can ping, resolve names, write and serve, and prints the
//! command that cures what fails.

mod diagnosis;
mod machine;
mod network;
mod notices;
mod push;
mod salvage;

use super::arguments::Doctor;
use super::exit::{CliError, CommandStatus};
use super::print::{print, print_json};
use super::startup::{find_config, load_config};
use crate::config::Config;
use crate::pure::phrase::count;
use diagnosis::Diagnosis;

pub fn run(arguments: &Doctor) -> Result<CommandStatus, CliError> {
    match (&arguments.salvage, &arguments.output) {
        (Some(file), output) => return salvage::run(file, output.as_deref(), arguments.json),
        (None, Some(_)) => {
            return Err(CliError::Usage(
                "doctor -o: names the file that --salvage writes".into(),
            ));
        }
        (None, None) => {}
    }
    let (configuration, config) = configuration(arguments);
    let mut all = vec![configuration];
    all.extend(network::sockets(&config));
    all.push(machine::open_files(&config));
    all.extend(network::resolver(&config));
    all.push(network::gateway(&config));
    all.push(machine::database(&config.database.path));
    all.extend(machine::set_aside(&config.database.path));
    all.push(machine::disk_space(&config.database.path));
    all.push(machine::clock(&config.database.path));
    all.push(machine::time_zone());
    all.push(network::port(&config));
    all.push(notices::notices(&config));
    all.extend(push::push(&config));
    if arguments.json {
        print_json(&diagnosis::json(&all))?;
    } else {
        print(&diagnosis::text(&all))?;
    }
    Ok(CommandStatus::success_if(
        !all.iter().any(Diagnosis::is_failed),
    ))
}

/// Also returns the configuration that the other tests use: the default one where it cannot be read.
fn configuration(arguments: &Doctor) -> (Diagnosis, Config) {
    const SUBJECT: &str = "configuration";
    let found = find_config(&arguments.common())
        .and_then(|path| path.map(|path| Ok((load_config(&path)?, path))).transpose());
    match found {
        Ok(Some((loaded, path))) => {
            let (problems, path) = (
                loaded.errors(arguments.common().strict).count(),
                path.display(),
            );
            let diagnosis = match problems {
                0 => {
                    let hosts = count(loaded.config.hosts.len(), "host");
                    Diagnosis::ok(SUBJECT, format!("{path}: no problems, {hosts}"))
                }
                _ => Diagnosis::failed(
                    SUBJECT,
                    format!("{path}: {}", count(problems, "problem")),
                    format!("ace-connection-logger check-config -c {path}"),
                ),
            };
            (diagnosis, loaded.config)
        }
        Ok(None) => {
            let diagnosis = Diagnosis::note(SUBJECT, "none: the built-in defaults are used")
                .with_cure("ace-connection-logger init-config");
            (diagnosis, Config::default())
        }
        Err(error) => {
            let cure = error
                .hint()
                .unwrap_or_else(|| "make it readable for this user".into());
            let diagnosis = Diagnosis::failed(SUBJECT, error.to_string(), cure);
            (diagnosis, Config::default())
        }
    }
}
