//! Reads the units of packaging/systemd: systemd.syntax(7).

use std::fs;
use std::path::{Path, PathBuf};

pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/systemd")
}

/// The section [Service] of a unit, in its order.
#[derive(Clone, Debug)]
pub struct Unit {
    entries: Vec<(String, String)>,
}

impl Unit {
    pub fn read(name: &str) -> Unit {
        let path = folder().join(name);
        let text =
            fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let mut section = "";
        let mut entries = Vec::new();
        for line in text
            .lines()
            .filter(|line| !line.trim().is_empty() && !line.starts_with(['#', ';']))
        {
            if line.starts_with('[') {
                section = line;
            } else {
                let (key, value) = line
                    .split_once('=')
                    .unwrap_or_else(|| panic!("{name}: {line}"));
                if section == "[Service]" {
                    entries.push((key.to_string(), value.to_string()));
                }
            }
        }
        Unit { entries }
    }

    /// The unit with one more line, as from a drop-in.
    pub fn with(mut self, key: &str, value: &str) -> Unit {
        self.entries.push((key.to_string(), value.to_string()));
        self
    }

    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.entries.iter().map(|(key, _)| key.as_str())
    }

    /// Every value of a key that may occur several times.
    pub fn all(&self, key: &str) -> Vec<&str> {
        self.entries
            .iter()
            .filter(|(name, _)| name == key)
            .map(|(_, value)| value.as_str())
            .collect()
    }

    fn last(&self, key: &str) -> Option<&str> {
        self.all(key).last().copied()
    }

    /// The effective value of a key, which is its last.
    pub fn value(&self, key: &str) -> &str {
        self.last(key)
            .unwrap_or_else(|| panic!("{key} is not in the unit"))
    }

    /// A boolean; the default is no.
    pub fn is_on(&self, key: &str) -> bool {
        match self.last(key) {
            Some("yes") => true,
            None | Some("no") => false,
            Some(other) => panic!("{key}={other} is neither yes nor no"),
        }
    }

    /// The last value of a key, split at spaces; empty without the key.
    pub fn words(&self, key: &str) -> Vec<&str> {
        self.last(key)
            .map(|value| value.split_whitespace().collect())
            .unwrap_or_default()
    }

    pub fn number(&self, key: &str) -> u64 {
        self.value(key)
            .parse()
            .unwrap_or_else(|_| panic!("{key}={} is not a number", self.value(key)))
    }

    /// A file mode, in octal.
    pub fn mode(&self, key: &str) -> u32 {
        u32::from_str_radix(self.value(key), 8)
            .unwrap_or_else(|_| panic!("{key}={} is not a file mode", self.value(key)))
    }
}
