//! The list of hosts: each with its address, its own keys, and nobody twice.

use crate::pure::address::{HostAddress, IpVersion};
use std::net::IpAddr;
use std::sync::Arc;

use super::address::{read_address, read_source};
use super::keys;
use super::pace::{Monitoring, read_host_pace};
use super::problem::{ProblemKind, shorten};
use super::section::{Checker, Section, describe};
use super::yaml::{Content, Node};
use super::{HostConfig, Role};
use crate::pure::model::{Host, Source};

/// Name and address of the hosts that are pinged when the file lists none.
const DEFAULTS: [(&str, &str); 3] = [
    ("Google DNS", "8.8.8.8"),
    ("Cloudflare DNS", "1.1.1.1"),
    ("Local Gateway", HostAddress::GATEWAY),
];

const MAX_NAME_CHARACTERS: usize = 4096;

/// The hosts of the file. The default ones only where the file has no list: who lists nobody pings
/// nobody.
pub(super) fn read_hosts(
    checker: &mut Checker,
    root: &Section<'_>,
    monitoring: &Monitoring,
) -> Vec<HostConfig> {
    let Some(node) = root.get("hosts") else {
        return default_hosts(monitoring);
    };
    let Content::List(items) = &node.content else {
        let wrong = match node.content {
            Content::Null => "has no value: a list of hosts belongs here".into(),
            _ => format!("{} where a list of hosts belongs", describe(node)),
        };
        checker.wrong(root, "hosts", &wrong, "default hosts used");
        return default_hosts(monitoring);
    };
    if items.is_empty() {
        checker.wrong(root, "hosts", "the list is empty", "nothing is pinged");
    }
    let mut seen = Seen::default();
    let mut plans = Vec::with_capacity(items.len());
    for (index, item) in items.iter().enumerate() {
        plans.extend(read_host(checker, item, index, monitoring, &mut seen));
    }
    plans
}

fn default_hosts(monitoring: &Monitoring) -> Vec<HostConfig> {
    let host = |(name, address): (&str, &str)| Host {
        name: name.into(),
        address: address.into(),
        family: None,
    };
    DEFAULTS
        .into_iter()
        .map(|names| plan_with_common_keys(host(names), monitoring))
        .collect()
}

/// How a host without keys of its own is checked.
pub(super) fn plan_with_common_keys(host: Host, monitoring: &Monitoring) -> HostConfig {
    HostConfig {
        role: if host.address.is_gateway() {
            Role::Gateway
        } else {
            Role::Internet
        },
        host: Arc::new(host),
        interval: monitoring.pace.interval,
        ping_count: monitoring.pace.ping_count,
        timeout: monitoring.pace.timeout,
        spacing: monitoring.fit.spacing,
        payload_bytes: monitoring.pace.payload_bytes,
        time_to_live: monitoring.pace.time_to_live,
        thresholds: monitoring.pace.thresholds,
        source: None,
    }
}

/// Which families of an address are taken, and by which host.
#[derive(Default)]
struct Seen(Vec<(HostAddress, Option<IpVersion>, usize)>);

impl Seen {
    /// The earlier host that is the same one: address and family are a host's identity.
    fn earlier(
        &mut self,
        address: &HostAddress,
        family: Option<IpVersion>,
        index: usize,
    ) -> Option<usize> {
        let is_same = |taken: &&(HostAddress, Option<IpVersion>, usize)| {
            taken.1 == family && taken.0.is_same_as(address)
        };
        let earlier = self.0.iter().find(is_same).map(|taken| taken.2);
        if earlier.is_none() {
            self.0.push((address.clone(), family, index));
        }
        earlier
    }
}

