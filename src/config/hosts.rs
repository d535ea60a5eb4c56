//! The section `hosts`: a list of hosts, each with its address and the keys that it overrides.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use super::address::{parse_address, parse_source};
use super::key::{Key, SectionKeys, Without, concat};
use super::kind::{Choice, List, Parsed, Text, describe};
use super::monitoring::{self, SharedSettings};
use super::problem::{ProblemKind, Problems, shorten};
use super::section::Section;
use super::yaml::{Content, Node};
use crate::pure::address::{AddressKind, HostAddress, IpVersion, Source};
use crate::pure::model::{Host, Thresholds};

const NAME: Key<Text, Without> = Key {
    name: "name",
    kind: Text,
    default: Without("the address used as name"),
};
const ADDRESS: Key<Parsed<HostAddress>, Without> = Key {
    name: "address",
    kind: Parsed(parse_address),
    default: Without("host left out"),
};
const FAMILY: Key<Choice<Option<IpVersion>>, Without> = Key {
    name: "family",
    kind: Choice(&[
        ("any", None),
        ("4", Some(IpVersion::V4)),
        ("6", Some(IpVersion::V6)),
    ]),
    default: Without("any used"),
};
const SOURCE: Key<Parsed<Source>, Without> = Key {
    name: "source",
    kind: Parsed(parse_source),
    default: Without("routing chooses"),
};
const ROLE: Key<Choice<Role>, Role> = Key {
    name: "role",
    kind: Choice(&[
        (Role::Gateway.as_str(), Role::Gateway),
        (Role::Internet.as_str(), Role::Internet),
        (Role::Dns.as_str(), Role::Dns),
        (Role::Other.as_str(), Role::Other),
    ]),
    default: Role::Internet,
};

const OWN: &[&str] = &[NAME.name, ADDRESS.name, FAMILY.name, SOURCE.name, ROLE.name];

pub(super) const KEYS: SectionKeys = SectionKeys {
    path: "hosts[]",
    keys: &concat::<{ OWN.len() + monitoring::SHARED.len() }>(OWN, monitoring::SHARED),
};

/// Name and address of the hosts that are pinged when the file has no list of hosts.
const DEFAULTS: [(&str, &str); 3] = [
    ("Google DNS", "8.8.8.8"),
    ("Cloudflare DNS", "1.1.1.1"),
    ("Local Gateway", HostAddress::GATEWAY),
];

const HOSTS: List = List {
    what: "a list of hosts",
    detail: "",
};

const MAX_NAME_CHARACTERS: usize = 4096;

/// How one host is checked.
#[derive(Clone, Debug, PartialEq)]
pub struct HostConfig {
    pub host: Arc<Host>,
    /// Time from the start of one check to the start of the next.
    pub interval: Duration,
    /// Pings per check.
    pub ping_count: u16,
    /// How long a ping waits for its reply.
    pub timeout: Duration,
    /// Time between two pings of a check; already shortened so that a check fits its interval.
    pub spacing: Duration,
    /// Bytes after the 8 bytes of the ICMP header.
    pub payload_bytes: u16,
    /// Hop limit in IPv6; `None` for the system's default.
    pub time_to_live: Option<u8>,
    pub thresholds: Thresholds,
    /// Whether another address of a name is pinged when the one in use is silent.
    pub uses_other_addresses: bool,
    pub role: Role,
}

/// The part of the network path that a host represents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    Gateway,
    /// Beyond the provider.
    Internet,
    /// A name server.
    Dns,
    Other,
}

impl Role {
    pub const fn as_str(self) -> &'static str {
        match self {
            Role::Gateway => "gateway",
            Role::Internet => "internet",
            Role::Dns => "dns",
            Role::Other => "other",
        }
    }
}

/// The hosts of the file, or the built-in hosts if it has no list. An empty list stays empty.
pub(super) fn read(
    problems: &mut Problems,
    root: &Section<'_>,
    monitoring: &SharedSettings,
) -> Vec<HostConfig> {
    let name = KEYS.name();
    let Some(node) = root.get(name) else {
        let hosts = default_hosts(monitoring);
        let shown: Vec<String> = hosts.iter().map(|host| host.host.to_string()).collect();
        let text = format!("has no hosts; built-in hosts used: {}", shown.join(", "));
        problems.add(ProblemKind::NoHosts, None, String::new(), text);
        return hosts;
    };
    let Content::List(items) = &node.content else {
        let wrong = HOSTS.wrong(node);
        root.report(problems, name, &wrong, "built-in hosts used");
        return default_hosts(monitoring);
    };
    if items.is_empty() {
        root.report(problems, name, "the list is empty", "nothing is pinged");
    }
    let mut listed = ListedHosts::new();
    let mut hosts = Vec::with_capacity(items.len());
    for (index, item) in items.iter().enumerate() {
        hosts.extend(read_host(problems, (index, item), monitoring, &mut listed));
    }
    hosts
}

