//! Which Host headers are accepted. Without this check a page on any site could read the dashboard
//! through the browser of a visitor, by pointing its own name at this address (DNS rebinding).

use std::net::IpAddr;

use crate::config::DashboardConfig;

#[derive(Clone, Debug)]
pub(super) struct AllowedHosts {
    /// Names and addresses in lower case, without a final dot.
    names: Vec<String>,
}

impl AllowedHosts {
    /// What the configuration lists and what this machine calls itself.
    pub(super) fn new(config: &DashboardConfig, host_name: &str) -> AllowedHosts {
        let host_name = normalised(host_name);
        let first_label = host_name.split('.').next().unwrap_or_default().to_string();
        let mdns_names = [format!("{host_name}.local"), format!("{first_label}.local")];
        let mut names = vec![
            "localhost".to_string(),
            "127.0.0.1".into(),
            "::1".into(),
            normalised(&config.host),
        ];
        if !first_label.is_empty() {
            names.extend(mdns_names);
            names.extend([host_name, first_label]);
        }
        names.extend(config.allowed_hosts.iter().map(|name| normalised(name)));
        AllowedHosts { names }
    }

    /// Whether a Host header, with or without a port, names this server. `local` is the address at
    /// which the connection arrived, which is always allowed.
    pub(super) fn allows(&self, host: &str, local: Option<IpAddr>) -> bool {
        let Some(name) = without_port(host) else {
            return false;
        };
        let name = normalised(name);
        let address = name
            .parse::<IpAddr>()
            .ok()
            .map(|address| address.to_canonical());
        if address.is_some() && address == local.map(|local| local.to_canonical()) {
            return true;
        }
        let is_same = |allowed: &String| {
            *allowed == name || address.is_some() && allowed.parse().ok() == address
        };
        self.names.iter().any(is_same)
    }
}

/// The name in `name`, `name:port`, `[address]` or `[address]:port`; `None` for anything else.
fn without_port(host: &str) -> Option<&str> {
    let (name, port) = match host.strip_prefix('[') {
        Some(rest) => {
            let (address, end) = rest.split_once(']')?;
            let port = if end.is_empty() {
                ""
            } else {
                end.strip_prefix(':')?
            };
            (address, port)
        }
        None => host.split_once(':').unwrap_or((host, "")),
    };
    port.bytes()
        .all(|byte| byte.is_ascii_digit())
        .then_some(name)
}

fn normalised(name: &str) -> String {
    let name = name.trim();
    name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed_hosts(host: &str, allowed: &[&str]) -> AllowedHosts {
        let allowed_hosts = allowed.iter().map(|name| (*name).to_string()).collect();
        let config = DashboardConfig {
            port: 1,
            host: host.into(),
            base_path: String::new(),
            allowed_hosts,
        };
        AllowedHosts::new(&config, "Attic.lan")
    }

    #[test]
    fn our_names_are_allowed_with_and_without_port_in_any_case() {
        let hosts = allowed_hosts("192.168.1.5", &["ping.example.org", "fd00::7"]);
        let local = Some([10, 1, 2, 3].into());
        let ours = [
            "localhost",
            "LOCALHOST:8501",
            "localhost.",
            "127.0.0.1",
            "127.0.0.1:1",
            "[::1]",
            "[::1]:8501",
            "[0:0::1]",
            "192.168.1.5",
            "10.1.2.3:80",
            "[::ffff:10.1.2.3]",
            "attic.lan",
            "ATTIC.LAN:8501",
            "attic",
            "attic.local",
            "attic.lan.local",
            "ping.example.org",
            "Ping.Example.Org.:443",
            "[fd00::7]",
            "[FD00:0::7]:9",
            "localhost:",
        ];
        for host in ours {
            assert!(hosts.allows(host, local), "{host}");
        }
        let foreign = [
            "",
            ":",
            "evil.example",
            "evil.example:8501",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "10.1.2.4",
            "[::2]",
            "[::1",
            "::1",
            "[::1]x",
            "[::1]:x",
            "localhost:80:80",
            "localhost:x",
            "user@localhost",
            "attic.lan.org",
            "localhost..",
            "\u{fffd}",
        ];
        for host in foreign {
            assert!(!hosts.allows(host, local), "{host}");
        }
    }

    #[test]
    fn without_a_host_name_no_empty_name_is_allowed() {
        let config = DashboardConfig {
            port: 1,
            host: "::".into(),
            base_path: String::new(),
            allowed_hosts: vec![],
        };
        let hosts = AllowedHosts::new(&config, "");
        let allows = |host| hosts.allows(host, None);
        assert!(!allows("") && !allows(".local") && !allows(".") && allows("localhost"));
    }
}