fn read_host(
    checker: &mut Checker,
    item: &Node,
    index: usize,
    monitoring: &Monitoring,
    seen: &mut Seen,
) -> Option<HostConfig> {
    let path = format!("hosts[{index}]");
    let cure = match &item.content {
        Content::Text(text) if read_address(text).is_ok() => {
            format!("host left out; write `- address: {}`", shorten(text))
        }
        _ => "host left out".into(),
    };
    let section = checker.open(item, path.clone(), keys::HOST, &cure)?;
    let Some(node) = section.get("address") else {
        checker.problem(
            ProblemKind::Value,
            section.line,
            path,
            "has no address; host left out".into(),
        );
        return None;
    };
    // An address is just text: what YAML takes 1.1 or no for does not matter.
    let word = match checker.word(node) {
        Ok(word) => word,
        Err(wrong) => {
            checker.wrong(&section, "address", &wrong, "host left out");
            return None;
        }
    };
    let address = match read_address(&word) {
        Ok(address) => address,
        Err(wrong) => {
            checker.wrong(
                &section,
                "address",
                &format!("\"{}\" {wrong}", shorten(&word)),
                "host left out",
            );
            return None;
        }
    };
    let ip = address.ip();
    let family = read_family(checker, &section, ip);
    if let Some(earlier) = seen.earlier(&address, family, index) {
        let wrong = format!(
            "\"{}\" is the address of hosts[{earlier}] already",
            shorten(&word)
        );
        checker.wrong(&section, "address", &wrong, "this second one left out");
        return None;
    }
    let name = read_name(checker, &section).unwrap_or_else(|| address.to_string());
    let (pace, fit) = read_host_pace(checker, &section, monitoring);
    let source = read_host_source(checker, &section, ip, family);
    let role = read_role(checker, &section, &address);
    Some(HostConfig {
        host: Arc::new(Host {
            name,
            address,
            family,
        }),
        interval: pace.interval,
        ping_count: pace.ping_count,
        timeout: pace.timeout,
        spacing: fit.spacing,
        payload_bytes: pace.payload_bytes,
        time_to_live: pace.time_to_live,
        thresholds: pace.thresholds,
        source,
        role,
    })
}

fn read_name(checker: &mut Checker, section: &Section<'_>) -> Option<String> {
    const USED: &str = "the address used as name";
    let name = checker.text(section, "name", USED)?;
    let length = name.chars().count();
    if length > MAX_NAME_CHARACTERS {
        let wrong = format!(
            "\"{}\" has {length} characters (allowed: 1 to {MAX_NAME_CHARACTERS})",
            shorten(&name)
        );
        checker.wrong(section, "name", &wrong, USED);
        return None;
    }
    Some(name)
}

fn read_family(
    checker: &mut Checker,
    section: &Section<'_>,
    ip: Option<IpAddr>,
) -> Option<IpVersion> {
    let family = match checker.choice(section, "family", &["any", "4", "6"], "any used") {
        Some(1) => Some(IpVersion::V4),
        Some(2) => Some(IpVersion::V6),
        _ => return None,
    };
    match ip {
        Some(ip) if !IpVersion::admits(family, ip) => {
            let wrong = format!(
                "{} contradicts the address {ip}",
                family.map_or(0, IpVersion::number)
            );
            checker.wrong(section, "family", &wrong, "the address's own used");
            None
        }
        // An address says its version itself: with and without the key it is the same host, with
        // one history.
        Some(_) => None,
        None => family,
    }
}

fn read_host_source(
    checker: &mut Checker,
    section: &Section<'_>,
    ip: Option<IpAddr>,
    family: Option<IpVersion>,
) -> Option<Source> {
    const USED: &str = "routing chooses";
    let node = section.get("source")?;
    let wrong = match checker.word(node) {
        Ok(word) => match read_source(&word) {
            Ok(Source::Address(source))
                if ip.is_some_and(|ip| ip.is_ipv4() != source.is_ipv4())
                    || !IpVersion::admits(family, source) =>
            {
                format!("{source} is of another IP version than the host")
            }
            Ok(source) => return Some(source),
            Err(wrong) => format!("\"{}\" {wrong}", shorten(&word)),
        },
        Err(wrong) => wrong,
    };
    checker.wrong(section, "source", &wrong, USED);
    None
}

fn read_role(checker: &mut Checker, section: &Section<'_>, address: &HostAddress) -> Role {
    let (default, used) = if address.is_gateway() {
        (Role::Gateway, "gateway used")
    } else {
        (Role::Internet, "internet used")
    };
    match checker.choice(
        section,
        "role",
        &["gateway", "internet", "dns", "other"],
        used,
    ) {
        Some(0) => Role::Gateway,
        Some(1) => Role::Internet,
        Some(2) => Role::Dns,
        Some(3) => Role::Other,
        _ => default,
    }
}
