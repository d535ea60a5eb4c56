//! Looks up recorded hosts by name, for several commands.

use std::path::Path;

use super::exit::CliError;
use super::print::printable;
use crate::config::Config;
use crate::store::{Reader, RecordedHost};

/// The recorded hosts with a name or an address, ignoring case; all of them without one. Empty for
/// a host that is configured but not recorded.
pub fn hosts(
    reader: &Reader,
    config: &Config,
    wanted: Option<&str>,
) -> Result<Vec<RecordedHost>, CliError> {
    let known = reader.hosts()?;
    let Some(wanted) = wanted else {
        return Ok(known);
    };
    let is_wanted = |name: &str, address: &str| {
        [name, address]
            .iter()
            .any(|text| text.to_lowercase() == wanted.to_lowercase())
    };
    let found: Vec<RecordedHost> = known
        .iter()
        .filter(|host| is_wanted(&host.name, &host.address))
        .cloned()
        .collect();
    if found.is_empty()
        && !config
            .hosts
            .iter()
            .any(|configured| is_wanted(&configured.host.name, configured.host.address.as_str()))
    {
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
