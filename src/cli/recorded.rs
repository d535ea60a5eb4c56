//! What is recorded, as far as several commands ask for it: whether there is anything, and which
//! hosts a name means.

use std::path::Path;

use super::exit::CliError;
use super::print::printable;
use crate::config::Config;
use crate::store::{Reader, RecordedHost};

/// The recorded hosts of a name or an address, in whatever case; all of them where none is named.
/// None of one that is only configured.
pub fn hosts(
    reader: &Reader,
    config: &Config,
    wanted: Option<&str>,
) -> Result<Vec<RecordedHost>, CliError> {
    let known = reader.hosts()?;
    let Some(wanted) = wanted else {
        return Ok(known);
    };
    let is_meant = |name: &str, address: &str| {
        [name, address]
            .iter()
            .any(|text| text.to_lowercase() == wanted.to_lowercase())
    };
    let meant: Vec<RecordedHost> = known
        .iter()
        .filter(|host| is_meant(&host.name, &host.address))
        .cloned()
        .collect();
    if meant.is_empty()
        && !config
            .hosts
            .iter()
            .any(|plan| is_meant(&plan.host.name, plan.host.address.as_str()))
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
    Ok(meant)
}

/// There is no database yet.
pub fn nothing(path: &Path) -> CliError {
    CliError::Refused {
        text: format!("nothing recorded yet in {}", path.display()),
        hint: "start recording with: ace-connection-logger monitor".into(),
    }
}