fn default_hosts(monitoring: &SharedSettings) -> Vec<HostConfig> {
    let host = |(name, address): (&str, &str)| Host {
        name: name.into(),
        ..Host::unlisted(address)
    };
    DEFAULTS
        .into_iter()
        .map(|names| unlisted(host(names), monitoring))
        .collect()
}

/// A host that overrides no key of `monitoring`.
pub(super) fn unlisted(host: Host, monitoring: &SharedSettings) -> HostConfig {
    let role = default_role(&host.address);
    with_settings(host, monitoring, role)
}

fn with_settings(host: Host, settings: &SharedSettings, role: Role) -> HostConfig {
    HostConfig {
        host: Arc::new(host),
        interval: settings.interval,
        ping_count: settings.ping_count,
        timeout: settings.timeout,
        spacing: settings.fitted_spacing().spacing,
        payload_bytes: settings.payload_bytes,
        time_to_live: settings.time_to_live,
        thresholds: settings.thresholds,
        uses_other_addresses: settings.uses_other_addresses,
        role,
    }
}

fn default_role(address: &HostAddress) -> Role {
    if address.is_gateway() {
        Role::Gateway
    } else {
        ROLE.default
    }
}

/// The identities of the hosts so far, with their indexes.
type ListedHosts = HashMap<Identity, usize>;

/// Address, family and source.
type Identity = (
    (AddressKind, Option<String>),
    Option<IpVersion>,
    Option<Source>,
);

fn read_host(
    problems: &mut Problems,
    (index, item): (usize, &Node),
    monitoring: &SharedSettings,
    listed: &mut ListedHosts,
) -> Option<HostConfig> {
    let path = format!("hosts[{index}]");
    let otherwise = match &item.content {
        Content::Text(text) if parse_address(text).is_ok() => {
            format!("host left out; write `- address: {}`", shorten(text))
        }
        _ => "host left out".into(),
    };
    let section = Section::open(problems, item, &path, KEYS.keys, &otherwise)?;
    let Some(address_node) = section.get(ADDRESS.name) else {
        let text = "has no address; host left out".into();
        problems.add(ProblemKind::Value, section.line, path, text);
        return None;
    };
    let address = section.optional(problems, &ADDRESS)?;
    let ip = address.ip();
    let family = read_family(problems, &section, ip);
    let source = read_source_of_host(problems, &section, ip, family);
    match listed.entry((address.identity(), family, source.clone())) {
        Entry::Vacant(entry) => entry.insert(index),
        Entry::Occupied(earlier) => {
            let wrong = format!(
                "{} is the address of hosts[{}] already",
                describe(address_node),
                earlier.get()
            );
            section.report(problems, ADDRESS.name, &wrong, "this second one left out");
            return None;
        }
    };
    let name = read_name(problems, &section).unwrap_or_else(|| address.to_string());
    let settings = monitoring::read_of_host(problems, &section, monitoring);
    let default_role = default_role(&address);
    let otherwise = format!("{} used", default_role.as_str());
    let role = section.own_value(problems, &ROLE, &otherwise);
    let host = Host {
        name,
        address,
        family,
        source,
    };
    let role = role.unwrap_or(default_role);
    Some(with_settings(host, &settings, role))
}

fn read_name(problems: &mut Problems, section: &Section<'_>) -> Option<String> {
    let name = section.optional(problems, &NAME)?;
    let length = name.chars().count();
    if length > MAX_NAME_CHARACTERS {
        let wrong = format!(
            "\"{}\" has {length} characters (allowed: 1 to {MAX_NAME_CHARACTERS})",
            shorten(&name)
        );
        section.report(problems, NAME.name, &wrong, NAME.default.0);
        return None;
    }
    Some(name)
}

fn read_family(
    problems: &mut Problems,
    section: &Section<'_>,
    ip: Option<IpAddr>,
) -> Option<IpVersion> {
    let version = section.optional(problems, &FAMILY)??;
    // An IP address implies its version: with and without the key it is the same host with one
    // history.
    let Some(ip) = ip else {
        return Some(version);
    };
    if version != IpVersion::of(ip) {
        let wrong = format!("{} contradicts the address {ip}", version.number());
        section.report(problems, FAMILY.name, &wrong, "the address's own used");
    }
    None
}

fn read_source_of_host(
    problems: &mut Problems,
    section: &Section<'_>,
    ip: Option<IpAddr>,
    family: Option<IpVersion>,
) -> Option<Source> {
    let source = section.optional(problems, &SOURCE)?;
    if let Source::Address(address) = source
        && !IpVersion::admits(ip.map(IpVersion::of).or(family), address)
    {
        let wrong = format!("{address} is of another IP version than the host");
        section.report(problems, SOURCE.name, &wrong, SOURCE.default.0);
        return None;
    }
    Some(source)
}
