//! The section `dashboard`.

use std::net::IpAddr;

use super::address::parse_address;
use super::key::{Key, SectionKeys, Without};
use super::kind::{List, Parse, Parsed, Whole};
use super::problem::Problems;
use super::section::Section;
use crate::pure::address::HostAddress;

const PORT: Key<Whole, u16> = Key {
    name: "port",
    kind: Whole::new(1, 65_535),
    default: 8501,
};
const HOST: Key<Parsed<String>, &str> = Key {
    name: "host",
    kind: Parsed(parse_host),
    default: "localhost",
};
const BASE_PATH: Key<Parsed<String>, Without> = Key {
    name: "base_path",
    kind: Parsed(parse_base_path),
    default: Without("none used"),
};
const ALLOWED_HOSTS: Key<List, Without> = Key {
    name: "allowed_hosts",
    kind: List {
        what: "a list of names",
        detail: "",
    },
    default: Without("none used"),
};

pub(super) const KEYS: SectionKeys = SectionKeys {
    path: "dashboard",
    keys: &[PORT.name, HOST.name, BASE_PATH.name, ALLOWED_HOSTS.name],
};

#[derive(Clone, Debug, PartialEq)]
pub struct DashboardConfig {
    pub port: u16,
    /// The address or name to listen on; `localhost` means 127.0.0.1 and ::1.
    pub host: String,
    /// Path prefix behind a proxy: empty, or `/` and more without a `/` at its end.
    pub base_path: String,
    /// Further values of the Host header that are answered.
    pub allowed_hosts: Vec<String>,
}

pub(super) fn read(problems: &mut Problems, section: &Section<'_>) -> DashboardConfig {
    DashboardConfig {
        port: section.value(problems, &PORT),
        host: read_listen_host(problems, section),
        base_path: section.optional(problems, &BASE_PATH).unwrap_or_default(),
        allowed_hosts: read_allowed_hosts(problems, section),
    }
}

fn read_allowed_hosts(problems: &mut Problems, section: &Section<'_>) -> Vec<String> {
    let items = section.items(problems, &ALLOWED_HOSTS, ALLOWED_HOSTS.default.0);
    let mut names = Vec::new();
    for (index, item) in items.unwrap_or_default().iter().enumerate() {
        match Parsed(parse_host).parse(item) {
            Ok(name) => names.push(name),
            Err(wrong) => {
                let place = (index, item);
                section.report_item(problems, ALLOWED_HOSTS.name, place, &wrong, "left out");
            }
        }
    }
    names
}

fn parse_host(text: &str) -> Result<String, String> {
    let is_any = text.parse().is_ok_and(|ip: IpAddr| ip.is_unspecified());
    if is_any {
        return Ok(text.to_owned());
    }
    parse_address(text).map(|_| text.to_owned())
}

fn read_listen_host(problems: &mut Problems, section: &Section<'_>) -> String {
    let host = section.value(problems, &HOST);
    if !host.eq_ignore_ascii_case(HostAddress::GATEWAY) {
        return host;
    }
    let otherwise = format!("default {} used", HOST.default);
    section.report(
        problems,
        HOST.name,
        "gateway is not this machine",
        &otherwise,
    );
    HOST.default.to_owned()
}

fn parse_base_path(text: &str) -> Result<String, String> {
    let path = text.trim_end_matches('/');
    let is_part = |part: &str| {
        !matches!(part, "" | "." | "..")
            && part
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'~'))
    };
    let is_path = path.starts_with('/') && path.split('/').skip(1).all(is_part);
    if path.is_empty() || is_path {
        return Ok(path.to_owned());
    }
    Err("is not a path (allowed: letters, digits and -._~ after slashes, such as /ping)".into())
}
