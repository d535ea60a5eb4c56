//! Which names are ours. A page of somebody else's name that is made to point here could otherwise
//! read the dashboard with the browser of whoever opens it: DNS rebinding.

use std::net::IpAddr;

use crate::config::DashboardConfig;

/// What a request may call this server, and below which path.
#[derive(Clone, Debug)]
pub(super) struct Names {
    /// Lower case, without a dot at the end.
    names: Vec<String>,
    base_path: String,
}

impl Names {
    /// The names by the configuration and by what this machine calls itself.
    pub(super) fn new(config: &DashboardConfig, host_name: &str) -> Names {
        let host_name = plain(host_name);
        let first = host_name.split('.').next().unwrap_or_default().to_string();
        let locals = [format!("{host_name}.local"), format!("{first}.local")];
        let mut names = vec![
            "localhost".to_string(),
            "127.0.0.1".into(),
            "::1".into(),
            plain(&config.host),
        ];
        if !first.is_empty() {
            names.extend(locals);
            names.extend([host_name, first]);
        }
        names.extend(config.allowed_hosts.iter().map(|name| plain(name)));
        Names {
            names,
            base_path: config.base_path.clone(),
        }
    }
}

/// The names that hold for one connection: also the address by which it came.
#[derive(Clone, Copy, Debug)]
pub(super) struct Gate<'a> {
    pub(super) names: &'a Names,
    pub(super) local: Option<IpAddr>,
}

impl Gate<'_> {
    /// Empty, or `/` and more.
    pub(super) fn base_path(&self) -> &str {
        &self.names.base_path
    }

    /// Whether a Host header, with a port or without, is one of ours.
    pub(super) fn admits(&self, host: &str) -> bool {
        let Some(name) = without_port(host) else {
            return false;
        };
        let name = plain(name);
        let address = name
            .parse::<IpAddr>()
            .ok()
            .map(|address| address.to_canonical());
        let is_local = address.is_some() && address == self.local.map(|local| local.to_canonical());
        is_local
            || self
                .names
                .names
                .iter()
                .any(|ours| *ours == name || address.is_some() && ours.parse().ok() == address)
    }
}

/// `name`, `name:port`, `[address]` or `[address]:port` to the name; `None` for anything else.
fn without_port(host: &str) -> Option<&str> {
    let (name, port) = match host.strip_prefix('[') {
        Some(rest) => {
            let (address, port) = rest.split_once(']')?;
            (
                address,
                if port.is_empty() {
                    "0"
                } else {
                    port.strip_prefix(':')?
                },
            )
        }
        None => host.split_once(':').unwrap_or((host, "0")),
    };
    port.bytes()
        .all(|byte| byte.is_ascii_digit())
        .then_some(name)
}

fn plain(name: &str) -> String {
    let name = name.trim();
    name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(host: &str, allowed: &[&str]) -> Names {
        let allowed_hosts = allowed.iter().map(|name| (*name).to_string()).collect();
        let config = DashboardConfig {
            port: 1,
            host: host.into(),
            base_path: String::new(),
            allowed_hosts,
        };
        Names::new(&config, "Attic.lan")
    }

    #[test]
    fn our_names_are_admitted_with_and_without_port_in_any_case() {
        let names = names("192.168.1.5", &["ping.example.org", "fd00::7"]);
        let gate = Gate {
            names: &names,
            local: Some([10, 1, 2, 3].into()),
        };
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
            assert!(gate.admits(host), "{host}");
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
            assert!(!gate.admits(host), "{host}");
        }
    }

    #[test]
    fn a_machine_without_a_name_admits_no_empty_one() {
        let config = DashboardConfig {
            port: 1,
            host: "::".into(),
            base_path: String::new(),
            allowed_hosts: vec![],
        };
        let names = Names::new(&config, "");
        let gate = Gate {
            names: &names,
            local: None,
        };
        assert!(
            !gate.admits("")
                && !gate.admits(".local")
                && !gate.admits(".")
                && gate.admits("localhost")
        );
    }
}
