//! Looks up recorded hosts by name, for several commands.

use std::path::Path;

use super::exit::CliError;
use super::print::printable;
use crate::config::Config;
use crate::pure::host_key;
use crate::store::{Reader, RecordedHost};

/// The recorded hosts with a name, an address or a key, ignoring case; all of them without one.
/// Empty for a host that is configured but not recorded.
pub fn hosts(
    reader: &Reader,
    config: &Config,
    wanted: Option<&str>,
) -> Result<Vec<RecordedHost>, CliError> {
    let Some(wanted) = wanted else {
        return Ok(reader.hosts()?);
    };
    let mut found = reader.hosts_named(wanted)?;
    let configured = host_key::named(
        wanted,
        config.hosts.iter().map(|config| &config.host).collect(),
        |host| host.identity(),
        |host| vec![host.name.as_str()],
    );
    if found.is_empty() && !configured.is_empty() {
        // The monitor records a new name with the host's next check.
        found = reader.hosts()?;
        found.retain(|recorded| {
            let identity = recorded.identity();
            configured
                .iter()
                .any(|host| host.identity().is_same(&identity))
        });
    }
    if found.is_empty() && configured.is_empty() {
        let known = reader.hosts()?;
        let names: Vec<String> = known
            .iter()
            .map(|host| printable(&host.name))
            .take(20)
            .collect();
        let names = if names.is_empty() {
            "none".to_string()
        } else {
            names.join(", ")
        };
        return Err(CliError::Usage(format!(
            "--host {wanted:?}: no such host is recorded, but: {names}"
        )));
    }
    Ok(found)
}

/// The error of a command that needs a database.
pub fn nothing_recorded(path: &Path) -> CliError {
    CliError::Refused {
        text: format!("nothing recorded yet in {}", path.display()),
        hint: "start recording with: ace-connection-logger monitor".into(),
    }
}
