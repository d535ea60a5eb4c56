//! What names a host in an engine.

use crate::pure::address::{IpVersion, Source};
use crate::store::{EventToPush, HostToPush};

/// Names and values.
pub type Tags = Vec<(&'static str, String)>;

pub fn tags_of_host(host: &HostToPush) -> Tags {
    let host = &host.host;
    tags_of(&host.name, &host.address, host.family, host.source.as_ref())
}

/// Of the host that an event has recorded.
pub fn tags_of_event(event: &EventToPush) -> Tags {
    let EventToPush {
        event,
        family,
        source,
        ..
    } = event;
    tags_of(
        &event.host_name,
        &event.host_address,
        *family,
        source.as_ref(),
    )
}

/// With the configured labels.
pub fn with_labels<'a>(
    tags: &'a Tags,
    labels: &'a [(String, String)],
) -> impl Iterator<Item = (&'a str, &'a str)> {
    let tags = tags.iter().map(|(name, value)| (*name, value.as_str()));
    let labels = labels
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()));
    tags.chain(labels)
}

/// A source is a tag where the host has one: hosts may differ in it alone.
fn tags_of(name: &str, address: &str, family: Option<IpVersion>, source: Option<&Source>) -> Tags {
    let family = IpVersion::family_word(family).to_owned();
    let mut tags = vec![
        ("host", name.to_owned()),
        ("address", address.to_owned()),
        ("family", family),
    ];
    tags.extend(source.map(|source| ("source", source.to_string())));
    tags
}
