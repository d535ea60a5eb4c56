//! The configuration of a day's monitor.

use std::path::Path;

use super::actions::Edit;
use super::script::Day;

pub struct Config {
    /// Each with its lines.
    hosts: Vec<(String, String)>,
    /// In order; a later one replaces an earlier one of the same key.
    lines: Vec<String>,
    is_empty: bool,
}

impl Config {
    pub fn of(day: &Day, folder: &Path) -> Config {
        // A process that enters another mount namespace starts at its root.
        let mut lines = vec![
            format!("database.path: {}/connection_logs.db", folder.display()),
            "database.flush_seconds: 1".into(),
        ];
        if !day.has_default_settings {
            lines.extend(
                [
                    "monitoring.interval_seconds: 2",
                    "monitoring.ping_count: 2",
                    "monitoring.ping_spacing_ms: 200",
                    "monitoring.timeout_seconds: 0.4",
                    "outages.fast_interval_seconds: 0.5",
                ]
                .map(String::from),
            );
        }
        lines.extend(day.config.iter().cloned());
        let hosts = day.hosts.iter().map(|host| entry(day, host)).collect();
        Config {
            hosts,
            lines,
            is_empty: false,
        }
    }

    pub fn edit(&mut self, edit: &Edit, day: &Day) {
        match edit {
            Edit::Nothing => {}
            Edit::Empty => self.is_empty = true,
            Edit::Add(host) => self.hosts.push(entry(day, host)),
            Edit::Remove(host) => self.hosts.retain(|(name, _)| name != host),
            Edit::Rename(host, new) => {
                for (name, _) in self.hosts.iter_mut().filter(|(name, _)| name == host) {
                    name.clone_from(new);
                }
            }
            Edit::Set(line) => self.lines.push(line.clone()),
        }
    }

    pub fn text(&self) -> String {
        if self.is_empty {
            return String::new();
        }
        let mut text = String::from("hosts:\n");
        for (name, lines) in &self.hosts {
            text += &format!("- name: {name}\n{lines}");
        }
        let key = |line: &str| line.split(':').next().unwrap_or_default().to_string();
        let is_newest = |index: usize| {
            let of = key(&self.lines[index]);
            self.lines[index + 1..].iter().all(|later| key(later) != of)
        };
        let mut sections: Vec<(&str, String)> = Vec::new();
        for (index, line) in self.lines.iter().enumerate() {
            let (section, rest) = line.split_once('.').unwrap_or((line, ""));
            let position = sections.iter().position(|(other, _)| *other == section);
            let position = position.unwrap_or_else(|| {
                sections.push((section, String::new()));
                sections.len() - 1
            });
            if is_newest(index) {
                sections[position].1 += &format!("  {rest}\n");
            }
        }
        for (section, lines) in sections {
            text += &format!("{section}:\n{lines}");
        }
        text
    }
}

fn entry(day: &Day, host: &str) -> (String, String) {
    let address = day.address_of(host).expect("the script was read");
    let own = day.own_hosts.iter().find(|(name, ..)| name == host);
    let mut keys: Vec<String> = own.map(|(.., keys)| keys.clone()).unwrap_or_default();
    // The family distinguishes the two gateways, and keeps a name to one version of IP.
    match host {
        "gateway" | "dns1" | "dns2" => keys.push("family: 4".into()),
        "gateway6" => keys.push("family: 6".into()),
        _ => {}
    }
    let keys: String = keys.iter().map(|key| format!("  {key}\n")).collect();
    (host.to_string(), format!("  address: {address}\n{keys}"))
}
